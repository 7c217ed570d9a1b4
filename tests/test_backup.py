"""Backups: taken while the house is used, brought back whole, and honest about what they lack."""

import sqlite3
import tarfile
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, func, insert, select
from sqlalchemy.engine import make_url

from deployments import backup, postgresql_tools, restore
from deployments.backup import NoBackup, Part, back_up
from deployments.preparing import upgrade
from deployments.restore import InUse, Report
from deployments.settings import Settings, load
from deployments.supervisor import only_one
from models.account import Account, Session
from models.base import table
from models.casework import Case, CaseState
from models.message import Message
from notifications.recording import RecordingChannels
from services.casework import mechanisms
from services.database import open_engine, reading
from services.delivery import deliver, messages_for
from services.env import Env
from services.file_store import FileStore
from services.installation import release, standing_of
from services.invariants import violations
from services.migration import downgrade, migrate, newest, revision
from tests.conftest import START, SettableClock
from tests.telling import Desk, shanghai
from tests.two_step_world import Town
from tests.world import World, build

ALL = list(Part)
_cases, _messages, _sessions = table(Case), table(Message), table(Session)


class House:
    """A database with a cast, opened anew after each restore."""

    def __init__(self, folder: Path, url: str, clock: SettableClock) -> None:
        prefect = folder / "prefect.db"
        self.settings: Settings = load(
            env_file=None,
            data=folder,
            database_url=url,
            prefect_database_url=f"sqlite+aiosqlite:///{prefect}",
        )
        with closing(sqlite3.connect(prefect)) as db:
            db.execute("CREATE TABLE run (name)")
        self.clock, self.world = clock, World(self._env(clock))
        self.world = build(self.world.env)
        self.backups = folder / "backups"

    def _env(self, clock: SettableClock) -> Env:
        return Env(open_engine(self.settings.database_url), clock, mechanisms())

    @property
    def env(self) -> Env:
        return self.world.env

    @property
    def town(self) -> Town:
        return Town(self.world)

    def save(self) -> Path:
        return back_up(self.settings, self.backups, self.clock(), ALL)

    def stop(self) -> None:
        self.env.engine.dispose()

    def restore(self, saved: Path) -> Report:
        self.stop()
        return restore.restore(self.settings, saved, ALL)

    def cases(self) -> set[int]:
        with reading(self.env.engine) as db:
            return set(db.execute(select(_cases.c.id)).scalars())

    def faults(self) -> list[Any]:
        return list(violations(self.env.engine, self.clock().date()))


@pytest.fixture
def house(
    tmp_path: Path, database_url: str, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    monkeypatch.setenv("TWO_STEP_OUT", str(tmp_path))
    monkeypatch.setattr(restore, "now", clock)
    made = House(tmp_path / "data", database_url, clock)
    yield made
    made.stop()


def test_what_was_acknowledged_before_a_backup_comes_back_and_goes_on(house: House) -> None:
    kept = house.town.open()
    house.world.answer("draft")
    saved = house.save()
    later = house.town.open()
    report = house.restore(saved)
    assert house.cases() == {kept}
    assert later not in house.cases()
    assert report.manifest.revision == newest()
    assert report.manifest.last == START.isoformat()
    house.town.do_effects(kept)
    house.world.answer("sign")
    assert house.town.case(kept).state == CaseState.ENDED
    assert house.faults() == []


def test_a_backup_taken_while_others_write_is_one_moment_of_the_house(house: House) -> None:
    stop, written = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            written.append(house.town.open())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(written) < 5:
            stop.wait(0.01)
        before = set(written)
        saved = house.save()
    finally:
        stop.set()
        writer.join()
    house.restore(saved)
    assert before <= house.cases() <= set(written)
    assert house.faults() == []


def test_after_a_restore_nothing_is_sent_until_somebody_has_looked(house: House) -> None:
    house.clock.set(shanghai(12, 1, 10))
    twin = RecordingChannels()
    house.world.env = replace(house.env, channels=twin)
    desk = Desk(house.env, twin, house.world)
    desk.channel("clerk")
    desk.tell("clerk")
    saved = house.save()
    report = house.restore(saved)
    assert [one.to for one in report.held] == ["梧桐路街道党工委联络员"]
    assert deliver(house.env).stopped == "restored"
    assert twin.posted == []
    assert release(house.env, restore.RESTORER, key="go", send=True) == 1
    assert deliver(house.env).sent == 1


def test_what_is_not_to_be_sent_stays_in_the_pages(house: House) -> None:
    house.clock.set(shanghai(12, 1, 10))
    twin = RecordingChannels()
    house.world.env = replace(house.env, channels=twin)
    desk = Desk(house.env, twin, house.world)
    desk.channel("clerk")
    desk.tell("clerk")
    house.restore(house.save())
    assert release(house.env, restore.RESTORER, key="drop", send=False) == 1
    assert deliver(house.env).sent == 0
    person = house.world.people["clerk"]
    with reading(house.env.engine) as db:
        assert len(messages_for(db, person)) == 1
        assert not standing_of(db).holding


def test_each_restore_begins_an_epoch_of_its_own_and_signs_everybody_out(house: House) -> None:
    with house.env.engine.begin() as db:
        person = house.world.people["clerk"]
        made = insert(table(Account)).values(login="clerk", person_id=person, disabled=False)
        account = db.execute(made.returning(table(Account).c.id)).scalar_one()
        db.execute(
            insert(_sessions).values(
                account_id=account, token_hash="t", csrf="c", created_at=START, seen_at=START
            )
        )
    saved = house.save()
    first = house.restore(saved).standing
    house.clock.now = shanghai(12, 2, 9)
    second = house.restore(saved).standing
    assert first is not None
    assert second is not None
    assert (first.epoch, second.epoch) == (2, 3)
    assert first.series != second.series
    with reading(house.env.engine) as db:
        assert db.execute(select(func.count()).select_from(_sessions)).scalar_one() == 0


def test_a_backup_of_an_older_schema_is_brought_to_the_present_one(house: House) -> None:
    case_id = house.town.open()
    downgrade(house.env.engine, "0001")
    saved = house.save()
    migrate(house.env.engine)
    report = house.restore(saved)
    assert report.manifest.revision == "0001"
    assert revision(house.env.engine) == newest()
    assert house.cases() == {case_id}
    with reading(house.env.engine) as db:
        assert standing_of(db).holding


def test_a_lost_database_is_made_again_on_an_empty_machine(
    house: House, tmp_path: Path, clock: SettableClock
) -> None:
    if house.env.engine.dialect.name != "sqlite":
        with house.env.engine.begin() as db:
            db.exec_driver_sql("CREATE TABLE stray (id int)")
    case_id, saved = house.town.open(), house.save()
    house.stop()
    url = make_url(house.settings.database_url)
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).unlink()
    restore.restore(house.settings, saved, ALL)
    assert house.cases() == {case_id}


def test_the_log_of_a_lost_database_is_kept_apart_from_the_one_that_takes_its_place(
    house: House,
) -> None:
    """SQLite plays a log into whatever database it finds under that name."""
    if house.env.engine.dialect.name != "sqlite":
        return
    there = Path(str(make_url(house.settings.database_url).database))
    log = there.with_name(f"{there.name}-wal")
    kept, saved = house.town.open(), house.save()
    house.town.open()
    left = log.read_bytes()  # as a kill leaves it
    house.stop()
    there.unlink()
    log.write_bytes(left)
    restore.restore(house.settings, saved, ALL)
    assert house.cases() == {kept}
    assert house.faults() == []
    assert [path.read_bytes() for path in there.parent.glob("*.before-*-wal")] == [left]


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_the_server_that_an_address_names_is_the_one_that_is_saved(
    postgresql_engine: Engine, tmp_path: Path, driver: str
) -> None:
    """Where it listens may be said behind the question mark, as for a socket."""
    url = postgresql_engine.url
    mode = {"psycopg": "sslmode", "asyncpg": "ssl"}[driver]
    query = {"host": str(url.host), "port": str(url.port), mode: "disable"}
    named = URL.create(
        f"postgresql+{driver}",
        username=url.username,
        password=url.password,
        database=url.database,
        query=query,
    )
    with postgresql_engine.begin() as db:
        db.exec_driver_sql("CREATE TABLE only_there (id int)")
    postgresql_tools.dump(named, tmp_path / "saved.dump")
    assert b"only_there" in (tmp_path / "saved.dump").read_bytes()


@pytest.mark.parametrize("part", ["database", "prefect", "files"])
def test_a_damaged_file_is_refused_and_nothing_changes(house: House, part: str) -> None:
    saved = house.save()
    kept = house.town.open()
    damaged = next(saved.glob(f"{part}.*"))
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(NoBackup):
        house.restore(saved)
    assert house.cases() == {kept}


def test_a_folder_that_is_no_backup_is_refused(house: House, tmp_path: Path) -> None:
    with pytest.raises(NoBackup):
        house.restore(tmp_path)


def test_a_backup_of_another_kind_of_database_is_refused(house: House) -> None:
    saved = house.save()
    other = "sqlite:///other.db"
    if house.settings.database_url.startswith("sqlite"):
        other = "postgresql+psycopg://nobody@127.0.0.1/none"
    elsewhere = house.settings.model_copy(update={"database_url": other})
    with pytest.raises(NoBackup):
        restore.restore(elsewhere, saved, ALL)


def test_nothing_is_replaced_while_somebody_uses_it(house: House) -> None:
    saved = house.save()
    kept = house.town.open()
    with pytest.raises(InUse):  # the house's own connections are open
        restore.restore(house.settings, saved, ALL)
    house.stop()
    with only_one(house.settings.data / "run"), pytest.raises(InUse):
        restore.restore(house.settings, saved, ALL)
    assert house.cases() == {kept}


def test_a_restore_that_dies_leaves_what_was_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = house.save()
    kept = house.town.open()

    def dies(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(restore, "_begin", dies)
    with pytest.raises(KeyboardInterrupt):
        house.restore(saved)
    if house.env.engine.dialect.name == "sqlite":
        assert house.cases() == {kept}
    else:  # it is there as a whole, and sends nothing until the restore is run again
        assert house.cases() == set()
        with reading(house.env.engine) as db:
            assert standing_of(db).holding
    monkeypatch.undo()
    house.restore(saved)
    assert house.cases() == set()


def test_a_backup_appears_whole_or_not_at_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(backup._SAVES, Part.PREFECT, dies)
    with pytest.raises(OSError, match="No space"):
        house.save()
    assert list(house.backups.iterdir()) == []


def test_secrets_come_back_with_the_files_and_stay_the_owners(house: House) -> None:
    secret = house.settings.secrets / "prefect-auth"
    before, saved = secret.read_text(), house.save()
    secret.write_text("changed")
    house.restore(saved)
    assert secret.read_text() == before
    assert secret.stat().st_mode & 0o077 == 0
    assert saved.stat().st_mode & 0o077 == 0


def test_evidence_comes_back_with_the_files_and_drafts_stay_out(house: House) -> None:
    store = FileStore(house.settings.files)
    store.keep(draft := store.receive(BytesIO(b"evidence")))
    store.receive(BytesIO(b"a draft"))
    saved = house.save()
    with tarfile.open(saved / "files.tar") as tar:
        assert not [name for name in tar.getnames() if "incoming" in name]
    store.path(draft.sha256).unlink()
    house.restore(saved)
    assert store.path(draft.sha256).read_bytes() == b"evidence"
    assert store.path(draft.sha256).stat().st_mode & 0o077 == 0


def test_an_upgraded_empty_database_stands_in_its_first_epoch(house: House) -> None:
    upgrade(house.env.engine)
    with reading(house.env.engine) as db:
        found = standing_of(db)
    assert (found.epoch, found.series, found.holding) == (1, "", False)
