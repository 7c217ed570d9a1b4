"""Violations planted in a lived-in house: of rungs, messages, effects, and of where cases stand."""

from datetime import timedelta

from chaos.checks.findings import Kind
from tests.forging import copy, shift
from tests.planting import (
    DONE_STEP,
    LATE_SLOT,
    NO,
    OPEN_CHILD,
    OPEN_SLOT,
    OPEN_STEP,
    ROOT,
    TWO,
    YES,
    Plant,
    entry,
)

RUNGS = (
    Plant(
        Kind.STATE,
        "a step has no deadline",
        (f"UPDATE step SET due_at = NULL WHERE id = {OPEN_STEP}",),
    ),
    Plant(
        Kind.TIME,
        "a rung fired early",
        (shift("rung", "at", "kind = 'superior'", timedelta(days=-15)),),
    ),
    Plant(
        Kind.TIME,
        "a rung fired that the ladder does not have",
        ("UPDATE rung SET number = 77 WHERE id = (SELECT min(id) FROM rung)",),
    ),
    Plant(
        Kind.LOST,
        "a rung was passed and left no row",
        (f"DELETE FROM rung WHERE kind = 'due' AND slot_id = {OPEN_SLOT}",),
    ),
    Plant(
        Kind.TIME,
        "a rung fired and will fire again",
        (f"UPDATE step SET rungs_fired = 1 WHERE id = {OPEN_STEP}",),
    ),
    Plant(
        Kind.TIME,
        "the next rung is not when the ladder says",
        (f"UPDATE step SET next_rung_at = opened_at WHERE id = {OPEN_STEP}",),
    ),
    Plant(
        Kind.LOST,
        "a rung was due and did not fire",
        (
            "DELETE FROM duty_member WHERE rung_id IN"
            f" (SELECT id FROM rung WHERE step_id = {OPEN_STEP})",
            f"DELETE FROM rung WHERE step_id = {OPEN_STEP}",
            f"UPDATE step SET rungs_fired = 0 WHERE id = {OPEN_STEP}",
        ),
    ),
    Plant(
        Kind.AUDIT,
        "no entry tells of a rung",
        (copy("rung", "note = ''", id=9001, deadline_version=2),),
    ),
    Plant(
        Kind.TIME,
        "a rung fired after the slot was settled",
        (
            "UPDATE rung SET slot_id ="
            f" (SELECT id FROM slot WHERE step_id = ({TWO} 'assign-roles'))"
            f" WHERE id = (SELECT min(id) FROM rung WHERE step_id = ({TWO} 'draft-plan'))",
        ),
    ),
    Plant(
        Kind.AUDIT,
        "a rung is not as it was audited",
        ("UPDATE rung SET deadline_version = 2",),
    ),
    Plant(
        Kind.DOUBLED,
        "a rung is on two lists",
        (copy("duty_member", "struck_at IS NULL", id=9001, step_id=1),),
    ),
    Plant(
        Kind.LOST,
        "a rung is on no list of the post it was raised to",
        ("DELETE FROM duty_member WHERE struck_at IS NULL",),
    ),
    Plant(
        Kind.LOST,
        "a settled slot stays on a list",
        (f"UPDATE slot SET state = 'answered' WHERE id = {LATE_SLOT}",),
    ),
    Plant(
        Kind.STATE,
        "a list is open and nobody is on it",
        ("UPDATE duty_member SET struck_at = (SELECT min(opened_at) FROM step)",),
    ),
)
MESSAGES = (
    Plant(
        Kind.DOUBLED,
        "a person was told the same more than once",
        (copy("message", "template = 'opened'", id=9001, key="again"),),
    ),
    Plant(
        Kind.DOUBLED,
        "a person was told the same more than once",
        (copy("message", "template = 'due'", id=9001, key="again"),),
    ),
    Plant(
        Kind.LOST,
        "who is asked was not told",
        (f"DELETE FROM message WHERE step_id = {DONE_STEP}",),
    ),
    Plant(
        Kind.LOST,
        "a vacancy was noted and told to nobody",
        ("DELETE FROM vacancy",),
    ),
    Plant(
        Kind.LOST,
        "a message was withdrawn and its step waits",
        ("UPDATE message SET withdrawn_at = created_at",),
    ),
    Plant(
        Kind.LOST,
        "a message was withdrawn before its step had ended",
        ("UPDATE message SET withdrawn_at = created_at",),
    ),
    Plant(
        Kind.STATE,
        "a message stands and its step has ended",
        (f"UPDATE message SET withdrawn_at = NULL WHERE step_id = {DONE_STEP}",),
    ),
    Plant(
        Kind.LOST,
        "a rung fired and its holder was not told",
        ("DELETE FROM message WHERE template = 'due'",),
    ),
)
EFFECTS = (
    Plant(Kind.DOUBLED, "an effect was queued by 2 entries", (entry('"act":"queued"'),)),
    Plant(
        Kind.DOUBLED,
        "an effect was recorded as done more than once",
        (entry('"act":"effect_done"'),),
    ),
    Plant(
        Kind.EFFECT,
        "an effect is not in the state that was audited",
        ("UPDATE effect SET state = 'done' WHERE state = 'queued'",),
    ),
    Plant(
        Kind.EFFECT,
        "an effect is done and has no time of it",
        ("UPDATE effect SET done_at = NULL",),
    ),
    Plant(
        Kind.EFFECT,
        "an effect was done and never claimed",
        ("UPDATE effect SET claimed_at = NULL",),
    ),
    Plant(
        Kind.EFFECT,
        "an effect was done before it was claimed",
        ("UPDATE effect SET claimed_at = NULL",),
    ),
    Plant(
        Kind.EFFECT,
        "an effect was withdrawn that was begun, or stands",
        ("UPDATE effect SET state = 'withdrawn'",),
    ),
    Plant(
        Kind.LOST,
        "an effect is recorded as done and was not",
        ("DELETE FROM command WHERE key = 'effect-1'",),
    ),
    Plant(
        Kind.CHANGED,
        "an effect has another result than it came to",
        ("UPDATE effect SET result = '{\"units\": 99}' WHERE id = 1",),
    ),
    Plant(
        Kind.LOST,
        "an effect was done and did not tell",
        ("DELETE FROM message WHERE key LIKE 'effect-3:%'",),
    ),
    Plant(
        Kind.DOUBLED,
        "an effect told a post twice",
        (copy("message", "key LIKE 'effect-1:%'", id=9001, key="effect-1:9:9"),),
    ),
    Plant(Kind.LOST, "an effect waits and its run is not woken", ("DELETE FROM run_wake",)),
    Plant(Kind.LOST, "the end of a case is told to nobody", ("DELETE FROM run_wake",)),
    Plant(
        Kind.LOST,
        "an effect was returned and nothing undoes it",
        ("DELETE FROM effect WHERE undoes IS NOT NULL",),
    ),
    Plant(
        Kind.STATE,
        "a case has ended before its effects",
        ("UPDATE \"case\" SET state = 'ended'",),
    ),
    Plant(
        Kind.LOST,
        "a record was returned and not undone",
        (f"UPDATE fact SET voided = {YES} WHERE key = 'publish'",),
    ),
    Plant(
        Kind.DOUBLED,
        "a record was undone more often than returned",
        (f"UPDATE fact SET voided = {NO} WHERE key = 'publish'",),
    ),
)
COURSES = (
    Plant(
        Kind.COURSE,
        "step do-task is missing after its opening",
        (f"DELETE FROM slot WHERE id = {OPEN_SLOT}", f"DELETE FROM step WHERE id = {OPEN_STEP}"),
    ),
    Plant(
        Kind.COURSE,
        "effect tell-task-list is missing after step 38 (approve-plan: agree)",
        ("DELETE FROM effect WHERE state = 'queued'",),
    ),
    Plant(
        Kind.COURSE,
        "fact figures does not follow from step 33 (approve-report: agree)",
        (f"UPDATE fact SET voided = {NO} WHERE key = 'figures'",),
    ),
    Plant(
        Kind.COURSE,
        "a branch has ended before its waits",
        (f"UPDATE branch SET state = 'ended' WHERE id = {OPEN_CHILD}",),
    ),
    Plant(
        Kind.COURSE,
        "a branch is over after step 33 (approve-report: agree), yet open",
        (
            f"UPDATE branch SET state = 'open' WHERE id IN ({ROOT} 1)",
            "UPDATE \"case\" SET state = 'open'",
        ),
    ),
    Plant(
        Kind.COURSE,
        "the root has ended and its case has not",
        ("UPDATE \"case\" SET state = 'open'",),
    ),
    Plant(
        Kind.COURSE,
        "a step stands that was returned",
        (f"UPDATE step SET voided = {NO} WHERE key = 'approve-plan'",),
    ),
    Plant(
        Kind.COURSE,
        "a problem is not as its branch has left it",
        ("UPDATE problem SET state = 'open'",),
    ),
    Plant(
        Kind.COURSE,
        "a confirmed task is not confirmed",
        ("UPDATE task SET state = 'published'",),
    ),
    Plant(
        Kind.COURSE,
        "a task is published and its plan is not",
        (f"UPDATE fact SET voided = {YES} WHERE key = 'publish'",),
    ),
    Plant(
        Kind.STATE,
        "a step is not voided as was audited",
        (f"UPDATE step SET voided = {YES} WHERE key LIKE 'rung:%' AND state = 'closed'",),
    ),
    *(
        Plant(
            Kind.STATE,
            f"a {table} is not voided as was audited",
            (f"UPDATE {table} SET voided = NOT voided",),
        )
        for table in ("fact", "effect", "fanout")
    ),
)
