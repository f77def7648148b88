"""Every error raised on purpose, and what a config problem is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file's name and, counted from 1, its line and column."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """`config.yml:12:5`, as compilers write it."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)

    @property
    def words(self) -> str:
        """`config.yml, line 12`, as people say it."""
        return self.file if self.line is None else f"{self.file}, line {self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the config, told without quoting any value.

    `closes` marks what lets authapp start closed rather than not at all: credentials that cannot be used.
    """

    key: str
    message: str
    place: Place | None = None
    hint: str = ""
    closes: bool = False

    def __str__(self) -> str:
        """Write one log line: `config.yml:12:5 server.port: must be a whole number`."""
        where = " ".join(str(part) for part in (self.place, self.key) if part)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class AuthappError(Exception):
    """What all errors raised on purpose have in common; never raised itself."""


class ConfigError(AuthappError):
    """The config cannot be used; `problems` says why, all at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class StartError(AuthappError):
    """A program cannot start or go on here; the text is the sentence to print."""


class CannotMove(AuthappError):
    """A backup cannot be made or restored, or a database not be copied; the text is the sentence to print."""


class CannotImport(AuthappError):
    """The file of another system cannot be made into a config file."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Nothing was imported: {reason}.")


class SchemaOutdated(AuthappError):
    """The database's schema is not the one this version works with."""

    def __init__(self, current: str | None, expected: str) -> None:
        newer = current is not None and current > expected
        super().__init__(
            f"The database is from a newer version of authapp (schema {current}, this one knows {expected}). "
            "Install that version, or restore a backup."
            if newer
            else f"The database schema is {current or 'missing'}, this version needs {expected}. "
            "Run: authapp bootstrap"
        )


def _minutes(wait: timedelta | None) -> str:
    minutes = math.ceil((wait or timedelta()).total_seconds() / 60)
    return f"{minutes} minutes" if minutes > 1 else "a minute"


class LoginFailed(AuthappError):
    """A sign-in was refused. `reason` is for the audit table; the text is for the visitor.

    `retry_after` is set when the visitor has to wait, `inactive` when the password was right and the user
    is waiting for activation.
    """

    def __init__(self, reason: str, *, retry_after: timedelta | None = None) -> None:
        texts = {
            "locked": f"Too many tries. Wait about {_minutes(retry_after)}, then try again.",
            "inactive": "Your password is right, but a superuser has to activate you before you can sign in.",
        }
        super().__init__(texts.get(reason, "That user name and password do not match."))
        self.reason = reason
        self.retry_after = retry_after


class BadCredentials(AuthappError):
    """A header with credentials cannot be read, or opens nothing; the text says nothing of what was in it."""

    def __init__(self) -> None:
        super().__init__("These credentials are not good, or not any more.")


class Refused(AuthappError):
    """A rule said no; the text may be shown to the user."""


class WeakPassword(Refused):
    """A password breaks the policy; `broken` names each rule, `policy` the policy."""

    field = "password"  # what it was typed into

    def __init__(self, policy: str, broken: Sequence[str]) -> None:
        super().__init__(
            f"This password does not fit the policy '{policy}' (option password.policy): " + "; ".join(broken) + "."
        )
        self.policy = policy
        self.broken = tuple(broken)


class Busy(Refused):
    """Too much is asked for at once; nothing was done."""

    def __init__(self) -> None:
        super().__init__("The server is busy at the moment. Try again in a few seconds.")
        self.retry_after = timedelta(seconds=2)


class BadUsername(Refused):
    """A user name breaks the rules for user names."""


class BadFullName(Refused):
    """A full name breaks the rules for full names."""


class BadQuery(Refused):
    """A list was asked for in a way that means nothing; `field` says in which part of the address, if known."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class BadList(Refused):
    """A list of users is empty or too long, or rows of it cannot be used; `rows` says which, from 1 on, and why."""

    def __init__(self, message: str, rows: Sequence[tuple[int, Refused]] = ()) -> None:
        super().__init__(message)
        self.rows = tuple(rows)


class UsernameTaken(Refused):
    """Another user bears this name."""

    def __init__(self) -> None:
        super().__init__("Another user already has this user name.")


class UserNotFound(Refused):
    """There is no such user, or not any more."""

    def __init__(self) -> None:
        super().__init__("There is no such user.")


class NotAllowed(Refused):
    """Who asks may not do this."""


class Unconfirmed(Refused):
    """What was asked for has to be asked for twice; the text is the question, `yes` its answer."""

    def __init__(self, question: str, yes: str) -> None:
        super().__init__(question)
        self.yes = yes


class PasswordChangeRequired(Refused):
    """Who asks has to replace the initial password first."""

    def __init__(self) -> None:
        super().__init__("Choose a password of your own first: the one you have is for the first sign-in only.")


class SamePassword(Refused):
    """The new password is the current one."""

    def __init__(self) -> None:
        super().__init__("That is your current password; choose another one.")


class TokenNotFound(Refused):
    """There is no such token, or not any more."""

    def __init__(self) -> None:
        super().__init__("There is no such token; it may have been revoked.")


class BadToken(Refused):
    """What a new API token is to be like breaks a rule; `field` names what."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class TooManyTokens(Refused):
    """A user has as many API tokens as one may have."""

    def __init__(self, most: int) -> None:
        super().__init__(f"A user may have {most} API tokens, and has them; revoke one first.")


class SessionNotFound(Refused):
    """There is no such session, or not any more."""

    def __init__(self) -> None:
        super().__init__("There is no such session; it may have ended.")


class NoSuchOption(Refused):
    """There is no such option, or it is not for the Settings table."""


class NotSettable(NoSuchOption):
    """An option is only for the config file and the environment."""


class BadValue(Refused):
    """A value does not fit the option `key`."""

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message)
        self.key = key


class SignUpClosed(Refused):
    """The sign-up page is switched off."""

    def __init__(self) -> None:
        super().__init__("Nobody can sign up here; ask a superuser for an account.")


class TooManyTries(Refused):
    """Somebody has to wait; `retry_after` says how long."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(f"Too many tries. Wait about {_minutes(retry_after)}, then try again.")
        self.retry_after = retry_after


class WrongPassword(Refused):
    """The current password, asked for again, was not right."""

    def __init__(self) -> None:
        super().__init__("That is not your current password.")


class LastSuperuser(Refused):
    """The owner and the last active superuser stay as they are."""


class SetupClosed(Refused):
    """The first run is over, or was never open."""

    def __init__(self) -> None:
        super().__init__("Setup is finished.")


class BadSetupToken(Refused):
    """The setup token is missing, wrong or too old."""

    def __init__(self) -> None:
        super().__init__("That setup token is not valid.")


class Pinned(Refused):
    """The config file or the environment supplies this, so only they can change it."""

    def __init__(self, key: str, place: Place | None) -> None:
        super().__init__(f"{key} is supplied by {place.words if place else 'the environment'}; change it there.")
        self.key = key
        self.place = place
