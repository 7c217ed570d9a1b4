"""Carries a difference out: rows in bulk, and beside them what is needed to take it back."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    func,
    insert,
    literal,
    literal_column,
    select,
    update,
)

from models.base import Key, metadata, table
from models.batch import BatchChange, ChangeAct
from services.batches.difference import Difference, Update
from services.ids import reserve

ORDER = (
    "organisation",
    "person",
    "post",
    "appointment",
    "portfolio",
    "relation",
    "former_organisation",
)
"""The tables of an import in the order in which their rows may be written."""
_AT_ONCE = 5_000
_changes = table(BatchChange)
Ids = Mapping[str, Sequence[int]]
"""The ids of new rows by their tables: of the one with number -1, of that with -2, and so on."""


def carry_out(db: Connection, batch_id: int, found: Difference) -> Ids:
    """Write everything, and a ``batch_change`` for each row; the ids of all new rows."""
    ids: dict[str, Sequence[int]] = {}
    for name in ORDER:
        of, inserts = metadata.tables[name], found.inserts[name]
        ids[name] = list(reserve(db, of, inserts.count)) if inserts.count else []
        rows = _rows(of, inserts, ids)
        placed = _placed(list(rows), dict(found.paths)) if name == "organisation" else rows
        insert_many(db, of, placed)
        _keep_inserted(db, batch_id, name, ids[name])
    _update(db, found.updates)
    insert_many(db, _changes, (_updated(batch_id, one) for one in found.updates))
    return ids


def as_kept(db: Connection, of: Table) -> ColumnElement[Any]:
    """A whole row of a table as JSON, made by the database: written and compared there at once."""
    build = func.json_object if db.dialect.name == "sqlite" else func.jsonb_build_object
    parts: list[tuple[ColumnElement[Any], ...]]
    parts = [(literal_column(f"'{column.name}'"), column) for column in of.c]
    return build(*(part for pair in parts for part in pair))


def insert_many(db: Connection, of: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows some thousands at once, so that few of them are in memory twice."""
    left = iter(rows)
    while some := list(islice(left, _AT_ONCE)):
        db.execute(insert(of), some)


def plain(value: Any) -> Any:
    """A column's value as JSON keeps it."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, str) else value


def id_of(number: int, ids: Sequence[int]) -> int:
    """The id of a row by the number that it had in a difference: it was there, or is new."""
    return number if number > 0 else ids[-number - 1]


def _rows(
    of: Table, inserts: Iterable[tuple[int, dict[str, Any]]], ids: Ids
) -> Iterator[dict[str, Any]]:
    """The rows with their ids, and those of the new rows to which they refer."""
    refers = {column.name: key.column.table.name for column in of.c for key in column.foreign_keys}
    for number, values in inserts:
        row = {"id": id_of(number, ids[of.name]), **values}
        for column, name in refers.items():
            if row.get(column) is not None:
                row[column] = id_of(row[column], ids[name])
        yield row


def _placed(rows: Sequence[dict[str, Any]], paths: dict[int, str]) -> list[dict[str, Any]]:
    """With their paths, every parent before its children."""
    below: dict[int | None, list[dict[str, Any]]] = defaultdict(list)
    new = {row["id"] for row in rows}
    for row in rows:
        below[row["parent_id"] if row["parent_id"] in new else None].append(row)
    placed = list(below[None])
    for row in placed:  # grows while it is walked: level by level
        above = paths[row["parent_id"]] if row["parent_id"] else "/"
        paths[row["id"]] = row["path"] = f"{above}{row['id']}/"
        placed += below[row["id"]]
    return placed


def _update(db: Connection, updates: Sequence[Update]) -> None:
    groups: dict[tuple[str, tuple[str, ...]], list[Update]] = defaultdict(list)
    for one in updates:
        groups[one.table, tuple(one.after)].append(one)
    for (name, columns), of_group in groups.items():
        set_columns(db, name, columns, [(one.id, one.after) for one in of_group])


def set_columns(
    db: Connection,
    name: str,
    columns: Sequence[str],
    rows: Sequence[tuple[int, Mapping[str, Any]]],
) -> None:
    """Write the same columns of many rows of a table."""
    of = metadata.tables[name]
    change = (
        update(of)
        .where(of.c.id == bindparam("p_id"))
        .values({column: bindparam(f"p_{column}", type_=of.c[column].type) for column in columns})
    )
    given = [
        {"p_id": row_id} | {f"p_{column}": values[column] for column in columns}
        for row_id, values in rows
    ]
    db.execute(change, given)


def _keep_inserted(db: Connection, batch_id: int, name: str, ids: Sequence[int]) -> None:
    """A change for each new row; organisations from above, as they are deleted last."""
    of = metadata.tables[name]
    order = [func.length(of.c.path), of.c.id] if name == "organisation" else [of.c.id]
    nothing = func.json_object() if db.dialect.name == "sqlite" else func.jsonb_build_object()
    kept = select(
        literal(batch_id, Key),
        literal(name),
        of.c.id,
        literal(ChangeAct.INSERT.value),
        nothing,
        as_kept(db, of),
    ).order_by(*order)
    columns = ["batch_id", "table_name", "row_id", "act", "before", "after"]
    for start in range(0, len(ids), _AT_ONCE):
        some = of.c.id.in_(ids[start : start + _AT_ONCE])
        db.execute(insert(_changes).from_select(columns, kept.where(some)))


def _updated(batch_id: int, one: Update) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "table_name": one.table,
        "row_id": one.id,
        "act": ChangeAct.UPDATE,
        "before": {column: plain(value) for column, value in one.before.items()},
        "after": {column: plain(value) for column, value in one.after.items()},
    }
