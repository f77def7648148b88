"""Moving an installation to an empty PostgreSQL database, whole or not at all."""

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import SQLAlchemyError

from authapp import contents, nodes
from authapp.config.options import OPTIONS
from authapp.database import Database, opened, reason_of, upgrade
from authapp.errors import CannotMove

DATABASE_URL = "database.url"
OWN = "alembic_version"


def target_url(text: str) -> str:
    """Return the URL of a PostgreSQL database; raises CannotMove with a sentence that does not repeat it."""
    try:
        url = str(OPTIONS[DATABASE_URL].convert(text))
    except ValueError as error:
        raise CannotMove(f"The address to copy to {error}.") from None
    if not url.startswith("postgresql"):
        raise CannotMove("The address to copy to must begin with postgresql://; for SQLite, restore a backup.")
    return url


def copy(source: Database, url: str) -> dict[str, int]:
    """Copy every row into the empty database at a URL, and return how many of each table.

    Nodes that serve the old database do not seem to serve the new one.
    Raises CannotMove, and StartError when the database cannot be reached; then it holds no row.
    """
    try:
        with opened(url) as target:
            # Before it is upgraded: what belongs to somebody else is not touched.
            with target.engine.connect() as connection:
                _require_empty(connection)
            upgrade(target)
            with contents.snapshot(source) as old, target.writing() as new:
                contents.keep_writers_out(new.connection())
                _require_empty(new.connection())
                copied = contents.copy(old, new.connection())
                nodes.let_all_be_silent(new)
                return copied
    except SQLAlchemyError as error:
        raise CannotMove(f"Nothing was copied: {reason_of(error)}.") from None


def _require_empty(connection: Connection) -> None:
    """Raise CannotMove unless a database has no tables, or only ours, without rows."""
    foreign = set(inspect(connection).get_table_names()) - {OWN, *(table.name for table in contents.tables())}
    if foreign:
        raise CannotMove("The database to copy to is not empty: there are tables that are not authapp's.")
    if full := [name for name, rows in contents.count(connection).items() if rows]:
        raise CannotMove(f"The database to copy to is not empty: there are rows in {', '.join(full)}.")
