"""A log line for each request, without its query string: that is where secrets would be."""

import time
from typing import Any

from flask import g, request
from werkzeug.wrappers import Response

from authapp.logs import log


def start_clock() -> None:
    """Note when the request began."""
    g.began = time.perf_counter()


def log_request(response: Response) -> Response:
    """Write the line; health checks and static files are only for those who debug."""
    began = g.get("began")
    say = log.debug if request.blueprint == "health" or request.endpoint == "static" else log.info
    say(
        "request",
        address=request.remote_addr or "",
        method=request.method,
        path=request.path,
        **_whose(),
        status=response.status_code,
        milliseconds=round((time.perf_counter() - began) * 1000) if began else None,
    )
    return response


def _whose() -> dict[str, str]:
    """Return the id of whoever is signed in, where the request came so far that somebody asked."""
    visitor: Any = g.get("_login_user")
    return {"user": visitor.get_id()} if visitor is not None and visitor.is_authenticated else {}
