"""改派: a superior gives an open slot to another post, with a reason; the deadline stays."""

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, Row, func, select

from models.base import table
from models.casework import Origin, Slot, SlotState, Step
from models.organisation import Organisation, Post
from policy.sanitise import refusal
from services.audit import commitment
from services.casework.branch import lock_branch
from services.casework.rerouting import reroute
from services.catalogue import step_title
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import AlreadyDecided, Invalid, NotAuthorised, NotFound
from services.inbox import listed
from services.posts import superiors
from services.scope import Standing, post_name, standing, visible_case

LONGEST = 500
_organisations = table(Organisation)
_posts = table(Post)
_slots = table(Slot)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class Rerouting:
    """An open slot that a superior may give to another post, and the posts near by."""

    title: str
    post: str
    case_id: int
    number: str
    options: tuple[tuple[int, str], ...]


class MayNotReroute(NotAuthorised):
    """只有这一职务的上级领导可以改派。"""


def reroute_slot(
    env: Env, actor: Actor, *, slot_id: int, post_id: int, reason: str, key: str
) -> None:
    """Ask another post for an open slot, as a superior in line of the post that is asked.

    Errors: NotFound (missing, or not to be seen), :class:`MayNotReroute`, AlreadyDecided for one
    that waits no more, Invalid for the same or an abolished post, or without a reason.
    """
    given = reason.strip()
    body = {"slot": slot_id, "post": post_id, "reason": given}

    def act(work: Work) -> dict[str, int]:
        row = _slot(work.db, slot_id)
        branch = lock_branch(work, row.branch_id)
        row = _slot(work.db, slot_id)
        if actor.person_id is None:
            raise NotAuthorised
        who = standing(work.db, actor.person_id, work.today)
        visible_case(work.db, who, branch.case_id)
        held = _superior(work.db, who, row.post_id)
        _check(work.db, post_id, given)
        branch.note(act="reroute", post=held, content=commitment(key, given, None, False))
        if row.state != SlotState.OPEN:
            raise AlreadyDecided
        if row.origin != Origin.SCRIPT or not reroute(branch, slot_id, post_id):
            raise Invalid("请选择另一个职务。", field="post")
        branch.save()
        return {"slot": slot_id}

    execute(env, actor, "slot.reroute", key, body, act, rows=("CK-8",))


def rerouting(db: Connection, who: Standing, slot_id: int) -> Rerouting:
    """What a superior would give to another post. Errors as of :func:`reroute_slot`."""
    row = db.execute(listed().where(_slots.c.id == slot_id)).first()
    if row is None:
        raise NotFound
    visible_case(db, who, row.case_id)
    _superior(db, who, row.post_id)
    if _slot(db, slot_id).state != SlotState.OPEN or row.origin != Origin.SCRIPT:
        raise AlreadyDecided
    posts = _near(db, row.post_id)
    own = post_name(row.post_unit, row.post_title)
    return Rerouting(step_title(row.mechanism, row.key), own, row.case_id, row.number, posts)


def may_reroute(db: Connection, who: Standing, post_id: int) -> bool:
    """Whether somebody is above a post in its line."""
    try:
        return _superior(db, who, post_id) > 0
    except MayNotReroute:
        return False


def _near(db: Connection, post_id: int) -> tuple[tuple[int, str], ...]:
    """The living posts of the unit and of those above it, the nearest first."""
    own = select(_organisations.c.path).join(
        _posts, _posts.c.organisation_id == _organisations.c.id
    )
    path = str(db.execute(own.where(_posts.c.id == post_id)).scalar_one())
    rows = db.execute(
        select(_posts.c.id, _posts.c.title, _organisations.c.short_name)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(
            _organisations.c.id.in_([int(part) for part in path.split("/") if part]),
            _posts.c.successor_id.is_(None),
            _posts.c.id != post_id,
        )
        .order_by(func.length(_organisations.c.path).desc(), _posts.c.rank, _posts.c.id)
    )
    return tuple((row.id, post_name(row.short_name, row.title)) for row in rows)


def _slot(db: Connection, slot_id: int) -> Row[tuple[int, int, str, str]]:
    row = db.execute(
        select(_slots.c.branch_id, _slots.c.post_id, _slots.c.state, _steps.c.origin)
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .where(_slots.c.id == slot_id)
    ).first()
    if row is None:
        raise NotFound
    return row


def _superior(db: Connection, who: Standing, post_id: int) -> int:
    with suppress(LookupError):
        above = set(superiors(db, post_id, who.on))
        held = next((post_id for post_id in who.post_ids if post_id in above), None)
        if held is not None:
            return held
    raise MayNotReroute


def _check(db: Connection, post_id: int, reason: str) -> None:
    if not reason:
        raise Invalid("请写明改派的原因。", field="reason")
    if len(reason) > LONGEST:
        raise Invalid(f"原因最长 {LONGEST} 个字。", field="reason")
    wrong = refusal(reason)
    if wrong:
        raise Invalid(f"{wrong}。", field="reason")
    living = _posts.c.id == post_id, _posts.c.successor_id.is_(None)
    if db.execute(select(_posts.c.id).where(*living)).first() is None:
        raise Invalid("请选择承办的职务。", field="post")
