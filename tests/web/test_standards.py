"""What standards ask of pages, as far as no other test says it."""

import pytest

from tests.web.test_route_map import rules, stated_by
from tests.world import BOB, DORA, World, elements, signed_in


@pytest.mark.parametrize("name", [BOB, DORA])
def test_every_page_of_a_user_signs_out(cast: World, name: str) -> None:
    """Every page that opens for a signed-in user alone has the form that signs out."""
    browser, pages = signed_in(cast, name), {}
    for endpoint, method, path in rules(cast.app):
        if method == "GET" and stated_by(cast.app, endpoint) in ("user", "superuser"):
            answer = browser.get(path)
            if answer.status_code == 200 and answer.mimetype == "text/html":
                pages[path] = {form.get("action") for _, form in elements(answer.text, "form")}
    assert len(pages) > 4
    assert [path for path, actions in pages.items() if "/logout" not in actions] == []


def test_what_is_personal_is_stored_nowhere(cast: World) -> None:
    """No answer to a signed-in superuser may be kept by a browser or a proxy, whatever address it comes from."""
    browser = signed_in(cast, DORA)
    for endpoint, method, path in rules(cast.app):
        if endpoint != "static":
            answer = browser.client.open(path, method=method, buffered=True)
            assert answer.headers.getlist("Cache-Control") == ["no-store"], (method, path)


def test_a_trace_comes_back_to_nobody(cast: World) -> None:
    """TRACE and methods nobody knows are refused, and nothing that was sent comes back."""
    for method in ("TRACE", "TRACK", "CONNECT", "DEBUG", "PROPFIND", "NONSENSE"):
        answer = signed_in(cast, BOB).client.open("/login", method=method, headers={"X-Secret": "canary"})
        assert answer.status_code == 405
        assert "canary" not in answer.text
