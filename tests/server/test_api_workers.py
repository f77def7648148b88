"""What is done to people and tokens counts for programs at their very next request, at every worker and node."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from tests.programs import PostgresServer
from tests.server.program import Program, by_basic, by_jwt, by_token
from tests.server_process import Server, installation
from tests.world import OTHER_PASSWORD, PASSWORD

pytestmark = pytest.mark.xdist_group("server-api-workers")
NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with one program for each kind of credential."""

    name: str
    id: str
    programs: dict[str, Program]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything that serves one installation: a server with several workers, or several nodes."""

    nodes: tuple[Server, ...]

    @property
    def owner(self) -> Program:
        """Ada's program; it asks the first node."""
        return by_basic(self.nodes[0])

    def seen(self, program: Program, path: str = "/users/whoami") -> set[int]:
        """Ask every node again and again for the same; return the statuses."""
        return set().union(*(Program(node.port, program.headers).seen(path) for node in self.nodes))

    def person(self, role: str = "user") -> Person:
        """Make somebody whose credentials of every kind are good at every worker."""
        name, first = f"user-{next(NUMBERS)}", self.nodes[0]
        body = {"username": name, "password": PASSWORD, "is_active": True, "role": role}
        made = self.owner.done("POST", "/users", body)
        programs = {
            "basic": by_basic(first, name), "jwt": by_jwt(first, name), "token": by_token(first, name)
        }  # fmt: skip
        person = Person(name, made["id"], programs)
        assert self.opened_by(person) == set(programs)
        return person

    def opened_by(self, person: Person) -> set[str]:
        """Return the kinds of a person's credentials that are good; each is so everywhere or nowhere."""
        found = {kind: self.seen(program) for kind, program in person.programs.items()}
        assert all(len(statuses) == 1 for statuses in found.values()), found
        return {kind for kind, statuses in found.items() if statuses == {200}}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three workers on SQLite, and two nodes of two workers on PostgreSQL, whose setup Ada has finished."""
    folders = [tmp_path_factory.mktemp("node") for _ in range(2)]
    if request.param == "sqlite":
        with installation(folders[0], workers=3) as server:
            start(server).set_up()
            yield Cluster((server,))
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    shared = f"database: {{url: '{postgres.new_database()}'}}"
    with installation(folders[0]) as one, installation(folders[1]) as other:
        start(one, shared).set_up()
        yield Cluster((one, start(other, shared)))


def start(node: Server, options: str = "") -> Server:
    """Start a node where nobody has to wait after wrong passwords: so often, each is refused for itself."""
    node.write_config(f"throttle: {{attempts: 1000, network-attempts: 10000}}\n{options}\n")
    return node.start()


Act = Callable[[Cluster, Person], Any]


def to_user(method: str, path: str = "", body: Any = None) -> Act:
    """Return what the owner does to somebody."""
    return lambda cluster, person: cluster.owner.done(method, f"/users/{person.id}{path}", body)


def by_oneself(kind: str, method: str, path: str, body: Any = None) -> Act:
    """Return what somebody does with one of their own programs."""
    return lambda _, person: person.programs[kind].done(method, path, body)


def rename(cluster: Cluster, person: Person) -> None:
    """Give somebody another user name."""
    cluster.owner.done("PATCH", f"/users/{person.id}", {"username": f"once {person.name}"})


def revoke(kind: str) -> Act:
    """Return how somebody revokes their token of a kind."""

    def act(_: Cluster, person: Person) -> None:
        (found,) = (one for one in person.programs[kind].done("GET", "/tokens")["items"] if one["current"])
        person.programs["basic"].done("DELETE", f"/tokens/{found['id']}")

    return act


NEW_PASSWORD = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}


@pytest.mark.parametrize(("act", "left"), [
    pytest.param(to_user("PATCH", body={"is_active": False}), "", id="deactivated"),
    pytest.param(to_user("DELETE"), "", id="deleted"),
    pytest.param(to_user("POST", "/reset-password"), "", id="reset"),
    pytest.param(to_user("DELETE", "/tokens"), "basic", id="all tokens revoked"),
    pytest.param(rename, "jwt token", id="renamed"),
    pytest.param(by_oneself("basic", "POST", "/users/whoami/password", NEW_PASSWORD), "token", id="own password"),
    pytest.param(by_oneself("jwt", "POST", "/logout"), "basic token", id="JWT signed out"),
    pytest.param(revoke("jwt"), "basic token", id="JWT revoked"),
    pytest.param(revoke("token"), "basic jwt", id="API token revoked"),
])  # fmt: skip
def test_what_is_over_is_over_everywhere(cluster: Cluster, act: Act, left: str) -> None:
    """What no longer counts is refused by every worker at the very next request, and the rest goes on."""
    person = cluster.person()
    act(cluster, person)
    assert cluster.opened_by(person) == set(left.split())


def test_a_changed_password_opens_everywhere(cluster: Cluster) -> None:
    """Once it is changed, every worker takes the new password, and none the old one."""
    person = cluster.person()
    person.programs["basic"].done("POST", "/users/whoami/password", NEW_PASSWORD)
    first = cluster.nodes[0]
    assert cluster.seen(by_basic(first, person.name, OTHER_PASSWORD)) == {200}
    assert cluster.opened_by(person) == {"token"}


def test_a_password_that_is_back(cluster: Cluster) -> None:
    """Who was deactivated and let in again gets in with HTTP Basic, and tokens stay gone."""
    person = cluster.person()
    for active, left in ((False, set()), (True, {"basic"})):
        cluster.owner.done("PATCH", f"/users/{person.id}", {"is_active": active})
        assert cluster.opened_by(person) == left


def test_an_owed_change_counts_everywhere(cluster: Cluster) -> None:
    """With an initial password every worker answers only who one is, and with the one after it everything."""
    person = cluster.person()
    initial = cluster.owner.done("POST", f"/users/{person.id}/reset-password")["initial_password"]
    first = cluster.nodes[0]
    program, after = by_basic(first, person.name, initial), by_basic(first, person.name, OTHER_PASSWORD)
    assert (cluster.seen(program), cluster.seen(program, "/sessions")) == ({200}, {403})
    change = {"current_password": initial, "new_password": OTHER_PASSWORD}
    program.done("POST", "/users/whoami/password", change)
    assert (cluster.seen(program), cluster.seen(after, "/sessions")) == ({401}, {200})


@pytest.mark.parametrize("kind", ["basic", "jwt", "token"])
def test_a_role_counts_everywhere(cluster: Cluster, kind: str) -> None:
    """A role that is taken or given counts at every worker at the very next request, whatever the credential."""
    person = cluster.person("admin")
    for role, status in (("admin", 200), ("user", 403), ("admin", 200)):
        cluster.owner.done("PATCH", f"/users/{person.id}", {"role": role})
        assert cluster.seen(person.programs[kind], "/users") == {status}
