"""改派: a superior gives an open slot to another post, with a reason; the deadline stays."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, select

from models.base import table
from models.casework import Origin, Slot, SlotState, Step
from models.organisation import Organisation, Post
from services.audit import commitment
from services.casework.branch import lock_branch
from services.casework.four_eyes import barred_posts
from services.casework.rerouting import reroute
from services.catalogue import step_title
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import AlreadyDecided, Invalid, NotAuthorised, NotFound
from services.inbox import listed
from services.posts import superiors
from services.sanitising import check_text
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
    that waits no more, Invalid without a reason, and for a post that is none of those offered by
    :func:`rerouting`, or whose holder may not decide the step (four eyes).
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
        if row.state != SlotState.OPEN or row.origin != Origin.SCRIPT:
            raise AlreadyDecided
        _check(given)
        work.confirmed |= check_text(actor, "slot.reroute", "reason", given)
        _check_post(work.db, row, post_id, work.today, branch.mechanism_name)
        branch.note(act="reroute", post=held, content=commitment(key, given, None, False))
        reroute(branch, slot_id, post_id)
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
    slot = _slot(db, slot_id)
    if slot.state != SlotState.OPEN or row.origin != Origin.SCRIPT:
        raise AlreadyDecided
    posts = _near(db, slot)
    barred = _barred(db, slot, posts, who.on, row.mechanism)
    options = tuple((post_id, name) for post_id, name in posts.items() if post_id not in barred)
    own = post_name(row.post_unit, row.post_title)
    return Rerouting(step_title(row.mechanism, row.key), own, row.case_id, row.number, options)


def may_reroute(db: Connection, who: Standing, post_id: int) -> bool:
    """Whether somebody is above a post in its line."""
    try:
        return _superior(db, who, post_id) > 0
    except MayNotReroute:
        return False


def _near(db: Connection, slot: Row[Any]) -> dict[int, str]:
    """The living posts of the unit and of those above it, by name, the nearest first; without those
    that are asked in the step themselves: several are asked so that several look."""
    asked = select(_slots.c.post_id).where(_slots.c.step_id == slot.step_id)
    own = select(_organisations.c.path).join(
        _posts, _posts.c.organisation_id == _organisations.c.id
    )
    path = str(db.execute(own.where(_posts.c.id == slot.post_id)).scalar_one())
    rows = db.execute(
        select(_posts.c.id, _posts.c.title, _organisations.c.short_name)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(
            _organisations.c.id.in_([int(part) for part in path.split("/") if part]),
            _posts.c.successor_id.is_(None),
            _posts.c.id.not_in(asked),
        )
        .order_by(func.length(_organisations.c.path).desc(), _posts.c.rank, _posts.c.id)
    )
    return {row.id: post_name(row.short_name, row.title) for row in rows}


def _barred(
    db: Connection, slot: Row[Any], posts: Collection[int], on: date, mechanism: str
) -> frozenset[int]:
    return barred_posts(db, posts, slot.branch_id, slot.apart_from, on, mechanism)


def _slot(db: Connection, slot_id: int) -> Row[Any]:
    of_slot = (_slots.c[name] for name in ("branch_id", "step_id", "post_id", "state"))
    row = db.execute(
        select(*of_slot, _steps.c.origin, _steps.c.apart_from)
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


def _check_post(db: Connection, slot: Row[Any], post_id: int, on: date, mechanism: str) -> None:
    if post_id not in _near(db, slot):
        raise Invalid("请从所列的职务中选择承办的职务。", field="post")
    if _barred(db, slot, [post_id], on, mechanism):
        said = "这个职务的现任人已办理过这一事项的前一环节，按规定须由其他人办理。"
        raise Invalid(f"{said}请选择另一个职务。", field="post")


def _check(reason: str) -> None:
    if not reason:
        raise Invalid("请写明改派的原因。", field="reason")
    if len(reason) > LONGEST:
        raise Invalid(f"原因最长 {LONGEST} 个字。", field="reason")
