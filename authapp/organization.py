"""The one organization and its one workspace."""

from typing import Any, NoReturn

from authapp.config.overlay import Effective
from authapp.errors import NotAllowed
from authapp.models import DEFAULT_ID

NAME = "organization.name"
WORKSPACE_NAME = "workspace.name"


def organization(effective: Effective) -> dict[str, Any]:
    """Return what is known of the organization."""
    return {"id": DEFAULT_ID, "name": effective.config.organization.name}


def workspace(effective: Effective) -> dict[str, Any]:
    """Return what is known of the workspace."""
    return {"id": DEFAULT_ID, "name": effective.config.workspace.name, "organization_id": DEFAULT_ID}


def refuse_another(what: str) -> NoReturn:
    """Say why there is no second one; raises NotAllowed, whoever asks."""
    raise NotAllowed(
        f"There is exactly one {what}, and another cannot be created: authapp signs people in to one installation. "
        "Run a second installation for people who are to be kept apart."
    )
