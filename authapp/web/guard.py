"""The order in which a request is looked at before any view: default deny, by endpoint."""

from typing import Any

from flask import g, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import (
    Conflict,
    Forbidden,
    MisdirectedRequest,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
)
from werkzeug.wrappers import Response

from authapp import sessions, wizard
from authapp.config.checks import is_loopback, is_none_only_local
from authapp.config.overlay import Source
from authapp.errors import PasswordChangeRequired
from authapp.models import Scope
from authapp.permissions import NOBODY_TO_MANAGE
from authapp.web.bodies import has_body, require_json
from authapp.web.identity import Visitor, forget_visitor, refusal, whoever
from authapp.web.proof import ask_for_proof
from authapp.web.refusals import Reauthenticate, ScopeTooSmall
from authapp.web.security import (
    METRICS,
    SAFE_METHODS,
    Admission,
    asks_as_program,
    has_metrics,
    host_name,
    is_browser,
    is_for_programs,
    is_foreign,
    is_our_host,
    is_same_origin,
    looks_forwarded,
)
from authapp.web.state import (
    App,
    database,
    database_trouble,
    effective,
    is_mode_none,
    other_mode,
    snapshot,
    the_app,
)

csrf = CSRFProtect()
# These answer whatever state the installation is in, and do not look at the database by themselves.
ALWAYS = {"static", "health.healthz", "health.readyz", "api.status"}
# All that somebody with an initial password may do, beside what is public.
CHANGE_OF_PASSWORD = {
    "account.password",
    "account.password_submit",
    "account.password_check",
    "api.whoami",
    "api.change_password",
}
NOBODY = Admission("superuser")  # what a view that does not exist admits

Answer = Response | str | tuple[Any, int] | tuple[Any, int, dict[str, str]] | None


def init_app(app: App) -> None:
    """Put the guard before every view, and refuse to start with a view that states nothing."""
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    csrf.init_app(app)
    app.before_request(look)
    for endpoint, view in app.view_functions.items():
        if not hasattr(view, "access"):
            raise RuntimeError(f"The view {endpoint} does not state who may call it.")


def look() -> Answer:
    """Let the request through, or answer in place of its view."""
    if request.blueprint != "health":
        _look_at_host()
    if request.endpoint in ALWAYS:
        return None
    return (
        _look_at_state()
        or _look_at_mode()
        or _look_at_setup()
        or _look_for_metrics()
        or _look_at_request()
        or _look_at_visitor()
        or _look_again()
    )


def _look_at_host() -> None:
    """Refuse a name that is not this server's; in mode none, one that is not this machine's."""
    if is_none_only_local(effective().config) and request.endpoint not in ALWAYS:
        _require_local("In mode none, these pages open at a loopback address only, and through no proxy.")
    if not is_our_host(request.headers.get("Host", ""), effective().config.server) and not _is_for_metrics():
        raise MisdirectedRequest(
            "This address is not one of this server's. If it should be, server.public-url has to name it."
        )


def _is_for_metrics() -> bool:
    """Tell whether these are the numbers of a node, for which it is asked by a name of its own.

    `server.public-url` is that of the proxy in front. A page that got somebody's browser to ask by another name has
    no credentials to show; but in mode none nobody has to.
    """
    return request.blueprint == METRICS and has_metrics() and not is_mode_none()


def admission() -> Admission:
    """Return whom the view that is asked for admits, as it states itself."""
    return getattr(the_app().view_functions.get(request.endpoint or ""), "access", NOBODY)


def _look_at_state() -> Answer:
    """Nothing works without a database, and nobody signs in at a closed start."""
    if snapshot().pending:
        trouble = database_trouble()
        raise ServiceUnavailable(trouble[1] if trouble else "Not ready yet. Try again in a moment.")
    return _closed() if snapshot().closed else None


def _look_at_mode() -> Answer:
    """Answer nothing while the mode is another one by now, and in mode none nothing about people."""
    if other := other_mode():
        mine = effective().config.auth.mode
        raise ServiceUnavailable(f"This server was started in mode {mine}; by now the mode is {other}. Restart it.")
    if not is_mode_none():
        return None
    if admission().who == "setup":
        return render_template("wizard/finished.html"), 404
    if request.endpoint and admission().people:
        raise (Conflict if admission().who == "public" else Forbidden)(NOBODY_TO_MANAGE)
    return None


def _closed() -> Answer:
    if is_for_programs():
        raise ServiceUnavailable("The config file has to be mended.")
    supplied = effective().source_of.items()
    from_environment = [key for key, source in supplied if source is Source.ENVIRONMENT]
    page = render_template("errors/closed.html", problems=snapshot().problems, from_environment=from_environment)
    return page, 503


def _look_at_setup() -> Answer:
    """Until the first run is over every page leads to it; afterwards it is gone."""
    is_setup = admission().who == "setup"
    if not is_setup_open():
        if not the_app().setup_is_over and any(problem.closes for problem in snapshot().problems):
            return _closed()  # the credentials that would finish the setup were refused
        return (render_template("wizard/finished.html"), 404) if is_setup else None
    if not effective().config.setup.require_token:
        _require_local("Without a setup token, setup works at a loopback address only.")
    if is_for_programs():
        raise ServiceUnavailable("Setup is not finished.")
    return None if is_setup else redirect(url_for("wizard.setup"), 303)


def _look_for_metrics() -> Answer:
    """Where nobody switched the metrics on, there is nothing at their address, whoever asks."""
    if request.blueprint == METRICS and not has_metrics():
        raise NotFound
    return None


def is_setup_open() -> bool:
    """Tell whether the first run is still to come; once it is over, the database is not asked again."""
    app = the_app()
    if app.setup_is_over:
        return False
    with database().reading() as db:
        is_open = wizard.is_open(db, snapshot())
        app.setup_is_over = wizard.is_completed(db)
    return is_open


def _require_local(otherwise: str) -> None:
    """Refuse whoever is not on this machine, or comes through a proxy on it."""
    peer, host = request.remote_addr or "", host_name(request.host) or ""
    if not is_loopback(peer) or not is_loopback(host) or looks_forwarded():
        raise Forbidden(otherwise)


def _look_at_request() -> Answer:
    """Refuse what another site made a browser send, and forms that are not ours."""
    if request.method in SAFE_METHODS or request.endpoint is None:
        return None
    if is_foreign():
        raise Forbidden("Another site sent this request. Open the page here and send it again.")
    visitor = whoever() if (largest := admission().largest) else None
    if visitor is not None and visitor.is_superuser:  # nobody else makes us read so much
        request.max_content_length = request.max_form_memory_size = largest
    if request.blueprint == "api":
        return None  # looks at this once it is known who asks
    try:
        csrf.protect()
    except CSRFError:
        if not admission().shows_again:
            raise
        g.is_unproved_form = True
    return None


def _look_at_program() -> None:
    """In the API take JSON only, and let a cookie change something only with proof that a page of ours asks."""
    if request.blueprint != "api" or request.method in SAFE_METHODS:
        return
    require_json(request)
    visitor = None if admission().no_cookie else whoever()
    if visitor is not None and visitor.identity.via == "session" and not is_same_origin():
        csrf.protect()


def _look_at_visitor() -> Answer:
    """Let only those in whom the view admits."""
    if request.endpoint is None:
        return None
    if admission().who in ("public", "setup"):
        _look_at_program()
        return None
    visitor = whoever()
    if visitor is None:
        if error := refusal():
            raise error
        return _lead_to("login.login")
    if visitor.must_change_password and request.endpoint not in CHANGE_OF_PASSWORD:
        if asks_as_program() or request.method not in SAFE_METHODS:
            raise PasswordChangeRequired
        return _lead_to("account.password")
    if admission().who == "superuser" and not visitor.is_superuser:
        raise Forbidden("Only superusers may do this.")
    _look_at_program()
    return _look_at_state_of(visitor)


def _look_again() -> Answer:
    """Let only those in who still may once the whole body is here: a sender can make that take hours.

    Public views ask nobody, and most pages have read their form before anybody was asked.
    """
    stated = admission()
    is_late = request.blueprint == "api" or stated.largest is not None
    if request.method in SAFE_METHODS or stated.who in ("public", "setup") or not is_late or not has_body(request):
        return None
    request.get_data()
    forget_visitor()
    return _look_at_visitor()


def _lead_to(endpoint: str) -> Response:
    """Lead to a page that comes first, and from there back; a program is not led anywhere."""
    if asks_as_program() and not (request.endpoint == "api.docs" and is_browser()):
        raise Unauthorized("Sign in first.")
    wanted = request.full_path.rstrip("?") if request.method in SAFE_METHODS else None
    return redirect(url_for(endpoint, next=None if wanted == "/" else wanted), 303)


def _look_at_state_of(visitor: Visitor) -> Answer:
    """Ask an owner who is back in to look around, and for a sensitive change for the password."""
    reviews = visitor.must_review and not visitor.must_change_password and request.blueprint != "api"
    if reviews and request.method in SAFE_METHODS and request.endpoint != "admin.recovery":
        return redirect(url_for("admin.recovery"), 303)
    identity = visitor.identity
    if request.method in SAFE_METHODS or identity.via == "none":  # where there is no password to ask for
        return None
    if identity.scope is not None:
        _require_scope(identity.scope)
        return None
    if not (needed := admission().needs_proof):
        return None
    if request.blueprint != "api":
        return ask_for_proof(identity, needed)
    if identity.proved_at is None or not sessions.has_proof(identity.proved_at):
        raise Reauthenticate(needed)
    return None


def _require_scope(scope: str) -> None:
    """Refuse what an API token was not made for; what a password is asked for needs the largest scope."""
    if admission().no_api_token:
        raise ScopeTooSmall("No API token may do this, whatever its scope: send the password with HTTP Basic.")
    wanted = Scope.ADMIN if admission().needs_proof else Scope.WRITE
    if list(Scope).index(Scope(scope)) < list(Scope).index(wanted):
        raise ScopeTooSmall(f"This API token has the scope {scope}; for this it takes {wanted}.")
