"""`/admin/users/<id>`: unlocking, resetting the password, deleting, and what the page offers to whom."""

from datetime import UTC, datetime

import pytest
import time_machine

from tests.web.pages import LIST, at, link, names_on, password_on, section
from tests.web.test_user_page import badges, edit, lock
from tests.world import ADA, BOB, CHARLIE, DORA, PASSWORD, World, elements, signed_in

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


# -- unlocking ------------------------------------------------------------------------------------------------


def test_locked_user_is_let_in(cast: World) -> None:
    """A locked user signs in again at once after a superuser unlocked them, and the button is gone."""
    lock(cast)
    ada, page = signed_in(cast), at(cast)
    assert "Unlock" in section(ada.get(page).text, "Password")
    assert ada.post(f"{page}/unlock", form=page).location == page
    shown = ada.get(page).text
    assert "bob may try again." in shown
    assert "Unlock" not in section(shown, "Password")
    assert signed_in(cast, BOB).is_signed_in()


def test_user_who_was_not_locked(cast: World) -> None:
    """Unlocking somebody who was not locked says so."""
    ada, page = signed_in(cast), at(cast)
    ada.post(f"{page}/unlock", form=page)
    assert "bob was not locked." in ada.get(page).text


# -- resetting the password -----------------------------------------------------------------------------------


def test_reset_makes_a_password_that_has_to_be_replaced(cast: World) -> None:
    """A reset ends the user's sessions; the new password signs in and leads to the form, the old one is over."""
    bob, ada, page = signed_in(cast, BOB), signed_in(cast), at(cast)
    initial = password_on(ada.post(f"{page}/reset-password", form=page).text)
    assert not bob.is_signed_in()
    assert cast.browser().sign_in(BOB, PASSWORD).status_code == 401
    assert signed_in(cast, BOB, initial).get("/").location == "/account/password"
    assert "Must change password" in badges(ada.get(page).text)


def test_reset_password_is_shown_once(cast: World) -> None:
    """The page with the new password is shown once and says so; no cache keeps it, no address repeats it."""
    ada, page = signed_in(cast), at(cast)
    answer = ada.post(f"{page}/reset-password", form=page)
    initial = password_on(answer.text)
    assert answer.status_code == 200
    assert "This page is shown once." in answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    assert ada.get(f"{page}/reset-password").status_code == 405
    assert not [path for path in (page, LIST, "/") if initial in ada.get(path).text]


def test_reset_twice_leaves_the_last_one(cast: World) -> None:
    """Of two resets only the last password works."""
    ada, page = signed_in(cast), at(cast)
    first, second = (password_on(ada.post(f"{page}/reset-password", form=page).text) for _ in range(2))
    assert cast.browser().sign_in(BOB, first).status_code == 401
    assert cast.browser().sign_in(BOB, second).status_code == 303


@pytest.mark.parametrize(("name", "said"), [(BOB, "2030-01-04 12:00 UTC"), (CHARLIE, "Not active yet")])
def test_reset_tells_how_long_it_works(cast: World, name: str, said: str) -> None:
    """Beside the new password stands until when it works; for somebody inactive, that it does not yet."""
    with time_machine.travel(NOON, tick=False):
        ada, page = signed_in(cast), at(cast, name)
        assert said in ada.post(f"{page}/reset-password", form=page).text


# -- deleting -------------------------------------------------------------------------------------------------


def test_deleting_asks_for_the_name(cast: World) -> None:
    """Deleting asks for the user name on a page of its own, from where one gets back."""
    ada, page = signed_in(cast), at(cast)
    assert f'href="{page}/delete"' in ada.get(page).text
    shown = ada.get(f"{page}/delete").text
    assert "Type the user name, bob, to confirm" in shown
    assert link(shown, "Cancel") == page


@pytest.mark.parametrize("typed", [BOB, "BOB", " bob "])
def test_typed_name_deletes(cast: World, typed: str) -> None:
    """With the name typed, in whatever case, the user is gone and signed out; the page says so."""
    bob, ada, page = signed_in(cast, BOB), signed_in(cast), at(cast)
    assert ada.post(f"{page}/delete", {"typed": typed}).location == LIST
    shown = ada.get(LIST).text
    assert "bob is deleted." in shown
    assert BOB not in names_on(shown)
    assert not bob.is_signed_in()
    assert ada.get(page).status_code == 404


@pytest.mark.parametrize("typed", ["", "delete", DORA, "bobby"])
def test_another_name_deletes_nobody(cast: World, typed: str) -> None:
    """Another name is refused with 422 beside its field, and nobody is deleted."""
    answer = signed_in(cast).post(f"{at(cast)}/delete", {"typed": typed})
    assert answer.status_code == 422
    assert 'id="typed-error"' in answer.text
    assert cast.user(BOB).is_active


@pytest.mark.parametrize(
    ("by", "name", "status", "said"),
    [
        (ADA, ADA, 403, "You cannot delete yourself"),
        (DORA, DORA, 403, "You cannot delete yourself"),
        (DORA, ADA, 409, "is the owner, who cannot be deleted"),
    ],
)
def test_some_cannot_be_deleted(cast: World, by: str, name: str, status: int, said: str) -> None:
    """Oneself and the owner cannot be deleted; the reason stands beside the field."""
    answer = signed_in(cast, by).post(f"{at(cast, name)}/delete", {"typed": name})
    assert answer.status_code == status
    assert said in answer.text
    assert 'id="typed-error"' in answer.text


# -- whose page it is -----------------------------------------------------------------------------------------


def buttons(page: str) -> set[str]:
    """Return what the forms of a page lead to, by the last part of their addresses."""
    actions = [field.get("action", "") for _, field in elements(page, "form")]
    return {action.rpartition("/")[2] for action in actions if action.startswith(f"{LIST}/")}


def test_own_page_offers_no_reset(cast: World) -> None:
    """On one's own page there is neither reset nor deletion: one's own password is changed on the account page."""
    page = signed_in(cast, DORA).get(at(cast, DORA)).text
    assert "<small>(you)</small>" in page
    assert buttons(page) == {"active", "superuser", "end"}
    assert "/delete" not in page


def test_owners_page_for_another_superuser(cast: World) -> None:
    """Another superuser sees the owner's page with fixed switches, without reset and deletion, and why."""
    page = signed_in(cast, DORA).get(at(cast, ADA)).text
    switches = [field for _, field in elements(page, "button") if field.get("role") == "switch"]
    assert ["disabled" in switch for switch in switches] == [True, True]
    assert buttons(page) == {"active", "superuser"}
    assert "/delete" not in page
    assert "Only the owner, the command line and the config file change the owner" in page


def test_another_superuser_leaves_the_owners_name(cast: World) -> None:
    """Another superuser who sends another name for the owner gets 403 with the reason beside the field."""
    answer = edit(signed_in(cast, DORA), at(cast, ADA), "ada")
    assert answer.status_code == 403
    assert 'id="username-error"' in answer.text
    assert cast.user(ADA).username == ADA


def test_another_superuser_unlocks_the_owner(cast: World) -> None:
    """The owner who is locked can be let in again by another superuser."""
    lock(cast, ADA)
    dora, page = signed_in(cast, DORA), at(cast, ADA)
    assert "unlock" in buttons(dora.get(page).text)
    dora.post(f"{page}/unlock", form=page)
    assert signed_in(cast, ADA, PASSWORD).is_signed_in()
