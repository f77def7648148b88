"""`/api/v1`: what programs may ask."""

from flask import Blueprint, jsonify
from werkzeug.wrappers import Response

from authapp import wizard
from authapp.web.security import access
from authapp.web.state import database, effective

bp = Blueprint("api", __name__, url_prefix="/api/v1")


@bp.get("/status")
@access("public")
def status() -> Response:
    """Say whether setup is complete and which mode this is, and nothing else."""
    with database().reading() as db:
        is_complete = wizard.is_completed(db)
    return jsonify(setup_complete=is_complete, auth_mode=effective().config.auth.mode)
