"""The statements of a migration: plain SQL for each database, which whoever runs it can read."""

from pathlib import Path

from alembic import op

FOLDER = Path(__file__).parent / "ddl"
BETWEEN = ";\n\n--\n\n"


def run(revision: str, way: str) -> None:
    """Carry out one; ``way`` is ``up`` or ``down``."""
    connection = op.get_bind()
    for statement in statements(revision, connection.dialect.name, way):
        connection.exec_driver_sql(statement)


def statements(revision: str, dialect: str, way: str) -> list[str]:
    """The statements of ``ddl/<revision>.<dialect>.<way>.sql``."""
    path = FOLDER / f"{revision}.{dialect}.{way}.sql"
    return path.read_text().removesuffix(";\n").split(BETWEEN)
