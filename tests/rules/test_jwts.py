"""JWTs: what one says, and all that is not one of ours."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from authapp import tokens
from authapp.tokens import Claims

KEY, OTHER_KEY = "a secret key of some length", "another secret key of some length"
USER_ID, JTI = "22222222-2222-4222-8222-222222222222", "j" * 43
AUDIENCE = "authapp:11111111-1111-4111-8111-111111111111"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
AHEAD = timedelta(minutes=1)  # how far a node may be ahead of another
PROPERTY = settings(deadline=None, database=None)
NOW = int(NOON.timestamp())
HEADER = {"alg": "HS256", "typ": "JWT"}
CLAIMS = {"typ": "access", "sub": USER_ID, "jti": JTI, "aud": AUDIENCE, "iat": NOW, "nbf": NOW, "exp": NOW + 3600}
# What somebody who mixes up keys would verify with: an RSA key that everybody may know.
PUBLIC_KEY = b"-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK8=\n-----END PUBLIC KEY-----\n"


def encoded(value: bytes | dict[str, Any] | str) -> str:
    """Return bytes, an object or a text that stands for one as base64url without padding."""
    text = json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else value
    return base64.urlsafe_b64encode(text.encode() if isinstance(text, str) else text).decode().rstrip("=")


def key_for(purpose: str, secret_key: str = KEY) -> bytes:
    """Return the key for a purpose."""
    return tokens.derive_key(secret_key, purpose)


def signed(
    claims: dict[str, Any] | str = CLAIMS,
    header: dict[str, Any] | str = HEADER,
    *,
    key: bytes | None = None,
    digest: str = "sha256",
) -> str:
    """Return a JWT as RFC 7515 says, written down once more: with the right key unless another one is given."""
    content = f"{encoded(header)}.{encoded(claims)}"
    key = key_for("authapp/jwt/v1") if key is None else key
    return f"{content}.{encoded(hmac.digest(key, content.encode(), digest))}"


def signature(text: str) -> bytes:
    """Return the bytes of a JWT's signature, as whoever is not strict reads them."""
    return base64.urlsafe_b64decode(text.split(".")[2] + "=")


def without(name: str) -> dict[str, Any]:
    """Return the claims without one of them."""
    return {claim: value for claim, value in CLAIMS.items() if claim != name}


def read(text: str, *, secret_key: str = KEY) -> tuple[str, str] | None:
    """Read a JWT."""
    return tokens.read_jwt(secret_key, AUDIENCE, text)


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    """Let the clock stand at noon."""
    with time_machine.travel(NOON, tick=False):
        yield


# -- ours -----------------------------------------------------------------------------------------------------


def test_a_jwt_is_what_the_rfc_says() -> None:
    """A JWT is a header, claims and an HMAC-SHA256 in base64url, under the key for JWTs and no other."""
    assert tokens.sign_jwt(KEY, Claims(USER_ID, JTI, AUDIENCE, NOON, NOON + HOUR)) == signed()


def test_a_jwt_says_whose_it_is() -> None:
    """Whoever reads a JWT of ours learns its user and its `jti`."""
    assert read(signed()) == (USER_ID, JTI)


@pytest.mark.parametrize(
    ("moment", "good"),
    [(NOON - AHEAD - SECOND, False), (NOON - AHEAD, True), (NOON + HOUR - SECOND, True), (NOON + HOUR, False)],
)
def test_a_jwts_time(moment: datetime, good: bool) -> None:
    """A JWT is good until the second it expires, also where the clock is a minute behind the one it was made by."""
    with time_machine.travel(moment, tick=False):
        assert (read(signed()) is not None) == good


def test_a_fraction_of_a_second_is_no_future() -> None:
    """A JWT is good at once, also when it was made within a second."""
    moment = NOON + timedelta(milliseconds=900)
    with time_machine.travel(moment, tick=False):
        assert read(tokens.sign_jwt(KEY, Claims(USER_ID, JTI, AUDIENCE, moment, moment + HOUR)))


def test_claims_do_not_show_the_jti() -> None:
    """What a log might print of a JWT's claims leaves out what its row is found by."""
    assert JTI not in repr(Claims(USER_ID, JTI, AUDIENCE, NOON, NOON + HOUR))


# -- not ours -------------------------------------------------------------------------------------------------

ALGORITHMS = {
    **{f"alg {name!r}": signed(header={**HEADER, "alg": name}) for name in ("none", "None", "nOnE", "", None, 1)},
    **{
        f"alg {name} unsigned": f"{encoded({**HEADER, 'alg': name})}.{encoded(CLAIMS)}."
        for name in ("none", "None", "nOnE", "NONE", "HS256", "")
    },
    **{
        f"RS256 with {kind}": signed(header={**HEADER, "alg": name}, key=PUBLIC_KEY)
        for kind, name in (("public key", "RS256"), ("the public key as secret", "HS256"))
    },
    **{
        f"alg {name}": signed(header={**HEADER, "alg": name})
        for name in ("RS256", "ES256", "EdDSA", "hs256", "HS1")
    },
    "HS384": signed(header={**HEADER, "alg": "HS384"}, digest="sha384"),
    "HS512": signed(header={**HEADER, "alg": "HS512"}, digest="sha512"),
    "HS256, and made with SHA-512": signed(digest="sha512"),
    "no alg": signed(header={"typ": "JWT"}),
}

HEADERS = {
    **{
        f"kid {kid!r}": signed(header={**HEADER, "kid": kid}, key=b"")
        for kid in ("../../../../dev/null", "x' UNION SELECT ''; --", "", None, 0, ["a"])
    },
    **{
        f"{name} of a stranger": signed(header={**HEADER, name: value}, key=b"stranger")
        for name, value in (
            ("jku", "https://stranger.example/keys.json"),
            ("x5u", "https://stranger.example/cert.pem"),
            ("jwk", {"kty": "oct", "k": encoded(b"stranger")}),
            ("x5c", [encoded(b"stranger")]),
        )
    },
    # Nobody but us has the key; and yet whoever reads one should not have to think about what a header asks for.
    **{
        f"{name} signed by us": signed(header={**HEADER, name: value})
        for name, value in (
            ("kid", "1"),
            ("jku", "https://stranger.example/keys.json"),
            ("jwk", {"kty": "oct", "k": "AA"}),
            ("b64", True),
            ("cty", "JWT"),
        )
    },
    "crit": signed(header={**HEADER, "crit": ["exp"]}),
    "crit of what is unknown": signed(header={**HEADER, "crit": ["bend"], "bend": 1}),
    "unencoded": signed(header={**HEADER, "crit": ["b64"], "b64": False}),
    "another typ": signed(header={**HEADER, "typ": "at+jwt"}),
    "no typ": signed(header={"alg": "HS256"}),
    "alg twice": signed(header='{"alg":"none","typ":"JWT","alg":"HS256"}'),
    "header is a list": signed(header="[]"),
    "header is a number": signed(header="1"),
    "header is no JSON": signed(header="{"),
    "header is empty": signed(header=""),
}

NO_MOMENTS: tuple[object, ...] = ("soon", None, [], True, str(NOW), 1e400, -1e400, 10**400, float("nan"))
TIMES = {
    "expired by a second": signed({**CLAIMS, "exp": NOW - 1}),
    "expires now": signed({**CLAIMS, "exp": NOW}),
    "not before a second from now": signed({**CLAIMS, "nbf": NOW + 1}),
    "made a second from now": signed({**CLAIMS, "iat": NOW + 1}),
    **{
        f"{name} {value!r}": signed({**CLAIMS, name: value})
        for name in ("exp", "nbf", "iat")
        for value in NO_MOMENTS
    },
}

OTHER_AUDIENCES: tuple[object, ...] = (
    "authapp:33333333-3333-4333-8333-333333333333",
    "authapp:",
    "",
    AUDIENCE.upper(),
    [AUDIENCE],
    [AUDIENCE, "another"],
    [],
    None,
    1,
    {AUDIENCE: 1},
)
AUDIENCES = {f"aud {value!r}": signed({**CLAIMS, "aud": value}) for value in OTHER_AUDIENCES}

CONTENTS = {
    **{f"no {name}": signed(without(name)) for name in CLAIMS},
    **{f"typ {value!r}": signed({**CLAIMS, "typ": value}) for value in ("refresh", "Access", "", None, ["access"])},
    **{
        f"{name} {value!r}": signed({**CLAIMS, name: value})
        for name in ("sub", "jti")
        for value in (1, None, True, ["x"], {"x": 1})
    },
    "claims twice": signed(json.dumps(CLAIMS, separators=(",", ":"))[:-1] + f',"sub":"{USER_ID}"}}'),
    "another user first": signed('{"sub":"somebody",' + json.dumps(CLAIMS, separators=(",", ":"))[1:]),
    "claims are a list": signed("[]"),
    "claims are a text": signed('"access"'),
    "claims are null": signed("null"),
    "claims are no JSON": signed("{"),
    "claims are empty": signed(""),
    "claims are nested deeply": signed("[" * 1200 + "]" * 1200),
    "claims in UTF-16": f"{encoded(HEADER)}.{encoded(json.dumps(CLAIMS).encode('utf-16'))}.x",
}

KEYS = {
    **{
        f"signed for {purpose}": signed(key=key_for(purpose))
        for purpose in ("authapp/session/v1", "authapp/csrf/v1", "authapp/throttle/v1", "authapp/jwt/v2", "")
    },
    "signed by another secret key": signed(key=key_for("authapp/jwt/v1", OTHER_KEY)),
    "signed by the secret key itself": signed(key=KEY.encode()),
    "signed with nothing": signed(key=b""),
}

OTHER_THINGS = {
    "nothing": "",
    "one dot": ".",
    "two dots": "..",
    "a setup or session token": tokens.generate(),
    "an API token": tokens.generate_api_token(),
    "one megabyte": "e" * 2**20,
    "a megabyte of claims": signed({**CLAIMS, "more": "x" * 2**20}),
    "not ASCII": signed().replace("e", "\u0435", 1),
    "digits that look alike": signed()[:-1] + "\uff11",
    "half a character": signed() + "\udc80",
    "a JWT in a JWT": signed(signed()),
    "encrypted": ".".join(
        [encoded({"alg": "dir", "enc": "A128GCM"}), "", encoded(b"i"), encoded(b"c"), encoded(b"t")]
    ),
    "as JSON": json.dumps({"payload": encoded(CLAIMS), "protected": encoded(HEADER), "signature": "AA"}),
}

CORPUS = {**ALGORITHMS, **HEADERS, **TIMES, **AUDIENCES, **CONTENTS, **KEYS, **OTHER_THINGS}


@pytest.mark.parametrize("name", CORPUS)
def test_what_is_no_jwt_of_ours(name: str) -> None:
    """Whatever is not exactly what we sign, here and for now, is nobody's; and no text makes the reader fail."""
    assert read(CORPUS[name]) is None


def test_what_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time is spent on a text that is longer than any JWT of ours."""
    real, lengths = jwt.decode, list[int]()

    def decode(text: str, *arguments: Any, **more: Any) -> Any:
        lengths.append(len(text))
        return real(text, *arguments, **more)

    monkeypatch.setattr(jwt, "decode", decode)
    assert read("e" * (tokens.LONGEST_JWT + 1)) is None
    assert read(signed())
    assert lengths == [0, len(signed())]


def test_another_secret_key() -> None:
    """Once the secret key is another one, what was signed before is nobody's."""
    assert read(signed(), secret_key=OTHER_KEY) is None


# -- written in another way -----------------------------------------------------------------------------------

# Where each of them is put into a JWT that is good.
WRITINGS: dict[str, Callable[[list[str]], str]] = {
    "a dot behind": lambda parts: ".".join(parts) + ".",
    "a dot before": lambda parts: "." + ".".join(parts),
    "two dots": "..".join,
    "a fourth part": lambda parts: ".".join([*parts, parts[2]]),
    "two parts": lambda parts: ".".join(parts[:2]),
    "no signature": lambda parts: ".".join([*parts[:2], ""]),
    "half a signature": lambda parts: ".".join([*parts[:2], parts[2][:21]]),
    "twice": lambda parts: ".".join(parts) * 2,
    "a comma": lambda parts: ",".join([".".join(parts)] * 2),
}


@pytest.mark.parametrize("name", WRITINGS)
def test_other_parts(name: str) -> None:
    """A JWT has three parts: no fewer, no more, and each of them whole."""
    assert read(WRITINGS[name](signed().split("."))) is None


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("more", ["=", "==", " ", "\n", "\t", "\0", "A", "-", "+", "/", "%3D", "\u00e9"])
@pytest.mark.parametrize("where", ["before", "within", "behind"])
def test_more_in_a_part(number: int, more: str, where: str) -> None:
    """Padding, white space, or any other sign in a part makes it another text, which is no JWT."""
    parts = signed().split(".")
    at = {"before": 0, "within": 8, "behind": len(parts[number])}[where]
    parts[number] = parts[number][:at] + more + parts[number][at:]
    assert read(".".join(parts)) is None


SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_the_last_sign_of_a_signature() -> None:
    """The spare bits of a signature's last sign are zero: no second text is the same JWT."""
    text = signed()
    others = [text[:-1] + sign for sign in SIGNS if sign != text[-1]]
    assert sum(signature(other) == signature(text) for other in others) == 3
    assert [other for other in others if read(other)] == []


@PROPERTY
@given(st.data())
def test_any_other_sign(data: st.DataObject) -> None:
    """A JWT in which one sign is another one is none."""
    text = signed()
    at = data.draw(st.integers(0, len(text) - 1))
    sign = data.draw(st.characters().filter(lambda drawn: drawn != text[at]))
    with time_machine.travel(NOON, tick=False):
        assert read(text[:at] + sign + text[at + 1 :]) is None


@PROPERTY
@given(st.text() | st.lists(st.text(SIGNS, max_size=80), min_size=2, max_size=4).map(".".join))
def test_any_text(text: str) -> None:
    """Whatever a client sends in place of a JWT is nobody's, and no error."""
    assert read(text) is None


@PROPERTY
@given(
    st.dictionaries(
        st.sampled_from(list(CLAIMS)),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        min_size=1,
    )
)
def test_any_claims(changed: dict[str, Any]) -> None:
    """Whatever stands in the claims of a JWT that is signed well, reading it gives two texts or nothing."""
    with time_machine.travel(NOON, tick=False):
        found = read(signed({**CLAIMS, **changed}))
    assert found is None or [type(each) for each in found] == [str, str]
