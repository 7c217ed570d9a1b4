"""Every text that people give passes the gate, by a table that no input of a command escapes."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bench.sanitise import written
from documents.fault import Fault
from models.audit import Audit, Command
from models.base import table
from models.casework import Decision
from policy.sanitise import Kind, Level, findings
from policy.text_fields import FIELDS, NO_TEXT, Effect
from services.casework import decide
from services.command import Actor
from services.errors import Invalid
from services.evidence_intake import Upload, keep
from services.faulty import Faulty
from services.sanitising import Unconfirmed, UnconfirmedFile, check_file, check_text, refused_name
from tests.house import calls, dotted, functions, sources
from tests.parts_case import cast, start, values
from tests.world import Clock, World

DOUBTFUL = written("公开的服务电话{landline}无人接听")
SURE = written("负责人手机{mobile}")
GATES = ("check_text", "check_file", "refused_name")
TEXT = re.compile(r"\b(?:str|bytes|Upload)\b|^Any$")
"""Annotations of what may hold words."""


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    yield from cast(engine, Clock())


def named(node: ast.expr) -> str:
    """The name of a command, with the holes of an f-string; '' for one that is made elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    return ast.unparse(node)[2:-1] if isinstance(node, ast.JoinedStr) else ""


def inputs(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Command and parameter of all that may hold a text, of the functions that run a command."""
    for function in functions(tree):
        commands = {
            named(call.args[2])
            for call in calls(function)
            if dotted(call.func) == "execute" and len(call.args) > 5
        }
        given = [*function.args.args, *function.args.kwonlyargs]
        for one in given:
            kind = ast.unparse(one.annotation) if one.annotation else ""
            if one.arg != "key" and TEXT.search(kind):
                yield from ((command, one.arg) for command in commands if command)


def gated(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Command and field of each call of the gate; a field in a variable is one of the literals of
    its function."""
    for function in functions(tree):
        literals = {
            str(node.value)
            for node in ast.walk(function)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for call in calls(function):
            gate = dotted(call.func)
            if gate not in GATES:
                continue
            command = named(call.args[0 if gate == "refused_name" else 1])
            name = {"check_text": call.args[2], "refused_name": call.args[1]}.get(gate)
            if name is None:
                yield command, "data"
            elif isinstance(name, ast.Constant):
                yield command, str(name.value)
            else:
                yield from ((command, literal) for literal in literals)


def trees() -> list[ast.Module]:
    """The services."""
    return [ast.parse(path.read_text()) for path in sources("services")]


def test_no_text_of_a_command_is_without_an_entry_and_no_entry_without_a_text() -> None:
    found = {one for tree in trees() for one in inputs(tree)}
    assert found - FIELDS.keys() - NO_TEXT.keys() == set()
    assert FIELDS.keys() - found == set()
    assert NO_TEXT.keys() - found == set()
    assert FIELDS.keys() & NO_TEXT.keys() == set()


def test_every_entry_passes_the_gate_somewhere() -> None:
    found = {one for tree in trees() for one in gated(tree)}
    renamed = {("unit.rename", "name"), ("unit.rename", "short_name")}  # the keys of a mapping
    assert FIELDS.keys() - found - renamed == set()


def test_a_new_text_without_an_entry_is_found() -> None:
    code = """
def tell(env: Env, actor: Actor, *, words: str, files: Sequence[Upload], day: date, key: str):
    execute(env, actor, "new.command", key, {}, act)
"""
    assert list(inputs(ast.parse(code))) == [("new.command", "words"), ("new.command", "files")]


@pytest.mark.parametrize("field", FIELDS, ids=".".join)
def test_what_is_beyond_doubt_is_refused_in_every_field(field: tuple[str, str]) -> None:
    if field[1] in ("data", "uploads"):
        return
    for actor in (Actor(1), Actor(1, confirmed=True)):
        with pytest.raises(Invalid) as refused:
            check_text(actor, *field, {"text": ["无妨", SURE]})
        assert not isinstance(refused.value, Unconfirmed)
        assert refused.value.details["field"] == field[1]
        told = json.dumps([refused.value.message, refused.value.details], ensure_ascii=False)
        assert written("{mobile}") not in told
        assert "第 6 至 16 个字" in told


@pytest.mark.parametrize("field", FIELDS, ids=".".join)
def test_what_may_be_harmless_is_confirmed_in_prose_and_refused_in_names(
    field: tuple[str, str],
) -> None:
    if field[1] in ("data", "uploads"):
        return
    confirms = FIELDS[field].doubtful is Effect.CONFIRM
    with pytest.raises(Invalid) as refused:
        check_text(Actor(1), *field, DOUBTFUL)
    assert isinstance(refused.value, Unconfirmed) is confirms
    assert refused.value.details["noticed"] == [
        {"kind": "telephone", "level": "warn", "start": 7, "end": 19}
    ]
    assert ("confirm" in refused.value.details) is confirms
    if confirms:
        assert check_text(Actor(1, confirmed=True), *field, DOUBTFUL) == {field[1]}
    else:
        with pytest.raises(Invalid):
            check_text(Actor(1, confirmed=True), *field, DOUBTFUL)


def test_a_harmless_text_needs_no_confirmation_and_leaves_no_trace() -> None:
    honest = "畅通信访举报渠道；问题线索移送机制不健全"
    assert check_text(Actor(1), "step.decide", "reason", honest) == set()
    assert check_file(Actor(1, confirmed=True), "task.import", ()) == set()
    assert refused_name("evidence.add", "uploads", "关于线索移送机制的整改报告.pdf") is None


def test_names_of_files_are_refused_one_by_one() -> None:
    store: Any = None
    names = [written("{identity}.jpg"), "关于某某的问题线索.docx", written("回执 {landline}.pdf")]
    with pytest.raises(Faulty) as refused:
        keep(store, [Upload(name, store) for name in names])
    assert len(refused.value.faults) == 3
    assert all(fault.message.startswith("文件名像是") for fault in refused.value.faults)


def decided(world: World, actor: Actor, reason: str, key: str) -> None:
    """Answer the first step with these words."""
    start(world)
    slot = world.open_slots()[0][0]
    decide(world.env, actor, slot_id=slot, answer="done", reason=reason, key=key)


def test_a_confirmed_text_is_kept_and_the_audit_says_so_without_the_text(world: World) -> None:
    clerk = world.actor("clerk")
    with pytest.raises(Unconfirmed):
        decided(world, clerk, DOUBTFUL, "asked-once")
    assert values(world, select(table(Decision).c.id)) == []
    slot = world.open_slots()[0][0]
    sure = Actor(clerk.person_id, clerk.via, confirmed=True)
    given: Any = {"slot_id": slot, "answer": "done", "reason": DOUBTFUL, "key": "asked-once"}
    first = decide(world.env, sure, **given)
    assert decide(world.env, clerk, **given) == first  # the same request, however it is sent again
    assert values(world, select(table(Decision).c.reason)) == [DOUBTFUL]
    audit, command = table(Audit), table(Command)
    query = select(audit.c.body).join(command, command.c.id == audit.c.command_id)
    bodies = values(world, query.where(command.c.key == "asked-once"))
    assert len(bodies) == 1
    assert '"confirmed":["reason"]' in str(bodies[0]).replace(" ", "").replace("'", '"')
    assert "服务电话" not in str(bodies[0])


def test_the_audit_of_what_needed_no_confirmation_says_nothing_of_one(world: World) -> None:
    clerk = world.actor("clerk")
    decided(world, Actor(clerk.person_id, clerk.via, confirmed=True), "已核对", "plain")
    assert not [
        one for one in values(world, select(table(Audit).c.body)) if "confirmed" in str(one)
    ]


def test_a_file_says_every_place_and_no_text() -> None:
    places = [
        Fault("问题清单", row, "具体表现", findings(DOUBTFUL)[0].reason) for row in range(2, 7)
    ]
    with pytest.raises(UnconfirmedFile) as asked:
        check_file(Actor(1), "problem.import", places)
    assert len(asked.value.faults) == 5
    assert "等共 5 处" in asked.value.message
    assert asked.value.details["confirm"] is True
    assert check_file(Actor(1, confirmed=True), "problem.import", places) == {"data"}


def test_levels_are_what_the_table_goes_by() -> None:
    assert [(one.kind, one.level) for one in findings(SURE)] == [(Kind.TELEPHONE, Level.BLOCK)]
    assert [(one.kind, one.level) for one in findings(DOUBTFUL)] == [(Kind.TELEPHONE, Level.WARN)]
