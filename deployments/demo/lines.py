"""What happened in the demonstration, one line for each event, read from the database."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TextIO

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, select

from models.base import table
from models.casework import Branch, Decision, Effect, EffectState, Rung, Slot, Step
from models.message import Message
from models.organisation import Organisation, Post
from models.problem import Problem, ProblemState, Task
from policy.calendar import SHANGHAI
from policy.deadline import due_day
from services.catalogue import answer_name, step_title, translated
from services.scope import post_name

MECHANISM = "rectification"
_branches, _decisions, _effects = table(Branch), table(Decision), table(Effect)
_messages, _organisations, _posts = table(Message), table(Organisation), table(Post)
_problems, _rungs, _slots = table(Problem), table(Rung), table(Slot)
_steps, _tasks = table(Step), table(Task)


@dataclass
class Lines:
    """Writes what is new since it was last asked; ``count`` is how many lines it wrote."""

    out: TextIO
    clock: Callable[[], datetime]
    number: str = ""
    count: int = 0
    _seen: dict[str, int] = field(default_factory=dict)
    _ended: set[int] = field(default_factory=set)

    def news(self, db: Connection) -> None:
        """Write a line for everything new: answers first, then what they led to."""
        lines = [
            *(self._decided(row) for row in self._new(db, "decision")),
            *(self._raised(row) for row in self._new(db, "rung")),
            *self._ends(db),
            *(self._done(row) for row in self._new(db, "effect")),
            *(self._asked(row) for row in _joined(self._new(db, "slot"))),
        ]
        told = self._told(db)
        for place, line in enumerate(lines):
            self.say(line + (f"，消息 {told} 条" if told and place == 0 else ""))

    def say(self, line: str) -> None:
        """Write one event at the present of the clock."""
        at = self.clock().astimezone(SHANGHAI)
        self.out.write(f"{at:%Y-%m-%d %H:%M} {self.number} {line}\n")
        self.count += 1

    def _new(self, db: Connection, name: str) -> list[Row[Any]]:
        rows = list(db.execute(_NEW[name], {"after": self._seen.get(name, 0)}))
        if rows:
            self._seen[name] = max(row.id for row in rows)
        return rows

    def _decided(self, row: Row[Any]) -> str:
        late = "逾期" if row.late else "按期"
        kind = "退回" if row.answer == "return" else "办理"
        back = f"至“{step_title(MECHANISM, row.back_to)}”" if row.back_to else ""
        said = f"{answer_name(row.answer)}{back}"
        return f"{kind} {_step(row)} {_post(row)} {said} {_due(row)} {late}"

    def _raised(self, row: Row[Any]) -> str:
        return f"{translated(f'rung.{row.kind}')} {_step(row)} {_post(row)} {_due(row)}"

    def _asked(self, rows: list[Row[Any]]) -> str:
        posts = "、".join(_post(row) for row in rows)
        return f"送达 {_step(rows[0])} {posts} {_due(rows[0])}"

    def _done(self, row: Row[Any]) -> str:
        return f"自动 {translated(f'effect.{MECHANISM}.{row.name}')} {row.result['units']} 个单位"

    def _ends(self, db: Connection) -> Iterator[str]:
        for row in db.execute(_ENDED):
            if row.id not in self._ended:
                self._ended.add(row.id)
                name = _ENDS[row.state]
                yield f"{name} 问题 {row.number}"

    def _told(self, db: Connection) -> int:
        """How many messages were written since the last time."""
        count = int(db.execute(_MESSAGES).scalar_one())
        before, self._seen["message"] = self._seen.get("message", 0), count
        return count - before


def _step(row: Row[Any]) -> str:
    about = f"（任务 {row.task}）" if row.task else f"（问题 {row.problem}）" if row.problem else ""
    return f"{step_title(MECHANISM, row.key)}{about}"


def _post(row: Row[Any]) -> str:
    return post_name(row.unit, row.title)


def _due(row: Row[Any]) -> str:
    provisional = "（暂定）" if row.provisional else ""
    return f"期限 {due_day(row.due_at):%Y-%m-%d}{provisional}"


def _joined(rows: list[Row[Any]]) -> list[list[Row[Any]]]:
    """The slots of one step together."""
    steps: dict[int, list[Row[Any]]] = {}
    for row in rows:
        steps.setdefault(row.step_id, []).append(row)
    return list(steps.values())


def _about(rows: Any, source: Any, post_id: Any, *columns: Any) -> Select[Any]:
    """Rows with their step, its post, and the problem or task it is about."""
    return (
        select(
            rows.c.id,
            *columns,
            _steps.c.key,
            _steps.c.due_at,
            _steps.c.provisional,
            _posts.c.title,
            _organisations.c.short_name.label("unit"),
            _problems.c.number.label("problem"),
            _tasks.c.number.label("task"),
        )
        .select_from(source)
        .join(_steps, _steps.c.id == rows.c.step_id)
        .join(_branches, _branches.c.id == _steps.c.branch_id)
        .join(_posts, _posts.c.id == post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .outerjoin(
            _problems,
            and_(_branches.c.row_kind == "problem", _problems.c.id == _branches.c.row_id),
        )
        .outerjoin(_tasks, and_(_branches.c.row_kind == "task", _tasks.c.id == _branches.c.row_id))
        .where(rows.c.id > bindparam("after"))
        .order_by(rows.c.id)
    )


def _decision_rows() -> Select[Any]:
    names = ("answer", "back_to", "late")
    return _about(
        _decisions, _decisions, _decisions.c.post_id, *(_decisions.c[name] for name in names)
    )


def _slot_rows() -> Select[Any]:
    return _about(_slots, _slots, _slots.c.post_id, _slots.c.step_id)


def _rung_rows() -> Select[Any]:
    """A rung with the post it was raised to, or the one it reminds."""
    raised_to = func.coalesce(_rungs.c.post_id, _slots.c.post_id)
    source = _rungs.join(_slots, _slots.c.id == _rungs.c.slot_id)
    return _about(_rungs, source, raised_to, _rungs.c.kind)


def _effect_rows() -> Select[Any]:
    return (
        select(_effects.c.id, _effects.c.name, _effects.c.result)
        .where(_effects.c.id > bindparam("after"), _effects.c.state == EffectState.DONE)
        .order_by(_effects.c.id)
    )


_NEW = {
    "decision": _decision_rows(),
    "rung": _rung_rows(),
    "effect": _effect_rows(),
    "slot": _slot_rows(),
}
"""What is read again and again, built once."""
_ENDS = {
    ProblemState.CLOSED: "销号",
    ProblemState.BASIC: "基本完成",
    ProblemState.LONG_TERM: "长期坚持",
}
_ENDED = (
    select(_problems.c.id, _problems.c.number, _problems.c.state)
    .where(_problems.c.state != ProblemState.OPEN)
    .order_by(_problems.c.number)
)
_MESSAGES = select(func.count()).select_from(_messages)
