"""Two nodes: two folders, two servers, one PostgreSQL database, and nothing between them."""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count

import pytest

from tests.balancer import Balancer, balanced
from tests.programs import PostgresServer
from tests.server.program import Program, by_basic, by_jwt, by_token
from tests.server_process import Answer, Client, Server, every_worker, installation, wait_for
from tests.web.program import basic
from tests.world import ADA, OTHER_PASSWORD, PASSWORD

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("server-nodes")]
NUMBERS = count(1)
VISITORS = 10  # at each node
BREATH = 0.1  # seconds between two visits; without it, visitors leave no processor to a node that starts
LONG = 60.0  # seconds; a node starts in three, but here beside another one, and visitors
ELSEWHERE = "127.0.0.7"  # an address that nobody signed in from
DIFFERENT = ("Canary-Alpha", "Canary-Beta")  # what one option is at each node


@dataclass(frozen=True, slots=True)
class Pair:
    """Two nodes of one installation, and what those were answered who raced for its setup."""

    one: Server
    other: Server
    setups: list[tuple[Client, Answer]]


def config(node: int, password: str = "") -> str:
    """Return a node's config file, with credentials of the owner if a password is given."""
    owner = f"basic-auth: {{username: '{ADA}', password: '{password}'}}, " if password else ""
    ours = "drain-time: 3s, trusted-proxies: [127.0.0.1]"
    return f"server: {{{owner}{ours}}}\nworkspace: {{name: {DIFFERENT[node]}}}\n"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[Pair]:
    """Two nodes that were started at once on an empty database, and set up at once by browsers at both."""
    folders, url = [tmp_path_factory.mktemp("node") for _ in range(2)], postgres.new_database()
    with installation(folders[0], database_url=url) as one, installation(folders[1], database_url=url) as other:
        for number, node in enumerate((one, other)):
            node.write_config(config(number))
            node.launch()
        wait_for(lambda: one.is_up() and other.is_up(), "both nodes are up", LONG)
        yield Pair(one, other, race(one, other))


def race(one: Server, other: Server) -> list[tuple[Client, Answer]]:
    """Let browsers at both nodes, all with the setup token that the first one printed, press the button at once."""
    barrier = threading.Barrier(2 * VISITORS)

    def submit(node: Server) -> tuple[Client, Answer]:
        client = node.client()
        client.get(one.setup_path)
        form = {"csrf_token": client.token("/setup"), "username": ADA, "password": PASSWORD}
        barrier.wait(60)
        return client, client.request("POST", "/setup", form)

    with ThreadPoolExecutor(2 * VISITORS) as pool:
        return list(pool.map(submit, [one, other] * VISITORS))


# -- the beginning ----------------------------------------------------------------------------------------------


def test_nodes_that_start_at_once(pair: Pair) -> None:
    """Two nodes started at once on an empty database both come up, and neither reports an error."""
    for node in (pair.one, pair.other):
        assert node.client().get("/readyz").text == "ready\n"
        assert "rror" not in node.output


def test_the_setup_has_one_winner(pair: Pair) -> None:
    """Of twenty parallel setups with one setup token, ten at each node, exactly one wins; the others read why."""
    answers = [answer for _, answer in pair.setups]
    assert sorted(answer.status for answer in answers) == [303] + [404] * (2 * VISITORS - 1)
    assert all("Setup is finished" in answer.text for answer in answers if answer.status == 404)
    assert [client.is_signed_in() for client, _ in pair.setups].count(True) == 1


def test_the_setup_leaves_one_owner(pair: Pair) -> None:
    """Setups raced at two nodes leave one owner, and one entry that says so."""
    owners = pair.one.rows(f"SELECT id FROM users WHERE username = '{ADA}' AND role = 'admin'")  # noqa: S608 - ours
    assert owners == [(pair.one.setting("installation")["owner_id"],)]
    assert pair.one.count("setup.completed") == 1


# -- what one node is told, the other knows ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who signed in twice at the first node, and has a program there."""

    id: str
    name: str
    browser: Client
    second: Client
    programs: dict[str, Program]

    def opens(self, node: Server, kind: str) -> bool:
        """Tell whether one request with the session, or a program's token, is let in at a node."""
        if kind == "session":
            return moved(self.browser, node).get("/account").status == 200
        status = Program(node.port, self.programs[kind].headers).ask("GET", "/users/whoami").status
        assert status in (200, 401)
        return status == 200


def moved(client: Client, node: Server) -> Client:
    """Return the same browser, at another node."""
    return Client(node.port, client.cookies)


@pytest.fixture
def guest(pair: Pair) -> Guest:
    """Somebody new, who was only at the first node so far."""
    name, one = f"guest-{next(NUMBERS)}", pair.one
    made = by_basic(one).done("POST", "/users", {"username": name, "password": PASSWORD, "is_active": True})
    programs = {"API token": by_token(one, name), "JWT": by_jwt(one, name)}
    return Guest(made["id"], name, one.signed_in(name), one.signed_in(name), programs)


@pytest.mark.parametrize("kind", ["session", "API token", "JWT"])
def test_who_is_known_at_one_node_is_known_at_the_other(pair: Pair, guest: Guest, kind: str) -> None:
    """Who signed in at one node, by whatever road, is known at the other."""
    assert guest.opens(pair.other, kind)


def sign_out(_: Pair, guest: Guest) -> None:
    """Sign out."""
    assert guest.browser.post("/logout", page="/account").status == 303


def end_the_session(_: Pair, guest: Guest) -> None:
    """End the session from a list of sessions in another browser."""
    (other,) = re.findall(r"/account/sessions/[^/\"]+/end", guest.second.get("/account/sessions").text)
    assert guest.second.post(other, page="/account/sessions").status == 303


def change_the_password(_: Pair, guest: Guest) -> None:
    """Change the password in another browser."""
    form = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert guest.second.post("/account/password", form).status == 303


def deactivate(pair: Pair, guest: Guest) -> None:
    """Deactivate the user."""
    by_basic(pair.one).done("PATCH", f"/users/{guest.id}", {"is_active": False})


def revoke(kind: str) -> Callable[[Pair, Guest], None]:
    """Return how a token is revoked."""

    def act(pair: Pair, guest: Guest) -> None:
        (token,) = [one for one in guest.programs[kind].done("GET", "/tokens")["items"] if one["current"]]
        by_basic(pair.one, guest.name).done("DELETE", f"/tokens/{token['id']}")

    return act


@pytest.mark.parametrize(("act", "kind"), [
    pytest.param(sign_out, "session", id="signed out"),
    pytest.param(end_the_session, "session", id="session ended"),
    pytest.param(change_the_password, "session", id="password changed"),
    pytest.param(deactivate, "session", id="deactivated, session"),
    pytest.param(deactivate, "API token", id="deactivated, API token"),
    pytest.param(deactivate, "JWT", id="deactivated, JWT"),
    pytest.param(revoke("API token"), "API token", id="API token revoked"),
    pytest.param(revoke("JWT"), "JWT", id="JWT revoked"),
])  # fmt: skip
def test_what_is_over_at_one_node_is_over_at_the_other(
    pair: Pair, guest: Guest, act: Callable[[Pair, Guest], None], kind: str
) -> None:
    """What is ended at one node is refused by the other at the very next request."""
    assert guest.opens(pair.other, kind)
    act(pair, guest)
    assert not guest.opens(pair.other, kind)


def test_wrong_passwords_count_together(pair: Pair) -> None:
    """Of wrong passwords typed at both nodes in turns ten are looked at, and then both say to wait."""
    visitors = [Client(node.port, source=ELSEWHERE) for node in (pair.one, pair.other)]
    tries = [visitor.sign_in("nobody", "x").status for visitor in visitors * 5]
    assert tries == [401] * 10
    assert [visitor.sign_in("nobody", "x").status for visitor in visitors] == [429, 429]


def test_a_setting_counts_at_the_other_node(pair: Pair) -> None:
    """What is saved on one node's settings page counts in every worker of the other."""
    owner, option, page = pair.one.signed_in(), "auth.sign-up", "/admin/settings"
    assert owner.post(page, {option: "true", f"seen:{option}": "false"}).status == 303
    every_worker(lambda: pair.other.client().get("/sign-up").status == 200, "strangers may sign up at the other")
    assert owner.post(f"{page}/reset", {"key": option}, page=page).status == 303
    every_worker(lambda: pair.other.client().get("/sign-up").status == 404, "and then they may not any more")


# -- config files -----------------------------------------------------------------------------------------------


def test_an_edited_file_is_adopted_once(pair: Pair) -> None:
    """New credentials in one node's config file are adopted once, and both nodes know them."""
    before = pair.one.count("credentials.adopted")
    pair.one.write_config(config(0, OTHER_PASSWORD))
    wait_for(lambda: pair.one.count("credentials.adopted") > before, "the edit is adopted")
    assert [node.client().sign_in(ADA, PASSWORD).status for node in (pair.one, pair.other)] == [401, 401]
    assert [node.client().sign_in(ADA, OTHER_PASSWORD).status for node in (pair.one, pair.other)] == [303, 303]
    assert pair.one.count("credentials.adopted") == before + 1
    put_back(pair.one)


def put_back(one: Server) -> None:
    """Give the owner the first password again, as if nothing had been."""
    one.write_config(config(0, PASSWORD))
    wait_for(lambda: one.client().sign_in().status == 303, "the first password is back")
    one.write_config(config(0))
    assert one.signed_in().post("/admin/recovery").status == 303


def test_config_files_that_differ_are_reported(pair: Pair) -> None:
    """Each node logs which option the other was given otherwise, and which node that is, but no value."""
    for node, other in ((pair.one, pair.other), (pair.other, pair.one)):
        assert other.process is not None
        line = rf"workspace\.name: the node \S+ \(\S+, process {other.process.pid}\) was given another value"
        wait_for(lambda: re.search(line, node.output), "the node says what differs")  # noqa: B023 - called at once
        assert not any(value in node.output for value in DIFFERENT)


# -- nodes that go ----------------------------------------------------------------------------------------------


def test_the_other_node_goes_on(pair: Pair, guest: Guest) -> None:
    """When a node is killed, the other serves everybody who signed in there, in browsers and programs."""
    pair.one.kill()
    assert all(guest.opens(pair.other, kind) for kind in ("session", *guest.programs))
    pair.one.start(patience=LONG)


def test_a_node_says_that_it_stops(pair: Pair, guest: Guest) -> None:
    """While another serves, a node that is told to stop says so at /readyz, and goes on serving for a while.

    Every process is told, as systemd does it.
    """
    assert pair.one.process is not None
    assert not ends_the_connection(pair.one)
    os.killpg(pair.one.process.pid, signal.SIGTERM)
    wait_for(lambda: pair.one.client().get("/readyz").text == "stopping\n", "it says that it stops")
    assert guest.browser.get("/account").status == 200
    assert ends_the_connection(pair.one)
    assert pair.one.ended(LONG) == 0
    pair.one.start(patience=LONG)


def ends_the_connection(node: Server) -> bool:
    """Tell whether a node ends a connection after an answer, although nobody asked for that."""
    with closing(HTTPConnection("127.0.0.1", node.port, timeout=LONG)) as connection:
        connection.request("GET", "/login")
        answer = connection.getresponse()
        answer.read()
        return answer.will_close


@dataclass
class Crowd:
    """Visitors who hardly pause: what they were answered that they did not want, and which users they made."""

    failed: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def go(self, visit: Callable[[], Answer], wanted: int) -> None:
        """Visit again and again, until it is enough."""
        while not self.enough.wait(BREATH):
            try:
                answer = visit()
            except (OSError, HTTPException) as error:
                self.failed.append(repr(error))
                continue
            if answer.status != wanted:
                self.failed.append(f"{answer.status} {answer.text[:300]}")
            elif wanted == 201:
                self.made.append(answer.headers["location"])


def visits(port: int, guest: Guest) -> list[tuple[Callable[[], Answer], int]]:
    """Return what visitors of a load balancer do, and the status of the answer when all is well."""
    browser, program = Client(port, guest.browser.cookies), Program(port, guest.programs["API token"].headers)
    owner = Program(port, basic())
    return [
        (lambda: Client(port).sign_in(guest.name), 303),
        (lambda: browser.get("/account"), 200),
        (lambda: program.ask("GET", "/users/whoami"), 200),
        (lambda: owner.ask("POST", "/users", {"username": f"made-{next(NUMBERS)}"}), 201),
    ]


@contextmanager
def crowd(pair: Pair, guest: Guest) -> Iterator[tuple[Crowd, list[Balancer]]]:
    """Let people and programs visit two load balancers, one that keeps its connections to the nodes and one not."""
    crowd, ports = Crowd(), (pair.one.port, pair.other.port)
    with ExitStack() as stack:
        both = [stack.enter_context(balanced(ports, keeps=keeps)) for keeps in (False, True)]
        pool = stack.enter_context(ThreadPoolExecutor(8))
        stack.callback(crowd.enough.set)
        for _, port in both:
            for visit, wanted in visits(port, guest):
                pool.submit(crowd.go, visit, wanted)
        yield crowd, [balancer for balancer, _ in both]


def test_a_rolling_restart(pair: Pair, guest: Guest) -> None:
    """While the nodes are restarted one after the other, no sign-in, page, API call or write fails or is lost."""
    with crowd(pair, guest) as (visitors, balancers):
        for node in (pair.one, pair.other):
            node.restart(LONG)
            for balancer in balancers:
                before = balancer.answered.count(node.port)
                wait_for(lambda: balancer.answered.count(node.port) > before + 5, "visitors come back", LONG)  # noqa: B023
    assert visitors.failed == []
    made = pair.one.rows("SELECT count(*) FROM users WHERE username LIKE 'made-%'")
    assert made == [(len(set(visitors.made)),)]
    assert len(visitors.made) > 10
