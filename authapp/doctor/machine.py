"""What the doctor asks the machine: file systems, rights, free space, and who answers at an address."""

import http.client
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
PATIENCE = 2  # seconds


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount: where it is, and what kind of file system."""

    point: Path
    kind: str


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine; tests bring one of their own.

    `answer` returns the first word of a page such as `/healthz` at an address: None when nobody listens there, an
    empty text when it is something else that listens.
    """

    mountinfo: str
    answer: Callable[[str, int, str], str | None]
    free_space: Callable[[Path], int]

    @classmethod
    def here(cls) -> "Machine":
        """Return the machine this runs on; where there is no list of mounts, none is known."""
        try:
            mountinfo = MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            mountinfo = ""
        return cls(mountinfo, _answer, lambda path: shutil.disk_usage(path).free)

    def mounts(self) -> list[Mount]:
        """Return what is mounted, in the order it was."""
        found = []
        for line in self.mountinfo.splitlines():
            before, separator, behind = line.partition(" - ")
            fields, kinds = before.split(" "), behind.split(" ")
            if separator and len(fields) > 4:  # noqa: PLR2004 - the fifth field is the mount point, see proc(5)
                found.append(Mount(Path(_unescaped(fields[4])), kinds[0]))
        return found

    def file_system_of(self, path: Path) -> str:
        """Return the kind of file system something lives on; empty when that is not known."""
        whole = _whole(path)
        around = [mount for mount in self.mounts() if whole.is_relative_to(mount.point)]
        # Of two mounts at one place the later one covers the earlier.
        best = max(enumerate(around), key=lambda one: (len(one[1].point.parts), one[0]), default=None)
        return best[1].kind if best else ""

    def is_mount_point(self, file: Path) -> bool:
        """Tell whether a file is mounted by itself, rather than with its folder."""
        whole = _whole(file)
        mine, parents = status(whole), status(whole.parent)
        if mine is None or parents is None:
            return False
        return mine.st_dev != parents.st_dev or any(mount.point == whole for mount in self.mounts())


def status(path: Path) -> os.stat_result | None:
    """Return a file's status, or None when there is no such file, or none to be seen."""
    try:
        return path.stat()
    except (OSError, ValueError):
        return None


def nearest_folder(path: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    return next((folder for folder in (path, *path.parents) if status(folder)), Path("/"))


def _whole(path: Path) -> Path:
    """Return a path without links in it; links that go round in circles stay."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def _unescaped(text: str) -> str:
    """Return a path as it is; the list of mounts writes spaces and their like as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _answer(host: str, port: int, path: str) -> str | None:
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.connect()
    except (OSError, UnicodeError):
        return None
    try:
        connection.request("GET", path)
        return connection.getresponse().read(64).decode("latin-1").strip()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
