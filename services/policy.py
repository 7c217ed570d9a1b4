"""The policy a case started with, frozen (design §6): written once per content, read by id."""

import hashlib
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from models.base import table
from models.policy import PolicyVersion
from policy.defaults import Policy, from_json, to_json
from services.audit import canonical
from services.errors import NotFound
from services.versions import Versions

_policies = table(PolicyVersion)


def freeze(db: Connection, policy: Policy) -> int:
    """The id of a policy version with exactly this content, written if there is none yet."""
    body = to_json(policy)
    digest = hashlib.sha256(canonical(body).encode()).hexdigest()
    known = select(_policies.c.id).where(_policies.c.digest == digest)
    found = db.execute(known).scalar()
    if found is not None:
        return int(found)
    build: Any = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
    made = db.execute(
        build(_policies).on_conflict_do_nothing().returning(_policies.c.id),
        {"digest": digest, "body": body},
    ).scalar()
    policy_id = int(made if made is not None else db.execute(known).scalar_one())
    frozen.forget(db, policy_id)
    return policy_id


def _load(db: Connection, policy_id: int) -> Policy:
    body = db.execute(select(_policies.c.body).where(_policies.c.id == policy_id)).scalar()
    if body is None:
        raise NotFound(policy=policy_id)
    return from_json(body)


frozen = Versions(_load)
"""``frozen(db, policy_id)``: the policy of a case; :class:`NotFound` if there is none."""
