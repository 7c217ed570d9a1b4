"""Where a rectification stands, told from its decisions alone: the order of its steps written anew.

Each script below says what comes next. It is walked through what a branch has that was not voided;
where something is missing that should follow, or something is there that should not, it is named.
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

from chaos.checks.findings import Kind, Violation
from chaos.checks.record import Record, grouped
from chaos.checks.states import unsettled
from chaos.checks.tables import Row

Place = tuple[str, str]
"""What kind of thing comes next, and its key."""
Course = Generator[Place, str, None]


def _rectification() -> Course:
    yield "step", "assign-roles"
    yield "record", "save-roles"
    yield "step", "draft-plan"
    while (yield "step", "review-plan") == "return":
        yield "step", "revise-plan"
    yield "step", "approve-plan"
    yield "record", "publish"
    yield "effect", "tell-task-list"
    yield "each", "problems"
    yield "fact", "verified-here"
    yield "step", "draw-sample"
    yield "each", "sample"
    yield "fact", "figures"
    yield "step", "draft-report"
    yield "step", "approve-report"
    yield "each", "long-term"


def _problem() -> Course:
    yield "each", "tasks"
    verified = "return"
    while verified == "return":
        yield "step", "apply-closing"
        yield "step", "sign"
        verified = yield "step", "verify"
    yield "record", "close"


def _sampled() -> Course:
    while (yield "step", "recheck") == "return":
        yield "record", "reopen"
        yield "step", "apply-again"
        yield "step", "sign-again"
    yield "record", "settle-sample"


def _kept() -> Course:
    verified = "return"
    while verified == "return":
        yield "fact", "review-date"
        yield "record", "review-date"
        if (yield "step", "say-standing") == "ongoing":
            yield "record", "keep-up"
            continue
        yield "step", "sign-closing"
        verified = yield "step", "verify-closing"
    yield "record", "close-kept"


def _task() -> Course:
    confirmed = "return"
    while confirmed == "return":
        yield "step", "do-task"
        confirmed = yield "step", "confirm-task"
    yield "record", "confirm"


COURSES: dict[tuple[str, int, str], Callable[[], Course]] = {
    ("rectification", 2, ""): _rectification,
    ("rectification", 2, "close_problem"): _problem,
    ("rectification", 2, "do_task"): _task,
    ("rectification", 2, "check_again"): _sampled,
    ("rectification", 2, "keep_at_it"): _kept,
}
"""By mechanism, edition and script: those of the newest editions, which the runs begin with."""


@dataclass(slots=True)
class Branch:
    """A branch with what it has that was not voided, by kind and key, in order."""

    row: Row
    live: dict[Place, list[Row]] = field(default_factory=lambda: defaultdict(list))
    effects: list[Row] = field(default_factory=list)
    running: set[int] = field(default_factory=set)
    """Fan-outs with an open branch."""
    after: str = "its opening"
    _used: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    _reached: set[tuple[str, int]] = field(default_factory=set)

    def walk(self, course: Course) -> Place | str:
        """Where it stands: ``waits``, ``over``, or the place of what is missing."""
        try:
            place = next(course)
            while True:
                row = self._take(place)
                if row is None:
                    return place
                if self._waits(place, row):
                    return "waits"
                if place[0] == "each" and not row["ended"]:
                    return "end of each", place[1]
                place = course.send(row.get("answer") or "")
        except StopIteration:
            return "over"

    def beyond(self) -> list[Place]:
        """What is there and should not be: the walk did not come to it."""
        return [
            place
            for place, rows in self.live.items()
            for row in rows
            if (place[0], row["id"]) not in self._reached and row.get("on_return") != "keep"
        ]

    def _take(self, place: Place) -> Row | None:
        used = self._used[place]
        if used >= len(self.live[place]):
            return None
        self._used[place] += 1
        row = self.live[place][used]
        self._reached.add((place[0], row["id"]))
        if place[0] == "step" and row["state"] == "decided":
            self.after = f"step {row['id']} ({place[1]}: {row['answer']})"
        return row

    def _waits(self, place: Place, row: Row) -> bool:
        if place[0] == "step":
            return bool(row["state"] == "open")
        return place[0] == "each" and row["id"] in self.running


def wrong_courses(record: Record) -> Iterator[Violation]:
    """Cases that are not at the step which their decisions imply."""
    for branch in _branches(record):
        case = record.case[branch.row["case_id"]]
        course = COURSES.get((case["mechanism"], case["edition"], branch.row["script"]))
        if course is not None and case["state"] != "terminated":
            yield from _standing(record, branch, course())
    yield from _returns(record)
    yield from _matters(record)


def _branches(record: Record) -> Iterator[Branch]:
    """Those that are open or have ended by themselves."""
    below = [row for row in record.branches if row["state"] == "open" and row["fanout_id"]]
    running = {row["fanout_id"] for row in below}
    found = {
        row["id"]: Branch(row, running=running)
        for row in record.branches
        if row["state"] in ("open", "ended")
    }
    kinds = (("step", record.steps), ("effect", record.effects), ("each", record.fanouts))
    rows = [(kind, row) for kind, rows in kinds for row in rows]
    rows += [(row["kind"], row) for row in record.facts]
    for kind, row in sorted(rows, key=lambda of: of[1]["round"]):
        branch = found.get(row["branch_id"])
        if branch is None:
            continue
        if kind == "effect":
            branch.effects.append(row)
        other = row.get("undoes") or row.get("origin", "script") != "script"
        if not row["voided"] and not other:
            branch.live[kind, row["key"]].append(row)
    return iter(found.values())


def _standing(record: Record, branch: Branch, course: Course) -> Iterator[Violation]:
    where = branch.walk(course)
    case, row = record.case[branch.row["case_id"]], branch.row
    ids: dict[str, object] = {"case": row["case_id"], "branch": row["id"]}
    woken = bool(record.woken.get(row["id"]))
    if row["state"] == "ended" and where != "over" and not _stopped(branch):
        yield Violation(Kind.COURSE, f"a branch has ended before its {where}", ids)
    elif row["state"] == "open" and isinstance(where, tuple) and not woken:
        what = f"{where[0]} {where[1]} is missing after {branch.after}"
        yield Violation(Kind.COURSE, what, ids)
    elif row["state"] == "open" and where == "over" and not woken:
        mine = branch.effects if row["parent_id"] else _of_case(record, row["case_id"])
        if not any(unsettled(effect) for effect in mine):
            yield Violation(Kind.COURSE, f"a branch is over after {branch.after}, yet open", ids)
    if row["parent_id"] is None and row["state"] == "ended" and case["state"] == "open":
        yield Violation(Kind.COURSE, "the root has ended and its case has not", ids)
    for kind, key in branch.beyond():
        what = f"{kind} {key} does not follow from {branch.after}"
        yield Violation(Kind.COURSE, what, ids)


def _stopped(branch: Branch) -> bool:
    """One that had ended and was voided from above later has nothing left that counts."""
    return not any(branch.live.values())


def _of_case(record: Record, case_id: int) -> list[Row]:
    return [effect for effect in record.effects if effect["case_id"] == case_id]


def _returns(record: Record) -> Iterator[Violation]:
    """A return to a chosen step voids every step since it."""
    steps = grouped((row for row in record.steps if row["origin"] == "script"), "branch_id")
    for decision in record.decisions:
        if decision["back_to"] is None:
            continue
        since = record.step[decision["step_id"]]["seq"]
        mine = [row for row in steps[decision["branch_id"]] if row["seq"] <= since]
        targets = [row["seq"] for row in mine if row["key"] == decision["back_to"]]
        for row in mine:
            if targets and row["seq"] >= max(targets) and not row["voided"]:
                ids = {"decision": decision["id"], "step": row["id"]}
                yield Violation(Kind.COURSE, "a step stands that was returned", ids)


def _in_question(record: Record) -> set[int]:
    """Problems that a sample opened again and has not settled."""
    live = [row for row in record.facts if not row["voided"]]
    settled = {row["branch_id"] for row in live if row["key"] == "settle-sample"}
    opened = {row["branch_id"] for row in live if row["key"] == "reopen"} - settled
    return {record.branch[branch_id]["row_id"] for branch_id in opened}


def _matters(record: Record) -> Iterator[Violation]:
    """Problems and tasks are where the records of their branches have put them."""
    done = {
        (record.branch[row["branch_id"]]["row_id"], row["key"])
        for row in record.facts
        if not row["voided"] and row["key"] in ("close", "confirm")
    }
    published = {
        record.branch[row["branch_id"]]["case_id"]
        for row in record.facts
        if not row["voided"] and row["key"] == "publish"
    }
    case_of = {row["id"]: row["case_id"] for row in record.problems}
    reopened = _in_question(record)
    for problem in record.problems:
        closed = (problem["id"], "close") in done and problem["id"] not in reopened
        if closed != (problem["state"] != "open"):
            ids = {"problem": problem["id"], "state": problem["state"]}
            yield Violation(Kind.COURSE, "a problem is not as its branch has left it", ids)
    for task in record.tasks:
        ids = {"task": task["id"], "state": task["state"]}
        if (task["id"], "confirm") in done and not task["long_term"]:
            if task["state"] != "confirmed":
                yield Violation(Kind.COURSE, "a confirmed task is not confirmed", ids)
        elif task["state"] == "published" and case_of[task["problem_id"]] not in published:
            yield Violation(Kind.COURSE, "a task is published and its plan is not", ids)
