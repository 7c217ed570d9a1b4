"""A person marks what they were told as read."""

from collections.abc import Collection, Mapping
from typing import Any

from services.command import Actor, Work, execute
from services.env import Env
from services.errors import Invalid, NotAuthorised
from services.telling import mark_read


def read_messages(env: Env, actor: Actor, *, ids: Collection[int], key: str) -> int:
    """Mark the person's own messages of ``ids`` as read; how many were new to them.

    Others' ids are passed over, and nothing says whether they exist. Read ones are not sent any
    more. Invalid without a ``key``.
    """
    person_id = actor.person_id
    if person_id is None:
        raise NotAuthorised
    if not key:
        raise Invalid(field="key")

    def act(work: Work) -> Mapping[str, Any]:
        return {"read": mark_read(work.db, person_id, ids, work.now)}

    return int(execute(env, actor, "message.read", key, {"ids": sorted(ids)}, act)["read"])
