"""Users."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    WithJsonSchema,
    model_validator,
)

from authapp.invitations import MOST_AT_ONCE
from authapp.models import Role
from authapp.paging import LONGEST_PAGE, PAGE
from authapp.web.api.models.kinds import (
    MADE,
    Answered,
    Asked,
    Cursor,
    FullName,
    Password,
    Role_,
    Secret,
    Sent,
    Text,
    Username,
)


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


class UserPath(BaseModel):
    """A user's id."""

    user_id: str = Field(json_schema_extra={"format": "uuid"})
