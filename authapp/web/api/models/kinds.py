"""What the models of the API share: kinds of values, and what a refusal looks like."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
)

from authapp.models import Role, Scope
from authapp.names import LONGEST_FULL_NAME, LONGEST_USERNAME, UNSTORABLE, is_storable
from authapp.passwords import MAX_LENGTH


def header(description: str, kind: str = "string") -> dict[str, Any]:
    """Describe a header that an answer always has."""
    return {"description": description, "required": True, "schema": {"type": kind}}


# What flask-openapi3 adds to an answer; pydantic does not know the name.
MADE: Any = {"openapi_extra": {"headers": {"Location": header("Where it is.")}}}


class _Given(BaseModel):
    """What comes in: no name that is not known, no text that no database takes, and nothing of it in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _must_be_storable(cls, value: object) -> object:
        if isinstance(value, str) and not is_storable(value):
            raise ValueError(UNSTORABLE)
        return value


class Sent(_Given):
    """What a program sends; no value is taken for one of another type."""

    model_config = ConfigDict(strict=True)


class Asked(_Given):
    """What stands behind the question mark of an address; there everything is text."""


class Answered(BaseModel):
    """What is answered."""


SECOND = timedelta(seconds=1)
# What the schema says of what is checked elsewhere: that above, and our own rules for names, as formats, because
# they know more than JSON Schema has words for.
NO_NUL = {"pattern": r"^[^\u0000]*$"}
Text = Annotated[str, Field(json_schema_extra={**NO_NUL})]
Secret = Annotated[SecretStr, Field(json_schema_extra={**NO_NUL})]
Username = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_USERNAME,
        description="Without a colon, control or invisible characters, and spaces at the ends or two in a row.",
        json_schema_extra={**NO_NUL, "format": "user-name", "example": "ada@example.com"},
    ),
]
FullName = Annotated[
    str,
    Field(
        max_length=LONGEST_FULL_NAME,
        description="Without control or invisible characters.",
        json_schema_extra={**NO_NUL, "format": "full-name", "example": "Ada Lovelace"},
    ),
]
Password = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=MAX_LENGTH,
        description="The policy that the option `password.policy` names says what it has to be like.",
        json_schema_extra={**NO_NUL},
    ),
]
Cursor = Annotated[
    str,
    Field(
        description="The `next_cursor` of the page before, asked for in the same order.",
        json_schema_extra={**NO_NUL, "format": "cursor"},
    ),
]


def _as_rfc_3339(value: object) -> object:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d[Tt]", value):  # pydantic also takes numbers
        raise ValueError("must be a moment, such as 2030-01-31T12:00:00Z")
    return value


# JSON has no type for these; what a text means is said here.
Role_ = Annotated[Role, Field(strict=False, description="`admin` is a superuser.")]
Scope_ = Annotated[
    Scope,
    Field(
        strict=False,
        description="`read`: GET and HEAD. `write`: also what needs no proof of the password. `admin`: everything "
        "but passwords and tokens. Never more than its user may.",
    ),
]
Moment = Annotated[AwareDatetime, BeforeValidator(_as_rfc_3339), Field(strict=False)]


class WrongField(BaseModel):
    """One broken rule."""

    field: str = Field(description="Whose value it is about; parts of lists and objects are parted by dots.")
    message: str
    row: int | None = Field(None, description="In a list, which row, counted from 1.")


class Problem(BaseModel):
    """Why not (RFC 9457)."""

    type: str = Field(
        description="`password-change-required`, `reauthenticate`, `scope`, or `about:blank`.",
        json_schema_extra={"example": "about:blank"},
    )
    title: str
    status: int
    detail: str
    errors: list[WrongField] | None = Field(None, description="One entry for each broken rule.")
