"""What a check of the doctor comes to."""

from dataclasses import dataclass
from enum import StrEnum

from authapp.errors import Problem

CORRECT_IT = "correct it there; `authapp config example` shows every option"


class State(StrEnum):
    """How it stands; only what is bad has to be put right before all works."""

    OK = "ok"
    LOOK = "look"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was checked, how it stands, what was found, and what to do about it.

    None of its texts holds a secret.
    """

    check: str
    state: State
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Finding:
    """Return that all is as it should be."""
    return Finding(check, State.OK, found)


def look(check: str, found: str, advice: str) -> Finding:
    """Return what works and is worth a look."""
    return Finding(check, State.LOOK, found, advice)


def bad(check: str, found: str, advice: str) -> Finding:
    """Return what has to be put right."""
    return Finding(check, State.BAD, found, advice)


def of_problem(check: str, problem: Problem, state: State = State.BAD, advice: str = "") -> Finding:
    """Return a problem of the config as a finding; it quotes no value, so this does not either."""
    where = " ".join(str(part) for part in (problem.place, problem.key) if part)
    what, instead = problem.message, problem.hint
    if not instead:  # many a message says behind a semicolon what to do
        what, _, instead = what.partition("; ")
    return Finding(check, state, f"{where}: {what}" if where else what, advice or instead or CORRECT_IT)
