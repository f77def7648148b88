"""Clients that change things until their server is gone, and remember what they were told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import count

from tests.server.program import Program, by_jwt
from tests.server_process import Client, Server, wait_for
from tests.world import PASSWORD

# All of them come from one address, and nobody of them shall have to wait.
CONFIG = "auth:\n  sign-up: true\nthrottle:\n  attempts: 1000\n"
KEEPS = 8  # of so many API tokens one is kept; a user may have a hundred


@dataclass
class Told:
    """What was answered with yes, of users, API tokens and cookies; and the statuses that were a no."""

    users: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    signed_out: list[dict[str, str]] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)

    @property
    def of_each(self) -> int:
        """How many answers there are of whatever there are fewest."""
        return min(map(len, (self.users, self.tokens, self.revoked, self.signed_out)))


Writer = Callable[[Server, Told, Program, str], None]


def add_users(server: Server, told: Told, program: Program, name: str) -> None:
    """Add users over the API, one after the other."""
    del server
    for number in count():
        user = f"{name}-{number}"
        answer = program.ask("POST", "/users", {"username": user, "password": PASSWORD})
        (told.users.add(user) if answer.status == 201 else told.refused.add(answer.status))


def sign_up(server: Server, told: Told, program: Program, name: str) -> None:
    """Sign up on the page, one person after the other."""
    del program
    for number in count():
        user = f"{name}-{number}"
        answer = server.client().post("/sign-up", {"username": user, "password": PASSWORD})
        (told.users.add(user) if answer.status == 200 else told.refused.add(answer.status))


def revoke(server: Server, told: Told, program: Program, name: str) -> None:
    """Make API tokens, and revoke most of them."""
    del server
    for number in count():
        made = program.ask("POST", "/tokens", {"name": f"{name}-{number}", "scope": "read"})
        if made.status != 201:
            told.refused.add(made.status)
            continue
        token = json.loads(made.text)
        if number % KEEPS == 0:
            told.tokens.add(token["token"])
            continue
        answer = program.ask("DELETE", f"/tokens/{token['id']}")
        (told.revoked.add(token["token"]) if answer.status == 204 else told.refused.add(answer.status))


def sign_out(server: Server, told: Told, program: Program, name: str) -> None:
    """Sign in and out, again and again."""
    del program, name
    while True:
        client = server.client()
        if (status := client.sign_in().status) != 303:
            told.refused.add(status)
            continue
        cookies = dict(client.cookies)
        answer = client.post("/logout", page="/account")
        (told.signed_out.append(cookies) if answer.status == 303 else told.refused.add(answer.status))


WRITERS: tuple[Writer, ...] = (add_users, sign_up, revoke, sign_out) * 2


@contextmanager
def writing(server: Server, name: str) -> Iterator[Told]:
    """Let eight clients write until the server is gone, which has to happen before the block ends."""
    told, threads = Told(), []
    for number, writer in enumerate(WRITERS):
        arguments = (writer, server, told, by_jwt(server), f"{name}-{number}")
        threads.append(threading.Thread(target=_until_it_is_gone, args=arguments))
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        for thread in threads:
            thread.join()


def _until_it_is_gone(writer: Writer, server: Server, told: Told, program: Program, name: str) -> None:
    with suppress(OSError, HTTPException):
        writer(server, told, program, name)


def killed_while_writing(server: Server, name: str, least: int = 5) -> Told:
    """Let eight clients write, kill the server when each kind was answered so often, and start it again."""
    with writing(server, name) as told:
        try:
            wait_for(lambda: told.of_each >= least, "answers of each kind", patience=60)
        finally:
            server.kill()
    server.start()
    return told


def lost(server: Server, told: Told) -> list[str]:
    """Return what was answered with yes and is not so."""
    there = {name for (name,) in server.rows("SELECT username FROM users")}
    out = [Client(server.port, cookies) for cookies in told.signed_out]
    return [
        *(f"the user {name} is gone" for name in told.users - there),
        *("a token is gone" for token in told.tokens if who_has(server, token) != 200),
        *("a revoked token works" for token in told.revoked if who_has(server, token) != 401),
        *("somebody who signed out is in" for client in out if client.is_signed_in()),
    ]


def who_has(server: Server, token: str) -> int:
    """Return the status a program gets with an API token."""
    return Program(server.port, {"X-API-Key": token}).ask("GET", "/users/whoami").status


def halves(server: Server) -> dict[str, tuple[int, int]]:
    """Return what there is only a half of: rows, and what the audit table says of them."""
    added = "SELECT count(*) FROM audit WHERE event IN ('user.created', 'user.signed-up')"
    made = "SELECT count(*) FROM audit WHERE event = 'token.created'"
    revoked = "SELECT count(*) FROM audit WHERE event = 'token.revoked'"
    counted = {
        "users": ("SELECT count(*) FROM users", f"SELECT ({added}) + 1"),  # the owner
        "names": ("SELECT count(DISTINCT user_id) FROM name_parts", "SELECT count(*) FROM users"),
        "tokens": ("SELECT count(*) FROM tokens WHERE kind = 'api'", f"SELECT ({made}) - ({revoked})"),
    }
    found = {what: tuple(int(server.rows(query)[0][0]) for query in pair) for what, pair in counted.items()}
    return {what: (rows, said) for what, (rows, said) in found.items() if rows != said}
