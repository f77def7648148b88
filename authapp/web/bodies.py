"""JSON bodies, read strictly: what two programs could understand in two ways is refused."""

import json
import re
import sys
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from authapp.web.refusals import BadBody, NotJson, Wrong

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"  # how browsers send all of our forms
DEEPEST = 20  # levels; nothing that is sent here has more than three
# Also one that does not end, and without ever going back: a body must not cost more than it is long.
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class StrictRequest(Request):
    """A request whose JSON is UTF-8 (RFC 8259), with each name once, real numbers, and no endless nesting.

    Its form is read from one kind of body only: in others fields may lack a name, which nobody expects.
    """

    @property
    def want_form_data_parsed(self) -> bool:
        """Whether there is a form in the body."""
        return self.mimetype == FORM

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Return the body's value; raises NotJson, BadBody or RequestEntityTooLarge, however it is asked for."""
        del force, silent, cache
        data = self.get_data()
        # Werkzeug cuts what comes in chunks at the limit, and says nothing.
        if self.content_length is None and len(data) >= (self.max_content_length or sys.maxsize):
            raise RequestEntityTooLarge
        return _parse(data)


def has_body(request: Request) -> bool:
    """Tell whether a request says that a body comes with it."""
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def require_json(request: Request) -> None:
    """Refuse a body that says it is something else than JSON; a browser sends some of those without asking us."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if has_body(request) and (request.mimetype != JSON or charset not in ("utf-8", "utf8")):
        raise UnsupportedMediaType(f"Send the body as Content-Type: {JSON}.")


def _parse(data: bytes) -> Any:
    if not data.strip():
        raise NotJson("The body is empty; send JSON.")
    if _is_too_deep(data):
        raise NotJson("The body is nested too deeply.")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_each_once, parse_constant=_no_number)
    except NotJson:
        raise
    except (ValueError, RecursionError):
        raise NotJson("The body is not JSON in UTF-8.") from None
    if isinstance(value, str):  # which flask-openapi3 would take for JSON once more
        raise BadBody([Wrong("", "must not be a text")])
    return value


def _is_too_deep(data: bytes) -> bool:
    """Tell whether brackets are nested too deeply, before anything that nests is called."""
    depth = 0
    for sign in STRING.sub(b"", data).translate(None, NO_BRACKETS):
        depth += 1 if sign in b"[{" else -1
        if depth > DEEPEST:
            return True
    return False


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJson("A name stands twice in the same object.")
    return found


def _no_number(_text: str) -> None:
    raise NotJson("NaN and Infinity are no numbers in JSON.")
