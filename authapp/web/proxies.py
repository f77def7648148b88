"""X-Forwarded-* headers: believed from the proxies of `server.trusted-proxies`, from nobody else."""

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

from authapp.config.types import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
WsgiApp = Callable[[dict[str, Any], Any], Any]


def behind_proxies(app: WsgiApp, trusted: Sequence[Network], environ: dict[str, Any]) -> WsgiApp:
    """Return the app to call: as it is, or one that sees the client as the trusted proxies in front saw it.

    The client is the rightmost address that is none of our proxies; where that is no address, the peer.
    """
    peer = _address(environ.get("REMOTE_ADDR", ""))
    if peer is None or not _is_trusted(peer, trusted):
        return app
    environ["REMOTE_ADDR"] = str(_client(environ.get("HTTP_X_FORWARDED_FOR", ""), peer, trusted))
    return ProxyFix(app, x_for=0, x_proto=1, x_host=1)


def _client(forwarded_for: str, peer: Address, trusted: Sequence[Network]) -> Address:
    client = peer
    for part in reversed(forwarded_for.split(",")):
        address = _address(part.strip())
        if address is None:
            return client
        client = address
        if not _is_trusted(address, trusted):
            break
    return client


def _is_trusted(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> Address | None:
    """Return an address, IPv4 ones in IPv6 clothes as IPv4; None for anything else, zones included."""
    try:
        address = ipaddress.ip_address("" if "%" in text else text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
