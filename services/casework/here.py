"""Where a script stands: handed to the functions it names (participants, rows, facts, records)."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from services.command import Work

if TYPE_CHECKING:
    from services.casework.branch import LockedBranch


@dataclass(frozen=True, slots=True)
class Here:
    """A branch at the moment of a replay, inside its transaction."""

    work: Work
    case_id: int
    organisation_id: int
    branch_id: int
    row_id: int | None
    by: int | None = None
    """Where what somebody filled in is checked: the person whose decision it is."""

    @property
    def db(self) -> Connection:
        """The connection of the transaction."""
        return self.work.db

    @property
    def on(self) -> date:
        """Today in Shanghai, by the injected clock."""
        return self.work.today

    @property
    def row(self) -> int:
        """The id of the row the branch is about; LookupError in a root branch."""
        if self.row_id is None:
            raise LookupError("a root branch is about no row")
        return self.row_id


def here_of(work: Work, branch: "LockedBranch", by: int | None = None) -> Here:
    """Where a locked branch stands; ``by`` as in :class:`Here`."""
    return Here(work, branch.case_id, branch.organisation_id, branch.id, branch.row_id, by)
