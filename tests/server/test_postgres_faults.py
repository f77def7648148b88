"""A PostgreSQL that breaks under a running server: calm answers, nothing lost or doubled, and it heals."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import count
from typing import Any

import pytest

from tests.postgres_faults import crowded, end_others, frozen, kill, locked, read_only, stopped
from tests.programs import PostgresServer, find_postgres, start_postgres
from tests.server.program import Program, by_basic
from tests.server_process import Answer, Client, Server, installation, wait_for
from tests.world import BOB, OTHER_PASSWORD

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("postgres-faults")]

CONNECTIONS = 30  # few, so that somebody else can take them all in no time
WRITERS, SESSIONS = 8, 50
SESSION_COLUMNS = "id, token_sha256, user_id, created_at, last_seen_at, proved_at, remember, address, user_agent"
USERS = "SELECT username FROM users"
# Users that are no whole ones, and what is told of users that are not there.
HALF = """
    SELECT username FROM users u WHERE
        NOT EXISTS (SELECT FROM audit a WHERE a.target_id = u.id AND event IN ('user.created', 'setup.completed'))
        OR NOT EXISTS (SELECT FROM known_names k WHERE k.username_key = u.username_key)
        OR NOT EXISTS (SELECT FROM name_parts p WHERE p.user_id = u.id)
    UNION ALL SELECT target FROM audit a
        WHERE event = 'user.created' AND NOT EXISTS (SELECT FROM users u WHERE u.id = a.target_id)
"""
PATIENCE = 60.0  # seconds; a node says every 10 that it is there, and all else takes one or two
TELLTALE = re.compile(
    r"Traceback|psycopg|sqlalchemy|SELECT |INSERT |connection refused|terminat|\.py\b", re.IGNORECASE
)
NUMBER = count(1)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL for these tests alone; what it acknowledged outlives its processes."""
    folder = find_postgres()
    assert folder is not None
    options = ("synchronous_commit=on", f"max_connections={CONNECTIONS}")
    with start_postgres(folder, tmp_path_factory.mktemp("postgres"), *options) as postgres:
        yield postgres


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, own: PostgresServer) -> Iterator[Server]:
    """A server with two workers on it, which has an owner and a user."""
    folder = tmp_path_factory.mktemp("server")
    with installation(folder, database_url=own.new_database()) as server:
        server.start(patience=PATIENCE).set_up()
        user = {"username": BOB, "password": OTHER_PASSWORD, "is_active": True}
        by_basic(server).done("POST", "/users", user)
        yield server


@pytest.fixture
def owner(there: Server) -> Client:
    """The owner's browser."""
    return there.signed_in()


@pytest.fixture
def program(there: Server) -> Program:
    """The owner's program, whose password every worker remembers."""
    found = by_basic(there)
    assert found.seen() == {200}
    return found


def new_user() -> dict[str, Any]:
    """Return a user nobody has added yet."""
    return {"username": f"user-{next(NUMBER)}", "password": OTHER_PASSWORD}


def is_there(server: Server, username: str) -> int:
    """Return how many users are called so: one, or none."""
    return [name for (name,) in server.rows(USERS)].count(username)


def is_calm(answer: Answer) -> bool:
    """Tell whether an answer is a refusal in plain words."""
    return answer.status == 503 and not TELLTALE.search(answer.text)


def works(client: Client, program: Program) -> bool:
    """Tell whether pages open and changes are made."""
    return client.get("/admin/users").status == 200 and program.ask("POST", "/users", new_user()).status == 201


def heals(client: Client, program: Program) -> None:
    """Wait until it works again by itself."""
    wait_for(lambda: works(client, program), "it works again", PATIENCE)


# -- stopped and started again --------------------------------------------------------------------------------


def test_stopped(there: Server, own: PostgresServer, owner: Client, program: Program) -> None:
    """While PostgreSQL is stopped pages, API and `/readyz` say 503, `/healthz` is fine; then all works again."""
    with stopped(own):
        answers = [owner.get("/admin/users"), owner.get("/readyz"), program.ask("GET", "/users/whoami")]
        answers.append(program.ask("POST", "/users", new_user()))
        assert all(map(is_calm, answers)), answers
        assert there.answers()
    heals(owner, program)
    assert owner.get("/readyz").status == 200


def test_a_session_outlives_it(own: PostgresServer, owner: Client, program: Program) -> None:
    """Who is signed in while PostgreSQL is stopped keeps the cookie, and is signed in afterwards."""
    before = dict(owner.cookies)
    with stopped(own):
        answers = [owner.get("/account") for _ in range(6)]
        assert all(map(is_calm, answers)), answers
        assert owner.cookies == before
    heals(owner, program)


def test_the_right_password(there: Server, own: PostgresServer, owner: Client, program: Program) -> None:
    """The right password, typed while PostgreSQL is stopped, is no wrong one, and no try is counted."""
    client = there.client()
    form = {"csrf_token": client.token("/login"), "username": BOB, "password": OTHER_PASSWORD}
    with stopped(own):
        assert is_calm(client.request("POST", "/login", form))
        assert is_calm(Program(there.port).ask("POST", "/login", {"username": BOB, "password": OTHER_PASSWORD}))
    heals(owner, program)
    assert there.rows("SELECT * FROM tries WHERE key LIKE 'tries/%'") == []
    assert there.signed_in(BOB, OTHER_PASSWORD).is_signed_in()


def test_the_node_is_seen_again(there: Server, own: PostgresServer, owner: Client, program: Program) -> None:
    """A node gives its signs of life again once PostgreSQL is back."""
    with stopped(own):
        assert there.answers()
    heals(owner, program)
    (before,) = there.rows("SELECT last_seen_at FROM nodes")
    wait_for(lambda: there.rows("SELECT last_seen_at FROM nodes") > [before], "a sign of life", PATIENCE)


def test_what_was_refused(there: Server, own: PostgresServer, owner: Client, program: Program) -> None:
    """Sign-ins that were refused before PostgreSQL was stopped are still counted afterwards, each once."""
    guess = {"username": "mallory", "password": "a guess"}
    before = refused(there)
    answers = [Program(there.port).ask("POST", "/login", guess).status for _ in range(13)]
    assert answers[-3:] == [429] * 3
    with stopped(own):
        assert there.answers()
    heals(owner, program)
    assert there.stop() == 0  # which is when each process writes down what it counted
    there.start(patience=PATIENCE)
    assert refused(there) - before == answers.count(429)


def refused(server: Server) -> int:
    """Return how many refused sign-ins are written down, as counters or already as entries."""
    counters = server.rows("SELECT count FROM refusals")
    entries = server.rows("SELECT CAST(detail ->> 'count' AS int) FROM audit WHERE event = 'sign-in.refused'")
    return sum(number for (number,) in [*counters, *entries])


# -- killed, and connections that break -----------------------------------------------------------------------


def test_killed(there: Server, own: PostgresServer, owner: Client, program: Program) -> None:
    """After `kill -9` of all of PostgreSQL, every change that was acknowledged is there."""
    made: list[str] = []
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            user = new_user()
            if program.ask("POST", "/users", user).status == 201:
                made.append(user["username"])

    with ThreadPoolExecutor(2) as threads:
        writers = [threads.submit(write) for _ in range(2)]
        wait_for(lambda: len(made) > 10, "some users are added", PATIENCE)
        kill(own)
        stop.set()
    assert [writer.result() for writer in writers] == [None, None]
    own.start()
    heals(owner, program)
    assert [name for name in made if not is_there(there, name)] == []


def test_connections_that_end(own: PostgresServer, owner: Client, program: Program) -> None:
    """When PostgreSQL ends every connection, the next request works."""
    with own.connect() as somebody:
        assert end_others(somebody) > 0
        assert {owner.get("/admin/users").status for _ in range(4)} == {200}
        assert program.ask("POST", "/users", new_user()).status == 201


def test_no_connection_left(there: Server, own: PostgresServer, owner: Client, program: Program) -> None:
    """While somebody else holds every connection, requests are refused with 503."""
    with crowded(own):
        assert is_calm(owner.get("/account"))
        assert is_calm(program.ask("POST", "/users", new_user()))
        assert there.answers()
    heals(owner, program)


# -- slow, read-only, locked ----------------------------------------------------------------------------------


def test_frozen(there: Server, own: PostgresServer, owner: Client, program: Program) -> None:
    """What is asked of a frozen PostgreSQL is done once when it goes on, or refused; `/healthz` does not wait."""
    users = [new_user() for _ in range(4)]
    with ThreadPoolExecutor(len(users)) as threads:
        with frozen(own):
            asked = [threads.submit(program.ask, "POST", "/users", user) for user in users]
            assert all(there.answers() for _ in range(6))
            assert not any(request.done() for request in asked)
        statuses = [request.result().status for request in asked]
    assert set(statuses) <= {201, 503}
    assert [is_there(there, user["username"]) for user in users] == [int(status == 201) for status in statuses]
    heals(owner, program)


def test_read_only(there: Server, own: PostgresServer, owner: Client, program: Program) -> None:
    """While PostgreSQL takes no change, everybody goes on reading, and each change is refused with 503."""
    user = new_user()
    with read_only(own, str(there.database_url)):
        assert {owner.get("/account").status for _ in range(4)} == {200}
        assert is_calm(program.ask("POST", "/users", user))
        form = {"username": BOB, "password": OTHER_PASSWORD}
        assert is_calm(there.client().post("/login", form))
    heals(owner, program)
    assert is_there(there, user["username"]) == 0


def test_a_locked_table(there: Server, owner: Client, program: Program) -> None:
    """A change that waits too long for a table somebody else holds is refused; pages can be read meanwhile."""
    user = new_user()
    with ThreadPoolExecutor(1) as threads, locked(str(there.database_url), "users"):
        asked = threads.submit(program.ask, "POST", "/users", user)
        assert owner.get("/admin/users").status == 200
        assert is_calm(asked.result())
    heals(owner, program)
    assert is_there(there, user["username"]) == 0


# -- the server is killed -------------------------------------------------------------------------------------


@dataclass
class Writer:
    """Somebody who adds users and ends sessions, one after the other, and remembers what was acknowledged."""

    program: Program
    sessions: list[str]
    user_id: str
    added: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def write(self) -> None:
        """Write until the server is gone."""
        with suppress(OSError, HTTPException):
            for session in self.sessions:
                user = new_user()
                if self.program.ask("POST", "/users", user).status == 201:
                    self.added.append(user["username"])
                if self.program.ask("DELETE", f"/users/{self.user_id}/sessions/{session}").status == 204:
                    self.ended.append(session)


def writers(server: Server, user_id: str) -> list[Writer]:
    """Return some writers, each with sessions of a user to end."""
    found, program = [], by_basic(server)
    for number in range(WRITERS):
        ids = [f"id-{number}-{session}" for session in range(SESSIONS)]
        values = ", ".join(
            f"('{one}', md5('{one}'), '{user_id}', now(), now(), now(), false, '', '')" for one in ids
        )
        server.rows(f"INSERT INTO sessions ({SESSION_COLUMNS}) VALUES {values}")  # noqa: S608 - the tests' own words
        found.append(Writer(program, ids, user_id))
    return found


def test_the_server_is_killed(there: Server, owner: Client, program: Program) -> None:
    """After `kill -9` of authapp amid many writes, what was acknowledged is there, and nothing by halves."""
    bob = {name: number for number, name in there.rows("SELECT id, username FROM users")}[BOB]
    busy = writers(there, bob)
    with ThreadPoolExecutor(WRITERS) as threads:
        running = [threads.submit(writer.write) for writer in busy]
        wait_for(
            lambda: sum(len(writer.ended) for writer in busy) > 5 * WRITERS,
            "some writes are acknowledged",
            PATIENCE,
        )
        there.kill()
    assert [writer.result() for writer in running] == [None] * WRITERS
    there.start(patience=PATIENCE)
    left = {name for (name,) in there.rows("SELECT id FROM sessions WHERE id LIKE 'id-%'")}
    assert {name for writer in busy for name in writer.added} <= {name for (name,) in there.rows(USERS)}
    assert not left & {name for writer in busy for name in writer.ended}
    assert len(left) + there.count("session.ended") == SESSIONS * WRITERS
    assert there.rows(HALF) == []
    heals(owner, program)
