"""What Prefect shows of a case is written anew also where no step was opened or closed (rule G)."""

from sqlalchemy import bindparam, update

from models.base import table
from models.casework import Case
from services.casework.branch import LockedBranch

_cases = table(Case)
_UNTABLE = update(_cases).where(_cases.c.id == bindparam("p_case")).values(tabled=None)


def show_anew(branch: LockedBranch) -> None:
    """Have the mirror look at the case of a branch: another post is asked, or by another day."""
    branch.work.db.execute(_UNTABLE, {"p_case": branch.case_id})
