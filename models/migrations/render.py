"""The schema that the models declare, as SQL: what migrations, taken together, must come to.

``make schema`` prints it. A change of the models is a migration of its own, written by hand from
what is printed; a test compares a migrated database with this.
"""

import sys
from typing import Any

from sqlalchemy import create_mock_engine

import models
from models.append_only import create_triggers
from models.migrations.statements import BETWEEN

_URLS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}


def declared(dialect: str) -> list[str]:
    """The statements that make every table, index and trigger of the models."""
    made: list[str] = []

    def keep(element: Any, *args: Any, **kwargs: Any) -> None:
        lines = str(element.compile(dialect=engine.dialect)).strip().splitlines()
        made.append("\n".join(line.rstrip().replace("\t", "    ") for line in lines))

    engine = create_mock_engine(_URLS[dialect], keep)
    models.base.metadata.create_all(engine, checkfirst=False)
    return [*made, *create_triggers(dialect)]


def main() -> None:
    """Print the schema for one database."""
    sys.stdout.write(BETWEEN.join(declared(sys.argv[1])) + ";\n")


if __name__ == "__main__":
    main()
