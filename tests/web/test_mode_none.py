"""The pages in mode none: nobody signs in, this machine alone gets in, and people are not looked after."""

import pytest
from werkzeug.test import TestResponse

from authapp import modes, settings, sign_up
from authapp.audit import Actor
from authapp.errors import Refused
from authapp.web.state import App
from tests.web.pages import FIREFOX
from tests.web.test_route_map import path_of
from tests.world import ADA, PASSWORD, SHELL, Browser, World, elements, signed_in

BANNER = "nobody signs in here"
PUBLIC_NONE = "auth: {mode: none, allow-public-none: true}\n"
# Whatever is about people, by the blueprint it is in; the rest of those views is named.
ABOUT_PEOPLE = ("users.", "user.", "invite.", "login.", "sign_up.", "api.", "own_tokens.", "locks.")
ALSO_ABOUT_PEOPLE = {
    "account.account_submit", "account.password", "account.password_submit", "account.password_check",
    "account.all_sessions", "account.end_session", "account.end_other_sessions", "account.change_password",
    "admin.all_sessions", "admin.end_session", "admin.recovery", "admin.recovery_submit",
    "admin.revoke_token",
}  # fmt: skip


@pytest.fixture
def none(world: World) -> World:
    """An installation in mode none."""
    world.write_mode("none")
    assert world.snapshot.problems == ()
    return world


def open_as(world: World, *, host: str = "localhost", peer: str = "127.0.0.1", **headers: str) -> TestResponse:
    """Open the home page under a Host, from an address, with more headers."""
    sent = {"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return world.browser().get("/", headers=sent, environ_base={"REMOTE_ADDR": peer})


NOT_ABOUT_PEOPLE = {
    "api.status", "api.one_organization", "api.another_organization", "api.all_workspaces", "api.another_workspace",
    "api.openapi", "api.docs", "api.all_settings", "api.one_setting", "api.change_setting", "api.reset_setting",
    "api.all_entries", "api.whoami", "api.logout",
}  # fmt: skip


def is_about_people(endpoint: str) -> bool:
    """Tell whether a view is about users, passwords, tokens or sessions."""
    if endpoint in NOT_ABOUT_PEOPLE:
        return False
    return endpoint.startswith(ABOUT_PEOPLE) or endpoint in ALSO_ABOUT_PEOPLE


# -- what opens -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/account", "/admin/settings"])
def test_pages_open_without_signing_in(none: World, path: str) -> None:
    """Whoever opens a page is the default user, and a banner says that nobody signs in."""
    page = none.browser().get(path)
    assert (page.status_code, BANNER in page.text) == (200, True)
    assert "Sign out" not in page.text


@pytest.mark.parametrize("path", ["/setup", "/login", "/admin/users", "/no/such/page", "/static/no-such-file"])
def test_the_banner_is_on_every_page(none: World, path: str) -> None:
    """Refusals carry the banner, too."""
    page = none.browser().get(path)
    assert page.status_code >= 400
    assert BANNER in page.text


def test_no_banner_where_people_sign_in(cast: World) -> None:
    """In mode basic no page carries the banner."""
    for page in (cast.browser().get("/login"), signed_in(cast).get("/")):
        assert BANNER not in page.text


def test_the_links_of_the_pages_work(none: World) -> None:
    """No page of mode none leads to a page that is refused."""
    browser = none.browser()
    for path in ("/", "/account", "/admin/settings"):
        links = [attributes["href"] for tag, attributes in elements(browser.get(path).text, "a") if tag == "a"]
        for link in links:
            if link.startswith("/"):
                assert browser.get(link).status_code in (200, 303), (path, link)


def test_setup_does_not_exist(none: World) -> None:
    """`/setup` is a 404 page that leads on."""
    page = none.browser().get("/setup")
    assert page.status_code == 404
    assert "Nothing to set up" in page.text


def test_admin_leads_to_the_settings(none: World) -> None:
    """There are no users to look after, so `/admin` leads to the settings."""
    assert none.browser().get("/admin").headers["Location"].endswith("/admin/settings")


def test_the_status(none: World) -> None:
    """Programs are told the mode, and that there is nothing left to set up."""
    answer = none.browser().get("/api/v1/status").get_json()
    assert answer == {"auth_mode": "none", "setup_complete": True}
    assert none.browser().get("/readyz").text == "ready\n"


# -- people ---------------------------------------------------------------------------------------------------


def refused(world: World, app: App) -> list[tuple[str, str, int]]:
    """Ask for every view with every method it takes; return `endpoint, who, status` of those about people."""
    found = []
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            if is_about_people(rule.endpoint):
                who = vars(app.view_functions[rule.endpoint])["access"].who
                status = world.browser().client.open(path_of(rule), method=method).status_code
                found.append((rule.endpoint, who, status))
    return found


def test_there_are_no_people(none: World) -> None:
    """Users, passwords and sessions are 403, and what strangers sign in or up with is 409."""
    before = none.tables()
    answers = refused(none, none.app)
    assert len(answers) > 30
    for endpoint, who, status in answers:
        assert status == (409 if who == "public" else 403), endpoint
    assert none.tables() == before


def test_every_view_about_people_says_so(none: World) -> None:
    """A view about users, passwords or sessions states that it is, and no other does."""
    for endpoint, view in none.app.view_functions.items():
        assert vars(view)["access"].people is is_about_people(endpoint), endpoint


def test_nobody_signs_up(none: World) -> None:
    """The sign-up switch opens nothing in mode none."""
    none.write_config("auth: {mode: none, sign-up: true}\n")
    with pytest.raises(Refused):
        sign_up.sign_up(none.database, none.snapshot, "eve", PASSWORD, Actor("form"))


def test_credentials_are_ignored(none: World) -> None:
    """Wrong, foreign or malformed credentials change nothing: everybody is the default user."""
    for value in ("Basic !!!", "Basic YTpi", "Bearer nonsense", "Digest x"):
        assert none.browser().get("/api/v1/workspaces", headers={"Authorization": value}).status_code == 200


# -- who gets in ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "auth.localhost"])
def test_loopback_hosts(none: World, host: str) -> None:
    """Under every loopback name the pages open."""
    assert open_as(none, host=host).status_code == 200


@pytest.mark.parametrize("host", ["192.168.1.5", "auth.example.com", "10.0.0.1:8080", "localhost.evil.example"])
def test_other_hosts(none: World, host: str) -> None:
    """Under another name nothing opens, so that a page elsewhere cannot reach in by a name it points here."""
    assert open_as(none, host=host).status_code == 403


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Forwarded",
        "X-Real-IP",
        "Via",
        "x-forwarded-anything",
    ],
)
def test_nothing_opens_through_a_proxy(none: World, header: str) -> None:
    """A forwarding header means that somebody else asks through this machine: refused."""
    assert open_as(none, **{header: "127.0.0.1"}).status_code == 403


def test_other_machines(none: World) -> None:
    """From another address nothing opens, whatever the Host says."""
    assert open_as(none, peer="192.0.2.7").status_code == 403


def test_in_public_on_purpose(world: World) -> None:
    """With `auth.allow-public-none` everybody gets in, under the names mode basic allows."""
    world.write_config(PUBLIC_NONE)
    page = open_as(world, host="192.168.1.5", peer="192.0.2.7", X_Forwarded_For="192.0.2.9")
    assert (page.status_code, "can reach this server" in page.text) == (200, True)


# -- forms ----------------------------------------------------------------------------------------------------


def save(browser: Browser, **headers: str) -> int:
    """Send the form of the settings without its token."""
    form = {"organization.name": "Stolen", "organization": "Stolen", "workspace": "Stolen"}
    return browser.client.post("/admin/settings", data=form, headers=headers).status_code


def test_forms_need_their_token(none: World) -> None:
    """A form without its token changes nothing, though nobody signed in."""
    browser = none.browser()
    browser.get("/admin/settings")
    before = none.tables()
    assert save(browser) == 400
    assert save(browser, Origin="https://evil.example") == 403
    assert save(browser, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert none.tables() == before


def test_no_password_is_asked_for(none: World) -> None:
    """Sensitive changes ask for no password: there is none."""
    answer = none.browser().post(
        "/admin/settings", {"organization.name": "Looms", "organization": "Looms", "workspace": "Default"}
    )
    assert answer.status_code == 303
    assert none.setting("organization.name") == "Looms"


# -- processes in the other mode ------------------------------------------------------------------------------


def test_a_server_left_in_mode_none(none: World) -> None:
    """Once another process has switched to basic, a server that still runs in mode none lets nobody in."""
    assert none.browser().get("/").status_code == 200
    with none.database.writing() as db:
        held = settings.hold(db)
        assert held is not None
        modes.leave_none(db, held, SHELL)
    none.look()
    page = none.browser().get("/")
    assert (page.status_code, "Restart" in page.text) == (503, True)
    ready = none.browser().get("/readyz")
    assert (ready.status_code, ready.text) == (503, "config\n")


def test_a_server_left_in_mode_basic(cast: World) -> None:
    """After `mode set none` a server that still runs in mode basic signs nobody in."""
    browser = signed_in(cast)
    modes.enter_none(cast.database, SHELL)
    cast.look()
    assert browser.get("/").status_code == 503
    assert cast.browser().client.post("/login", data={"username": ADA, "password": PASSWORD}).status_code == 503


def test_a_start_in_a_locked_mode_is_closed(cast: World) -> None:
    """Under another server, which cannot end the start, every page says why nobody gets in."""
    cast.write_mode("none")
    cast.restart()
    page = cast.browser().get("/")
    assert page.status_code == 503
    assert "the recorded mode is basic, the wanted one is none" in page.text
    assert "config.yml, line 1" in page.text


def test_sessions_of_before_are_over(cast: World) -> None:
    """A cookie from before mode none opens nothing after it."""
    browser = cast.browser()
    browser.client.environ_base["HTTP_USER_AGENT"] = FIREFOX
    browser.sign_in()
    modes.enter_none(cast.database, SHELL)
    cast.write_credentials()
    cast.restart()
    assert browser.get("/").status_code != 200


# -- shutting the door ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1"])
def test_a_proxy_that_says_nothing(none: World, protocol: str) -> None:
    """A proxy that adds no header speaks HTTP/1.0, which no browser does: refused."""
    answer = none.browser().get("/", environ_overrides={"SERVER_PROTOCOL": protocol})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "shut",
    [
        "auth: {mode: none}\nserver: {host: 0.0.0.0}\n",
        "auth: {mode: none, allow-public-none: false}\nserver: {public-url: 'https://a.example'}\n",
        "auth: {mode: basic}\nserver: {host: 127.0.0.1}\n",
    ],
)
def test_taking_back_what_lets_everybody_in(world: World, shut: str) -> None:
    """Once the file lets not everybody in any more, strangers are out at once, without a restart."""
    world.write_config(PUBLIC_NONE + "server: {host: 0.0.0.0}\n")
    assert open_as(world, host="192.168.1.5", peer="192.0.2.7").status_code == 200
    world.write_config(shut)
    assert open_as(world, host="192.168.1.5", peer="192.0.2.7").status_code == 403
    assert open_as(world).status_code == 200
    assert world.snapshot.warnings
