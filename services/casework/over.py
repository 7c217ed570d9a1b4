"""By whom and when it was done, for whoever comes too late; and why a case was terminated."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from models.act import ActRecord
from models.base import table
from models.casework import Case, CaseState, Decision, Slot, SlotState, Step
from models.organisation import Organisation, Post
from policy.acts import Act
from policy.calendar import SHANGHAI
from services.errors import AlreadyDecided
from services.scope import post_name
from services.signed_papers import papers, recorded_for
from services.substitutes import in_place, substitute_names

_acts = table(ActRecord)
_cases = table(Case)
_decisions = table(Decision)
_organisations = table(Organisation)
_posts = table(Post)
_slots = table(Slot)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class Done:
    """Who did something, in words, and when."""

    by: str
    at: datetime

    def refusal(self, said: str) -> AlreadyDecided:
        """What whoever comes after reads; ``said`` has ``{who}`` and ``{when}``."""
        text = said.format(who=self.by, when=moment(self.at))
        return AlreadyDecided(text, by=self.by, at=self.at.isoformat())


def decided_by(db: Connection, slot_id: int) -> Done | None:
    """Who answered a slot; None while nobody has."""
    done = _done(db, _by(_decisions).where(_decisions.c.slot_id == slot_id))
    return done and replace(done, by=recorded_for(done.by, papers(db, [slot_id]).get(slot_id)))


def taken_back_by(db: Connection, slot_id: int) -> Done | None:
    """Who took back what the slot was opened because of (撤回); None where that is not why."""
    query = _by(_acts).join(_steps, _steps.c.case_id == _acts.c.case_id)
    return _done(
        db,
        query.join(_slots, _slots.c.step_id == _steps.c.id).where(
            _slots.c.id == slot_id,
            _slots.c.state == SlotState.VOIDED,
            _acts.c.act == Act.WITHDRAW,
            _acts.c.at == _slots.c.closed_at,
        ),
    )


def _by(rows: Any) -> Select[Any]:
    return (
        select(rows.c.at, rows.c.substitution_id, _posts.c.title, _organisations.c.short_name)
        .join(_posts, _posts.c.id == rows.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
    )


def _done(db: Connection, query: Select[Any]) -> Done | None:
    row: Row[Any] | None = db.execute(query).first()
    if row is None:
        return None
    names = substitute_names(db, [row.substitution_id])
    by = in_place(post_name(row.short_name, row.title), names.get(row.substitution_id, ""))
    return Done(by, row.at)


@dataclass(frozen=True, slots=True)
class Termination:
    """终止: the post that did it, when, and the reason."""

    post: str
    at: datetime
    reason: str


def termination(db: Connection, case_id: int) -> Termination | None:
    """How a case was terminated; None for one that was not."""
    row = db.execute(
        select(_cases.c.ended_at, _cases.c.end_reason, _organisations.c.short_name, _posts.c.title)
        .join(_posts, _posts.c.id == _cases.c.ended_as)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_cases.c.id == case_id, _cases.c.state == CaseState.TERMINATED)
    ).first()
    if row is None:
        return None
    return Termination(post_name(row.short_name, row.title), row.ended_at, row.end_reason)


def already(db: Connection, case_id: int, otherwise: str) -> AlreadyDecided:
    """What somebody is told who comes after a termination; ``otherwise`` where there was none."""
    done = termination(db, case_id)
    if done is None:
        return AlreadyDecided(otherwise)
    said = f"这一事项已由{done.post}于{moment(done.at)}终止。"
    return AlreadyDecided(said, by=done.post, at=done.at.isoformat())


def moment(at: datetime) -> str:
    """``2026年3月2日 09:00`` in Shanghai."""
    local = at.astimezone(SHANGHAI)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"
