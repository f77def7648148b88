"""Password policies and password hashes."""

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import argon2
import zxcvbn
from werkzeug.security import check_password_hash

from authapp.errors import WeakPassword

MAX_LENGTH = 256
# zxcvbn refuses longer texts, and its time grows with them.
STRENGTH_LENGTH = 72
STRONG_ENOUGH = 3  # of 0 to 4: "safely unguessable"

# OWASP Password Storage Cheat Sheet: argon2id, 19 MiB, two passes, one lane.
HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
LEGACY_PREFIXES = ("scrypt:", "pbkdf2:")
LEGACY = re.compile(r"(scrypt:\d+:\d+:\d+|pbkdf2:sha(1|224|256|384|512):\d+)\$[^$]+\$[0-9a-f]{32,}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a policy: what a person reads, and the test a password has to pass.

    `check` names the same test for the browser (`min:12`, `lower`); empty when only the server can tell.
    """

    text: str
    passes: Callable[[str, tuple[str, ...]], bool]
    check: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """A named list of rules."""

    name: str
    rules: tuple[Rule, ...]

    def broken(self, password: str, context: Iterable[str] = ()) -> list[str]:
        """Return the texts of the rules a password breaks.

        `context` holds words it must not be built from, the user name first.
        """
        words = tuple(context)
        return [rule.text for rule in self.rules if not rule.passes(password, words)]

    def require(self, password: str, context: Iterable[str] = ()) -> None:
        """Raise WeakPassword when a password breaks a rule."""
        if broken := self.broken(password, context):
            raise WeakPassword(self.name, broken)


def _has(test: Callable[[str], bool]) -> Callable[[str, tuple[str, ...]], bool]:
    return lambda password, _: any(test(character) for character in password)


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character)[0] not in "LN" and not character.isspace()


def _is_strong(password: str, context: tuple[str, ...]) -> bool:
    if not password:
        return False
    words = [word for part in context for word in (part, *re.split(r"[@.\s_-]+", part)) if word]
    result = zxcvbn.zxcvbn(password[:STRENGTH_LENGTH], user_inputs=[*words, "authapp"])
    return bool(result["score"] >= STRONG_ENOUGH)


def _same(one: str, other: str) -> bool:
    return unicodedata.normalize("NFKC", one).casefold() == unicodedata.normalize("NFKC", other).casefold()


def _minimum(length: int) -> Rule:
    return Rule(f"at least {length} characters", lambda password, _: len(password) >= length, f"min:{length}")


LOWER = Rule("a lower-case letter", _has(str.islower), "lower")
UPPER = Rule("an upper-case letter", _has(str.isupper), "upper")
DIGIT = Rule("a digit", _has(str.isdigit), "digit")
SYMBOL = Rule("a symbol, such as ! ? - or €", _has(_is_symbol), "symbol")
MAXIMUM = Rule(
    f"at most {MAX_LENGTH} characters", lambda password, _: len(password) <= MAX_LENGTH, f"max:{MAX_LENGTH}"
)
NOT_NAME = Rule(
    "not the user name",
    lambda password, context: not any(_same(password, name) for name in context[:1]),
    "not-name",
)
STRONG = Rule("hard to guess: no common password, name or keyboard pattern", _is_strong)

POLICIES = {
    policy.name: policy
    for policy in (
        Policy("standard", (_minimum(12), LOWER, UPPER, SYMBOL, MAXIMUM, NOT_NAME, STRONG)),
        Policy("kestra", (_minimum(8), LOWER, UPPER, DIGIT, MAXIMUM, NOT_NAME)),
        Policy("nist", (_minimum(15), MAXIMUM, NOT_NAME, STRONG)),
    )
}


def hash_password(password: str) -> str:
    """Return an argon2id string; takes about 40 ms and 19 MiB."""
    return HASHER.hash(password.encode("utf-8", "surrogatepass"))


@functools.cache
def dummy_hash() -> str:
    """Return the hash that is verified when nobody bears the name, so that it takes as long."""
    return hash_password("nobody bears this name")


def verify(password_hash: str | None, password: str) -> bool:
    """Tell whether a password belongs to a hash: argon2, or werkzeug's scrypt and pbkdf2 strings.

    Without a hash it spends the time of one verification and answers False. Longer passwords than any
    policy admits are refused unhashed.
    """
    if len(password) > MAX_LENGTH:
        return False
    if password_hash is not None and password_hash.startswith(LEGACY_PREFIXES):
        return check_password_hash(password_hash, password)
    try:
        HASHER.verify(password_hash or dummy_hash(), password.encode("utf-8", "surrogatepass"))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Tell whether a hash is of an older kind or cost than new ones."""
    return password_hash.startswith(LEGACY_PREFIXES) or HASHER.check_needs_rehash(password_hash)


def is_hash(text: str) -> bool:
    """Tell whether a text is a whole argon2, scrypt or pbkdf2 string, of a cost that can be verified."""
    if text.startswith(LEGACY_PREFIXES):
        return _legacy_works(text)
    try:
        HASHER.verify(text, b"")
    except argon2.exceptions.VerifyMismatchError:
        return True
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return False  # the hash of an empty password opens for everybody who types nothing


def _legacy_works(text: str) -> bool:
    if not LEGACY.fullmatch(text):
        return False
    try:
        return not check_password_hash(text, "")
    except ValueError:
        return False
