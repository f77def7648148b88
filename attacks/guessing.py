"""Guessing passwords as somebody who knows the forms: one CSRF token for each try, and JSON for the API."""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection

from attacks.report import Outcome
from attacks.target import errors_logged, target
from authapp.config.sections import Throttle
from tests.server.program import by_basic
from tests.server_process import Client, Server
from tests.web.program import API, basic
from tests.world import PASSWORD

ALLOWED = Throttle().attempts  # wrong passwords before somebody has to wait
AT_HOME, GUESSER = "127.0.0.2", "127.0.0.3"
Guess = Callable[[Server, str, str], int]


@dataclass
class Guessed:
    """What came of guessing: the statuses, how many passwords were checked, and whether the victim still got in."""

    statuses: list[int] = field(default_factory=list)
    checks: int = 0
    victim_got_in: bool = False

    @property
    def turned_away(self) -> int:
        """How many were told to come back later, because too many waited for a place where passwords are hashed."""
        return self.statuses.count(503)


def by_form(server: Server, username: str, password: str) -> int:
    """Try a password on the sign-in page, with the CSRF token of a page that was opened for it."""
    return Client(server.port, source=GUESSER).sign_in(username, password).status


def by_json(server: Server, username: str, password: str) -> int:
    """Try a password where JWTs are made."""
    body = json.dumps({"username": username, "password": password})
    return _send(server, "POST", f"{API}/login", {"Content-Type": "application/json"}, body)


def by_header(server: Server, username: str, password: str) -> int:
    """Try a password with HTTP Basic."""
    return _send(server, "GET", f"{API}/users/whoami", basic(username, password))


ROADS: dict[str, Guess] = {"form": by_form, "JWT": by_json, "HTTP Basic": by_header}


def _send(server: Server, method: str, path: str, headers: dict[str, str], body: str | None = None) -> int:
    at = HTTPConnection("127.0.0.1", server.port, timeout=60, source_address=(GUESSER, 0))
    with closing(at) as connection:
        connection.request(method, path, body, {"Connection": "close", **headers})
        return connection.getresponse().status


def add_victim(server: Server, username: str) -> None:
    """Make a user, and let them sign in from home."""
    by_basic(server).done("POST", "/users", {"username": username, "password": PASSWORD, "is_active": True})
    assert Client(server.port, source=AT_HOME).sign_in(username).status == 303


def guess(server: Server, road: Guess, username: str, passwords: Iterable[str], *, at_once: int = 1) -> Guessed:
    """Try passwords one after the other, or several at once; afterwards the victim signs in from home."""
    with ThreadPoolExecutor(at_once) as hands:
        statuses = list(hands.map(lambda password: road(server, username, password), passwords))
    got_in = Client(server.port, source=AT_HOME).sign_in(username).status == 303
    return Guessed(statuses, checks(server, username), got_in)


def checks(server: Server, username: str) -> int:
    """Count how often a wrong password of somebody was compared with the right one."""
    query = "SELECT count(*) FROM audit WHERE event = 'sign-in' AND outcome = 'wrong' AND target = "
    return int(server.rows(f"{query}'{username}'")[0][0])


def words(wrong: int) -> list[str]:
    """Return so many wrong passwords, and the right one behind them."""
    return [*(f"Wrong-{number} battery" for number in range(wrong)), PASSWORD]


def judge(road: str, found: Guessed) -> list[str]:
    """Return what went wrong when somebody guessed."""
    got_in = [status for status in found.statuses if status < 400]
    return [
        *([f"{road}: the right password behind {len(found.statuses) - 1} wrong ones was found"] if got_in else []),
        *([f"{road}: {found.checks} checks, {ALLOWED} are allowed"] if found.checks > ALLOWED else []),
        *([] if found.victim_got_in else [f"{road}: the user could not sign in from home meanwhile"]),
    ]


def run() -> Outcome:
    """Guess on each road, one after the other and sixteen at once."""
    outcome, turned_away = Outcome("guessing, one's own script"), 0
    with target() as server:
        for at_once in (1, 16):
            for road, way in ROADS.items():
                victim, name = f"victim-{road[0]}-{at_once}", f"{road}, {at_once} at once"
                add_victim(server, victim)
                found = guess(server, way, victim, words(100), at_once=at_once)
                outcome.requests += len(found.statuses)
                outcome.findings += judge(name, found)
                outcome.wrong_2xx += sum(status < 400 for status in found.statuses)
                turned_away += found.turned_away if at_once > 1 else 0  # nobody else was there to fill a queue
                counted = f"{found.checks} checks for {len(found.statuses)} tries, {found.turned_away} turned away"
                outcome.notes.append(f"{name}: {counted}")
        # A database that refuses answers 503 as well, and is no full queue.
        outcome.errors = errors_logged(server) - turned_away + server.output.count('"the database refused"')
    return outcome
