"""The one clock."""

from datetime import UTC, datetime, timedelta

AHEAD = timedelta(minutes=1)  # how far the clocks of two nodes may be apart


def now() -> datetime:
    """Return the time of day in UTC, with its time zone."""
    return datetime.now(UTC)


def is_near(moment: datetime, length: timedelta, at: datetime | None = None) -> bool:
    """Tell whether a moment is less than so long ago, or ahead; `at`: as seen from then.

    What lasts so long from a moment on is over also when the moment is further ahead: the clock was wrong then, and
    it would last until the clock is there. So whatever the clock does, nothing lasts more than twice as long.
    """
    return abs((at or now()) - moment) < length
