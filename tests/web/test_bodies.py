"""Bodies and queries: what is no strict JSON or does not fit is refused, field by field, and repeated nowhere."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import TestResponse

from authapp import paging
from authapp.web.api import documents
from authapp.web.state import App
from tests.web.program import API, Program, anonymous, basic, by_basic, fields
from tests.world import ADA, BOB, World, signed_in

CANARY = "Canary-in-the-coal-mine 4711"
JSON = "application/json"
# What takes a body, and a body that fits.
BODIES: dict[tuple[str, str], Any] = {
    ("PATCH", "/users/whoami"): {"full_name": "Ada"},
    ("POST", "/users/whoami/password"): {"current_password": "x", "new_password": "y"},
    ("POST", "/login"): {"username": BOB, "password": "x"},
    ("POST", "/sign-up"): {"username": "eve", "password": "x", "full_name": ""},
    ("PUT", "/settings/auth.sign-up"): {"value": True},
    ("POST", "/tokens"): {"name": "x", "scope": "read", "expires_at": None, "expires_in": 60},
    ("POST", "/users"): {"username": "eve", "password": None, "full_name": "", "role": "user", "is_active": None},
    ("POST", "/users/batch"): [{"username": "eve", "password": None, "full_name": "", "role": "user"}],
    ("PATCH", "/users/11111111-1111-4111-8111-111111111111"): {
        "username": None, "full_name": None, "role": None, "is_active": None, "is_superuser": None,
    },
}  # fmt: skip
LISTS = [
    "/users",
    "/sessions",
    "/tokens",
    "/audit",
    "/users/sessions",
    "/users/{bob}/sessions",
    "/users/{bob}/tokens",
]
every_body = pytest.mark.parametrize(("method", "path"), BODIES)
every_list = pytest.mark.parametrize("path", LISTS)


@pytest.fixture
def ada(cast: World) -> Program:
    """A program with Ada's password."""
    return by_basic(cast)


def send(program: Program, body: bytes, content_type: str | None = JSON, path: str = "/users") -> TestResponse:
    """Send bytes as a body."""
    return program.post(path, data=body, content_type=content_type)


def refused_with(answer: TestResponse, status: int) -> bool:
    """Tell whether an answer is a whole problem of a status."""
    told = answer.json or {}
    return (answer.mimetype, answer.status_code, told.get("status")) == ("application/problem+json", status, status)


# -- what is no strict JSON -----------------------------------------------------------------------------------

NO_JSON = {
    "nothing": b"",
    "spaces": b" \r\n\t",
    "a beginning": b'{"username": "eve"',
    "words": b"username=eve",
    "single quotes": b"{'username': 'eve'}",
    "a comma too many": b'{"username": "eve",}',
    "a comment": b'{"username": "eve"} // eve',
    "two values": b'{"username": "eve"} {"username": "mallory"}',
    "a name twice": b'{"username": "eve", "username": "mallory"}',
    "a name twice, written differently": b'{"username": "eve", "usern\\u0061me": "mallory"}',
    "a name twice inside": b'{"username": {"a": 1, "b": {"c": 1, "c": 2}}}',
    "NaN": b'{"username": "eve", "is_active": NaN}',
    "Infinity": b'{"username": "eve", "is_active": Infinity}',
    "-Infinity inside": b'{"username": [[-Infinity]]}',
    "5000 digits": b'{"username": "eve", "is_active": ' + b"9" * 5000 + b"}",
    "5000 brackets": b'{"username": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "21 objects": b'{"a":' * 21 + b"1" + b"}" * 21,
    "UTF-16": '{"username": "eve"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"username": "eve"}'.encode("utf-16-le"),
    "UTF-32": '{"username": "eve"}'.encode("utf-32-be"),
    "a byte order mark": '{"username": "eve"}'.encode("utf-8-sig"),
    "Latin-1": '{"username": "zoë"}'.encode("latin-1"),
    "half a character": b'{"username": "zo\xc3"}',
    "a surrogate in UTF-8": b'{"username": "\xed\xa0\x80"}',
    "a NUL": b'{"username": "eve\x00"}',
    "a line break in a text": b'{"username": "e\nve"}',
}  # fmt: skip


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_no_strict_json_is_a_400(cast: World, ada: Program, body: bytes) -> None:
    """What is no JSON, or not in a form that everybody reads in the same way, is 400 and makes nobody."""
    assert refused_with(send(ada, body), 400)
    assert len(cast.tables()["users"]) == 4


def test_brackets_in_texts_do_not_nest(ada: Program) -> None:
    """Brackets and escaped quotes in a text are a part of it."""
    name = '[{"' * 30
    answer = send(ada, json.dumps({"username": name}).encode())
    assert (answer.status_code, (answer.json or {})["username"]) == (201, name)


@pytest.mark.parametrize("brackets", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_endless_nesting_of_a_list(ada: Program, brackets: bytes) -> None:
    """Where a long list may be sent, 100 000 brackets are refused as nested too deeply."""
    answer = send(ada, brackets, path="/users/batch")
    assert refused_with(answer, 400)
    assert "nested" in (answer.json or {})["detail"]


def test_texts_that_do_not_end_are_read_once(ada: Program) -> None:
    """A megabyte of quotes that nothing ends costs no more than its length: going back would take hours."""
    assert refused_with(send(ada, b'"' + b'\\"' * 500_000, path="/users/batch"), 400)


@pytest.mark.parametrize("path", ["/users", "/login", "/tokens"])
def test_too_large_a_body(ada: Program, path: str) -> None:
    """A body of more than 64 KiB is 413."""
    assert refused_with(send(ada, b'{"username": "' + b"x" * 65536 + b'"}', path=path), 413)


def test_only_superusers_send_long_lists(cast: World, ada: Program) -> None:
    """A list of users may be longer than other bodies, if a superuser sends it, up to a limit."""
    body = b"[" + b" " * 70_000 + b"]"
    assert send(ada, body, path="/users/batch").status_code == 422
    assert send(by_basic(cast, BOB), body, path="/users/batch").status_code in (403, 413)
    assert refused_with(send(ada, body * 50, path="/users/batch"), 413)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"username": "eve"}', JSON, 201),
        (b'{"username": "eve"}', "text/plain", 415),
        (b'{"username": "eve"}' + b" " * 65536 + b"}", JSON, 413),  # which is JSON up to the limit
    ],
)
def test_a_body_in_chunks(ada: Program, body: bytes, content_type: str, status: int) -> None:
    """A body whose length is not told beforehand is read like others, and refused like others."""
    answer = ada.post(
        "/users", input_stream=BytesIO(body), content_type=content_type,
        headers={"Transfer-Encoding": "chunked"}, environ_overrides={"wsgi.input_terminated": True},
    )  # fmt: skip
    assert answer.status_code == status


# -- what a body says it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/json; charset=latin-1", "application/json; charset=utf-16", "application/merge-patch+json",
        "application/problem+json", "application/jsonp", "text/json", "application/json, text/plain", "rubbish",
    ],
)  # fmt: skip
def test_other_kinds_of_bodies(cast: World, ada: Program, content_type: str | None) -> None:
    """A body that does not say it is JSON in UTF-8 is 415, whatever is in it."""
    assert refused_with(send(ada, b'{"username": "eve"}', content_type), 415)
    assert "eve" not in str(cast.tables()["users"])


@pytest.mark.parametrize(
    "content_type",
    [JSON, "APPLICATION/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
def test_json_in_utf_8(ada: Program, content_type: str) -> None:
    """JSON in UTF-8 is taken, however its name is written."""
    assert send(ada, '{"username": "zoë"}'.encode(), content_type).status_code == 201


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_cookie_sends_no_other_kind(cast: World, content_type: str) -> None:
    """What a browser sends for another site without asking, JSON as text/plain, is refused with a cookie too."""
    browser, proof = signed_in(cast), {"Sec-Fetch-Site": "same-origin"}
    answer = browser.client.post(
        f"{API}/users", data=b'{"username": "eve"}', content_type=content_type, headers=proof
    )
    assert refused_with(answer, 415)


def test_a_body_that_nobody_reads(ada: Program) -> None:
    """With DELETE a body has to say it is JSON, and with GET it means nothing."""
    assert ada.delete("/sessions", data=b"{}", content_type="text/plain").status_code == 415
    assert ada.delete("/sessions", data=b"{}", content_type=JSON).status_code == 200
    assert ada.get("/users/whoami", data=b"{", content_type=JSON).status_code == 200


# -- what does not fit ----------------------------------------------------------------------------------------


def test_every_body_is_here() -> None:
    """The table of bodies above has every operation that takes one, with all its names."""
    app = App("authapp")
    documents.init_app(app)
    taken = {
        (method.upper(), path.removeprefix(API))
        for path, operations in app.api_doc["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation
    }
    user = "/users/11111111-1111-4111-8111-111111111111"
    here = {(method, path.replace(user, "/users/{user_id}")) for method, path in BODIES}
    assert {(method, path.replace("{key}", "auth.sign-up")) for method, path in taken} == here


@every_body
@pytest.mark.parametrize(
    "body", ["x", '{"username": "eve", "password": "x"}', 5, True, None, ["x"], {"0": 1}], ids=repr
)
def test_another_kind_of_value(ada: Program, method: str, path: str, body: Any) -> None:
    """A body of another type is 422 and says so, also a text that contains JSON."""
    answer = ada.ask(method, path, data=json.dumps(body), content_type=JSON)
    assert refused_with(answer, 422)
    assert len(fields(answer)) >= 1


@every_body
def test_wrong_types_at_every_field(ada: Program, method: str, path: str) -> None:
    """A value of another type is one entry with the field's name, for every field at once."""
    fit = BODIES[method, path]
    (row,) = fit if isinstance(fit, list) else [fit]
    wrong = {name: [[CANARY]] for name in row}
    answer = ada.ask(method, path, [wrong] if isinstance(fit, list) else wrong)
    assert refused_with(answer, 422)
    assert sorted(fields(answer)) == sorted(f"0.{name}" if isinstance(fit, list) else name for name in row)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/users", {"username": "eve", "is_active": 1}, "is_active"),
        ("/users", {"username": "eve", "is_active": "true"}, "is_active"),
        ("/users", {"username": 5}, "username"),
        ("/users", {"username": "eve", "role": "root"}, "role"),
        ("/users", {"username": "eve\0"}, "username"),
        ("/users", {"username": "eve\ud800"}, "username"),
        ("/users", {"username": "x" * 257}, "username"),
        ("/users", {"username": "eve", "password": "\0" + CANARY}, "password"),
        ("/users/batch", [{"username": "eve"}, {"username": "\0"}], "1.username"),
        ("/tokens", {"name": "x", "expires_in": 60.5}, "expires_in"),
        ("/tokens", {"name": "x", "expires_in": "60"}, "expires_in"),
        ("/tokens", {"name": "x", "expires_in": True}, "expires_in"),
        ("/tokens", {"name": "x", "expires_in": 10**4000}, "expires_in"),
        ("/tokens", {"name": "x", "expires_at": 1893456000}, "expires_at"),
        ("/tokens", {"name": "x", "expires_at": "1893456000"}, "expires_at"),
        ("/tokens", {"name": "x", "expires_at": "2030-01-01"}, "expires_at"),
        ("/tokens", {"name": "x", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ("/tokens", {"name": "x", "expires_at": "0001-01-01T00:00:00+23:59"}, "expires_at"),
        ("/tokens", {"name": "x", "expires_at": "9999-12-31T23:59:59-23:59"}, "expires_at"),
    ],
)
def test_one_wrong_value(ada: Program, path: str, body: Any, field: str) -> None:
    """A value of another type, or that breaks a limit, is one entry; nothing is taken for something like it."""
    answer = ada.post(path, body)
    assert refused_with(answer, 422)
    assert fields(answer) == [field]


@every_body
def test_unknown_names(ada: Program, method: str, path: str) -> None:
    """A name that is not known is refused everywhere, and not repeated: it may be a secret in the wrong place."""
    fit = BODIES[method, path]
    for name in (CANARY, f"{CANARY}\0", f"{CANARY}\ud800", "", "__proto__", "a.b"):
        answer = ada.ask(
            method, path, [{**fit[0], name: CANARY}] if isinstance(fit, list) else {**fit, name: CANARY}
        )
        assert refused_with(answer, 422), name
        assert set(fields(answer)) == {"0" if isinstance(fit, list) else ""}, name
        assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("pasword", {"field": "", "message": "holds a name that is not known here; did you mean 'password'?"}),
        ("scope", {"field": "scope", "message": "is not known here"}),
    ],
)
def test_names_that_are_almost_right(ada: Program, name: str, entry: dict[str, str]) -> None:
    """A name close to a known one gets that as a hint, and one that is known elsewhere is named."""
    assert (ada.post("/users", {"username": "eve", name: "x"}).json or {})["errors"] == [entry]


def test_thousands_of_names_that_are_almost_right(cast: World) -> None:
    """Every name that is not known is refused, but only for the first ones is looked which other was meant."""
    answer = anonymous(cast).post("/login", {f"passwor{number}": 1 for number in range(3000)})
    assert len(fields(answer)) == 3000 + 2
    assert answer.text.count("did you mean") <= 20


def test_every_rule_has_an_entry(ada: Program) -> None:
    """What breaks several rules is told all of them at once, row by row."""
    answer = ada.post("/users/batch", [{"username": "eve", "password": 5}, {"role": "x", "is_active": 0}, 7])
    assert fields(answer) == ["0.password", "1.username", "1.role", "1.is_active", "2"]


# -- queries --------------------------------------------------------------------------------------------------


def at(cast: World, path: str) -> str:
    """Return the path of a list."""
    return path.format(bob=cast.user(BOB).id)


@every_list
def test_senseless_limits(cast: World, ada: Program, path: str) -> None:
    """A limit that is none is 422, and names the parameter."""
    for limit in ("0", "501", "-1", "x", "", "1.5", "9" * 5000):
        answer = ada.get(f"{at(cast, path)}?limit={limit}")
        assert refused_with(answer, 422), limit
        assert fields(answer) == ["limit"], limit


CURSORS = [
    "x", "=", "%00", "W10", "e30", "bnVsbA", "WyIxIl0", "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5XQ",
    "WyIyMDMwLTAxLTAxIiwgIngiXQ",
    "WyIyMDMwLTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwgN10", "WyJcdTAwMDAiLCAiXHUwMDAwIl0", "W1tbW1tbXV1dXV1d", "%C3%A9",
    "W" * 2000, "WzAsIDFd", "WzEsIDIsIDMsIDRd", "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzIzOjU5IiwgIngiXQ",
]  # fmt: skip


@every_list
def test_damaged_cursors(cast: World, ada: Program, path: str) -> None:
    """A cursor that is none of this list's is 422, and names the parameter."""
    for cursor in CURSORS:
        answer = ada.get(f"{at(cast, path)}?cursor={cursor}")
        assert refused_with(answer, 422), cursor
        assert fields(answer) == ["cursor"], cursor


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
@pytest.mark.parametrize("query", ["sort=created_at", "sort=-last_login_at"])
def test_cursors_at_the_ends_of_the_calendar(ada: Program, query: str, moment: str) -> None:
    """A cursor with a moment that is none in UTC is damaged."""
    cursor = paging.pack([False, False, moment, "x"])
    assert fields(ada.get(f"/users?{query}&cursor={cursor}")) == ["cursor"]


@every_list
def test_unknown_parameters(cast: World, ada: Program, path: str) -> None:
    """A parameter that is not known is refused, and neither its name nor its value is repeated."""
    answer = ada.get(at(cast, path), query_string={CANARY: CANARY, "Cursor": CANARY})
    assert refused_with(answer, 422)
    assert fields(answer) == ["", ""]
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("active=maybe", "active"), ("active=", "active"), ("role=root", "role"), ("sort=password", "sort"),
        ("q=%00", "q"),
    ],
)  # fmt: skip
def test_senseless_searches(ada: Program, query: str, field: str) -> None:
    """A search that means nothing is 422, and names the parameter."""
    assert fields(ada.get(f"/users?{query}")) == [field]


@pytest.mark.parametrize("field", ["user", "event", "outcome"])
def test_senseless_histories(ada: Program, field: str) -> None:
    """History is not looked for by a text that no database takes."""
    assert fields(ada.get(f"/audit?{field}=%00")) == [field]


# -- secrets --------------------------------------------------------------------------------------------------


def secret_bodies() -> Iterator[tuple[str, str, Any]]:
    """Yield bodies with the canary as every value, as a name, and in rubbish."""
    for (method, path), fit in BODIES.items():
        (row,) = fit if isinstance(fit, list) else [fit]
        many = isinstance(fit, list)
        for name in row:
            if name not in ("username", "full_name", "name"):  # what these hold is shown to others
                body = {**row, name: CANARY}
                yield method, path, [body] if many else body
        yield method, path, [{**row, CANARY: CANARY}] if many else {**row, CANARY: CANARY}
        yield method, path, [CANARY] if many else CANARY


def test_secrets_are_told_nowhere(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """A password sent as any value or name, in JSON and in rubbish, stands in no answer, no log and no table."""
    cast.restart()  # so that it logs to what is captured here
    cast.write_config("log: {level: debug}\nauth: {sign-up: true}\n")
    ada = by_basic(cast)
    answers = [ada.ask(method, path, body) for method, path, body in secret_bodies()]
    for method, path in BODIES:
        answers.append(ada.ask(method, path, data=f'{{"password": "{CANARY}', content_type=JSON))
        answers.append(ada.ask(method, path, data=f"password={CANARY}", content_type="text/plain"))
    log = "".join(capfd.readouterr())
    assert "request" in log
    assert CANARY not in log
    assert CANARY not in str(cast.tables())
    assert not [answer for answer in answers if CANARY in str(answer.headers) + answer.text]


@pytest.mark.parametrize(
    "header",
    [
        {"Authorization": f"Bearer {CANARY}"}, {"Authorization": f"Bearer authapp_{CANARY}"}, {"X-API-Key": CANARY},
        {"Authorization": f"Digest {CANARY}"}, {"Authorization": f"Basic {CANARY}"}, {"Authorization": CANARY},
        basic(ADA, CANARY), basic(CANARY, CANARY),
    ],
)  # fmt: skip
def test_credentials_are_told_nowhere(
    capfd: pytest.CaptureFixture[str], cast: World, header: dict[str, str]
) -> None:
    """Credentials that are not good stand in no answer, no log and no table either."""
    cast.restart()  # so that it logs to what is captured here
    answer = Program(cast.app.test_client(use_cookies=False), header).get("/users/whoami")
    assert refused_with(answer, 401)
    everything = [answer.text, str(answer.headers), "".join(capfd.readouterr()), str(cast.tables())]
    assert not [text for text in everything if CANARY in text or next(iter(header.values())) in text]
