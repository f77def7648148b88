"""The overlay: default < Settings table < environment < config file, option by option."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authapp.config.options import OPTIONS, PASSWORD_KEYS, SECRET_KEY, USERNAME
from authapp.config.overlay import Effective, GivenCredentials, Layer, Source, overlay, settings_layer
from authapp.config.sections import Config
from authapp.config.yamlfile import Given
from authapp.errors import Place

PASSWORD, PASSWORD_HASH, PASSWORD_FILE = PASSWORD_KEYS
PROPERTY = settings(max_examples=200, deadline=None, database=None)
# Good values for each of these options.
VALUES: dict[str, tuple[Any, ...]] = {
    "server.port": ("81", "82", "83"),
    "server.host": ("a", "b", "c"),
    "server.trusted-proxies": (("10.0.0.0/8",), ("::1",), ()),
    "auth.new-user-is-active": ("true", "false"),
    "session.lifetime": ("1h", "2h", "3h"),
    "organization.name": ("One", "Two", "Three"),
    "log.level": ("debug", "error"),
    SECRET_KEY: ("0123456789abcdef", "fedcba9876543210"),
    USERNAME: ("ada", "bob", "charlie"),
}
ABOVE_DEFAULT = [Source.SETTINGS, Source.ENVIRONMENT, Source.FILE]


def layer(source: Source, line: int | None = None, **values: Any) -> Layer:
    """Make a layer; `server__port` stands for `server.port`."""
    place = Place("config.yml", line, 1) if line else None
    keys = {name: name.replace("__", ".").replace("_", "-") for name in values}
    return Layer(source, {keys[name]: Given(value, place) for name, value in values.items()})


def lay(*layers: Layer) -> Effective:
    """Lay layers that have no problems."""
    effective, problems = overlay(layers)
    assert not problems
    return effective


OPTION_VALUES = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in VALUES.items()})
LAYERS = st.tuples(OPTION_VALUES, OPTION_VALUES, OPTION_VALUES).map(
    lambda says: [
        Layer(source, {key: Given(value) for key, value in given_there.items()})
        for source, given_there in zip(ABOVE_DEFAULT, says, strict=True)
    ]
)

# -- who wins -------------------------------------------------------------------------------------------------


def test_without_layers_the_defaults_are_in_force() -> None:
    """Nothing said is the default config, supplied by nobody."""
    effective = lay()
    assert effective.config == Config()
    assert not effective.source_of


@PROPERTY
@given(LAYERS)
def test_the_highest_layer_that_has_a_value_wins(layers: list[Layer]) -> None:
    """For any combination of layers and for each option by itself, the default included."""
    effective = lay(*layers)
    for key in VALUES:
        winner = next((each for each in reversed(layers) if key in each.values), None)
        expected = OPTIONS[key].convert(winner.values[key].value) if winner else OPTIONS[key].default
        assert effective.get(key) == expected
        assert effective.source_of.get(key) == (winner.source if winner else None)
        assert effective.pinned(key) == (winner is not None and winner.source is not Source.SETTINGS)


@PROPERTY
@given(LAYERS)
def test_the_typed_config_agrees_with_the_values(layers: list[Layer]) -> None:
    """Code that reads `config.server.port` sees what `get` says."""
    effective = lay(*layers)
    assert effective.config.server.port == effective.get("server.port")
    assert effective.config.session.lifetime == effective.get("session.lifetime")
    assert effective.config.server.basic_auth.username == effective.get(USERNAME)
    assert effective.config.server.secret_key == effective.get(SECRET_KEY)


@PROPERTY
@given(LAYERS)
def test_the_same_layers_give_the_same_result(layers: list[Layer]) -> None:
    """The overlay has no memory, and changes no layer."""
    before = [dict(each.values) for each in layers]
    assert overlay(layers) == overlay(layers)
    assert [dict(each.values) for each in layers] == before


@PROPERTY
@given(LAYERS, st.sampled_from(list(VALUES)))
def test_taking_a_line_out_lets_the_next_layer_show_through(layers: list[Layer], key: str) -> None:
    """Without the file's value the result is what the layers below say."""
    without = Layer(Source.FILE, {k: v for k, v in layers[2].values.items() if k != key})
    assert lay(layers[0], layers[1], without).get(key) == lay(layers[0], layers[1]).get(key)


def test_a_pinned_option_knows_its_place() -> None:
    """The screens can say `config.yml, line 12`."""
    effective = lay(
        layer(Source.SETTINGS, organization__name="One"), layer(Source.FILE, 12, organization__name="Two")
    )
    assert effective.pinned("organization.name")
    assert str(effective.place_of["organization.name"]) == "config.yml:12:1"


def test_a_setting_is_not_pinned() -> None:
    """What the Settings table supplies can be changed on the screens."""
    assert not lay(layer(Source.SETTINGS, organization__name="One")).pinned("organization.name")


# -- what is said wrongly -------------------------------------------------------------------------------------


def test_every_wrong_value_is_reported_at_its_place() -> None:
    """All at once, and none of them stops the others."""
    wrong = layer(Source.FILE, 3, server__port="x", session__lifetime="y", log__level="z", server__host="good")
    effective, problems = overlay([wrong])
    assert sorted(problem.key for problem in problems) == ["log.level", "server.port", "session.lifetime"]
    assert {problem.place for problem in problems} == {Place("config.yml", 3, 1)}
    assert effective.config.server.host == "good"


def test_a_stored_setting_that_cannot_be_used_is_no_problem_of_the_file() -> None:
    """It is passed over and named, so that a bad row cannot keep anybody out."""
    effective, problems = overlay([settings_layer({"session.lifetime": "soon", "organization.name": "One"})])
    assert not problems
    assert [problem.key for problem in effective.ignored] == ["session.lifetime"]
    assert effective.config == lay(layer(Source.SETTINGS, organization__name="One")).config


@pytest.mark.parametrize("source", [Source.ENVIRONMENT, Source.FILE])
@pytest.mark.parametrize("key", [USERNAME, PASSWORD, PASSWORD_HASH, SECRET_KEY])
def test_a_placeholder_is_an_error_wherever_it_stands(source: Source, key: str) -> None:
    """A placeholder is never read as an absent value that a lower layer may fill."""
    _, problems = overlay([Layer(source, {key: Given("changeme", Place("config.yml", 5, 1))})])
    assert [(problem.key, problem.closes) for problem in problems] == [(key, False)]


def test_a_placeholder_password_does_not_uncover_the_stored_one() -> None:
    """The stored password does not show through what was written above it."""
    stored = settings_layer({"server.basic-auth": {"username": "ada", "password_hash": "$argon2id$x"}})
    effective, problems = overlay([stored, layer(Source.FILE, 2, server__basic_auth__password="<password>")])
    assert len(problems) == 1
    assert effective.config.server.basic_auth.password_hash is None


# -- the password's three ways --------------------------------------------------------------------------------


@PROPERTY
@given(st.tuples(*[st.sampled_from([None, *PASSWORD_KEYS])] * 3))
def test_the_three_ways_to_give_a_password_are_one_option(keys: tuple[str | None, ...]) -> None:
    """The highest layer that gives any of the three hides the lower layers' three."""
    given_in = list(zip(ABOVE_DEFAULT, keys, strict=True))
    effective = lay(*[Layer(source, {key: Given(source.name)} if key else {}) for source, key in given_in])
    winner, key = next(((source, key) for source, key in reversed(given_in) if key), (None, None))
    supplied = {each: effective.source_of[each] for each in PASSWORD_KEYS if each in effective.source_of}
    assert supplied == ({key: winner} if key else {})
    assert effective.pinned_password == (None if winner is Source.SETTINGS else key)


@pytest.mark.parametrize(
    "keys",
    [
        (PASSWORD, PASSWORD_HASH),
        (PASSWORD_HASH, PASSWORD_FILE),
        (PASSWORD, PASSWORD_FILE),
        (PASSWORD_FILE, PASSWORD),
    ],
)
def test_two_passwords_in_one_layer_are_an_error(keys: tuple[str, str]) -> None:
    """Which one was meant cannot be known; the message names both keys."""
    _, [problem] = overlay([Layer(Source.FILE, {key: Given("x", Place("config.yml", 4, 5)) for key in keys})])
    assert all(key.rpartition(".")[2] in problem.message for key in keys)
    assert problem.place == Place("config.yml", 4, 5)


def test_three_passwords_in_one_layer_are_an_error() -> None:
    """Every one too many is pointed at."""
    _, problems = overlay([Layer(Source.FILE, dict.fromkeys(PASSWORD_KEYS, Given("x")))])
    assert len(problems) == 2


def test_a_password_in_each_of_two_layers_is_no_error() -> None:
    """The higher one wins, whatever its form."""
    low = layer(Source.ENVIRONMENT, server__basic_auth__password="Low")
    high = layer(Source.FILE, server__basic_auth__password_file="high.txt")
    assert lay(low, high).pinned_password == PASSWORD_FILE


# -- half of the credentials ----------------------------------------------------------------------------------

STORED = {"server.basic-auth": {"username": "ada", "password_hash": "$argon2id$stored"}}


def test_a_lone_user_name_is_completed_from_below() -> None:
    """Only a user name in the file: the password is still the stored one."""
    effective = lay(settings_layer(STORED), layer(Source.FILE, server__basic_auth__username="bob"))
    assert effective.get(USERNAME) == "bob"
    assert effective.get(PASSWORD_HASH).get_secret_value() == "$argon2id$stored"
    assert (effective.pinned(USERNAME), effective.pinned_password) == (True, None)


def test_a_lone_password_is_completed_from_below() -> None:
    """Only a password in the file: the user name is still the stored one, the stored hash is hidden."""
    effective = lay(settings_layer(STORED), layer(Source.FILE, server__basic_auth__password="New"))
    assert effective.get(USERNAME) == "ada"
    assert effective.get(PASSWORD_HASH) is None
    assert (effective.pinned(USERNAME), effective.pinned_password) == (False, PASSWORD)


# -- the layer of the Settings table --------------------------------------------------------------------------


def test_rows_that_are_no_options_are_passed_over() -> None:
    """The Settings table also holds what authapp keeps for itself."""
    rows = {"installation": {"id": "x"}, "setup.token": [], "workspace.name": "W", "zzz": 1}
    assert set(settings_layer(rows).values) == {"workspace.name"}


@pytest.mark.parametrize("row", [None, 5, "text", [], {}, {"username": 5, "password_hash": []}, {"zzz": 1}])
def test_a_damaged_row_of_credentials_never_raises(row: object) -> None:
    """Somebody's hand in the database cannot stop authapp from answering."""
    effective, problems = overlay([settings_layer({"server.basic-auth": row})])
    assert not problems
    assert effective.get(USERNAME) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("setup.require-token", False), ("server.port", 81), ("server.trusted-proxies", ["::/0"]), (PASSWORD, "Abc")],
)
def test_what_only_file_or_environment_may_say_is_not_taken_from_the_settings(key: str, value: object) -> None:
    """A row of the Settings table cannot open what only the host's owner may open."""
    effective, problems = overlay([settings_layer({key: value})])
    assert not problems
    assert effective.get(key) == OPTIONS[key].default


def test_the_generated_secret_key_is_taken_from_the_settings() -> None:
    """It is no option of the screens, but authapp stores it there itself."""
    effective = lay(settings_layer({SECRET_KEY: "generated-0123456789"}))
    assert effective.get(SECRET_KEY).get_secret_value() == "generated-0123456789"


# -- the values themselves ------------------------------------------------------------------------------------


def test_given_credentials_do_not_show_their_password() -> None:
    """A log line or traceback that holds them shows the user name alone."""
    shown = repr(GivenCredentials("ada", "Correct-horse", "$argon2id$hash"))
    assert "Correct-horse" not in shown
    assert "$argon2id$hash" not in shown


@pytest.mark.parametrize(
    ("given_credentials", "anything"),
    [(GivenCredentials(), False), (GivenCredentials("ada"), True), (GivenCredentials(password="x"), True)],
)
def test_half_of_the_credentials_is_something(given_credentials: GivenCredentials, *, anything: bool) -> None:
    """One half given is enough to say that file or environment have a word in it."""
    assert bool(given_credentials) is anything
