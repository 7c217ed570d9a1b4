"""What an act is made of: the fields it asks for, and what it is given when it is carried out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from policy.acts import Relation
from services.acts.about import About
from services.casework.branch import LockedBranch
from services.casework.over import already
from services.errors import AlreadyDecided


@dataclass(frozen=True, slots=True)
class Field:
    """Something the act's form asks for. ``options``: value and name, for a choice."""

    name: str
    kind: Literal["choice", "date", "text"]
    options: tuple[tuple[str, str], ...] = ()
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Acting:
    """An act under way, under the lock of its branch. ``given`` holds the checked fields."""

    branch: LockedBranch
    about: About
    relation: Relation
    post_id: int
    """The post by which it is done."""
    reason: str
    given: Mapping[str, Any]
    key: str


def _over(this: About) -> AlreadyDecided:
    said = "这一项已不需要办理：已经办理，或者已经退回。"
    return already(this.db, this.slot.case_id, said)


@dataclass(frozen=True, slots=True)
class Kind:
    """One act. ``open_to``: the slot is in the state for it, whoever asks; ``fields`` are asked
    both by the page and, under the lock, by the command; ``carry`` does it or raises a
    ``DutiesError``, and notes nothing of who and why: that is done for all acts alike.
    """

    fields: Callable[[About], tuple[Field, ...]]
    carry: Callable[[Acting], None]
    open_to: Callable[[About], bool] = lambda this: this.waits
    too_late: Callable[[About], AlreadyDecided] = _over
    """What somebody reads where it is not in that state."""


def nothing(this: About) -> tuple[Field, ...]:
    """For an act that asks for a reason only."""
    return ()
