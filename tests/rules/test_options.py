"""The options: their defaults, what they accept, and how they refuse without repeating a value."""

import os
import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from authapp.config.options import OPTIONS, PASSWORD_KEYS, SECRET_KEY, USERNAME, build
from authapp.config.sections import Config

CANARY = "Xq7canaryZk4wJ9v"
SECRETS = (*PASSWORD_KEYS[:2], SECRET_KEY)

DEFAULTS = {
    "server.host": "127.0.0.1",
    "server.port": 8080,
    "server.workers": min(os.cpu_count() or 1, 4),
    "server.public-url": None,
    "server.trusted-proxies": (),
    "server.secret-key": None,
    "server.basic-auth.username": None,
    "server.basic-auth.password": None,
    "server.basic-auth.password-hash": None,
    "server.basic-auth.password-file": None,
    "server.basic-auth.enabled": None,
    "auth.mode": "basic",
    "auth.new-user-is-active": False,
    "session.lifetime": timedelta(hours=12),
    "session.remember-lifetime": timedelta(days=30),
    "session.idle-timeout": timedelta(hours=2),
    "password.policy": "standard",
    "throttle.attempts": 10,
    "throttle.window": timedelta(minutes=5),
    "throttle.lock": timedelta(minutes=15),
    "organization.name": "Default",
    "workspace.name": "Default",
    "database.url": None,
    "setup.require-token": True,
    "log.level": "info",
    "log.format": None,
}

# -- defaults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", DEFAULTS)
def test_an_option_has_the_promised_default(key: str) -> None:
    """The defaults are public: scripts and people rely on them."""
    assert OPTIONS[key].default == DEFAULTS[key]


@pytest.mark.parametrize("key", OPTIONS)
def test_a_default_is_a_value_the_option_accepts(key: str) -> None:
    """Every default converts to itself."""
    assert OPTIONS[key].convert(OPTIONS[key].default) == OPTIONS[key].default


def test_all_defaults_together_are_the_default_config() -> None:
    """Saying every default aloud is the same as saying nothing."""
    assert build({key: option.default for key, option in OPTIONS.items()}) == build({}) == Config()


@pytest.mark.parametrize("key", OPTIONS)
def test_an_option_explains_itself(key: str) -> None:
    """Every option has a key in kebab-case and a sentence of help."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)+", key)
    assert OPTIONS[key].help.endswith((".", "?"))


def test_these_options_are_resolved_once_at_start() -> None:
    """Where to listen, the database, the mode, the setup and the log cannot change while running."""
    restart = {key for key, option in OPTIONS.items() if option.restart}
    promised = {"server.host", "server.port", "server.workers", "database.url", "auth.mode"}
    assert restart == promised | {key for key in OPTIONS if key.startswith(("setup.", "log."))}


def test_these_options_may_be_set_on_screens() -> None:
    """Only what relaxes no protection of the host may be set in the Settings table."""
    sections = {key.partition(".")[0] for key, option in OPTIONS.items() if option.settable}
    assert sections == {"auth", "session", "password", "throttle", "audit", "organization", "workspace"}
    assert not OPTIONS["auth.mode"].settable


def test_these_options_are_secret() -> None:
    """Passwords, hashes, the secret key and the database's address with its password are never shown."""
    assert {key for key, option in OPTIONS.items() if option.secret} == {*SECRETS, "database.url"}


def test_the_config_is_immutable() -> None:
    """Nobody changes the effective config but by an overlay."""
    with pytest.raises(ValidationError):
        build({}).server.port = 81  # type: ignore[misc]  # the mistake that must fail


# -- what is accepted -----------------------------------------------------------------------------------------

GOOD = [
    ("server.host", "0.0.0.0", "0.0.0.0"),  # noqa: S104 - nothing listens there
    ("server.port", "1", 1),
    ("server.port", "65535", 65535),
    ("server.workers", "64", 64),
    ("server.public-url", "https://Auth.Example.com/", "https://auth.example.com"),
    ("server.public-url", "http://localhost:8080", "http://localhost:8080"),
    ("server.public-url", "http://[::1]:81", "http://[::1]:81"),
    ("server.public-url", "https://auth.example.com:443", "https://auth.example.com"),
    ("server.public-url", "http://auth.example.com:80/", "http://auth.example.com"),
    ("server.public-url", "http://auth.example.com:443", "http://auth.example.com:443"),
    ("server.trusted-proxies", ("10.0.0.0/8", "::1"), (IPv4Network("10.0.0.0/8"), IPv6Network("::1/128"))),
    ("server.trusted-proxies", ("192.168.1.7/24",), (IPv4Network("192.168.1.0/24"),)),
    ("server.secret-key", "0123456789abcdef", SecretStr("0123456789abcdef")),
    (USERNAME, "admin@localhost", "admin@localhost"),
    (PASSWORD_KEYS[0], "012345", SecretStr("012345")),
    ("server.basic-auth.enabled", "false", False),
    ("auth.mode", "basic", "basic"),
    ("auth.mode", "mixed", "basic"),
    ("auth.new-user-is-active", "true", True),
    ("auth.new-user-is-active", "Yes", True),
    ("auth.new-user-is-active", "no", False),
    ("session.lifetime", "90s", timedelta(seconds=90)),
    ("session.lifetime", "1h30m", timedelta(minutes=90)),
    ("session.lifetime", "2w", timedelta(days=14)),
    ("session.lifetime", "3650d", timedelta(days=3650)),
    ("password.policy", "nist", "nist"),
    ("throttle.attempts", "1", 1),
    ("organization.name", "Zoë & Söhne €", "Zoë & Söhne €"),
    ("database.url", "sqlite:///other.db", "sqlite:///other.db"),
    ("database.url", "postgresql://ada@db/authapp", "postgresql://ada@db/authapp"),
    ("database.url", "postgres://ada@db/authapp", "postgresql://ada@db/authapp"),
    (
        "database.url",
        "postgresql+psycopg://ada:pw@[::1]:5432/authapp",
        "postgresql+psycopg://ada:pw@[::1]:5432/authapp",
    ),
    ("setup.require-token", "false", False),
    ("log.level", "debug", "debug"),
    ("log.format", "json", "json"),
]


@pytest.mark.parametrize(("key", "text", "value"), GOOD)
def test_a_text_becomes_a_typed_value(key: str, text: object, value: object) -> None:
    """What people write in a file is converted by the option's declared type."""
    assert OPTIONS[key].convert(text) == value


# -- what is refused ------------------------------------------------------------------------------------------

LONG = CANARY * 20
BAD = [
    ("server.host", "", "must not be empty"),
    ("server.port", "eighty", "must be a whole number"),
    ("server.port", "80.5", "must be a whole number"),
    ("server.port", "0x50", "must be a whole number"),
    ("server.port", "9" * 5000, "must be a whole number"),
    ("server.port", "0", "must be at least 1"),
    ("server.port", "65536", "must be at most 65535"),
    ("server.port", "", "must be a whole number"),
    ("server.workers", "65", "must be at most 64"),
    ("server.workers", "-1", "must be at least 1"),
    ("server.public-url", CANARY, "must be an address such as"),
    ("server.public-url", f"ftp://{CANARY}", "must be an address such as"),
    ("server.public-url", f"https://host/{CANARY}", "without a path"),
    ("server.public-url", f"https://ada:{CANARY}@host", "must be an address such as"),
    ("server.public-url", f"https://host:{CANARY}", "must be an address such as"),
    ("server.public-url", "https://host:99999", "must be an address such as"),
    ("server.public-url", f"https://[{CANARY}", "must be an address such as"),
    ("server.public-url", f"https://host?{CANARY}", "must be an address such as"),
    ("server.trusted-proxies", (CANARY,), "must be an IP address or a network"),
    ("server.trusted-proxies", ("10.0.0.0/33",), "must be an IP address or a network"),
    ("server.trusted-proxies", ("::1", CANARY), "must be an IP address or a network"),
    ("server.secret-key", CANARY[:15], "must have at least 16 characters"),
    ("server.basic-auth.enabled", CANARY, "must be true or false"),
    ("auth.mode", CANARY, "must be one of"),
    ("auth.new-user-is-active", CANARY, "must be true or false"),
    ("session.lifetime", CANARY, "must be a duration such as"),
    ("session.lifetime", "12", "must be a duration such as"),
    ("session.lifetime", "-1h", "must be a duration such as"),
    ("session.lifetime", "1h soon", "must be a duration such as"),
    ("session.lifetime", "", "must be a duration such as"),
    ("session.lifetime", "0s", "must be longer than nothing"),
    ("session.idle-timeout", "3651d", "at most 3650d"),
    ("session.idle-timeout", "999999999w", "at most 3650d"),
    ("throttle.lock", "999999999d999999999d", "at most 3650d"),
    ("password.policy", CANARY, "must be one of"),
    ("throttle.attempts", "0", "must be at least 1"),
    ("throttle.attempts", "1001", "must be at most 1000"),
    ("organization.name", "", "must not be empty"),
    ("organization.name", LONG, "must have at most 100 characters"),
    ("workspace.name", LONG, "must have at most 100 characters"),
    ("database.url", f"mysql://ada:{CANARY}@db/x", "must begin with"),
    ("database.url", CANARY, "must begin with"),
    ("database.url", f"postgresql://ada:{CANARY}@db:port/authapp", "must be a database address"),
    ("setup.require-token", CANARY, "must be true or false"),
    ("log.level", CANARY, "must be one of"),
    ("log.format", CANARY, "must be one of"),
]


@pytest.mark.parametrize(("key", "value", "words"), BAD)
def test_a_bad_value_is_refused_in_plain_words(key: str, value: Any, words: str) -> None:
    """The message says what would be right, and never what was written."""
    with pytest.raises(ValueError, match=re.escape(words)) as refusal:
        OPTIONS[key].convert(value)
    assert CANARY not in str(refusal.value)
    assert "is not valid here" not in str(refusal.value)


@pytest.mark.parametrize("key", OPTIONS)
@pytest.mark.parametrize("value", [[CANARY], {CANARY: CANARY}, object(), b"\xff"], ids=type)
def test_a_value_of_no_known_kind_is_refused(key: str, value: object) -> None:
    """A list, a map or anything else that a JSON row may hold is refused without being repeated."""
    with pytest.raises(ValueError, match=r"\w") as refusal:
        OPTIONS[key].convert(value)
    assert CANARY not in str(refusal.value)


@pytest.mark.parametrize("key", OPTIONS)
@settings(max_examples=25, deadline=None, database=None)
@given(
    text=st.text(max_size=12), before=st.sampled_from(["", "1h", "http://", "postgresql://a:", "10.0.0.0/", "99"])
)
def test_no_refusal_repeats_the_value(key: str, text: str, before: str) -> None:
    """Whatever is written for whichever option, it is accepted or refused with a ValueError that hides it."""
    message = ""
    try:
        OPTIONS[key].convert(f"{before}{CANARY}{text}")
    except ValueError as refusal:
        message = str(refusal)
    assert CANARY not in message


@pytest.mark.parametrize(
    "key", ["server.host", "organization.name", "workspace.name", PASSWORD_KEYS[2], SECRET_KEY]
)
def test_half_a_character_is_refused(key: str) -> None:
    """What YAML's escapes can build but no page, key or file name can carry is refused where it is read."""
    with pytest.raises(ValueError, match=r"\w"):
        OPTIONS[key].convert("0123456789abcdef\ud800")


@pytest.mark.parametrize("key", ["server.host", PASSWORD_KEYS[2]])
def test_a_nul_character_is_refused(key: str) -> None:
    """The operating system cannot carry NUL in a name."""
    with pytest.raises(ValueError, match=r"\w"):
        OPTIONS[key].convert("ab\0cd")


# -- placeholders ---------------------------------------------------------------------------------------------

PLACEHOLDERS = [
    "changeme", "change-me", "your-email", "your-password", "your-jwt-secret",
    "<password>", "<your secret key here>", "<>",
]  # fmt: skip


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
@pytest.mark.parametrize("key", [*SECRETS, USERNAME])
def test_a_placeholder_is_an_error(key: str, placeholder: str) -> None:
    """What example files hold in place of a secret is refused, and said to be a placeholder."""
    with pytest.raises(ValueError, match="is a placeholder"):
        OPTIONS[key].convert(placeholder)


@pytest.mark.parametrize(
    "password", ["changeme!", "Change-Me", "my changeme", "<half", "half>", "your password", "<", ">"]
)
def test_only_exact_placeholders_are_refused(password: str) -> None:
    """A password that merely resembles a placeholder is a password; the policy may judge it later."""
    assert OPTIONS[PASSWORD_KEYS[0]].convert(password) == SecretStr(password)


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_does_not_show_itself(key: str) -> None:
    """A config that ends up in a log line or a traceback shows no password, hash or secret key."""
    config = build({key: OPTIONS[key].convert(CANARY)})
    assert CANARY not in repr(config) + str(config) + config.model_dump_json()
