"""离岗委托: who may judge what (CK-14, trap 11), whom a ladder asks, what is told meanwhile."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from documents.feedback import TASK_COLUMNS, TASKS
from models.base import table
from models.casework import Rung
from models.message import Message
from policy.calendar import instant_on, local_day
from policy.route import Passed
from services.casework.authority import OwnBusiness
from services.database import reading
from services.env import Env
from services.errors import NotAuthorised
from services.faulty import Faulty
from services.rectification import OwnerCannotVerify
from services.scope import standing
from services.task_import import import_tasks
from services.termination import may_terminate
from tests.arranging import answer, arrange, told, who
from tests.rectification_cast import Rectification, begin
from tests.sheets import workbook
from tests.waiting import Walk, walk_in
from tests.world import Clock

_messages, _rungs = table(Message), table(Rung)
_TASK = [1, "1-1", "建立清单", "清单印发", "副书记", "党建办", "", date(2026, 6, 1), "否"]
OPENED = instant_on(date(2026, 2, 2), 9)


@pytest.fixture
def case(engine: Engine) -> Rectification:
    """A rectification whose problems are to be verified by the discipline commission."""
    made = begin(engine, Clock())
    made.plan()
    made.do_tasks()
    made.answer("apply-closing")
    made.answer("sign", "agree")
    return made


@pytest.fixture
def walk(engine: Engine) -> Walk:
    return walk_in(Env(engine, Clock()), Clock())


def on(case: Rectification) -> dict[str, Any]:
    today = local_day(case.env.clock())
    return {"starts_on": today, "until_on": today + timedelta(days=4)}


def test_who_stands_in_for_an_owner_does_not_verify_by_their_own_post(
    case: Rectification,
) -> None:
    arrange(case.world, "office_head", "secretary", **on(case))
    arrange(case.world, "deputy", "town_discipline_secretary", **on(case))
    verifier = case.world.waiting()[-1][1]
    assert verifier == "town_discipline_secretary"
    with pytest.raises(NotAuthorised):
        answer(case.world, verifier, "verify", "agree")


def test_an_owner_stands_in_for_the_verifier_and_may_not_verify(case: Rectification) -> None:
    """The secretary sets the topic of the problem and had no hand in its steps."""
    arrange(case.world, "town_discipline_secretary", "secretary", "operator", **on(case))
    with pytest.raises(OwnerCannotVerify):
        answer(case.world, "secretary", "verify", "agree")
    answer(case.world, "town_discipline_secretary", "verify", "agree")


def test_somebody_apart_stands_in_for_the_verifier_and_may(case: Rectification) -> None:
    arrange(case.world, "town_discipline_secretary", "clerk", **on(case))
    answer(case.world, "clerk", "verify", "agree")


def test_who_drafts_the_plan_in_anothers_place_may_upload_its_tasks(engine: Engine) -> None:
    case = begin(engine, Clock())
    case.answer("assign-roles")
    asked = next(post for key, post in case.world.waiting() if key == "draft-plan")
    data = workbook({TASKS: [list(TASK_COLUMNS), _TASK]})
    given: Any = {"case_id": case.case_id, "data": data, "filename": "任务.xlsx"}

    def upload() -> int:
        key = case.world.key()
        return import_tasks(case.env, case.world.actor("office_head"), **given, key=key).tasks

    with pytest.raises(NotAuthorised):
        upload()
    arrange(case.world, asked, "office_head", **on(case))
    with pytest.raises(Faulty):  # it is read: the second problem has no task
        upload()


def test_who_stands_in_for_somebody_of_the_unit_does_not_end_its_case(
    case: Rectification,
) -> None:
    def may() -> bool:
        with reading(case.env.engine) as db:
            return may_terminate(db, who(case.world, db, "district_member"), case.case_id)

    assert may()
    arrange(case.world, "secretary", "district_member", **on(case))
    assert not may()


def test_the_substitute_is_reminded_and_the_owner_stays_the_owner(walk: Walk) -> None:
    """The secretary, the clerk's superior, stands in: it is raised to the next one."""
    walk.open("waiting_one", OPENED)
    arrange(walk.world, "clerk", "secretary", starts_on=walk.today, until_on=date(2026, 4, 30))
    walk.until(date(2026, 3, 20))
    for template in ("remind", "due"):
        assert people(walk, template) == {
            walk.world.people["clerk"],
            walk.world.people["secretary"],
        }
    assert any(title.startswith("〔代") for title in told(walk.world, "secretary"))
    rung = next(row for row in walk.rungs() if row.post_id is not None)
    assert rung.post_id == walk.world.posts["district_member"]
    passed = {"post": walk.world.posts["secretary"], "reason": Passed.OWNER.value}
    assert passed in rung.passed_over
    assert ("plan", "clerk") in walk.world.waiting()


def people(walk: Walk, template: str) -> set[int]:
    query = select(_messages.c.person_id).where(_messages.c.template == template)
    with walk.world.env.engine.connect() as db:
        return set(db.execute(query).scalars())


def test_nobody_urges_themselves_in_a_superiors_place(walk: Walk) -> None:
    walk.open("waiting_one", OPENED)
    walk.until(date(2026, 3, 20))
    key, asked = next((key, post) for key, post in walk.world.waiting() if "rung" in key)
    assert asked == "secretary"
    arrange(walk.world, asked, "clerk", starts_on=walk.today, until_on=walk.today)
    with pytest.raises(OwnBusiness):
        answer(walk.world, "clerk", key, "urged")
    walk.clock.forward(days=1)
    arrange(walk.world, asked, "deputy", starts_on=walk.today, until_on=walk.today)
    answer(walk.world, "deputy", key, "urged")
    assert people(walk, "urged") == {walk.world.people["clerk"]}


def test_what_a_person_is_on_a_day_holds_their_own_posts_and_others_apart(walk: Walk) -> None:
    arrange(walk.world, "clerk", "deputy", starts_on=walk.today, until_on=walk.today)
    with reading(walk.world.env.engine) as db:
        deputy = standing(db, walk.world.people["deputy"], walk.today)
        later = standing(db, walk.world.people["deputy"], walk.today + timedelta(days=1))
    assert deputy.post_ids == later.post_ids == (walk.world.posts["deputy"],)
    assert [one.post.id for one in deputy.behalf] == [walk.world.posts["clerk"]]
    assert later.behalf == ()
