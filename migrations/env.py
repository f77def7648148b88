"""Runs the migrations on the connection that authapp.database hands over, inside its transaction."""

from alembic import context

from authapp.models import Setting

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Setting.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
context.run_migrations()
