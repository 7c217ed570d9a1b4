"""What a substitution (离岗委托) is to be, between whom, and what forbids it (CK-14, trap 11)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select

from models.base import table
from models.organisation import Appointment, Organisation, Post, PostKind
from models.substitution import Substitution
from policy.access import Action, Reach
from policy.substitution import LONGEST_DAYS, Arrangement, Hindrance, Span, hindrance
from services.errors import Invalid, NotFound
from services.posts import Holder, holder
from services.scope import Standing, by, in_force, post_name, standing
from services.substitutes import mechanisms_of

_appointments = table(Appointment)
_organisations = table(Organisation)
_posts = table(Post)
_substitutions = table(Substitution)


class CannotStandIn(Invalid):
    """这样的委托不能设立。"""

    code = "cannot_stand_in"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked for: ``until_on`` is the last day; no mechanism: every one."""

    post_id: int
    substitute_post_id: int
    starts_on: date
    until_on: date
    mechanisms: frozenset[str] = frozenset()

    @property
    def span(self) -> Span:
        """The days and matters; the calendar has a last day."""
        last = min(self.until_on, date.max - timedelta(days=1))
        return Span(self.starts_on, last + timedelta(days=1), self.mechanisms or None)

    def body(self) -> dict[str, Any]:
        """For the command and its audit entry."""
        return {
            "post": self.post_id,
            "substitute": self.substitute_post_id,
            "from": self.starts_on.isoformat(),
            "until": self.until_on.isoformat(),
            "mechanisms": sorted(self.mechanisms),
        }


@dataclass(frozen=True, slots=True)
class Parties:
    """Who is represented, who stands in, and by which post whoever makes it may do so."""

    person_id: int
    substitute_id: int
    by_post_id: int


def parties(db: Connection, person_id: int | None, terms: Terms, on: date) -> Parties:
    """Who an arrangement would be between, if this person may make it.

    NotFound: neither their own post nor below them; Invalid: nobody holds one of the two posts, or
    the substitute's is not one that may be chosen.
    """
    own, by = authority(db, person_id, terms.post_id, on)
    represented = Holder(person_id, 0) if own and person_id else holder(db, terms.post_id, on)
    if represented is None:
        raise Invalid("这个职务现在缺位，请先明确任职人选。", field="post")
    chosen = candidates(db, terms.post_id, on)
    substitute = next((one for one in chosen if one.post_id == terms.substitute_post_id), None)
    if substitute is None:
        raise Invalid("请从所列的职务中选择代办人；缺位的职务不能代办。", field="substitute")
    if not own and substitute.person_id == person_id:
        raise Invalid("替他人设立委托时，不能由本人代办。", field="substitute")
    return Parties(represented.person_id, substitute.person_id, by)


def check(
    db: Connection, terms: Terms, between: Parties, today: date, known: Collection[str]
) -> None:
    """:class:`CannotStandIn` with the first rule that forbids it; Invalid for no such mechanism."""
    if not terms.mechanisms <= frozenset(known):
        raise Invalid("请从所列的事项中选择。", field="mechanism")
    new = Arrangement(0, terms.post_id, between.person_id, between.substitute_id, terms.span)
    found = hindrance(new, _others(db, new, today), today)
    if found is not None:
        why, other = found
        raise CannotStandIn(_said(db, why, other), why=why.value, field=_FIELDS.get(why, ""))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A post whose holder may stand in."""

    post_id: int
    person_id: int
    organisation: str
    title: str

    @property
    def name(self) -> str:
        """The post as people say it."""
        return post_name(self.organisation, self.title)


def candidates(db: Connection, post_id: int, on: date) -> list[Candidate]:
    """The posts that may stand in for a post, nearest first: of its organisation, of the one above,
    and of those beside and below it, as far as they are held.

    系统运维员 mend and do not decide: they stand in for each other only.
    """
    own = db.execute(
        select(_posts.c.organisation_id, _posts.c.kind, _organisations.c.parent_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_posts.c.id == post_id)
    ).first()
    if own is None:
        return []
    here, above = own.organisation_id, own.parent_id
    near = or_(
        _organisations.c.id.in_([here] if above is None else [here, above]),
        _organisations.c.parent_id.in_([here] if above is None else [here, above]),
    )
    mends = _posts.c.kind == PostKind.OPERATOR
    rows = db.execute(
        select(
            *(_posts.c.id, _appointments.c.person_id, _organisations.c.short_name, _posts.c.title)
        )
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .join(_appointments, _appointments.c.post_id == _posts.c.id)
        .where(
            near,
            mends if own.kind is PostKind.OPERATOR else ~mends,
            _posts.c.id != post_id,
            _posts.c.successor_id.is_(None),
            in_force(_appointments.c, on),
        )
        .order_by(
            _organisations.c.id != here,
            _organisations.c.path,
            *(_posts.c.rank, _posts.c.id, _appointments.c.starts_on.desc()),
        )
    )
    found: dict[int, Candidate] = {}
    for row in rows:
        found.setdefault(row.id, Candidate(*row))
    return list(found.values())


def operates_above(db: Connection, who: Standing, post_id: int) -> int | None:
    """The 系统运维员 post by which a person may act for a post; None without one."""
    path = db.execute(
        select(_organisations.c.path)
        .join(_posts, _posts.c.organisation_id == _organisations.c.id)
        .where(_posts.c.id == post_id, _posts.c.successor_id.is_(None))
    ).scalar()
    operating = by(who, Action.ARRANGE, Reach.IN_LINE)
    return next((post.id for post in operating if path and path.startswith(post.path)), None)


def authority(db: Connection, person_id: int | None, post_id: int, on: date) -> tuple[bool, int]:
    """Whether the post is their own, and the post by which they act; NotFound without one."""
    if person_id is None:
        raise NotFound  # the system lets nobody stand in
    who = standing(db, person_id, on)
    if post_id in who.post_ids:
        return True, post_id
    by = operates_above(db, who, post_id)
    if by is None:
        raise NotFound
    return False, by


def _others(db: Connection, new: Arrangement, today: date) -> list[Arrangement]:
    """The open substitutions that concern either person or the post."""
    people = (new.person_id, new.substitute_id)
    rows = db.execute(
        select(_substitutions)
        .where(
            or_(
                _substitutions.c.post_id == new.post_id,
                _substitutions.c.person_id.in_(people),
                _substitutions.c.substitute_id.in_(people),
            ),
            _substitutions.c.ended_at.is_(None),
            _substitutions.c.ends_on > today,
            _substitutions.c.slot_id.is_(None),
        )
        .order_by(_substitutions.c.id)
    ).all()
    limits = mechanisms_of(db, [row.id for row in rows if not row.every_mechanism])
    return [
        Arrangement(
            row.id,
            row.post_id,
            row.person_id,
            row.substitute_id,
            Span(
                row.starts_on,
                row.ends_on,
                None if row.every_mechanism else limits.get(row.id, frozenset()),
            ),
        )
        for row in rows
    ]


_SAID = {
    Hindrance.BACKWARDS: "委托的最后一天不能早于第一天。",
    Hindrance.PAST: "委托不能从今天以前开始。",
    Hindrance.TOO_LONG: f"一次委托最长 {LONGEST_DAYS} 天；离岗更久的，应当调整任职。",
    Hindrance.SELF: "不能委托给本人的其他职务。",
    Hindrance.TAKEN: "这些日子里，这个职务的同类事项已经委托他人（{days}）。",
    Hindrance.AWAY: "代办人自己在这些日子里也离岗（{days}），不能再转委托。",
    Hindrance.STANDS_IN: "委托人在这些日子里正代他人办理（{days}），请先结束那一委托。",
}
_FIELDS = {
    Hindrance.BACKWARDS: "until",
    Hindrance.PAST: "starts",
    Hindrance.TOO_LONG: "until",
    Hindrance.SELF: "substitute",
    Hindrance.AWAY: "substitute",
}


def _said(db: Connection, why: Hindrance, other: Arrangement | None) -> str:
    """The rule in words, with the days of the other substitution; nobody's name."""
    if other is None:
        return _SAID[why]
    last = other.span.ends_on - timedelta(days=1)
    return _SAID[why].format(days=f"{other.span.starts_on:%Y-%m-%d} 至 {last:%Y-%m-%d}")
