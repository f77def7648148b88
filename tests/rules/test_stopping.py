"""A node that is told to stop: it leaves first, and stops when it is told twice or alone."""

import os
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from authapp import stopping

PATIENCE = 20.0  # seconds; what is waited for takes less than one


@pytest.fixture(autouse=True)
def _same_signals_afterwards() -> Iterator[None]:
    """Leave the signals to the tests as they were."""
    before = {number: signal.getsignal(number) for number in (stopping.STOP, stopping.LEAVE)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_node_that_is_alone_stops_at_once() -> None:
    """A node without others stops when it is told to."""
    stopped = threading.Event()
    stopping.leave_before_stop(lambda: 0.0, stopped.set)
    os.kill(os.getpid(), stopping.STOP)
    assert stopped.wait(PATIENCE)


def test_told_twice_a_node_stops_at_once() -> None:
    """A node that still has time to leave stops at once when it is told again."""
    asked, stopped, over = threading.Event(), threading.Event(), threading.Event()

    def think() -> float:
        asked.set()
        over.wait(PATIENCE)
        return 0.0

    stopping.leave_before_stop(think, stopped.set)
    os.kill(os.getpid(), stopping.STOP)
    assert asked.wait(PATIENCE)
    assert not stopped.is_set()
    os.kill(os.getpid(), stopping.STOP)
    assert stopped.wait(PATIENCE)
    over.set()


def test_new_connections_are_turned_away() -> None:
    """At the very end nobody can connect any more, and who is connected is served."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as known,
    ):
        stopping.turn_away([listener.fileno()])
        with pytest.raises(TimeoutError):
            socket.create_connection(listener.getsockname(), timeout=0.2).close()
        accepted, _ = listener.accept()
        with accepted:
            known.sendall(b"still here")
            assert accepted.recv(100) == b"still here"
