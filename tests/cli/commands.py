"""What a command left behind, as tests ask about it."""

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from click.testing import Result

from tests.world import ADA, PASSWORD

Run = Callable[..., Result]
FACTS = {
    "id", "username", "full_name", "role", "is_active", "is_superuser", "must_change_password", "created_at",
    "last_login_at",
}  # fmt: skip
MORE_FACTS = FACTS | {"is_owner", "is_locked"}
INITIAL_PASSWORD = r"(?:[A-Z][a-z]{4}-){4}\d\d"


def is_one_sentence(result: Result, status: int = 1) -> bool:
    """Tell whether a command ended with a status and said why in one line on standard error."""
    lines = result.stderr.strip().splitlines()
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return len(lines) == 1 and bool(re.fullmatch(r"(Error: )?[A-Z].*[.!]", lines[0]))


def problems_of(result: Result) -> list[str]:
    """Return the problems a command ended with, one a line."""
    assert result.exit_code == 2, result.output
    return result.stderr.splitlines()


def printed(result: Result) -> Any:
    """Return the JSON a command printed, when that is all it printed and it did what was asked."""
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return json.loads(result.stdout)


def said(result: Result) -> str:
    """Return what a command printed, when it did what was asked."""
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def credentials(username: str = ADA, password: str = PASSWORD) -> str:
    """Return a config file with the owner's credentials."""
    return f"server:\n  basic-auth:\n    username: {username}\n    password: '{password}'\n"


def is_safe_to_show(text: str) -> bool:
    """Tell whether a terminal only shows a text, and obeys nothing in it."""
    return all(sign == "\n" or unicodedata.category(sign)[0] != "C" for sign in text)
