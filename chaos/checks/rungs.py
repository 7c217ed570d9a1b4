"""Rungs: each once for its deadline, not early, not after the decision, none left out (INV-8).

When a rung is due is counted anew from the stored policy and the stored calendars.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from chaos.checks.findings import Kind, Violation
from chaos.checks.record import SHANGHAI, Record, day_of, grouped
from chaos.checks.states import twice
from chaos.checks.tables import Row
from chaos.checks.trail import Trail

_NINE = time(9)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Days:
    """A version of the calendar: the days that are not as their weekday says."""

    id: int
    published_at: datetime
    other: dict[date, bool]

    def works(self, day: date) -> bool:
        """Whether it is a working day."""
        return self.other.get(day, day.weekday() < 5)

    def after(self, day: date, count: int) -> date:
        """So many working days later."""
        while count:
            day += _DAY
            count -= self.works(day)
        return day

    def before(self, day: date) -> date:
        """This day, or the last working day before it."""
        while not self.works(day):
            day -= _DAY
        return day


def wrong_rungs(record: Record, trail: Trail, looked_at: datetime | None) -> Iterator[Violation]:
    """``looked_at``: when the watch has certainly looked at everything; None: nobody knows."""
    yield from twice(record.rungs, ("slot_id", "number", "deadline_version"), "rung")
    calendars, policies = _calendars(record), {row["id"]: row["policy"] for row in record.policies}
    fired = grouped(record.rungs, "step_id")
    for step in record.steps:
        policy = policies[record.case[step["case_id"]]["policy_id"]]
        ladder = _ladder(policy, step)
        mine = [
            row
            for row in fired.get(step["id"], ())
            if row["deadline_version"] == step["deadline_version"]
        ]
        for rung in mine if step["due_at"] else ():
            known = [days for days in calendars if days.published_at <= rung["at"]]
            yield from _early(rung, step, ladder, known[-1] if known else calendars[0])
        if step["due_at"] is None or step["calendar_id"] is None:
            yield Violation(Kind.STATE, "a step has no deadline", {"step": step["id"]})
        elif step["state"] == "open":
            newer = [days for days in calendars if days.id >= step["calendar_id"]]
            yield from _missing(record, step, mine, [_due(step, ladder, days) for days in newer])
            yield from _looked(step, [_due(step, ladder, days) for days in newer], looked_at)
    yield from _after_the_end(record, trail)
    yield from _lists(record)


def _calendars(record: Record) -> list[Days]:
    days = grouped(record.days, "version_id")
    return [
        Days(
            row["id"],
            row["published_at"],
            {day["day"]: day["working"] for day in days.get(row["id"], ())},
        )
        for row in record.calendars
    ]


def _ladder(policy: Row, step: Row) -> list[Row]:
    """The rungs of a step: not those for undated steps, where its row has a date."""
    if not step["ladder"] or not step["due_key"]:
        return []
    dated = policy["durations"][step["due_key"]]["kind"] == "row"
    rungs = policy["ladders"][step["ladder"]]["rungs"]
    return [rung for rung in rungs if not (dated and rung["undated_only"])]


def _at(offset: int, step: Row, days: Days) -> datetime:
    """Nine o'clock in Shanghai: so many days before the last day in time, or working days after."""
    due_on, opened_on = day_of(step["due_at"] - timedelta(seconds=1)), day_of(step["opened_at"])
    if offset < 0:
        on = days.before(due_on + timedelta(days=offset))
    else:
        on = days.after(max(due_on, opened_on), offset + 1)
    return datetime.combine(on, _NINE, SHANGHAI).astimezone(UTC)


def _due(step: Row, ladder: list[Row], days: Days) -> list[tuple[int, datetime]]:
    """The rungs that a step has, with their instants: of reminders the first after its opening."""
    found, reminded = [], False
    for rung in ladder:
        at = _at(rung["offset"], step, days)
        if rung["kind"] == "remind":
            if reminded or day_of(at) <= day_of(step["opened_at"]):
                continue
            reminded = True
        found.append((rung["number"], at))
    return found


def _early(rung: Row, step: Row, ladder: list[Row], days: Days) -> Iterator[Violation]:
    ids = {"rung": rung["id"], "step": step["id"], "number": rung["number"]}
    offset = next((r["offset"] for r in ladder if r["number"] == rung["number"]), None)
    if offset is None:
        yield Violation(Kind.TIME, "a rung fired that the ladder does not have", ids)
    elif rung["at"] < _at(offset, step, days):
        yield Violation(Kind.TIME, "a rung fired early", ids)


def _missing(
    record: Record, step: Row, fired: list[Row], due: list[list[tuple[int, datetime]]]
) -> Iterator[Violation]:
    """Up to the last one that fired each slot that still waits has its row, and the next is set."""
    last = step["rungs_fired"]
    wanted = {number for number, _ in due[0] if number <= last}
    for slot in record.slots_of.get(step["id"], ()):
        has = {row["number"] for row in fired if row["slot_id"] == slot["id"]}
        for number in sorted(wanted - has) if slot["state"] == "open" else ():
            ids = {"step": step["id"], "slot": slot["id"], "number": number}
            yield Violation(Kind.LOST, "a rung was passed and left no row", ids)
    if any(row["number"] > last for row in fired):
        yield Violation(Kind.TIME, "a rung fired and will fire again", {"step": step["id"]})
    if step["paused_at"] is not None and step["next_rung_at"] is None:
        return
    coming = {next((at for number, at in one if number > last), None) for one in due}
    if step["next_rung_at"] not in coming:
        ids = {"step": step["id"], "next": step["next_rung_at"]}
        yield Violation(Kind.TIME, "the next rung is not when the ladder says", ids)


def _looked(
    step: Row, due: list[list[tuple[int, datetime]]], looked_at: datetime | None
) -> Iterator[Violation]:
    if looked_at is None or step["paused_at"] is not None:
        return
    for number, at in due[-1]:
        if step["rungs_fired"] < number and at <= looked_at:
            ids = {"step": step["id"], "number": number}
            yield Violation(Kind.LOST, "a rung was due and did not fire", ids)


def _after_the_end(record: Record, trail: Trail) -> Iterator[Violation]:
    """By the order of the chain: instants are taken before a lock is waited for."""
    for rung in record.rungs:
        ids = {"rung": rung["id"], "slot": rung["slot_id"]}
        closed = trail.places.get(("slot", rung["slot_id"]))
        at = trail.places.get(("rung", rung["id"]))
        if at is None and rung["note"] != "overtaken":
            yield Violation(Kind.AUDIT, "no entry tells of a rung", ids)
        if at is not None and not _as_told(rung, trail.rungs[rung["id"]]):
            yield Violation(Kind.AUDIT, "a rung is not as it was audited", ids)
        if at is not None and closed is not None and at > closed:
            yield Violation(Kind.TIME, "a rung fired after the slot was settled", ids)


def _as_told(rung: Row, said: Row) -> bool:
    columns = {
        "step": "step_id",
        "slot": "slot_id",
        "number": "number",
        "kind": "kind",
        "deadline": "deadline_version",
        "post": "post_id",
        "note": "note",
    }
    return all(said[name] == rung[column] for name, column in columns.items())


def _lists(record: Record) -> Iterator[Violation]:
    """A raised slot is on one list until it is settled, or a wake will put it there."""
    lists = grouped(record.members, "rung_id")
    coming = {(wake["kind"], wake["subject_id"]) for wake in record.wakes}
    for rung in record.rungs:
        step, slot = record.step[rung["step_id"]], record.slot[rung["slot_id"]]
        on, ids = lists.get(rung["id"], []), {"rung": rung["id"], "slot": slot["id"]}
        if len(on) > 1:
            yield Violation(Kind.DOUBLED, "a rung is on two lists", ids)
        stands = rung["deadline_version"] == step["deadline_version"] and slot["state"] == "open"
        raised = rung["post_id"] is not None and ("raise", rung["id"]) not in coming
        if stands and raised and not on:
            yield Violation(Kind.LOST, "a rung is on no list of the post it was raised to", ids)
        for member in on:
            waits = member["struck_at"] is None and _open(record, member["step_id"])
            if waits and slot["state"] != "open" and ("strike", rung["id"]) not in coming:
                yield Violation(Kind.LOST, "a settled slot stays on a list", ids)
    yield from _same_lists(record)


def _same_lists(record: Record) -> Iterator[Violation]:
    open_lists = [row for row in record.steps if row["origin"] == "rung" and row["state"] == "open"]
    yield from twice(open_lists, ("branch_id", "key"), "list")
    waiting = grouped((row for row in record.members if row["struck_at"] is None), "step_id")
    for step in open_lists:
        if not waiting.get(step["id"]):
            yield Violation(Kind.STATE, "a list is open and nobody is on it", {"step": step["id"]})


def _open(record: Record, step_id: int) -> bool:
    return bool(record.step[step_id]["state"] == "open")
