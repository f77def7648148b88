"""`kill -9` at any moment: the installation is untouched or complete, never half."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from threading import Thread

import pytest

from tests.server import writers
from tests.server_process import Server, credentials, wait_for
from tests.world import ADA, PASSWORD

ROUNDS = 8  # on each database


def is_complete(server: Server) -> bool:
    """Tell whether there is an owner; AssertionError when the rows do not agree."""
    installed, stored = server.setting("installation"), server.setting("server.basic-auth")
    users = server.rows("SELECT id, username, role, is_active, password_hash FROM users")
    if stored is None:
        assert users == []
        assert installed["owner_id"] is installed["setup_completed_at"] is None
        assert server.setting("setup.token")
        return False
    assert users == [(installed["owner_id"], stored["username"], "admin", 1, None)]
    assert installed["setup_completed_at"]
    assert server.setting("setup.token") is None
    return True


def submit_setup(server: Server) -> Thread:
    """Press the wizard's last button, without waiting for the answer."""
    client = server.client()
    client.get(server.setup_path)
    form = {"csrf_token": client.token("/setup"), "username": ADA, "password": PASSWORD}

    def press() -> None:
        with suppress(OSError, HTTPException):  # the server is killed
            client.request("POST", "/setup", form)

    thread = Thread(target=press)
    thread.start()
    return thread


@pytest.fixture
def fresh(another: Callable[[], Server]) -> Callable[[], Server]:
    """Return a function that makes an installation with one worker, because all are killed together."""

    def make() -> Server:
        server = another()
        server.workers = 1
        return server

    return make


@pytest.mark.xdist_group("server-kill-setup")
def test_killed_during_setup(fresh: Callable[[], Server]) -> None:
    """Killed while the setup is submitted, the wizard is open with the same link, or the owner can sign in."""
    chance = random.Random(2)  # noqa: S311 - no secret; a moment of the submission
    server = fresh().start()
    for _ in range(ROUNDS):
        if killed_during_setup(server, chance.uniform(0, 0.15)):
            server.kill()
            server = fresh().start()


def killed_during_setup(server: Server, after: float) -> bool:
    """Submit the setup, kill, start again; tell whether there is an owner now, and assert that nothing is half."""
    link, thread = server.setup_link, submit_setup(server)
    time.sleep(after)
    server.kill()
    thread.join()
    complete = is_complete(server)
    server.start()
    assert server.count("setup.completed") == int(complete)
    assert server.signed_in().is_signed_in() if complete else server.setup_link == link
    return complete


@pytest.mark.xdist_group("server-kill-adoption")
def test_killed_while_adopting_an_edit(server: Server) -> None:
    """Killed while new credentials are adopted from the file, the rows are the old or the new ones, whole."""
    server.workers = 1
    server.write_config(credentials("owner-0", f"{PASSWORD} 0"))
    server.start()
    chance = random.Random(7)  # noqa: S311 - no secret; a moment between the edit and its adoption
    for number in range(1, ROUNDS + 1):
        server.write_config(credentials(f"owner-{number}", f"{PASSWORD} {number}"))
        time.sleep(chance.uniform(0.05, 0.8))
        server.kill()
        assert is_complete(server)
        assert server.setting("server.basic-auth")["username"] in {f"owner-{number - 1}", f"owner-{number}"}
        server.start()
        assert server.signed_in(f"owner-{number}", f"{PASSWORD} {number}").is_signed_in()
        assert server.count("credentials.adopted") == number + 1


@pytest.mark.sqlite(reason="on PostgreSQL the whole schema is made in one transaction")
@pytest.mark.xdist_group("server-kill-start")
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_during_the_first_start(server: Server, seed: int) -> None:
    """Killed at any moment of the first start with credentials in the file, the next start completes it."""
    server.workers = 1
    server.write_config(credentials(ADA, PASSWORD))
    server.launch()
    moment = random.Random(seed).uniform(0, 0.5)  # noqa: S311 - no secret; a moment after the first write
    wait_for((server.folder / "data").exists, "the start begins to write")
    time.sleep(moment)
    server.kill()
    server.start()
    assert is_complete(server)
    assert server.signed_in().is_signed_in()
    assert server.count("credentials.adopted") == server.count("installation.created") == 1


@pytest.mark.sqlite(reason="it asks the file itself whether it is whole")
@pytest.mark.xdist_group("server-kill-writers")
def test_killed_while_many_write(server: Server) -> None:
    """Whatever was answered with yes is so after `kill -9` and a new start, and nothing is half there."""
    server.write_config(writers.CONFIG)
    server.start().set_up()
    for round_ in ("first", "second"):
        told = writers.killed_while_writing(server, round_)
        assert told.refused <= {503}, "beside yes, only that it is busy"
        assert writers.lost(server, told) == []
        assert writers.halves(server) == {}
        assert server.rows("PRAGMA integrity_check") == [("ok",)]
        assert server.rows("PRAGMA foreign_key_check") == []
