"""The current config: an edit is noticed however it is saved, and a bad one changes nothing."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from authapp.config import examine as examine_module
from authapp.config import live as live_module
from authapp.config import yamlfile
from authapp.config.credentials import given_credentials
from authapp.config.examine import Start, examine
from authapp.config.live import LiveConfig, NotNow, Reading, Snapshot
from authapp.errors import ConfigError, Place, Problem
from authapp.paths import Locations

CANARY = "Xq7canaryZk4wJ9v"
ONE, TWO, THREE = (f"organization: {{name: {name}}}\n" for name in ("One", "Two", "Three"))
COMMENTS = "# organization: {name: Nobody}\n"
BAD = f"organization: [{CANARY}]\nserver: {{prot: {CANARY}}}\n"
CREDENTIALS = "server: {basic-auth: {username: ada, password: Correct-horse battery}}\n"
REFUSED = Problem("server.basic-auth.password", "is refused", Place("config.yml", 1, 1), closes=True)


class Clock:
    """A clock that stands still until somebody moves it; takes the place of the module `time`."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        """Return the time of day, in seconds."""
        return self.now

    def monotonic(self) -> float:
        """Return seconds that have nothing to do with the time of day."""
        return self.now - 1_000_000


@dataclass
class Stage:
    """A LiveConfig, with its config file, its Settings table and its database in the test's hands."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    rows: dict[str, Any] = field(default_factory=dict)
    adopted: list[Reading] = field(default_factory=list)
    database_answers: bool = True
    refusal: Problem | None = None
    withheld: tuple[Problem, ...] = ()
    _live: LiveConfig | None = None

    @property
    def file(self) -> Path:
        """The config file."""
        return self.folder / "config.yml"

    @property
    def locations(self) -> Locations:
        """Where things are."""
        return Locations(self.file, named=True, data=self.folder / "data")

    @property
    def live(self) -> LiveConfig:
        """The LiveConfig, made when first asked for."""
        if self._live is None:
            self._live = self.new_process()
        return self._live

    def new_process(self, start: Start | None = None, *, quiet: bool = False) -> LiveConfig:
        """Return the LiveConfig of one more process; `start` is what its parent resolved."""
        start = start or Start.from_layers(examine(self.locations))
        return LiveConfig(self.locations, self._load, self._adopt, start=start, quiet=quiet)

    def _load(self) -> dict[str, Any]:
        if not self.database_answers:
            raise NotNow
        return dict(self.rows)

    def _adopt(self, reading: Reading) -> tuple[Problem, ...]:
        if not self.database_answers:
            raise NotNow
        if self.refusal:
            raise ConfigError([self.refusal])
        self.adopted.append(reading)
        return self.withheld

    # -- time and files ---------------------------------------------------------------------------------------

    def wait(self, seconds: float = 1.0) -> Snapshot:
        """Let time pass, then ask for the config as a request does."""
        self.clock.now += seconds
        return self.live.refresh()

    def age(self, path: Path, seconds: float) -> None:
        """Let a file be as old as that."""
        moment = int((self.clock.now - seconds) * 1e9)
        os.utime(path, ns=(moment, moment))

    def save(self, text: str, *, name: str = "config.yml", age: float = 0.0) -> None:
        """Save by writing another file and renaming it, as most editors do."""
        draft = self.folder / f"{name}.new"
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o600)
        self.age(draft, age)
        draft.replace(self.folder / name)

    def save_in_place(self, text: str, *, age: float = 0.0) -> None:
        """Save by truncating and writing, as the shell does."""
        self.file.write_text(text, encoding="utf-8")
        self.age(self.file, age)

    def edit(self, text: str) -> Snapshot:
        """Save, and look a second later."""
        self.save(text)
        return self.wait()

    @property
    def name(self) -> str:
        """The organization's name in force."""
        return self.live.current.config.organization.name


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A running process whose config file says that the organization is called One."""
    stage = empty_stage(tmp_path, monkeypatch)
    assert stage.edit(ONE).effective.config.organization.name == "One"
    return stage


def empty_stage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return a stage without a config file, on which nothing was read yet."""
    stage = Stage(folder)
    monkeypatch.setattr(live_module, "time", stage.clock)
    return stage


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A process that has not read anything yet, and no config file."""
    return empty_stage(tmp_path, monkeypatch)


# -- an edit is noticed ---------------------------------------------------------------------------------------


def _delete_and_write(stage: Stage, text: str) -> None:
    stage.file.unlink()
    stage.wait()
    stage.save_in_place(text)


def _through_a_link(stage: Stage, text: str) -> None:
    stage.save(text, name="other.yml")
    (stage.folder / "link").symlink_to("other.yml")
    (stage.folder / "link").replace(stage.file)


WAYS_TO_SAVE = [Stage.save, Stage.save_in_place, _delete_and_write, _through_a_link]


@pytest.mark.parametrize("save", WAYS_TO_SAVE)
def test_an_edit_is_noticed_however_it_is_saved(stage: Stage, save: Callable[[Stage, str], None]) -> None:
    """Renamed into place, written in place, deleted and written again, or turned into a link."""
    save(stage, TWO)
    assert stage.wait().effective.config.organization.name == "Two"
    assert not stage.live.snapshot.problems


@pytest.mark.parametrize("save", [Stage.save, _through_a_link])
def test_an_edit_of_the_same_size_and_time_is_noticed(stage: Stage, save: Callable[[Stage, str], None]) -> None:
    """Another file in its place is enough, as a configuration tool with fixed times leaves it."""
    before = stage.file.stat()
    save(stage, TWO)
    os.utime(stage.file, ns=(before.st_mtime_ns, before.st_mtime_ns))
    stage.wait()
    assert stage.name == "Two"


@pytest.mark.parametrize("folder_is_link", [False, True])
def test_a_symlink_swap_is_noticed(fresh: Stage, folder_is_link: bool) -> None:
    """Also when the link is the folder's, as Kubernetes mounts them, and the new file is not a new one."""
    for name, text in (("v1", ONE), ("v2", TWO)):
        (fresh.folder / name).mkdir()
        (fresh.folder / name / "config.yml").write_text(text, encoding="utf-8")
        fresh.age(fresh.folder / name / "config.yml", 3600)
    link = fresh.folder / "current" if folder_is_link else fresh.file
    link.symlink_to("v1" if folder_is_link else "v1/config.yml")
    if folder_is_link:
        fresh.file.symlink_to("current/config.yml")
    fresh.wait()
    (fresh.folder / "new").symlink_to("v2" if folder_is_link else "v2/config.yml")
    (fresh.folder / "new").replace(link)
    fresh.wait()
    assert fresh.name == "Two"


def test_a_file_that_appears_later_is_noticed(fresh: Stage) -> None:
    """A server that started without a config file takes the one somebody writes."""
    assert not fresh.wait().problems
    assert fresh.name == "Default"
    fresh.edit(ONE)
    assert fresh.name == "One"


def test_a_look_costs_nothing_before_half_a_second_is_over(stage: Stage) -> None:
    """Between two looks at the file the config in force is simply there."""
    stage.save(TWO, age=10)
    stage.wait(0.49)
    assert stage.name == "One"
    stage.wait(0.02)
    assert stage.name == "Two"


def test_an_unchanged_file_is_not_read_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look is a `stat`; the file is opened only when that says something else."""

    def refuse(path: Path) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(yamlfile, "read", refuse)
    for _ in range(5):
        stage.wait()
    assert len(stage.adopted) == 1


def test_many_requests_at_once_read_an_edit_once(stage: Stage) -> None:
    """The threads of a process share one reading."""
    stage.save(TWO)
    stage.clock.now += 1
    threads = [threading.Thread(target=stage.live.refresh) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (stage.name, len(stage.adopted)) == ("Two", 2)


# -- a file that is being written -----------------------------------------------------------------------------


def test_a_file_younger_than_a_tenth_of_a_second_waits(stage: Stage) -> None:
    """It is looked at again 100 ms later, not only with the next regular look."""
    stage.clock.now += 1
    stage.save(TWO, age=0.05)
    stage.wait(0)
    assert stage.name == "One"
    stage.wait(0.11)
    assert stage.name == "Two"


def test_a_file_that_is_written_in_pieces_counts_when_it_stands_still(stage: Stage) -> None:
    """Truncated, then written bit by bit: never an empty or half a config in force, never a problem."""
    text = "organization:\n  name: Two\nworkspace:\n  name: Other\nlog:\n  level: debug\n"
    for end in range(0, len(text) + 1, 7):
        stage.save_in_place(text[:end])
        snapshot = stage.wait(0.09)
        assert (stage.name, snapshot.problems) == ("One", ())
    stage.save_in_place(text)
    stage.wait(0.2)
    assert (stage.name, stage.live.current.config.workspace.name) == ("Two", "Other")


def test_a_file_that_changes_while_it_is_read_is_read_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its `stat` must be equal before and after; else neither its values nor its problems count."""
    real, writes = yamlfile.read, [lambda: stage.save_in_place(TWO, age=0.5)]

    def read_and_be_overtaken(path: Path) -> tuple[bytes | None, list[Problem]]:
        content = real(path)
        if writes:
            writes.pop()()
        return content

    monkeypatch.setattr(yamlfile, "read", read_and_be_overtaken)
    stage.save(BAD)
    assert stage.wait().problems == ()
    assert stage.name == "One"
    assert stage.wait().problems == ()
    assert stage.name == "Two"


def test_a_file_from_the_future_is_read_when_it_stands_still(stage: Stage) -> None:
    """A host whose clock is wrong can be recovered, too."""
    stage.save(TWO, age=-3600)
    stage.wait()
    stage.wait(0.2)
    assert stage.name == "Two"


def test_a_password_file_beside_a_file_from_the_future_is_read(fresh: Stage) -> None:
    """With both files dated tomorrow the server still gets ready."""
    fresh.save("Correct-horse battery\n", name="secret", age=-3600)
    fresh.save("server: {basic-auth: {username: ada, password-file: secret}}\n", age=-3600)
    for _ in range(20):
        fresh.wait(0.2)
    assert not fresh.live.snapshot.pending
    assert fresh.adopted[0].given.password == "Correct-horse battery"


# -- a bad file changes nothing -------------------------------------------------------------------------------


def test_a_bad_file_keeps_the_last_good_config(stage: Stage) -> None:
    """Everything stays as it was, the problems are shown, and nothing is adopted."""
    snapshot = stage.edit(BAD)
    assert (stage.name, snapshot.closed, len(snapshot.problems)) == ("One", False, 2)
    assert len(stage.adopted) == 1


def test_a_bad_file_never_half_applies(stage: Stage) -> None:
    """The good values of a file with one bad value wait until that one is mended."""
    stage.edit("organization: {name: Two}\nworkspace: {name: Other}\nthrottle: {attempts: many}\n")
    assert stage.live.current.config.organization.name == "One"
    assert stage.live.current.config.workspace.name == "Default"


def test_mending_the_file_clears_the_problems(stage: Stage) -> None:
    """What was bad is forgotten with the next good file."""
    stage.edit(BAD)
    snapshot = stage.edit(TWO)
    assert (stage.name, snapshot.problems) == ("Two", ())


def test_putting_the_old_file_back_clears_the_problems(stage: Stage) -> None:
    """The very file that was good before is good again."""
    stage.file.rename(stage.folder / "backup")
    stage.edit(BAD)
    (stage.folder / "backup").replace(stage.file)
    assert stage.wait().problems == ()


def _remove(file: Path) -> None:
    file.unlink()


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _make_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _make_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _make_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def _make_dangling_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("gone.yml")


def _make_huge(file: Path) -> None:
    os.truncate(file, 10 * 1024 * 1024)


def _make_binary(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")


LOSSES = [_remove, _empty, _make_directory, _make_fifo, _make_loop, _make_dangling_link, _make_huge, _make_binary]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_lost_file_keeps_the_last_good_config(stage: Stage, lose: Callable[[Path], None]) -> None:
    """Missing, of zero bytes, or no file any more: one problem that names it, and the good config stays."""
    lose(stage.file)
    stage.wait()
    [problem] = stage.wait().problems
    assert (stage.name, stage.live.snapshot.closed) == ("One", False)
    assert str(problem).startswith("config.yml: ")


@pytest.mark.parametrize("lose", LOSSES)
def test_a_lost_file_can_be_brought_back(stage: Stage, lose: Callable[[Path], None]) -> None:
    """The next good file is taken as if nothing had happened."""
    lose(stage.file)
    stage.wait()
    if stage.file.is_dir():
        stage.file.rmdir()
    stage.edit(TWO)
    assert (stage.name, stage.live.snapshot.problems) == ("Two", ())


@pytest.mark.parametrize("text", [COMMENTS, "\n", "---\n", "organization:\n"])
def test_a_file_of_comments_is_a_valid_one(stage: Stage, text: str) -> None:
    """Whoever comments every line out gets the layers below, not the last good file."""
    assert stage.edit(text).problems == ()
    assert stage.name == "Default"


def test_a_file_that_never_was_is_not_missed(fresh: Stage) -> None:
    """A missing file is a problem only where there was one."""
    fresh.wait()
    fresh.edit(BAD)
    fresh.file.unlink()
    assert fresh.wait().problems == ()


@settings(max_examples=40, deadline=None, database=None)
@given(st.lists(st.sampled_from([ONE, TWO, THREE, COMMENTS, BAD, "", None, "a: [", CREDENTIALS]), max_size=8))
def test_the_config_in_force_is_that_of_the_last_good_file(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str | None]
) -> None:
    """For any sequence of good, bad, empty and missing files."""
    names = {ONE: "One", TWO: "Two", THREE: "Three", COMMENTS: "Default", CREDENTIALS: "Default"}
    with pytest.MonkeyPatch.context() as monkeypatch:
        stage = empty_stage(tmp_path_factory.mktemp("stage"), monkeypatch)
        stage.edit(ONE)
        for text in texts:
            stage.edit(text or "")
            if text is None:
                stage.file.unlink()
                stage.wait()
    last_good = next((text for text in reversed(texts) if text in names), ONE)
    assert stage.name == names[last_good or ONE]
    assert bool(stage.live.snapshot.problems) == bool(texts and texts[-1] not in names)


# -- reporting ------------------------------------------------------------------------------------------------


def test_problems_are_logged_once(stage: Stage) -> None:
    """One line a problem, as compilers write it, and no more while the file stays as it is."""
    with capture_logs() as lines:
        stage.edit(BAD)
        for _ in range(5):
            stage.wait()
    assert len(lines) == 2
    assert {line["log_level"] for line in lines} == {"error"}


def test_a_logged_problem_reads_as_compilers_write_it(stage: Stage) -> None:
    """File, line and column, the key, what is wrong, and what was probably meant."""
    with capture_logs() as lines:
        stage.edit("\n".join(["#"] * 9 + ["server:", "  basic-auth:", "    pasword: x", ""]))
    assert [line["event"] for line in lines] == [
        "config.yml:12:5 server.basic-auth.pasword: unknown option, did you mean 'password'?"
    ]


def test_only_new_problems_are_logged(stage: Stage) -> None:
    """Mending one of two is not a reason to complain about the other again."""
    stage.edit("server: {prot: 1}\nlog: {levle: info}\n")
    with capture_logs() as lines:
        stage.edit("server: {prot: 1}\nlog: {level: info}\nzzz: 1\n")
    assert [line["event"].partition(" ")[0] for line in lines] == ["config.yml:3:1:"]


def test_a_problem_that_comes_back_is_logged_again(stage: Stage) -> None:
    """Between the two the file was good."""
    stage.edit(BAD)
    stage.edit(ONE)
    with capture_logs() as lines:
        stage.edit(BAD)
    assert len(lines) == 2


def test_a_quiet_process_logs_nothing(stage: Stage) -> None:
    """The workers leave the reporting to their parent, and still know the problems."""
    quiet = stage.new_process(quiet=True)
    stage.save(BAD, age=1)
    with capture_logs() as lines:
        quiet.look()
    assert not lines
    assert len(quiet.snapshot.problems) == 2


@pytest.mark.parametrize("text", [BAD, f"{CANARY}\n", f"a: '{CANARY}\n", f"server: {{secret-key: {CANARY[:9]}}}\n"])
def test_neither_log_nor_problems_quote_a_value(stage: Stage, text: str) -> None:
    """Whatever was typed in the wrong place stays in the file."""
    with capture_logs() as lines:
        snapshot = stage.edit(text)
    assert snapshot.problems
    assert CANARY[:9] not in repr(lines) + repr(snapshot.problems)


def test_a_warning_is_shown_and_logged_once(stage: Stage) -> None:
    """`enabled: false` is accepted and answered with a notice, which is no problem."""
    with capture_logs() as lines:
        snapshot = stage.edit("server: {basic-auth: {enabled: false}}\n")
        stage.edit("server: {basic-auth: {enabled: false}}\n")
    assert [problem.key for problem in snapshot.warnings] == ["server.basic-auth.enabled"]
    assert [line["log_level"] for line in lines if line["log_level"] != "info"] == ["warning"]
    assert not snapshot.problems


WITHHELD = Problem("server.basic-auth.password", "is not adopted", Place("config.yml", 1, 1))


def test_withheld_credentials_are_a_warning(fresh: Stage) -> None:
    """Credentials that are given and not adopted are shown among the warnings, and logged once by the parent."""
    fresh.withheld = (WITHHELD,)
    with capture_logs() as lines:
        assert fresh.edit(CREDENTIALS).warnings == (WITHHELD,)
        fresh.withheld = ()  # nothing is compared when just a setting changes
        fresh.rows["workspace.name"] = "Other"
        assert fresh.wait().warnings == (WITHHELD,)
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == [str(WITHHELD)]


def test_withheld_credentials_count_with_the_next_edit(fresh: Stage) -> None:
    """Once the file is saved again, credentials that were withheld are adopted as if they were new."""
    fresh.withheld = (WITHHELD,)
    fresh.edit(CREDENTIALS)
    fresh.withheld = ()
    assert fresh.edit(CREDENTIALS + "# once more\n").warnings == ()
    fresh.edit(CREDENTIALS + "# and again\n")
    assert [reading.changed for reading in fresh.adopted] == [True, True, False]


def test_other_stored_credentials_are_compared_again(fresh: Stage) -> None:
    """As soon as other credentials are stored, a process looks whether those in its file still count."""
    fresh.edit(CREDENTIALS)
    fresh.withheld = (WITHHELD,)
    fresh.rows["server.basic-auth"] = {"username": "ada", "password_hash": "another"}
    assert fresh.wait().warnings == (WITHHELD,)
    assert [reading.edited for reading in fresh.adopted] == [False, False]


# -- the first reading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [BAD, "a: [", "server: {basic-auth: {password-hash: x}}\n"])
def test_a_bad_file_at_start_means_closed(fresh: Stage, text: str) -> None:
    """There is no last good config, so nobody signs in, and nothing was adopted."""
    snapshot = fresh.edit(text)
    assert (snapshot.closed, snapshot.pending, fresh.adopted) == (True, False, [])
    assert snapshot.problems


def test_mending_the_file_opens_a_closed_start(fresh: Stage) -> None:
    """Without a restart."""
    fresh.edit(BAD)
    snapshot = fresh.edit(ONE)
    assert (snapshot.closed, snapshot.problems, fresh.name) == (False, (), "One")


def test_a_closed_start_stays_closed_with_another_bad_file(fresh: Stage) -> None:
    """One mistake for another opens nothing; the problems shown are the present ones."""
    fresh.edit(BAD)
    snapshot = fresh.edit("zzz: 1\n")
    assert (snapshot.closed, len(snapshot.problems)) == (True, 1)


def test_removing_a_bad_file_opens_a_closed_start(fresh: Stage) -> None:
    """There never was a good one, so no file is as good as none."""
    fresh.edit(BAD)
    fresh.file.unlink()
    assert not fresh.wait().closed


def test_refused_credentials_at_start_mean_closed(fresh: Stage) -> None:
    """Credentials that break a rule close the start until the file is mended."""
    fresh.refusal = REFUSED
    snapshot = fresh.edit(CREDENTIALS)
    assert (snapshot.closed, snapshot.problems) == (True, (REFUSED,))
    fresh.refusal = None
    assert not fresh.edit(CREDENTIALS + "# mended\n").closed


def test_a_damaged_hash_in_the_settings_closes_nothing(fresh: Stage) -> None:
    """Only what file and environment give can close a start."""
    fresh.rows["server.basic-auth"] = {"username": "ada", "password_hash": "damaged"}
    assert not fresh.edit(ONE).closed


# -- a database that does not answer --------------------------------------------------------------------------


def test_nothing_is_in_force_before_the_database_answers(fresh: Stage) -> None:
    """The first reading is pending: neither closed nor open; it is tried again each second."""
    fresh.database_answers = False
    snapshot = fresh.edit(ONE)
    assert (snapshot.pending, snapshot.closed, snapshot.problems) == (True, False, ())
    fresh.database_answers = True
    assert fresh.wait(0.9).pending
    assert not fresh.wait(0.2).pending
    assert fresh.name == "One"


def test_the_old_config_stays_until_the_database_answers(stage: Stage) -> None:
    """An edit that cannot be adopted now is adopted later, whole, and as an edit."""
    stage.database_answers = False
    assert stage.edit(TWO).problems == ()
    assert stage.name == "One"
    stage.database_answers = True
    stage.wait()
    assert stage.name == "Two"
    assert [reading.edited for reading in stage.adopted] == [False, True]


def test_a_look_tells_whether_it_was_put_off(stage: Stage) -> None:
    """Who looks learns whether what the file says is in force, or waits for the database or for the file."""
    stage.save(TWO, age=1.0)
    stage.database_answers = False
    assert not stage.live.look()
    stage.database_answers = True
    assert stage.live.look()
    assert stage.name == "Two"
    stage.save(THREE)
    assert not stage.live.look()


def test_a_change_of_settings_waits_for_the_database(stage: Stage) -> None:
    """A change that cannot be taken over now is taken over later."""
    stage.rows["workspace.name"] = "Other"
    stage.database_answers = False
    stage.wait()
    assert stage.live.current.config.workspace.name == "Default"
    stage.database_answers = True
    stage.wait()
    assert stage.live.current.config.workspace.name == "Other"


# -- adopting -------------------------------------------------------------------------------------------------


def test_adopting_comes_before_the_config_is_in_force(stage: Stage) -> None:
    """What is adopted is what the new file says, while the old config still counts."""
    seen: list[tuple[str, str]] = []

    def adopt(reading: Reading) -> tuple[Problem, ...]:
        seen.append((reading.effective.config.organization.name, stage.name))
        return ()

    stage.live._adopt = adopt
    stage.edit(TWO)
    assert seen == [("Two", "One")]


def test_a_refused_edit_keeps_the_old_config(stage: Stage) -> None:
    """Credentials that break a rule are shown as a problem; the rest of that file does not apply either."""
    stage.refusal = REFUSED
    snapshot = stage.edit(TWO + CREDENTIALS)
    assert (stage.name, snapshot.problems, snapshot.closed) == ("One", (REFUSED,), False)
    assert not snapshot.given


def test_a_refused_edit_is_logged_once_and_not_tried_again(stage: Stage) -> None:
    """Nothing changes before somebody edits the file."""
    stage.refusal = REFUSED
    with capture_logs() as lines:
        stage.edit(CREDENTIALS)
        stage.refusal = None
        stage.wait()
    assert [line["event"] for line in lines] == [str(REFUSED)]
    assert stage.live.snapshot.problems == (REFUSED,)


def test_the_first_reading_is_a_change_but_no_edit(fresh: Stage) -> None:
    """At start the credentials are compared; nobody has touched the file."""
    fresh.edit(CREDENTIALS)
    [reading] = fresh.adopted
    assert (reading.changed, reading.edited) == (True, False)
    assert (reading.given.username, reading.given.password) == ("ada", "Correct-horse battery")


def test_an_edit_elsewhere_in_the_file_changes_no_credentials(fresh: Stage) -> None:
    """The same pair beside other lines is an edit, but nothing new to adopt."""
    fresh.edit(CREDENTIALS)
    fresh.edit(CREDENTIALS + ONE)
    assert (fresh.adopted[1].changed, fresh.adopted[1].edited) == (False, True)


@pytest.mark.parametrize("text", [CREDENTIALS.replace("horse", "mule"), CREDENTIALS.replace("ada", "bob"), ONE])
def test_an_edit_of_the_credentials_is_a_change(fresh: Stage, text: str) -> None:
    """Another password, another name, or none at all."""
    fresh.edit(CREDENTIALS)
    fresh.edit(text)
    assert (fresh.adopted[1].changed, fresh.adopted[1].edited) == (True, True)


def test_lines_that_come_back_are_a_change(fresh: Stage) -> None:
    """Taking the lines out and putting them in again is a second recovery."""
    for text in (CREDENTIALS, COMMENTS, CREDENTIALS):
        fresh.edit(text)
    assert [reading.changed for reading in fresh.adopted] == [True, True, True]


# -- the Settings table ---------------------------------------------------------------------------------------


def test_a_changed_setting_is_taken_over(stage: Stage) -> None:
    """What another worker saved is in force with the next look, and what it removed is not."""
    stage.rows["workspace.name"] = "Other"
    assert stage.wait().effective.config.workspace.name == "Other"
    del stage.rows["workspace.name"]
    assert stage.wait().effective.config.workspace.name == "Default"


def test_a_setting_never_beats_the_file(stage: Stage) -> None:
    """It shows through when the file's line is taken out."""
    stage.rows["organization.name"] = "Stored"
    stage.wait()
    assert stage.name == "One"
    stage.edit(COMMENTS)
    assert stage.name == "Stored"


def test_a_changed_setting_adopts_no_credentials(fresh: Stage) -> None:
    """Credentials are adopted when the file changes, never because the table does."""
    fresh.edit(CREDENTIALS)
    fresh.rows["workspace.name"] = "Other"
    fresh.wait()
    assert [reading.changed for reading in fresh.adopted] == [True, False]
    assert not fresh.adopted[1].edited


def test_settings_are_taken_over_while_the_file_is_bad(stage: Stage) -> None:
    """The last good file is laid over the new settings, and its successor's problems stay in sight."""
    stage.edit(BAD)
    stage.rows["workspace.name"] = "Other"
    snapshot = stage.wait()
    assert (stage.name, snapshot.effective.config.workspace.name) == ("One", "Other")
    assert len(snapshot.problems) == 2


def test_a_setting_that_cannot_be_used_is_a_warning(stage: Stage) -> None:
    """A bad row is passed over, and the admin pages name it."""
    stage.rows["session.lifetime"] = "soon"
    snapshot = stage.wait()
    assert [problem.key for problem in snapshot.warnings] == ["session.lifetime"]
    assert not snapshot.problems


# -- options that are resolved at start -----------------------------------------------------------------------

RESTART = [
    ("server.host", "server: {host: localhost}\n", "127.0.0.1"),
    ("server.port", "server: {port: 9999}\n", 8080),
    ("server.workers", "server: {workers: 64}\n", min(os.cpu_count() or 1, 4)),
    ("database.url", "database: {url: 'sqlite:///other.db'}\n", None),
    ("setup.require-token", "setup: {require-token: false}\n", True),
    ("log.level", "log: {level: debug}\n", "info"),
    ("log.format", "log: {format: json}\n", None),
]


@pytest.mark.parametrize(("key", "text", "before"), RESTART)
def test_an_edit_of_a_start_option_needs_a_restart(stage: Stage, key: str, text: str, before: object) -> None:
    """The value of the start stays in force, in the typed config too, and the option is named."""
    snapshot = stage.edit(text)
    assert (snapshot.effective.get(key), snapshot.needs_restart) == (before, (key,))
    section, name = key.replace("-", "_").split(".")
    assert getattr(getattr(snapshot.effective.config, section), name) == before


def test_other_options_of_that_edit_take_effect(stage: Stage) -> None:
    """Only the options of the start wait for a restart."""
    snapshot = stage.edit(TWO + "server: {port: 9999, public-url: 'https://auth.example.com'}\n")
    assert snapshot.effective.config.server.public_url == "https://auth.example.com"
    assert (stage.name, snapshot.effective.config.server.port) == ("Two", 8080)


def test_taking_the_edit_back_needs_no_restart(stage: Stage) -> None:
    """What the file says is again what was resolved at start."""
    stage.edit("server: {port: 9999}\n")
    assert stage.edit("server: {port: 8080}\n").needs_restart == ()


def test_removing_the_line_of_a_start_option_needs_a_restart(fresh: Stage) -> None:
    """Falling back to the default is an edit as well."""
    fresh.save("server: {port: 9999}\n")
    fresh.wait()
    snapshot = fresh.edit(COMMENTS)
    assert (snapshot.effective.config.server.port, snapshot.needs_restart) == (9999, ("server.port",))


def test_a_worker_keeps_what_its_parent_resolved(stage: Stage) -> None:
    """A worker that starts after an edit has the same start options as the others, and knows of the edit."""
    start = stage.live._start
    stage.edit("server: {port: 9999}\n")
    worker = stage.new_process(start)
    worker.look()
    assert (worker.current.config.server.port, worker.snapshot.needs_restart) == (8080, ("server.port",))


def test_the_command_line_overrules_start_options(fresh: Stage) -> None:
    """An option given there is in force without looking like an edit; an edit of it still is one."""
    fresh.save("server: {port: 8000}\n", age=1)
    start = Start.from_layers(examine(fresh.locations), {"server.port": 7777})
    fresh._live = fresh.new_process(start)
    snapshot = fresh.wait()
    assert (snapshot.effective.config.server.port, snapshot.needs_restart) == (7777, ())
    snapshot = fresh.edit("server: {port: 9999}\n")
    assert (snapshot.effective.config.server.port, snapshot.needs_restart) == (7777, ("server.port",))


NO_TOKEN = "setup: {require-token: false}\n"


@pytest.mark.parametrize("other", ["public-url: 'https://auth.example.com'", "trusted-proxies: [10.0.0.0/8]"])
@pytest.mark.parametrize("setup", [NO_TOKEN, COMMENTS])
def test_what_relaxes_a_rule_is_never_in_force_beside_the_public(fresh: Stage, other: str, setup: str) -> None:
    """A setup without a token lasts until the restart; until then nothing opens authapp to more than this host."""
    fresh.edit(NO_TOKEN)
    server = fresh.edit(f"{setup}server: {{{other}}}\n").effective.config.server
    assert fresh.live.current.config.setup.require_token is False
    assert (server.public_url, server.trusted_proxies) == (None, ())


def test_a_public_host_from_the_command_line_needs_the_setup_token(fresh: Stage) -> None:
    """It counts like one of the file: a setup without a token beside it is a problem."""
    fresh.save(NO_TOKEN, age=1)
    start = Start.from_layers(examine(fresh.locations), {"server.host": "0.0.0.0"})  # noqa: S104 - no server
    fresh._live = fresh.new_process(start)
    assert [problem.key for problem in fresh.wait().problems] == ["setup.require-token"]


def test_a_closed_start_keeps_the_start_options(stage: Stage) -> None:
    """Also a worker that starts while the file is bad agrees with the others on them."""
    stage.edit("log: {level: debug}\nserver: {port: 9999, zzz: 1}\n")
    worker = stage.new_process(stage.live._start)
    worker.look()
    assert worker.snapshot.closed
    assert (worker.current.config.log.level, worker.current.config.server.port) == ("info", 8080)


# -- rights and password files --------------------------------------------------------------------------------


def test_a_change_of_rights_alone_is_noticed(stage: Stage) -> None:
    """`chmod o+w` is a problem at once, and `chmod o-w` mends it."""
    stage.file.chmod(0o666)
    [problem] = stage.wait().problems
    assert "chmod o-w" in problem.message
    stage.file.chmod(0o600)
    assert stage.wait().problems == ()


def test_a_readable_password_is_noticed(stage: Stage) -> None:
    """`chmod o+r` on a file with a password is a warning at once, and `chmod o-r` takes it away."""
    stage.edit(CREDENTIALS)
    stage.file.chmod(0o644)
    assert [problem.key for problem in stage.wait().warnings] == ["server.basic-auth.password"]
    stage.file.chmod(0o600)
    assert stage.wait().warnings == ()


@pytest.fixture
def with_password_file(fresh: Stage) -> Stage:
    """A running process whose config file names a password file."""
    fresh.save("Correct-horse battery\n", name="secret")
    fresh.edit("server: {basic-auth: {username: ada, password-file: secret}}\n")
    assert fresh.adopted[-1].given.password == "Correct-horse battery"
    return fresh


def test_a_new_password_in_the_password_file_is_noticed(with_password_file: Stage) -> None:
    """The config file itself need not be touched."""
    with_password_file.save("Staple (of) Tuesdays\n", name="secret")
    with_password_file.wait()
    reading = with_password_file.adopted[-1]
    assert (reading.given.password, reading.changed, reading.edited) == ("Staple (of) Tuesdays", True, True)


def test_a_young_password_file_waits(with_password_file: Stage) -> None:
    """It may be half written just as the config file may."""
    with_password_file.clock.now += 1
    with_password_file.save("Half", name="secret", age=0.05)
    with_password_file.wait(0)
    assert len(with_password_file.adopted) == 1


def test_a_password_file_that_changes_while_it_is_read_is_read_again(
    with_password_file: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password of a moment ago is not adopted."""
    stage, real = with_password_file, given_credentials
    saves = ["Number three\n", "Number two\n"]

    def read_and_be_overtaken(*args: Any) -> Any:
        result = real(*args)
        if saves:
            stage.save(saves.pop(), name="secret", age=0.5)
        return result

    monkeypatch.setattr(examine_module, "given_credentials", read_and_be_overtaken)
    stage.save("Number one\n", name="secret")
    for _ in range(5):
        stage.wait()
    assert [reading.given.password for reading in stage.adopted] == ["Correct-horse battery", "Number three"]


@pytest.mark.parametrize("lose", [_remove, _empty, _make_directory, _make_fifo])
def test_a_lost_password_file_keeps_the_last_good_config(
    with_password_file: Stage, lose: Callable[[Path], None]
) -> None:
    """Its loss is a problem while the adopted password stays valid; bringing it back mends it."""
    secret = with_password_file.folder / "secret"
    lose(secret)
    with_password_file.wait()
    [problem] = with_password_file.wait().problems
    assert (problem.key, with_password_file.live.snapshot.closed) == ("server.basic-auth.password-file", False)
    if secret.is_dir():
        secret.rmdir()
    with_password_file.save("Correct-horse battery\n", name="secret")
    assert with_password_file.wait().problems == ()


def test_another_password_file_is_watched(with_password_file: Stage) -> None:
    """The file that is named now counts, and the one named before does not any more."""
    with_password_file.save("Number two\n", name="second")
    with_password_file.edit("server: {basic-auth: {username: ada, password-file: second}}\n")
    with_password_file.save("Number three\n", name="second")
    with_password_file.wait()
    with_password_file.save("Nobody asks\n", name="secret")
    with_password_file.wait()
    passwords = [reading.given.password for reading in with_password_file.adopted]
    assert passwords == ["Correct-horse battery", "Number two", "Number three"]


def test_a_password_file_that_appears_later_opens_a_closed_start(fresh: Stage) -> None:
    """Mending it needs no edit of the config file."""
    assert fresh.edit("server: {basic-auth: {username: ada, password-file: secret}}\n").closed
    fresh.save("Correct-horse battery\n", name="secret")
    assert not fresh.wait().closed


@pytest.mark.parametrize(
    "value",
    ["'.'", "'..'", "/", "/dev/zero", "'a/b/c'", f"'{'x' * 5000}'", '"a\\0b"', '"\\ud800"', "'config.yml/x'"],
)
def test_a_path_that_leads_nowhere_is_a_problem(stage: Stage, value: str) -> None:
    """Whatever is written as a password file, the last good config stays and nothing is raised."""
    snapshot = stage.edit(f"server: {{basic-auth: {{username: ada, password-file: {value}}}}}\n")
    assert [problem.key for problem in snapshot.problems] == ["server.basic-auth.password-file"]
    assert stage.name == "One"
