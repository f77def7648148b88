"""X-Forwarded-* headers: believed from the proxies of `server.trusted-proxies`, from nobody else."""

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

from authapp.config.types import Network

WsgiApp = Callable[[dict[str, Any], Any], Any]


def behind_proxies(app: WsgiApp, trusted: Sequence[Network], environ: dict[str, Any]) -> WsgiApp:
    """Return the app to call: as it is, or one that sees the client as the trusted proxies in front saw it."""
    hops = _trusted_hops(trusted, environ)
    return ProxyFix(app, x_for=hops, x_proto=1, x_host=1) if hops else app


def _trusted_hops(trusted: Sequence[Network], environ: dict[str, Any]) -> int:
    """Count the proxies that are ours: the peer, and behind it each rightmost address that is trusted.

    0 also when the address they name is none.
    """
    if not trusted or not _is_in(environ.get("REMOTE_ADDR", ""), trusted):
        return 0
    addresses = [part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    hops = 1
    while hops < len(addresses) and _is_in(addresses[-hops], trusted):
        hops += 1
    return hops if not addresses or _address(addresses[-hops]) else 0


def _is_in(text: str, networks: Sequence[Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in networks)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
