"""`authapp audit list` and `authapp audit export`."""

import csv
import io
import json
import stat
from pathlib import Path

import pytest

from authapp import audit, audit_log
from authapp.audit import Actor
from tests.cli.commands import Run, is_one_sentence, is_safe_to_show, printed, said
from tests.world import BOB, World


def test_the_list_is_a_table(run: Run, cast: World) -> None:
    """The list has a heading, and a line for each entry, the newest first."""
    cast.browser().sign_in(BOB, "wrong")
    heading, line, *_ = said(run("audit", "list")).splitlines()
    assert heading.split()[:2] == ["ID", "WHEN"]
    assert line.split()[3:] == ["sign-in", "wrong", "-", BOB, "127.0.0.1", "form"]


def test_the_list_for_scripts(run: Run, cast: World) -> None:
    """With `--json` the list has what the API tells, as many entries as were asked for."""
    first, second = printed(run("audit", "list", "--json", "--limit", "2"))
    assert list(first) == list(audit_log.COLUMNS)
    assert first["id"] > second["id"]
    assert cast.events()[-1] == f"{first['event']} {first['outcome']}"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--outcome", "wrong"), ["sign-in"]),
        (("--address", "127.0.0.1", "--road", "form"), ["sign-in"]),
        (("--user", BOB.upper(), "--event", "user.created"), ["user.created"]),
        (("--since", "2099-01-01"), []),
        (("--until", "2001-01-01T00:00Z"), []),
    ],
)
def test_filters(run: Run, cast: World, words: tuple[str, ...], found: list[str]) -> None:
    """Each option narrows the list."""
    cast.browser().sign_in(BOB, "wrong")
    assert [one["event"] for one in printed(run("audit", "list", "--json", *words))] == found


@pytest.mark.usefixtures("cast")
def test_nothing_found(run: Run) -> None:
    """Where no entry is as asked for, a line says so on standard error; for scripts the empty list is enough."""
    result = run("audit", "list", "--road", "page")
    assert (result.exit_code, result.stderr) == (0, "Nothing found.\n")
    assert printed(run("audit", "list", "--road", "page", "--json")) == []


@pytest.mark.parametrize("words", [("--user", "nobody"), ("--since", "soon")])
@pytest.mark.parametrize("command", [("list",), ("export", "--format", "csv", "file.csv")])
@pytest.mark.usefixtures("cast")
def test_what_means_nothing(run: Run, command: tuple[str, ...], words: tuple[str, ...], tmp_path: Path) -> None:
    """An unknown user and a moment that is none are refused in a sentence, and no file is made."""
    assert is_one_sentence(run("audit", *command, *words))
    assert not (tmp_path / "file.csv").exists()


@pytest.mark.usefixtures("cast")
def test_empty_filters(run: Run) -> None:
    """An empty filter is wrong usage: it may come from a variable that is not set, and would mean everything."""
    assert run("audit", "list", "--user", "").exit_code == 2


def test_what_terminals_would_obey(run: Run, cast: World) -> None:
    """Control characters in an entry never reach the terminal raw."""
    with cast.database.writing() as db:
        audit.record(db, "odd", Actor("form", name="\x1b[31mred", address="\x9b1m"), note="\x1b]0;x\x07")
    texts = [said(run("audit", "list", *words)) for words in ((), ("--json",))]
    assert [is_safe_to_show(text) for text in texts] == [True, True]


# -- export ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_export_into_a_file(run: Run, cast: World, tmp_path: Path, form: str) -> None:
    """The file is its owner's alone, has all there is, and the export is written down."""
    assert said(run("audit", "export", "--format", form, "file")) == "file holds the entries, the newest first.\n"
    text = (tmp_path / "file").read_bytes().decode()
    found = list(csv.DictReader(io.StringIO(text, newline=""))) if form == "csv" else text.splitlines()
    assert len(found) == len(cast.events())
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert [entry.detail["format"] for entry in cast.audit(audit.EXPORTED)] == [form]


@pytest.mark.parametrize(("file", "form"), [("all.csv", "csv"), ("all.JSONL", "jsonl")])
def test_the_ending_is_the_format(run: Run, cast: World, file: str, form: str) -> None:
    """Without `--format` the ending of the file says which one is meant."""
    assert said(run("audit", "export", file)).startswith(file)
    assert [entry.detail["format"] for entry in cast.audit(audit.EXPORTED)] == [form]


@pytest.mark.parametrize("words", [(), ("all",), ("all.json",), (".csv",)])
def test_an_ending_that_says_nothing(run: Run, cast: World, words: tuple[str, ...]) -> None:
    """Without `--format` and such an ending the command says what it takes, and exports nothing."""
    result = run("audit", "export", *words)
    assert (result.exit_code, "--format jsonl" in result.stderr) == (2, True)
    assert cast.audit(audit.EXPORTED) == []


@pytest.mark.usefixtures("cast")
def test_export_to_standard_output(run: Run) -> None:
    """Without a file the export is printed."""
    first, *_ = said(run("audit", "export", "--format", "jsonl", "--event", "user.created")).splitlines()
    assert json.loads(first)["event"] == "user.created"


@pytest.mark.parametrize("link", [False, True], ids=["file", "link"])
def test_no_file_is_replaced(run: Run, cast: World, tmp_path: Path, *, link: bool) -> None:
    """What stands there already stays as it is, a link is not followed, and nothing is exported."""
    file, target = tmp_path / "file", tmp_path / "target"
    file.symlink_to(target) if link else file.write_text("mine")
    assert is_one_sentence(run("audit", "export", "--format", "csv", "file"))
    assert not target.exists() if link else file.read_text() == "mine"
    assert cast.audit(audit.EXPORTED) == []


@pytest.mark.usefixtures("cast")
def test_export_into_a_folder_that_is_not_there(run: Run) -> None:
    """A file that cannot be made is one sentence."""
    assert is_one_sentence(run("audit", "export", "--format", "csv", "nowhere/file"))


@pytest.mark.usefixtures("cast")
def test_half_an_export_is_no_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an export breaks off, no file is left that could pass for the whole."""

    def fail(_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(audit_log.WRITERS, "csv", fail)
    assert is_one_sentence(run("audit", "export", "--format", "csv", "file"))
    assert not (tmp_path / "file").exists()
