"""Backup and restore of a real server with two workers, while people sign themselves up."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.program import Program
from tests.server_process import Server, installation, wait_for
from tests.web.program import basic
from tests.world import ADA, PASSWORD, World

pytestmark = pytest.mark.xdist_group("server-backup")


@pytest.fixture
def server(tmp_path: Path, empty_database: Path, database_url: str | None) -> Iterator[Server]:
    """A server with two workers, and Ada as its owner."""
    world = World(tmp_path, empty_database, database_url)
    world.set_up()
    world.close()
    with installation(tmp_path, database_url=database_url) as server:
        yield server.start()


@contextmanager
def people_come(server: Server) -> Iterator[set[int]]:
    """Let a program of Ada's add users until the block ends; yields the statuses of the answers so far."""
    over, statuses = threading.Event(), set[int]()

    def add(hand: int) -> None:
        program, number = Program(server.port, basic(ADA, PASSWORD)), 0
        while not over.is_set():
            number += 1
            person = {"username": f"user-{hand}-{number}", "password": PASSWORD}
            statuses.add(program.ask("POST", "/users", person).status)

    threads = [threading.Thread(target=add, args=(hand,)) for hand in range(2)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: users(server) > 3, "somebody is added")
        yield statuses
    finally:
        over.set()
        for thread in threads:
            thread.join()


def users(server: Server) -> int:
    """Count the users."""
    return int(server.rows("SELECT count(*) FROM users")[0][0])


def gets_in(server: Server) -> bool:
    """Tell whether Ada signs in, and is signed in then."""
    client = server.client()
    return client.sign_in(ADA, PASSWORD).status == 303 and client.is_signed_in()


def test_backup_and_restore_while_people_come(server: Server) -> None:
    """A backup of a busy server is sound; after its restore every worker goes on with it, and everybody is out."""
    ada = server.signed_in()
    with people_come(server) as statuses:
        made = server.run("db", "backup", "backup.db")
        before = users(server)
        wait_for(lambda: users(server) > before, "somebody is added after the backup")
        restored = server.run("db", "restore", "backup.db", "--yes")
        after = users(server)
        wait_for(lambda: users(server) > after, "somebody is added after the restore")
    assert (made.returncode, restored.returncode) == (0, 0), made.stderr + restored.stderr
    # A name that was added after the backup, and is gone, is free again; none meets half a restore.
    assert statuses == {201}
    assert not ada.is_signed_in()
    # Until each worker has seen the new secret key, half a second at most, it refuses what another one signed.
    wait_for(lambda: gets_in(server), "a session of now counts")
    assert server.database_url or server.rows("PRAGMA foreign_key_check") == []  # PostgreSQL takes no others
    assert server.count("database.restored") == 1
