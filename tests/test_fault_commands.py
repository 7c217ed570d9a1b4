"""Whatever fails within a command, nothing is left half done, and the same key settles it."""

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine

from policy.acts import Act as Deed
from policy.calendar import local_day
from services.errors import Unsettled
from services.invariants import violations
from tests import (
    fault_moves,
    fault_moves_accounts,
    fault_moves_batches,
    fault_moves_changes,
    fault_moves_deeds,
    fault_moves_evidence,
    fault_moves_ledger,
    fault_moves_paper,
    fault_moves_pausing,
    fault_moves_seals,
    fault_moves_substitution,
)
from tests.fault_scene import MOVES, Act, Move, Scene, scene
from tests.house import PACKAGES, calls, dotted, sources

ELSEWHERE = {
    "rectification_plan.py": {"task_list", "task_list_recalled"},
    "acting.py": {f"slot.{act}" for act in Deed},
}
"""Commands whose name is no literal where ``execute`` is called."""
MODULES = (
    fault_moves,
    fault_moves_accounts,
    fault_moves_batches,
    fault_moves_evidence,
    fault_moves_substitution,
    fault_moves_ledger,
    fault_moves_pausing,
    fault_moves_changes,
    fault_moves_deeds,
    fault_moves_paper,
    fault_moves_seals,
)
"""Importing them adds their moves, in this order."""


@pytest.fixture
def stage(engine: Engine) -> Iterator[Scene]:
    made = scene(engine)
    yield made
    assert unsound(made) == []
    if made.looker is not None:
        made.looker.close()


def unsound(stage: Scene) -> list[str]:
    """What is not as it must be; the second effect was put there by the scene."""
    found = violations(stage.env.engine, local_day(stage.clock()))
    return [str(one) for one in found if one.what != "自动事项与审计记录不符"]


def test_every_command_of_the_code_is_tried() -> None:
    named = set()
    for path in sources(*PACKAGES):
        for call in calls(ast.parse(path.read_text())):
            if dotted(call.func) == "execute" and len(call.args) > 5:
                name = call.args[2]
                said = {str(name.value)} if isinstance(name, ast.Constant) else None
                named |= said or ELSEWHERE[path.name]
    assert named == {move.name for move in MOVES}


@contextmanager
def failing(engine: Engine, nth: int) -> Iterator[list[str]]:
    """The n-th statement raises what the driver raises; the statements that were asked for."""
    asked: list[str] = []
    dialect: Any = engine.dialect
    error = dialect.loaded_dbapi.OperationalError

    def heard(real: Callable[..., None]) -> Callable[..., None]:
        def execute(cursor: Any, statement: str, *rest: Any) -> None:
            asked.append(statement)
            if len(asked) == nth:
                raise error("injected")
            real(cursor, statement, *rest)

        return execute

    names = ("do_execute", "do_executemany", "do_execute_no_params")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(dialect, name, heard(getattr(dialect, name)))
        yield asked


def test_whichever_statement_of_a_command_fails_nothing_of_it_is_kept(stage: Scene) -> None:
    """And once none does, the same key carries it out."""
    for move in MOVES:
        act = move.prepare(stage)
        begun = before = after = stage.tables(*move.leaves)
        mark = stage.mark()
        for nth in range(1, 400):
            with failing(stage.env.engine, nth) as asked:
                done = went_through(act, move.name)
            written, mark = mark, stage.mark()
            if mark != written:
                after = stage.tables(*move.leaves)
            if len(asked) < nth:
                break
            assert not (done and move.keyed), (move.name, nth, "the error was swallowed")
            if after != before:  # what was done before it fell is whole
                whole = not move.keyed or move.name in stage.carried_out()
                assert whole, (move.name, nth, asked[-1])
                assert unsound(stage) == [], (move.name, nth, asked[-1])
            before = after
            move.again(stage)
        assert done, move.name
        assert nth > 2, move.name
        if move.commits:
            assert after != begun, f"{move.name} did nothing"
            assert move.name in {row[2] for row in stage.tables()["command"]}


def went_through(act: Act, key: str) -> bool:
    """Whether it went through."""
    try:
        act(key)
    except Exception:
        return False
    return True


@contextmanager
def losing(engine: Engine, *carried_out: bool) -> Iterator[list[bool]]:
    """The connection is lost at the next COMMITs, which were carried out or not; then no more."""
    dialect: Any = engine.dialect
    left, real = list(carried_out), dialect.do_commit

    def commit(connection: Any) -> None:
        if not left:
            real(connection)
            return
        if left.pop(0):
            real(connection)
        raise dialect.loaded_dbapi.OperationalError("server closed the connection unexpectedly")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "do_commit", commit)
        yield left


def test_a_commit_whose_answer_is_lost_is_settled_by_its_key(stage: Scene) -> None:
    """At once, and again when the person sends the same form once more."""
    for move, act in moves(stage):
        with losing(stage.env.engine, True) as left:
            first = act(move.name)
        assert left == [], move.name
        before = stage.tables()
        if move.keyed:
            assert act(move.name) == first, move.name
            assert stage.tables() == before, f"{move.name} was carried out twice"
    codes = [text for text in stage.twin.posted if "验证码" in text.body]
    assert len(codes) == 2, "what follows a commit follows it once: a code for each command"


def test_a_commit_that_never_arrived_is_carried_out_again(stage: Scene) -> None:
    for move, act in moves(stage):
        before = stage.tables()
        with losing(stage.env.engine, False):
            first = act(move.name)
        assert stage.tables() != before, move.name
        if move.keyed:
            assert act(move.name) == first, move.name


@pytest.mark.parametrize("carried_out", [True, False])
def test_where_nobody_can_tell_the_person_reads_so_and_the_key_tells_later(
    stage: Scene, carried_out: bool
) -> None:
    """The database stays away for all tries of the command."""
    for move, act in moves(stage):
        if not move.keyed:
            act(move.name)
            continue
        with (
            losing(stage.env.engine, carried_out, False, False),
            pytest.raises(Unsettled, match="可能已保存，也可能没有"),
        ):
            act(move.name)
        kept = stage.tables()
        first = act(move.name)
        assert act(move.name) == first, move.name
        if carried_out:
            assert stage.tables() == kept, f"{move.name} was carried out twice"


def moves(stage: Scene) -> Iterator[tuple[Move, Act]]:
    """Every command that writes, each in its scene."""
    return ((move, move.prepare(stage)) for move in MOVES if move.commits)
