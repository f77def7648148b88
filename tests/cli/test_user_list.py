"""`authapp user list` and `authapp user show`: what they tell of users, to people and to scripts."""

from datetime import datetime

import pytest

from authapp.cli import user as user_commands
from tests.cli.commands import MORE_FACTS, Run, printed, said
from tests.world import ADA, BOB, CHARLIE, DORA, World, signed_in

CAST = [ADA, BOB, CHARLIE, DORA]


def names(run: Run, *words: str) -> list[str]:
    """Return whom a list names, in its order."""
    return [one["username"] for one in printed(run("user", "list", "--json", *words))]


# -- list -----------------------------------------------------------------------------------------------------


def test_the_list_is_a_table(run: Run, cast: World) -> None:
    """The list shows who is there by name, with role, whether they may sign in, and when they last did."""
    cast.add("Zoë", active=False)
    lines = [line.split() for line in said(run("user", "list")).splitlines()]
    assert lines == [
        ["USER", "NAME", "FULL", "NAME", "ROLE", "ACTIVE", "LAST", "SIGN-IN", "STATE"],
        [ADA, "owner", "yes", "never"],
        [BOB, "user", "yes", "never"],
        [CHARLIE, "user", "no", "never"],
        [DORA, "superuser", "yes", "never"],
        ["Zoë", "user", "no", "never"],
    ]


def test_the_table_names_what_is_special(run: Run, cast: World) -> None:
    """The last columns say when a user signed in last, that they are locked, and that they owe a password."""
    signed_in(cast, BOB)
    run("user", "reset-password", BOB)
    for _ in range(11):
        cast.browser().sign_in(BOB, "Not the password")
    (line,) = (line for line in said(run("user", "list")).splitlines() if line.startswith(BOB))
    assert "never" not in line
    assert line.endswith("  locked, must change password")


def test_the_list_for_scripts(run: Run, cast: World) -> None:
    """With `--json` the list is an array of objects with the documented fields."""
    told = printed(run("user", "list", "--json"))
    assert [set(one) for one in told] == [MORE_FACTS] * 4
    owner = told[0]
    assert (owner["id"], owner["role"]) == (cast.user(ADA).id, "admin")
    assert [one["is_owner"] for one in told] == [True, False, False, False]
    assert [one["is_active"] for one in told] == [True, True, False, True]
    assert [one["is_superuser"] for one in told] == [True, False, False, True]


@pytest.mark.usefixtures("cast")
def test_nobody_found(run: Run) -> None:
    """A search that finds nobody is no failure: the headings alone, or an empty array."""
    (headings,) = said(run("user", "list", "--search", "nobody")).splitlines()
    assert headings.startswith("USER NAME  ")
    assert names(run, "--search", "nobody") == []


@pytest.mark.parametrize(("words", "found"), [
    ("--search b", [BOB]), ("--search EXAMPLE", [ADA]), ("--search harl", [CHARLIE]), ("--search %", []),
    ("--role admin", [ADA, DORA]), ("--role user", [BOB, CHARLIE]), ("--active", [ADA, BOB, DORA]),
    ("--inactive", [CHARLIE]), ("--role user --active", [BOB]), ("--search a --role admin --inactive", []),
])  # fmt: skip
@pytest.mark.usefixtures("cast")
def test_the_list_is_filtered(run: Run, words: str, found: list[str]) -> None:
    """The list holds only users whose names hold the text, of a role, who are active or not."""
    assert names(run, *words.split()) == found


@pytest.mark.parametrize(("column", "upward"), [
    ("username", CAST), ("role", [ADA, DORA, BOB, CHARLIE]), ("created_at", CAST), ("last_login_at", [DORA, BOB]),
])  # fmt: skip
def test_the_list_is_sorted(run: Run, cast: World, column: str, upward: list[str]) -> None:
    """`--sort` takes every column, and with a minus the other way round; those who never signed in come last."""
    for user in (DORA, BOB):
        signed_in(cast, user)
    found = names(run, "--sort", column), names(run, "--sort", f"-{column}")
    assert [one[: len(upward)] for one in found] == [upward, upward[::-1]]


@pytest.mark.parametrize("words", ["", "--sort -created_at", "--sort last_login_at", "--search o"])
def test_the_list_has_everybody(run: Run, cast: World, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """However many there are, the list holds everybody once."""
    monkeypatch.setattr(user_commands, "LONGEST_PAGE", 2)
    everybody = [cast.add(f"o{number}").username for number in range(5)]
    found = names(run, *words.split())
    assert len(found) == len(set(found))
    assert set(found) >= set(everybody)


# -- show -----------------------------------------------------------------------------------------------------


def test_show(run: Run, cast: World) -> None:
    """`show` prints a fact a line, in words."""
    signed_in(cast, DORA)
    lines = dict(line.split(": ", 1) for line in said(run("user", "show", DORA)).splitlines())
    assert (lines["user name"], lines["role"], lines["active"]) == (DORA, "superuser", "yes")
    assert lines["last sign-in"] != "never"
    assert not lines.keys() & {"initial password", "locked"}


def test_show_of_somebody_who_was_invited(run: Run, cast: World) -> None:
    """`show` tells until when an initial password works, and that it works only once the user is active."""
    run("user", "add", "erin", "--inactive")
    assert "initial password: works once the user is active\n" in said(run("user", "show", "erin"))
    run("user", "activate", "erin")
    assert "initial password: works until 20" in said(run("user", "show", "erin"))
    assert cast.user("erin").must_change_password


@pytest.mark.usefixtures("cast")
def test_show_of_somebody_who_never_came(run: Run) -> None:
    """Who never signed in is said so, to people in a word and to scripts as null."""
    assert "last sign-in: never\n" in said(run("user", "show", BOB))
    assert printed(run("user", "show", BOB, "--json"))["last_login_at"] is None


def test_show_for_scripts(run: Run, cast: World) -> None:
    """With `--json`, `show` prints the very object the list has for that user; moments carry their time zone."""
    signed_in(cast, BOB)
    told = printed(run("user", "show", BOB, "--json"))
    assert told in printed(run("user", "list", "--json"))
    moments = [datetime.fromisoformat(told[name]) for name in ("created_at", "last_login_at")]
    assert [moment.utcoffset() is not None for moment in moments] == [True, True]


@pytest.mark.usefixtures("cast")
def test_letters_of_every_language(run: Run) -> None:
    """Names arrive as they are, in tables and in JSON."""
    run("user", "add", "Łucja", "--full-name", "山田 太郎 🦊")
    assert "山田 太郎 🦊" in said(run("user", "list"))
    assert '"山田 太郎 🦊"' in said(run("user", "show", "łucja", "--json"))
