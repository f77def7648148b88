"""Marked secrets, sent down every road of real workers, and looked for everywhere afterwards."""

from base64 import b64encode
from collections.abc import Iterator

import pytest

from attacks.canary import Walk, leaks, walk
from attacks.target import errors_logged, requests_logged
from tests.server_process import installation

pytestmark = pytest.mark.xdist_group("server-canary")


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """A walk down every road, of a server that still runs."""
    with installation(tmp_path_factory.mktemp("canary")) as server:
        yield walk(server.start())


def test_secrets_stay_where_they_belong(walked: Walk) -> None:
    """No password, token or setup token stands in a log, a row, a file or an answer not meant for it."""
    assert leaks(walked) == []


@pytest.mark.parametrize("secret", ["owner", "wrong", "JWT", "API token", "initial password"])
def test_what_leaks_is_found(walked: Walk, secret: str) -> None:
    """A secret that somebody left in a file is found there, also in base64."""
    left = walked.server.folder / "left.txt"
    left.write_bytes(b64encode(walked.secrets[secret].encode()))
    assert leaks(walked) == [f"{secret} stands in the file left.txt"]
    left.unlink()


def test_nothing_breaks_on_the_way(walked: Walk) -> None:
    """No road answers with an error of the server."""
    assert (errors_logged(walked.server), len(requests_logged(walked.server)) > 60) == (0, True)
