"""Another key seals from now on: the key before it signs it, so that whoever trusts the first one
can trust each that follows."""

from typing import Any

from sqlalchemy import insert, select

from models.audit import SealKey
from models.base import table
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import DutiesError, NotAuthorised
from services.seal_key import SigningKey, endorsement

STREAM = "seal"
_keys = table(SealKey)


class NotTheKey(DutiesError):
    """现用的封存密钥不是本安装最近一把，不能由它签认新的密钥。请用持有现用密钥的机器更换。"""

    status = 409
    code = "not_the_key"


def follow(env: Env, actor: Actor, *, successor: SigningKey, key: str) -> str:
    """Let ``successor`` follow the key of this installation, endorsed by it; the successor's id.

    Only by the system. :class:`NotTheKey` where this process holds another key than the last one,
    also before the first seal: then there is nothing to follow.
    """
    if actor.person_id is not None:
        raise NotAuthorised
    present = SigningKey(env.seal_key)

    def act(work: Work) -> dict[str, Any]:
        kept = select(_keys.c.key_id).order_by(_keys.c.id.desc()).limit(1)
        if work.db.execute(kept).scalar() != present.id:
            raise NotTheKey
        said = {"key_id": successor.id, "public": successor.public, "at": work.now}
        said["endorsed"] = present.sign(endorsement(successor.public))
        work.db.execute(insert(_keys), said)
        work.audit(STREAM, {"act": "key_followed", "key": successor.id, "before": present.id})
        return {"key": successor.id}

    body = {"before": present.id, "key": successor.id}
    return str(execute(env, actor, "seal.follow", key, body, act)["key"])
