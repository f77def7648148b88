"""With an initial password nothing opens but its replacement."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import time_machine

from authapp import invitations
from authapp.invitations import NewUser
from authapp.models import Role
from authapp.web.security import SAFE_METHODS
from tests.web.test_account import PAGE, change
from tests.web.test_errors import is_problem
from tests.web.test_login import NEUTRAL, same_but_for_name
from tests.web.test_route_map import OFF, rules, sent, spy_on, stated_by
from tests.world import (
    ADA,
    BOB,
    OTHER_PASSWORD,
    PASSWORD,
    SHELL,
    WEAK_PASSWORD,
    Browser,
    World,
    csrf_token,
    signed_in,
)

EVE = "eve"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
LIFETIME = timedelta(hours=72)
INSTANT = timedelta(microseconds=1)
OPEN = {
    "account.password", "account.password_submit", "account.password_check", "api.whoami", "api.change_password",
}  # fmt: skip
EVERYWHERE = ("/", "/account", "/account/sessions", "/admin/users", "/admin/settings", "/api/v1/organization")


def invited(world: World, *, active: bool = True) -> str:
    """Invite Eve, a superuser; return her initial password."""
    wanted = [NewUser(EVE, role=Role.ADMIN, active=active)]
    (made,) = invitations.invite(world.database, world.snapshot.effective, wanted, SHELL)
    assert made.initial_password is not None
    return made.initial_password


# -- before ---------------------------------------------------------------------------------------------------


def test_nothing_else_opens(cast: World) -> None:
    """With an initial password every route is refused but the change of password and what strangers may open."""
    eve = signed_in(cast, EVE, invited(cast))
    token = csrf_token(eve.get(PAGE).text)
    reached, wrong = spy_on(cast.app), []
    for endpoint, method, path in rules(cast.app):
        if method == "OPTIONS":
            continue
        reached.clear()
        eve.client.open(path, method=method, **sent(path, method, token))
        may = endpoint in OPEN or stated_by(cast.app, endpoint) == "public"
        if (reached == [endpoint]) != may:
            wrong.append((method, path, reached))
    assert wrong == []


def test_refusals_lead_to_the_change(cast: World) -> None:
    """Pages lead to the change of password and back from there; everything else is refused with 403."""
    eve = signed_in(cast, EVE, invited(cast))
    token = csrf_token(eve.get(PAGE).text)
    spy_on(cast.app)
    for endpoint, method, path in rules(cast.app):
        elsewhere = endpoint in OPEN | OFF or stated_by(cast.app, endpoint) in ("public", "setup")
        if method == "OPTIONS" or elsewhere:
            continue  # several views may share an address, and with it what OPTIONS answers
        answer = eve.client.open(path, method=method, **sent(path, method, token))
        is_page = method in SAFE_METHODS and not endpoint.startswith("api.")
        next_page = "" if path == "/" else f"?next={quote(path)}"
        assert answer.status_code == (303 if is_page else 403), (method, path)
        assert answer.location == (f"{PAGE}{next_page}" if is_page else None), (method, path)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/api/v1/organization", "/api/v1/workspaces"])
def test_api_says_what_is_to_be_done(cast: World, method: str, path: str) -> None:
    """The API answers with a problem of a type of its own, so that programs know what is to be done."""
    eve = signed_in(cast, EVE, invited(cast))
    token = csrf_token(eve.get(PAGE).text)
    answer = eve.client.open(path, method=method, **sent(path, method, token))
    assert is_problem(answer, 403)
    assert (answer.json or {})["type"] == "password-change-required"


def test_form_says_why(cast: World) -> None:
    """A refused form says what has to be done first, and does nothing."""
    eve = signed_in(cast, EVE, invited(cast))
    answer = eve.post(f"/admin/users/{cast.user(BOB).id}/active", form=PAGE)
    assert answer.status_code == 403
    assert "Choose a password of your own first" in answer.text
    assert cast.user(BOB).is_active


def test_page_of_the_change_says_why(cast: World) -> None:
    """The page says that the password is for the first sign-in only, and has no way around it."""
    page = signed_in(cast, EVE, invited(cast)).get(PAGE).text
    assert "<h1>Choose a password of your own</h1>" in page
    assert "for the first sign-in only" in page
    assert "Cancel" not in page


def test_signing_out_works(cast: World) -> None:
    """Whoever does not want to choose a password now can sign out, and sign in again later."""
    initial = invited(cast)
    eve = signed_in(cast, EVE, initial)
    assert eve.post("/logout", form=PAGE).location == "/login"
    assert eve.get(PAGE).location == f"/login?next={PAGE}"
    assert signed_in(cast, EVE, initial).get("/").location == PAGE


def test_reset_counts_at_the_next_sign_in(cast: World) -> None:
    """After a reset the user has to choose a password too."""
    initial = invitations.reset_password(
        cast.database, cast.snapshot.effective, cast.user(BOB).id, SHELL
    ).initial_password
    assert signed_in(cast, BOB, initial or "").get("/account").location == f"{PAGE}?next=/account"


# -- the change -----------------------------------------------------------------------------------------------


def choose(browser: Browser, current: str, new: str, address: str = PAGE) -> str | None:
    """Send the form at an address; return where it leads, if it was taken."""
    return browser.post(address, {"current_password": current, "new_password": new}).location


def test_afterwards_everything_opens(cast: World) -> None:
    """As soon as the password is replaced, everything opens in this browser."""
    initial = invited(cast)
    eve = signed_in(cast, EVE, initial)
    assert choose(eve, initial, OTHER_PASSWORD) == "/"
    assert [eve.get(path).status_code for path in EVERYWHERE] == [200] * len(EVERYWHERE)
    assert "Must change password" not in signed_in(cast).get("/admin/users").text


def test_initial_password_is_over_after_the_change(cast: World) -> None:
    """After the change the initial password signs nobody in, and other browsers signed in with it are out."""
    initial = invited(cast)
    here, there = signed_in(cast, EVE, initial), signed_in(cast, EVE, initial)
    choose(here, initial, OTHER_PASSWORD)
    assert there.get(PAGE).location == f"/login?next={PAGE}"
    assert cast.browser().sign_in(EVE, initial).status_code == 401
    assert signed_in(cast, EVE, OTHER_PASSWORD).is_signed_in()


@pytest.mark.parametrize("wanted", ["/admin/users?q=b&sort=-role", "/account/sessions"])
def test_return_url_is_kept(cast: World, wanted: str) -> None:
    """Whoever followed a link gets there: over the sign-in and the change of password."""
    initial = invited(cast)
    eve = cast.browser()
    login = eve.get(wanted).location or ""
    signed = eve.post(login, {"username": EVE, "password": initial}).location or ""
    assert signed == wanted
    address = eve.get(signed).location or ""
    assert address.startswith(f"{PAGE}?next=")
    assert choose(eve, initial, WEAK_PASSWORD, address) is None
    assert choose(eve, initial, OTHER_PASSWORD, address) == wanted
    assert eve.get(wanted).status_code == 200


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_hostile_return_url_leads_home(cast: World, wanted: str) -> None:
    """The change leads to no other site."""
    initial = invited(cast)
    assert choose(signed_in(cast, EVE, initial), initial, OTHER_PASSWORD, f"{PAGE}?next={quote(wanted)}") == "/"


def test_initial_password_is_no_choice(cast: World) -> None:
    """The initial password again is refused with 422 beside its field, and has to be replaced still."""
    initial = invited(cast)
    eve = signed_in(cast, EVE, initial)
    answer = change(eve, initial, initial)
    assert answer.status_code == 422
    assert "That is your current password; choose another one." in answer.text
    assert 'id="new_password-error"' in answer.text
    assert eve.get("/").location == PAGE


@pytest.mark.parametrize(
    ("current", "new", "status"), [("Wrong password!", OTHER_PASSWORD, 403), ("", WEAK_PASSWORD, 422)]
)
def test_refused_choice_opens_nothing(cast: World, current: str, new: str, status: int) -> None:
    """After a wrong initial password or a weak choice everything stays closed, and the page says why still."""
    initial = invited(cast)
    eve = signed_in(cast, EVE, initial)
    answer = change(eve, current or initial, new)
    assert answer.status_code == status
    assert "<h1>Choose a password of your own</h1>" in answer.text
    assert eve.get("/").location == PAGE


def test_rules_are_ticked_meanwhile(cast: World) -> None:
    """While somebody types the new password, the page is told which rules it breaks."""
    eve = signed_in(cast, EVE, invited(cast))
    answer = eve.post("/account/password-check", {"password": WEAK_PASSWORD}, form=PAGE)
    assert "at least 12 characters" in (answer.json or [])


def test_owner_back_from_a_recovery_gets_to_the_form(cast: World) -> None:
    """The owner whose password was reset before looking around after a recovery chooses one first, then looks."""
    _ = cast.app
    cast.write_credentials(ADA, OTHER_PASSWORD)
    cast.write_config("# nothing\n")
    made = invitations.reset_password(cast.database, cast.snapshot.effective, cast.user(ADA).id, SHELL)
    ada = signed_in(cast, ADA, made.initial_password or "")
    assert ada.get("/").location == PAGE
    assert ada.get(PAGE).status_code == 200
    assert choose(ada, made.initial_password or "", PASSWORD) == "/"
    assert ada.get("/").location == "/admin/recovery"


# -- how long it works ----------------------------------------------------------------------------------------


def test_initial_password_works_for_a_while(cast: World) -> None:
    """An initial password signs in until 72 hours after it was made; then it looks like any wrong password."""
    with time_machine.travel(NOON, tick=False):
        initial = invited(cast)
    with time_machine.travel(NOON + LIFETIME - INSTANT, tick=False):
        assert cast.browser().sign_in(EVE, initial).status_code == 303
    with time_machine.travel(NOON + LIFETIME, tick=False):
        late, wrong = cast.browser().sign_in(EVE, initial), cast.browser().sign_in(EVE, "Wrong password!")
    assert (late.status_code, NEUTRAL in late.text) == (401, True)
    assert same_but_for_name(late, EVE) == same_but_for_name(wrong, EVE)


def test_activation_starts_the_clock(cast: World) -> None:
    """For somebody activated later the 72 hours begin with the activation."""
    with time_machine.travel(NOON, tick=False):
        initial = invited(cast, active=False)
    with time_machine.travel(NOON + LIFETIME, tick=False):
        signed_in(cast).switch(cast.user(EVE), "active", on=True)
    with time_machine.travel(NOON + 2 * LIFETIME - INSTANT, tick=False):
        assert cast.browser().sign_in(EVE, initial).status_code == 303


def test_whoever_is_in_may_still_change_it(cast: World) -> None:
    """Whoever signed in before the initial password expired may still replace it."""
    with time_machine.travel(NOON, tick=False):
        initial = invited(cast)
    with time_machine.travel(NOON + LIFETIME - INSTANT, tick=False):
        eve = signed_in(cast, EVE, initial)
    with time_machine.travel(NOON + LIFETIME + timedelta(minutes=1), tick=False):
        assert choose(eve, initial, OTHER_PASSWORD) == "/"
        assert eve.is_signed_in()


def test_lifetime_is_an_option(cast: World) -> None:
    """How long an initial password works is `password.initial-lifetime`, as soon as the file is saved."""
    with time_machine.travel(NOON, tick=False):
        initial = invited(cast)
    cast.write_config("password:\n  initial-lifetime: 1h\n")
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        assert cast.browser().sign_in(EVE, initial).status_code == 401
