"""Launches, Prefect's events and pace, the installation; why and by whom a case was terminated."""

from models.migrations.statements import run

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the tables and columns."""
    run(revision, "up")


def downgrade() -> None:
    """Drop them."""
    run(revision, "down")
