"""JSON bodies, read strictly: what two programs could understand in two ways is refused."""

import json
from collections.abc import Iterator
from typing import Any

from flask import Request
from werkzeug.exceptions import UnsupportedMediaType

from authapp.names import UNSTORABLE, is_storable
from authapp.web.refusals import BadBody, NotJson, Wrong

JSON = "application/json"
DEEPEST = 20  # levels; nothing that is sent here has more than three


class StrictRequest(Request):
    """A request whose JSON is UTF-8 (RFC 8259), with each name once, real numbers, and no endless nesting."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Return the body's value; raises NotJson or BadBody, however it is asked for."""
        del force, silent, cache
        return _parse(self.get_data())


def require_json(request: Request) -> None:
    """Refuse a body that says it is something else than JSON; a browser sends some of those without asking us."""
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if has_body and (request.mimetype != JSON or charset not in ("utf-8", "utf8")):
        raise UnsupportedMediaType(f"Send the body as Content-Type: {JSON}.")


def _parse(data: bytes) -> Any:
    if not data.strip():
        raise NotJson("The body is empty; send JSON.")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_each_once, parse_constant=_no_number)
    except NotJson:
        raise
    except (ValueError, RecursionError):
        raise NotJson("The body is not JSON in UTF-8.") from None
    if wrong := [Wrong(path, UNSTORABLE) for path in _unstorable(value)]:
        raise BadBody(wrong)
    if isinstance(value, str):  # which flask-openapi3 would take for JSON once more
        raise BadBody([Wrong("", "must be an object")])
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJson("A name stands twice in the same object.")
    return found


def _no_number(_text: str) -> None:
    raise NotJson("NaN and Infinity are no numbers in JSON.")


def _unstorable(value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the paths of texts with a NUL or half a character in them. Raises NotJson for endless nesting."""
    if len(path) > DEEPEST:
        raise NotJson("The body is nested too deeply.")
    if isinstance(value, str) and not is_storable(value):
        yield ".".join(path)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _unstorable(part, (*path, str(number)))
    elif isinstance(value, dict):
        for name, part in value.items():
            if is_storable(name):
                yield from _unstorable(part, (*path, name))
            else:
                yield ".".join(path)
