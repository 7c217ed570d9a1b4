"""Ids taken before the rows are written, so that rows can name each other in one bulk insert."""

from collections.abc import Iterator

from sqlalchemy import Connection, Table, func, select


def reserve(db: Connection, of: Table, count: int) -> Iterator[int]:
    """``count`` ids of a table that no other transaction will get.

    PostgreSQL takes them from the table's sequence. On SQLite a transaction writes alone (BEGIN
    IMMEDIATE), and its rows go on from the highest id.
    """
    if db.dialect.name == "sqlite":
        highest = db.execute(select(func.coalesce(func.max(of.c.id), 0))).scalar_one()
        return iter(range(highest + 1, highest + 1 + count))
    sequence = func.pg_get_serial_sequence(of.name, "id")
    series = func.generate_series(1, count).table_valued("n")
    return iter(db.execute(select(func.nextval(sequence)).select_from(series)).scalars().all())
