"""What is done to people counts at the very next request, whichever worker did it and whichever answers."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import pytest

from tests.server_process import Client, Server, every_worker, installation
from tests.world import ADA, OTHER_PASSWORD, PASSWORD, at_once

pytestmark = pytest.mark.xdist_group("server-people")
REQUESTS = 15  # new connections, so that it is unlikely that one of three workers is left out
NUMBERS = count(1)
End = Callable[[Server, str, str], object]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shared_url: str | None) -> Iterator[Server]:
    """A server with three workers whose setup Ada has finished."""
    with installation(tmp_path_factory.mktemp("people"), workers=3, database_url=shared_url) as server:
        server.start().set_up()
        yield server


@pytest.fixture
def owner(server: Server) -> Client:
    """Ada, signed in."""
    return server.signed_in()


@pytest.fixture
def name(owner: Client) -> str:
    """Somebody new who may sign in."""
    name = f"user-{next(NUMBERS)}"
    form = {"username": name, "password": PASSWORD, "active": "y"}
    assert owner.post("/admin/users/new", form).status == 303
    return name


def id_of(server: Server, name: str) -> str:
    """Return a user's id."""
    return str(server.rows(f"SELECT id FROM users WHERE username = '{name}'")[0][0])  # noqa: S608 - our own words


def seen(client: Client, path: str = "/") -> set[int]:
    """Open a page with the same cookies again and again; return the statuses."""
    return {Client(client.port, dict(client.cookies)).get(path).status for _ in range(REQUESTS)}


def initial_password(page: str) -> str:
    """Return the initial password a page shows."""
    (found,) = re.findall(r'<code class="password"[^>]*>([^<]+)</code>', page)
    return str(found)


# -- put out --------------------------------------------------------------------------------------------------


def by_page(what: str, form: dict[str, str] | None = None) -> End:
    """Return what the owner does to somebody on the admin pages."""

    def end(server: Server, name: str, user: str) -> None:
        sent = {key: value.format(name=name, id=user) for key, value in (form or {}).items()}
        answer = server.signed_in().post(f"/admin/users/{what.format(id=user)}", sent, page="/admin/users")
        assert answer.status in (200, 303), answer.text

    return end


def by_command(words: str) -> End:
    """Return what the host does to somebody on the command line."""

    def end(server: Server, name: str, _user: str) -> None:
        result = server.run(*words.format(name=name).split())
        assert result.returncode == 0, result.stderr

    return end


@pytest.mark.parametrize("end", [
    pytest.param(by_page("{id}/active"), id="deactivated"),
    pytest.param(by_page("{id}/delete", {"typed": "{name}"}), id="deleted"),
    pytest.param(by_page("{id}/reset-password"), id="reset"),
    pytest.param(by_page("{id}/sessions/end"), id="signed out"),
    pytest.param(by_page("bulk", {"ids": "{id}", "action": "deactivate"}), id="deactivated with others"),
    pytest.param(by_command("user deactivate {name}"), id="deactivated by command"),
    pytest.param(by_command("user delete {name} --yes"), id="deleted by command"),
    pytest.param(by_command("user reset-password {name}"), id="reset by command"),
    pytest.param(by_command("session revoke --user {name}"), id="signed out by command"),
])  # fmt: skip
def test_whoever_is_put_out_is_out(server: Server, name: str, end: End) -> None:
    """Who was deactivated, deleted, reset or signed out is refused by every worker at the very next request."""
    browsers = [server.signed_in(name), server.signed_in(name)]
    assert [seen(browser) for browser in browsers] == [{200}, {200}]
    end(server, name, id_of(server, name))
    assert [seen(browser) for browser in browsers] == [{303}, {303}]


@pytest.mark.parametrize(
    "end", [by_page("{id}/active"), by_page("{id}/delete", {"typed": "{name}"})], ids=["deactivated", "deleted"]
)
def test_whoever_is_put_out_does_not_come_back(server: Server, name: str, end: End) -> None:
    """Who was deactivated or deleted signs in at no worker."""
    end(server, name, id_of(server, name))
    assert {server.client().sign_in(name).status for _ in range(6)} == {401}


def test_a_role_counts_everywhere(server: Server, owner: Client, name: str) -> None:
    """A role that is given or taken counts at every worker at the very next request."""
    user, browser = id_of(server, name), server.signed_in(name)
    for form, status in (({}, 403), ({"on": "y"}, 200), ({}, 403)):
        assert owner.post(f"/admin/users/{user}/superuser", form, page="/admin/users").status == 303
        assert seen(browser, "/admin/users") == {status}


def test_an_open_form_is_worth_nothing(server: Server, owner: Client, name: str) -> None:
    """A superuser who was demoted can send no form any more that was open before, to no worker."""
    user = id_of(server, name)
    owner.post(f"/admin/users/{user}/superuser", {"on": "y"}, page="/admin/users")
    browser = server.signed_in(name)
    form = {"csrf_token": browser.token("/admin/users/new"), "username": f"by-{name}", "password": OTHER_PASSWORD}
    owner.post(f"/admin/users/{user}/superuser", {}, page="/admin/users")
    assert {browser.request("POST", "/admin/users/new", form).status for _ in range(REQUESTS)} == {403}
    assert not server.rows(f"SELECT id FROM users WHERE username = 'by-{name}'")  # noqa: S608 - our own words


def test_the_owner_stays_whoever_attacks(server: Server, owner: Client) -> None:
    """Five superusers who remove the owner at once, each in another way, are all refused."""
    user = id_of(server, ADA)
    ways: list[tuple[str, dict[str, str]]] = [
        (f"{user}/superuser", {}), (f"{user}/active", {}), (f"{user}/delete", {"typed": ADA}),
        ("bulk", {"ids": user, "action": "deactivate"}),
        ("bulk", {"ids": user, "action": "delete", "typed": "delete"}),
    ]  # fmt: skip
    calls = []
    for path, form in ways:
        attacker = f"user-{next(NUMBERS)}"
        wanted = {"username": attacker, "password": PASSWORD, "active": "y", "superuser": "y"}
        owner.post("/admin/users/new", wanted)
        browser = server.signed_in(attacker)
        signed = {"csrf_token": browser.token("/admin/users"), **form}
        calls.append(partial(browser.request, "POST", f"/admin/users/{path}", signed))
    assert [getattr(answer, "status", answer) for answer in at_once(*calls)] == [409] * 5
    assert seen(owner, "/admin/users") == {200}


# -- sessions -------------------------------------------------------------------------------------------------


def test_ending_a_session_elsewhere(server: Server, name: str) -> None:
    """A session that is ended from another browser is refused by every worker at once; that browser stays."""
    here, there = server.signed_in(name), server.signed_in(name)
    assert seen(there) == {200}
    page = here.get("/account/sessions").text
    (end,) = re.findall(r'action="(/account/sessions/[^"/]+/end)"', page)
    assert here.post(end, page="/account/sessions").status == 303
    assert (seen(there), seen(here)) == ({303}, {200})


@pytest.mark.parametrize("how", ["the others", "new password"])
def test_ending_all_others(server: Server, name: str, how: str) -> None:
    """Who signs out the others, or changes the password, stays signed in alone, at every worker."""
    here, *others = [server.signed_in(name) for _ in range(3)]
    assert [seen(browser) for browser in others] == [{200}, {200}]
    if how == "the others":
        answer = here.post("/account/sessions/end", page="/account/sessions")
    else:
        new = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
        answer = here.post("/account/password", new)
    assert answer.status == 303
    assert [seen(browser) for browser in (here, *others)] == [{200}, {303}, {303}]


def test_a_superuser_ends_a_session(server: Server, owner: Client, name: str) -> None:
    """A session that a superuser ends in the list of all is refused by every worker at once."""
    browser = server.signed_in(name)
    assert seen(browser) == {200}
    (session,) = server.rows(f"SELECT id FROM sessions WHERE user_id = '{id_of(server, name)}'")  # noqa: S608 - our own words
    assert owner.post(f"/admin/sessions/{session[0]}/end", page="/admin/sessions").status == 303
    assert seen(browser) == {303}


def test_signing_out_counts_everywhere(server: Server, name: str) -> None:
    """A cookie that somebody kept opens nothing at any worker after signing out."""
    browser = server.signed_in(name)
    kept = Client(server.port, dict(browser.cookies))
    assert browser.post("/logout", page="/").status == 303
    assert seen(kept) == {303}


# -- initial passwords ----------------------------------------------------------------------------------------


@pytest.fixture
def initial(owner: Client) -> tuple[str, str]:
    """Somebody who was invited: user name and initial password."""
    name = f"user-{next(NUMBERS)}"
    answer = owner.post("/admin/users/new", {"username": name, "active": "y"})
    return name, initial_password(answer.text)


def test_an_initial_password_works_everywhere(server: Server, initial: tuple[str, str]) -> None:
    """The initial password that one worker showed is known to all, and all lead to the change of password."""
    for _ in range(6):
        browser = server.signed_in(*initial)
        answer = browser.get("/")
        assert (answer.status, answer.headers["location"]) == (303, "/account/password")
    assert (seen(browser), seen(browser, "/account/password")) == ({303}, {200})


def test_a_replaced_password_counts_everywhere(server: Server, initial: tuple[str, str]) -> None:
    """Once it is replaced, every worker lets the person in, and none takes the initial password any more."""
    name, password = initial
    browser = server.signed_in(name, password)
    answer = browser.post("/account/password", {"current_password": password, "new_password": OTHER_PASSWORD})
    assert answer.status == 303
    assert seen(browser) == {200}
    assert {server.client().sign_in(name, password).status for _ in range(6)} == {401}


def test_an_initial_password_is_replaced_once(server: Server, initial: tuple[str, str]) -> None:
    """Of two browsers that replace an initial password at the same moment, one does; the other is out."""
    name, password = initial
    browsers = [server.signed_in(name, password) for _ in range(2)]
    chosen = [f"{OTHER_PASSWORD} {number}" for number in range(2)]
    calls = []
    for browser, new in zip(browsers, chosen, strict=True):
        token = browser.token("/account/password")
        form = {"csrf_token": token, "current_password": password, "new_password": new}
        calls.append(partial(browser.request, "POST", "/account/password", form))
    at_once(*calls)
    assert sorted(server.client().sign_in(name, new).status for new in chosen) == [303, 401]
    assert sorted(seen(browser).pop() for browser in browsers) == [200, 303]


def test_a_reset_revokes_what_was_shown_before(server: Server, owner: Client, initial: tuple[str, str]) -> None:
    """After a reset every worker takes the password that was shown last, and none the one before."""
    name, before = initial
    path = f"/admin/users/{id_of(server, name)}/reset-password"
    after = initial_password(owner.post(path, page="/admin/users").text)
    assert {server.client().sign_in(name, before).status for _ in range(6)} == {401}
    assert {server.client().sign_in(name, after).status for _ in range(6)} == {303}


# -- settings -------------------------------------------------------------------------------------------------


def test_a_setting_reaches_every_worker(server: Server, owner: Client) -> None:
    """A name that a superuser gives the organization stands on the pages of every worker within moments."""
    form = {"organization.name": "Analytical Engines", "workspace.name": "Mill"}
    assert owner.post("/admin/settings", form).status == 303
    titles = partial(server.client().get, "/login")
    every_worker(lambda: " · Analytical Engines</title>" in titles().text, "every worker shows the name")
