"""Where each value comes from: what every layer says of an option, and who won."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from authapp.config.options import OPTIONS, PASSWORD_KEYS, Option
from authapp.config.overlay import Effective, Source
from authapp.config.types import duration_text
from authapp.errors import Place

NOT_SET = "not set"
HIDDEN = "••••••••"
HARMLESS = re.compile(r"(host|port|user|dbname|sslmode|application_name|connect_timeout|mode)=[\w./-]*", re.ASCII)


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

    `note` says why something else is in force than the layers lead one to expect; `elsewhere` what supplies the
    value in force when none of them does: what is read once, at start, outlives an edit.
    """

    key: str
    option: Option
    text: str
    source: Source
    place: Place | None
    pinned: bool
    said: tuple[Said, ...]
    note: str = ""
    elsewhere: str = ""

    @property
    def supplier(self) -> str:
        """Who supplied the value, in words: `config.yml, line 12`, or the name of the layer."""
        if self.elsewhere:
            return self.elsewhere
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
    """Mask a database address's password: before its `@`, whatever signs are in it, or among its parameters.

    Of the parameters only those are shown that are known to hold no secret.
    """
    masked = re.sub(r"(://[^:@]*):.*@", rf"\1:{HIDDEN}@", url, flags=re.DOTALL)
    begin = masked.find(f":{HIDDEN}@") + 1  # a user name may hold a ? itself
    address, mark, parameters = masked[begin:].partition("?")
    harmless = all(HARMLESS.fullmatch(parameter) for parameter in parameters.split("&"))
    return masked if not mark or harmless else f"{masked[:begin]}{address}?{HIDDEN}"


def written(value: Any) -> str:
    """Return a typed value as it is written in a config file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return duration_text(value)
    return (", ".join(map(str, value)) or NOT_SET) if isinstance(value, tuple) else str(value)


def explain(effective: Effective, key: str, edited: Collection[str] = ()) -> Explained:
    """Return what is known of where an option's value comes from.

    `edited`: the options whose layers say something else by now than when the process started.
    """
    option = OPTIONS[key]
    lowest_first = [Said(Source.DEFAULT, shown(option, option.default))]
    lowest_first += [
        _said(option, layer.source, layer.values[key]) for layer in effective.layers if key in layer.values
    ]
    said = tuple(reversed(lowest_first))
    elsewhere = _elsewhere(effective, option, edited)
    return Explained(
        key,
        option,
        shown(option, effective.get(key)),
        effective.source_of.get(key, Source.DEFAULT),
        effective.place_of.get(key),
        effective.pinned(key),
        said,
        _edit(said[0]) if key in edited else _note(effective, key),
        elsewhere,
    )


def explain_all(effective: Effective, edited: Collection[str] = ()) -> list[Explained]:
    """Return every option explained, in the order of the declarations; `edited` as in `explain`."""
    return [explain(effective, key, edited) for key in OPTIONS]


def facts(one: Explained) -> dict[str, Any]:
    """Return what programs are told of an option."""
    return {
        "key": one.key,
        "value": one.text,
        "source": str(one.source),
        "place": str(one.place) if one.place and one.source is not Source.SETTINGS else None,
        "pinned": one.pinned,
        "settable": one.option.settable,
        "layers": [
            {
                "source": str(said.source),
                "value": said.text,
                "place": str(said.place) if said.place else None,
                "trouble": said.trouble or None,
            }
            for said in one.said
        ],
    }


def json_value(option: Option, value: Any) -> Any:
    """Return a typed value as JSON has it, a secret as it is shown."""
    if value is None:
        return None
    return shown(option, value) if option.secret else option.to_json(value)


def _elsewhere(effective: Effective, option: Option, edited: Collection[str]) -> str:
    """Return what supplies the value in force, if the layers do not: it was settled when the process started."""
    if option.key in edited:
        return "value at start"
    if not option.restart:
        return ""
    winner = effective.source_of.get(option.key)
    laid = next((layer.values[option.key] for layer in effective.layers if layer.source is winner), None)
    said = option.convert(laid.value) if laid else option.default
    return "" if effective.get(option.key) == said else "command line"


def _edit(highest: Said) -> str:
    """Say what will count after a restart."""
    where = highest.place.words if highest.place else f"The {highest.source}"
    return f"{where} now says {highest.text}; it counts after a restart"


def _said(option: Option, source: Source, given: Any) -> Said:
    place = given.place if source is not Source.SETTINGS else None
    try:
        return Said(source, shown(option, option.convert(given.value)), place)
    except ValueError as error:
        return Said(source, "cannot be used", place, str(error))


def _note(effective: Effective, key: str) -> str:
    """Say which other form of the owner's password counts instead of this one."""
    other = next((name for name in PASSWORD_KEYS if name in effective.source_of), None)
    if key not in PASSWORD_KEYS or other is None or other == key:
        return ""
    place = effective.place_of.get(other)
    return f"{place.words if place and effective.pinned(other) else 'The Settings table'} gives {other} instead"
