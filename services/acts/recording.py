"""代录 (线下签批登记): what somebody signed on paper, recorded by the office that keeps the papers.

The decision is the signer's: their person and appointment on the paper's day are its basis, four
eyes are asked about them then and ever after, and they may take it back or correct it. Who records
it is a scribe: an act of theirs stands beside it, and no later question counts it as a hand in the
step. They never sign for themselves: whoever is asked, or stands in for who is asked, answers as
anybody does, and is no recorder.

A substitute (离岗委托) signs in the system only: their right is for days that nobody can read off a
paper. Whether it was late is judged by the day on the paper (``policy.paper``).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from models.audit import Command
from models.base import table
from models.signed_paper import SignedPaper
from policy.acts import Act
from policy.calendar import local_day
from policy.evidence import name_refusal, tidy_name
from policy.paper import day_refusal, judged_at, scan_refusal
from services.acts.about import About, about
from services.acts.acting import MayNotAct, by_right, filled_in, keep_record
from services.acts.parts import Acting
from services.acts.signing import (
    RECORD,
    SCAN,
    SIGNED_ON,
    SIGNER,
    ScanNeeded,
    Signer,
    asked_on,
    signers,
)
from services.audit import commitment
from services.casework.authority import Basis
from services.casework.branch import locked
from services.casework.deciding import (
    By,
    Decided,
    Given,
    already_taken,
    carry_out,
    check_answer,
    lock_slot,
    take,
)
from services.casework.four_eyes import barred_by
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import Invalid, NotAuthorised
from services.evidence import row_of_file
from services.evidence_intake import Kept, Upload, keep, store_of
from services.faulty import Faulty
from services.sanitising import check_text, refused_name
from services.scope import standing, visible_case
from services.substitutes import instead_of
from services.telling import tell_person

_commands = table(Command)
_papers = table(SignedPaper)


class SignerBarred(Invalid):
    """签批人已办理过这一事项的前一环节，按规定须由其他人审核或核验，不能登记为其意见。"""

    code = "signer_barred"


def record_paper(
    env: Env,
    actor: Actor,
    *,
    slot_id: int,
    given: Mapping[str, str],
    answer: str,
    scan: Upload | None,
    key: str,
    reason: str = "",
    payload: Any = None,
    back_to: str | None = None,
) -> Decided:
    """Record what who is asked signed on paper; what comes next is opened as after any decision.

    ``given``: the appointment by which its signer held the post (``signer``) and the paper's day
    (``signed_on``). ``answer``, ``reason``, ``payload`` and ``back_to`` are what stands on it, as
    for ``decide``. Errors: NotFound, :class:`~services.acts.acting.MayNotAct`, AlreadyDecided (with
    who and when), Invalid with the field, CannotReturn, NoRoom and its kin, KeyReused, Busy. What
    is refused keeps no file.
    """
    told = Given(key, answer, reason.strip(), payload, back_to)
    confirmed = check_text(actor, "slot.record", "reason", told.reason)
    confirmed |= check_text(actor, "slot.record", "payload", payload)
    upload = _scan(scan)
    store = store_of(env)
    with reading(env.engine) as db:
        _before_the_file(_seen(db, actor, local_day(env.clock()), slot_id), given, told)
    try:
        (kept,) = keep(store, [upload])
    except Faulty as error:
        raise Invalid(error.message, field=SCAN) from error
    body = {
        "slot": slot_id,
        "given": dict(given),
        "answer": answer,
        "reason": told.reason,
        "payload": payload,
        "back_to": back_to,
        "scan": [kept.name, kept.draft.sha256],
    }

    def act(work: Work) -> dict[str, Any]:
        work.confirmed |= confirmed
        return _record(work, slot_id, given, told, kept)

    done = execute(env, actor, "slot.record", key, body, act, rows=("CK-14", "CK-20"))
    return Decided(**done)


def require_recorder(env: Env, actor: Actor, slot_id: int) -> None:
    """Whether :func:`record_paper` may be tried, before a file is sent: NotFound, MayNotAct."""
    with reading(env.engine) as db:
        _seen(db, actor, local_day(env.clock()), slot_id)


def _scan(scan: Upload | None) -> Upload:
    if scan is None:
        raise ScanNeeded(field=SCAN)
    name = tidy_name(scan.name)
    wrong = name_refusal(name) or scan_refusal(name)
    said = refused_name("slot.record", "scan", name)
    if wrong or said:
        raise Invalid(f"{wrong or f'文件名{said}'}。", field=SCAN)
    return Upload(name, scan.source)


def _seen(db: Connection, actor: Actor, on: date, slot_id: int) -> About:
    """A slot for somebody who may see its case and records for its post."""
    if actor.person_id is None:
        raise NotAuthorised
    this = about(db, standing(db, actor.person_id, on), slot_id)
    visible_case(db, this.who, this.slot.case_id)
    if this.basis(Act.RECORD) is None:
        raise MayNotAct
    return this


def _before_the_file(this: About, given: Mapping[str, str], told: Given) -> None:
    """What would be refused is refused before a file is kept; the same request again goes on."""
    if RECORD.open_to(this):
        check_answer(this.db, this.slot.slot_id, told)
        _signed(this, filled_in(RECORD, this, given))
    elif this.db.execute(select(_commands.c.id).where(_commands.c.key == told.key)).first() is None:
        raise already_taken(this.db, this.slot.case_id, this.slot.slot_id)


def _record(
    work: Work, slot_id: int, given: Mapping[str, str], told: Given, kept: Kept
) -> dict[str, Any]:
    row = lock_slot(work, slot_id)
    branch = locked(work, row)
    this = about(work.db, standing(work.db, work.actor.person_id or 0, work.today), slot_id)
    relation, post_id, basis = by_right(branch, this, Act.RECORD)
    take(branch, row, told)
    if not RECORD.open_to(this):
        raise RECORD.too_late(this)
    fields = filled_in(RECORD, this, given)
    signer, signed_on = _signed(this, fields)
    acting = Acting(branch, this, relation, post_id, "", fields, told.key)
    record = keep_record(acting, Act.RECORD, basis)
    branch.note(
        act=Act.RECORD.value,
        record=record,
        slot=slot_id,
        step=row.step_id,
        post=post_id,
        appointment=basis.appointment_id,
        content=commitment(told.key, "", fields, False),
    )
    decided = carry_out(branch, row, told, _by(this, signer, signed_on, record, kept))
    _keep_paper(work, decided["decision_id"], record, signed_on, kept)
    _tell(acting, row, decided["decision_id"], signer)
    branch.save()
    return decided


def _signed(this: About, fields: Mapping[str, str]) -> tuple[Signer, date]:
    """Who signed, and on which day; Invalid for a day that cannot be, or was not in their office,
    and :class:`SignerBarred` (CK-14)."""
    slot, signed_on = this.slot, date.fromisoformat(fields[SIGNED_ON])
    wrong = day_refusal(signed_on, asked_on(this.db, slot.step_id, slot.post_id), this.on)
    if wrong is not None:
        raise Invalid(f"{wrong}。", field=SIGNED_ON)
    signer = next(one for one in signers(this) if str(one.appointment_id) == fields[SIGNER])
    if not signer.held_on(signed_on):
        raise Invalid("所选的人在签批日期当天不担任这一职务。", field=SIGNER)
    keys, mechanism = slot.apart_from, slot.mechanism
    barred = barred_by(this.db, signer.person_id, slot.branch_id, keys, signed_on, mechanism)
    if barred is not None:
        raise SignerBarred(field=SIGNER, apart_from=barred)
    return signer, signed_on


def _by(this: About, signer: Signer, signed_on: date, record: int, kept: Kept) -> By:
    """Whoever stands in for the holder today is told as after any decision."""
    others = instead_of(this.db, [this.slot.post_id], this.on).get(this.slot.post_id, [])
    other = (one.substitute_id for one in others if one.covers(this.slot.mechanism))
    paper = {
        "person": signer.person_id,
        "signed_on": signed_on.isoformat(),
        "record": record,
        "sha256": kept.draft.sha256,
        "size": kept.draft.size,
    }
    basis = Basis(signer.appointment_id, other=next(other, None))
    return By(signer.person_id, basis, judged_at(signed_on), {"paper": paper})


def _keep_paper(work: Work, decision: int, record: int, signed_on: date, kept: Kept) -> None:
    values = {
        "decision_id": decision,
        "act_id": record,
        "file_id": row_of_file(work, kept),
        "name": kept.name,
        "signed_on": signed_on,
    }
    work.db.execute(insert(_papers), values)


def _tell(acting: Acting, row: Row[Any], decision: int, signer: Signer) -> None:
    """The signer reads that it was recorded as theirs, and what to do if it is not."""
    branch = acting.branch
    tell_person(
        branch.work.db,
        key=f"recorded:{decision}",
        person_id=signer.person_id,
        template="recorded",
        context={
            "post_id": row.post_id,
            "about_step_id": row.step_id,
            "substitute_post_id": acting.post_id,
            SIGNED_ON: acting.given[SIGNED_ON],
        },
        now=branch.work.now,
        case_id=branch.case_id,
    )
