"""A feedback comes in whole, with its case, or not at all; tasks change while a plan is drafted."""

from dataclasses import replace
from datetime import date
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.exc import OperationalError, ProgrammingError

from deployments.demo import DISTRICT, TOWN, set_up_demo
from deployments.demo import feedback as demo_feedback
from documents.feedback import PROBLEMS, TASKS
from flows.rectification import rectification
from models.audit import Audit
from models.base import table
from models.casework import Case, CaseState, Slot, SlotState, Step
from models.organisation import Organisation
from models.problem import (
    Manifestation,
    ManifestationUnit,
    Problem,
    ProblemState,
    Task,
    TaskState,
    TaskSupport,
)
from services import calendar
from services.casework import case_status, decide, mechanisms
from services.command import SYSTEM, Actor, Work, execute
from services.env import Env
from services.errors import Invalid, KeyReused, NotFound
from services.faulty import Faulty
from services.importing import MayNotImport, importable
from services.problem_import import AlreadyImported, Imported, import_feedback
from services.rectification import NobodyAbove
from services.scope import standing
from services.task_import import PlanNotOpen, import_tasks
from tests.founded import ON, counts, person_of
from tests.sheets import changed, feedback, problem_rows, task_rows, workbook

MECHANISMS = {key: made for key, made in mechanisms().items() if key[0] == rectification.__name__}
_audit = table(Audit)
_cases = table(Case)
_manifestations = table(Manifestation)
_organisations = table(Organisation)
_problems = table(Problem)
_slots = table(Slot)
_steps = table(Step)
_supports = table(TaskSupport)
_tasks = table(Task)
_units = table(ManifestationUnit)


@pytest.fixture
def house(env: Env) -> Env:
    """The demo's district on a calendar, with the rectification registered."""
    full = replace(env, mechanisms=MECHANISMS)

    def seed(work: Work) -> dict[str, int]:
        calendar.seed(work)
        return {}

    execute(full, SYSTEM, "calendar.seed", "calendar-seed", {}, seed)
    set_up_demo(full, SYSTEM, ON)
    return full


def load(env: Env, data: bytes, actor: Actor = SYSTEM, **more: Any) -> Imported:
    said = {"organisation": TOWN, "filename": "反馈意见.xlsx", "key": "import-1"} | more
    return import_feedback(env, actor, data=data, **said)


def answer(env: Env, key: str, login: str) -> None:
    """Decide the open step of a key as whoever holds the log-in."""
    with env.engine.connect() as db:
        query = select(_slots.c.id).join(_steps, _steps.c.id == _slots.c.step_id)
        waiting = _steps.c.key == key, _slots.c.state == SlotState.OPEN
        slot_id = db.execute(query.where(*waiting)).scalar_one()
    decide(
        env, person_of(env.engine, login), slot_id=slot_id, answer="done", key=f"decide-{slot_id}"
    )


def test_the_demo_feedback_becomes_a_rectification_that_waits(house: Env, engine: Engine) -> None:
    done = load(house, demo_feedback())
    assert (done.problems, done.manifestations, done.tasks) == (17, 56, 160)
    assert done.number == "巡改〔2026〕1号"
    assert done.case_id is not None
    with engine.connect() as db:
        status = case_status(db, done.case_id)
        linked = db.execute(select(_problems.c.case_id).distinct()).scalars().all()
        states = db.execute(select(_tasks.c.state).distinct()).scalars().all()
        collective = select(func.count()).where(_supports.c.unit_id.is_(None))
        areas = db.execute(select(_problems.c.area).order_by(_problems.c.number)).scalars().all()
        first = db.execute(select(_tasks).where(_tasks.c.number == "1-1")).one()
        lead = db.execute(
            select(_organisations.c.code).where(_organisations.c.id == first.lead_unit_id)
        ).scalar_one()
        assert db.execute(collective).scalar_one() == 13
    assert status.state == CaseState.OPEN
    assert [(step.key, step.posts) for step in status.open] == [
        ("assign-roles", ("梧桐路街道党工委书记",))
    ]
    assert linked == [done.case_id]
    assert states == [TaskState.DRAFT]
    assert areas == [7, 7, 1, 2, 2, 7, 7, 7, 2, 4, 4, 6, 3, 3, 2, 2, 5]
    assert lead == f"{TOWN}.party-building"
    assert (first.due_on, first.original_due_on) == (date(2027, 1, 27), None)


def test_texts_are_kept_verbatim_and_units_by_name(house: Env, engine: Engine) -> None:
    load(house, feedback(), open_case=False)
    with engine.connect() as db:
        rows = db.execute(
            select(_units.c.name, _organisations.c.name.label("unit"))
            .join(_manifestations, _manifestations.c.id == _units.c.manifestation_id)
            .outerjoin(_organisations, _organisations.c.id == _units.c.unit_id)
            .order_by(_units.c.id)
        ).all()
        texts = db.execute(select(_manifestations.c.text).order_by(_manifestations.c.id))
        assert texts.scalars().all() == [row[5] for row in problem_rows()[1:]]
    assert [tuple(row) for row in rows] == [
        ("梧桐路街道党工委", "梧桐路街道党工委"),
        ("党建办", "梧桐路街道党建办"),
        ("党政办", "梧桐路街道党政办"),
        ("居民区党组织", None),
    ]


def test_names_that_mean_nobody_are_named_by_their_cells_and_nothing_is_saved(
    house: Env, engine: Engine
) -> None:
    before = counts(engine)
    problems = changed(problem_rows(), (3, "涉及单位", "党政办、督查室"))
    tasks = changed(
        task_rows(),
        (2, "责任领导", "分管旅游副主任"),
        (3, "牵头部门", "旅游办"),
        (4, "配合部门", "财务所、旅游办"),
    )
    with pytest.raises(Faulty) as refused:
        load(house, feedback(problems, tasks))
    assert [(f.sheet, f.row, f.column) for f in refused.value.faults] == [
        (TASKS, 2, "责任领导"),
        (TASKS, 3, "牵头部门"),
        (TASKS, 4, "配合部门"),
        (PROBLEMS, 3, "涉及单位"),
    ]
    said = refused.value.details["faults"]
    assert "梧桐路街道党工委没有名为“督查室”的单位或部门" in said[3]
    assert said[1].partition("没有名为“旅游办”的单位或部门，相近的有：")[2].count("“") == 3
    assert counts(engine) == before


def test_faults_of_the_form_and_of_names_are_told_together(house: Env, engine: Engine) -> None:
    before = counts(engine)
    problems = changed(problem_rows(), (3, "涉及单位", "督查室"), (4, "具体表现", ""))
    with pytest.raises(Faulty) as refused:
        load(house, feedback(problems, changed(task_rows(), (2, "完成时限", "明年"))))
    assert [(f.sheet, f.row, f.column) for f in refused.value.faults] == [
        (TASKS, 2, "完成时限"),
        (PROBLEMS, 3, "涉及单位"),
        (PROBLEMS, 4, "具体表现"),
    ]
    assert counts(engine) == before


def test_short_names_are_those_of_the_organisation_itself(house: Env) -> None:
    with pytest.raises(Faulty) as refused:
        load(house, feedback(), organisation=DISTRICT)
    assert "没有名为“党建办”的单位或部门" in str(refused.value.details)


def test_a_failing_write_leaves_nothing_not_even_a_number(house: Env, engine: Engine) -> None:
    before = counts(engine)
    with engine.begin() as db:
        db.exec_driver_sql("ALTER TABLE task_support RENAME TO task_support_away")
    with pytest.raises((OperationalError, ProgrammingError)):
        load(house, demo_feedback())
    with engine.begin() as db:
        db.exec_driver_sql("ALTER TABLE task_support_away RENAME TO task_support")
    assert counts(engine) == before
    assert load(house, demo_feedback(), key="again").number == "巡改〔2026〕1号"


def test_the_same_request_again_returns_the_first_result(house: Env, engine: Engine) -> None:
    data = feedback()
    first = load(house, data)
    after = counts(engine)
    assert load(house, data) == first
    with pytest.raises(KeyReused):
        load(house, demo_feedback())
    assert counts(engine) == after


def test_the_same_batch_again_is_refused_and_another_round_is_not(
    house: Env, engine: Engine
) -> None:
    first = load(house, feedback(), batch="2026年第一轮")
    before = counts(engine)
    with pytest.raises(AlreadyImported):
        load(house, feedback(), key="import-2", batch="2026年第一轮")
    assert counts(engine) == before
    second = load(house, feedback(), key="import-3", batch="2026年第二轮")
    assert (first.number, second.number) == ("巡改〔2026〕1号", "巡改〔2026〕2号")


@pytest.mark.parametrize("batch", ["长" * 3000, "13900000000"])
def test_a_batch_is_a_short_name_and_passes_the_gate(
    house: Env, engine: Engine, batch: str
) -> None:
    with pytest.raises(Invalid):
        load(house, feedback(), batch=batch)
    assert counts(engine)["problem"] == 0


def test_of_two_imports_at_once_one_wins_and_numbers_have_no_gap(
    house: Env, engine: Engine
) -> None:
    barrier, done = Barrier(4), []
    data = feedback()

    def run(number: int) -> None:
        barrier.wait()
        try:
            done.append(load(house, data, key=f"race-{number}").number)
        except AlreadyImported:
            done.append("refused")

    threads = [Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["refused"] * 3 + ["巡改〔2026〕1号"]
    later = load(house, data, key="later", batch="第二轮")
    assert later.number == "巡改〔2026〕2号"


def test_only_the_offices_that_serve_the_unit_may_import(house: Env, engine: Engine) -> None:
    before = counts(engine)
    for login in (
        f"{TOWN}.secretary",
        f"{TOWN}.office.clerk",
        f"{DISTRICT}.discipline.head",
        f"{DISTRICT}.office.clerk",
        "319900001.party-building.clerk",
    ):
        with pytest.raises(MayNotImport):
            load(house, feedback(), person_of(house.engine, login))
    with pytest.raises(MayNotImport):
        load(
            house, feedback(), person_of(house.engine, f"{TOWN}.secretary"), organisation="nowhere"
        )
    with pytest.raises(NotFound):
        load(house, feedback(), organisation="nowhere")
    assert counts(engine) == before
    for number, login in enumerate((f"{DISTRICT}.inspection.clerk", f"{TOWN}.party-building.head")):
        assert load(
            house, feedback(), person_of(house.engine, login), key=f"k{number}", batch=login
        ).tasks


def test_an_office_is_offered_the_units_it_serves(house: Env, engine: Engine) -> None:
    def codes(login: str) -> list[str]:
        person_id = person_of(house.engine, login).person_id
        assert person_id is not None
        with engine.connect() as db:
            return [unit.code for unit in importable(db, standing(db, person_id, ON))]

    towns = [f"3199000{number:02}" for number in range(1, 14)]
    assert [code for code in codes(f"{DISTRICT}.inspection.clerk") if "-" not in code] == towns
    assert codes(f"{TOWN}.party-building.clerk") == [TOWN]
    assert codes(f"{TOWN}.secretary") == []


def test_the_top_of_the_tree_is_refused_because_nobody_could_review_its_plan(
    house: Env, engine: Engine
) -> None:
    rows = problem_rows()
    for row in rows[1:]:
        row[-1] = "各部门"
    with pytest.raises(NobodyAbove):
        load(house, workbook({PROBLEMS: rows}), organisation=DISTRICT)
    assert counts(engine)["problem"] == 0


def test_an_import_is_audited_without_its_texts(house: Env, engine: Engine) -> None:
    load(house, feedback())
    with engine.connect() as db:
        query = select(_audit.c.body).where(_audit.c.stream == "import")
        body = db.execute(query).scalar_one()
    assert '"problems":2' in body
    assert "合同台账" not in body


@pytest.fixture
def drafting(house: Env) -> tuple[Env, int]:
    """A case whose plan is being drafted, imported with two problems and no tasks."""
    data = workbook({PROBLEMS: problem_rows()})
    case_id = load(house, data).case_id
    assert case_id is not None
    answer(house, "assign-roles", f"{TOWN}.secretary")
    return house, case_id


def tasks_of(engine: Engine) -> dict[str, tuple[int, str]]:
    with engine.connect() as db:
        query = select(_tasks.c.number, _tasks.c.id, _tasks.c.measure)
        return {row.number: (row.id, row.measure) for row in db.execute(query)}


def upload(env: Env, case_id: int, rows: list[list[Any]], key: str, actor: Actor) -> Imported:
    data = workbook({TASKS: rows})
    return import_tasks(env, actor, case_id=case_id, data=data, filename="任务.xlsx", key=key)


def test_the_task_sheet_alone_is_uploaded_and_replaced_while_the_plan_is_drafted(
    drafting: tuple[Env, int], engine: Engine
) -> None:
    env, case_id = drafting
    clerk = person_of(env.engine, f"{TOWN}.clerk")
    assert upload(env, case_id, task_rows(), "t1", clerk).tasks == 3
    first = tasks_of(engine)
    rows = changed(task_rows(), (2, "整改任务（措施）", "另一项措施"))
    del rows[2]
    assert upload(env, case_id, rows, "t2", clerk).tasks == 2
    second = tasks_of(engine)
    assert second == {"1-1": (first["1-1"][0], "另一项措施"), "2-1": first["2-1"]}
    with engine.connect() as db:
        supports = db.execute(select(_supports.c.name).order_by(_supports.c.id)).scalars()
        assert sorted(supports) == ["党政办", "居民区党组织", "财务所"]
        chains = select(_audit.c.body).where(_audit.c.stream.startswith("branch/"))
        assert sum("tasks_imported" in body for body in db.execute(chains).scalars()) == 2


def test_a_wrong_task_sheet_changes_nothing(drafting: tuple[Env, int], engine: Engine) -> None:
    env, case_id = drafting
    clerk = person_of(env.engine, f"{TOWN}.clerk")
    upload(env, case_id, task_rows(), "t1", clerk)
    before = tasks_of(engine)
    wrong: list[list[list[Any]]] = [
        changed(task_rows(), (2, "牵头部门", "旅游办")),
        changed(task_rows(), (2, "完成时限", "")),
        task_rows()[:3],
    ]
    for number, rows in enumerate(wrong):
        with pytest.raises(Faulty):
            upload(env, case_id, rows, f"w{number}", clerk)
    assert tasks_of(engine) == before


def test_tasks_are_changed_by_who_drafts_and_only_then(
    drafting: tuple[Env, int], engine: Engine
) -> None:
    env, case_id = drafting
    for login in (f"{DISTRICT}.inspection.clerk", f"{TOWN}.secretary"):
        with pytest.raises(MayNotImport):
            upload(env, case_id, task_rows(), login, person_of(env.engine, login))
    with pytest.raises(NotFound):
        upload(env, case_id, task_rows(), "x", person_of(env.engine, "319900001.secretary"))
    with pytest.raises(NotFound):
        upload(env, 10_000, task_rows(), "y", SYSTEM)
    office = person_of(env.engine, f"{TOWN}.party-building.clerk")
    upload(env, case_id, task_rows(), "t1", office)
    answer(env, "draft-plan", f"{TOWN}.clerk")
    with pytest.raises(PlanNotOpen):
        upload(env, case_id, task_rows(), "t2", office)
    assert len(tasks_of(engine)) == 3


def test_tasks_in_force_are_not_replaced(drafting: tuple[Env, int], engine: Engine) -> None:
    env, case_id = drafting
    upload(env, case_id, task_rows(), "t1", SYSTEM)
    with engine.begin() as db:
        db.execute(update(_tasks).values(state=TaskState.PUBLISHED))
    with pytest.raises(PlanNotOpen):
        upload(env, case_id, task_rows(), "t2", SYSTEM)


def test_a_problem_that_ended_gets_no_task_that_nobody_would_be_asked_to_do(
    drafting: tuple[Env, int], engine: Engine
) -> None:
    env, case_id = drafting
    upload(env, case_id, task_rows(), "t1", SYSTEM)
    with engine.begin() as db:
        db.execute(
            update(_problems).where(_problems.c.number == 1).values(state=ProblemState.CLOSED)
        )
        db.execute(update(_tasks).values(state=TaskState.CONFIRMED))
    more = [*task_rows(), task_rows()[1]]
    more[-1][0], more[-1][1] = 1, "1-3"
    before = tasks_of(engine)
    with pytest.raises(Faulty) as refused:
        upload(env, case_id, more, "t2", SYSTEM)
    assert "第 5 行“问题序号”：第 1 号问题已经了结" in str(refused.value)
    assert tasks_of(engine) == before
    assert upload(env, case_id, task_rows(), "t3", SYSTEM).tasks == 3
