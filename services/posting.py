"""新设职务、撤销职务: posts come and go; what is open on one that goes has a successor (rule O).

Abolishing commits the decision with the list of what moves; the drain then moves each open slot
under the lock of its own branch (rule L). Until it has, the slot waits on the abolished post.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, insert, select, update

from models.base import table
from models.organisation import Appointment, Portfolio, Post, PostKind
from policy.spans import Days
from services.command import Actor, Work, execute
from services.dated import add_dated, end_dated
from services.env import Env
from services.errors import DutiesError, Invalid
from services.moves import Moves, lasting, of_posts
from services.organisers import (
    STREAM,
    Seat,
    actor_of,
    lock_organisation,
    require_same,
    seat_of,
    unit_of,
)
from services.rectification_follow import follow_posts
from services.sanitising import check_text
from services.scope import Standing

LONGEST_TITLE = 60
LAST_RANK = 99
_appointments = table(Appointment)
_portfolios = table(Portfolio)
_posts = table(Post)


class TitleTaken(DutiesError):
    """这个单位已有或曾有同名职务，请用另一名称。"""

    status = 409
    code = "title_taken"


@dataclass(frozen=True, slots=True)
class Abolition:
    """A post that is to go, who takes what is open, and what moves."""

    post: Seat
    successor: Seat
    moves: Moves


def create_post(
    env: Env, actor: Actor, *, unit_id: int, kind: PostKind, title: str, rank: int, key: str
) -> int:
    """Add a post to a unit; its id. Nobody holds it yet.

    Errors: NotFound, :class:`TitleTaken`, Invalid for a title that is missing or too long, a rank
    out of range, or a second post that leads the unit (rank 0).
    """
    given = title.strip()
    body = {"unit": unit_id, "kind": kind.value, "title": given, "rank": rank}

    def act(work: Work) -> dict[str, int]:
        lock_organisation(work)
        unit = unit_of(work.db, actor_of(work), unit_id, posts=True)
        _check(work.db, unit.id, given, rank)
        check_text(actor, "post.create", "title", given)
        values = {"organisation_id": unit.id, "kind": kind, "title": given, "rank": rank}
        made = insert(_posts).values(values).returning(_posts.c.id)
        post_id = int(work.db.execute(made).scalar_one())
        work.audit(STREAM, {"act": "post_created", "post": post_id, **body})
        return {"post": post_id}

    return int(execute(env, actor, "post.create", key, body, act)["post"])


def abolish_post(
    env: Env, actor: Actor, *, post_id: int, successor_id: int, seen: str, key: str
) -> int:
    """Abolish a post today: its holder leaves it, its portfolios and everything open on it go to
    the successor. How many slots are to move.

    ``seen`` is the fingerprint of :func:`abolition`. Errors: NotFound, ``Changed``, Invalid for a
    successor that is the post itself.
    """
    body = {"post": post_id, "successor": successor_id, "seen": seen}

    def act(work: Work) -> dict[str, int]:
        lock_organisation(work)
        who = actor_of(work)
        lock_posts(work.db, [post_id, successor_id])
        found = abolition(work.db, who, post_id, successor_id, work.today)
        require_same(seen, found.moves.fingerprint)
        abolish(work, {post_id: successor_id}, found.moves)
        return {"slots": len(found.moves.slots)}

    return int(execute(env, actor, "post.abolish", key, body, act)["slots"])


def abolition(
    db: Connection, who: Standing | None, post_id: int, successor_id: int, on: date
) -> Abolition:
    """What abolishing a post would move; errors as of :func:`abolish_post`."""
    post, successor = seat_of(db, who, post_id), seat_of(db, who, successor_id)
    if post.id == successor.id:
        raise Invalid("承接职务不能是被撤销的职务本身。", field="successor")
    return Abolition(post, successor, of_posts(db, [post_id], on))


def lock_posts(db: Connection, post_ids: list[int]) -> None:
    """Lock posts in the order of their ids, so that two commands do not wait for each other."""
    db.execute(
        select(_posts.c.id)
        .where(_posts.c.id.in_(post_ids))
        .order_by(_posts.c.id)
        .with_for_update(key_share=True)
    )


def abolish(
    work: Work, successors: dict[int, int], moves: Moves, *, hand_portfolios: bool = True
) -> None:
    """Abolish locked posts, each with its living successor; the drain moves what is open.

    Without ``hand_portfolios`` what they were in charge of is left for the caller to end. Whoever
    calls has looked at the authority and the fingerprint.
    """
    db, today = work.db, work.today
    gone = sorted(successors)
    for post_id in gone:
        values = {"successor_id": successors[post_id], "ends_on": today}
        db.execute(update(_posts).where(_posts.c.id == post_id).values(values))
    _end_terms(work, gone)
    for row in db.execute(select(_portfolios).where(_portfolios.c.id.in_(moves.portfolios))).all():
        over = row.unit_id is not None and row.unit_id in moves.units  # nobody leads what ended
        if hand_portfolios and row.post_id in successors and not over:
            _hand_portfolio(work, row, successors[row.post_id])
    follow_posts(work, successors)
    work.after_commit(work.env.nudge)
    said = {"act": "posts_abolished", "posts": [[old, successors[old]] for old in gone]}
    work.audit(STREAM, {**said, "slots": list(moves.slots), "portfolios": list(moves.portfolios)})


def _end_terms(work: Work, post_ids: list[int]) -> None:
    of_posts_ = _appointments.c.post_id.in_(post_ids), lasting(_appointments.c, work.today)
    terms = work.db.execute(select(_appointments.c.id).where(*of_posts_)).scalars()
    end_dated(work, _appointments, terms.all())


def _hand_portfolio(work: Work, row: Any, successor_id: int) -> None:
    """What a post is in charge of, or will be, its successor is on the same days from today,
    except where it is already."""
    values = {"post_id": successor_id, "unit_id": row.unit_id, "area": row.area}
    add_dated(work, _portfolios, values, Days(max(row.starts_on, work.today), row.ends_on))
    end_dated(work, _portfolios, [row.id])


def _check(db: Connection, unit_id: int, title: str, rank: int) -> None:
    if not title or len(title) > LONGEST_TITLE:
        raise Invalid(f"职务名称须填写，最长 {LONGEST_TITLE} 个字。", field="title")
    if not 0 <= rank <= LAST_RANK:
        raise Invalid(f"排序是 0 到 {LAST_RANK} 的整数，0 为主要负责人。", field="rank")
    same = _posts.c.organisation_id == unit_id, _posts.c.title == title
    if db.execute(select(_posts.c.id).where(*same)).first() is not None:
        raise TitleTaken
    leads = _posts.c.organisation_id == unit_id, _posts.c.rank == 0, _posts.c.successor_id.is_(None)
    if rank == 0 and db.execute(select(_posts.c.id).where(*leads)).first() is not None:
        raise Invalid("这个单位已有主要负责人职务（排序 0）。", field="rank")
