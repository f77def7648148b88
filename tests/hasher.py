"""A hasher that tells how much was hashed and verified."""

import threading
from typing import Literal

import argon2


class CountingHasher(argon2.PasswordHasher):
    """The cheapest hasher; counts what is hashed and what is verified."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.hashed = self.verified = 0
        self._counting = threading.Lock()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        """Count, and hash."""
        with self._counting:
            self.hashed += 1
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's name
        """Count, and verify."""
        with self._counting:
            self.verified += 1
        return super().verify(hash, password)
