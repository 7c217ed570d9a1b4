"""离岗委托 as people read it: who stands in for whom, and what an arrangement would cover now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select

from models.base import table
from models.casework import Decision, Slot, Step
from models.organisation import Organisation, Post
from models.substitution import Substitution, SubstitutionEnd
from policy.access import Action, Reach
from policy.substitution import Span
from services.calendar import latest
from services.casework.four_eyes import hands_in
from services.catalogue import step_title
from services.errors import Invalid, NotFound
from services.inbox import Item, items_of, listed
from services.scope import HeldPost, Standing, by, covered, post_name, within
from services.substitutes import mechanisms_of
from services.substitution_terms import Parties, Terms, check, parties

PAGE = 50
_decisions = table(Decision)
_posts = table(Post)
_slots = table(Slot)
_steps = table(Step)
_substitutions = table(Substitution)
_units = table(Organisation)
_by_posts, _by_units = _posts.alias("by_post"), _units.alias("by_unit")
_made_posts, _made_units = _posts.alias("made_post"), _units.alias("made_unit")


@dataclass(frozen=True, slots=True)
class Arranged:
    """A substitution in a list. ``state`` is to_come, in_force, or why it ended."""

    id: int
    post: str
    substitute: str
    starts_on: date
    until_on: date
    mechanisms: tuple[str, ...]
    """Empty: every one."""
    reason: str
    made_by: str
    """The post by which it was made."""
    made_at: datetime
    ended_at: datetime | None
    state: str
    decided: int
    """How many decisions rest on it."""
    may_revoke: bool

    @property
    def open(self) -> bool:
        """Whether it is, or will be, in force."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something it covers that the substitute may not decide, and what keeps them out."""

    item: Item
    step: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What an arrangement covers today; ``hindrance`` says why it cannot be made, '' when it can.

    ``items`` are the first :data:`PAGE` of ``count``, and ``conflicts`` the ``barred`` among them;
    a 系统运维员 reads the numbers only: what the work is about is not theirs.
    """

    count: int
    barred: int
    items: tuple[Item, ...]
    conflicts: tuple[Conflict, ...]
    hindrance: str


@dataclass(frozen=True, slots=True)
class Substitutions:
    """Those that a person sees: their own, or with ``below`` all of posts they operate for."""

    who: Standing
    below: bool = False

    def lines(self, db: Connection, before: int | None = None, limit: int = PAGE) -> list[Arranged]:
        """A page, the newest first; ``before`` is the id of the last one seen."""
        of_absence = _substitutions.c.slot_id.is_(None)
        query = (
            _lines().where(self._seen, of_absence).order_by(_substitutions.c.id.desc()).limit(limit)
        )
        if before is not None:
            query = query.where(_substitutions.c.id < before)
        rows = db.execute(query).all()
        limits = mechanisms_of(db, [row.id for row in rows if not row.every_mechanism])
        return [self._line(row, limits.get(row.id, frozenset())) for row in rows]

    def count(self, db: Connection) -> int:
        """How many there are: the same condition as the list (INV-13)."""
        query = select(func.count()).select_from(_substitutions)
        posts = query.join(_posts, _posts.c.id == _substitutions.c.post_id)
        units = posts.join(_units, _units.c.id == _posts.c.organisation_id)
        of_absence = _substitutions.c.slot_id.is_(None)
        return int(db.execute(units.where(self._seen, of_absence)).scalar_one())

    @property
    def _seen(self) -> ColumnElement[bool]:
        """What concerns this person or, ``below``, on the unit of the represented post: that for
        which they are 系统运维员."""
        if self.below:
            return within(self.who, Action.ARRANGE)
        parties = _substitutions.c.person_id, _substitutions.c.substitute_id
        return or_(*(person == self.who.person_id for person in parties))

    def _line(self, row: Row[Any], limits: frozenset[str]) -> Arranged:
        me = self.who.person_id
        mine = self.below or me in (row.person_id, row.substitute_id)
        return Arranged(
            id=row.id,
            post=post_name(row.unit, row.title),
            substitute=post_name(row.by_unit, row.by_title),
            starts_on=row.starts_on,
            until_on=row.ends_on - timedelta(days=1),
            mechanisms=tuple(sorted(limits)),
            reason=row.reason,
            made_by=post_name(row.made_unit, row.made_title),
            made_at=row.made_at,
            ended_at=row.ended_at,
            state=_state(row, self.who.on),
            decided=row.decided,
            may_revoke=mine and row.ended_at is None,
        )


def operating(who: Standing) -> tuple[HeldPost, ...]:
    """The 系统运维员 posts of a person; NotFound for somebody without one."""
    posts = by(who, Action.ARRANGE, Reach.IN_LINE)
    if not posts:
        raise NotFound
    return posts


def posts_to_represent(db: Connection, who: Standing) -> list[tuple[int, str]]:
    """The posts for which a person may arrange a substitution: their own and, as 系统运维员, those
    of their organisation and of its own organs."""
    own = [(post.id, post.name) for post in who.posts]
    operators = by(who, Action.ARRANGE, Reach.IN_LINE)
    if not operators:
        return own
    near = or_(
        *(
            _units.c.path.startswith(post.path, autoescape=True) & (_units.c.level == post.level)
            for post in operators
        )
    )
    rows = db.execute(
        select(_posts.c.id, _units.c.short_name, _posts.c.title)
        .join(_units, _units.c.id == _posts.c.organisation_id)
        .where(near, _posts.c.successor_id.is_(None), _posts.c.id.not_in(who.post_ids))
        .order_by(_units.c.path, _posts.c.rank, _posts.c.id)
    )
    return own + [(row.id, post_name(row.short_name, row.title)) for row in rows]


def preview(
    db: Connection, who: Standing, terms: Terms, now: datetime, known: frozenset[str]
) -> Preview:
    """What an arrangement would cover today and what it could not give.

    Errors as of :func:`services.substitution.make`, but for the rules that forbid it: these are
    told as ``hindrance``. What is checked here is checked again at each decision.
    """
    between = parties(db, who.person_id, terms, who.on)
    try:
        check(db, terms, between, who.on, known)
        hindrance = ""
    except Invalid as error:
        hindrance = error.message
    waits = covered(terms.post_id, terms.mechanisms or None)
    count = db.execute(select(func.count()).select_from(_slots).where(waits)).scalar_one()
    more = listed().add_columns(_slots.c.branch_id, _steps.c.apart_from)
    rows = db.execute(more.where(waits).limit(PAGE)).all()
    items = items_of(db, rows, now, latest(db), {})
    conflicts = _conflicts(db, rows, items, between)
    if terms.post_id not in who.post_ids:
        return Preview(count, len(conflicts), (), (), hindrance)
    return Preview(count, len(conflicts), tuple(items), tuple(conflicts), hindrance)


def _conflicts(
    db: Connection, rows: Sequence[Row[Any]], items: Sequence[Item], between: Parties
) -> list[Conflict]:
    branches = {row.branch_id for row in rows if row.apart_from}
    hands = hands_in(db, (between.person_id, between.substitute_id), branches)
    found = []
    for row, item in zip(rows, items, strict=True):
        key = next((key for key in row.apart_from if (row.branch_id, key) in hands), None)
        if key is not None:
            found.append(Conflict(item, step_title(row.mechanism, key)))
    return found


def _state(row: Row[Any], on: date) -> str:
    if row.ended_how is not None:
        return SubstitutionEnd(row.ended_how).value
    span = Span(row.starts_on, row.ends_on)
    if on < span.starts_on:
        return "to_come"
    return "in_force" if on < span.ends_on else SubstitutionEnd.EXPIRED.value


def _lines() -> Select[Any]:
    names = ("id", "person_id", "substitute_id", "every_mechanism", "starts_on", "ends_on")
    said = ("reason", "made_at", "ended_at", "ended_how")
    decided = select(func.count()).where(_decisions.c.substitution_id == _substitutions.c.id)
    return (
        select(
            *(_substitutions.c[name] for name in (*names, *said)),
            decided.scalar_subquery().label("decided"),
            _posts.c.title,
            _units.c.short_name.label("unit"),
            _by_posts.c.title.label("by_title"),
            _by_units.c.short_name.label("by_unit"),
            _made_posts.c.title.label("made_title"),
            _made_units.c.short_name.label("made_unit"),
        )
        .join(_posts, _posts.c.id == _substitutions.c.post_id)
        .join(_units, _units.c.id == _posts.c.organisation_id)
        .join(_by_posts, _by_posts.c.id == _substitutions.c.substitute_post_id)
        .join(_by_units, _by_units.c.id == _by_posts.c.organisation_id)
        .join(_made_posts, _made_posts.c.id == _substitutions.c.made_as)
        .join(_made_units, _made_units.c.id == _made_posts.c.organisation_id)
    )
