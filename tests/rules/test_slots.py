"""Slow work has a bounded number of places, and strangers never get the last one."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from authapp import bridge, slots
from authapp.errors import Busy
from authapp.slots import Slots


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long in these tests."""
    monkeypatch.setattr(slots, "PATIENCE", 0)
    monkeypatch.setattr(slots, "LONG_PATIENCE", 0)


@contextmanager
def somebody(places: Slots, *, known: bool) -> Iterator[None]:
    """Hold a place in another thread; raises Busy as that one does."""
    entered, leave, refused = threading.Event(), threading.Event(), []

    def hold() -> None:
        try:
            with places.take(known=known):
                entered.set()
                leave.wait()
        except Busy as error:
            refused.append(error)
            entered.set()

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    try:
        if refused:
            raise refused[0]
        yield
    finally:
        leave.set()
        thread.join()


def test_strangers_leave_a_place() -> None:
    """With all places but one taken a stranger is refused, and somebody who is known is not."""
    places = Slots(3)
    with somebody(places, known=False), somebody(places, known=False):
        with pytest.raises(Busy), places.take(known=False):
            pass
        with places.take():
            pass


def test_no_more_than_so_many() -> None:
    """When all places are taken those are refused, too, who are known."""
    places = Slots(2)
    with somebody(places, known=True), somebody(places, known=True), pytest.raises(Busy), places.take():
        pass


def test_there_are_two_at_least() -> None:
    """Also on the smallest machine a stranger's password is looked at, and a place is left."""
    places = Slots(0)
    with somebody(places, known=False), places.take():
        pass


def test_places_get_free_again() -> None:
    """After an error, too."""
    places = Slots(2)
    for _ in range(5):
        with pytest.raises(KeyError), places.take(known=False):
            raise KeyError
    with places.take(known=False):
        pass


def test_a_place_can_be_taken_twice() -> None:
    """Whoever holds a place and hashes again takes no other one, and gives it up once."""
    places = Slots(2)
    for _ in range(3):
        with places.take(known=False), places.take(), places.take(known=False):
            pass
    with somebody(places, known=False), somebody(places, known=True):
        pass


def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers that are too many are refused at once, before they hold a thread."""
    monkeypatch.setattr(slots, "PATIENCE", 60)
    monkeypatch.setattr(slots, "QUEUE", 0)
    places = Slots(2)
    with ExitStack() as stack:
        stack.enter_context(somebody(places, known=True))
        with pytest.raises(Busy), places.take(known=False):
            pass


def test_waiting_strangers_leave_most_threads_free() -> None:
    """However many strangers wait for a place, most threads of the server are left to everybody else."""
    assert slots.QUEUE <= bridge.THREADS // 4


def test_how_many_are_taken() -> None:
    """It can be asked how many places are taken and how many wait for one."""
    places = Slots(3)
    with somebody(places, known=True), somebody(places, known=False):
        assert places.in_use() == (2, 0)
    assert places.in_use() == (0, 0)
