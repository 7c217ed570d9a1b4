"""Prefect's server: ``prefect server start``, mended on SQLite in three ways, and idling for less.

``python -m deployments.prefect_server``.

*Garbage* is collected beside the event loop. On SQLite an error ("database is locked") leaves a
cursor in a circle of references. The collector frees it wherever it happens to run: in the event
loop's thread it then waits for the cursor's connection, which waits for the write lock, up to 60
seconds, while whoever holds the lock waits for the event loop. Killing a worker brings that about
within minutes. A thread of its own may wait without holding anybody up.

*Events that it already has* are left out before it writes. Its clients send again what was not
confirmed when a server died; a statement of such events alone is an insert without rows, which
SQLite refuses, and with it goes every other event of the same five seconds.

*Whether an automation is due* it finds out under the write lock from the beginning. It reads first
and writes then what it counted; whoever wrote in between makes SQLite refuse that at once, however
long it may wait for a lock. After four such tries an event is put aside, and nobody is notified.

*Its own services* (scheduler, late runs, vacuum) are looked for every two seconds, not four times a
second: they come round once a minute, and Prefect has no setting for it.
"""

import gc
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from docket import Worker
from prefect.cli import app
from prefect.server.api import background_workers
from prefect.server.database import provide_database_interface
from prefect.server.events import triggers
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.server.events.services import event_persister
from prefect.server.events.storage.database import write_events
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

EVERY_SECONDS = 2.0
YOUNG, ALL = 1, 2
ALL_EVERY = 150
"""Of so many collections one looks at everything: that holds all threads up for a moment."""

LOOKS_EVERY = timedelta(seconds=2)
"""How soon a service of Prefect's that is due is begun."""

ASKED = 500
"""Ids in one question; SQLite takes a thousand values in a statement."""


def collect_beside(stop: threading.Event) -> threading.Thread:
    """Collect garbage in a thread from now on, and nowhere else, until ``stop`` is set."""
    gc.disable()
    gc.freeze()  # what was imported stays anyway
    thread = threading.Thread(target=_collect, args=(stop,), name="garbage", daemon=True)
    thread.start()
    return thread


def _collect(stop: threading.Event) -> None:
    turns = 0
    while not stop.wait(EVERY_SECONDS):
        turns += 1
        gc.collect(ALL if turns % ALL_EVERY == 0 else YOUNG)


async def write_new_events(session: AsyncSession, events: Sequence[ReceivedEvent]) -> None:
    """Write those of the events that the database does not have, each once."""
    new = {event.id: event for event in events}
    ids, kept = list(new), provide_database_interface().Event
    for start in range(0, len(ids), ASKED):
        some = ids[start : start + ASKED]
        for id in await session.scalars(select(kept.id).where(kept.id.in_(some))):
            del new[id]
    if new:
        await write_events(session=session, events=list(new.values()))


@asynccontextmanager
async def counting_session(*, begin_transaction: bool = False) -> AsyncIterator[AsyncSession]:
    """A session for automations; in a transaction it holds the write lock from the beginning."""
    database = provide_database_interface()
    async with database.session_context(begin_transaction, with_for_update=True) as session:
        yield session


def main() -> None:
    """Be Prefect's server."""
    vars(triggers)["automations_session"] = counting_session
    vars(event_persister)["write_events"] = write_new_events
    vars(background_workers)["Worker"] = partial(
        Worker, minimum_check_interval=LOOKS_EVERY, scheduling_resolution=LOOKS_EVERY
    )
    collect_beside(threading.Event())
    sys.argv = ["prefect", "server", "start"]
    app()


if __name__ == "__main__":
    main()
