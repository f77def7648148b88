"""What a process has refused lately, counted in memory by network and minute."""

from collections import Counter
from datetime import datetime
from threading import Lock

from authapp import clock

MOST = 1024  # networks that are told apart between two writes
OTHERS = "others"


def minute_of(moment: datetime) -> datetime:
    """Return the minute a moment is in."""
    return moment.replace(second=0, microsecond=0)


class Tally:
    """Counts that cost no query, and bounded memory."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[tuple[datetime, str]] = Counter()

    def count(self, network: str) -> None:
        """Count one refusal."""
        minute = minute_of(clock.now())
        with self._lock:
            known = (minute, network) in self._counts or len(self._counts) < MOST
            self._counts[minute, network if known else OTHERS] += 1

    def take(self) -> Counter[tuple[datetime, str]]:
        """Return what was counted, and begin again."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken

    def put_back(self, taken: Counter[tuple[datetime, str]]) -> None:
        """Add what was taken and could not be written."""
        with self._lock:
            self._counts.update(taken)
