"""Starting: what cannot work is said in one sentence, and nothing else happens."""

import resource
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.server_process import WITHOUT_PRIVILEGE, Server, credentials, installation
from tests.world import ADA, PASSWORD, WEAK_PASSWORD

pytestmark = [
    pytest.mark.xdist_group("server-start"),
    pytest.mark.sqlite(reason="what it is about comes before the database, or lies in the data folder"),
]

# As good as a full disk: no file may grow beyond a few KiB, which is enough for what is printed.
ON_A_FULL_DISK = ("sh", "-c", 'ulimit -f 8; exec "$@"', "sh")


def assert_one_sentence(lines: list[str], *words: str) -> None:
    """Assert that one line was printed, that it is a sentence or a problem, and that it names these words."""
    assert len(lines) == 1, lines
    assert all(word in lines[0] for word in words), lines


def test_a_port_that_is_taken(server: Server) -> None:
    """When something else listens on the port, one sentence names the port and the way out; exit status 1."""
    with closing(socket.create_server(("127.0.0.1", server.port))):
        status, lines = server.refuse()
    assert status == 1
    assert_one_sentence(lines, f"127.0.0.1:{server.port}", "--port")


def test_a_second_server_in_the_same_folder(shared: Server) -> None:
    """A second start on the same port is refused, and the first server goes on serving."""
    second = Server(shared.folder / "second", shared.port)
    second.folder.mkdir()
    status, lines = second.refuse()
    assert status == 1
    assert_one_sentence(lines, str(shared.port))
    assert shared.signed_in().is_signed_in()


def read_only(data: Path) -> None:
    """Make a data folder nobody may write into."""
    data.mkdir(mode=0o500)


def read_only_parent(data: Path) -> None:
    """Leave the data folder to be made where nobody may write."""
    data.parent.chmod(0o500)


def occupied(data: Path) -> None:
    """Put a file where the data folder belongs."""
    data.write_text("", encoding="utf-8")


def world_writable(data: Path) -> None:
    """Make a data folder anybody may write into."""
    data.mkdir()
    data.chmod(0o777)


@pytest.mark.parametrize("spoil", [read_only, read_only_parent, occupied, world_writable])
def test_a_data_folder_that_cannot_be_used(server: Server, spoil: Callable[[Path], None]) -> None:
    """A data folder that cannot be made, written to or trusted is named in one line; no traceback."""
    server.log.touch()
    spoil(server.folder / "data")
    status, lines = server.refuse(before=WITHOUT_PRIVILEGE)
    assert status in (1, 2)
    assert_one_sentence(lines, str(server.folder / "data"))


def test_a_full_disk(server: Server) -> None:
    """When the disk is full at the first start, one sentence says that the database cannot be used."""
    status, lines = server.refuse(before=ON_A_FULL_DISK)
    assert status == 1
    assert_one_sentence(lines, "The database cannot be used")


def test_a_disk_with_room_again(server: Server) -> None:
    """After a start on a full disk, the next one with room founds the installation."""
    server.refuse(before=ON_A_FULL_DISK)
    assert server.start().set_up().is_signed_in()


def test_a_disk_that_fills_up(shared: Server) -> None:
    """While the disk is full a sign-in answers 503, and once there is room again it works."""
    workers = shared.worker_pids()
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (32 * 1024, resource.RLIM_INFINITY))
    assert shared.client().sign_in().status == 503
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert shared.signed_in().is_signed_in()


def test_a_database_from_a_newer_version(running: Server) -> None:
    """A database from a newer version is left alone: one sentence, exit status 1."""
    assert running.stop() == 0
    running.log.unlink()
    with closing(sqlite3.connect(running.folder / "data" / "authapp.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    status, lines = running.refuse()
    assert status == 1
    assert_one_sentence(lines, "newer version")


def test_a_file_that_is_no_database(server: Server) -> None:
    """A database file that holds something else is left alone: one sentence, exit status 1."""
    file = server.folder / "data" / "authapp.db"
    file.parent.mkdir(mode=0o700)
    file.write_text("Dear diary, " * 1000, encoding="utf-8")
    status, lines = server.refuse()
    assert status == 1
    assert_one_sentence(lines, "The database cannot be used")
    assert file.read_text(encoding="utf-8").startswith("Dear diary")


def test_a_postgresql_that_is_not_there(server: Server) -> None:
    """Without its PostgreSQL it does not start, and ends with 1, after which a service manager tries again."""
    server.write_config("database: {url: 'postgresql://authapp@127.0.0.1:1/authapp'}\n")
    status, lines = server.refuse()
    assert status == 1
    assert_one_sentence(lines, "The database cannot be used")


# -- the config file ------------------------------------------------------------------------------------------


def test_all_config_problems_at_once(server: Server) -> None:
    """A config file with several problems ends the start with exit status 2 and one line for each."""
    server.write_config("server:\n  port: Tell-nobody\n  prot: 1\nsession:\n  lifetime: [1]\n")
    status, lines = server.refuse()
    assert status == 2
    assert sorted(line.split(":")[1] for line in lines) == ["2", "3", "5"]
    assert "Tell-nobody" not in server.output


def test_a_bad_config_touches_nothing(server: Server) -> None:
    """Config problems end the start before there is a database, or a worker."""
    server.write_config("server:\n  port: 80a\n")
    server.refuse()
    assert not (server.folder / "data").exists()


def test_a_named_config_file_that_is_missing(server: Server) -> None:
    """A config file named with --config that does not exist ends the start with exit status 2 and one line."""
    status, lines = server.refuse("--config", "elsewhere.yml")
    assert status == 2
    assert_one_sentence(lines, "elsewhere.yml")


def test_a_config_file_elsewhere(server: Server) -> None:
    """--config names the file, and the data folder is beside it."""
    elsewhere = server.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.yml").write_text("organization:\n  name: Elsewhere\n", encoding="utf-8")
    server.start("--config", "elsewhere/mine.yml")
    assert "Elsewhere</title>" in server.client().get(server.setup_path.partition("?")[0]).text
    assert (elsewhere / "data" / "authapp.db").exists()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose config file holds a password that breaks the policy."""
    with installation(tmp_path_factory.mktemp("closed")) as server:
        server.write_config(credentials(ADA, WEAK_PASSWORD))
        yield server.start()


@pytest.mark.parametrize("page", ["/", "/login", "/setup", "/account", "/nothing-here"])
def test_a_closed_start(closed: Server, page: str) -> None:
    """With credentials that cannot be used every page says which key at which line, and all the policy's rules."""
    answer = closed.client().get(page)
    assert answer.status == 503
    assert "config.yml, line 4" in answer.text
    assert "server.basic-auth.password" in answer.text
    assert "at least 12 characters" in answer.text
    assert "an upper-case letter" in answer.text


def test_a_closed_start_says_so_where_it_was_started(closed: Server) -> None:
    """A closed start prints the problem where it was started, and never the password."""
    assert "config.yml:4" in closed.output
    assert f"'{WEAK_PASSWORD}'" not in closed.output


def test_credentials_in_the_file_need_no_setup(server: Server) -> None:
    """A first start with credentials in the file prints no setup link and shows no setup page."""
    server.write_config(credentials(ADA, PASSWORD))
    assert "/setup" not in server.start().output
    assert server.client().get("/setup").status == 404
    assert server.signed_in().is_signed_in()


def test_secrets_are_for_nobody_else(shared: Server) -> None:
    """Whatever authapp writes into the data folder is readable by its user alone."""
    files = [shared.folder / "data", *(shared.folder / "data").iterdir()]
    assert {file.name: file.stat().st_mode & 0o077 for file in files} == {file.name: 0 for file in files}


def test_secrets_are_not_logged(shared: Server) -> None:
    """Neither a password nor the setup token of a visited link gets into the log."""
    shared.signed_in()
    token = shared.setup_link.partition("token=")[2]
    assert PASSWORD not in shared.output
    assert shared.output.count(token) == 1  # where it was printed, for whoever started the server


def test_a_host_by_its_name(server: Server) -> None:
    """The host to listen on may be a name, which the web server itself would not take."""
    server.start("--host", "localhost")
    assert server.client().get("/setup").status == 200


def test_a_name_nobody_knows(server: Server) -> None:
    """A host name that leads nowhere is told in one sentence; exit status 1."""
    status, lines = server.refuse("--host", "no-such-host.invalid")
    assert status == 1
    assert_one_sentence(lines, "no-such-host.invalid", "--host")
