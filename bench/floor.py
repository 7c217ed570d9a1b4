"""The floor: what the same server needs for an ORM write of three rows and nothing else.

SELECT … FOR UPDATE of one row, UPDATE it, INSERT two, commit, a small JSON answer. No log-in, no
CSRF token, no audit, no template.
"""

from fastapi import FastAPI
from sqlalchemy import Engine, ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

PREFIX = "/floor/"
CLIENTS = 64
"""Rows to lock: each client has its own."""


class Base(DeclarativeBase):
    """Tables of the floor only."""


class Counter(Base):
    """The row that is locked and updated."""

    __tablename__ = "bench_counter"

    id: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int]


class Entry(Base):
    """Of these, two are inserted."""

    __tablename__ = "bench_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    counter_id: Mapped[int] = mapped_column(ForeignKey(Counter.id), index=True)
    count: Mapped[int]
    text: Mapped[str]


def lay(engine: Engine) -> None:
    """Make the tables and the rows to lock, in the same database."""
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add_all(Counter(id=number, count=0) for number in range(1, CLIENTS + 1))


def floor_app(engine: Engine) -> FastAPI:
    """The application of the one route ``POST /floor/{number}``."""
    app = FastAPI(openapi_url=None)

    @app.post("/floor/{number}")
    def floor(number: int) -> dict[str, int]:
        with Session(engine) as session, session.begin():
            query = select(Counter).where(Counter.id == number).with_for_update()
            counter = session.scalars(query).one()
            counter.count += 1
            count = counter.count
            session.add_all(
                Entry(counter_id=number, count=count, text=text) for text in ("first", "second")
            )
        return {"number": number, "count": count}

    return app
