"""Whose an import is, for the page and for every act on one."""

from sqlalchemy import ColumnElement, select

from models.base import table
from models.batch import Batch
from models.organisation import Organisation
from policy.access import Action
from services.scope import Standing, within

_batches, _organisations = table(Batch), table(Organisation)


def sees_batch(who: Standing) -> ColumnElement[bool]:
    """The condition on ``batch`` for imports of organisations that this person answers for."""
    units = select(_organisations.c.id).where(within(who, Action.IMPORT_UNITS))
    return _batches.c.organisation_id.in_(units)
