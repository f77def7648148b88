"""The rules, through the one table of who may do what to whom."""

import pytest

from tests.people_cases import RULES, Scene, go
from tests.world import World


@pytest.mark.parametrize("scene", RULES.scenes(), ids=str)
def test_what_the_rules_say(cast: World, scene: Scene) -> None:
    """Whoever acts gets from the rules what the table says, and what is refused changes nothing."""
    assert go(cast, scene, RULES) == RULES.expects(scene)
