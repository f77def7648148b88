"""The owner's credentials as file or environment give them, password files read."""

import re
import stat
from pathlib import Path

from authapp import passwords, paths
from authapp.config.options import PASSWORD_KEYS, USERNAME, is_placeholder
from authapp.config.overlay import Effective, GivenCredentials
from authapp.errors import Place, Problem

LARGEST = 4096  # bytes
PASSWORD, PASSWORD_HASH, PASSWORD_FILE = PASSWORD_KEYS


def given_credentials(effective: Effective, base: Path) -> tuple[GivenCredentials, list[Problem]]:
    """Return what file or environment say of the owner's credentials; paths are relative to `base`."""
    options = effective.config.server.basic_auth
    username = options.username if effective.pinned(USERNAME) else None
    key = effective.pinned_password
    place = effective.place_of.get(key) if key else None
    if key == PASSWORD and options.password is not None:
        return _from_text(username, options.password.get_secret_value(), place)
    if key == PASSWORD_HASH and options.password_hash is not None:
        return _from_hash(username, options.password_hash.get_secret_value(), place)
    if key == PASSWORD_FILE and options.password_file is not None:
        return _from_file(username, base / options.password_file, place)
    return GivenCredentials(username), []


def _from_text(username: str | None, text: str, place: Place | None) -> tuple[GivenCredentials, list[Problem]]:
    given = GivenCredentials(username, text, None, PASSWORD)
    return given, [] if text else [Problem(PASSWORD, "is empty", place, closes=True)]


def _from_hash(username: str | None, text: str, place: Place | None) -> tuple[GivenCredentials, list[Problem]]:
    given = GivenCredentials(username, None, text, PASSWORD_HASH)
    if passwords.is_hash(text):
        return given, []
    message = f"is no argon2, scrypt or pbkdf2 string, or a damaged one ({len(text)} characters)"
    hint = "Docker Compose eats every $ that is not written $$; `authapp hash-password` makes a new one"
    return given, [Problem(PASSWORD_HASH, message, place, hint, closes=True)]


def _from_file(username: str | None, path: Path, place: Place | None) -> tuple[GivenCredentials, list[Problem]]:
    def refused(message: str, hint: str = "", *, closes: bool = True) -> tuple[GivenCredentials, list[Problem]]:
        problem = Problem(PASSWORD_FILE, message, place, hint, closes=closes)
        return GivenCredentials(username, None, None, PASSWORD_FILE), [problem]

    try:
        text = paths.read_small_file(path, LARGEST).decode("utf-8")
        status = path.stat()
    except OSError as error:
        hint = "relative paths start from the config file's folder" if isinstance(error, FileNotFoundError) else ""
        return refused(f"the password file cannot be read ({error.strerror})", hint)
    except ValueError as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        return refused(f"the password file {reason}")
    if status.st_mode & stat.S_IWOTH:
        return refused("anybody may write the password file; run: chmod o-w", closes=False)
    password = re.sub(r"\r?\n\Z", "", text)
    if not password:
        return refused("the password file is empty")
    if is_placeholder(password):
        return refused("the password file still holds a placeholder", closes=False)
    return GivenCredentials(username, password, None, PASSWORD_FILE), []
