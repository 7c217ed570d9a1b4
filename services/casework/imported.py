"""History that a case brings with it (存量台账): what was settled before it came to this house.

It is written under the keys of the mechanism's script before the first replay, so that the same
replay as for any other case finds it and goes on from where the work truly is: no edition of its
own and no branch in a script (rules A, F). A step of it asks no post and has no decision, because
nobody here decided it; a return before it asks afresh, of people (rule C).
"""

from typing import Any

from sqlalchemy import insert

from models.base import table
from models.casework import Effect, EffectState, Fact, Origin, Step, StepState
from services.casework.branch import LockedBranch
from services.casework.children import open_fanout
from services.casework.log import RECORD

IMPORTED = "imported"
"""The mode of a step that came settled: its outcome is nobody's answer."""
_effects = table(Effect)
_facts = table(Fact)
_steps = table(Step)


def bring_step(branch: LockedBranch, key: str, answer: str) -> None:
    """The first round of a step, settled with ``answer`` before the case came here."""
    now = branch.work.now
    values = {
        **_placed(branch, key),
        "case_id": branch.case_id,
        "origin": Origin.SCRIPT,
        "mode": IMPORTED,
        "answers": [answer],
        "form": "",
        "apart_from": [],
        "state": StepState.DECIDED,
        "answer": answer,
        "due_key": "",
        "provisional": False,
        "deadline_version": 1,
        "calendar_id": branch.calendar_id,
        "ladder": "",
        "rungs_fired": 0,
        "opened_at": now,
        "closed_at": now,
    }
    step_id = branch.work.db.execute(insert(_steps).returning(_steps.c.id), values).scalar_one()
    opened = {"step": step_id, "key": key, "round": 1, "slots": [], "posts": []}
    branch.note(act="opened", **opened, mode=IMPORTED)
    branch.note(act="decided", step=step_id, answer=answer, slots=[], mode=IMPORTED)


def bring_record(branch: LockedBranch, key: str, value: Any, on_return: str) -> None:
    """The first round of a ``record`` whose writing the import has done itself."""
    values = {**_placed(branch, key), "kind": RECORD, "value": value, "on_return": on_return}
    fact_id = branch.work.db.execute(insert(_facts).returning(_facts.c.id), values).scalar_one()
    branch.note(act="stored", kind=RECORD, fact=fact_id, key=key, round=1, mode=IMPORTED)


def bring_effect(branch: LockedBranch, key: str, name: str, on_return: str) -> None:
    """The first round of an effect that was had before: it is never run."""
    now = branch.work.now
    values = {
        **_placed(branch, key),
        "case_id": branch.case_id,
        "name": name,
        "state": EffectState.DONE,
        "on_return": on_return,
        "result": {IMPORTED: True},
        "attempts": 0,
        "error": "",
        "queued_at": now,
        "done_at": now,
    }
    made = branch.work.db.execute(insert(_effects).returning(_effects.c.id), values)
    branch.note(act="queued", effect=made.scalar_one(), key=key, round=1, mode=IMPORTED)


def bring_each(branch: LockedBranch, key: str, script: str, on_return: str) -> None:
    """The first round of an ``each`` all of whose rows had ended before the case came here."""
    open_fanout(branch, key, 1, (), script, on_return)


def _placed(branch: LockedBranch, key: str) -> dict[str, Any]:
    place = {"branch_id": branch.id, "key": key, "round": 1, "seq": branch.next_seq()}
    return place | {"voided": False}
