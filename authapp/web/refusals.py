"""What only requests are refused for: bodies, queries, scopes, and a proof that is too old."""

from collections.abc import Sequence
from dataclasses import dataclass

from authapp.errors import AuthappError, Refused


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing wrong with what a program sent: in which field (`2.username`), in which row of a list, and what."""

    field: str
    message: str
    row: int | None = None


class NotJson(AuthappError):
    """A body is not JSON, or not in a form that everybody reads in the same way."""


class BadBody(AuthappError):
    """A body, or an address's query, does not fit; `wrong` says where. No value is ever quoted."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        row = next((one.row for one in wrong if one.row is not None), None)
        what = "What was sent" if row is None else f"Row {row} of what was sent"
        super().__init__(f"{what} does not fit; `errors` says what.")
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
