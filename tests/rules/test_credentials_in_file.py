"""The owner's credentials as the config file gives them, and what else it says that needs a word."""

import os
from collections.abc import Callable
from pathlib import Path

import argon2
import pytest
from werkzeug.security import generate_password_hash

from authapp.config.checks import is_loopback, warnings
from authapp.config.examine import Examined, examine
from authapp.errors import Problem
from authapp.paths import Locations, locate
from tests.world import CHEAPEST

CANARY = "Xq7canaryZk4wJ9v"
ARGON2 = CHEAPEST.hash(CANARY)


def examined(folder: Path, text: str) -> Examined:
    """Examine a config file with that text."""
    file = folder / "config.yml"
    file.write_text(text, encoding="utf-8")
    return examine(Locations(file, named=True, data=folder / "data"))


def with_auth(folder: Path, *lines: str) -> Examined:
    """Examine a config file with these lines below `server.basic-auth`."""
    return examined(folder, "server:\n  basic-auth:\n" + "".join(f"    {line}\n" for line in lines))


def warned(folder: Path, text: str) -> list[Problem]:
    """Return the warnings a config file without problems gives."""
    result = examined(folder, text)
    assert not result.problems
    return warnings(result.effective, folder / "config.yml")


# -- user name and password -----------------------------------------------------------------------------------


def test_a_file_gives_user_name_and_password(tmp_path: Path) -> None:
    """Both, as they were typed."""
    result = with_auth(tmp_path, "username: ada@example.com", "password: 012345")
    assert not result.problems
    assert (result.given.username, result.given.password) == ("ada@example.com", "012345")


@pytest.mark.parametrize(
    ("line", "username", "has_secret"),
    [("username: ada", "ada", False), ("password: Abc", None, True), ("enabled: true", None, False)],
)
def test_a_file_may_give_one_half(tmp_path: Path, line: str, username: str | None, *, has_secret: bool) -> None:
    """The other half is left open, not made up."""
    result = with_auth(tmp_path, line)
    assert not result.problems
    assert (result.given.username, result.given.has_secret) == (username, has_secret)


def test_what_the_settings_hold_is_not_given_by_the_file(tmp_path: Path) -> None:
    """Only what file or environment say is adopted; the stored pair is in force without that."""
    (tmp_path / "config.yml").touch()
    locations = Locations(tmp_path / "config.yml", named=True, data=tmp_path)
    result = examine(locations, {"server.basic-auth": {"username": "ada", "password_hash": ARGON2}})
    assert not result.given
    assert result.effective.config.server.basic_auth.username == "ada"


@pytest.mark.parametrize("line", ["password: ''", 'password: ""', "password-hash: ''", "password-file: ''"])
def test_an_empty_password_is_a_problem(tmp_path: Path, line: str) -> None:
    """Nobody signs in with nothing, and what was written is never read as absent."""
    [problem] = with_auth(tmp_path, "username: ada", line).problems
    assert problem.key == f"server.basic-auth.{line.partition(':')[0]}"


@pytest.mark.parametrize(
    "placeholder", ["changeme", "change-me", "your-password", "<password>", "<put yours here>"]
)
def test_a_placeholder_is_a_problem_that_ends_the_start(tmp_path: Path, placeholder: str) -> None:
    """It is no credential that could be judged, so it does not merely close the start."""
    [problem] = with_auth(tmp_path, "username: ada", f"password: {placeholder}").problems
    assert (problem.key, problem.closes) == ("server.basic-auth.password", False)
    assert "placeholder" in problem.message


def test_two_ways_to_give_a_password_end_the_start(tmp_path: Path) -> None:
    """The problem names both and stands at the second."""
    [problem] = with_auth(tmp_path, "password: Abc", f"password-hash: {ARGON2}").problems
    assert str(problem).startswith("config.yml:4:5 server.basic-auth.password-hash: give only one of")
    assert not problem.closes


# -- a hash ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        ARGON2,
        argon2.PasswordHasher(1, 8, 1, type=argon2.Type.I).hash(CANARY),
        generate_password_hash(CANARY, "scrypt:1024:8:1"),
        generate_password_hash(CANARY, "pbkdf2:sha256:1"),
        generate_password_hash(CANARY, "pbkdf2:sha512:1"),
    ],
    ids=["argon2id", "argon2i", "scrypt", "pbkdf2-sha256", "pbkdf2-sha512"],
)
def test_a_hash_may_stand_for_the_password(tmp_path: Path, text: str) -> None:
    """Argon2, scrypt and pbkdf2 strings are accepted as they are, quoted or not."""
    for written in (text, f"'{text}'"):
        result = with_auth(tmp_path, f"password-hash: {written}")
        assert not result.problems
        assert (result.given.password_hash, result.given.password) == (text, None)


DAMAGED = {
    "no hash": CANARY,
    "cut": ARGON2[:-2],
    "without its dollars": ARGON2.replace("$", ""),
    "eaten by Docker Compose": "=19=8,t=1,p=1" + ARGON2[-60:],
    "its head alone": "$argon2id$",
    "bcrypt": "$2b$12$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
    "numbers out of range": f"$argon2id$v=19$m={'9' * 30},t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
    "not ASCII": "$argon2id$v=19$€€€",
    "a character changed to one that is none": ARGON2[:-3] + "€" + ARGON2[-2:],
    "a cut scrypt string": "scrypt:2:1:1$salt$abc",
    "a scrypt string of impossible cost": "scrypt:3:1:1$salt$" + "a" * 128,
    "a pbkdf2 string of no rounds": "pbkdf2:sha256:0$salt$" + "a" * 64,
    "the hash of an empty password": CHEAPEST.hash(""),
    "the scrypt string of an empty password": generate_password_hash("", "scrypt:1024:8:1"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_hash_closes_the_start(tmp_path: Path, name: str) -> None:
    """One problem tells how long it is and how to make a new one, and never what it is."""
    result = with_auth(tmp_path, "username: ada", f"password-hash: '{DAMAGED[name]}'")
    [problem] = result.problems
    assert (problem.key, problem.closes) == ("server.basic-auth.password-hash", True)
    assert f"({len(DAMAGED[name])} characters)" in problem.message
    assert DAMAGED[name] not in str(problem)
    assert "authapp hash-password" in problem.hint


# -- a password file ------------------------------------------------------------------------------------------


def with_password_file(folder: Path, content: bytes, named: str = "secret") -> Examined:
    """Examine a config file that names a password file with that content."""
    (folder / "secret").write_bytes(content)
    return with_auth(folder, "username: ada", f"password-file: '{named}'")


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"Correct-horse", "Correct-horse"),
        (b"Correct-horse\n", "Correct-horse"),
        (b"Correct-horse\r\n", "Correct-horse"),
        (b"Correct-horse\n\n", "Correct-horse\n"),
        (b" spaces \n", " spaces "),
        (b"#abc: '~'\n", "#abc: '~'"),
        ("Zoë €😀\n".encode(), "Zoë €😀"),
        (b"x" * 4096, "x" * 4096),
        (b"x" * 4095 + b"\n", "x" * 4095),
    ],
)
def test_a_password_file_holds_the_password_and_nothing_else(tmp_path: Path, content: bytes, password: str) -> None:
    """One final newline is cut; everything else is the password."""
    result = with_password_file(tmp_path, content)
    assert not result.problems
    assert result.given.password == password


def test_a_password_file_is_relative_to_the_config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever authapp was started; an absolute path and one that climbs work, too."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for named in ("secret", "./secret", str(tmp_path / "secret"), "elsewhere/../secret"):
        assert with_password_file(tmp_path, b"Abc", named).given.password == "Abc"


def test_a_password_file_may_be_a_link(tmp_path: Path) -> None:
    """Kubernetes and systemd hand secrets over as links."""
    (tmp_path / "link").symlink_to("secret")
    assert with_password_file(tmp_path, b"Abc", "link").given.password == "Abc"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\r\n", "is empty"),
        (b"x" * 4097, "is larger than 4096 bytes"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_a_password_file_without_a_password_closes_the_start(tmp_path: Path, content: bytes, words: str) -> None:
    """The problem stands where the file is named."""
    result = with_password_file(tmp_path, content)
    [problem] = result.problems
    assert str(problem) == f"config.yml:4:5 server.basic-auth.password-file: the password file {words}"
    assert problem.closes
    assert not result.given.has_secret


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


NO_FILES: list[tuple[Callable[[Path], object], str]] = [
    (Path.exists, "cannot be read (No such file or directory)"),
    (Path.mkdir, "is not a regular file"),
    (os.mkfifo, "is not a regular file"),
    (_link_to_itself, "cannot be read"),
]


@pytest.mark.parametrize(("make", "words"), NO_FILES, ids=["missing", "a directory", "a FIFO", "a loop of links"])
def test_what_is_no_password_file_closes_the_start(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    """A FIFO does not hold the server up either."""
    make(tmp_path / "secret")
    [problem] = with_auth(tmp_path, "password-file: secret").problems
    assert (problem.key, problem.closes) == ("server.basic-auth.password-file", True)
    assert words in problem.message


def test_an_unreadable_password_file_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own reason is given, and the start is closed."""
    real = os.open

    def refuse_the_secret(path: Path, flags: int) -> int:
        if path.name == "secret":
            raise PermissionError(13, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", refuse_the_secret)
    [problem] = with_password_file(tmp_path, b"Abc").problems
    assert problem.message == "the password file cannot be read (Permission denied)"
    assert problem.closes


@pytest.mark.parametrize("placeholder", ["changeme", "<password>", "your-password"])
def test_a_placeholder_in_a_password_file_is_a_problem(tmp_path: Path, placeholder: str) -> None:
    """It ends the start as one in the config file does, and nothing of it is adopted."""
    result = with_password_file(tmp_path, placeholder.encode() + b"\n")
    [problem] = result.problems
    assert ("placeholder" in problem.message, problem.closes) == (True, False)
    assert not result.given.has_secret


def test_a_password_file_anybody_may_write_is_a_problem(tmp_path: Path) -> None:
    """Whoever can write it could make himself the owner."""
    (tmp_path / "secret").write_bytes(b"Abc")
    (tmp_path / "secret").chmod(0o602)
    [problem] = with_auth(tmp_path, "password-file: secret").problems
    assert ("chmod o-w" in problem.message, problem.closes) == (True, False)


@pytest.mark.parametrize("content", [CANARY.encode() * 300, CANARY.encode() + b"\xff", f"<{CANARY}>".encode()])
def test_no_problem_quotes_a_password_file(tmp_path: Path, content: bytes) -> None:
    """Neither its content nor, for that matter, its path."""
    result = with_password_file(tmp_path, content)
    assert result.problems
    assert CANARY not in repr(result.problems)


# -- all at once ----------------------------------------------------------------------------------------------


def test_problems_of_every_kind_are_reported_at_once(tmp_path: Path) -> None:
    """Keys, values, rights, credentials and what does not go together: one look tells all."""
    (tmp_path / "config.yml").touch()
    (tmp_path / "config.yml").chmod(0o602)
    text = (
        "server:\n  prot: 1\n  workers: many\n  host: 192.0.2.1\n"
        "  basic-auth: {password-file: gone}\nsetup: {require-token: false}\n"
    )
    keys = sorted(problem.key for problem in examined(tmp_path, text).problems)
    assert keys == [
        "",
        "server.basic-auth.password-file",
        "server.prot",
        "server.workers",
        "setup.require-token",
    ]


# -- what does not go together --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("host: 0.0.0.0", "needs server.host to be a loopback address"),
        ("host: example.com", "needs server.host to be a loopback address"),
        ("host: '::'", "needs server.host to be a loopback address"),
        ("public-url: https://auth.example.com", "does not go together with server.public-url"),
        ("trusted-proxies: [127.0.0.1]", "does not go together with server.trusted-proxies"),
    ],
)
def test_a_setup_without_token_is_for_this_host_alone(tmp_path: Path, line: str, words: str) -> None:
    """Beside anything that opens authapp to more it is a problem that ends the start."""
    [problem] = examined(tmp_path, f"server: {{{line}}}\nsetup: {{require-token: false}}\n").problems
    assert (problem.key, problem.closes) == ("setup.require-token", False)
    assert words in problem.message
    assert not examined(tmp_path, f"server: {{{line}}}\n").problems


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "'::1'", "app.localhost", "LocalHost"])
def test_a_setup_without_token_works_on_a_loopback_address(tmp_path: Path, host: str) -> None:
    """There the rule may be relaxed."""
    assert not examined(tmp_path, f"server: {{host: {host}}}\nsetup: {{require-token: false}}\n").problems


@pytest.mark.parametrize(
    "host", ["", "localhost.example.com", "127.0.0.1.nip.io", "notlocalhost", "::", "128.0.0.1", "127.0.0.1:80"]
)
def test_what_merely_looks_like_loopback_is_none(host: str) -> None:
    """Names that begin like it, and the address that means all of them, reach other hosts."""
    assert not is_loopback(host)


# -- warnings -------------------------------------------------------------------------------------------------


def test_a_config_that_says_nothing_gives_no_warning(tmp_path: Path) -> None:
    """A file with nothing to worry about in it may be readable for everybody."""
    (tmp_path / "config.yml").touch()
    (tmp_path / "config.yml").chmod(0o644)
    assert not warned(tmp_path, "organization: {name: One}\n")


@pytest.mark.parametrize(("mode", "count"), [(0o600, 0), (0o640, 0), (0o604, 1), (0o644, 1)])
def test_a_readable_clear_text_password_is_a_warning(tmp_path: Path, mode: int, count: int) -> None:
    """It says what to run, and where the password stands."""
    (tmp_path / "config.yml").touch()
    (tmp_path / "config.yml").chmod(mode)
    found = warned(tmp_path, f"server: {{basic-auth: {{password: {CANARY}}}}}\n")
    assert len(found) == count
    expected = "config.yml:1:23 server.basic-auth.password: others on this machine can read this password"
    assert all(str(problem) == f"{expected} (chmod 600 config.yml)" for problem in found)


def env_warned(folder: Path, mode: int, line: str) -> list[str]:
    """Return the warnings of a password that an env file with these rights gives, beside a readable config file."""
    (folder / "config.yml").write_text("# nothing\n", encoding="utf-8")
    (folder / "config.yml").chmod(0o644)
    (folder / ".env").write_text(line, encoding="utf-8")
    (folder / ".env").chmod(mode)
    locations = locate(str(folder / "config.yml"), str(folder / ".env"))
    found = warnings(examine(locations).effective, locations.config_file, locations.env_file)
    return [str(problem) for problem in found]


@pytest.mark.parametrize(("mode", "count"), [(0o600, 0), (0o640, 0), (0o644, 1)])
def test_a_readable_env_file_with_a_password_is_a_warning(tmp_path: Path, mode: int, count: int) -> None:
    """It names the env file, whoever may read the config file."""
    found = env_warned(tmp_path, mode, f"# ours\nAUTHAPP_SUPERUSER_PASSWORD={CANARY}\n")
    expected = ".env:2 server.basic-auth.password: others on this machine can read this password (chmod 600 .env)"
    assert found == [expected] * count


def test_a_password_of_the_process_blames_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that stands in no file is none that others can read there."""
    monkeypatch.setenv("AUTHAPP_SUPERUSER_PASSWORD", CANARY)
    assert not env_warned(tmp_path, 0o644, "# nothing\n")


def test_a_readable_file_that_refers_to_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A readable config file that only names the variable with the password shows it to nobody."""
    monkeypatch.setenv("PW", CANARY)
    file = tmp_path / "config.yml"
    file.write_text("server: {basic-auth: {username: ada, password: '${PW}'}}\n", encoding="utf-8")
    file.chmod(0o644)
    result = examine(locate(str(file)))
    assert result.given.password == CANARY
    assert warnings(result.effective, file) == []


def test_a_readable_password_file_is_a_warning(tmp_path: Path) -> None:
    """The file with the password is meant, not the one that names it."""
    (tmp_path / "secret").write_bytes(b"Abc")
    (tmp_path / "secret").chmod(0o644)
    [problem] = warned(tmp_path, "server: {basic-auth: {password-file: secret}}\n")
    assert (problem.key, problem.hint) == ("server.basic-auth.password-file", "chmod 600 secret")


@pytest.mark.parametrize("value", ["true", "false"])
def test_enabled_is_accepted_and_answered_with_a_notice(tmp_path: Path, value: str) -> None:
    """Signing in is always required; the line has no effect."""
    [problem] = warned(tmp_path, f"server: {{basic-auth: {{enabled: {value}}}}}\n")
    assert problem.key == "server.basic-auth.enabled"
    assert "ignored" in problem.message


@pytest.mark.parametrize(("length", "count"), [(16, 1), (31, 1), (32, 0)])
def test_a_short_secret_key_is_a_warning(tmp_path: Path, length: int, count: int) -> None:
    """At least 16 characters are required, 32 are good."""
    found = warned(tmp_path, f"server: {{secret-key: {'k' * length}}}\n")
    assert [problem.key for problem in found] == ["server.secret-key"] * count


def test_a_secret_key_of_fifteen_characters_is_a_problem(tmp_path: Path) -> None:
    """It is refused, and its length is all that is said of it."""
    [problem] = examined(tmp_path, f"server: {{secret-key: {CANARY[:15]}}}\n").problems
    assert str(problem) == "config.yml:1:10 server.secret-key: must have at least 16 characters"
