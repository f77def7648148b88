"""The current config, and noticing that somebody edited it.

One LiveConfig lives in each process. Before it answers, a process calls `refresh`; that costs a `stat` at
most every half second. A file is read whole and checked whole, then one immutable Snapshot is swapped in;
a bad file changes nothing but the list of problems.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from authapp.config import environment, yamlfile
from authapp.config.checks import conflicts, mode_lock, warnings
from authapp.config.examine import Examined, Signature, Start, examine, lay, stat_of
from authapp.config.options import CREDENTIALS, INSTALLATION, MODE
from authapp.config.overlay import Effective, GivenCredentials, overlay
from authapp.errors import ConfigError, Place, Problem
from authapp.logs import log
from authapp.paths import Locations

LOOK_INTERVAL = 0.5  # seconds between two looks at the files
SETTLE_TIME = 0.1  # seconds a file must have stood still before it is read
RETRY_INTERVAL = 1.0  # seconds between two tries while the database refuses
PATIENCE = 1.0  # seconds a request waits for another one's look, which may be waiting for a database that is stuck


class NotNow(Exception):
    """The database did not answer; ask again later."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A good config file that is still to be adopted.

    `changed`: its credentials are not those read last, or those were withheld; `edited`: it is not the first one
    read; `first`: no good one was read before, so that the process is still starting. Where it is neither of both,
    only the Settings table changed, and `changed` tells whether the stored credentials did.
    """

    effective: Effective
    given: GivenCredentials
    changed: bool
    edited: bool
    first: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the config.

    `closed`: nobody signs in until the problems are mended. `pending`: nothing was read yet, because the
    database did not answer. `needs_restart`: options whose edit counts from the next start.
    """

    effective: Effective
    given: GivenCredentials = field(default_factory=GivenCredentials)
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    needs_restart: tuple[str, ...] = ()
    closed: bool = False
    pending: bool = False


# Loads the rows of the Settings table; raises NotNow.
Load = Callable[[], Mapping[str, Any]]
# Brings the database into line with a file that was read, and returns the credentials in it that do not count;
# raises NotNow, or ConfigError when the credentials break a rule.
Adopt = Callable[[Reading], tuple[Problem, ...]]


class LiveConfig:
    """The config of this process; `start` holds the options that were resolved at start.

    A `quiet` process logs no problems, because its parent does.
    """

    def __init__(
        self, locations: Locations, load: Load, adopt: Adopt, *, start: Start, quiet: bool = False
    ) -> None:
        self.locations = locations
        self._start = start
        self._load, self._adopt, self._quiet = load, adopt, quiet
        self._lock = threading.RLock()
        self._next_look = 0.0
        self._watched: tuple[Path, ...] = (locations.config_file,)
        self._seen: tuple[Signature, ...] | None = None  # the files' state that was read last, good or bad
        self._first_seen: dict[Path, tuple[Signature, float]] = {}
        self._good: Examined | None = None
        self._uncounted: tuple[Problem, ...] = ()  # credentials of the good file that do not count
        self._withheld = False  # whether they were given anew and not adopted
        self._rows: Mapping[str, Any] = {}
        self._snapshot = Snapshot(overlay([])[0], pending=True)

    @property
    def snapshot(self) -> Snapshot:
        """The state in force."""
        return self._snapshot

    @property
    def current(self) -> Effective:
        """The effective config in force."""
        return self._snapshot.effective

    def glance(self) -> Effective:
        """Return what file and environment say this very moment, good or bad, without taking it over."""
        return examine(self.locations, start=self._start).effective

    @property
    def start(self) -> Start:
        """What a process that starts now has to know."""
        return replace(self._start, had_file=bool(self._good and self._good.document.values))

    def refresh(self) -> Snapshot:
        """Look at the files and the Settings table if the last look is long enough ago; return the state."""
        if time.monotonic() >= self._next_look and self._lock.acquire(timeout=PATIENCE):
            try:
                if time.monotonic() >= self._next_look:
                    self.look()
            finally:
                self._lock.release()
        return self._snapshot

    def look(self) -> bool:
        """Look now, and read what changed; returns False when that was put off, and another look is due soon."""
        with self._lock:
            self._next_look = time.monotonic() + LOOK_INTERVAL
            signature = tuple(stat_of(path) for path in self._watched)
            try:
                if signature == self._seen:
                    self._look_at_settings()
                    return True
                return self._settled(self._watched, signature) and self._read()
            except NotNow:
                self._next_look = time.monotonic() + RETRY_INTERVAL
                return False
            except Exception as error:  # noqa: BLE001 - a file that breaks our code must not end the last good config
                self._give_up(signature, error)
                return True

    def _give_up(self, signature: tuple[Signature, ...], error: Exception) -> None:
        """Treat a file that could not be checked as a bad one; the error's text might repeat a secret."""
        kind = type(error).__name__
        problem = Problem("", f"cannot be checked ({kind})", Place(self.locations.config_file.name))
        nothing = Examined(
            yamlfile.Document(),
            environment.read({}),
            overlay([])[0],
            GivenCredentials(),
            (problem,),
            signature,
            self._watched,
            stood_still=True,
        )
        self._refuse(nothing, nothing.problems)
        self._seen = signature

    def _settled(self, watched: tuple[Path, ...], signature: tuple[Signature, ...]) -> bool:
        """Tell whether each file is old enough, or was the same a moment ago; if not, look again soon.

        The second test is for files whose time of change lies in the future.
        """
        now = time.monotonic()
        settled = True
        for path, entry in zip(watched, signature, strict=True):
            if self._first_seen.get(path, (None, 0.0))[0] != entry:
                self._first_seen[path] = (entry, now)
            is_old = entry is None or time.time() - entry[0] / 1e9 >= SETTLE_TIME
            settled &= is_old or now - self._first_seen[path][1] >= SETTLE_TIME
        if not settled:
            self._next_look = now + SETTLE_TIME
        return settled

    def _read(self) -> bool:
        rows = self._load()
        had_one = self._start.had_file or (self._good is not None and self._good.signature[0] is not None)
        examined = examine(self.locations, rows, start=self._start, had_one=had_one, running=self._good is not None)
        if not examined.stood_still or not self._settled(examined.watched, examined.signature):
            self._next_look = time.monotonic() + SETTLE_TIME
            return False
        if examined.problems:
            self._refuse(examined, examined.problems)
        else:
            self._take(examined)
        self._watched, self._seen = examined.watched, examined.signature
        return True

    def _take(self, examined: Examined) -> None:
        changed = self._good is None or self._withheld or examined.given != self._good.given
        edited = self._seen is not None
        try:
            frozen = self._start.freeze(examined.effective)
            self._uncounted = self._adopt(Reading(frozen, examined.given, changed, edited, self._good is None))
        except ConfigError as error:
            self._refuse(examined, error.problems)
            return
        self._good = examined
        self._withheld = changed and bool(self._uncounted) and not self._quiet  # a worker's parent sees to it
        self._overlay(examined, self._load(), ())
        if edited and not self._quiet:
            log.info("the config file was edited and is in force")

    def _look_at_settings(self) -> None:
        """Take over what changed in the Settings table; a bad file goes on waiting to be mended."""
        if self._good is not None and (rows := self._load()) != self._rows:
            effective, _ = lay(rows, self._good.around, self._good.document)
            frozen = self._start.freeze(effective)
            other = rows.get(CREDENTIALS) != self._rows.get(CREDENTIALS)
            uncounted = self._adopt(Reading(frozen, self._good.given, other, edited=False, first=False))
            self._uncounted = uncounted if other else self._uncounted
            self._overlay(self._good, rows, self._snapshot.problems)

    def _overlay(self, good: Examined, rows: Mapping[str, Any], problems: tuple[Problem, ...]) -> None:
        """Swap in a good file laid over these settings."""
        effective, _ = lay(rows, good.around, good.document)
        found = (*good.around.warnings, *warnings(effective, self.locations.config_file, self.locations.env_file))
        found += self._uncounted
        frozen, needs_restart = self._start.freeze(effective), self._start.edited(effective)
        found += (*conflicts(frozen), *(_refused_next(rows, effective) if needs_restart else ()))
        self._report("warning", found, self._snapshot.warnings)
        for key in set(needs_restart) - set(self._snapshot.needs_restart):
            log_unless_quiet = log.debug if self._quiet else log.warning
            log_unless_quiet(f"{key} was edited and needs a restart")
        self._rows = rows
        self._snapshot = Snapshot(frozen, good.given, problems, found, needs_restart)

    def _refuse(self, examined: Examined, problems: tuple[Problem, ...]) -> None:
        """Keep the last good config; without one, start closed."""
        self._report("error", problems, self._snapshot.problems)
        if self._good is None:
            frozen = self._start.freeze(examined.effective)
            self._snapshot = Snapshot(frozen, examined.given, problems, closed=True)
        else:
            self._snapshot = replace(self._snapshot, problems=problems)

    def _report(self, level: str, found: tuple[Problem, ...], before: tuple[Problem, ...]) -> None:
        known = set(before)
        for problem in found:
            if problem not in known and not self._quiet:
                getattr(log, level)(str(problem))


def _refused_next(rows: Mapping[str, Any], effective: Effective) -> tuple[Problem, ...]:
    """Return why the next start will be refused, where an edit of the mode has to do with a lock."""
    recorded = (rows.get(INSTALLATION) or {}).get("auth_mode", "")
    problem = mode_lock(recorded, effective.get(MODE)) if recorded else None
    if problem is None:
        return ()
    place = effective.place_of.get(MODE)
    return (replace(problem, message=f"the next start will be refused: {problem.message}", place=place),)
