"""What was decided, as people read it: the history of a case or branch, and what one person did."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from models.act import ActRecord
from models.base import table
from models.casework import Branch, Case, Decision, Step
from policy.acts import Act
from services.catalogue import step_title
from services.scope import post_name
from services.signed_papers import RECORDED, Paper, papers
from services.subject import with_subject
from services.substitutes import in_place, substitute_names

CORRECTION = "text"
"""The field of a 更正 that holds what is right."""
PAGE, OF_CASE = 50, 20
"""How many decisions a page shows: of a person, and of a case."""
_acts = table(ActRecord)
_branches = table(Branch)
_cases = table(Case)
_decisions = table(Decision)
_steps = table(Step)


def _done_to_it(act: Act) -> ColumnElement[bool]:
    mine = _acts.c.slot_id == _decisions.c.slot_id, _acts.c.act == act
    return select(_acts.c.id).where(*mine).correlate(_decisions).exists()


WITHDRAWN, CORRECTED = _done_to_it(Act.WITHDRAW), _done_to_it(Act.CORRECT)
"""Of a decision: whether its decider took it back (撤回), or corrected something in it (更正)."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What holds instead of something in an answer, and why."""

    at: datetime
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Line:
    """One decision. ``voided``: a return went back over it; it stays in the history, as does what
    its decider took back (``withdrawn``)."""

    id: int
    slot_id: int
    person_id: int
    case_id: int
    case_number: str
    unit: str
    at: datetime
    title: str
    subject: str
    post: str
    by: str
    """Who did it, in words: the post, or ``副书记代书记`` (离岗委托)."""
    answer: str
    reason: str
    back_to: str
    """What the step that a return went back to is called; '' for any other answer."""
    late: bool
    voided: bool
    withdrawn: bool
    corrections: tuple[Correction, ...]
    """What its decider said was wrong in it (更正), the oldest first."""
    paper: Paper | None
    """What was signed and who recorded it (代录); None for what was decided here."""


def of_case(db: Connection, case_id: int, before: int | None = None) -> list[Line]:
    """A page of the decisions of a case, the newest first; ``before`` is the id of the last one."""
    return _page(db, _decisions.c.case_id == case_id, before, OF_CASE)


def of_branches(db: Connection, branch_ids: Sequence[int]) -> list[Line]:
    """All decisions of a few branches, the oldest first."""
    query = _lines().where(_decisions.c.branch_id.in_(branch_ids)).order_by(_decisions.c.id)
    return _read(db, query)


def done_by(db: Connection, person_id: int, before: int | None = None) -> list[Line]:
    """A page of what a person decided (已办), the newest first."""
    return _page(db, _decisions.c.person_id == person_id, before, PAGE)


def count_done(db: Connection, person_id: int) -> int:
    """How many decisions a person made: the same condition as the list."""
    query = select(func.count()).select_from(_decisions)
    return db.execute(query.where(_decisions.c.person_id == person_id)).scalar_one()


def own(db: Connection, person_id: int, slot_id: int) -> Line | None:
    """What this person decided in a slot; None when they did not."""
    mine = and_(_decisions.c.person_id == person_id, _decisions.c.slot_id == slot_id)
    return next(iter(_read(db, _lines().where(mine))), None)


def _page(
    db: Connection, condition: ColumnElement[bool], before: int | None, limit: int
) -> list[Line]:
    query = _lines().where(condition).order_by(_decisions.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_decisions.c.id < before)
    return _read(db, query)


def _read(db: Connection, query: Select[Any]) -> list[Line]:
    rows = db.execute(query).all()
    names = substitute_names(db, (row.substitution_id for row in rows))
    said = corrections(db, [row.slot_id for row in rows if row.corrected])
    signed = papers(db, [row.slot_id for row in rows if row.recorded])
    return [
        _line(
            row,
            names.get(row.substitution_id, ""),
            said.get(row.slot_id, ()),
            signed.get(row.slot_id),
        )
        for row in rows
    ]


def corrections(db: Connection, slot_ids: Collection[int]) -> dict[int, tuple[Correction, ...]]:
    """What was said to be wrong in the answers of these slots; asks nothing without any."""
    if not slot_ids:
        return {}
    query = select(_acts.c.slot_id, _acts.c.at, _acts.c.given, _acts.c.reason)
    of = _acts.c.slot_id.in_(slot_ids), _acts.c.act == Act.CORRECT
    found: dict[int, tuple[Correction, ...]] = {}
    for row in db.execute(query.where(*of).order_by(_acts.c.id)):
        one = Correction(row.at, row.given[CORRECTION], row.reason)
        found[row.slot_id] = (*found.get(row.slot_id, ()), one)
    return found


def _lines() -> Select[Any]:
    said = ("at", "answer", "reason", "back_to", "late", "substitution_id")
    earlier = or_(_cases.c.ended_at.is_(None), _branches.c.ended_at < _cases.c.ended_at)
    stopped = and_(_branches.c.state == "voided", earlier)  # not by the end of the case
    decisions = select(
        *(_decisions.c[name] for name in ("id", "slot_id", "person_id", "case_id", *said)),
        _steps.c.key,
        or_(_steps.c.voided, stopped).label("voided"),
        WITHDRAWN.label("withdrawn"),
        CORRECTED.label("corrected"),
        RECORDED.label("recorded"),
    )
    return with_subject(decisions, _decisions)


def _line(
    row: Row[Any], substitute: str, corrected: tuple[Correction, ...], paper: Paper | None
) -> Line:
    post = post_name(row.post_unit, row.post_title)
    return Line(
        id=row.id,
        slot_id=row.slot_id,
        person_id=row.person_id,
        case_id=row.case_id,
        case_number=row.number,
        unit=row.unit,
        at=row.at,
        title=step_title(row.mechanism, row.key),
        subject=row.subject,
        post=post,
        by=in_place(post, substitute),
        answer=row.answer,
        reason=row.reason,
        back_to=step_title(row.mechanism, row.back_to) if row.back_to else "",
        late=row.late,
        voided=bool(row.voided),
        withdrawn=bool(row.withdrawn),
        corrections=corrected,
        paper=paper,
    )
