"""`/` and `/account`: who you are, your names, your password, and where you are signed in."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from werkzeug.test import TestResponse

from tests.web.pages import FIREFOX, browser_called, end_of, field_of, rows_of
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
SESSIONS = "/account/sessions"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


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


def test_same_password_is_refused(cast: World) -> None:
    """The current password as the new one is refused with 422 beside its field, and no browser is signed out."""
    here, there = signed_in(cast, BOB), signed_in(cast, BOB)
    answer = change(here, new=PASSWORD)
    assert answer.status_code == 422
    assert "That is your current password; choose another one." in answer.text
    assert 'id="new_password-error"' in answer.text
    assert there.is_signed_in()


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


# -- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ADA, BOB])
def test_full_name_is_what_people_call_you(cast: World, name: str) -> None:
    """Everybody gives themselves a full name; the home page greets by it, and the list of users shows it."""
    browser = signed_in(cast, name)
    answer = browser.post("/account", {"full_name": " Robin of Locksley "})
    assert (answer.status_code, answer.location) == (303, "/account")
    page = browser.get("/account").text
    assert "Saved." in page
    assert field_of(page, "full_name")["value"] == "Robin of Locksley"
    assert '<span class="name">Robin of Locksley</span></h1>' in browser.get("/").text
    assert "Robin of Locksley" in signed_in(cast).get("/admin/users").text


def test_full_name_may_be_empty(cast: World) -> None:
    """Without a full name the home page greets by the user name again."""
    browser = signed_in(cast, BOB)
    browser.post("/account", {"full_name": "Bob the Builder"})
    browser.post("/account", {"full_name": ""})
    assert '<span class="name">bob</span></h1>' in browser.get("/").text


@pytest.mark.parametrize("full_name", ["x" * 201, "a\u202eb", "a\x07b"])
def test_bad_full_name_is_refused(cast: World, full_name: str) -> None:
    """A full name that is too long or has invisible characters is refused with 422 beside its field."""
    answer = signed_in(cast, BOB).post("/account", {"full_name": full_name})
    assert answer.status_code == 422
    assert 'id="full_name-error"' in answer.text
    assert field_of(answer.text, "full_name")["value"] == full_name
    assert cast.user(BOB).full_name == ""


def test_failed_csrf_check_changes_no_name(cast: World) -> None:
    """Without its CSRF token the form is shown again with 400, the name in it, and nothing changes."""
    answer = signed_in(cast, BOB).client.post("/account", data={"full_name": "Bob the Builder"})
    assert answer.status_code == 400
    assert field_of(answer.text, "full_name")["value"] == "Bob the Builder"
    assert cast.user(BOB).full_name == ""


def test_account_form_changes_nothing_else(cast: World) -> None:
    """Whatever else is sent with the form, only the full name of whoever sends it changes."""
    more = {"username": "robert", "role": "admin", "superuser": "y", "user_id": cast.user(DORA).id}
    signed_in(cast, BOB).post("/account", {"full_name": "Bob", **more})
    assert (cast.user(BOB).full_name, cast.user(DORA).full_name) == ("Bob", "")
    assert not cast.user(BOB).is_superuser


def test_owner_is_led_to_the_user_name(cast: World) -> None:
    """Only the owner is told where to change the own user name."""
    page = f"/admin/users/{cast.user(ADA).id}"
    assert page in signed_in(cast).get("/account").text
    assert "/admin/users/" not in signed_in(cast, DORA).get("/account").text


def test_owner_with_a_pinned_name_is_led_nowhere(cast: World) -> None:
    """While the config file names the owner, no page offers another user name, and one says why."""
    cast.write_credentials(password=None)
    ada = signed_in(cast)
    assert "user name</a>" not in ada.get("/account").text
    page = ada.get(f"/admin/users/{cast.user(ADA).id}").text
    assert "readonly" in field_of(page, "username")
    assert "server.basic-auth.username is supplied by config.yml, line 3" in page


# -- sessions -------------------------------------------------------------------------------------------------


def test_own_sessions_are_listed(cast: World) -> None:
    """One sees one's own sessions and nobody else's, the newest first; the one at hand is marked."""
    signed_in(cast, DORA)
    browser_called(cast, FIREFOX, BOB, remember="y")
    mine, other = rows_of(signed_in(cast, BOB).get(SESSIONS).text)
    assert ("This browser" in mine, end_of(mine)) == (True, "")
    assert "Firefox on Linux" in other
    assert "kept signed in" in other
    assert end_of(other).startswith(f"{SESSIONS}/")


def test_the_newest_sessions_are_shown(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many sessions the newest are shown, and that there are more; thousands would take minutes to name."""
    there, here = signed_in(cast, BOB), signed_in(cast, BOB)
    assert "there are more" not in here.get(SESSIONS).text
    monkeypatch.setattr("authapp.web.account.PAGE", 1)
    page = here.get(SESSIONS).text
    assert [("This browser" in row) for row in rows_of(page)] == [True]
    assert "These are the newest 1; there are more." in page
    here.post(f"{SESSIONS}/end", form=SESSIONS)
    assert not there.is_signed_in()


def test_session_is_ended(cast: World) -> None:
    """Ending one of one's sessions signs that browser out at its next click, and no other one."""
    there, elsewhere, here = browser_called(cast, FIREFOX), signed_in(cast, BOB), signed_in(cast, BOB)
    row = next(row for row in rows_of(here.get(SESSIONS).text) if "Firefox" in row)
    assert here.post(end_of(row), form=SESSIONS).location == SESSIONS
    assert "That browser is signed out." in here.get(SESSIONS).text
    assert [browser.is_signed_in() for browser in (there, elsewhere, here)] == [False, True, True]
    assert here.post(end_of(row), form=SESSIONS).status_code == 404


@pytest.mark.parametrize(("others", "said"), [(1, "1 other browser is signed out."), (2, "2 other browsers are")])
def test_all_others_are_ended(cast: World, others: int, said: str) -> None:
    """All one's other browsers are signed out with one button; the page says how many, and asks no more."""
    there, bystander, here = [signed_in(cast, BOB) for _ in range(others)], signed_in(cast), signed_in(cast, BOB)
    assert "Sign out all others" in here.get(SESSIONS).text
    assert here.post(f"{SESSIONS}/end", form=SESSIONS).location == SESSIONS
    page = here.get(SESSIONS).text
    assert said in page
    assert "Sign out all others" not in page
    assert [browser.is_signed_in() for browser in (*there, bystander, here)] == [False] * others + [True, True]


@pytest.mark.parametrize("name", [BOB, ADA])
def test_somebody_elses_session_is_not_found(cast: World, name: str) -> None:
    """Somebody else's session is not found here, not even by a superuser, and goes on."""
    dora = signed_in(cast, DORA)
    other = signed_in(cast, DORA)
    address = end_of(rows_of(other.get(SESSIONS).text)[1])
    answer = signed_in(cast, name).post(address, form=SESSIONS)
    assert answer.status_code == 404
    assert "There is no such session; it may have ended." in answer.text
    assert dora.is_signed_in()


# -- the sign-in before this one ------------------------------------------------------------------------------


def test_home_tells_the_last_sign_in(cast: World) -> None:
    """The home page tells when and from where one signed in before this time, and goes on telling it."""
    with time_machine.travel(NOON, tick=False):
        signed_in(cast, BOB)
    with time_machine.travel(NOON + timedelta(days=1), tick=False):
        bob = signed_in(cast, BOB)
        pages = [bob.get("/").text for _ in range(2)]
    for page in pages:
        assert "2030-01-01 12:00 UTC</time>, from 127.0.0.1." in page
        assert "to sign in as you failed" not in page


@pytest.mark.parametrize("name", [ADA, BOB])
def test_home_of_the_first_sign_in(cast: World, name: str) -> None:
    """Whoever signs in for the first time is told of no time before."""
    assert "Last time" not in signed_in(cast, name).get("/").text


def test_setup_was_a_sign_in(world: World) -> None:
    """The owner's sign-in after the setup in the browser tells of the setup, from where it was done."""
    with time_machine.travel(NOON, tick=False):
        world.wizard().post("/setup", {"username": ADA, "password": PASSWORD})
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        assert "2030-01-01 12:00 UTC</time>, from 127.0.0.1." in signed_in(world).get("/").text


@pytest.mark.parametrize(
    ("failures", "said"),
    [(1, "A try to sign in as you failed since then."), (3, "3 tries to sign in as you failed")],
)
def test_home_tells_what_failed_since(cast: World, failures: int, said: str) -> None:
    """The home page tells how many tries failed since the sign-in before, and what to do about it."""
    with time_machine.travel(NOON, tick=False):
        cast.browser().sign_in(BOB, "Wrong password!")
        signed_in(cast, BOB)
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        for _ in range(failures):
            cast.browser().sign_in(BOB, "Wrong password!")
    with time_machine.travel(NOON + timedelta(hours=2), tick=False):
        page = signed_in(cast, BOB).get("/").text
    assert said in page
    assert f'<a href="{PAGE}">change your password</a>' in page


def test_failures_before_the_first_sign_in(cast: World) -> None:
    """Tries that failed before the first sign-in are told as well."""
    with time_machine.travel(NOON, tick=False):
        cast.browser().sign_in(BOB, "Wrong password!")
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        assert "A try to sign in as you failed before this." in signed_in(cast, BOB).get("/").text


def test_failures_meanwhile_are_for_the_next_time(cast: World) -> None:
    """Tries that fail while one is signed in are told at the next sign-in."""
    with time_machine.travel(NOON, tick=False):
        bob = signed_in(cast, BOB)
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        cast.browser().sign_in(BOB, "Wrong password!")
        assert "failed" not in bob.get("/").text
    with time_machine.travel(NOON + timedelta(minutes=2), tick=False):
        assert "A try to sign in as you failed since then." in signed_in(cast, BOB).get("/").text
