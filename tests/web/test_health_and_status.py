"""`/healthz`, `/readyz` and `/api/v1/status`: what machines ask."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from tests.world import ADA, OTHER_PASSWORD, WEAK_PASSWORD, World, moved_away


def set_schema(world: World, number: str) -> None:
    """Let the database say that its schema is another one."""
    with world.database.engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})
        connection.commit()


def _fresh(world: World) -> None:
    world.look()


def _set_up(world: World) -> None:
    world.set_up()


def _bad_edit(world: World) -> None:
    world.set_up()
    world.write_config("pasword:\n  policy: nist\n")


def _weak_edit(world: World) -> None:
    world.set_up()
    world.write_credentials(ADA, WEAK_PASSWORD)


def _mended(world: World) -> None:
    _bad_edit(world)
    world.write_config("password:\n  policy: nist\n")


def _closed(world: World) -> None:
    world.write_credentials(ADA, WEAK_PASSWORD)


def _closed_later(world: World) -> None:
    world.set_up()
    world.write_credentials(ADA, WEAK_PASSWORD)
    world.restart()


def _opened(world: World) -> None:
    _closed_later(world)
    assert world.browser().get("/readyz").status_code == 503
    world.write_credentials(ADA, OTHER_PASSWORD)


def _adopted(world: World) -> None:
    world.write_credentials()


def _older_schema(world: World) -> None:
    world.set_up()
    set_schema(world, "0000")


def _newer_schema(world: World) -> None:
    world.set_up()
    set_schema(world, "9999")


def _older_schema_at_start(world: World) -> None:
    _older_schema(world)
    world.restart()


Prepare = Callable[[World], None]
STATES: dict[str, tuple[Prepare, str, int]] = {
    "before setup": (_fresh, "setup", 200),
    "after setup": (_set_up, "ready", 200),
    "adopted from the file": (_adopted, "ready", 200),
    "a bad edit": (_bad_edit, "config", 200),
    "a weak password in a live edit": (_weak_edit, "config", 200),
    "a mended edit": (_mended, "ready", 200),
    "a closed start": (_closed, "config", 503),
    "a closed start after setup": (_closed_later, "config", 503),
    "a closed start mended": (_opened, "ready", 200),
    "an older schema": (_older_schema, "schema", 503),
    "a newer schema": (_newer_schema, "schema", 503),
    "an older schema at start": (_older_schema_at_start, "schema", 503),
}
every_state = pytest.mark.parametrize(("prepare", "word", "status"), STATES.values(), ids=list(STATES))


@every_state
def test_readyz_says_it_in_one_word(world: World, prepare: Prepare, word: str, status: int) -> None:
    """`/readyz` says in one word whether people can sign in, with 503 when nobody can."""
    prepare(world)
    answer = world.browser().get("/readyz")
    assert (answer.text, answer.status_code) == (word + "\n", status)
    assert answer.mimetype == "text/plain"


@every_state
def test_healthz_answers_always(world: World, prepare: Prepare, word: str, status: int) -> None:
    """`/healthz` answers 200 in every state, as long as the process does."""
    prepare(world)
    answer = world.browser().get("/healthz")
    assert (word, status) in {(word, status) for _, word, status in STATES.values()}
    assert (answer.text, answer.status_code) == ("ok\n", 200)


def test_without_a_database(cast: World) -> None:
    """While the database is gone `/readyz` says so with 503, `/healthz` is fine, and both recover with it."""
    browser = cast.browser()
    with moved_away(cast):
        assert (browser.get("/readyz").text, browser.get("/readyz").status_code) == ("database\n", 503)
        assert browser.get("/healthz").status_code == 200
    assert browser.get("/readyz").text == "ready\n"


def test_started_without_a_database(cast: World) -> None:
    """An app that starts while the database is gone is not ready, and becomes ready with it."""
    with moved_away(cast):
        cast.restart()
        browser = cast.app.test_client()
        assert (browser.get("/readyz").text, browser.get("/healthz").status_code) == ("database\n", 200)
    cast.app.live.look()
    assert browser.get("/readyz").text == "ready\n"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/v1/status"])
def test_nothing_is_remembered_of_machines(cast: World, path: str) -> None:
    """Asking for health or status sets no cookie."""
    assert "Set-Cookie" not in cast.browser().get(path).headers


# -- status ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "complete"),
    [
        (_fresh, False), (_set_up, True), (_adopted, True),
        (_bad_edit, True), (_closed, False), (_closed_later, True),
    ],
)  # fmt: skip
def test_status_says_two_things(world: World, prepare: Prepare, *, complete: bool) -> None:
    """`/api/v1/status` says whether setup is complete and which mode this is, and nothing else, in every state."""
    prepare(world)
    answer = world.browser().get("/api/v1/status")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.json == {"setup_complete": complete, "auth_mode": "basic"}


def test_mixed_is_basic(world: World) -> None:
    """The mode `mixed` of the config file is the mode `basic`."""
    world.write_config("auth:\n  mode: mixed\n")
    assert world.browser().get("/api/v1/status").json == {"setup_complete": False, "auth_mode": "basic"}


def test_status_without_a_database(cast: World) -> None:
    """Without a database the status is 503, as problem+json."""
    browser = cast.browser()
    with moved_away(cast):
        answer = browser.get("/api/v1/status")
        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert browser.get("/api/v1/status").status_code == 200
