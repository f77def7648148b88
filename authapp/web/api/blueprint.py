"""The API's blueprint, and how a view of it is declared: address, admission and documentation in one place."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from flask import request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ValidationError

from authapp.web.api.models import Problem, header
from authapp.web.refusals import BadBody, Wrong
from authapp.web.security import Access, View, access

PREFIX = "/api/v1"
PROBLEM_JSON = "application/problem+json"
TAGS = {
    "entrance": "Signing in and out",
    "account": "Your own account: names, password, sessions",
    "tokens": "API tokens and JWTs",
    "users": "Users, for superusers",
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
            openapi_extensions={"x-access": who},
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
    raise BadBody([Wrong(".".join(map(str, one["loc"])), _words(one)) for one in found])


def _words(found: Any) -> str:
    """Say what is wrong; a name that is not known may itself be a secret in the wrong place."""
    words = {"extra_forbidden": "is not known here", "missing": "is missing"}
    message = str(found["msg"]).removeprefix("Value error, ")
    return words.get(found["type"]) or f"{message[:1].lower()}{message[1:]}"


def address_of(path: str) -> str:
    """Return the address of something that was made, for the header Location."""
    return f"{request.script_root}{PREFIX}{path}"
