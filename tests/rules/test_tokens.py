"""Random tokens, their hashes, and the keys derived from the secret key."""

import hashlib
import hmac
import re

import pytest

from authapp import tokens


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
