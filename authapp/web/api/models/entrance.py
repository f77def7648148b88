"""Signing in and up."""

from typing import Literal

from pydantic import (
    Field,
)

from authapp.web.api.models.kinds import Answered, FullName, Password, Secret, Sent, Text, Username


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
