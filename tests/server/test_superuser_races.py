"""Superusers who turn on each other at the same moment, over HTTP, in a world without an owner: one remains."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests.server_process import Answer, Client, Server, installation
from tests.world import DORA, PASSWORD, World, at_once

pytestmark = pytest.mark.xdist_group("server-superuser-races")
ERIN = "erin"
HANDS = 3  # how many requests each sends at once
ROUNDS = 10
WAYS = ["demote", "deactivate", "delete", "deactivate several", "delete several"]
Attack = Callable[[], Answer]


@dataclass
class Fighters:
    """The only superusers of a server, in browsers where they stay signed in as long as they can."""

    server: Server
    clients: dict[str, Client] = field(default_factory=dict)

    def client(self, name: str) -> Client:
        """Return a superuser's browser, signed in."""
        if name not in self.clients or not self.clients[name].is_signed_in():
            self.clients[name] = self.server.signed_in(name)
        return self.clients[name]


@pytest.fixture(scope="module")
def fighters(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, shared_url: str | None
) -> Iterator[Fighters]:
    """A server with four workers; Dora and Erin are its only superusers, and nobody is the owner."""
    folder = tmp_path_factory.mktemp("races")
    world = World(folder, empty_database, shared_url)
    for name in (DORA, ERIN):
        world.add(name, superuser=True)
    world.close()
    with installation(folder, workers=4, database_url=shared_url) as server:
        yield Fighters(server.start())


def remaining(server: Server) -> list[str]:
    """Return the active superusers."""
    found = server.rows("SELECT username FROM users WHERE role = 'admin' AND is_active ORDER BY username")
    return [name for (name,) in found]


def id_of(server: Server, name: str) -> str:
    """Return a user's id, or an empty text."""
    found = server.rows(f"SELECT id FROM users WHERE username = '{name}'")  # noqa: S608 - the tests' own words
    return str(found[0][0]) if found else ""


def attacks(server: Server, attacker: Client, way: str, victim: str) -> list[Attack]:
    """Return requests, ready to be sent, by which a superuser removes another one."""
    user = id_of(server, victim)
    path, form = {
        "demote": (f"{user}/superuser", {"sure": "y"}),
        "deactivate": (f"{user}/active", {}),
        "delete": (f"{user}/delete", {"typed": victim}),
        "deactivate several": ("bulk", {"ids": user, "action": "deactivate"}),
        "delete several": ("bulk", {"ids": user, "action": "delete", "typed": "delete"}),
    }[way]
    signed = {"csrf_token": attacker.token("/admin/users"), **form}
    return [partial(attacker.request, "POST", f"/admin/users/{path}", signed)] * HANDS


def restore(server: Server, winner: Client, name: str) -> None:
    """Let the superuser who remained make another one of somebody, whatever became of them."""
    if not (user := id_of(server, name)):
        form = {"username": name, "password": PASSWORD, "active": "y", "superuser": "y"}
        assert winner.post("/admin/users/new", form).status == 303
    else:
        for switch in ("active", "superuser"):
            assert winner.post(f"/admin/users/{user}/{switch}", {"on": "y"}, page="/admin/users").status == 303


def fight(fighters: Fighters, first: str, second: str, victims: tuple[str, str] = (ERIN, DORA)) -> list[Answer]:
    """Let Dora and Erin attack at the same moment, and afterwards make the loser a superuser again."""
    server = fighters.server
    assert remaining(server) == [DORA, ERIN]
    dora, erin = fighters.client(DORA), fighters.client(ERIN)
    answers = at_once(*attacks(server, dora, first, victims[0]), *attacks(server, erin, second, victims[1]))
    (winner,) = remaining(server)
    restore(server, fighters.client(winner), ERIN if winner == DORA else DORA)
    return [answer for answer in answers if isinstance(answer, Answer)]


@pytest.mark.parametrize(("first", "second"), [
    *((way, way) for way in WAYS), ("demote", "deactivate"), ("delete", "demote"),
])  # fmt: skip
def test_one_superuser_remains(fighters: Fighters, first: str, second: str) -> None:
    """When two superusers remove each other at the same moment, one of them remains, whoever it is."""
    for _ in range(ROUNDS):
        answers = fight(fighters, first, second)
        assert len(answers) == 2 * HANDS
        assert {answer.status for answer in answers} <= {303, 403, 404}


def test_one_superuser_remains_when_both_give_up(fighters: Fighters) -> None:
    """When the last two superusers give up their role at the same moment, one is told that they are the last."""
    for _ in range(ROUNDS):
        answers = fight(fighters, "demote", "demote", victims=(DORA, ERIN))
        assert any(answer.status == 409 and "last active superuser" in answer.text for answer in answers)


def test_each_fight_is_recorded_once(fighters: Fighters) -> None:
    """However many requests a superuser sends, the audit table holds one removal of the one who was removed."""
    server = fighters.server
    before = server.count("user.demoted")
    for number in range(1, ROUNDS + 1):
        fight(fighters, "demote", "demote")
        assert server.count("user.demoted") == before + number
    assert "error" not in server.output
