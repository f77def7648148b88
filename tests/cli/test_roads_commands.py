"""The commands, through the one table of who may do what to whom."""

import pytest

from tests.cli.commands import Run
from tests.people_cases import SCENES, Scene, command_line, go
from tests.world import World


@pytest.mark.parametrize("scene", [scene for scene in SCENES if scene.by == "host"], ids=str)
def test_what_the_commands_say(run: Run, cast: World, scene: Scene) -> None:
    """Whoever has a shell gets from the commands what the table says, and what is refused changes nothing."""
    road = command_line(run)
    assert go(cast, scene, road) == road.expects(scene)
