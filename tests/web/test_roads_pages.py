"""The pages, through the one table of who may do what to whom."""

import pytest

from tests.people_cases import BULK_FORM, PAGES, Scene, go
from tests.world import World


@pytest.mark.parametrize("scene", PAGES.scenes(), ids=str)
def test_what_the_pages_say(cast: World, scene: Scene) -> None:
    """Whoever acts gets from the pages what the table says, and what is refused changes nothing."""
    assert go(cast, scene, PAGES) == PAGES.expects(scene)


@pytest.mark.parametrize("scene", BULK_FORM.scenes(), ids=str)
def test_what_the_form_for_several_says(cast: World, scene: Scene) -> None:
    """The form for several users at once does and refuses the same as the one for a single user."""
    assert go(cast, scene, BULK_FORM) == BULK_FORM.expects(scene)
