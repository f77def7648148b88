"""What ends when something happens to somebody: sessions, JWTs and API tokens."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.security import generate_password_hash

from authapp import (
    invitations,
    issued_tokens,
    locks,
    logins,
    modes,
    passwords,
    provision,
    sessions,
    tokens,
    user_names,
    user_passwords,
    users,
)
from authapp.audit import Actor
from authapp.errors import LastSuperuser, LoginFailed, NotAllowed, PasswordChangeRequired
from authapp.issued_tokens import Issued
from authapp.models import SignedIn, Token, TokenKind
from tests.world import ADA, BOB, DORA, OTHER_PASSWORD, PASSWORD, SHELL, World, at_once

VISITOR = Actor("form", address="192.0.2.1")
NEW_NAME = "another-name"
OLD_HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:10")
ALL, NONE = {"here", "elsewhere", "jwt", "api token"}, set[str]()
PROGRAMS = {"api token"}  # what was made to outlive a password


@dataclass(frozen=True, slots=True)
class Way:
    """A way in that needs no password: its row, and what a program or a browser sends."""

    row_id: str
    sent: str


class Ways:
    """Every way into one account: the session at hand, another one, a JWT and an API token."""

    def __init__(self, world: World, username: str) -> None:
        self.world = world
        self.user = world.user(username)
        jwt = logins.get_jwt(world.database, world.snapshot.effective, username, PASSWORD, VISITOR)
        api_token = issued_tokens.create(world.database, self.user.id, "backup", SHELL)
        self.all = {
            "here": self._session(),
            "elsewhere": self._session(),
            "jwt": Way(jwt.row.id, jwt.token),
            "api token": Way(api_token.row.id, api_token.token),
        }

    def _session(self) -> Way:
        with self.world.database.writing() as db:
            token = sessions.start(db, self.user, VISITOR)
            row = db.scalars(select(SignedIn).where(SignedIn.token_sha256 == tokens.digest(token))).one()
        return Way(row.id, token)

    def left(self) -> set[str]:
        """Return which of them have a row."""
        ids = row_ids(self.world)
        return {name for name, way in self.all.items() if way.row_id in ids}

    def opening(self) -> set[str]:
        """Return which of them open something."""
        effective = self.world.snapshot.effective
        with self.world.database.reading() as db:
            found = {
                "here": sessions.find(db, effective.config.session, self.all["here"].sent),
                "elsewhere": sessions.find(db, effective.config.session, self.all["elsewhere"].sent),
                "jwt": issued_tokens.find_jwt(db, effective, self.all["jwt"].sent),
                "api token": issued_tokens.find(db, self.all["api token"].sent),
            }
        return {name for name, one in found.items() if one is not None}


def row_ids(world: World) -> set[str]:
    """Return the ids of all sessions and tokens."""
    with world.database.reading() as db:
        return {*db.scalars(select(SignedIn.id)), *db.scalars(select(Token.id))}


def all_ways(world: World) -> dict[str, Ways]:
    """Return every way into everybody's account."""
    return {name: Ways(world, name) for name in (ADA, BOB, DORA)}


# -- what ends ------------------------------------------------------------------------------------------------


def change_password(world: World, ways: Ways, *, here: bool = True) -> None:
    """Change a user's password, in the session at hand or from elsewhere."""
    keep = ways.all["here"].row_id if here else None
    effective = world.snapshot.effective
    user_passwords.set_password(world.database, effective, ways.user.id, OTHER_PASSWORD, SHELL, keep=keep)


def edit(world: World, ways: Ways, **names: str) -> None:
    """Change a user's names."""
    user_names.edit(world.database, world.snapshot.effective, ways.user.id, SHELL, **names)


def sign_in(world: World, ways: Ways) -> None:
    """Sign in, with a hash of an older kind, which is replaced."""
    with world.database.writing() as db:
        user_passwords.store_hash(db, users.get(db, ways.user.id), OLD_HASH, SHELL)
    logins.sign_in(world.database, world.snapshot.effective, ways.user.username, PASSWORD, VISITOR)
    with world.database.reading() as db:
        assert users.password_hash_of(db, users.get(db, ways.user.id)) != OLD_HASH


def take_the_name(world: World, ways: Ways) -> None:
    """Let the owner take the name of a user who signed up."""
    with world.database.writing() as db:
        users.get(db, ways.user.id).signed_up = True
    world.write_credentials(ways.user.username, OTHER_PASSWORD)
    assert world.user(f"{ways.user.username} (signed up 1)").id == ways.user.id


def in_and_out(world: World, _: Ways) -> None:
    """Write the credentials that are stored into the file, and take it away."""
    world.write_credentials()
    world.remove_config()


Act = Callable[[World, Ways], Any]

ACTS: dict[str, Act] = {
    "password changed": change_password,
    "password changed from elsewhere": partial(change_password, here=False),
    "password reset": lambda world, ways: invitations.reset_password(
        world.database, world.snapshot.effective, ways.user.id, SHELL
    ),
    "deactivated": lambda world, ways: users.set_active(world.database, ways.user.id, SHELL, active=False),
    "deactivated and activated": lambda world, ways: [
        users.set_active(world.database, ways.user.id, SHELL, active=active) for active in (False, True)
    ],
    "deleted": lambda world, ways: users.delete_all(world.database, [ways.user.id], SHELL),
    "promoted": lambda world, ways: users.set_superuser(world.database, ways.user.id, SHELL, superuser=True),
    "demoted": lambda world, ways: users.set_superuser(world.database, ways.user.id, SHELL, superuser=False),
    "renamed": partial(edit, username=NEW_NAME),
    "full name": partial(edit, full_name="Somebody Else"),
    "signed in with an old hash": sign_in,
    "unlocked": lambda world, ways: locks.unlock(world.database, world.snapshot.effective, ways.user.id, SHELL),
    "put aside": take_the_name,
    "same credentials in the file": lambda world, _: world.write_credentials(),
    "same credentials in and out of the file": in_and_out,
    "password in the file": lambda world, _: world.write_credentials(ADA, OTHER_PASSWORD),
    "lone password in the file": lambda world, _: world.write_credentials(None, OTHER_PASSWORD),
    "name in the file": lambda world, _: world.write_credentials(NEW_NAME, PASSWORD),
    "lone name in the file": lambda world, _: world.write_credentials(NEW_NAME, None),
}


@pytest.mark.parametrize(
    ("act", "to", "left"),
    [
        *(("password changed", name, {"here", *PROGRAMS}) for name in (ADA, BOB, DORA)),
        *(("password changed from elsewhere", name, PROGRAMS) for name in (ADA, BOB)),
        *(("password reset", name, NONE) for name in (ADA, BOB, DORA)),
        *(("deactivated", name, NONE) for name in (BOB, DORA)),
        ("deactivated and activated", BOB, NONE),
        *(("deleted", name, NONE) for name in (BOB, DORA)),
        ("promoted", BOB, ALL),
        ("demoted", DORA, ALL),
        *(("renamed", name, ALL) for name in (ADA, BOB)),
        ("full name", BOB, ALL),
        *(("signed in with an old hash", name, ALL) for name in (ADA, BOB)),
        ("unlocked", BOB, ALL),
        ("same credentials in the file", ADA, ALL),
        ("same credentials in and out of the file", ADA, ALL),
        ("password in the file", ADA, NONE),
        ("lone password in the file", ADA, NONE),
        ("name in the file", ADA, NONE),
        ("lone name in the file", ADA, NONE),
    ],
)
def test_what_ends(cast: World, act: str, to: str, left: set[str]) -> None:
    """Whatever happens to somebody ends these ways into the account, for good, and nobody else's."""
    ways = all_ways(cast)
    ACTS[act](cast, ways[to])
    assert {name: each.left() for name, each in ways.items()} == {ADA: ALL, BOB: ALL, DORA: ALL, to: left}
    # The session at hand has got another token; what it had before opens nothing.
    assert ways[to].opening() == (left - {"here"} if act == "password changed" else left)


def test_the_session_at_hand_goes_on(cast: World) -> None:
    """Whoever changes their password stays signed in where they did it, by a new token."""
    ways = Ways(cast, BOB)
    renewed = user_passwords.set_password(
        cast.database,
        cast.snapshot.effective,
        ways.user.id,
        OTHER_PASSWORD,
        SHELL,
        keep=ways.all["here"].row_id,
    )
    with cast.database.reading() as db:
        found = sessions.find(db, cast.snapshot.effective.config.session, renewed or "")
    assert found is not None
    assert found[0].id == ways.all["here"].row_id


def test_whoever_is_put_aside(cast: World) -> None:
    """When the owner takes the name of somebody who signed up, all of both ends; a third one notices nothing."""
    ways = all_ways(cast)
    take_the_name(cast, ways[BOB])
    assert {name: each.left() for name, each in ways.items()} == {ADA: NONE, BOB: NONE, DORA: ALL}


def test_a_replaced_owner(cast: World) -> None:
    """When the file makes another user the owner, all of the former one and of the new one ends."""
    ways = all_ways(cast)
    cast.write_credentials(BOB, OTHER_PASSWORD)
    assert {name: each.left() for name, each in ways.items()} == {ADA: NONE, BOB: NONE, DORA: ALL}


@pytest.mark.parametrize("act", ["deactivated", "deleted", "demoted"])
def test_a_refusal_ends_nothing(cast: World, act: str) -> None:
    """What is refused ends nothing, neither of the one it is about nor of others in the same list."""
    ways = all_ways(cast)
    with pytest.raises(LastSuperuser):
        ACTS[act](cast, ways[ADA])
    with pytest.raises(LastSuperuser):
        users.set_all_active(cast.database, [ways[name].user.id for name in (BOB, ADA)], SHELL, active=False)
    assert [each.left() for each in ways.values()] == [ALL] * 3


def test_a_refused_file_ends_nothing(cast: World) -> None:
    """Credentials in the file that break a rule end nothing."""
    ways = all_ways(cast)
    cast.write_credentials(ADA, "short")
    assert cast.snapshot.problems
    assert [each.opening() for each in ways.values()] == [ALL] * 3


@pytest.mark.parametrize(("act", "event"), [("password reset", "user.password-reset"), ("deleted", "user.deleted")])
def test_how_many_ended_is_recorded(cast: World, act: str, event: str) -> None:
    """The audit table says how many sessions and tokens ended."""
    ACTS[act](cast, Ways(cast, BOB))
    assert cast.audit(event)[0].detail == {"sessions": 2, "tokens": 2}


# -- the secret key -------------------------------------------------------------------------------------------


def test_a_rotated_secret_key(cast: World) -> None:
    """A new secret key ends everybody's sessions and JWTs, and says how many; API tokens need no key."""
    ways = all_ways(cast)
    assert provision.rotate_secret_key(cast.database, cast.snapshot.effective, SHELL).sessions == 6
    assert [each.left() for each in ways.values()] == [PROGRAMS] * 3
    assert cast.audit("secret-key.rotated")[0].detail == {"sessions": 6, "tokens": 3}
    cast.restart()
    assert [each.opening() for each in ways.values()] == [PROGRAMS] * 3


@pytest.mark.parametrize("and_back", [False, True])
def test_another_secret_key_in_the_file(cast: World, and_back: bool) -> None:
    """Another secret key in the file does the same; nothing comes back when the old key does."""
    ways = all_ways(cast)
    cast.write_config(f"server: {{secret-key: '{'k' * 40}'}}\n")
    if and_back:
        cast.remove_config()
    assert [each.left() for each in ways.values()] == [PROGRAMS] * 3
    assert [each.opening() for each in ways.values()] == [PROGRAMS] * 3


# -- mode none ------------------------------------------------------------------------------------------------


def test_entering_mode_none(cast: World) -> None:
    """On the way to mode none everything of everybody ends."""
    all_ways(cast)
    assert modes.enter_none(cast.database, SHELL)
    assert row_ids(cast) == set()


@pytest.mark.parametrize("credentials", [True, False])
def test_leaving_mode_none(world: World, credentials: bool) -> None:
    """Nothing that somebody slipped in while nobody had to sign in opens anything once people do."""
    world.write_mode("none")
    _ = world.app
    default, made = world.user("default"), tokens.generate_api_token()
    with world.database.writing() as db:
        sessions.start(db, default, SHELL)
        issued_tokens.issue_jwt(db, world.snapshot.effective, default)
        sha256 = tokens.digest(made)
        db.add(Token(kind=TokenKind.API, sha256=sha256, user_id=default.id, created_at=default.created_at))
    assert len(row_ids(world)) == 3
    world.write_mode("basic", credentials=credentials)
    world.restart()
    assert world.snapshot.problems == ()
    assert row_ids(world) == set()


def test_the_first_start_ends_nothing(cast: World) -> None:
    """A server that starts again with the same files ends nothing."""
    ways = all_ways(cast)
    cast.restart()
    assert [each.opening() for each in ways.values()] == [ALL] * 3


# -- at the same moment ---------------------------------------------------------------------------------------


def use(world: World, ways: Ways) -> None:
    """Use an API token and a session as requests do: find the token, and write that it was used, or the session."""
    database = world.connect()
    for _ in range(20):
        with database.reading() as db:
            found = issued_tokens.find(db, ways.all["api token"].sent)
        if found is not None:
            with database.writing() as db:
                issued_tokens.touch(db, found[0].id, "192.0.2.1")
        with database.writing() as db:
            sessions.touch(db, ways.all["here"].row_id)


ENDS = ["deactivated", "deleted", "password reset"]


@pytest.mark.parametrize("act", ENDS)
def test_used_while_it_ends(cast: World, act: str) -> None:
    """A token that is used all the while its user is shut out does not fail, and does not survive."""
    ways = Ways(cast, BOB)
    _ = cast.snapshot
    uses = [partial(use, cast, ways) for _ in range(3)]
    outcomes = at_once(*uses, partial(ACTS[act], cast, ways))
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert (ways.left(), ways.opening()) == (NONE, NONE)


@pytest.mark.parametrize("act", ENDS)
def test_made_while_everything_ends(cast: World, act: str) -> None:
    """A token made while its user is shut out either is never made, or ends with the others."""
    bob = cast.user(BOB)
    by, ways = Actor("api", bob.id, BOB), Ways(cast, BOB)
    make = partial(issued_tokens.create, cast.connect(), bob.id, "backup", by)
    made, _ = at_once(make, partial(ACTS[act], cast, ways))
    assert isinstance(made, Issued | NotAllowed | PasswordChangeRequired)
    assert row_ids(cast) == set()


@pytest.mark.parametrize("name", [ADA, BOB])
def test_a_jwt_made_while_the_password_changes(cast: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A JWT that is made while the password is being changed ends with that change."""
    issue, effective = issued_tokens.issue_jwt, cast.snapshot.effective
    ways = Ways(cast, name)
    changing = threading.Thread(
        target=user_passwords.set_password,
        args=(cast.connect(), effective, ways.user.id, OTHER_PASSWORD, SHELL),
    )

    def issue_slowly(*arguments: Any) -> Issued:
        changing.start()
        changing.join(0.3)  # it either has to wait for this JWT, or is done before
        return issue(*arguments)

    monkeypatch.setattr(issued_tokens, "issue_jwt", issue_slowly)
    made = logins.get_jwt(cast.database, effective, name, PASSWORD, VISITOR)
    changing.join()
    assert made.row.id not in row_ids(cast)


def test_a_user_deactivated_while_getting_a_jwt(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who is deactivated while the password is being verified gets no JWT."""
    real = passwords.verify

    def verify_slowly(password_hash: str | None, password: str) -> bool:
        users.set_active(cast.connect(), cast.user(BOB).id, SHELL, active=False)
        return real(password_hash, password)

    monkeypatch.setattr(passwords, "verify", verify_slowly)
    with pytest.raises(LoginFailed, match="activate"):
        logins.get_jwt(cast.database, cast.snapshot.effective, BOB, PASSWORD, VISITOR)
    assert row_ids(cast) == set()


def test_a_new_key_is_found_once(cast: World) -> None:
    """Only the process that finds another secret key first ends anything: what was made since goes on."""
    cast.write_config(f"server: {{secret-key: '{'k' * 40}'}}\n")
    ways = Ways(cast, BOB)
    cast.restart()
    assert cast.snapshot.problems == ()
    assert ways.opening() == ALL
