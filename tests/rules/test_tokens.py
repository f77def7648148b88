"""Random tokens, their hashes, the form of API tokens, and the keys derived from the secret key."""

import hashlib
import hmac
import re
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authapp import tokens

PROPERTY = settings(deadline=None, database=None)


def hkdf(secret: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, section 2, written down once more: HKDF-SHA256 with an empty salt."""
    key = hmac.new(b"\0" * 32, secret, hashlib.sha256).digest()
    block = output = b""
    for number in range(1, -(-length // 32) + 1):
        block = hmac.new(key, block + info + bytes([number]), hashlib.sha256).digest()
        output += block
    return output[:length]


def test_inline_hkdf_gives_the_published_vector() -> None:
    """The comparison used below gives RFC 5869's test case 3."""
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert hkdf(b"\x0b" * 22, b"", 42).hex() == expected


@pytest.mark.parametrize("secret", ["\x0b" * 22, "x" * 16, "Schlüssel €", "k" * 200])
@pytest.mark.parametrize("purpose", ["", "authapp/session/v1", "authapp/csrf/v1"])
def test_derived_keys_are_hkdf_sha256(secret: str, purpose: str) -> None:
    """A derived key is the first 32 bytes of HKDF-SHA256 with an empty salt and the purpose as info."""
    assert tokens.derive_key(secret, purpose) == hkdf(secret.encode(), purpose.encode(), 32)


def test_a_derived_key_is_the_published_one() -> None:
    """With RFC 5869's test case 3 as secret, the key begins as the RFC prints it."""
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert tokens.derive_key("\x0b" * 22, "").hex() == expected


def test_every_purpose_has_a_key_of_its_own() -> None:
    """No two purposes share a key."""
    purposes = ["authapp/session/v1", "authapp/csrf/v1", "authapp/throttle/v1", "authapp/fingerprint/v1"]
    assert len({tokens.derive_key("one secret key", purpose) for purpose in purposes}) == len(purposes)


def test_tokens_carry_256_random_bits() -> None:
    """A token is 43 characters that fit in an address, and no two are the same."""
    made = {tokens.generate() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in made)


@pytest.mark.parametrize("text", ["", "abc", "zażółć", "lone \udc80 surrogate"])
def test_digests_are_sha256_in_hex(text: str) -> None:
    """What is stored of a token is its SHA-256, whatever bytes a client sent."""
    assert tokens.digest(text) == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def test_a_fingerprint_tells_secret_keys_apart() -> None:
    """A fingerprint is 16 hex digits: the same for the same key, another for another."""
    one = tokens.fingerprint("a secret key of some length")
    assert re.fullmatch(r"[0-9a-f]{16}", one)
    assert one == tokens.fingerprint("a secret key of some length")
    assert one != tokens.fingerprint("a secret key of some lengtH")


def test_a_fingerprint_is_no_part_of_a_key_in_use() -> None:
    """What is recorded in clear says nothing about the keys that sign."""
    key = "a secret key of some length"
    used = [tokens.derive_key(key, purpose).hex() for purpose in ("authapp/session/v1", "authapp/throttle/v1")]
    assert not any(tokens.fingerprint(key) in text for text in [*used, hashlib.sha256(key.encode()).hexdigest()])


def test_a_keyed_hash_depends_on_its_key() -> None:
    """The same text hashes alike under one key and differently under another."""
    assert tokens.keyed_hash(b"one", "bob") == hmac.new(b"one", b"bob", hashlib.sha256).hexdigest()
    assert tokens.keyed_hash(b"one", "bob") != tokens.keyed_hash(b"two", "bob")


# -- API tokens -----------------------------------------------------------------------------------------------

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Made once, so that a token of an older version goes on being one.
KNOWN = "authapp_" + "Ab3" * 14 + "z" + "4drIOB"


def with_checksum(body: str) -> str:
    """Return a text with the checksum that belongs to it."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = DIGITS[digit] + digits
    return body + digits


def test_an_api_tokens_form() -> None:
    """An API token is `authapp_` and 49 letters and digits: nowhere does it need quoting."""
    made = tokens.generate_api_token()
    assert re.fullmatch(r"authapp_[0-9A-Za-z]{49}", made)
    assert tokens.is_api_token(made)


def test_api_tokens_are_random() -> None:
    """No two API tokens are the same, and each place of the random part takes every letter and digit."""
    made = {tokens.generate_api_token() for _ in range(2000)}
    assert len(made) == 2000
    assert {"".join(sorted(set(place))) for place in zip(*(token[8:51] for token in made), strict=True)} == {DIGITS}


def test_an_api_token_ends_with_its_checksum() -> None:
    """The last six signs are the CRC-32 of what stands before, in base 62: a scanner can tell without asking us."""
    made = tokens.generate_api_token()
    assert made == with_checksum(made[:-6])


def test_an_older_api_token_stays_one() -> None:
    """The form of API tokens is fixed: one that was made long ago is one for ever."""
    assert tokens.is_api_token(KNOWN)


@PROPERTY
@given(st.integers(0, 56), st.characters())
def test_any_other_sign(at: int, sign: str) -> None:
    """An API token in which one sign is another one is none."""
    made = tokens.generate_api_token()
    assert tokens.is_api_token(made[:at] + sign + made[at + 1 :]) == (sign == made[at])


@pytest.mark.parametrize(
    ("body", "good"),
    [
        ("authapp_" + "A" * 43, True),
        ("authapp_" + "A" * 42, False),
        ("authapp_" + "A" * 44, False),
        ("authapp-" + "A" * 43, False),
        ("A" * 51, False),
        ("authapp_" + "\u00e4" * 43, False),
    ],
)
def test_a_right_checksum_is_not_enough(body: str, good: bool) -> None:
    """A text that ends with its checksum is no token without the right length and beginning, and in ASCII."""
    assert tokens.is_api_token(with_checksum(body)) == good


@pytest.mark.parametrize("length", range(57))
def test_part_of_an_api_token(length: int) -> None:
    """An API token that was cut, at the end or at the beginning, is none."""
    made = tokens.generate_api_token()
    assert not tokens.is_api_token(made[:length])
    assert not tokens.is_api_token(made[57 - length :])


@PROPERTY
@given(st.integers(0, 57), st.text(min_size=1))
def test_more_in_an_api_token(at: int, more: str) -> None:
    """An API token with something before, within or behind it is none."""
    made = tokens.generate_api_token()
    assert not tokens.is_api_token(made[:at] + more + made[at:])


WRITINGS: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "small": str.lower,
    "capital prefix": lambda made: "AUTHAPP_" + made[8:],
    "wide": lambda made: made.replace("a", "\uff41"),
    "a dash": lambda made: made.replace("_", "-"),
    "quoted": lambda made: f'"{made}"',
    "no prefix": lambda made: made[8:],
    "another prefix": lambda made: "authapq_" + made[8:],
    "as bytes": lambda made: str(made.encode()),
    "white space around": lambda made: f" {made}\n",
    "half a character": lambda made: made[:-1] + "\udc80",
    "a megabyte": lambda made: made * 20_000,
}


@pytest.mark.parametrize("name", WRITINGS)
def test_an_api_token_written_otherwise(name: str) -> None:
    """There is one way to write an API token."""
    assert not tokens.is_api_token(WRITINGS[name](tokens.generate_api_token()))


@PROPERTY
@given(st.text() | st.text(DIGITS, min_size=49, max_size=49).map(lambda text: f"authapp_{text}"))
def test_any_text_is_no_api_token(text: str) -> None:
    """Whatever a client sends, it is an API token or not, and never an error; by chance it is none."""
    assert not tokens.is_api_token(text)
