"""The first schema: its DDL lies in ``ddl/``, plain SQL for each database."""

from models.migrations.statements import run

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table, index and trigger."""
    run(revision, "up")


def downgrade() -> None:
    """Drop them."""
    run(revision, "down")
