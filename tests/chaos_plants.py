"""Violations planted in a lived-in house: of promises, states and audit chains."""

from datetime import timedelta
from typing import Any

from chaos.checks.findings import Kind
from tests.forging import copy, shift
from tests.planting import (
    APPROVED,
    DONE_STEP,
    FIRST,
    FIRST_COMMAND,
    FIRST_SLOT,
    LATE_SLOT,
    OPEN_CHILD,
    OPEN_SLOT,
    OPEN_STEP,
    ROOT,
    YES,
    Plant,
    Told,
    again,
    entry,
    told,
)

PROMISES = (
    Plant(
        Kind.LOST,
        "an acknowledged decision is not stored",
        lines=(told("sent", "never"), told("answered", "never", status=200)),
    ),
    Plant(
        Kind.LOST,
        "an acknowledged decision is not stored",
        (f"DELETE FROM decision WHERE id = {FIRST}",),
    ),
    Plant(Kind.DOUBLED, "a request was carried out more than once", again("decision")),
    Plant(
        Kind.DOUBLED,
        "one slot was acknowledged to more than one request",
        lines=(told("answered", "other", status=303),),
    ),
    Plant(
        Kind.CHANGED,
        "one key was answered with two results",
        lines=(told("answered", status=200, body={"decision_id": 1, "late": True}),),
    ),
    Plant(
        Kind.CHANGED,
        "what was acknowledged is not what is stored",
        lines=(told("answered", status=200, body={"decision_id": 99}),),
    ),
    Plant(
        Kind.CHANGED,
        "one key was acknowledged and refused",
        lines=(told("answered", status=403),),
    ),
    Plant(
        Kind.CHANGED,
        "another answer is stored than was given",
        (f"UPDATE decision SET answer = 'agree' WHERE id = {FIRST}",),
    ),
    Plant(
        Kind.CHANGED,
        "another slot was decided than was asked for",
        lines=(told("sent", slot=99),),
    ),
    Plant(
        Kind.CHANGED,
        "another step was decided than was asked for",
        lines=(told("sent", step=99),),
    ),
    Plant(
        Kind.REFUSED,
        "a refused request was carried out",
        (
            "UPDATE decision SET key = CAST(person_id AS VARCHAR(9)) || '\\:chaos-tab'"
            f" WHERE id = {APPROVED}",
        ),
    ),
    Plant(
        Kind.REFUSED,
        "what was said not to be saved is stored",
        (
            "UPDATE decision SET key = CAST(person_id AS VARCHAR(9)) || '\\:busy'"
            f" WHERE id = {FIRST}",
        ),
        (told("sent", "busy"), told("answered", "busy", status=503, body={"error": "busy"})),
    ),
)
STATES: tuple[Plant, ...] = (
    *(
        Plant(Kind.DOUBLED, f"a {name} is there more than once", again(table))
        for table, name in {
            "decision": "decision",
            "command": "command",
            "case": "case",
            "step": "step",
            "slot": "slot",
            "fact": "fact",
            "fanout": "fanout",
            "duty_member": "member",
            "rung": "rung",
            "message": "message",
            "effect": "effect",
        }.items()
    ),
    Plant(
        Kind.DOUBLED,
        "a branch is there more than once",
        again("branch", "fanout_id IS NOT NULL"),
    ),
    Plant(
        Kind.DOUBLED,
        "a list is there more than once",
        (copy("step", "origin = 'rung' AND state = 'open'", id=9001, round=9),),
    ),
    Plant(
        Kind.LOST,
        "a row points to one that is not there",
        (f"DELETE FROM slot WHERE id = {LATE_SLOT}",),
    ),
    Plant(
        Kind.STATE,
        "a command has no key",
        ("UPDATE command SET key = '' WHERE id = (SELECT max(id) FROM command)",),
    ),
    Plant(
        Kind.STATE,
        "a command was begun and not ended",
        ("UPDATE command SET result = NULL WHERE id = (SELECT max(id) FROM command)",),
    ),
    Plant(
        Kind.LOST,
        "a deciding command left no decision",
        (f"DELETE FROM decision WHERE id = {FIRST}",),
    ),
    Plant(
        Kind.AUDIT,
        "a deciding command left no audit entry",
        (f"UPDATE audit SET command_id = command_id + 1 WHERE command_id = {FIRST_COMMAND}",),
    ),
    Plant(
        Kind.CHANGED,
        "a command tells another result than is stored",
        (f"UPDATE command SET result = '{{\"decision_id\": 99}}' WHERE id = {FIRST_COMMAND}",),
    ),
    Plant(
        Kind.STATE,
        "a decision was written by no command of its own",
        (f"UPDATE command SET name = 'other' WHERE id = {FIRST_COMMAND}",),
    ),
    Plant(
        Kind.LOST,
        "a slot is answered and has no decision",
        (f"DELETE FROM decision WHERE id = {FIRST}",),
    ),
    Plant(
        Kind.STATE,
        "a slot has a decision and is not answered",
        (f"UPDATE slot SET state = 'voided' WHERE id = {FIRST_SLOT}",),
    ),
    Plant(
        Kind.STATE,
        "a decision and its slot are not of one step",
        (f"UPDATE decision SET step_id = step_id + 1 WHERE id = {FIRST}",),
    ),
    Plant(
        Kind.STATE,
        "a step has ended and a slot of it is open",
        (f"UPDATE slot SET state = 'open' WHERE step_id = {DONE_STEP}",),
    ),
    Plant(
        Kind.STATE,
        "a step is open and no slot of it is",
        (f"UPDATE slot SET state = 'unreached' WHERE id = {OPEN_SLOT}",),
    ),
    Plant(
        Kind.STATE,
        "a step is open that was voided, or whose case has ended",
        (f"UPDATE step SET voided = {YES} WHERE id = {OPEN_STEP}",),
    ),
    Plant(
        Kind.STATE,
        "a step has another answer than its decisions make",
        (f"UPDATE step SET answer = 'return' WHERE id = {DONE_STEP}",),
    ),
    Plant(
        Kind.STATE,
        "a branch is open below one that is not",
        (f"UPDATE branch SET state = 'voided' WHERE id IN ({ROOT} 2)",),
    ),
    Plant(
        Kind.STATE,
        "a branch is open and its case has ended",
        ("UPDATE \"case\" SET state = 'ended'",),
    ),
    Plant(
        Kind.LOST,
        "a branch is stuck: nothing would ever wake it",
        (f"UPDATE step SET state = 'closed' WHERE id = {OPEN_STEP}",),
    ),
    Plant(
        Kind.LOST,
        "a blocked branch is not tried again",
        (f"UPDATE branch SET error = 'ValueError' WHERE id = {OPEN_CHILD}",),
    ),
    Plant(
        Kind.STATE,
        "a branch runs under an each that is over",
        (f"UPDATE fanout SET ended = {YES}",),
    ),
    Plant(
        Kind.LOST,
        "the end of an each is not told to its branch",
        ("UPDATE branch SET state = 'ended' WHERE script = 'do_task'",),
    ),
)
CHAINS = (
    Plant(
        Kind.AUDIT,
        "an entry does not follow the last one",
        ("DELETE FROM audit WHERE stream = 'branch/1' AND n = 2",),
    ),
    Plant(
        Kind.AUDIT,
        "an entry is not as it was hashed",
        ("UPDATE audit SET body = replace(body, 'agree', 'return')",),
    ),
    Plant(
        Kind.AUDIT,
        "an entry cannot be read",
        ("UPDATE audit SET body = 'gone' WHERE id = (SELECT max(id) FROM audit)",),
    ),
    Plant(
        Kind.AUDIT,
        "an entry names a command that is not there",
        ("DELETE FROM command WHERE id = (SELECT min(command_id) FROM audit)",),
    ),
    Plant(
        Kind.AUDIT,
        "an entry names another person than its command",
        (f"UPDATE command SET person_id = person_id + 1 WHERE id = {FIRST_COMMAND}",),
    ),
    Plant(
        Kind.AUDIT,
        "an entry was written at another time than it says",
        (shift("audit", "at", "n = 2", timedelta(hours=1)),),
    ),
    Plant(
        Kind.AUDIT,
        "the head is not the last entry",
        ("DELETE FROM audit WHERE id = (SELECT max(id) FROM audit WHERE stream = 'branch/1')",),
    ),
    Plant(
        Kind.LOST,
        "a decision that was audited is not stored",
        (f"DELETE FROM decision WHERE id = {FIRST}",),
    ),
    Plant(Kind.AUDIT, "a decision has no audit entry", again("decision", key="extra")),
    Plant(Kind.DOUBLED, "a decision was audited twice", (entry('"decision":'),)),
    Plant(
        Kind.AUDIT,
        "a decision is not as it was audited",
        (f"UPDATE decision SET reason = '改了' WHERE id = {FIRST}",),
    ),
    Plant(
        Kind.LOST,
        "a step that was audited is not stored",
        (f"DELETE FROM step WHERE id = {OPEN_STEP}",),
    ),
    Plant(
        Kind.LOST,
        "a slot that was audited is not stored",
        (f"DELETE FROM slot WHERE id = {OPEN_SLOT}",),
    ),
    Plant(
        Kind.AUDIT,
        "no entry tells of a step",
        (copy("step", "id > 0", id=9001, key="extra"),),
    ),
    Plant(
        Kind.AUDIT,
        "no entry tells of a fact",
        (copy("fact", "id > 0", id=9001, key="extra"),),
    ),
    Plant(
        Kind.AUDIT,
        "no entry tells of a branch",
        (f"UPDATE branch SET state = 'ended' WHERE id = {OPEN_CHILD}",),
    ),
    Plant(
        Kind.STATE,
        "a step is not in the state that was audited",
        (f"UPDATE step SET state = 'closed' WHERE id = {DONE_STEP}",),
    ),
    Plant(
        Kind.AUDIT,
        "no entry tells of a case",
        ("UPDATE \"case\" SET state = 'terminated' WHERE id = 2",),
    ),
    Plant(
        Kind.STATE,
        "a case was terminated and is carried on",
        ("UPDATE \"case\" SET state = 'open' WHERE id = 3",),
    ),
    Plant(
        Kind.STATE,
        "a slot was answered after its step had ended",
        (entry('"decision":'),),
    ),
    Plant(Kind.DOUBLED, "a step was opened twice", (entry('"act":"opened"'),)),
    Plant(Kind.DOUBLED, "a fact was audited twice", (entry('"act":"stored"'),)),
)


def _about(event: str, key: str = "ended", **values: Any) -> Told:
    """A line about the case that was terminated."""
    about = {"person": "inspection_head", "kind": "terminate", "about": 3}
    return told(event, key, slot=None, **about | values)


_POST, _PERSON = "(SELECT min(id) FROM post)", "(SELECT min(id) FROM person)"
_ENDING = "(SELECT id FROM command WHERE name = 'case.terminate')"
_ASKED = (
    "UPDATE command SET key = CAST(person_id AS VARCHAR(9)) || '\\:ended'"
    " WHERE name = 'case.terminate'",
)
ACTS = (
    Plant(
        Kind.LOST,
        "an acknowledged act is not stored",
        lines=(_about("sent"), _about("answered", status=303)),
    ),
    Plant(
        Kind.CHANGED,
        "another act is stored than was asked for",
        _ASKED,
        (_about("sent", kind="make"),),
    ),
    Plant(
        Kind.CHANGED,
        "one act was acknowledged and refused",
        _ASKED,
        (_about("answered", status=303), _about("answered", status=409)),
    ),
    Plant(
        Kind.REFUSED,
        "a refused act was carried out",
        _ASKED,
        (_about("answered", status=409),),
    ),
    Plant(
        Kind.DOUBLED,
        "one act was acknowledged to more than one request",
        _ASKED,
        (_about("answered", status=303), _about("answered", "other", status=303)),
    ),
    Plant(
        Kind.STATE,
        "an act was done by no command",
        (f"UPDATE command SET name = 'other' WHERE id = {_ENDING}",),
    ),
    Plant(
        Kind.LOST,
        "an act was commanded and not done",
        ("UPDATE \"case\" SET state = 'open' WHERE id = 3",),
    ),
    Plant(
        Kind.CHANGED,
        "an act is not by who commanded it",
        ('UPDATE "case" SET ended_by = ended_by + 1 WHERE id = 3',),
    ),
    Plant(
        Kind.AUDIT,
        "an act left no audit entry",
        (f"UPDATE audit SET command_id = command_id + 1000 WHERE command_id = {_ENDING}",),
    ),
    Plant(
        Kind.STATE,
        "a message to a substitute was not withdrawn with the substitution",
        (
            "INSERT INTO substitution (id, post_id, person_id, substitute_post_id, substitute_id,"
            " every_mechanism, starts_on, ends_on, reason, made_by, made_as, made_at, ended_at,"
            f" ended_how) VALUES (9001, {_POST}, {_PERSON}, {_POST}, {_PERSON} + 1, {YES},"
            f" '2026-01-01', '2026-02-01', '出差', {_PERSON}, {_POST},"
            " '2026-01-01 00\\:00\\:00', '2026-01-02 00\\:00\\:00', 'revoked')",
            "UPDATE message SET substitution_id = 9001",
        ),
    ),
)
