"""`authapp session`: who is signed in, and signing them out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from authapp import sessions
from authapp.audit import Actor
from authapp.cli import session
from tests.cli.commands import Run, is_one_sentence, is_safe_to_show, printed, said
from tests.world import ADA, BOB, CHARLIE, DORA, World, signed_in

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
FACTS = {
    "id", "user_id", "username", "address", "user_agent", "remember", "created_at", "last_seen_at",
}  # fmt: skip
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def begin(world: World, user: str, *, user_agent: str = FIREFOX, remember: bool = False) -> str:
    """Begin a session as a sign-in does; return its id."""
    visitor = Actor("form", address="192.0.2.7", user_agent=user_agent)
    with world.database.writing() as db:
        token = sessions.start(db, world.user(user), visitor, remember=remember)
    with world.database.reading() as db:
        found = sessions.find(db, world.snapshot.effective.config.session, token)
        assert found is not None
        return found[0].id


def listed(run: Run, *words: str) -> list[dict[str, Any]]:
    """Return the sessions a list names."""
    found: list[dict[str, Any]] = printed(run("session", "list", "--json", *words))
    return found


# -- list -----------------------------------------------------------------------------------------------------


def test_the_list_is_a_table(run: Run, cast: World) -> None:
    """The list shows session, user name, address, times in UTC and the browser in a person's words."""
    with time_machine.travel(NOON, tick=False):
        begun = begin(cast, BOB)
        headings, line = said(run("session", "list")).splitlines()
    assert headings.split("  ")[0] == "SESSION"
    times = "2030-01-01 12:00  2030-01-01 12:00"
    assert line == f"{begun}  bob        192.0.2.7  {times}  Firefox on Linux"


def test_the_list_for_scripts(run: Run, cast: World) -> None:
    """With `--json` the list is an array of objects with the documented fields; moments carry their time zone."""
    with time_machine.travel(NOON, tick=False):
        begun = begin(cast, BOB, remember=True)
        (one,) = listed(run)
    assert set(one) == FACTS
    assert (one["id"], one["user_id"], one["username"]) == (begun, cast.user(BOB).id, BOB)
    assert (one["address"], one["user_agent"], one["remember"]) == ("192.0.2.7", FIREFOX, True)
    assert one["created_at"] == one["last_seen_at"] == "2030-01-01T12:00:00+00:00"


def test_tokens_stay_secret(run: Run, cast: World) -> None:
    """No list holds what a browser's cookie holds, nor the hash of it."""
    begin(cast, BOB)
    (row,) = cast.tables()["sessions"]
    output = run("session", "list").output + run("session", "list", "--json").output
    assert [part for part in row.strip("()").split(", ") if len(part) == 66 and part.strip("'") in output] == []


def test_the_newest_session_comes_first(run: Run, cast: World) -> None:
    """The list is sorted by when the session began."""
    begun = []
    for minute, user in enumerate((BOB, ADA, DORA)):
        with time_machine.travel(datetime.now(UTC) - timedelta(minutes=10 - minute)):
            begun.append(begin(cast, user))
    assert [one["id"] for one in listed(run)] == begun[::-1]


def test_nobody_is_signed_in(run: Run, cast: World) -> None:
    """Where nobody is signed in, the list is the headings alone, or an empty array."""
    assert cast.sessions_of(ADA) == 0
    assert said(run("session", "list")).startswith("SESSION")
    assert listed(run) == []


@pytest.mark.parametrize("how", ["name", "id"])
def test_the_list_of_one_user(run: Run, cast: World, how: str) -> None:
    """`--user` takes a name or an id, and leaves only that user's sessions."""
    begun = {begin(cast, BOB), begin(cast, BOB)}
    begin(cast, DORA)
    bob = BOB.upper() if how == "name" else cast.user(BOB).id
    assert {one["id"] for one in listed(run, "--user", bob)} == begun
    assert listed(run, "--user", CHARLIE) == []


@pytest.mark.parametrize("user", ["nobody", ""])
@pytest.mark.parametrize("command", ["list", "revoke"])
def test_sessions_of_nobody(run: Run, cast: World, command: str, user: str) -> None:
    """A user who is not there is refused in one sentence; an empty name does not mean everybody."""
    begin(cast, BOB)
    result = run("session", command, "--user", user, "--json")
    assert is_one_sentence(result)
    assert result.stdout == ""
    assert cast.sessions_of(BOB) == 1


def test_the_list_has_everybody(run: Run, cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, the list holds each session once."""
    monkeypatch.setattr(session, "PAGE", 2)
    begun = [begin(cast, user) for user in (BOB, DORA, BOB, ADA, BOB)]
    assert sorted(one["id"] for one in listed(run)) == sorted(begun)


def test_sessions_that_are_over_are_not_listed(run: Run, cast: World) -> None:
    """A session that has been unused too long, and those of inactive users, are not listed."""
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=3)):
        begin(cast, BOB)
        remembered = begin(cast, BOB, remember=True)
    assert [one["id"] for one in listed(run)] == [remembered]
    run("user", "deactivate", BOB)
    assert listed(run) == []


@pytest.mark.parametrize("user_agent", ["\x9b31mred", "\x1b]0;title\x07", "a\nb", "a\u202eb", "\x7f"])
def test_browsers_that_terminals_would_obey(run: Run, cast: World, user_agent: str) -> None:
    """What a browser calls itself is a stranger's text: control characters in it never reach the terminal raw."""
    begin(cast, BOB, user_agent=user_agent)
    texts = [said(run("session", "list", *words)) for words in ((), ("--json",))]
    assert [is_safe_to_show(text) for text in texts] == [True, True]
    assert [one["user_agent"] for one in listed(run)] == [user_agent]


# -- revoke ---------------------------------------------------------------------------------------------------


def test_revoking_one_session(run: Run, cast: World) -> None:
    """The browser whose session is ended is signed out at its next click, and no other."""
    bob, dora = signed_in(cast, BOB), signed_in(cast, DORA)
    (one,) = listed(run, "--user", BOB)
    assert said(run("session", "revoke", one["id"])) == "1 session has ended.\n"
    assert (bob.is_signed_in(), dora.is_signed_in()) == (False, True)
    entry = cast.audit("session.ended")[-1]
    assert (entry.road, entry.target, entry.detail["from_address"]) == ("command line", BOB, "127.0.0.1")


@pytest.mark.parametrize("wanted", ["nonsense", "", "%"])
def test_revoking_what_is_not_there(run: Run, cast: World, wanted: str) -> None:
    """A session that is not there, or not any more, is one sentence with exit status 1."""
    begin(cast, BOB)
    result = run("session", "revoke", wanted, "--json")
    assert is_one_sentence(result)
    assert result.stdout == ""
    assert cast.sessions_of(BOB) == 1


def test_revoking_twice(run: Run, cast: World) -> None:
    """A session ends once."""
    begun = begin(cast, BOB)
    assert run("session", "revoke", begun).exit_code == 0
    assert is_one_sentence(run("session", "revoke", begun))


@pytest.mark.parametrize("how", ["name", "id"])
def test_revoking_a_users_sessions(run: Run, cast: World, how: str) -> None:
    """`--user` ends all of one user's sessions, and says how many that were."""
    browsers = [signed_in(cast, user) for user in (BOB, BOB, DORA)]
    bob = BOB if how == "name" else cast.user(BOB).id
    assert said(run("session", "revoke", "--user", bob)) == "2 sessions have ended.\n"
    assert [browser.is_signed_in() for browser in browsers] == [False, False, True]
    assert cast.audit("session.all-ended")[-1].detail == {"sessions": 2}


def test_revoking_everybodys_sessions(run: Run, cast: World) -> None:
    """`--all` signs everybody out, the owner too."""
    browsers = [signed_in(cast, user) for user in (ADA, BOB, DORA)]
    assert printed(run("session", "revoke", "--all", "--json")) == {"ended": 3}
    assert [browser.is_signed_in() for browser in browsers] == [False, False, False]
    assert cast.audit("session.everybodys-ended")[-1].detail == {"sessions": 3}


@pytest.mark.parametrize("words", [("--user", BOB), ("--all",)])
def test_nothing_to_revoke(run: Run, cast: World, words: tuple[str, ...]) -> None:
    """Where there is no session, none is said to have ended."""
    assert cast.sessions_of(BOB) == 0
    assert said(run("session", "revoke", *words)) == "0 sessions have ended.\n"
    assert printed(run("session", "revoke", *words, "--json")) == {"ended": 0}


@pytest.mark.parametrize("words", [("--user", BOB), ("--all",)])
def test_what_was_over_does_not_end_again(run: Run, cast: World, words: tuple[str, ...]) -> None:
    """As many sessions are said to have ended as the list had: those that were over before do not count."""
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=3)):
        begin(cast, BOB)
    begin(cast, BOB)
    assert len(listed(run)) == 1
    assert printed(run("session", "revoke", *words, "--json")) == {"ended": 1}
    assert cast.sessions_of(BOB) == 0
