"""The examples of a document: which there are, how they are run, and whether they print what stands below them.

A fence says with its first line what is in it. Examples of one kind are one program, in the order of the document;
what an output block shows is what each example above it prints that has none yet in its section. In an output `…`
stands for anything.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^(?P<heading>#+ [^\n]*)$|^```(?P<kind>[^\n`]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "---- the next example ----"
# A program that is over need not have closed its connections.
PYTHON = (sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c")
# kind -> what runs it, and what parts two examples
PROGRAMS: dict[str, tuple[Sequence[str], str]] = {
    "sh": (("sh", "-euc"), f"\nprintf '%s\\n' '{MARK}'\n"),
    "python httpx": (PYTHON, f"\nprint({MARK!r}, flush=True)\n"),
    "python requests": (PYTHON, f"\nprint({MARK!r}, flush=True)\n"),
    "python": (PYTHON, f"\nprint({MARK!r}, flush=True)\n"),
}
OUTPUTS = ("text", "json")


@dataclass(slots=True)
class Example:
    """One fenced block, where it stands, and what it has to print, if the document shows it."""

    kind: str
    code: str
    section: str
    line: int
    output: str = ""
    output_kind: str = ""

    def __str__(self) -> str:
        """Say where it is."""
        return f"line {self.line}, {self.kind}"


@dataclass(slots=True)
class Document:
    """What a document's fences hold, in order."""

    blocks: list[Example] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Example]:
        """Return the blocks of some kinds."""
        return [block for block in self.blocks if block.kind in kinds]

    def sections(self) -> dict[str, set[str]]:
        """Return which kinds of blocks each section has."""
        found: dict[str, set[str]] = {}
        for block in self.blocks:
            found.setdefault(block.section, set()).add(block.kind)
        return found


def read(text: str) -> Document:
    """Return a document's blocks, each example with the output that stands below it."""
    document, section = Document(), ""
    for found in FENCE.finditer(text):
        if found["heading"]:
            section = found["heading"]
            continue
        block = Example(found["kind"], found["code"], section, text.count("\n", 0, found.start()) + 1)
        if block.kind in OUTPUTS:
            _show(document, block)
        document.blocks.append(block)
    return document


def _show(document: Document, output: Example) -> None:
    above = [block for block in document.of(*PROGRAMS) if block.section == output.section and not block.output_kind]
    assert above, f"{output} shows the output of no example"
    for block in above:
        block.output, block.output_kind = output.code, output.kind


def run(examples: Iterable[Example], folder: Path, **variables: str) -> None:
    """Run the examples of one kind as one program; AssertionError unless each prints what the document shows."""
    wanted = list(examples)
    program, between = PROGRAMS[wanted[0].kind]
    script = "".join(example.code + between for example in wanted)
    result = subprocess.run(
        [*program, script],
        cwd=folder,
        env={**_environment(), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    printed = result.stdout.split(f"{MARK}\n")
    assert len(printed) == len(wanted) + 1, f"{wanted[len(printed) - 1]} failed:\n{result.stdout}{result.stderr}"
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    for example, output in zip(wanted, printed, strict=False):
        assert is_as_shown(example, output), f"{example} printed:\n{output}"


def _environment() -> dict[str, str]:
    """Return the environment of somebody who has authapp and Python on the path, and nothing of authapp's set."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AUTHAPP_", "AUTH_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean.get('PATH', '')}"
    return {**clean, "PATH": path, "PYTHONPATH": str(ROOT)}


def is_as_shown(example: Example, output: str) -> bool:
    """Tell whether an example printed what the document shows, if it shows anything."""
    if example.output_kind == "json":
        return _is_like(json.loads(example.output), json.loads(output))
    if example.output_kind == "text":
        return _is_like(_lines(example.output), _lines(output))
    return True


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def _is_like(shown: Any, found: Any) -> bool:
    """Compare values part by part; in a text, `…` stands for one character or more."""
    if isinstance(shown, dict):
        same = isinstance(found, dict) and shown.keys() == found.keys()
        return same and all(_is_like(value, found[name]) for name, value in shown.items())
    if isinstance(shown, list):
        same = isinstance(found, list) and len(shown) == len(found)
        return same and all(map(_is_like, shown, found))
    if isinstance(shown, str) and isinstance(found, str):
        return re.fullmatch(".+".join(map(re.escape, shown.split("…"))), found) is not None
    return type(shown) is type(found) and bool(shown == found)
