"""Any answer anybody may give, in any order: no branch is blocked, and the case can still end."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from models.base import table
from models.casework import Branch, CaseState, Slot, SlotState, Step
from models.problem import Problem, Task
from policy.outcome import RETURN
from services.casework import decide, return_targets
from services.database import open_engine
from tests import world
from tests.rectification_cast import Rectification, begin
from tests.world import lay_out

_slots, _steps, _branches = table(Slot), table(Step), table(Branch)
CHOICE = st.tuples(st.integers(0, 1000), st.integers(0, 1000))


def choices(case: Rectification, slot_id: int) -> list[tuple[str, str | None]]:
    """Every answer a slot accepts today: the declared ones, and a return to each earlier step."""
    with case.env.engine.connect() as db:
        declared = db.execute(
            select(_steps.c.answers)
            .join(_slots, _slots.c.step_id == _steps.c.id)
            .where(_slots.c.id == slot_id)
        ).scalar_one()
        targets = return_targets(db, slot_id)
    return [(answer, None) for answer in declared] + [(RETURN, target) for target in targets]


def choose(case: Rectification, slot: tuple[int, str, str], pick: int) -> str:
    """Give one of its answers; what was given, with the step it goes back to."""
    slot_id, key, post = slot
    offered = choices(case, slot_id)
    answer, back_to = offered[pick % len(offered)]
    reason = "不符合要求" if answer == RETURN else ""
    decide(
        case.env,
        case.world.actor(post),
        slot_id=slot_id,
        answer=answer,
        key=case.world.key(),
        reason=reason,
        back_to=back_to,
    )
    case.settle()
    return f"{key}:{answer}"


def healthy(case: Rectification) -> None:
    """Nothing is blocked, and whoever waits has something to wait for."""
    with case.env.engine.connect() as db:
        errors = db.execute(select(_branches.c.error).where(_branches.c.error.is_not(None)))
        assert errors.scalars().all() == []
    assert case.world.open_slots() or case.state is CaseState.ENDED


def finish(case: Rectification) -> None:
    """Everybody agrees from now on."""
    for _ in range(200):
        waiting = case.world.open_slots()
        if not waiting:
            break
        choose(case, waiting[0], 0)
    assert case.state is CaseState.ENDED
    assert case.rows(Problem, "state") == [("closed",)] * 2
    assert case.rows(Task, "state") == [("confirmed",)] * 3 + [("published",)]


def new_case(engine: Engine) -> Rectification:
    lay_out(engine)
    return begin(engine, world.Clock())


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(CHOICE, min_size=5, max_size=40))
def test_after_any_answers_the_case_can_still_end(picks: Sequence[tuple[int, int]]) -> None:
    engine = open_engine("sqlite://")
    case = new_case(engine)
    for which, how in picks:
        waiting = case.world.open_slots()
        if waiting:
            choose(case, waiting[which % len(waiting)], how)
            healthy(case)
    finish(case)
    engine.dispose()


@pytest.mark.parametrize("number", range(2))
def test_every_declared_answer_of_every_step_leads_on(number: int) -> None:
    """Each step is answered with every answer it declares, the agreeing one last."""
    engine = open_engine("sqlite://")
    case = new_case(engine)
    given: set[str] = set()
    for _ in range(400):
        waiting = case.world.open_slots()
        if not waiting:
            break
        slot = waiting[-1 if number else 0]
        offered = choices(case, slot[0])
        new = [
            n for n, (answer, to) in enumerate(offered) if f"{slot[1]}:{answer}:{to}" not in given
        ]
        pick = new[-1] if new else 0
        given.add(f"{slot[1]}:{offered[pick][0]}:{offered[pick][1]}")
        choose(case, slot, pick)
        healthy(case)
    finish(case)
    asked = {key for (key,) in case.rows(Step, "key")}
    assert set(asked) == {place.split(":")[0] for place in given}
    assert SlotState.OPEN not in {state for (state,) in case.rows(Slot, "state")}
    engine.dispose()
