"""Taking an import back as a whole, while nothing depends on it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Date,
    Row,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.exc import IntegrityError

from models.base import metadata, table
from models.batch import BatchChange, ChangeAct
from models.organisation import Appointment, Organisation, Portfolio, Post, Relation
from policy.batch import BatchState, may_become
from services.audit import lock_stream
from services.batches.clashing import clashing
from services.batches.following import follow_undo, posts_held_by
from services.batches.locking import alone, lock_rows
from services.batches.staging import STREAM, AlreadySettled, lock, settle
from services.batches.writing import ORDER, as_kept, plain, set_columns
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import DutiesError

TABLE_NAMES: Mapping[str, str] = {
    "account": "账号",
    "account_event": "账号日志",
    "act": "办理记录",
    "administrator": "管理员任命",
    "appointment": "任职",
    "branch": "事项分支",
    "case": "周期（事项）",
    "channel": "消息接收方式",
    "command": "操作记录",
    "decision": "办理意见",
    "evidence_version": "佐证",
    "evidence_withdrawal": "佐证撤回",
    "former_organisation": "曾用名称",
    "former_post": "职务曾用名称",
    "handover": "交接清单",
    "launch": "启动记录",
    "launch_target": "启动对象",
    "ledger": "存量台账导入",
    "manifestation_unit": "问题涉及单位",
    "message": "消息",
    "organisation": "下级组织",
    "person": "人员",
    "pause": "暂停",
    "planned_change": "待生效的变动",
    "portfolio": "分管",
    "post": "职务",
    "problem": "问题",
    "relation": "组织关系",
    "rung": "逾期提醒",
    "session": "登录",
    "slot": "待办",
    "substitution": "离岗委托",
    "task": "整改任务",
    "task_support": "任务协办单位",
    "vacancy": "缺位",
}
"""What a row of a table is called where it stands in the way of an undo."""
_JUST_NOW = ("刚刚有新的改动或者记录与导入的内容有关",)
_DELETED_AT_ONCE = 250
"""PostgreSQL looks for each row in every table that could refer to it: no statement takes long."""
_TOLD = 20
"""How many clashes are told one by one."""
_appointments = table(Appointment)
_changes = table(BatchChange)
_organisations = table(Organisation)
_portfolios = table(Portfolio)
_posts = table(Post)
_relations = table(Relation)


class Depended(DutiesError):
    """这次导入的内容已被使用或者又有改动，不能撤销。"""

    status = 409
    code = "depended"

    def __init__(self, reasons: Sequence[str]) -> None:
        said = "；".join(reasons)
        super().__init__(f"这次导入的内容已被使用或者又有改动，不能撤销：{said}。")


def undo(env: Env, actor: Actor, *, batch_id: int, key: str) -> None:
    """Delete what an import inserted and put back what it changed, all of it or nothing.

    :class:`Depended` says what stands in the way; :class:`AlreadySettled`; ``NotFound`` for a
    batch out of sight. Who may stage may undo.
    """

    def act(work: Work) -> dict[str, int]:
        lock_stream(work.db, STREAM)
        if not may_become(lock(work, batch_id), BatchState.UNDONE):
            raise AlreadySettled
        _lock_rows(work.db, batch_id)
        if _is_used(work.db, batch_id):
            raise Depended(_JUST_NOW)
        held = posts_held_by(work.db, batch_id)
        try:
            rows = _take_back(work.db, batch_id)
        except IntegrityError as error:  # what refers to the rows, the database knows best
            raise Depended(_JUST_NOW) from error
        follow_undo(work, batch_id, held)
        settle(work, batch_id, BatchState.UNDONE, undone_at=work.now)
        work.audit(STREAM, {"act": "batch_undone", "batch": batch_id, "table_rows": rows})
        return {"rows": rows}

    try:
        execute(env, actor, "batch.undo", key, {"batch": batch_id}, act)
    except Depended as error:  # what it is takes longer to say: nobody waits for that
        with reading(env.engine) as db:
            reasons = in_the_way(db, batch_id)
        raise Depended(reasons or _JUST_NOW) from error


def _is_used(db: Connection, batch_id: int) -> bool:
    """Whether something was changed or would clash; that nothing refers is seen by deleting."""
    changed = (True for name in ORDER for _ in _changed_since(db, batch_id, name))
    return next(changed, False) or next((True for _ in clashing(db, batch_id)), False)


def in_the_way(db: Connection, batch_id: int) -> list[str]:
    """Why an applied import cannot be undone: what was changed since, what refers to it, and what
    would clash with what comes back."""
    reasons = []
    for name in ORDER:
        changed = sum(1 for _ in _changed_since(db, batch_id, name))
        if changed:
            reasons.append(f"{changed} 个{TABLE_NAMES[name]}在导入之后又有改动")
    referring: dict[str, int] = defaultdict(int)
    for name in ORDER:
        for column in _references(metadata.tables[name]):
            referring[column.table.name] += _referring(db, batch_id, name, column)
    for name, count in referring.items():
        if count:
            reasons.append(f"{count} 个{TABLE_NAMES[name]}与导入的内容有关")
    return reasons + _few(list(dict.fromkeys(clashing(db, batch_id))))


def _few(reasons: list[str]) -> list[str]:
    more = len(reasons) - _TOLD
    return reasons[:_TOLD] + ([f"还有 {more} 处同样的情况"] if more > 0 else [])


def _lock_rows(db: Connection, batch_id: int) -> None:
    """Nobody else appoints to the posts, or gives the units an organ, until this ends."""
    if alone(db):
        return

    def rows(of: Table) -> Any:
        mine = _changes.c.batch_id == batch_id, _changes.c.table_name == of.name
        return of.c.id.in_(select(_changes.c.row_id).where(*mine))

    units: set[int] = set()
    for own in (_organisations.c.id, _relations.c.served_id):
        units |= set(db.execute(select(own).where(rows(own.table))).scalars())
    lock_rows(db, _organisations, units)
    posts: set[int] = set()
    for own in (_posts.c.id, _appointments.c.post_id, _portfolios.c.post_id):
        posts |= set(db.execute(select(own).where(rows(own.table))).scalars())
    lock_rows(db, _posts, posts)


def _references(of: Table) -> Iterator[Column[Any]]:
    """Every column of the house that refers to a table, but for those of the imports."""
    for other in metadata.sorted_tables:
        if other.name.startswith("batch"):
            continue
        for key in other.foreign_keys:
            if key.column.table is of:
                yield key.parent


def _referring(db: Connection, batch_id: int, name: str, column: Column[Any]) -> int:
    """How many rows, not of the same import, refer to rows that it inserted."""
    other, own = column.table, _changes.alias("own")
    inserted = and_(
        _changes.c.batch_id == batch_id,
        _changes.c.table_name == name,
        _changes.c.act == ChangeAct.INSERT,
        _changes.c.row_id == column,
    )
    same = exists().where(
        own.c.batch_id == batch_id,
        own.c.table_name == other.name,
        own.c.act == ChangeAct.INSERT,
        own.c.row_id == other.c.id,
    )
    query = select(func.count()).select_from(other.join(_changes, inserted)).where(~same)
    return db.execute(query).scalar_one()


def _changed_since(db: Connection, batch_id: int, name: str) -> Iterator[int]:
    """The rows that are not as the import left them, or not there.

    The database leaves out what is the same to the letter; a table may have got a column since.
    """
    of = metadata.tables[name]
    mine = _changes.c.batch_id == batch_id, _changes.c.table_name == name
    doubtful = or_(
        of.c.id.is_(None),
        _changes.c.act != ChangeAct.INSERT,
        _changes.c.after != as_kept(db, of),
    )
    query = select(_changes.c.row_id, _changes.c.act, _changes.c.after.label("left"), *of.c)
    rows = db.execute(query.outerjoin(of, of.c.id == _changes.c.row_id).where(*mine, doubtful))
    for row in rows:
        now = row._mapping
        if now[of.c.id] is None or _differs(now, of, _left(of, row)):
            yield row.row_id


def _left(of: Table, change: Row[Any]) -> Mapping[str, Any]:
    """What an import left in a row; of a new one also what it left empty."""
    if change.act is ChangeAct.UPDATE:
        return dict(change.left)
    return dict.fromkeys(of.c.keys()) | dict(change.left)


def _differs(row: Mapping[Any, Any], of: Table, wanted: Mapping[str, Any]) -> bool:
    return any(plain(row[of.c[column]]) != value for column, value in wanted.items())


def _updates(db: Connection, batch_id: int, name: str) -> list[Row[Any]]:
    query = select(_changes.c.row_id, _changes.c.before).where(
        _changes.c.batch_id == batch_id,
        _changes.c.table_name == name,
        _changes.c.act == ChangeAct.UPDATE,
    )
    return list(db.execute(query.order_by(_changes.c.id.desc())))


def _take_back(db: Connection, batch_id: int) -> int:
    rows = 0
    for name in ORDER:
        groups: dict[tuple[str, ...], list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
        for row in _updates(db, batch_id, name):
            of = metadata.tables[name]
            before = {column: _typed(of, column, value) for column, value in row.before.items()}
            groups[tuple(before)].append((row.row_id, before))
        for columns, of_group in groups.items():
            set_columns(db, name, columns, of_group)
            rows += len(of_group)
    for name in reversed(ORDER):
        rows += _delete(db, batch_id, name)
    return rows


def _typed(of: Table, column: str, value: Any) -> Any:
    is_day = isinstance(of.c[column].type, Date) and isinstance(value, str)
    return date.fromisoformat(value) if is_day else value


def _delete(db: Connection, batch_id: int, name: str) -> int:
    """The latest first: an organisation is gone before the one above it."""
    of = metadata.tables[name]
    mine = and_(
        _changes.c.batch_id == batch_id,
        _changes.c.table_name == name,
        _changes.c.act == ChangeAct.INSERT,
    )
    own = _changes.c.id.between(bindparam("first"), bindparam("last"))
    statement = delete(of).where(of.c.id.in_(select(_changes.c.row_id).where(mine, own)))
    ids = list(
        db.execute(select(_changes.c.id).where(mine).order_by(_changes.c.id.desc())).scalars()
    )
    for start in range(0, len(ids), _DELETED_AT_ONCE):
        some = ids[start : start + _DELETED_AT_ONCE]
        db.execute(statement, {"first": some[-1], "last": some[0]})
    return len(ids)
