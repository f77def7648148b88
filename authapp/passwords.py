"""Password policies and password hashes."""

import functools
import os
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import argon2

from authapp.errors import WeakPassword
from authapp.names import fold
from authapp.slots import Slots

MAX_LENGTH = 256
# zxcvbn refuses longer texts than 72, and its time grows with them, and with the kinds of signs it can read as
# letters, to seconds. More characters never make a password easier to guess, so one whose beginning is strong needs
# no second look, and a longer beginning is judged only as far as it has few of those kinds.
SHORT_LENGTH, STRENGTH_LENGTH = 20, 72
READ_AS_LETTERS = frozenset("4@8({[<369!1|0$5+7%2")
MOST_KINDS = 8
STRONG_ENOUGH = 3  # of 0 to 4: "safely unguessable"

# OWASP Password Storage Cheat Sheet: argon2id, 19 MiB, two passes, one lane. Whoever raises this gives users two
# kinds of hash, of different times; then each try has to take both, as it does beside an owner's older hash.
HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
# However many people sign in at once, hashing takes so many processors and 19 MiB each, and no more: in each worker
# half of them, so that whoever is signed in already does not wait for those who try.
SLOTS = Slots((os.cpu_count() or 1) // 2)
# Two are judged at a time, of strangers one: see sign_up.
JUDGED = Slots(2)
SHORTEST_TAG = 16  # bytes, RFC 9106 section 4
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
    with JUDGED.take():
        return any(_score(text, [*words, "authapp"]) >= STRONG_ENOUGH for text in _judged(password))


def _judged(password: str) -> Iterator[str]:
    """Yield the beginnings of a password that are judged."""
    yield password[:SHORT_LENGTH]
    kinds: set[str] = set()
    length = 0
    for character in password[:STRENGTH_LENGTH]:
        kinds |= {character} & READ_AS_LETTERS
        if len(kinds) > MOST_KINDS:
            break
        length += 1
    if length > SHORT_LENGTH:
        yield password[:length]


def _score(password: str, words: list[str]) -> int:
    # Its word lists take a while to load, and most commands judge no password.
    import zxcvbn  # noqa: PLC0415 - see above

    return int(zxcvbn.zxcvbn(password, user_inputs=words)["score"])


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
    lambda password, context: not any(fold(password) == fold(name) for name in context[:1]),
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


# A generated password is five-letter groups that can be read aloud, and two digits: `Zubor-Takim-Lenot-Rafim-47`.
# Letters and digits that look alike or are easily misheard are left out. That is 4 x 16.6 + 6 = 72 bits.
CONSONANTS = "bdfghjkmnprstvzl"
VOWELS = "aeiou"
DIGITS = "23456789"
GROUPS = 4


def generate() -> str:
    """Return a random password that can be read aloud; it has a letter, capital, digit and symbol."""
    groups = ["".join(map(secrets.choice, (CONSONANTS, VOWELS) * 2 + (CONSONANTS,))) for _ in range(GROUPS)]
    return "-".join([group.capitalize() for group in groups] + ["".join(secrets.choice(DIGITS) for _ in range(2))])


def hash_password(password: str) -> str:
    """Return an argon2id string; takes about 40 ms and 19 MiB."""
    with SLOTS.take():
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
    right = _matches(password_hash or dummy_hash(), password)
    return right is True and password_hash is not None


def _matches(password_hash: str, password: str) -> bool | None:
    """Tell whether a password belongs to a hash; None when the hash is none."""
    try:
        with SLOTS.take():
            if password_hash.startswith(LEGACY_PREFIXES):
                # Only who moved in has such hashes, and importing this takes longer than verifying one.
                from werkzeug.security import check_password_hash  # noqa: PLC0415 - see above

                return check_password_hash(password_hash, password) if LEGACY.fullmatch(password_hash) else None
            return HASHER.verify(password_hash, password.encode("utf-8", "surrogatepass"))
    except argon2.exceptions.VerifyMismatchError:
        return False
    # Damaged hashes break the libraries in many ways, such as numbers out of range and letters beyond ASCII.
    except (
        argon2.exceptions.Argon2Error,
        argon2.exceptions.InvalidHashError,
        ValueError,
        OverflowError,
        MemoryError,
    ):
        return None


def needs_rehash(password_hash: str) -> bool:
    """Tell whether a hash is of an older kind or cost than new ones."""
    return password_hash.startswith(LEGACY_PREFIXES) or HASHER.check_needs_rehash(password_hash)


def is_hash(text: str) -> bool:
    """Tell whether a text is a whole argon2, scrypt or pbkdf2 string, not too costly, of no empty password."""
    return _is_affordable(text) and _matches(text, "") is False


def _is_affordable(text: str) -> bool:
    """Tell whether verifying a hash takes seconds at most; False also for what is none."""
    if legacy := LEGACY.fullmatch(text):
        numbers = [int(number) for number in re.findall(r":(\d{1,12})(?=[:$])", legacy[1] + "$")]
        most = (10_000_000,) if text.startswith("pbkdf2:") else (2**20, 32, 16)
        return len(numbers) == len(most) and all(map(int.__le__, numbers, most))
    try:
        cost = argon2.extract_parameters(text)
    except (argon2.exceptions.InvalidHashError, ValueError):
        return False
    # A hash that lost its last characters on the way still reads as a shorter one, which nothing opens.
    whole = cost.hash_len >= SHORTEST_TAG and cost.hash_len % 8 == 0
    return whole and cost.time_cost <= 100 and cost.memory_cost <= 2**22 and cost.parallelism <= 64  # noqa: PLR2004 - the bounds
