"""An installation as a command finds it, or founds it: its config, its database."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from authapp import logs, modes, paths, provision, settings, wizard
from authapp.config.checks import WAY_OUT, mode_lock
from authapp.config.examine import Start, examine
from authapp.config.live import LiveConfig
from authapp.config.options import MODE, ONE_OF, OPTIONS
from authapp.config.overlay import Source
from authapp.database import (
    Database,
    database_url,
    open_database,
    opened,
    reason_of,
    require_schema,
    sqlite_file,
    upgrade,
)
from authapp.errors import ConfigError, Problem, StartError
from authapp.nodes import Here
from authapp.paths import Locations


def read_start(locations: Locations, overrules: Mapping[str, Any] | None = None) -> Start:
    """Read the config and resolve what is resolved at start; `overrules` are the options of the command line.

    Raises ConfigError with all problems, unless it is only that nobody can sign in.
    """
    start = Start.from_layers(examine(locations), overrules)
    problems = list(examine(locations, start=start).problems)
    # A misspelled mode is none that was wanted.
    if any(problem.key == MODE and ONE_OF not in problem.message for problem in problems):
        recorded = recorded_mode(locations, start)
        problems += [Problem(MODE, f"the recorded mode is {recorded}", hint=WAY_OUT)] if recorded else []
    if any(not problem.closes for problem in problems):
        raise ConfigError(problems)
    return start


def recorded_mode(locations: Locations, start: Start) -> str | None:
    """Return the mode an installation is in, if there is one to ask; changes nothing."""
    url = database_url(start.values["database.url"], locations)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return None
    try:
        with opened(url) as database, database.reading() as db:
            installation = settings.installation(db)
    except (SQLAlchemyError, StartError):
        return None
    return installation.auth_mode if installation else None


class Installed:
    """An installation whose schema is up to date and whose config was read and adopted.

    It is founded or upgraded where that is needed, unless it `must_exist`. `node`: the server that will run on it.
    `left_none`: this start changed the mode from none to basic. Raises ConfigError, StartError, SchemaOutdated.
    """

    def __init__(
        self,
        locations: Locations,
        overrules: Mapping[str, Any] | None = None,
        *,
        must_exist: bool = False,
        node: Here | None = None,
    ) -> None:
        self.locations = locations
        self.start = start = read_start(locations, overrules)
        logs.configure(start.values["log.level"], start.values["log.format"])
        self.database = open_for_writing(start.values["database.url"], locations)
        try:
            if must_exist:
                require_schema(self.database)
            else:
                upgrade(self.database)
                provision.prepare(self.database, start.values[MODE])
            self._require_mode(may_change=not must_exist)
        except SQLAlchemyError as error:
            raise StartError(f"The database cannot be used: {reason_of(error)}.") from None
        adopt = provision.adopter(self.database, node or Here.of(locations), signs=node is not None)
        self.live = LiveConfig(locations, self._load, adopt, start=start)
        self._first_look()

    def _require_mode(self, *, may_change: bool) -> None:
        """End the start in a mode that is locked; only commands that may found an installation leave mode none."""
        with self.database.reading() as db:
            installation = settings.installation(db)
        recorded, wanted = installation.auth_mode if installation else modes.BASIC, self.start.values[MODE]
        self.left_none = (recorded, wanted) == (modes.NONE, modes.BASIC)
        if problem := mode_lock(recorded, wanted):
            place = examine(self.locations).effective.place_of.get(MODE)
            raise ConfigError([replace(problem, place=place)])
        if recorded != wanted and not may_change:
            raise StartError(
                "This installation is in mode none still, and the config wants basic. `authapp mode check basic` "
                "says what changes; the next start does it."
            )

    def _load(self) -> dict[str, Any]:
        return provision.load_rows(self.database)

    def _first_look(self) -> None:
        """Read and adopt; a file that was saved this moment is given the time to settle."""
        for _ in range(50):
            self.live.look()
            if not self.live.snapshot.pending:
                return
            threading.Event().wait(0.1)
        raise StartError("The database cannot be used at the moment.")

    def what_changed(self) -> str | None:
        """Say what the start changed that nobody may have meant to, and what is kept from mode none."""
        if not self.left_none or self.live.snapshot.closed:
            return None
        kept = [key for key, source in self.live.current.source_of.items() if source is Source.SETTINGS]
        named = ", ".join(key for key in kept if OPTIONS[key].settable)
        kept_settings = f" What was set in mode none still counts: {named}." if named else ""
        return f"The mode is basic from now on: the default user is the owner, and people sign in.{kept_settings}"

    def setup_token(self, *, fresh: bool = False) -> str | None:
        """Return the setup token, or None when setup is over."""
        try:
            return wizard.ensure_token(self.database, self.live.snapshot, self.locations.data, fresh=fresh)
        except OSError as error:
            raise StartError(
                f"The setup token cannot be written to {self.locations.data}: {error.strerror}."
            ) from None

    def address(self) -> str:
        """Return the address to open."""
        server = self.live.current.config.server
        if server.public_url:
            return server.public_url
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(server.host, server.host)  # noqa: S104 - a comparison
        return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{server.port}"


def open_for_writing(wanted: str | None, locations: Locations) -> Database:
    """Open the database, and make the folders its files live in. Raises ConfigError, StartError."""
    paths.ensure_data_folder(locations.data)
    url = database_url(wanted, locations)
    file = sqlite_file(url)
    if file is not None and file.parent != locations.data:
        paths.ensure_data_folder(file.parent)
    return open_database(url)
