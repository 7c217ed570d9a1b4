"""What an import read otherwise than it is written is kept for who imported, and nobody else."""

import pytest
from sqlalchemy import Engine, select

from deployments.demo import DISTRICT, TOWN, set_up_demo
from documents.fault import Change
from documents.feedback import PROBLEMS
from models.audit import Audit
from models.base import table
from services.command import SYSTEM
from services.env import Env
from services.errors import NotFound
from services.problem_import import Imported, import_feedback
from services.receipt import MOST_KEPT, Receipt, receipt_of
from tests.founded import ON, person_of
from tests.sheets import Rows, changed, problem_rows, workbook

_audit = table(Audit)


@pytest.fixture
def house(env: Env) -> Env:
    set_up_demo(env, SYSTEM, ON)
    return env


def load(house: Env, rows: Rows) -> tuple[Imported, int]:
    """Import as the inspection office; what was done, and who did it."""
    office = person_of(house.engine, f"{DISTRICT}.inspection.clerk")
    done = import_feedback(
        house,
        office,
        organisation=TOWN,
        data=workbook({PROBLEMS: rows}),
        filename="反馈意见.xlsx",
        key="import-1",
        open_case=False,
    )
    return done, office.person_id or 0


def kept(engine: Engine, person_id: int, command_id: int) -> Receipt:
    with engine.connect() as db:
        return receipt_of(db, person_id, command_id)


def test_the_changes_are_kept_and_the_audit_has_no_text_of_them(house: Env, engine: Engine) -> None:
    done, office = load(house, changed(problem_rows(), (3, "涉及单位", "党 政 办")))
    shown = kept(engine, office, done.receipt)
    why = "去掉多余的空格、换行"
    assert shown.changes == (Change(PROBLEMS, 3, "涉及单位", "党 政 办", "党政办", why),)
    assert (shown.filename, shown.changed, done.changed) == ("反馈意见.xlsx", 1, 1)
    assert shown.counts == {"problems": 2, "manifestations": 3, "tasks": 0}
    with engine.connect() as db:
        bodies = db.execute(select(_audit.c.body).where(_audit.c.stream == "import")).scalars()
        assert "党 政 办" not in "".join(bodies)


def test_nobody_else_finds_the_receipt_nor_one_of_another_command(
    house: Env, engine: Engine
) -> None:
    done, office = load(house, problem_rows())
    other = person_of(engine, f"{TOWN}.clerk").person_id or 0
    for person, command in ((other, done.receipt), (office, done.receipt - 1), (office, 99_999)):
        with pytest.raises(NotFound):
            kept(engine, person, command)


def test_of_very_many_changes_the_first_are_kept_and_all_are_counted(
    house: Env, engine: Engine
) -> None:
    row = problem_rows()[1]
    rows = [[*row[:4], n, f" {row[5]}", row[6]] for n in range(1, MOST_KEPT + 11)]
    done, office = load(house, [problem_rows()[0], *rows])
    shown = kept(engine, office, done.receipt)
    assert (len(shown.changes), shown.changed) == (MOST_KEPT, MOST_KEPT + 10)
