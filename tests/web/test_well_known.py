"""Addresses programs ask for by themselves, below `/.well-known`."""

from tests.world import BOB, World, signed_in

UNKNOWN = [
    "resource-that-should-not-exist-whose-status-code-should-not-be-200", "security.txt", "openid-configuration",
    "webauthn", "acme-challenge/x", "change-password/", "", "Change-Password",
]  # fmt: skip


def test_unknown_addresses(cast: World) -> None:
    """Nothing else is there, for anybody; so password managers believe the address of the form."""
    for browser in (cast.browser(), signed_in(cast, BOB)):
        assert {browser.get(f"/.well-known/{name}").status_code for name in UNKNOWN} == {404}
