"""What the documentation repeats from the code is as the code says."""

import re
import runpy
from pathlib import Path

import pytest

from authapp import permissions
from authapp.config.environment import own_name
from authapp.config.example import example
from authapp.config.options import OPTIONS
from authapp.metrics.declared import METRICS

ROOT = Path(__file__).parents[1]
DOCS = runpy.run_path(str(ROOT / "scripts" / "docs"))


def test_the_example_config_names_every_option() -> None:
    """config.yml.example is what `authapp config example` prints."""
    assert (ROOT / "config.yml.example").read_text(encoding="utf-8") == example()


def test_the_options_are_documented() -> None:
    """docs/options.md is what the declarations of the options say."""
    assert (ROOT / "docs" / "options.md").read_text(encoding="utf-8") == DOCS["options"]()


@pytest.mark.parametrize("key", OPTIONS)
def test_each_option_is_documented(key: str) -> None:
    """Example and documentation name every option, with its help and its environment variable."""
    text = DOCS["options"]()
    assert f"### `{key}`" in text
    assert OPTIONS[key].help in text
    assert f"`{own_name(key)}`" in text
    assert key.rpartition(".")[2] + ":" in example() or key == "server.basic-auth.enabled"


def test_the_table_of_permissions() -> None:
    """docs/people.md shows the table of permissions that is in force."""
    text = (ROOT / "docs" / "people.md").read_text(encoding="utf-8")
    assert DOCS["people"](text) == text
    assert permissions.table() in text


def test_the_metrics_are_documented() -> None:
    """docs/metrics.md shows every metric, as it is declared."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert DOCS["metrics"](text) == text
    assert [one.full_name for one in METRICS if f"| `{one.full_name}` | {one.kind} |" not in text] == []


def test_the_alerts_ask_for_metrics_that_are_there() -> None:
    """What the alerts and queries in docs/metrics.md ask for is declared, with the labels they ask by."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").partition("## What to be woken for")[2]
    known = {one.full_name: set(one.labels) for one in METRICS}
    asked = re.findall(r"\b(authapp_\w+?)(?:_bucket)?\b(?:\{(\w+)=)?", text)
    assert len(asked) >= 10
    assert {name for name, _ in asked} <= known.keys()
    assert [name for name, label in asked if label and label not in known[name]] == []


def test_what_is_said_of_faults_is_tested() -> None:
    """Every row of docs/reliability.md names tests, and all of them exist."""
    rows = [
        row for row in (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").splitlines() if "| `" in row
    ]
    named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row)}
    tests = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert len(rows) >= 10
    assert named
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []
