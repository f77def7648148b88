"""The overlay: default < Settings table < environment < config file, option by option."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from authapp.config.options import CREDENTIALS, OPTIONS, PASSWORD_KEYS, SECRET_KEY, USERNAME, build
from authapp.config.sections import Config
from authapp.config.yamlfile import Given
from authapp.errors import Place, Problem


class Source(StrEnum):
    """The layers, by the name people read; lowest first."""

    DEFAULT = "default"
    SETTINGS = "Settings table"
    ENVIRONMENT = "environment"
    FILE = "config file"


PINNING = (Source.ENVIRONMENT, Source.FILE)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: what it says of which option."""

    source: Source
    values: Mapping[str, Given] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GivenCredentials:
    """The owner's credentials as file or environment give them: a name, a password or a hash, in any part.

    `secret_key` is the key of the option that gives the password.
    """

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_hash: str | None = field(default=None, repr=False)
    secret_key: str = PASSWORD_KEYS[0]

    @property
    def has_secret(self) -> bool:
        """Whether a password is given, in whatever form."""
        return self.password is not None or self.password_hash is not None

    def __bool__(self) -> bool:
        """Whether anything is given."""
        return self.username is not None or self.has_secret


@dataclass(frozen=True, slots=True)
class Effective:
    """The result of the overlay: the config, and who supplied each option that is no default.

    `values` holds those options' typed values; `ignored` says which stored settings could not be used; `layers` is
    what was laid over each other, lowest first.
    """

    config: Config
    values: Mapping[str, Any] = field(default_factory=dict)
    source_of: Mapping[str, Source] = field(default_factory=dict)
    place_of: Mapping[str, Place | None] = field(default_factory=dict)
    ignored: tuple[Problem, ...] = ()
    layers: tuple[Layer, ...] = field(default=(), repr=False)

    def get(self, key: str) -> Any:
        """Return the typed value in force of an option."""
        return self.values.get(key, OPTIONS[key].default)

    def pinned(self, key: str) -> bool:
        """Tell whether file or environment supply an option, so that nothing else may change it."""
        return self.source_of.get(key) in PINNING

    @property
    def secret_key(self) -> str:
        """The secret key in force; provisioning sees to it that there is one."""
        key = self.config.server.secret_key
        return key.get_secret_value() if key else ""

    @property
    def pinned_password(self) -> str | None:
        """The key that pins the owner's password, or None."""
        return next((key for key in PASSWORD_KEYS if self.pinned(key)), None)


def overlay(layers: Iterable[Layer]) -> tuple[Effective, list[Problem]]:
    """Lay layers over each other, lowest first: for each option the highest that has a value wins.

    The result is complete even when there are problems: what a layer says wrongly does not count. Stored
    settings that cannot be used are no problem of the file's; `ignored` names them.
    """
    values: dict[str, Any] = {}
    source_of: dict[str, Source] = {}
    place_of: dict[str, Place | None] = {}
    problems: list[Problem] = []
    ignored: list[Problem] = []
    laid = tuple(layers)
    for layer in laid:
        found = problems if layer.source in PINNING else ignored
        if any(key in layer.values for key in PASSWORD_KEYS):
            for key in PASSWORD_KEYS:
                for table in (values, source_of, place_of):
                    table.pop(key, None)
        for key, given in _chosen(layer, found):
            try:
                values[key] = OPTIONS[key].convert(given.value)
            except ValueError as error:
                found.append(Problem(key, str(error), given.place))
            else:
                source_of[key], place_of[key] = layer.source, given.place
    return Effective(build(values), values, source_of, place_of, tuple(ignored), laid), problems


def _chosen(layer: Layer, problems: list[Problem]) -> list[tuple[str, Given]]:
    """Return a layer's values, with one password at most."""
    passwords = [key for key in PASSWORD_KEYS if key in layer.values]
    for key in passwords[1:]:
        message = f"give only one of {', '.join(name.rpartition('.')[2] for name in passwords)}"
        problems.append(Problem(key, message, layer.values[key].place))
    return [(key, given) for key, given in layer.values.items() if key not in passwords[1:]]


def settings_layer(rows: Mapping[str, Any]) -> Layer:
    """Make the layer of the Settings table out of its rows.

    Rows that are no options are passed over, and so are options that only file or environment may give.
    """
    place = Place(Source.SETTINGS)
    wanted = {key for key, option in OPTIONS.items() if option.settable} | {SECRET_KEY}
    values = {key: Given(value, place) for key, value in rows.items() if key in wanted}
    stored = rows.get(CREDENTIALS)
    if isinstance(stored, dict):
        values[USERNAME] = Given(stored.get("username"), place)
        values[PASSWORD_KEYS[1]] = Given(stored.get("password_hash"), place)
    return Layer(Source.SETTINGS, values)
