"""What an act is made of: the fields it asks for, and what it is given when it is carried out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from policy.acts import Relation
from services.acts.about import About
from services.casework.branch import LockedBranch


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


@dataclass(frozen=True, slots=True)
class Kind:
    """One act. ``open_to``: the slot is in the state for it, whoever asks; ``fields`` are asked
    both by the page and, under the lock, by the command; ``carry`` does it or raises a
    ``DutiesError``, and notes nothing of who and why: that is done for all acts alike.
    """

    fields: Callable[[About], tuple[Field, ...]]
    carry: Callable[[Acting], None]
    open_to: Callable[[About], bool] = lambda this: this.waits


def nothing(this: About) -> tuple[Field, ...]:
    """For an act that asks for a reason only."""
    return ()
