"""`/metrics`: who may read it, what is there while it is switched off, and that the numbers are right."""

import sys
from collections.abc import Iterator
from itertools import count

import pytest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from authapp import passwords, server
from authapp.errors import StartError
from authapp.metrics.declared import METRICS, PREFIX
from authapp.metrics.stock import Stock
from authapp.metrics.text import CONTENT_TYPE
from authapp.models import Scope
from tests.hasher import CountingHasher
from tests.web.program import Program, anonymous, basic, by_basic, by_jwt, by_token
from tests.world import ADA, BOB, DORA, OTHER_PASSWORD, WEAK_PASSWORD, World, signed_in

ON = "metrics: {enabled: true}\n"
OFF = "metrics: {enabled: false}\n"


@pytest.fixture
def watched(cast: World) -> World:
    """The cast, with the metrics switched on, and no number kept from one question to the next."""
    cast.app.stock = Stock(count(step=60).__next__)
    cast.write_config(ON)
    return cast


def ask(world: World, program: Program | None = None, method: str = "GET") -> TestResponse:
    """Ask for the metrics, by default as Ada with her password."""
    headers = basic() if program is None else program.headers
    return world.app.test_client(use_cookies=False).open("/metrics", method=method, headers=headers)


def numbers(world: World) -> dict[str, float]:
    """Return the metrics, each by its name and its labels in their order: `users admin active`."""
    return dict(_numbers(ask(world).text))


def _numbers(text: str) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield " ".join([sample.name.removeprefix(PREFIX), *sample.labels.values()]), sample.value


# -- who may --------------------------------------------------------------------------------------------------


def test_a_program_without_credentials(watched: World) -> None:
    """A program without credentials is asked for HTTP Basic."""
    answer = ask(watched, anonymous(watched))
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="authapp", charset="UTF-8"'


def test_superusers_with_basic_or_a_token(watched: World) -> None:
    """Superusers read it with HTTP Basic, or with an API token of any scope in either header."""
    key = by_token(watched, DORA, Scope.READ).headers["X-API-Key"]
    bearer = Program(watched.app.test_client(), {"Authorization": f"Bearer {key}"})
    programs = [by_basic(watched, DORA), bearer, *(by_token(watched, DORA, scope) for scope in Scope)]
    assert {ask(watched, program).status_code for program in programs} == {200}


def test_users_may_not(watched: World) -> None:
    """A user who is no superuser gets 403, whatever proves who it is."""
    answers = [ask(watched, by_basic(watched, BOB)), ask(watched, by_token(watched, BOB))]
    assert [answer.status_code for answer in answers] == [403, 403]


def test_no_session_and_no_jwt(watched: World) -> None:
    """A superuser's session does not open it, and shows no window of the browser's own; a JWT does not either."""
    answer = signed_in(watched, DORA).get("/metrics")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert ask(watched, by_jwt(watched, DORA)).status_code == 401


def test_guessing_is_counted_with_all_other_guessing(watched: World) -> None:
    """Ten wrong passwords here make the user wait here and at the sign-in page."""
    guess = by_basic(watched, BOB, OTHER_PASSWORD)
    assert [ask(watched, guess).status_code for _ in range(11)] == [401] * 10 + [429]
    assert watched.browser().sign_in(BOB).status_code == 429


def test_asking_again_hashes_nothing(watched: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that is sent every few seconds is hashed once."""
    monkeypatch.setattr(passwords, "HASHER", hasher := CountingHasher())
    assert [ask(watched).status_code for _ in range(5)] == [200] * 5
    assert hasher.verified == 1


def test_before_setup(world: World) -> None:
    """Before the setup nobody can prove anything: 503, and no page for programs to get lost on."""
    world.write_config(ON)
    answer = ask(world)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")


@pytest.mark.parametrize("host", ["10.0.0.11:8080", "node-1.internal:8080"])
def test_each_node_by_its_own_name(watched: World, host: str) -> None:
    """Behind a proxy a node is asked by its own name, which `server.public-url` does not say; pages are not."""
    watched.write_config(f"{ON}server: {{public-url: 'https://auth.example.com'}}\n")
    client, headers = watched.app.test_client(use_cookies=False), {**basic(), "Host": host}
    assert client.get("/metrics", headers=headers).status_code == 200
    assert client.get("/metrics", headers={"Host": host}).status_code == 401
    assert client.get("/admin/users", headers=headers).status_code == 421


def test_another_name_in_mode_none(world: World) -> None:
    """Where nobody needs credentials, another site's name opens nothing: one of its pages may have asked."""
    world.write_config("auth: {mode: none, allow-public-none: true}\n" + ON)
    client = world.app.test_client(use_cookies=False)
    assert client.get("/metrics", headers={"Host": "evil.example"}).status_code == 421


def test_in_mode_none(world: World) -> None:
    """In mode none, where everybody is a superuser, it opens to this machine without credentials."""
    world.write_config("auth: {mode: none}\n" + ON)
    assert ask(world, anonymous(world)).status_code == 200


# -- switched off ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_off_there_is_nothing(cast: World, method: str) -> None:
    """Until it is switched on, its address answers everybody as one does where nothing is."""
    client = cast.app.test_client(use_cookies=False)
    for headers in ({}, basic(), basic(BOB)):
        here = client.open("/metrics", method=method, headers=headers)
        nowhere = client.open("/nothing", method="HEAD" if method == "HEAD" else "GET", headers=headers)
        assert (here.status_code, here.text) == (nowhere.status_code, nowhere.text) == (404, here.text)


def test_switched_while_it_runs(watched: World) -> None:
    """An edit of the config file switches it off and on again, without a restart."""
    watched.write_config(OFF)
    assert ask(watched).status_code == 404
    watched.write_config(ON)
    assert ask(watched).status_code == 200


def test_without_its_library(watched: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its library there is nothing at the address, and a warning says what to install."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    watched.write_config(ON + "# edited\n")
    assert ask(watched).status_code == 404
    (warning,) = watched.snapshot.warnings
    assert (warning.key, warning.hint) == ("metrics.enabled", "pip install 'authapp[metrics]'")
    assert str(warning).startswith("config.yml:1:11 metrics.enabled: needs a library that is not installed")


def test_no_start_without_its_library(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that should have metrics and lacks the library does not start, and says what to install."""
    world.write_config(ON)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(
        StartError, match=r"^The metrics need their library; run: pip install 'authapp\[metrics\]'\.$"
    ):
        server.run(world.locations, {})


# -- what it says ---------------------------------------------------------------------------------------------


def test_the_answer_is_prometheus_text(watched: World) -> None:
    """The answer is Prometheus' text format, says so, and must not be stored."""
    answer = ask(watched)
    assert answer.headers["Content-Type"] == CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    head = ask(watched, method="HEAD")
    assert (head.status_code, head.data, head.headers["Content-Type"]) == (200, b"", CONTENT_TYPE)


def test_everything_declared_is_there(watched: World) -> None:
    """Every metric is in the answer, in the order of the documentation, and nothing else."""
    families = [family.name for family in text_string_to_metric_families(ask(watched).text)]
    assert families == [PREFIX + one.name for one in METRICS]


def test_numbers_follow_what_is_done(watched: World) -> None:
    """Users, sessions, tokens and sign-ins count with the next question."""
    before = numbers(watched)
    watched.add("eve")
    signed_in(watched, "eve")
    by_token(watched, ADA, Scope.READ)
    after = numbers(watched)
    moved = ("users user active", "sessions", "api_tokens read", "recent_sign_ins success form")
    assert [after[name] - before[name] for name in moved] == [1, 1, 1, 1]
    assert after["recent_sign_ins success basic"] == 1


def test_requests_by_view_and_status(watched: World) -> None:
    """A request counts under its view and the class of its status, and its duration under the view."""
    browser = watched.browser()
    browser.sign_in(BOB, OTHER_PASSWORD)
    browser.get("/account")
    found = numbers(watched)
    assert found["requests_total 2xx login.login"] == found["requests_total 4xx login.login_submit"] == 1
    assert found["requests_total 3xx account.account"] == 1
    assert found["request_duration_seconds_count login.login"] == 1


def test_what_the_config_is_like(watched: World) -> None:
    """A bad edit shows, with how much is wrong; the last good config stays, so the metrics stay, too."""
    good = numbers(watched)
    assert (good["config_good"], good["config_problems"], good["config_needs_restart"]) == (1, 0, 0)
    watched.write_config(ON + "server: {prot: 1, port: x}\n")
    bad = numbers(watched)
    assert (bad["config_good"], bad["config_problems"]) == (0, 2)
    watched.write_config(ON + "server: {port: 9999}\n")
    assert numbers(watched)["config_needs_restart"] == 1


def test_nothing_is_counted_while_it_is_off(watched: World) -> None:
    """Requests are counted from the moment somebody wants to know."""
    watched.write_config(OFF)
    watched.browser().get("/login")
    watched.write_config(ON)
    assert "requests_total 2xx login.login" not in numbers(watched)


def test_labels_are_bounded(watched: World) -> None:
    """Whatever addresses, names and methods are tried, the labels are views of ours, and `none`."""
    client = watched.app.test_client()
    for number in range(20):
        client.get(f"/{number}", headers=basic(f"nobody{number}", WEAK_PASSWORD))
        client.open(f"/admin/users/{number}", method=f"M{number}")
        client.get("/login", headers={"Host": f"{number}.example"})
    views = {name.split()[2] for name in numbers(watched) if name.startswith("requests_total")}
    assert views <= {*watched.app.view_functions, "none"}
    assert "none" in views


def test_nobody_is_named(watched: World) -> None:
    """No user name, address, path, host name or secret is part of the answer."""
    watched.browser().sign_in(BOB, OTHER_PASSWORD)
    by_token(watched, ADA, Scope.READ)
    text = ask(watched).text
    secret = watched.snapshot.effective.secret_key
    assert not [
        word for word in (ADA, BOB, DORA, "127.0.0.1", "/login", str(watched.folder), secret) if word in text
    ]
