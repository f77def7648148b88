"""What has to be done once a minute, whoever asks for what: the counters, the seals, the cutting off."""

import atexit
import threading
from typing import Any

from authapp import audit_chain, audit_cuts, logs, refusals
from authapp.config.live import LiveConfig
from authapp.config.sections import Config
from authapp.database import Database, DatabaseError, reason_of

INTERVAL = 60.0  # seconds


def run(database: Database, config: Config) -> None:
    """Do them all once. Raises DatabaseError; the next time does what was left."""
    refusals.flush(database)
    refusals.seal(database)
    audit_chain.seal(database)
    audit_cuts.retain(database, config.audit.retention)
    database.settle()


class Chores:
    """The chores of one process. Each process of each node does them: the database has one wait for another."""

    def __init__(self, database: Database, live: LiveConfig) -> None:
        self.database, self.live = database, live
        self._failed = False
        self._start, self._end = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Do them once a minute in a thread of this process, if it has none yet, and a last time when it ends."""
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._go_on, daemon=True, name="chores")
                self._thread.start()
                atexit.register(self.finish)

    def attempt(self) -> None:
        """Do them now; what fails is logged the first time, and tried again the next."""
        try:
            run(self.database, self.live.current.config)
        except Exception as error:  # noqa: BLE001 - the server goes on serving, and a minute later tries again
            if not self._failed:
                logs.log.error("the audit table could not be sealed; this is tried every minute", **_why(error))
            self._failed = True
        else:
            self._failed = False

    def finish(self) -> None:
        """End the thread, and write down what was counted, because this process ends."""
        self._end.set()
        try:
            refusals.flush(self.database)
        except Exception as error:  # noqa: BLE001 - the process ends anyway
            logs.log.error("the last refused sign-ins could not be written down", **_why(error))

    def _go_on(self) -> None:
        while not self._end.wait(INTERVAL):
            self.attempt()


def _why(error: Exception) -> dict[str, Any]:
    """Return what the log says of a failure: of the database's its reason, of a mistake of ours where it was."""
    return {"reason": reason_of(error)} if isinstance(error, DatabaseError) else {"exc_info": error}
