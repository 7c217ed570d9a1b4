"""``act_on``: the one command path of all acts: right, state, fields, deed, record, audit."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import insert

from models.act import ActRecord
from models.base import table
from policy.acts import OF_THE_POST, RULES, Act, Relation
from services.acts.about import About, about
from services.acts.parts import Acting, Field, Kind
from services.acts.registry import KINDS
from services.audit import commitment
from services.casework.authority import Basis, basis_of
from services.casework.branch import LockedBranch, lock_branch
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import Invalid, NotAuthorised
from services.posts import appointment_of
from services.sanitising import check_text
from services.scope import standing, visible_case

LONGEST = 500
"""Characters of a reason."""
_acts = table(ActRecord)


class MayNotAct(NotAuthorised):
    """您的职务不能对这一项作此办理。"""


def act_on(
    env: Env,
    actor: Actor,
    act: Act,
    *,
    slot_id: int,
    reason: str,
    given: Mapping[str, str],
    key: str,
) -> None:
    """Do an act to a slot, as who may (``policy.acts.RULES``); ``given`` are its form's fields.

    Errors: NotFound (missing, or not to be seen), :class:`MayNotAct`, AlreadyDecided for what is
    not in the state for it any more, Invalid with the field, KeyReused, Busy.
    """
    told = {"slot": slot_id, "reason": reason.strip(), "given": dict(given)}

    def carry(work: Work) -> dict[str, int]:
        return _carry(work, act, slot_id, told, key)

    execute(env, actor, f"slot.{act}", key, told, carry, rows=("CK-8", "CK-20"))


def _carry(work: Work, act: Act, slot_id: int, told: Mapping[str, Any], key: str) -> dict[str, int]:
    person_id, kind = work.actor.person_id, KINDS[act]
    if person_id is None:
        raise NotAuthorised  # the system does nothing that people do
    who = standing(work.db, person_id, work.today)
    branch = lock_branch(work, about(work.db, who, slot_id).slot.branch_id)
    this = about(work.db, who, slot_id)  # as it is under the lock
    relation, post_id, basis = by_right(branch, this, act)
    if not kind.open_to(this):
        raise kind.too_late(this)
    reason = _reason(told["reason"], needed=RULES[act].needs_reason)
    fields = filled_in(kind, this, told["given"])
    # one entry of the table of texts for all acts
    work.confirmed |= check_text(work.actor, "slot.{act}", "reason", reason)
    work.confirmed |= check_text(work.actor, "slot.{act}", "given", fields)
    acting = Acting(branch, this, relation, post_id, reason, fields, key)
    kind.carry(acting)  # its limits look at what was done before, without this
    record = keep_record(acting, act, basis)
    branch.note(
        act=act.value,
        record=record,
        slot=slot_id,
        step=this.slot.step_id,
        post=post_id,
        appointment=basis.appointment_id,
        **basis.noted,
        content=commitment(key, reason, fields, False),
    )
    branch.save()
    return {"act": record}


def by_right(branch: LockedBranch, this: About, act: Act) -> tuple[Relation, int, Basis]:
    """By which relation, post and appointment the person does it. NotFound for what they may not
    see, :class:`MayNotAct`."""
    work, found = branch.work, this.basis(act)
    if found is None or found[0] not in OF_THE_POST:
        visible_case(work.db, this.who, branch.case_id)
    if found is None:
        raise MayNotAct
    relation, post_id = found
    if relation is Relation.DECIDER and this.slot.recorded:
        return relation, post_id, Basis(this.slot.decided_as)
    if relation in OF_THE_POST:
        return relation, post_id, basis_of(branch, this.slot)
    held = appointment_of(work.db, post_id, this.who.person_id, work.today)
    return relation, post_id, Basis(held)


def _reason(reason: str, *, needed: bool) -> str:
    if needed and not reason:
        raise Invalid("请写明原因。", field="reason")
    if len(reason) > LONGEST:
        raise Invalid(f"原因最长 {LONGEST} 个字。", field="reason")
    return reason


def filled_in(kind: Kind, this: About, given: Mapping[str, str]) -> dict[str, str]:
    """The fields of an act as they were given and may be kept; Invalid with the name of one."""
    return {field.name: _value(field, given) for field in kind.fields(this)}


def _value(field: Field, given: Mapping[str, str]) -> str:
    """A field as it was given and may be kept; Invalid with its name."""
    value = given.get(field.name, "").strip()
    if not value:
        if field.needed:
            raise Invalid("请填写这一项。", field=field.name)
        return ""
    if field.kind == "choice" and value not in dict(field.options):
        raise Invalid("请从所列的项目中选择。", field=field.name)
    if field.kind == "date":
        return _day(field.name, value)
    if len(value) > LONGEST:
        raise Invalid(f"最长 {LONGEST} 个字。", field=field.name)
    return value


def _day(name: str, value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise Invalid("请按 2026-03-01 的样子填写日期。", field=name) from None


def keep_record(acting: Acting, act: Act, basis: Basis) -> int:
    """The line of an act that was carried out; its id."""
    slot, work = acting.about.slot, acting.branch.work
    values = {
        "key": acting.key,
        "act": act,
        "relation": acting.relation,
        "case_id": slot.case_id,
        "branch_id": slot.branch_id,
        "step_id": slot.step_id,
        "slot_id": slot.slot_id,
        "deadline_version": slot.deadline_version,
        "reason": acting.reason,
        "given": dict(acting.given),
        "person_id": work.actor.person_id,
        "post_id": acting.post_id,
        "appointment_id": basis.appointment_id,
        "substitution_id": basis.substitution_id,
        "at": work.now,
    }
    return int(work.db.execute(insert(_acts).returning(_acts.c.id), values).scalar_one())
