"""A node's signs of life, and its word about nodes that were given something else."""

import time

from authapp import nodes
from authapp.config.live import LiveConfig, Snapshot
from authapp.database import Database, DatabaseError, reason_of
from authapp.errors import Busy, Problem
from authapp.logs import log
from authapp.nodes import Compared, Here


class Pulse:
    """Beats every few seconds, and as soon as the config file or the Settings table changed."""

    def __init__(self, database: Database, live: LiveConfig, here: Here) -> None:
        self._database, self._live, self._here = database, live, here
        self._next = 0.0
        self._snapshot: Snapshot | None = None  # that of the last beat
        self._compared: Compared | None = None
        self._said: set[Problem] = set()
        self._is_away = False  # the database, as far as is known

    def beat_if_due(self) -> None:
        """Beat when it is time to; a database that does not answer is asked again soon."""
        snapshot = self._live.snapshot
        if snapshot is self._snapshot and time.monotonic() < self._next:
            return
        try:
            self._beat(snapshot)
        except Busy:
            return
        except DatabaseError as error:
            self._tell_that_it_is_away(error)
            return
        self._tell_that_it_is_back()
        self._snapshot, self._next = snapshot, time.monotonic() + nodes.BEAT.total_seconds()

    def _tell_that_it_is_away(self, error: DatabaseError) -> None:
        """Write it into the log once, also where nobody asks for a page, which would tell it as well."""
        if not self._is_away:
            log.warning("the database cannot be used", reason=reason_of(error))
        self._is_away = True

    def _tell_that_it_is_back(self) -> None:
        if self._is_away:
            log.info("the database can be used again")
        self._is_away = False

    def _beat(self, snapshot: Snapshot) -> None:
        # Verifying a password takes long, so only when there may be another one.
        if snapshot is not self._snapshot:
            self._compared = nodes.compare(self._database, snapshot)
        nodes.beat(self._database, self._here, snapshot.effective, self._compared)
        with self._database.reading() as db:
            found = set(nodes.check(db, snapshot.effective, self._here))
        for problem in found - self._said:
            log.warning(str(problem))
        if self._said and not found:
            log.info("all nodes that serve were given the same again")
        self._said = found
