"""Effects: each once in our record, done when it was done, and undone where a return wants it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date

from chaos.checks.findings import Kind, Violation
from chaos.checks.record import Record, day_of, grouped
from chaos.checks.states import twice, unsettled
from chaos.checks.tables import Row
from chaos.checks.trail import Trail

TELLING = {"tell_task_list": "task_list", "recall_task_list": "task_list_recalled"}
"""Effects whose outside is our own outbox: their trace there is a command ``effect-<id>``."""
_KEPT = (None, "keep", "redo")
"""What ``on_return`` may say without naming an undo."""


class Around:
    """What is looked up for each effect, by what it is looked up by."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.said: dict[str, list[Row]] = defaultdict(list)
        for row in record.messages:
            if row["key"].startswith("effect-"):
                self.said[row["key"].partition(":")[0]].append(row)
        self.undone = {(row["branch_id"], row["undoes"], row["round"]) for row in record.effects}
        self._problems = grouped(record.problems, "case_id")
        self._tasks = grouped(record.tasks, "problem_id")
        self._supports = grouped(record.supports, "task_id")
        self._leading = grouped(record.posts, "organisation_id")

    def units(self, case_id: int) -> list[int]:
        """The units that lead or support a task of a case."""
        problems = self._problems.get(case_id, ())
        tasks = [task for problem in problems for task in self._tasks.get(problem["id"], ())]
        found = {task["lead_unit_id"] for task in tasks}
        found |= {row["unit_id"] for task in tasks for row in self._supports.get(task["id"], ())}
        return sorted(found - {None})

    def heads(self, unit_id: int, on: date) -> list[int]:
        """Who holds the leading post of a unit on a day."""
        posts = self._leading.get(unit_id, [])
        return self.record.holders(posts[0]["id"], on) if posts else []


def wrong_effects(record: Record, trail: Trail) -> Iterator[Violation]:
    """What was done twice, not at all, or not as it is recorded."""
    yield from twice(record.effects, ("branch_id", "key", "round"), "effect")
    around, waiting = Around(record), {row["case_id"] for row in record.run_wakes}
    for effect in record.effects:
        ids = {"effect": effect["id"], "branch": effect["branch_id"], "key": effect["key"]}
        yield from _noted(trail, effect, ids)
        yield from _state(record, effect, ids)
        if effect["name"] in TELLING:
            yield from _trace(around, effect, ids)
        if effect["voided"]:
            yield from _undone(around, effect, ids)
        if effect["state"] in ("queued", "claimed") and effect["case_id"] not in waiting:
            yield Violation(Kind.LOST, "an effect waits and its run is not woken", ids)
        if unsettled(effect) and record.case[effect["case_id"]]["state"] == "ended":
            yield Violation(Kind.STATE, "a case has ended before its effects", ids)
    yield from _records(record, trail)
    yield from _ended_runs(record, waiting)


def _noted(trail: Trail, effect: Row, ids: Mapping[str, object]) -> Iterator[Violation]:
    """One entry tells that it was queued, one that it was done."""
    queued = trail.done["queued"][effect["id"]]
    done = trail.done["effect_done"][effect["id"]]
    entered = effect["state"] == "done" and effect["resolution"] == "enter"
    if queued != 1:
        kind = Kind.DOUBLED if queued else Kind.AUDIT
        yield Violation(kind, f"an effect was queued by {queued} entries", ids)
    if done > 1:
        yield Violation(Kind.DOUBLED, "an effect was recorded as done more than once", ids)
    if (effect["state"] == "done") != (done == 1 or entered):
        yield Violation(Kind.EFFECT, "an effect is not in the state that was audited", ids)


def _state(record: Record, effect: Row, ids: Mapping[str, object]) -> Iterator[Violation]:
    state, claimed = effect["state"], effect["claimed_at"] is not None
    over = effect["voided"] or record.case[effect["case_id"]]["state"] == "terminated"
    if state == "done" and effect["done_at"] is None:
        yield Violation(Kind.EFFECT, "an effect is done and has no time of it", ids)
    if state in ("claimed", "done") and not (claimed and effect["attempts"]):
        yield Violation(Kind.EFFECT, "an effect was done and never claimed", ids)
    if state == "withdrawn" and (claimed or not over):
        yield Violation(Kind.EFFECT, "an effect was withdrawn that was begun, or stands", ids)


def _trace(around: Around, effect: Row, ids: Mapping[str, object]) -> Iterator[Violation]:
    """What it did outside: nothing before it was claimed, everything once it is done."""
    key = f"effect-{effect['id']}"
    command, said = around.record.commanded.get(key), around.said.get(key, [])
    entered = effect["resolution"] == "enter"
    if effect["state"] == "done" and not entered:
        if command is None:
            yield Violation(Kind.LOST, "an effect is recorded as done and was not", ids)
        elif command["result"] != effect["result"]:
            yield Violation(Kind.CHANGED, "an effect has another result than it came to", ids)
        elif not effect["voided"]:
            yield from _heads(around, effect, said, ids)
    if command is not None and effect["claimed_at"] is None:
        yield Violation(Kind.EFFECT, "an effect was done before it was claimed", ids)
    for place, times in Counter((row["post_id"], row["person_id"]) for row in said).items():
        if times > 1:  # its holder and who stands in for them are told, each once
            ids = {**ids, "post": place[0], "person": place[1]}
            yield Violation(Kind.DOUBLED, "an effect told a post twice", ids)


def _heads(
    around: Around, effect: Row, said: list[Row], ids: Mapping[str, object]
) -> Iterator[Violation]:
    """The head of every unit that leads or supports a task of the case was told."""
    people, on = {row["person_id"] for row in said}, day_of(effect["queued_at"])
    for unit in around.units(effect["case_id"]):
        if not people.issuperset(around.heads(unit, on)):
            yield Violation(Kind.LOST, "an effect was done and did not tell", {**ids, "unit": unit})


def _undone(around: Around, effect: Row, ids: Mapping[str, object]) -> Iterator[Violation]:
    if effect["on_return"] in _KEPT or effect["undoes"] or effect["state"] == "withdrawn":
        return
    if (effect["branch_id"], effect["key"], effect["round"]) not in around.undone:
        yield Violation(Kind.LOST, "an effect was returned and nothing undoes it", ids)


def _records(record: Record, trail: Trail) -> Iterator[Violation]:
    """What was recorded inline and names an undo was undone with its return, once."""
    for fact in record.facts:
        times = trail.done["undone"][fact["id"]]
        wanted = fact["voided"] and fact["on_return"] not in _KEPT
        ids = {"fact": fact["id"], "branch": fact["branch_id"], "key": fact["key"]}
        if wanted and not times:
            yield Violation(Kind.LOST, "a record was returned and not undone", ids)
        if times > 1 or (times and not wanted):
            yield Violation(Kind.DOUBLED, "a record was undone more often than returned", ids)


def _ended_runs(record: Record, waiting: set[int]) -> Iterator[Violation]:
    """The end of a case is shown in Prefect, or its run will be woken to show it."""
    for case in record.cases:
        if case["state"] != "open" and case["mirrored"] != "end" and case["id"] not in waiting:
            yield Violation(Kind.LOST, "the end of a case is told to nobody", {"case": case["id"]})
