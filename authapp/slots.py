"""A bounded number of places for slow work, of which strangers never get the last one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from authapp.errors import Busy

QUEUE = 8  # strangers that may wait; each holds one of the few threads, of which most must stay free for others
PATIENCE = 2  # seconds a stranger waits for a place
LONG_PATIENCE = 10  # seconds those wait who are known


class Slots:
    """So many places, of which one is kept for those who are known.

    Whoever holds a place may take it again in the same thread.
    """

    def __init__(self, size: int) -> None:
        self.size = max(size, 2)
        self._free = threading.Condition()
        self._taken = self._waiting = self._strangers_waiting = 0
        self._mine = threading.local()

    @contextmanager
    def take(self, *, known: bool = True) -> Iterator[None]:
        """Hold a place; raises Busy when none gets free, and for strangers also when too many wait."""
        if getattr(self._mine, "holds", False):
            yield
            return
        self._enter(known=known)
        self._mine.holds = True
        try:
            yield
        finally:
            self._mine.holds = False
            with self._free:
                self._taken -= 1
                self._free.notify_all()

    def in_use(self) -> tuple[int, int]:
        """Return how many places are taken, and how many wait for one."""
        with self._free:
            return self._taken, self._waiting

    def _enter(self, *, known: bool) -> None:
        with self._free:
            if known:
                self._wait(self.size, LONG_PATIENCE)
            elif self._strangers_waiting >= QUEUE:
                raise Busy
            else:
                self._strangers_waiting += 1
                try:
                    self._wait(self.size - 1, PATIENCE)
                finally:
                    self._strangers_waiting -= 1
            self._taken += 1

    def _wait(self, most: int, patience: float) -> None:
        self._waiting += 1
        try:
            if not self._free.wait_for(lambda: self._taken < most, patience):
                raise Busy
        finally:
            self._waiting -= 1
