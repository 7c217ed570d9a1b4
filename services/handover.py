"""新官理旧账: whoever takes over a post is handed one list of what is open, and confirms it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, func, insert, or_, select, update

from models.base import table
from models.casework import Slot, SlotState, Step
from models.message import Message
from models.organisation import Appointment, Organisation, Person, Post
from models.vacancy import Handover, HandoverItem
from policy.calendar import local_day
from services.calendar import latest
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import AlreadyDecided, NotFound
from services.inbox import Item, items_of, listed
from services.scope import Standing, in_force, post_name, standing
from services.telling import tell

_appointments = table(Appointment)
_handovers = table(Handover)
_items = table(HandoverItem)
_messages = table(Message)
_organisations = table(Organisation)
_people = table(Person)
_posts = table(Post)
_slots = table(Slot)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A list as its receiver reads it: what was open then, and what became of it."""

    id: int
    post: str
    made_at: datetime
    received_at: datetime | None
    received_by: str
    items: tuple[Item, ...]
    open: int
    """How many of the items still wait."""


def hand_over(work: Work, post_id: int, appointment_id: int) -> int | None:
    """Make the list for who takes a post over, and tell them; None when nothing is open on it."""
    waiting = _slots.c.post_id == post_id, _slots.c.state == SlotState.OPEN
    slots = list(
        work.db.execute(select(_slots.c.id).where(*waiting).order_by(_slots.c.id)).scalars()
    )
    if not slots:
        return None
    values = {"post_id": post_id, "appointment_id": appointment_id, "made_at": work.now}
    made = insert(_handovers).values(values).returning(_handovers.c.id)
    handover_id = int(work.db.execute(made).scalar_one())
    rows = [{"handover_id": handover_id, "slot_id": slot_id} for slot_id in slots]
    work.db.execute(insert(_items), rows)
    tell(
        work.db,
        key=f"handover:{handover_id}",
        post_id=post_id,
        template="handover",
        context={"post_id": post_id, "count": len(slots)},
        now=work.now,
    )
    return handover_id


def hand_over_begun(work: Work) -> int:
    """Lists for terms that began by the day, or by an import, on posts with older work; how many.

    What was handed over is not handed over again, and nothing is to who held the post before. Work
    that came to a post while somebody held it (改派, an abolished post) was asked of them: that is
    no taking over either.
    """
    rows = work.db.execute(_BEGUN.where(in_force(_appointments.c, work.today)))
    taken = dict.fromkeys((row.id, row.post_id) for row in rows if _older(row))
    return sum(hand_over(work, post_id, term) is not None for term, post_id in taken)


def receive(env: Env, actor: Actor, *, handover_id: int, key: str) -> None:
    """Confirm the receipt of a list, as the holder of its post. NotFound for anybody else;
    AlreadyDecided for one that was received."""

    def act(work: Work) -> dict[str, int]:
        person_id = actor.person_id
        if person_id is None:
            raise NotFound
        who = standing(work.db, person_id, work.today)
        _mine(work.db, who, handover_id)
        taken = work.db.execute(
            update(_handovers)
            .where(_handovers.c.id == handover_id, _handovers.c.received_at.is_(None))
            .values(received_at=work.now, received_by=person_id)
        )
        if taken.rowcount != 1:
            raise AlreadyDecided("这份交接清单已经签收。")
        work.audit("organisation", {"act": "handover_received", "handover": handover_id})
        return {"handover": handover_id}

    execute(env, actor, "handover.receive", key, {"handover": handover_id}, act, rows=("CK-1",))


def handed_over(db: Connection, who: Standing, handover_id: int, now: datetime) -> HandedOver:
    """A list for the holder of its post; NotFound for anybody else."""
    row = _mine(db, who, handover_id)
    of_list = select(_items.c.slot_id).where(_items.c.handover_id == handover_id)
    rows = db.execute(listed().where(_slots.c.id.in_(of_list))).all()
    waits = select(func.count()).where(_slots.c.id.in_(of_list), _slots.c.state == SlotState.OPEN)
    return HandedOver(
        id=row.id,
        post=post_name(row.short_name, row.title),
        made_at=row.made_at,
        received_at=row.received_at,
        received_by=row.receiver or "",
        items=tuple(items_of(db, rows, now, latest(db), {})),
        open=int(db.execute(waits).scalar_one()),
    )


def not_received(db: Connection, who: Standing) -> list[int]:
    """The lists that wait for this person's receipt, the oldest first."""
    mine = _handovers.c.post_id.in_(who.post_ids), _handovers.c.received_at.is_(None)
    own = _appointments.c.person_id == who.person_id, in_force(_appointments.c, who.on)
    query = (
        select(_handovers.c.id)
        .join(_appointments, _appointments.c.id == _handovers.c.appointment_id)
        .where(*mine, *own)
        .order_by(_handovers.c.id)
    )
    return list(db.execute(query).scalars())


_former = _appointments.alias("former")
_TOLD = (
    select(func.max(_messages.c.created_at))
    .where(
        _messages.c.step_id == _slots.c.step_id,
        _messages.c.person_id == _appointments.c.person_id,
        or_(*(_messages.c.key.startswith(cause) for cause in ("opened:", "raised:"))),
    )
    .correlate(_slots, _appointments)
    .scalar_subquery()
)
_CONTINUES = exists().where(
    _former.c.post_id == _appointments.c.post_id,
    _former.c.person_id == _appointments.c.person_id,
    _former.c.starts_on < _appointments.c.starts_on,
    _former.c.ends_on == _appointments.c.starts_on,
)
_BEGUN = (
    select(*(_appointments.c[name] for name in ("id", "post_id", "starts_on")), _TOLD.label("told"))
    .join(_slots, _slots.c.post_id == _appointments.c.post_id)
    .join(_steps, _steps.c.id == _slots.c.step_id)
    .outerjoin(_handovers, _handovers.c.appointment_id == _appointments.c.id)
    .where(
        _slots.c.state == SlotState.OPEN,
        _handovers.c.id.is_(None),
        func.date(_steps.c.opened_at) <= _appointments.c.starts_on,
        ~_CONTINUES,
    )
    .order_by(_appointments.c.id)
)
"""What is open on posts whose term began on the day it was opened or later (the database counts
days by UTC), and when the holder was last asked for it."""


def _older(row: Row[Any]) -> bool:
    """Whether the holder found it on the post: since the term began they were not asked for it."""
    return row.told is None or local_day(row.told) < row.starts_on


def _mine(db: Connection, who: Standing, handover_id: int) -> Any:
    query: Select[Any] = (
        select(
            _handovers,
            _posts.c.title,
            _organisations.c.short_name,
            _people.c.name.label("receiver"),
        )
        .join(_appointments, _appointments.c.id == _handovers.c.appointment_id)
        .join(_posts, _posts.c.id == _handovers.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .outerjoin(_people, _people.c.id == _handovers.c.received_by)
        .where(
            _handovers.c.id == handover_id,
            _handovers.c.post_id.in_(who.post_ids),
            _appointments.c.person_id == who.person_id,
        )
    )
    row = db.execute(query).first()
    if row is None:
        raise NotFound
    return row
