"""``each``: a branch per row, opened in one go and ended once (rule B)."""

from collections.abc import Sequence

from sqlalchemy import func, insert, literal, select, update

from models.base import table
from models.casework import Branch, BranchState, Fanout, Wake, WakeKind
from services.casework.branch import LockedBranch, fresh_branch
from services.casework.log import EACH, Entry

_branches = table(Branch)
_fanouts = table(Fanout)
_wakes = table(Wake)


def open_fanout(
    branch: LockedBranch,
    key: str,
    round_: int,
    rows: Sequence[int],
    script: str,
    on_return: str | None,
) -> Entry:
    """Insert a branch for each row and an ``advance`` row for each; they are replayed afterwards.

    KeyError for a script the mechanism does not have.
    """
    work, seq = branch.work, branch.next_seq()
    values = {
        "branch_id": branch.id,
        "key": key,
        "round": round_,
        "seq": seq,
        "ended": False,
        "voided": False,
        "on_return": on_return,
    }
    fanout_id = work.db.execute(insert(_fanouts).returning(_fanouts.c.id), values).scalar_one()
    branch.note(act="fanned", fanout=fanout_id, key=key, round=round_, rows=list(rows))
    _open_branches(branch, fanout_id, rows, script)
    return Entry(EACH, fanout_id, key, round_, seq, False, "open", None, None, on_return, None)


def open_children(branch: LockedBranch, fanout_id: int) -> int:
    """How many branches of an ``each`` have not ended: all a parent ever reads of them."""
    query = select(func.count()).where(
        _branches.c.fanout_id == fanout_id, _branches.c.state == BranchState.OPEN
    )
    return int(branch.work.db.execute(query).scalar_one())


def close_fanout(branch: LockedBranch, fanout_id: int) -> None:
    """Store the end of an ``each``: from now on no row is added and no branch reopened."""
    branch.work.db.execute(update(_fanouts).where(_fanouts.c.id == fanout_id).values(ended=True))
    branch.note(act="joined", fanout=fanout_id)


def _open_branches(branch: LockedBranch, fanout_id: int, rows: Sequence[int], script: str) -> None:
    if not rows:
        return
    work, row_kind = branch.work, branch.mechanism.scripts[script].row
    fresh = fresh_branch(branch.case_id, work.now, script=script) | {
        "parent_id": branch.id,
        "fanout_id": fanout_id,
        "row_kind": row_kind,
        "paused_by": branch.paused_by,
    }
    work.db.execute(insert(_branches), [{**fresh, "row_id": row_id} for row_id in rows])
    opened = select(
        _branches.c.id,
        literal(WakeKind.ADVANCE.value),
        literal(0),
        literal(work.now, _wakes.c.try_at.type),
    ).where(_branches.c.fanout_id == fanout_id)
    work.db.execute(insert(_wakes).from_select(["branch_id", "kind", "attempts", "try_at"], opened))
    work.after_commit(work.env.nudge)
