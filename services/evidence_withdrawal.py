"""Taking evidence back (撤回佐证): a wrong file counts no more, and stays where it was.

Who is asked in the step in which a version was given may take it back while the step is open, with
a reason: it is their answer that it would go with. Where somebody else gave it (before 改派 or a
change of holder, or one of a holder and their substitute), that person is told. Once the step is
settled others have relied on it; where others settled it (未及办理) nobody answered for it, and who
gave it may take it back while the matter runs and they are in that post.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from models.base import table
from models.casework import BranchState, SlotState
from models.evidence import EvidenceVersion, EvidenceWithdrawal
from policy.evidence import may_withdraw, reason_refusal
from services.audit import commitment
from services.casework.branch import LockedBranch, lock_branch
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import DutiesError, Invalid, NotAuthorised, NotFound
from services.evidence import asked_in, hold_acting
from services.sanitising import check_text
from services.telling import tell_person

_versions = table(EvidenceVersion)
_withdrawals = table(EvidenceWithdrawal)


class NotWithdrawn(DutiesError):
    """这件佐证已经撤回，或者提交它的环节已经办结，不能再撤回。"""

    status = 409
    code = "evidence_not_withdrawn"


class GivenByAnother(NotAuthorised):
    """这件佐证是别人提交的，这一环节已经由其他人办结，只有提交人可以撤回。"""

    code = "given_by_another"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The piece whose version was taken back."""

    evidence_id: int


def withdraw_evidence(
    env: Env, actor: Actor, *, version_id: int, reason: str, key: str
) -> Withdrawn:
    """Take a version back. The file and its row stay, and are shown as taken back.

    Errors: NotFound (missing, or not to be seen), NotAuthorised, :class:`GivenByAnother`,
    :class:`NotWithdrawn`, Invalid (the reason), KeyReused, Busy.
    """
    given = reason.strip()
    wrong = reason_refusal(given)
    if wrong is not None:
        raise Invalid(f"{wrong}。", field="reason")

    def act(work: Work) -> dict[str, Any]:
        work.confirmed |= check_text(actor, "evidence.withdraw", "reason", given)
        return _withdraw(work, version_id, given, key)

    body = {"version": version_id, "reason": given}
    return Withdrawn(**execute(env, actor, "evidence.withdraw", key, body, act))


def _withdraw(work: Work, version_id: int, reason: str, key: str) -> dict[str, Any]:
    version = _version(work.db, version_id)
    branch = lock_branch(work, asked_in(work.db, version.slot_id).branch_id)
    asked = asked_in(work.db, version.slot_id)  # as it stands now that the branch is locked
    substitution = hold_acting(work, asked)
    gave = version.person_id == work.actor.person_id
    _require(branch, version, asked, gave=gave)
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
    if not gave:
        _tell_giver(branch, version, asked)
    return {"evidence_id": version.evidence_id}


def _require(branch: LockedBranch, version: Row[Any], asked: Row[Any], *, gave: bool) -> None:
    # asked anew under the lock: who gave it and who holds the post may do it at once
    withdrawn = _version(branch.work.db, version.id).withdrawal is not None
    asks, runs = asked.state == SlotState.OPEN, branch.state is BranchState.OPEN
    unreached = runs and asked.state == SlotState.UNREACHED
    if withdrawn or not (asks or unreached):
        raise NotWithdrawn
    if not may_withdraw(gave=gave, asks=asks, unreached=unreached):
        raise GivenByAnother


def _tell_giver(branch: LockedBranch, version: Row[Any], asked: Row[Any]) -> None:
    tell_person(
        branch.work.db,
        key=f"evidence_withdrawn:{version.id}",
        person_id=version.person_id,
        template="evidence_withdrawn",
        context={"post_id": asked.post_id, "about_step_id": asked.step_id},
        now=branch.work.now,
        case_id=branch.case_id,
    )


def _version(db: Connection, version_id: int) -> Row[Any]:
    wanted = (_versions.c[name] for name in ("id", "evidence_id", "slot_id", "person_id"))
    row = db.execute(
        select(*wanted, _withdrawals.c.id.label("withdrawal"))
        .outerjoin(_withdrawals, _withdrawals.c.version_id == _versions.c.id)
        .where(_versions.c.id == version_id)
    ).first()
    if row is None:
        raise NotFound
    return row
