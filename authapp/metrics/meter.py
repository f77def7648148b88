"""What one process counts of its requests, and what the workers of a node counted together.

Whoever asks for the metrics reaches one worker, and rates are right only if it answers for all. So each writes its
numbers into a file of a folder they share, once a second where something changed, and whoever is asked adds up all
of them. A file is replaced as a whole, and a disk that is full costs nothing but the newest numbers; the memory
maps that are common for this would end the worker then.
"""

import atexit
import fcntl
import json
import os
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from authapp.logs import log
from authapp.models import new_id
from authapp.names import ID

INTERVAL = 1.0  # seconds between two looks whether there is something to write
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds, Prometheus' own choice
FOLDER = "metrics-"

# The name of a sample without the prefix, and its labels; the value.
Key = tuple[str, tuple[tuple[str, str], ...]]
Numbers = Mapping[Key, float]
Source = Callable[[], Mapping[str, float]]


class Meter:
    """The numbers of this process: counters, which stay when it is gone, and gauges, which do not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: defaultdict[Key, float] = defaultdict(float, {("workers_started_total", ()): 1})
        self._began = time.time()
        self._sources: list[Source] = []
        self._folder: Folder | None = None

    def count(self, view: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        request = ("requests_total", (("view", view), ("status", f"{status // 100}xx")))
        buckets, in_all, in_sum = _keys_of(view)
        with self._lock:
            self._counters[request] += 1
            for most, bucket in buckets:
                self._counters[bucket] += seconds <= most
            self._counters[in_all] += 1
            self._counters[in_sum] += seconds

    def count_refusal(self, status: int) -> None:
        """Count a request that no view saw."""
        with self._lock:
            self._counters["requests_not_taken_total", (("status", str(status)),)] += 1

    def watch(self, source: Source) -> None:
        """Ask this for gauges, by their names, whenever the numbers are wanted."""
        self._sources.append(source)

    def share(self, folder: Path, is_on: Callable[[], bool]) -> None:
        """From now on show the numbers to the other workers, as long as somebody wants them."""
        self._folder = Folder(folder)
        threading.Thread(target=self._go_on, args=(is_on,), daemon=True, name="metrics").start()
        atexit.register(self._publish_if, is_on)

    def numbers(self) -> Numbers:
        """Return the numbers of all workers; gauges of those that live alone."""
        if self._folder is None:
            return added_up([self._mine()])
        self._publish()
        return added_up(self._folder.read() or [self._mine()])

    def _mine(self) -> dict[str, Any]:
        gauges = {"workers": 1.0, "start_time_seconds": self._began}
        for source in self._sources:
            gauges.update(source())
        with self._lock:
            counters = [[name, labels, value] for (name, labels), value in self._counters.items()]
        return {"pid": os.getpid(), "gauges": gauges, "counters": counters}

    def _publish(self) -> None:
        if self._folder is not None:
            self._folder.write(json.dumps(self._mine()))

    def _publish_if(self, is_on: Callable[[], bool]) -> None:
        if is_on():
            self._publish()

    def _go_on(self, is_on: Callable[[], bool]) -> None:
        pause = threading.Event()
        while True:
            self._publish_if(is_on)
            pause.wait(INTERVAL)


@cache
def _keys_of(view: str) -> tuple[tuple[tuple[float, Key], ...], Key, Key]:
    """Return where a view's durations are counted: the buckets, the count, the sum. There are few views."""
    labels = (("view", view),)
    name = "request_duration_seconds"
    buckets = [(most, (f"{name}_bucket", (*labels, ("le", str(most))))) for most in BUCKETS]
    rest: tuple[float, Key] = (float("inf"), (f"{name}_bucket", (*labels, ("le", "+Inf"))))
    return (*buckets, rest), (f"{name}_count", labels), (f"{name}_sum", labels)


def added_up(workers: list[dict[str, Any]]) -> Numbers:
    """Return the sums of what workers wrote; of their beginnings, the earliest."""
    total: defaultdict[Key, float] = defaultdict(float)
    began = []
    for worker in workers:
        for name, labels, value in worker["counters"]:
            total[name, tuple((label, text) for label, text in labels)] += value
        if _lives(worker["pid"]):
            began.append(worker["gauges"].pop("start_time_seconds"))
            for name, value in worker["gauges"].items():
                total[name, ()] += value
    return {**total, ("start_time_seconds", ()): min(began, default=0.0)}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


class Folder:
    """Where the workers of one server write. Each holds it while it lives, so that nobody clears it away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path / f"{new_id()}.json"
        self._lock = threading.Lock()
        self._written = ""
        self._held = False
        self._failed = False

    def write(self, text: str) -> None:
        """Replace this process's file, unless it says so already; what fails is logged the first time."""
        with self._lock:
            if text == self._written:
                return
            try:
                self._hold()
                draft = self._file.with_suffix(".new")
                draft.write_text(text, encoding="utf-8")
                draft.replace(self._file)
            except OSError as error:
                if not self._failed:
                    log.warning("the metrics cannot be written", reason=error.strerror)
                self._failed = True
            else:
                self._written, self._failed = text, False

    def read(self) -> list[dict[str, Any]]:
        """Return what the workers wrote."""
        found = []
        for file in self.path.glob("*.json"):
            with suppress(OSError, ValueError):
                found.append(json.loads(file.read_text(encoding="utf-8")))
        return found

    def _hold(self) -> None:
        if not self._held:
            self.path.mkdir(mode=0o700, exist_ok=True)
            fcntl.flock(os.open(self.path, os.O_RDONLY), fcntl.LOCK_SH)  # until the process ends
            self._held = True


@contextmanager
def folder(data: Path) -> Iterator[Path]:
    """Yield where the workers of one server may write; clear away what servers left that were killed."""
    for old in data.glob(f"{FOLDER}*"):
        with suppress(OSError):
            if ID.fullmatch(old.name.removeprefix(FOLDER)):
                _clear_away(old)
    mine = data / f"{FOLDER}{new_id()}"
    try:
        yield mine
    finally:
        shutil.rmtree(mine, ignore_errors=True)


def _clear_away(old: Path) -> None:
    """Delete a folder that no worker holds; raises OSError while one does."""
    held = os.open(old, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(old)
    finally:
        os.close(held)
