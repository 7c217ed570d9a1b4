"""What most tests stand on: a migrated database of each kind, a settable clock, an Env."""

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import URL, Engine, NullPool, create_engine, make_url
from xdist.scheduler import LoadScopeScheduling

from bench.cluster import cluster
from services import password
from services.database import open_engine
from services.env import Env
from services.migration import migrate

START = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
"""A Monday, nine o'clock in the morning in Shanghai."""
SHARING = ("browser", "runner", "bench", "mutants")
"""Words in the name of a test file whose tests share what they start: one process does them."""
SERVERS = "e2e"
"""A word in the name of a test file that starts Prefect: of these one runs at a time."""
SERVER = os.environ.get("FOURDUTIES_TEST_POSTGRESQL")
"""URL of a server whose user may create databases; without it the tests start their own."""

settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("house")  # two busy cores say nothing about an example


@dataclass
class SettableClock:
    """Stands still until a test moves it."""

    now: datetime = field(default=START)

    def __call__(self) -> datetime:
        return self.now

    def set(self, now: datetime) -> None:
        """Jump to an instant, which must be aware."""
        assert now.tzinfo is not None
        self.now = now.astimezone(UTC)

    def forward(self, by: timedelta) -> None:
        """Let time pass."""
        self.now += by


@dataclass
class Databases:
    """Makes fresh migrated PostgreSQL databases from a template, and drops them again."""

    server: URL
    prefix: str
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def template(self) -> str:
        return f"{self.prefix}_template"

    def run(self, statement: str) -> None:
        """Outside a transaction, as CREATE DATABASE wants it."""
        engine = create_engine(self.server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as db:
            db.exec_driver_sql(statement)

    def url(self, name: str) -> str:
        return self.server.set(database=name).render_as_string(hide_password=False)

    def make_template(self) -> None:
        self.drop(self.template)
        self.run(f"CREATE DATABASE {self.template} TEMPLATE template0 ENCODING 'UTF8'")
        engine = open_engine(self.url(self.template))
        migrate(engine)
        engine.dispose()

    def make(self, *, empty: bool = False) -> str:
        """The name of a new database: with the schema, or without anything."""
        name = f"{self.prefix}_{next(self.numbers)}"
        template = "template0" if empty else self.template
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        return name

    def drop(self, name: str) -> None:
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgresql(worker: str) -> Iterator[Databases]:
    """Databases on a cluster of the tests' own, or on the named server.

    Its own does not wait for the disk: a database is made in 50 ms, not in seconds.
    """
    with ExitStack() as stack:
        server = SERVER or stack.enter_context(cluster(durable=False))
        databases = Databases(make_url(server), f"fourduties_test_{os.getpid()}_{worker}")
        databases.make_template()
        yield databases
        databases.drop(databases.template)


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[PasswordHash]:
    """Argon2 that costs nothing in this process; gives the product's own, which costs 0.1 s.

    Processes that a test starts have the product's.
    """
    with pytest.MonkeyPatch.context() as patch:
        real = password._hasher
        cheap = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(password, "_hasher", PasswordHash((cheap,)))
        password._nobody.cache_clear()
        yield real


@pytest.fixture(scope="session")
def worker() -> str:
    """The name of this pytest-xdist process, so that several do not share databases."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "fourduties.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of a fresh migrated SQLite database, for tests that start processes."""
    path = tmp_path / "fourduties.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """A fresh migrated SQLite database."""
    engine = open_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def postgresql_url(postgresql: Databases) -> Iterator[str]:
    """The URL of a fresh migrated PostgreSQL database, for tests that start processes."""
    name = postgresql.make()
    yield postgresql.url(name)
    postgresql.drop(name)


@pytest.fixture
def postgresql_engine(postgresql_url: str) -> Iterator[Engine]:
    """A fresh migrated PostgreSQL database."""
    engine = open_engine(postgresql_url)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh migrated database of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh migrated database of each kind: the test runs twice."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database of each kind with no table in it."""
    if request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
        yield engine
        engine.dispose()
        return
    databases: Databases = request.getfixturevalue("postgresql")
    name = databases.make(empty=True)
    engine = open_engine(databases.url(name))
    yield engine
    engine.dispose()
    databases.drop(name)


@pytest.fixture
def clock() -> SettableClock:
    """The present of the test: 2026-11-30 09:00 in Shanghai, until it is moved."""
    return SettableClock()


@pytest.fixture
def env(engine: Engine, clock: Callable[[], datetime]) -> Env:
    """An environment on each database, with no mechanism registered."""
    return Env(engine=engine, clock=clock, mechanisms={})


class ServersTogether(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Tests that start Prefect run one after the other, in one process of pytest-xdist.

    Its own groups (``xdist_group``) are not heeded with pytest 9.2, which names a test otherwise.
    """

    def _split_scope(self, nodeid: str) -> str:
        stem = Path(nodeid.partition("::")[0]).stem
        if any(word in stem for word in SHARING):
            return stem
        return SERVERS if SERVERS in stem else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ServersTogether | None:
    """Who hands out the tests, when they are to be handed out by groups."""
    grouped = config.getvalue("dist") == "loadgroup"
    return ServersTogether(config, log) if grouped else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On CI nothing is skipped: what a test lacks there is a fault of the machine or of setup."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped on CI: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a test counted (``record_property("summary", …)``) is said at the end."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, told in getattr(report, "user_properties", ()):
                if name == "summary" and getattr(report, "when", "") == "call":
                    terminalreporter.write_line(str(told))
