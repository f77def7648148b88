"""Nodes with different credentials in their config files never adopt them in turns."""

import os
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine
from werkzeug.security import generate_password_hash

from authapp import modes, nodes, passwords, provision, settings, user_passwords
from authapp.config.live import Reading, Snapshot
from authapp.config.overlay import GivenCredentials
from authapp.errors import Problem
from authapp.nodes import Here
from authapp.settings import Credentials
from tests.world import ADA, OTHER_PASSWORD, PASSWORD, SHELL, World, at_once, signed_in

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
THIRD_PASSWORD = "Umbrella & sewing machine"
ONE, OTHER, THIRD = (GivenCredentials(ADA, text) for text in (PASSWORD, OTHER_PASSWORD, THIRD_PASSWORD))


def node(name: str, run: int = 1) -> Here:
    """Return the node on a machine of this name; with each `run` it is another one with the same config file."""
    return Here(name, "/etc/authapp/config.yml", f"{name}-{run}", os.getpid())


def reading(world: World, given: GivenCredentials, *, edited: bool = False) -> Reading:
    """Return a config file that gives these credentials, as a process reads it that starts."""
    return Reading(world.snapshot.effective, given, changed=True, edited=edited, first=not edited)


def adopt(world: World, here: Here, given: GivenCredentials, *, edited: bool = False) -> tuple[Problem, ...]:
    """Let a node start with these credentials, or read an edit; return what does not count."""
    return provision.adopt(world.database, reading(world, given, edited=edited), here)


def beat(world: World, here: Here, given: GivenCredentials) -> None:
    """Let a node with these credentials give a sign of life."""
    compared = nodes.compare(world.database, Snapshot(world.snapshot.effective, given))
    nodes.beat(world.database, here, world.snapshot.effective, compared)


def counts(world: World, given: GivenCredentials) -> bool:
    """Tell whether these credentials are the stored ones."""
    stored = world.setting("server.basic-auth")
    right = passwords.verify(stored["password_hash"], given.password or "")
    return right and stored["username"] == given.username


def differing(world: World, here: Here) -> list[str]:
    """Return what a node says of the others."""
    with world.database.reading() as db:
        return [str(problem) for problem in nodes.check(db, world.snapshot.effective, here)]


@pytest.fixture
def two(world: World) -> World:
    """Node `a`, which started first, and node `b`, whose other credentials were adopted then."""
    assert adopt(world, node("a"), ONE) == ()
    assert adopt(world, node("b"), OTHER) == ()
    return world


# -- what is not adopted --------------------------------------------------------------------------------------


def test_a_restarted_node_brings_nothing_back(two: World) -> None:
    """A node does not adopt what was replaced while another live node was given what counts; all stay signed in."""
    ada = signed_in(two, ADA, OTHER_PASSWORD)
    (problem,) = adopt(two, node("a", 2), ONE)
    assert problem.key == "server.basic-auth.password"
    assert (
        f"the node b (/etc/authapp/config.yml, process {os.getpid()}) was given what counts now" in problem.message
    )
    assert counts(two, OTHER)
    assert ada.is_signed_in()


def test_three_nodes(two: World) -> None:
    """However many nodes differ, each restart leaves the last adopted credentials in force."""
    adopt(two, node("c"), THIRD)
    for name, given in (("a", ONE), ("b", OTHER), ("a", ONE)):
        assert adopt(two, node(name, 2), given) != ()
    assert counts(two, THIRD)


def test_a_changed_name_is_not_brought_back(world: World) -> None:
    """Two files that call the owner by different names do not rename the owner in turns."""
    adopt(world, node("a"), ONE)
    adopt(world, node("b"), GivenCredentials("ada"))
    (problem,) = adopt(world, node("a", 2), GivenCredentials(ADA))
    assert problem.key == "server.basic-auth.username"
    assert world.setting("server.basic-auth")["username"] == "ada"


def test_a_lone_password_is_not_brought_back(two: World) -> None:
    """A password without a name is compared like a pair."""
    assert adopt(two, node("a", 2), GivenCredentials(password=PASSWORD)) != ()
    assert counts(two, OTHER)


def test_a_hash_is_not_brought_back(world: World) -> None:
    """A password hash in the file is compared as a text."""
    one, other = (GivenCredentials(ADA, None, passwords.hash_password(text)) for text in (PASSWORD, OTHER_PASSWORD))
    adopt(world, node("a"), one)
    adopt(world, node("b"), other)
    assert adopt(world, node("a", 2), one) != ()
    assert counts(world, OTHER)


def test_a_password_changed_on_a_page_is_not_brought_back(world: World) -> None:
    """It makes no difference how the old password was replaced."""
    adopt(world, node("a"), ONE)
    change_password(world, OTHER_PASSWORD)
    beat(world, node("b"), OTHER)
    assert adopt(world, node("a", 2), ONE) != ()


def change_password(world: World, password: str) -> None:
    """Let Ada change her password where no file pins it."""
    user_passwords.set_password(world.database, world.snapshot.effective, world.user(ADA).id, password, SHELL)


def test_nodes_that_start_at_once(two: World) -> None:
    """Of two nodes that start at the same moment with different credentials, one adopts its own."""
    change_password(two, THIRD_PASSWORD)
    both = ((node("a", 2), ONE), (node("b", 2), OTHER))
    starts = (partial(provision.adopt, two.connect(), reading(two, given), here) for here, given in both)
    outcomes = at_once(*starts)
    assert outcomes.count(()) == 1
    assert counts(two, (ONE, OTHER)[outcomes.index(())])


def test_a_worker_adopts_nothing_when_it_starts(two: World) -> None:
    """A worker that is started anew leaves that to its node, which has started before."""
    nodes.leave(two.database, "b-1")
    late = provision.adopt(two.database, reading(two, ONE), node("a"), starts=False)
    assert [problem.key for problem in late] == ["server.basic-auth.password"]
    assert counts(two, OTHER)


# -- what is adopted ------------------------------------------------------------------------------------------


def test_an_edit_always_counts(two: World) -> None:
    """An edit of the file is adopted, whatever other nodes were given."""
    assert adopt(two, node("a"), ONE, edited=True) == ()
    assert counts(two, ONE)


def test_new_credentials_always_count(two: World) -> None:
    """A node that starts with credentials this installation never had adopts them."""
    assert adopt(two, node("c"), THIRD) == ()
    assert counts(two, THIRD)


def test_an_old_password_with_a_new_name(two: World) -> None:
    """A pair is another one when its name is another one."""
    zoe = GivenCredentials("zoe", PASSWORD)
    assert adopt(two, node("a", 2), zoe) == ()
    assert counts(two, zoe)


def test_recovery_with_an_old_password(two: World) -> None:
    """Without another live node the file wins, also with a password that was replaced."""
    nodes.leave(two.database, "b-1")
    assert adopt(two, node("a", 2), ONE) == ()
    assert counts(two, ONE)


def test_a_node_that_was_killed(world: World) -> None:
    """The same server before it was killed is no other node: its file may be edited before the next start."""
    adopt(world, node("a"), ONE)
    adopt(world, node("a"), OTHER, edited=True)
    assert adopt(world, node("a", 2), ONE) == ()
    assert counts(world, ONE)


def test_a_silent_node_keeps_nothing_back(world: World) -> None:
    """A node that was silent for more than a minute is not asked."""
    with time_machine.travel(NOON, tick=False):
        adopt(world, node("a"), ONE)
        adopt(world, node("b"), OTHER)
    with time_machine.travel(NOON + timedelta(seconds=61), tick=False):
        assert adopt(world, node("a", 2), ONE) == ()


def test_a_node_that_was_given_nothing_keeps_nothing_back(two: World) -> None:
    """Only a node whose file gives what counts now keeps another one from adopting."""
    change_password(two, THIRD_PASSWORD)
    beat(two, node("b"), GivenCredentials())
    assert adopt(two, node("a", 2), ONE) == ()


def test_a_node_that_agrees_in_the_name_alone_keeps_no_password_back(two: World) -> None:
    """A file that gives just the owner's name says nothing against a password."""
    beat(two, node("b"), GivenCredentials(ADA))
    assert adopt(two, node("a", 2), ONE) == ()
    assert counts(two, ONE)


# -- what nodes say of each other -----------------------------------------------------------------------------


def test_a_node_with_other_credentials_is_named(two: World) -> None:
    """A live node that was given credentials which do not count is named to the others, and not to itself."""
    beat(two, node("a"), ONE)
    (said,) = differing(two, node("b"))
    assert said.startswith(
        f"server.basic-auth.password: the node a (/etc/authapp/config.yml, process {os.getpid()}) was given another"
    )
    assert differing(two, node("a")) == []


def test_what_a_node_said_of_older_credentials(two: World) -> None:
    """What a node said counts no more once other credentials are stored, until it says something new."""
    beat(two, node("a"), ONE)
    change_password(two, THIRD_PASSWORD)
    assert differing(two, node("b")) == []
    beat(two, node("a"), ONE)
    assert len(differing(two, node("b"))) == 1


def test_a_beat_of_before(two: World) -> None:
    """A beat that compared with older credentials does not write over what was said with newer ones."""
    effective = two.snapshot.effective
    compared = nodes.compare(two.database, Snapshot(effective, OTHER))
    adopt(two, node("b"), THIRD, edited=True)
    nodes.beat(two.database, node("b"), effective, compared)
    assert adopt(two, node("a", 2), ONE) != ()


def test_the_list_of_nodes_holds_no_credentials(two: World) -> None:
    """Neither the name nor the hash stands in the list of nodes."""
    row = str(two.tables()["nodes"])
    assert ADA not in row
    assert two.setting("server.basic-auth")["password_hash"] not in row


# -- what was replaced ----------------------------------------------------------------------------------------


def replaced(world: World) -> list[Credentials]:
    """Return the remembered pairs."""
    with world.database.reading() as db:
        return settings.replaced_credentials(db)


def test_the_last_eight_are_remembered(cast: World) -> None:
    """What was replaced is remembered, the last one first, and no more than eight of them."""
    with cast.database.writing() as db:
        for number in range(10):
            settings.store_credentials(db, Credentials(ADA, f"hash {number}"))
    assert [pair.password_hash for pair in replaced(cast)] == [f"hash {number}" for number in range(8, 0, -1)]


def test_a_better_hash_replaces_nothing(cast: World) -> None:
    """When a sign-in makes a better hash of the same password, the older one is not kept."""
    older = Credentials(ADA, generate_password_hash(PASSWORD, "scrypt:1024:8:1"))
    with cast.database.writing() as db:
        settings.store_credentials(db, older, rehashed=True)
    signed_in(cast)
    assert cast.setting("server.basic-auth")["password_hash"] != older.password_hash
    assert replaced(cast) == []


def test_mode_none_forgets_them(two: World) -> None:
    """With the owner's credentials go those they replaced."""
    assert replaced(two)
    modes.enter_none(two.database, SHELL)
    assert replaced(two) == []
