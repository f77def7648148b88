"""X-Forwarded-* headers: believed from `server.trusted-proxies`, from nobody else."""

import pytest
from werkzeug.test import TestResponse

from tests.world import BOB, PASSWORD, World

PROXY, CLIENT, SPOOFED = "10.0.0.2", "203.0.113.5", "198.51.100.66"
TRUSTING = "server:\n  trusted-proxies: [10.0.0.0/8, 'fd00::/8']\n"


def sign_in(world: World, peer: str, password: str = PASSWORD, **headers: str) -> TestResponse:
    """Sign in from a peer with headers that it sent: `x_forwarded_for` is X-Forwarded-For."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    typed = {"username": BOB, "password": password}
    return world.browser().post("/login", typed, environ_overrides={"REMOTE_ADDR": peer}, headers=sent)


def seen_address(world: World) -> str:
    """Return the address that the last session's row holds."""
    with world.database.engine.connect() as connection:
        return str(connection.exec_driver_sql("SELECT address FROM sessions ORDER BY created_at DESC").scalar())


@pytest.fixture
def trusting(cast: World) -> World:
    """An installation that trusts its proxies."""
    cast.write_config(TRUSTING)
    return cast


@pytest.mark.parametrize("peer", [CLIENT, "127.0.0.1", "::1", PROXY])
def test_nobody_is_trusted_by_default(cast: World, peer: str) -> None:
    """Without `server.trusted-proxies` nobody's X-Forwarded-For counts, a loopback peer's neither."""
    assert sign_in(cast, peer, X_Forwarded_For=SPOOFED).status_code == 303
    assert seen_address(cast) == peer


@pytest.mark.parametrize("peer", [CLIENT, "127.0.0.1", "11.0.0.1", "2001:db8::1"])
def test_strangers_are_not_trusted(trusting: World, peer: str) -> None:
    """A peer that is none of the trusted proxies is not believed."""
    sign_in(trusting, peer, X_Forwarded_For=SPOOFED)
    assert seen_address(trusting) == peer


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        (PROXY, CLIENT, CLIENT),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        (PROXY, f"{SPOOFED}, {CLIENT}", CLIENT),
        (PROXY, f"10.9.9.9, {CLIENT}", CLIENT),
        (PROXY, f"{CLIENT}, 10.0.0.3", CLIENT),
        (PROXY, f"{SPOOFED}, {CLIENT}, 10.0.0.4, 10.0.0.3", CLIENT),
        (PROXY, "10.0.0.9, 10.0.0.3", "10.0.0.9"),
        (PROXY, f" {CLIENT} ", CLIENT),
    ],
)  # fmt: skip
def test_rightmost_untrusted_address_is_the_client(trusting: World, peer: str, forwarded: str, seen: str) -> None:
    """Behind trusted proxies the client is the rightmost address that is not one of them."""
    sign_in(trusting, peer, X_Forwarded_For=forwarded)
    assert seen_address(trusting) == seen


@pytest.mark.parametrize(
    "forwarded", ["rubbish", "", ",", ", ,", "203.0.113.5:1234", "unknown", "<script>", "999.1.1.1"]
)
def test_rubbish_is_not_believed(trusting: World, forwarded: str) -> None:
    """What a trusted proxy sends counts only if it is an address; otherwise the proxy itself is the client."""
    assert sign_in(trusting, PROXY, X_Forwarded_For=forwarded).status_code == 303
    assert seen_address(trusting) == PROXY


def test_trust_counts_at_once(cast: World) -> None:
    """An edit of the trusted proxies counts without a restart, both ways."""
    addresses = []
    for text in (TRUSTING, "# nothing\n"):
        cast.write_config(text)
        sign_in(cast, PROXY, X_Forwarded_For=CLIENT)
        addresses.append(seen_address(cast))
    assert addresses == [CLIENT, PROXY]


def test_other_headers_name_no_client(trusting: World) -> None:
    """X-Real-IP and Forwarded name no client, whoever sends them."""
    sign_in(trusting, PROXY, X_Real_IP=SPOOFED, Forwarded=f"for={SPOOFED}")
    assert seen_address(trusting) == PROXY


def test_clients_behind_one_proxy_are_told_apart(trusting: World) -> None:
    """Ten wrong passwords of one client behind a proxy lock out that client, not the others."""
    for _ in range(10):
        sign_in(trusting, PROXY, "Wrong password!", X_Forwarded_For=SPOOFED)
    assert sign_in(trusting, PROXY, X_Forwarded_For=SPOOFED).status_code == 429
    assert sign_in(trusting, PROXY, X_Forwarded_For=CLIENT).status_code == 303


def test_changing_the_header_does_not_help(cast: World) -> None:
    """Who is not trusted gets no further tries by sending another X-Forwarded-For each time."""
    for number in range(10):
        sign_in(cast, CLIENT, "Wrong password!", X_Forwarded_For=f"192.0.2.{number}")
    assert sign_in(cast, CLIENT, X_Forwarded_For="192.0.2.99").status_code == 429


def test_leftmost_address_does_not_help(trusting: World) -> None:
    """A client behind a trusted proxy gets no further tries by sending X-Forwarded-For itself."""
    for number in range(10):
        sign_in(trusting, PROXY, "Wrong password!", X_Forwarded_For=f"192.0.2.{number}, {CLIENT}")
    assert sign_in(trusting, PROXY, X_Forwarded_For=f"192.0.2.99, {CLIENT}").status_code == 429


# -- scheme and host ------------------------------------------------------------------------------------------

PUBLIC = "  public-url: https://auth.example.com\n"
FORWARDED = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "auth.example.com"}


def login_page(world: World, peer: str, **headers: str) -> TestResponse:
    """Open the sign-in page through a peer."""
    return world.browser().get("/login", environ_overrides={"REMOTE_ADDR": peer}, headers={**FORWARDED, **headers})


def test_trusted_proxy_tells_scheme_and_host(cast: World) -> None:
    """Behind a trusted proxy the page knows the public address it was opened under."""
    cast.write_config(TRUSTING + PUBLIC)
    assert "People sign in at" not in login_page(cast, PROXY).text
    assert "People sign in at" in login_page(cast, CLIENT).text


def test_foreign_host_through_a_trusted_proxy(cast: World) -> None:
    """A foreign host is refused, whoever passes it on."""
    cast.write_config(TRUSTING + PUBLIC)
    assert login_page(cast, PROXY, **{"X-Forwarded-Host": "evil.example"}).status_code == 421


def test_redirects_stay_relative(cast: World) -> None:
    """No redirect repeats a host that somebody sent."""
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil"}
    answer = cast.browser().get("/account", headers=headers)
    assert answer.headers["Location"] == "/login?next=/account"
