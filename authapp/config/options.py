"""Every option by its key, made from the declarations: how a value is converted, and what is said of a bad one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from authapp.config.sections import Config, Section
from authapp.names import UNSTORABLE, is_storable

# How the three systems' own example files mark a value that is still to be filled in.
PLACEHOLDERS = {"changeme", "change-me", "your-email", "your-password", "your-jwt-secret"}
GOOD_SECRET_KEY = 32


@dataclass(frozen=True)
class Option:
    """What is known of one option."""

    key: str
    help: str
    default: Any
    secret: bool
    settable: bool
    restart: bool
    many: bool
    annotation: Any

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """What converts values; made when the first one comes, because most options keep their default."""
        return TypeAdapter(self.annotation, config=ConfigDict(hide_input_in_errors=True))

    @cached_property
    def schema(self) -> Mapping[str, Any]:
        """What a value is like, as JSON Schema has it: `type`, `enum`, `minimum`, `maximum`, `format`."""
        return self.adapter.json_schema()

    def to_json(self, value: Any) -> Any:
        """Return a typed value as a row of the Settings table holds it."""
        return self.adapter.dump_python(value, mode="json")

    def convert(self, value: object) -> Any:
        """Return the typed value of a text (or of a JSON value); raises ValueError in plain words."""
        if (self.secret or self.key == USERNAME) and isinstance(value, str) and is_placeholder(value):
            raise ValueError("is a placeholder; put the real value here, or leave it out")
        texts = [text for text in (value if isinstance(value, tuple) else (value,)) if isinstance(text, str)]
        if not all(map(is_storable, texts)):
            raise ValueError(UNSTORABLE)
        # JSON's true is no number, though pydantic would take it for 1.
        given = str(value).lower() if isinstance(value, bool) else value
        try:
            return self.adapter.validate_python(given)
        except ValidationError as error:
            raise ValueError(_plain(error)) from None


def canonical(key: str) -> str:
    """Fold a key so that `basicAuth`, `basic_auth` and `BASIC-AUTH` are one."""
    return re.sub(r"[-_]", "", key).lower()


def split(text: str) -> tuple[str, ...]:
    """Return the values of a list that is written in one line, with commas or spaces between them."""
    return tuple(filter(None, re.split(r"[\s,]+", text)))


def is_placeholder(text: str) -> bool:
    """Tell whether a secret is still the one of an example file."""
    return text in PLACEHOLDERS or (text.startswith("<") and text.endswith(">"))


def _plain(error: ValidationError) -> str:
    """Say the first thing wrong with a value, without the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    context = first.get("ctx", {})
    words = {
        "bool": "must be true or false",
        "int": "must be a whole number",
        "greater": f"must be at least {context.get('ge')}",
        "less": f"must be at most {context.get('le')}",
        "literal": f"{ONE_OF} {context.get('expected')}",
        "value": str(context.get("error")),
        "string_too_short": _too_short(context.get("min_length")),
        "too_short": _too_short(context.get("min_length")),
        "string_too_long": f"must have at most {context.get('max_length')} characters",
        "tuple": "must be a list",
    }
    kind = first["type"]
    return words.get(kind) or words.get(kind.split("_")[0]) or "is not valid here"


def _too_short(length: int | None) -> str:
    return "must not be empty" if length == 1 else f"must have at least {length} characters"


def _declared(section: type[Section], prefix: str = "") -> Iterator[Option]:
    for name, field in section.model_fields.items():
        key = prefix + name.replace("_", "-")
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _declared(field.annotation, key + ".")
        else:
            yield _from_field(key, field)


def _from_field(key: str, field: FieldInfo) -> Option:
    extra: dict[str, Any] = dict(field.json_schema_extra or {}) if not callable(field.json_schema_extra) else {}
    annotation: Any = field.annotation
    for constraint in field.metadata:
        annotation = Annotated[annotation, constraint]
    return Option(
        key=key,
        help=field.description or "",
        default=field.default,
        many=isinstance(field.default, tuple),
        annotation=annotation,
        **extra,
    )


OPTIONS: dict[str, Option] = {option.key: option for option in _declared(Config)}
# What each section is about, as its declaration says after its name.
SECTIONS = {
    name: (field.annotation.__doc__ or "").partition(": ")[2] if isinstance(field.annotation, type) else ""
    for name, field in Config.model_fields.items()
}

CREDENTIALS = "server.basic-auth"
USERNAME = f"{CREDENTIALS}.username"
# One option for the overlay: a layer that gives any of the three hides the three of the layers below.
PASSWORD_KEYS = (f"{CREDENTIALS}.password", f"{CREDENTIALS}.password-hash", f"{CREDENTIALS}.password-file")
ONE_OF = "must be one of"
SECRET_KEY = "server.secret-key"  # noqa: S105 - the name of the option, not a key
MODE = "auth.mode"
INSTALLATION = "installation"  # the row of the Settings table that holds, among others, the recorded mode


def build(values: Mapping[str, Any]) -> Config:
    """Return the Config that holds these typed values, and defaults for the rest."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *sections, name = key.replace("-", "_").split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[name] = value
    return Config.model_validate(tree)
