"""Whether the credentials that file or environment give are the stored ones, part by part."""

from typing import Any

from authapp import names, passwords, tokens
from authapp.config.overlay import GivenCredentials
from authapp.errors import BadUsername
from authapp.settings import Credentials

NAME, SECRET = "username", "password"
PAIR = "pair"


def has_secret_of(given: GivenCredentials, stored: Credentials) -> bool:
    """Tell whether the given password belongs to the stored hash, or the given hash is it. Slow, as hashing is."""
    if given.password_hash is not None:
        return given.password_hash == stored.password_hash
    return given.password is not None and passwords.verify(stored.password_hash, given.password)


def differing(given: GivenCredentials, stored: Credentials) -> frozenset[str]:
    """Return which parts are given otherwise than they are stored; a part that is not given is none of them."""
    other_name = given.username is not None and _cleaned(given.username) != stored.username
    other_secret = given.has_secret and not has_secret_of(given, stored)
    return frozenset(part for part, other in ((NAME, other_name), (SECRET, other_secret)) if other)


def changed(before: Credentials, after: Credentials) -> frozenset[str]:
    """Return which parts of a stored pair change."""
    parts = (
        (NAME, before.username != after.username),
        (SECRET, before.password_hash != after.password_hash),
    )
    return frozenset(part for part, changes in parts if changes)


def _cleaned(username: str) -> str | None:
    try:
        return names.clean_username(username)
    except BadUsername:
        return None


def statement(
    given: GivenCredentials, stored: Credentials, differ: frozenset[str] = frozenset()
) -> dict[str, Any] | None:
    """Return what a node says of the credentials it was given: beside which pair, and which parts are the same.

    None where it was given none.
    """
    if not given:
        return None
    parts = {NAME: given.username is not None, SECRET: given.has_secret}
    return {PAIR: digest(stored)} | {part: part not in differ for part, is_given in parts.items() if is_given}


def digest(stored: Credentials) -> str:
    """Return what tells stored pairs apart.

    It needs no key: name and hash stand in the same database, and one that changes with the secret key would be
    worth nothing until each node has written its own anew.
    """
    return tokens.digest(f"{stored.username}\0{stored.password_hash}")
