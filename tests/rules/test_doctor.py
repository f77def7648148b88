"""The doctor: what each check finds where all is well, and where it is not."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import make_url, text, update

from authapp import clock, nodes, paths
from authapp.config.options import OPTIONS
from authapp.doctor import CHECKS, diagnose
from authapp.doctor.finding import Finding, State
from authapp.doctor.machine import Machine
from authapp.models import User
from authapp.nodes import Here
from authapp.wizard import TOKEN_FILE
from tests.cli.commands import credentials
from tests.world import ADA, OTHER_PASSWORD, PASSWORD, World

about_the_file = pytest.mark.sqlite(reason="it is about the file of SQLite, and the folder it is in")

SECRET = "a-secret-of-some-thirty-two-letters"
QUIET = Machine("", lambda *_: None, lambda _: 2**40)

OK, LOOK, BAD = State.OK, State.LOOK, State.BAD


def of(world: World, check: str, machine: Machine = QUIET) -> list[Finding]:
    """What one check found."""
    if world.database_url:
        world.variables["AUTHAPP_DATABASE_URL"] = world.database_url
    return [finding for finding in diagnose(world.locations, machine) if finding.check == check]


def the(state: State, findings: list[Finding]) -> Finding:
    """The one finding that stands so, while none stands worse."""
    assert max((OK, LOOK, BAD).index(finding.state) for finding in findings) == (OK, LOOK, BAD).index(state), (
        findings
    )
    (one,) = [finding for finding in findings if finding.state is state]
    return one


def is_fine(findings: list[Finding]) -> bool:
    """Tell whether there is something to say, and nothing to do."""
    return bool(findings) and all(finding.state is OK and not finding.advice for finding in findings)


def write(world: World, text: str, mode: int = 0o600) -> None:
    """Write the config file, with rights."""
    world.write_config(text)
    world.config_file.chmod(mode)


@pytest.mark.parametrize("check", CHECKS)
def test_all_is_well(cast: World, check: str) -> None:
    """Every check has a line to say about an installation with which all is well, and nothing to do."""
    write(cast, credentials())
    assert is_fine(of(cast, check))


def test_nothing_there(world: World) -> None:
    """Where there is nothing, the doctor says where it looked, and that the first start makes what is missing."""
    findings = diagnose(world.locations, QUIET)
    assert str(world.folder / "data" / "authapp.db") in the(LOOK, findings).found
    assert "authapp run" in the(LOOK, findings).advice


# -- the config file ------------------------------------------------------------------------------------------


def test_problems_of_the_config_file(world: World) -> None:
    """Every problem of the config file is one bad line with its place and what to do, and nothing stops at it."""
    write(world, "server:\n  port: many\n  host: ''\n")
    findings = diagnose(world.locations, QUIET)
    assert [finding.found.split(" ")[:2] for finding in findings if finding.state is BAD] == [
        ["config.yml:2:3", "server.port:"],
        ["config.yml:3:3", "server.host:"],
    ]
    assert all(finding.advice for finding in findings if finding.state is not OK)
    assert {finding.check for finding in findings} == set(CHECKS) - {"owner", "nodes"}


@pytest.mark.parametrize("text", ["a: [\n", "\0", "server: 7\n"])
def test_a_broken_config_file(world: World, text: str) -> None:
    """A file that cannot be read as one does not keep the doctor from looking at all the rest."""
    write(world, text)
    assert the(BAD, of(world, "config file")).found.startswith("config.yml:")
    assert is_fine(of(world, "clock"))


def test_credentials_that_break_a_rule(cast: World) -> None:
    """A password that breaks the policy is found before a start refuses it."""
    write(cast, credentials(password="short"))
    assert "policy" in the(BAD, of(cast, "config file")).found


@pytest.mark.parametrize(("mode", "who"), [(0o604, "everybody"), (0o640, "group")])
@pytest.mark.parametrize("text", [credentials(), f"server: {{secret-key: '{SECRET}'}}\n"])
def test_readable_secrets(world: World, mode: int, who: str, text: str) -> None:
    """A secret in a config file that others may read is worth a look: chmod 600."""
    write(world, text, mode)
    finding = the(LOOK, of(world, "config file"))
    assert who in finding.found
    assert finding.advice == f"chmod 600 {world.config_file}"


def test_a_readable_file_without_secrets(world: World) -> None:
    """A config file without a secret in it may be read by anybody; one that refers to a variable has none."""
    world.variables["KEY_OF_MINE"] = SECRET
    write(world, "server: {port: 8081, secret-key: '${KEY_OF_MINE}'}\n", 0o644)
    assert is_fine(of(world, "config file"))


def test_a_readable_env_file(world: World) -> None:
    """A secret in an env file that others may read is worth a look too; a quiet one is not."""
    file = world.folder / "my.env"
    file.write_text(f"AUTHAPP_SERVER_SECRET_KEY={SECRET}\n")
    assert is_fine(diagnose(paths.locate(str(written(world)), str(file)), QUIET)[:2])
    file.chmod(0o644)
    findings = diagnose(paths.locate(str(written(world)), str(file)), QUIET)
    assert str(file) in the(LOOK, [one for one in findings if one.check == "config file"]).advice


def written(world: World) -> Path:
    """A config file with one option in it."""
    write(world, "server: {port: 8081}\n")
    return world.config_file


def test_a_writable_config_file(world: World) -> None:
    """A config file that anybody may write is bad."""
    write(world, "server: {port: 8081}\n", 0o602)
    assert "chmod o-w" in the(BAD, of(world, "config file")).advice


def test_somebody_elses_files(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of another user that nobody named are bad."""
    write(cast, "server: {port: 8081}\n")
    mine = Path.stat
    strangers = lambda path, **rest: os.stat_result((*mine(path, **rest)[:4], 4711, *mine(path, **rest)[5:]))  # noqa: E731 - one line
    monkeypatch.setattr(Path, "stat", strangers)
    problems = [*paths.check_ownership(cast.config_file, implicit=True)]
    assert problems
    findings = diagnose(replace(cast.locations, named=False), QUIET)
    assert {one.check for one in findings if one.state is BAD} >= {"config file", "data folder"}


def test_a_file_mounted_by_itself(world: World) -> None:
    """A config file that is a mount of its own is worth a look: editors replace files, and the mount stays."""
    file = written(world)
    line = "36 35 98:0 /config.yml {} rw,noatime master:1 - ext4 /dev/sda1 rw\n"
    own = replace(QUIET, mountinfo=line.format(file))
    assert the(LOOK, of(world, "config file", own)).advice == "mount its folder instead"
    assert is_fine(of(world, "config file", replace(QUIET, mountinfo=line.format(world.folder))))


@pytest.mark.parametrize("piece", ["=19=19456,t=2,p=1/x+y", "scrypt:32768:8:1", "pbkdf2:sha256:600000", "argon2id"])
def test_a_hash_that_compose_ate(world: World, piece: str) -> None:
    """What is left of a password hash whose $ were taken for variables is told apart from other nonsense."""
    write(world, f"server: {{basic-auth: {{username: {ADA}, password-hash: '{piece}'}}}}\n")
    finding = the(BAD, of(world, "config file"))
    assert "$$" in finding.advice
    assert "password-file" in finding.advice
    write(world, f"server: {{basic-auth: {{username: {ADA}, password-hash: 'nonsense'}}}}\n")
    assert "password-file" not in the(BAD, of(world, "config file")).advice


def test_odd_variables(world: World) -> None:
    """A variable that is called like ours and is none is worth a look."""
    world.variables["AUTHAPP_SERVER_PROT"] = "1"
    assert "AUTHAPP_SERVER_PORT" in the(LOOK, of(world, "environment")).found


# -- the data folder ------------------------------------------------------------------------------------------


@about_the_file
def test_rights_in_the_data_folder(cast: World) -> None:
    """Folder and files that others may read are worth a look, each with its chmod."""
    data = cast.folder / "data"
    (data / TOKEN_FILE).touch()
    for name in ("authapp.db", "authapp.db-wal", "authapp.db-shm", TOKEN_FILE):
        (data / name).chmod(0o640)
    data.chmod(0o755)
    advice = [finding.advice for finding in of(cast, "data folder")]
    files = (TOKEN_FILE, "authapp.db", "authapp.db-wal", "authapp.db-shm")
    assert advice == [f"chmod 700 {data}", *(f"chmod 600 {data / name}" for name in files)]


def test_a_data_folder_for_everybody(cast: World) -> None:
    """A data folder that anybody may write is bad."""
    (cast.folder / "data").chmod(0o777)
    assert the(BAD, of(cast, "data folder")).advice == "chmod 700"


def test_nothing_can_be_written(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be written to is bad, and so is one that cannot be made."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert {one.state for one in of(cast, "data folder") if "cannot be" in one.found} == {BAD}
    elsewhere = replace(cast.locations, data=cast.folder / "nowhere")
    assert any("mkdir" in one.advice for one in diagnose(elsewhere, QUIET))


def test_a_full_disk(cast: World) -> None:
    """Less than 100 MB of free space are worth a look."""
    assert "99 MB" in the(LOOK, of(cast, "data folder", replace(QUIET, free_space=lambda _: 99 * 2**20))).found


# -- the database ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "advice"), [("0001", "authapp bootstrap"), ("9999", "Install that version")])
def test_another_schema(cast: World, version: str, advice: str) -> None:
    """An older schema is bad, and bootstrap mends it; a newer one needs the newer version."""
    with cast.database.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    assert advice in the(BAD, of(cast, "database")).advice


@about_the_file
def test_no_database(cast: World) -> None:
    """What is no database is bad, and the checks that need none are still made."""
    cast.close()
    (cast.folder / "data" / "authapp.db").write_bytes(b"no database at all" * 100)
    assert "not a database" in the(BAD, of(cast, "database")).found
    assert is_fine(of(cast, "proxies"))


@about_the_file
def test_a_folder_that_may_not_be_entered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the doctor may not look, it does not say that there is nothing."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "as the account that runs authapp" in the(BAD, of(world, "database")).advice


@about_the_file
def test_a_damaged_database(cast: World) -> None:
    """A database with damaged pages is bad: stop and restore."""
    with cast.database.engine.connect() as connection:
        page = connection.execute(
            text("SELECT rootpage FROM sqlite_master WHERE name = 'ix_audit_at'")
        ).scalar_one()
        size = connection.execute(text("PRAGMA page_size")).scalar_one()
    cast.close()
    with (cast.folder / "data" / "authapp.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 64)
    assert "restore a backup" in the(BAD, of(cast, "database")).advice


@about_the_file
@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_file_system(cast: World, kind: str) -> None:
    """SQLite on a network file system is worth a look; the innermost mount tells."""
    around = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    network = around + f"21 20 0:44 / {cast.folder} rw - {kind} server:/x rw\n"
    assert kind in the(LOOK, of(cast, "database", replace(QUIET, mountinfo=network))).found
    assert is_fine(of(cast, "database", replace(QUIET, mountinfo=around)))


def test_an_unreachable_server(world: World) -> None:
    """A PostgreSQL that does not answer is bad, and its password is nowhere."""
    write(world, f"database: {{url: 'postgresql://u:{SECRET}@127.0.0.1:1/x'}}\n")
    findings = diagnose(world.locations, QUIET)
    assert "127.0.0.1" in the(BAD, findings).found
    assert SECRET not in str(findings)


def test_a_missing_driver(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PostgreSQL's driver the doctor says how to install it."""
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    write(world, "database: {url: 'postgresql://u@127.0.0.1:1/x'}\n")
    assert "pip install" in the(BAD, of(world, "database")).advice


@pytest.mark.postgres
@pytest.mark.sqlite(reason="it has a PostgreSQL beside")
def test_postgresql(world: World, postgres_url: str) -> None:
    """PostgreSQL is named by host and database; its clock must be near ours."""
    world.database_url = postgres_url
    world.add_cast()
    write(world, f"database: {{url: '{postgres_url}'}}\n")
    findings = of(world, "database")
    assert is_fine(findings)
    assert str(make_url(postgres_url).database) in findings[0].found
    assert is_fine(of(world, "clock"))
    with time_machine.travel(clock.now() + timedelta(minutes=5)):
        assert "300 seconds" in the(LOOK, of(world, "clock")).found


# -- the clock ------------------------------------------------------------------------------------------------


def test_a_clock_that_went_back(cast: World) -> None:
    """A clock that is behind what the database has seen is bad."""
    with cast.database.writing() as db:
        db.execute(update(User).where(User.username == ADA).values(last_login_at=clock.now() + timedelta(hours=1)))
    assert "went back" in the(BAD, of(cast, "clock")).found


def test_a_clock_that_was_never_set(world: World) -> None:
    """A machine in 1970 is bad, also before there is an installation."""
    with time_machine.travel("1970-01-01"):
        assert "1970" in the(BAD, of(world, "clock")).found


# -- keys, addresses, people ----------------------------------------------------------------------------------


def test_the_secret_key(cast: World) -> None:
    """The doctor says where the key is from; a short one is worth a look."""
    assert "stored" in the(OK, of(cast, "secret key")).found
    write(cast, f"server: {{secret-key: '{SECRET}'}}\n")
    assert "config file" in the(OK, of(cast, "secret key")).found
    write(cast, f"server: {{secret-key: '{SECRET[:20]}'}}\n")
    assert "short" in the(LOOK, of(cast, "secret key")).found


@pytest.mark.parametrize(("text", "check", "state", "words"), [
    ("server: {host: 0.0.0.0}", "address", LOOK, "plain http"),
    ("server: {public-url: 'http://auth.example.com'}", "address", LOOK, "plain http"),
    ("server: {public-url: 'http://localhost:8080'}", "address", OK, ""),
    ("server: {host: 0.0.0.0, public-url: 'https://auth.example.com'}", "address", OK, ""),
    ("server: {trusted-proxies: [0.0.0.0/0]}", "proxies", BAD, "everybody"),
    ("server: {trusted-proxies: ['::/0']}", "proxies", BAD, "everybody"),
    ("server: {trusted-proxies: [0.0.0.0/1, 128.0.0.0/1]}", "proxies", BAD, "everybody"),
    ("server: {trusted-proxies: [10.0.0.0/8]}", "proxies", LOOK, "server.public-url is not set"),
    ("server: {trusted-proxies: [10.0.0.0/8], public-url: 'https://a.example.com'}", "proxies", OK, "10.0.0.0/8"),
    ("server: {public-url: 'https://auth.example.com'}", "proxies", LOOK, "no proxy"),
    ("auth: {mode: none}", "mode", LOOK, "this machine"),
    ("auth: {mode: none, allow-public-none: true}", "mode", LOOK, "reaches the address"),
    ("setup: {require-token: false}", "mode", LOOK, "require-token"),
])  # fmt: skip
def test_who_can_reach_it(world: World, text: str, check: str, state: State, words: str) -> None:
    """Addresses, proxies and modes that let more people in than one may think are named."""
    write(world, text + "\n")
    findings = of(world, check)
    assert is_fine(findings) if state is OK else the(state, findings)
    assert words in str(findings)


@pytest.mark.parametrize(("recorded", "wanted", "state"), [("basic", "none", BAD), ("none", "basic", LOOK)])
def test_the_recorded_mode(world: World, recorded: str, wanted: str, state: State) -> None:
    """A mode that is locked is bad; one that the next start leaves is worth a look."""
    world.write_mode(recorded)
    world.database.dispose()
    world.write_mode(wanted)
    assert any(one.state is state and "recorded mode" in one.found for one in of(world, "mode"))


@pytest.mark.parametrize(("answer", "state", "words"), [
    (None, OK, "nobody"), ("ok", OK, "authapp is running"), ("", LOOK, "something else"), ("hello", LOOK, "else"),
])  # fmt: skip
def test_who_listens(world: World, answer: str | None, state: State, words: str) -> None:
    """Who listens at the port is authapp, nobody, or something that is in the way."""
    findings = of(world, "address", replace(QUIET, answer=lambda *_: answer))
    assert words in [one for one in findings if one.state is state][-1].found


def deactivate(world: World) -> None:
    """Lock the owner out, as only a hand in the database can."""
    world.set_up()
    with world.database.writing() as db:
        db.execute(update(User).where(User.username == ADA).values(is_active=False))


@pytest.mark.parametrize(("prepare", "state", "words"), [
    (lambda world: world.database, LOOK, "setup"), (World.add_cast, OK, "2 superusers"),
    (deactivate, BAD, "active owner"),
])  # fmt: skip
def test_the_owner(world: World, prepare: Callable[[World], object], state: State, words: str) -> None:
    """The doctor says whether setup is finished, whether the owner is active, and how many superusers there are."""
    prepare(world)
    assert words in str(the(state, of(world, "owner")))


# -- several nodes --------------------------------------------------------------------------------------------


def test_nodes_that_differ(cast: World) -> None:
    """What another live node was given otherwise is worth a look; this config file's own server is none."""
    for here in (Here.new_node(cast.locations), Here("web-2", "/etc/authapp/config.yml", "other", 4711)):
        nodes.beat(cast.database, here, cast.snapshot.effective)
    write(cast, "session: {lifetime: 3h}\n")
    assert (
        "session.lifetime: the node web-2 (/etc/authapp/config.yml, process 4711)"
        in the(LOOK, of(cast, "nodes")).found
    )


def test_credentials_that_would_be_withheld(cast: World) -> None:
    """The doctor says which credentials the next start would not adopt, and what to do."""
    write(cast, credentials(password=OTHER_PASSWORD))
    here, given = Here("web-2", "/etc/authapp/config.yml", "other", 4711), cast.snapshot
    nodes.beat(cast.database, here, given.effective, nodes.compare(cast.database, given))
    cast.stop()
    write(cast, credentials())
    found = the(LOOK, of(cast, "nodes"))
    assert "because the node web-2 (/etc/authapp/config.yml, process 4711) was given what counts now" in found.found
    assert "agree" in found.advice


def test_no_secret_is_told(cast: World) -> None:
    """No finding repeats a secret, wherever it stands, and however wrong it is."""
    secrets = {key: f"s3cret{number}" for number, (key, option) in enumerate(OPTIONS.items()) if option.secret}
    for key, secret in secrets.items():
        write(cast, ": {".join(key.split(".")) + f": '{secret}'" + "}" * key.count(".") + "\n", 0o644)
        assert secret not in str(diagnose(cast.locations, QUIET))
    write(cast, credentials(), 0o644)
    assert PASSWORD not in str(diagnose(cast.locations, QUIET))
