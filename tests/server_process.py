"""authapp as a user starts it: `python app.py` in a folder of its own, with real hashes and several workers."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from sqlalchemy import NullPool, create_engine

from authapp.config.live import LOOK_INTERVAL
from tests.world import ADA, PASSWORD, csrf_token

APP = Path(__file__).parents[1] / "app.py"
PATIENCE = 60.0  # seconds; what is waited for takes one or two, on a busy machine many more
PAUSE = 0.05
# Root may write everywhere, so it lays that right down first.
WITHOUT_PRIVILEGE = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
Thing = TypeVar("Thing")


def wait_for(what: Callable[[], Thing], why: str, patience: float = PATIENCE) -> Thing:
    """Ask until the answer is true, and return it; AssertionError with `why` when it never is."""
    deadline = time.monotonic() + patience
    while not (answer := what()):
        assert time.monotonic() < deadline, f"waited in vain: {why}"
        time.sleep(PAUSE)
    return answer


def free_port() -> int:
    """Return a loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: status, headers in small letters, text."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Client:
    """The least of a browser: cookies, and forms that carry their CSRF token. Every request is a new connection.

    `source`: the loopback address it comes from; all of 127.0.0.0/8 are this machine.
    """

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    source: str = "127.0.0.1"

    def request(self, method: str, path: str, form: dict[str, str] | None = None) -> Answer:
        """Send one request; redirects are not followed. Raises OSError, HTTPException."""
        body = urlencode(form).encode() if form is not None else None
        headers = {
            "Connection": "close",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        at = HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(self.source, 0))
        with closing(at) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            for text in answer.headers.get_all("Set-Cookie", []):
                self.cookies.update({name: morsel.value for name, morsel in SimpleCookie(text).items()})
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, found, answer.read().decode())

    def get(self, path: str) -> Answer:
        """Open a page."""
        return self.request("GET", path)

    def token(self, path: str) -> str:
        """Open the page with a form, and return the form's CSRF token."""
        return csrf_token(self.get(path).text)

    def post(self, path: str, form: dict[str, str] | None = None, *, page: str | None = None) -> Answer:
        """Send a form that stands on `page`, by default the address it is sent to."""
        return self.request("POST", path, {"csrf_token": self.token(page or path), **(form or {})})

    def sign_in(self, username: str = ADA, password: str = PASSWORD) -> Answer:
        """Type user name and password."""
        return self.post("/login", {"username": username, "password": password})

    def is_signed_in(self) -> bool:
        """Tell whether the home page opens."""
        return self.get("/").status == 200


@dataclass
class Server:
    """One installation in a folder, and the process group that serves it.

    `database_url`: the PostgreSQL database it uses; by default a SQLite file in the folder.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    workers: int = 2
    database_url: str | None = None
    process: subprocess.Popen[bytes] | None = None

    # -- starting and stopping ----------------------------------------------------------------------------

    @property
    def log(self) -> Path:
        """The file that holds everything the server ever printed."""
        return self.folder / "output.txt"

    @property
    def output(self) -> str:
        """Everything the server ever printed."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def launch(self, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start the program in a process group of its own, without waiting; `before` is put before its command."""
        command = [*before, sys.executable, str(APP), "--port", str(self.port), "--workers", str(self.workers)]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment(),
                process_group=0,
            )
        return self.process

    def start(self, *arguments: str, before: Sequence[str] = (), patience: float = PATIENCE) -> "Server":
        """Start the program and wait until each worker answers; `before` is put before its command."""
        process = self.launch(*arguments, before=before)
        wait_for(lambda: process.poll() is not None or self.is_up(), "every worker answers", patience)
        assert process.poll() is None, self.output
        return self

    def is_up(self) -> bool:
        """Tell whether all workers serve: one that has made its app runs the server's own threads."""
        serving = [pid for pid in self.worker_pids() if serves(pid)]
        return len(serving) == self.workers and self.answers()

    def refuse(self, *arguments: str, before: Sequence[str] = ()) -> tuple[int, list[str]]:
        """Start the program, which is expected to end by itself; return its exit status and its lines."""
        process = self.launch(*arguments, before=before)
        wait_for(lambda: process.poll() is not None, "the program ends by itself")
        return process.wait(), self.output.splitlines()

    def answers(self) -> bool:
        """Tell whether `/healthz` answers."""
        try:
            return self.client().get("/healthz").status == 200
        except (OSError, HTTPException):
            return False

    def stop(self, patience: float = PATIENCE) -> int:
        """Tell the server to stop, as a service manager does, and return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.ended(patience)

    def ended(self, patience: float = PATIENCE) -> int:
        """Wait until the server has stopped and return its exit status."""
        assert self.process is not None
        return self.process.wait(patience)

    def kill(self) -> None:
        """`kill -9` the whole process group, and wait until nobody listens any more."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        wait_for(lambda: not self.answers(), "the killed server is gone")

    def restart(self, patience: float = PATIENCE) -> "Server":
        """Stop and start again."""
        assert self.stop(patience) == 0
        return self.start(patience=patience)

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes."""
        database = {"AUTHAPP_DATABASE_URL": self.database_url} if self.database_url else {}
        return {**clean_environment(), **database}

    def worker_pids(self) -> set[int]:
        """Return the processes that serve."""
        assert self.process is not None
        return {pid for pid in children(self.process.pid) if b"spawn_main" in command_line(pid)}

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run another command of authapp in the same folder, typing a line into it."""
        command = [sys.executable, "-m", "authapp", *arguments]
        where = {**self.environment(), "PYTHONPATH": str(APP.parent)}
        return subprocess.run(
            command,
            cwd=self.folder,
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=where,
        )

    # -- the first run ------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """The address people open."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def setup_link(self) -> str:
        """The link printed last."""
        return str(re.findall(r"http://\S+/setup\?token=\S+", self.output)[-1])

    @property
    def setup_path(self) -> str:
        """The link printed last, without the address."""
        return self.setup_link.removeprefix(self.address)

    def client(self) -> Client:
        """Return somebody who has not been here before."""
        return Client(self.port)

    def signed_in(self, username: str = ADA, password: str = PASSWORD) -> Client:
        """Return somebody who signed in."""
        client = self.client()
        answer = client.sign_in(username, password)
        assert answer.status == 303, answer.text
        return client

    def set_up(self, username: str = ADA, password: str = PASSWORD) -> Client:
        """Go through the setup wizard and return the owner's client."""
        owner = self.client()
        owner.get(self.setup_path)
        assert owner.post("/setup", {"username": username, "password": password}).status == 303
        return owner

    # -- the config file ----------------------------------------------------------------------------------

    @property
    def config_file(self) -> Path:
        """`config.yml`."""
        return self.folder / "config.yml"

    def write_config(self, text: str) -> None:
        """Save the config file in one go."""
        self.config_file.write_text(text, encoding="utf-8")
        self.config_file.chmod(0o600)

    def recover(self, username: str, password: str) -> None:
        """Give the owner new credentials through the config file, and wait until every worker knows them."""
        adopted = self.count("credentials.adopted")
        self.write_config(credentials(username, password))
        wait_for(lambda: self.count("credentials.adopted") > adopted, "the edit is adopted")
        time.sleep(4 * LOOK_INTERVAL)

    # -- what the database says ---------------------------------------------------------------------------

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database directly; on SQLite, times and JSON come as text."""
        return [tuple(row) for row in self._execute(query)]

    def forget_proofs(self) -> None:
        """Pretend that everybody who is signed in typed the password an hour ago."""
        on_sqlite = "UPDATE sessions SET proved_at = datetime(proved_at, '-1 hour') || '.000000'"
        on_postgresql = "UPDATE sessions SET proved_at = proved_at - interval '1 hour'"
        self._execute(on_postgresql if self.database_url else on_sqlite)

    def setting(self, key: str) -> Any:
        """Return a row of the Settings table, or None."""
        found = self.rows(f"SELECT value FROM settings WHERE key = '{key}'")  # noqa: S608 - the tests' own words
        value = found[0][0] if found else None
        return json.loads(value) if isinstance(value, str) else value

    def _execute(self, statement: str) -> Sequence[Any]:
        url = self.database_url or f"sqlite:///{self.folder / 'data' / 'authapp.db'}"
        waits = {} if self.database_url else {"timeout": 30}
        with create_engine(url, poolclass=NullPool, connect_args=waits).begin() as connection:
            result = connection.execution_options(no_parameters=True).exec_driver_sql(statement)
            return result.fetchall() if result.returns_rows else []

    def count(self, event: str) -> int:
        """Count the audit rows of an event."""
        return int(self.rows(f"SELECT count(*) FROM audit WHERE event = '{event}'")[0][0])  # noqa: S608 - as above


@contextmanager
def installation(folder: Path, workers: int = 2, database_url: str | None = None) -> Iterator[Server]:
    """Give a folder to a server, and end whatever it started when the block ends."""
    server = Server(folder, workers=workers, database_url=database_url)
    try:
        yield server
    finally:
        server.kill()


def credentials(username: str, password: str) -> str:
    """Return a config file that holds just these credentials."""
    return f"server:\n  basic-auth:\n    username: '{username}'\n    password: '{password}'\n"


def every_worker(what: Callable[[], bool], why: str, times: int = 12) -> None:
    """Wait until so many new connections in a row agree that it is unlikely that a worker was left out."""
    wait_for(lambda: all(what() for _ in range(times)), why)


def every_worker_looks(what: Callable[[], bool], why: str) -> None:
    """Wait as above, then long enough for the workers that no request happened to reach to look by themselves."""
    every_worker(what, why)
    time.sleep(4 * LOOK_INTERVAL)


def clean_environment() -> dict[str, str]:
    """Return the environment without anything of authapp's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AUTHAPP_")}


def children(parent: int) -> set[int]:
    """Return the processes whose parent this is."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if after_name[0] != "Z" and int(after_name[1]) == parent:
            found.add(int(status.parent.name))
    return found


def command_line(pid: int) -> bytes:
    """Return how a process was started; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def serves(pid: int) -> bool:
    """Tell whether a process has threads that accept connections."""
    names = Path(f"/proc/{pid}/task").glob("*/comm")
    with suppress(OSError):  # a thread ended meanwhile
        return any(name.read_text(encoding="utf-8").startswith("tokio") for name in names)
    return False
