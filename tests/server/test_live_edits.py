"""Editing `config.yml` by every means while several workers serve."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from authapp.config.live import SETTLE_TIME
from tests.server_process import Server, credentials, every_worker, every_worker_looks, installation, wait_for
from tests.world import ADA, OTHER_PASSWORD, PASSWORD, WEAK_PASSWORD

pytestmark = pytest.mark.xdist_group("server-live-edits")
PADDING = "# This comment is here to make the file long.\n" * 200


def named(name: str) -> str:
    """Return a long config file that names the organization in its first and the owner in its last lines."""
    return f"organization:\n  name: {name}\n{PADDING}{credentials(ADA, PASSWORD)}"


def save_in_pieces(file: Path, text: str) -> float:
    """Truncate the file and write it again in small pieces; return the longest pause, in seconds."""
    longest, last = 0.0, time.monotonic()
    with file.open("w", encoding="utf-8") as opened:
        for start in range(0, len(text), 400):
            opened.write(text[start : start + 400])
            opened.flush()
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
            time.sleep(0.002)
    return longest


@contextmanager
def visitors(server: Server) -> Iterator[list[str]]:
    """Let three visitors open the sign-in page again and again; gives the list of the organizations they saw."""
    seen: list[str] = []
    stop = threading.Event()

    def visit() -> None:
        while not stop.is_set():
            answer = server.client().get("/login")
            seen.append(
                answer.text.split("</title>")[0].split(" · ")[1] if answer.status == 200 else str(answer.status)
            )

    threads = [threading.Thread(target=visit) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def shows(server: Server, name: str) -> bool:
    """Tell whether the sign-in page bears this organization's name."""
    return f" · {name}</title>" in server.client().get("/login").text


def replace(file: Path, text: str) -> None:
    """Save as most editors do: a new file takes the old one's place."""
    draft = file.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory, shared_url: str | None) -> Iterator[Server]:
    """A server with three workers, and a long config file with the owner's credentials."""
    with installation(tmp_path_factory.mktemp("edits"), workers=3, database_url=shared_url) as server:
        server.write_config(named("Edition-0"))
        yield server.start()


@pytest.fixture
def server(workers: Server) -> Server:
    """The server after every worker has read the long config file, named Edition-0."""
    replace(workers.config_file, named("Edition-0"))
    every_worker(lambda: is_fine(workers), "every worker shows the first name")
    return workers


def is_fine(server: Server) -> bool:
    """Tell whether the sign-in page bears the first name and no notice, and the password is the first one."""
    page = server.client().get("/login").text
    return " · Edition-0</title>" in page and "config.yml, line" not in page


@pytest.mark.sqlite(reason="how an edit of the file is noticed has nothing to do with where the rows are")
def test_a_file_being_saved_is_never_in_force(server: Server) -> None:
    """While the file is truncated and written in pieces, every page shows the old name or the new one."""
    adopted, judged = server.count("credentials.adopted"), 0
    for number in range(1, 9):
        before, after = f"Edition-{number - 1}", f"Edition-{number}"
        with visitors(server) as seen:
            pause = save_in_pieces(server.config_file, named(after))
            every_worker(partial(shows, server, after), "every worker shows the new name")
        if pause < SETTLE_TIME:  # else this machine was too busy to write without a long pause
            judged += 1
            assert set(seen) <= {before, after}
    assert judged
    assert server.count("credentials.adopted") == adopted


def test_one_edit_is_adopted_once(server: Server) -> None:
    """Several workers notice the same edit of the credentials: one adoption, one audit line for each edit."""
    adopted = server.count("credentials.adopted")
    for number in range(1, 4):
        organization = f"organization:\n  name: Adoption-{number}\n"
        save_in_pieces(server.config_file, PADDING + organization + credentials(ADA, f"{OTHER_PASSWORD} {number}"))
        every_worker(partial(shows, server, f"Adoption-{number}"), "every worker has read the edit")
        assert server.count("credentials.adopted") == adopted + number
        assert server.signed_in(ADA, f"{OTHER_PASSWORD} {number}").is_signed_in()


def test_an_edit_ends_the_old_credentials(server: Server) -> None:
    """After an edit the old password does not work any more, and the owner's sessions are dead at every worker."""
    owner = server.signed_in()
    server.write_config(credentials(ADA, OTHER_PASSWORD))
    wait_for(lambda: not owner.is_signed_in(), "the owner is signed out")
    every_worker(lambda: not owner.is_signed_in(), "the owner is signed out at every worker")
    assert server.client().sign_in(ADA, PASSWORD).status == 401
    assert server.signed_in(ADA, OTHER_PASSWORD).is_signed_in()


def test_the_same_credentials_saved_again_are_not_adopted(server: Server) -> None:
    """Saving the file with the credentials it had rewrites nothing and signs nobody out."""
    owner, stored = server.signed_in(), server.setting("server.basic-auth")
    adopted = server.count("credentials.adopted")
    server.write_config(named("Edition-1"))
    every_worker(lambda: shows(server, "Edition-1"), "every worker shows the new name")
    assert server.setting("server.basic-auth") == stored
    assert owner.is_signed_in()
    assert server.count("credentials.adopted") == adopted


# -- bad edits ------------------------------------------------------------------------------------------------

BAD_PASSWORD = named("Edition-1").replace(PASSWORD, WEAK_PASSWORD)
LINE = BAD_PASSWORD[: BAD_PASSWORD.index("password:")].count("\n") + 1


SAVES = count(1)


@dataclass(frozen=True)
class BadEdit:
    """A server whose config file was spoiled, and what it had printed before."""

    server: Server
    before: str
    line: int

    @property
    def printed(self) -> str:
        """What was printed since."""
        return self.server.output.removeprefix(self.before)


@pytest.fixture
def bad(server: Server) -> BadEdit:
    """The server after somebody saved a password that breaks the policy, when every worker has noticed."""
    # Each time in another line, so that it is another problem, whatever the parent has seen of the test before.
    lines = next(SAVES)
    every_worker_looks(lambda: is_fine(server), "every worker has read the good file")
    bad = BadEdit(server, server.output, LINE + lines)
    server.write_config("# saved again\n" * lines + BAD_PASSWORD)
    told = f"config.yml, line {bad.line}"
    every_worker(lambda: told in server.client().get("/login").text, "every sign-in page says so")
    return bad


@pytest.mark.sqlite(reason="how an edit of the file is noticed has nothing to do with where the rows are")
def test_a_bad_edit_keeps_serving(bad: BadEdit) -> None:
    """After a bad edit the last good config stays in force: old credentials, old name."""
    assert bad.server.signed_in().is_signed_in()
    assert shows(bad.server, "Edition-0")


@pytest.mark.sqlite(reason="how an edit of the file is noticed has nothing to do with where the rows are")
def test_a_bad_edit_is_logged_once(bad: BadEdit) -> None:
    """However many workers notice it, a problem is written to the log once."""
    wait_for(lambda: "server.basic-auth.password" in bad.printed, "the problem is logged")
    every_worker(lambda: shows(bad.server, "Edition-0"), "all workers had time to log it too", times=30)
    assert bad.printed.count("server.basic-auth.password") == 1


@pytest.mark.sqlite(reason="how an edit of the file is noticed has nothing to do with where the rows are")
def test_a_bad_edit_shows_on_the_sign_in_page(bad: BadEdit) -> None:
    """The sign-in page names the key, the line and the policy's rules."""
    page = bad.server.client().get("/login").text
    assert all(
        text in page
        for text in (f"config.yml, line {bad.line}", "server.basic-auth.password", "at least 12 characters")
    )


@pytest.mark.sqlite(reason="how an edit of the file is noticed has nothing to do with where the rows are")
def test_no_value_is_logged(bad: BadEdit) -> None:
    """The log quotes no value of the config file: no password, no broken value, no strange key."""
    replace(
        bad.server.config_file, "server:\n  basic-auth: [Tell-nobody-1]\n  port: Tell-nobody-2\nTell-nobody-3: 1\n"
    )
    wait_for(lambda: "server.port" in bad.printed, "the problems are logged")
    assert all(value not in bad.server.output for value in (PASSWORD, f'"{WEAK_PASSWORD}"', "Tell-nobody"))


@pytest.mark.sqlite(reason="how an edit of the file is noticed has nothing to do with where the rows are")
def test_a_mended_file_counts_at_once(bad: BadEdit) -> None:
    """When the bad file is mended, its values are in force and the notice is gone, without a restart."""
    bad.server.write_config(named("Edition-2"))
    every_worker_looks(lambda: shows(bad.server, "Edition-2"), "every worker shows the new name")
    assert "config.yml, line" not in bad.server.client().get("/login").text


# -- other ways to edit ---------------------------------------------------------------------------------------


def swap_link(file: Path, text: str) -> None:
    """Point a link at another folder, as Kubernetes does with a ConfigMap."""
    folder = file.with_name(f"version-{time.monotonic_ns()}")
    folder.mkdir()
    (folder / file.name).write_text(text, encoding="utf-8")
    link = file.with_suffix(".link")
    link.symlink_to(folder / file.name)
    link.replace(file)


def keep_the_old_times(file: Path, text: str) -> None:
    """Replace the file by one that bears an old date, as `cp -p` and `tar` do."""
    replace(file, text)
    os.utime(file, (1_000_000_000, 1_000_000_000))


def delete_first(file: Path, text: str) -> None:
    """Delete the file, and write another one."""
    file.unlink()
    replace(file, text)


@pytest.mark.sqlite(reason="how an edit of the file is noticed has nothing to do with where the rows are")
@pytest.mark.parametrize("edit", [replace, swap_link, keep_the_old_times, delete_first])
def test_every_way_to_save_is_noticed(server: Server, edit: Callable[[Path, str], None]) -> None:
    """An edit is noticed by every worker whichever way it is saved, twice in a row."""
    for name in ("Edition-1", "Edition-2"):
        edit(server.config_file, named(name))
        every_worker(partial(shows, server, name), "every worker shows the new name")


@pytest.mark.sqlite(reason="how an edit of the file is noticed has nothing to do with where the rows are")
@pytest.mark.parametrize(
    "disappear", [Path.unlink, lambda file: file.write_text("", encoding="utf-8")], ids=["deleted", "emptied"]
)
def test_a_file_that_disappears_changes_nothing(server: Server, disappear: Callable[[Path], object]) -> None:
    """When the file is deleted or emptied, the last good config stays in force and the log says so once."""
    every_worker_looks(lambda: is_fine(server), "every worker has read the good file")
    output = server.output
    disappear(server.config_file)
    wait_for(lambda: "config.yml" in server.output.removeprefix(output), "the log says so")
    every_worker(lambda: shows(server, "Edition-0"), "every worker shows the old name", times=30)
    assert server.signed_in().is_signed_in()
    assert server.output.removeprefix(output).count("config.yml") == 1


def test_no_worker_falls_behind(server: Server) -> None:
    """A worker that answered nobody between two edits keeps the same last good config as the others."""
    for name in ("Edition-1", "Edition-2"):
        replace(server.config_file, named(name))
        every_worker_looks(partial(shows, server, name), "every worker has read it")
    server.config_file.unlink()
    every_worker(lambda: shows(server, "Edition-2"), "every worker shows the last name", times=60)


def test_a_file_that_appears_is_read(tmp_path: Path) -> None:
    """A server started without a file reads the one that appears beside it later."""
    with installation(tmp_path) as server:
        server.start().set_up()
        server.write_config("organization:\n  name: Appeared\n")
        every_worker(lambda: shows(server, "Appeared"), "every worker shows the name")
