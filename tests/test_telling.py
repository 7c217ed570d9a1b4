"""Messages are written with their cause: once a person, to whoever holds the post that day."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from models.base import table
from models.message import Message
from models.organisation import Appointment
from services.env import Env
from services.telling import mark_read, revise, tell, tell_many, tell_operator, withdraw
from tests.telling import Desk, desk

_messages, _appointments = table(Message), table(Appointment)


@pytest.fixture
def at(env: Env) -> Desk:
    """A cast on each database."""
    return desk(env)


def say(at: Desk, key: str, *posts: str, template: str = "opened") -> frozenset[str]:
    names = {post_id: name for name, post_id in at.world.posts.items()}
    with at.env.engine.begin() as db:
        told = tell_many(
            db,
            key=key,
            posts=[at.world.posts[post] for post in posts],
            template=template,
            context={},
            now=at.clock(),
        )
    return frozenset(names[post_id] for post_id in told)


def told(at: Desk) -> Sequence[tuple[str, int]]:
    with at.env.engine.connect() as db:
        query = select(_messages.c.key, _messages.c.person_id).order_by(_messages.c.key)
        return [(row.key, row.person_id) for row in db.execute(query)]


def vacate(at: Desk, post: str) -> None:
    with at.env.engine.begin() as db:
        db.execute(
            update(_appointments)
            .where(_appointments.c.post_id == at.world.posts[post])
            .values(ends_on=at.clock().date())
        )


def test_the_same_cause_tells_a_person_once_and_says_so_again(at: Desk) -> None:
    assert say(at, "opened:1", "clerk", "deputy") == {"clerk", "deputy"}
    assert say(at, "opened:1", "clerk", "deputy") == {"clerk", "deputy"}
    people = at.world.people
    assert told(at) == sorted(
        (f"opened:1:{people[post]}", people[post]) for post in ("clerk", "deputy")
    )


def test_a_person_with_two_of_the_posts_is_told_once(at: Desk) -> None:
    with at.env.engine.begin() as db:
        db.execute(
            insert(_appointments).values(
                post_id=at.world.posts["deputy"],
                person_id=at.world.people["clerk"],
                starts_on=at.clock().date(),
            )
        )
    vacant_before = say(at, "opened:1", "clerk", "deputy")
    assert vacant_before == {"clerk", "deputy"}
    clerk = at.world.people["clerk"]
    assert [person for _, person in told(at)].count(clerk) == 1


def test_a_vacant_post_is_left_out_of_those_who_were_told(at: Desk) -> None:
    vacate(at, "deputy")
    assert say(at, "opened:1", "clerk", "deputy") == {"clerk"}
    with at.env.engine.begin() as db:
        assert not tell(
            db,
            key="opened:2",
            post_id=at.world.posts["deputy"],
            template="opened",
            context={},
            now=at.clock(),
        )


def test_nobody_is_told_nothing(at: Desk) -> None:
    assert say(at, "opened:1") == frozenset()
    assert told(at) == []


def test_a_template_that_does_not_exist_is_an_error_where_it_is_told(at: Desk) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        say(at, "opened:1", "clerk", template="nonsense")
    with pytest.raises(ValueError, match="digest"), at.env.engine.begin() as db:
        tell_operator(db, operator=1, key="a", template="digest", context={}, now=at.clock())


def test_nobody_operates_and_nothing_is_said(at: Desk) -> None:
    with at.env.engine.begin() as db:
        arguments = {"key": "a", "template": "operator", "context": {}, "now": at.clock()}
        assert not tell_operator(db, operator=None, **arguments)
    assert told(at) == []


def test_only_who_has_a_usable_channel_is_looked_at_by_the_delivery_run(at: Desk) -> None:
    at.channel("clerk")
    at.channel("deputy", confirmed_at=None)
    at.channel("secretary", refused_at=at.clock())
    due = {post: at.message(at.tell(post)).send_after for post in ("clerk", "deputy", "secretary")}
    assert due == {"clerk": at.clock(), "deputy": None, "secretary": None}


def test_what_is_taken_back_keeps_when_it_was_first(at: Desk) -> None:
    at.open_case()
    (row,) = at.of_template("opened")
    first = at.clock()
    for _ in range(2):
        with at.env.engine.begin() as db:
            withdraw(db, row.step_id, at.clock())
        at.clock.forward(timedelta(hours=1))
    assert at.message(row.id).withdrawn_at == first
    assert at.message(row.id).send_after is None


def test_what_is_revised_is_said_as_it_is_now_until_it_was_read(at: Desk) -> None:
    at.open_case()
    (row,) = at.of_template("opened")
    with at.env.engine.begin() as db:
        revise(db, row.step_id, {"count": 2})
    assert at.message(row.id).context == {"count": 2}
    with at.env.engine.begin() as db:
        assert mark_read(db, row.person_id, [row.id], at.clock()) == 1
        revise(db, row.step_id, {"count": 3})
    assert at.message(row.id).context == {"count": 2}
