"""任职、离任、转任: who holds a post, from when to when, as commands of who keeps the records.

A post has one holder. Nothing that was decided changes hands: a decision names who made it. What
is open stays with the post; whoever takes it over is handed a list of it (新官理旧账), and while
nobody does, the superior is asked for a name (``vacancy``).
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from models.base import table
from models.casework import Slot, SlotState
from models.organisation import Appointment, Person, Post
from policy.terms import FURTHEST
from services.administration import open_role
from services.casework.gap import note_vacant
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import DutiesError, Invalid, NotFound
from services.handover import hand_over
from services.moves import Moves, of_posts
from services.organisers import STREAM, actor_of, lock_organisation, require_same, seat_of
from services.posts import holder
from services.sanitising import check_text
from services.scope import Standing

LONGEST_NAME = 40
_appointments = table(Appointment)
_people = table(Person)
_posts = table(Post)
_slots = table(Slot)


class Held(DutiesError):
    """这个职务在这段时间已有人担任，请先为其办理离任。"""

    status = 409
    code = "held"


class Abolished(DutiesError):
    """这个职务刚刚已撤销，不能再任职。"""

    status = 409
    code = "abolished"


@dataclass(frozen=True, slots=True)
class Leaving:
    """What stays on a post when its holder goes; ``moves`` is what the confirmation gives back."""

    appointment_id: int
    person: str
    post_id: int
    moves: Moves


def appoint(
    env: Env,
    actor: Actor,
    *,
    post_id: int,
    starts_on: date,
    key: str,
    person_id: int | None = None,
    name: str = "",
) -> int:
    """Let a person, or a new one by ``name``, hold a post from a day; the appointment's id.

    Errors: NotFound (post or person, or a post that is none of theirs), :class:`Held` for two
    holders at a time, Invalid for a day more than a year ahead or no person.
    """
    body = {"post": post_id, "on": starts_on.isoformat(), "person": person_id, "name": name}

    def act(work: Work) -> dict[str, int]:
        lock_organisation(work)
        seat_of(work.db, actor_of(work), post_id)
        who = _person(work, person_id) if person_id is not None else _new_person(work, name)
        return {"appointment": begin(work, post_id, who, starts_on)}

    done = execute(env, actor, "appointment.begin", key, body, act, rows=("CK-1",))
    return int(done["appointment"])


def leave(
    env: Env, actor: Actor, *, appointment_id: int, ends_on: date, seen: str, key: str
) -> None:
    """End an appointment: ``ends_on`` is the first day on which the person holds the post no more.

    ``seen`` is the fingerprint of :func:`leaving`. Errors: NotFound, :class:`Changed`, Invalid for
    a day that is past.
    """
    body = {"appointment": appointment_id, "on": ends_on.isoformat(), "seen": seen}

    def act(work: Work) -> dict[str, int]:
        lock_organisation(work)
        found = leaving(work.db, actor_of(work), appointment_id, work.today)
        require_same(seen, found.moves.fingerprint)
        finish(work, appointment_id, ends_on)
        return {"appointment": appointment_id}

    execute(env, actor, "appointment.end", key, body, act)


def transfer(
    env: Env, actor: Actor, *, appointment_id: int, to: int, on: date, seen: str, key: str
) -> int:
    """转任: a person leaves a post and holds another from the same day; the new appointment's id.

    Both posts must be theirs who does it. Errors as of :func:`leave` and :func:`appoint`.
    """
    body = {"appointment": appointment_id, "to": to, "on": on.isoformat(), "seen": seen}

    def act(work: Work) -> dict[str, int]:
        lock_organisation(work)
        who = actor_of(work)
        found = leaving(work.db, who, appointment_id, work.today)
        require_same(seen, found.moves.fingerprint)
        seat_of(work.db, who, to)
        row = _appointment(work.db, appointment_id)
        finish(work, appointment_id, on)
        return {"appointment": begin(work, to, row.person_id, on)}

    return int(execute(env, actor, "appointment.transfer", key, body, act)["appointment"])


def leaving(db: Connection, who: Standing | None, appointment_id: int, on: date) -> Leaving:
    """What an appointment's end would leave behind; NotFound for one that has ended, or is none
    of theirs."""
    row = _appointment(db, appointment_id)
    if row.ends_on is not None and row.ends_on <= on:
        raise NotFound
    seat_of(db, who, row.post_id)
    return Leaving(appointment_id, row.name, row.post_id, of_posts(db, [row.post_id], on))


def begin(
    work: Work, post_id: int, person_id: int, starts_on: date, *, until_next: bool = False
) -> int:
    """Insert an appointment, if the post is free from that day on; what is open is handed over.

    ``until_next``: it ends on the day from which somebody else is registered. :class:`Held` when
    somebody holds the post then, :class:`Abolished` when it is no more. Whoever calls has looked at
    the authority. A vacancy of the post ends beside the drain.
    """
    if starts_on > work.today + FURTHEST:
        raise Invalid("任职日期最多登记到一年以内。", field="on")
    lock_organisation(work)
    _lock_living(work.db, post_id)
    began = _appointments.c.ends_on > _appointments.c.starts_on  # or it was taken back in time
    later = or_(_appointments.c.ends_on.is_(None), (_appointments.c.ends_on > starts_on) & began)
    taken = select(func.min(_appointments.c.starts_on))
    first = work.db.execute(taken.where(_appointments.c.post_id == post_id, later)).scalar()
    if first is not None and not (until_next and first > starts_on):
        raise Held
    values = {"post_id": post_id, "person_id": person_id, "starts_on": starts_on, "ends_on": first}
    made = insert(_appointments).values(values).returning(_appointments.c.id)
    appointment_id = int(work.db.execute(made).scalar_one())
    handover_id = None
    if starts_on <= work.today:
        handover_id = hand_over(work, post_id, appointment_id)
        work.after_commit(work.env.nudge)
    work.audit(
        STREAM,
        {
            "act": "appointed",
            "appointment": appointment_id,
            "post": post_id,
            "person": person_id,
            "from": starts_on.isoformat(),
            "handover": handover_id,
        },
    )
    return appointment_id


def finish(work: Work, appointment_id: int, ends_on: date) -> None:
    """End an appointment on a day from today on; one that would begin later never begins."""
    if ends_on < work.today:
        raise Invalid("离任日期不能早于今天。", field="on")
    row = _appointment(work.db, appointment_id)
    if row.ends_on is not None and ends_on > row.ends_on:
        raise Invalid("离任日期不能晚于已经登记的离任日期。", field="on")
    last = max(ends_on, row.starts_on)
    work.db.execute(
        update(_appointments).where(_appointments.c.id == appointment_id).values(ends_on=last)
    )
    vacant = ends_on <= work.today and holder(work.db, row.post_id, work.today) is None
    if vacant and _waits(work.db, row.post_id):
        note_vacant(work, row.post_id)
    said = {"act": "left", "appointment": appointment_id, "post": row.post_id}
    work.audit(STREAM, {**said, "until": last.isoformat()})


def _appointment(db: Connection, appointment_id: int) -> Row[Any]:
    row = db.execute(
        select(_appointments, _people.c.name)
        .join(_people, _people.c.id == _appointments.c.person_id)
        .where(_appointments.c.id == appointment_id)
    ).first()
    if row is None:
        raise NotFound
    return row


def _lock_living(db: Connection, post_id: int) -> None:
    living = _posts.c.id == post_id, _posts.c.successor_id.is_(None)
    locked = select(_posts.c.id).where(*living).with_for_update(key_share=True)
    if db.execute(locked).first() is None:
        raise Abolished


def _waits(db: Connection, post_id: int) -> bool:
    waiting = _slots.c.post_id == post_id, _slots.c.state == SlotState.OPEN
    return db.execute(select(_slots.c.id).where(*waiting).limit(1)).first() is not None


def _person(work: Work, person_id: int) -> int:
    """Somebody who may be appointed: not who does it, and no administrator (三员 hold no post)."""
    wanted = select(open_role(_people.c.id).label("role")).where(_people.c.id == person_id)
    row = work.db.execute(wanted).first()
    if row is None:
        raise Invalid("请选择任职人员。", field="person")
    if person_id == work.actor.person_id:
        raise Invalid("不能登记本人的任职，请由其他人办理。", field="person")
    if row.role is not None:
        raise Invalid("系统、安全、审计管理员不担任职务，请先免去管理员。", field="person")
    return person_id


def _new_person(work: Work, name: str) -> int:
    given = name.strip()
    check_text(work.actor, "appointment.begin", "name", given)
    if not given or len(given) > LONGEST_NAME:
        raise Invalid("请选择任职人员，或填写新任职人员的姓名。", field="person")
    made = insert(_people).values(name=given).returning(_people.c.id)
    return int(work.db.execute(made).scalar_one())
