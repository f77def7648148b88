"""Credentials that are given and do not count: this installation replaced them, and another node's file agrees.

Nodes with different config files would otherwise adopt in turns, each time one of them is restarted, and each time
sign the owner out. So a node that starts does not bring back a pair that was replaced, as long as another live node
was given the one that counts. An edit of the file counts always.
"""

from sqlalchemy.orm import Session

from authapp import agreement, nodes, settings
from authapp.config.live import Reading
from authapp.config.options import USERNAME
from authapp.config.overlay import GivenCredentials
from authapp.database import Database
from authapp.errors import Problem
from authapp.nodes import Here
from authapp.settings import Credentials

AGREE = "let the config files of all nodes agree"


class Withheld(Exception):
    """What was given is not adopted; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def replaced_like(database: Database, given: GivenCredentials) -> tuple[Credentials, ...]:
    """Return the replaced pairs that are the given one. Slow, as hashing is."""
    with database.reading() as db:
        replaced = settings.replaced_credentials(db)
    return tuple(pair for pair in replaced if not agreement.differing(given, pair))


def require_new(
    db: Session,
    here: Here,
    reading: Reading,
    stored: Credentials,
    after: Credentials,
    like: tuple[Credentials, ...],
) -> None:
    """Raise Withheld when a node that starts would bring back a pair against the word of another node.

    To be asked in the transaction that would write `after` over what is `stored`; `like` is what `replaced_like`
    returned before.
    """
    if problem := _against(db, here, reading, stored, agreement.changed(stored, after), like):
        raise Withheld(problem)


def why(database: Database, here: Here, reading: Reading, *, runs: bool = False) -> Problem | None:
    """Return why the given credentials do not count, or None where they do, or will with the next start.

    `runs`: of a process that goes on with the stored ones, whatever the next start will do. Slow, as hashing is.
    """
    with database.reading() as db:
        stored = settings.credentials(db)
    differ = agreement.differing(reading.given, stored) if stored else frozenset()
    if stored is None or not differ:
        return None
    like = replaced_like(database, reading.given)
    with database.reading() as db:
        found = _against(db, here, reading, stored, differ, like)
    if found is None and runs:
        return _problem(reading, differ, f"this counts no more, because it was replaced since; {AGREE}")
    return found


def _against(
    db: Session,
    here: Here,
    reading: Reading,
    stored: Credentials,
    differ: frozenset[str],
    like: tuple[Credentials, ...],
) -> Problem | None:
    """Return why what was given may not be adopted: it was replaced, and another node was given what is stored."""
    if not set(like).intersection(settings.replaced_credentials(db)):
        return None
    node = nodes.given_the_stored(db, here, stored, differ)
    if node is None:
        return None
    message = f"this was replaced and is not adopted again, because {nodes.named(node)} was given what counts now"
    return _problem(reading, differ, f"{message}; {AGREE}, or change it here while authapp runs")


def _problem(reading: Reading, differ: frozenset[str], message: str) -> Problem:
    key = reading.given.secret_key if agreement.SECRET in differ else USERNAME
    return Problem(key, message, reading.effective.place_of.get(key))
