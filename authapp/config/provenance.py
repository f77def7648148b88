"""Where each value comes from: what every layer says of an option, and who won."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from authapp.config.options import OPTIONS, PASSWORD_KEYS, Option
from authapp.config.overlay import Effective, Source
from authapp.config.types import duration_text
from authapp.errors import Place

NOT_SET = "not set"
HIDDEN = "••••••••"


@dataclass(frozen=True, slots=True)
class Said:
    """What one layer says of an option, secrets masked; `trouble` says why it does not count."""

    source: Source
    text: str
    place: Place | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """An option: the value in force, the layer and place it comes from, and what each layer says, highest first.

    `note` says why something else is in force than the layers lead one to expect.
    """

    key: str
    option: Option
    text: str
    source: Source
    place: Place | None
    pinned: bool
    said: tuple[Said, ...]
    note: str = ""

    @property
    def supplier(self) -> str:
        """Who supplied the value, in words: `config.yml, line 12`, or the name of the layer."""
        return self.place.words if self.pinned and self.place else str(self.source)

    @property
    def lower(self) -> tuple[Said, ...]:
        """What the layers below the one in force say."""
        layers = list(Source)
        return tuple(said for said in self.said if layers.index(said.source) < layers.index(self.source))


def shown(option: Option, value: Any) -> str:
    """Return a typed value as people read it, without any secret in it."""
    if value is None:
        return NOT_SET
    if option.key == "database.url":
        return _without_password(str(value))
    return HIDDEN if option.secret else written(value)


def _without_password(url: str) -> str:
    """Mask a database address's password: before its `@`, whatever signs are in it, or among its parameters."""
    masked = re.sub(r"(://[^:@]*):.*@", rf"\1:{HIDDEN}@", url)
    return re.sub(r"([?&][^=&]*pass[^=&]*)=[^&]*", rf"\1={HIDDEN}", masked, flags=re.IGNORECASE)


def written(value: Any) -> str:
    """Return a typed value as it is written in a config file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return duration_text(value)
    return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def explain(effective: Effective, key: str) -> Explained:
    """Return what is known of where an option's value comes from."""
    option = OPTIONS[key]
    said = [Said(Source.DEFAULT, shown(option, option.default))]
    said += [_said(option, layer.source, layer.values[key]) for layer in effective.layers if key in layer.values]
    return Explained(
        key,
        option,
        shown(option, effective.get(key)),
        effective.source_of.get(key, Source.DEFAULT),
        effective.place_of.get(key),
        effective.pinned(key),
        tuple(reversed(said)),
        _note(effective, key),
    )


def explain_all(effective: Effective) -> list[Explained]:
    """Return every option explained, in the order of the declarations."""
    return [explain(effective, key) for key in OPTIONS]


def _said(option: Option, source: Source, given: Any) -> Said:
    place = given.place if source is not Source.SETTINGS else None
    try:
        return Said(source, shown(option, option.convert(given.value)), place)
    except ValueError as error:
        return Said(source, "cannot be used", place, str(error))


def _note(effective: Effective, key: str) -> str:
    """Say which other form of the owner's password counts instead of this one."""
    other = next((name for name in PASSWORD_KEYS if name in effective.source_of), None)
    if key not in PASSWORD_KEYS or other in (None, key):
        return ""
    place = effective.place_of.get(other or "")
    return f"{place.words if place else 'The Settings table'} gives {other} instead"
