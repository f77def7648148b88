"""docs/security.md: every requirement is answered, every test it names exists, every number is the one in force."""

import ast
import re
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from authapp import invitations, issued_tokens, passwords, sessions, wizard
from authapp.config.example import default_text
from authapp.config.options import OPTIONS

ROOT = Path(__file__).parents[1]
STATES = {"met", "met in part", "not met", "does not apply"}
# OWASP ASVS 5.0.0: levels 1 and 2 of the chapters V3, V6, V7, V9 and V16.
REQUIRED = {
    1: """
    3.2.1 3.2.2 3.3.1 3.4.1 3.4.2 3.5.1 3.5.2 3.5.3
    6.1.1 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.3.1 6.3.2 6.4.1 6.4.2
    7.2.1 7.2.2 7.2.3 7.2.4 7.4.1 7.4.2
    9.1.1 9.1.2 9.1.3 9.2.1
    """,
    2: """
    3.3.2 3.3.3 3.3.4 3.4.3 3.4.4 3.4.5 3.4.6 3.5.4 3.5.5 3.7.1 3.7.2
    6.1.2 6.1.3 6.2.9 6.2.10 6.2.11 6.2.12 6.3.3 6.3.4 6.4.3 6.4.4
    6.5.1 6.5.2 6.5.3 6.5.4 6.5.5 6.6.1 6.6.2 6.6.3 6.8.1 6.8.2 6.8.3 6.8.4
    7.1.1 7.1.2 7.1.3 7.3.1 7.3.2 7.4.3 7.4.4 7.4.5 7.5.1 7.5.2 7.6.1 7.6.2
    9.2.2 9.2.3 9.2.4
    16.1.1 16.2.1 16.2.2 16.2.3 16.2.4 16.2.5 16.3.1 16.3.2 16.3.3 16.3.4 16.4.1 16.4.2 16.4.3 16.5.1 16.5.2 16.5.3
    """,
}
LIMITS = {
    "PROOF_LIFETIME": sessions.PROOF_LIFETIME,
    "TOKEN_LIFETIME": wizard.TOKEN_LIFETIME,
    "MOST_OF_ONE_USER": issued_tokens.MOST_OF_ONE_USER,
    "MAX_LENGTH": passwords.MAX_LENGTH,
    "MOST_AT_ONCE": invitations.MOST_AT_ONCE,
}
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def table(name: str) -> list[list[str]]:
    """Return the cells of a marked table, without its head."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    block = text.partition(f"<!-- {name}: ")[2].partition(f"<!-- end of {name} -->")[0]
    rows = [line for line in block.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def named_tests(cell: str) -> list[tuple[str, str]]:
    """Return the tests a cell names: file and function."""
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", cell)


@cache
def functions(file: str) -> set[str]:
    """Return the functions that a file of tests defines."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_requirement_is_there_once() -> None:
    """The table has each requirement of its chapters once, with its level, in their order."""
    wanted = [(number, str(level)) for level, text in REQUIRED.items() for number in text.split()]
    wanted.sort(key=lambda pair: [int(part) for part in pair[0].split(".")])
    assert [(row[0], row[1]) for row in table("asvs")] == wanted


@pytest.mark.parametrize("name", ["asvs", "nist"])
def test_every_row_has_a_state(name: str) -> None:
    """Each row says one of four words, and one that is not met says why."""
    for row in table(name):
        assert row[-2] in STATES, row
        assert row[-2] == "met" or re.match(r"\w", row[-1]), row


@pytest.mark.parametrize("name", ["asvs", "nist"])
def test_what_is_met_is_shown_by_a_test(name: str) -> None:
    """Each row that is met names at least one test."""
    assert [row for row in table(name) if row[-2].startswith("met") and not named_tests(row[-1])] == []


def test_every_test_exists() -> None:
    """Each test that the page names is there."""
    named = named_tests((ROOT / "docs" / "security.md").read_text(encoding="utf-8"))
    assert len(named) > 100
    assert [f"{file}::{test}" for file, test in named if test not in functions(file)] == []


def test_the_limits_are_those_in_force() -> None:
    """Each number is the default of its option, or the constant of that name."""
    documented = {row[0].strip("`"): row[1] for row in table("limits")}
    for name, value in documented.items():
        if name in OPTIONS:
            assert value == default_text(OPTIONS[name]), name
        elif isinstance(LIMITS[name], timedelta):
            assert timedelta(**{UNITS[value[-1]]: int(value[:-1])}) == LIMITS[name], name
        else:
            assert int(value) == LIMITS[name], name


def test_no_limit_is_left_out() -> None:
    """Each option that slows guessing or ends a session is among the limits."""
    wanted = {name for name in OPTIONS if name.startswith(("throttle.", "session."))}
    assert wanted <= {row[0].strip("`") for row in table("limits")}


def test_the_readme_leads_there() -> None:
    """README.md leads to both pages about security, and each to the other."""
    readme, policy, page = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "SECURITY.md", "docs/security.md")
    )
    assert "(docs/security.md)" in readme
    assert "(SECURITY.md)" in readme
    assert "(docs/security.md)" in policy
    assert "(../SECURITY.md)" in page
