"""What follows at once when an import, or its undoing, changes who holds a post (rule O).

As with 任职登记 (:mod:`services.appointing`): open work on a post that is empty now is a vacancy,
and who takes a post over is handed what is open on it.
"""

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

from sqlalchemy import Column, Connection, Select, select

from models.base import table
from models.batch import BatchChange, ChangeAct
from models.casework import Slot, SlotState
from models.organisation import Appointment, Post
from models.vacancy import Handover
from services.casework.gap import note_vacant
from services.command import Work
from services.handover import hand_over
from services.posts import holders
from services.scope import in_force

_AT_ONCE = 10_000
_appointments = table(Appointment)
_changes = table(BatchChange)
_handovers = table(Handover)
_posts = table(Post)
_slots = table(Slot)
_WAITED_FOR = (
    select(_slots.c.post_id)
    .join(_posts, _posts.c.id == _slots.c.post_id)
    .where(_slots.c.state == SlotState.OPEN, _posts.c.successor_id.is_(None))
    .distinct()
)


def follow_import(work: Work, batch_id: int, post_ids: Collection[int]) -> None:
    """After an import was written, for the posts whose holders it may have changed."""
    _follow(work, batch_id, post_ids, _changes.c.before)


def follow_undo(work: Work, batch_id: int, post_ids: Collection[int]) -> None:
    """After an import was taken back."""
    _follow(work, batch_id, post_ids, _changes.c.after)


def posts_held_by(db: Connection, batch_id: int) -> set[int]:
    """The posts whose appointments an import wrote."""
    query = select(_appointments.c.post_id).join(_changes, _changes.c.row_id == _appointments.c.id)
    return set(db.execute(query.where(*_of(batch_id))).scalars())


def _follow(work: Work, batch_id: int, post_ids: Collection[int], was: Column[Any]) -> None:
    work.after_commit(work.env.nudge)
    waited_for = set(_each(work.db, _WAITED_FOR, _slots.c.post_id, post_ids))
    held = holders(work.db, waited_for, work.today) if waited_for else {}
    for post_id in sorted(waited_for - held.keys()):
        note_vacant(work, post_id)
    for appointment_id, post_id in _begun(work, batch_id, waited_for, was):
        hand_over(work, post_id, appointment_id)


def _begun(
    work: Work, batch_id: int, post_ids: Collection[int], was: Column[Any]
) -> list[tuple[int, int]]:
    """The appointments of a batch that are in force by it, and were not, with their posts; none of
    which something was handed over."""
    query = (
        select(_appointments.c.id, _appointments.c.post_id, _changes.c.act, was.label("was"))
        .join(_changes, _changes.c.row_id == _appointments.c.id)
        .outerjoin(_handovers, _handovers.c.appointment_id == _appointments.c.id)
        .where(*_of(batch_id), _handovers.c.id.is_(None))
        .where(in_force(_appointments.c, work.today))
    )
    found = []
    wanted = sorted(post_ids)
    for start in range(0, len(wanted), _AT_ONCE):
        some = _appointments.c.post_id.in_(wanted[start : start + _AT_ONCE])
        rows = work.db.execute(query.where(some)).all()
        begun = (row for row in rows if row.act is ChangeAct.INSERT or _over(row.was, work))
        found += [(row.id, row.post_id) for row in begun]
    return sorted(found)


def _over(was: dict[str, Any], work: Work) -> bool:
    ended = was.get("ends_on")
    return ended is not None and date.fromisoformat(ended) <= work.today


def _of(batch_id: int) -> tuple[Any, ...]:
    return _changes.c.batch_id == batch_id, _changes.c.table_name == _appointments.name


def _each(
    db: Connection, query: Select[tuple[int]], column: Column[Any], ids: Collection[int]
) -> Iterator[int]:
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        yield from db.execute(query.where(column.in_(wanted[start : start + _AT_ONCE]))).scalars()
