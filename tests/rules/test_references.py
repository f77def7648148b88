"""`${NAME}` in a config file: what is replaced, by what, and what stays."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authapp import variables
from authapp.config.options import OPTIONS, PASSWORD_KEYS, SECRET_KEY
from authapp.config.overlay import Layer, Source, overlay
from authapp.config.yamlfile import Document, parse
from authapp.errors import Problem
from tests.samples import CANARY, in_file, process, samples, typed

PASSWORD, PASSWORD_HASH, PASSWORD_FILE = PASSWORD_KEYS
NAME, PROXIES = "organization.name", "server.trusted-proxies"
TYPED_SECRETS = [PASSWORD, PASSWORD_HASH, SECRET_KEY]
PROPERTY = settings(max_examples=150, deadline=None, database=None)


def read(key: str, text: str, **values: str) -> Document:
    """Read a config file with one option in quotes, where these variables are set."""
    return parse(in_file(key, text).encode(), "config.yml", process(values))


def said(key: str, text: str, **values: str) -> Any:
    """Return what a config file without problems says of an option."""
    document = read(key, text, **values)
    assert not document.problems
    return document.values[key].value


def refused(key: str, text: str, **values: str) -> Problem:
    """Return the one problem of a config file that gives no value."""
    document = read(key, text, **values)
    assert not document.values
    [problem] = document.problems
    return problem


def env_file(text: str) -> dict[str, variables.Variable]:
    """Read an env file."""
    return variables.parse(text.encode(), ".env")[0]


# -- what is replaced -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("${A}", "one"),
        ("x${A}y", "xoney"),
        ("${A}${B_2}", "onetwo"),
        ("${A:else}", "one"),
        ("${MISSING:else}", "else"),
        ("${MISSING:}x", "x"),
        ("${MISSING:a:b c/d}", "a:b c/d"),
        ("${MISSING:-x}", "-x"),
        ("${MISSING:$A}", "$A"),
        ("${EMPTY:else}", "else"),
    ],
)
def test_a_reference_is_replaced(text: str, meant: str) -> None:
    """`${NAME}` is the variable, `${NAME:default}` the default where it is not set; an empty one is not set."""
    set_here = {name: text for name, text in {"A": "one", "B_2": "two", "EMPTY": ""}.items() if text}
    assert said(NAME, text, **set_here) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$${A}${A}", "${A}one"),
        ("$${", "${"),
        ("$A", "$A"),
        ("$$", "$$"),
        ("$", "$"),
        ("a$", "a$"),
        ("$(A)", "$(A)"),
        ("${", "${"),
        ("${}", "${}"),
        ("${A", "${A"),
        ("${1A}", "${1A}"),
        ("${A B}", "${A B}"),
        ("${A-B}", "${A-B}"),
        ("{A}", "{A}"),
        ("${ÄA}", "${ÄA}"),
    ],
)
def test_every_other_dollar_sign_stays(text: str, meant: str) -> None:
    """`$${` is a literal `${`; a `$` that begins no reference is a `$`."""
    assert said(NAME, text, A="one") == meant


@pytest.mark.parametrize("key", OPTIONS)
def test_every_option_can_be_a_reference(key: str) -> None:
    """Numbers, switches, durations, addresses, secrets: of each option the whole value may come by reference."""
    for text in samples(key):
        document = read(key, "${THE_VALUE}", THE_VALUE=text)
        effective, problems = overlay([Layer(Source.FILE, document.values)])
        assert not [*document.problems, *problems]
        assert effective.get(key) == typed(key, text)
        assert str(effective.place_of[key]).startswith("config.yml:1:")


@pytest.mark.parametrize("key", [key for key, option in OPTIONS.items() if not option.many])
def test_every_option_can_have_a_default(key: str) -> None:
    """The default behind the colon is a value like any other, colons in it included."""
    text = samples(key)[0]
    assert typed(key, said(key, f"${{MISSING:{text}}}")) == typed(key, text)


def test_references_in_a_list() -> None:
    """Each part of a list may hold references."""
    text = "server:\n  trusted-proxies:\n    - ${ONE}\n    - 10.0.0.${LAST}\n    - ${MISSING:::1}\n"
    document = parse(text.encode(), "config.yml", process({"ONE": "192.168.0.0/16", "LAST": "7"}))
    assert not document.problems
    assert document.values[PROXIES].value == ("192.168.0.0/16", "10.0.0.7", "::1")


def test_a_reference_within_an_address_and_a_path() -> None:
    """A database address and the path of a password file may be put together from pieces."""
    url = "postgresql://ada:${DB_PASSWORD}@${DB_HOST:localhost}/authapp"
    assert said("database.url", url, DB_PASSWORD="s3cret") == "postgresql://ada:s3cret@localhost/authapp"
    assert said(PASSWORD_FILE, "${FOLDER}/password", FOLDER="/run/secrets") == "/run/secrets/password"


def test_a_reference_without_quotes() -> None:
    """`name: ${A}` needs no quotes, nor does a default."""
    document = parse(
        b"organization:\n  name: ${A}\nworkspace:\n  name: ${B:two}\n", "config.yml", process({"A": "1"})
    )
    assert [given.value for given in document.values.values()] == ["1", "two"]


# -- secrets --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", TYPED_SECRETS)
def test_a_secret_may_be_one_whole_reference(key: str) -> None:
    """A password, hash or secret key that is nothing but one reference is replaced."""
    assert said(key, "${A}", A="from the variable") == "from the variable"
    assert said(key, "${MISSING:in the file 16}") == "in the file 16"


@pytest.mark.parametrize("key", TYPED_SECRETS)
@pytest.mark.parametrize("text", ["x${A}", "${A}x", "${A}${A}", "a$${A}b", "$${A}", "${A", "$A", " ${A}", "a$b${"])
def test_a_secret_that_merely_holds_a_reference_is_the_text_typed(key: str, text: str) -> None:
    """Whatever else stands in a secret is part of it: an unlucky password is not rewritten."""
    assert said(key, text, A="one") == text


@pytest.mark.parametrize("key", [key for key, option in OPTIONS.items() if option.secret])
@pytest.mark.parametrize("line", ["A=Half #of it", "A='Half'#of it", "A=Half\u00a0", "A='Half\nof it'", "A"])
def test_a_secret_an_env_file_would_cut_is_not_taken(key: str, line: str) -> None:
    """A reference to a variable that its env file gives in part only is an error, in a database address too."""
    text = "postgresql://ada:${A}@db/x" if key == "database.url" else "${A}"
    document = parse(in_file(key, text).encode(), "config.yml", env_file(line + "\n"))
    assert (len(document.problems), document.values) == (1, {})
    assert "damaged" in str(document.problems[0])


# -- what is an error -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", OPTIONS)
def test_a_variable_that_is_not_set_is_an_error(key: str) -> None:
    """The problem tells key and place and how to give a default, not which name or text stands there."""
    problem = refused(key, f"${{{CANARY}}}")
    assert (problem.key, str(problem.place)[:13]) == (key, "config.yml:1:")
    assert "names an environment variable that is not set" in problem.message
    assert "${NAME:default}" in problem.hint
    assert CANARY not in repr(problem)


def test_every_missing_variable_is_told_at_once() -> None:
    """Two options whose variables are missing are two problems, each with its line."""
    text = b"organization: {name: '${A}'}\nworkspace: {name: '${B}'}\n"
    found = parse(text, "config.yml").problems
    assert [(problem.key, problem.place and problem.place.line) for problem in found] == [
        (NAME, 1),
        ("workspace.name", 2),
    ]


@pytest.mark.parametrize("key", ["server.port", "auth.sign-up", "session.lifetime", "log.level", PROXIES])
def test_a_variable_of_the_wrong_kind_is_not_repeated(key: str) -> None:
    """A variable whose text does not fit is an error at the line of the config file, without the text."""
    document = read(key, "${A}", A=CANARY)
    [problem] = overlay([Layer(Source.FILE, document.values)])[1]
    assert (problem.key, problem.place and problem.place.line) == (key, 1)
    assert CANARY not in repr(problem)


def test_references_in_keys_are_none() -> None:
    """Only values hold references; a key with a `$` is an unknown option."""
    [problem] = parse(b"server: {'${A}': 81}\n", "config.yml", process({"A": "port"})).problems
    assert "unknown option" in problem.message


# -- never twice ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["${B}", "$${B}", "${B:x}", "\\1", "\\g<0>", "$B", "'", "#", "a: b", "~"])
@pytest.mark.parametrize("key", [NAME, PASSWORD])
def test_what_a_variable_holds_is_never_interpreted(key: str, text: str) -> None:
    """A variable's text is the value: no reference, no YAML, no pattern in it means anything."""
    assert said(key, "${A}", A=text, B="never") == text


@PROPERTY
@given(st.text(min_size=1, max_size=20), st.text(max_size=5).filter(lambda text: "$" not in text))
def test_any_text_arrives_through_a_reference(value: str, around: str) -> None:
    """Whatever a variable holds arrives as it is, between whatever stands around it."""
    escaped = "".join(f"\\U{ord(character):08x}" for character in around)
    content = f'organization: {{name: "{escaped}${{A}}"}}\n'
    document = parse(content.encode(), "config.yml", process({"A": value}))
    assert [given.value for given in document.values.values()] in ([around + value], [])
    assert bool(document.problems) != bool(document.values)


@PROPERTY
@given(st.lists(st.sampled_from(["$", "{", "}", "${", "$${", ":", "A", "MISSING", CANARY, " "]), max_size=12))
def test_no_text_with_dollar_signs_fails_or_is_told(pieces: list[str]) -> None:
    """However references are nested, broken and escaped, the result is a value or one silent problem."""
    document = read(NAME, "".join(pieces), A="one")
    assert len(document.problems) + len(document.values) == 1
    assert CANARY not in repr(document.problems)


# -- lists ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["10.0.0.0/8, 127.0.0.1", "10.0.0.0/8,127.0.0.1", "10.0.0.0/8 127.0.0.1"])
def test_a_list_in_one_variable(text: str) -> None:
    """A list may stand in one text, with commas or spaces, written out or in a variable, as in the environment."""
    assert said(PROXIES, text) == said(PROXIES, "${LIST}", LIST=text) == ("10.0.0.0/8", "127.0.0.1")


def test_a_secret_that_is_not_set_is_told_no_escape() -> None:
    """The hint names `$${` only where it means something: a secret is the text that was typed."""
    assert "$${" not in refused(PASSWORD, "${MISSING}").hint
    assert "$${" in refused(NAME, "${MISSING}").hint
