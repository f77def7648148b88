"""A log line for each request, without its query string: that is where secrets would be."""

import time
from typing import Any

from flask import g, request
from werkzeug.wrappers import Response

from authapp.logs import log
from authapp.web.metrics import count_request
from authapp.web.security import METRICS


def start_clock() -> None:
    """Note when the request began."""
    g.began = time.perf_counter()


def log_request(response: Response) -> Response:
    """Count the request and write the line; what is asked all the time is only for those who debug."""
    began = g.get("began")
    seconds = time.perf_counter() - began if began else None
    if seconds is not None:
        count_request(response, seconds)
    say = log.debug if _is_routine(response) else log.info
    say(
        "request",
        address=request.remote_addr or "",
        method=request.method,
        path=request.path,
        **_whose(),
        status=response.status_code,
        milliseconds=round(seconds * 1000) if seconds is not None else None,
    )
    return response


def _is_routine(response: Response) -> bool:
    """Tell whether a request is one of the many that say nothing."""
    is_read = request.blueprint == METRICS and response.status_code < 400  # noqa: PLR2004 - no error
    return request.blueprint == "health" or request.endpoint == "static" or is_read


def _whose() -> dict[str, str]:
    """Return the id of whoever is signed in, where the request came so far that somebody asked."""
    visitor: Any = g.get("_login_user")
    return {"user": visitor.get_id()} if visitor is not None and visitor.is_authenticated else {}
