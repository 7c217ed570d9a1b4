"""A person's addresses: theirs alone, confirmed before they are used, and never said again."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from models.audit import Audit, Command
from models.base import table
from models.message import Channel
from notifications.outcome import Refused
from services.channel import (
    MINUTES,
    TRIES,
    ChannelsOff,
    NotDelivered,
    ShownChannel,
    WrongCode,
    add_channel,
    channels_of,
    confirm_channel,
    drop_channel,
    new_code,
)
from services.env import Env
from services.errors import Invalid, KeyReused, NotAuthorised, NotFound
from tests.telling import Desk, desk

CANARY = "secret-canary"
URL = f"outside://user:{CANARY}@example.org"


@pytest.fixture
def at(env: Env) -> Desk:
    """A cast on each database, with nobody's channel."""
    return desk(env)


def add(at: Desk, post: str = "clerk", url: str = URL, key: str = "") -> int:
    return add_channel(at.env, at.world.actor(post), key=key or at.world.key(), url=url)


def confirm(at: Desk, channel_id: int, code: str, post: str = "clerk") -> None:
    actor = at.world.actor(post)
    confirm_channel(at.env, actor, key=at.world.key(), channel_id=channel_id, code=code)


def last_code(at: Desk) -> str:
    found = re.search(r"\d{6}", at.twin.posted[-1].body)
    assert found
    return found[0]


def shown(at: Desk, post: str = "clerk") -> list[ShownChannel]:
    with at.env.engine.connect() as db:
        return channels_of(db, at.world.people[post])


def test_an_address_is_used_once_its_code_came_back(at: Desk) -> None:
    channel = add(at)
    assert shown(at) == [ShownChannel(channel, "outside", False, confirmed=False, refused=False)]
    at.tell("clerk")
    assert at.deliver().sent == 0
    confirm(at, channel, f" {last_code(at)} ")
    assert shown(at)[0].confirmed
    at.tell("clerk")
    assert at.deliver().sent == 1


def test_the_same_request_again_adds_and_sends_nothing_more(at: Desk) -> None:
    assert add(at, key="once") == add(at, key="once")
    assert len(at.twin.posted) == 1
    with pytest.raises(KeyReused):
        add(at, url="outside://elsewhere", key="once")


def test_an_address_that_is_not_understood_is_refused_without_being_repeated(at: Desk) -> None:
    with pytest.raises(Invalid) as refusal:
        add(at, url=CANARY)
    assert CANARY not in refusal.value.message + repr(refusal.value.details)
    assert shown(at) == []


def test_a_wrong_code_confirms_nothing_and_so_many_end_it(at: Desk) -> None:
    channel = add(at)
    right = last_code(at)
    wrong = "000000" if right != "000000" else "111111"
    for _ in range(TRIES):
        with pytest.raises(WrongCode):
            confirm(at, channel, wrong)
    with pytest.raises(WrongCode):
        confirm(at, channel, right)
    at.clock.forward(timedelta(minutes=1))
    new_code(at.env, at.world.actor("clerk"), key="again", channel_id=channel)
    confirm(at, channel, last_code(at))
    assert shown(at)[0].confirmed


def test_a_code_is_good_for_ten_minutes_and_once(at: Desk) -> None:
    channel = add(at)
    at.clock.forward(timedelta(minutes=MINUTES))
    confirm(at, channel, last_code(at))
    with pytest.raises(WrongCode):
        confirm(at, channel, last_code(at))
    other = add(at, url=f"{URL}/2")
    at.clock.forward(timedelta(minutes=MINUTES, seconds=1))
    with pytest.raises(WrongCode):
        confirm(at, other, last_code(at))


def test_a_new_code_is_sent_at_most_once_a_minute(at: Desk) -> None:
    channel = add(at)
    with pytest.raises(Invalid):
        new_code(at.env, at.world.actor("clerk"), key="soon", channel_id=channel)
    assert len(at.twin.posted) == 1


def test_a_code_that_was_not_delivered_says_so_and_names_the_channel(at: Desk) -> None:
    at.twin.answer([Refused(permanent=True, detail="smtp 550")])
    with pytest.raises(NotDelivered) as failure:
        add(at)
    (channel,) = shown(at)
    assert failure.value.details == {"channel": channel.id}
    assert CANARY not in repr(failure.value)


def test_nobody_confirms_renews_or_drops_somebody_elses_address(at: Desk) -> None:
    channel = add(at)
    code = last_code(at)
    at.clock.forward(timedelta(minutes=1))
    for post in ("outsider", "operator", "secretary"):
        actor = at.world.actor(post)
        with pytest.raises(NotFound):
            confirm(at, channel, code, post)
        with pytest.raises(NotFound):
            new_code(at.env, actor, key=at.world.key(), channel_id=channel)
        with pytest.raises(NotFound):
            drop_channel(at.env, actor, key=at.world.key(), channel_id=channel)
    assert len(at.twin.posted) == 1


def test_only_the_operator_names_an_address_for_somebody_else_who_then_confirms_it(
    at: Desk,
) -> None:
    clerk = at.world.people["clerk"]
    with pytest.raises(NotAuthorised):
        add_channel(at.env, at.world.actor("secretary"), key="a", url=URL, person_id=clerk)
    operator = at.world.actor("operator")
    channel = add_channel(at.env, operator, key="b", url=URL, person_id=clerk)
    confirm(at, channel, last_code(at))
    assert shown(at)[0].confirmed


def test_an_address_refused_for_good_is_used_again_once_it_is_confirmed_again(at: Desk) -> None:
    channel = at.channel("clerk")
    at.tell("clerk")
    at.twin.answer([Refused(permanent=True, detail="smtp 550")])
    at.deliver()
    assert shown(at)[0].refused
    new_code(at.env, at.world.actor("clerk"), key="again", channel_id=channel)
    confirm(at, channel, last_code(at))
    assert not shown(at)[0].refused
    at.clock.forward(timedelta(minutes=20))
    at.tell("clerk")
    assert at.deliver().sent == 1


def test_a_dropped_address_is_forgotten_and_its_log_is_kept(at: Desk) -> None:
    channel = at.channel("clerk", URL)
    at.tell("clerk")
    at.deliver()
    drop_channel(at.env, at.world.actor("clerk"), key="drop", channel_id=channel)
    assert at.row(channel).url == ""
    assert shown(at) == []
    assert at.states() == ["sent"]
    at.clock.forward(timedelta(hours=1))
    at.tell("clerk")
    assert at.deliver().sent == 0


def test_no_code_is_sent_while_the_one_switch_is_off(at: Desk) -> None:
    for env in (replace(at.env, sending=False), replace(at.env, channels=None)):
        with pytest.raises(ChannelsOff):
            add_channel(env, at.world.actor("clerk"), key=at.world.key(), url=URL)
    assert at.twin.posted == []
    assert shown(at) == []


def test_what_was_done_is_audited_and_neither_address_nor_code_is(at: Desk) -> None:
    channel = add(at)
    code = last_code(at)
    confirm(at, channel, code)
    drop_channel(at.env, at.world.actor("clerk"), key="drop", channel_id=channel)
    audit, commands = table(Audit), table(Command)
    with at.env.engine.connect() as db:
        entries = list(
            db.execute(select(audit.c.body).where(audit.c.stream == "channel")).scalars()
        )
        kept = repr(db.execute(select(commands)).all())
    acts = [re.search(r'"act":"([a-z.]+)"', entry) for entry in entries]
    assert [act[1] for act in acts if act] == ["channel.add", "channel.confirm", "channel.drop"]
    assert CANARY not in "".join(entries) + kept
    assert code not in "".join(entries)


def test_an_error_of_the_database_does_not_quote_an_address(at: Desk) -> None:
    values = {"person_id": 10**9, "url": URL, "kind": "mail", "inside": False, "code_tries": 0}
    with pytest.raises(IntegrityError) as failure, at.env.engine.begin() as db:
        db.execute(insert(table(Channel)).values(values))
    assert CANARY not in str(failure.value)
