"""`authapp token`: who has which tokens, making API tokens, and revoking both kinds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from authapp import audit_log, issued_tokens, tokens
from authapp.models import Scope
from tests.cli.commands import Run, is_one_sentence, is_safe_to_show, printed, said
from tests.world import ADA, BOB, CHARLIE, DORA, SHELL, World, signed_in

FACTS = {
    "id", "kind", "name", "scope", "user_id", "username", "created_at", "expires_at", "last_used_at",
    "last_used_from",
}  # fmt: skip
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def add(world: World, user: str, name: str = "backup", **rest: Any) -> issued_tokens.Issued:
    """Make an API token."""
    return issued_tokens.create(world.database, world.user(user).id, name, SHELL, **rest)


def issue(world: World, user: str) -> issued_tokens.Issued:
    """Make a JWT as a login does."""
    with world.database.writing() as db:
        return issued_tokens.issue_jwt(db, world.snapshot.effective, world.user(user))


def opens(world: World, token: str) -> bool:
    """Tell whether the API answers to a token."""
    answer = world.browser().get("/api/v1/users/whoami", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def listed(run: Run, *words: str) -> list[dict[str, Any]]:
    """Return the tokens a list names."""
    found: list[dict[str, Any]] = printed(run("token", "list", "--json", *words))
    return found


# -- list -----------------------------------------------------------------------------------------------------


def test_the_list_is_a_table(run: Run, cast: World) -> None:
    """The list shows id, user name, kind, name, scope, times in UTC, and from where a token was used."""
    with time_machine.travel(NOON, tick=False):
        made = add(cast, BOB, expires_at=NOON + timedelta(days=1))
        with cast.database.writing() as db:
            issued_tokens.touch(db, made.row.id, "192.0.2.7")
        headings, line = said(run("token", "list")).splitlines()
    assert headings.split("  ")[0] == "TOKEN"
    times = "2030-01-01 12:00  2030-01-02 12:00  2030-01-01 12:00"
    assert line == f"{made.row.id}  bob        API token  backup  read   {times}  192.0.2.7"


def test_the_list_for_scripts(run: Run, cast: World) -> None:
    """With `--json` the list is an array of objects with the documented fields; moments carry their time zone."""
    with time_machine.travel(NOON, tick=False):
        made = add(cast, BOB, scope=Scope.ADMIN)
        (one,) = listed(run)
    assert set(one) == FACTS
    assert (one["id"], one["user_id"], one["username"]) == (made.row.id, cast.user(BOB).id, BOB)
    assert (one["kind"], one["name"], one["scope"]) == ("api", "backup", "admin")
    assert (one["created_at"], one["expires_at"]) == ("2030-01-01T12:00:00+00:00", None)


def test_tokens_stay_secret(run: Run, cast: World) -> None:
    """No list holds a token, nor the hash of it."""
    made = add(cast, BOB)
    output = run("token", "list").output + run("token", "list", "--json").output
    assert made.row.id in output
    assert [secret for secret in (made.token, tokens.digest(made.token)) if secret in output] == []


def test_the_newest_token_comes_first(run: Run, cast: World) -> None:
    """The list is sorted by when a token was made, whichever kind it is."""
    made = []
    for minute, make in enumerate((add, issue, add)):
        with time_machine.travel(datetime.now(UTC) - timedelta(minutes=10 - minute)):
            made.append(make(cast, BOB).row.id)
    assert [one["id"] for one in listed(run)] == made[::-1]


@pytest.mark.parametrize("how", ["name", "id"])
def test_the_list_of_one_user(run: Run, cast: World, how: str) -> None:
    """`--user` takes a name or an id, and leaves only that user's tokens."""
    made = {add(cast, BOB).row.id, issue(cast, BOB).row.id}
    add(cast, DORA)
    bob = BOB.upper() if how == "name" else cast.user(BOB).id
    assert {one["id"] for one in listed(run, "--user", bob)} == made
    assert listed(run, "--user", CHARLIE) == []


@pytest.mark.parametrize("words", [("list", "--user", "nobody"), ("add", "nobody", "ci"), ("revoke", "--user", "")])
def test_tokens_of_nobody(run: Run, cast: World, words: tuple[str, ...]) -> None:
    """A user who is not there is refused in one sentence; an empty name does not mean everybody."""
    made = add(cast, BOB)
    result = run("token", *words, "--json")
    assert is_one_sentence(result)
    assert result.stdout == ""
    assert opens(cast, made.token)


def test_tokens_that_are_over(run: Run, cast: World) -> None:
    """A JWT that is over is not listed any more; an API token that is over is listed, and the table says so."""
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=13)):
        issue(cast, BOB)
        expired = add(cast, BOB, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert [one["id"] for one in listed(run)] == [expired.row.id]
    assert ", is over" in said(run("token", "list"))


@pytest.mark.parametrize("name", ["red\u202ered", "white\u2028white"])
def test_names_that_terminals_would_obey(run: Run, cast: World, name: str) -> None:
    """Users choose what their tokens are called: what a terminal would obey never reaches it raw."""
    made = add(cast, BOB)
    with cast.database.writing() as db:
        issued_tokens.get(db, made.row.id, SHELL)[0].name = name
    texts = [said(run("token", "list", *words)) for words in ((), ("--json",))]
    assert [is_safe_to_show(text) for text in texts] == [True, True]
    assert [one["name"] for one in listed(run)] == [name]


# -- add ------------------------------------------------------------------------------------------------------


def test_adding_a_token(run: Run, cast: World) -> None:
    """`token add` prints a token that opens the API as that user, may read, and works until it is revoked."""
    first, second = said(run("token", "add", BOB, "backup")).splitlines()
    token = first.removeprefix("Token: ")
    assert tokens.is_api_token(token)
    assert second == "It is shown this once, has the scope read, and works until it is revoked."
    assert opens(cast, token)
    with cast.database.reading() as db:
        found = issued_tokens.find(db, token)
    assert found is not None
    assert (found[0].name, found[0].scope, found[0].expires_at, found[1].username) == ("backup", "read", None, BOB)


def test_adding_a_token_for_scripts(run: Run, cast: World) -> None:
    """With `--json` the token stands beside what a list says of it."""
    made = printed(run("token", "add", BOB, "backup", "--scope", "write", "--json"))
    assert set(made) == FACTS | {"token"}
    assert (made["scope"], opens(cast, made["token"])) == ("write", True)
    assert [one["id"] for one in listed(run)] == [made["id"]]


@pytest.mark.parametrize(("expires", "end"), [("90d", "2030-04-01 12:00"), ("1d 12h", "2030-01-03 00:00")])
@pytest.mark.usefixtures("cast")
def test_a_token_with_an_end(run: Run, expires: str, end: str) -> None:
    """`--expires` takes a duration as the config file has them, and says until when that is."""
    with time_machine.travel(NOON, tick=False):
        assert f"works until {end} UTC." in said(run("token", "add", BOB, "backup", "--expires", expires))


@pytest.mark.parametrize("expires", ["soon", "0d", "-1d", "90", "3651d", ""])
@pytest.mark.usefixtures("cast")
def test_ends_that_are_none(run: Run, expires: str) -> None:
    """What is no duration, or too long a one, is wrong usage and says what a duration is like."""
    result = run("token", "add", BOB, "backup", f"--expires={expires}")
    assert result.exit_code == 2
    assert "must be" in result.stderr
    assert listed(run) == []


@pytest.mark.parametrize("name", ["", " ", "a\x1bb", "a\nb", "x" * 101])
@pytest.mark.usefixtures("cast")
def test_names_of_tokens(run: Run, name: str) -> None:
    """A token's name is refused in one sentence when it is empty, too long, or holds control characters."""
    result = run("token", "add", BOB, name)
    assert is_one_sentence(result)
    assert result.stdout == ""
    assert listed(run) == []


def test_a_token_too_many(run: Run, cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has as many tokens as allowed gets no further one, on the command line either."""
    monkeypatch.setattr(issued_tokens, "MOST_OF_ONE_USER", 1)
    add(cast, BOB)
    result = run("token", "add", BOB, "another")
    assert is_one_sentence(result)
    assert "1 API tokens" in result.stderr


def test_a_token_of_somebody_inactive(run: Run, cast: World) -> None:
    """A token of a user who is not active opens nothing before they are, and the command says so."""
    text = said(run("token", "add", CHARLIE, "backup"))
    token = text.splitlines()[0].removeprefix("Token: ")
    assert text.splitlines()[-1] == "But charlie is not active: before that it opens nothing."
    assert not opens(cast, token)
    run("user", "activate", CHARLIE)
    assert opens(cast, token)


def test_adding_is_written_down(run: Run, cast: World) -> None:
    """The audit table says who made which token for whom, and holds no token."""
    token = said(run("token", "add", BOB, "backup")).splitlines()[0].removeprefix("Token: ")
    (entry,) = cast.audit("token.created")
    assert (entry.road, entry.target, entry.detail) == ("command line", BOB, {"name": "backup", "scope": "read"})
    assert token not in str(audit_log.facts(entry))


# -- revoke ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [add, issue])
def test_revoking_one_token(run: Run, cast: World, make: Any) -> None:
    """A revoked token, of either kind, opens nothing at the next request; others do, and sessions stay."""
    revoked, other, browser = make(cast, BOB), make(cast, BOB), signed_in(cast, BOB)
    assert said(run("token", "revoke", revoked.row.id)) == "1 token is revoked.\n"
    assert [opens(cast, one.token) for one in (revoked, other)] == [False, True]
    assert browser.is_signed_in()
    entry = cast.audit("token.revoked")[-1]
    assert (entry.road, entry.target) == ("command line", BOB)


@pytest.mark.parametrize("wanted", ["nonsense", "", "%"])
def test_revoking_what_is_not_there(run: Run, cast: World, wanted: str) -> None:
    """A token that is not there, or not any more, is one sentence with exit status 1."""
    made = add(cast, BOB)
    result = run("token", "revoke", wanted, "--json")
    assert is_one_sentence(result)
    assert result.stdout == ""
    assert opens(cast, made.token)


def test_revoking_a_token_by_itself(run: Run, cast: World) -> None:
    """A token is revoked by its id, never by itself: whatever is typed stays in the shell's history."""
    made = add(cast, BOB)
    result = run("token", "revoke", made.token)
    assert is_one_sentence(result)
    assert made.token not in result.output
    assert opens(cast, made.token)


@pytest.mark.parametrize("how", ["name", "id"])
def test_revoking_a_users_tokens(run: Run, cast: World, how: str) -> None:
    """`--user` revokes all of one user's tokens, JWTs too, and says how many that were."""
    made = [add(cast, BOB), issue(cast, BOB), add(cast, DORA)]
    bob = BOB if how == "name" else cast.user(BOB).id
    assert said(run("token", "revoke", "--user", bob)) == "2 tokens are revoked.\n"
    assert [opens(cast, one.token) for one in made] == [False, False, True]
    assert cast.audit("token.all-revoked")[-1].detail == {"tokens": 2}


def test_revoking_everybodys_tokens(run: Run, cast: World) -> None:
    """`--all` revokes everybody's tokens, the owner's too, and leaves sessions alone."""
    made, browser = [add(cast, ADA), issue(cast, BOB), add(cast, DORA)], signed_in(cast, ADA)
    assert printed(run("token", "revoke", "--all", "--json")) == {"ended": 3}
    assert [opens(cast, one.token) for one in made] == [False, False, False]
    assert browser.is_signed_in()
    entry = cast.audit("token.everybodys-revoked")[-1]
    assert (entry.road, entry.detail) == ("command line", {"tokens": 3})


@pytest.mark.parametrize("words", [("--user", BOB), ("--all",)])
@pytest.mark.usefixtures("cast")
def test_nothing_to_revoke(run: Run, words: tuple[str, ...]) -> None:
    """Where there is no token, none is said to be revoked."""
    assert said(run("token", "revoke", *words)) == "0 tokens are revoked.\n"
    assert printed(run("token", "revoke", *words, "--json")) == {"ended": 0}


@pytest.mark.parametrize("words", [("--user", BOB), ("--all",)])
def test_what_was_over_is_not_revoked_again(run: Run, cast: World, words: tuple[str, ...]) -> None:
    """As many tokens are said to be revoked as the list had: JWTs that were over before do not count."""
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=13)):
        issue(cast, BOB)
    add(cast, BOB)
    assert len(listed(run)) == 1
    assert printed(run("token", "revoke", *words, "--json")) == {"ended": 1}
    assert cast.tables()["tokens"] == []
