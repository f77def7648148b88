"""Mode none and the switch to basic with real processes."""

import socket
import time
from contextlib import closing
from http.client import HTTPConnection

import pytest

from tests.server_process import Server, credentials, wait_for
from tests.world import ADA, PASSWORD, csrf_token

NONE = "auth: {mode: none}\n"
TABLES = ("users", "organizations", "workspaces", "settings", "audit", "name_parts", "known_names", "sessions")


def rows(server: Server) -> dict[str, set[str]]:
    """Every row of every table, as text."""
    return {table: {str(row) for row in server.rows(f"SELECT * FROM {table}")} for table in TABLES}  # noqa: S608 - our own tables


def ids(server: Server) -> list[tuple[object, ...]]:
    """The ids of everybody."""
    return server.rows("SELECT id FROM users")


@pytest.fixture
def none(server: Server) -> Server:
    """A server in mode none, in which somebody gave the organization a name."""
    server.write_config(NONE)
    server.start()
    client = server.client()
    token = csrf_token(client.get("/admin/settings").text)
    names = {"organization.name": "Looms", "workspace.name": "Weaving"}
    names |= {"organization": "Looms", "workspace": "Weaving"}
    assert client.request("POST", "/admin/settings", {"csrf_token": token, **names}).status == 303
    return server


def test_from_none_to_basic(none: Server) -> None:
    """After a restart in mode basic the default user is the owner: same id, everything kept, strangers out."""
    before, users = rows(none), ids(none)
    none.write_config(credentials(ADA, PASSWORD))
    assert none.client().get("/").status == 200  # until the restart
    none.restart()
    after = rows(none)
    assert none.client().get("/").status == 303
    page = none.signed_in().get("/account").text
    assert "Looms" in page
    assert "Weaving" in page
    assert ids(none) == users
    assert (before["workspaces"], before["organizations"]) == (after["workspaces"], after["organizations"])
    assert before["audit"] < after["audit"]


def test_a_switch_that_is_killed(none: Server) -> None:
    """Killed at any moment of the start and started again, the switch completes, once."""
    none.write_config(credentials(ADA, PASSWORD))
    assert none.stop() == 0
    for pause in (0.1, 0.3, 0.5, 0.7, 0.9, 1.1):
        process = none.launch()
        time.sleep(pause)
        process.kill()
        none.kill()
    none.start()
    assert none.signed_in().is_signed_in()
    assert (none.count("mode.changed"), len(ids(none))) == (1, 1)


def test_two_servers_switch(none: Server) -> None:
    """Two servers of one database that start in mode basic together switch it once."""
    none.write_config(credentials(ADA, PASSWORD))
    assert none.stop() == 0
    second = Server(none.folder, database_url=none.database_url)
    try:
        none.launch()
        second.launch()
        wait_for(lambda: none.is_up() and second.is_up(), "both servers are up")
        for server in (none, second):
            assert server.signed_in().is_signed_in()
        assert none.count("mode.changed") == 1
    finally:
        second.kill()


def test_the_server_that_runs_notices(none: Server) -> None:
    """When another process has switched the mode, a server still in mode none answers 503 within a second."""
    none.write_config(credentials(ADA, PASSWORD))
    assert none.run("bootstrap").returncode == 0
    wait_for(lambda: none.client().get("/").status == 503, "the server notices")
    assert none.client().get("/healthz").status == 200


def test_the_lock_ends_the_start(running: Server) -> None:
    """A server in which people sign in does not start in mode none, and says how it could."""
    assert running.stop() == 0
    running.write_config(NONE)
    running.log.unlink()
    status, lines = running.refuse()
    assert status == 2
    assert "authapp mode set none" in lines[0]
    assert running.run("mode", "set", "none", typed="none\n").returncode == 0
    running.start()
    assert running.client().get("/").status == 200


def test_nothing_is_said_to_other_names(none: Server) -> None:
    """A request under a name that is not this machine's, or through a proxy, gets nothing."""
    for headers in ({"Host": "evil.example"}, {"Host": "192.168.1.1"}, {"X-Forwarded-For": "10.0.0.1"}):
        with closing(HTTPConnection("127.0.0.1", none.port, timeout=30)) as connection:
            connection.request("GET", "/admin/settings", headers={**headers, "Connection": "close"})
            assert connection.getresponse().status == 403


def test_a_silent_proxy(none: Server) -> None:
    """What nginx sends when it was told nothing, HTTP/1.0 without a header of its own, is refused."""
    with socket.create_connection(("127.0.0.1", none.port), timeout=30) as connection:
        request = f"GET /admin/settings HTTP/1.0\r\nHost: 127.0.0.1:{none.port}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        assert b" 403 " in connection.recv(100)
