"""What every request goes through before a view sees it, and what every answer carries."""

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from flask import request
from werkzeug.wrappers import Response

from authapp.config.checks import is_loopback, lacks_metrics
from authapp.config.sections import Server
from authapp.web.state import effective, is_mode_none

Access = Literal["public", "setup", "user", "superuser"]
View = TypeVar("View", bound=Callable[..., object])

FORWARDED = re.compile(r"^(x-forwarded|x-original-|x-envoy-|cf-|x-real-ip$|via$)|forwarded|(client|connecting)-ip")
HTTP_1_0 = ("HTTP/1.0", "HTTP/1")  # the second is what granian calls it
LARGEST_LIST = 3 * 1024 * 1024  # bytes: 500 of the longest names, twelve for each letter, as a form writes them
# What a sign-out empties; not "cookies": that would sign people out of every tool of the same site.
CLEARED = '"cache", "storage"'
METRICS = "metrics"  # the blueprint that takes HTTP Basic and API tokens alone, never a session
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# A year, for this host alone: what runs beside it under the same domain may have no https.
ONLY_HTTPS = "max-age=31536000"


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may call a view, and how.

    `shows_again`: it answers a failed CSRF check with its form, filled in. `needs_proof`: for what ("to …") the
    password must have been typed within the last minutes. `largest`: how many bytes it takes, if more than others.
    `people`: it is about users, passwords, tokens or sessions, which mode none does not have. `no_api_token`: it
    makes or takes away credentials, which no API token may. `no_cookie`: it looks at no session, so that nobody has
    to prove that a page of ours asks.
    """

    who: Access
    shows_again: bool = False
    needs_proof: str = ""
    largest: int | None = None
    people: bool = False
    no_api_token: bool = False
    no_cookie: bool = False


def access(
    who: Access,
    *,
    shows_again: bool = False,
    needs_proof: str = "",
    largest: int | None = None,
    people: bool = False,
    no_api_token: bool = False,
    no_cookie: bool = False,
) -> Callable[[View], View]:
    """State who may call a view, and how."""

    def mark(view: View) -> View:
        stated = Admission(who, shows_again, needs_proof, largest, people, no_api_token, no_cookie)
        view.access = stated  # type: ignore[attr-defined]  # functions take attributes; mypy has no word for it
        return view

    return mark


# -- hosts ----------------------------------------------------------------------------------------------------


def is_our_host(host: str, server: Server) -> bool:
    """Tell whether a Host header names this server (ports do not count).

    With `server.public-url` its host and loopback names do; without it loopback names, IP addresses,
    `server.host` and this machine's own name.
    """
    name = host_name(host)
    if name is None:
        return False
    if is_loopback(name):
        return True
    if server.public_url:
        return name == (urlsplit(server.public_url).hostname or "")
    return _is_address(name) or name in {server.host.lower(), *_own_names()}


def host_name(host: str) -> str | None:
    """Return the name in a Host header, in lower case and without port and brackets; None for rubbish."""
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", host)
    return match[1].strip("[]").lower() if match else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, name.partition(".")[0], f"{name.partition('.')[0]}.local"}


def looks_forwarded() -> bool:
    """Tell whether a proxy passed this request on; then a loopback address proves nothing."""
    names = [name.lower().replace("_", "-") for name, _ in request.headers]
    # No browser speaks HTTP/1.0 any more; a proxy that adds no header, such as nginx by default, does.
    return request.environ.get("SERVER_PROTOCOL") in HTTP_1_0 or any(map(FORWARDED.search, names))


# -- foreign requests -----------------------------------------------------------------------------------------


def is_foreign() -> bool:
    """Tell whether a browser says that another site made it send this request.

    Over plain http browsers leave out `Sec-Fetch-Site`, and old ones `Origin`; then the Referer counts.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    sender = request.headers.get("Origin", request.headers.get("Referer") or None)
    if sender is None:
        return False
    # The scheme does not count: behind a proxy that is not trusted, https arrives here as http.
    public_url = effective().config.server.public_url
    ours = {request.host.lower(), urlsplit(public_url).netloc if public_url else request.host.lower()}
    scheme, _, rest = sender.lower().partition("://")
    host = rest if "Origin" in request.headers else rest.partition("/")[0]
    return scheme not in ("http", "https") or host not in ours


def is_same_origin() -> bool:
    """Tell whether a browser says that a page of ours sent this request; what is foreign was refused before."""
    return request.headers.get("Sec-Fetch-Site") == "same-origin" or "Origin" in request.headers


def safe_return_url(wanted: str | None) -> str:
    """Return where to go after signing in: a path of ours, or `/`.

    Browsers read a backslash as `/` and drop control characters, so that `/<tab>/evil` leads elsewhere.
    """
    if not wanted or not wanted.startswith("/") or len(wanted) > 2000:  # noqa: PLR2004 - longer than any of ours
        return "/"
    if wanted[1:2] in ("/", "\\") or "\\" in wanted or re.search(r"[\x00-\x20\x7f]|%5c", wanted, re.IGNORECASE):
        return "/"
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else wanted


# -- answers --------------------------------------------------------------------------------------------------


def add_headers(response: Response) -> Response:
    """Add the headers every answer carries; only static files may be cached."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if (effective().config.server.public_url or "").startswith("https://"):
        response.headers.setdefault("Strict-Transport-Security", ONLY_HTTPS)
    if request.endpoint != "static" or response.status_code >= 400:  # noqa: PLR2004 - an error
        response.headers.setdefault("Cache-Control", "no-store")
    if response.status_code in (202, 204) and not response.content_length:
        response.headers.pop("Content-Type", None)  # there is nothing to have a type
    if response.status_code == 401:  # noqa: PLR2004 - a 401 must name a scheme (RFC 9110 15.5.2)
        response.headers.setdefault("WWW-Authenticate", _challenge())
    return response


def _challenge() -> str:
    """Return the scheme to ask for: a browser that reads `Basic` opens a window of its own over the page."""
    if is_browser() or is_mode_none():
        return "Bearer"
    realm = effective().config.server.basic_auth.realm.encode("ascii", "replace").decode()
    escaped = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'Basic realm="{escaped}", charset="UTF-8"'


def is_for_programs() -> bool:
    """Tell whether an address is below the API's, also where nothing is: there every refusal is a problem."""
    return is_below_api(request.path) or (request.blueprint == METRICS and has_metrics())


def is_below_api(path: str) -> bool:
    """Tell whether a path is below the API's address."""
    return path.startswith("/api/")


def asks_as_program() -> bool:
    """Tell whether a view is one that nobody is led away from: programs call it, and take its no as an answer."""
    return request.blueprint in ("api", METRICS)


def has_metrics() -> bool:
    """Tell whether there are metrics here; where not, their address is one at which nothing is."""
    config = effective().config
    return config.metrics.enabled and not lacks_metrics(config)


def is_browser() -> bool:
    """Tell whether anything about a request looks as if a browser sent it."""
    names = {name.lower() for name, _ in request.headers}
    asks_for_a_page = "text/html" in request.headers.get("Accept", "").lower()
    has_our_cookie = any(name.removeprefix("__Host-").startswith("authapp-") for name in request.cookies)
    by_its_headers = any(name in ("origin", "referer") or name.startswith("sec-fetch-") for name in names)
    return by_its_headers or asks_for_a_page or has_our_cookie
