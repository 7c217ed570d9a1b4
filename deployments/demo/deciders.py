"""The simulated deciders: when each of them answers what, by chance but with fixed counts.

Five tasks are reported late, by so many working days that superiors, their superior and at last
a 研判 are asked; one review, one task and one verification are returned; the leader in charge
voids one whole plan. Everything else is answered in time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from policy.calendar import SHANGHAI, Calendar, local_day
from policy.deadline import due_day
from policy.outcome import RETURN

LATE_BY = (8, 9, 18, 19, 28)
"""Working days by which the five late tasks are reported after their date: past the rungs of 5,
15 and 25 working days, with time left for the superiors to answer theirs."""
_PATIENCE = {
    "assign-roles": (1, 2),
    "draft-plan": (2, 4),
    "review-plan": (1, 3),
    "revise-plan": (1, 2),
    "approve-plan": (1, 2),
    "confirm-task": (1, 3),
    "apply-closing": (1, 2),
    "sign": (1, 2),
    "verify": (1, 4),
    "draw-sample": (1, 2),
    "recheck": (1, 4),
    "draft-report": (2, 5),
    "approve-report": (1, 2),
}
"""After how many working days a step of the script is answered: at least, at most."""
_RETURNER_AFTER = 4
"""The reviewer who returns the plan is the last to answer: the others are heard first."""
_AT_ONCE = timedelta(hours=4)
"""Superiors answer their duties on the morning they get them."""


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task of the plan as it is chosen from."""

    id: int
    problem_id: int
    lead_unit_id: int
    due_on: date
    long_term: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open slot; ``row_id`` is the task or problem of its branch."""

    slot_id: int
    key: str
    round: int
    position: int
    post_id: int
    row_id: int | None
    due_at: datetime
    answers: tuple[str, ...]
    by_script: bool


@dataclass(frozen=True, slots=True)
class Given:
    """What a decider answers."""

    answer: str
    reason: str = ""
    back_to: str | None = None


class Deciders:
    """Everybody in the demonstration. The same seed makes the same choices in the same order."""

    def __init__(self, random: Random, tasks: Sequence[PlannedTask], calendar: Calendar) -> None:
        self._random = random
        self._calendar = calendar
        self._due_on = {task.id: task.due_on for task in tasks}
        self._late = dict(zip(_apart(random, tasks, calendar), LATE_BY, strict=True))
        self._task = _returned(random, [task for task in tasks if task.id not in self._late])
        self._problem = random.choice(sorted({task.problem_id for task in tasks}))
        self._reviewer = random.randrange(3)

    def when(self, waiting: Waiting, now: datetime) -> datetime:
        """When this slot will be answered; in time, but for the five."""
        if not waiting.by_script:
            return now + _AT_ONCE * self._random.uniform(0.1, 1)
        if waiting.key == "do-task" and waiting.row_id in self._late:
            late_by = self._late[waiting.row_id]
            return self._hour(self._calendar.add_working_days(due_day(waiting.due_at), late_by))
        least, most = self._patience(waiting, now)
        day = self._after(now, self._random.randint(least, most))
        return self._hour(min(day, self._last_day(waiting)))

    def answer(self, waiting: Waiting) -> Given:
        """What this slot is answered with: the first answer it declares, but for the returns."""
        if waiting.round == 1 and waiting.by_script:
            returned = self._return(waiting)
            if returned is not None:
                return returned
        return Given(waiting.answers[0], "" if waiting.by_script else "请抓紧办理")

    def _return(self, waiting: Waiting) -> Given | None:
        if waiting.key == "review-plan" and waiting.position == self._reviewer:
            return Given(RETURN, "部分任务的完成标准不可检查，请补充")
        if waiting.key == "approve-plan":
            return Given(RETURN, "重点问题的措施不够有力，请重新制定", "draft-plan")
        if waiting.key == "confirm-task" and waiting.row_id == self._task:
            return Given(RETURN, "没有达到完成标准，请继续落实")
        if waiting.key == "verify" and waiting.row_id == self._problem:
            return Given(RETURN, "缺一个月的记录，请补充后再申请")
        return None

    def _patience(self, waiting: Waiting, now: datetime) -> tuple[int, int]:
        if waiting.key == "review-plan" and waiting.round == 1:
            returns = waiting.position == self._reviewer
            return (_RETURNER_AFTER,) * 2 if returns else _PATIENCE[waiting.key]
        if waiting.key != "do-task":
            return _PATIENCE[waiting.key]
        left = self._calendar.working_days_between(local_day(now), due_day(waiting.due_at))
        if waiting.row_id == self._task:
            return (1, max(1, left // 3))
        return (1, max(1, left))

    def _after(self, now: datetime, days: int) -> date:
        return self._calendar.add_working_days(local_day(now), days)

    def _last_day(self, waiting: Waiting) -> date:
        return self._calendar.working_on_or_before(due_day(waiting.due_at))

    def _hour(self, day: date) -> datetime:
        """Some minute of the office hours of a day."""
        minutes = self._random.randrange(30, 8 * 60)
        opens = datetime.combine(day, time(9), SHANGHAI)
        return (opens + timedelta(minutes=minutes)).astimezone(UTC)


def _apart(random: Random, tasks: Sequence[PlannedTask], calendar: Calendar) -> list[int]:
    """Five tasks of different units and days, so that each is raised on a list of its own.

    Dates around a holiday are days apart and one working day: it is the first that counts.
    """
    units = sorted({task.lead_unit_id for task in tasks})
    while True:
        chosen = [
            random.choice([t for t in tasks if t.lead_unit_id == unit and not t.long_term])
            for unit in random.sample(units, len(LATE_BY))
        ]
        if len({calendar.add_working_days(t.due_on, 1) for t in chosen}) == len(chosen):
            return [task.id for task in chosen]


def _returned(random: Random, tasks: Sequence[PlannedTask]) -> int:
    """A task of the later half: there is time to do it again."""
    later = sorted(tasks, key=lambda task: (task.due_on, task.id))[len(tasks) // 2 :]
    return random.choice(later).id
