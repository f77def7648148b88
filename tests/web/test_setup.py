"""`/setup`: the first run, in the browser."""

import socket
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.world import ADA, OTHER_PASSWORD, PASSWORD, WEAK_PASSWORD, Browser, World, csrf_token, elements

ODD_PASSWORDS = [
    "  spaces Around and within!  ",
    "Colon:separated Password:",
    "Zwölf Euro kosten 12 €",
    "Grüße 🦊🌍 aus dem Wald",
    ("Long and winding ☂ road, " * 11)[:256],
]
CREDENTIALS = {"username": ADA, "password": PASSWORD}


def finish(browser: Browser, **typed: str) -> int:
    """Send the wizard's form; return the status."""
    return browser.post("/setup", {**CREDENTIALS, **typed}).status_code


# -- every page leads to the wizard ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/", "/login", "/account", "/account/password", "/admin/users", "/nowhere", "/.well-known/change-password"],
)
def test_every_page_leads_to_setup(world: World, path: str) -> None:
    """Before the first run is over, every page leads to the wizard."""
    answer = world.browser().get(path)
    assert (answer.status_code, answer.location) == (303, "/setup")


@pytest.mark.parametrize("path", ["/login", "/logout", "/account/password", "/admin/users/new", "/nowhere"])
def test_every_form_leads_to_setup(world: World, path: str) -> None:
    """Before the first run is over, a form that is sent leads to the wizard and does nothing."""
    answer = world.browser().post(path, {"username": ADA, "password": PASSWORD}, form="/setup")
    assert (answer.status_code, answer.location) == (303, "/setup")


@pytest.mark.parametrize("path", ["/static/app.css", "/healthz", "/readyz", "/api/v1/status"])
def test_what_answers_before_setup(world: World, path: str) -> None:
    """Styles, health and status answer before the first run is over."""
    assert world.browser().get(path).status_code == 200


# -- proof of access ------------------------------------------------------------------------------------------


def test_wizard_asks_for_the_token(world: World) -> None:
    """The wizard's first page asks for the setup token and for nothing else."""
    page = world.browser().get("/setup")
    fields = [field["name"] for _, field in elements(page.text, "input")]
    assert page.status_code == 200
    assert fields == ["csrf_token", "token"]


@pytest.mark.parametrize("typed", ["wrong", "", "€" * 20, "x" * 5000])
def test_wrong_token_is_refused(world: World, typed: str) -> None:
    """A wrong or missing setup token is refused with 403, and opens nothing."""
    world.setup_token()
    browser = world.browser()
    assert browser.post("/setup/token", {"token": typed}, form="/setup").status_code == 403
    assert 'name="password"' not in browser.get("/setup").text


def test_wrong_token_says_so(world: World) -> None:
    """A wrong setup token is answered with a sentence that says so, also when it stood in the address."""
    browser = world.browser()
    assert "not valid" in browser.post("/setup/token", {"token": "wrong"}, form="/setup").text
    assert "not valid" in browser.get("/setup?token=wrong", follow_redirects=True).text


def test_pasted_token_opens_the_form(world: World) -> None:
    """The right setup token, pasted with white space around it, opens the form."""
    browser = world.browser()
    answer = browser.post("/setup/token", {"token": f"  {world.setup_token()}\n"}, form="/setup")
    assert (answer.status_code, answer.location) == (303, "/setup")
    assert 'name="password"' in browser.get("/setup").text


def test_expired_token_is_refused(world: World) -> None:
    """A setup token dies after 24 hours, also in a browser that had shown it before."""
    token, early = world.setup_token(), world.wizard()
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=24, minutes=1)):
        late = world.browser()
        assert late.post("/setup/token", {"token": token}, form="/setup").status_code == 403
        assert early.post("/setup", CREDENTIALS).status_code == 403
    assert world.setting("server.basic-auth") is None


def test_form_needs_the_token(world: World) -> None:
    """Whoever sends the credentials without having shown the setup token gets 403, and no owner is made."""
    assert finish(world.browser()) == 403
    assert world.setting("server.basic-auth") is None


def test_password_check_needs_the_token(world: World) -> None:
    """The rules of a password are told only to whoever has shown the setup token."""
    typed = {"password": WEAK_PASSWORD}
    assert world.browser().post("/setup/password-check", typed, form="/setup").status_code == 403
    answer = world.wizard().post("/setup/password-check", typed, form="/setup")
    assert "at least 12 characters" in (answer.json or [])


def test_token_moves_from_the_address_into_the_cookie(world: World) -> None:
    """Opening the address with the token stores it in an HttpOnly cookie and leads to `/setup` alone."""
    answer = world.browser().get(f"/setup?token={world.setup_token()}")
    assert (answer.status_code, answer.location) == (303, "/setup")
    assert "HttpOnly" in answer.headers["Set-Cookie"]


def test_token_stands_in_no_answer(world: World) -> None:
    """The setup token is in no page and no later address of the whole first run."""
    token, browser = world.setup_token(), world.browser()
    answers = [
        browser.get(f"/setup?token={token}"),
        browser.get("/setup"),
        browser.post("/setup", {"username": ADA, "password": WEAK_PASSWORD}),
        browser.post("/setup/token", {"token": token}, form="/setup"),
        browser.post("/setup", CREDENTIALS),
        browser.get("/"),
        browser.get("/setup"),
    ]
    assert not [answer for answer in answers if token in answer.text or token in (answer.location or "")]


# -- what is refused ------------------------------------------------------------------------------------------

BAD_PASSWORDS = {
    WEAK_PASSWORD: "at least 12 characters",
    "Password1234!": "hard to guess",
    "Aa!" + "x7Kq " * 51: "at most 256 characters",
    "no capital letter at all!": "an upper-case letter",
    "No Symbol Whatsoever Here": "a symbol",
}


@pytest.mark.parametrize(("password", "advice"), BAD_PASSWORDS.items())
def test_bad_password_says_what_to_change(world: World, password: str, advice: str) -> None:
    """A weak, common or too long password is refused with 422, the policy's name and the rule it breaks."""
    answer = world.wizard().post("/setup", {"username": ADA, "password": password})
    refusal = answer.text[answer.text.index('id="password-error"') :].partition("</small>")[0]
    assert answer.status_code == 422
    assert "password.policy" in refusal
    assert advice in refusal


@pytest.mark.parametrize("password", [*BAD_PASSWORDS, ADA])
def test_refused_form_keeps_the_name_and_drops_the_password(world: World, password: str) -> None:
    """After a refusal the user name is still there, and the password is nowhere on the page."""
    page = world.wizard().post("/setup", {"username": "ada lovelace", "password": password}).text
    values = {field.get("name"): field.get("value", "") for _, field in elements(page, "input")}
    assert (values["username"], values["password"]) == ("ada lovelace", "")
    assert password not in page


@pytest.mark.parametrize("name", ["a:b", "a\tb", "\u200badmin", "x" * 257, "", "   "])
def test_bad_user_name_says_what_to_change(world: World, name: str) -> None:
    """A user name with a colon, an invisible character, too long or empty is refused with 422, beside its field."""
    answer = world.wizard().post("/setup", {"username": name, "password": PASSWORD})
    assert answer.status_code == 422
    assert 'id="username-error"' in answer.text
    assert world.setting("server.basic-auth") is None


def test_failed_csrf_check_shows_the_form_again(world: World) -> None:
    """A form without its CSRF token is shown again with 400 and what was typed, except the password."""
    browser = world.wizard()
    answer = browser.client.post("/setup", data=CREDENTIALS)
    values = {field.get("name"): field.get("value", "") for _, field in elements(answer.text, "input")}
    assert answer.status_code == 400
    assert (values["username"], values["password"]) == (ADA, "")
    assert PASSWORD not in answer.text


def test_form_works_when_sent_again(world: World) -> None:
    """The form that is shown again after a failed CSRF check carries a fresh token that works."""
    browser = world.wizard()
    page = browser.client.post("/setup", data=CREDENTIALS).text
    assert browser.client.post("/setup", data={**CREDENTIALS, "csrf_token": csrf_token(page)}).status_code == 303


def test_failed_csrf_check_drops_the_token(world: World) -> None:
    """The setup token that was pasted into a form that fails its CSRF check is not written back."""
    token = world.setup_token()
    answer = world.browser().client.post("/setup/token", data={"token": token})
    assert answer.status_code == 400
    assert token not in answer.text


# -- what works everywhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_odd_passwords_set_up_and_sign_in(world: World, password: str) -> None:
    """Passwords with spaces, colon, euro sign, emoji and of 256 characters work in the wizard and at sign-in."""
    assert finish(world.wizard(), password=password) == 303
    assert world.browser().sign_in(ADA, password).status_code == 303
    assert world.browser().sign_in(ADA, password.strip() + "x").status_code == 401


@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_odd_passwords_in_the_account(world: World, password: str) -> None:
    """The same passwords can be chosen, and typed as the current one, on the account page."""
    world.set_up()
    browser = world.browser()
    browser.sign_in()
    for current, new in ((PASSWORD, password), (password, OTHER_PASSWORD)):
        answer = browser.post("/account/password", {"current_password": current, "new_password": new})
        assert answer.status_code == 303


@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_odd_passwords_for_new_users(world: World, password: str) -> None:
    """The same passwords work for a user whom a superuser creates."""
    world.set_up()
    browser = world.browser()
    browser.sign_in()
    browser.post("/admin/users/new", {"username": "zoë", "password": password, "active": "y"})
    assert world.browser().sign_in("zoë", password).status_code == 303


# -- afterwards -----------------------------------------------------------------------------------------------


def test_finishing_signs_in(world: World) -> None:
    """Whoever finishes the first run is signed in, and home says who they are and what to do next."""
    browser = world.wizard()
    answer = browser.post("/setup", CREDENTIALS)
    assert (answer.status_code, answer.location) == (303, "/")
    home = browser.get("/").text
    assert ADA in home
    assert "authapp is set up" in home
    assert "config.yml" in home


def test_welcome_is_said_once(world: World) -> None:
    """What to do next is told once, on the first page after the first run."""
    browser = world.wizard()
    browser.post("/setup", CREDENTIALS)
    assert "authapp is set up" in browser.get("/").text
    assert "authapp is set up" not in browser.get("/").text


def test_setup_is_gone_afterwards(world: World) -> None:
    """Once finished, every address of the wizard is a 404 page that leads to the sign-in page."""
    token, browser = world.setup_token(), world.wizard()
    browser.post("/setup", CREDENTIALS)
    stranger = world.browser()
    for answer in (stranger.get("/setup"), stranger.get(f"/setup?token={token}"), browser.get("/setup")):
        assert answer.status_code == 404
        assert "Setup is finished" in answer.text
        assert 'href="/login"' in answer.text


def test_token_is_gone_afterwards(world: World) -> None:
    """Once finished, the token file and the token's row are gone."""
    browser = world.wizard()
    assert (world.folder / "data" / "setup-token").exists()
    browser.post("/setup", CREDENTIALS)
    assert not (world.folder / "data" / "setup-token").exists()
    assert world.setting("setup.token") is None


def test_second_submission_loses(world: World) -> None:
    """Of two browsers with the token, the second to finish gets the 404 page, and the first one's name stays."""
    first, second = world.wizard(), world.wizard()
    token = csrf_token(second.get("/setup").text)
    assert finish(first) == 303
    late = {"csrf_token": token, "username": "eve", "password": OTHER_PASSWORD}
    answer = second.client.post("/setup", data=late)
    assert answer.status_code == 404
    assert "Setup is finished" in answer.text
    assert world.setting("server.basic-auth")["username"] == ADA
    assert world.browser().sign_in("eve", OTHER_PASSWORD).status_code == 401


def test_owner_is_stored_in_one_place(world: World) -> None:
    """The owner's hash stands in the Settings row `server.basic-auth`, and the owner's user row has none."""
    finish(world.wizard())
    assert world.setting("server.basic-auth")["username"] == ADA
    assert world.setting("server.basic-auth")["password_hash"].startswith("$argon2id$")
    assert world.user(ADA).password_hash is None
    assert world.setting("installation")["owner_id"] == world.user(ADA).id


# -- without a token ------------------------------------------------------------------------------------------


@pytest.fixture
def local(world: World) -> World:
    """An installation whose wizard needs no setup token."""
    world.write_config("setup:\n  require-token: false\n")
    return world


def test_no_token_needed_at_loopback(local: World) -> None:
    """With `setup.require-token: false` the wizard works at a loopback address without a token."""
    assert finish(local.browser()) == 303


@pytest.mark.parametrize("host", ["192.0.2.7", "[2001:db8::1]:8080", socket.gethostname()])
def test_no_token_and_a_foreign_host(local: World, host: str) -> None:
    """Without a token the wizard answers 403 to a Host that is no loopback name."""
    assert local.browser().get("/setup", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded: for=192.0.2.1", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: localhost",
        "X-Forwarded-Proto: http", "X-Forwarded-Port: 8080", "X-Real-IP: 127.0.0.1", "Via: 1.1 proxy",
    ],
)  # fmt: skip
def test_no_token_and_a_proxy(local: World, header: str) -> None:
    """Without a token the wizard answers 403 to a request that a proxy passed on."""
    name, _, value = header.partition(": ")
    assert local.browser().get("/setup", headers={name: value}).status_code == 403


def test_no_token_and_a_form_from_a_proxy(local: World) -> None:
    """Without a token a form that a proxy passed on makes no owner."""
    answer = local.browser().post("/setup", CREDENTIALS, headers={"X-Forwarded-For": "127.0.0.1"})
    assert answer.status_code == 403
    assert local.setting("server.basic-auth") is None


# -- what the config file gives -------------------------------------------------------------------------------


def basic_auth(*lines: str) -> str:
    """Return a config file with these lines under `server.basic-auth`."""
    return "\n".join(["server:", "  basic-auth:", *(f"    {line}" for line in lines)]) + "\n"


NAME_LINE, PASSWORD_LINE = f"username: {ADA}", f"password: '{PASSWORD}'"


@pytest.mark.parametrize("enabled", ["enabled: true", "enabled: false"])
def test_both_halves_need_no_setup(world: World, enabled: str) -> None:
    """With `enabled` and both halves in the file there is no setup page, and one signs in with them."""
    world.write_config(basic_auth(enabled, NAME_LINE, PASSWORD_LINE))
    assert world.browser().get("/setup").status_code == 404
    assert world.browser().sign_in().status_code == 303
    assert world.setting("server.basic-auth")["username"] == ADA


@pytest.mark.parametrize("text", [basic_auth("enabled: true"), basic_auth("enabled: false"), "# nothing\n", None])
def test_nothing_given_leads_to_setup(world: World, text: str | None) -> None:
    """With `enabled` alone, with an empty file or without one, the setup page appears and asks for both halves."""
    if text is not None:
        world.write_config(text)
    browser = world.wizard()
    assert browser.get("/").location == "/setup"
    assert finish(browser) == 303
    assert world.setting("server.basic-auth")["username"] == ADA


def test_pinned_name_is_shown_read_only(world: World) -> None:
    """With only a user name in the file, the wizard shows it read-only with its line, and asks for a password."""
    world.write_config(basic_auth("enabled: true", NAME_LINE))
    page = world.wizard().get("/setup").text
    field = next(field for _, field in elements(page, "input") if field.get("value") == ADA)
    assert "readonly" in field
    assert "config.yml, line 4" in page
    assert 'name="password"' in page


def test_pinned_name_is_shown_after_the_token_only(world: World) -> None:
    """Nobody sees the user name of the file before they have shown the setup token."""
    world.write_config(basic_auth(NAME_LINE))
    stranger = world.browser()
    pages = [stranger.get("/setup"), stranger.post("/setup", CREDENTIALS), stranger.get("/", follow_redirects=True)]
    assert not [page for page in pages if ADA in page.text]


def test_pinned_name_counts(world: World) -> None:
    """The user name of the file counts, whatever a form says."""
    world.write_config(basic_auth(NAME_LINE))
    assert finish(world.wizard(), username="eve") == 303
    assert world.setting("server.basic-auth")["username"] == ADA


def test_pinned_password_is_never_shown(world: World) -> None:
    """With only a password in the file, the wizard asks for a user name, tells the line, and shows no password."""
    world.write_config(basic_auth("enabled: true", PASSWORD_LINE))
    browser = world.wizard()
    page = browser.get("/setup").text
    assert "config.yml, line 4" in page
    assert PASSWORD not in page
    assert 'name="password"' not in page
    assert finish(browser, password=OTHER_PASSWORD) == 303
    assert world.browser().sign_in(ADA, PASSWORD).status_code == 303


def test_file_completed_during_setup_closes_it(world: World) -> None:
    """Whoever writes both halves into the file while the wizard is open has set up; the wizard is over."""
    browser = world.wizard()
    token = csrf_token(browser.get("/setup").text)
    world.write_credentials("grace", OTHER_PASSWORD)
    late = browser.client.post("/setup", data={**CREDENTIALS, "csrf_token": token})
    assert late.status_code == 404
    assert world.browser().sign_in("grace", OTHER_PASSWORD).status_code == 303


@pytest.mark.parametrize("line", ["password: short", f"password: '{ADA}'"])
def test_invalid_credentials_show_what_to_change(world: World, line: str) -> None:
    """With invalid credentials in the file every page shows the key, the line and what to change; no setup page."""
    world.write_config(basic_auth("enabled: true", NAME_LINE, line))
    answer = world.browser().get("/setup")
    assert answer.status_code == 503
    assert "config.yml, line 5" in answer.text
    assert "server.basic-auth.password" in answer.text
    assert "at least 12 characters" in answer.text
    assert "short" not in answer.text
