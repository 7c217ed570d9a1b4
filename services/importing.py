"""Who may import for whom: the offices that serve an organisation, and the system (CLI)."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Connection, and_, select

from models.base import table
from models.organisation import Organisation
from policy.access import Action
from services.command import Actor, Work
from services.errors import NotAuthorised, NotFound
from services.scope import Standing, standing, within

_organisations = table(Organisation)
_UNITS = select(_organisations.c.id, _organisations.c.code, _organisations.c.name).where(
    _organisations.c.ends_on.is_(None)
)


class MayNotImport(NotAuthorised):
    """只有为该单位服务的巡察办、党委办（党建办）可以导入。"""


@dataclass(frozen=True, slots=True)
class Unit:
    """An organisation that something can be imported for."""

    id: int
    code: str
    name: str


def importable(db: Connection, who: Standing) -> list[Unit]:
    """The organisations that a person's offices serve, in the order of their codes.

    Not the topmost: a feedback is answered to those above, and nobody is.
    """
    query = _UNITS.where(_may(who, Action.IMPORT_WORK)).order_by(_organisations.c.code)
    return [Unit(*row) for row in db.execute(query)]


def may_import(db: Connection, who: Standing) -> bool:
    """Whether :func:`importable` has anything."""
    return db.execute(_UNITS.where(_may(who, Action.IMPORT_WORK)).limit(1)).first() is not None


def importing_for(work: Work, organisation: str | int) -> Unit:
    """:func:`unit_for` whoever carries out a command."""
    return unit_for(work.db, work.actor, work.today, organisation)


def unit_for(
    db: Connection,
    actor: Actor,
    on: date,
    organisation: str | int,
    action: Action = Action.IMPORT_WORK,
) -> Unit:
    """The organisation with a code or id, if the actor may import for it that day.

    The same condition as :func:`importable`, so that what is offered is what is accepted. Asked
    before a file is read, too: it takes time and memory that nobody has for others' units.
    :class:`MayNotImport` otherwise, and for a missing one too: nobody learns what exists elsewhere.
    The system may always; it gets ``NotFound`` for a missing one.
    """
    column = _organisations.c.id if isinstance(organisation, int) else _organisations.c.code
    query = _UNITS.where(column == organisation)
    if actor.person_id is not None:
        query = query.where(_may(standing(db, actor.person_id, on), action))
    row = db.execute(query).first()
    if row is not None:
        return Unit(*row)
    if actor.person_id is not None:
        raise MayNotImport
    raise NotFound(f"没有编码为 {organisation} 的组织。", organisation=organisation)


def _may(who: Standing, action: Action) -> ColumnElement[bool]:
    """The condition on ``organisation`` for those a person may import for."""
    return and_(within(who, action), _organisations.c.parent_id.is_not(None))
