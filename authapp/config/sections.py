"""The declarations: every option once, with its type, default, help, and where it may be set.

A key is the path of the fields in kebab-case: `Server.public_url` is `server.public-url`.
"""

import os
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from authapp.config.types import BaseUrl, Cidr, DatabaseUrl, Duration, Host, Name

SHORTEST_SECRET_KEY = 16


def _option(
    default: Any,
    help_text: str,
    *,
    secret: bool = False,
    settable: bool = False,
    restart: bool = False,
    **limits: Any,
) -> Any:
    """Declare an option. `settable`: also in the Settings table; `restart`: read once, at start."""
    extra: dict[str, Any] = {"secret": secret, "settable": settable, "restart": restart}
    return Field(default, description=help_text, json_schema_extra=extra, **limits)


class Section(BaseModel):
    """A group of options; immutable, and silent about the values it refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class BasicAuth(Section):
    """`server.basic-auth`: the owner's credentials."""

    username: str | None = _option(None, "The owner's user name, often an e-mail address.")
    password: SecretStr | None = _option(None, "The owner's password.", secret=True)
    password_hash: SecretStr | None = _option(
        None, "Instead of the password: its argon2, scrypt or pbkdf2 string.", secret=True
    )
    password_file: str | None = _option(None, "Instead of the password: a file that holds nothing else.")
    realm: Name = _option("authapp", "The HTTP Basic realm, which programs show beside the question.")
    enabled: bool | None = _option(None, "Accepted and ignored: signing in is always required.")


class Server(Section):
    """`server`: where authapp listens and who it believes."""

    host: Host = _option("127.0.0.1", "The address to listen on.", restart=True)
    port: int = _option(8080, "The port to listen on.", restart=True, ge=1, le=65535)
    workers: int = _option(min(os.cpu_count() or 1, 4), "How many processes serve.", restart=True, ge=1, le=64)
    public_url: BaseUrl | None = _option(
        None, "The address people use, such as https://auth.example.com; https makes cookies Secure."
    )
    trusted_proxies: tuple[Cidr, ...] = _option(
        (), "Addresses or networks of proxies whose X-Forwarded-* headers are believed."
    )
    secret_key: Annotated[SecretStr, Field(min_length=SHORTEST_SECRET_KEY)] | None = _option(
        None,
        "Signs session cookies and JWTs, at least 16 characters; changing it ends both. Made when absent.",
        secret=True,
    )
    basic_auth: BasicAuth = BasicAuth()


def _mode(value: object) -> object:
    word = value.lower() if isinstance(value, str) else value
    if word == "oauth":
        raise ValueError("cannot be oauth: here people sign in with user name and password; write basic, or none")
    return "basic" if word == "mixed" else word  # LangSmith's word for it


class Auth(Section):
    """`auth`: how people get in."""

    mode: Annotated[Literal["basic", "none"], BeforeValidator(_mode)] = _option(
        "basic",
        "basic: everybody signs in with user name and password; none: nobody does, at a loopback address only.",
        restart=True,
    )
    allow_public_none: bool = _option(
        default=False,
        help_text="Mode none for everybody who can reach the server: all of them are superusers.",
    )
    new_user_is_active: bool = _option(
        default=False, help_text="May newly created users sign in at once?", settable=True
    )
    sign_up: bool = _option(
        default=False, help_text="A public page where strangers may make themselves a user.", settable=True
    )


class SessionOptions(Section):
    """`session`: how long people stay signed in."""

    lifetime: Duration = _option(timedelta(hours=12), "How long a sign-in lasts at most.", settable=True)
    remember_lifetime: Duration = _option(
        timedelta(days=30), "The same, for those who chose to stay signed in.", settable=True
    )
    idle_timeout: Duration = _option(
        timedelta(hours=2), "How long a sign-in lasts unused; not for those who chose to stay.", settable=True
    )


class PasswordOptions(Section):
    """`password`: what a password has to be like."""

    policy: Literal["standard", "kestra", "nist"] = _option(
        "standard",
        "standard: 12 characters, lower and upper case, a symbol; kestra: 8 characters, lower, upper, digit; "
        "nist: 15 characters.",
        settable=True,
    )
    initial_lifetime: Duration = _option(
        timedelta(hours=72), "How long an initial password works that nobody has used.", settable=True
    )


class Throttle(Section):
    """`throttle`: how many wrong passwords before somebody has to wait."""

    attempts: int = _option(
        10, "Wrong passwords per account and network before somebody has to wait.", settable=True, ge=1, le=1000
    )
    window: Duration = _option(timedelta(minutes=5), "How far back wrong passwords are counted.", settable=True)
    lock: Duration = _option(timedelta(minutes=15), "How long to wait then.", settable=True)
    account_attempts: int = _option(
        100,
        "Wrong passwords an hour per account, over all networks it has not signed in from within 30 days.",
        settable=True,
        ge=1,
        le=10_000,
    )
    network_attempts: int = _option(
        50,
        "Wrong passwords a window per network, over all accounts that have not signed in from it within 30 days.",
        settable=True,
        ge=1,
        le=10_000,
    )


class Audit(Section):
    """`audit`: the record of what happened."""

    retention: Duration = _option(
        timedelta(days=400), "How long entries are kept at least; the rest is cut off once a day.", settable=True
    )


class Organization(Section):
    """`organization`: the one organization."""

    name: Name = _option("Default", "What it is called on pages.", settable=True)


class Workspace(Section):
    """`workspace`: its one workspace."""

    name: Name = _option("Default", "What it is called on pages.", settable=True)


class DatabaseOptions(Section):
    """`database`: where the data is."""

    url: DatabaseUrl | None = _option(
        None, "sqlite:///… or postgresql://…; without it authapp.db in the data folder.", secret=True, restart=True
    )


class Setup(Section):
    """`setup`: the first run."""

    require_token: bool = _option(
        default=True, help_text="Ask for the setup token; false only on a loopback address.", restart=True
    )


class Log(Section):
    """`log`: what is written to the log."""

    level: Literal["debug", "info", "warning", "error"] = _option("info", "The least that is logged.", restart=True)
    format: Literal["console", "json"] | None = _option(
        None, "For people or for machines; by default console on a terminal.", restart=True
    )


class Metrics(Section):
    """`metrics`: numbers for whoever watches the server."""

    enabled: bool = _option(
        default=False,
        help_text="/metrics, in Prometheus' text format, for superusers with HTTP Basic or an API token.",
    )


class Config(Section):
    """All options, typed."""

    server: Server = Server()
    auth: Auth = Auth()
    session: SessionOptions = SessionOptions()
    password: PasswordOptions = PasswordOptions()
    throttle: Throttle = Throttle()
    audit: Audit = Audit()
    organization: Organization = Organization()
    workspace: Workspace = Workspace()
    database: DatabaseOptions = DatabaseOptions()
    setup: Setup = Setup()
    log: Log = Log()
    metrics: Metrics = Metrics()
