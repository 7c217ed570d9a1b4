"""What an open step meets on a post that nobody holds (rule O): a successor, or a vacancy (缺位).

A vacancy is noted once for each post; ``services.casework.vacancies`` opens its case after the
commit, and whatever comes to wait on the post meanwhile hangs on the same one.
"""

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, select, text

from models.base import Instant, Key, table
from models.organisation import Post
from services.casework.branch import LockedBranch
from services.command import Work

_posts = table(Post)
# SQLAlchemy compiles its own ON CONFLICT anew each time, which costs more than the statement
_NOTE = text(
    "INSERT INTO vacancy (post_id, noted_at) VALUES (:p_post, :p_now)"
    " ON CONFLICT (post_id) WHERE ended_at IS NULL DO NOTHING"
).bindparams(bindparam("p_post", type_=Key), bindparam("p_now", type_=Instant))


def note_vacant(work: Work, post_id: int) -> None:
    """Note that work waits on a post that nobody holds, unless that is noted; nudge the drain."""
    work.db.execute(_NOTE, {"p_post": post_id, "p_now": work.now})
    work.after_commit(work.env.nudge)


def note_gap(branch: LockedBranch, step_id: int, post_id: int) -> None:
    """:func:`note_vacant` for a step of a locked branch, whose chain says so."""
    note_vacant(branch.work, post_id)
    branch.note(act="gap", step=step_id, post=post_id)


def heirs(db: Connection, post_ids: Collection[int]) -> dict[int, int]:
    """The living post at the end of each abolished one's line of successors; others left out."""
    first = (
        select(_posts.c.id.label("post_id"), _posts.c.successor_id.label("heir_id"))
        .where(_posts.c.id.in_(sorted(set(post_ids))), _posts.c.successor_id.is_not(None))
        .cte("line", recursive=True)
    )
    next_ = _posts.alias("next")
    line = first.union(
        select(first.c.post_id, next_.c.successor_id)
        .join(next_, next_.c.id == first.c.heir_id)
        .where(next_.c.successor_id.is_not(None))
    )
    living = (
        select(line.c.post_id, line.c.heir_id)
        .join(_posts, _posts.c.id == line.c.heir_id)
        .where(_posts.c.successor_id.is_(None))
    )
    return {row.post_id: row.heir_id for row in db.execute(living)}
