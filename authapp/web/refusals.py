"""What only requests are refused for: bodies, queries, scopes, and a proof that is too old."""

from collections.abc import Sequence
from dataclasses import dataclass

from authapp.errors import AuthappError, Refused


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing wrong with what a program sent: in which field (`users.2.username`), and what."""

    field: str
    message: str


class NotJson(AuthappError):
    """A body is not JSON, or not in a form that everybody reads in the same way."""


class BadBody(AuthappError):
    """A body, or an address's query, does not fit; `wrong` says where. No value is ever quoted."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        super().__init__("What was sent does not fit; `errors` says what.")
        self.wrong = tuple(wrong)


class Reauthenticate(Refused):
    """A sensitive change needs the password again; the text says for what ("to …")."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The password is needed again {what}: it was proved more than 15 minutes ago. Send it with HTTP "
            "Basic, or get a new token from POST /api/v1/login."
        )


class ScopeTooSmall(Refused):
    """An API token was not made for this."""
