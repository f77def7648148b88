"""Options, what happened, and the organization."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    WithJsonSchema,
)

from authapp.paging import LONGEST_PAGE, PAGE
from authapp.web.api.models.kinds import NO_NUL, Answered, Asked, Cursor, Sent, Text


class Said(Answered):
    """What one layer says of an option."""

    source: str
    value: str
    place: str | None
    trouble: str | None


class OptionFacts(Answered):
    """An option: its value, and where that comes from. Secrets are masked."""

    key: str
    value: Any
    source: Literal["default", "Settings table", "environment", "config file"]
    place: str | None = Field(description="File, line and column, or the environment variable.")
    pinned: bool = Field(description="Whether file or environment supply it, so that nothing else may change it.")
    settable: bool = Field(description="Whether it may be set here at all.")
    layers: list[Said]


class Options(Answered):
    """Every option."""

    items: list[OptionFacts]


def _simple(value: object) -> object:
    if not isinstance(value, bool | int | str):
        raise ValueError("must be true or false, a whole number or a text")  # noqa: TRY004 - pydantic's way
    return value


class ValueBody(Sent):
    """A value for an option, as JSON or as the text that would stand in a config file."""

    value: Annotated[
        Any,
        AfterValidator(_simple),
        WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "integer"}, {"type": "string", **NO_NUL}]}),
    ]


class AuditAsked(Asked):
    """Which entries."""

    user: Text = Field("", description="The id or user name of somebody who did it, or to whom it was done.")
    event: Text = Field("", description="Such as `sign-in`.")
    outcome: Text = Field("", description="Such as `success` or `wrong`.")
    address: Text = Field("", description="The address it came from.")
    road: Text = Field("", description="Such as `form`, `api`, `basic` or `command line`.")
    since: Text = Field("", description="A day or a moment, in UTC where no zone is given; it is included.")
    until: Text = Field("", description="As `since`, and not included; but a day is included to its end.")
    limit: int = Field(PAGE, ge=1, le=LONGEST_PAGE)
    cursor: Cursor = ""


class EntryFacts(Answered):
    """One thing that happened: who did it and by which road, to whom, and how it ended."""

    id: int
    at: datetime
    event: str
    outcome: str
    road: str
    actor_id: str | None
    actor: str
    address: str
    target_id: str | None
    target: str
    detail: dict[str, Any]


class AuditPage(Answered):
    """A page of what happened, the newest first."""

    items: list[EntryFacts]
    next_cursor: str | None


class OrganizationFacts(Answered):
    """The one organization."""

    id: str
    name: str


class WorkspaceFacts(Answered):
    """Its one workspace."""

    id: str
    name: str
    organization_id: str


class Workspaces(Answered):
    """All workspaces."""

    items: list[WorkspaceFacts]


class OptionPath(BaseModel):
    """An option's key."""

    key: str = Field(json_schema_extra={"example": "auth.sign-up"})
