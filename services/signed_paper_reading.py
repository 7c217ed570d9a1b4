"""The scan of a signed paper, for whoever may see its step; every reading is recorded, as of
evidence (rule L: a stream of its own for sensitive reads)."""

from typing import Any

from sqlalchemy import Connection, Row, select

from models.base import table
from models.casework import Decision
from models.evidence import EvidenceFile
from models.signed_paper import SignedPaper
from policy.calendar import local_day
from policy.evidence import FileKind
from policy.sanitise import blackened
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import NotFound
from services.evidence_intake import store_of
from services.evidence_reading import FileLost, Opened, Way, acting_post
from services.scope import Standing, standing, visible_case

_decisions = table(Decision)
_files = table(EvidenceFile)
_papers = table(SignedPaper)


def open_scan(
    env: Env, actor: Actor, paper_id: int, way: Way, *, post_id: int | None = None
) -> Opened:
    """A paper's scan; ``post_id`` and the record of the reading are as of ``open_version``.

    Errors: NotFound (missing, or not to be seen), FileLost, and what refuses any command.
    """
    with reading(env.engine) as db:
        who = standing(db, actor.person_id or 0, local_day(env.clock()))
        row = _visible(db, who, paper_id)
    path = store_of(env).path(row.sha256)
    if not path.is_file():
        raise FileLost
    _record(env, actor, paper_id, way, acting_post(who, post_id))
    return Opened(path, blackened(row.name), FileKind(row.kind), way)


def _visible(db: Connection, who: Standing, paper_id: int) -> Row[Any]:
    row = db.execute(
        select(_papers.c.name, _files.c.sha256, _files.c.kind, _decisions.c.case_id)
        .join(_files, _files.c.id == _papers.c.file_id)
        .join(_decisions, _decisions.c.id == _papers.c.decision_id)
        .where(_papers.c.id == paper_id)
    ).first()
    if row is None:
        raise NotFound
    visible_case(db, who, row.case_id)
    return row


def _record(env: Env, actor: Actor, paper_id: int, way: Way, post: int | None) -> None:
    body = {"act": way.value, "paper": paper_id, "post": post}
    minute = f"{env.clock():%Y%m%dT%H%M}"
    key = f"paper-read-{actor.person_id}-{post}-{paper_id}-{way}-{minute}"

    def act(work: Work) -> dict[str, Any]:
        work.audit(f"read/paper/{paper_id}", body)
        return {}

    execute(env, actor, "paper.read", key, body, act)
