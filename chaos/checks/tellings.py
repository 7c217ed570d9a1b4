"""Messages: who is asked was told once, and is told no more when it is over (INV-6, 9)."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from chaos.checks.findings import Kind, Violation
from chaos.checks.record import Record, day_of
from chaos.checks.states import twice
from chaos.checks.tables import Row
from chaos.checks.trail import Trail

_OPENED = ("opened", "returned")
_RAISED = ("raised", "deliberate")
_ONCE_A_STEP = {
    "opened": "opened",
    "returned": "opened",
    "raised": "raised",
    "deliberate": "raised",
}
"""What is said of a step to a person once, whichever of its wordings was chosen."""
_ONCE_A_DATE = {"remind", "due"}
_ONCE_A_CASE = {"ended", "terminated"}


def wrong_messages(record: Record, trail: Trail) -> Iterator[Violation]:
    """What was not said, what was said twice, what was taken back and should not have been."""
    yield from twice(record.messages, ("key",), "message")
    yield from _twice_by_meaning(record)
    for step in record.steps:
        told = record.messages_of.get(step["id"], [])
        yield from _told(record, trail, step, told)
        yield from _withdrawn(record, step, told)
    yield from _rungs_told(record, trail)


def _twice_by_meaning(record: Record) -> Iterator[Violation]:
    """Whatever its key says."""
    said: Counter[tuple[object, ...]] = Counter()
    for row in record.messages:
        if row["template"] in _ONCE_A_STEP:
            said[row["step_id"], row["person_id"], _ONCE_A_STEP[row["template"]]] += 1
        elif row["template"] in _ONCE_A_DATE:
            on = row["context"].get("due_on")
            said[row["step_id"], row["person_id"], row["template"], on] += 1
        elif row["template"] in _ONCE_A_CASE:
            said[row["case_id"], row["person_id"], row["template"]] += 1
    for (about, person, template, *_), times in said.items():
        if times > 1:
            ids = {"about": about, "person": person, "template": template, "times": times}
            yield Violation(Kind.DOUBLED, "a person was told the same more than once", ids)


def _told(record: Record, trail: Trail, step: Row, told: list[Row]) -> Iterator[Violation]:
    """Whoever held the post when it was asked; a vacant one has a case that asks its superior."""
    wanted = _RAISED if step["origin"] == "rung" else _OPENED
    people = {row["person_id"] for row in told if row["template"] in wanted}
    for slot in record.slots_of.get(step["id"], ()):
        asked_at: datetime = trail.seated.get(slot["id"]) or step["opened_at"]
        holders = record.holders(slot["post_id"], day_of(asked_at))
        ids = {"step": step["id"], "slot": slot["id"], "post": slot["post_id"]}
        for person in holders:
            if person not in people:
                ids |= {"person": person}
                yield Violation(Kind.LOST, "who is asked was not told", ids)
        gap = (step["id"], slot["post_id"]) in trail.gaps
        if not holders and gap and slot["post_id"] not in record.vacated:
            yield Violation(Kind.LOST, "a vacancy was noted and told to nobody", ids)


def _withdrawn(record: Record, step: Row, told: list[Row]) -> Iterator[Violation]:
    """While a step waits its messages stand; afterwards they are withdrawn with it.

    What a substitute was told and has not read goes with the substitution, if that ends first.
    Which was first is what the locks said: two that met may have read the clock the other way
    round.
    """
    for row in _asking(record, step, told):
        ids = {"message": row["id"], "step": step["id"]}
        over = None if row["read_at"] else record.substitution_over.get(row["substitution_id"])
        if over is not None and (step["state"] == "open" or over < step["closed_at"]):
            if row["withdrawn_at"] != over:
                what = "a message to a substitute was not withdrawn with the substitution"
                yield Violation(Kind.STATE, what, ids)
            continue
        if step["state"] == "open" and row["withdrawn_at"] is not None:
            yield Violation(Kind.LOST, "a message was withdrawn and its step waits", ids)
        if step["state"] != "open" and row["withdrawn_at"] is None:
            yield Violation(Kind.STATE, "a message stands and its step has ended", ids)
        elif step["state"] != "open" and row["withdrawn_at"] not in (step["closed_at"], over):
            yield Violation(Kind.LOST, "a message was withdrawn before its step had ended", ids)


def _asking(record: Record, step: Row, told: list[Row]) -> list[Row]:
    """What was told to posts with a seat in the step: a seat may have gone to another post (转办、
    改派), or been taken away (减签)."""
    seats = record.slots_of.get(step["id"], ())
    posts = {one["post_id"] for one in seats if one["state"] != "removed"}
    asking = (*_OPENED, *_RAISED, *_ONCE_A_DATE)
    return [row for row in told if row["template"] in asking and row["post_id"] in posts]


def _rungs_told(record: Record, trail: Trail) -> Iterator[Violation]:
    """With each rung that acted the holder of the late post was reminded of that date."""
    for rung in record.rungs:
        step, slot = record.step[rung["step_id"]], record.slot[rung["slot_id"]]
        if rung["note"] == "overtaken" or not step["due_at"]:
            continue
        if rung["deadline_version"] != step["deadline_version"]:
            continue
        template = "remind" if rung["kind"] == "remind" else "due"
        due_on = day_of(step["due_at"] - timedelta(seconds=1)).isoformat()
        said = {
            row["person_id"]
            for row in record.messages_of.get(step["id"], ())
            if row["template"] == template and row["context"].get("due_on") == due_on
        }
        missing = set(record.holders(slot["post_id"], day_of(rung["at"]))) - said
        for person in sorted(missing):
            ids = {"rung": rung["id"], "step": step["id"], "person": person}
            yield Violation(Kind.LOST, "a rung fired and its holder was not told", ids)
