"""Deny by default: every route, every method, every kind of visitor."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.routing import Rule

from authapp.web import guard
from authapp.web.security import SAFE_METHODS
from authapp.web.state import App
from tests.world import ADA, BOB, DORA, OTHER_PASSWORD, WEAK_PASSWORD, Browser, World, csrf_token

STATED = {
    "public": {
        "static", "health.healthz", "health.readyz", "api.status", "login.login", "login.login_submit",
        "login.logout", "account.change_password", "api.login", "api.logout", "api.sign_up",
        "sign_up.sign_up", "sign_up.sign_up_submit", "sign_up.password_check",
    },
    "setup": {"wizard.setup", "wizard.setup_submit", "wizard.token_submit", "wizard.password_check"},
    "user": {
        "account.home", "account.account", "account.password", "account.password_submit", "account.password_check",
        "account.account_submit", "account.all_sessions", "account.end_session", "account.end_other_sessions",
        "own_tokens.all_tokens", "own_tokens.create_token", "own_tokens.revoke_token", "own_tokens.revoke_all",
        "api.one_organization", "api.another_organization", "api.all_workspaces", "api.another_workspace",
        "api.whoami", "api.change_whoami", "api.change_password", "api.openapi", "api.docs",
        "api.all_sessions", "api.one_session", "api.end_session", "api.end_other_sessions",
        "api.all_tokens", "api.one_token", "api.create_token", "api.revoke_token", "api.revoke_all_tokens",
    },
    "superuser": {
        "admin.admin", "admin.recovery", "admin.recovery_submit", "admin.revoke_token",
        "admin.all_sessions", "admin.end_session", "locks.all_locks", "locks.lift",
        "api.all_locks", "api.lift_lock", "metrics.metrics", "audit.all_entries", "audit.export",
        "options.settings", "options.settings_submit", "options.reset",
        "users.all_users", "users.set_active", "users.set_superuser", "users.bulk",
        "invite.new_user", "invite.new_user_submit", "invite.new_list", "invite.new_list_submit",
        "user.show", "user.edit", "user.reset_password", "user.unlock", "user.end_sessions", "user.delete",
        "user.delete_submit", "user.revoke_token", "user.revoke_tokens",
        "api.all_users", "api.create_user", "api.create_users", "api.one_user", "api.change_user",
        "api.delete_user", "api.reset_password", "api.unlock", "api.everybodys_sessions", "api.sessions_of_user",
        "api.end_sessions_of_user", "api.end_session_of_user", "api.tokens_of_user", "api.revoke_tokens_of_user",
        "api.revoke_token_of_user", "api.all_settings", "api.one_setting", "api.change_setting",
        "api.reset_setting", "api.all_entries",
    },
}  # fmt: skip
ALWAYS = {"static", "health.healthz", "health.readyz", "api.status"}
VISITORS = {"a stranger": None, "a user": BOB, "a superuser": DORA, "the owner": ADA}
MAY = {
    "a stranger": {"public"},
    "a user": {"public", "user"},
    "a superuser": {"public", "user", "superuser"},
    "the owner": {"public", "user", "superuser"},
}
OFF = {"metrics.metrics"}  # until an option says otherwise, there is nothing at its address
every_visitor = pytest.mark.parametrize("visitor", VISITORS)


def rules(app: App) -> Iterator[tuple[str, str, str]]:
    """Yield every endpoint, method and a path that leads to it."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods or ()):
            yield rule.endpoint, method, path_of(rule)


def stated_by(app: App, endpoint: str) -> str:
    """Return who may call a view, as it states itself."""
    return str(vars(app.view_functions[endpoint])["access"].who)


def path_of(rule: Rule) -> str:
    """Return a path that matches a rule."""
    filled = {
        "user_id": "11111111-1111-4111-8111-111111111111",
        "filename": "app.css",
        "session_id": "2",
        "lock_id": "tries-2",
        "token_id": "3",
        "key": "auth.sign-up",
    }
    path = re.sub(r"<\w+:", "<", rule.rule)
    for name in rule.arguments:
        path = path.replace(f"<{name}>", filled[name])
    assert "<" not in path
    return path


def spy_on(app: App) -> list[str]:
    """Replace every view by one that notes that it was reached; return those notes."""
    reached: list[str] = []

    def watch(endpoint: str, view: Callable[..., Any]) -> None:
        def spy(**_: object) -> str:
            reached.append(endpoint)
            return "reached"

        vars(spy)["access"] = replace(vars(view)["access"], shows_again=False)
        app.view_functions[endpoint] = spy

    for endpoint, view in list(app.view_functions.items()):
        watch(endpoint, view)
    return reached


def sent(path: str, method: str, token: str) -> dict[str, Any]:
    """Return what a page of ours sends: a form with its CSRF token, or to the API JSON, with it in a header."""
    if method in SAFE_METHODS:
        return {}
    if path.startswith("/api/"):
        return {"json": {}, "headers": {"X-CSRFToken": token}}
    return {"data": {"csrf_token": token}}


def as_visitor(world: World, visitor: str) -> tuple[Browser, str]:
    """Return a visitor's browser, and a CSRF token that is good in it."""
    browser, name = world.browser(), VISITORS[visitor]
    if name is not None:
        browser.sign_in(name)
    return browser, csrf_token(browser.get("/login" if name is None else "/account").text)


def test_every_view_states_what_is_written_here(world: World) -> None:
    """Every view states who may call it, and it is what this table says."""
    stated: dict[str, set[str]] = {}
    for endpoint in world.app.view_functions:
        stated.setdefault(stated_by(world.app, endpoint), set()).add(endpoint)
    assert stated == STATED


def test_view_that_states_nothing_does_not_start() -> None:
    """An app with a view that states nothing about who may call it does not start."""
    app = App("careless", static_folder=None)
    app.add_url_rule("/secret", "secret", lambda: "secret")
    with pytest.raises(RuntimeError, match="secret does not state who may call it"):
        guard.init_app(app)


@every_visitor
def test_every_route_lets_in_whom_it_states(cast: World, visitor: str) -> None:
    """Every route and method is reached by whom its view states, and by nobody else."""
    browser, token = as_visitor(cast, visitor)
    reached, wrong = spy_on(cast.app), []
    for endpoint, method, path in rules(cast.app):
        if method == "OPTIONS":
            continue
        reached.clear()
        answer = browser.client.open(path, method=method, **sent(path, method, token))
        may = stated_by(cast.app, endpoint) in MAY[visitor] and endpoint not in OFF
        if (reached == [endpoint]) != may or (answer.status_code == 200) != may:
            wrong.append((method, path, answer.status))
    assert wrong == []


@every_visitor
def test_refusals_fit_the_visitor(cast: World, visitor: str) -> None:
    """Strangers are led to the sign-in page (API: 401), users get 403 at a superuser's page, setup is 404."""
    browser, token = as_visitor(cast, visitor)
    spy_on(cast.app)
    for endpoint, method, path in rules(cast.app):
        stated = stated_by(cast.app, endpoint)
        if stated in MAY[visitor] and endpoint not in OFF:
            continue
        answer = browser.client.open(path, method=method, **sent(path, method, token))
        led = 401 if endpoint.startswith("api.") and endpoint != "api.docs" else 303
        expected = 404 if stated == "setup" or endpoint in OFF else led if visitor == "a stranger" else 403
        assert answer.status_code == expected, (method, path)
        assert (answer.location or "/login").startswith("/login"), (method, path)


@every_visitor
def test_options_tells_only_who_may_call(cast: World, visitor: str) -> None:
    """OPTIONS tells the methods of a route to those alone who may call it."""
    browser, _ = as_visitor(cast, visitor)
    for endpoint, method, path in rules(cast.app):
        if method == "OPTIONS":
            may = stated_by(cast.app, endpoint) in MAY[visitor] and endpoint not in OFF
            answer = browser.client.options(path)
            assert ("Allow" in answer.headers) == (answer.status_code == 200) == may, path


@every_visitor
def test_other_methods_reach_nothing(cast: World, visitor: str) -> None:
    """A method that a route does not have reaches no view."""
    browser, token = as_visitor(cast, visitor)
    reached, adapter = spy_on(cast.app), cast.app.url_map.bind("localhost")
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
        paths = {path for _, _, path in rules(cast.app)}
        for path in {path for path in paths if not adapter.test(path, method)}:
            answer = browser.client.open(path, method=method, **sent(path, method, token))
            assert answer.status_code in (405, 303), (method, path)
    assert reached == []


@pytest.mark.parametrize("closed", [False, True], ids=["setup", "closed start"])
def test_before_anybody_can_sign_in(world: World, *, closed: bool) -> None:
    """Before setup, and in a closed start, only static files, health and status are reached, and the wizard."""
    token = csrf_token(world.browser().get("/setup").text)
    if closed:
        world.write_credentials(ADA, WEAK_PASSWORD)
        world.restart()
    reached = spy_on(world.app)
    for endpoint, method, path in rules(world.app):
        if method != "OPTIONS":
            world.browser().client.open(path, method=method, **sent(path, method, token))
            if method == "GET" and endpoint in ALWAYS:
                assert endpoint in reached
    assert set(reached) == ALWAYS | ({"wizard.setup"} if not closed else set())


PATHS = [
    "//admin/users", "/admin//users", "/admin/users/", "/ADMIN/users", "/static/../admin/users",
    "/healthz/../admin/users",
    "/healthz/admin/users", "/admin/users;x=/healthz", "/admin/users?/healthz", "/%61dmin/users", "/admin%2fusers",
    "/admin/users#/static/", "/./admin/users", "/api/v1/status/../../../admin/users", "/login/../admin/users",
    "/admin/users%00", "/static/%2e%2e/admin/users", "/admin/users/.", "/\\admin/users",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_way_of_writing_a_path_gets_in(cast: World, path: str) -> None:
    """However the path to the users is written, a stranger does not see them, and a plain user neither."""
    for visitor in ("a stranger", "a user"):
        answer = as_visitor(cast, visitor)[0].get(path, follow_redirects=True)
        assert DORA not in answer.text


# -- safe methods ---------------------------------------------------------------------------------------------


def crawl(world: World, browser: Browser) -> int:
    """Open every address there is with GET, HEAD and OPTIONS; return how many.

    But not the export of the audit table, which changes nothing except that it is written down there.
    """
    opened = 0
    for endpoint, method, path in rules(world.app):
        if method in SAFE_METHODS and endpoint != "audit.export":
            browser.client.open(path, method=method, buffered=True)
            browser.client.open(f"{path}?token=x&on=y&next=/&username=eve", method=method, buffered=True)
            opened += 1
    for user in (ADA, BOB) if opened and world.app.setup_is_over else ():
        browser.get(f"/admin/users/{world.user(user).id}/active?on=y")
    return opened


@every_visitor
def test_looking_changes_nothing(cast: World, visitor: str) -> None:
    """Opening every address changes no row of the database, whoever does it."""
    browser, _ = as_visitor(cast, visitor)
    before = cast.tables()
    assert crawl(cast, browser) > 20
    assert cast.tables() == before


def test_looking_changes_nothing_before_setup(world: World) -> None:
    """Opening every address changes nothing before setup either, with the setup token shown."""
    browser = world.wizard()
    before = world.tables()
    assert crawl(world, browser) > 20
    assert world.tables() == before


def test_looking_changes_nothing_after_recovery(cast: World) -> None:
    """Opening every address does not end the review after a recovery."""
    _ = cast.app
    cast.write_credentials(ADA, OTHER_PASSWORD)
    browser = cast.browser()
    browser.sign_in(ADA, OTHER_PASSWORD)
    before = cast.tables()
    crawl(cast, browser)
    assert cast.tables() == before
