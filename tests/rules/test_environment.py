"""The environment's layer: every name, its conflicts, its strangers, and no value in any message."""

from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authapp import variables
from authapp.config import environment
from authapp.config.environment import LANGINFRA_PREFIXES, NAMES, Environment, other_names, own_name
from authapp.config.options import MODE, OPTIONS, PASSWORD_KEYS, SECRET_KEY, USERNAME
from authapp.config.overlay import Effective, overlay
from authapp.errors import Problem
from tests.samples import CANARY, process, samples, typed

PASSWORD = PASSWORD_KEYS[0]
PROPERTY = settings(max_examples=150, deadline=None, database=None)
NEW_USER_IS_ACTIVE = "auth.new-user-is-active"

# The three systems' own names, as the contract lists them; those whose text is not the option's own are below.
ALIASES: dict[str, str] = {
    "INITIAL_ORG_ADMIN_EMAIL": USERNAME,
    "INITIAL_ORG_ADMIN_PASSWORD": PASSWORD,
    "BASIC_AUTH_JWT_SECRET": SECRET_KEY,
    "AUTH_TYPE": MODE,
}
for prefix in ("AUTHAPP_", "LANGINFRA_", "LANGFLOW_"):
    ALIASES |= {
        f"{prefix}SUPERUSER": USERNAME,
        f"{prefix}SUPERUSER_PASSWORD": PASSWORD,
        f"{prefix}SECRET_KEY": SECRET_KEY,
        f"{prefix}NEW_USER_IS_ACTIVE": NEW_USER_IS_ACTIVE,
    }
AUTO_LOGIN = [f"{prefix}AUTO_LOGIN" for prefix in LANGINFRA_PREFIXES]
SWITCHES = [*AUTO_LOGIN, "BASIC_AUTH_ENABLED"]
TRUE, FALSE = ("true", "True", "TRUE", "1", "yes", "on"), ("false", "False", "FALSE", "0", "no", "off")


def read(values: dict[str, str]) -> Environment:
    """Read the variables of a process."""
    return environment.read(process(values))


def read_file(text: str) -> Environment:
    """Read an env file that can be read."""
    found, problems = variables.parse(text.encode(), ".env")
    assert not problems
    return environment.read(found)


def effective(values: dict[str, str]) -> Effective:
    """Return the effective config of variables that have no problems."""
    around = read(values)
    found, problems = overlay([around.layer])
    assert not [*around.problems, *around.warnings, *problems]
    return found


def everything_wrong(around: Environment) -> list[Problem]:
    """Return every message there is."""
    return [*around.problems, *around.warnings, *overlay([around.layer])[1]]


def text_for(name: str, text: str) -> str:
    """Return how a variable says what its option's own text says."""
    if name in SWITCHES:
        return str((text == "none") == (name in AUTO_LOGIN)).lower()
    return text


# -- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", OPTIONS)
def test_an_option_has_a_name_of_its_own(key: str) -> None:
    """`AUTHAPP_`, and the key in capitals with `_` for `.` and `-`."""
    name = own_name(key)
    assert name == "AUTHAPP_" + key.upper().replace(".", "_").replace("-", "_")
    assert NAMES[name][0] == key


@pytest.mark.parametrize(("name", "key"), ALIASES.items())
def test_the_three_systems_names_are_understood(name: str, key: str) -> None:
    """What LangSmith, Langinfra and Langflow call it means the same here, and the place says under which name."""
    for text in samples(key):
        found = effective({name: text})
        assert found.get(key) == typed(key, text)
        assert str(found.place_of[key]) == f"environment variable {name}"


def test_no_other_names_are_understood() -> None:
    """Nothing else in a crowded environment is taken for an option."""
    assert set(NAMES) == {*map(own_name, OPTIONS), *ALIASES, *SWITCHES}
    assert {name for key in OPTIONS for name in other_names(key)} == {*ALIASES, *SWITCHES}


@pytest.mark.parametrize("name", AUTO_LOGIN)
def test_signing_in_by_itself_is_mode_none(name: str) -> None:
    """AUTO_LOGIN is mode none when true and basic when false, however true and false are spelled."""
    assert {effective({name: text}).get(MODE) for text in TRUE} == {"none"}
    assert {effective({name: text}).get(MODE) for text in FALSE} == {"basic"}


def test_basic_auth_enabled_is_mode_basic() -> None:
    """LangSmith's BASIC_AUTH_ENABLED is mode basic when true and none when false."""
    assert {effective({"BASIC_AUTH_ENABLED": text}).get(MODE) for text in TRUE} == {"basic"}
    assert {effective({"BASIC_AUTH_ENABLED": text}).get(MODE) for text in FALSE} == {"none"}


@pytest.mark.parametrize(("text", "mode"), [("mixed", "basic"), ("MIXED", "basic"), ("none", "none")])
def test_langsmiths_words_for_the_mode(text: str, mode: str) -> None:
    """AUTH_TYPE `mixed` is mode basic."""
    assert effective({"AUTH_TYPE": text}).get(MODE) == mode


@pytest.mark.parametrize("text", ["oauth", "OAuth"])
@pytest.mark.parametrize("name", ["AUTH_TYPE", own_name(MODE)])
def test_oauth_is_refused_with_the_reason(name: str, text: str) -> None:
    """Whoever moves in with OAuth learns that there is none here, and what to write."""
    [problem] = everything_wrong(read({name: text}))
    assert "here people sign in with user name and password; write basic, or none" in problem.message


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_that_is_no_switch(name: str) -> None:
    """What is neither true nor false is an error that names the variable, and no mode is made of it."""
    around = read({name: CANARY})
    assert [problem.message for problem in around.problems] == [f"{name} must be true or false"]
    assert not around.layer.values


# -- two names for one option ---------------------------------------------------------------------------------

PAIRS = [pair for key in OPTIONS for pair in combinations((own_name(key), *other_names(key)), 2)]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_names_that_disagree_are_one_error(first: str, second: str) -> None:
    """Two names of one option with different values are an error that names both and quotes neither value."""
    key = NAMES[first][0]
    one, two, *_ = samples(key)
    for values in ({first: one, second: two}, {second: one, first: two}):
        [problem] = everything_wrong(read({name: text_for(name, text) for name, text in values.items()}))
        assert problem.message == f"{first} and {second} say different things; keep one of the two"
        assert (problem.key, CANARY in str(problem)) == (key, False)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_names_that_agree_are_fine(first: str, second: str) -> None:
    """Two names of one option with the same value are as good as one."""
    key = NAMES[first][0]
    for text in samples(key):
        assert effective({name: text_for(name, text) for name in (first, second)}).get(key) == typed(key, text)


def test_two_spellings_of_one_value_agree() -> None:
    """`1` and `TRUE`, `mixed` and `basic` are the same value."""
    two = {"LANGFLOW_NEW_USER_IS_ACTIVE": "1", own_name(NEW_USER_IS_ACTIVE): "TRUE"}
    assert effective(two).get(NEW_USER_IS_ACTIVE) is True
    three = {"AUTH_TYPE": "mixed", own_name(MODE): "basic", "LANGINFRA_AUTO_LOGIN": "False"}
    assert effective(three).get(MODE) == "basic"


def test_an_env_files_name_and_a_process_name_may_disagree() -> None:
    """The process beats an env file name by name; two different names that disagree are an error here too."""
    found, _ = variables.parse(f"LANGFLOW_SUPERUSER=ada-{CANARY}\n".encode(), ".env")
    [problem] = environment.read({**found, **process({"AUTHAPP_SUPERUSER": f"bob-{CANARY}"})}).problems
    assert "AUTHAPP_SUPERUSER and LANGFLOW_SUPERUSER" in problem.message
    assert CANARY not in str(problem)


@pytest.mark.parametrize(("one", "two"), list(combinations(PASSWORD_KEYS, 2)))
def test_two_kinds_of_password_are_an_error(one: str, two: str) -> None:
    """Of password, hash and file the environment may give one."""
    [problem] = everything_wrong(read({own_name(key): samples(key)[0] for key in (one, two)}))
    assert problem.message == f"give only one of {', '.join(key.rpartition('.')[2] for key in (one, two))}"


# -- values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_variable_is_not_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable of process or env file gives nothing, and stands in no other name's way."""
    monkeypatch.setenv(name, "")
    assert name not in variables.from_process()
    for empty in ("", "''", '""', "   ", "# later"):
        assert not read_file(f"{name}={'' if empty == '# later' else empty}\n").layer.values


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        ("10.0.0.0/8,::1", ["10.0.0.0/8", "::1/128"]),
        (" 10.0.0.0/8 , ::1 ", ["10.0.0.0/8", "::1/128"]),
        ("10.0.0.0/8,", ["10.0.0.0/8"]),
        (",", []),
    ],
)
def test_a_list_is_parted_by_commas(text: str, networks: list[str]) -> None:
    """A list is written with commas; spaces around them do not matter."""
    found = effective({own_name("server.trusted-proxies"): text}).get("server.trusted-proxies")
    assert list(map(str, found)) == networks


PLACEHOLDERS = ["<your-password>", "changeme", "change-me", "your-email", "your-password", "your-jwt-secret"]


SECRETIVE = [name for name, (key, _) in NAMES.items() if key in (USERNAME, PASSWORD, SECRET_KEY)]


@pytest.mark.parametrize("name", SECRETIVE)
def test_a_placeholder_is_refused_under_every_name(name: str) -> None:
    """What the three systems' example files hold in place of a secret is an error, never an absent value."""
    for placeholder in PLACEHOLDERS:
        [problem] = everything_wrong(read({name: placeholder}))
        assert problem.message.startswith("is a placeholder")
        assert placeholder not in str(problem)


@pytest.mark.parametrize("key", [key for key, option in OPTIONS.items() if option.secret])
@pytest.mark.parametrize("line", ["{} #12", "{}    # 12", "'{}'#12", '"{}"#12', "{}\u00a0"])
def test_a_secret_an_env_file_would_cut_asks_for_quotes(key: str, line: str) -> None:
    """A secret that a comment, or a space nobody sees, makes shorter is an error, and no value."""
    around = read_file(f"{own_name(key)}={line.format(samples(key)[0])}\n")
    [problem] = around.problems
    assert "quotes" in problem.message
    assert (str(problem.place), around.layer.values) == (".env:1", {})


def test_a_comment_behind_what_is_no_secret_is_a_comment() -> None:
    """`AUTHAPP_SERVER_PORT=81 # ours` is 81."""
    assert read_file("AUTHAPP_SERVER_PORT=81 # ours\n").layer.values["server.port"].value == "81"


@pytest.mark.parametrize("text", ["${HOME}", "$HOME", "$${HOME}", "`id`", "$(id)", "%HOME%"])
def test_nothing_in_a_variable_is_interpreted(text: str) -> None:
    """A password is what stands in the variable; references are for the config file."""
    assert effective({"AUTHAPP_SUPERUSER_PASSWORD": text}).get(PASSWORD).get_secret_value() == text
    assert read_file(f"AUTHAPP_SUPERUSER_PASSWORD={text}\n").layer.values[PASSWORD].value == text


# -- strangers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AUTHAPP_SUPERUSR", "AUTHAPP_SUPERUSER"),
        ("AUTHAPP_SUPERUSER_PASWORD", "AUTHAPP_SUPERUSER_PASSWORD"),
        ("AUTHAPP_SEVER_PORT", "AUTHAPP_SERVER_PORT"),
        ("AUTHAPP_BASIC_AUTH_PASSWORD", "AUTHAPP_SERVER_BASIC_AUTH_PASSWORD"),
        ("AUTHAPP_AUTOLOGIN", "AUTHAPP_AUTO_LOGIN"),
        ("AUTHAPP_SERVER__PORT", "AUTHAPP_SERVER_PORT"),
    ],
)
def test_an_unknown_name_like_a_known_one(name: str, meant: str) -> None:
    """A slip warns in the process, and is an error at its line of an env file; both say what was meant."""
    said = f"is unknown, did you mean {meant}?"
    around, in_file = read({name: CANARY}), read_file(f"\n{name}={CANARY}\n")
    warned = [f"environment variable {name}: {said}"]
    assert ([str(problem) for problem in around.warnings], around.problems) == (warned, ())
    assert ([str(problem) for problem in in_file.problems], in_file.warnings) == ([f".env:2: this name {said}"], ())


@pytest.mark.parametrize(
    "name",
    [f"AUTHAPP_{CANARY}", "AUTHAPP_HOME", "AUTHAPP_", "AUTHAPP_X", "AUTHAPP_SUPERUSE\x1b[2J", "AUTHAPP_SUPERÜSER"],
)
def test_an_unknown_name_like_no_other_is_not_repeated(name: str) -> None:
    """It may be part of a secret, or obeyed by a terminal; how to find the right one is said instead."""
    [problem] = read({name: "x"}).warnings
    assert name.removeprefix("AUTHAPP_") not in str(problem) or name == "AUTHAPP_"
    assert str(problem) == (
        "a variable that begins with AUTHAPP_ is unknown (`authapp config show` lists the options)"
    )


@pytest.mark.parametrize(
    "name",
    ["LANGFLOW_HOST", "LANGINFRA_PORT", "authapp_superuser", "MY_AUTHAPP_SUPERUSR", "AUTH_TYPES"],
)
def test_other_programs_variables_are_passed_over(name: str) -> None:
    """Names without our prefix may be anybody's: nothing is said of them, in an env file neither."""
    assert not [*everything_wrong(read({name: CANARY})), *everything_wrong(read_file(f"{name}={CANARY}\n"))]


def test_the_name_of_the_config_file_is_known() -> None:
    """AUTHAPP_CONFIG is no option, and no stranger."""
    assert not everything_wrong(read({"AUTHAPP_CONFIG": "config.yml"}))


KUBERNETES = {
    "AUTHAPP_PORT": "tcp://10.96.0.7:8080", "AUTHAPP_SERVICE_HOST": "10.96.0.7", "AUTHAPP_SERVICE_PORT": "8080",
    "AUTHAPP_SERVICE_PORT_HTTP": "8080", "AUTHAPP_PORT_8080_TCP": "tcp://10.96.0.7:8080",
    "AUTHAPP_PORT_8080_TCP_PROTO": "tcp", "AUTHAPP_PORT_8080_TCP_PORT": "8080",
    "AUTHAPP_PORT_8080_TCP_ADDR": "10.96.0.7",
    "AUTHAPP_SERVER_PORT": "tcp://10.96.0.8:80", "AUTHAPP_SERVER_SERVICE_HOST": "10.96.0.8",
    "AUTHAPP_SERVER_SERVICE_PORT": "80", "AUTHAPP_SERVER_PORT_80_TCP_ADDR": "10.96.0.8",
    "AUTHAPP_DNS_PORT": "udp://10.96.0.9:53", "AUTHAPP_DNS_PORT_53_UDP": "udp://10.96.0.9:53",
}  # fmt: skip


@pytest.mark.parametrize("name", KUBERNETES)
def test_what_kubernetes_sets_is_passed_over(name: str) -> None:
    """Kubernetes sets variables named after services; beside one called authapp they are no options of ours."""
    around = read({name: KUBERNETES[name]})
    assert not [*everything_wrong(around), *around.layer.values]


def test_a_port_beside_kubernetes_still_counts() -> None:
    """A port that is one is taken, whatever else Kubernetes sets."""
    assert effective({**KUBERNETES, "AUTHAPP_SERVER_PORT": "81"}).get("server.port") == 81


# -- silence --------------------------------------------------------------------------------------------------

ENDINGS = st.sampled_from(["", " #x", ":/@", "\n", "\0"])
SECRETS = st.builds("{}{}{}".format, st.text(max_size=6), st.just(CANARY), ENDINGS)
ANY_NAME = st.sampled_from([*NAMES, "AUTHAPP_SUPERUSR", "AUTHAPP_PORT", "AUTHAPP_NOTHING"])


@PROPERTY
@given(st.dictionaries(ANY_NAME, SECRETS, max_size=8))
def test_no_message_repeats_a_value(values: dict[str, str]) -> None:
    """Whatever stands in which variable of the process, no problem and no warning repeats any of it."""
    assert CANARY not in repr(everything_wrong(read(values)))


@PROPERTY
@given(st.lists(st.tuples(ANY_NAME, st.sampled_from(["=", " = ", "='", '="', " ", ": ", ""]), SECRETS), max_size=6))
def test_no_message_repeats_a_piece_of_an_env_file(lines: list[tuple[str, str, str]]) -> None:
    """However an env file is broken, no problem repeats what stands in it."""
    text = "\n".join(map("".join, lines))
    found, problems = variables.parse(text.encode("utf-8", "surrogatepass"), ".env")
    assert CANARY not in repr([*problems, *everything_wrong(environment.read(found))])


TROUBLED = list(product(["AUTHAPP_SERVER_PORT", "AUTHAPP_SUPERUSER"], ["\udc80", "a\0b"]))


@pytest.mark.parametrize(("name", "text"), TROUBLED)
def test_a_value_that_is_no_text_is_refused(name: str, text: str) -> None:
    """Bytes that are no text, and NUL, are an error like any other."""
    [problem] = everything_wrong(read({name: text}))
    assert problem.message == "contains a character that no text should"
