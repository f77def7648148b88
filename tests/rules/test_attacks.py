"""What the attacks judge by: they find what is there to find."""

import pytest

from attacks.guessing import ALLOWED, Guessed, judge
from attacks.report import Outcome, table
from attacks.timing import compare, rank_test


def test_samples_of_one_kind_are_not_told_apart() -> None:
    """The rank test says that samples with the same values are surely of one kind."""
    assert rank_test([1.0, 2.0, 3.0] * 9, [1.0, 2.0, 3.0] * 9) == pytest.approx(1)
    assert rank_test([5.0] * 9, [5.0] * 9) == 1


def test_the_rank_test_counts_ties() -> None:
    """The rank test gives the value that a table of the normal distribution gives, with ties."""
    assert rank_test([1, 2, 3, 4, 5], [3, 4, 5, 6, 7]) == pytest.approx(0.0917, abs=0.0001)


@pytest.mark.parametrize(("slower", "found"), [(0.5, 0), (2.0, 1)])
def test_a_difference_worth_a_finding(slower: float, found: int) -> None:
    """A sure difference is a finding once it is above a millisecond; a smaller one is only told."""
    outcome, quick = Outcome("timing"), [10 + number / 1000 for number in range(100)]
    compare(outcome, {"known": quick, "unknown": [one + slower for one in quick]})
    assert (len(outcome.findings), len(outcome.notes)) == (found, 1 - found)


def test_a_guesser_who_wins_is_found() -> None:
    """A password that was found, too many checks, and a user who is kept out are three findings."""
    assert len(judge("form", Guessed([401, 303], ALLOWED + 1, victim_got_in=False))) == 3
    assert judge("form", Guessed([401, 429], ALLOWED, victim_got_in=True)) == []


def test_whatever_is_found_counts() -> None:
    """One wrong answer, error or leak is enough for an attack to have found something."""
    assert Outcome("ffuf").is_clean
    found = (Outcome("ffuf", wrong_2xx=1), Outcome("ffuf", errors=1), Outcome("ffuf", leaks=1))
    assert [one.is_clean for one in found] == [False, False, False]
    assert "ffuf: FINDING: /x answers 200" in table([Outcome("ffuf", findings=["/x answers 200"])])
