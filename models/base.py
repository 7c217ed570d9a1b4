"""What every table shares: typed instants, readable enums, JSON, and Core tables.

Tables are declared with SQLModel and written through SQLAlchemy Core (``table(Step)``): a decision
touches a dozen rows, and plain statements cost half of what a flushed ORM object does.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Enum,
    Index,
    Integer,
    MetaData,
    Table,
    TypeDecorator,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata

Key = BigInteger().with_variant(Integer, "sqlite")
Json = JSON().with_variant(postgresql.JSONB(), "postgresql")


class Instant(TypeDecorator[datetime]):
    """A moment in UTC. A naive datetime is refused; what is read is always aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def words(kind: type[StrEnum]) -> Enum:
    """A column that stores the member's value (``open``), not its Python name, with a CHECK."""
    return Enum(
        kind,
        values_callable=lambda members: [str(m.value) for m in members],
        native_enum=False,
        create_constraint=True,
        length=32,
        name=kind.__name__.lower(),
    )


def table(model: type[SQLModel]) -> Table:
    """The Core table of a model, for ``select``, ``insert`` and ``update`` in services."""
    found: Any = vars(model).get("__table__")
    if not isinstance(found, Table):
        raise TypeError(f"{model.__name__} is not a table")
    return found


class Row(SQLModel):
    """A table row with an integer primary key."""

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)


def instant(*, nullable: bool = False, index: bool = False) -> Any:
    """A field that holds an :class:`Instant`."""
    return Field(default=None, sa_type=Instant, nullable=nullable, index=index)


def partial_index(name: str, column: str, *, where: str) -> Index:
    """An index of the rows for which an SQL condition holds, the same in both databases."""
    return Index(name, column, postgresql_where=text(where), sqlite_where=text(where))


def json_field(*, nullable: bool = False) -> Any:
    """A field of plain JSON data."""
    return Field(default=None, sa_type=Json, nullable=nullable)


__all__ = [
    "Column",
    "Instant",
    "Json",
    "Key",
    "Row",
    "instant",
    "json_field",
    "metadata",
    "table",
    "words",
]
