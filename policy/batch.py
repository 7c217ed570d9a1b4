"""The life of an import in two steps: staged, then applied or dropped; applied ones are undone."""

from collections.abc import Mapping
from enum import StrEnum


class BatchState(StrEnum):
    """Where an import stands."""

    STAGED = "staged"
    APPLIED = "applied"
    UNDONE = "undone"
    DROPPED = "dropped"


ALLOWED: Mapping[BatchState, frozenset[BatchState]] = {
    BatchState.STAGED: frozenset({BatchState.APPLIED, BatchState.DROPPED}),
    BatchState.APPLIED: frozenset({BatchState.UNDONE}),
    BatchState.UNDONE: frozenset(),
    BatchState.DROPPED: frozenset(),
}


def may_become(state: BatchState, wanted: BatchState) -> bool:
    """Whether an import in ``state`` can get into the other."""
    return wanted in ALLOWED[state]
