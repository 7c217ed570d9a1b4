"""The slot that an act is about, and what a person is to it (``policy.acts.Relation``)."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from models.base import table
from models.casework import Branch, Case, Decision, Origin, Slot, SlotState, Step
from models.organisation import (
    Organisation,
    OrganisationKind,
    Post,
    PostKind,
    RelationKind,
)
from models.signed_paper import SignedPaper
from policy.acts import RULES, Act, Relation
from services.errors import NotFound
from services.offices import serving_offices
from services.posts import organ, superiors
from services.scope import HeldPost, Standing

_branches = table(Branch)
_cases = table(Case)
_decisions = table(Decision)
_organisations = table(Organisation)
_papers = table(SignedPaper)
_posts = table(Post)
_slots = table(Slot)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class About:
    """A slot with its step, its case and its case's organisation, and who would act."""

    slot: Row[Any]
    who: Standing
    db: Connection

    @property
    def on(self) -> date:
        """The day."""
        return self.who.on

    @property
    def waits(self) -> bool:
        """Whether it still waits for an answer that the script asked for."""
        return bool(self.slot.state == SlotState.OPEN and self.slot.origin == Origin.SCRIPT)

    @property
    def stands(self) -> bool:
        """Whether its clock stands (暂停)."""
        return self.slot.paused_at is not None

    def basis(self, act: Act) -> tuple[Relation, int] | None:
        """By which relation, and which post, the person may do this; None: they may not."""
        for relation in RULES[act].by:
            post_id = _POST_BY[relation](self)
            if post_id is not None:
                return relation, post_id
        return None


def about(db: Connection, who: Standing, slot_id: int) -> About:
    """The slot as it is now; NotFound if there is none."""
    row = db.execute(_row().where(_slots.c.id == slot_id)).first()
    if row is None:
        raise NotFound
    return About(row, who, db)


def _row() -> Select[Any]:
    of_step = (
        "key",
        "seq",
        "voided",
        "mode",
        "origin",
        "apart_from",
        "due_at",
        "due_key",
        "paused_at",
    )
    return (
        select(
            _slots.c.id.label("slot_id"),
            *(_slots.c[name] for name in ("step_id", "branch_id", "post_id", "state")),
            *(_slots.c[name] for name in ("added_to", "turns")),
            _steps.c.state.label("step_state"),
            *(_steps.c[name] for name in (*of_step, "deadline_version", "provisional")),
            _steps.c.case_id,
            _branches.c.state.label("branch_state"),
            _decisions.c.person_id.label("decided_by"),
            _decisions.c.appointment_id.label("decided_as"),
            select(_papers.c.id)
            .where(_papers.c.decision_id == _decisions.c.id)
            .exists()
            .label("recorded"),
            *(_cases.c[name] for name in ("organisation_id", "number", "mechanism", "policy_id")),
            _organisations.c.path,
        )
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .join(_branches, _branches.c.id == _slots.c.branch_id)
        .outerjoin(_decisions, _decisions.c.slot_id == _slots.c.id)
        .join(_cases, _cases.c.id == _steps.c.case_id)
        .join(_organisations, _organisations.c.id == _cases.c.organisation_id)
    )


def _asked(this: About) -> int | None:
    slot = this.slot
    mine = slot.post_id in this.who.post_ids or this.who.stands_in(slot.post_id, slot.mechanism)
    return int(slot.post_id) if mine else None


def _above(this: About) -> int | None:
    with suppress(LookupError):
        above = set(superiors(this.db, this.slot.post_id, this.on))
        return next((post_id for post_id in this.who.post_ids if post_id in above), None)
    return None


def _office(this: About) -> int | None:
    """Nobody leads a case of the unit in which they hold a post themselves."""
    if any(post.path.startswith(this.slot.path) for post in this.who.posts):
        return None
    offices = serving_offices(this.db, this.slot.organisation_id, this.slot.path, this.on)
    return next((post_id for post_id in this.who.post_ids if post_id in offices), None)


def _decided(this: About) -> int | None:
    """Whoever is said to have signed a paper may say that they did not, also after they left; and
    who was let answer it once (委托) still speaks of it, as long as they are."""
    slot = this.slot
    if slot.decided_by != this.who.person_id:
        return None
    return int(slot.post_id) if slot.recorded or _let_answer(this) else _asked(this)


def _let_answer(this: About) -> bool:
    """Whether this slot was given to them to answer once (委托)."""
    slot = this.slot
    return this.who.stands_in(slot.post_id, slot.mechanism, slot.slot_id) is not None


def _speaks(this: About) -> bool:
    return _asked(this) is not None or _let_answer(this)


def _recorder(this: About) -> int | None:
    """The office keeps the papers; who is asked answers by themselves, and nobody above writes down
    what those below them said."""
    mine = [one for one in this.who.posts if one.kind in (PostKind.CLERK, PostKind.HEAD)]
    found = _keeps_papers(this, mine) if mine else None
    return None if found is None or _speaks(this) or _above(this) else found


def _keeps_papers(this: About, mine: Sequence[HeldPost]) -> int | None:
    """A discipline organ's papers stay in its own hands: the Party office serves whom it checks."""
    of_post = _posts.c.id == this.slot.post_id, _organisations.c.id == _posts.c.organisation_id
    unit = this.db.execute(select(_organisations.c.id, _organisations.c.kind).where(*of_post)).one()
    own = (one.id for one in mine if (one.organisation_id, one.kind) == (unit.id, PostKind.CLERK))
    office = None
    if unit.kind not in (OrganisationKind.DISCIPLINE, OrganisationKind.STATIONED):
        with suppress(LookupError):
            office = organ(this.db, unit.id, RelationKind.PARTY_OFFICE, this.on)
    of_office = (one.id for one in mine if one.organisation_id == office)
    return next(own, None) or next(of_office, None)


_POST_BY = {
    Relation.ASKED: _asked,
    Relation.SUPERIOR: _above,
    Relation.OFFICE: _office,
    Relation.DECIDER: _decided,
    Relation.RECORDER: _recorder,
}
