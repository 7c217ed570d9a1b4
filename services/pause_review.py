"""Who paused is asked on the day that they set whether it is to go on (暂停, CK-19).

Nothing resumes by itself: an unanswered question is asked again, and stays with people.
"""

import logging
import secrets
from collections.abc import Iterator

from sqlalchemy import Connection, or_, select, update

from models.base import table
from models.organisation import Post
from models.pause import Pause
from policy.calendar import local_day
from policy.pause import ASKED_AGAIN
from services.batch import each_apart
from services.casework.branch import lock_branch
from services.command import SYSTEM, Work, execute
from services.database import reading
from services.env import Env
from services.posts import holders, leading_post, superiors
from services.telling import tell

_log = logging.getLogger(__name__)
_pauses = table(Pause)
_posts = table(Post)


def ask_pausers(env: Env, limit: int = 100) -> int:
    """Ask for each pause whose day has come, and again a week after; how many were asked for."""
    now = env.clock()
    unasked = or_(_pauses.c.asked_at.is_(None), _pauses.c.asked_at <= now - ASKED_AGAIN)
    due = _pauses.c.ended_at.is_(None), _pauses.c.review_on <= local_day(now), unasked
    query = select(_pauses.c.id, _pauses.c.branch_id).where(*due).order_by(_pauses.c.id)
    with reading(env.engine) as db:
        found = db.execute(query.limit(limit)).all()
    return each_apart(_log, found, lambda row: _ask(env, row.id, row.branch_id))


def _ask(env: Env, pause_id: int, branch_id: int) -> int:
    def act(work: Work) -> dict[str, int]:
        return {"asked": _asked(work, pause_id, branch_id)}

    key = f"pause.ask:{pause_id}:{secrets.token_hex(8)}"
    done = execute(env, SYSTEM, "pause.ask", key, {"pause": pause_id}, act, rows=("CK-19",))
    return int(done["asked"])


def _asked(work: Work, pause_id: int, branch_id: int) -> int:
    branch = lock_branch(work, branch_id, skip_locked=True)
    since = work.now - ASKED_AGAIN
    unasked = or_(_pauses.c.asked_at.is_(None), _pauses.c.asked_at <= since)
    mine = _pauses.c.id == pause_id, _pauses.c.ended_at.is_(None), unasked
    asked = update(_pauses).where(*mine).values(asked_at=work.now)
    row = work.db.execute(asked.returning(_pauses.c.post_id, _pauses.c.at)).first()
    if row is None:
        return 0
    post_id = next(_filled(work, row.post_id), row.post_id)
    tell(
        work.db,
        key=f"pause_review:{pause_id}:{work.today.isoformat()}",
        post_id=post_id,
        template="pause_review",
        context={"from_on": local_day(row.at).isoformat()},
        now=work.now,
        case_id=branch.case_id,
    )
    branch.note(act="pause_asked", pause=pause_id, post=post_id)
    branch.save()
    return 1


def _filled(work: Work, post_id: int) -> Iterator[int]:
    """The post that paused, its unit's head and those above it, as far as somebody is there."""
    route = [post_id, *_beside(work.db, post_id), *superiors(work.db, post_id, work.today)]
    held = holders(work.db, route, work.today)
    return (one for one in route if one in held)


def _beside(db: Connection, post_id: int) -> list[int]:
    unit = select(_posts.c.organisation_id).where(_posts.c.id == post_id)
    try:
        return [leading_post(db, db.execute(unit).scalar_one())]
    except LookupError:
        return []
