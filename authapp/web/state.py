"""What a request finds: the app with its live config and database, and the state in force for this request."""

from datetime import timedelta
from typing import Any, cast

from flask import Config as FlaskConfig
from flask import Flask, Request, current_app, has_request_context, request
from flask.sessions import SecureCookieSessionInterface
from flask_openapi3.openapi import OpenAPI
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from authapp import provision, settings, tokens
from authapp.audit import MODE_NONE, Actor
from authapp.basic import Remembered
from authapp.chores import Chores
from authapp.config.live import LiveConfig, Snapshot
from authapp.config.overlay import Effective
from authapp.database import Database, DatabaseError, require_schema
from authapp.errors import SchemaOutdated
from authapp.logins import Identity
from authapp.metrics.meter import Meter
from authapp.metrics.stock import Stock
from authapp.paths import Locations
from authapp.web.bodies import StrictRequest
from authapp.web.proxies import behind_proxies

SNAPSHOT = "authapp.snapshot"
ALIVE = "/healthz"  # answers as long as the process does, so it must not wait for a database that is stuck


class LiveSettings(FlaskConfig):
    """Flask's own config, except that Flask-WTF finds the CSRF key that holds now: a copy would grow old."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, the key that signs CSRF tokens among them."""
        if key == "WTF_CSRF_SECRET_KEY":
            return the_app().derived_key("authapp/csrf/v1")
        return super().get(key, default)


class App(OpenAPI):
    """Flask with our live config: one immutable state of it holds for a whole request.

    It is flask-openapi3's class, so that the API's views make up one document.
    """

    config_class = LiveSettings
    request_class = StrictRequest
    live: LiveConfig
    database: Database
    chores: Chores
    locations: Locations
    installation_id = ""
    setup_is_over = False  # once it is, it stays so
    recorded_mode = ""  # as the database has it; empty before the first look

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, doc_ui=False, **more)
        self.remembered = Remembered()
        self.meter, self.stock = Meter(), Stock()

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request under the config of this moment.

        The look at the files comes before the session cookie is opened, whose key may have been edited.
        """
        is_alive = environ.get("PATH_INFO") == ALIVE
        environ[SNAPSHOT] = snapshot = self.live.snapshot if is_alive else self.live.refresh()
        trusted = snapshot.effective.config.server.trusted_proxies
        return behind_proxies(super().wsgi_app, trusted, environ)(environ, start_response)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match addresses also under a Host that is no name, so that the guard can answer it."""
        try:
            return super().create_url_adapter(request)
        except HTTPException:
            path, method = (request.path, request.method) if request else ("/", "GET")
            return self.url_map.bind("localhost", path_info=path, default_method=method)

    @property
    def secret_key(self) -> bytes:  # type: ignore[override]  # Flask's is a copy made at start; ours is live
        """The key that signs session cookies."""
        return self.derived_key("authapp/session/v1")

    def derived_key(self, purpose: str) -> bytes:
        """Return the key for one purpose; a random one before there is a secret key."""
        key = in_force(self).config.server.secret_key
        return tokens.derive_key(key.get_secret_value() if key else tokens.generate(), purpose)

    @property
    def permanent_session_lifetime(self) -> timedelta:  # type: ignore[override]  # as above
        """How old a session cookie may be at most; the session's row decides what is left of that."""
        options = in_force(self).config.session
        return max(options.lifetime, options.remember_lifetime)

    def load_settings(self) -> dict[str, Any]:
        """Return the rows of the Settings table; raises NotNow."""
        rows = provision.load_rows(self.database)
        installation = rows.get(settings.INSTALLATION) or {}
        self.installation_id, self.recorded_mode = installation.get("id", ""), installation.get("auth_mode", "")
        return rows


class SessionCookie(SecureCookieSessionInterface):
    """Flask's signed cookie, under a name of this installation: cookies ignore ports."""

    def get_cookie_name(self, app: Flask) -> str:
        """Return `authapp-<8 of the installation's id>`, with the __Host- prefix where the address is https."""
        name = f"authapp-{cast(App, app).installation_id[:8]}"
        return f"__Host-{name}" if self.get_cookie_secure(app) else name

    def get_cookie_secure(self, app: Flask) -> bool:
        """Tell whether browsers may send the cookie over https only."""
        return (in_force(cast(App, app)).config.server.public_url or "").startswith("https://")


def in_force(app: App) -> Effective:
    """Return the effective config that holds for this request, or outside of one, now."""
    if has_request_context() and (held := request.environ.get(SNAPSHOT)):
        return cast(Snapshot, held).effective
    return app.live.current


def the_app() -> App:
    """Return the app that answers."""
    return cast(App, current_app)


def snapshot() -> Snapshot:
    """Return the state of the config that holds for this request."""
    return cast(Snapshot, request.environ.get(SNAPSHOT) or the_app().live.snapshot)


def look_now() -> None:
    """Bring this request up to date with what was changed a moment ago, by whichever process."""
    the_app().live.look()
    request.environ[SNAPSHOT] = the_app().live.snapshot


def effective() -> Effective:
    """Return the effective config that holds for this request."""
    return snapshot().effective


def other_mode() -> str | None:
    """Return the recorded mode when it is another one than this process was started in."""
    recorded = the_app().recorded_mode
    return recorded if recorded and recorded != effective().config.auth.mode else None


def is_mode_none() -> bool:
    """Tell whether nobody signs in here."""
    return effective().config.auth.mode == "none"


def database() -> Database:
    """Return the database."""
    return the_app().database


def visitor(road: str, identity: Identity | None = None) -> Actor:
    """Return who is acting, for the rules and the audit table."""
    return Actor(
        MODE_NONE if identity and identity.via == "none" else road,
        identity.user_id if identity else None,
        identity.username if identity else "",
        request.remote_addr or "",
        request.user_agent.string,
    )


def database_trouble() -> tuple[str, str] | None:
    """Return a word and a sentence for why the database cannot be used, or None when it can."""
    try:
        require_schema(database())
    except SchemaOutdated as error:
        return "schema", str(error)
    except DatabaseError:
        return "database", "The database cannot be used at the moment."
    return None
