"""What the doctor has before it: files and environment as they were read, and the database if there is one."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url

from authapp import paths, settings
from authapp.config.examine import Examined, examine
from authapp.config.overlay import Effective
from authapp.database import Database, DatabaseError, database_url, opened, reason_of, require_schema, sqlite_file
from authapp.doctor.finding import Finding, bad, look, of_problem, ok
from authapp.doctor.machine import Machine, nearest_folder, status
from authapp.errors import ConfigError, Problem, SchemaOutdated, StartError
from authapp.paths import Locations

CONFIG, ENVIRONMENT, DATABASE = "config file", "environment", "database"
NAME_ANOTHER = "name a file that is there, and that this account may read"
PATIENCE = "5"  # seconds until a PostgreSQL that does not answer counts as unreachable


@dataclass(frozen=True, slots=True)
class Case:
    """One installation, or none; `database` is None unless it can be asked, and `opening` says why."""

    locations: Locations
    machine: Machine
    examined: Examined
    url: str
    database: Database | None
    opening: Finding
    rows: Mapping[str, Any]

    @property
    def effective(self) -> Effective:
        """The config in force."""
        return self.examined.effective

    @property
    def sqlite(self) -> Path | None:
        """The file of the database, if it is one."""
        return sqlite_file(self.url)

    @property
    def installation(self) -> settings.Installation | None:
        """What the installation remembers of itself."""
        row = self.rows.get(settings.INSTALLATION)
        return settings.Installation(**row) if row else None


def find(named: str | None, env_file: str | None) -> tuple[Locations, list[Finding]]:
    """Find the files as every command does, and go on without those that cannot be used; say which these are."""
    lost = []
    try:
        around = paths.read_environment(env_file)
    except ConfigError as error:
        lost += [_lost(ENVIRONMENT, problem) for problem in error.problems]
        env_file, around = None, paths.read_environment()
    try:
        return paths.locate(named, env_file), lost
    except ConfigError as error:
        lost += [_lost(CONFIG, problem) for problem in error.problems]
    wanted = named if named is not None else around["AUTHAPP_CONFIG"].text
    file = Path(wanted if "\0" not in wanted else "").absolute()
    beside = Path(env_file).absolute() if env_file is not None else None
    return Locations(file, named=True, data=paths.data_beside(file), variables=around, env_file=beside), lost


def _lost(check: str, problem: Problem) -> Finding:
    advice = "" if "; " in problem.message or (problem.place and problem.place.line) else NAME_ANOTHER
    return of_problem(check, problem, advice=advice)


@contextmanager
def opened_case(locations: Locations, machine: Machine) -> Iterator[Case]:
    """Read everything there is to be read, and change nothing."""
    examined = examine(locations)
    url = database_url(examined.effective.config.database.url, locations)
    with ExitStack() as stack:
        database, opening = _open(stack, url)
        rows: dict[str, Any] = {}
        if database:
            with database.reading() as db:
                rows = settings.load_all(db)
            examined = examine(locations, rows)
        yield Case(locations, machine, examined, url, database, opening, rows)


def _open(stack: ExitStack, url: str) -> tuple[Database | None, Finding]:
    file = sqlite_file(url)
    if file is not None and status(file) is None:
        return None, _missing(file)
    try:
        database = stack.enter_context(_only_looked_at(url, file))
        require_schema(database)
    except (SchemaOutdated, StartError) as error:
        found, _, advice = str(error).replace("; run:", ". Run:").partition(". ")
        return None, bad(DATABASE, found, advice)
    except (DatabaseError, OSError) as error:
        reason = reason_of(error) if isinstance(error, DatabaseError) else str(error.strerror)
        return None, bad(DATABASE, f"{_kind(url)} cannot be used: {reason}", _way_out(file))
    return database, ok(DATABASE, f"{_kind(url)}; its schema is the one this version works with")


def _missing(file: Path) -> Finding:
    if not os.access(nearest_folder(file.parent), os.X_OK):
        return bad(DATABASE, f"{file} cannot be looked for", "run the doctor as the account that runs authapp")
    if any(status(beside) for beside in _log_and_index(file)):
        found = f"the database file {file} is gone, but something uses it, or did"
        return bad(DATABASE, found, "put it back; or restore a backup, then restart authapp")
    found = f"there is no installation here yet; looked for {file}"
    return look(DATABASE, found, "`authapp run` makes one, and so does `authapp bootstrap`")


def _log_and_index(file: Path) -> tuple[Path, Path]:
    """Return what SQLite keeps beside a file while somebody has it open, and after a crash."""
    return file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")


def _way_out(file: Path | None) -> str:
    if file is None:
        return "see that it runs, that database.url is right, and that this machine may connect"
    return "see whose file it is, and that it is whole; or restore a backup"


def _kind(url: str) -> str:
    """Say which database it is, without what stands in its address beside the host."""
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        return f"SQLite, {parts.database}"
    return f"PostgreSQL at {parts.host or 'the local socket'}, {parts.database or 'its default database'}"


@contextmanager
def _only_looked_at(url: str, file: Path | None) -> Iterator[Database]:
    """Open a database so that no file is made or changed, as SQLite otherwise does even for a reader.

    A write-ahead log without its index belongs to nobody who runs, so that a copy can be opened in its place.
    """
    with ExitStack() as stack:
        if file is not None:
            log, index = _log_and_index(file)
            if status(log) and not status(index):
                folder = stack.enter_context(TemporaryDirectory())
                shutil.copy(log, folder)
                file = Path(shutil.copy(file, folder))
            url = _read_only(file, immutable=not status(log))
        yield stack.enter_context(opened(_in_time(url)))


def _read_only(file: Path, *, immutable: bool) -> str:
    """Return an address that writes nothing; `immutable` is a file without a log, which nobody has open."""
    how = {"mode": "ro", "uri": "true"} | ({"immutable": "1"} if immutable else {})
    return URL.create("sqlite", database=f"file:{quote(os.fspath(file))}", query=how).render_as_string()


def _in_time(url: str) -> str:
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite" or "connect_timeout" in parts.query:
        return url
    return parts.update_query_dict({"connect_timeout": PATIENCE}).render_as_string(hide_password=False)
