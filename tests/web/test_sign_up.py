"""`/sign-up`: off unless it is switched on; and it tells nobody who is here."""

import pytest
from werkzeug.test import TestResponse

from tests.web.pages import field_of, is_tame, link
from tests.web.test_admin import EVIL_NAMES
from tests.world import (
    ADA,
    BOB,
    CHARLIE,
    DORA,
    OTHER_PASSWORD,
    PASSWORD,
    WEAK_PASSWORD,
    Browser,
    World,
    signed_in,
)

PAGE = "/sign-up"
CHECK = "/sign-up/password-check"
OPEN = "auth:\n  sign-up: true\n"
AT_ONCE = "auth:\n  sign-up: true\n  new-user-is-active: true\n"


@pytest.fixture
def open_to_all(cast: World) -> World:
    """An installation where strangers may sign up."""
    cast.write_config(OPEN)
    return cast


def sign_up(browser: Browser, username: str = "eve", password: str = PASSWORD, **more: str) -> TestResponse:
    """Send the form."""
    return browser.post(PAGE, {"username": username, "password": password, **more})


def users(world: World) -> list[str]:
    """Return the rows of the users, as text."""
    return world.tables()["users"]


# -- switched off ---------------------------------------------------------------------------------------------


def test_off_there_is_no_page(cast: World) -> None:
    """Unless it is switched on, the address is a 404 page that says whom to ask, and no page links to it."""
    stranger = cast.browser()
    answer = stranger.get(PAGE)
    assert answer.status_code == 404
    assert "Nobody can sign up here; ask a superuser for an account." in answer.text
    assert PAGE not in stranger.get("/login").text


@pytest.mark.parametrize("path", [PAGE, CHECK])
def test_off_the_form_makes_nobody(cast: World, path: str) -> None:
    """Unless it is switched on, a form sent all the same gets 404 and makes nobody."""
    before = users(cast)
    answer = cast.browser().post(path, {"username": "eve", "password": PASSWORD}, form="/login")
    assert answer.status_code == 404
    assert users(cast) == before


def test_switch_counts_at_once(cast: World) -> None:
    """Switched on in the config file the page is there, and switched off it is gone, without a restart."""
    stranger = cast.browser()
    statuses = [stranger.get(PAGE).status_code]
    for config in (OPEN, "auth:\n  sign-up: false\n"):
        cast.write_config(config)
        statuses.append(stranger.get(PAGE).status_code)
    assert statuses == [404, 200, 404]


# -- signing up -----------------------------------------------------------------------------------------------


def test_sign_in_page_leads_there_and_back(open_to_all: World) -> None:
    """The sign-in page links to the page, and that one back."""
    stranger = open_to_all.browser()
    assert link(stranger.get("/login").text, "Sign up") == PAGE
    assert link(stranger.get(PAGE).text, "I have an account already") == "/login"


def test_new_user_waits_for_activation(open_to_all: World) -> None:
    """Whoever signed up is told to wait for a superuser; once active they sign in with what they chose."""
    stranger = open_to_all.browser()
    answer = sign_up(stranger, full_name=" Eve the Third ")
    assert answer.status_code == 200
    assert "A superuser has to activate you" in answer.text
    assert stranger.sign_in("eve").status_code == 401
    signed_in(open_to_all).switch(open_to_all.user("eve"), "active", on=True)
    assert "Eve the Third" in signed_in(open_to_all, "eve").get("/").text


def test_superusers_learn_who_waits(open_to_all: World) -> None:
    """The home page of a superuser says that somebody waits, and the list who that is, until they are let in."""
    sign_up(open_to_all.browser(), "eve")
    dora, bob = signed_in(open_to_all, DORA), signed_in(open_to_all, BOB)
    assert "waits to be let in" in dora.get("/").text
    assert "waits to be let in" not in bob.get("/").text
    assert dora.get("/admin/users").text.count("waits to be activated") == 1
    dora.switch(open_to_all.user("eve"), "active", on=True)
    assert "waits to be let in" not in dora.get("/").text
    assert "waits to be activated" not in dora.get("/admin/users").text


def test_new_user_may_come_in_at_once(cast: World) -> None:
    """Where new users are active, whoever signed up is told so and signs in; nothing has to be changed first."""
    cast.write_config(AT_ONCE)
    assert "You can sign in now" in sign_up(cast.browser()).text
    assert signed_in(cast, "eve").is_signed_in()


def test_page_says_that_one_has_to_wait(open_to_all: World) -> None:
    """The form says beforehand that a superuser has to activate new users, unless they are active at once."""
    said = "A superuser has to activate you before you can sign in."
    assert said in open_to_all.browser().get(PAGE).text
    open_to_all.write_config(AT_ONCE)
    assert said not in open_to_all.browser().get(PAGE).text


def test_nobody_signs_up_as_a_superuser(cast: World) -> None:
    """Whatever else is sent along, whoever signs up is a plain user, inactive, with the name typed."""
    cast.write_config(OPEN)
    sign_up(cast.browser(), role="admin", superuser="y", active="y", is_active="y", signed_up="")
    made = cast.user("eve")
    assert (made.is_superuser, made.is_active, made.signed_up) == (False, False, True)


def test_signing_up_signs_nobody_in(cast: World) -> None:
    """Signing up begins no session."""
    cast.write_config(AT_ONCE)
    stranger = cast.browser()
    sign_up(stranger)
    assert stranger.get("/").location == "/login"
    assert cast.sessions_of("eve") == 0


def test_signing_up_is_written_down(open_to_all: World) -> None:
    """Signing up is audited; the name of somebody turned away is not written down."""
    sign_up(open_to_all.browser())
    sign_up(open_to_all.browser(), "EVE")
    made, turned_away = open_to_all.audit("user.signed-up")
    assert (made.outcome, made.target) == ("success", "eve")
    assert (turned_away.outcome, turned_away.target, turned_away.detail) == ("name taken", "", {})


# -- names that are taken -------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [OPEN, AT_ONCE])
@pytest.mark.parametrize("name", [ADA, BOB, CHARLIE, "BOB", "\uff42\uff4f\uff42", "once"])
def test_taken_name_gets_the_same_answer(cast: World, name: str, config: str) -> None:
    """A name that somebody has or had gets the same answer, byte for byte, and makes and changes nobody."""
    once = cast.add("once")
    browser = signed_in(cast)
    browser.post(f"/admin/users/{once.id}", {"username": "now", "full_name": ""})
    cast.write_config(config)
    usual, before = sign_up(cast.browser(), "somebody-new"), users(cast)
    answer = sign_up(cast.browser(), name, OTHER_PASSWORD)
    assert answer.data == usual.data
    assert (answer.status, dict(answer.headers)) == (usual.status, dict(usual.headers))
    assert users(cast) == before
    assert cast.browser().sign_in(name, OTHER_PASSWORD).status_code == 401


def test_name_of_the_config_file_gets_the_same_answer(cast: World) -> None:
    """A name that the config file gives the owner is nobody's to take, and looks like any other."""
    cast.write_config(f"server:\n  basic-auth:\n    username: lovelace\n{OPEN}")
    usual = sign_up(cast.browser(), "somebody-new")
    answer = sign_up(cast.browser(), "Lovelace", OTHER_PASSWORD)
    assert answer.data == usual.data
    assert cast.browser().sign_in("lovelace", OTHER_PASSWORD).status_code == 401
    assert cast.user("lovelace").id == cast.setting("installation")["owner_id"]


def test_name_of_a_deleted_user_stays_taken(open_to_all: World) -> None:
    """The name of somebody who was deleted is nobody's to take by signing up."""
    browser, bob = signed_in(open_to_all), open_to_all.user(BOB)
    browser.post(f"/admin/users/{bob.id}/delete", {"typed": BOB})
    before = users(open_to_all)
    assert sign_up(open_to_all.browser(), BOB).status_code == 200
    assert users(open_to_all) == before


@pytest.mark.parametrize("password", [WEAK_PASSWORD, PASSWORD])
def test_weak_password_tells_nothing_of_the_name(open_to_all: World, password: str) -> None:
    """A taken name with a weak password is refused like any other name with one."""
    statuses = [sign_up(open_to_all.browser(), name, password).status_code for name in (BOB, "bobby")]
    assert statuses == ([422, 422] if password == WEAK_PASSWORD else [200, 200])


# -- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", [WEAK_PASSWORD, "Password1234!", "x" * 300, "eve@example.com"])
def test_refused_password_keeps_the_names(open_to_all: World, password: str) -> None:
    """A password that breaks the policy is refused with 422 beside its field; the names stay, the password not."""
    answer = sign_up(open_to_all.browser(), "eve@example.com", password, full_name="Eve")
    assert answer.status_code == 422
    assert 'id="password-error"' in answer.text
    assert field_of(answer.text, "username")["value"] == "eve@example.com"
    assert field_of(answer.text, "full_name")["value"] == "Eve"
    assert field_of(answer.text, "password").get("value", "") == ""
    assert "eve@example.com" not in str(users(open_to_all))


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"username": "a:b"}, "username"),
        ({"username": "x" * 257}, "username"),
        ({"username": "a\x07b"}, "username"),
        ({"username": ""}, "username"),
        ({"full_name": "x" * 201}, "full_name"),
        ({"password": ""}, "password"),
    ],
)
def test_bad_field_is_named(open_to_all: World, typed: dict[str, str], field: str) -> None:
    """A bad or empty field is named with 422, and nobody is made."""
    before = users(open_to_all)
    answer = open_to_all.browser().post(PAGE, {"username": "eve", "password": PASSWORD, **typed})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert users(open_to_all) == before


def test_failed_csrf_check_makes_nobody(open_to_all: World) -> None:
    """Without its CSRF token the form is shown again with 400, the names kept, and nobody is made."""
    typed = {"username": "eve", "full_name": "Eve", "password": PASSWORD}
    answer = open_to_all.browser().client.post(PAGE, data=typed)
    assert answer.status_code == 400
    assert field_of(answer.text, "full_name")["value"] == "Eve"
    assert PASSWORD not in answer.text
    assert "'eve'" not in str(users(open_to_all))


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_are_text(open_to_all: World, name: str) -> None:
    """What a stranger chose to be called is text, on the form shown again and on the superusers' pages."""
    pages = [sign_up(open_to_all.browser(), name, WEAK_PASSWORD, full_name=name).text]
    sign_up(open_to_all.browser(), name, full_name=name)
    ada = signed_in(open_to_all)
    pages += [ada.get(path).text for path in ("/admin/users", f"/admin/users/{open_to_all.user(name).id}")]
    assert all(map(is_tame, pages))


def test_password_check_names_broken_rules(open_to_all: World) -> None:
    """While a stranger types, the page is told which rules the password breaks."""
    stranger = open_to_all.browser()
    weak = stranger.post(CHECK, {"username": "eve", "password": WEAK_PASSWORD}, form=PAGE)
    assert "at least 12 characters" in (weak.json or [])
    assert stranger.post(CHECK, {"username": "eve", "password": PASSWORD}, form=PAGE).json == []


# -- who has no use for it ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ADA, BOB])
def test_signed_in_visitor_goes_home(open_to_all: World, name: str) -> None:
    """Whoever is signed in already goes home."""
    answer = signed_in(open_to_all, name).get(PAGE)
    assert (answer.status_code, answer.location) == (303, "/")


def test_before_setup_nobody_signs_up(world: World) -> None:
    """Before the setup is finished the page leads to it like every other."""
    world.write_config(OPEN)
    assert world.browser().get(PAGE).location == "/setup"


def test_many_sign_ups_have_to_wait(open_to_all: World) -> None:
    """After ten from one address the form answers 429 with Retry-After, names kept; signing in still works."""
    statuses = {sign_up(open_to_all.browser(), f"eve{number}").status_code for number in range(10)}
    answer = sign_up(open_to_all.browser(), "eve10", full_name="Eve")
    assert statuses == {200}
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "Too many tries." in answer.text
    assert field_of(answer.text, "full_name")["value"] == "Eve"
    assert "'eve10'" not in str(users(open_to_all))
    assert signed_in(open_to_all, BOB).is_signed_in()


def test_taken_names_count_as_well(open_to_all: World) -> None:
    """Trying names that are taken counts like any other sign-up, so that waiting tells nothing either."""
    for _ in range(10):
        sign_up(open_to_all.browser(), BOB)
    assert sign_up(open_to_all.browser(), "eve").status_code == 429


def test_waiting_is_for_one_address(open_to_all: World) -> None:
    """Who signs up from elsewhere does not have to wait."""
    for number in range(11):
        sign_up(open_to_all.browser(), f"eve{number}")
    elsewhere = open_to_all.browser()
    elsewhere.client.environ_base["REMOTE_ADDR"] = "192.0.2.9"
    assert sign_up(elsewhere, "mallory").status_code == 200
