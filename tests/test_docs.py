"""What the documentation repeats from the code is as the code says."""

import runpy
from pathlib import Path

from authapp import permissions
from authapp.config.example import example

ROOT = Path(__file__).parents[1]
DOCS = runpy.run_path(str(ROOT / "scripts" / "docs"))


def test_the_example_config_names_every_option() -> None:
    """config.yml.example is what `authapp config example` prints."""
    assert (ROOT / "config.yml.example").read_text(encoding="utf-8") == example()


def test_the_table_of_permissions() -> None:
    """docs/people.md shows the table of permissions that is in force."""
    text = (ROOT / "docs" / "people.md").read_text(encoding="utf-8")
    assert DOCS["people"](text) == text
    assert permissions.table() in text
