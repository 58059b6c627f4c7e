"""Alembic's environment: the connection comes from ``models.ledger.migrate``, never from a file."""

from alembic import context

from models.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
