"""Guessing, on every road a password can take, against real workers."""

import pytest

from attacks.guessing import ALLOWED, ROADS, add_victim, guess, words
from tests.server_process import Server

pytestmark = pytest.mark.xdist_group("server-guessing")


@pytest.mark.parametrize("road", ROADS)
def test_the_right_password_comes_too_late(shared: Server, road: str) -> None:
    """A guesser is stopped in front of the right password, and its owner signs in elsewhere meanwhile."""
    victim = f"victim-{road[0]}"
    add_victim(shared, victim)
    found = guess(shared, ROADS[road], victim, words(ALLOWED))
    assert (found.statuses[-1], found.checks, found.victim_got_in) == (429, ALLOWED, True)


def test_guessing_at_once(shared: Server) -> None:
    """Guesses that arrive together are counted like those that come one after the other."""
    add_victim(shared, "victim at once")
    found = guess(shared, ROADS["HTTP Basic"], "victim at once", words(ALLOWED + 10), at_once=8)
    assert (found.checks, found.victim_got_in) == (ALLOWED, True)
