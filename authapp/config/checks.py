"""What a config says that does not go together, and what works but should be different."""

import ipaddress
import stat
from importlib.util import find_spec
from pathlib import Path

from authapp.config.credentials import PASSWORD, PASSWORD_FILE
from authapp.config.options import GOOD_SECRET_KEY, MODE, SECRET_KEY
from authapp.config.overlay import Effective, Source
from authapp.config.sections import Config
from authapp.errors import Place, Problem

WAY_OUT = "write auth.mode: basic, or run `authapp mode set none`, which opens it on purpose"
INSTALL_METRICS = "pip install 'authapp[metrics]'"
LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine talking to itself."""
    if host.lower() in LOOPBACK_NAMES or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def conflicts(effective: Effective, *, with_mode: bool = True) -> list[Problem]:
    """Return the options that relax a rule for local use beside others that open authapp to more.

    `with_mode`: mode none is one of them.
    """
    config, found = effective.config, []
    if not config.setup.require_token:
        found += _not_local(effective, "setup.require-token", "false")
    if with_mode and is_none_only_local(config):
        found += _not_local(effective, MODE, "none", "auth.allow-public-none: true lets everybody in")
    return found


def mode_lock(recorded: str, wanted: str) -> Problem | None:
    """Return why an installation cannot start in the mode that is wanted, or None when it can."""
    if recorded == wanted or (recorded, wanted) == ("none", "basic"):
        return None
    message = f"the recorded mode is {recorded}, the wanted one is {wanted}: nobody drops the sign-in by accident"
    return Problem(MODE, message, hint=WAY_OUT)


def is_none_only_local(config: Config) -> bool:
    """Tell whether nobody signs in, and only this machine may use the pages."""
    return config.auth.mode == "none" and not config.auth.allow_public_none


def _not_local(effective: Effective, key: str, value: str, hint: str = "") -> list[Problem]:
    server, place, found = effective.config.server, effective.place_of.get(key), []
    if not is_loopback(server.host):
        found.append(Problem(key, f"{value} needs server.host to be a loopback address", place, hint))
    for other, given in (("public-url", server.public_url), ("trusted-proxies", server.trusted_proxies)):
        if given:
            found.append(Problem(key, f"{value} does not go together with server.{other}", place, hint))
    return found


def warnings(effective: Effective, config_file: Path, env_file: Path | None = None) -> list[Problem]:
    """Return what should be different: readable secrets, short secret keys, options without effect."""
    found = list(effective.ignored)
    if _is_empty(config_file):
        found.append(Problem("", "is empty, so no option is set in it", Place(config_file.name)))

    def warn(key: str, message: str, hint: str = "") -> None:
        found.append(Problem(key, message, effective.place_of.get(key), hint))

    server = effective.config.server
    if server.basic_auth.enabled is not None:
        warn("server.basic-auth.enabled", "is ignored: signing in is always required", "take the line out")
    holder = config_file if effective.source_of.get(PASSWORD) is Source.FILE else env_file
    if holder and _is_written(effective) and _readable_by_others(holder):
        warn(PASSWORD, "others on this machine can read this password", f"chmod 600 {holder.name}")
    if effective.pinned(PASSWORD_FILE) and server.basic_auth.password_file:
        path = config_file.parent / server.basic_auth.password_file
        if _readable_by_others(path):
            warn(PASSWORD_FILE, "others on this machine can read this password", f"chmod 600 {path.name}")
    if effective.pinned(SECRET_KEY) and len(effective.get(SECRET_KEY).get_secret_value()) < GOOD_SECRET_KEY:
        warn(SECRET_KEY, f"is short; {GOOD_SECRET_KEY} random characters are better", "openssl rand -base64 32")
    if lacks_metrics(effective.config):
        warn("metrics.enabled", "needs a library that is not installed, so /metrics is not there", INSTALL_METRICS)
    return found


def lacks_metrics(config: Config) -> bool:
    """Tell whether metrics are wanted and their library is not installed."""
    return config.metrics.enabled and find_spec("prometheus_client") is None


def _is_written(effective: Effective) -> bool:
    """Tell whether a password stands in a file, the config file or an env file: in these it has a line."""
    place = effective.place_of.get(PASSWORD)
    referred = any(given.referred for layer in effective.layers if (given := layer.values.get(PASSWORD)))
    return effective.pinned(PASSWORD) and place is not None and place.line is not None and not referred


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def _readable_by_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def missing_or_empty(content: bytes | None, file: str) -> list[Problem]:
    """Return what is wrong when a config file that was there is gone or has no content any more."""
    if content:
        return []
    message = "the config file is missing" if content is None else "the config file is empty"
    return [
        Problem(
            "", message, Place(file), "the last good one stays in force; to have no options, leave one comment line"
        )
    ]
