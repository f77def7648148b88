"""A node's signs of life: when it gives them, and what it says of other nodes."""

from datetime import timedelta

import pytest
from sqlalchemy import delete
from structlog.testing import capture_logs

from authapp import nodes
from authapp.models import Node
from authapp.nodes import Here
from authapp.pulse import Pulse
from tests.hasher import CountingHasher
from tests.world import World, moved_away

OTHER = Here("web-2", "/etc/authapp/config.yml", "other", 4711)


@pytest.fixture
def pulse(world: World) -> Pulse:
    """The pulse of a node whose file gives Ada's credentials; it has beaten once."""
    world.write_credentials()
    pulse = Pulse(world.database, world.app.live, Here.new_node(world.locations))
    pulse.beat_if_due()
    return pulse


@pytest.fixture
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass between two beats."""
    monkeypatch.setattr(nodes, "BEAT", timedelta(0))


def said(world: World) -> dict[str, bool]:
    """Return which parts of its credentials the one node found to be the stored ones."""
    with world.database.reading() as db:
        (node,) = nodes.live(db)
        return {part: found for part, found in (node.agreement or {}).items() if part != "pair"}


def forget(world: World) -> None:
    """Take what the node said of its credentials out of its row."""
    with world.database.writing() as db:
        (node,) = nodes.live(db)
        node.agreement = None


@pytest.mark.usefixtures("pulse")
def test_a_node_says_that_its_credentials_count(world: World) -> None:
    """With its first beat a node is in the list, and says that it was given the stored name and password."""
    assert said(world) == {"username": True, "password": True}


def test_between_two_beats_nothing_is_written(world: World, pulse: Pulse) -> None:
    """Before it is time, and while nothing changes, a node is silent."""
    forget(world)
    pulse.beat_if_due()
    assert said(world) == {}


def test_a_change_is_told_at_once(world: World, pulse: Pulse) -> None:
    """After an edit of the config file a node does not wait for its next beat."""
    world.write_config("session: {lifetime: 3h}\n")
    pulse.beat_if_due()
    with world.database.reading() as db:
        (node,) = nodes.live(db)
        assert list(node.given) == ["session.lifetime"]


@pytest.mark.usefixtures("always_due")
def test_a_beat_verifies_no_password_again(world: World, pulse: Pulse, hasher: CountingHasher) -> None:
    """A password is verified only when it may be another one."""
    forget(world)
    pulse.beat_if_due()
    assert said(world) == {"username": True, "password": True}
    assert hasher.verified == 0


@pytest.mark.usefixtures("always_due")
def test_another_node_is_spoken_of_once(world: World, pulse: Pulse) -> None:
    """What another node was given otherwise is one warning, however often both beat."""
    world.write_config("session: {lifetime: 3h}\n")
    nodes.beat(world.database, OTHER, world.snapshot.effective)
    world.write_config("session: {lifetime: 4h}\n")
    with capture_logs() as lines:
        pulse.beat_if_due()
        pulse.beat_if_due()
    (line,) = lines
    assert (
        "session.lifetime: the node web-2 (/etc/authapp/config.yml, process 4711) was given another value"
        in line["event"]
    )


@pytest.mark.usefixtures("always_due")
def test_nodes_that_agree_again(world: World, pulse: Pulse) -> None:
    """When nothing differs any more, one line says so, and whoever mended a file need not look at the page."""
    world.write_config("session: {lifetime: 3h}\n")
    nodes.beat(world.database, OTHER, world.snapshot.effective)
    world.write_config("session: {lifetime: 4h}\n")
    pulse.beat_if_due()
    world.write_config("session: {lifetime: 3h}\n")
    with capture_logs() as lines:
        pulse.beat_if_due()
        pulse.beat_if_due()
    assert [line["event"] for line in lines] == ["all nodes that serve were given the same again"]


@pytest.mark.usefixtures("always_due")
def test_the_log_says_that_the_database_is_away(world: World, pulse: Pulse) -> None:
    """One line says that the database cannot be used, and why, and one that it can again, also if nobody asks."""
    with capture_logs() as lines, moved_away(world):
        pulse.beat_if_due()
        pulse.beat_if_due()
    with capture_logs() as afterwards:
        pulse.beat_if_due()
        pulse.beat_if_due()
    (line,) = lines
    assert (line["event"], bool(line["reason"])) == ("the database cannot be used", True)
    assert [line["event"] for line in afterwards] == ["the database can be used again"]


@pytest.mark.usefixtures("always_due")
def test_a_database_that_is_away(world: World, pulse: Pulse) -> None:
    """Without the database a node goes on, and is in the list again afterwards."""
    with moved_away(world):
        pulse.beat_if_due()
    with world.database.writing() as db:
        db.execute(delete(Node))
    pulse.beat_if_due()
    assert said(world)
