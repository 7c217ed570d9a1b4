"""An undo deletes rows of the organisation: what refers to them is found by an index, or is known
to be read as a whole for each of them."""

from collections.abc import Iterator

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from models.base import metadata
from services.batches.writing import ORDER

WITHOUT = {
    "administrator.person_id",
    "evidence_withdrawal.person_id",
    "evidence_withdrawal.post_id",
    "former_organisation.parent_id",
    "former_post.organisation_id",
    "handover.received_by",
    "launch.person_id",
    "launch_target.organisation_id",
    "pause.appointment_id",
    "pause.ended_as",
    "pause.ended_by",
    "pause.person_id",
    "pause.post_id",
    "planned_change.ended_by",
    "planned_change.made_by",
    "substitution.ended_by",
    "substitution.made_as",
    "substitution.made_by",
    "substitution.substitute_post_id",
    "vacancy.post_id",
}
"""What has none: an undo reads these tables for each row that it deletes. They stay small whatever
the history; with one that grows with the work an undo is refused by the statement's time limit."""


def usable(of: Table) -> Iterator[Column[object]]:
    """The columns by which rows of a table are found: the first of an index or a constraint.

    One of the rows in which the column is filled serves; one of other conditions does not.
    """
    for constraint in of.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            yield from list(constraint.columns)[:1]
    for index in of.indexes:
        first = list(index.columns)[0]
        where = index.dialect_options["postgresql"]["where"]
        if where is None or str(where).split(".")[-1] == f"{first.name} IS NOT NULL":
            yield first


def without_an_index(schema: MetaData) -> set[str]:
    return {
        f"{of.name}.{key.parent.name}"
        for of in schema.sorted_tables
        for key in of.foreign_keys
        if key.column.table.name in ORDER and key.parent not in set(usable(of))
    }


def test_what_refers_to_rows_of_the_organisation_without_an_index_was_looked_at() -> None:
    assert without_an_index(metadata) == WITHOUT


def test_a_column_is_found_whose_index_does_not_serve() -> None:
    schema = MetaData()
    Table("post", schema, Column("id", Integer, primary_key=True))
    names = ("none", "second", "first", "filled", "some")
    columns = {name: Column(name, Integer, ForeignKey("post.id")) for name in names}
    filled, some = columns["filled"].is_not(None), columns["some"] > 1
    Table(
        "plan",
        schema,
        *columns.values(),
        Index("a", "first", "second"),
        Index("b", "filled", postgresql_where=filled, sqlite_where=filled),
        Index("c", "some", postgresql_where=some, sqlite_where=some),
    )
    assert without_an_index(schema) == {"plan.none", "plan.second", "plan.some"}
