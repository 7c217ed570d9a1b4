"""What the watch thinks of the clock (INV-23): believed, or noted, told of, and looked at again."""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from models.base import table
from models.operating import Installation
from policy.calendar import local_day
from policy.clock import Belief, belief
from services.command import SYSTEM, Work, execute
from services.database import reading
from services.env import Env
from services.telling import tell_operator

STREAM = "clock"
_installation = table(Installation)


def believed(env: Env) -> bool:
    """Look at the clock; whether what follows from the date may be done now.

    A clock that is not believed is noted in a stream of its own, and that it was moved is told to
    the operator, once for each day that was believed last.
    """
    with reading(env.engine) as db:
        kept = db.execute(select(_installation.c.seen_at, _installation.c.doubted_at)).one()
    now = env.clock()
    found = belief(kept.seen_at, kept.doubted_at, now, env.looked(now))
    if found is not Belief.BELIEVED:
        _doubt(env, kept, now, found)
        return False
    with env.engine.begin() as db:
        db.execute(update(_installation).values(seen_at=now, doubted_at=None))
    return True


def looked(env: Env) -> None:
    """The watch has come to the end of a look, whether it believed the clock or not."""
    with env.engine.begin() as db:
        db.execute(update(_installation).values(looked_at=env.clock()))


def _doubt(env: Env, kept: Row[Any], now: datetime, found: Belief) -> None:
    def act(work: Work) -> dict[str, str]:
        work.db.execute(update(_installation).values(doubted_at=now))
        last = kept.doubted_at or kept.seen_at
        work.audit(STREAM, {"act": found.value, "last": last, "now": now})
        if found is Belief.MOVED:
            tell_operator(
                work.db,
                operator=env.operator,
                key=f"clock:{local_day(kept.seen_at).isoformat()}",
                template="operator",
                context={"clock": True},
                now=min(now, kept.seen_at),  # it is to be sent when the clock is right again, too
            )
        return {"found": found.value}

    key = f"clock:{secrets.token_hex(8)}"
    execute(env, SYSTEM, "clock.doubt", key, {"now": now}, act)
