"""Several nodes on one database: who is alive, and what is said when their config files differ."""

import os
from datetime import UTC, datetime, timedelta

import time_machine

from authapp import nodes
from authapp.nodes import Here
from tests.world import World

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
CANARY = "canary-Xq7Zk4wJ9v-canary-Xq7Zk4wJ9v"


def beat(world: World, node_id: str) -> None:
    """Let a node with the config of this moment give a sign of life."""
    nodes.beat(world.database, node(node_id), world.snapshot.effective)


def node(node_id: str) -> Here:
    """Return a node on a machine of its own."""
    return Here(f"host-{node_id}", "/etc/authapp/config.yml", node_id, os.getpid())


def differing(world: World, node_id: str = "b") -> list[str]:
    """Return the keys that another live node was given otherwise."""
    with world.database.reading() as db:
        return [problem.key for problem in nodes.check(db, world.snapshot.effective, node(node_id))]


def alive(world: World) -> list[str]:
    """Return the ids of the live nodes."""
    with world.database.reading() as db:
        return [node.id for node in nodes.live(db)]


def test_config_files_that_agree(world: World) -> None:
    """Two nodes with the same config file have nothing to say, whatever is their own: address, workers, log."""
    world.write_config("session: {lifetime: 3h}\nlog: {level: error}\nserver: {port: 8081, workers: 1}\n")
    beat(world, "a")
    world.write_config("session: {lifetime: 3h}\n")
    assert differing(world) == []


def test_config_files_that_differ(world: World) -> None:
    """An option that one node was given otherwise, or not at all, is named."""
    world.write_config("session: {lifetime: 3h, idle-timeout: 1h}\n")
    beat(world, "a")
    world.write_config("session: {lifetime: 4h}\n")
    assert differing(world) == ["session.idle-timeout", "session.lifetime"]


def test_secret_keys_that_differ(world: World) -> None:
    """Two secret keys are told apart, and neither stands in the table or in what is said."""
    world.write_config(f"server: {{secret-key: {CANARY}}}\n")
    beat(world, "a")
    world.write_config(f"server: {{secret-key: {CANARY}-other}}\n")
    with world.database.reading() as db:
        said = [str(problem) for problem in nodes.check(db, world.snapshot.effective, node("b"))]
        assert len(said) == 1
        assert "server.secret-key" in said[0]
        assert CANARY not in said[0] + str([node.given for node in nodes.live(db)])


def test_no_hash_of_a_password(world: World) -> None:
    """The credentials leave nothing in the table that a password could be guessed by."""
    world.write_credentials()
    beat(world, "a")
    with world.database.reading() as db:
        assert [node.given for node in nodes.live(db)] == [{}]


def test_a_silent_node_is_not_live(world: World) -> None:
    """A node that was silent for more than a minute is not compared with."""
    with time_machine.travel(NOON, tick=False):
        beat(world, "a")
    with time_machine.travel(NOON + timedelta(seconds=61), tick=False):
        beat(world, "b")
        assert alive(world) == ["b"]


def test_a_node_that_stops_is_gone(world: World) -> None:
    """A node that stops is live no more."""
    beat(world, "a")
    nodes.leave(world.database, "a")
    assert alive(world) == []
