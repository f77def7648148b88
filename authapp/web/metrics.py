"""`/metrics`, for Prometheus: who may read it proves that with HTTP Basic or an API token."""

from collections.abc import Mapping

from flask import Blueprint, request
from werkzeug.wrappers import Response

from authapp import __version__, passwords
from authapp.metrics.meter import Numbers
from authapp.web.identity import who
from authapp.web.security import METRICS, access
from authapp.web.state import database, effective, snapshot, the_app, visitor

bp = Blueprint(METRICS, __name__)


@bp.get("/metrics")
@access("superuser")
def metrics() -> Response:
    """Answer with the numbers of this moment."""
    # Its library may not be there; and it takes as long to import as most of the app.
    from authapp.metrics import text  # noqa: PLC0415 - see above

    stock = the_app().stock.numbers(database(), effective(), visitor("api", who()))
    numbers = {**stock, **the_app().meter.numbers(), **_of_config()}
    return Response(text.write(numbers), content_type=text.CONTENT_TYPE)


def count_request(response: Response, seconds: float) -> None:
    """Count a request that was answered, where anybody wants to know."""
    if effective().config.metrics.enabled:
        the_app().meter.count(request.endpoint or "none", response.status_code, seconds)


def hashing() -> Mapping[str, float]:
    """Return what the places for hashing are doing."""
    taken, waiting = passwords.SLOTS.in_use()
    return {"hashing_places": passwords.SLOTS.size, "hashing_places_taken": taken, "hashing_waiting": waiting}


def _of_config() -> Numbers:
    now = snapshot()
    kind = "sqlite" if database().is_sqlite else "postgresql"
    labels = (("version", __version__), ("database", kind), ("mode", now.effective.config.auth.mode))
    found = {
        "config_good": 0 if now.problems else 1,
        "config_problems": len(now.problems),
        "config_warnings": len(now.warnings),
        "config_needs_restart": len(now.needs_restart),
    }
    return {("info", labels): 1, **{(name, ()): number for name, number in found.items()}}
