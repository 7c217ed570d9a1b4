"""Numbers that count on from row to row, checked so that one mistake is one fault.

After a number that is wrong or cannot be read nobody knows what the office meant by it, so the
next row may go on from what it should have been, or from what it says.
"""

import re
from collections.abc import Collection

from documents.sheet_table import Table, TableRow

_TASK = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


class Count:
    """One run 1, 2, 3 …; with ``again`` a number may also stand in several rows one after another.

    ``expected`` is the next new number.
    """

    def __init__(self, *, again: bool = False) -> None:
        self._again = again
        self._last: set[int] = {0}

    @property
    def expected(self) -> int:
        """The number that comes next, as far as is known."""
        return min(self._last, default=0) + 1

    def forget(self) -> None:
        """Rows were passed over that may belong to this run: whatever comes next is right."""
        self._last = set()

    def perhaps(self) -> None:
        """A row whose number belongs to this run or to another."""
        self._last |= {last + 1 for last in self._last}

    def take(self, number: int) -> bool:
        """Whether the next row's number is right; 0, for one that could not be read, is."""
        fits = {last + 1 for last in self._last}
        if self._again:
            fits |= self._last - {0}
        right = number in fits or not self._last
        if number or fits:
            self._last = {number} if right and number else fits | ({number} if number else set())
        return right or not number


def number_problems(found: Table, outer: str, inner: str) -> set[int]:
    """Check that problems count on in blocks, and what shows them in each block.

    Returns the rows of which nobody can say to what problem they belong.
    """
    problems, shown = Count(again=True), Count()
    seen: set[int] = set()
    doubtful: set[int] = set()
    last = 0
    lost = False
    for row in found.rows:
        number, expected = row.number_in(outer), problems.expected
        right = problems.take(number)
        if not right:
            row.fault(outer, _of_problem(number, expected, seen))
        if not number or not right:
            doubtful.add(row.number)
            lost = True
            continue
        if number != last:
            shown = Count()
        if lost:
            shown.forget()
        _check_shown(row, inner, shown)
        seen.add(number)
        last, lost = number, False
    return doubtful


def _of_problem(number: int, expected: int, seen: Collection[int]) -> str:
    if number in seen:
        return f"第 {number} 号问题的各行应放在一起"
    return f"问题应从 1 起连续编号，这里应为 {expected}"


def _check_shown(row: TableRow, column: str, shown: Count) -> None:
    expected = shown.expected
    if not shown.take(row.number_in(column)):
        row.fault(column, f"同一问题的表现应从 1 起连续编号，这里应为 {expected}")


class TaskNumbers:
    """The numbers ``2-3`` of tasks: the third of the second problem."""

    def __init__(self, problems: Collection[int] | None) -> None:
        self._problems = problems
        self._counts: dict[int, Count] = {}
        self._lost = False
        """A task's problem could not be read, so no problem is said to have none."""

    def check(self, row: TableRow, problem: int, number: str) -> None:
        """Look at a task's problem (0: unread) and number (empty: unread)."""
        known = self._problems is None or problem in self._problems
        parts = _TASK.fullmatch(number)
        if problem and not known:
            row.fault("问题序号", f"问题清单中没有第 {problem} 号问题")
        if not problem or not known:  # what it belongs to, its own number tells
            problem = int(parts[1]) if parts else 0
        if not problem:
            self._lost = True
            for count in self._counts.values():
                count.perhaps()
            return
        count = self._counts.get(problem) or self._begun(problem)
        expected = f"{problem}-{count.expected}"
        own = int(parts[2]) if parts and int(parts[1]) == problem else 0
        right = count.take(own) and own
        if number and not right:
            row.fault("任务序号", f"同一问题的任务应连续编号，这里应为 {expected}")

    def _begun(self, problem: int) -> Count:
        count = self._counts[problem] = Count()
        if self._lost:
            count.forget()
        return count

    def without_tasks(self) -> list[int]:
        """The problems that no task belongs to."""
        if self._lost:
            return []
        return sorted(set(self._problems or ()) - set(self._counts))
