"""Taking evidence back (撤回佐证): a wrong file counts no more, and stays where it was.

Who is asked in the step in which a version was given may take it back while that step is open,
with a reason. Once the step is settled others have relied on it.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from models.base import table
from models.casework import SlotState
from models.evidence import EvidenceVersion, EvidenceWithdrawal
from policy.evidence import may_withdraw, reason_refusal
from services.audit import commitment
from services.casework.branch import lock_branch
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import DutiesError, Invalid, NotFound
from services.evidence import acting, asked_in

_versions = table(EvidenceVersion)
_withdrawals = table(EvidenceWithdrawal)


class NotWithdrawn(DutiesError):
    """这件佐证已经撤回，或者提交它的环节已经办结，不能再撤回。"""

    status = 409
    code = "evidence_not_withdrawn"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The piece whose version was taken back."""

    evidence_id: int


def withdraw_evidence(
    env: Env, actor: Actor, *, version_id: int, reason: str, key: str
) -> Withdrawn:
    """Take a version back. The file and its row stay, and are shown as taken back.

    Errors: NotFound (missing, or not to be seen), NotAuthorised, :class:`NotWithdrawn`, Invalid
    (the reason), KeyReused, Busy.
    """
    given = reason.strip()
    wrong = reason_refusal(given)
    if wrong is not None:
        raise Invalid(f"{wrong}。", field="reason")

    def act(work: Work) -> dict[str, Any]:
        return _withdraw(work, version_id, given, key)

    body = {"version": version_id, "reason": given}
    return Withdrawn(**execute(env, actor, "evidence.withdraw", key, body, act))


def _withdraw(work: Work, version_id: int, reason: str, key: str) -> dict[str, Any]:
    version = _version(work.db, version_id)
    branch = lock_branch(work, asked_in(work.db, version.slot_id).branch_id)
    asked = asked_in(work.db, version.slot_id)  # as it stands now that the branch is locked
    substitution = acting(work.db, work.actor, work.today, asked)
    withdrawn = _version(work.db, version_id).withdrawal is not None
    if not may_withdraw(asks=asked.state == SlotState.OPEN, withdrawn=withdrawn):
        raise NotWithdrawn
    values = {
        "version_id": version_id,
        "reason": reason,
        "person_id": work.actor.person_id,
        "post_id": asked.post_id,
        "substitution_id": substitution,
        "at": work.now,
    }
    work.db.execute(insert(_withdrawals), values)
    branch.note(
        act="evidence_withdrawn",
        slot=version.slot_id,
        post=asked.post_id,
        substitution=substitution,
        version=version_id,
        content=commitment(key, reason, [], False),
    )
    branch.save()
    return {"evidence_id": version.evidence_id}


def _version(db: Connection, version_id: int) -> Row[Any]:
    row = db.execute(
        select(_versions.c.evidence_id, _versions.c.slot_id, _withdrawals.c.id.label("withdrawal"))
        .outerjoin(_withdrawals, _withdrawals.c.version_id == _versions.c.id)
        .where(_versions.c.id == version_id)
    ).first()
    if row is None:
        raise NotFound
    return row
