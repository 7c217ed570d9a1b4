"""States: decisions, slots, steps, branches and commands fit one another (INV-2, 3, 5, 6)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from chaos.checks.findings import Kind, Violation
from chaos.checks.record import Record, grouped
from chaos.checks.tables import Row
from chaos.checks.trail import Trail

_UNIQUE: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "decisions": (("key",), ("slot_id",)),
    "commands": (("key",),),
    "cases": (("number",),),
    "steps": (("branch_id", "key", "round"),),
    "slots": (("step_id", "post_id"),),
    "facts": (("branch_id", "kind", "key", "round"),),
    "fanouts": (("branch_id", "key", "round"),),
    "members": (("step_id", "rung_id"),),
}


def wrong_states(record: Record, trail: Trail) -> Iterator[Violation]:
    """What is there twice, what is half done, and what does not fit."""
    for table, keys in _UNIQUE.items():
        for key in keys:
            yield from twice(getattr(record, table), key, table.removesuffix("s"))
    rows = [row for row in record.branches if row["fanout_id"] is not None]
    yield from twice(rows, ("fanout_id", "row_id"), "branch")
    yield from _commands(record, trail)
    yield from _slots(record)
    for step in record.steps:
        yield from _step(record, step)
    yield from _branches(record)
    yield from _fanouts(record)


def twice(rows: list[Row], key: tuple[str, ...], name: str) -> Iterator[Violation]:
    """Rows that have these columns in common."""
    seen = Counter(tuple(row[column] for column in key) for row in rows)
    for values, times in seen.items():
        if times > 1:
            ids = dict(zip(key, values, strict=True)) | {"times": times}
            yield Violation(Kind.DOUBLED, f"a {name} is there more than once", ids)


def _commands(record: Record, trail: Trail) -> Iterator[Violation]:
    """A command has its result, a deciding one its decision in its branch: all or none (INV-6)."""
    made = {row["key"]: row for row in record.decisions}
    for command in record.commands:
        ids = {"command": command["id"], "key": command["key"]}
        if not command["key"]:
            yield Violation(Kind.STATE, "a command has no key", ids)
        if command["result"] is None:
            yield Violation(Kind.STATE, "a command was begun and not ended", ids)
        if command["name"] == "step.decide":
            yield from _deciding(command, made.pop(command["key"], None), trail)
    for row in made.values():
        ids = {"decision": row["id"], "key": row["key"]}
        yield Violation(Kind.STATE, "a decision was written by no command of its own", ids)


def _deciding(command: Row, row: Row | None, trail: Trail) -> Iterator[Violation]:
    ids = {"command": command["id"], "key": command["key"]}
    if row is None:
        yield Violation(Kind.LOST, "a deciding command left no decision", ids)
    elif (command["id"], row["branch_id"]) not in trail.writers:
        yield Violation(Kind.AUDIT, "a deciding command left no audit entry", ids)
    elif not _tells(command, row):
        yield Violation(Kind.CHANGED, "a command tells another result than is stored", ids)


def _tells(command: Row, row: Row) -> bool:
    told: Mapping[str, Any] = command["result"] or {}
    wanted = {"decision_id": row["id"], "step_id": row["step_id"], "case_id": row["case_id"]}
    return command["person_id"] == row["person_id"] and wanted.items() <= told.items()


def _slots(record: Record) -> Iterator[Violation]:
    """Answered if and only if there is a decision, which is about this slot and its post."""
    for slot in record.slots:
        made = record.decisions_of.get(slot["id"], [])
        ids = {"slot": slot["id"], "state": slot["state"]}
        if slot["state"] == "answered" and not made:
            yield Violation(Kind.LOST, "a slot is answered and has no decision", ids)
        if slot["state"] != "answered" and made:
            yield Violation(Kind.STATE, "a slot has a decision and is not answered", ids)
        for row in made:
            mine = (slot["step_id"], slot["branch_id"], slot["post_id"])
            if (row["step_id"], row["branch_id"], row["post_id"]) != mine:
                ids |= {"decision": row["id"]}
                yield Violation(Kind.STATE, "a decision and its slot are not of one step", ids)


def _step(record: Record, step: Row) -> Iterator[Violation]:
    """A step ends with the answer that its slots' decisions make."""
    slots, ids = record.slots_of.get(step["id"], []), {"step": step["id"], "key": step["key"]}
    waiting = [slot for slot in slots if slot["state"] == "open"]
    held = [slot for slot in slots if slot["state"] == "held"]
    if step["state"] != "open" and (waiting or held):
        yield Violation(Kind.STATE, "a step has ended and a slot of it is open", ids)
    if step["state"] == "open" and not waiting:
        yield Violation(Kind.STATE, "a step is open and no slot of it is", ids)
    if step["state"] == "open" and (step["voided"] or not record.is_open(step["case_id"])):
        yield Violation(Kind.STATE, "a step is open that was voided, or whose case has ended", ids)
    made = [row for slot in slots for row in record.decisions_of.get(slot["id"], ())]
    own = [slot for slot in slots if slot["added_to"] is None]
    given = sorted(said for slot in own if (said := _said(record, slot, slots)) is not None)
    entitled = len(own) + len(step["turns"] or ())
    answer = _outcome(step["mode"], [said for _, said in given], entitled)
    if any(row["back_to"] is not None for row in made):
        answer = "return"
    if step["state"] in ("open", "decided") and step["answer"] != answer:
        ids |= {"stored": step["answer"], "decided": answer}
        yield Violation(Kind.STATE, "a step has another answer than its decisions make", ids)


def _said(record: Record, slot: Row, slots: list[Row]) -> tuple[int, str] | None:
    """What a slot and those added to it (加签) say as one, by the decision of its own: a return, or
    its own answer once all of them have answered."""
    added = [one for one in slots if one["added_to"] == slot["id"] and one["state"] != "removed"]
    made = [record.decisions_of.get(one["id"], []) for one in (slot, *added)]
    rows = [rows[0] for rows in made if rows]
    if any(row["answer"] == "return" for row in rows):
        return max(row["id"] for row in rows), "return"
    complete = len(rows) == len(made) and not slot["turns"]
    return (made[0][0]["id"], made[0][0]["answer"]) if complete else None


def _outcome(mode: str, given: list[str], asked: int) -> str | None:
    """One answer is enough, or all are heard unless one returns it (会签、依次), or a vote is won,
    or lost beyond help (票决)."""
    if mode in ("majority", "two_thirds"):
        wanted = asked // 2 + 1 if mode == "majority" else -(-2 * asked // 3)
        agreed = given.count("agree")
        lost = asked - (len(given) - agreed) < wanted
        return "agree" if agreed >= wanted else "return" if lost else None
    if mode not in ("all", "in_turn"):
        return given[0] if given else None
    if "return" in given:
        return "return"
    return given[-1] if given and len(given) == asked else None


def _branches(record: Record) -> Iterator[Violation]:
    """Nothing goes on under what was stopped or has ended, and nothing is stuck."""
    steps, effects = grouped(record.steps, "branch_id"), grouped(record.effects, "case_id")
    below = grouped((row for row in record.branches if row["parent_id"]), "parent_id")
    woken = record.woken
    for branch in record.branches:
        ids = {"branch": branch["id"], "case": branch["case_id"]}
        if branch["state"] != "open":
            if any(child["state"] == "open" for child in below.get(branch["id"], ())):
                yield Violation(Kind.STATE, "a branch is open below one that is not", ids)
        elif not record.is_open(branch["case_id"]):
            yield Violation(Kind.STATE, "a branch is open and its case has ended", ids)
        elif not (
            _asked(steps.get(branch["id"], []))
            or any(child["state"] == "open" for child in below.get(branch["id"], ()))
            or any(_acts(branch, effect) for effect in effects.get(branch["case_id"], ()))
            or any(wake["kind"] in ("advance", "date") for wake in woken.get(branch["id"], ()))
        ):
            yield Violation(Kind.LOST, "a branch is stuck: nothing would ever wake it", ids)
        blocked = branch["state"] == "open" and branch["error"] is not None
        if blocked and not record.woken.get(branch["id"]):
            yield Violation(Kind.LOST, "a blocked branch is not tried again", ids)


def _asked(steps: list[Row]) -> bool:
    own = ("script", "operator")
    return any(step["state"] == "open" and step["origin"] in own for step in steps)


def _acts(branch: Row, effect: Row) -> bool:
    """Whether a branch may wait for an effect: its own; the root for any of the case."""
    mine = effect["branch_id"] == branch["id"] or branch["parent_id"] is None
    return mine and unsettled(effect)


def unsettled(effect: Row) -> bool:
    """Whether an effect still needs a run, or the operator."""
    failed = effect["state"] == "failed" and effect["resolution"] is None
    return failed or effect["state"] in ("queued", "claimed")


def _fanouts(record: Record) -> Iterator[Violation]:
    """An ``each`` ends when its last branch has; until that was noticed, a wake stands for it."""
    rows = grouped((row for row in record.branches if row["fanout_id"]), "fanout_id")
    for fanout in record.fanouts:
        running = [row for row in rows.get(fanout["id"], ()) if row["state"] == "open"]
        ids = {"fanout": fanout["id"], "branch": fanout["branch_id"]}
        if running and (fanout["ended"] or fanout["voided"]):
            yield Violation(Kind.STATE, "a branch runs under an each that is over", ids)
        over = fanout["ended"] or fanout["voided"] or running
        waits = record.branch[fanout["branch_id"]]["state"] == "open"
        if not over and waits and not record.woken.get(fanout["branch_id"]):
            yield Violation(Kind.LOST, "the end of an each is not told to its branch", ids)
