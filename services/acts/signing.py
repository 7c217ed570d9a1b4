"""Who may have signed a paper for a slot, since when there was something to sign, and what is asked
of who records it (代录); the command is in ``services/acts/recording.py``."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, func, or_, select

from models.act import ActRecord
from models.base import table
from models.casework import Step
from models.message import Message
from models.organisation import Appointment, Person
from policy.acts import Act
from policy.calendar import last_day, local_day
from services.acts.about import About
from services.acts.parts import Acting, Field, Kind
from services.catalogue import translated
from services.errors import Invalid

SIGNER, SIGNED_ON, SCAN = "signer", "signed_on", "scan"
_ASKED = "opened", "returned"
"""The messages by which somebody is told that they are asked."""
_acts = table(ActRecord)
_appointments = table(Appointment)
_messages = table(Message)
_people = table(Person)
_steps = table(Step)


class ScanNeeded(Invalid):
    """请附签批件的扫描件（PDF 或图片）。"""

    code = "scan_needed"


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody who held the post while it was asked, by an appointment of theirs."""

    appointment_id: int
    person_id: int
    name: str
    starts_on: date
    ends_on: date | None
    """The day after the last; None: they hold it still."""

    def held_on(self, day: date) -> bool:
        """Whether they held the post on a day."""
        return self.starts_on <= day and (self.ends_on is None or day < self.ends_on)

    @property
    def label(self) -> str:
        """The name with the days of the appointment."""
        told = {"name": self.name, "since": _said(self.starts_on)}
        if self.ends_on is None:
            return translated("%(name)s, in office since %(since)s", **told)
        until = _said(last_day(self.ends_on))
        return translated("%(name)s, in office from %(since)s to %(until)s", **told, until=until)


def signers(this: About) -> tuple[Signer, ...]:
    """Who held the post at any time since it was asked, the latest first; never who records."""
    since = asked_on(this.db, this.slot.step_id, this.slot.post_id)
    rows = this.db.execute(
        select(
            _appointments.c.id,
            _appointments.c.person_id,
            _people.c.name,
            _appointments.c.starts_on,
            _appointments.c.ends_on,
        )
        .join(_people, _people.c.id == _appointments.c.person_id)
        .where(
            _appointments.c.post_id == this.slot.post_id,
            _appointments.c.person_id != this.who.person_id,
            _appointments.c.starts_on <= this.on,
            or_(_appointments.c.ends_on.is_(None), _appointments.c.ends_on > since),
        )
        .order_by(_appointments.c.starts_on.desc(), _appointments.c.id.desc())
    )
    return tuple(Signer(*row) for row in rows)


def asked_on(db: Connection, step_id: int, post_id: int) -> date:
    """Since which day a post is asked in a step: later than the step where the slot came to it by
    转办 or in its turn (依次), earlier where the step is asked anew after a 撤回. What was taken
    back for a slip of who recorded it may be recorded again from the same paper."""
    step = db.execute(
        select(*(_steps.c[name] for name in ("branch_id", "key", "opened_at"))).where(
            _steps.c.id == step_id
        )
    ).one()
    before = (
        select(_steps.c.id)
        .join(_acts, _acts.c.step_id == _steps.c.id)
        .where(
            _acts.c.branch_id == step.branch_id,
            _acts.c.act == Act.WITHDRAW,
            _acts.c.at == step.opened_at,
            _steps.c.key == step.key,
            _steps.c.id < step_id,
        )
    )
    earlier = db.execute(before.order_by(_steps.c.id.desc()).limit(1)).scalar()
    if earlier is not None:
        return asked_on(db, earlier, post_id)
    return local_day(_told(db, step_id, post_id) or step.opened_at)


def _told(db: Connection, step_id: int, post_id: int) -> datetime | None:
    """None where nobody held the post yet."""
    told = select(func.min(_messages.c.created_at)).where(
        _messages.c.step_id == step_id,
        _messages.c.post_id == post_id,
        _messages.c.template.in_(_ASKED),
    )
    return db.execute(told).scalar()


def _said(day: date) -> str:
    return translated("date.year", year=day.year, month=day.month, day=day.day)


def _fields(this: About) -> tuple[Field, ...]:
    options = tuple((str(one.appointment_id), one.label) for one in signers(this))
    return Field(SIGNER, "choice", options), Field(SIGNED_ON, "date")


def _without_a_scan(acting: Acting) -> None:
    """It brings a file, and so has a page and a command of its own."""
    raise ScanNeeded(field=SCAN)


RECORD = Kind(_fields, _without_a_scan)
