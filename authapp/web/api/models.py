"""What the API takes and answers: the models that validate a request, and that the documentation is made from."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    SecretStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from authapp.invitations import MOST_AT_ONCE
from authapp.issued_tokens import LONGEST_LIFETIME, LONGEST_NAME
from authapp.models import Role, Scope
from authapp.names import LONGEST_FULL_NAME, LONGEST_USERNAME, UNSTORABLE, is_storable
from authapp.paging import LONGEST_PAGE, PAGE
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


# -- problems -------------------------------------------------------------------------------------------------


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


# -- signing in -----------------------------------------------------------------------------------------------


class Status(Answered):
    """Whether setup is complete, and the mode."""

    setup_complete: bool
    auth_mode: Literal["basic", "none"]


class LoginBody(Sent):
    """A user name and a password. What they may be like is no business of this: a wrong one is a wrong one."""

    username: Text
    password: Secret


class AccessToken(Answered):
    """A JWT."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds.")


class SignUpBody(Sent):
    """A stranger who wants to become a user."""

    username: Username
    password: Password
    full_name: FullName = ""


# -- people ---------------------------------------------------------------------------------------------------


class User(Answered):
    """A user."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    username: str
    full_name: str
    role: Role
    is_active: bool
    is_superuser: bool
    must_change_password: bool
    created_at: datetime
    last_login_at: datetime | None


class NewUser(User):
    """A user who was just made."""

    model_config = MADE

    initial_password: str | None = Field(
        None, description="The generated password, where none was sent: this once, and to be replaced."
    )


class NewUsers(RootModel[list[NewUser]]):
    """Users who were just made, in the order they were sent."""


class UserPage(Answered):
    """A page of users."""

    items: list[User]
    next_cursor: str | None


def _role(value: str) -> str:
    if value and value not in set(Role):
        raise ValueError(f"must be one of {', '.join(Role)}")
    return value


class UsersAsked(Asked):
    """Which users, in which order."""

    q: Text = Field("", description="Part of a user name or full name.")
    role: Annotated[str, AfterValidator(_role), WithJsonSchema({"enum": ["", *map(str, Role)]})] = ""
    active: bool | None = None
    sort: Literal[
        "", "username", "-username", "role", "-role", "created_at", "-created_at", "last_login_at", "-last_login_at"
    ] = ""
    limit: int = Field(PAGE, ge=1, le=LONGEST_PAGE)
    cursor: Cursor = ""


class NewUserBody(Sent):
    """A user to make; without a password one is generated."""

    username: Username
    password: Password | None = None
    full_name: FullName = ""
    role: Role_ = Role.USER
    is_active: bool | None = Field(None, description="As `auth.new-user-is-active` says, unless given.")


class NewUsersBody(RootModel[Annotated[list[NewUserBody], Field(min_length=1, max_length=MOST_AT_ONCE)]]):
    """Users to make, all of them or none."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)


class UserBody(Sent):
    """What is to change of a user; what is not given stays."""

    username: Username | None = None
    full_name: FullName | None = None
    role: Role_ | None = None
    is_active: bool | None = None
    is_superuser: bool | None = None

    @model_validator(mode="after")
    def _must_agree(self) -> "UserBody":
        if None not in (self.role, self.is_superuser) and (self.role == Role.ADMIN) != self.is_superuser:
            raise ValueError("role and is_superuser contradict each other")
        return self

    @property
    def wanted_role(self) -> Role | None:
        """The role that is asked for, in either way."""
        if self.role is not None or self.is_superuser is None:
            return self.role
        return Role.ADMIN if self.is_superuser else Role.USER


class OwnNameBody(Sent):
    """What people may change of themselves."""

    full_name: FullName | None = None


class PasswordBody(Sent):
    """One's own password: the one so far, and the new one."""

    current_password: Secret
    new_password: Password


class InitialPassword(Answered):
    """A generated password, this once."""

    initial_password: str


# -- sessions and tokens --------------------------------------------------------------------------------------


class PageAsked(Asked):
    """Which page."""

    limit: int = Field(PAGE, ge=1, le=LONGEST_PAGE)
    cursor: Cursor = ""


class SessionFacts(Answered):
    """A signed-in browser."""

    id: str
    user_id: str
    username: str
    address: str
    user_agent: str
    remember: bool
    created_at: datetime
    last_seen_at: datetime
    current: bool = Field(description="Whether it is the one that asks.")


class SessionPage(Answered):
    """A page of sessions, the newest first."""

    items: list[SessionFacts]
    next_cursor: str | None


class Ended(Answered):
    """How many were ended."""

    ended: int


class TokenFacts(Answered):
    """An API token or a JWT."""

    id: str
    kind: Literal["api", "jwt"]
    name: str
    scope: Scope | None
    user_id: str
    username: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str
    current: bool = Field(description="Whether it is the one that asks.")


class TokenPage(Answered):
    """A page of tokens, the newest first."""

    items: list[TokenFacts]
    next_cursor: str | None


class NewToken(TokenFacts):
    """An API token that was just made."""

    model_config = MADE

    token: str = Field(description="The token itself, this once.")


class TokenBody(Sent):
    """An API token to make; without an end it is good until it is revoked."""

    name: str = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        description="What will use it; not only spaces, and without control or invisible characters.",
        json_schema_extra={**NO_NUL, "format": "token-name", "example": "backup script"},
    )
    scope: Scope_ = Scope.READ
    expires_at: Moment | None = Field(None, description=f"In the future, within {LONGEST_LIFETIME.days} days.")
    expires_in: int | None = Field(
        None, ge=1, le=LONGEST_LIFETIME // SECOND, description="Seconds; instead of `expires_at`."
    )

    @model_validator(mode="after")
    def _one_end(self) -> "TokenBody":
        if None not in (self.expires_at, self.expires_in):
            raise ValueError("give expires_at or expires_in, not both")
        return self


# -- settings, audit, organization ----------------------------------------------------------------------------


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

    user: Text = Field("", description="The id of a user who did it, or to whom it was done.")
    event: Text = Field("", description="Such as `sign-in`.")
    outcome: Text = Field("", description="Such as `success` or `wrong`.")
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


# -- parts of addresses ---------------------------------------------------------------------------------------


class UserPath(BaseModel):
    """A user's id."""

    user_id: str = Field(json_schema_extra={"format": "uuid"})


class UserSessionPath(UserPath):
    """A user's id, and a session's."""

    session_id: str = Field(json_schema_extra={"format": "uuid"})


class UserTokenPath(UserPath):
    """A user's id, and a token's."""

    token_id: str = Field(json_schema_extra={"format": "uuid"})


class SessionPath(BaseModel):
    """A session's id."""

    session_id: str = Field(json_schema_extra={"format": "uuid"})


class TokenPath(BaseModel):
    """A token's id."""

    token_id: str = Field(json_schema_extra={"format": "uuid"})


class OptionPath(BaseModel):
    """An option's key."""

    key: str = Field(json_schema_extra={"example": "auth.sign-up"})
