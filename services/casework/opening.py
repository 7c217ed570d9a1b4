"""A case is opened in two moves: its rows, then its first replay, in one transaction."""

from collections.abc import Callable

from sqlalchemy import Connection, insert

from models.base import table
from models.casework import Branch, Case, CaseState
from policy.defaults import DEFAULT, Policy
from services.casework.branch import (
    EditionMissing,
    LockedBranch,
    fresh_branch,
    lock_branch,
    wake_run,
)
from services.casework.replay import advance
from services.command import Work
from services.env import Env
from services.policy import freeze

_branches = table(Branch)
_cases = table(Case)


def new_case(
    work: Work,
    *,
    mechanism: str,
    organisation_id: int,
    number: str,
    edition: int | None = None,
    urgent: bool = False,
    policy: Policy = DEFAULT,
) -> int:
    """Insert a case of an edition (the newest) of a mechanism, with its policy frozen; its id.

    Nothing is asked yet: link the rows the script reads, then :func:`start_case`.
    """
    values = {
        "number": number,
        "mechanism": mechanism,
        "edition": edition_for(work.env, mechanism, edition),
        "organisation_id": organisation_id,
        "policy_id": freeze(work.db, policy),
        "state": CaseState.OPEN,
        "urgent": urgent,
        "opened_at": work.now,
    }
    case_id = int(work.db.execute(insert(_cases).returning(_cases.c.id), values).scalar_one())
    work.db.execute(insert(_branches), fresh_branch(case_id, work.now))
    wake_run(work, case_id)
    return case_id


def edition_for(env: Env, mechanism: str, edition: int | None = None) -> int:
    """The edition, by default the newest, if this code has it; :class:`EditionMissing` if not."""
    editions = [number for name, number in env.mechanisms if name == mechanism]
    if not editions or (edition is not None and edition not in editions):
        raise EditionMissing(mechanism=mechanism, edition=edition)
    return edition or max(editions)


def start_case(
    work: Work, case_id: int, before: Callable[[LockedBranch], None] | None = None
) -> None:
    """Replay a new case for the first time; if the script fails, the case stands and is 受阻.

    ``before`` writes the history the case brings with it (:mod:`services.casework.imported`).
    """
    branch = lock_branch(work, root_of(work.db, case_id))
    branch.note(act="case_opened", mechanism=branch.mechanism_name, edition=branch.edition)
    if before is not None:
        before(branch)
    advance(branch)
    branch.save()


def open_case(
    work: Work,
    *,
    mechanism: str,
    organisation_id: int,
    number: str,
    edition: int | None = None,
    urgent: bool = False,
    policy: Policy = DEFAULT,
) -> int:
    """:func:`new_case` and :func:`start_case`, for a script that reads no rows of its own."""
    case_id = new_case(
        work,
        mechanism=mechanism,
        organisation_id=organisation_id,
        number=number,
        edition=edition,
        urgent=urgent,
        policy=policy,
    )
    start_case(work, case_id)
    return case_id


def root_of(db: Connection, case_id: int) -> int:
    """The id of a case's root branch."""
    root = _branches.c.case_id == case_id, _branches.c.parent_id.is_(None)
    return int(db.execute(_branches.select().where(*root)).one().id)
