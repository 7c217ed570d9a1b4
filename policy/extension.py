"""申请延期: who answers it, how often, and until when at most (replay.md, Deadlines)."""

from collections.abc import Iterable
from datetime import date, timedelta

from policy.duration import DurationKind
from policy.route import Seat, choose

MOST = 2
"""Extensions of one row, or of one step without a row, those before the case came here included."""
LONGEST = timedelta(days=366)
"""From the present date. 本系统建议值，无上位依据: later dates are typing errors."""
AGREE, AGREE_OTHER, REFUSE = "agree", "agree_other", "refuse"
ANSWERS = (AGREE, AGREE_OTHER, REFUSE)
GRANTED = frozenset({AGREE, AGREE_OTHER})
_KEY = "extension"


def request_key(step_id: int, n: int) -> str:
    """The key of the step in which the ``n``-th request for a step is answered."""
    return f"{_KEY}:{step_id}:{n}"


def subject_of(key: str) -> tuple[int, int]:
    """The step that a :func:`request_key` is about, and which request it was."""
    _, step_id, n = key.split(":")
    return int(step_id), int(n)


def may_move(kind: DurationKind) -> bool:
    """Whether such a deadline may be extended: not a day that is fixed for everybody."""
    return kind is not DurationKind.FIXED


def may_ask_until(until: date, due_on: date) -> bool:
    """Whether this date may be asked for, or granted, where the present one is ``due_on``."""
    return due_on < until <= due_on + LONGEST


def who_answers(route: Iterable[Seat], owner: Seat, granted: int) -> int | None:
    """The post that answers: the nearest up the route that may, for each extension already granted
    one further up; None where the route has nobody left."""
    found: list[Seat] = []
    for seat in route:
        if choose((seat,), owner, found).post_id is not None:
            found.append(seat)
    return found[granted].post_id if len(found) > granted else None
