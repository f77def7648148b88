"""Creating users, and passwords that are generated, shown once, and die."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from authapp import invitations, logins, passwords, user_passwords, users
from authapp.audit import Actor
from authapp.database import Database
from authapp.errors import (
    BadFullName,
    BadList,
    BadUsername,
    LoginFailed,
    NotAllowed,
    Refused,
    SamePassword,
    UsernameTaken,
    WeakPassword,
)
from authapp.invitations import Invitation, NewUser, Row
from authapp.models import Role
from authapp.passwords import POLICIES
from tests.world import ADA, BOB, DORA, OTHER_PASSWORD, PASSWORD, SHELL, WEAK_PASSWORD, World, at_once

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
VISITOR = Actor("form", address="192.0.2.1")


def acting(world: World, username: str) -> Actor:
    """Somebody who acts on the admin pages."""
    return Actor("form", world.user(username).id, username, "192.0.2.7")


def invite(
    world: World, *wanted: NewUser | str, by: Actor = SHELL, database: Database | None = None
) -> list[Invitation]:
    """Invite people, active unless said otherwise."""
    people = [NewUser(each, active=True) if isinstance(each, str) else each for each in wanted]
    return invitations.invite(database or world.database, world.snapshot.effective, people, by)


def invited(world: World, wanted: NewUser | str = "erin") -> tuple[Invitation, str]:
    """Invite one; return the invitation and the initial password."""
    (made,) = invite(world, wanted)
    assert made.initial_password is not None
    return made, made.initial_password


def sign_in(world: World, username: str, password: str) -> str:
    """Sign somebody in; return the session's token."""
    return logins.sign_in(world.database, world.snapshot.effective, username, password, VISITOR)


def outcome(world: World, username: str, password: str) -> str:
    """Try to sign in; return how the audit table says it ended."""
    try:
        sign_in(world, username, password)
    except LoginFailed as error:
        return error.reason
    return "success"


def checked(world: World, *names: str) -> list[Row]:
    """Hold a list of user names against the rules; lines count from 1."""
    rows = [Row(line, NewUser(name)) for line, name in enumerate(names, 1)]
    return invitations.checked(world.database, world.snapshot.effective, rows)


# -- inviting -------------------------------------------------------------------------------------------------


def test_inviting_one(cast: World) -> None:
    """An invited user signs in with the generated password, which is to be replaced at once."""
    made, password = invited(cast)
    assert sign_in(cast, "erin", password)
    assert made.user.must_change_password


def test_inviting_many(cast: World) -> None:
    """Several users are created together, each with a password of their own, in the order of the list."""
    made = invite(cast, "erin", NewUser("frank", "Frank", role=Role.ADMIN, active=True), "gina")
    assert [(one.user.username, one.user.full_name, one.user.is_superuser) for one in made] == [
        ("erin", "", False),
        ("frank", "Frank", True),
        ("gina", "", False),
    ]
    assert [outcome(cast, one.user.username, one.initial_password or "") for one in made] == ["success"] * 3


def test_without_a_role_it_is_user(cast: World) -> None:
    """Nobody becomes a superuser without having been asked for as one."""
    assert invited(cast)[0].user.role == Role.USER


@pytest.mark.parametrize(("option", "active"), [("true", True), ("false", False)])
def test_active_as_the_option_says(world: World, option: str, active: bool) -> None:
    """Unless it is said, `auth.new-user-is-active` decides whether an invited user may sign in."""
    world.write_config(f"auth: {{new-user-is-active: {option}}}\n")
    assert invited(world, NewUser("erin"))[0].user.is_active is active
    assert invited(world, NewUser("frank", active=not active))[0].user.is_active is not active


def test_a_typed_password_needs_no_change(cast: World) -> None:
    """A password that a superuser typed is shown nowhere, does not die, and need not be replaced."""
    (made,) = invite(cast, NewUser("erin", password=PASSWORD, active=True))
    assert (made.initial_password, made.dies_at, made.user.must_change_password) == (None, None, False)
    with time_machine.travel(NOON + timedelta(days=3650)):
        assert outcome(cast, "erin", PASSWORD) == "success"


def test_inviting_is_recorded(cast: World) -> None:
    """The audit table says who invited whom, and whether a password was generated."""
    by = acting(cast, DORA)
    invite(cast, "erin", NewUser("frank", password=PASSWORD), by=by)
    entries = cast.audit("user.created")[-2:]
    assert [(entry.actor_id, entry.target) for entry in entries] == [(by.user_id, "erin"), (by.user_id, "frank")]
    assert [entry.detail["invited"] for entry in entries] == [True, False]


@pytest.mark.parametrize("name", ["😀" * 256, "a." * 128, "x1" * 128, "ΐ" * 256, "é" * 256])
def test_the_longest_names(cast: World, name: str) -> None:
    """A name may be as long as a name can be, whatever it is made of."""
    assert invite(cast, NewUser(name, name[:200]))[0].user.id == cast.user(name).id


# -- what is refused ------------------------------------------------------------------------------------------

BROKEN: list[tuple[NewUser, type[Refused]]] = [
    (NewUser("a:b"), BadUsername),
    (NewUser(""), BadUsername),
    (NewUser("a\0b"), BadUsername),
    (NewUser("a\udc80b"), BadUsername),
    (NewUser("erin", "a\x07b"), BadFullName),
    (NewUser("BOB"), UsernameTaken),
    (NewUser(ADA), UsernameTaken),
    (NewUser("erin", password=WEAK_PASSWORD), WeakPassword),
    (NewUser("erin", password=""), WeakPassword),
]


@pytest.mark.parametrize(("wanted", "refusal"), BROKEN)
def test_one_who_is_refused(cast: World, wanted: NewUser, refusal: type[Refused]) -> None:
    """A single user who cannot be created is told the rule itself, and nothing is written."""
    before = cast.tables()
    with pytest.raises(refusal):
        invite(cast, wanted)
    assert cast.tables() == before


@pytest.mark.parametrize(("wanted", "refusal"), BROKEN)
def test_all_or_nothing(cast: World, wanted: NewUser, refusal: type[Refused]) -> None:
    """When one of several cannot be created, none is, and the refusal names the line and the rule."""
    before = cast.tables()
    with pytest.raises(BadList, match=r"^Line 2: ") as raised:
        invite(cast, "gina", wanted, "harry")
    assert cast.tables() == before
    with pytest.raises(refusal, match=re.escape(str(raised.value).removeprefix("Line 2: "))):
        invite(cast, wanted)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("erin", "erin"),
        ("erin", "ERIN"),
        ("erin", "\uff45\uff52\uff49\uff4e"),
        ("zoë", "ZOE\u0308"),
        ("straße", "strasse"),
    ],
)
def test_one_name_twice_in_a_list(cast: World, first: str, second: str) -> None:
    """Two lines whose names differ only in case, width or Unicode form are one name: the second is refused."""
    rows = checked(cast, first, "frank", second)
    assert [str(row.refusal) if row.refusal else None for row in rows] == [
        None,
        None,
        "The same user name stands in line 1.",
    ]


def test_each_row_is_told_its_own_rule(cast: World) -> None:
    """Every row of a list is judged by itself, so that all can be mended at once."""
    rows = checked(cast, "erin", "a:b", BOB, "Erin", "gina")
    assert [type(row.refusal) for row in rows] == [type(None), BadUsername, UsernameTaken, BadList, type(None)]


def test_a_row_that_was_refused_stays_so(cast: World) -> None:
    """What was wrong with a line already is not judged again, and its name is left free for a good line."""
    reason = BadList("The role is neither user nor superuser.")
    rows = [Row(1, NewUser("frank"), reason), Row(2, NewUser("frank"))]
    found = invitations.checked(cast.database, cast.snapshot.effective, rows)
    assert [row.refusal for row in found] == [reason, None]


def test_rows_are_shown_as_they_will_be_stored(cast: World) -> None:
    """The preview of a list shows names in the form in which they will be kept."""
    rows = [Row(1, NewUser("zoe\u0308", "  Zoe\u0308 ", role=Role.ADMIN))]
    (row,) = invitations.checked(cast.database, cast.snapshot.effective, rows)
    assert row.user == NewUser("zoë", "Zoë", role=Role.ADMIN)


def test_a_list_is_told_its_own_lines(cast: World) -> None:
    """A refusal names the line of the list as it was written, with its headings and empty lines."""
    rows = [Row(3, NewUser("erin")), Row(7, NewUser(BOB)), Row(8, NewUser("frank"))]
    with pytest.raises(BadList, match=r"^Line 7: "):
        invitations.invite_list(cast.database, cast.snapshot.effective, rows, SHELL)
    made = invitations.invite_list(cast.database, cast.snapshot.effective, [rows[0], rows[2]], SHELL)
    assert [one.user.username for one in made] == ["erin", "frank"]


@pytest.mark.parametrize(("count", "words"), [(0, "empty"), (501, "At most 500")])
def test_how_many_at_once(cast: World, count: int, words: str) -> None:
    """Nobody at all is refused, and so are more than 500 at once."""
    with pytest.raises(BadList, match=words):
        invite(cast, *[f"user{number}" for number in range(count)])


def test_five_hundred_at_once(cast: World) -> None:
    """500 users are created in one go, all with different passwords."""
    made = invite(cast, *[f"user{number}" for number in range(500)])
    assert len({one.initial_password for one in made}) == 500


# -- generated passwords --------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["erin", "", "a" * 256, "Zubor-Takim-Lenot-Rafim-47"])
def test_generated_passwords_fit_every_policy(world: World, policy: str, name: str) -> None:
    """Whatever policy is in force and whatever the user is called, a generated password fits, and none repeats."""
    world.write_config(f"password: {{policy: {policy}}}\n")
    effective = world.snapshot.effective
    made = {invitations.generate(effective, name) for _ in range(20)}
    assert len(made) == 20
    assert [user_passwords.broken_rules(effective, name, password) for password in made] == [[]] * 20


def test_a_generated_password_that_breaks_the_policy_is_thrown_away(
    cast: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If chance makes a password that a policy refuses, another one is made."""
    made = iter([WEAK_PASSWORD, "Erin-Weaver", OTHER_PASSWORD])
    monkeypatch.setattr(passwords, "generate", partial(next, made))
    assert invitations.generate(cast.snapshot.effective, "erin") == OTHER_PASSWORD


def test_only_the_hash_is_stored(cast: World) -> None:
    """An initial password is in the answer and nowhere else: in no table, and in no log by accident."""
    made, password = invited(cast)
    assert password not in str(cast.tables())
    assert password not in repr(made)
    assert (cast.user("erin").password_hash or "").startswith("$argon2id$")


def test_what_was_typed_is_not_shown_by_accident() -> None:
    """A new user that ends up in a log or a traceback does not show the password."""
    assert PASSWORD not in repr(Row(1, NewUser("erin", password=PASSWORD)))


# -- how long an initial password works -----------------------------------------------------------------------


def test_an_initial_password_dies(cast: World) -> None:
    """An initial password works for 72 hours, and not a moment longer."""
    with time_machine.travel(NOON, tick=False) as clock:
        made, password = invited(cast)
        assert made.dies_at == NOON + timedelta(hours=72)
        clock.shift(timedelta(hours=72) - INSTANT)
        assert outcome(cast, "erin", password) == "success"
        clock.shift(INSTANT)
        assert outcome(cast, "erin", password) == "expired"


def test_waiting_for_activation_costs_no_time(cast: World) -> None:
    """Who is invited inactive gets the whole time from the activation on."""
    with time_machine.travel(NOON, tick=False) as clock:
        made, password = invited(cast, NewUser("erin", active=False))
        assert made.dies_at is None
        clock.shift(timedelta(days=30))
        assert outcome(cast, "erin", password) == "inactive"
        users.set_active(cast.database, made.user.id, SHELL, active=True)
        clock.shift(timedelta(hours=72) - INSTANT)
        assert outcome(cast, "erin", password) == "success"


def test_activating_again_what_is_active_gives_no_time(cast: World) -> None:
    """A switch that stands already does not make an initial password live longer."""
    with time_machine.travel(NOON, tick=False) as clock:
        made, password = invited(cast)
        clock.shift(timedelta(hours=71))
        users.set_active(cast.database, made.user.id, SHELL, active=True)
        clock.shift(timedelta(hours=1))
        assert outcome(cast, "erin", password) == "expired"


def test_the_lifetime_is_the_options(cast: World) -> None:
    """A change of `password.initial-lifetime` counts at once, for passwords that were made before too."""
    with time_machine.travel(NOON, tick=False) as clock:
        _, password = invited(cast)
        clock.shift(timedelta(hours=2))
        cast.write_config("password: {initial-lifetime: 1h}\n")
        assert outcome(cast, "erin", password) == "expired"
        cast.write_config("password: {initial-lifetime: 3h}\n")
        assert outcome(cast, "erin", password) == "success"


def test_an_expired_password_is_a_wrong_one(cast: World) -> None:
    """Who comes too late reads the words for a wrong password; only the audit table knows better."""
    with time_machine.travel(NOON, tick=False) as clock:
        _, password = invited(cast)
        clock.shift(timedelta(hours=72))
        with pytest.raises(LoginFailed) as late:
            sign_in(cast, "erin", password)
        with pytest.raises(LoginFailed) as wrong:
            sign_in(cast, "erin", OTHER_PASSWORD)
    assert str(late.value) == str(wrong.value)
    assert [entry.outcome for entry in cast.audit("sign-in")] == ["expired", "wrong"]


def test_a_password_of_ones_own_does_not_die(cast: World) -> None:
    """Once the initial password was replaced, nothing dies and nothing is asked for."""
    made, _ = invited(cast)
    user_passwords.set_password(cast.database, cast.snapshot.effective, made.user.id, OTHER_PASSWORD, SHELL)
    assert not cast.user("erin").must_change_password
    with time_machine.travel(NOON + timedelta(days=3650)):
        assert outcome(cast, "erin", OTHER_PASSWORD) == "success"


def test_an_initial_password_cannot_be_kept(cast: World) -> None:
    """The password of one's own is another one than the initial password."""
    made, password = invited(cast)
    proven = logins.confirm(cast.database, cast.snapshot.effective, "erin", password, VISITOR).password_hash
    change = partial(user_passwords.set_password, cast.database, cast.snapshot.effective, made.user.id)
    with pytest.raises(SamePassword):
        change(password, VISITOR, instead_of=proven)
    assert cast.user("erin").must_change_password


# -- races ----------------------------------------------------------------------------------------------------


def test_two_lists_with_one_name(cast: World) -> None:
    """Of two lists that hold one name, sent at the same moment, one is created whole and the other not at all."""
    found = at_once(
        partial(invite, cast, "erin", "frank", database=cast.connect()),
        partial(invite, cast, "gina", "ERIN", database=cast.connect()),
    )
    assert sorted(isinstance(one, Refused) for one in found) == [False, True]
    with cast.database.reading() as db:
        assert (users.find(db, "frank") is None) != (users.find(db, "gina") is None)


def meanwhile(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Let something happen while passwords are being hashed, between the first check and the writing."""
    real, pending = passwords.hash_password, iter([do])

    def hash_password(password: str) -> str:
        if once := next(pending, None):
            once()
        return real(password)

    monkeypatch.setattr(passwords, "hash_password", hash_password)


def test_a_list_that_was_overtaken_names_the_line(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody else takes a name while a list is being created, the refusal still names the line."""
    meanwhile(monkeypatch, partial(cast.add, "frank"))
    with pytest.raises(BadList, match=r"^Line 2: .*already"):
        invite(cast, "erin", "frank")
    with cast.database.reading() as db:
        assert users.find(db, "erin") is None


def test_one_who_was_overtaken(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody else takes a single user's name in between, the refusal is that of a taken name."""
    real, pending = invitations.checked, iter([partial(cast.add, "erin")])

    def checked(*arguments: Any) -> list[Row]:
        rows = real(*arguments)
        if once := next(pending, None):
            once()
        return rows

    monkeypatch.setattr(invitations, "checked", checked)
    with pytest.raises(UsernameTaken):
        invite(cast, "erin")


def test_a_superuser_who_is_demoted_meanwhile(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is demoted while passwords are being hashed creates nobody."""
    dora = acting(cast, DORA)
    demote = partial(users.set_superuser, cast.connect(), cast.user(DORA).id, SHELL, superuser=False)
    meanwhile(monkeypatch, demote)
    with pytest.raises(NotAllowed):
        invite(cast, "erin", "frank", by=dora)
    assert cast.events()[-1] == "user.demoted success"
