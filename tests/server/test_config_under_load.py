"""config.yml edited ten times a second while people use the pages; environment and env file reach every worker."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from authapp.config.environment import own_name
from tests.server_process import Client, Server, every_worker, every_worker_looks, wait_for

pytestmark = [
    pytest.mark.xdist_group("server-config-under-load"),
    pytest.mark.sqlite(reason="it is about files and variables; edits are tested on both in test_live_edits.py"),
]
SECONDS = 3
NAMES = ("One", "Two")
# Edits `config.yml` as another program does, by rename or in place; every third edit is broken YAML. The pauses are
# a tenth of a second on average, and every other one is long enough for the file to be read.
EDITOR = """
import itertools, os, sys, time
file, way, seconds, *texts = sys.argv[1:]
pauses = itertools.cycle((0.02, 0.18))
end = time.monotonic() + float(seconds)
for text in itertools.cycle(texts):
    name = file + ".new" if way == "rename" else file
    with open(name, "w") as opened:
        opened.write(text)
    if way == "rename":
        os.replace(name, file)
    if time.monotonic() > end and text == texts[0]:
        break
    time.sleep(next(pauses))
"""


def named(name: str) -> str:
    """Return a config file that gives two options the same name."""
    return f"organization:\n  name: {name}\nworkspace:\n  name: {name}\n"


BROKEN = "organization:\n  name: [Three\nworkspace: {name: Three\n"


@dataclass
class Seen:
    """What a visitor saw: statuses, and pairs of organization and workspace as one page named them."""

    statuses: set[int] = field(default_factory=set)
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def visit(self, client: Client) -> None:
        """Open the page that shows both."""
        answer = client.get("/account")
        self.statuses.add(answer.status)
        organization = re.search(r" · ([^<]*)</title>", answer.text)
        workspace = re.search(r"<dt>Workspace</dt><dd[^>]*>([^<]*)<", answer.text)
        self.pairs.append((organization[1] if organization else "", workspace[1] if workspace else ""))


@contextmanager
def visitors(owner: Client, number: int = 3) -> Iterator[Seen]:
    """Let browsers of the owner open the page again and again; gives what they saw."""
    seen, stop = Seen(), threading.Event()

    def visit() -> None:
        while not stop.is_set():
            seen.visit(Client(owner.port, dict(owner.cookies)))

    threads = [threading.Thread(target=visit) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("way", ["rename", "in place"])
def test_no_request_sees_two_configs(shared: Server, way: str) -> None:
    """While the file is edited ten times a second, every page shows one whole config, and none fails."""
    shared.write_config(named("One"))
    owner = shared.signed_in()
    every_worker(lambda: " · One<" in owner.get("/account").text, "every worker has read the first config")
    texts = (named("One"), named("Two"), BROKEN)
    with visitors(owner) as seen:
        editor = [sys.executable, "-c", EDITOR, str(shared.config_file), way, str(SECONDS), *texts]
        subprocess.run(editor, check=True, timeout=60)
    assert seen.statuses == {200}
    assert set(seen.pairs) == {(name, name) for name in NAMES}
    every_worker(lambda: " · One<" in owner.get("/account").text, "the last edit is in force at every worker")


# -- environment and env file ---------------------------------------------------------------------------------

NAME = own_name("organization.name")


def shows(server: Server, name: str) -> bool:
    """Tell whether the sign-in page bears this organization's name."""
    return f" · {name}</title>" in server.client().get("/login").text


def write_env_file(server: Server, name: str) -> None:
    """Write an env file that names the organization."""
    (server.folder / ".env").write_text(f"{NAME}='{name}'\n", encoding="utf-8")


def test_the_environment_reaches_every_worker(server: Server) -> None:
    """A server started with variables has them in force in every worker, also in one that takes another's place."""
    server.start(before=("env", f"{NAME}=Around")).set_up()
    every_worker(lambda: shows(server, "Around"), "every worker shows the variable's name")
    old = server.worker_pids()
    os.kill(min(old), signal.SIGKILL)
    wait_for(lambda: server.is_up() and server.worker_pids() != old, "another worker takes its place")
    every_worker(lambda: shows(server, "Around"), "the new worker shows it too", times=24)


def test_an_env_file_is_read_once(server: Server) -> None:
    """`python app.py --env-file` puts it in force in every worker; an edit of it counts from the next start."""
    write_env_file(server, "First")
    server.start("--env-file", ".env").set_up()
    every_worker(lambda: shows(server, "First"), "every worker shows the env file's name")
    write_env_file(server, "Second")
    server.write_config("workspace:\n  name: Weaving ${" + NAME + "}\n")
    old = server.worker_pids()
    os.kill(min(old), signal.SIGKILL)
    wait_for(lambda: server.is_up() and server.worker_pids() != old, "another worker takes its place")
    every_worker_looks(lambda: shows(server, "First"), "every worker goes on showing the first name")
    every_worker(lambda: shows(server, "First"), "also after it has looked at its files", times=24)
    assert server.stop() == 0
    server.start("--env-file", ".env")
    every_worker(lambda: shows(server, "Second"), "every worker shows the new name")


def test_the_config_file_beats_the_env_file_live(server: Server) -> None:
    """A config file that appears goes before the env file, at once, at every worker; `config explain` says so."""
    write_env_file(server, "Around")
    server.start("--env-file", ".env").set_up()
    server.write_config("organization:\n  name: Looms\n")
    every_worker(lambda: shows(server, "Looms"), "every worker shows the config file's name")
    told = server.run("config", "explain", "organization.name", "--env-file", ".env").stdout
    assert "* config file     Looms  (config.yml:2:3)" in told
    assert "environment     Around  (.env:1)" in told


@pytest.mark.parametrize(
    "text", [f"{NAME}='never closed\n", "AUTHAPP_SUPERUSR=ada\n", "AUTHAPP_SUPERUSER=changeme\n"]
)
def test_a_bad_env_file_ends_the_start(server: Server, text: str) -> None:
    """`python app.py` with an env file that cannot be used ends with 2 and the line, before anything is made."""
    (server.folder / ".env").write_text(text, encoding="utf-8")
    status, lines = server.refuse("--env-file", ".env")
    assert (status, len(lines), lines[0][:6]) == (2, 1, ".env:1")
    assert not (server.folder / "data").exists()
