"""The commands: what they do, what they say, and how they end."""

import re
import socket
from pathlib import Path

import pytest
from sqlalchemy import text

from authapp import passwords, server
from tests.cli.commands import Run, credentials, is_one_sentence, problems_of
from tests.world import ADA, BOB, OTHER_PASSWORD, PASSWORD, WEAK_PASSWORD, World

TOKEN = r"[A-Za-z0-9_-]{43}"


# -- founding -------------------------------------------------------------------------------------------------


@pytest.mark.sqlite(reason="there is no installation where its file is missing")
@pytest.mark.parametrize("words", ["setup token", "setup status"])
def test_other_commands_found_nothing(run: Run, tmp_path: Path, words: str) -> None:
    """A command that may not found an installation and finds none says where it looked, and makes nothing."""
    result = run(*words.split())
    assert is_one_sentence(result)
    assert str(tmp_path / "data" / "authapp.db") in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", ["config check", "config example", "hash-password --password-stdin", "--help"])
def test_these_commands_need_no_installation(run: Run, tmp_path: Path, words: str) -> None:
    """These commands work without an installation, and make none."""
    assert run(*words.split(), typed=PASSWORD + "\n").exit_code == 0
    assert not list(tmp_path.iterdir())


def test_bootstrap_founds(run: Run, tmp_path: Path) -> None:
    """`bootstrap` makes data folder and database for their owner alone, and prints the address with the token."""
    result = run("bootstrap")
    assert result.exit_code == 0
    assert re.search(rf"http://127\.0\.0\.1:8080/setup\?token={TOKEN}\n", result.stdout)
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o077 for file in (tmp_path / "data").iterdir()} == {0}


def test_bootstrap_is_harmless_to_repeat(run: Run, world: World) -> None:
    """A second `bootstrap` prints the same token and changes nothing."""
    first = run("bootstrap").stdout
    before = world.tables()
    assert run("bootstrap").stdout == first
    assert world.tables() == before


def test_bootstrap_adopts(run: Run, world: World) -> None:
    """`bootstrap` adopts the credentials of the config file; there is no token to print then."""
    world.write_config(credentials())
    result = run("bootstrap")
    assert result.exit_code == 0
    assert "token" not in result.stdout
    assert world.setting("server.basic-auth")["username"] == ADA
    assert world.browser().sign_in().status_code == 303


def test_bootstrap_keeps_what_there_is(run: Run, cast: World) -> None:
    """`bootstrap` on an installation that is set up changes no row."""
    before = cast.tables()
    assert run("bootstrap").exit_code == 0
    after = cast.tables()
    assert {name: rows for name, rows in after.items() if name != "audit"} == {
        name: rows for name, rows in before.items() if name != "audit"
    }


# -- superuser ------------------------------------------------------------------------------------------------


def test_superuser_makes_the_owner(run: Run, world: World) -> None:
    """Where there is no owner, `superuser` makes the owner, completes the setup, and the setup token is gone."""
    run("bootstrap")
    result = run("superuser", typed=f"{ADA}\n{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert result.stdout.endswith("Superuser created successfully.\n")
    assert world.setting("installation")["setup_completed_at"]
    assert world.setting("setup.token") is None
    assert not (world.folder / "data" / "setup-token").exists()
    assert world.browser().sign_in().status_code == 303


def test_superuser_founds(run: Run, world: World) -> None:
    """`superuser` may be the first command of all."""
    result = run("superuser", "--username", ADA, "--password-stdin", typed=PASSWORD + "\n")
    assert (result.exit_code, result.stdout) == (0, "Superuser created successfully.\n")
    assert world.user(ADA).is_superuser


def test_superuser_asks(run: Run) -> None:
    """`superuser` asks for user name and password, and shows the password nowhere."""
    result = run("superuser", typed=f"{ADA}\n{PASSWORD}\n{PASSWORD}\n")
    assert "Username:" in result.output
    assert "Password:" in result.output
    assert PASSWORD not in result.output


def test_superuser_beside_the_owner(run: Run, cast: World) -> None:
    """Where there is an owner, `superuser` makes an active superuser beside them."""
    run("superuser", "--username", "eve", "--password-stdin", typed=OTHER_PASSWORD + "\n")
    browser = cast.browser()
    browser.sign_in("eve", OTHER_PASSWORD)
    assert browser.get("/admin/users").status_code == 200
    assert cast.setting("installation")["owner_id"] == cast.user(ADA).id


@pytest.mark.parametrize("name", [ADA, ADA.upper(), BOB])
def test_superuser_with_a_taken_name(run: Run, cast: World, name: str) -> None:
    """A name that is taken is refused in one sentence, with exit status 1, and nothing changes."""
    before = cast.tables()
    result = run("superuser", "--username", name, "--password-stdin", typed=OTHER_PASSWORD + "\n")
    assert is_one_sentence(result)
    assert "already has this user name" in result.stderr
    assert cast.tables() == before


@pytest.mark.parametrize("is_set_up", [False, True])
@pytest.mark.parametrize(("name", "password", "words"), [
    ("eve", WEAK_PASSWORD, "at least 12 characters"), ("a:b", PASSWORD, "colon"), ("eve", "", "no password"),
])  # fmt: skip
def test_superuser_refuses(
    run: Run, world: World, name: str, password: str, words: str, *, is_set_up: bool
) -> None:
    """A weak or missing password and a bad name are refused in one sentence that says why, with exit status 1."""
    if is_set_up:
        world.add_cast()
    result = run("superuser", "--username", name, "--password-stdin", typed=password + "\n")
    assert is_one_sentence(result)
    assert words in result.stderr
    assert not [row for row in world.tables()["users"] if f"'{name}'" in row]


@pytest.mark.parametrize(
    "password", ["  Spaces around it!  ", "Colon:and:euro € sign", "Grüße 🦊🌍 aus dem Wald", "Aa!€" + "7xKq" * 63]
)
def test_superuser_with_odd_passwords(run: Run, world: World, password: str) -> None:
    """Passwords with spaces, colon, euro sign, emoji and of 256 characters arrive as they were typed."""
    assert run("superuser", "--username", ADA, "--password-stdin", typed=password + "\n").exit_code == 0
    assert world.browser().sign_in(ADA, password).status_code == 303


def test_superuser_with_a_windows_line_end(run: Run, world: World) -> None:
    """A password on standard input that ends as lines do on Windows is the text before the line's end."""
    run("superuser", "--username", ADA, "--password-stdin", typed=PASSWORD + "\r\n")
    assert world.browser().sign_in(ADA, PASSWORD).status_code == 303


def test_superuser_cut_short(run: Run, world: World) -> None:
    """Two passwords that differ, and then the end of the input, make nobody."""
    result = run("superuser", typed=f"{ADA}\n{PASSWORD}\n{OTHER_PASSWORD}\n")
    assert result.exit_code == 1
    assert not world.tables()["users"]


def test_superuser_with_credentials_in_the_file(run: Run, world: World) -> None:
    """Credentials of the config file are adopted first, so that `superuser` makes a second superuser."""
    world.write_config(credentials())
    assert run("superuser", "--username", "eve", "--password-stdin", typed=OTHER_PASSWORD + "\n").exit_code == 0
    assert world.setting("server.basic-auth")["username"] == ADA
    assert world.user("eve").is_superuser


def test_superuser_in_a_closed_start(run: Run, world: World) -> None:
    """While the config file's credentials are refused, `superuser` names the problem and makes nobody."""
    world.write_config(credentials(password=WEAK_PASSWORD))
    result = run("superuser", "--username", "eve", "--password-stdin", typed=OTHER_PASSWORD + "\n")
    assert any("config.yml:4:5 server.basic-auth.password:" in line for line in problems_of(result))
    assert not world.tables()["users"]


# -- setup ----------------------------------------------------------------------------------------------------


def test_setup_status(run: Run, world: World) -> None:
    """`setup status` says whether setup is complete."""
    run("bootstrap")
    assert run("setup", "status").stdout == "not complete\n"
    world.set_up()
    assert run("setup", "status").stdout == "complete\n"


def test_setup_token_is_fresh(run: Run, world: World) -> None:
    """`setup token` prints an address with a fresh token that works; the old ones die."""
    old = re.search(TOKEN, run("bootstrap").stdout)
    fresh = re.fullmatch(rf"http://127\.0\.0\.1:8080/setup\?token=({TOKEN})\n", run("setup", "token").stdout)
    assert old
    assert fresh
    statuses = [
        world.browser().post("/setup/token", {"token": token}, form="/setup").status_code
        for token in (old[0], fresh[1])
    ]
    assert statuses == [403, 303]


def test_setup_token_after_setup(run: Run, cast: World) -> None:
    """After the setup there is no token: one sentence, exit status 1."""
    assert is_one_sentence(run("setup", "token"))
    assert cast.setting("setup.token") is None


@pytest.mark.parametrize(
    ("option", "address"),
    [
        ("public-url: https://auth.example.com", "https://auth.example.com/setup"),
        ("port: 9999", "http://127.0.0.1:9999/setup"),
        ("host: 0.0.0.0", "http://127.0.0.1:8080/setup"),
        ("host: '::1'", "http://[::1]:8080/setup"),
    ],
)
def test_address_is_the_one_to_open(run: Run, world: World, option: str, address: str) -> None:
    """The address that is printed is one to click on."""
    world.write_config(f"server:\n  {option}\n")
    assert f"{address}?token=" in run("bootstrap").stdout


# -- config check ---------------------------------------------------------------------------------------------


def test_config_check_of_a_good_file(run: Run, world: World) -> None:
    """`config check` of a good file says so."""
    world.write_config(credentials())
    assert run("config", "check").stdout == "config.yml is fine.\n"


def test_config_check_tells_everything_wrong(run: Run, world: World) -> None:
    """`config check` prints all problems, one a line with its place, and ends with 2; no value is quoted."""
    text = "server:\n  port: canary\n  pasword: canary\n  basic-auth:\n    password: [canary]\nnothing: canary\n"
    world.write_config(text)
    lines = problems_of(run("config", "check"))
    places = {line.partition(" ")[0].rstrip(":") for line in lines}
    assert places == {"config.yml:2:3", "config.yml:3:3", "config.yml:5:15", "config.yml:6:1"}
    assert "canary" not in "".join(lines)


def test_config_check_of_a_named_file(run: Run, tmp_path: Path) -> None:
    """`config check FILE` checks that file; one that does not exist is a problem."""
    (tmp_path / "other.yml").write_text("password:\n  policy: nist\n")
    assert run("config", "check", "other.yml").stdout == "other.yml is fine.\n"
    assert "missing.yml" in problems_of(run("config", "check", "missing.yml"))[0]


@pytest.mark.parametrize(
    "line", ["password: 'short'", f"password: '{ADA}'", "password-file: missing.txt", "password-hash: rubbish"]
)
def test_config_check_tells_what_would_close(run: Run, world: World, line: str) -> None:
    """`config check` also tells of credentials that would let authapp start closed."""
    world.write_config(f"server:\n  basic-auth:\n    username: {ADA}\n    {line}\n")
    lines = problems_of(run("config", "check"))
    assert len(lines) == 1
    assert lines[0].startswith("config.yml:4:5 server.basic-auth.password")
    assert "short" not in lines[0]


# -- hash-password --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", [PASSWORD, "  spaces  ", "Grüße 🦊", "0123"])
def test_hash_password_prints_a_hash(run: Run, password: str) -> None:
    """`hash-password` prints the password's argon2 string and nothing else."""
    result = run("hash-password", "--password-stdin", typed=password + "\n")
    assert result.stdout.startswith("$argon2id$")
    assert passwords.verify(result.stdout.strip(), password)
    assert password not in result.output


def test_hash_password_asks_twice(run: Run) -> None:
    """Without `--password-stdin` the password is asked for twice, hidden."""
    result = run("hash-password", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert passwords.verify(result.stdout.splitlines()[-1], PASSWORD)
    assert PASSWORD not in result.output


def test_hash_works_in_the_file(run: Run, world: World) -> None:
    """The string that is printed works as `password-hash` in the config file."""
    printed = run("hash-password", "--password-stdin", typed=PASSWORD + "\n").stdout.strip()
    world.write_config(f"server:\n  basic-auth:\n    username: {ADA}\n    password-hash: '{printed}'\n")
    assert world.browser().sign_in().status_code == 303


# -- run ------------------------------------------------------------------------------------------------------


def test_run_on_a_taken_port(run: Run) -> None:
    """`run` on a port that is taken says so in one sentence with exit status 1, before it serves."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("run", "--port", str(port))
    assert is_one_sentence(result)
    assert f"127.0.0.1:{port}" in result.stderr


@pytest.mark.parametrize(
    "command", ["run", "bootstrap", "superuser", "setup token", "setup status", "config check"]
)
def test_bad_config_ends_every_command(run: Run, world: World, command: str) -> None:
    """With a config file that cannot be used, every command tells all problems, ends with 2 and changes nothing."""
    world.write_config("server:\n  prot: 1\nsessions:\n  lifetime: 1h\n")
    assert len(problems_of(run(*command.split(), typed=f"{ADA}\n{PASSWORD}\n{PASSWORD}\n"))) == 2
    assert not (world.folder / "data").exists()


@pytest.mark.parametrize(
    "command", ["run", "bootstrap", "superuser", "setup token", "setup status", "config check"]
)
def test_named_file_that_is_missing(run: Run, tmp_path: Path, command: str) -> None:
    """A config file that is named and does not exist ends every command with exit status 2."""
    result = run(*command.split(), "--config", str(tmp_path / "missing.yml"))
    assert len(problems_of(result)) == 1
    assert str(tmp_path / "missing.yml") in result.stderr
    assert not list(tmp_path.iterdir())


def test_config_named_in_the_environment(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`AUTHAPP_CONFIG` names the config file, `--config` beats it, and the data lies beside the file in use."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yml").write_text("# nothing\n")
    monkeypatch.setenv("AUTHAPP_CONFIG", str(tmp_path / "one" / "config.yml"))
    run("bootstrap")
    assert (tmp_path / "one" / "data").exists()
    run("bootstrap", "--config", str(tmp_path / "two" / "config.yml"))
    assert (tmp_path / "two" / "data").exists()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "words",
    ["rnu", "run --port 0", "run --port 70000", "run --workers 0", "run --port x", "setup", "config",
     "run --nope", "bootstrap x"],
)  # fmt: skip
def test_wrong_usage(run: Run, tmp_path: Path, words: str) -> None:
    """Wrong usage ends with exit status 2 and makes nothing."""
    result = run(*words.split())
    assert result.exit_code == 2
    assert "Usage:" in result.output
    assert not list(tmp_path.iterdir())


def test_run_hands_over_what_was_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` serves where it was told to, with as many processes, and prints that address with the token."""
    served: list[tuple[str, int, int]] = []

    def note(host: str, port: int, workers: int, *_: object) -> None:
        served.append((host, port, workers))

    monkeypatch.setattr(server, "_serve", note)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = run("run", "--host", "127.0.0.1", "--port", str(port), "--workers", "3")
    assert result.exit_code == 0, result.output
    assert served == [("127.0.0.1", port, 3)]
    assert re.search(rf"http://127\.0\.0\.1:{port}/setup\?token={TOKEN}\n", result.stdout)


def test_newer_database(run: Run, cast: World) -> None:
    """A database from a newer version ends a command in one sentence with exit status 1, unchanged."""
    with cast.database.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = cast.tables()
    for command in ("bootstrap", "setup status"):
        result = run(*command.split())
        assert result.exit_code == 1
        assert "from a newer version of authapp" in result.stderr
        assert "Traceback" not in result.output
    assert cast.tables() == before


@pytest.mark.sqlite(reason="the file of the database holds something else")
@pytest.mark.parametrize("content", [b"this is no database" * 1000, b"SQLite format 3\x00" + b"\x00" * 5000])
def test_broken_database(run: Run, tmp_path: Path, content: bytes) -> None:
    """A database file that holds something else ends a command in one sentence with exit status 1, untouched."""
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "authapp.db").write_bytes(content)
    assert is_one_sentence(run("bootstrap"))
    assert (tmp_path / "data" / "authapp.db").read_bytes() == content


def test_data_folder_that_is_a_file(run: Run, tmp_path: Path) -> None:
    """A data folder that cannot be made is a problem that names it, with exit status 2."""
    (tmp_path / "data").write_text("")
    lines = problems_of(run("bootstrap"))
    assert len(lines) == 1
    assert str(tmp_path / "data") in lines[0]


def test_data_folder_that_anybody_may_write(run: Run, tmp_path: Path) -> None:
    """A data folder that anybody may write is a problem, with exit status 2."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)
    assert "anybody may write" in problems_of(run("bootstrap"))[0]


def test_standard_input_that_is_no_text(run: Run) -> None:
    """A password that is no UTF-8 text is refused in one sentence, or taken as it is; never a stack trace."""
    result = run("hash-password", "--password-stdin", typed=b"\xff\xfe\xfd\n")
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_config_check_knows_the_users(run: Run, world: World) -> None:
    """`config check` names a lone user name that another user has: a start with it would be closed."""
    world.set_up()
    world.add(BOB)
    world.write_credentials(username=BOB, password=None)
    result = run("config", "check")
    assert result.exit_code == 2
    assert "another user has this name" in result.stderr


def test_other_commands_do_not_upgrade(run: Run, world: World) -> None:
    """A command that only asks leaves an older schema as it is, and says what upgrades it."""
    with world.database.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    result = run("setup", "status")
    assert result.exit_code == 1
    assert "authapp bootstrap" in result.stderr


def test_config_check_tells_everything_at_once(run: Run, world: World) -> None:
    """A slip in one option does not hide what is wrong with the password; nothing is told twice."""
    world.write_config("server:\n  prot: 8080\n  basic-auth:\n    username: ada\n    password: weak\n")
    lines = run("config", "check").stderr.splitlines()
    assert [line.split(": ")[0].split()[1] for line in lines] == ["server.prot", "server.basic-auth.password"]


def test_bootstrap_with_credentials_that_are_refused(run: Run, world: World) -> None:
    """Bootstrap does not claim success when nobody could sign in: it prints why and ends with 2."""
    world.write_config(credentials(ADA, "short"))
    result = run("bootstrap")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "config.yml:4:5 server.basic-auth.password" in result.stderr
