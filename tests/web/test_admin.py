"""`/admin`: the users, and what the config file supplies."""

import re

import pytest
from werkzeug.test import TestResponse

from tests.web.pages import is_tame
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
    csrf_token,
    elements,
    signed_in,
)

EVIL_NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus=alert(1) '",
    "{{ 7*191 }}",
    "&lt;b&gt;",
]
UNKNOWN_ID = "11111111-1111-4111-8111-111111111111"


def create(browser: Browser, username: str, password: str = PASSWORD, **switches: str) -> TestResponse:
    """Send the form for a new user."""
    return browser.post("/admin/users/new", {"username": username, "password": password, **switches})


def row_of(page: str, username: str) -> str:
    """Return a user's row of the table."""
    rows: list[str] = re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    return next(row for row in rows if f">{username}<" in row)


# -- the list -------------------------------------------------------------------------------------------------


def test_admin_leads_to_the_users(cast: World) -> None:
    """`/admin` leads to the users."""
    assert signed_in(cast).get("/admin").location == "/admin/users"


def test_list_shows_everybody(cast: World) -> None:
    """The list shows every user with role, switches and last sign-in."""
    page = signed_in(cast).get("/admin/users").text
    assert "Owner" in row_of(page, ADA)
    assert "Superuser</span>" in row_of(page, DORA)
    assert 'aria-checked="false" aria-label="Active: charlie"' in row_of(page, CHARLIE)
    assert "Never" in row_of(page, BOB)
    assert "<time" in row_of(page, ADA)


def test_list_of_one_says_what_to_do(world: World) -> None:
    """While there is only the owner, the page says so and how to create a user."""
    world.set_up()
    browser = signed_in(world)
    assert "So far it is just you." in browser.get("/admin/users").text
    world.add(BOB)
    assert "So far it is just you." not in browser.get("/admin/users").text


@pytest.mark.parametrize("path", ["/admin", "/admin/users", "/admin/users/new", "/admin/recovery"])
def test_plain_user_is_refused(cast: World, path: str) -> None:
    """A plain user gets 403 on every admin page."""
    assert signed_in(cast, BOB).get(path).status_code == 403


@pytest.mark.parametrize("path", ["/admin", "/admin/users", "/admin/users/new", "/admin/recovery"])
def test_stranger_is_led_to_sign_in(cast: World, path: str) -> None:
    """Whoever is not signed in is led to the sign-in page, and from there back."""
    answer = cast.browser().get(path)
    assert (answer.status_code, answer.location) == (303, f"/login?next={path}")


def test_plain_user_can_switch_nothing(cast: World) -> None:
    """A plain user who sends a superuser's forms gets 403, and nothing changes."""
    browser, bob = signed_in(cast, BOB), cast.user(BOB)
    for what in ("active", "superuser"):
        answer = browser.post(f"/admin/users/{bob.id}/{what}", {"on": "y"}, form="/account")
        assert answer.status_code == 403
    typed = {"username": "eve", "password": PASSWORD, "active": "y", "superuser": "y"}
    assert browser.post("/admin/users/new", typed, form="/account").status_code == 403
    assert not cast.user(BOB).is_superuser
    assert "eve" not in str(cast.tables()["users"])


# -- creating -------------------------------------------------------------------------------------------------


def test_new_user_waits_for_activation(cast: World) -> None:
    """A new user is inactive unless the superuser says otherwise, and the page says so."""
    browser = signed_in(cast)
    answer = create(browser, "eve")
    assert (answer.status_code, answer.location) == (303, "/admin/users")
    assert "not active yet" in browser.get("/admin/users").text
    assert cast.browser().sign_in("eve").status_code == 401


@pytest.mark.parametrize("new_user_is_active", ["true", "false"])
def test_form_starts_as_the_option_says(cast: World, new_user_is_active: str) -> None:
    """The form's switch "Active" starts as `auth.new-user-is-active` says."""
    cast.write_config(f"auth:\n  new-user-is-active: {new_user_is_active}\n")
    inputs = elements(signed_in(cast).get("/admin/users/new").text, "input")
    active = next(field for _, field in inputs if field.get("name") == "active")
    assert ("checked" in active) == (new_user_is_active == "true")


def test_new_user_as_switched(cast: World) -> None:
    """A new user is active and a superuser when the superuser says so, and signs in with the password typed."""
    create(signed_in(cast), "eve", OTHER_PASSWORD, active="y", superuser="y")
    assert signed_in(cast, "eve", OTHER_PASSWORD).get("/admin/users").status_code == 200


@pytest.mark.parametrize(
    ("there", "wanted"), [("bob", "BOB"), ("zoë", "zoe\u0308"), ("ZOË", "zoë"), ("fünf", "FÜNF")]
)
def test_name_in_other_form_is_taken(cast: World, there: str, wanted: str) -> None:
    """A name that differs from another user's only in case or Unicode form is refused with 409."""
    browser = signed_in(cast)
    create(browser, there)
    answer = create(browser, wanted)
    assert answer.status_code == 409
    assert "already has this user name" in answer.text


@pytest.mark.parametrize("name", ["a:b", "a\x07b", "\u202eadmin", "x" * 257, "  "])
def test_bad_name_is_refused(cast: World, name: str) -> None:
    """A name that breaks the rules is refused with 422, beside its field."""
    answer = create(signed_in(cast), name)
    assert answer.status_code == 422
    assert 'id="username-error"' in answer.text


@pytest.mark.parametrize("password", [WEAK_PASSWORD, "Password1234!", "Aa!" + "x7Kq " * 51, "eve@example.com"])
def test_refused_form_keeps_what_was_typed(cast: World, password: str) -> None:
    """A weak password is refused with 422; name and switches are kept, the password is not."""
    answer = create(signed_in(cast), "eve@example.com", password, active="y")
    fields = {field.get("name"): field for _, field in elements(answer.text, "input")}
    assert answer.status_code == 422
    assert fields["username"]["value"] == "eve@example.com"
    assert "checked" in fields["active"]
    assert "checked" not in fields["superuser"]
    assert fields["password"].get("value", "") == ""


def test_failed_csrf_check_creates_nobody(cast: World) -> None:
    """Without its CSRF token the form is shown again with 400, name kept, and nobody is created."""
    answer = signed_in(cast).client.post("/admin/users/new", data={"username": "eve", "password": PASSWORD})
    assert answer.status_code == 400
    assert 'value="eve"' in answer.text
    assert PASSWORD not in answer.text
    assert "'eve'" not in str(cast.tables()["users"])


# -- switches -------------------------------------------------------------------------------------------------


def test_activate(cast: World) -> None:
    """Activating lets a user sign in; the page says so, and opens at the user's row."""
    browser = signed_in(cast)
    charlie = cast.user(CHARLIE)
    answer = browser.switch(charlie, "active", on=True)
    assert (answer.status_code, answer.location) == (303, f"/admin/users#active-{charlie.id}")
    assert f'id="active-{charlie.id}"' in browser.get("/admin/users").text
    browser.switch(charlie, "active", on=False)
    browser.switch(charlie, "active", on=True)
    assert "charlie may sign in." in browser.get("/admin/users").text
    signed_in(cast, CHARLIE)


def test_deactivated_user_is_out_at_the_next_click(cast: World) -> None:
    """A deactivated user's very next click lands on the sign-in page."""
    bob = signed_in(cast, BOB)
    signed_in(cast).switch(cast.user(BOB), "active", on=False)
    assert bob.get("/account").location == "/login?next=/account"
    assert cast.browser().sign_in(BOB).status_code == 401


def test_deactivated_users_form_does_nothing(cast: World) -> None:
    """A form that a user had open while being deactivated changes nothing and leads to the sign-in page."""
    dora = signed_in(cast, DORA)
    token = csrf_token(dora.get("/admin/users/new").text)
    signed_in(cast).switch(cast.user(DORA), "active", on=False)
    answer = dora.client.post(
        "/admin/users/new", data={"csrf_token": token, "username": "eve", "password": PASSWORD}
    )
    assert (answer.status_code, answer.location) == (303, "/login")
    assert "'eve'" not in str(cast.tables()["users"])


def test_reactivated_user_signs_in_anew(cast: World) -> None:
    """A session that ended by deactivation stays over when the user is activated again."""
    bob, ada = signed_in(cast, BOB), signed_in(cast)
    ada.switch(cast.user(BOB), "active", on=False)
    ada.switch(cast.user(BOB), "active", on=True)
    assert not bob.is_signed_in()
    signed_in(cast, BOB)


def test_promote_and_demote(cast: World) -> None:
    """A user made superuser opens the admin pages with the next click, and no more after it is taken back."""
    bob, ada = signed_in(cast, BOB), signed_in(cast)
    statuses = []
    for on in (True, False):
        ada.switch(cast.user(BOB), "superuser", on=on)
        statuses.append(bob.get("/admin/users").status_code)
    assert statuses == [200, 403]


@pytest.mark.parametrize("what", ["active", "superuser"])
@pytest.mark.parametrize("by", [ADA, DORA])
def test_owner_stays(cast: World, by: str, what: str) -> None:
    """The owner can be neither deactivated nor demoted, by nobody: 409, and nothing changes."""
    answer = signed_in(cast, by).switch(cast.user(ADA), what, on=False)
    assert answer.status_code == 409
    assert "is the owner" in answer.text
    assert cast.user(ADA).is_active
    assert cast.user(ADA).is_superuser


def test_owners_switches_are_fixed(cast: World) -> None:
    """The owner's switches are shown as fixed."""
    row = row_of(signed_in(cast, DORA).get("/admin/users").text, ADA)
    assert ["disabled" in attributes for _, attributes in elements(row, "button")] == [True, True]


@pytest.mark.parametrize("what", ["active", "superuser"])
def test_superuser_may_leave(cast: World, what: str) -> None:
    """A superuser who is not the owner may step down, and lands where they may still be."""
    dora, user = signed_in(cast, DORA), cast.user(DORA)
    assert dora.post(f"/admin/users/{user.id}/{what}", {"sure": "y"}, form="/admin/users").location == "/"
    assert dora.get("/admin/users").status_code == (303 if what == "active" else 403)


@pytest.mark.parametrize("what", ["active", "superuser"])
@pytest.mark.parametrize("user_id", [UNKNOWN_ID, "1", "%00", "x" * 300, "ünïcode"])
def test_unknown_user(cast: World, what: str, user_id: str) -> None:
    """A switch of somebody who does not exist is a 404 page."""
    assert signed_in(cast).post(f"/admin/users/{user_id}/{what}", {"on": "y"}, form="/account").status_code == 404


def test_switch_twice_changes_nothing(cast: World) -> None:
    """A switch that is in its place already stays, and nothing is written down."""
    browser = signed_in(cast)
    before = cast.events()
    assert browser.switch(cast.user(BOB), "active", on=True).status_code == 303
    assert cast.events() == before


@pytest.mark.parametrize("what", ["active", "superuser"])
def test_switch_without_csrf_token(cast: World, what: str) -> None:
    """A switch without the CSRF token gets 400 and moves nothing."""
    answer = signed_in(cast).client.post(f"/admin/users/{cast.user(BOB).id}/{what}", data={"on": "y"})
    assert answer.status_code == 400
    assert not cast.user(BOB).is_superuser
    assert cast.user(BOB).is_active


def test_what_superusers_do_is_audited(cast: World) -> None:
    """Creating, activating, promoting and their opposites are written down."""
    browser, bob = signed_in(cast), cast.user(BOB)
    before = len(cast.events())
    create(browser, "eve")
    for what in ("superuser", "active"):
        browser.switch(bob, what, on=what == "superuser")
    assert [event.split()[0] for event in cast.events()[before:]] == [
        "user.created", "user.promoted", "user.deactivated",
    ]  # fmt: skip


# -- HTML in names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_are_escaped(cast: World, name: str) -> None:
    """A user name is text on every page, whatever it looks like."""
    ada = signed_in(cast)
    pages = [create(ada, name, WEAK_PASSWORD).text]
    create(ada, name, active="y", superuser="y")
    pages += [ada.get("/admin/users").text, create(ada, name).text]
    eve = signed_in(cast, name)
    pages += [eve.get(path).text for path in ("/", "/account", "/account/password", "/admin/users")]
    pages.append(cast.browser().sign_in(name, "Wrong password!").text)
    assert [is_tame(page) for page in pages] == [True] * len(pages)


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_are_escaped_in_the_wizard(world: World, name: str) -> None:
    """The name shown again by the wizard is text too, and so is the owner's on the pages of others."""
    browser = world.wizard()
    page = browser.post("/setup", {"username": name, "password": WEAK_PASSWORD}).text
    value = next(field["value"] for _, field in elements(page, "input") if field.get("name") == "username")
    assert value == name
    browser.post("/setup", {"username": name, "password": PASSWORD})
    pages = browser.get("/admin/users").text + browser.get("/").text
    assert not [attribute for _, attributes in elements(pages) for attribute in attributes if attribute[:2] == "on"]


# -- what is wrong with the file ------------------------------------------------------------------------------


def test_problems_of_the_file_are_shown(cast: World) -> None:
    """A bad edit is shown to superusers with line and suggestion; the last good config stays; no value is told."""
    cast.write_config("password:\n  policy: nist\n")
    cast.write_config("password:\n  polcy: kestra-canary\nserver:\n  trusted-proxies: canary\n")
    page = signed_in(cast).get("/admin/users").text
    assert "config.yml:2:3 password.polcy: unknown option, did you mean" in page
    assert "config.yml:4" in page
    assert "canary" not in page
    assert cast.snapshot.effective.get("password.policy") == "nist"


def test_mended_file_clears_the_problems(cast: World) -> None:
    """Once the file is mended, the page says nothing of problems any more."""
    cast.write_config("password:\n  polcy: nist\n")
    browser = signed_in(cast)
    assert "has problems" in browser.get("/admin/users").text
    cast.write_config("password:\n  policy: nist\n")
    assert "has problems" not in browser.get("/admin/users").text


def test_edit_that_needs_a_restart_says_so(cast: World) -> None:
    """An edited option that counts only from the next start is shown as such."""
    browser = signed_in(cast)
    cast.write_config("server:\n  port: 9999\n")
    assert re.search(r"server\.port</code></a> was edited and needs a restart", browser.get("/admin/users").text)


def test_ignored_option_is_noticed(cast: World) -> None:
    """`enabled` is accepted, ignored, and answered with a notice."""
    cast.write_config("server:\n  basic-auth:\n    enabled: false\n")
    assert "server.basic-auth.enabled: is ignored" in signed_in(cast).get("/admin/users").text


# -- after a recovery -----------------------------------------------------------------------------------------


@pytest.fixture
def recovered(cast: World) -> World:
    """An installation whose owner has just been given a new password by the file."""
    _ = cast.app
    cast.write_credentials(ADA, OTHER_PASSWORD)
    return cast


@pytest.mark.parametrize("path", ["/", "/account", "/admin/users", "/admin/users/new", "/account/password"])
def test_first_page_after_recovery(recovered: World, path: str) -> None:
    """After the file gave new credentials, the owner's first page is the one that lists the other superusers."""
    browser = signed_in(recovered, ADA, OTHER_PASSWORD)
    assert browser.get(path).location == "/admin/recovery"


def test_recovery_lists_the_other_superusers(recovered: World) -> None:
    """That page lists every other active superuser, each with a switch, and nobody else."""
    recovered.add("mallory", active=False, superuser=True)
    page = signed_in(recovered, ADA, OTHER_PASSWORD).get("/admin/recovery").text
    assert "Active: dora" in row_of(page, DORA)
    assert BOB not in page
    assert "mallory" not in page
    assert f'<th scope="row"><span class="name">{ADA}' not in page


@pytest.mark.parametrize("what", ["active", "superuser"])
def test_switches_work_after_recovery(recovered: World, what: str) -> None:
    """The switches work there, and with nobody left to look at the page is over by itself."""
    dora, ada = signed_in(recovered, DORA), signed_in(recovered, ADA, OTHER_PASSWORD)
    answer = ada.post(f"/admin/users/{recovered.user(DORA).id}/{what}", form="/admin/recovery")
    assert answer.status_code == 303
    assert dora.get("/admin/users").status_code != 200
    assert ada.is_signed_in()


def test_confirming_ends_the_review(recovered: World) -> None:
    """Confirming leads home and ends the review, in every browser of the owner."""
    one, other = signed_in(recovered, ADA, OTHER_PASSWORD), signed_in(recovered, ADA, OTHER_PASSWORD)
    assert one.post("/admin/recovery").location == "/"
    assert one.is_signed_in()
    assert other.is_signed_in()


def test_review_is_the_owners(recovered: World) -> None:
    """Other superusers are not led to the review, and cannot end it."""
    dora = signed_in(recovered, DORA)
    assert dora.is_signed_in()
    dora.post("/admin/recovery", form="/admin/users")
    assert signed_in(recovered, ADA, OTHER_PASSWORD).get("/").location == "/admin/recovery"


def test_signing_out_works_during_the_review(recovered: World) -> None:
    """The owner can sign out without having looked."""
    ada = signed_in(recovered, ADA, OTHER_PASSWORD)
    assert ada.post("/logout", form="/admin/recovery").location == "/login"
    assert ada.get("/").location == "/login"


def test_first_adoption_needs_no_review(world: World) -> None:
    """Credentials from the file of a new installation are no recovery."""
    world.write_credentials()
    assert signed_in(world).is_signed_in()


@pytest.mark.parametrize("path", ["/admin/users", "/admin/users/new"])
def test_every_admin_page_shows_problems_of_the_file(cast: World, path: str) -> None:
    """A bad edit is told wherever a superuser is, with its line."""
    browser = signed_in(cast)
    cast.write_config("server:\n  prot: 8080\n")
    assert "config.yml:2:3 server.prot: unknown option, did you mean" in browser.get(path).text
