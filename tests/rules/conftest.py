"""What the tests of the rules share."""

import pytest

from authapp import passwords
from tests.hasher import CountingHasher


@pytest.fixture
def hasher(monkeypatch: pytest.MonkeyPatch) -> CountingHasher:
    """The hasher in use, which counts."""
    passwords.dummy_hash()  # made once in a process, so not counted
    counting = CountingHasher()
    monkeypatch.setattr(passwords, "HASHER", counting)
    return counting
