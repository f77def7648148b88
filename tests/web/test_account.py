"""`/` and `/account`: who you are, and your password."""

import pytest
from werkzeug.test import TestResponse

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
    elements,
    signed_in,
)

PAGE = "/account/password"


def change(browser: Browser, current: str = PASSWORD, new: str = OTHER_PASSWORD) -> TestResponse:
    """Send the form for a new password."""
    return browser.post(PAGE, {"current_password": current, "new_password": new})


@pytest.mark.parametrize(("name", "role"), [(ADA, "Owner"), (DORA, "Superuser"), (BOB, "User")])
def test_account_says_who_you_are(cast: World, name: str, role: str) -> None:
    """Home and account page tell the user name; the account page the role too."""
    browser = signed_in(cast, name)
    assert name in browser.get("/").text
    assert name in browser.get("/account").text
    assert f"<dd>{role}</dd>" in browser.get("/account").text


def test_plain_user_sees_no_way_to_the_users(cast: World) -> None:
    """Only superusers are shown the link to the admin pages."""
    assert "/admin/users" not in signed_in(cast, BOB).get("/").text
    assert "/admin/users" in signed_in(cast, ADA).get("/").text


def test_well_known_address_leads_to_the_form(cast: World) -> None:
    """`/.well-known/change-password` leads password managers to the form."""
    assert signed_in(cast, BOB).get("/.well-known/change-password").location == PAGE


@pytest.mark.parametrize("name", [ADA, BOB])
def test_new_password_works_and_old_does_not(cast: World, name: str) -> None:
    """After the change the new password signs in, and the old one does not."""
    answer = change(signed_in(cast, name))
    assert (answer.status_code, answer.location) == (303, "/account")
    assert cast.browser().sign_in(name, OTHER_PASSWORD).status_code == 303
    assert cast.browser().sign_in(name, PASSWORD).status_code == 401


@pytest.mark.parametrize("name", [ADA, BOB])
def test_other_browsers_are_signed_out(cast: World, name: str) -> None:
    """After the change this browser stays signed in, and the user's others are signed out."""
    here, there, bystander = signed_in(cast, name), signed_in(cast, name), signed_in(cast, "dora")
    change(here)
    assert (here.is_signed_in(), there.is_signed_in(), bystander.is_signed_in()) == (True, False, True)


def test_page_confirms_the_change(cast: World) -> None:
    """The page after the change says that it is done."""
    browser = signed_in(cast, BOB)
    change(browser)
    assert "Your password is changed" in browser.get("/account").text


def test_wrong_current_password_is_refused(cast: World) -> None:
    """A wrong current password is refused with 403 beside its field, and nothing changes."""
    answer = change(signed_in(cast, BOB), "Wrong password!")
    assert answer.status_code == 403
    assert 'id="current_password-error"' in answer.text
    assert cast.browser().sign_in(BOB, PASSWORD).status_code == 303


@pytest.mark.parametrize("new", [WEAK_PASSWORD, "Password1234!", "A" + "b!" * 200, BOB])
def test_weak_new_password_is_refused(cast: World, new: str) -> None:
    """A new password that breaks the policy is refused with 422, the policy's name and the rules it breaks."""
    answer = change(signed_in(cast, BOB), new=new)
    assert answer.status_code == 422
    assert "password.policy" in answer.text
    assert cast.browser().sign_in(BOB, PASSWORD).status_code == 303


@pytest.mark.parametrize(("current", "new"), [("Wrong password!", OTHER_PASSWORD), (PASSWORD, WEAK_PASSWORD + "!")])
def test_refused_form_repeats_no_password(cast: World, current: str, new: str) -> None:
    """The form shown after a refusal holds neither of the passwords."""
    page = change(signed_in(cast, BOB), current, new).text
    assert current not in page
    assert new not in page


@pytest.mark.parametrize("typed", [{"current_password": PASSWORD}, {"new_password": OTHER_PASSWORD}, {}])
def test_empty_field_is_named(cast: World, typed: dict[str, str]) -> None:
    """An empty field is named, with 422."""
    answer = signed_in(cast, BOB).post(PAGE, typed)
    assert answer.status_code == 422
    assert 'class="error"' in answer.text


def test_failed_csrf_check_shows_the_form_again(cast: World) -> None:
    """Without its CSRF token the form is shown again with 400, empty, and nothing changes."""
    typed = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    answer = signed_in(cast, BOB).client.post(PAGE, data=typed)
    assert answer.status_code == 400
    assert [field for _, field in elements(answer.text, "input") if field.get("name") == "new_password"]
    assert OTHER_PASSWORD not in answer.text
    assert cast.browser().sign_in(BOB, PASSWORD).status_code == 303


def test_guessing_the_current_password_has_to_wait(cast: World) -> None:
    """Wrong current passwords count as tries: after ten, this form and the sign-in form answer 429."""
    browser = signed_in(cast, BOB)
    assert {change(browser, "Wrong password!").status_code for _ in range(10)} == {403}
    answer = change(browser)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert cast.browser().sign_in(BOB).status_code == 429


def test_changes_are_audited(cast: World) -> None:
    """A changed password and a wrong current one are written down."""
    browser = signed_in(cast, BOB)
    change(browser, "Wrong password!")
    change(browser)
    assert cast.events()[-2:] == ["sign-in wrong", "user.password-changed success"]


# -- pinned by the file ---------------------------------------------------------------------------------------


@pytest.fixture
def pinned(cast: World) -> World:
    """An installation whose owner's password the config file supplies, in line 4."""
    cast.write_credentials()
    return cast


def test_pinned_password_tells_its_line(pinned: World) -> None:
    """While the file supplies the password, account page and form name the file and line, and there is no field."""
    browser = signed_in(pinned, ADA)
    assert "config.yml, line 4" in browser.get("/account").text
    page = browser.get(PAGE).text
    assert "config.yml, line 4" in page
    assert 'name="new_password"' not in page


def test_pinned_password_cannot_be_changed(pinned: World) -> None:
    """While the file supplies the password, a form sent all the same gets 409 and changes nothing."""
    browser = signed_in(pinned, ADA)
    typed = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    answer = browser.post(PAGE, typed, form="/account")
    assert answer.status_code == 409
    assert "config.yml, line 4" in answer.text
    assert pinned.browser().sign_in(ADA, PASSWORD).status_code == 303


def test_pinned_password_binds_the_owner_only(pinned: World) -> None:
    """While the file supplies the owner's password, everybody else changes theirs."""
    assert change(signed_in(pinned, BOB)).status_code == 303


def test_lines_taken_out_free_the_password(pinned: World) -> None:
    """Once the lines are taken out of the file, the owner can change the password again."""
    pinned.write_config("# nothing\n")
    assert change(signed_in(pinned, ADA)).status_code == 303
    assert pinned.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 303


def test_pinned_name_leaves_the_password_free(cast: World) -> None:
    """While the file supplies the user name alone, the owner can change the password."""
    cast.write_credentials(password=None)
    assert change(signed_in(cast, ADA)).status_code == 303


# -- losing access --------------------------------------------------------------------------------------------


def test_password_check_names_broken_rules(cast: World) -> None:
    """While somebody types, the page is told which rules the password breaks."""
    browser = signed_in(cast, BOB)
    answer = browser.post("/account/password-check", {"password": WEAK_PASSWORD}, form="/account/password")
    assert "at least 12 characters" in (answer.json or [])
    good = browser.post("/account/password-check", {"password": OTHER_PASSWORD}, form="/account/password")
    assert good.json == []


def test_inactive_user_sees_nothing(cast: World) -> None:
    """Whoever waits for activation opens no page."""
    browser = cast.browser()
    browser.sign_in(CHARLIE)
    assert browser.get("/account").location == "/login?next=/account"
