"""抽查复核: what is drawn can be drawn again, another body looks, and what fails is open again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from models.casework import Decision
from models.problem import Problem
from policy.calendar import local_day
from policy.sampling import Portion, draw
from services.errors import NotAuthorised
from services.invariants import violations
from services.rectification_sampling import VerifiedBefore
from tests import world
from tests.rectification_cast import CLAIM, Rectification, also_holds, begin, proposed
from tests.web_house import open_house

IDS = st.lists(st.integers(1, 10**6), unique=True)


@given(IDS, st.integers(1, 100), st.text(max_size=20))
def test_so_many_are_drawn_and_the_same_by_the_same_seed(
    ids: list[int], percent: int, seed: str
) -> None:
    count = Portion(percent, "", "").of(len(ids))
    drawn = draw(seed, ids, count)
    assert (len(drawn), drawn) == (count, [id_ for id_ in ids if id_ in set(drawn)])
    assert set(draw(seed, ids[::-1], count)) == set(drawn)
    assert count * 100 >= len(ids) * percent > (count - 1) * 100 or not ids


def test_another_seed_draws_others() -> None:
    assert len({tuple(draw(str(seed), range(40), 20)) for seed in range(50)}) > 45


def drawn(engine: Engine) -> Rectification:
    """A case whose two problems are verified and of which one was drawn."""
    case = begin(engine, world.Clock())
    case.plan()
    case.do_tasks()
    while ("draw-sample", "inspection_head") not in case.world.waiting():
        for key, answer in (("apply-closing", "done"), ("sign", "agree"), ("verify", "agree")):
            case.answer(key, answer)
    case.answer("draw-sample", payload={"drawn": []})
    return case


@pytest.fixture
def case(sqlite_engine: Engine) -> Rectification:
    """As :func:`drawn`."""
    return drawn(sqlite_engine)


def sound(case: Rectification) -> None:
    assert list(violations(case.env.engine, local_day(case.env.clock()))) == []


def states(case: Rectification) -> list[str]:
    return sorted(state for (state,) in case.rows(Problem, "state"))


def test_what_is_not_upheld_is_open_until_it_is(engine: Engine) -> None:
    case = drawn(engine)
    said = case.rows(Decision, "payload")[-1][0]
    assert said["drawn"] == draw(said["seed"], said["of"], 1)
    assert case.world.waiting() == [("recheck", "inspection_head")]
    case.answer("recheck", "return", reason="台账与现场不符")
    assert (states(case), case.world.waiting()) == (
        ["closed", "open"],
        [("apply-again", "office_head")],
    )
    for conclusion in ("return", "agree"):
        case.answer("apply-again", payload=CLAIM)
        case.answer("sign-again", "agree")
        assert states(case) == ["closed", "open"]
        case.answer("recheck", conclusion, reason="再核对")
    assert states(case) == ["closed", "long_term"]
    assert case.world.waiting() == [("draft-report", "clerk")]
    sound(case)


def test_a_sample_that_is_void_leaves_problems_as_they_were_verified(case: Rectification) -> None:
    case.answer("recheck", "agree")
    case.answer("draft-report", "return", reason="重抽", back_to="draw-sample")
    case.answer("draw-sample")
    case.answer("recheck", "return", reason="台账与现场不符")
    assert states(case) == ["closed", "open"]
    case.answer("apply-again", payload=CLAIM)
    case.answer("sign-again", "agree")
    case.answer("recheck", "agree")
    assert states(case) == ["closed", "long_term"]
    case.answer("draft-report", "return", reason="重抽", back_to="draw-sample")
    assert states(case) == ["closed", "closed"]
    case.answer("draw-sample")
    sound(case)


def test_who_verified_first_does_not_verify_again(case: Rectification) -> None:
    also_holds(case, "inspection_head", "town_discipline_secretary")
    with pytest.raises(VerifiedBefore):
        case.answer("recheck", "agree")


def test_who_applied_does_not_verify_either(case: Rectification) -> None:
    also_holds(case, "inspection_head", "office_head")
    with pytest.raises(NotAuthorised):
        case.answer("recheck", "agree")


def test_where_the_inspection_office_verified_the_discipline_commission_looks(
    sqlite_engine: Engine,
) -> None:
    case = begin(sqlite_engine, world.Clock())
    roles = proposed(case)
    for role in roles.values():
        role["supervisor"] = case.world.posts["inspection_head"]
    case.answer("assign-roles", payload=roles)
    case.answer("draft-plan")
    case.review()
    case.answer("approve-plan", "agree")
    case.do_tasks()
    while ("draw-sample", "inspection_head") not in case.world.waiting():
        for key, answer in (("apply-closing", "done"), ("sign", "agree"), ("verify", "agree")):
            case.answer(key, answer)
    case.answer("draw-sample")
    assert case.world.waiting() == [("recheck", "discipline_secretary")]


def test_the_case_says_what_was_drawn_and_by_which_seed(case: Rectification) -> None:
    said = case.rows(Decision, "payload")[-1][0]
    page = open_house(case).sign_in("secretary").get(f"/cases/{case.case_id}").text
    assert said["seed"] in page
    assert "共 2 个，抽取 1 个（不少于 50%）" in page
