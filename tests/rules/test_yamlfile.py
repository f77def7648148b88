"""config.yml as text: spellings, places, passwords as they were typed, and every way to break the file."""

import os
import string
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from authapp.config import yamlfile
from authapp.config.options import OPTIONS
from authapp.config.overlay import Layer, Source, overlay
from authapp.config.yamlfile import Document, parse
from authapp.errors import Place, Problem

PASSWORD = "server.basic-auth.password"
CANARY = "Xq7canaryZk4wJ9v"  # like no option's name, so no message has a reason to repeat it
PROPERTY = settings(max_examples=150, deadline=None, database=None)


def read(text: str) -> Document:
    """Read a config file's text."""
    return parse(text.encode(), "config.yml")


def problems(content: str | bytes) -> list[Problem]:
    """Return everything wrong with a config file: its text, and its values."""
    document = parse(content.encode() if isinstance(content, str) else content, "config.yml")
    return document.problems + overlay([Layer(Source.FILE, document.values)])[1]


def with_password(text: str, key: str = "password") -> str:
    """Write a config file that holds a password the way it was typed."""
    return f"server:\n  basic-auth:\n    {key}: {text}\n"


# -- keys and places ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["basic-auth", "basicAuth", "basic_auth", "BasicAuth", "BASIC-AUTH", "BASIC_AUTH", "basicauth", "'basic-auth'"],
)
def test_a_key_may_be_spelled_in_any_way(key: str) -> None:
    """Kebab, camel, snake and capitals mean the same key, of a section as of an option."""
    document = read(f"SERVER:\n  {key}:\n    UserName: ada\n")
    assert not document.problems
    assert document.values["server.basic-auth.username"].value == "ada"


@pytest.mark.parametrize("key", OPTIONS)
def test_every_option_is_found_under_its_own_key(key: str) -> None:
    """Whatever is declared can be written into the file, in blocks or in braces."""
    *sections, name = key.split(".")
    block = "".join(f"{'  ' * depth}{part}:\n" for depth, part in enumerate(sections))
    block += f"{'  ' * len(sections)}{name}: 'x'\n"
    braces = "".join(f"{{{part}: " for part in sections) + f"{{{name}: 'x'}}" + "}" * len(sections)
    assert list(read(block).values) == list(read(braces).values) == [key]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_value_remembers_its_line_and_column(line_end: str, mark: str) -> None:
    """Lines and columns count from 1, whatever the line ends are and with a byte order mark or without."""
    document = read(
        mark + line_end.join(["# ours", "server:", "  port: 81", "  basic-auth:", "    username: ada", ""])
    )
    places = {key: value.place for key, value in document.values.items()}
    assert places == {
        "server.port": Place("config.yml", 3, 3),
        "server.basic-auth.username": Place("config.yml", 5, 5),
    }


def test_a_place_counts_characters_not_bytes() -> None:
    """A value behind `€` and an emoji in the same line is where an editor says it is."""
    document = read("organization: {name: €😀}\nserver: {host: h, port: 81}\n")
    assert document.values["server.port"].place == Place("config.yml", 2, 19)
    assert document.values["organization.name"].value == "€😀"


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "# nothing yet\n", "---\n", "---\n...\n", "{}\n", "server:\n", "server: {}\nauth: ~\n", "\ufeff"],
)
def test_a_file_that_says_nothing_is_a_valid_one(text: str) -> None:
    """Nothing, comments, and sections without anything below them are no problem and give no value."""
    assert not problems(text)
    assert not read(text).values


# -- broken in every way --------------------------------------------------------------------------------------

BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)

BROKEN: dict[str, tuple[str | bytes, str, str]] = {
    "a tab indents": ("server:\n\tport: 81\n", "config.yml:2:1", "tab"),
    "a tab indents deeper": ("server:\n  basic-auth:\n  \tusername: a\n", "config.yml:3:3", "tab"),
    "given twice": ("server:\n  port: 81\n  port: 82\n", "config.yml:3:3 server.port", "twice, first in line 2"),
    "given twice in two spellings": (
        "auth:\n  new-user-is-active: true\n  newUserIsActive: false\n",
        "config.yml:3:3 auth.new-user-is-active",
        "twice, first in line 2",
    ),
    "a section twice": (
        "auth: {mode: basic}\nlog: {level: info}\nAuth: {mode: basic}\n",
        "config.yml:3:1 auth",
        "twice",
    ),
    "a key in another section": ("port: 81\n", "config.yml:1:1", "did you mean server.port?"),
    "a key one level too high": ("server:\n  username: ada\n", "config.yml:2:3", "server.basic-auth.username"),
    "an unknown key": ("server:\n  zzz: 1\n", "config.yml:2:3", "unknown option"),
    "an unknown section": ("zzz:\n  a: {b: c}\n", "config.yml:1:1", "unknown option"),
    "a wrong type": ("server:\n  port: eighty\n", "config.yml:2:3 server.port", "must be a whole number"),
    "a list for a section": ("server: [a, b]\n", "config.yml:1:9 server", "must hold options"),
    "a text for a section": ("server: 8080\n", "config.yml:1:9 server", "must hold options"),
    "a list for a value": ("server:\n  port: [1, 2]\n", "config.yml:2:9 server.port", "not a list"),
    "a section for a value": (
        "server:\n  port:\n    a: 1\n",
        "config.yml:3:5 server.port",
        "not a group of options",
    ),
    "a section in a list": (
        "server:\n  trusted-proxies: [{a: 1}]\n",
        "config.yml:2:20 server.trusted-proxies",
        "a list of plain values",
    ),
    "a list in a list": (
        "server:\n  trusted-proxies:\n  - [a]\n",
        "config.yml:3:3 server.trusted-proxies",
        "a list of plain values",
    ),
    "nothing in a list": (
        "server:\n  trusted-proxies: [~]\n",
        "config.yml:2:20 server.trusted-proxies",
        "a list of plain values",
    ),
    "no value": ("server:\n  port:\n", "config.yml:2:8 server.port", "has no value"),
    "a list for password": (with_password("[a, b]"), f"config.yml:3:15 {PASSWORD}", "not a list"),
    "a section for a password": (with_password("{a: b}"), f"config.yml:3:15 {PASSWORD}", "not a group of options"),
    "a list at the top": ("- server\n", "config.yml:1:1", "must hold options"),
    "a text at the top": ("hello\n", "config.yml:1:1", "must hold options"),
    "a list as a key": ("? [a, b]\n: c\n", "config.yml:1:3", "unknown option"),
    "a merge key": ("server:\n  <<: {port: 81}\n", "config.yml:2:3", "unknown option"),
    "an anchor": ("server: &all\n  port: 81\n", "config.yml:1:9", "anchors"),
    "an alias": ("server: *all\n", "config.yml:1:9", "anchors"),
    "a merge key with an alias": ("server:\n  <<: *all\n", "config.yml:2:7", "anchors"),
    "an alias bomb": (BOMB, "config.yml:1:4", "anchors"),
    "a tag": ("server:\n  port: !!int 81\n", "config.yml:2:9", "tags"),
    "a dangerous tag": ("server: !!python/object/apply:os.abort []\n", "config.yml:1:9", "tags"),
    "two documents": ("server: {port: 81}\n---\nserver: {port: 82}\n", "config.yml:2:1", "one YAML document"),
    "an open quote": ("server:\n  host: 'abc\n", "config.yml:2:9", "not valid YAML"),
    "an open bracket": ("server: {port: 81\n", "config.yml:1:9", "not valid YAML"),
    "a wrong indentation": ("server:\n  port: 81\n   host: a\n", "config.yml:3:8", "not valid YAML"),
    "a colon too many": ("server:\n  host: a: b\n", "config.yml:2:10", "not valid YAML"),
    "an escape that is none": ('server:\n  host: "\\q"\n', "config.yml:2:11", "not valid YAML"),
    "a character beyond Unicode": ('server:\n  host: "\\U00110000"\n', "config.yml", "YAML"),
    "another YAML version": ("%YAML 2.0\n---\nserver: {}\n", "config.yml:1:1", "not valid YAML"),
    "NUL": ("server: {host: 'a\0b'}\n", "config.yml", "control characters"),
    "a control character": ("server: {host: 'a\x1bb'}\n", "config.yml", "control characters"),
    "Latin-1": ("organization: {name: Zoë}\n".encode("latin-1"), "config.yml", "not UTF-8"),
    "UTF-16": ("server: {port: 81}\n".encode("utf-16"), "config.yml", "not UTF-8"),
    "half a character": (b"server: {host: '\xed\xa0\x80'}\n", "config.yml", "not UTF-8"),
    "21 levels": ("[" * 21 + "]" * 21, "config.yml:1:21", "nested"),
    "5 000 brackets": ("[" * 5_000, "config.yml:1:21", "nested"),
    "50 000 brackets": ("[" * 50_000, "config.yml:1:21", "nested"),
    "50 000 closed brackets": ("[" * 50_000 + "]" * 50_000, "config.yml:1:21", "nested"),
    "5 000 braces": ("{a: " * 5_000, "config.yml:1:81", "nested"),
    "5 000 dashes": ("- " * 5_000, "config.yml:1:41", "nested"),
    "5 000 question marks": ("? " * 5_000, "config.yml:1:41", "nested"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_whatever_is_broken_is_one_problem_with_a_place(name: str) -> None:
    """A broken file gives exactly one problem, which says where and what, and never an exception."""
    content, where, words = BROKEN[name]
    [problem] = problems(content)
    assert str(problem).startswith(where)
    assert words in str(problem)


def test_a_slip_of_the_pen_is_told_what_was_meant() -> None:
    """An unknown key like a known one is repeated, as compilers write it, with a suggestion."""
    [problem] = problems("server:\n  basic-auth:\n    pasword: Correct-horse\n")
    assert str(problem) == "config.yml:3:5 server.basic-auth.pasword: unknown option, did you mean 'password'?"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("sever: {port: 81}", "server"),
        ("server: {prot: 81}", "port"),
        ("server: {basicauht: {username: ada}}", "basic-auth"),
        ("session: {life-time-s: 3h}", "lifetime"),
        ("auth: {newUsersAreActive: true}", "new-user-is-active"),
        ("log: {levle: info}", "level"),
    ],
)
def test_a_suggestion_names_the_nearest_key(text: str, meant: str) -> None:
    """A key that is nearly right brings up the right one, in the spelling of the documentation."""
    [problem] = problems(text)
    assert f"did you mean '{meant}'?" in problem.message


@pytest.mark.parametrize(
    "template", ["{}: 1\n", "server:\n  {}: 1\n", "server:\n  basic-auth:\n    {}:\n      a: b\n"]
)
def test_an_unknown_key_like_no_other_is_not_repeated(template: str) -> None:
    """It may be part of a secret; the options that could stand there are named instead."""
    [problem] = problems(template.format(CANARY))
    assert CANARY not in repr(problem)
    assert "the options here are:" in problem.hint


def test_all_problems_are_reported_at_once() -> None:
    """Whoever mends a file learns everything that is wrong with it in one go, in its order."""
    text = (
        "server:\n  prot: 81\n  port: [1]\nauth: 5\nzzz: 1\nsession:\n  lifetime: soon\n  idle-timeout:\nzzz: 2\n"
    )
    found = problems(text)
    assert {problem.place.line for problem in found if problem.place} == {2, 3, 4, 5, 7, 8, 9}
    assert len(found) == 7


def test_what_is_right_in_a_wrong_file_is_still_read() -> None:
    """A problem in one line hides no value in another, so that the values can be checked too."""
    document = read("server:\n  prot: 81\n  host: a\nsession: 5\nlog: {level: debug}\n")
    assert {key: value.value for key, value in document.values.items()} == {
        "server.host": "a",
        "log.level": "debug",
    }


# -- passwords are the text that was typed --------------------------------------------------------------------

TYPED = [
    "012345", "no", "yes", "true", "1e3", "0x10", "1_000", "2026-01-01", "12:30:45", ".5", "+1", ".inf",
    ".nan", "0o17",
    "-5", "nullable", "~abc", "a#b", "a:b", "two words", "a  b", "C:\\temp\\new", "a'b", 'a"b', "a&b*c!",
    "Zoë €😀", "$HOME",
    "a=b", "<<", "?x", ":x", "-x", "a,b", "a]b}", "Yes", "OFF", "x" * 256, "\u00a0x",
]  # fmt: skip


@pytest.mark.parametrize("typed", TYPED)
def test_an_unquoted_password_is_the_text_typed(typed: str) -> None:
    """Whatever YAML would make of it: a number, a truth, a date stay text."""
    document = read(with_password(typed))
    assert not document.problems
    assert document.values[PASSWORD].value == typed


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("'012345'", "012345"), ("'#abc'", "#abc"), ("'~'", "~"), ("'null'", "null"), ('"&abc"', "&abc"),
        ("'Abc #12'", "Abc #12"),
        ("'it''s'", "it's"), ('"quoted \\u20ac"', "quoted €"), ('"a\\"b"', 'a"b'),
        ("'  spaces  '", "  spaces  "),
        ("'a: b'", "a: b"), ("'a\\nb'", "a\\nb"), ("'tab\there'", "tab\there"), ("'x'  # ours", "x"),
        ('"[x]"', "[x]"),
    ],
)  # fmt: skip
def test_quotes_hold_a_password_together(typed: str, meant: str) -> None:
    """In quotes every character can stand, with YAML's own two ways of quoting."""
    document = read(with_password(typed))
    assert not document.problems
    assert document.values[PASSWORD].value == meant


SPOILED = {
    "empty": "", "a comment": "#abc", "an anchor": "&abc", "an anchor and a text": "&abc def",
    "an alias": "*abc", "a tag": "!abc",
    "a tag and a text": "!!str 012345", "a tilde": "~", "null": "null", "Null": "Null", "NULL": "NULL",
    "cut": "Abc #12",
    "cut after many spaces": "Abc    #12", "two lines": "Abc\n      def",
    "two lines, a gap": "Abc\n\n      def", "a block": "|\n      abc",
    "a folded block": ">-\n      abc", "a block sign": "|abc", "a list": "[abc]", "a map": "{abc: d}",
    "a dash": "- abc",
    "a percent sign": "%abc", "an at sign": "@abc", "a backquote": "`abc", "a colon": "abc: def",
    "a colon at the end": "abc:",
    "a tab within": "Abc\tdef", "a tab and a hash": "Abc\t#12",
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_a_password_yaml_would_spoil_asks_for_quotes(name: str) -> None:
    """What YAML would blank, cut or change is one error that says to quote it, and no value."""
    document = read(with_password(SPOILED[name]))
    [problem] = document.problems
    assert "quote" in str(problem)
    assert PASSWORD not in document.values


@pytest.mark.parametrize(
    "typed", ["'abc'#def", '"abc"#def', "'Abc\n      def'", '"Abc\n      def"', '"Abc\\\n      def"']
)
def test_a_quoted_password_yaml_would_spoil_is_an_error(typed: str) -> None:
    """Quotes that end before the password does, or that run over lines which YAML folds, are refused."""
    document = read(with_password(typed))
    assert len(document.problems) == 1
    assert PASSWORD not in document.values


@pytest.mark.parametrize("key", ["password", "password-hash"])
@pytest.mark.parametrize("typed", ["Abc #12", "Abc\n      def", "|\n      abc", "~", ""])
def test_every_secret_is_guarded_like_the_password(key: str, typed: str) -> None:
    """A hash that YAML would spoil is refused in the same way."""
    assert [problem.key for problem in read(with_password(typed, key)).problems] == [f"server.basic-auth.{key}"]


def test_a_secret_key_cut_by_a_comment_is_refused() -> None:
    """Half a secret key would sign cookies just as well, so nobody would notice."""
    [problem] = read("server:\n  secret-key: 0123456789abcdef #0123456789abcdef\n").problems
    assert problem.key == "server.secret-key"
    assert "quotes" in problem.hint


@pytest.mark.parametrize(
    "template",
    ["{0}Correct horse 9", "Correct {0}horse 9", "Correct horse {0}", "Correct{0}horse", "Correct{0}", "{0}",
     "{0} Correct", "Correct{0} horse", "{0}Correct{0}", "{0}Correct #9", "{0}Correct: 9",
     "{0}Correct:", "{0}{0}x"],
)  # fmt: skip
@pytest.mark.parametrize("character", string.punctuation)
def test_every_punctuation_character_arrives_or_is_refused(character: str, template: str) -> None:
    """Unquoted, at the beginning, in the middle or at the end: as typed, or an error that says to quote."""
    typed = template.format(character)
    document = read(with_password(typed))
    arrived = [value.value for value in document.values.values()]
    if typed[0] == typed[-1] and typed[0] in "'\"" and len(typed) > 1:
        assert arrived == [typed[1:-1]]  # these are the quotes that hold a password together
    elif arrived or not document.problems:
        assert (arrived, document.problems) == ([typed], [])
    else:
        assert [("quote" in str(problem)) for problem in document.problems] == [True]


@pytest.mark.parametrize("template", ["Abc{}", "Abc{}def", "{}Abc", "'Abc{}def'", '"Abc{}def"'])
@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_a_line_end_nobody_sees_arrives_or_is_refused(character: str, template: str) -> None:
    """YAML takes these for line ends and drops or folds them, so a pasted password could change in silence."""
    typed = template.format(character)
    document = read(with_password(typed))
    arrived = [value.value for value in document.values.values()]
    assert (arrived, len(document.problems)) in (([typed.strip("'" + '"')], 0), ([], 1))


@PROPERTY
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=30))
def test_any_unquoted_password_arrives_or_is_refused(typed: str) -> None:
    """No password is ever changed on its way in, but for spaces at its ends, which nobody sees."""
    assume(typed.strip(" ")[:1] not in ("'", '"'))
    document = read(with_password(typed))
    assert document.problems or document.values[PASSWORD].value == typed.strip(" ")


@PROPERTY
@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"], exclude_characters="\ufeff\ufffe\uffff")
    )
)
def test_any_password_can_be_written_in_single_quotes(password: str) -> None:
    """What the hints recommend works for every password without control characters."""
    document = read(with_password("'" + password.replace("'", "''") + "'"))
    assert not document.problems
    assert document.values[PASSWORD].value == password


# -- hostile text ---------------------------------------------------------------------------------------------

SNIPPETS = [
    *"\n \t'\"#&*!|>%@`[]{},:?-~.\0\r\\", "\n  ", "\n    ", ": ", "- ", "---\n", "...", "<<: ", "? ", "!!",
    "\ufeff", "\u2028",
    "server:", "\nserver:\n  ", "basic-auth:\n    ", "password: ", "password-hash: ", "password-file: ",
    "username: ",
    "secret-key: ", "port: ", "trusted-proxies: ", "\nlog:\n  level: ", "\nsession:\n  lifetime: ", "null",
    "\\0", CANARY, CANARY,
]  # fmt: skip
HOSTILE_TEXT = st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=5), max_size=30).map("".join)
WRAPPINGS = [
    "{}", "'{}'", '"{}"', "[{}]", "{{{}: a}}", "{{a: {}}}", "|\n      {}", "&{} x", "*{}", "!{} x", "{} #x",
    "x #{}", "'{}", "[{}",
    "{}: {}", "\t{}", "x\n      {}", "<{}>", "{}\0", "9{}", "- {}", "'x'#{}", "%{}", "@{}", '"\\q{}"',
    "[[{}]]", "\n      {}: x",
    "postgresql://u:{}@h/db", "http://u:{}@h/", "$argon2id${}", "1h{}", "10.0.0.0/8{}",
]  # fmt: skip


@PROPERTY
@given(HOSTILE_TEXT)
def test_hostile_text_neither_raises_nor_is_echoed(text: str) -> None:
    """Whatever a file says, the answer is a list of problems, and no secret is in it."""
    assert CANARY not in repr(problems(text.encode("utf-8", "surrogatepass")))


@PROPERTY
@given(st.binary(max_size=200))
def test_hostile_bytes_never_raise(content: bytes) -> None:
    """A config file that is no text at all is a problem like any other."""
    assert all(problem.place for problem in problems(content))


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("key", OPTIONS)
def test_no_message_quotes_the_value_of_any_option(key: str, wrapping: str) -> None:
    """Wherever a secret stands by mistake, and however it is written, no problem repeats it."""
    *sections, name = key.split(".")
    text = "".join(f"{'  ' * depth}{part}:\n" for depth, part in enumerate(sections))
    text += f"{'  ' * len(sections)}{name}: {wrapping.format(CANARY, CANARY)}\n"
    assert CANARY not in repr(problems(text))


@PROPERTY
@given(HOSTILE_TEXT)
def test_the_same_text_gives_the_same_result(text: str) -> None:
    """Reading a file has no memory: two workers that read one file agree."""
    content = text.encode("utf-8", "surrogatepass")
    assert parse(content, "config.yml") == parse(content, "config.yml")
    assert problems(content) == problems(content)


# -- files that are none --------------------------------------------------------------------------------------


def test_a_missing_file_is_no_problem_of_the_reader() -> None:
    """It is possible to run without a file, so its absence is an answer, not an error."""
    assert yamlfile.read(Path("/nowhere/config.yml")) == (None, [])


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    """256 KiB are accepted."""
    file = tmp_path / "config.yml"
    file.write_bytes(b"#" * yamlfile.LARGEST)
    content, found = yamlfile.read(file)
    assert (len(content or b""), found) == (256 * 1024, [])


@pytest.mark.parametrize("size", [256 * 1024 + 1, 10 * 1024 * 1024])
def test_a_larger_file_is_refused(tmp_path: Path, size: int) -> None:
    """One byte more, or 10 MB, is a problem that names the limit."""
    file = tmp_path / "config.yml"
    file.touch()
    os.truncate(file, size)
    [problem] = yamlfile.read(file)[1]
    assert str(problem) == "config.yml: is larger than 262144 bytes"


def test_a_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    """A FIFO nobody writes to does not hold the server up."""
    os.mkfifo(tmp_path / "config.yml")
    [problem] = yamlfile.read(tmp_path / "config.yml")[1]
    assert str(problem) == "config.yml: is not a regular file"


def test_a_device_is_refused() -> None:
    """A file without an end is not read."""
    [problem] = yamlfile.read(Path("/dev/zero"))[1]
    assert problem.message == "is not a regular file"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """What Docker makes of a bind mount that is not there is a problem in plain words."""
    (tmp_path / "config.yml").mkdir()
    [problem] = yamlfile.read(tmp_path / "config.yml")[1]
    assert str(problem) == "config.yml: is not a regular file"


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    """A link that leads to itself is a problem, not an exception."""
    (tmp_path / "config.yml").symlink_to("config.yml")
    [problem] = yamlfile.read(tmp_path / "config.yml")[1]
    assert "cannot be read" in problem.message


def test_an_unreadable_file_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own reason is given."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    [problem] = yamlfile.read(tmp_path / "config.yml")[1]
    assert str(problem) == "config.yml: cannot be read (Permission denied)"


def test_refused_files_are_closed_again(tmp_path: Path) -> None:
    """A path that stays wrong for weeks does not use up the process's open files."""
    os.mkfifo(tmp_path / "fifo")
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208 - a listing of numbers, not of paths
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero")) * 5:
        yamlfile.read(path)
    assert len(os.listdir("/dev/fd")) <= before  # noqa: PTH208 - see above


# -- keys with dots -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "auth.mode: none\n",
        "AUTH.Mode: none\n",
        "auth: {mode: none}\n",
    ],
)
def test_a_key_may_be_written_with_its_dots(text: str) -> None:
    """What pages and messages call an option may be written so, on one line."""
    document = parse(text.encode(), "config.yml")
    assert document.problems == []
    assert document.values["auth.mode"].value == "none"


def test_dots_and_levels_together() -> None:
    """Sections may be written with dots, too, beside the same section with levels."""
    text = "server.basic-auth: {username: ada}\nserver:\n  port: 1\n  basic-auth.password: secret\n"
    document = parse(text.encode(), "config.yml")
    assert document.problems == []
    assert set(document.values) == {"server.basic-auth.username", "server.port", "server.basic-auth.password"}


@pytest.mark.parametrize(
    "text", ["auth.mode: none\nauth: {mode: basic}\n", "auth: {mode: basic}\nauth.mode: none\n", "a.b: 1\n"]
)
def test_dots_excuse_nothing(text: str) -> None:
    """An option that is given twice in two spellings is given twice, and an unknown one stays unknown."""
    (problem,) = parse(text.encode(), "config.yml").problems
    assert "given twice" in problem.message or problem.message.startswith("unknown option")


@pytest.mark.parametrize("line", ["password:S3kret", "password S3kret", "pasword=S3kret"])
def test_a_key_that_holds_more_than_a_name_is_not_repeated(line: str) -> None:
    """Where a blank was forgotten, the key is part of the secret."""
    (problem,) = parse(f"server: {{basic-auth: {{{line}: x}}}}\n".encode(), "config.yml").problems
    assert "S3kret" not in str(problem)


@pytest.mark.parametrize("value", ['"Correct-horse', "'Correct-horse", "[Correct-horse", "{Correct-horse"])
def test_what_is_never_closed_is_told_where_it_begins(value: str) -> None:
    """A quote or bracket without its other half is told at its own line, not at the end of the file."""
    text = f"server:\n  port: 1\n  basic-auth:\n    password: {value}\nlog:\n  level: info\n"
    (problem,) = parse(text.encode(), "config.yml").problems
    assert str(problem.place) == "config.yml:4:15"
