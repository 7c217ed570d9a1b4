"""What others do while an import is confirmed is seen, waited for, or makes it begin anew."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, text, update

from documents.organisation_file import POSTS, TERMS, UNITS
from models.base import table
from models.batch import BatchChange, ChangeAct
from models.organisation import Appointment, Level, Organisation, OrganisationKind, Post
from services.batches.staging import DifferenceChanged, confirm, stage
from services.batches.undoing import Depended, undo
from services.command import SYSTEM, execute
from services.env import Env
from services.faulty import Faulty
from tests.organisation_books import (
    BUREAU,
    DAY,
    LATER,
    book,
    bring_in,
    contents,
    fingerprint_of,
    key,
    only,
    small_tree,
)

_appointments, _changes = table(Appointment), table(BatchChange)
_organisations, _posts = table(Organisation), table(Post)
POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""On SQLite a transaction writes alone, and nobody waits in the midst of one."""


@pytest.fixture(autouse=True)
def tree(env: Env) -> None:
    small_tree(env)


def staged(env: Env, data: bytes) -> tuple[int, str]:
    """A batch, and the fingerprint of what was shown."""
    batch = stage(env, SYSTEM, data=data, filename="组织.xlsx", key=key())
    return batch, fingerprint_of(env.engine, batch)


def before_the_transaction(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Once, when a command has prepared itself, and before it begins."""
    left = [act]

    def late(*args: Any, **more: Any) -> Any:
        while left:
            left.pop()()
        return execute(*args, **more)

    monkeypatch.setattr("services.batches.staging.execute", late)


def test_what_changes_after_the_comparison_is_compared_again(
    env: Env, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_in(env, book(BUREAU))
    batch, shown = staged(env, only(TERMS, ["B1", "书记", "甲", "", DAY, LATER]))

    def end() -> None:
        with engine.begin() as db:
            begun = _appointments.c.starts_on == DAY, _appointments.c.ends_on.is_(None)
            db.execute(update(_appointments).where(*begun).values(ends_on=LATER))

    before_the_transaction(monkeypatch, end)
    with pytest.raises(DifferenceChanged):
        confirm(env, SYSTEM, batch_id=batch, fingerprint=shown, key=key())
    again = fingerprint_of(engine, batch)
    assert again != shown
    confirm(env, SYSTEM, batch_id=batch, fingerprint=again, key=key())
    assert undone(env, batch)


def test_what_becomes_wrong_after_the_comparison_is_refused(
    env: Env, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_in(env, book(BUREAU))
    batch, shown = staged(env, only(TERMS, ["B1.dept", "主任", "戊", "", LATER, ""]))

    def stay() -> None:
        with engine.begin() as db:
            ended = _appointments.c.ends_on == LATER
            db.execute(update(_appointments).where(ended).values(ends_on=None))

    before_the_transaction(monkeypatch, stay)
    with pytest.raises(Faulty, match="同一时间只能有一人任职"):
        confirm(env, SYSTEM, batch_id=batch, fingerprint=shown, key=key())


def undone(env: Env, batch: int) -> bool:
    """Take a batch back; whether that could be done."""
    try:
        undo(env, SYSTEM, batch_id=batch, key=key())
    except Depended:
        return False
    return True


def test_what_a_later_version_keeps_of_a_row_is_no_change(env: Env, engine: Engine) -> None:
    """An import that was written when a table had fewer columns goes back all the same."""
    before = contents(engine)
    batch = bring_in(env, book(BUREAU))
    with engine.begin() as db:
        for row in db.execute(select(_changes).where(_changes.c.act == ChangeAct.INSERT)).all():
            fewer = {column: value for column, value in row.after.items() if value is not None}
            db.execute(update(_changes).where(_changes.c.id == row.id).values(after=fewer))
    assert undone(env, batch)
    assert contents(engine) == before


def test_a_row_that_got_what_the_import_left_empty_has_changed(env: Env, engine: Engine) -> None:
    batch = bring_in(env, only(POSTS, ["3199", "科员", "联络员", 9]))
    with engine.begin() as db:
        db.execute(update(_posts).where(_posts.c.title == "科员").values(ends_on=LATER))
    with pytest.raises(Depended, match="1 个职务在导入之后又有改动"):
        undo(env, SYSTEM, batch_id=batch, key=key())


@contextmanager
def meanwhile(engine: Engine, batch: Callable[[], None]) -> Iterator[tuple[Connection, Any]]:
    """A transaction of somebody else, for whose end an import waits when the block is left."""
    waits = text(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database()"
    )
    with ThreadPoolExecutor(1) as others, engine.begin() as db:
        begun: list[Any] = []
        yield db, begun
        begun.append(others.submit(batch))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
            assert any(watching.execute(waits).first() for _ in range(20_000))


def unit(db: Connection, code: str) -> Any:
    return db.execute(select(_organisations).where(_organisations.c.code == code)).one()


NEW = ["U1", "滨河区委信息办", "", "区", "工作机关", "3199"]


@POSTGRESQL
def test_an_import_waits_for_who_moves_what_it_puts_something_below(
    env: Env, engine: Engine
) -> None:
    batch, shown = staged(env, only(UNITS, NEW))

    def act() -> None:
        confirm(env, SYSTEM, batch_id=batch, fingerprint=shown, key=key())

    with meanwhile(engine, act) as (db, begun):
        old, above = unit(db, "3199"), unit(db, "3198")
        rest = func.substr(_organisations.c.path, len(old.path))
        moved = update(_organisations).where(_organisations.c.path.startswith(old.path))
        db.execute(moved.values(path=f"{above.path}{old.id}" + rest))
    begun[0].result()
    with engine.connect() as db:
        new, parent = unit(db, "U1"), unit(db, "3199")
        assert new.path == f"{parent.path}{new.id}/"


@POSTGRESQL
def test_an_import_gives_no_post_to_a_unit_that_is_being_closed(env: Env, engine: Engine) -> None:
    bring_in(env, book(BUREAU))
    batch, shown = staged(env, only(POSTS, ["B1.dept", "科员", "联络员", 9]))

    def act() -> None:
        with pytest.raises(Faulty, match="没有“B1.dept”这个组织"):
            confirm(env, SYSTEM, batch_id=batch, fingerprint=shown, key=key())

    with meanwhile(engine, act) as (db, begun):
        closed = update(_organisations).where(_organisations.c.code == "B1.dept")
        db.execute(closed.values(ends_on=DAY))
    begun[0].result()


@POSTGRESQL
def test_who_takes_the_code_of_a_new_unit_first_has_it(env: Env, engine: Engine) -> None:
    batch, shown = staged(env, only(UNITS, NEW))

    def act() -> None:
        with pytest.raises((DifferenceChanged, Faulty)):
            confirm(env, SYSTEM, batch_id=batch, fingerprint=shown, key=key())

    with meanwhile(engine, act) as (db, begun):
        values = {"code": "U1", "name": "另一个", "short_name": "另一个", "path": "/999/"}
        kinds = {"level": Level.DISTRICT, "kind": OrganisationKind.WORKING_ORGAN}
        db.execute(insert(_organisations), {"id": 999, **values, **kinds})
    begun[0].result()
    with engine.connect() as db:
        assert unit(db, "U1").name == "另一个"
