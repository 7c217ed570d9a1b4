"""What a launch would come to: each case is opened, looked at, and taken back at once.

Nothing is guessed from the script, and nobody waits: each has a transaction of its own.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Never

from sqlalchemy import select

from models.base import table
from models.casework import Branch, Slot, SlotState, Step
from models.organisation import Appointment
from services.casework import open_case
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import DutiesError
from services.launch import launchable, require_launcher
from services.numbering import next_number
from services.scope import in_force

_appointments = table(Appointment)
_branches = table(Branch)
_slots = table(Slot)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class Preview:
    """Open steps and the people they would wait on."""

    cases: int
    steps: int
    people: int
    vacant: int
    """Posts that would be asked and that nobody holds."""
    failing: tuple[int, ...]
    """Organisations whose case could not be opened, or would be 受阻 at once."""


@dataclass(frozen=True, slots=True)
class _Opened:
    steps: int
    people: frozenset[int]
    vacant: frozenset[int]


class _TakenBack(Exception):
    """Rolls back what was opened to be looked at; None: it is 受阻."""

    def __init__(self, opened: _Opened | None) -> None:
        super().__init__()
        self.opened = opened


def preview(env: Env, actor: Actor, mechanism: str, organisations: Collection[int]) -> Preview:
    """What a launch for these would come to now. Errors as of ``launch``."""
    wanted = sorted(set(organisations))
    opened = {one: _tried(env, actor, mechanism, one) for one in wanted}
    seen = [one for one in opened.values() if one is not None]
    return Preview(
        cases=len(seen),
        steps=sum(one.steps for one in seen),
        people=len(frozenset[int]().union(*(one.people for one in seen))),
        vacant=len(frozenset[int]().union(*(one.vacant for one in seen))),
        failing=tuple(id_ for id_, one in opened.items() if one is None),
    )


def _tried(env: Env, actor: Actor, mechanism: str, organisation_id: int) -> _Opened | None:
    def act(work: Work) -> Never:
        require_launcher(work)
        edition = launchable(env, mechanism)
        case_id = open_case(
            work,
            mechanism=mechanism,
            edition=edition,
            organisation_id=organisation_id,
            number=next_number(work, env.mechanisms[mechanism, edition].series),
        )
        raise _TakenBack(_seen(work, case_id))

    try:
        execute(env, actor, "launch.preview", f"launch.preview:{organisation_id}", {}, act)
    except _TakenBack as back:
        return back.opened
    except DutiesError:
        raise
    except Exception:  # whatever is wrong with one is said of it, and the others are looked at
        pass
    return None


def _seen(work: Work, case_id: int) -> _Opened | None:
    blocked = _branches.c.case_id == case_id, _branches.c.error.is_not(None)
    if work.db.execute(select(_branches.c.id).where(*blocked)).first() is not None:
        return None
    asked = _rows(
        work,
        select(_slots.c.post_id, _steps.c.id)
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .where(_steps.c.case_id == case_id, _slots.c.state == SlotState.OPEN),
    )
    posts = frozenset(row.post_id for row in asked)
    held = _rows(
        work,
        select(_appointments.c.post_id, _appointments.c.person_id).where(
            _appointments.c.post_id.in_(posts), in_force(_appointments.c, work.today)
        ),
    )
    return _Opened(
        steps=len({row.id for row in asked}),
        people=frozenset(row.person_id for row in held),
        vacant=posts - {row.post_id for row in held},
    )


def _rows(work: Work, query: Any) -> list[Any]:
    return list(work.db.execute(query))
