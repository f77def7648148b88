"""The key that seals the audit entries is shown nowhere."""

import pytest

from authapp import audit_chain
from tests.web.program import by_basic
from tests.world import World, signed_in


@pytest.fixture
def key(cast: World) -> str:
    """The key of an installation that has sealed its entries."""
    audit_chain.seal(cast.database)
    return str(cast.setting(audit_chain.KEY))


@pytest.mark.parametrize("path", ["/admin/settings", "/admin/users", "/account"])
def test_no_page_shows_the_key(cast: World, key: str, path: str) -> None:
    """No page shows the key, whoever looks."""
    page = signed_in(cast).get(path)
    assert page.status_code == 200
    assert key not in page.text


@pytest.mark.parametrize("path", ["/settings", "/audit"])
def test_no_answer_of_the_api_shows_the_key(cast: World, key: str, path: str) -> None:
    """Neither the list of options nor the audit entries show the key."""
    answer = by_basic(cast).get(path)
    assert answer.status_code == 200
    assert key not in answer.text


def test_the_api_knows_no_such_option(cast: World, key: str) -> None:
    """The row that holds the key cannot be asked for, nor written."""
    program = by_basic(cast)
    assert program.get(f"/settings/{audit_chain.KEY}").status_code == 404
    assert program.put(f"/settings/{audit_chain.KEY}", {"value": "mine"}).status_code in {404, 422}
    assert cast.setting(audit_chain.KEY) == key
