"""Environment variables and env files."""

from pathlib import Path

import pytest

from authapp import paths, variables
from authapp.errors import ConfigError
from authapp.variables import Variable


def read(text: str) -> dict[str, Variable]:
    """Read an env file in which every line can be read."""
    found, problems = variables.parse(text.encode(), ".env")
    assert problems == []
    return found


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"),
        ("export A=plain", "plain"),
        ("A = spaces around ", "spaces around"),
        ("A='single # quoted'", "single # quoted"),
        ('A="double # quoted"', "double # quoted"),
        ("A=has#sign", "has#sign"),
        ("A=$HOME/${HOME}", "$HOME/${HOME}"),
        ("A=a=b==", "a=b=="),
        ("A='it\\'s'", "it's"),
        ("A=ünïcödé", "ünïcödé"),
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["no newline", "LF", "CRLF"])
def test_a_value_is_what_was_typed_and_never_interpolated(line: str, value: str, end: str) -> None:
    """A value is what was typed and never interpolated."""
    assert read(line + end)["A"].text == value


def test_a_byte_order_mark_is_passed_over() -> None:
    """A byte order mark is passed over."""
    assert variables.parse(b"\xef\xbb\xbfA=1\n", ".env")[0]["A"].text == "1"


def test_an_empty_variable_is_not_set() -> None:
    """An empty variable is not set."""
    assert read("A=\nB=''\n") == {}


def test_each_variable_knows_its_line() -> None:
    """Each variable knows its line."""
    found = read("# a comment\r\n\r\nA=1\r\n\r\nexport B=2")
    assert [str(variable.place) for variable in found.values()] == [".env:3", ".env:5"]


def test_a_comment_behind_an_unquoted_value_is_noted() -> None:
    """A comment behind an unquoted value is noted."""
    found = read("A=Abc #12\nB='Abc #12'\nC=Abc#12\nD='Abc' # why\n")
    assert [name for name, variable in found.items() if variable.cut] == ["A"]


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("A\n", "has no value"),
        ("A=1\nA=2\n", "is given twice, first in line 1"),
        ("A='one\ntwo'\n", "several lines"),
    ],
)
def test_what_is_wrong_with_a_value_is_noted_beside_it(text: str, trouble: str) -> None:
    """What is wrong with a value is noted beside it."""
    assert trouble in read(text)["A"].trouble


def test_the_same_value_twice_is_no_trouble() -> None:
    """The same value twice is no trouble."""
    assert read("A=1\nA=1\n")["A"].trouble == ""


@pytest.mark.parametrize("text", ["A='never closed\nB=2\n", 'A="never closed', "=x\n"])
def test_a_line_that_cannot_be_read_is_a_problem_that_quotes_nothing(text: str) -> None:
    """A line that cannot be read is a problem that quotes nothing."""
    _, problems = variables.parse(text.encode(), ".env")
    assert [str(problem) for problem in problems] == [
        ".env:1: this line is no NAME=value, or a quote in it is never closed"
    ]


def test_what_is_no_text_is_a_problem() -> None:
    """What is no text is a problem."""
    assert str(variables.parse(b"A=\xff\n", ".env")[1][0]) == ".env: is not UTF-8 text"


def test_the_process_beats_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process beats the env file."""
    (tmp_path / ".env").write_text("SOME_NAME=file\nOTHER_NAME=file\n", encoding="utf-8")
    monkeypatch.setenv("SOME_NAME", "process")
    monkeypatch.setenv("OTHER_NAME", "")
    found = paths.read_environment(str(tmp_path / ".env"))
    assert (found["SOME_NAME"].text, found["OTHER_NAME"].text) == ("process", "file")


@pytest.mark.parametrize("kind", ["missing", "folder", "world-writable"])
def test_an_env_file_that_cannot_be_trusted_is_refused(tmp_path: Path, kind: str) -> None:
    """An env file that cannot be trusted is refused."""
    file = tmp_path / ".env"
    if kind == "folder":
        file.mkdir()
    elif kind == "world-writable":
        file.write_text("A=1\n", encoding="utf-8")
        file.chmod(0o666)
    with pytest.raises(ConfigError, match=r"\.env"):
        paths.read_environment(str(file))


def test_a_line_that_is_too_long_is_refused_at_once() -> None:
    """A line nobody typed is refused before it is taken apart, which would take minutes."""
    _, problems = variables.parse(b"A=1\nB=1" + b" " * 200_000, ".env")
    assert [str(problem) for problem in problems] == [".env:2: this line has more than 8192 characters"]
