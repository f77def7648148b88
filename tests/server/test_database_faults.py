"""A real server whose SQLite database fails: refused in calm words, nothing by halves, and it heals by itself."""

import json
import os
import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from authapp.errors import Busy
from tests.databases import SqliteCopy
from tests.faults import TELLTALE
from tests.server.program import Program, by_jwt
from tests.server_process import WITHOUT_PRIVILEGE, Answer, Client, Server, every_worker, wait_for
from tests.world import ADA, OTHER_PASSWORD, PASSWORD

pytestmark = [
    pytest.mark.xdist_group("server-database-faults"),
    pytest.mark.sqlite(reason="it is the file that suffers"),
]

BY_PROGRAM = " of a program"
# What authapp writes down by itself, once a minute, is left out.
COUNTED = ("users", "sessions", "tokens", "audit WHERE road <> 'authapp'")


def file_of(server: Server) -> Path:
    """Return the database's file."""
    return server.folder / "data" / "authapp.db"


# -- faults ---------------------------------------------------------------------------------------------------


@contextmanager
def locked(server: Server) -> Iterator[None]:
    """Another process has the write lock."""
    with closing(sqlite3.connect(file_of(server), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full(server: Server) -> Iterator[None]:
    """No file of the workers may grow beyond 32 KiB, which is as good as a full disk."""
    workers = server.worker_pids()
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (32 * 1024, resource.RLIM_INFINITY))
    yield
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def deleted(server: Server) -> Iterator[None]:
    """The file is gone; later it is found again."""
    spare = file_of(server).rename(server.folder / "spare.db")
    yield
    assert not file_of(server).exists(), "the server made an empty database"
    spare.rename(file_of(server))


@contextmanager
def emptied(server: Server) -> Iterator[None]:
    """The file holds nothing, and then again what it held."""
    held = file_of(server).read_bytes()
    os.truncate(file_of(server), 0)
    yield
    assert file_of(server).stat().st_size == 0, "the server wrote into an empty file"
    file_of(server).write_bytes(held)


@contextmanager
def replaced(server: Server, put: Callable[[Path], object]) -> Iterator[None]:
    """Something else has the file's name; later the file has it again."""
    spare = file_of(server).rename(server.folder / "spare.db")
    put(file_of(server))
    held = file_of(server).read_bytes()
    yield
    assert file_of(server).read_bytes() == held, "the server wrote into another file"
    spare.replace(file_of(server))


@contextmanager
def garbage(server: Server) -> Iterator[None]:
    """Another file has its name that is no database."""
    with replaced(server, lambda file: file.write_bytes(b"Dear diary, " * 1024)):
        yield


@contextmanager
def foreign(server: Server) -> Iterator[None]:
    """The database of another installation has its name; there, too, is an Ada with the same password."""
    with replaced(server, lambda file: shutil.copy(server.folder / "foreign.db", file)):
        yield


GOES_ON_READING = {"locked": locked, "full": full}
FAULTS = {**GOES_ON_READING, "deleted": deleted, "emptied": emptied, "garbage": garbage, "foreign": foreign}


# -- what is asked meanwhile ----------------------------------------------------------------------------------


def changes(server: Server, owner: Client, name: str) -> dict[str, Callable[[], Answer]]:
    """Return requests that change something; each can be sent again, and works once."""
    stranger, program = server.client(), by_jwt(server)
    typed = {"csrf_token": stranger.token("/login"), "username": ADA, "password": PASSWORD}
    invited = {"csrf_token": owner.token("/admin/users/new"), "username": f"{name}-1", "password": OTHER_PASSWORD}
    added = {"username": f"{name}-2", "password": OTHER_PASSWORD}
    shown = {"username": ADA, "password": PASSWORD}
    return {
        "a sign-in": lambda: stranger.request("POST", "/login", typed),
        "a new user": lambda: owner.request("POST", "/admin/users/new", invited),
        f"a sign-in{BY_PROGRAM}": lambda: Program(server.port).ask("POST", "/login", shown),
        f"a new user{BY_PROGRAM}": lambda: program.ask("POST", "/users", added),
    }


def rows(server: Server) -> list[int]:
    """Count what the requests above make."""
    return [int(server.rows(f"SELECT count(*) FROM {table}")[0][0]) for table in COUNTED]  # noqa: S608 - our names


def is_calm(what: str, answer: Answer) -> bool:
    """Tell whether an answer is a refusal in plain words; to a program, a problem."""
    kind = "application/problem+json" if what.endswith(BY_PROGRAM) else "text/html; charset=utf-8"
    return (answer.status, answer.headers["content-type"]) == (503, kind) and not TELLTALE.search(answer.text)


@dataclass(frozen=True, slots=True)
class Story:
    """What was asked during a fault and again after it, how it was answered, and what was kept."""

    refused: dict[str, Answer]
    read: list[Answer]
    is_alive: bool
    ready: Answer
    log: list[dict[str, str]]
    accepted: dict[str, Answer]
    rows: dict[str, list[int]]
    beat: str


def suffered(server: Server, name: str) -> Story:
    """Let a server have a fault; ask for the same during and after it."""
    owner = server.signed_in()
    asked, before, said = changes(server, owner, name), rows(server), len(server.output)
    with FAULTS[name](server), ThreadPoolExecutor() as pool:
        answers = {what: pool.submit(ask) for what, ask in asked.items()}
        read, is_alive = [owner.get("/account") for _ in range(6)], server.answers()
        ready, refused = server.client().get("/readyz"), {what: answer.result() for what, answer in answers.items()}
    wait_for(owner.is_signed_in, "it heals")
    log, after = [json.loads(line) for line in server.output[said:].splitlines()], rows(server)
    accepted, at_last = {what: ask() for what, ask in asked.items()}, rows(server)
    counted = {"before": before, "after": after, "at last": at_last}
    return Story(refused, read, is_alive, ready, log, accepted, counted, beat(server))


def beat(server: Server) -> str:
    """Return when the server last said that it is alive."""
    return str(server.rows("SELECT max(last_seen_at) FROM nodes")[0][0])


@pytest.fixture(scope="module")
def stories(shared: Server, sqlite_cast: SqliteCopy) -> dict[str, Story]:
    """What one server suffered, one fault after the other."""
    shutil.copy(sqlite_cast.file, shared.folder / "foreign.db")
    return {name: suffered(shared, name) for name in FAULTS}


# -- the tests ------------------------------------------------------------------------------------------------

every_fault = pytest.mark.parametrize("name", FAULTS)


@every_fault
def test_a_change_is_refused(stories: dict[str, Story], name: str) -> None:
    """Sign-ins and changes, of people and programs, are 503 in calm words, and nothing of them is kept."""
    story = stories[name]
    assert [what for what, answer in story.refused.items() if not is_calm(what, answer)] == []
    assert story.rows["after"] == story.rows["before"]


@every_fault
def test_it_heals(stories: dict[str, Story], name: str) -> None:
    """When the fault is over the same requests work, and all of them is kept."""
    story = stories[name]
    assert [answer.status for answer in story.accepted.values()] == [303, 303, 200, 201]
    more = [at_last - after for at_last, after in zip(story.rows["at last"], story.rows["after"], strict=True)]
    assert more == [2, 1, 1, 4]


@every_fault
def test_reading(stories: dict[str, Story], name: str) -> None:
    """Pages that only read go on while the file is good; while it is not, nobody is let in by what it held."""
    answers = stories[name].read
    if name in GOES_ON_READING:
        assert {answer.status for answer in answers} == {200}
    else:
        assert [answer.text for answer in answers if not is_calm("a page", answer)] == []


@every_fault
def test_who_watches_it(stories: dict[str, Story], name: str) -> None:
    """`/healthz` answers all the time; `/readyz` says that the database is the trouble when nothing works."""
    story = stories[name]
    assert story.is_alive
    assert (story.ready.status, story.ready.text) == (
        (200, "ready\n") if name in GOES_ON_READING else (503, "database\n")
    )


@every_fault
def test_the_log_says_why(stories: dict[str, Story], name: str) -> None:
    """Each refusal is one line in the log that says why, without a traceback."""
    lines = [line for line in stories[name].log if line["event"] != "request"]
    # A sign-in may also have waited too long for another one, which waited for the database.
    asked = [answer for answer in stories[name].refused.values() if str(Busy()) not in answer.text]
    assert len([line for line in lines if line["event"] == "the database refused"]) >= max(len(asked), 1)
    told = [line for line in lines if line["event"] != "the database can be used again"]
    assert [line for line in told if "exception" in line or not line.get("reason")] == []


def test_the_parent_goes_on(shared: Server, stories: dict[str, Story]) -> None:
    """After faults the process above the workers says again that this server is alive."""
    wait_for(lambda: beat(shared) > stories["foreign"].beat, "another beat", patience=60)


def replace_workers(server: Server) -> None:
    """Kill the workers, and wait for those that take their place."""
    before = server.worker_pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not server.worker_pids() & before and server.is_up(), "other workers serve")


def test_a_worker_that_starts_meanwhile(shared: Server, sqlite_cast: SqliteCopy) -> None:
    """A worker that starts while another database has the file's name takes only the one the server began with."""
    shutil.copy(sqlite_cast.file, shared.folder / "foreign.db")
    owner = shared.signed_in()
    with foreign(shared):
        replace_workers(shared)
        assert {owner.get("/account").status for _ in range(6)} == {503}
    every_worker(owner.is_signed_in, "it heals")


def test_a_file_nobody_may_write_to(server: Server) -> None:
    """Workers that may only read the file let nobody in, and work as soon as they may write to it."""
    owner = server.start(before=WITHOUT_PRIVILEGE).set_up()
    file_of(server).chmod(0o400)
    replace_workers(server)
    answers = [owner.get("/account") for _ in range(6)]
    assert [answer.text for answer in answers if not is_calm("a page", answer)] == []
    file_of(server).chmod(0o600)
    every_worker(owner.is_signed_in, "it heals")
    assert server.signed_in().is_signed_in()
