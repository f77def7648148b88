"""Make the app; reads as a table of contents."""

from typing import Any

from authapp import issued_tokens, logs, paths, provision
from authapp.chores import Chores
from authapp.config.examine import Start, examine
from authapp.config.live import LiveConfig
from authapp.config.overlay import Effective
from authapp.database import Database, database_url
from authapp.devices import device
from authapp.nodes import Here
from authapp.paths import Locations, locate
from authapp.sqlite_file import FileId
from authapp.web import (
    account,
    admin,
    api,
    audit,
    errors,
    guard,
    health,
    identity,
    invite,
    locks,
    login,
    metrics,
    options,
    own_tokens,
    sign_up,
    user,
    users,
    wizard,
)
from authapp.web.identity import whoever
from authapp.web.requests import log_request, start_clock
from authapp.web.security import access, add_headers
from authapp.web.state import App, SessionCookie, effective, snapshot
from authapp.web.words import doer, failures, happening, meant, moment


def create_app(
    locations: Locations | None = None,
    start: Start | None = None,
    file_id: FileId | None = None,
    *,
    here: Here | None = None,
    quiet: bool = False,
) -> App:
    """Return the app for a config file, by default the one that is found.

    It migrates nothing and never raises for a bad file or database: it answers 503 and says what to do.
    `start` holds the options that a parent process resolved, `file_id` is the SQLite file it works on, `here` the
    node it began, and `quiet` leaves the reporting of problems to it.
    """
    where = locations or locate()
    start = start or Start.from_layers(examine(where))
    logs.configure(start.values["log.level"], start.values["log.format"])
    app = App("authapp", template_folder=str(paths.TEMPLATES), static_folder=str(paths.STATIC))
    app.locations = where
    app.database = Database(database_url(start.values["database.url"], where), file_id, may_create=False)
    app.here = here or Here.of(where)
    # A worker, which is the quiet one, leaves what a start changes to its parent: it may be a late one.
    adopt = provision.adopter(app.database, app.here, starts=not quiet)
    app.live = LiveConfig(where, app.load_settings, adopt, start=start, quiet=quiet)
    app.chores = Chores(app.database, app.live)
    app.meter.watch(metrics.hashing)
    set_up_flask(app)
    identity.init_app(app)
    errors.init_app(app)
    for module in (
        health, metrics, wizard, login, sign_up, account, own_tokens, admin, audit, locks, options, users, invite,
        user,
    ):  # fmt: skip
        app.register_blueprint(module.bp)
    api.documents.init_app(app)
    guard.init_app(app)
    app.live.look()
    return app


def set_up_flask(app: App) -> None:
    """Set what Flask itself has to know."""
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=64 * 1024,
        MAX_FORM_MEMORY_SIZE=64 * 1024,
        SEND_FILE_MAX_AGE_DEFAULT=None,  # browsers ask each time: after an upgrade they must not show old styles
    )
    app.session_interface = SessionCookie()
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.tests.update(expired=issued_tokens.is_over)
    app.jinja_env.filters.update(
        moment=moment, device=device, happening=happening, doer=doer, meant=meant, failures=failures
    )
    access("public")(app.view_functions["static"])
    app.before_request(start_clock)
    app.after_request(add_headers)
    app.after_request(log_request)
    app.context_processor(_what_pages_know)


def _what_pages_know() -> dict[str, Any]:
    """Return what every template may use; functions where it costs something."""
    now = effective()
    return {
        "visitor": whoever,
        "config_state": snapshot,
        "organization": _organization(now),
        "mode_none": now.config.auth.mode == "none",
    }


def _organization(now: Effective) -> str:
    """Return the organization's name, unless nobody has given it one."""
    name = now.config.organization.name
    return "" if name == "Default" else name
