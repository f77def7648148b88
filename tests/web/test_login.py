"""`/login` and `/logout`."""

import re
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
import time_machine
from werkzeug.test import TestResponse

from authapp import users
from tests.world import (
    ADA,
    BOB,
    CHARLIE,
    DORA,
    OTHER_PASSWORD,
    PASSWORD,
    SHELL,
    Browser,
    World,
    csrf_token,
    elements,
    signed_in,
)

NEUTRAL = "That user name and password do not match."
PUBLIC = "server:\n  public-url: https://auth.example.com\n"


def same_but_for_name(answer: TestResponse, name: str) -> str:
    """Return a page without the CSRF token and the name that was typed."""
    token = csrf_token(answer.text)
    return answer.text.replace(token, "TOKEN").replace(f'="{name}"', '="NAME"')


def cookie_name(world: World) -> str:
    """Return the name of this installation's cookie, without a prefix."""
    return f"authapp-{world.setting('installation')['id'][:8]}"


def cookie(browser: Browser, name: str) -> str:
    """Return the value of a browser's cookie."""
    found = browser.client.get_cookie(name)
    assert found is not None
    return found.value


def set_cookie(answer: TestResponse, name: str) -> str:
    """Return the Set-Cookie line of a cookie."""
    return next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{name}="))


# -- signing in -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ADA, BOB, DORA, "BOB", " bob ", "\uff42\uff4f\uff42"])
def test_right_password_signs_in(cast: World, name: str) -> None:
    """Whoever types a name, in whatever case or Unicode form, and its password is signed in and led home."""
    browser = cast.browser()
    answer = browser.sign_in(name)
    assert (answer.status_code, answer.location) == (303, "/")
    assert browser.is_signed_in()


@pytest.mark.parametrize("name", [ADA, BOB, CHARLIE, "nobody", "<b>", "a:b", "x" * 300, "\x00", "€"])
def test_refusal_says_the_same_to_all(cast: World, name: str) -> None:
    """An unknown user, a wrong password, and one of an inactive user get the same page, byte for byte."""
    usual = cast.browser().sign_in("somebody", "Wrong password!")
    typed = name.replace("<", "&lt;").replace(">", "&gt;")
    answer = cast.browser().sign_in(name, "Wrong password!")
    assert NEUTRAL in answer.text
    assert answer.status_code == usual.status_code == 401
    assert same_but_for_name(answer, typed) == same_but_for_name(usual, "somebody")


def test_typed_name_stands_in_its_field_alone(cast: World) -> None:
    """The page of a refusal repeats the typed name in its own field, once."""
    assert cast.browser().sign_in("somebody", "Wrong password!").text.count("somebody") == 1


def test_refusal_headers_are_the_same(cast: World) -> None:
    """The headers of a refusal do not tell either whether somebody bears the name."""
    known, unknown = (cast.browser().sign_in(name, "Wrong password!").headers for name in (BOB, "bobo"))
    assert set(known.keys()) == set(unknown.keys())


def test_inactive_user_is_told_with_the_right_password(cast: World) -> None:
    """Only whoever types the right password learns that they wait for activation."""
    browser = cast.browser()
    answer = browser.sign_in(CHARLIE)
    assert answer.status_code == 401
    assert "activate" in answer.text.partition("<form")[0]
    assert not browser.is_signed_in()


def test_password_of_another_user_is_wrong(cast: World) -> None:
    """A password opens its own user only."""
    cast.add("eve", password=OTHER_PASSWORD)
    assert cast.browser().sign_in(BOB, OTHER_PASSWORD).status_code == 401


@pytest.mark.parametrize("typed", [{"username": BOB}, {"password": PASSWORD}, {}])
def test_empty_field_is_named(cast: World, typed: dict[str, str]) -> None:
    """A form with an empty field is shown again with 422, and nothing is counted as a try."""
    answer = cast.browser().post("/login", typed)
    assert answer.status_code == 422
    assert 'class="error"' in answer.text
    assert not cast.tables()["tries"]


@pytest.mark.parametrize("body", [{"username": BOB}, {"username": {"a": 1}}, "x", [1, 2], None])
def test_what_is_no_form_signs_nobody_in(cast: World, body: object) -> None:
    """JSON is no form, however it looks: the form is shown, as if nothing had been typed."""
    browser = cast.browser()
    token = csrf_token(browser.get("/login").text)
    typed = {"csrf_token": token, "password": PASSWORD, **body} if isinstance(body, dict) else body
    answer = browser.client.post("/login", json=typed, headers={"X-CSRFToken": token})
    assert answer.status_code == 422
    assert not browser.is_signed_in()


def test_whoever_was_signed_out_is_told(cast: World) -> None:
    """Whose session was ended by somebody else reads why the sign-in page is there; whoever signed out does not."""
    bob, words = signed_in(cast, BOB), "You were signed out."
    users.set_active(cast.database, cast.user(BOB).id, SHELL, active=False)
    assert words in bob.get("/", follow_redirects=True).text
    dora = signed_in(cast, DORA)
    dora.sign_out()
    assert words not in dora.get("/login").text
    assert words not in cast.browser().get("/login").text


def test_last_sign_in_is_told_wherever_one_goes(cast: World) -> None:
    """Who is led elsewhere than home reads there when they signed in last, and what failed since; once."""
    signed_in(cast, BOB)
    cast.browser().sign_in(BOB, "Wrong password!")
    bob = cast.browser()
    page = bob.post("/login?next=/account", {"username": BOB, "password": PASSWORD}, follow_redirects=True).text
    assert "Your last sign-in was on" in page
    assert "A try to sign in as you failed since then." in page
    assert "Your last sign-in" not in bob.get("/account").text


def test_a_file_is_no_user_name(cast: World) -> None:
    """A file sent in place of the user name comes in a form that is none of ours."""
    answer = cast.browser().post("/login", {"username": (BytesIO(b"bob"), "bob"), "password": PASSWORD})
    assert answer.status_code == 400


@pytest.mark.parametrize("name", [BOB, "nobody", ADA])
def test_ten_wrong_passwords_have_to_wait(cast: World, name: str) -> None:
    """After ten wrong passwords even the right one gets 429, and Retry-After says how many seconds to wait."""
    browser = cast.browser()
    assert {browser.sign_in(name, "Wrong password!").status_code for _ in range(10)} == {401}
    answer = browser.sign_in(name, PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 15 * 60
    assert "Too many tries" in answer.text


def test_waiting_ends(cast: World) -> None:
    """After a quarter of an hour the right password works again."""
    browser = cast.browser()
    for _ in range(11):
        browser.sign_in(BOB, "Wrong password!")
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=16)):
        assert browser.sign_in(BOB).status_code == 303


def test_one_who_waits_does_not_hold_up_others(cast: World) -> None:
    """Wrong passwords for one user lock out nobody else, and not the same user from another network."""
    browser = cast.browser()
    for _ in range(11):
        browser.sign_in(BOB, "Wrong password!")
    elsewhere = {"REMOTE_ADDR": "192.0.2.77"}
    assert browser.sign_in(DORA).status_code == 303
    typed = {"username": BOB, "password": PASSWORD}
    assert cast.browser().post("/login", typed, environ_overrides=elsewhere).status_code == 303


def test_right_password_forgets_wrong_ones(cast: World) -> None:
    """A right password in between starts the count again."""
    for _ in range(2):
        for _ in range(9):
            cast.browser().sign_in(BOB, "Wrong password!")
        assert cast.browser().sign_in(BOB).status_code == 303


def test_failed_csrf_check_keeps_the_name(cast: World) -> None:
    """A form that fails its CSRF check is shown again with 400 and the name, never the password."""
    answer = cast.browser().client.post("/login", data={"username": BOB, "password": PASSWORD, "remember": "y"})
    fields = {field.get("name"): field for _, field in elements(answer.text, "input")}
    assert answer.status_code == 400
    assert fields["username"]["value"] == BOB
    assert "checked" in fields["remember"]
    assert PASSWORD not in answer.text


def test_signed_in_visitor_goes_on(cast: World) -> None:
    """Whoever is signed in and opens the sign-in page goes on to where it would lead."""
    browser = cast.browser()
    browser.sign_in(BOB)
    assert browser.get("/login").location == "/"
    assert browser.get("/login?next=/account").location == "/account"


def test_form_works_after_another_tab_signed_in(cast: World) -> None:
    """A page opened before somebody signed in gets 400 and a fresh form, not a broken session."""
    browser = cast.browser()
    old = csrf_token(browser.get("/login").text)
    browser.sign_in(BOB)
    answer = browser.client.post("/login", data={"csrf_token": old, "username": BOB, "password": PASSWORD})
    assert answer.status_code == 400
    assert browser.is_signed_in()


# -- sessions -------------------------------------------------------------------------------------------------


def test_planted_cookie_is_not_kept(cast: World) -> None:
    """A cookie planted before the sign-in differs from the one after it, and is good for nothing."""
    victim, thief, name = cast.browser(), cast.browser(), cookie_name(cast)
    thief.get("/login")
    planted = cookie(thief, name)
    victim.client.set_cookie(name, planted)
    victim.sign_in(BOB)
    assert cookie(victim, name) != planted
    assert not thief.is_signed_in()


def test_csrf_token_is_new_after_sign_in(cast: World) -> None:
    """Whoever knew the CSRF token before the sign-in does not know the one after it."""
    browser, name = cast.browser(), cookie_name(cast)
    browser.get("/login")
    planted = cookie(browser, name)
    browser.sign_in(BOB)
    stranger = cast.browser()
    stranger.client.set_cookie(name, planted)
    old = csrf_token(stranger.get("/login").text)
    assert browser.client.post("/logout", data={"csrf_token": old}).status_code == 400


def test_signing_in_again_ends_the_session_before(cast: World) -> None:
    """Every sign-in makes a new session, and the one this browser had is over, whoever's it was."""
    browser, copy, name = cast.browser(), cast.browser(), cookie_name(cast)
    browser.sign_in(BOB)
    copy.client.set_cookie(name, cookie(browser, name))
    typed = {"csrf_token": csrf_token(browser.get("/").text), "username": DORA, "password": PASSWORD}
    assert browser.client.post("/login", data=typed).status_code == 303
    assert not copy.is_signed_in()
    assert cast.sessions_of(BOB) == 0


def test_failed_sign_in_keeps_the_session(cast: World) -> None:
    """A wrong password typed in a browser that is signed in ends nothing."""
    browser = cast.browser()
    browser.sign_in(BOB)
    typed = {"username": DORA, "password": "Wrong password!"}
    assert browser.post("/login", typed, form="/").status_code == 401
    assert browser.is_signed_in()


def test_only_a_hash_of_the_token_is_stored(cast: World) -> None:
    """The table of sessions holds the token's SHA-256, not the token."""
    browser = cast.browser()
    browser.sign_in(BOB)
    with browser.client.session_transaction() as content:
        token = content["token"]
    assert len(token) >= 43
    assert token not in str(cast.tables())


@pytest.mark.parametrize(("remember", "alive"), [("", False), ("y", True)])
def test_unused_session_ends(cast: World, remember: str, *, alive: bool) -> None:
    """A session that is unused for two hours is over, unless the user chose to stay signed in."""
    browser = cast.browser()
    browser.sign_in(BOB, PASSWORD, **({"remember": remember} if remember else {}))
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=3)):
        assert browser.is_signed_in() == alive


@pytest.mark.parametrize(("remember", "hours"), [("", 12), ("y", 30 * 24)])
def test_session_ends_even_when_used(cast: World, remember: str, hours: int) -> None:
    """A session lasts at most twelve hours, one that is kept at most thirty days, however busy it is."""
    browser, start = cast.browser(), datetime.now(UTC)
    browser.sign_in(BOB, PASSWORD, **({"remember": remember} if remember else {}))
    for hour in range(1, hours, 1 if hours < 24 else 60):
        with time_machine.travel(start + timedelta(hours=hour)):
            assert browser.is_signed_in()
    with time_machine.travel(start + timedelta(hours=hours, minutes=1)):
        assert not browser.is_signed_in()


def test_shorter_lifetime_counts_at_once(cast: World) -> None:
    """A shorter lifetime in the config file ends sessions that are older, without a restart."""
    browser = cast.browser()
    browser.sign_in(BOB)
    cast.write_config("session:\n  lifetime: 10m\n")
    assert browser.is_signed_in()
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=11)):
        assert not browser.is_signed_in()


def test_changed_secret_key_signs_everybody_out(cast: World) -> None:
    """Another secret key in the config file ends every session, also after the old key is back."""
    browser = cast.browser()
    browser.sign_in(BOB)
    cast.write_config("server:\n  secret-key: 'another secret key, long enough for all'\n")
    assert not browser.is_signed_in()
    cast.write_config("# nothing\n")
    assert not browser.is_signed_in()
    assert cast.sessions_of(BOB) == 0


# -- cookies --------------------------------------------------------------------------------------------------


def test_session_cookie(cast: World) -> None:
    """The cookie bears the installation's id, is HttpOnly, SameSite=Lax, for all paths, until the browser ends."""
    line = set_cookie(cast.browser().sign_in(BOB), cookie_name(cast))
    flags = {part.strip() for part in line.split(";")[1:]}
    assert flags == {"HttpOnly", "Path=/", "SameSite=Lax"}


def test_kept_cookie_is_persistent(cast: World) -> None:
    """With "Keep me signed in" the cookie outlives the browser."""
    line = set_cookie(cast.browser().sign_in(BOB, PASSWORD, remember="y"), cookie_name(cast))
    assert re.search(r"Expires=|Max-Age=", line)


def test_cookie_of_an_https_address(cast: World) -> None:
    """When people use an https address, the cookie is Secure and its name begins with __Host-, without a domain."""
    cast.write_config(PUBLIC)
    name = f"__Host-{cookie_name(cast)}"
    answer = cast.browser().get("/login", base_url="https://auth.example.com")
    flags = {part.strip() for part in set_cookie(answer, name).split(";")[1:]}
    assert flags == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}


def test_cookie_without_prefix_is_not_read_under_https(cast: World) -> None:
    """Under an https address a cookie without the __Host- prefix is not read."""
    browser, name = cast.browser(), cookie_name(cast)
    browser.sign_in(BOB)
    cast.write_config(PUBLIC)
    headers = {"Cookie": f"{name}={cookie(browser, name)}"}
    answer = cast.app.test_client(use_cookies=False).get("/", base_url="https://auth.example.com", headers=headers)
    assert answer.status_code == 303


@pytest.mark.parametrize("value", ["1", "", "x|y", "\xff", "a" * 4000, '{"user_id": 1}'])
@pytest.mark.parametrize("name", ["remember_token", "session", "token", ""])
def test_foreign_cookies_are_harmless(cast: World, name: str, value: str) -> None:
    """A cookie of another program, such as `remember_token`, neither signs in nor breaks anything."""
    headers = {"Cookie": f"{name or cookie_name(cast)}={value}"}
    client = cast.app.test_client(use_cookies=False)
    assert client.get("/login", headers=headers).status_code == 200
    assert client.get("/", headers=headers).status_code == 303


def test_tampered_cookie_signs_nobody_in(cast: World) -> None:
    """A cookie whose signature or content was changed signs nobody in."""
    browser, name = cast.browser(), cookie_name(cast)
    browser.sign_in(BOB)
    good = cookie(browser, name)
    for bad in (good[:-2], good[1:], good.swapcase(), good.rpartition(".")[0]):
        browser.client.set_cookie(name, bad)
        assert not browser.is_signed_in()
    browser.client.set_cookie(name, good)
    assert browser.is_signed_in()


# -- signing out ----------------------------------------------------------------------------------------------


def test_sign_out(cast: World) -> None:
    """Signing out leads to the sign-in page, which says so."""
    browser = cast.browser()
    browser.sign_in(BOB)
    answer = browser.sign_out()
    assert (answer.status_code, answer.location) == (303, "/login")
    assert "You are signed out." in browser.get("/login").text
    assert not browser.is_signed_in()


def test_sign_out_clears_site_data(cast: World) -> None:
    """Signing out clears the browser's cache and storage of this site, but never other tools' cookies."""
    browser = cast.browser()
    browser.sign_in(BOB)
    assert browser.sign_out().headers["Clear-Site-Data"] == '"cache", "storage"'


def test_cookie_is_dead_after_sign_out(cast: World) -> None:
    """A copy of the cookie made before the sign-out opens nothing afterwards."""
    browser, copy, name = cast.browser(), cast.browser(), cookie_name(cast)
    browser.sign_in(BOB)
    copy.client.set_cookie(name, cookie(browser, name))
    assert copy.is_signed_in()
    browser.sign_out()
    assert not copy.is_signed_in()


def test_sign_out_is_idempotent(cast: World) -> None:
    """Signing out a second time, or without ever having signed in, answers the same."""
    browser = cast.browser()
    for _ in range(2):
        assert browser.post("/logout", form="/login").location == "/login"


def test_sign_out_ends_this_browser_only(cast: World) -> None:
    """Signing out in one browser leaves the user's other browsers signed in."""
    one, other = cast.browser(), cast.browser()
    one.sign_in(BOB)
    other.sign_in(BOB)
    one.sign_out()
    assert other.is_signed_in()


def test_link_does_not_sign_out(cast: World) -> None:
    """Opening `/logout` as a link signs nobody out."""
    browser = cast.browser()
    browser.sign_in(BOB)
    assert browser.get("/logout").status_code == 405
    assert browser.is_signed_in()


# -- return URLs ----------------------------------------------------------------------------------------------

HOSTILE = [
    "//evil.example", "///evil.example", "////evil.example", "//evil.example/%2f..", "//evil.example:80/x",
    "/\\evil.example", "\\/evil.example", "\\\\evil.example", "\\evil.example", "/\\/evil.example",
    "/%5cevil.example", "/%5Cevil.example", "/%5c%5cevil.example", "/a\\b", "/account\\@evil.example",
    "http:evil.example", "https:evil.example", "http:/evil.example", "https:/evil.example",
    "http://evil.example", "https://evil.example", "HTTPS://evil.example", "http:///evil.example",
    "http:\\\\evil.example", "ftp://evil.example", "//user@evil.example", "https://localhost@evil.example",
    "/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example",
    "\n//evil.example", "\x00//evil.example", "/\x00/evil.example", "/\x0b/evil.example", "/\x7f/evil.example",
    "java\tscript:alert(1)", "javascript:alert(1)", "JavaScript:alert(1)", "javascript://%0aalert(1)",
    "data:text/html,x", "vbscript:x", "blob:x", "file:///etc/passwd", "mailto:a@b", "evil.example",
    "evil.example/account", "account", "./account", "../account", "?next=/", "#x", "@evil.example", ":80",
    "//[::1", "//[evil", "/account\r\nSet-Cookie: a=b", "/account\r\n\r\n<script>", "//localhost/account",
    "http://localhost/account", "/" + "a" * 5000, "", " ", "/ account",
]  # fmt: skip


@pytest.mark.parametrize("wanted", HOSTILE)
def test_hostile_return_url_leads_home(cast: World, wanted: str) -> None:
    """A return URL that is no plain path of this server leads to `/`, after signing in and before."""
    browser = cast.browser()
    typed = {"username": BOB, "password": PASSWORD, "csrf_token": csrf_token(browser.get("/login").text)}
    signed_in = browser.client.post("/login", data=typed, query_string={"next": wanted})
    again = browser.client.get("/login", query_string={"next": wanted})
    assert [answer.headers["Location"] for answer in (signed_in, again)] == ["/", "/"]


@pytest.mark.parametrize(
    "wanted", ["/account", "/account?tab=2&x=a%20b", "/admin/users#x", "/a//b", "/caf%C3%A9", "/"]
)
def test_good_return_url_is_followed(cast: World, wanted: str) -> None:
    """A path of this server is where signing in leads to, query string included."""
    browser = cast.browser()
    typed = {"username": BOB, "password": PASSWORD, "csrf_token": csrf_token(browser.get("/login").text)}
    answer = browser.client.post("/login", data=typed, query_string={"next": wanted})
    assert answer.headers["Location"] == wanted


def test_refused_page_is_where_signing_in_leads(cast: World) -> None:
    """Whoever opens a page without being signed in lands on that page, query string included, after signing in."""
    browser = cast.browser()
    answer = browser.get("/account?a=1&b=%26")
    assert answer.location is not None
    assert answer.location.startswith("/login?next=")
    typed = {"username": BOB, "password": PASSWORD}
    assert browser.post(answer.location, typed).location == "/account?a=1&b=%26"


def test_hostile_path_does_not_lead_away(cast: World) -> None:
    """Opening `//evil.example` here and signing in does not lead to another host."""
    browser = cast.browser()
    answer = browser.get("http://localhost//evil.example/account")
    assert "evil" not in (answer.location or "")
    assert answer.status_code in (303, 308, 404)


# -- the page -------------------------------------------------------------------------------------------------


def test_fields_tell_password_managers(cast: World) -> None:
    """Every form's fields carry the standard `autocomplete` tokens."""
    browser = cast.browser()
    fields = dict(_fields(browser, "/login"))
    browser.sign_in()
    fields |= {f"account.{name}": token for name, token in _fields(browser, "/account/password")}
    fields |= {f"new.{name}": token for name, token in _fields(browser, "/admin/users/new")}
    assert fields == {
        "username": "username", "password": "current-password",
        "account.username": "username",
        "account.current_password": "current-password", "account.new_password": "new-password",
        "new.username": "username", "new.full_name": "off", "new.password": "new-password",
    }  # fmt: skip


def test_wizard_fields_tell_password_managers(world: World) -> None:
    """The wizard's fields carry the standard `autocomplete` tokens too."""
    assert dict(_fields(world.browser(), "/setup")) == {"token": "one-time-code"}
    assert dict(_fields(world.wizard(), "/setup")) == {"username": "username", "password": "new-password"}


def _fields(browser: Browser, path: str) -> list[tuple[str, str]]:
    shown = [field for _, field in elements(browser.get(path).text, "input") if field.get("type") != "hidden"]
    return [(field["name"], field.get("autocomplete", "")) for field in shown if field.get("type") != "checkbox"]


def test_wrong_address_says_so(cast: World) -> None:
    """A sign-in page opened under another scheme or host than `server.public-url` says so and links there."""
    cast.write_config(PUBLIC)
    page = cast.browser().get("/login").text
    assert 'href="https://auth.example.com/login"' in page
    assert "auth.example.com" not in cast.browser().get("/login", base_url="https://auth.example.com").text


@pytest.mark.parametrize("url", ["https://auth.example.com:443", "http://auth.example.com:80"])
def test_default_port_is_no_other_address(cast: World, url: str) -> None:
    """A `public-url` that spells out its scheme's usual port is the same address."""
    cast.write_config(f"server:\n  public-url: {url}\n")
    assert "People sign in at" not in cast.browser().get("/login", base_url=url.rpartition(":")[0]).text


def test_recovery_tells_no_folder(cast: World) -> None:
    """The help for those who cannot sign in tells a stranger the file's name and keys, but no folder."""
    page = cast.browser().get("/login").text
    assert "Trouble signing in?" in page
    assert "config.yml" in page
    assert "basic-auth" in page
    assert str(cast.folder) not in page
