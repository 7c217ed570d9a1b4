"""Telling people (design §7): messages are written in the transaction of their cause.

A message is addressed to a post and stored for whoever holds it that day, and for who stands in for
them (离岗委托) in matters of its case. Nothing here looks at
addresses: what leaves the house is decided later, by the delivery run. Only whether a person has a
channel at all is asked, so that the run never looks at what nobody is to be sent.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Date,
    String,
    TextClause,
    bindparam,
    case,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from models.base import Instant, Json, Key, table
from models.message import Channel, Message
from models.organisation import Appointment
from models.substitution import Substitution
from notifications.render import TEMPLATES
from services.command import SHANGHAI
from services.scope import in_force

_messages = table(Message)
_appointments = table(Appointment)
_channels = table(Channel)
_substitutions = table(Substitution)
_REACHED = """CASE WHEN EXISTS (
        SELECT 1 FROM channel WHERE channel.person_id = {person}
        AND channel.confirmed_at IS NOT NULL AND channel.refused_at IS NULL
      ) THEN :p_now END"""
_DATED = "{row}.starts_on <= :p_on AND ({row}.ends_on IS NULL OR {row}.ends_on > :p_on)"


def _tell(lock: str) -> TextClause:
    return text(
        f"""
    WITH stood AS (
      SELECT * FROM substitution
      WHERE post_id IN :p_posts AND {_DATED.format(row="substitution")} AND ended_at IS NULL
      {lock}
    )
    INSERT INTO message ("key", post_id, person_id, template, context, case_id, step_id,
      created_at, send_after, substitution_id)
    SELECT :p_key || ':' || CAST(held.person_id AS VARCHAR), held.post_id, held.person_id,
      :p_template, :p_context, :p_case, :p_step, :p_now,
      {_REACHED.format(person="held.person_id")}, NULL
    FROM appointment held
    WHERE held.post_id IN :p_posts AND {_DATED.format(row="held")}
    UNION ALL
    SELECT :p_key || ':' || CAST(stood.substitute_id AS VARCHAR), stood.post_id,
      stood.substitute_id, :p_template, :p_context, :p_case, :p_step, :p_now,
      {_REACHED.format(person="stood.substitute_id")}, stood.id
    FROM stood
    WHERE EXISTS (SELECT 1 FROM "case" about WHERE about.id = :p_case AND (stood.every_mechanism
        OR EXISTS (SELECT 1 FROM substitution_mechanism named
          WHERE named.substitution_id = stood.id AND named.mechanism = about.mechanism)))
      AND EXISTS (SELECT 1 FROM appointment own WHERE own.post_id = stood.post_id
        AND own.person_id = stood.person_id AND {_DATED.format(row="own")})
      AND EXISTS (SELECT 1 FROM appointment theirs WHERE theirs.post_id = stood.substitute_post_id
        AND theirs.person_id = stood.substitute_id AND {_DATED.format(row="theirs")})
    ON CONFLICT ("key") DO NOTHING RETURNING post_id
    """
    ).bindparams(
        bindparam("p_key", type_=String),
        bindparam("p_template", type_=String),
        bindparam("p_context", type_=Json),
        bindparam("p_case", type_=Key),
        bindparam("p_step", type_=Key),
        bindparam("p_now", type_=Instant),
        bindparam("p_posts", expanding=True),
        bindparam("p_on", type_=Date),
    )


# whoever ends a substitution meanwhile waits, and then finds this message to take it back
_TELL = {"sqlite": _tell(""), "postgresql": _tell("FOR SHARE")}
"""A message for each holder in force and each substitute. ``send_after`` stays empty for who has no
channel: nothing is to be sent, and no pass looks at it. Every decision runs it, and SQLAlchemy
would compile its own ON CONFLICT anew each time."""
_HELD_POSTS = (
    select(_appointments.c.post_id)
    .distinct()
    .where(
        _appointments.c.post_id.in_(bindparam("p_posts", expanding=True)),
        in_force(_appointments.c, bindparam("p_on", type_=Date)),
    )
)
_SUBSTITUTE = (
    select(_substitutions.c.substitute_id)
    .where(_substitutions.c.id == bindparam("p_substitution"))
    .scalar_subquery()
)
_WITHDRAW = (
    update(_messages)
    .where(_messages.c.step_id == bindparam("p_step"), _messages.c.withdrawn_at.is_(None))
    .values(send_after=None)
)


def tell(
    db: Connection,
    *,
    key: str,
    post_id: int,
    template: str,
    context: Mapping[str, Any],
    now: datetime,
    case_id: int | None = None,
    step_id: int | None = None,
) -> bool:
    """Tell whoever holds a post today; False when nobody does (the caller tells of the gap).

    ``key`` names the cause by ids and ISO dates: the same key tells a person once, and saying it
    again is still True. ``context`` holds ids and dates only (what a template uses is said at its
    top). ``ValueError`` for an unknown template.
    """
    told = tell_many(
        db,
        key=key,
        posts=(post_id,),
        template=template,
        context=context,
        now=now,
        case_id=case_id,
        step_id=step_id,
    )
    return post_id in told


def tell_many(
    db: Connection,
    *,
    key: str,
    posts: Collection[int],
    template: str,
    context: Mapping[str, Any],
    now: datetime,
    case_id: int | None = None,
    step_id: int | None = None,
) -> frozenset[int]:
    """Tell the holders of several posts in one statement; the posts that have a holder.

    A person who holds several of them is told once. Only when some post got no new message is a
    second statement needed, to tell a gap (缺位) from something said before.
    """
    if template not in TEMPLATES:
        raise ValueError(f"no such message template: {template}")
    wanted = frozenset(posts)
    if not wanted:
        return wanted
    values = {
        "p_key": key,
        "p_posts": sorted(wanted),
        "p_on": now.astimezone(SHANGHAI).date(),
        "p_template": template,
        "p_context": dict(context),
        "p_case": case_id,
        "p_step": step_id,
        "p_now": now,
    }
    told = frozenset(db.execute(_TELL[db.dialect.name], values).scalars())
    if told == wanted:
        return told
    held = db.execute(_HELD_POSTS, {"p_posts": values["p_posts"], "p_on": values["p_on"]})
    return frozenset(held.scalars())


def tell_person(
    db: Connection,
    *,
    key: str,
    person_id: int,
    template: str,
    context: Mapping[str, Any],
    now: datetime,
    case_id: int | None = None,
) -> None:
    """Tell one person, whichever posts they hold: it is about them and not about a post.

    The same ``key`` tells them once. ``ValueError`` for an unknown template.
    """
    if template not in TEMPLATES:
        raise ValueError(f"no such message template: {template}")
    reached = select(_channels.c.id).where(
        _channels.c.person_id == person_id,
        _channels.c.confirmed_at.is_not(None),
        _channels.c.refused_at.is_(None),
    )
    values = {
        "key": f"{key}:{person_id}",
        "person_id": person_id,
        "template": template,
        "context": dict(context),
        "case_id": case_id,
        "created_at": now,
        "send_after": case((reached.exists(), literal(now, Instant))),
    }
    build = _insert(db.dialect.name)
    db.execute(build(_messages).values(**values).on_conflict_do_nothing(index_elements=["key"]))


def withdraw_of_substitution(db: Connection, substitution_id: int, now: datetime) -> None:
    """Take back what its substitute was told and has not read: it is not theirs any more."""
    unread = _messages.c.withdrawn_at.is_(None), _messages.c.read_at.is_(None)
    db.execute(
        update(_messages)
        .where(
            _messages.c.person_id == _SUBSTITUTE,
            _messages.c.substitution_id == bindparam("p_substitution"),
            *unread,
        )
        .values(withdrawn_at=now, send_after=None),
        {"p_substitution": substitution_id},
    )


def withdraw(db: Connection, step_id: int, now: datetime) -> None:
    """Take back what was said about a step that no longer waits; nothing more is sent of it."""
    db.execute(_WITHDRAW, {"p_step": step_id, "withdrawn_at": now})


def withdraw_of_case(db: Connection, case_id: int, now: datetime, *, kept: str) -> None:
    """Take back whatever was said about a case and is not read yet; nothing more is sent of it.

    What has a key that begins with ``kept`` stays.
    """
    unread = _messages.c.withdrawn_at.is_(None), _messages.c.read_at.is_(None)
    other = ~_messages.c.key.startswith(kept)
    db.execute(
        update(_messages)
        .where(_messages.c.case_id == case_id, *unread, other)
        .values(withdrawn_at=now, send_after=None)
    )


def revise(db: Connection, step_id: int, context: Mapping[str, Any]) -> None:
    """Say it as it is now: the context of what was said about a step and is not read yet.

    A superior's list grows and shrinks while they sleep; they read its true length, once.
    """
    db.execute(
        update(_messages)
        .where(
            _messages.c.step_id == step_id,
            _messages.c.withdrawn_at.is_(None),
            _messages.c.read_at.is_(None),
        )
        .values(context=dict(context))
    )


def mark_read(db: Connection, person_id: int, ids: Collection[int], now: datetime) -> int:
    """Mark a person's own messages as read; how many were new to them. Read ones are not sent."""
    done = db.execute(
        update(_messages)
        .where(
            _messages.c.id.in_(sorted(ids)),
            _messages.c.person_id == person_id,
            _messages.c.read_at.is_(None),
        )
        .values(read_at=now, send_after=None)
    )
    return int(done.rowcount)


def tell_operator(
    db: Connection,
    *,
    operator: int | None,
    key: str,
    template: str,
    context: Mapping[str, Any],
    now: datetime,
    case_id: int | None = None,
    step_id: int | None = None,
) -> bool:
    """Tell the person who operates the system (``env.operator``); False when none is named.

    The operator is a setting, not a post: it is nobody's office to mend a channel. The same
    ``key`` tells once.
    """
    if template not in TEMPLATES:
        raise ValueError(f"no such message template: {template}")
    if operator is None:
        return False
    values = {
        "key": f"{key}:{operator}",
        "person_id": operator,
        "template": template,
        "context": dict(context),
        "case_id": case_id,
        "step_id": step_id,
        "created_at": now,
        "send_after": now,
    }
    build = _insert(db.dialect.name)
    db.execute(build(_messages).values(**values).on_conflict_do_nothing(index_elements=["key"]))
    return True


def _insert(dialect: str) -> Any:
    return sqlite.insert if dialect == "sqlite" else postgresql.insert
