"""任职、离任、转任、撤销职务: what is open finds its post, and only what was seen is confirmed."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from models.account import Account
from models.base import table
from models.casework import Case, Slot, SlotState, Step
from models.message import Message
from models.organisation import Appointment, Portfolio, Post, PostKind
from models.vacancy import Handover
from policy.administration import AdministratorRole
from services.appointing import Held, appoint, leave, leaving, transfer
from services.casework import decide
from services.command import SYSTEM, Work
from services.errors import AlreadyDecided, Invalid, NotAuthorised, NotFound
from services.handover import handed_over, not_received, receive
from services.organisers import Changed
from services.posting import TitleTaken, abolish_post, abolition, create_post
from services.rerouting import MayNotReroute, reroute_slot
from services.scope import standing
from tests.account_scene import administrator
from tests.parts_case import start, values
from tests.vacancy_scene import come, gone, holding, holds, settle, today, town, vacant
from tests.world import Clock, World

_accounts, _held, _messages = table(Account), table(Appointment), table(Message)
_posts = table(Post)
_slots, _steps = table(Slot), table(Step)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from town(engine, clock)


def abolish(world: World, post: str, successor: str, **given: Any) -> int:
    of: Any = {"post_id": world.posts[post], "successor_id": world.posts[successor]}
    with world.env.engine.connect() as db:
        seen = abolition(
            db, None, of["post_id"], of["successor_id"], today(world)
        ).moves.fingerprint
    return abolish_post(world.env, SYSTEM, **of, **{"seen": seen, "key": world.key(), **given})


def told(world: World, post: str) -> list[str]:
    mine = _messages.c.person_id == world.people[post], _messages.c.withdrawn_at.is_(None)
    return values(world, select(_messages.c.template).where(*mine).order_by(_messages.c.id))


def test_what_is_open_goes_to_the_successor_with_its_deadline(world: World) -> None:
    start(world)
    before = values(world, select(_steps.c.due_at).where(_steps.c.key == "draft"))
    assert abolish(world, "clerk", "deputy") == 1
    settle(world)
    assert world.waiting() == [("draft", "deputy")]
    assert vacant(world) == []
    assert values(world, select(_steps.c.due_at).where(_steps.c.key == "draft")) == before
    assert (told(world, "clerk"), told(world, "deputy")) == ([], ["opened"])
    world.answer("draft")
    holds(world)


def test_a_step_that_would_ask_an_abolished_post_asks_its_last_successor(world: World) -> None:
    abolish(world, "clerk", "deputy")
    abolish(world, "deputy", "secretary")
    settle(world)
    start(world)
    assert world.waiting() == [("draft", "secretary")]
    holds(world)


def test_two_seats_of_a_hearing_that_become_one_need_one_answer(world: World) -> None:
    start(world)
    world.answer("draft")
    world.answer("review", "agree", "inspection_head")
    abolish(world, "discipline_secretary", "inspection_head")
    settle(world)
    assert ("review", "inspection_head") not in world.waiting()
    assert [key for key, _ in world.waiting()] == ["approve"]
    holds(world)


def test_a_vacancy_of_a_post_that_is_abolished_is_over(world: World) -> None:
    start(world)
    gone(world, "clerk")
    settle(world)
    abolish(world, "clerk", "deputy")
    settle(world)
    assert vacant(world) == []
    assert world.waiting() == [("draft", "deputy")]
    holds(world)


def test_the_portfolio_goes_with_the_post(world: World) -> None:
    abolish(world, "district_member", "district_secretary")
    rows = table(Portfolio)
    query = select(rows.c.post_id, rows.c.ends_on).order_by(rows.c.id)
    with world.env.engine.connect() as db:
        found = [tuple(row) for row in db.execute(query)]
    member, secretary = world.posts["district_member"], world.posts["district_secretary"]
    assert found == [(member, today(world)), (secretary, None)]


def test_what_changed_since_it_was_seen_is_not_confirmed(world: World) -> None:
    of: Any = {"post_id": world.posts["clerk"], "successor_id": world.posts["deputy"]}
    with world.env.engine.connect() as db:
        seen = abolition(
            db, None, of["post_id"], of["successor_id"], today(world)
        ).moves.fingerprint
    start(world)
    with pytest.raises(Changed):
        abolish_post(world.env, SYSTEM, **of, seen=seen, key=world.key())
    with pytest.raises(Changed):
        abolish(world, "clerk", "deputy", seen="")
    assert world.waiting() == [("draft", "clerk")]


def test_a_post_has_no_successor_in_itself_or_in_an_abolished_one(world: World) -> None:
    with pytest.raises(Invalid):
        abolish(world, "clerk", "clerk")
    abolish(world, "deputy", "secretary")
    with pytest.raises(NotFound):
        abolish(world, "clerk", "deputy")
    with pytest.raises(NotFound):
        come(world, "deputy")


def test_who_is_transferred_leaves_one_post_and_holds_the_other(world: World) -> None:
    start(world)
    gone(world, "deputy")
    with world.env.engine.connect() as db:
        found = leaving(db, None, holding(world, "clerk"), today(world))
    of: Any = {"appointment_id": found.appointment_id, "to": world.posts["deputy"]}
    seen = found.moves.fingerprint
    transfer(world.env, SYSTEM, **of, on=today(world), seen=seen, key=world.key())
    settle(world)
    assert vacant(world) == ["clerk"]  # the draft stays with the post
    with world.env.engine.connect() as db:
        who = standing(db, world.people["clerk"], today(world))
    assert who.post_ids == (world.posts["deputy"],)
    holds(world)


def test_who_leaves_later_decides_until_then(world: World, clock: Clock) -> None:
    start(world)
    gone(world, "clerk", in_days=1)
    world.answer("draft")
    clock.forward(days=1)
    with world.env.engine.connect() as db:
        assert standing(db, world.people["clerk"], today(world)).posts == ()
    holds(world)


def test_a_day_that_is_past_ends_no_appointment(world: World) -> None:
    with pytest.raises(Invalid):
        gone(world, "clerk", in_days=-1)
    gone(world, "clerk")
    held = values(world, select(_held.c.id).where(_held.c.post_id == world.posts["clerk"]))
    with world.env.engine.connect() as db, pytest.raises(NotFound):
        leaving(db, None, held[0], today(world))


def test_who_takes_over_confirms_the_receipt_once(world: World) -> None:
    start(world)
    gone(world, "clerk")
    come(world, "clerk")
    person = values(world, select(_held.c.person_id).order_by(_held.c.id.desc()))[0]
    with world.env.engine.connect() as db:
        who = standing(db, person, today(world))
        [handover] = not_received(db, who)
        shown = handed_over(db, who, handover, world.env.clock())
        with pytest.raises(NotFound):
            handed_over(
                db, standing(db, world.people["clerk"], today(world)), handover, shown.made_at
            )
    assert (len(shown.items), shown.open, shown.received_at) == (1, 1, None)
    with pytest.raises(NotFound):
        receive(world.env, world.actor("deputy"), handover_id=handover, key="other")
    world.people["clerk"] = person
    receive(world.env, world.actor("clerk"), handover_id=handover, key="once")
    receive(world.env, world.actor("clerk"), handover_id=handover, key="once")
    with pytest.raises(AlreadyDecided):
        receive(world.env, world.actor("clerk"), handover_id=handover, key="again")
    assert values(world, select(table(Handover).c.received_by)) == [person]
    world.answer("draft")
    with world.env.engine.connect() as db:
        assert handed_over(db, who, handover, world.env.clock()).open == 0
    holds(world)


def test_a_post_that_nothing_waits_on_is_handed_over_without_a_list(world: World) -> None:
    gone(world, "clerk")
    come(world, "clerk")
    assert values(world, select(table(Handover).c.id)) == []


def test_a_superior_gives_an_open_step_to_another_post(world: World) -> None:
    start(world)
    slot = world.open_slots()[0][0]
    of: Any = {"slot_id": slot, "post_id": world.posts["deputy"], "reason": "分工调整"}
    with pytest.raises(MayNotReroute):
        reroute_slot(world.env, world.actor("deputy"), **of, key="1")
    with pytest.raises(NotFound):
        reroute_slot(world.env, world.actor("outsider"), **of, key="2")
    with pytest.raises(NotAuthorised):
        reroute_slot(world.env, SYSTEM, **of, key="3")
    with pytest.raises(Invalid):
        reroute_slot(world.env, world.actor("secretary"), **{**of, "reason": " "}, key="4")
    reroute_slot(world.env, world.actor("secretary"), **of, key="5")
    assert world.waiting() == [("draft", "deputy")]
    assert (told(world, "clerk"), told(world, "deputy")) == ([], ["opened"])
    with pytest.raises(NotAuthorised):
        decide(world.env, world.actor("clerk"), slot_id=slot, answer="done", key="6")
    world.answer("draft")
    with pytest.raises(AlreadyDecided):
        reroute_slot(world.env, world.actor("secretary"), **of, key="7")
    holds(world)


def test_a_post_given_nobody_holds_is_a_vacancy(world: World) -> None:
    start(world)
    gone(world, "deputy")
    slot = world.open_slots()[0][0]
    of: Any = {"slot_id": slot, "post_id": world.posts["deputy"], "reason": "分工调整"}
    reroute_slot(world.env, world.actor("secretary"), **of, key="1")
    settle(world)
    assert vacant(world) == ["deputy"]
    holds(world)


@pytest.mark.parametrize("post", ["secretary", "district_secretary", "outsider", "inspection_head"])
def test_only_the_operator_and_the_organisation_department_keep_the_records(
    world: World, post: str
) -> None:
    of: Any = {"unit_id": world.organisations["town"], "kind": PostKind.MEMBER, "rank": 8}
    with pytest.raises(NotFound):
        create_post(world.env, world.actor(post), **of, title="委员", key=world.key())
    for allowed, title in (("operator", "甲"), ("personnel_head", "乙")):
        made = create_post(world.env, world.actor(allowed), **of, title=title, key=world.key())
        given: Any = {"post_id": made, "starts_on": today(world), "name": "某人"}
        appoint(world.env, world.actor(allowed), **given, key=world.key())


def test_a_new_post_has_a_title_of_its_own_and_one_leads(world: World) -> None:
    of: Any = {"unit_id": world.organisations["town"], "kind": PostKind.MEMBER}
    for rank, title in ((8, ""), (8, "长" * 61), (100, "委员"), (0, "第一书记")):
        with pytest.raises(Invalid):
            create_post(world.env, SYSTEM, **of, rank=rank, title=title, key=world.key())
    with pytest.raises(TitleTaken):
        create_post(world.env, SYSTEM, **of, rank=8, title="副书记", key=world.key())


def test_two_holders_at_a_time_are_refused_also_for_later(world: World) -> None:
    gone(world, "clerk", in_days=5)
    with pytest.raises(Held):
        come(world, "clerk", in_days=4)
    come(world, "clerk", in_days=5)
    with pytest.raises(Held):
        come(world, "clerk", in_days=9)
    with pytest.raises(Invalid):
        come(world, "deputy", in_days=400)
    of: Any = {"post_id": world.posts["deputy"], "starts_on": date(2026, 9, 1)}
    with pytest.raises(Invalid):
        appoint(world.env, SYSTEM, **of, key=world.key())


def test_nobody_appoints_themselves_or_an_administrator(world: World) -> None:
    gone(world, "clerk")
    login = administrator(world, AdministratorRole.AUDIT)
    audits = values(world, select(_accounts.c.person_id).where(_accounts.c.login == login))[0]
    of: Any = {"post_id": world.posts["clerk"], "starts_on": today(world)}
    for who, person in (("operator", world.people["operator"]), ("operator", audits)):
        with pytest.raises(Invalid):
            appoint(world.env, world.actor(who), **of, person_id=person, key=world.key())
    appoint(
        world.env, world.actor("operator"), **of, person_id=world.people["deputy"], key=world.key()
    )


def test_a_term_that_ends_is_not_lengthened_into_the_next(world: World) -> None:
    held = holding(world, "clerk")
    gone(world, "clerk", in_days=5)
    come(world, "clerk", in_days=5)
    for days, error in ((90, Invalid), (3, None)):
        with world.env.engine.connect() as db:
            seen = leaving(db, None, held, today(world)).moves.fingerprint
        given: Any = {"ends_on": today(world) + timedelta(days=days), "seen": seen}
        with pytest.raises(error) if error else nullcontext():
            leave(world.env, SYSTEM, appointment_id=held, **given, key=world.key())
    ends = values(world, select(_held.c.ends_on).where(_held.c.id == held))
    assert ends == [today(world) + timedelta(days=3)]


def test_a_term_that_was_taken_back_before_it_began_holds_no_post(world: World) -> None:
    gone(world, "clerk")
    later = come(world, "clerk", "以后的人", in_days=30)
    with world.env.engine.connect() as db:
        seen = leaving(db, None, later, today(world)).moves.fingerprint
    given: Any = {"appointment_id": later, "ends_on": today(world), "seen": seen}
    leave(world.env, SYSTEM, **given, key=world.key())
    come(world, "clerk", "现在的人")


def test_the_same_confirmation_again_is_carried_out_once(world: World) -> None:
    start(world)
    of: Any = {"post_id": world.posts["clerk"], "successor_id": world.posts["deputy"]}
    with world.env.engine.connect() as db:
        seen = abolition(
            db, None, of["post_id"], of["successor_id"], today(world)
        ).moves.fingerprint
    done = [abolish_post(world.env, SYSTEM, **of, seen=seen, key="once") for _ in range(2)]
    assert done == [1, 1]


def test_what_was_opened_meanwhile_on_an_abolished_post_follows(world: World) -> None:
    """A transaction that saw the post held inserts its slot after the abolition."""
    start(world)
    abolish(world, "clerk", "deputy")
    settle(world)
    slot = world.open_slots()[0][0]

    def late(work: Work) -> dict[str, int]:
        row = work.db.execute(select(_slots).where(_slots.c.id == slot)).one()
        values_ = {**row._mapping, "id": 901, "post_id": world.posts["clerk"], "position": 1}
        work.db.execute(insert(_slots), values_)
        return {}

    world.do(late)
    settle(world)
    asked = select(_slots.c.post_id).where(_slots.c.state == SlotState.OPEN)
    assert values(world, asked) == [world.posts["deputy"]]
    assert values(world, select(table(Case).c.state)) == ["open"]
