"""How a node stops while others serve: it says so first, and goes on serving until nothing is sent to it any more.

A parent that is told to stop tells its workers, and stops them a while later. In between `/readyz` says 503 and
every answer ends its connection, so that load balancers have turned to the other nodes when this one goes.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

STOP, LEAVE = signal.SIGTERM, signal.SIGUSR1
AGAIN = 1.0  # seconds after which workers are told again: one may have been started since


def leave_before_stop(seconds: Callable[[], float], stop: Callable[[], object]) -> None:
    """Answer SIGTERM in the parent: go on serving for so many seconds, then stop; told twice, stop at once."""
    signal.signal(LEAVE, signal.SIG_IGN)  # workers inherit this, and do not die of it before they wait for it

    def told(*_: object) -> None:
        signal.signal(STOP, lambda *_: stop())
        threading.Thread(target=_leave, args=(seconds, stop), daemon=True, name="leaving").start()

    signal.signal(STOP, told)


def _leave(seconds: Callable[[], float], stop: Callable[[], object]) -> None:
    end = time.monotonic() + seconds()
    while (left := end - time.monotonic()) > 0:
        for worker in multiprocessing.active_children():
            with suppress(ProcessLookupError):
                os.kill(worker.pid or 0, LEAVE)
        time.sleep(min(left, AGAIN))
    stop()


def heed() -> threading.Event:
    """Let this worker stop when its parent says so; return what is set as soon as it leaves.

    A terminal sends Ctrl-C to every process, and systemd SIGTERM: a worker that took them for itself would be gone
    while its parent still wants it to serve.
    """
    leaving = threading.Event()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, STOP, LEAVE})
    threading.Thread(target=_heed, args=(os.getppid(), leaving), daemon=True, name="signals").start()
    return leaving


def _heed(parent: int, leaving: threading.Event) -> None:
    told, sender = _next_signal(parent)
    while told != STOP or sender not in (parent, os.getpid()):
        if told == LEAVE:
            leaving.set()
        told, sender = _next_signal(parent)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {STOP})
    os.kill(os.getpid(), STOP)  # the web server has a handler for it, which finishes what is in flight


def _next_signal(parent: int) -> tuple[int, int]:
    """Wait for a signal to this worker; return it and who sent it."""
    if sys.platform == "darwin":  # does not tell who
        return signal.sigwait({STOP, LEAVE}), parent
    told = signal.sigwaitinfo({STOP, LEAVE})
    return told.si_signo, told.si_pid
