"""The OpenAPI document as a page reads it: groups of operations, and their fields in words."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

REF = "#/components/schemas/"
KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
FORMATS = {"uuid": "id", "date-time": "moment (RFC 3339)"}
WHO = {"public": "everybody", "user": "whoever is signed in", "superuser": "superusers"}


@dataclass(frozen=True, slots=True)
class Field:
    """A name, what kind of value it has, whether it must be there, and what it is about."""

    name: str
    kind: str
    required: bool
    about: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered when all is well; `many`: a list of such."""

    status: str
    fields: tuple[Field, ...]
    many: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked: method, path, what it does, whose it is, and what goes in and out."""

    id: str
    method: str
    path: str
    summary: str
    who: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    sends_many: bool
    answers: tuple[Answer, ...]


def groups(document: Mapping[str, Any], tags: Iterable[str]) -> dict[str, list[Operation]]:
    """Return the operations of a document by their tag, each in the order they were declared."""
    found: dict[str, list[Operation]] = {tag: [] for tag in tags}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append(_operation(document, path, method, operation))
    return found


def _operation(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> Operation:
    content = operation.get("requestBody", {}).get("content", {})
    body, sends_many = _fields_of(document, _schema(content))
    return Operation(
        operation["operationId"],
        method.upper(),
        path,
        operation["summary"],
        _who(method, operation),
        tuple(_parameter(document, one) for one in operation.get("parameters", ())),
        body,
        sends_many,
        tuple(_answers(document, operation)),
    )


def _who(method: str, operation: Mapping[str, Any]) -> str:
    """Say who may do it, and what it takes beside."""
    who = WHO[operation["x-access"]]
    if operation["x-needs-proof"]:
        who += ", with a password that was proved within the last 15 minutes"
    if operation["x-access"] == "public" or method == "get":
        return f"{who}."
    if not operation["x-api-token"]:
        return f"{who}. No API token may do it."
    return f"{who}. An API token needs the scope {'admin' if operation['x-needs-proof'] else 'write'}."


def _parameter(document: Mapping[str, Any], one: Mapping[str, Any]) -> Field:
    schema = one["schema"]
    about = _plain(one.get("description") or schema.get("description", ""))
    return Field(one["name"], _kind(document, schema) + _default(schema), bool(one["required"]), about)


def _plain(text: str) -> str:
    """Return a description without its marks of Markdown."""
    return text.replace("`", "")


def _answers(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[Answer]:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            fields, many = _fields_of(document, _schema(answer.get("content", {})))
            yield Answer(status, fields, many)


def _schema(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((media.get("schema", {}) for media in content.values()), {})


def _fields_of(document: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[tuple[Field, ...], bool]:
    """Return the fields of an object, or of each object of a list; and whether it is a list."""
    resolved = _resolved(document, schema)
    if resolved.get("type") == "array":
        return _fields_of(document, resolved["items"])[0], True
    required = resolved.get("required", ())
    fields = resolved.get("properties", {}).items()
    return tuple(
        Field(name, _kind(document, one) + _default(one), name in required, _plain(one.get("description", "")))
        for name, one in fields
    ), False


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").removeprefix(REF)
    resolved: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return resolved


def _kind(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Say what kind of value a schema is about."""
    resolved = _resolved(document, schema)
    if choices := resolved.get("anyOf"):
        return " or ".join(dict.fromkeys(_kind(document, one) for one in choices))
    if resolved.get("type") == "array":
        return f"list of {_kind(document, resolved['items'])}"
    if "const" in resolved:
        return str(resolved["const"])
    if "enum" in resolved:
        return ", ".join(str(one) for one in resolved["enum"] if one != "")
    if resolved.get("type") == "object":
        return _object(resolved)
    kind = FORMATS.get(resolved.get("format", ""), KINDS.get(resolved.get("type", ""), "any value"))
    return f"{kind}{_limits(resolved)}"


def _default(schema: Mapping[str, Any]) -> str:
    """Say what counts unless something else is given."""
    default = schema.get("default")
    return "" if default in (None, "") else f"; {default} unless given"


def _object(resolved: Mapping[str, Any]) -> str:
    names = ", ".join(resolved.get("properties", ()))
    return f"object ({names})" if names else "object"


def _limits(schema: Mapping[str, Any]) -> str:
    for low, high, what in (("minLength", "maxLength", " characters"), ("minimum", "maximum", "")):
        if high in schema:
            return f", {schema.get(low, 0):.0f} to {schema[high]:.0f}{what}"
    return ""
