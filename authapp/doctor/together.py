"""The nodes that share this installation: whether they were given the same."""

from collections.abc import Iterator

from authapp import adoption, nodes
from authapp.doctor.case import Case
from authapp.doctor.finding import Finding, State, of_problem, ok
from authapp.nodes import Here

NODES = "nodes"
AGREE = "let their config files and environments agree, or stop the one that is not meant to run"


def others(case: Case) -> Iterator[Finding]:
    """Say how many nodes are running, and what they were given otherwise than this config file says."""
    if case.database is None:
        return
    here = Here.of(case.locations)
    with case.database.reading() as db:
        live, problems = len(nodes.live(db)), nodes.check(db, case.effective, here)
    for problem in problems:
        yield of_problem(NODES, problem, State.LOOK, AGREE)
    yield from _withheld(case, here)
    if not problems:
        yield ok(NODES, f"{live or 'none'} running now{', all given the same' if live > 1 else ''}")


def _withheld(case: Case, here: Here) -> Iterator[Finding]:
    """Say why the next start would not adopt the credentials."""
    if case.database is None:
        return
    if problem := adoption.withheld_at_start(case.database, here, case.effective, case.examined.given):
        yield of_problem(NODES, problem, State.LOOK)
