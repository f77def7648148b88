"""One road for every user name and password (R8)."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine
from sqlalchemy import event, select
from werkzeug.security import generate_password_hash

from authapp import logins, passwords, sessions, user_passwords, users
from authapp.audit import Actor
from authapp.database import Database
from authapp.errors import LoginFailed, WrongPassword
from authapp.models import SignedIn
from tests.hasher import CountingHasher
from tests.world import ADA, BOB, CHARLIE, DORA, OTHER_PASSWORD, PASSWORD, SHELL, World, at_once

NEUTRAL = "That user name and password do not match."
WRONG = "Not the password at all"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
OLD_HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:10")


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock, which stands at noon until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def visitor(address: str = "192.0.2.1") -> Actor:
    """Whoever types into the form."""
    return Actor("form", address=address, user_agent="Browser/1")


def sign_in(
    world: World,
    username: str = BOB,
    password: str = PASSWORD,
    *,
    address: str = "192.0.2.1",
    database: Database | None = None,
) -> str:
    """Sign somebody in; return the session's token."""
    return logins.sign_in(
        database or world.database, world.snapshot.effective, username, password, visitor(address)
    )


def refusal(world: World, username: str = BOB, password: str = WRONG, *, address: str = "192.0.2.1") -> LoginFailed:
    """Try to sign in; return how it was refused."""
    with pytest.raises(LoginFailed) as raised:
        sign_in(world, username, password, address=address)
    return raised.value


def store_hash(world: World, username: str, password_hash: str) -> None:
    """Give a user a hash."""
    with world.database.writing() as db:
        user_passwords.store_hash(db, users.get(db, world.user(username).id), password_hash, SHELL)


def stored_hash(world: World, username: str) -> str | None:
    """Return a user's hash."""
    with world.database.reading() as db:
        return users.password_hash_of(db, users.get(db, world.user(username).id))


def statements(world: World, username: str) -> list[str]:
    """Try to sign in with a wrong password; return what the database was asked."""
    asked: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(world.database.engine, "before_cursor_execute", listen)
    refusal(world, username, address="192.0.2.99")
    event.remove(world.database.engine, "before_cursor_execute", listen)
    return asked


# -- right ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ADA, ADA.upper(), BOB, "BOB", "\uff42\uff4f\uff42", DORA])
def test_right_password(cast: World, name: str) -> None:
    """User name, however it is written, and password begin a session."""
    token = sign_in(cast, name)
    with cast.database.reading() as db:
        found = sessions.find(db, cast.snapshot.effective.config.session, token)
    assert found is not None
    assert found[1].id == cast.user(name).id


def test_every_sign_in_is_a_new_session(cast: World) -> None:
    """Two sign-ins are two sessions."""
    assert sign_in(cast) != sign_in(cast)
    assert cast.sessions_of(BOB) == 2


def test_last_sign_in_is_written_down(cast: World, clock: time_machine.Traveller) -> None:
    """A user's last sign-in is the time of the last right one."""
    sign_in(cast)
    clock.shift(timedelta(minutes=1))
    refusal(cast)
    assert cast.user(BOB).last_login_at == NOON


def test_a_sign_in_is_recorded(cast: World) -> None:
    """The audit table says who signed in, by which road and from where."""
    sign_in(cast)
    entry = cast.audit("sign-in")[-1]
    bob = cast.user(BOB)
    assert (entry.outcome, entry.road, entry.address) == ("success", "form", "192.0.2.1")
    assert (entry.actor_id, entry.target_id) == (bob.id, bob.id)


# -- wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [ADA, BOB, CHARLIE, "nobody", "", " bob", "a:b", "nul\0", "lone \udc80", "x" * 300, PASSWORD]
)
def test_refusals_sound_alike(cast: World, name: str) -> None:
    """Unknown user, wrong password, inactive or not, no name at all: one sentence for all of them."""
    refused = refusal(cast, name)
    assert (str(refused), refused.reason, refused.retry_after) == (NEUTRAL, "wrong", None)


@pytest.mark.parametrize(
    "password", ["", WRONG, "x" * 257, "lone \udc80", "nul\0", PASSWORD + " ", PASSWORD.lower()]
)
def test_only_the_password_itself_opens(cast: World, password: str) -> None:
    """Nothing but the very password that was set signs in."""
    assert refusal(cast, BOB, password).reason == "wrong"


@pytest.mark.parametrize("name", [ADA, BOB, CHARLIE, "nobody", "", "a:b"])
def test_refusals_take_alike(cast: World, hasher: CountingHasher, name: str) -> None:
    """Each refusal costs one verification and no hashing, whether somebody bears the name or not."""
    refusal(cast, name)
    assert (hasher.verified, hasher.hashed) == (1, 0)


@pytest.mark.parametrize("name", [ADA, BOB, CHARLIE, "nobody"])
def test_refusals_take_alike_beside_an_old_hash(cast: World, hasher: CountingHasher, name: str) -> None:
    """Where the owner's hash is of an older kind, each refusal costs both kinds of verification."""
    store_hash(cast, ADA, OLD_HASH)
    refusal(cast, name)
    assert (hasher.verified, hasher.hashed) == (1, 0)


def test_a_user_without_a_password_cannot_sign_in(cast: World) -> None:
    """Whoever has no hash is refused like everybody else."""
    with cast.database.writing() as db:
        users.get(db, cast.user(BOB).id).password_hash = None
    assert str(refusal(cast, BOB, PASSWORD)) == NEUTRAL


def test_the_owners_row_has_no_password_of_its_own(cast: World) -> None:
    """A hash that somebody writes into the owner's row opens nothing: the one in the Settings table counts."""
    with cast.database.writing() as db:
        users.get(db, cast.user(ADA).id).password_hash = passwords.hash_password(OTHER_PASSWORD)
    assert str(refusal(cast, ADA, OTHER_PASSWORD)) == NEUTRAL
    assert sign_in(cast, ADA)


def test_waiting_for_activation_is_told_to_the_right_one(cast: World) -> None:
    """Only somebody who typed the right password learns that the account waits for activation."""
    refused = refusal(cast, CHARLIE, PASSWORD)
    assert refused.reason == "inactive"
    assert "activate" in str(refused)
    assert cast.sessions_of(CHARLIE) == 0


@pytest.mark.parametrize("name", ["nobody", "no:name", CHARLIE, ADA])
def test_every_refusal_asks_the_database_the_same(cast: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown, an inactive and the owner's name are refused with as many statements as a wrong password."""
    monkeypatch.setattr("authapp.throttle.TRIM_EVERY", 10**9)  # now and then a try also counts the rows
    assert statements(cast, name) == statements(cast, BOB)


# -- what is written down -------------------------------------------------------------------------------------


def test_a_wrong_password_is_recorded(cast: World) -> None:
    """The audit table says for whom a password was wrong, and from where; nobody is said to have acted."""
    refusal(cast)
    entry = cast.audit("sign-in")[-1]
    assert (entry.outcome, entry.actor, entry.actor_id) == ("wrong", "", None)
    assert (entry.target, entry.target_id, entry.address) == (BOB, cast.user(BOB).id, "192.0.2.1")


def test_unknown_names_are_recorded_as_a_keyed_hash(cast: World) -> None:
    """A name nobody bears is recorded as `unknown` and a hash: the same for the same name."""
    for name in ("My-secret pass", "my-secret PASS", "another"):
        refusal(cast, name)
    assert {(entry.actor, entry.target_id) for entry in cast.audit("sign-in")} == {("", None)}
    same, again, other = (entry.target for entry in cast.audit("sign-in"))
    assert same.startswith("unknown ")
    assert same == again != other


@pytest.mark.parametrize("typed", ["My-secret pass word", "bob:My-secret pass word", "My-secret pass word\0"])
def test_a_password_typed_as_name_is_not_written_down(cast: World, typed: str) -> None:
    """People type passwords into the field for the name: no row of any table holds it."""
    for _ in range(10):
        refusal(cast, typed)
    assert "My-secret" not in str(cast.tables())
    assert "my-secret" not in str(cast.tables())


def test_no_password_is_written_down(cast: World) -> None:
    """No row of any table holds a password, or a session's token."""
    token = sign_in(cast)
    refusal(cast, BOB, WRONG)
    refusal(cast, CHARLIE, PASSWORD)
    text = str(cast.tables())
    assert not [secret for secret in (PASSWORD, WRONG, token) if secret in text]


# -- waiting --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("name", [ADA, BOB, CHARLIE, "nobody"])
def test_after_ten_wrong_passwords_one_waits(cast: World, hasher: CountingHasher, name: str) -> None:
    """After ten wrong passwords even the right one has to wait, and is not looked at."""
    for _ in range(10):
        assert refusal(cast, name).reason == "wrong"
    refused = refusal(cast, name, PASSWORD)
    assert (refused.reason, refused.retry_after) == ("locked", timedelta(minutes=15))
    assert hasher.verified == 10


def test_the_tenth_may_be_right(cast: World) -> None:
    """Nine wrong passwords and a right one: no waiting, and ten new tries."""
    for _ in range(2):
        for _ in range(9):
            refusal(cast)
        assert sign_in(cast)


def test_waiting_ends(cast: World, clock: time_machine.Traveller) -> None:
    """When the lock is over the right password signs in again."""
    for _ in range(10):
        refusal(cast)
    clock.shift(timedelta(minutes=15) - timedelta(milliseconds=1))
    assert refusal(cast, BOB, PASSWORD).retry_after == timedelta(seconds=1)
    clock.shift(timedelta(milliseconds=1))
    assert sign_in(cast)


@pytest.mark.parametrize(("name", "address"), [(BOB, "192.0.2.2"), (DORA, "192.0.2.1")])
def test_others_need_not_wait(cast: World, name: str, address: str) -> None:
    """The same user from elsewhere, and others from the same place, sign in meanwhile."""
    for _ in range(10):
        refusal(cast)
    assert sign_in(cast, name, address=address)


def test_name_in_any_form_counts_as_one(cast: World) -> None:
    """Writing the name differently gives no further tries."""
    for number in range(10):
        refusal(cast, [BOB, "BOB", "\uff42ob"][number % 3])
    assert refusal(cast).reason == "locked"


def test_the_lock_is_recorded_once(cast: World) -> None:
    """The audit table says when somebody was locked, not each time they come back."""
    for _ in range(13):
        refusal(cast)
    assert cast.events().count("sign-in.locked locked") == 1
    assert cast.events().count("sign-in wrong") == 10


def test_waiting_for_activation_takes_tries(cast: World) -> None:
    """The right password of somebody inactive counts like a wrong one: the eleventh has to wait."""
    assert {refusal(cast, CHARLIE, PASSWORD).reason for _ in range(10)} == {"inactive"}
    assert refusal(cast, CHARLIE, PASSWORD).reason == "locked"


def test_the_options_count_at_once(world: World) -> None:
    """`throttle.attempts` and `throttle.lock` are those of the config file."""
    world.write_config("throttle: {attempts: 2, lock: 30s}\n")
    world.set_up()
    for _ in range(2):
        assert refusal(world, ADA).reason == "wrong"
    wait = refusal(world, ADA).retry_after
    assert wait is not None
    assert timedelta(seconds=20) < wait <= timedelta(seconds=30)


def test_parallel_tries_get_no_more(cast: World, hasher: CountingHasher, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tries come at the same moment, ten are looked at."""
    monkeypatch.setattr("authapp.slots.QUEUE", 24)  # all of them may wait for a place
    _ = cast.snapshot
    connections = [cast.connect() for _ in range(4)]
    calls = [partial(sign_in, cast, BOB, WRONG, database=connections[number % 4]) for number in range(24)]
    outcomes = at_once(*calls)
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, LoginFailed)]
    assert (reasons.count("wrong"), reasons.count("locked")) == (10, 14)
    assert hasher.verified == 10


# -- older hashes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ADA, BOB])
@pytest.mark.parametrize("method", ["scrypt:1024:8:1", "pbkdf2:sha256:10"])
def test_old_hashes_are_replaced(cast: World, name: str, method: str) -> None:
    """Who signs in with an older kind of hash gets a new one, and can sign in again."""
    store_hash(cast, name, generate_password_hash(PASSWORD, method))
    for _ in range(2):
        sign_in(cast, name)
    assert str(stored_hash(cast, name)).startswith("$argon2id$")


@pytest.mark.parametrize("name", [ADA, BOB])
def test_a_wrong_password_replaces_nothing(cast: World, name: str) -> None:
    """A wrong password leaves an older hash as it is."""
    store_hash(cast, name, OLD_HASH)
    refusal(cast, name)
    assert stored_hash(cast, name) == OLD_HASH


def test_a_pinned_hash_stays(world: World) -> None:
    """The hash that the config file gives is never replaced; once the lines are gone it is."""
    world.write_config(f"server: {{basic-auth: {{username: {ADA}, password-hash: '{OLD_HASH}'}}}}\n")
    sign_in(world, ADA)
    assert stored_hash(world, ADA) == OLD_HASH
    world.write_config("# nothing\n")
    sign_in(world, ADA)
    assert str(stored_hash(world, ADA)).startswith("$argon2id$")


# -- changes at the same moment -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ADA, BOB])
def test_a_password_changed_while_verifying(cast: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A password that is changed while the old one is being verified signs in no more."""
    real, pending = passwords.verify, [OTHER_PASSWORD]

    def verify_slowly(password_hash: str | None, password: str) -> bool:
        right = real(password_hash, password)
        if pending:
            effective, user = cast.snapshot.effective, cast.user(name)
            user_passwords.set_password(cast.connect(), effective, user.id, pending.pop(), SHELL)
        return right

    monkeypatch.setattr(passwords, "verify", verify_slowly)
    assert refusal(cast, name, PASSWORD).reason == "wrong"
    assert cast.sessions_of(name) == 0


def test_a_user_deactivated_while_verifying(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who is deactivated while the password is being verified does not get in."""
    real = passwords.verify

    def verify_slowly(password_hash: str | None, password: str) -> bool:
        users.set_active(cast.connect(), cast.user(BOB).id, SHELL, active=False)
        return real(password_hash, password)

    monkeypatch.setattr(passwords, "verify", verify_slowly)
    assert refusal(cast, BOB, PASSWORD).reason == "inactive"
    assert cast.sessions_of(BOB) == 0


@pytest.mark.parametrize("name", [ADA, BOB])
def test_a_password_changed_while_the_session_begins(
    cast: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A session that begins while the password is being changed ends with that change."""
    start, change = (
        sessions.start,
        partial(
            user_passwords.set_password,
            cast.connect(),
            cast.snapshot.effective,
            cast.user(name).id,
            OTHER_PASSWORD,
            SHELL,
        ),
    )
    changing = threading.Thread(target=change)

    def start_slowly(*arguments: object, **rest: bool) -> str:
        changing.start()
        changing.join(0.5)  # it either has to wait for this sign-in, or is done before
        return start(*arguments, **rest)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(sessions, "start", start_slowly)
    sign_in(cast, name)
    changing.join()
    assert cast.sessions_of(name) == 0


# -- asking again ---------------------------------------------------------------------------------------------


def confirm(world: World, password: str, name: str = BOB) -> str:
    """Ask somebody who is signed in for the password; return its hash."""
    return logins.confirm(world.database, world.snapshot.effective, name, password, visitor()).password_hash


def test_confirming(cast: World) -> None:
    """Asked again, the right password is taken and begins no session."""
    assert confirm(cast, PASSWORD) == stored_hash(cast, BOB)
    assert cast.sessions_of(BOB) == 0


def test_confirming_replaces_an_old_hash(cast: World) -> None:
    """Asked again, a password with an older hash gets a new one, which is the one to go on with."""
    store_hash(cast, BOB, OLD_HASH)
    assert confirm(cast, PASSWORD) == stored_hash(cast, BOB) != OLD_HASH


def test_confirming_counts_like_signing_in(cast: World) -> None:
    """Wrong passwords count alike, whether somebody signs in or is asked again."""
    for _ in range(9):
        with pytest.raises(WrongPassword):
            confirm(cast, WRONG)
    refusal(cast)
    with pytest.raises(LoginFailed) as raised:
        confirm(cast, PASSWORD)
    assert raised.value.reason == "locked"


def test_rows_of_sessions_that_are_over_go(cast: World, clock: time_machine.Traveller) -> None:
    """Signing in deletes the rows of sessions that can never be used again."""
    sign_in(cast, DORA)
    clock.shift(timedelta(days=30, seconds=1))
    sign_in(cast)
    with cast.database.reading() as db:
        assert len(db.scalars(select(SignedIn)).all()) == 1
