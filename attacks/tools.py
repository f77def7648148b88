"""Where the tools are, and how one is run: never longer, nor further, than it should."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / ".venv-attack" / "bin"


def find(tool: str) -> str | None:
    """Return the path of a tool: from its own environment, else from the system; None when it is not here."""
    return shutil.which(tool, path=f"{OWN}{os.pathsep}{os.environ.get('PATH', '')}")


def run(command: Sequence[str], folder: Path, seconds: float) -> tuple[str, bool]:
    """Run a tool in a folder of its own; return what it printed, and whether it ended in time."""
    settings = {"HOME": str(folder), "PATH": os.environ.get("PATH", ""), "TERM": "dumb"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as ended:
        return (ended.output or b"").decode(errors="replace"), False
    return done.stdout.decode(errors="replace"), True
