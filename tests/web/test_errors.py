"""What visitors see when something goes wrong, and what nobody ever sees."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from authapp.database import expected_schema
from authapp.web.security import access
from tests.world import (
    ADA,
    BOB,
    CHARLIE,
    OTHER_PASSWORD,
    PASSWORD,
    World,
    csrf_token,
    moved_away,
    signed_in,
)

CANARY = "Canary-in-the-coal-mine 4711"
LEAKS = re.compile(
    r"traceback|sqlalchemy|sqlite|operationalerror|werkzeug|line \d+, in|/[a-z_/]+\.(py|db)", re.IGNORECASE
)


@access("public")
def _broken() -> str:
    raise RuntimeError("canary: a mistake of ours")


# -- the database ---------------------------------------------------------------------------------------------


@contextmanager
def garbage(world: World) -> Iterator[None]:
    """The database's file holds something else for a while."""
    with moved_away(world):
        data = world.folder / "data"
        data.mkdir()
        (data / "authapp.db").write_bytes(b"this is no database, whatever you think" * 100)
        yield
        world.app.database.dispose()
        for file in data.iterdir():
            file.unlink()
        data.rmdir()


@contextmanager
def without_users(world: World) -> Iterator[None]:
    """A table is missing for a while."""
    _sql(world, "ALTER TABLE users RENAME TO gone")
    yield
    _sql(world, "ALTER TABLE gone RENAME TO users")


@contextmanager
def another_schema(world: World) -> Iterator[None]:
    """The schema is a newer one for a while, whose sessions look different."""
    _sql(world, "ALTER TABLE sessions RENAME COLUMN token_sha256 TO token")
    _sql(world, "UPDATE alembic_version SET version_num = '9999'")
    yield
    _sql(world, "ALTER TABLE sessions RENAME COLUMN token TO token_sha256")
    _sql(world, "UPDATE alembic_version SET version_num = '0001'")


def _sql(world: World, statement: str, **values: str) -> None:
    with world.database.engine.connect() as connection:
        connection.execute(text(statement), values)
        connection.commit()


TROUBLES = {
    "moved away": moved_away,
    "garbage": garbage,
    "a table is missing": without_users,
    "newer": another_schema,
}
every_trouble = pytest.mark.parametrize("trouble", TROUBLES)


@every_trouble
def test_page_without_a_database(cast: World, trouble: str) -> None:
    """When the database is gone under a running app, pages are a plain 503 that tells nothing, and come back."""
    browser = signed_in(cast)
    with TROUBLES[trouble](cast):
        for path in ("/", "/account", "/admin/users"):
            answer = browser.get(path)
            assert answer.status_code == 503
            assert "<h1>Not ready</h1>" in answer.text
            assert '<a href="" role="button">Try again</a>' in answer.text
            assert not LEAKS.search(answer.text)
    assert browser.is_signed_in()


@every_trouble
def test_form_without_a_database(cast: World, trouble: str) -> None:
    """A sign-in is a plain 503 meanwhile, and works again afterwards."""
    browser = cast.browser()
    typed = {"csrf_token": csrf_token(browser.get("/login").text), "username": BOB, "password": PASSWORD}
    with TROUBLES[trouble](cast):
        answer = browser.client.post("/login", data=typed)
        assert answer.status_code == 503
        assert not LEAKS.search(answer.text)
    assert browser.client.post("/login", data=typed).status_code == 303


def test_database_that_cannot_be_written(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, pages that only read go on, and a sign-in is a 503."""
    browser, bob = signed_in(cast), cast.browser()
    bob.get("/login")

    def full(*_: object) -> None:
        raise OperationalError("INSERT …", {}, Exception("database or disk is full"))

    monkeypatch.setattr(cast.app.database, "writing", full)
    assert browser.is_signed_in()
    assert bob.sign_in(BOB).status_code == 503


def test_started_without_a_database(cast: World) -> None:
    """An app that starts while the database is gone answers 503, and serves as soon as it is back."""
    _ = cast.app
    with moved_away(cast):
        cast.restart()
        client = cast.app.test_client()
        assert client.get("/login").status_code == 503
    cast.app.live.look()
    assert client.get("/login").status_code == 200


@pytest.mark.parametrize(
    ("number", "words"), [("0000", "authapp bootstrap"), ("9999", "from a newer version of authapp")]
)
def test_started_with_another_schema(cast: World, number: str, words: str) -> None:
    """With an older schema every page is a 503 that names `authapp bootstrap`, with a newer one it says so."""
    _sql(cast, f"UPDATE alembic_version SET version_num = '{number}'")  # noqa: S608 - a number of these tests
    cast.restart()
    for path in ("/", "/login", "/setup"):
        answer = cast.app.test_client().get(path)
        assert answer.status_code == 503
        assert words in answer.text


def test_bootstrapped_meanwhile(cast: World) -> None:
    """Once the schema is up to date, the app serves without a restart."""
    _sql(cast, "UPDATE alembic_version SET version_num = '0000'")
    cast.restart()
    client = cast.app.test_client()
    assert client.get("/login").status_code == 503
    _sql(cast, "UPDATE alembic_version SET version_num = :number", number=expected_schema())
    cast.app.live.look()
    assert client.get("/login").status_code == 200


# -- mistakes -------------------------------------------------------------------------------------------------


def test_mistake_of_ours_is_told_without_details(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """An unexpected error is a plain 500 page with a way out; what it was stands in the log alone."""
    cast.restart()  # so that it logs to what is captured here
    cast.app.view_functions["login.login"] = _broken
    answer = cast.browser().get("/login")
    assert answer.status_code == 500
    assert 'href="/"' in answer.text
    assert "canary" not in answer.text
    assert "canary" in capfd.readouterr().err


@pytest.mark.parametrize(
    "path", ["/nowhere", "/admin/nowhere", "/static/nowhere", "/<script>alert(1)</script>", "/\u00e9"]
)
def test_unknown_address(cast: World, path: str) -> None:
    """An unknown address is a 404 page with a way out that does not repeat the address."""
    answer = cast.browser().get(path)
    assert answer.status_code == 404
    assert 'href="/"' in answer.text
    assert "nowhere" not in answer.text
    assert "alert(1)" not in answer.text


def test_wrong_method_names_the_right_ones(cast: World) -> None:
    """A method that does not work is a 405 page, and the Allow header names those that do."""
    answer = cast.browser().get("/logout")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


@pytest.mark.parametrize("length", [1_100_000, 2_000_000])
def test_too_large_a_form(cast: World, length: int) -> None:
    """A form that is too large is a 413 page, and repeats nothing of it."""
    answer = cast.browser().post("/login", {"username": "x" * length, "password": PASSWORD})
    assert answer.status_code == 413
    assert len(answer.text) < 5000


BODIES = [b"", b"\xff\xfe", b"username=%ff%fe&password=%00", b"&&&===", b"username[]=a&username[]=b", b"{}"]


def test_a_field_without_a_name(cast: World) -> None:
    """A form in parts, whose fields may have no name, is none of ours: it is refused, and is no mistake of ours."""
    body = b"--x\r\nContent-Disposition: form-data\r\n\r\nada\r\n--x--\r\n"
    kind = "multipart/form-data; boundary=x"
    assert cast.browser().client.post("/login", data=body, content_type=kind).status_code == 400


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "a/b; boundary="]
)
@pytest.mark.parametrize("body", BODIES)
def test_rubbish_is_a_400(cast: World, body: bytes, content_type: str) -> None:
    """A body of rubbish is a form without a CSRF token: 400, never 500."""
    answer = cast.browser().client.post("/login", data=body, content_type=content_type)
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/login", "/admin/users/new"])
@pytest.mark.parametrize(
    "typed", ["\x00", "\ud800".encode("utf-8", "surrogatepass"), "\u202e", "a" * 5000, "%s%n{0}"]
)
def test_odd_text_is_never_a_500(cast: World, path: str, typed: str | bytes) -> None:
    """Text of odd characters is a refusal like any other."""
    browser = signed_in(cast)
    token = csrf_token(browser.get("/account").text)
    body = {"csrf_token": token, "username": typed, "password": typed}
    assert browser.client.post(path, data=body).status_code in (401, 422)


# -- programs -------------------------------------------------------------------------------------------------


def is_problem(answer: TestResponse, status: int) -> bool:
    """Tell whether an answer is a whole problem+json of a status."""
    body = answer.json or {}
    assert answer.mimetype == "application/problem+json"
    return set(body) == {"type", "title", "status", "detail"} and body["status"] == answer.status_code == status


def test_api_mistake_is_a_problem(cast: World) -> None:
    """A mistake of ours in the API is a problem+json without details."""
    cast.app.view_functions["api.status"] = _broken
    answer = cast.browser().get("/api/v1/status")
    assert is_problem(answer, 500)
    assert "canary" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/api/v1/nothing", 404), ("POST", "/api/v1/status", 405)]
)
def test_api_errors_are_problems(cast: World, method: str, path: str, status: int) -> None:
    """An unknown address or a wrong method of the API is a problem+json, whatever the program accepts."""
    assert is_problem(cast.browser().client.open(path, method=method), status)


def test_api_refuses_a_foreign_host_as_a_problem(cast: World) -> None:
    """The API's refusal of a foreign host is a problem+json too."""
    assert is_problem(cast.browser().get("/api/v1/status", headers={"Host": "evil.example"}), 421)


@pytest.mark.parametrize(
    "accept", ["application/json", "application/problem+json", "application/json, text/html;q=0.5"]
)
def test_programs_get_problems_from_pages(cast: World, accept: str) -> None:
    """Whoever prefers JSON gets errors of pages as problem+json."""
    assert is_problem(cast.browser().get("/nowhere", headers={"Accept": accept}), 404)


@pytest.mark.parametrize("accept", ["text/html", "*/*", "", "text/html,application/json;q=0.9", "rubbish"])
def test_people_get_pages(cast: World, accept: str) -> None:
    """Everybody else gets a page."""
    assert cast.browser().get("/nowhere", headers={"Accept": accept}).mimetype == "text/html"


def test_an_endless_wish_is_not_read(cast: World) -> None:
    """What is longer than any browser or program writes is not read: that could take all of a worker's time."""
    accept = f"application/json,{'text/plain,' * 100}"
    assert cast.browser().get("/nowhere", headers={"Accept": accept}).mimetype == "text/html"


# -- what nobody ever sees ------------------------------------------------------------------------------------


def _type_it_everywhere(world: World) -> list[TestResponse]:
    """Type the canary into every form's secret fields, rightly and wrongly."""
    wizard = world.wizard()
    typed = {"username": ADA, "password": CANARY}
    answers = [
        wizard.client.post("/setup", data=typed),
        wizard.post("/setup/password-check", typed, form="/setup"),
        wizard.post("/setup", {"username": "a:b", "password": CANARY}),
        wizard.post("/setup", {"username": "", "password": CANARY}),
        wizard.post("/setup", typed),
        world.browser().sign_in(ADA, CANARY),
        world.browser().sign_in(ADA, CANARY + "!"),
        world.browser().sign_in(CANARY, PASSWORD),
        world.browser().client.post("/login", data=typed),
    ]
    ada = world.browser()
    answers.append(ada.sign_in(ADA, CANARY))
    for path in ("/account/password", "/admin/users/new"):
        for current, new in ((CANARY + "x", PASSWORD), (CANARY, "short"), (PASSWORD, CANARY), (CANARY, CANARY)):
            body = {"username": BOB, "password": new, "current_password": current, "new_password": new}
            answers += [ada.post(path, body), ada.client.post(path, data=body)]
    answers.append(ada.post("/account/password-check", {"password": CANARY}, form="/account"))
    return answers


def test_passwords_are_told_nowhere(capfd: pytest.CaptureFixture[str], world: World) -> None:
    """A password typed into any form, rightly or wrongly, stands in no answer, no log line and no row."""
    world.restart()  # so that it logs to what is captured here
    world.write_config("log:\n  level: debug\n")
    answers = _type_it_everywhere(world)
    # A password typed into the field for the name comes back in that field.
    everything = [str(answer.headers) + answer.text.replace(f'="{CANARY}"', "") for answer in answers]
    log = "".join(capfd.readouterr())
    assert "request" in log
    assert f"user={world.user(ADA).id}" in log or f'"user": "{world.user(ADA).id}"' in log
    assert not [line for line in log.splitlines() if CANARY in line]
    assert CANARY not in str(world.tables())
    assert not [answer for answer in everything if CANARY in answer]


def test_password_in_the_name_field_is_not_written_down(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """A name nobody bears is not written down, because people type passwords there; equal ones look equal."""
    cast.restart()  # so that it logs to what is captured here
    for name in (CANARY, CANARY, "somebody else"):
        cast.browser().sign_in(name, PASSWORD)
    assert CANARY not in str(cast.tables())
    assert CANARY not in "".join(capfd.readouterr())
    noted = re.findall(r"unknown [0-9a-f]{16}", str(cast.tables()["audit"]))
    assert sorted(noted.count(name) for name in set(noted)) == [1, 2]


def test_secrets_of_the_database_are_not_logged(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """An error of the database is logged without what the statement was about."""
    cast.restart()  # so that it logs to what is captured here
    browser = cast.browser()
    typed = {"csrf_token": csrf_token(browser.get("/login").text), "username": CANARY, "password": CANARY}
    with without_users(cast):
        assert browser.client.post("/login", data=typed).status_code == 503
    log = "".join(capfd.readouterr())
    assert "the database refused" in log
    assert CANARY not in log


def test_query_strings_are_not_logged(capfd: pytest.CaptureFixture[str], world: World) -> None:
    """Log lines hold no query string, where the setup token would be."""
    world.restart()  # so that it logs to what is captured here
    token = world.setup_token()
    world.browser().get(f"/setup?token={token}", headers={"Referer": f"http://localhost/setup?token={token}"})
    log = "".join(capfd.readouterr())
    assert '"path": "/setup"' in log
    assert token not in log


def test_inactive_users_password_is_told_nowhere(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """The right password of somebody who waits for activation stands nowhere either."""
    cast.restart()  # so that it logs to what is captured here
    answer = cast.browser().sign_in(CHARLIE, PASSWORD)
    assert PASSWORD not in answer.text
    assert PASSWORD not in "".join(capfd.readouterr())
    assert OTHER_PASSWORD not in str(cast.tables())
    assert PASSWORD not in str(cast.tables())


def test_log_lines_are_one_object_each(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """A line break in what a visitor sends makes no log line of its own."""
    cast.restart()  # so that it logs to what is captured here
    cast.browser().get("/x%0aforged%0d%0aline", headers={"User-Agent": "a\tb"})
    cast.browser().sign_in("a\nforged", "b\nforged")
    lines = capfd.readouterr().err.splitlines()
    assert lines
    assert not [line for line in lines if not line.startswith("{")]


@pytest.mark.parametrize("closed", [False, True], ids=["setup", "closed start"])
@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/users/whoami", "/api/"])
def test_before_anybody_can_sign_in_the_api_answers_problems(world: World, path: str, *, closed: bool) -> None:
    """Before setup and in a closed start every address of the API is a problem with 503, also where nothing is."""
    if closed:
        world.write_credentials(ADA, "short")
    for method in ("GET", "PUT"):
        assert is_problem(world.browser().client.open(path, method=method), 503)
