"""The one organization and its workspace."""

from flask import jsonify
from werkzeug.wrappers import Response

from authapp.organization import organization, refuse_another, workspace
from authapp.web.api.blueprint import route
from authapp.web.api.models.kinds import Problem
from authapp.web.api.models.settings import OrganizationFacts, Workspaces
from authapp.web.state import effective


@route("get", "/organization", "user", "organization", {200: OrganizationFacts})
def one_organization() -> Response:
    """Describe the one organization."""
    return jsonify(organization(effective()))


@route("post", "/organization", "user", "organization", {403: Problem})
def another_organization() -> Response:
    """Say why there is no second one."""
    refuse_another("organization")


@route("get", "/workspaces", "user", "organization", {200: Workspaces})
def all_workspaces() -> Response:
    """List the one workspace."""
    return jsonify(items=[workspace(effective())])


@route("post", "/workspaces", "user", "organization", {403: Problem})
def another_workspace() -> Response:
    """Say why there is no second one."""
    refuse_another("workspace")
