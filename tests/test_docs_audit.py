"""docs/audit.md names every event the code records, and what each says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from authapp import audit
from authapp.web import words

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| `([^`]+)` \| .+? \| ?(.*?) ?\|$", re.MULTILINE)


def recorded() -> Iterator[tuple[str, set[str]]]:
    """Yield each event the code records, with the names of its details."""
    for file in (ROOT / "authapp").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "record":
                details = {word.arg or "" for word in node.keywords} - {"outcome", "target"}
                yield name_of(node.args[1]), details


def name_of(event: ast.expr) -> str:
    """Return an event that stands in a call: as a text, or as `audit.NAME`."""
    if isinstance(event, ast.Constant):
        return str(event.value)
    assert isinstance(event, ast.Attribute)
    return str(getattr(audit, event.attr))


def documented() -> dict[str, set[str]]:
    """Return the table of events: what each says."""
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    return {event: set(re.findall(r"`([^`]+)`", details)) for event, details in ROW.findall(text)}


def test_every_event_has_words() -> None:
    """The page has plain words for each event, and so offers it among its filters."""
    assert documented().keys() - {event.split()[0] for event in words.EVENTS} == set()


def test_every_event_is_documented() -> None:
    """The table of events names those the code records, no more, and with all their details."""
    events: dict[str, set[str]] = {}
    for event, details in recorded():
        events.setdefault(event, set()).update(details)
    assert documented() == events
