"""`authapp doctor`: its lines, its exit status, and that it changes nothing."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import Run, credentials, is_safe_to_show, printed, said
from tests.server_process import Server, free_port
from tests.world import ADA, PASSWORD, World

CRASH = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit(); os._exit(0)"
FAR = "UPDATE users SET last_login_at = '2099-01-01 00:00:00.000000'"


@pytest.fixture(autouse=True)
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port at which nobody listens."""
    found = free_port()
    monkeypatch.setenv("AUTHAPP_SERVER_PORT", str(found))
    return found


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything there is in a folder: rights, owners, times, and what is in the files."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (status.st_mode, status.st_uid, status.st_ino, status.st_mtime_ns, content)
    return found


def complete(world: World) -> None:
    """An installation with its cast, which does not run."""
    world.add_cast()
    world.write_config(credentials())
    world.close()


def running(world: World) -> None:
    """One that others have open."""
    complete(world)
    world.connect().engine.connect().close()


def broken(world: World) -> None:
    """A broken config file over a database that is none."""
    world.write_config("server: [\n")
    (world.folder / "data").mkdir()
    (world.folder / "data" / "authapp.db").write_bytes(b"none")


def empty_file(world: World) -> None:
    """A database that was only touched."""
    (world.folder / "data").mkdir(mode=0o700)
    (world.folder / "data" / "authapp.db").touch()


def crashed(world: World) -> None:
    """A database whose last writer fell over, as a backup of the folder may hold it."""
    complete(world)
    data = world.folder / "data"
    subprocess.run([sys.executable, "-c", CRASH, data / "authapp.db", FAR], check=True)
    (data / "authapp.db-shm").unlink()


PREPARED: list[tuple[Callable[[World], object], int]] = [
    (lambda _: None, 0), (complete, 0), (running, 0), (broken, 1),
]  # fmt: skip


@pytest.mark.parametrize(("prepare", "status"), PREPARED)
def test_it_changes_nothing(run: Run, world: World, prepare: Callable[[World], object], status: int) -> None:
    """Whatever it finds, the doctor leaves every file as it was and makes none; its status says if one is bad."""
    prepare(world)
    before = snapshot(world.folder)
    result = run("doctor")
    assert (result.exit_code, result.stderr) == (status, ""), result.output
    assert snapshot(world.folder) == before


@pytest.mark.sqlite(reason="the file of the database is damaged")
@pytest.mark.parametrize("prepare", [empty_file, crashed])
def test_a_damaged_file_is_left_alone(run: Run, world: World, prepare: Callable[[World], object]) -> None:
    """A database file that was only touched, or whose last writer fell over, is bad and stays as it was."""
    prepare(world)
    before = snapshot(world.folder)
    assert run("doctor").exit_code == 1
    assert snapshot(world.folder) == before


@pytest.mark.sqlite(reason="the file of the database is taken away")
def test_a_file_taken_away(run: Run, world: World) -> None:
    """A missing database with a log still beside it is not taken for a machine with nothing on it."""
    crashed(world)
    (world.folder / "data" / "authapp.db").unlink()
    result = run("doctor")
    assert (result.exit_code, "is gone, but something uses it" in result.stdout) == (1, True)
    assert "there is no installation here yet" not in result.stdout


def test_it_changes_no_row(run: Run, cast: World) -> None:
    """The doctor leaves every row of every table as it was."""
    before = cast.tables()
    said(run("doctor"))
    assert cast.tables() == before


@pytest.mark.sqlite(reason="it is about the write-ahead log beside the file")
def test_an_unfinished_log_is_read_too(run: Run, world: World) -> None:
    """What only the write-ahead log holds counts, also when its index is gone."""
    crashed(world)
    assert "bad   clock: the database has seen 2099-01-01" in run("doctor").stdout


def test_lines(run: Run, world: World) -> None:
    """Each line says how it stands, what was checked and found, and what to do, unless all is well."""
    complete(world)
    world.config_file.chmod(0o644)
    lines = said(run("doctor")).splitlines()
    (line,) = [line for line in lines if not line.startswith("ok ")]
    what = "config.yml:4:5 server.basic-auth.password: everybody on this machine can read this secret"
    assert line == f"look  config file: {what} -> chmod 600 {world.config_file}"
    assert all("->" not in line for line in lines if line.startswith("ok "))
    assert any(line.startswith(f"ok    owner: {ADA} is active; 2 superusers") for line in lines)


def test_json(run: Run, world: World) -> None:
    """`--json` prints the same findings, and the exit status is the same."""
    complete(world)
    findings = printed(run("doctor", "--json"))
    assert all(set(one) == {"check", "state", "found", "advice"} for one in findings)
    lines = said(run("doctor")).splitlines()
    assert [f"{one['state']:<4}  {one['check']}: {one['found']}" for one in findings] == lines
    world.write_config("server: {port: many}\n")
    result = run("doctor", "--json")
    assert result.exit_code == 1
    assert "bad" in {one["state"] for one in json.loads(result.stdout)}


@pytest.mark.parametrize("words", [("--config", "nowhere.yml"), ("--env-file", "nowhere.env")])
def test_a_named_file_that_is_not_there(run: Run, world: World, words: tuple[str, str]) -> None:
    """A named file that is not there is bad, and all the rest is looked at."""
    assert world.folder.exists()
    result = run("doctor", *words)
    assert (result.exit_code, result.stderr) == (1, "")
    bad = [line for line in result.stdout.splitlines() if line.startswith("bad")]
    assert (len(bad), words[1] in bad[0]) == (1, True)
    assert "clock" in result.stdout


def test_an_env_file(run: Run, world: World) -> None:
    """The doctor reads the env file it is given, and says what is wrong in it by line."""
    file = world.folder / "my.env"
    file.write_text("\nAUTHAPP_AUTH_MODE=none\nAUTHAPP_SERVER_HOTS=1\n")
    result = run("doctor", "--env-file", "my.env")
    assert result.exit_code == 1
    assert "my.env:3" in result.stdout
    assert "whoever uses this machine is a superuser" in result.stdout


def test_no_secret_is_printed(run: Run, world: World) -> None:
    """Neither output holds a password, a key, a hash or a token, however many of them others can read."""
    complete(world)
    key, token = "k" * 40, world.folder / "data" / "setup-token"
    token.write_text("t" * 43)
    token.chmod(0o644)
    (world.folder / "my.env").write_text(f"AUTHAPP_SERVER_SECRET_KEY={key}\nAUTHAPP_DATABASE_URL=sqlite:///{key}\n")
    (world.folder / "my.env").chmod(0o644)
    world.config_file.chmod(0o644)
    for words in ((), ("--json",)):
        output = run("doctor", "--env-file", "my.env", *words).output
        assert "can read this secret" in output
        assert not any(secret in output for secret in (PASSWORD, token.read_text(), "$argon2"))


def test_it_prints_nothing_a_terminal_obeys(run: Run, world: World) -> None:
    """Names of files and people are printed without what a terminal would obey."""
    folder = world.folder / "a\x1b[31m #b"
    folder.mkdir()
    complete(world)
    shutil.copytree(world.folder / "data", folder / "data")
    shutil.copy(world.config_file, folder)
    for words in ((), ("--json",)):
        result = run("doctor", "--config", str(folder / "config.yml"), *words)
        assert is_safe_to_show(result.output)
        assert f"{ADA} is active" in result.stdout


def test_beside_a_server(world: World, port: int) -> None:
    """Beside a running server the doctor says that it runs, and at whose port."""
    complete(world)
    world.write_config(f"{credentials()}  port: {port}\n")
    server = Server(world.folder, port=port, database_url=world.database_url).start()
    try:
        result = server.run("doctor")
    finally:
        server.stop()
    assert (result.returncode, result.stderr) == (0, "")
    assert f"authapp is running at port {server.port}" in result.stdout


@pytest.mark.sqlite(reason="the file of the database is replaced")
def test_beside_a_server_whose_file_was_replaced(world: World, port: int) -> None:
    """That a running server cannot use its database is bad, also where the file in its place is a good one."""
    complete(world)
    world.write_config(f"{credentials()}  port: {port}\n")
    data = world.folder / "data"
    server = Server(world.folder, port=port).start()
    try:
        shutil.copy2(data / "authapp.db", data / "copy.db")
        (data / "copy.db").replace(data / "authapp.db")
        result = server.run("doctor")
    finally:
        server.stop()
    assert result.returncode == 1
    assert f"bad   address: authapp is running at port {port}, but cannot use its database" in result.stdout


def test_beside_another_program(run: Run, port: int) -> None:
    """What listens at the port and is not authapp is worth a look."""

    def hang_up() -> None:
        other.accept()[0].close()

    with socket.create_server(("127.0.0.1", port)) as other:
        hanging_up = threading.Thread(target=hang_up)
        hanging_up.start()
        output = said(run("doctor"))
        hanging_up.join()
    assert f"look  address: something else listens at port {port}" in output


@pytest.mark.sqlite(reason="it is about a file made by VACUUM INTO")
def test_a_copied_database(run: Run, world: World) -> None:
    """A database that is not in WAL mode, as `VACUUM INTO` makes one, is read as it is and stays so."""
    complete(world)
    file = world.folder / "data" / "authapp.db"
    copy = file.with_name("copy.db")
    with sqlite3.connect(file) as connection:
        connection.execute("VACUUM INTO ?", (os.fspath(copy),))
    connection.close()
    copy.replace(file)
    file.chmod(0o600)
    before = snapshot(world.folder)
    assert f"{ADA} is active" in said(run("doctor"))
    assert snapshot(world.folder) == before
