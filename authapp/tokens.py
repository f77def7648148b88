"""Random tokens, their hashes, and the keys derived from the secret key."""

import hashlib
import hmac
import secrets

HASH = hashlib.sha256


def generate() -> str:
    """Return 32 random bytes as 43 characters that fit in an address."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return the SHA-256 of a token in hex; a token of 256 random bits needs no slow hash."""
    return HASH(token.encode("utf-8", "surrogatepass")).hexdigest()


def derive_key(secret_key: str, purpose: str) -> bytes:
    """Return 32 bytes for one purpose: HKDF-SHA256 (RFC 5869) with an empty salt and the purpose as info."""
    extracted = hmac.digest(bytes(HASH().digest_size), secret_key.encode(), HASH)
    return hmac.digest(extracted, purpose.encode() + b"\x01", HASH)


def fingerprint(secret_key: str) -> str:
    """Return 16 hex digits that tell two secret keys apart and say nothing about either."""
    return derive_key(secret_key, "authapp/fingerprint/v1").hex()[:16]


def keyed_hash(key: bytes, text: str) -> str:
    """Return an HMAC-SHA256 in hex: the same text gives the same hash only under the same key."""
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), HASH).hex()
