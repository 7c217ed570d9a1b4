"""The four roles of each problem: proposed from the data, and by whom they may be held."""

from datetime import date

import pytest
from sqlalchemy import Engine, update

from models.base import table
from models.casework import Decision
from models.organisation import Portfolio
from models.problem import Problem, Task
from services.command import Work
from services.rectification_roles_form import (
    LeaderIsHead,
    RoleOutsideUnit,
    RolesIncomplete,
    SupervisorIsOwner,
)
from tests import world
from tests.rectification_cast import Rectification, also_holds, begin, proposed


@pytest.fixture
def case(sqlite_engine: Engine) -> Rectification:
    """A started rectification."""
    return begin(sqlite_engine, world.Clock())


def test_the_roles_are_proposed_from_the_plan(case: Rectification) -> None:
    posts, units = case.world.posts, case.world.organisations
    assert proposed(case) == {
        str(case.problems[number]): {
            "sets_topic": posts["secretary"],
            "takes_topic": posts["deputy"],
            "responsible_unit": units[unit],
            "supervisor": posts["town_discipline_secretary"],
        }
        for number, unit in ((1, "office"), (2, "office"))
    }


def test_without_a_plan_the_roles_are_proposed_from_the_portfolios(case: Rectification) -> None:
    def act(work: Work) -> dict[str, object]:
        work.db.execute(update(table(Task)).values(problem_id=case.problems[2]))
        values = {"post_id": case.world.posts["deputy"], "area": 1}
        work.db.execute(table(Portfolio).insert().values(**values, starts_on=date(2020, 1, 1)))
        return {}

    case.world.do(act)
    roles = proposed(case)[str(case.problems[1])]
    assert roles["takes_topic"] == case.world.posts["deputy"]
    assert roles["responsible_unit"] == case.world.organisations["town"]


def test_roles_are_refused_unless_every_problem_has_all_four(case: Rectification) -> None:
    roles = proposed(case)
    del roles[str(case.problems[2])]
    with pytest.raises(RolesIncomplete):
        case.answer("assign-roles", payload=roles)
    roles = proposed(case)
    del roles[str(case.problems[1])]["supervisor"]
    with pytest.raises(RolesIncomplete):
        case.answer("assign-roles", payload=roles)
    assert case.rows(Decision, "id") == []


@pytest.mark.parametrize(
    ("field", "kind", "name"),
    [
        ("takes_topic", "posts", "outsider"),
        ("responsible_unit", "organisations", "other"),
        ("supervisor", "posts", "deputy"),
        ("sets_topic", "posts", "district_secretary"),
    ],
)
def test_roles_outside_the_unit_are_refused(
    case: Rectification, field: str, kind: str, name: str
) -> None:
    roles = proposed(case)
    roles[str(case.problems[1])][field] = getattr(case.world, kind)[name]
    with pytest.raises(RoleOutsideUnit):
        case.answer("assign-roles", payload=roles)


def test_a_supervisor_who_is_an_owner_by_a_second_post_is_refused(case: Rectification) -> None:
    also_holds(case, "town_discipline_secretary", "deputy")
    with pytest.raises(SupervisorIsOwner):
        case.answer("assign-roles")


def test_the_head_of_the_department_may_not_take_the_topic(case: Rectification) -> None:
    roles = proposed(case)
    roles[str(case.problems[1])]["takes_topic"] = case.world.posts["office_head"]
    with pytest.raises(LeaderIsHead):
        case.answer("assign-roles", payload=roles)


def test_the_stored_roles_are_those_that_were_decided(case: Rectification) -> None:
    case.answer("assign-roles")
    stored = case.rows(Problem, "takes_topic_post_id", "supervisor_post_id")
    posts = case.world.posts
    assert stored == [(posts["deputy"], posts["town_discipline_secretary"])] * 2
