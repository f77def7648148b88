"""Random tokens, their hashes, the form of API tokens and JWTs, and the keys derived from the secret key."""

import hashlib
import hmac
import secrets
import string
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

from authapp import clock

HASH = hashlib.sha256
API_PREFIX = "authapp_"
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
API_RANDOM, API_CHECKSUM = 43, 6  # characters: 256 random bits, and a CRC-32, each in base 62
JWT_PURPOSE = "authapp/jwt/v1"
JWT_TYPE = "access"
LONGEST_JWT = 2000


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


# -- API tokens -----------------------------------------------------------------------------------------------


def generate_api_token() -> str:
    """Return `authapp_`, 43 random characters, and 6 of checksum."""
    body = API_PREFIX + "".join(secrets.choice(BASE62) for _ in range(API_RANDOM))
    return body + _checksum(body)


def is_api_token(text: str) -> bool:
    """Tell whether a text has the form of an API token: its beginning, its length, and its checksum."""
    body, checksum = text[:-API_CHECKSUM], text[-API_CHECKSUM:]
    right_length = len(body) == len(API_PREFIX) + API_RANDOM
    return right_length and text.startswith(API_PREFIX) and text.isascii() and checksum == _checksum(body)


def _checksum(body: str) -> str:
    """Return a CRC-32 in base 62, so that a scanner can tell a leaked token from a text that looks like one."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(API_CHECKSUM):
        number, digit = divmod(number, len(BASE62))
        digits = BASE62[digit] + digits
    return digits


# -- JWTs -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claims:
    """What a JWT of ours says: whose it is, its random `jti`, for which installation, and from when until when."""

    user_id: str
    jti: str = field(repr=False)
    audience: str
    issued_at: datetime
    expires_at: datetime


def sign_jwt(secret_key: str, claims: Claims) -> str:
    """Return a JWT (RFC 7519), signed with HS256 by the key derived for JWTs; its times are whole seconds."""
    import jwt  # noqa: PLC0415 - most commands need none, and it takes a while to import

    issued_at = int(claims.issued_at.timestamp())
    payload = {
        "typ": JWT_TYPE,
        "sub": claims.user_id,
        "jti": claims.jti,
        "aud": claims.audience,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": int(claims.expires_at.timestamp()),
    }
    return jwt.encode(payload, derive_key(secret_key, JWT_PURPOSE), algorithm="HS256")


def read_jwt(secret_key: str, audience: str, text: str) -> tuple[str, str] | None:
    """Return the `sub` and the `jti` of a JWT that is ours and in its time, or None.

    Only HS256 counts, whatever its header says; and only the very text that we write. So no two texts are the same
    token, and no header or claim that somebody else would write needs an answer.
    """
    import jwt  # noqa: PLC0415 - see above

    try:
        payload = jwt.decode(
            text if len(text) <= LONGEST_JWT and text.isascii() else "",
            derive_key(secret_key, JWT_PURPOSE),
            algorithms=["HS256"],
            audience=audience,
            options={
                "require": ["typ", "sub", "jti", "aud", "iat", "nbf", "exp"],
                "strict_aud": True,
                "verify_iat": False,  # looked at below, because the node that made it may be a little ahead
                "verify_nbf": False,
            },
        )
        issued_at, expires_at = (datetime.fromtimestamp(payload[name], UTC) for name in ("iat", "exp"))
        claims = Claims(payload["sub"], payload["jti"], audience, issued_at, expires_at)
        is_good = text == sign_jwt(secret_key, claims) and issued_at <= clock.now() + clock.AHEAD
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError, RecursionError):
        return None
    return (claims.user_id, claims.jti) if is_good else None
