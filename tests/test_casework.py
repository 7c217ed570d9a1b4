"""What a person notices of the replay: who is asked next, what is refused, what is kept."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from models.audit import Audit
from models.base import table
from models.casework import (
    Branch,
    BranchState,
    Case,
    CaseState,
    Decision,
    Slot,
    SlotState,
    Step,
    Wake,
)
from models.message import Message
from models.vacancy import Vacancy
from policy.outcome import RETURN
from services.casework import (
    Casework,
    case_status,
    decide,
    drain,
    return_targets,
)
from services.casework.mechanism import BranchScript, Mechanism
from services.casework.script import UnreadAnswer
from services.env import Env
from services.errors import AlreadyDecided, Invalid, KeyReused, NotAuthorised, NotFound
from tests import parts
from tests.parts_case import approve, cast, run_effects, start, values, void_root
from tests.world import Clock, World, appoint


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from cast(engine, clock)


def test_the_next_person_is_asked_in_the_transaction_of_the_decision(world: World) -> None:
    start(world)
    assert world.waiting() == [("draft", "clerk")]
    world.answer("draft")
    assert world.waiting() == [
        ("review", "discipline_secretary"),
        ("review", "inspection_head"),
    ]
    assert set(told(world, "opened")) == {
        world.people[name] for name in ("clerk", "discipline_secretary", "inspection_head")
    }


def told(world: World, template: str) -> list[int]:
    messages = table(Message).c
    return values(world, select(messages.person_id).where(messages.template == template))


def test_all_are_heard_and_the_first_return_ends_the_hearing(world: World) -> None:
    start(world)
    world.answer("draft")
    world.answer("review", RETURN, "inspection_head", reason="完成标准不可检查")
    assert world.waiting() == [("revise", "clerk")]
    states = values(world, select(table(Slot).c.state).order_by(table(Slot).c.id))
    assert states[1:3] == [SlotState.UNREACHED, SlotState.ANSWERED]
    world.answer("revise")
    assert len(world.waiting()) == 2


def test_a_return_to_a_chosen_step_voids_everything_since_and_undoes_it(world: World) -> None:
    case_id = start(world)
    approve(world)
    assert run_effects(world, case_id) == ["parts_notice"]
    for _ in range(3):
        world.answer("do")
        world.answer("confirm", "agree")
    run_effects(world, case_id)
    drain(world.env)
    assert world.waiting() == [("sign", "secretary")]
    world.answer("sign", RETURN, back_to="draft", reason="方案需要重拟")
    assert world.waiting() == [("draft", "clerk")]
    assert told(world, "returned") == [world.people["clerk"]]
    with world.env.engine.connect() as db:
        assert db.execute(text("SELECT count(*) FROM published")).scalar_one() == 0
    assert run_effects(world, case_id) == ["parts_recall"]
    assert len(values(world, select(table(Decision).c.id))) == 11
    approve(world)
    rounds = table(Step).c.round
    assert values(world, select(func.max(rounds)).where(table(Step).c.key == "draft")) == [2]


def test_branches_stop_when_what_they_carry_out_is_returned(world: World) -> None:
    """The branches of a voided ``each`` end as 因退回停办, and their slots with them."""
    case_id = start(world)
    approve(world)
    branch_ids = values(world, select(table(Branch).c.id).where(table(Branch).c.row_id == 1))
    assert len([slot for slot in world.open_slots() if slot[1] == "do"]) == 3
    void_root(world, case_id, "approve")
    branches = table(Branch)
    below = branches.c.parent_id.is_not(None)
    assert values(world, select(branches.c.state).where(below)) == [BranchState.VOIDED] * 3
    assert world.waiting() == [("approve", "district_member")]
    world.answer("approve", "agree")
    drain(world.env)
    assert len([slot for slot in world.open_slots() if slot[1] == "do"]) == 3
    again = values(world, select(branches.c.id).where(branches.c.row_id == 1))
    assert len(again) == 2
    assert branch_ids[0] in again


def test_a_script_that_fails_keeps_the_decision_and_goes_on_when_mended(
    world: World, clock: Clock
) -> None:
    case_id = start(world)
    parts.OUTSIDE.failing.add("district_member")
    world.answer("draft")
    world.answer("review", "agree", "discipline_secretary")
    done = world.answer("review", "agree", "inspection_head")
    assert done.blocked
    assert world.waiting() == []
    with world.env.engine.connect() as db:
        status = case_status(db, case_id)
    assert (status.blocked, status.open_count) == (1, 0)
    assert drain(world.env) == 0
    parts.OUTSIDE.failing.clear()
    clock.forward(minutes=6)
    assert drain(world.env) == 1
    assert world.waiting() == [("approve", "district_member")]


def test_only_the_holder_of_the_post_may_answer_and_an_outsider_learns_nothing(
    world: World,
) -> None:
    start(world)
    slot_id = world.open_slots()[0][0]
    with pytest.raises(NotFound):
        decide(world.env, world.actor("outsider"), slot_id=slot_id, answer="done", key="k1")
    with pytest.raises(NotFound):
        decide(world.env, world.actor("clerk"), slot_id=99999, answer="done", key="k2")
    with pytest.raises(NotAuthorised):
        decide(world.env, world.actor("secretary"), slot_id=slot_id, answer="done", key="k3")
    assert world.waiting() == [("draft", "clerk")]


def test_who_did_it_may_not_confirm_it_through_a_second_post(world: World) -> None:
    start(world)
    approve(world)
    world.do(lambda work: {"a": appoint(work, world.posts["secretary"], world.people["deputy"])})
    world.answer("do")
    slot_id = next(slot for slot in world.open_slots() if slot[1] == "confirm")[0]
    with pytest.raises(NotAuthorised, match="其他人"):
        decide(world.env, world.actor("deputy"), slot_id=slot_id, answer="agree", key="k")
    decide(world.env, world.actor("secretary"), slot_id=slot_id, answer="agree", key="k4")


def test_the_same_request_again_is_answered_alike_and_another_is_told_who_was_first(
    world: World,
) -> None:
    start(world)
    slot_id = world.open_slots()[0][0]
    given: dict[str, Any] = {"slot_id": slot_id, "answer": "done"}
    first = decide(world.env, world.actor("clerk"), key="once", **given)
    assert decide(world.env, world.actor("clerk"), key="once", **given) == first
    with pytest.raises(KeyReused):
        decide(world.env, world.actor("clerk"), key="once", reason="别的内容", **given)
    with pytest.raises(AlreadyDecided, match=r"梧桐路街道党工委联络员于2026年3月2日 09:00办理"):
        decide(world.env, world.actor("clerk"), key="twice", **given)
    assert len(values(world, select(table(Decision).c.id))) == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"answer": "nonsense"}, "answer"),
        ({"answer": RETURN}, "reason"),
        ({"answer": RETURN, "reason": "理由", "back_to": "draft"}, "back_to"),
        ({"answer": RETURN, "reason": "长" * 4001}, "reason"),
        ({"answer": RETURN, "reason": "电话 139 0000 0000"}, "reason"),
        ({"answer": "agree", "payload": {"text": ["见举报材料"]}}, "payload"),
    ],
)
def test_what_does_not_fit_names_its_field_and_nothing_is_kept(
    world: World, given: dict[str, Any], field: str
) -> None:
    start(world)
    world.answer("draft")
    with pytest.raises(Invalid) as refused:
        world.answer("review", post="inspection_head", **given)
    assert refused.value.details["field"] == field
    assert len(world.waiting()) == 2


def test_where_the_script_handles_no_return_the_decider_chooses_the_step(world: World) -> None:
    start(world)
    assert targets(world, "draft") == []
    world.answer("draft")
    assert targets(world, "review") == []
    world.answer("review", "agree", "discipline_secretary")
    world.answer("review", "agree", "inspection_head")
    assert targets(world, "approve") == ["draft", "review"]
    with pytest.raises(Invalid, match="退回到哪一个环节"):
        world.answer("approve", RETURN, reason="理由")


def targets(world: World, key: str) -> list[str]:
    slot_id = next(slot for slot in world.open_slots() if slot[1] == key)[0]
    with world.env.engine.connect() as db:
        return return_targets(db, slot_id)


def test_late_work_is_taken_and_marked_late_from_the_end_of_the_day(
    world: World, clock: Clock
) -> None:
    start(world)
    due_at = values(world, select(table(Step).c.due_at))[0]
    clock.now = due_at - timedelta(seconds=1)
    assert not world.answer("draft").late
    review = values(world, select(table(Step).c.due_at).where(table(Step).c.key == "review"))
    clock.now = review[0]
    assert world.answer("review", "agree", "inspection_head").late


def test_a_case_ends_with_its_script_and_every_command_left_an_audit_entry(
    world: World,
) -> None:
    case_id = start(world)
    approve(world)
    for _ in range(3):
        world.answer("do")
        world.answer("confirm", "agree")
    for _ in range(3):
        run_effects(world, case_id)
        drain(world.env)
    world.answer("sign", "agree")
    run_effects(world, case_id)
    world.answer("close", "agree")
    assert values(world, select(table(Case).c.state)) == [CaseState.ENDED]
    assert told(world, "ended") == [world.people["secretary"]]
    assert values(world, select(table(Wake).c.id)) == []
    entries = values(world, select(table(Audit).c.body))
    decisions = values(world, select(table(Decision).c.id))
    for decision_id in decisions:
        assert sum(f'"decision":{decision_id},' in body for body in entries) == 1


def test_a_vacant_post_has_a_vacancy_once_something_waits_on_it(world: World) -> None:
    with world.env.engine.begin() as db:
        db.execute(text("DELETE FROM appointment WHERE post_id = :p"), {"p": world.posts["clerk"]})
    start(world)
    assert world.waiting() == [("draft", "clerk")]
    noted = values(world, select(table(Vacancy).c.post_id))
    assert noted == [world.posts["clerk"]]  # its case: see test_vacancy
    assert told(world, "opened") == []


def test_an_answer_nobody_reads_blocks_the_branch(world: World) -> None:
    start(world, "unread")
    done = world.answer("opinion", "agree")
    assert done.blocked
    errors = values(world, select(table(Branch).c.error))
    assert errors == [UnreadAnswer.__name__]


def _unread(case: Casework) -> None:
    case.ask("opinion", of=parts.asks("clerk"), due="rectification.plan", answers=("agree", RETURN))
    case.ask("next", of=parts.asks("clerk"), due="rectification.plan")


@pytest.fixture(autouse=True)
def more_mechanisms(world: World) -> None:
    scripts = {"": BranchScript(_unread)}
    made = {**world.env.mechanisms, ("unread", 1): Mechanism("unread", 1, "", (), scripts)}
    world.env = Env(world.env.engine, world.env.clock, mechanisms=made)
