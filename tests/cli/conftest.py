"""What the tests of the command line share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from authapp import database
from authapp.cli import main
from authapp.database import Database
from tests.cli.commands import Run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str | None) -> Iterator[Run]:
    """Run a command in the folder of the installation; `typed` is what stands on standard input."""
    opened: list[Database] = []

    class Noted(Database):
        def __init__(self, url: str) -> None:
            super().__init__(url)
            opened.append(self)

    monkeypatch.setattr(database, "Database", Noted)  # what `open_database` calls
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTHAPP_CONFIG", raising=False)
    if database_url:
        monkeypatch.setenv("AUTHAPP_DATABASE_URL", database_url)

    def call(*words: str, typed: str | bytes = "", **rest: Any) -> Result:
        return CliRunner().invoke(main, words, input=typed, **rest)

    yield call
    for one in opened:
        one.dispose()
