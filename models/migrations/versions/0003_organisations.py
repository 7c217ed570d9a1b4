"""Organisations as they change: what they were called and where they stood before."""

from models.migrations.statements import run

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables and columns."""
    run(revision, "up")


def downgrade() -> None:
    """Drop them."""
    run(revision, "down")
