"""What must always hold, asked of the tables themselves (``fourduties doctor --deep``).

Plain SQL on purpose: nothing here shares a line with the services it checks, so that a mistake in
them is not made twice. Every query answers with what is wrong, and with ids only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Date, Engine, bindparam, text

from models.base import Instant, Json
from policy.calendar import instant_on
from services.audit_trail import backwards, broken_chains, read_trail, unlike_the_tables
from services.database import BUSY_SECONDS, patient
from services.evidence_check import unlike_the_audit, unlike_the_files
from services.file_store import FileStore
from services.invariants_of_people import wrongly_decided
from services.seal_check import unlike_the_seals
from services.violation import Violation


@dataclass(frozen=True, slots=True)
class _Query:
    invariant: str
    what: str
    sql: str


_QUERIES = (
    _Query(
        "INV-2",
        "同一待办有多条办理意见",
        "SELECT slot_id, count(*) AS decisions FROM decision GROUP BY slot_id HAVING count(*) > 1",
    ),
    _Query(
        "INV-2",
        "同一请求编号有多条办理意见",
        "SELECT key, count(*) AS decisions FROM decision GROUP BY key HAVING count(*) > 1",
    ),
    _Query("INV-2", "办理意见没有请求编号", "SELECT id AS decision FROM decision WHERE key = ''"),
    _Query(
        "INV-2",
        "办理意见与其待办不在同一环节",
        "SELECT d.id AS decision, d.slot_id FROM decision d"
        " LEFT JOIN slot s ON s.id = d.slot_id LEFT JOIN step t ON t.id = s.step_id"
        " WHERE s.id IS NULL OR s.step_id <> d.step_id OR s.branch_id <> d.branch_id"
        " OR t.branch_id <> d.branch_id OR t.case_id <> d.case_id",
    ),
    _Query(
        "INV-3",
        "待办已办理，却没有办理意见",
        "SELECT s.id AS slot FROM slot s WHERE s.state = 'answered'"
        " AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.slot_id = s.id)",
    ),
    _Query(
        "INV-3",
        "有办理意见，待办却不是已办理",
        "SELECT s.id AS slot, s.state, d.id AS decision FROM slot s"
        " JOIN decision d ON d.slot_id = s.id WHERE s.state <> 'answered'",
    ),
    _Query(
        "INV-3",
        "环节已结束，待办却仍未办理",
        "SELECT s.id AS slot, t.id AS step, t.state FROM slot s JOIN step t ON t.id = s.step_id"
        " WHERE s.state IN ('open', 'held') AND t.state <> 'open'",
    ),
    _Query(
        "INV-3",
        "待加签人先办，却没有未办理的前加签",
        "SELECT s.id AS slot FROM slot s WHERE s.state = 'held' AND NOT EXISTS"
        " (SELECT 1 FROM slot a WHERE a.added_to = s.id AND a.place = 'before'"
        " AND a.state = 'open')",
    ),
    _Query(
        "INV-3",
        "环节待办理，却没有未办理的待办",
        "SELECT t.id AS step FROM step t WHERE t.state = 'open'"
        " AND NOT EXISTS (SELECT 1 FROM slot s WHERE s.step_id = t.id AND s.state = 'open')",
    ),
    _Query(
        "INV-4",
        "待办环节没有期限",
        "SELECT id AS step FROM step WHERE state = 'open' AND (due_at IS NULL OR calendar_id IS"
        " NULL OR (original_due_at IS NULL AND NOT provisional))",
    ),
    _Query(
        "INV-4",
        "已暂停的环节，升级阶梯却仍在走",
        "SELECT id AS step FROM step WHERE state = 'open'"
        " AND paused_at IS NOT NULL AND next_rung_at IS NOT NULL",
    ),
    _Query(
        "INV-4",
        "环节与其分支，一个已暂停，一个没有",
        "SELECT s.id AS step, b.id AS branch FROM step s JOIN branch b ON b.id = s.branch_id"
        " WHERE s.state = 'open' AND b.state = 'open'"
        " AND (s.paused_at IS NULL) <> (b.paused_by IS NULL)",
    ),
    _Query(
        "INV-4",
        "分支已暂停，却没有正在进行的暂停",
        "SELECT b.id AS branch FROM branch b WHERE b.paused_by IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM pause p WHERE p.id = b.paused_by AND p.ended_at IS NULL)",
    ),
    _Query(
        "INV-4",
        "上级分支或者本分支已暂停，分支却没有",
        "SELECT b.id AS branch FROM branch b WHERE b.state = 'open' AND b.paused_by IS NULL"
        " AND EXISTS (SELECT 1 FROM branch p WHERE p.id = b.parent_id AND p.paused_by IS NOT NULL"
        " UNION ALL SELECT 1 FROM pause q WHERE q.branch_id = b.id AND q.ended_at IS NULL)",
    ),
    _Query(
        "INV-6",
        "恢复没有写明何人、以何职务、因何",
        "SELECT id AS pause FROM pause WHERE (ended_by IS NOT NULL) <>"
        " (ended_as IS NOT NULL AND end_reason <> '')",
    ),
    _Query(
        "INV-4",
        "环节已结束，升级阶梯却仍在走",
        "SELECT id AS step, state FROM step WHERE state <> 'open' AND next_rung_at IS NOT NULL",
    ),
    _Query(
        "INV-4",
        "已退回的环节仍待办理",
        "SELECT id AS step FROM step WHERE voided AND state = 'open'",
    ),
    _Query(
        "INV-5",
        "分支停住了：没有待办、没有下级分支、没有自动事项、也没有待唤醒",
        'SELECT b.id AS branch, b.case_id AS "case" FROM branch b'
        ' JOIN "case" c ON c.id = b.case_id'
        " WHERE b.state = 'open' AND c.state = 'open'"
        " AND NOT EXISTS (SELECT 1 FROM step s WHERE s.branch_id = b.id AND s.state = 'open'"
        " AND s.origin NOT IN ('rung', 'extension'))"
        " AND NOT EXISTS (SELECT 1 FROM branch k WHERE k.parent_id = b.id AND k.state = 'open')"
        " AND NOT EXISTS (SELECT 1 FROM effect e WHERE (e.branch_id = b.id"
        " OR b.parent_id IS NULL AND e.case_id = b.case_id)"
        " AND (e.state IN ('queued', 'claimed')"
        " OR e.state = 'failed' AND e.resolution IS NULL))"
        " AND NOT EXISTS (SELECT 1 FROM wake w WHERE w.branch_id = b.id"
        " AND w.kind IN ('advance', 'date'))",
    ),
    _Query(
        "INV-5",
        "分支受阻，却没有再试的安排",
        "SELECT b.id AS branch FROM branch b WHERE b.state = 'open' AND b.error IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM wake w WHERE w.branch_id = b.id)",
    ),
    _Query(
        "INV-5",
        "分支已结束，其中却仍有待办",
        "SELECT s.id AS step, b.id AS branch FROM step s JOIN branch b ON b.id = s.branch_id"
        " WHERE s.state = 'open' AND b.state <> 'open' AND s.origin <> 'operator'"
        " AND NOT EXISTS (SELECT 1 FROM wake w WHERE w.branch_id = b.id)",
    ),
    _Query(
        "INV-5",
        "事项已结束，却仍有分支未结束",
        'SELECT c.id AS "case", b.id AS branch FROM "case" c JOIN branch b ON b.case_id = c.id'
        " WHERE c.state <> 'open' AND b.state = 'open'",
    ),
    _Query(
        "INV-5",
        "事项已终止，其中却仍有待办",
        'SELECT s.id AS step, c.id AS "case" FROM step s JOIN "case" c ON c.id = s.case_id'
        " WHERE c.state = 'terminated' AND s.state = 'open'",
    ),
    _Query(
        "INV-5",
        "事项已终止，却仍有未开始的自动事项",
        'SELECT e.id AS effect, c.id AS "case" FROM effect e JOIN "case" c ON c.id = e.case_id'
        " WHERE c.state = 'terminated' AND e.state = 'queued' AND e.undoes IS NULL",
    ),
    _Query(
        "INV-5",
        "上级分支已停办，下级分支仍在办理",
        "SELECT k.id AS branch, p.id AS parent FROM branch k JOIN branch p ON p.id = k.parent_id"
        " WHERE k.state = 'open' AND p.state <> 'open'",
    ),
    _Query(
        "INV-6",
        "办理意见不是由其请求写入的",
        "SELECT d.id AS decision FROM decision d LEFT JOIN command c ON c.key = d.key"
        " LEFT JOIN signed_paper p ON p.decision_id = d.id LEFT JOIN act a ON a.id = p.act_id"
        " WHERE c.id IS NULL OR c.person_id IS NULL OR a.key <> d.key"
        " OR c.name <> CASE WHEN p.id IS NULL THEN 'step.decide' ELSE 'slot.record' END"
        " OR c.person_id <> CASE WHEN p.id IS NULL THEN d.person_id ELSE a.person_id END",
    ),
    _Query(
        "INV-6",
        "办理请求已完成，却没有办理意见",
        "SELECT c.id AS command FROM command c WHERE c.name IN ('step.decide', 'slot.record')"
        " AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.key = c.key)",
    ),
    _Query(
        "INV-6",
        "终止没有写明何人、以何职务、因何",
        'SELECT id AS "case" FROM "case" WHERE (state = \'terminated\') <>'
        " (ended_by IS NOT NULL AND ended_as IS NOT NULL AND end_reason <> '')",
    ),
    _Query(
        "INV-6",
        "审计记录没有对应的请求",
        "SELECT a.id AS audit FROM audit a LEFT JOIN command c ON c.id = a.command_id"
        " WHERE c.id IS NULL",
    ),
    _Query(
        "INV-8",
        "同一待办的同一级升级了两次",
        "SELECT slot_id, number, deadline_version FROM rung"
        " GROUP BY slot_id, number, deadline_version HAVING count(*) > 1",
    ),
    _Query(
        "INV-8",
        "升级早于环节开始",
        "SELECT r.id AS rung, r.step_id FROM rung r JOIN step s ON s.id = r.step_id"
        " WHERE r.at < s.opened_at",
    ),
    _Query(
        "INV-8",
        "到期或升级的级次早于期限",
        "SELECT r.id AS rung, r.step_id FROM rung r JOIN step s ON s.id = r.step_id"
        " WHERE r.kind <> 'remind' AND r.deadline_version = s.deadline_version"
        " AND r.at < s.due_at",
    ),
)
_VACANT = text(
    "SELECT s.id AS slot, s.step_id AS step, s.post_id AS post FROM slot s"
    " JOIN post p ON p.id = s.post_id"
    " WHERE s.state = 'open' AND p.successor_id IS NULL AND NOT EXISTS ("
    "SELECT 1 FROM appointment a WHERE a.post_id = s.post_id AND a.starts_on <= :day"
    " AND (a.ends_on IS NULL OR a.ends_on > :day))"
    " AND NOT EXISTS (SELECT 1 FROM vacancy v"
    " WHERE v.post_id = s.post_id AND v.ended_at IS NULL)"
).bindparams(bindparam("day", type_=Date))
"""What waits on an abolished post is moved to its successor by the drain, like a wake; so is a
vacancy without a case opened. INV-5 and INV-6 hold for the case: its superior is asked and told."""
_UNASKED = text(
    'SELECT v.id AS vacancy, v.post_id AS post FROM vacancy v JOIN "case" c ON c.id = v.case_id'
    " WHERE v.ended_at IS NULL AND c.state = 'ended'"
    ' UNION ALL SELECT v.id, v.post_id FROM vacancy v JOIN "case" c ON c.id = v.case_id'
    " WHERE v.ended_at IS NOT NULL AND c.state = 'open'"
)
"""The superior terminated it with a reason, or it runs as long as the post is vacant."""
_UNTOLD = text(
    "SELECT s.id AS slot, s.step_id AS step, s.post_id AS post FROM slot s"
    " JOIN step t ON t.id = s.step_id WHERE t.origin <> 'rung' AND NOT EXISTS ("
    "SELECT 1 FROM message m JOIN appointment a ON a.person_id = m.person_id"
    " AND a.post_id = s.post_id WHERE m.step_id = t.id AND m.template IN ('opened', 'returned'))"
)
_LADDERS = text(
    "SELECT s.id AS step, s.ladder, s.due_key, s.rungs_fired, s.next_rung_at, c.policy_id"
    ' FROM step s JOIN "case" c ON c.id = s.case_id'
    " WHERE s.state = 'open' AND s.paused_at IS NULL AND s.ladder <> '' AND s.due_key <> ''"
).columns(next_rung_at=Instant)
_RAISED = text(
    "SELECT r.id AS rung, r.number, r.at, s.due_at, s.ladder, s.due_key, c.policy_id FROM rung r"
    ' JOIN step s ON s.id = r.step_id JOIN "case" c ON c.id = s.case_id'
    " WHERE r.deadline_version = s.deadline_version AND s.ladder <> ''"
).columns(at=Instant, due_at=Instant)
_AFTER = text(
    "SELECT r.id AS rung, r.slot_id, r.at, s.closed_at FROM rung r"
    " JOIN slot s ON s.id = r.slot_id WHERE r.at > s.closed_at"
).columns(at=Instant, closed_at=Instant)
_WAITED = timedelta(seconds=2 * BUSY_SECONDS)
"""A command reads the clock before it waits for its lock, and the watch may come in between."""
_POLICIES = text("SELECT id, body FROM policy_version").columns(body=Json)


def violations(engine: Engine, on: date, files: FileStore | None = None) -> Iterator[Violation]:
    """Everything that does not hold, read from one snapshot; ``on`` is today in Shanghai.

    ``files``: where the files lie that rows speak of (INV-20); without it they are not looked at.
    """
    with snapshot(engine) as db:
        yield from violations_seen(db, on)
        if files is not None:
            yield from unlike_the_files(db, files, instant_on(on - timedelta(days=1)))


def violations_seen(db: Connection, on: date) -> Iterator[Violation]:
    """:func:`violations` as the transaction of ``db`` sees them, files left out."""
    for query in _QUERIES:
        for row in db.execute(text(query.sql)):
            yield Violation(query.invariant, query.what, dict(row._mapping))
    trail = read_trail(db)
    yield from broken_chains(db)
    yield from unlike_the_seals(db)
    yield from backwards(db)
    yield from unlike_the_tables(db, trail)
    yield from wrongly_decided(db)
    yield from unlike_the_audit(db)
    yield from _unheard(db, on, trail.gaps)
    yield from _ladders(db)
    yield from _after_the_end(db)


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """All queries see the same moment, also while people go on deciding."""
    options: dict[str, Any] = {"read_only": True}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    with engine.connect().execution_options(**options) as db:
        patient(db)
        yield db


def _unheard(db: Connection, on: date, gaps: frozenset[tuple[int, int]]) -> Iterator[Violation]:
    """Open slots on posts without holder and vacancy; slots nobody was told of."""
    for row in db.execute(_VACANT, {"day": on}):
        yield Violation("INV-4", "职务缺位，且未告知上级", dict(row._mapping))
    for row in db.execute(_UNASKED):
        yield Violation("INV-4", "职务缺位与其事项的状态不符", dict(row._mapping))
    for row in db.execute(_UNTOLD):
        if (row.step, row.post) not in gaps:
            yield Violation("INV-6", "待办已开，却没有通知办理人", dict(row._mapping))


def _ladders(db: Connection) -> Iterator[Violation]:
    policies = {row.id: row.body for row in db.execute(_POLICIES)}
    for row in db.execute(_LADDERS):
        last = max((r["number"] for r in _rungs(policies[row.policy_id], row)), default=0)
        if row.rungs_fired < last and row.next_rung_at is None:
            yield Violation("INV-4", "待办未到最后一级，升级阶梯却停了", {"step": row.step})
    for row in db.execute(_RAISED):
        offsets = {r["number"]: r["offset"] for r in _rungs(policies[row.policy_id], row)}
        if not _in_its_time(row.at, row.due_at, offsets.get(row.number)):
            yield Violation("INV-8", "升级早于阶梯规定的日期", {"rung": row.rung})


def _after_the_end(db: Connection) -> Iterator[Violation]:
    for row in db.execute(_AFTER):
        if row.at > row.closed_at + _WAITED:
            found = {"rung": row.rung, "slot_id": row.slot_id}
            yield Violation("INV-8", "待办结束之后仍有升级", found)


def _rungs(policy: Any, row: Any) -> list[dict[str, Any]]:
    rungs = policy["ladders"][row.ladder]["rungs"]
    by_row = policy["durations"][row.due_key]["kind"] == "row"
    return [rung for rung in rungs if not (by_row and rung["undated_only"])]


def _in_its_time(at: datetime, due_at: datetime | None, offset: int | None) -> bool:
    """So many working days are at least as many days; a reminder is not judged here."""
    if offset is None or due_at is None:
        return offset is not None
    return offset < 0 or at >= due_at + timedelta(days=offset)
