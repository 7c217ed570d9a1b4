"""Acts beside deciding: what people did to what waits."""

from models.migrations.statements import run

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables and columns."""
    run(revision, "up")


def downgrade() -> None:
    """Drop them."""
    run(revision, "down")
