"""终止: who may, what it closes, what goes on, and what those hear who come too late (rule M)."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, text

from models.base import table
from models.casework import (
    Branch,
    DutyMember,
    Slot,
    Step,
    StepState,
    Wake,
)
from models.message import Message
from models.operating import RunEvent
from models.organisation import Appointment, RelationKind
from policy.calendar import local_day
from services.casework import decide, drain
from services.casework.branch import lock_branch
from services.casework.children import open_fanout
from services.casework.over import termination
from services.command import SYSTEM, Work
from services.errors import AlreadyDecided, Invalid, KeyReused, NotAuthorised, NotFound
from services.invariants import violations
from services.scope import standing
from services.telling import tell
from services.termination import MayNotTerminate, closing, terminate
from services.watch import sweep
from tests.parts_case import approve, cast, start, values
from tests.termination_scene import WHY, case, end, holds, states, told
from tests.world import Clock, World, serve

_branches = table(Branch)
_held = table(Appointment)
_messages = table(Message)
_slots = table(Slot)
_steps = table(Step)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from cast(engine, clock)


def test_everything_open_is_closed_and_it_says_by_whom_when_and_why(world: World) -> None:
    case_id = start(world)
    approve(world)
    assert len(world.open_slots()) == 3
    end(world, case_id)
    assert world.open_slots() == []
    assert states(world, _branches) == {"voided"}
    assert StepState.OPEN not in states(world, _steps)
    assert case(world, case_id).state == "terminated"
    with world.env.engine.connect() as db:
        done = termination(db, case_id)
    assert done is not None
    assert (done.post, done.at, done.reason) == ("滨河区委书记", world.env.clock(), WHY)
    holds(world)


def test_a_decision_that_comes_too_late_is_told_by_whom_and_when(world: World) -> None:
    case_id = start(world)
    slot_id, _, asked = world.open_slots()[0]
    end(world, case_id)
    with pytest.raises(AlreadyDecided, match="滨河区委书记于2026年3月2日 09:00终止") as late:
        decide(world.env, world.actor(asked), slot_id=slot_id, answer="done", key="late")
    assert late.value.details["by"] == "滨河区委书记"
    with pytest.raises(AlreadyDecided, match="终止"):
        end(world, case_id)
    assert values(world, select(_steps.c.answer)) == [None]
    holds(world)


def test_the_same_request_again_ends_it_once(world: World) -> None:
    case_id = start(world)
    end(world, case_id, key="once")
    end(world, case_id, key="once")
    with pytest.raises(KeyReused):
        end(world, case_id, key="once", reason="另有原因")
    entries = values(world, select(_messages.c.id).where(_messages.c.template == "terminated"))
    assert len(entries) == 2


@pytest.mark.parametrize("post", ["secretary", "clerk", "deputy", "town_discipline_secretary"])
def test_nobody_ends_their_own(world: World, post: str) -> None:
    case_id = start(world)
    with pytest.raises(MayNotTerminate):
        end(world, case_id, post)
    assert case(world, case_id).state == "open"


def test_being_asked_in_a_case_gives_no_right_to_end_it(world: World) -> None:
    case_id = start(world)
    world.answer("draft")
    assert ("review", "discipline_secretary") in world.waiting()
    with pytest.raises(MayNotTerminate):
        end(world, case_id, "discipline_secretary")


@pytest.mark.parametrize("post", ["outsider", "operator"])
def test_who_does_not_see_the_case_hears_what_they_would_of_none(world: World, post: str) -> None:
    case_id = start(world)
    heard = []
    for one in (case_id, 987_654):
        with pytest.raises(NotFound) as refused:
            end(world, one, post)
        heard.append((refused.value.message, refused.value.details))
    assert heard[0] == heard[1]


def test_the_system_ends_no_case_of_people(world: World) -> None:
    case_id = start(world)
    with pytest.raises(NotAuthorised):
        terminate(world.env, SYSTEM, case_id=case_id, reason=WHY, key="system")


@pytest.mark.parametrize("post", ["district_member", "district_secretary", "inspection_head"])
def test_the_leader_in_charge_those_above_and_the_office_may(world: World, post: str) -> None:
    case_id = start(world)
    serve(world, "inspection", RelationKind.INSPECTION_OFFICE)
    end(world, case_id, post)
    assert case(world, case_id).ended_as == world.posts[post]


def test_an_office_of_the_units_own_may_not(world: World) -> None:
    case_id = start(world)
    serve(world, "town_discipline", RelationKind.INSPECTION_OFFICE)
    with pytest.raises(MayNotTerminate):
        end(world, case_id, "town_discipline_secretary")


@pytest.mark.parametrize(
    "reason", ["", "  ", "长" * 501, "举报人系出纳，终止", "联系 13812345678", "机密★终止"]
)
def test_a_reason_is_needed_and_passes_the_gate(world: World, reason: str) -> None:
    case_id = start(world)
    with pytest.raises(Invalid) as wrong:
        end(world, case_id, reason=reason)
    assert wrong.value.details["field"] == "reason"
    assert case(world, case_id).state == "open"


@pytest.mark.parametrize("unit", ["town", "town_discipline"])
def test_nobody_ends_their_own_by_another_post_that_they_hold(world: World, unit: str) -> None:
    case_id = start(world)
    serve(world, "inspection", RelationKind.INSPECTION_OFFICE)
    own = {"town": "clerk", "town_discipline": "town_discipline_secretary"}[unit]
    for post in ("district_member", "inspection_head"):
        both = {
            "person_id": world.people[own],
            "post_id": world.posts[post],
            "starts_on": local_day(world.env.clock()),
        }
        world.do(lambda work, row=both: {"n": work.db.execute(insert(_held), row).rowcount})
    with pytest.raises(MayNotTerminate):
        end(world, case_id, own)
    assert case(world, case_id).state == "open"


def test_superiors_lists_end_and_their_members_are_struck(world: World, clock: Clock) -> None:
    case_id = start(world)
    approve(world)
    for _ in range(9):
        clock.forward(days=5)
        sweep(world.env)
        while drain(world.env):
            pass
    members = table(DutyMember)
    assert any(key.startswith("rung:") for key, _ in world.waiting())
    end(world, case_id)
    while drain(world.env):
        pass
    assert world.open_slots() == []
    assert values(world, select(members.c.id).where(members.c.struck_at.is_(None))) == []
    assert values(world, select(table(Wake).c.id)) == []
    clock.forward(days=30)
    assert sweep(world.env) == 0
    holds(world)


def test_each_person_is_told_once_and_what_was_said_before_is_withdrawn(world: World) -> None:
    case_id = start(world)
    approve(world)
    tell_of_case(world, case_id)
    assert told(world, "clerk")[0] == "整改任务清单已下发——梧桐路街道党工委"
    assert told(world, "deputy") == ["待办：待办事项——梧桐路街道党工委"] * 3
    end(world, case_id)
    assert told(world, "deputy") == ["终止：梧桐路街道党工委"]
    assert told(world, "secretary") == ["终止：梧桐路街道党工委"]
    assert told(world, "clerk") == []
    assert "终止：梧桐路街道党工委" not in told(world, "inspection_head")
    unsent = _messages.c.send_after.is_not(None), _messages.c.template != "terminated"
    assert values(world, select(_messages.c.id).where(*unsent)) == []
    kept = values(world, select(table(RunEvent).c.payload))
    assert {"state": "terminated"} in kept


def tell_of_case(world: World, case_id: int) -> None:
    """Something about the case as a whole."""

    def act(work: Work) -> dict[str, bool]:
        given = {"post_id": world.posts["clerk"], "template": "task_list", "context": {}}
        return {"told": tell(work.db, key="list", case_id=case_id, now=work.now, **given)}  # type: ignore[arg-type]

    world.do(act)


def test_who_was_asked_may_still_read_why(world: World) -> None:
    case_id = start(world)
    world.answer("draft")
    end(world, case_id)
    with world.env.engine.connect() as db:
        who = standing(db, world.people["inspection_head"], local_day(world.env.clock()))
        with pytest.raises(AlreadyDecided, match="终止"):
            closing(db, who, case_id)


def test_what_would_be_closed_is_said_before(world: World) -> None:
    case_id = start(world)
    approve(world)
    with world.env.engine.connect() as db:
        who = standing(db, world.people["district_member"], local_day(world.env.clock()))
        shown = closing(db, who, case_id)
    assert (shown.steps, shown.posts, shown.branches) == (3, 1, 3)
    assert (shown.queued, shown.under_way) == (1, 0)
    assert shown.held.name == "滨河区委分管副书记"


def test_a_branch_that_is_being_opened_meanwhile_is_closed_too(world: World) -> None:
    case_id = start(world)
    approve(world)
    last = max(values(world, select(_branches.c.id)))
    holding, goes_on = threading.Event(), threading.Event()

    def open_parts(work: Work) -> dict[str, Any]:
        branch = lock_branch(work, last)
        open_fanout(branch, "parts", 1, [1, 2], "part", "redo")
        holding.set()
        assert goes_on.wait(20)
        branch.save()
        return {}

    opener = threading.Thread(target=world.do, args=(open_parts,))
    ender = threading.Thread(target=end, args=(world, case_id))
    opener.start()
    assert holding.wait(20)
    ender.start()
    ender.join(0.3)
    assert ender.is_alive()
    goes_on.set()
    opener.join(20)
    ender.join(20)
    assert states(world, _branches) == {"voided"}
    assert len(values(world, select(_branches.c.id))) == 6


@pytest.mark.parametrize("attempt", range(5))
def test_a_decision_and_an_end_that_meet_leave_one_clear_history(
    world: World, attempt: int
) -> None:
    case_id = start(world)
    slot_id, _, asked = world.open_slots()[0]
    both = threading.Barrier(2)
    heard: list[str] = []

    def answer() -> None:
        both.wait(20)
        try:
            decide(world.env, world.actor(asked), slot_id=slot_id, answer="done", key="decide")
        except AlreadyDecided as error:
            heard.append(error.message)

    def stop() -> None:
        both.wait(20)
        end(world, case_id)

    threads = [threading.Thread(target=answer), threading.Thread(target=stop)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert case(world, case_id).state == "terminated"
    assert world.open_slots() == []
    answered = values(world, select(_slots.c.state).where(_slots.c.id == slot_id)) == ["answered"]
    assert answered != any("终止" in one for one in heard)
    holds(world)


@pytest.mark.parametrize(
    "forged",
    [
        "end_reason = '另有原因'",
        "ended_by = ended_by + 1",
        "ended_as = ended_as + 1",
        "state = 'open', ended_by = NULL, ended_as = NULL, end_reason = ''",
    ],
)
def test_a_termination_that_was_rewritten_is_found(world: World, forged: str) -> None:
    end(world, start(world))
    with world.env.engine.begin() as db:
        db.execute(text(f'UPDATE "case" SET {forged}'))
    found = violations(world.env.engine, local_day(world.env.clock()))
    assert "终止与审计记录不符" in {violation.what for violation in found}
