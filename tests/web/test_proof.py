"""Sensitive changes ask for the password again when it was typed more than 15 minutes ago."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from werkzeug.test import TestResponse

from tests.cli.commands import INITIAL_PASSWORD
from tests.web.pages import LIST, at, field_of, is_tame, link, names_on
from tests.web.test_account import change
from tests.web.test_admin import EVIL_NAMES
from tests.web.test_invite import MANY, NEW
from tests.web.test_route_map import path_of
from tests.web.test_users_list import ids, send
from tests.world import (
    ADA,
    BOB,
    CHARLIE,
    DORA,
    OTHER_PASSWORD,
    PASSWORD,
    Browser,
    World,
    csrf_token,
    elements,
    signed_in,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
PROOF = timedelta(minutes=15)
INSTANT = timedelta(microseconds=1)
QUESTION = "<h1>Is it you?</h1>"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands at noon until a test moves it."""
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def ada(cast: World, clock: time_machine.Traveller) -> Browser:
    """Ada's browser, fifteen minutes after she signed in."""
    browser = signed_in(cast)
    clock.move_to(NOON + PROOF)
    return browser


def carried(page: str) -> list[tuple[str, str]]:
    """Return what the question carries along, in its order."""
    hidden = [field for _, field in elements(page, "input") if field.get("type") == "hidden"]
    return [(field["name"], field["value"]) for field in hidden if field["name"] != "csrf_token"]


def answer_with(
    browser: Browser, question: TestResponse, proof: str = PASSWORD, *, csrf: bool = True
) -> TestResponse:
    """Press the question's button, with a password typed into it."""
    assert QUESTION in question.text
    typed: dict[str, str | list[str]] = {"proof": proof}
    for name, value in carried(question.text):
        typed[name] = [*typed.get(name, []), value]
    if csrf:
        typed["csrf_token"] = csrf_token(question.text)
    action = re.findall(r'<form method="post" action="([^"]+)">', question.text)[0]
    return browser.client.post(action.replace("&amp;", "&"), data=typed, buffered=True)


def posts(world: World) -> dict[str, str]:
    """Return the path of every view under /admin that takes a form, by endpoint."""
    rules = world.app.url_map.iter_rules()
    return {
        rule.endpoint: path_of(rule)
        for rule in rules
        if "POST" in (rule.methods or ()) and rule.rule.startswith("/admin")
    }


# -- when it is asked -----------------------------------------------------------------------------------------


def test_every_form_of_the_admin_pages_asks(cast: World, ada: Browser) -> None:
    """Fifteen minutes after the password was typed every form under /admin asks for it, and does nothing."""
    token, before = csrf_token(ada.get("/account").text), cast.tables()
    asked = posts(cast)
    del asked["admin.recovery_submit"]
    assert len(asked) > 10
    for path in asked.values():
        answer = ada.client.post(path, data={"csrf_token": token})
        assert (answer.status_code, QUESTION in answer.text) == (403, True), path
        assert "Nothing has happened yet." in answer.text
    assert cast.tables() == before


def test_no_form_asks_before(cast: World, ada: Browser, clock: time_machine.Traveller) -> None:
    """An instant before the fifteen minutes are over no form asks."""
    clock.move_to(NOON + PROOF - INSTANT)
    token = csrf_token(ada.get("/account").text)
    answers = {path: ada.client.post(path, data={"csrf_token": token}) for path in posts(cast).values()}
    assert [path for path, answer in answers.items() if QUESTION in answer.text] == []


def test_other_forms_never_ask(ada: Browser, clock: time_machine.Traveller) -> None:
    """The review after a recovery and the forms of one's own account do not ask: those show what they need."""
    clock.move_to(NOON + timedelta(hours=1))
    answers = [
        ada.post("/admin/recovery", form="/account"),
        ada.post("/account", {"full_name": "Ada Lovelace"}),
        ada.post("/account/sessions/end", form="/account"),
    ]
    assert [answer.status_code for answer in answers] == [303, 303, 303]


@pytest.mark.parametrize(
    ("what", "words", "back"),
    [
        ("/reset-password", "to reset a password", ""),
        ("", "to change a user&#39;s names", ""),
        ("/delete", "to delete a user", "/delete"),
    ],
)
def test_question_says_what_for(cast: World, ada: Browser, what: str, words: str, back: str) -> None:
    """The question says what it is asked for, and Cancel leads back to where one came from."""
    question = ada.post(f"{at(cast)}{what}", form=at(cast)).text
    assert f"Type your password again {words}" in question
    assert link(question, "Cancel") == f"{at(cast)}{back}"


def test_cancel_leads_back_to_the_list(cast: World, ada: Browser) -> None:
    """Whoever came from a page of the list is led back to that page."""
    question = ada.post(f"{at(cast)}/active", {"back": f"{LIST}?q=b"}, form=LIST).text
    assert link(question, "Cancel") == f"{LIST}?q=b"


def test_looking_never_asks(cast: World, ada: Browser) -> None:
    """The admin pages open without a question."""
    pages = (LIST, NEW, MANY, at(cast), f"{at(cast)}/delete", "/admin/sessions", "/admin/settings")
    assert [ada.get(page).status_code for page in pages] == [200] * len(pages)


# -- what is carried ------------------------------------------------------------------------------------------


def test_change_is_made_once_the_password_is_typed(cast: World, ada: Browser) -> None:
    """The right password makes the change that was asked for, as if nothing had come between."""
    question = ada.post(f"{at(cast)}/active", {"back": f"{LIST}?q=b"}, form=LIST)
    answer = answer_with(ada, question)
    assert (answer.status_code, answer.location) == (303, f"{LIST}?q=b#active-{cast.user(BOB).id}")
    assert not cast.user(BOB).is_active


def test_repeated_fields_are_carried(cast: World, ada: Browser) -> None:
    """Everybody who was chosen is carried through the question, with what is to be done and the way back."""
    question = send(ada, "delete", *ids(cast, BOB, CHARLIE, DORA), typed="delete", back=f"{LIST}?sort=role")
    chosen = [("ids", user_id) for user_id in ids(cast, BOB, CHARLIE, DORA)]
    rest = [("action", "delete"), ("typed", "delete"), ("back", f"{LIST}?sort=role")]
    assert carried(question.text) == [*chosen, *rest]
    assert answer_with(ada, question).location == f"{LIST}?sort=role"
    assert names_on(ada.get(LIST).text) == [ADA]


def test_list_is_carried_as_it_is(cast: World, ada: Browser) -> None:
    """A pasted list arrives line by line, with its tabs and quotation marks."""
    text = 'eve\t"Eve, the ""Third"""\tsuperuser\r\n\r\nmallory; <b>M</b>'
    question = ada.post(MANY, {"users": text, "create": "y", "active": "y"})
    assert ("users", text) in carried(question.text)
    assert "2 users are created" in answer_with(ada, question).text
    assert (cast.user("eve").full_name, cast.user("mallory").full_name) == ('Eve, the "Third"', "<b>M</b>")


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_what_is_carried_is_text(ada: Browser, name: str) -> None:
    """Whatever was typed is text in the question."""
    page = ada.post(NEW, {"username": name, name: "x"}).text
    assert dict(carried(page))["username"] == name
    assert is_tame(page)


def test_flood_of_fields_is_not_carried(ada: Browser) -> None:
    """A form with thousands of fields is none of ours, and is not carried."""
    token = csrf_token(ada.get(NEW).text)
    answer = ada.client.post(
        NEW, data=f"csrf_token={token}" + "&a" * 3000, content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code == 413


def test_question_is_answered_where_it_was_asked(cast: World, ada: Browser) -> None:
    """However odd the address, the answer goes to the very same one."""
    question = ada.post(f"/admin/users/{cast.user(BOB).id}%3Fx=/active?a=%22%3E", {"on": "y"}, form=LIST)
    assert f'action="/admin/users/{cast.user(BOB).id}%3Fx=/active?a=%22%3E"' in question.text


def test_passwords_are_not_carried(cast: World, ada: Browser) -> None:
    """A password that was typed into the form is not in the question; the form asks for it again, names kept."""
    question = ada.post(NEW, {"username": "eve", "full_name": "Eve", "password": OTHER_PASSWORD, "active": "y"})
    assert OTHER_PASSWORD not in question.text
    page = answer_with(ada, question)
    assert page.status_code == 422
    assert "Type this password again" in page.text
    assert 'id="password-error"' in page.text
    assert field_of(page.text, "username")["value"] == "eve"
    assert "checked" in field_of(page.text, "active")
    assert "'eve'" not in str(cast.tables()["users"])


def test_password_typed_again_is_taken(cast: World, ada: Browser) -> None:
    """Typed again, the new user's password counts, and nothing is asked a second time."""
    typed = {"username": "eve", "password": OTHER_PASSWORD, "active": "y"}
    answer_with(ada, ada.post(NEW, typed))
    assert ada.post(NEW, typed).location == LIST
    assert signed_in(cast, "eve", OTHER_PASSWORD).is_signed_in()


def test_password_is_asked_again_after_two_tries(cast: World, ada: Browser) -> None:
    """Also after a wrong answer to the question nobody is created with another password than the one typed."""
    question = ada.post(NEW, {"username": "eve", "password": OTHER_PASSWORD})
    again = answer_with(ada, question, "Wrong password!")
    assert "Type this password again" in answer_with(ada, again).text
    assert "'eve'" not in str(cast.tables()["users"])


def test_without_a_password_one_is_made(cast: World, ada: Browser) -> None:
    """A new user without a typed password is created through the question, and the initial password shown."""
    page = answer_with(ada, ada.post(NEW, {"username": "eve", "password": ""})).text
    assert re.search(INITIAL_PASSWORD, page)
    assert cast.user("eve").must_change_password


def test_asked_twice_after_the_proof(cast: World, clock: time_machine.Traveller) -> None:
    """Whoever takes away their own role is asked for the password, then whether they are sure, then it is done."""
    dora, address = signed_in(cast, DORA), f"{at(cast, DORA)}/superuser"
    clock.move_to(NOON + PROOF)
    sure = answer_with(dora, dora.post(address, {"back": LIST}, form=LIST))
    assert (sure.status_code, cast.user(DORA).is_superuser) == (409, True)
    typed = {"csrf_token": csrf_token(sure.text), "sure": field_of(sure.text, "sure")["value"]}
    assert dora.client.post(address, data=typed).location == "/"
    assert not cast.user(DORA).is_superuser


# -- wrong proofs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("proof", "said"), [("Wrong password!", "That is not your current password."), ("", "")])
def test_wrong_proof(cast: World, ada: Browser, proof: str, said: str) -> None:
    """A wrong password gets the question again with 403, everything still carried, and nothing has happened."""
    question = ada.post(f"{at(cast)}/active", {"back": f"{LIST}?q=b"}, form=LIST)
    again = answer_with(ada, question, proof)
    assert again.status_code == 403
    assert said in again.text
    assert 'id="proof-error"' in again.text
    assert carried(again.text) == carried(question.text)
    assert "Wrong password!" not in again.text
    assert cast.user(BOB).is_active
    assert answer_with(ada, again).status_code == 303


def test_somebody_elses_password_is_no_proof(cast: World, ada: Browser) -> None:
    """Another superuser's password is no proof of one's own."""
    cast.add("erin", superuser=True, password=OTHER_PASSWORD)
    question = ada.post(f"{at(cast)}/active", form=LIST)
    assert answer_with(ada, question, OTHER_PASSWORD).status_code == 403
    assert cast.user(BOB).is_active


def test_wrong_proofs_have_to_wait(cast: World, ada: Browser) -> None:
    """Wrong proofs count as tries: after ten the question answers 429 with Retry-After, and so does the sign-in."""
    question = ada.post(f"{at(cast)}/active", form=LIST)
    assert {answer_with(ada, question, "Wrong password!").status_code for _ in range(10)} == {403}
    answer = answer_with(ada, question)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "Too many tries." in answer.text
    assert cast.user(BOB).is_active
    assert cast.browser().sign_in().status_code == 429


def test_wrong_proof_is_audited(cast: World, ada: Browser) -> None:
    """A wrong proof is written down as a wrong password, a right one as a proof, and then the change."""
    question = ada.post(f"{at(cast)}/active", form=LIST)
    answer_with(ada, question, "Wrong password!")
    answer_with(ada, question)
    assert cast.events()[-3:] == ["sign-in wrong", "password.proved success", "user.deactivated success"]


# -- with a form that is too old ------------------------------------------------------------------------------


def test_old_form_is_shown_before_the_question(cast: World, ada: Browser) -> None:
    """A form whose CSRF token is too old is shown again first, filled in; sent again it asks, then it counts."""
    first = ada.client.post(at(cast), data={"username": "robert", "full_name": "Robert"})
    assert (first.status_code, QUESTION in first.text) == (400, False)
    typed = {name: field_of(first.text, name)["value"] for name in ("csrf_token", "username", "full_name")}
    question = ada.client.post(at(cast), data=typed)
    assert answer_with(ada, question).status_code == 303
    assert cast.user("robert").full_name == "Robert"


@pytest.mark.parametrize("what", ["", "/active", "/reset-password"])
def test_answer_needs_its_own_token(cast: World, ada: Browser, what: str) -> None:
    """An answer to the question without its CSRF token does nothing and proves nothing, right password or not."""
    question = ada.post(f"{at(cast)}{what}", {"username": "robert"}, form=LIST)
    answer = answer_with(ada, question, csrf=False)
    assert answer.status_code == 400
    assert (cast.user(BOB).is_active, cast.user(BOB).must_change_password) == (True, False)
    assert QUESTION in ada.post(f"{at(cast)}/active", form=LIST).text


def test_forged_form_tries_no_password(cast: World, ada: Browser) -> None:
    """A form that is not ours tries nobody's password, so that it cannot lock anybody out."""
    for _ in range(11):
        ada.client.post(at(cast), data={"username": "robert", "proof": "Wrong password!"})
    assert cast.audit("sign-in.locked") == []
    assert signed_in(cast).is_signed_in()


# Everything the forms of the admin pages take, so that each of them would do something.
EVERYTHING = {
    "username": "mallory", "full_name": "Mallory", "password": OTHER_PASSWORD, "active": "y", "superuser": "y",
    "users": "eve", "create": "y", "typed": BOB, "on": "y", "sure": "y", "ids": "", "action": "delete",
    "organization": "Mallory's", "workspace": "Mallory's",
}  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("json", {}),
        ("data", {"base_url": "https://localhost"}),
        ("data", {"base_url": "https://localhost", "headers": {"Referer": "https://evil.example/"}}),
        ("data", {"headers": {"Content-Type": "text/plain"}}),
    ],
    ids=["JSON", "https without Referer", "https with a foreign Referer", "text/plain"],
)
def test_there_is_no_way_round_the_question(cast: World, ada: Browser, typed: str, sent: dict[str, Any]) -> None:
    """Whatever a form of the admin pages is wrapped in, it does nothing before the password is typed."""
    for endpoint, path in posts(cast).items():
        if endpoint == "admin.recovery_submit":
            continue
        bob = cast.user(BOB).id
        token, before = csrf_token(ada.get("/account").text), cast.tables()
        fields = {**EVERYTHING, "ids": bob, "csrf_token": token}
        address = re.sub(r"/[1-]{8}-[-14118]{26,}", f"/{bob}", path)
        answer = ada.client.post(address, **{typed: fields}, **sent)
        assert answer.status_code in (400, 403), address
        assert cast.tables() == before, address


# -- how long it lasts ----------------------------------------------------------------------------------------


def test_proof_lasts_for_another_while(cast: World, ada: Browser, clock: time_machine.Traveller) -> None:
    """After a proof nothing is asked for fifteen minutes, then again."""
    answer_with(ada, ada.post(f"{at(cast)}/active", form=LIST))
    clock.move_to(NOON + 2 * PROOF - INSTANT)
    assert ada.post(f"{at(cast)}/active", {"on": "y"}, form=LIST).status_code == 303
    clock.move_to(NOON + 2 * PROOF)
    assert QUESTION in ada.post(f"{at(cast)}/active", form=LIST).text


def test_proof_holds_in_its_browser_alone(cast: World, clock: time_machine.Traveller) -> None:
    """A proof in one browser is none in another one of the same user."""
    here, there = signed_in(cast), signed_in(cast)
    clock.move_to(NOON + PROOF)
    answer_with(here, here.post(f"{at(cast)}/active", form=LIST))
    assert QUESTION in there.post(f"{at(cast)}/active", {"on": "y"}, form=LIST).text


def test_changed_password_is_a_proof(cast: World, ada: Browser) -> None:
    """Whoever has just changed the password typed it, and is not asked."""
    change(ada)
    assert ada.post(f"{at(cast)}/active", form=LIST).status_code == 303


def test_copied_cookie_gets_no_proof(cast: World, ada: Browser) -> None:
    """Whoever holds a copy of the cookie is signed out when the password is typed."""
    thief = copy_of(cast, ada)
    assert thief.is_signed_in()
    answer_with(ada, ada.post(f"{at(cast)}/active", form=LIST))
    assert (ada.is_signed_in(), thief.is_signed_in()) == (True, False)


def test_copied_cookie_dies_with_the_password(cast: World, ada: Browser) -> None:
    """Whoever holds a copy of the cookie is signed out when the password is changed, like every other browser."""
    thief = copy_of(cast, ada)
    change(ada)
    assert (ada.is_signed_in(), thief.is_signed_in()) == (True, False)


def copy_of(world: World, browser: Browser) -> Browser:
    """Return a browser with another one's cookie."""
    thief = world.browser()
    name = world.app.session_interface.get_cookie_name(world.app)
    cookie = browser.client.get_cookie(name)
    assert cookie is not None
    thief.client.set_cookie(name, cookie.value)
    return thief


def test_wrong_proof_renews_nothing(cast: World, ada: Browser) -> None:
    """After a wrong proof the next change is asked for as well."""
    answer_with(ada, ada.post(f"{at(cast)}/active", form=LIST), "Wrong password!")
    assert QUESTION in ada.post(f"{at(cast)}/active", form=LIST).text
