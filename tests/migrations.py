"""Moving a schema up and down, as Alembic does."""

from collections.abc import Callable

from alembic.config import Config

from authapp import paths
from authapp.database import Database


def migrate(database: Database, move: Callable[[Config, str], None], revision: str) -> None:
    """Move the schema up or down to a revision."""
    config = Config()
    config.set_main_option("script_location", str(paths.MIGRATIONS))
    with database.engine.execution_options(authapp_writes=True).begin() as connection:
        config.attributes["connection"] = connection
        move(config, revision)
