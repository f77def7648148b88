"""What the tests of pages and API share."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def passing() -> Iterator[Callable[..., None]]:
    """Stop the clock at noon; what this returns lets time pass: `passing(minutes=16)`."""
    with time_machine.travel(NOON, tick=False) as clock:
        yield lambda **time: clock.shift(timedelta(**time))
