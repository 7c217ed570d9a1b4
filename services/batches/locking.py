"""Rows of the tree are locked organisations first, then posts, each by their ids: everywhere."""

from collections.abc import Iterable

from sqlalchemy import Connection, Table, select

_AT_ONCE = 10_000


def alone(db: Connection) -> bool:
    """Whether nobody else writes anything until the transaction ends (SQLite): no row is locked."""
    return db.dialect.name == "sqlite"


def lock_rows(db: Connection, of: Table, ids: Iterable[int]) -> None:
    """Lock rows until the transaction ends, in the order in which every command does it."""
    if alone(db):
        return
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), _AT_ONCE):
        some = of.c.id.in_(wanted[start : start + _AT_ONCE])
        query = select(of.c.id).where(some).order_by(of.c.id)
        db.execute(query.with_for_update(key_share=True)).all()
