"""The API's blueprint, and how a view of it is declared: address, admission and documentation in one place."""

import difflib
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal

from flask import request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ValidationError

from authapp.names import UNSTORABLE
from authapp.web.api.models.kinds import Asked, Problem, Sent, header
from authapp.web.refusals import BadBody, Wrong
from authapp.web.security import Access, View, access

PREFIX = "/api/v1"
PROBLEM_JSON = "application/problem+json"
TAGS = {
    "entrance": "Signing in and out",
    "account": "Your own account: names, password, sessions",
    "tokens": "API tokens and JWTs",
    "users": "Users, for superusers",
    "locks": "Who has to wait, for superusers",
    "settings": "Options, for superusers",
    "audit": "What happened, for superusers",
    "organization": "The one organization and its workspace",
    "documents": "This documentation",
}
# Any one of these; a header beats the cookie.
SECURITY: list[dict[str, list[str]]] = [{"basic": []}, {"bearer": []}, {"apiKey": []}, {"session": []}]
REFUSALS = {
    401: "No credentials, or none that are good.",
    403: "Not allowed; `type` says what would help, if anything.",
    422: "What was sent does not fit; `errors` says what.",
    429: "Too many wrong passwords.",
}
HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": header("What to prove oneself with.")},
    429: {"Retry-After": header("After how many seconds.", "integer")},
}
WORDS = {
    "extra_forbidden": "is not known here",
    "missing": "is missing",
    "model_type": "must be an object",
    "list_type": "must be a list",
    "string_type": "must be a text",
    "string_unicode": UNSTORABLE,
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
}
MOST_HINTS = 20  # what a name was meant to be takes long to find out, and anybody may send thousands
# What the rows of a list are.
ROWS = {"NewUsersBody": "NewUserBody"}

Method = Literal["get", "post", "put", "patch", "delete"]
Answers = Mapping[int, type[BaseModel] | str | None]

bp = APIBlueprint("api", __name__, url_prefix=PREFIX)


def route(
    method: Method, rule: str, who: Access, tag: str, answers: Answers, **admission: Any
) -> Callable[[View], View]:
    """Declare a view: its address, whom it admits, and what it answers when all is well.

    `answers`: for each status a model, or None for an answer without a body, or a media type. What it answers
    otherwise is always a problem (RFC 9457). `admission` as in `access`.
    """
    refusals = {422} if who == "public" else {401, 403, 422, 429}  # the last because HTTP Basic is throttled
    known: dict[str, Any] = {
        **{str(status): _answer(status, answer) for status, answer in answers.items()},
        **{str(status): _problem(status) for status in sorted(refusals - set(answers))},
        "default": _problem(),
    }

    def declare(view: View) -> View:
        declare_route = getattr(bp, method)(
            rule,
            tags=[Tag(name=TAGS[tag])],
            operation_id=view.__name__,
            responses=known,
            security=[] if who == "public" else SECURITY,
            openapi_extensions={
                "x-access": who,
                "x-needs-proof": bool(admission.get("needs_proof")),
                "x-api-token": not admission.get("no_api_token"),
            },
        )
        declare_route(access(who, **admission)(view))
        return view

    return declare


def _answer(status: int, answer: type[BaseModel] | str | None) -> Any:
    if answer is Problem:
        return _problem(status)
    return {"description": "Done", "content": {answer: {}}} if isinstance(answer, str) else answer


def _problem(status: int = 0) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    known = {"description": REFUSALS.get(status, "Refused; `detail` says why.")}
    return {**known, "headers": HEADERS.get(status, {}), "content": {PROBLEM_JSON: {"schema": schema}}}


def on_invalid(error: ValidationError) -> None:
    """Raise BadBody with what pydantic found, one entry a rule, and nothing of what was sent."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    names = _names(error.title)
    raise BadBody([_wrong(one, names if number < MOST_HINTS else ()) for number, one in enumerate(found)])


@cache
def _names(title: str | None = None) -> tuple[str, ...]:
    """Return what may stand in a body or query, or in each row of a list, by its model's name; or in any."""
    models = {model.__name__: model for model in (*Sent.__subclasses__(), *Asked.__subclasses__())}
    wanted = models if title is None else {ROWS.get(title, title)} & models.keys()
    return tuple(dict.fromkeys(name for model in wanted for name in models[model].model_fields))


def _wrong(found: Any, names: tuple[str, ...]) -> Wrong:
    """Say where something is wrong, and what; a name that nothing here has may be a secret in the wrong place."""
    path = [*found["loc"]]
    row = path[0] + 1 if path and isinstance(path[0], int) else None
    if found["type"] != "extra_forbidden" or path[-1] in _names():
        return Wrong(".".join(map(str, path)), _words(found), row)
    close = difflib.get_close_matches(str(path.pop()), names, n=1)
    like = f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(names)}." if names else ""
    return Wrong(".".join(map(str, path)), f"holds a name that is not known here{like}", row)


def _words(found: Any) -> str:
    message = str(found["msg"]).removeprefix("Value error, ")
    return WORDS.get(found["type"]) or re.sub(r"^(Input|String|List) should ", "must ", message)


def address_of(path: str) -> str:
    """Return the address of something that was made, for the header Location."""
    return f"{request.script_root}{PREFIX}{path}"
