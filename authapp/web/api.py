"""`/api/v1`: what programs may ask."""

from flask import Blueprint, jsonify
from werkzeug.wrappers import Response

from authapp import wizard
from authapp.organization import organization, refuse_another, workspace
from authapp.web.security import access
from authapp.web.state import database, effective, is_mode_none

bp = Blueprint("api", __name__, url_prefix="/api/v1")


@bp.get("/status")
@access("public")
def status() -> Response:
    """Say whether setup is complete and which mode this is, and nothing else."""
    with database().reading() as db:
        is_complete = is_mode_none() or wizard.is_completed(db)
    return jsonify(setup_complete=is_complete, auth_mode=effective().config.auth.mode)


@bp.get("/organization")
@access("user")
def one_organization() -> Response:
    """Describe the one organization."""
    return jsonify(organization(effective()))


@bp.post("/organization")
@access("user")
def another_organization() -> Response:
    """Say why there is no second one."""
    refuse_another("organization")


@bp.get("/workspaces")
@access("user")
def all_workspaces() -> Response:
    """List the one workspace."""
    return jsonify(items=[workspace(effective())])


@bp.post("/workspaces")
@access("user")
def another_workspace() -> Response:
    """Say why there is no second one."""
    refuse_another("workspace")
