"""A storage that is full or read only: said in words, nothing half done, and over by itself."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from documents.feedback import PROBLEMS, TASKS
from models.organisation import RelationKind
from policy.calendar import local_day
from services.casework import drain
from services.database import open_engine
from services.errors import NoRoom, ReadOnly
from services.invariants import violations
from services.storage import refusal
from tests.conftest import SERVER, Databases
from tests.founded import counts
from tests.parts_case import cast, start
from tests.rectification_cast import begin
from tests.sheets import workbook
from tests.storage_faults import SAID, FileSizes, Pages, failing, sealed, small_disk
from tests.test_web_import import problems, tasks, upload
from tests.web_house import Browser, House, open_house
from tests.world import Clock, World, serve

KINDS = tuple(SAID)


@dataclass
class Injected:
    """Where no small disk is to be had: the database says that it is full."""

    engine: Engine
    _stack: ExitStack

    def fill(self) -> None:
        self._stack.enter_context(failing(self.engine, "full", "INSERT INTO step"))

    def free(self) -> None:
        self._stack.close()


def sound(world: World) -> list[str]:
    on = local_day(world.env.clock())
    return [found.invariant for found in violations(world.env.engine, on)]


@pytest.fixture
def house(engine: Engine) -> House:
    """The first step waits on the secretary; the town has an inspection office."""
    opened = open_house(begin(engine, Clock()))
    serve(opened.world, "inspection", RelationKind.INSPECTION_OFFICE)
    return opened


def refused(answer: Response, kind: str) -> bool:
    return answer.status_code == 503 and SAID[kind] in answer.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_decision_that_cannot_be_kept_is_said_so_and_made_again(house: House, kind: str) -> None:
    house.case.answer("assign-roles")
    clerk, slot = house.sign_in("clerk"), house.slot("draft-plan")
    form = {"answer": "done", "key": "decide-once"}
    engine = house.world.env.engine
    before = counts(engine)
    for statement in ("INSERT INTO decision", "INSERT INTO audit", "UPDATE command"):
        with failing(engine, kind, statement):
            assert refused(clerk.post(f"/steps/{slot}", form), kind)
            api = clerk.api(f"/api/steps/{slot}/decision", {"answer": "done"})
            assert api.status_code == 503
            assert SAID[kind] in api.json()["message"]
            assert clerk.get(f"/steps/{slot}").status_code == 200
    assert counts(engine) == before
    assert clerk.post(f"/steps/{slot}", form).status_code == 303
    assert sound(house.world) == []


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_cannot_be_kept_leave_nothing_and_can_be_sent_again(
    house: House, kind: str
) -> None:
    house.case.answer("assign-roles")
    office, clerk = house.sign_in("inspection_head"), house.sign_in("clerk")
    path, form = f"/steps/{house.slot('draft-plan')}/tasks", {"key": "tasks-key-1"}
    engine, found = house.world.env.engine, workbook({PROBLEMS: problems()})
    sheet = {"file": ("任务.xlsx", workbook({TASKS: tasks()}))}
    before = counts(engine)
    for statement in ("INSERT INTO manifestation", "INSERT INTO step", "UPDATE command"):
        with failing(engine, kind, statement):
            assert refused(upload(office, house, found), kind)
    with failing(engine, kind, "INSERT INTO task"):
        assert refused(clerk.post(path, form, files=sheet), kind)
    assert counts(engine) == before
    assert upload(office, house, found).status_code == 303
    assert clerk.post(path, form, files=sheet).status_code == 303
    assert sound(house.world) == []


def test_an_upload_that_finds_no_room_to_be_put_down_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, large = house.sign_in("inspection_head"), b"x" * (3 << 20)
    with small_disk(1) as disk:
        folder = disk.folder if disk else Path(tempfile.mkdtemp())
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        limit = FileSizes(folder)
        if disk is None:
            (folder / "a").write_bytes(b"x" * (1 << 20))
            limit.fill()
        try:
            assert refused(upload(office, house, large), "full")
        finally:
            limit.free()
            monkeypatch.undo()
    assert upload(office, house, large).status_code == 422


@pytest.fixture(params=["pages", "disk", "sizes", "tablespace"])
def filling(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path
) -> Iterator[tuple[Engine, Any]]:
    """An engine, and what fills up and frees where its data are."""
    with ExitStack() as stack:
        if request.param == "tablespace":
            databases: Databases = request.getfixturevalue("postgresql")
            yield stack.enter_context(_tablespace(databases))
            return
        disk = stack.enter_context(small_disk(8)) if request.param == "disk" else None
        folder = disk.folder if disk else tmp_path
        shutil.copyfile(sqlite_template, folder / "full.db")
        engine = open_engine(f"sqlite:///{folder / 'full.db'}")
        stack.callback(engine.dispose)
        if request.param == "pages":
            yield engine, Pages(engine)
            return
        sizes = disk or FileSizes(folder)
        stack.callback(sizes.free)
        yield engine, sizes


@contextmanager
def _tablespace(databases: Databases) -> Iterator[tuple[Engine, Any]]:
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(48)) if SERVER is None else None
        if disk is None:
            name = databases.make()
        else:
            name = f"{databases.prefix}_small"
            room = disk.folder / "room"
            room.mkdir()
            shutil.chown(room, "postgres")
            databases.run(f"CREATE TABLESPACE small LOCATION '{room}'")
            stack.callback(databases.run, "DROP TABLESPACE small")
            template = f"TEMPLATE {databases.template} STRATEGY wal_log TABLESPACE small"
            databases.run(f"CREATE DATABASE {name} {template}")
        stack.callback(databases.drop, name)
        engine = open_engine(databases.url(name))
        stack.callback(engine.dispose)
        yield engine, disk or Injected(engine, stack.enter_context(ExitStack()))


def test_cases_are_opened_until_there_is_no_room_and_again_when_there_is(
    filling: tuple[Engine, Any],
) -> None:
    engine, room = filling
    opened: list[int] = []
    for world in cast(engine, Clock()):
        opened.append(start(world, number="first"))
        room.fill()
        for most in (3000, 100):  # what one that was refused gave back may do for some more
            with suppress(NoRoom):
                opened += (start(world, number=f"{most}-{number}") for number in range(most))
                raise AssertionError("there was always room")
        assert counts(engine)["case"] == len(opened)
        room.free()
        opened.append(start(world, number="last"))
        assert counts(engine)["case"] == len(opened)
        assert sound(world) == []
        with engine.connect() as db:
            if engine.dialect.name == "sqlite":
                assert db.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


@pytest.fixture
def switch(engine: Engine, database_url: str) -> "Switch":
    return Switch(engine, database_url)


@dataclass
class Switch:
    """Turns a database read only, as its administrator would."""

    engine: Engine
    url: str

    @contextmanager
    def read_only(self) -> Iterator[None]:
        self._turn("on")
        try:
            yield
        finally:
            self._turn("off")

    def _turn(self, state: str) -> None:
        if self.engine.dialect.name == "sqlite":
            if state == "on":
                event.listen(self.engine, "connect", _query_only)
            else:
                event.remove(self.engine, "connect", _query_only)
        else:
            admin = create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
            change = f"ALTER DATABASE {self.engine.url.database} SET default_transaction_read_only"
            with admin.connect() as db:
                db.exec_driver_sql("SET default_transaction_read_only = off")
                db.exec_driver_sql(f"{change} = {state}")
        if state == "on":
            self.engine.dispose()  # it holds for new connections


def _query_only(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA query_only=on")


def test_read_only_lets_people_read_and_refuses_what_they_change(
    house: House, switch: Switch
) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    clock = house.world.env.clock
    assert isinstance(clock, Clock)
    with switch.read_only():
        clock.forward(minutes=2)  # so long that the session should be marked as seen
        for page in ("/", f"/steps/{slot}", f"/cases/{house.case.case_id}", "/ready"):
            assert secretary.get(page).status_code == 200, page
        done = secretary.api(f"/api/steps/{slot}/decision", {"answer": "done"})
        assert done.status_code == 503
        assert SAID["read only"] in done.json()["message"]
        assert refused(Browser(house.app).post("/login", {"login": "clerk"}), "read only")
        assert drain(house.world.env) == 0
    done = secretary.api(f"/api/steps/{slot}/decision", {"answer": "done"})
    assert done.status_code == 200, done.text
    assert sound(house.world) == []


def test_a_drain_leaves_everything_while_nothing_can_be_written(
    engine: Engine, switch: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    for world in cast(engine, Clock()):
        start(world)
        world.answer("draft")
        world.answer("review", "agree", "discipline_secretary")
        world.answer("review", "agree", "inspection_head")
        world.answer("approve", "agree")  # three parts are to be looked at
        with switch.read_only():
            caplog.clear()
            assert drain(world.env) == 0
            assert 0 < len(caplog.records) <= 4  # the tries of one branch, not of all
        assert drain(world.env) == 3
        assert sound(world) == []


def test_a_folder_that_nobody_may_write_into_is_read_and_works_again(
    sqlite_template: Path,
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="fourduties-sealed-"))
    folder.chmod(0o755)
    here = folder / "sealed.db"
    shutil.copyfile(sqlite_template, here)
    first, second = (open_engine(f"sqlite:///{here}") for _ in range(2))
    try:
        for world in cast(first, Clock()):
            start(world, number="first")
            world.env = type(world.env)(second, world.env.clock, world.env.mechanisms)
            with sealed(folder):
                assert counts(second)["case"] == 1
                with pytest.raises(ReadOnly):
                    start(world, number="second")
                assert counts(second)["case"] == 1
            start(world, number="third")
            assert counts(second)["case"] == 2
            assert sound(world) == []
    finally:
        first.dispose()
        second.dispose()
        shutil.rmtree(folder)


def test_a_statement_that_asks_for_too_much_is_a_fault_of_the_program(engine: Engine) -> None:
    columns = ", ".join(["1"] * 3000)
    with engine.connect() as db, pytest.raises(DBAPIError) as raised:
        db.exec_driver_sql(f"SELECT {columns}")
    assert refusal(raised.value) is None
