"""Every option through every layer: Settings table, environment, config file, read as a server reads them."""

from itertools import combinations, permutations, product

import pytest

from authapp import stored_options
from authapp.config.environment import own_name
from authapp.config.options import OPTIONS, PASSWORD_KEYS, SECRET_KEY, USERNAME
from authapp.config.overlay import PINNING, Effective, Source
from authapp.config.provenance import HIDDEN, NOT_SET, explain, explain_all, shown
from authapp.errors import Pinned
from tests.samples import CANARY, in_file, laid, row, samples, typed
from tests.world import SHELL, World

PASSWORD, PASSWORD_HASH, PASSWORD_FILE = PASSWORD_KEYS
SETTABLE = [key for key, option in OPTIONS.items() if option.settable]
SECRETS = [key for key, option in OPTIONS.items() if option.secret]
STORED = {"server.basic-auth": {"username": f"ada-{CANARY}", "password_hash": f"$argon2id${CANARY}"}}
PLACES = {Source.SETTINGS: "Settings table", Source.FILE: "config.yml:1:"}


def layers_of(key: str) -> list[Source]:
    """Return the layers that may give an option, lowest first."""
    return [source for source in Source if source is not Source.DEFAULT and (key in SETTABLE or source in PINNING)]


def is_supplied(effective: Effective, key: str, text: str, source: Source) -> bool:
    """Tell whether an option has this value, and says that it is from this layer, and where it stands."""
    place = PLACES.get(source, f"environment variable {own_name(key)}")
    return (
        effective.get(key) == typed(key, text)
        and effective.source_of[key] is source
        and effective.pinned(key) == (source in PINNING)
        and str(effective.place_of[key]).startswith(place)
    )


@pytest.mark.parametrize("key", OPTIONS)
def test_samples_differ(key: str) -> None:
    """Every option knows two values that can be told from each other, the first of them not its default."""
    first, second, *_ = (typed(key, text) for text in samples(key))
    assert first not in (second, OPTIONS[key].default)


# -- one layer, two layers, three layers ----------------------------------------------------------------------


@pytest.mark.parametrize("key", OPTIONS)
def test_each_layer_alone_supplies_an_option(key: str) -> None:
    """Whichever layer gives an option, its value is in force, with the layer and the place it comes from."""
    for source in layers_of(key):
        for text in samples(key):
            assert is_supplied(laid({source: (key, text)}), key, text, source)


@pytest.mark.parametrize("key", OPTIONS)
def test_of_two_layers_the_higher_wins(key: str) -> None:
    """Of each two layers that give an option the higher counts; without it the lower shows through."""
    for low, high in combinations(layers_of(key), 2):
        for below, above in product(samples(key), repeat=2):
            says = {low: (key, below), high: (key, above)}
            assert is_supplied(laid(says), key, above, high)
            del says[high]
            assert is_supplied(laid(says), key, below, low)


@pytest.mark.parametrize("key", SETTABLE)
def test_layers_are_taken_off_one_by_one(key: str) -> None:
    """With all layers given the file counts, then the environment, then the Settings table, then the default."""
    one, two, *_ = samples(key)
    says = {Source.SETTINGS: (key, one), Source.ENVIRONMENT: (key, two), Source.FILE: (key, one)}
    for source in reversed(layers_of(key)):
        assert is_supplied(laid(says), key, says[source][1], source)
        del says[source]
    assert (laid(says).get(key), laid(says).source_of.get(key)) == (OPTIONS[key].default, None)


@pytest.mark.parametrize("key", OPTIONS)
def test_an_option_changes_no_other(key: str) -> None:
    """Whatever gives one option, every other keeps its default and has no source."""
    for source in layers_of(key):
        effective = laid({source: (key, samples(key)[0])})
        assert list(effective.source_of) == list(effective.values) == [key]


# -- explain --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", OPTIONS)
def test_explain_tells_what_every_layer_says(key: str) -> None:
    """`explain` gives the value in force and who supplied it, and each layer's value and place, highest first."""
    option, (one, two, *_) = OPTIONS[key], samples(key)
    texts = dict(zip(layers_of(key), (one, two, one), strict=False))
    explained = explain(laid({source: (key, text) for source, text in texts.items()}), key)
    assert (explained.source, explained.pinned) == (Source.FILE, True)
    assert explained.text == shown(option, typed(key, texts[Source.FILE]))
    said = [(said.source, said.text, said.trouble) for said in explained.said]
    expected = [(source, shown(option, typed(key, text)), "") for source, text in reversed(texts.items())]
    assert said == [*expected, (Source.DEFAULT, shown(option, option.default), "")]
    assert explained.said[1].place is not None
    assert explained.said[1].place.words == f"environment variable {own_name(key)}"


@pytest.mark.parametrize("key", OPTIONS)
def test_explain_without_layers(key: str) -> None:
    """Of an option nobody gives `explain` tells the default alone."""
    explained = explain(laid({}), key)
    assert (explained.source, explained.place, explained.pinned) == (Source.DEFAULT, None, False)
    assert [said.source for said in explained.said] == [Source.DEFAULT]
    assert explained.supplier == "default"


@pytest.mark.parametrize(
    ("source", "supplier"),
    [
        (Source.SETTINGS, "Settings table"),
        (Source.ENVIRONMENT, "environment variable AUTHAPP_ORGANIZATION_NAME"),
        (Source.FILE, "config.yml, line 1"),
    ],
)
def test_the_supplier_in_words(source: Source, supplier: str) -> None:
    """The screens say `config.yml, line 12`, the variable's name, or the layer."""
    assert explain(laid({source: ("organization.name", "Looms")}), "organization.name").supplier == supplier


@pytest.mark.parametrize("key", SECRETS)
def test_explain_masks_secrets(key: str) -> None:
    """A password, a hash, a secret key, a database's password: `explain` tells that there is one, not which."""
    for source in PINNING:
        explained = explain_all(laid({source: (key, samples(key)[0])}, STORED))
        assert CANARY not in repr([one for one in explained if one.key != USERNAME])
        assert any(HIDDEN in one.text for one in explained if one.key == key)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://ada:{}@db/x", "postgresql://ada:{}@db/x"),
        ("postgres://ada:a:b/{}?#@db/x", None),
        ("postgresql://a?da:{}@db/x", "postgresql://a?da:{}@db/x"),
        ("postgresql://a#da:{}@db/x", "postgresql://a#da:{}@db/x"),
        ("postgresql://db/x?user=ada&password={}", "postgresql://db/x?{}"),
        ("postgresql://db/x?sslPassword={}&port=5", "postgresql://db/x?{}"),
        ("postgresql://ada@db/x?p%61ssword={}&sslmode=require", "postgresql://ada@db/x?{}"),
        ("postgresql://db/x?oauth_client_secret={}", "postgresql://db/x?{}"),
        ("postgresql://db/x?password=a&{}", "postgresql://db/x?{}"),
        (
            "postgresql://ada@db/x?sslmode=require&host=/run/db",
            "postgresql://ada@db/x?sslmode=require&host=/run/db",
        ),
        ("sqlite:///a:b.db", "sqlite:///a:b.db"),
    ],
)
def test_a_database_address_is_shown_without_its_password(url: str, expected: str | None) -> None:
    """Wherever in a database address a password stands, it is masked, and the rest can be read."""
    option = OPTIONS["database.url"]
    if expected is None:
        with pytest.raises(ValueError, match="must be a database address"):
            option.convert(url.format(CANARY))
    else:
        assert shown(option, option.convert(url.format(CANARY))) == expected.format(HIDDEN)


def test_explain_tells_of_a_stored_value_that_cannot_be_used() -> None:
    """A row of the Settings table that a hand has damaged is told with its rule, and the default counts."""
    explained = explain(laid({}, {"throttle.attempts": "many"}), "throttle.attempts")
    assert (explained.text, explained.source) == ("10", Source.DEFAULT)
    assert [(said.text, said.trouble) for said in explained.said if said.source is Source.SETTINGS] == [
        ("cannot be used", "must be a whole number")
    ]


# -- the three ways to give the owner's password --------------------------------------------------------------


@pytest.mark.parametrize(("below", "above"), list(product(PASSWORD_KEYS, repeat=2)))
def test_the_highest_layer_with_a_password_hides_the_others(below: str, above: str) -> None:
    """Password, hash and file are one option: whichever the file gives counts, not those of the environment."""
    says = {Source.ENVIRONMENT: (below, samples(below)[0]), Source.FILE: (above, samples(above)[1])}
    effective = laid(says, STORED)
    assert [key for key in PASSWORD_KEYS if key in effective.source_of] == [above]
    assert is_supplied(effective, above, samples(above)[1], Source.FILE)
    del says[Source.FILE]
    assert [key for key in PASSWORD_KEYS if key in laid(says, STORED).source_of] == [below]


@pytest.mark.parametrize(("key", "source"), list(product(PASSWORD_KEYS, PINNING)))
def test_a_password_from_above_hides_the_stored_hash(key: str, source: Source) -> None:
    """What file or environment give hides the stored hash; taken out, the stored hash counts again."""
    effective = laid({source: (key, samples(key)[0])}, STORED)
    assert [name for name in PASSWORD_KEYS if name in effective.source_of] == [key]
    assert effective.pinned_password == key
    assert laid({}, STORED).source_of[PASSWORD_HASH] is Source.SETTINGS
    assert laid({}, STORED).pinned_password is None


@pytest.mark.parametrize(("asked", "given"), list(permutations(PASSWORD_KEYS, 2)))
def test_explain_names_the_password_that_counts(asked: str, given: str) -> None:
    """Of a hidden password `explain` says which one counts instead, and where it stands."""
    effective = laid({Source.ENVIRONMENT: (asked, samples(asked)[0]), Source.FILE: (given, samples(given)[0])})
    explained = explain(effective, asked)
    assert (explained.text, explained.source) == (NOT_SET, Source.DEFAULT)
    assert explained.note == f"config.yml, line 1 gives {given} instead"
    assert [said.source for said in explained.said] == [Source.ENVIRONMENT, Source.DEFAULT]


# -- the Settings table ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", sorted({*OPTIONS} - {*SETTABLE} - {SECRET_KEY}))
def test_what_may_not_be_set_is_ignored_in_the_settings_table(key: str) -> None:
    """A row of the Settings table for an option of file and environment counts for nothing, and is not told of."""
    for text in samples(key):
        effective = laid({}, row(key, text))
        assert (effective.get(key), effective.source_of.get(key)) == (OPTIONS[key].default, None)
        assert not effective.ignored
        assert len(explain(effective, key).said) == 1


@pytest.mark.parametrize("key", SETTABLE)
def test_a_damaged_row_is_named_and_hides_nothing(key: str) -> None:
    """A stored value of no known kind is told of, not repeated; what file or environment say counts."""
    damaged = {key: {CANARY: CANARY}}
    [problem] = laid({}, damaged).ignored
    assert problem.key == key
    assert CANARY not in str(problem)
    for source in PINNING:
        assert is_supplied(laid({source: (key, samples(key)[0])}, damaged), key, samples(key)[0], source)


def test_the_layers_of_a_running_app(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app lays file over environment over what was set; what pins an option refuses the set, by name."""
    key, (one, two, three) = "organization.name", samples("organization.name")
    world.set_up()
    stored_options.store(world.database, world.app.live, {key: one}, SHELL)
    monkeypatch.setenv(own_name(key), two)
    world.write_config("# nothing yet\n")
    world.restart()
    assert is_supplied(world.snapshot.effective, key, two, Source.ENVIRONMENT)
    with pytest.raises(Pinned, match=f"environment variable {own_name(key)}"):
        stored_options.store(world.database, world.app.live, {key: three}, SHELL)
    world.write_config(in_file(key, three))
    assert is_supplied(world.snapshot.effective, key, three, Source.FILE)
    world.write_config("# nothing again\n")
    monkeypatch.delenv(own_name(key))
    assert is_supplied(world.snapshot.effective, key, two, Source.ENVIRONMENT)  # read once, at start
    world.restart()
    assert is_supplied(world.snapshot.effective, key, one, Source.SETTINGS)
