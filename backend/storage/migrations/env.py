"""Alembic's entry point; ``backend.storage.migrate`` hands over the connection."""

from alembic import context

from backend.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
