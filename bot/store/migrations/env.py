"""What Alembic runs: the steps, on the connection that `run.upgrade` was given."""

from alembic import context

from bot.store.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    # SQLite cannot change a column: Alembic makes a new table and copies.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
