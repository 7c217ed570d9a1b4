"""Alembic's entry: it uses the connection it is given, and its transaction.

DDL takes part in the caller's transaction on SQLite too (the engine opens it itself), so a
migration that fails or is killed half-way leaves nothing behind.
"""

from alembic import context

from models.base import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
