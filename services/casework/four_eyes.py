"""Four eyes (CK-14, INV-12): who had a hand in one step may not decide another that judges it.

A hand in a step had whoever decided it and, where that was a substitute (离岗委托), the represented
person: it was done in their place. And whoever stands in for somebody today is as little apart from
what that person did as from what they did themselves (trap 11).
"""

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Select,
    bindparam,
    cast,
    literal,
    null,
    select,
    union_all,
)

from models.act import ActRecord
from models.base import Key, table
from models.casework import Branch, Decision, DutyMember, Rung, Slot, SlotState, Step
from models.organisation import Appointment
from models.substitution import Substitution
from policy.acts import Act
from services.posts import holders
from services.scope import covers, in_force, stands

_acts = table(ActRecord)
_appointments = table(Appointment)
_branches = table(Branch)
_decisions = table(Decision)
_members = table(DutyMember)
_rungs = table(Rung)
_slots = table(Slot)
_steps = table(Step)
_substitutions = table(Substitution)
_represented = _substitutions.alias("then")
_decided = (
    select(_steps.c.key, _decisions.c.person_id, _represented.c.person_id.label("represented"))
    .join(_decisions, _decisions.c.step_id == _steps.c.id)
    .outerjoin(_represented, _represented.c.id == _decisions.c.substitution_id)
    .where(
        _steps.c.key.in_(bindparam("p_keys", expanding=True)),
        _steps.c.voided.is_(False),
    )
)
_ON: ColumnElement[date] = bindparam("p_on", type_=Date)
_STANDS_IN_FOR: Select[tuple[int]] = select(_substitutions.c.person_id).where(
    _substitutions.c.substitute_id == bindparam("p_person"),
    stands(_ON),
    covers(bindparam("p_mechanism")),
)
"""For whom a person stands in today, in matters of a mechanism."""
_DECIDERS = union_all(
    _decided.where(_steps.c.branch_id == bindparam("p_branch")),
    _decided.join(_branches, _branches.c.id == _steps.c.branch_id).where(
        _branches.c.parent_id == bindparam("p_branch")
    ),
    _STANDS_IN_FOR.with_only_columns(
        literal(""), _substitutions.c.person_id, cast(null(), Key).label("represented")
    ),
)
"""Without the person: a database that is asked for one may start with all they ever decided. The
last part, without a key, is for whom the person stands in."""
_POSTS = select(_appointments.c.post_id).where(
    _appointments.c.person_id.in_(_STANDS_IN_FOR)
    | (_appointments.c.person_id == bindparam("p_person")),
    in_force(_appointments.c, _ON),
)


def barred_by(
    db: Connection,
    person_id: int | None,
    branch_id: int,
    keys: Sequence[str],
    on: date,
    mechanism: str,
) -> str | None:
    """The key among ``keys`` in whose step this person had a hand, or somebody for whom they stand
    in today; in the branch or in one below it. None: nothing bars them.

    What a return voided does not count.
    """
    if not keys:
        return None
    asked = {"p_keys": list(keys), "p_branch": branch_id}
    who = {"p_person": person_id, "p_on": on, "p_mechanism": mechanism}
    rows = db.execute(_DECIDERS, asked | who).all()
    people = {person_id, *(row.person_id for row in rows if not row.key)} - {None}
    hands = (row for row in rows if row.key)
    return next((row.key for row in hands if {row.person_id, row.represented} & people), None)


def barred_posts(
    db: Connection,
    post_ids: Collection[int],
    branch_id: int,
    keys: Sequence[str],
    on: date,
    mechanism: str,
) -> frozenset[int]:
    """Those of these posts whose holders are barred today as :func:`barred_by` says."""
    if not keys:
        return frozenset()
    held = holders(db, post_ids, on)
    people = {one.person_id for one in held.values()}
    asked = {"p_keys": list(keys), "p_branch": branch_id}
    who = {"p_person": None, "p_on": on, "p_mechanism": mechanism}
    rows = db.execute(_DECIDERS, asked | who)
    hands = {person for row in rows for person in (row.person_id, row.represented)} - {None}
    instead = select(_substitutions.c.substitute_id).where(
        _substitutions.c.substitute_id.in_(people),
        _substitutions.c.person_id.in_(hands),
        stands(on),
        covers(literal(mechanism)),
    )
    hands |= set(db.execute(instead).scalars())
    return frozenset(post for post, one in held.items() if one.person_id in hands)


def posts_of_interest(db: Connection, person_id: int, on: date, mechanism: str) -> frozenset[int]:
    """The posts held by a person and by whomever they stand in for, in matters of a mechanism."""
    who = {"p_person": person_id, "p_on": on, "p_mechanism": mechanism}
    return frozenset(db.execute(_POSTS, who).scalars())


def judges_themselves(db: Connection, step_id: int, posts: Collection[int]) -> bool:
    """Whether one of these posts is late on a superior's list: nobody urges themselves (rule N)."""
    late = (
        select(_members.c.id)
        .join(_rungs, _rungs.c.id == _members.c.rung_id)
        .join(_slots, _slots.c.id == _rungs.c.slot_id)
        .where(
            _members.c.step_id == step_id,
            _members.c.struck_at.is_(None),
            _slots.c.post_id.in_(sorted(posts)),
        )
    )
    return db.execute(late.limit(1)).first() is not None


def asked_themselves(
    db: Connection, step_id: int, person_id: int, on: date, mechanism: str
) -> bool:
    """Whether a person, or somebody for whom they stand in, asked for a later date of a step or is
    asked in it: nobody answers their own request (申请延期)."""
    mine = posts_of_interest(db, person_id, on, mechanism)
    seat = select(_slots.c.id).where(_slots.c.step_id == step_id, _slots.c.post_id.in_(mine))
    if db.execute(seat.limit(1)).first() is not None:
        return True
    who = {"p_person": person_id, "p_on": on, "p_mechanism": mechanism}
    people = {person_id, *db.execute(_STANDS_IN_FOR, who).scalars()}
    asked = (
        select(_acts.c.person_id, _represented.c.person_id.label("represented"))
        .outerjoin(_represented, _represented.c.id == _acts.c.substitution_id)
        .where(_acts.c.step_id == step_id, _acts.c.act == Act.EXTEND)
    )
    return any({row.person_id, row.represented} & people for row in db.execute(asked))


def speaks_already(db: Connection, slot_id: int, step_id: int, person_id: int, on: date) -> bool:
    """Whether a person is asked in the same step by a post of their own, or answered a slot of it:
    several are asked so that several look."""
    held = select(_appointments.c.post_id).where(
        _appointments.c.person_id == person_id, in_force(_appointments.c, on)
    )
    others = (
        select(_slots.c.id)
        .outerjoin(_decisions, _decisions.c.slot_id == _slots.c.id)
        .where(
            _slots.c.step_id == step_id,
            _slots.c.id != slot_id,
            _slots.c.state != SlotState.REMOVED,
            _slots.c.post_id.in_(held) | (_decisions.c.person_id == person_id),
        )
    )
    return db.execute(others.limit(1)).first() is not None


def hands_in(
    db: Connection, people: Collection[int], branch_ids: Collection[int]
) -> frozenset[tuple[int, str]]:
    """The steps in which one of these people had a hand, as (branch, key) of each of these branches
    in which, or below which, it was; for a preview of many slots in one question."""
    if not branch_ids:
        return frozenset()
    mine = _decisions.c.person_id.in_(people) | _represented.c.person_id.in_(people)
    query = (
        select(_branches.c.id, _branches.c.parent_id, _steps.c.key)
        .join(_steps, _steps.c.branch_id == _branches.c.id)
        .join(_decisions, _decisions.c.step_id == _steps.c.id)
        .outerjoin(_represented, _represented.c.id == _decisions.c.substitution_id)
        .where(
            _branches.c.id.in_(branch_ids) | _branches.c.parent_id.in_(branch_ids),
            _steps.c.voided.is_(False),
            mine,
        )
    )
    rows = db.execute(query).all()
    places = ((branch, row.key) for row in rows for branch in (row.id, row.parent_id))
    return frozenset((branch, key) for branch, key in places if branch in branch_ids)
