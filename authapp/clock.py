"""The one clock."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time of day in UTC, with its time zone."""
    return datetime.now(UTC)
