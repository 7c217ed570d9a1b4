"""Who sees what, in one place (design §8): SQL conditions for lists, counts, pages and the API.

Which is the table of ``policy.access`` as SQL: what a person sees follows from the posts they hold
on the day, by what these are to the organisation. A case is seen, too, by those it asks and who
stand in for them (离岗委托, for its mechanism, while something is open), by who decided in it,
and by those whose step in it was terminated: they were told so, and may read why. What is not there
and what may not be seen answer alike: ``NotFound`` (trap 15).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Date,
    Select,
    String,
    and_,
    bindparam,
    cast,
    false,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from models.base import Key, table
from models.casework import Branch, Case, Decision, Slot, SlotState, Step
from models.message import Message
from models.organisation import (
    Appointment,
    Level,
    Organisation,
    Portfolio,
    Post,
    PostKind,
    Relation,
    RelationKind,
)
from models.substitution import Substitution, SubstitutionMechanism
from policy.access import ORGANS, Action, Reach, Role, reaches
from services.errors import NotFound
from services.restricted import RESTRICTED

TERMINATED = "terminated"
"""The message template of whoever was asked when a case was terminated."""
_appointments = table(Appointment)
_branches = table(Branch)
_cases = table(Case)
_decisions = table(Decision)
_limits = table(SubstitutionMechanism)
_messages = table(Message)
_organisations = table(Organisation)
_portfolios = table(Portfolio)
_posts = table(Post)
_relations = table(Relation)
_slots = table(Slot)
_steps = table(Step)
_substitutions = table(Substitution)


@dataclass(frozen=True, slots=True)
class HeldPost:
    """A post that the person holds on the day, and where it stands."""

    id: int
    kind: PostKind
    title: str
    organisation_id: int
    organisation: str
    level: Level
    path: str

    @property
    def name(self) -> str:
        """The post as people say it: the unit and the title."""
        return post_name(self.organisation, self.title)


@dataclass(frozen=True, slots=True)
class Represented:
    """A post in which somebody stands in for its holder (离岗委托), and for which matters."""

    post: HeldPost
    substitution_id: int
    person_id: int
    """The represented person."""
    mechanisms: frozenset[str] | None
    """None: every one."""
    slot_id: int | None = None
    """The only slot that it is about (委托)."""

    def covers(self, mechanism: str) -> bool:
        """Whether it is about a case of this mechanism."""
        return self.mechanisms is None or mechanism in self.mechanisms


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is on a day: the basis of all they may see and do.

    ``behalf`` gives them the open steps of those posts to decide, and nothing else.
    """

    person_id: int
    on: date
    posts: tuple[HeldPost, ...]
    behalf: tuple[Represented, ...] = ()

    @property
    def post_ids(self) -> tuple[int, ...]:
        """The ids of the posts held."""
        return tuple(post.id for post in self.posts)

    def stands_in(
        self, post_id: int, mechanism: str, slot_id: int | None = None
    ) -> Represented | None:
        """In whose place they are asked, where a post is not their own; None where they are not.
        ``slot_id``: where being let answer this slot only (委托) is enough."""
        if post_id in self.post_ids:
            return None
        asked = (one for one in self.behalf if one.post.id == post_id)
        gives = (one for one in asked if one.covers(mechanism) or _is_slot(one, slot_id))
        return next(gives, None)

    @property
    def operates(self) -> bool:
        """Whether they mend the system, and may look into Prefect."""
        return any(post.kind is PostKind.OPERATOR for post in self.posts)


def _is_slot(one: Represented, slot_id: int | None) -> bool:
    return slot_id is not None and one.slot_id == slot_id


def post_name(organisation: str, title: str) -> str:
    """``梧桐路街道党工委`` and ``书记`` make one name; a title that says the unit stands alone."""
    return title if title.startswith(organisation) else f"{organisation}{title}"


def standing(db: Connection, person_id: int, on: date) -> Standing:
    """The posts a person holds on a day, leading ones first, and where they stand in. One query."""
    posts: list[HeldPost] = []
    behalf: dict[int, Represented] = {}
    found = db.execute(_STANDING, {"p_person": person_id, "p_on": on})
    for *post, substitution_id, represented, mechanism, slot_id, _ in found:
        if substitution_id is None:
            posts.append(HeldPost(*post))
            continue
        if slot_id is not None:
            of = Represented(HeldPost(*post), substitution_id, represented, frozenset(), slot_id)
            behalf[substitution_id] = of
            continue
        limits = None if mechanism is None else frozenset({mechanism})
        if limits and substitution_id in behalf:
            limits |= behalf[substitution_id].mechanisms or frozenset()
        behalf[substitution_id] = Represented(HeldPost(*post), substitution_id, represented, limits)
    return Standing(person_id, on, tuple(posts), tuple(behalf.values()))


def in_force(
    dated: ReadOnlyColumnCollection[str, Any], on: date | ColumnElement[date]
) -> ColumnElement[bool]:
    """``starts_on ≤ on < ends_on``, for the columns of a dated table."""
    return and_(dated.starts_on <= on, or_(dated.ends_on.is_(None), dated.ends_on > on))


def stands(on: date | ColumnElement[date]) -> ColumnElement[bool]:
    """The condition on ``substitution``: it is in force on a day, and both hold their posts."""
    represented, substitute = _appointments.alias("represented"), _appointments.alias("substitute")
    return and_(
        _substitutions.c.ended_at.is_(None),
        in_force(_substitutions.c, on),
        select(represented.c.id)
        .where(
            represented.c.post_id == _substitutions.c.post_id,
            represented.c.person_id == _substitutions.c.person_id,
            in_force(represented.c, on),
        )
        .exists(),
        select(substitute.c.id)
        .where(
            substitute.c.post_id == _substitutions.c.substitute_post_id,
            substitute.c.person_id == _substitutions.c.substitute_id,
            in_force(substitute.c, on),
        )
        .exists(),
    )


def covers(mechanism: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition on ``substitution``: it is about cases of this mechanism."""
    limited = select(_limits.c.id).where(
        _limits.c.substitution_id == _substitutions.c.id, _limits.c.mechanism == mechanism
    )
    return or_(_substitutions.c.every_mechanism, limited.exists())


def sees_case(who: Standing) -> ColumnElement[bool]:
    """The condition on ``case`` for the cases this person may see."""
    restricted = _cases.c.mechanism.in_(sorted(RESTRICTED))
    concerned, closely = (
        reaches(Role.CONCERNED, action) for action in (Action.READ_WORK, Action.READ_RESTRICTED)
    )
    return or_(
        and_(~restricted, _of_units(who, Action.READ_WORK)),
        and_(restricted, _of_units(who, Action.READ_RESTRICTED)),
        *(and_(~restricted, _concerns(who, reach)) for reach in sorted(concerned - closely)),
        *(_concerns(who, reach) for reach in sorted(closely)),
    )


def asks(who: Standing) -> ColumnElement[bool]:
    """The condition on ``slot`` for what waits on this person: the inbox and its badge."""
    mine = or_(_slots.c.post_id.in_(who.post_ids), _in_place_of_others(who))
    return and_(mine, _slots.c.state == SlotState.OPEN)


def asks_on_behalf(who: Standing) -> ColumnElement[bool]:
    """The condition on ``slot`` for what of :func:`asks` waits on somebody they stand in for."""
    return and_(_in_place_of_others(who), _slots.c.state == SlotState.OPEN)


def covered(post_id: int, mechanisms: frozenset[str] | None) -> ColumnElement[bool]:
    """The condition on ``slot`` for what waits on a post in matters of these mechanisms (None: of
    every one): what a substitution gives."""
    waits = and_(_slots.c.post_id == post_id, _slots.c.state == SlotState.OPEN)
    return waits if mechanisms is None else and_(waits, _is_about(mechanisms))


def _in_place_of_others(who: Standing) -> ColumnElement[bool]:
    others = [one for one in who.behalf if one.post.id not in who.post_ids]
    whole = [one.post.id for one in others if one.mechanisms is None]
    parts = (
        and_(
            _slots.c.post_id == one.post.id,
            _is_about(one.mechanisms) if one.slot_id is None else _slots.c.id == one.slot_id,
        )
        for one in others
        if one.mechanisms is not None
    )
    return or_(_slots.c.post_id.in_(whole) if whole else false(), *parts)


def _is_about(mechanisms: frozenset[str]) -> ColumnElement[bool]:
    branches, cases = _branches.alias("of_branch"), _cases.alias("of_case")
    about = and_(branches.c.id == _slots.c.branch_id, cases.c.mechanism.in_(sorted(mechanisms)))
    wanted = select(branches.c.id).join(cases, cases.c.id == branches.c.case_id).where(about)
    return wanted.exists()


def within(who: Standing, action: Action) -> ColumnElement[bool]:
    """The condition on ``organisation`` for those to which a person's posts may do something."""
    return or_(
        false(),
        *(_organisations.c.id == post.organisation_id for post in by(who, action, Reach.OWN)),
        *(_as_its_office(post) for post in by(who, action, Reach.OFFICE)),
        *(_as_superior(post) for post in by(who, action, Reach.IN_LINE)),
        *(_organisations.c.id.in_(units) for units in _served_by(who, action)),
        *(_organisations.c.id.in_(units) for units in _in_charge_of(who, action)),
    )


def by(who: Standing, action: Action, reach: Reach) -> tuple[HeldPost, ...]:
    """The posts of a person by which something may be done to what these so reach."""
    return tuple(post for post in who.posts if reach in reaches(_role(post), action))


def visible_case(db: Connection, who: Standing, case_id: int) -> None:
    """``NotFound`` unless the case exists and this person may see it."""
    found = db.execute(select(_cases.c.id).where(_cases.c.id == case_id, sees_case(who))).first()
    if found is None:
        raise NotFound


def _of_units(who: Standing, action: Action) -> ColumnElement[bool]:
    units = select(_organisations.c.id).where(within(who, action))
    return _cases.c.organisation_id.in_(units)


def _concerns(who: Standing, reach: Reach) -> ColumnElement[bool]:
    """The condition on ``case`` for those that have to do with a person so."""
    return _cases.c.id.in_(_CONCERNING[reach](who))


def _asking(who: Standing) -> Select[tuple[Any]]:
    return select(_steps.c.case_id).join(_slots, _slots.c.step_id == _steps.c.id).where(asks(who))


def _decided_by(who: Standing) -> Select[tuple[Any]]:
    return select(_decisions.c.case_id).where(_decisions.c.person_id == who.person_id)


def _told(who: Standing) -> Select[tuple[Any]]:
    return select(_messages.c.case_id).where(
        _messages.c.person_id == who.person_id, _messages.c.template == TERMINATED
    )


_CONCERNING = {Reach.ASKED: _asking, Reach.DECIDED: _decided_by, Reach.TOLD: _told}


def _as_its_office(post: HeldPost) -> ColumnElement[bool]:
    above = [int(part) for part in post.path.split("/") if part]
    return and_(_organisations.c.id.in_(above), _organisations.c.level == post.level)


def _as_superior(post: HeldPost) -> ColumnElement[bool]:
    return _organisations.c.path.startswith(post.path, autoescape=True)


def _served_by(who: Standing, action: Action) -> Iterator[Select[tuple[Any]]]:
    """The units that are served by the units of posts, a query for those that serve alike."""
    alike: dict[frozenset[Reach], set[int]] = defaultdict(set)
    for post in who.posts:
        alike[reaches(_role(post), action) & ORGANS].add(post.organisation_id)
    for organs, units in alike.items():
        if organs:
            yield select(_relations.c.served_id).where(
                _relations.c.organ_id.in_(units),
                _relations.c.kind.in_([RelationKind(organ.value) for organ in sorted(organs)]),
                in_force(_relations.c, who.on),
            )


def _in_charge_of(who: Standing, action: Action) -> Iterator[Select[tuple[Any]]]:
    posts = [post.id for post in by(who, action, Reach.CHARGE)]
    if posts:
        yield select(_portfolios.c.unit_id).where(
            _portfolios.c.post_id.in_(posts),
            _portfolios.c.unit_id.is_not(None),
            in_force(_portfolios.c, who.on),
        )


def _role(post: HeldPost) -> Role:
    return Role(post.kind.value)


def _standing() -> CompoundSelect[Any]:
    """The posts of a person, and those in which they stand in, a row for each mechanism."""
    on: ColumnElement[date] = bindparam("p_on", type_=Date)
    post = (
        _posts.c.id.label("held_id"),
        *(_posts.c[name] for name in ("kind", "title", "organisation_id")),
        *(_organisations.c[name] for name in ("short_name", "level", "path")),
    )
    at = _posts.join(_organisations, _organisations.c.id == _posts.c.organisation_id)
    nobody = cast(null(), Key).label("substitution_id"), cast(null(), Key).label("person_id")
    nothing = cast(null(), String).label("mechanism"), cast(null(), Key).label("slot_id")
    own = (
        select(*post, *nobody, *nothing, _posts.c.rank)
        .select_from(at.join(_appointments, _appointments.c.post_id == _posts.c.id))
        .where(_appointments.c.person_id == bindparam("p_person"), in_force(_appointments.c, on))
    )
    instead = at.join(_substitutions, _substitutions.c.post_id == _posts.c.id).outerjoin(
        _limits,
        and_(
            _limits.c.substitution_id == _substitutions.c.id,
            _substitutions.c.every_mechanism.is_(False),
        ),
    )
    others = (
        select(
            *post,
            _substitutions.c.id,
            _substitutions.c.person_id,
            _limits.c.mechanism,
            _substitutions.c.slot_id,
            _posts.c.rank,
        )
        .select_from(instead)
        .where(
            _substitutions.c.substitute_id == bindparam("p_person"),
            stands(on),
            or_(
                _substitutions.c.every_mechanism,
                _limits.c.id.is_not(None),
                _substitutions.c.slot_id.is_not(None),
            ),
        )
    )
    return union_all(own, others).order_by("rank", "held_id")


_STANDING = _standing()
"""Built once: every page of every person asks it."""
