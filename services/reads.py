"""谁看过我的记录: who read what is kept of a person, as that person is shown it (design §8).

Reads are entries of audit chains (rule L: streams of their own), one for each person concerned, so
none can be thinned out. What a page showed of many is one command. It is written in the request
that showed it, after the page was sent: a busy database keeps nobody from reading, and a read that
could not be kept stands in the log. The files that somebody gave as evidence have a record of
their own, kept before anything is handed out (``services.evidence_reading``).
"""

import json
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import Connection, String, cast, literal, select
from sqlalchemy.exc import DBAPIError

from models.audit import Audit
from models.base import table
from models.evidence import EvidenceVersion
from models.organisation import Organisation
from services.administration import Administration
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import DutiesError
from services.evidence_reading import STREAM as OF_EVIDENCE
from services.evidence_reading import post_names

STREAM = "read/person/"
SHOWN = 50
"""How many of the last reads are shown."""
_LOOKED = 10 * SHOWN
"""How many reads are looked at for these: one's own, and those of other versions, are not shown."""
_audit = table(Audit)
_log = logging.getLogger(__name__)
_organisations = table(Organisation)
_versions = table(EvidenceVersion)
_OF_VERSION = _versions.c.id.label("version"), _versions.c.name, _versions.c.evidence_id


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody read something of a person. ``by``: the post, or where they administer; ``role``:
    as which administrator, '' for none. ``file``: the evidence, '' for the record of log-ins."""

    at: datetime
    by: str
    role: str
    way: str
    file: str
    evidence_id: int | None


def record_reads(env: Env, reader: Administration, person_ids: Collection[int]) -> None:
    """Keep that an administrator read lines of the record about these people.

    Nobody's look at themselves is kept, and the same page within a minute is one read. What
    refuses a command is logged, not raised: the page is with its reader already.
    """
    people = sorted(set(person_ids) - {reader.person_id})
    if not people:
        return
    body = {"act": "seen", "role": reader.role.value, "organisation": reader.organisation_id}

    def act(work: Work) -> dict[str, Any]:
        for person in people:
            work.audit(f"{STREAM}{person}", body)
        return {}

    said = body | {"people": people}
    page = sha256(json.dumps(people).encode()).hexdigest()[:16]
    key = f"record-read-{reader.person_id}-{page}-{env.clock():%Y%m%dT%H%M}"
    try:
        execute(env, Actor(reader.person_id), "record.read", key, said, act)
    except (DutiesError, DBAPIError):
        _log.exception("a read was not recorded", extra={"people": people})


def looks_at(db: Connection, person_id: int) -> list[Look]:
    """Who else read what is kept of a person, or the evidence they gave; the newest first."""
    both = [*_of_record(db, person_id), *_of_evidence(db, person_id)]
    found = sorted(both, key=lambda one: (one[0], one[1]), reverse=True)[:SHOWN]
    posts = post_names(db, {body.get("post") for _, _, body, _, _ in found} - {None})
    units = _unit_names(db, {body.get("organisation") for _, _, body, _, _ in found} - {None})
    return [
        Look(
            at=at,
            by=posts.get(body.get("post"), "") or units.get(body.get("organisation"), ""),
            role=body.get("role", ""),
            way=body["act"],
            file=name,
            evidence_id=evidence_id,
        )
        for at, _, body, name, evidence_id in found
    ]


def _of_record(db: Connection, person_id: int) -> list[Any]:
    last = (
        select(_audit.c.at, _audit.c.id, _audit.c.body)
        .where(_audit.c.stream == f"{STREAM}{person_id}")
        .order_by(_audit.c.n.desc())
    )
    return [
        (at, id_, json.loads(body), "", None) for at, id_, body in db.execute(last.limit(SHOWN))
    ]


def _of_evidence(db: Connection, person_id: int) -> list[Any]:
    """The last reads of what this person gave, by others."""
    stream = literal(OF_EVIDENCE) + cast(_versions.c.evidence_id, String(20))
    reads = (
        select(_audit.c.at, _audit.c.id, _audit.c.body, *_OF_VERSION)
        .join(_versions, _audit.c.stream == stream)
        .where(_versions.c.person_id == person_id)
        .order_by(_audit.c.id.desc())
    )
    found = (
        (row.at, row.id, body, row.name, row.evidence_id)
        for row in db.execute(reads.limit(_LOOKED))
        for body in (json.loads(row.body),)
        if body["version"] == row.version and body["by"] != person_id
    )
    return list(islice(found, SHOWN))


def _unit_names(db: Connection, ids: set[Any]) -> dict[int, str]:
    query = select(_organisations.c.id, _organisations.c.short_name)
    rows = db.execute(query.where(_organisations.c.id.in_(ids)))
    return {row.id: row.short_name for row in rows}
