"""Who can reach authapp, whom it believes, and who gets in."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authapp import modes, settings
from authapp.config.checks import is_loopback, is_none_only_local, mode_lock, warnings
from authapp.config.options import SECRET_KEY
from authapp.config.overlay import Source
from authapp.config.types import Network
from authapp.doctor.case import Case
from authapp.doctor.finding import Finding, State, bad, look, of_problem, ok
from authapp.models import Role, User

ADDRESS, MODES, PROXIES, KEY, OWNER = "address", "mode", "proxies", "secret key", "owner"
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - a comparison
USE_HTTPS = "put a proxy with https in front, and write its address as server.public-url: https://..."


def address(case: Case) -> Iterator[Finding]:
    """Say where authapp listens, whether passwords travel in the clear, and who listens there now."""
    server = case.effective.config.server
    where = f"{server.host}, port {server.port}"
    public = urlsplit(server.public_url or "")
    if not is_loopback(server.host) and not server.public_url:
        yield look(ADDRESS, f"{where}: passwords travel over the network as plain http", USE_HTTPS)
    elif public.scheme == "http" and not is_loopback(public.hostname or ""):
        yield look(ADDRESS, "server.public-url is plain http: passwords can be read on the way", USE_HTTPS)
    else:
        yield ok(ADDRESS, where + (f", known as {server.public_url}" if server.public_url else ""))
    yield _listener(case)


def _listener(case: Case) -> Finding:
    server = case.effective.config.server
    host = ANYWHERE.get(server.host, server.host).strip("[]")
    answer = case.machine.answer(host, server.port, "/healthz")
    if answer is None:
        return ok(ADDRESS, f"nobody listens at port {server.port} now")
    if answer == "ok":
        return _running(case, case.machine.answer(host, server.port, "/readyz"))
    found = f"something else listens at port {server.port}"
    return look(ADDRESS, found, "end that program, or choose another server.port")


def _running(case: Case, ready: str | None) -> Finding:
    """Say that authapp runs, and whether it can use its database: it cannot when the file was replaced."""
    found = f"authapp is running at port {case.effective.config.server.port}"
    if ready != "database":
        return ok(ADDRESS, found)
    advice = "its log says why; if the database file was replaced, put the former one back, or restart authapp"
    return bad(ADDRESS, f"{found}, but cannot use its database", advice)


def mode(case: Case) -> Iterator[Finding]:
    """Say who has to sign in, and whether that is the mode this installation is in."""
    config = case.effective.config
    if config.auth.mode == modes.BASIC:
        yield ok(MODES, "basic: everybody signs in")
    else:
        who = "whoever uses this machine" if is_none_only_local(config) else "whoever reaches the address"
        yield look(MODES, f"none: {who} is a superuser", "write auth.mode: basic, and people sign in")
    if not config.setup.require_token:
        found = "setup.require-token is false: whoever uses this machine may become the owner during setup"
        yield look(MODES, found, "take the line out")
    yield from _recorded(case)


def _recorded(case: Case) -> Iterator[Finding]:
    wanted = case.effective.config.auth.mode
    recorded = case.installation.auth_mode if case.installation else wanted
    if problem := mode_lock(recorded, wanted):
        yield of_problem(MODES, problem)
    elif recorded != wanted:
        found = f"the recorded mode is {recorded}; the next start changes it to {wanted}"
        yield look(MODES, found, "`authapp mode check basic` says what changes")


def proxies(case: Case) -> Iterator[Finding]:
    """Say whose X-Forwarded-* headers are believed."""
    server = case.effective.config.server
    if _is_everybody(server.trusted_proxies):
        found = "server.trusted-proxies is everybody, so that anybody may pretend to come from anywhere"
        yield bad(PROXIES, found, "write the proxy's own address")
    elif (server.public_url or "").startswith("https:") and not server.trusted_proxies:
        found = (
            "server.public-url is https and no proxy is trusted, so that all visitors seem to come from one address"
        )
        yield look(PROXIES, found, "write the proxy's address into server.trusted-proxies")
    elif server.trusted_proxies and not server.public_url:
        found = (
            "a proxy is trusted and server.public-url is not set, so that pages open at no name but this machine's"
        )
        yield look(PROXIES, found, "write the address people use as server.public-url: https://...")
    else:
        yield ok(PROXIES, ", ".join(map(str, server.trusted_proxies)) or "no proxy is trusted")


def _is_everybody(networks: tuple[Network, ...]) -> bool:
    """Tell whether one network, or several side by side such as 0.0.0.0/1 and 128.0.0.0/1, hold every address."""
    fours = ipaddress.collapse_addresses(one for one in networks if one.version == 4)  # noqa: PLR2004 - the version
    sixes = ipaddress.collapse_addresses(one for one in networks if one.version == 6)  # noqa: PLR2004 - the version
    return any(one.prefixlen == 0 for some in (fours, sixes) for one in some)


def secret_key(case: Case) -> Iterator[Finding]:
    """Say where the key comes from that cookies are signed with, and whether it is long enough."""
    source = case.effective.source_of.get(SECRET_KEY)
    short = [one for one in warnings(case.effective, case.locations.config_file) if one.key == SECRET_KEY]
    for warning in short:
        yield of_problem(KEY, warning, State.LOOK)
    if source is None:
        yield ok(KEY, "made at the first start")
    elif not short:
        yield ok(KEY, "made by authapp and stored" if source is Source.SETTINGS else f"given by the {source}")


def owner(case: Case) -> Iterator[Finding]:
    """Say whether there is an owner who gets in, and how many superusers there are."""
    if case.database is None or case.effective.config.auth.mode == modes.NONE:
        return
    if case.installation is None or case.installation.setup_completed_at is None:
        yield look(OWNER, "setup is not finished", "open the link that `authapp setup token` prints")
        return
    with case.database.reading() as db:
        yield _owner(db, case.installation)


def _owner(db: Session, installation: settings.Installation) -> Finding:
    found = db.get(User, installation.owner_id) if installation.owner_id else None
    wanted = select(func.count()).select_from(User).where(User.role == Role.ADMIN, User.is_active)
    count = db.scalar(wanted) or 0
    if found is None or not found.is_active:
        return bad(OWNER, "there is no active owner", "give credentials in the config file, and restart")
    return ok(OWNER, f"{found.username} is active; {count} superuser{'' if count == 1 else 's'} in all")
