"""Log lines, as they leave a process."""

import io
import json
import sys

import pytest

from authapp import logs


class Written(io.StringIO):
    """An output that remembers what was written at once."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def write(self, text: str) -> int:
        """Note a text."""
        self.parts.append(text)
        return len(text)


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_line_is_written_at_once(monkeypatch: pytest.MonkeyPatch, style: logs.Style) -> None:
    """A log line and its end are one write, so lines of several processes never stand on one."""
    output = Written()
    monkeypatch.setattr(sys, "stderr", output)
    logs.configure("info", style)
    logs.log.info("request", path="/login")
    assert [part[-1:] for part in output.parts] == ["\n"]
    if style == "json":
        assert json.loads(output.parts[0])["path"] == "/login"
