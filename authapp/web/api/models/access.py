"""Sessions and tokens."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    Field,
    model_validator,
)

from authapp.issued_tokens import LONGEST_LIFETIME, LONGEST_NAME
from authapp.models import Scope
from authapp.paging import LONGEST_PAGE, PAGE
from authapp.web.api.models.kinds import MADE, NO_NUL, SECOND, Answered, Asked, Cursor, Moment, Scope_, Sent
from authapp.web.api.models.people import UserPath

Id = Annotated[str, Field(json_schema_extra={"format": "uuid"})]


class LockPath(BaseModel):
    """The lock in the address."""

    lock_id: str = Field(description="As the list of locks gives it.")


class LockFacts(Answered):
    """Somebody who has to wait."""

    id: str
    kind: Literal["tries", "account", "network"] = Field(
        description="tries: a name from one network; account: a name from all networks it never signed in from; "
        "network: every name that never signed in from that network."
    )
    network: str | None
    user_id: Id | None = Field(description="None when nobody bears the name, and for a network.")
    username: str | None
    until: datetime


class Locks(Answered):
    """Who has to wait now, the longest first."""

    items: list[LockFacts]


class PageAsked(Asked):
    """Which page."""

    limit: int = Field(PAGE, ge=1, le=LONGEST_PAGE)
    cursor: Cursor = ""


class SessionFacts(Answered):
    """A signed-in browser."""

    id: Id
    user_id: Id
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

    id: Id
    kind: Literal["api", "jwt"]
    name: str
    scope: Scope | None
    user_id: Id
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
