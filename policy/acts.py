"""The acts an office knows beside deciding (转办、接办、催办 …): who may, and within what limits.

A table and pure rules: what an act does stands in ``services/acts/``, one file each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from policy.calendar import local_day

URGES_A_DAY, URGES_IN_ALL = 1, 3
"""催办 of one slot: more would be the formalism that §1.8 of the domain forbids."""
MOST_ADDED = 3
"""加签 in one step, whoever adds: more would be a round of signatures for its own sake (§1.8)."""
TRANSFERS = 1
"""转办 of one slot by those who are asked; whoever would pass it on once more asks the superior."""


class Act(StrEnum):
    """What somebody does to a thing that waits, or waited, without deciding it."""

    TRANSFER = "transfer"
    """转办: who is asked gives it to another post of the unit."""
    TAKE_OVER = "take_over"
    """接办: a superior does it themselves."""
    URGE = "urge"
    """催办: a message to who is asked; nothing else changes."""
    WITHDRAW = "withdraw"
    """撤回: who decided takes it back while nobody has built on it; they are asked anew."""
    CORRECT = "correct"
    """更正: who decided says what was wrong in it after others went on; the original stays."""
    EXTEND = "extend"
    """申请延期: who is asked asks a superior for a later date in time."""
    ADD_APPROVER = "add_approver"
    """加签: who is asked has another post answer as well, before, beside or after them."""
    REMOVE_APPROVER = "remove_approver"
    """减签: whoever was added and has not answered is asked no more."""
    DELEGATE = "delegate"
    """委托: who is asked lets another post of the unit answer this once in their place."""
    END_DELEGATION = "end_delegation"
    """收回委托: they answer it themselves after all."""
    RECORD = "record"
    """代录: a clerk records what who is asked signed on paper (线下签批登记)."""


class Place(StrEnum):
    """Where an added approver stands to who added them."""

    BEFORE = "before"
    """前加签: they answer first, then it comes back."""
    BESIDE = "beside"
    """并签: both are asked at once, and both must answer."""
    AFTER = "after"
    """后加签: they are asked once who added them has agreed."""


class Relation(StrEnum):
    """What a person is to a slot. The first of an act's relations that holds is its basis."""

    ASKED = "asked"
    """They hold the post that is asked, or stand in for its holder (离岗委托)."""
    SUPERIOR = "superior"
    """One of their posts is above it in its line (CK-8)."""
    OFFICE = "office"
    """They lead the inspection or Party office that serves the case's organisation."""
    DECIDER = "decider"
    """They answered it, and still hold that post or stand in for its holder; or it was recorded
    from a paper as theirs (代录), whatever they hold now."""
    RECORDER = "recorder"
    """They are a clerk (联络员) of the unit of the post that is asked, or work in the Party office
    that serves it (for no discipline organ); and neither are asked themselves nor above who is."""


OF_THE_POST = frozenset({Relation.ASKED, Relation.DECIDER})
"""By the post of the slot itself, so that a substitution may be the basis, and nothing more needs
to be seen of the case."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may do an act, and whether they say why."""

    by: tuple[Relation, ...]
    needs_reason: bool


RULES: Mapping[Act, Rule] = {
    Act.TRANSFER: Rule((Relation.ASKED,), True),
    Act.TAKE_OVER: Rule((Relation.SUPERIOR,), True),
    Act.URGE: Rule((Relation.SUPERIOR, Relation.OFFICE), False),
    Act.WITHDRAW: Rule((Relation.DECIDER,), True),
    Act.CORRECT: Rule((Relation.DECIDER,), True),
    Act.EXTEND: Rule((Relation.ASKED,), True),
    Act.ADD_APPROVER: Rule((Relation.ASKED,), True),
    Act.REMOVE_APPROVER: Rule((Relation.ASKED, Relation.SUPERIOR), True),
    Act.DELEGATE: Rule((Relation.ASKED,), True),
    Act.END_DELEGATION: Rule((Relation.ASKED,), True),
    Act.RECORD: Rule((Relation.RECORDER,), False),
}


def may_urge(before: Sequence[datetime], now: datetime) -> bool:
    """Whether a slot may be urged once more, after those urges of it under its present deadline."""
    today = local_day(now)
    return len(before) < URGES_IN_ALL and sum(local_day(at) == today for at in before) < URGES_A_DAY
