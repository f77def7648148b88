"""The API's documentation: the document, and the page made from it."""

import re

import pytest

from authapp.web.api.blueprint import TAGS
from authapp.web.api.reading import groups
from tests.web.program import API, anonymous, by_basic, by_jwt, by_token
from tests.web.test_route_map import stated_by
from tests.world import BOB, World, elements, signed_in

DOCS = f"{API}/docs"


def test_every_route_is_in_the_document(cast: World) -> None:
    """Every route of the API is in the document, with whom it admits."""
    document = by_basic(cast, BOB).get("/openapi.json").json or {}
    told = {
        (operation["operationId"], method.upper(), operation["x-access"])
        for methods in document["paths"].values()
        for method, operation in methods.items()
    }
    rules = [rule for rule in cast.app.url_map.iter_rules() if rule.endpoint.startswith("api.")]
    assert told == {
        (rule.endpoint.removeprefix("api."), method, stated_by(cast.app, rule.endpoint))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert document["openapi"] == "3.1.0"


def test_the_cookies_name_is_told(cast: World) -> None:
    """The document names the cookie as this installation calls it."""
    document = by_basic(cast, BOB).get("/openapi.json").json or {}
    name = document["components"]["securitySchemes"]["session"]["name"]
    assert name == cast.app.session_interface.get_cookie_name(cast.app)
    assert name != "authapp-"


def test_secrets_are_marked(cast: World) -> None:
    """What is a password is marked as one, and only ever sent."""
    schemas = (by_basic(cast, BOB).get("/openapi.json").json or {})["components"]["schemas"]
    password = schemas["LoginBody"]["properties"]["password"]
    assert (password["format"], password["writeOnly"]) == ("password", True)


def test_the_page_has_every_operation(cast: World) -> None:
    """The page shows every operation of the document once, under its group."""
    document = by_basic(cast, BOB).get("/openapi.json").json or {}
    page = signed_in(cast, BOB).get(DOCS).text
    found = groups(document, TAGS.values())
    operations = [operation for group in found.values() for operation in group]
    assert len(operations) == sum(len(methods) for methods in document["paths"].values())
    shown = [attributes["id"] for _, attributes in elements(page, "details")]
    assert sorted(shown) == sorted(operation.id for operation in operations)


def test_the_page_resolves_what_the_document_refers_to(cast: World) -> None:
    """Fields of bodies and answers are shown with their kinds and limits, also where the document only refers."""
    document = by_basic(cast, BOB).get("/openapi.json").json or {}
    (create,) = [one for one in groups(document, TAGS.values())[TAGS["users"]] if one.id == "create_user"]
    sent = {field.name: field for field in create.body}
    assert (sent["username"].kind, sent["username"].required) == ("text, 1 to 256 characters", True)
    assert (sent["role"].kind, sent["role"].required) == ("admin, user; user unless given", False)
    assert create.who.endswith("within the last 15 minutes. An API token needs the scope admin.")
    assert {field.name for field in create.answers[0].fields} >= {"id", "initial_password"}


def test_large_limits_are_written_out(cast: World) -> None:
    """A limit is shown with all its digits, however large."""
    document = by_basic(cast, BOB).get("/openapi.json").json or {}
    (create,) = [one for one in groups(document, TAGS.values())[TAGS["tokens"]] if one.id == "create_token"]
    (lifetime,) = [field.kind for field in create.body if field.name == "expires_in"]
    assert lifetime == "whole number, 1 to 315360000 or null"


def test_nothing_from_elsewhere(cast: World) -> None:
    """The page fetches nothing from another host, and works without scripts of its own."""
    page = signed_in(cast, BOB).get(DOCS).text
    fetched = [
        attributes.get("src") or attributes.get("href", "") for tag, attributes in elements(page) if tag != "a"
    ]
    assert all(not re.match(r"[a-z]+:|//", address) for address in fetched)
    assert "<script>" not in page


@pytest.mark.parametrize("credential", [by_basic, by_jwt, by_token])
@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_programs_read_it(cast: World, credential: object, path: str) -> None:
    """Whoever is signed in reads it, by whatever credential; a program that is not gets 401."""
    assert callable(credential)
    assert credential(cast, BOB).get(path).status_code == 200
    assert anonymous(cast).get(path).status_code == 401


def test_a_browser_is_led_to_sign_in(cast: World) -> None:
    """A browser that opens the page without being signed in is led to sign in, and back."""
    answer = cast.browser().get(DOCS, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.location) == (303, "/login?next=/api/v1/docs")
    fetched = cast.browser().get(f"{API}/openapi.json", headers={"Accept": "text/html"})
    assert (fetched.status_code, fetched.headers["WWW-Authenticate"]) == (401, "Bearer")
