"""What happens when many do the same thing at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.server_process import Answer, Client, Server, installation
from tests.world import OTHER_PASSWORD, PASSWORD

pytestmark = pytest.mark.xdist_group("server-races")
VISITORS = 50


@dataclass(frozen=True)
class Race:
    """A server, and the fifty browsers that submitted its setup at once, each with its answer."""

    server: Server
    results: list[tuple[Client, Answer]]


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory, other_url: str | None) -> Iterator[Race]:
    """Fifty browsers, each with the setup token and a form of its own, press the button at once."""
    barrier = threading.Barrier(VISITORS)
    with installation(tmp_path_factory.mktemp("race"), workers=4, database_url=other_url) as server:
        server.start()

        def submit(number: int) -> tuple[Client, Answer]:
            client = server.client()
            client.get(server.setup_path)
            form = {"csrf_token": client.token("/setup"), "username": f"owner-{number}", "password": PASSWORD}
            barrier.wait(60)
            return client, client.request("POST", "/setup", form)

        with ThreadPoolExecutor(VISITORS) as pool:
            yield Race(server, list(pool.map(submit, range(VISITORS))))


def test_of_fifty_parallel_setups_one_wins(race: Race) -> None:
    """Of fifty parallel setup submissions to four workers exactly one ends signed in."""
    assert sorted(answer.status for _, answer in race.results) == [303] + [404] * (VISITORS - 1)
    assert [client.is_signed_in() for client, _ in race.results].count(True) == 1


def test_the_other_parallel_setups_learn_why(race: Race) -> None:
    """Whoever lost the race for the setup reads that setup is finished, with a way to the sign-in page."""
    lost = [answer.text for _, answer in race.results if answer.status != 303]
    assert all("Setup is finished" in text and 'href="/login"' in text for text in lost)


def test_fifty_parallel_setups_leave_one_owner(race: Race) -> None:
    """Fifty parallel setup submissions leave one superuser, who is the owner, and one audit line."""
    installed, stored = race.server.setting("installation"), race.server.setting("server.basic-auth")
    users = race.server.rows("SELECT id, username, role, is_active FROM users")
    assert users == [(installed["owner_id"], stored["username"], "admin", 1)]
    assert race.server.count("setup.completed") == 1
    assert "error" not in race.server.output


def test_a_user_name_is_given_once(shared: Server) -> None:
    """Of ten parallel requests for one user name, one creates the user and nine are told that it is taken."""
    owner = shared.signed_in()
    token = owner.token("/admin/users/new")
    form = {"csrf_token": token, "username": "Zoë", "password": OTHER_PASSWORD}
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: owner.request("POST", "/admin/users/new", form), range(10)))
    assert sorted(answer.status for answer in answers) == [303] + [409] * 9
    assert shared.rows("SELECT username FROM users WHERE username <> 'ada@example.com'") == [("Zoë",)]


def test_three_hundred_parallel_requests_all_succeed(server: Server) -> None:
    """With four workers, 60 sign-ins and 240 page loads in parallel meet no locked database."""
    server.workers = 4
    server.write_config("throttle:\n  attempts: 1000\n  network-attempts: 1000\n")
    server.start().set_up()

    def visit(_: int) -> list[int]:
        client = server.signed_in()
        return [client.get(page).status for page in ("/", "/account", "/admin/users", "/account/password")]

    with ThreadPoolExecutor(20) as pool:
        statuses = [status for visited in pool.map(visit, range(60)) for status in visited]
    assert statuses == [200] * 240
    assert "locked" not in server.output


def test_parallel_wrong_passwords_get_no_try_more(shared: Server) -> None:
    """Thirty parallel wrong passwords get ten tries at most; the others are told to wait, or find no place."""
    visitors = [shared.client() for _ in range(30)]
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda visitor: visitor.sign_in("nobody", "x"), visitors))
    statuses = [answer.status for answer in answers]
    assert 1 <= statuses.count(401) <= 10
    assert set(statuses) <= {401, 429, 503}
