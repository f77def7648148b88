"""`authapp config show, explain, set, unset, check` as typed by hand, with the environment and env files."""

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import Result

from authapp import nodes
from authapp.config.environment import own_name
from authapp.config.options import OPTIONS, PASSWORD_KEYS
from authapp.nodes import Here
from tests.cli.commands import Run, credentials, is_one_sentence, printed, problems_of, said
from tests.samples import CANARY, in_file
from tests.world import ADA, CHEAPEST, OTHER_PASSWORD, World

NAME, ATTEMPTS = "organization.name", "throttle.attempts"
LAYERS = ["config file", "environment", "Settings table", "default"]
PASSWORD, PASSWORD_HASH, _ = PASSWORD_KEYS
READERS = ["config show", "config show --json", f"config explain {NAME} --json", "config check"]


def refusal(result: Result) -> str:
    """Return the one line on standard error of a command that was refused: exit status 1, nothing printed."""
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    [line] = result.stderr.splitlines()
    return line


def line_of(text: str, key: str) -> list[str]:
    """Return the cells of a table's line that begins with a key."""
    [line] = [line for line in text.splitlines() if line.split()[0] == key]
    return re.split(r"\s{2,}", line)


def env_file(text: str | bytes, name: str = ".env") -> list[str]:
    """Write an env file into the current folder; return what makes a command read it."""
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return ["--env-file", name]


# -- show -----------------------------------------------------------------------------------------------------


def test_show_tells_every_option_with_its_source(run: Run, cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config show` prints every option once, its value, and the layer and place it comes from."""
    cast.write_config("organization:\n  name: Looms\n")
    monkeypatch.setenv("AUTHAPP_WORKSPACE_NAME", "Weaving")
    said(run("config", "set", ATTEMPTS, "5"))
    shown = said(run("config", "show"))
    assert [line.split()[0] for line in shown.splitlines()] == ["OPTION", *OPTIONS]
    assert line_of(shown, NAME) == [NAME, "Looms", "config.yml, line 2"]
    weaving = ["workspace.name", "Weaving", "environment variable AUTHAPP_WORKSPACE_NAME"]
    assert line_of(shown, "workspace.name") == weaving
    assert line_of(shown, ATTEMPTS) == [ATTEMPTS, "5", "Settings table"]
    assert line_of(shown, "log.level") == ["log.level", "info", "default"]


def test_show_as_json(run: Run, cast: World) -> None:
    """`config show --json` gives each option's value, source, place, whether it is pinned, and its layers."""
    cast.write_config("organization:\n  name: Looms\n")
    shown = printed(run("config", "show", "--json"))
    assert list(shown) == list(OPTIONS)
    assert all(
        set(one) == {"key", "value", "source", "place", "pinned", "settable", "layers"} for one in shown.values()
    )
    one = {name: value for name, value in shown[NAME].items() if name != "layers"}
    assert one == {
        "key": NAME, "value": "Looms", "source": "config file", "place": "config.yml:2:3", "pinned": True,
        "settable": True,
    }  # fmt: skip
    assert [layer["source"] for layer in shown[NAME]["layers"]] == ["config file", "default"]


@pytest.mark.sqlite(reason="there is no installation where its file is missing")
def test_show_without_an_installation(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an installation file and environment are shown, with a note on standard error; nothing is made."""
    monkeypatch.setenv(own_name(NAME), "Looms")
    for words in (["config", "show", "--json"], ["config", "explain", NAME, "--json"]):
        result = run(*words)
        assert (result.exit_code, "Looms" in result.stdout) == (0, True)
        assert json.loads(result.stdout)
        assert is_one_sentence(result, 0)
        assert f"looked for {world.folder / 'data' / 'authapp.db'}" in result.stderr
    assert not (world.folder / "data").exists()


def test_show_changes_nothing(run: Run, cast: World) -> None:
    """To look at a file with new credentials does not adopt them."""
    cast.write_config(credentials(ADA, OTHER_PASSWORD))
    before = cast.tables()
    for words in READERS:
        run(*words.split())
    assert cast.tables() == before


# -- explain --------------------------------------------------------------------------------------------------


def test_credentials_that_would_be_withheld(run: Run, cast: World) -> None:
    """Whoever asks what the file says learns that its credentials do not count, and which node is against it."""
    cast.write_credentials(password=OTHER_PASSWORD)
    here, given = Here("web-2", "/etc/authapp/config.yml", "other", 4711), cast.snapshot
    nodes.beat(cast.database, here, given.effective, nodes.compare(cast.database, given))
    cast.stop()
    cast.write_credentials()
    for words in (["config", "show"], ["config", "explain", "server.basic-auth.username", "--json"]):
        result = run(*words)
        assert (result.exit_code, result.stderr.count("the node web-2 (/etc/authapp/config.yml")) == (0, 1)
        assert "worth a look: config.yml:4:5 server.basic-auth.password: this was replaced" in result.stderr


def test_explain_tells_every_layer(run: Run, cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config explain KEY` prints each layer's value and place, highest first, and marks the one that counts."""
    said(run("config", "set", NAME, "Stored"))
    cast.write_config("organization:\n  name: Looms\n")
    monkeypatch.setenv(own_name(NAME), "Around")
    head, help_text, *layers = said(run("config", "explain", "organization.name")).splitlines()
    assert (head, help_text) == (f"{NAME}: Looms", OPTIONS[NAME].help)
    assert [line[0] for line in layers] == ["*", " ", " ", " "]
    assert [re.split(r"\s{2,}", line[2:])[0] for line in layers] == LAYERS
    assert "Looms  (config.yml:2:3)" in layers[0]
    assert f"Around  (environment variable {own_name(NAME)})" in layers[1]
    assert layers[2].endswith(" Stored")
    assert layers[3].endswith(" Default")


@pytest.mark.parametrize("key", ["auth.new-user-is-active", "auth.newUserIsActive", "AUTH.NEW_USER_IS_ACTIVE"])
def test_explain_understands_every_spelling(run: Run, cast: World, key: str) -> None:
    """A key may be spelled in every way it may be in the config file."""
    del cast
    assert said(run("config", "explain", key)).startswith("auth.new-user-is-active: false\n")


def test_explain_a_section(run: Run, cast: World) -> None:
    """A section explains all options below it; as JSON it is a list."""
    del cast
    keys = [key for key in OPTIONS if key.startswith("session.")]
    heads = [line for line in said(run("config", "explain", "session")).splitlines() if line.startswith("session.")]
    assert [line.split(":")[0] for line in heads] == keys
    assert [one["key"] for one in printed(run("config", "explain", "session", "--json"))] == keys
    assert printed(run("config", "explain", keys[0], "--json"))["key"] == keys[0]
    assert [one["key"] for one in printed(run("config", "explain", "organization", "--json"))] == [NAME]


@pytest.mark.parametrize("command", ["explain {}", "set {} x", "unset {}"])
def test_an_unknown_key_brings_up_the_right_one(run: Run, cast: World, command: str) -> None:
    """An unknown key is refused in one sentence: with a suggestion when it is close, else with where to look."""
    del cast
    assert "did you mean organization.name?" in refusal(run("config", *command.format("organisation.name").split()))
    told = refusal(run("config", *command.format(CANARY).split()))
    assert ("config show" in told, CANARY in told) == (True, False)


# -- set and unset --------------------------------------------------------------------------------------------


def test_set_and_unset(run: Run, cast: World) -> None:
    """`config set` stores what counts from then on, `config unset` takes it out; both say what is so now."""
    assert said(run("config", "set", "session.idleTimeout", "90m")) == (
        "session.idle-timeout is 90m now (Settings table).\n"
    )
    assert cast.setting("session.idle-timeout") == "90m"
    assert said(run("config", "unset", "session.idle-timeout")) == "session.idle-timeout is 2h now (default).\n"
    assert cast.setting("session.idle-timeout") is None
    assert said(run("config", "unset", "session.idle-timeout"))  # as often as one likes


@pytest.mark.parametrize("command", ["set", "unset"])
def test_a_pinned_option_is_refused(run: Run, cast: World, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """What file or environment give is changed there alone; the sentence says where, and nothing is written."""
    cast.write_config("organization:\n  name: Looms\n")
    monkeypatch.setenv("AUTHAPP_WORKSPACE_NAME", "Weaving")
    before = cast.tables()
    for key, where in ((NAME, "config.yml, line 2"), ("workspace.name", "variable AUTHAPP_WORKSPACE_NAME")):
        assert where in refusal(run("config", command, key, *(["Other"] if command == "set" else [])))
    assert cast.tables() == before


@pytest.mark.parametrize("command", ["set", "unset"])
def test_what_cannot_be_set(run: Run, cast: World, command: str) -> None:
    """A section is wrong usage and names its options; secrets, addresses and the owner are refused unquoted."""
    before = cast.tables()
    more = [CANARY] if command == "set" else []
    for section in ("organization", "session"):  # of one option, and of several
        assert f"{section} is a section" in run("config", command, section, *more).stderr
        assert run("config", command, section, *more).exit_code == 2
    for key in ("server.secret-key", "server.basic-auth.password", "server.port", "database.url"):
        assert CANARY not in refusal(run("config", command, key, *more))
    assert cast.tables() == before


def test_a_value_that_does_not_fit(run: Run, cast: World) -> None:
    """A value that does not fit is refused with the rule, without the value."""
    before = cast.tables()
    assert refusal(run("config", "set", ATTEMPTS, CANARY)) == f"{ATTEMPTS} must be a whole number."
    assert cast.tables() == before


@pytest.mark.sqlite(reason="there is no installation where its file is missing")
@pytest.mark.parametrize("words", ["set organization.name Looms", "unset organization.name"])
def test_set_without_an_installation(run: Run, world: World, words: str) -> None:
    """Without an installation nothing is set or made; one sentence says where it was looked for."""
    result = run("config", *words.split())
    assert is_one_sentence(result)
    assert str(world.folder / "data" / "authapp.db") in result.stderr
    assert not (world.folder / "data").exists()


@pytest.mark.parametrize("words", ["explain", "set organization.name", "unset", "show x", "set a b c", "nothing"])
def test_wrong_usage(run: Run, words: str) -> None:
    """Too few or too many words are wrong usage: exit status 2."""
    assert run("config", *words.split()).exit_code == 2


# -- everything wrong at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", READERS)
def test_everything_wrong_is_told_at_once(run: Run, cast: World, command: str) -> None:
    """Problems of file, env file and environment come together, one a line with its place, and end with 2."""
    cast.write_config(f"server:\n  prot: 1\n  port: {CANARY}\nworkspace:\n  name: ${{MISSING_{CANARY}}}\n")
    named = env_file(f"AUTHAPP_SUPERUSR=ada\nAUTHAPP_AUTO_LOGIN={CANARY}\nLANGFLOW_SECRET_KEY=changeme\n")
    lines = problems_of(run(*command.split(), *named))
    assert sorted(line.split()[0].rstrip(":") for line in lines) == [
        ".env:1", ".env:2", ".env:3", "config.yml:2:3", "config.yml:3:3", "config.yml:5:3"
    ]  # fmt: skip
    assert CANARY not in "".join(lines)


def test_check_warns_of_strangers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown variable of the process does not make a config wrong, but `config check` tells of it."""
    monkeypatch.setenv("AUTHAPP_SUPERUSR", CANARY)
    result = run("config", "check")
    assert (result.exit_code, CANARY in result.output) == (0, False)
    assert "AUTHAPP_SUPERUSR: is unknown, did you mean AUTHAPP_SUPERUSER?" in result.stderr


# -- secrets --------------------------------------------------------------------------------------------------

SECRETS = {
    "a password": (PASSWORD, f"{CANARY}-Aa 1"),
    "a weak password": (PASSWORD, CANARY[:6]),
    "a hash": (PASSWORD_HASH, CHEAPEST.hash(CANARY)),
    "a damaged hash": (PASSWORD_HASH, f"$argon2id${CANARY}"),
    "a secret key": ("server.secret-key", f"{CANARY}-0123456789"),
    "a short secret key": ("server.secret-key", CANARY[:6]),
    "a database's password": ("database.url", f"postgresql://ada:{CANARY}@127.0.0.1:1/x"),
    "a database's password as a parameter": ("database.url", f"postgresql://127.0.0.1:1/x?password={CANARY}"),
    "a damaged database address": ("database.url", f"postgresql://ada:a/{CANARY}@db/x"),
}
EVERYTHING = [
    *READERS, "config explain server", "config explain server --json", "config explain database.url",
    "config set organization.name Looms", "config unset organization.name",
]  # fmt: skip


@pytest.mark.parametrize("what", SECRETS)
@pytest.mark.parametrize("road", ["file", "env file"])
def test_no_command_prints_a_secret(run: Run, cast: World, what: str, road: str) -> None:
    """No `config` command prints a password, hash, secret key or database password, of any layer, good or bad."""
    key, text = SECRETS[what]
    named: list[str] = []
    if road == "file":
        cast.write_config(in_file(key, text))
    else:
        named = env_file(f"{own_name(key)}='{text}'\n")
    row = cast.setting("server.basic-auth")["password_hash"], cast.setting("server.secret-key")
    for words in EVERYTHING:
        result = run(*words.split(), *named)
        assert CANARY[:6] not in result.output, words
        assert "$argon2" not in result.output
        assert not any(secret in result.output for secret in row if secret)


# -- env files ------------------------------------------------------------------------------------------------

READ = {
    "plain": "AUTHAPP_ORGANIZATION_NAME=Looms & Co\n",
    "quoted": "AUTHAPP_ORGANIZATION_NAME='Looms & Co'\n",
    "quoted twice": 'AUTHAPP_ORGANIZATION_NAME="Looms & Co"\n',
    "exported": "export AUTHAPP_ORGANIZATION_NAME='Looms & Co'\n",
    "spaces": "  AUTHAPP_ORGANIZATION_NAME =  Looms & Co  \n",
    "a comment": "# ours\nAUTHAPP_ORGANIZATION_NAME=Looms & Co # theirs\n",
    "CRLF": "# ours\r\nAUTHAPP_ORGANIZATION_NAME=Looms & Co\r\n",
    "no newline": "AUTHAPP_ORGANIZATION_NAME=Looms & Co",
    "a byte order mark": "\ufeffAUTHAPP_ORGANIZATION_NAME=Looms & Co\n",
    "others' lines": "PATH=/bin\nMOTD='two\nlines'\nNOTHING\nAUTHAPP_ORGANIZATION_NAME=Looms & Co\nEMPTY=\n",
    "the same twice": "AUTHAPP_ORGANIZATION_NAME=Looms & Co\n" * 2,
}


@pytest.mark.parametrize("kind", READ)
def test_an_env_file_is_read_however_it_is_written(run: Run, kind: str) -> None:
    """Quotes, `export`, spaces, comments, every line end, other programs' lines: the value is what was meant."""
    result = run("config", "explain", NAME, "--json", *env_file(READ[kind]))
    one = json.loads(result.stdout)
    assert (one["value"], one["source"]) == ("Looms & Co", "environment")
    assert one["place"].startswith(".env:")


PASSWORD_NAME = "AUTHAPP_SUPERUSER_PASSWORD"
USERNAME_PROBLEM = ".env:{} server.basic-auth.username: AUTHAPP_SUPERUSER"
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "half a line": (f"A=1\n{PASSWORD_NAME}='{CANARY}", ".env:2: this line is no NAME=value"),
    "half a name": ("AUTHAPP_SUPERUSER_PASSW", f".env:1: this name is unknown, did you mean {PASSWORD_NAME}?"),
    "no value": (f"{PASSWORD_NAME}\n", f".env:1 {PASSWORD}: {PASSWORD_NAME} has no value"),
    "given twice": (f"AUTHAPP_SUPERUSER=ada\nAUTHAPP_SUPERUSER={CANARY}\n", USERNAME_PROBLEM.format(2)),
    "a colon": (f"AUTHAPP_SUPERUSER: {CANARY}\n", ".env:1: this line is no NAME=value"),
    "two lines": (f"AUTHAPP_SUPERUSER='ada\n{CANARY}'\n", USERNAME_PROBLEM.format(1)),
    "binary": (b"\x7fELF\x02\x01\xff\xfe\x00" + CANARY.encode(), ".env: is not UTF-8 text"),
    "UTF-16": (f"AUTHAPP_SUPERUSER={CANARY}\n".encode("utf-16"), ".env: is not UTF-8 text"),
    "NUL": (f"AUTHAPP_SUPERUSER=a\0{CANARY}\n", ".env:1 server.basic-auth.username: contains a character"),
    "huge": (f"A={CANARY}\n".encode() * 20_000, ".env: is larger than 262144 bytes"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_env_file_that_cannot_be_used(run: Run, kind: str) -> None:
    """A broken env file ends every command with 2 and its line, and nothing of it is repeated."""
    text, start = REFUSED[kind]
    named = env_file(text)
    for words in ("config check", "config show", f"config set {NAME} x", "bootstrap"):
        [line] = problems_of(run(*words.split(), *named))
        assert line.startswith(start)
        assert CANARY not in line


@pytest.mark.parametrize("kind", ["missing", "a folder", "a FIFO", "a device", "world-writable", "unnamed"])
def test_what_is_no_env_file(run: Run, tmp_path: Path, kind: str) -> None:
    """What is missing, no regular file, or anybody's to write ends a command with 2 at once, with the reason."""
    named = {"missing": "missing.env", "a device": "/dev/zero", "unnamed": ""}.get(kind, "odd.env")
    if kind == "a folder":
        (tmp_path / named).mkdir()
    elif kind == "a FIFO":
        os.mkfifo(tmp_path / named)
    elif kind == "world-writable":
        (tmp_path / named).touch()
        (tmp_path / named).chmod(0o666)
    [line] = problems_of(run("config", "check", "--env-file", named))
    assert any(reason in line for reason in ("No such file", "not a regular file", "anybody may write"))


def test_the_process_beats_the_env_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the process counts instead of the same one in the env file; an empty one does not."""
    named = env_file("AUTHAPP_ORGANIZATION_NAME=In the file\nAUTHAPP_WORKSPACE_NAME=In the file\n")
    monkeypatch.setenv("AUTHAPP_ORGANIZATION_NAME", "In the process")
    monkeypatch.setenv("AUTHAPP_WORKSPACE_NAME", "")
    shown = run("config", "show", *named).stdout
    assert line_of(shown, NAME)[1] == "In the process"
    assert line_of(shown, "workspace.name")[1:] == ["In the file", ".env, line 2"]


def test_an_env_file_may_name_the_config_file(run: Run, tmp_path: Path) -> None:
    """AUTHAPP_CONFIG of an env file names the config file, and its variables fill that file's references."""
    (tmp_path / "other.yml").write_text("organization:\n  name: ${TEAM} & Co\n", encoding="utf-8")
    named = env_file("AUTHAPP_CONFIG=other.yml\nTEAM=Looms\n")
    assert line_of(run("config", "show", *named).stdout, NAME) == [NAME, "Looms & Co", "other.yml, line 2"]
    assert run("config", "check", "other.yml", *named).stdout == "other.yml is fine.\n"
    assert run("config", "check", "other.yml").exit_code == 2


def test_show_without_its_database(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that cannot be used hides no value of file and environment, its own address among them."""
    monkeypatch.setenv("AUTHAPP_DATABASE_URL", f"postgresql://ada:{CANARY}@127.0.0.1:1/db")
    result = run("config", "show")
    assert result.exit_code == 0
    assert "The database cannot be used" in result.stderr
    assert "postgresql://ada:••••••••@127.0.0.1:1/db" in result.stdout
    assert CANARY not in result.output
