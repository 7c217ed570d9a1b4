"""The record of log-ins and accounts as it is read (读日志): by the audit administrator, who can do
nothing else, and by everybody of their own account."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Date, Row, Select, func, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from models.account import Account, AccountAct, AccountEvent
from models.base import table
from models.organisation import Person
from policy.administration import Permission
from services.account_list import wanted_text
from services.account_scope import account_in, held_below
from services.administration import Administration
from services.errors import NotFound

PAGE = 50
COUNTED = 1000
"""How many lines are counted: years of a record are not read for a figure."""
ACTS = tuple(act.value for act in AccountAct)
"""What a record can be narrowed to."""
OWN = 10
"""How many lines of their own record somebody is shown."""
_accounts = table(Account)
_events = table(AccountEvent)
_people = table(Person)


@dataclass(frozen=True, slots=True)
class RecordLine:
    """A line of the record. ``login`` and ``name`` are None for a log-in that is not there; ``by``
    is who did it, where that is somebody else; None at the door and for the system."""

    id: int
    at: datetime
    act: AccountAct
    person_id: int | None
    login: str | None
    name: str | None
    by: str | None
    by_system: bool
    address: str


@dataclass(frozen=True, slots=True)
class Record:
    """The lines that an audit administrator reads; NotFound, when made, for anybody else."""

    at: Administration
    act: AccountAct | None = None
    search: str = ""

    def __post_init__(self) -> None:
        if not self.at.may(Permission.READ_RECORD):
            raise NotFound

    def count(self, db: Connection) -> int:
        """How many there are, by the condition of the list; :data:`COUNTED` + 1 for any more."""
        some = select(_events.c.id).select_from(_JOINED).where(*self._wanted())
        query = select(func.count()).select_from(some.limit(COUNTED + 1).subquery())
        return db.execute(query).scalar_one()

    def lines(self, db: Connection, before: int | None = None) -> list[RecordLine]:
        """A page, the newest first; ``before`` is the last one of the page before."""
        query = _listed().where(*self._wanted()).limit(PAGE)
        if before is not None:
            query = query.where(_events.c.id < before)
        return [_line(row) for row in db.execute(query)]

    def _wanted(self) -> list[ColumnElement[bool]]:
        """Accounts below, lines of the days when their people were, and what was tried under no
        name that is known: that is nobody's else."""
        person, path = _accounts.c.person_id, self.at.path
        below = account_in(path, person, self.at.on)
        was_below = held_below(path, person, _LocalDay(_events.c.at))
        wanted: list[ColumnElement[bool]] = [or_(_events.c.account_id.is_(None), below, was_below)]
        if self.act is not None:
            wanted.append(_events.c.act == self.act)
        if text := wanted_text(self.search):
            wanted.append(
                or_(
                    _accounts.c.login.contains(text, autoescape=True),
                    _people.c.name.contains(text, autoescape=True),
                    _events.c.address.contains(text, autoescape=True),
                )
            )
        return wanted


def act_named(name: str) -> AccountAct | None:
    """One of :data:`ACTS`; None for '' (all of them), NotFound for anything else."""
    if not name:
        return None
    try:
        return AccountAct(name)
    except ValueError as error:
        raise NotFound from error


def own_record(db: Connection, account_id: int) -> list[RecordLine]:
    """The newest lines of one's own account."""
    query = _listed().where(_events.c.account_id == account_id).limit(OWN)
    return [_line(row) for row in db.execute(query)]


class _LocalDay(FunctionElement[date]):
    """The day in Shanghai of an instant, in SQL; the offset has been the same since 1991."""

    type = Date()
    inherit_cache = True


@compiles(_LocalDay)
def _on_postgresql(element: _LocalDay, compiler: SQLCompiler, **more: Any) -> str:
    return f"CAST(timezone('Asia/Shanghai', {compiler.process(element.clauses, **more)}) AS DATE)"


@compiles(_LocalDay, "sqlite")
def _on_sqlite(element: _LocalDay, compiler: SQLCompiler, **more: Any) -> str:
    return f"date({compiler.process(element.clauses, **more)}, '+8 hours')"


_AT_THE_DOOR = (AccountAct.REFUSED, AccountAct.HELD)
_DOER = _people.alias("doer")
_JOINED = (
    _events.outerjoin(_accounts, _accounts.c.id == _events.c.account_id)
    .outerjoin(_people, _people.c.id == _accounts.c.person_id)
    .outerjoin(_DOER, _DOER.c.id == _events.c.by_person_id)
)


def _listed() -> Select[Any]:
    return (
        select(
            *(_events.c[name] for name in ("id", "at", "act", "address", "by_person_id")),
            _accounts.c.login,
            _accounts.c.person_id,
            _people.c.name,
            _DOER.c.name.label("by"),
        )
        .select_from(_JOINED)
        .order_by(_events.c.id.desc())
    )


def _line(row: Row[Any]) -> RecordLine:
    by = row.by if row.by_person_id != row.person_id else None
    system = row.by_person_id is None and row.act not in _AT_THE_DOOR
    whose = row.person_id, row.login, row.name
    return RecordLine(row.id, row.at, row.act, *whose, by, system, row.address)
