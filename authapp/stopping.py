"""How a node stops while others serve: it says so first, and goes on serving until nothing is sent to it any more.

A parent that is told to stop tells its workers, and stops them a while later. In between `/readyz` says 503 and
every answer ends its connection, so that load balancers have turned to the other nodes when this one goes. For the
sake of those that never ask, no connection is taken at the very end: it could be closed with its request unread.
"""

import atexit
import ctypes
import multiprocessing
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path

STOP, LEAVE = signal.SIGTERM, signal.SIGUSR1
AGAIN = 1.0  # seconds after which workers are told again: one may have been started since
QUIET = 0.5  # seconds without new connections, in which those that were just made send their request
_TOLD = threading.Event()  # set in a worker whose parent has told it to stop
SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it
# Drops what begins a connection: of byte 13 of a TCP header (RFC 9293) only SYN is set, of SYN and ACK.
NO_SYN = (
    (0x30, 0, 0, 13),  # A = that byte
    (0x54, 0, 0, 0x12),  # A &= SYN | ACK
    (0x15, 0, 1, 0x02),  # unless A is SYN, leave the next out
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # take all of it
)


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
    atexit.register(_end)  # the first to be registered is the last that runs
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, STOP, LEAVE})
    threading.Thread(target=_heed, args=(os.getppid(), leaving), daemon=True, name="signals").start()
    return leaving


def _end() -> None:
    """End a worker that was told to, without what Python does last of all.

    The web server's own threads outlive that, and one that turns to Python then aborts the process with a message
    that frightens whoever reads the log.
    """
    if _TOLD.is_set():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _heed(parent: int, leaving: threading.Event) -> None:
    told, sender = _next_signal(parent)
    while told != STOP or sender not in (parent, os.getpid()):
        if told == LEAVE:
            leaving.set()
        told, sender = _next_signal(parent)
    if leaving.is_set() and sys.platform == "linux":
        turn_away(_sockets())
        time.sleep(QUIET)
    _TOLD.set()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {STOP})
    os.kill(os.getpid(), STOP)  # the web server has a handler for it, which finishes what is in flight


def _next_signal(parent: int) -> tuple[int, int]:
    """Wait for a signal to this worker; return it and who sent it."""
    if sys.platform == "darwin":  # does not tell who
        return signal.sigwait({STOP, LEAVE}), parent
    told = signal.sigwaitinfo({STOP, LEAVE})
    return told.si_signo, told.si_pid


def turn_away(descriptors: Iterable[int]) -> None:
    """Take no new connection at those of these sockets that listen, and go on with all others.

    Whoever tries is not answered, tries again after a second (RFC 6298), and is refused then, as nobody listens any
    more. A load balancer turns to another node. To close the port instead would cut off whoever is just connecting.
    """
    steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in NO_SYN))
    program = struct.pack("HP", len(NO_SYN), ctypes.addressof(steps))
    for descriptor in descriptors:
        # It is gone, or the system has no such filters.
        with suppress(OSError), closing(socket.socket(fileno=os.dup(descriptor))) as found:
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def _sockets() -> list[int]:
    """Return the descriptors of this process's sockets: the web server keeps those it listens on to itself."""
    return [int(link.name) for link in Path("/proc/self/fd").iterdir() if link.is_socket()]
