"""Fresh installations to be measured: a database of its own, and a web process on it."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import NullPool, create_engine, make_url

from bench.cluster import cluster
from bench.house import House
from bench.processes import free_port, peak_rss_mb, require_alive, running, until
from deployments.health import status
from deployments.settings import load

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Installation:
    """A database with the district in it; ``processes`` are the web's and the database's."""

    house: House
    port: int
    processes: list[psutil.Process]

    @property
    def peak_rss_mb(self) -> float:
        """Of the web process, since it began."""
        return peak_rss_mb(self.processes[0])


class Installations:
    """Makes them on one kind of database; ``server`` is PostgreSQL's address."""

    def __init__(self, folder: Path, server: str | None) -> None:
        self._folder, self._server = folder, server
        self._made = 0

    @contextmanager
    def fresh(self) -> Iterator[Installation]:
        """One with nothing in it but the district; it is stopped at the end."""
        self._made += 1
        data, port = self._folder / str(self._made), free_port()
        settings = load(
            None,
            data=data,
            port=port,
            database_url=self._database(data),
            prefect_api_url=f"http://127.0.0.1:{free_port()}/api",
        )
        house, argv = House.found(settings), (sys.executable, "-m", "bench.server")
        log = data / "web.log"
        with running(argv, settings.exported(), log) as web:
            until("web", lambda: _answers(web, settings.local_url, log), _START_SECONDS)
            yield Installation(house, port, [web, *self._servers()])
        house.close()

    def database_of_prefect(self) -> str:
        """The URL of a new database on the same server for Prefect; "" where it makes a file."""
        made = self._created("prefect") if self._server else ""
        return made.replace("postgresql+psycopg:", "postgresql+asyncpg:")

    def _database(self, data: Path) -> str:
        if self._server is None:
            return f"sqlite:///{data / 'fourduties.db'}"
        return self._created("bench")

    def _created(self, what: str) -> str:
        assert self._server is not None
        name = f"{what}_{self._made}"
        engine = create_engine(self._server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as db:
            db.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)

    def _servers(self) -> list[psutil.Process]:
        """PostgreSQL's first process, whose children are all the others."""
        if self._server is None:
            return []
        children = psutil.Process().children()
        return [child for child in children if child.name() == "postgres"]


def _answers(web: psutil.Process, url: str, log: Path) -> bool:
    require_alive(web, log)
    return status(f"{url}/health") == 200


@contextmanager
def installations(kind: str, folder: Path) -> Iterator[Installations]:
    """Installations on ``sqlite``, or on a ``postgresql`` cluster that is removed at the end."""
    with ExitStack() as stack:
        server = stack.enter_context(cluster(durable=True)) if kind == POSTGRESQL else None
        yield Installations(folder, server)
