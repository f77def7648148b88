"""Counters that expire, in a table all processes and nodes share: a storage for the library `limits`."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from limits.limits import Granularity, RateLimitItem
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import case, delete, not_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from authapp import clock
from authapp.base import is_to_come
from authapp.database import DatabaseError
from authapp.models import Tries


class Limit(RateLimitItem):
    """So many within so many seconds. The numbers are no part of the key: an option that changes frees nobody."""

    GRANULARITY = Granularity(1, "window")

    def __init__(self, kind: str, amount: int, window: timedelta) -> None:
        super().__init__(amount, max(1, round(window.total_seconds())), kind)

    def key_for(self, *identifiers: bytes | str | float) -> str:
        """Return `kind/hash`."""
        return "/".join((self.namespace, *map(str, identifiers)))


@dataclass(frozen=True, slots=True)
class About:
    """What a counter's row says of itself, for whoever looks at the locks and lifts them."""

    account: str | None = None
    network: str | None = None
    user_id: str | None = None


class SqlStorage(Storage):
    """The rows of one transaction. A window begins with the first hit and ends `expiry` seconds later."""

    STORAGE_SCHEME = None

    def __init__(self, db: Session, longest: timedelta, about: About | None = None) -> None:
        super().__init__()
        self._db, self._longest = db, longest
        self._about = about or About()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a database raises."""
        return DatabaseError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter, in one statement that no other transaction can come between; return its count."""
        now = clock.now()
        is_over = not_(is_to_come(Tries.expires_at, self._longest))
        new = {"key": key, "count": amount, "expires_at": now + timedelta(seconds=expiry), **asdict(self._about)}
        insert: Any = sqlite.insert if self._db.get_bind().dialect.name == "sqlite" else postgresql.insert
        statement = insert(Tries).values(new)
        counted = statement.on_conflict_do_update(
            index_elements=[Tries.key],
            set_={
                "count": case((is_over, amount), else_=Tries.count + amount),
                "expires_at": case((is_over, new["expires_at"]), else_=Tries.expires_at),
                "user_id": new["user_id"],
            },
        )
        return int(self._db.execute(counted.returning(Tries.count)).scalar_one())

    def get(self, key: str) -> int:
        """Return a count."""
        wanted = select(Tries.count).where(Tries.key == key, is_to_come(Tries.expires_at, self._longest))
        return self._db.scalar(wanted) or 0

    def expires_at(self, key: str) -> datetime | None:
        """Return when a counter begins again, or None where there is none."""
        return self._db.scalar(select(Tries.expires_at).where(Tries.key == key))

    def get_expiry(self, key: str) -> float:
        """Return the same in seconds since 1970."""
        return (self.expires_at(key) or clock.now()).timestamp()

    def check(self) -> bool:
        """Tell whether the database answers."""
        return self._db.scalar(select(1)) == 1

    def reset(self) -> int:
        """Forget all counters; return how many there were."""
        return len(self._db.scalars(delete(Tries).returning(Tries.key)).all())

    def clear(self, key: str) -> None:
        """Forget a counter."""
        self._db.execute(delete(Tries).where(Tries.key == key))

    def keep(self, key: str, until: datetime) -> None:
        """Let a counter last until then."""
        self._db.execute(update(Tries).where(Tries.key == key).values(expires_at=until))

    def give_back(self, key: str) -> None:
        """Take one off a count."""
        self._db.execute(update(Tries).where(Tries.key == key, Tries.count > 0).values(count=Tries.count - 1))


class Counters:
    """The limits of `limits`, over the rows of one transaction."""

    def __init__(self, db: Session, longest: timedelta, about: About | None = None) -> None:
        self.storage = SqlStorage(db, longest, about)
        self._limiter = FixedWindowRateLimiter(self.storage)

    def hit(self, limit: Limit, key: str) -> bool:
        """Count one; tell whether it was within the limit."""
        return self._limiter.hit(limit, key)

    def is_used_up(self, limit: Limit, key: str) -> bool:
        """Tell whether nothing is left."""
        return not self._limiter.test(limit, key)

    def left(self, limit: Limit, key: str) -> timedelta:
        """Return how long it takes until a counter begins again."""
        return (self.storage.expires_at(limit.key_for(key)) or clock.now()) - clock.now()
