"""HTTP Basic: what a header says, and what is remembered of a password that was right."""

import base64
import hashlib
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.security import generate_password_hash

from authapp import (
    audit,
    basic,
    bridge,
    invitations,
    passwords,
    provision,
    slots,
    user_names,
    user_passwords,
    users,
)
from authapp.audit import Actor
from authapp.basic import MOST_REMEMBERED, REMEMBERED_FOR, Remembered, Sent
from authapp.database import Database
from authapp.errors import BadCredentials, Busy, LoginFailed, NotAllowed
from authapp.invitations import NewUser
from authapp.logins import Identity
from authapp.models import Role
from tests.hasher import CountingHasher
from tests.world import ADA, BOB, CHARLIE, DORA, OTHER_PASSWORD, PASSWORD, SHELL, World, at_once

NEUTRAL = "That user name and password do not match."
WRONG = "Not the password at all"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
PROPERTY = settings(deadline=None, database=None)
OLD_HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:10")


def encoded(text: str | bytes) -> str:
    """Return a text in UTF-8, or bytes, as base64."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def header_of(text: str | bytes) -> str:
    """Return the header that carries a text, or bytes."""
    return f"Basic {encoded(text)}"


# -- the header -----------------------------------------------------------------------------------------------

GOOD = {
    "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==": ("Aladdin", "open sesame"),  # RFC 7617, section 2
    "Basic dGVzdDoxMjPCow==": ("test", "123\u00a3"),  # RFC 7617, section 2.1
    "basic dGVzdDoxMjPCow==": ("test", "123\u00a3"),
    "BASIC dGVzdDoxMjPCow==": ("test", "123\u00a3"),
    "bAsIc    dGVzdDoxMjPCow==": ("test", "123\u00a3"),
    "Basic dGVzdDoxMjPCow==  ": ("test", "123\u00a3"),
    header_of("bob:a:b::c:"): ("bob", "a:b::c:"),
    header_of(":password"): ("", "password"),
    header_of("bob:"): ("bob", ""),
    header_of(":"): ("", ""),
    header_of(" bob : pass word "): (" bob ", " pass word "),
    header_of("\u0444:\u4e2d\U0001f511"): ("\u0444", "\u4e2d\U0001f511"),
    header_of("b\u00f6b:e\u0301"): ("b\u00f6b", "e\u0301"),
    header_of("bob:?>?>?>?>"): ("bob", "?>?>?>?>"),
    header_of("u" * 2**20 + ":" + "p" * 2**20): ("u" * 2**20, "p" * 2**20),
}


@pytest.mark.parametrize("header", GOOD, ids=lambda header: header[:40])
def test_what_a_header_says(header: str) -> None:
    """Scheme in any case, spaces, base64 of UTF-8, and what stands before and behind the first colon."""
    sent = basic.parse(header)
    assert (sent.username, sent.password) == GOOD[header]


BAD = {
    "nothing": "",
    "white space": " ",
    "scheme alone": "Basic",
    "no value": "Basic ",
    "spaces in place of a value": "Basic    ",
    "no space": f"Basic{encoded('bob:pass')}",
    "a tab": f"Basic\t{encoded('bob:pass')}",
    "a tab before the value": f"Basic \t{encoded('bob:pass')}",
    "a space before": f" Basic {encoded('bob:pass')}",
    "another scheme": f"Bearer {encoded('bob:pass')}",
    "a longer scheme": f"Basics {encoded('bob:pass')}",
    "a scheme that looks alike": f"Ba\u017fic {encoded('bob:pass')}",
    "value alone": encoded("bob:pass"),
    "in clear": "Basic bob:pass",
    "rubbish": "Basic %%%%",
    "no colon": header_of("bob"),
    "no padding": "Basic dGVzdDoxMjPCow",
    "half the padding": "Basic dGVzdDoxMjPCow=",
    "padding before": "Basic ==dGVzdDoxMjPCow",
    "a space within": "Basic dGVzdDox MjPCow==",
    "a line end behind": "Basic dGVzdDoxMjPCow==\n",
    "a line end within": "Basic dGVzdDox\nMjPCow==",
    "url-safe alphabet": header_of("bob:?>?>?>?>").replace("/", "_").replace("+", "-"),
    "Latin-1": header_of(b"test:123" + bytes([0xA3])),
    "half a character": header_of(b"bob:" + bytes([0xED, 0xB2, 0x80])),
    "overlong UTF-8": header_of(b"bob:" + bytes([0xC0, 0xAF])),
    "UTF-16": header_of("bob:pass".encode("utf-16")),
    "twice": f"{header_of('bob:pass')}, {header_of('bob:pass')}",
    "twice, without a space": f"{header_of('bob:pass')},{header_of('bob:pass')}",
    "a parameter": f'Basic {encoded("bob:pass")}, charset="UTF-8"',
    "quoted": f'Basic "{encoded("bob:pass")}"',
    "not ASCII": "Basic dGVzdDoxMjPCow==\u00a3",
    "other digits": "Basic \uff11\uff12\uff13\uff14",
    "lone half": "Basic dGVzdDoxMjPCow==\udc80",
    "a megabyte of rubbish": "Basic " + "%" * 2**20,
    **{
        f"{name} in the {where}": header_of(text)
        for name, sign in (("NUL", "\0"), ("line end", "\n"), ("tab", "\t"), ("DEL", "\x7f"), ("C1", "\x85"))
        for where, text in (("name", f"b{sign}b:pass"), ("password", f"bob:pa{sign}s"), ("end", f"bob:pass{sign}"))
    },
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_header_of_ours(name: str) -> None:
    """Whatever does not say exactly one name and password is refused, in words that quote nothing of it."""
    with pytest.raises(BadCredentials) as refused:
        basic.parse(BAD[name])
    assert str(refused.value) == str(BadCredentials())


def parsed(header: str) -> tuple[str, str] | None:
    """Return what a header says; None where it is refused."""
    try:
        sent = basic.parse(header)
    except BadCredentials:
        return None
    return sent.username, sent.password


@PROPERTY
@given(st.text() | st.text().map(lambda text: f"Basic {text}"))
def test_any_header(header: str) -> None:
    """No header is an error: it says a name and a password, or is refused."""
    found = parsed(header)
    assert found is None or [type(each) for each in found] == [str, str]


@PROPERTY
@given(st.binary() | st.text().map(str.encode) | st.text().map(lambda text: f"bob:{text}".encode()))
def test_any_bytes(content: bytes) -> None:
    """UTF-8 with a colon and without control characters says a name and a password; nothing else does."""
    text = content.decode(errors="replace")
    is_clear = text.encode() == content and not any(unicodedata.category(sign) == "Cc" for sign in text)
    expected = tuple(text.split(":", 1)) if is_clear and ":" in text else None
    assert parsed(f"Basic {encoded(content)}") == expected


def test_what_was_sent_does_not_show_the_password() -> None:
    """What a log might print of credentials leaves out the password."""
    assert "123" not in repr(basic.parse("Basic dGVzdDoxMjPCow=="))


# -- who sent it ----------------------------------------------------------------------------------------------


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were verified since the test began, one for each time."""
    real, found = passwords.verify, list[str]()

    def verify(password_hash: str | None, password: str) -> bool:
        found.append(password)
        return real(password_hash, password)

    monkeypatch.setattr(passwords, "verify", verify)
    return found


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock, which stands at noon until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def identify(
    world: World,
    username: str = BOB,
    password: str = PASSWORD,
    *,
    address: str = "192.0.2.1",
    database: Database | None = None,
) -> Identity:
    """Let a program send credentials to the app; return who it is."""
    return basic.identify(
        database or world.database,
        world.snapshot.effective,
        world.app.remembered,
        Sent(username, password),
        Actor(audit.BASIC, address=address),
    )


def refusal(
    world: World, username: str = BOB, password: str = PASSWORD, *, address: str = "192.0.2.1"
) -> LoginFailed:
    """Let a program send credentials; return how they were refused."""
    with pytest.raises(LoginFailed) as raised:
        identify(world, username, password, address=address)
    return raised.value


@pytest.mark.parametrize("name", [ADA, BOB, DORA, "BOB", "\uff42\uff4f\uff42"])
def test_who_it_is(cast: World, name: str) -> None:
    """Name, however it is written, and password say who it is, verified as well as remembered."""
    user = cast.user(name)
    for _ in range(2):
        who = identify(cast, name)
        assert (who.user_id, who.username, who.role, who.via) == (user.id, user.username, user.role, "basic")
        assert (who.session_id, who.token_id, who.scope, who.must_change_password) == (None, None, None, False)


def test_the_password_is_proved_each_time(cast: World, clock: time_machine.Traveller) -> None:
    """A password that comes along is proved this moment, also when it was verified a while ago."""
    assert identify(cast).proved_at == NOON
    clock.shift(timedelta(hours=1))
    assert identify(cast).proved_at == NOON + timedelta(hours=1)


@pytest.mark.parametrize("name", [ADA, BOB])
def test_a_password_is_verified_once(cast: World, verified: list[str], name: str) -> None:
    """The second request with the same credentials verifies nothing, from whichever address it comes."""
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        identify(cast, name, address=address)
    assert verified == [PASSWORD]


@pytest.mark.parametrize("name", [ADA, BOB])
def test_an_old_hash_is_verified_once(cast: World, verified: list[str], name: str) -> None:
    """A hash of an older kind is replaced with the first request, and the second one verifies nothing."""
    with cast.database.writing() as db:
        user_passwords.store_hash(db, users.get(db, cast.user(name).id), OLD_HASH, SHELL)
    identify(cast, name)
    verified.clear()
    identify(cast, name)
    assert verified == []


def test_a_pinned_hash_is_verified_once(world: World, verified: list[str]) -> None:
    """A hash that the config file gives stays, and is not verified again either."""
    world.write_config(f"server: {{basic-auth: {{username: {ADA}, password-hash: '{OLD_HASH}'}}}}\n")
    identify(world, ADA)
    verified.clear()
    identify(world, ADA)
    assert verified == []


def test_what_is_remembered_is_not_written(cast: World) -> None:
    """A request whose password is remembered writes nothing: no entry, no try, no last sign-in."""
    identify(cast)
    before = cast.tables()
    identify(cast)
    assert cast.tables() == before


def test_a_sign_in_is_recorded(cast: World, clock: time_machine.Traveller) -> None:
    """The request that verifies is a sign-in: the audit table says so, by which road and from where."""
    identify(cast)
    clock.shift(timedelta(minutes=1))
    identify(cast)
    (entry,) = cast.audit("sign-in")
    bob = cast.user(BOB)
    assert (entry.outcome, entry.road, entry.address) == ("success", "basic", "192.0.2.1")
    assert (entry.actor_id, entry.target_id, bob.last_login_at) == (bob.id, bob.id, NOON)


def test_a_program_begins_no_session(cast: World) -> None:
    """HTTP Basic leaves neither a session nor a token behind."""
    identify(cast)
    assert (cast.tables()["sessions"], cast.tables()["tokens"]) == ([], [])


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (BOB, WRONG),
        (BOB, ""),
        (BOB, PASSWORD + " "),
        (BOB, "x" * 2**20),
        (ADA, WRONG),
        (CHARLIE, WRONG),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("", ""),
        (" bob", PASSWORD),
        ("x" * 2**20, PASSWORD),
        ("'; --", PASSWORD),
    ],
    ids=lambda text: text[:20],
)
def test_refusals_sound_alike(cast: World, name: str, password: str) -> None:
    """Unknown user, wrong password, inactive or not: one sentence for all of them, and one outcome is recorded."""
    refused = refusal(cast, name, password)
    assert (str(refused), refused.reason) == (NEUTRAL, "wrong")
    assert [f"{entry.road} {entry.outcome}" for entry in cast.audit("sign-in")] == ["basic wrong"]


def test_waiting_for_activation_is_told_to_the_right_one(cast: World) -> None:
    """Only whoever has the right password learns that the account waits for activation."""
    assert refusal(cast, CHARLIE).reason == "inactive"
    assert "activate" in str(refusal(cast, CHARLIE))


def test_wrong_passwords_are_not_remembered(cast: World, verified: list[str]) -> None:
    """Each wrong password is verified anew, counted and recorded, also beside a right one."""
    identify(cast)
    for _ in range(2):
        refusal(cast, BOB, WRONG)
    assert verified == [PASSWORD, WRONG, WRONG]
    assert cast.events().count("sign-in wrong") == 2
    assert cast.app.remembered.get(cast.app.remembered.key_of(Sent(BOB, WRONG))) is None


def test_nobody_in_mode_none(world: World) -> None:
    """In mode none no credentials count."""
    world.write_mode("none", credentials=True)
    for name in ("default", ADA):
        with pytest.raises(NotAllowed, match="mode none"):
            identify(world, name)


# -- what ends at once ----------------------------------------------------------------------------------------


def rename(world: World, name: str, username: str) -> None:
    """Give somebody another user name."""
    user_names.edit(world.database, world.snapshot.effective, world.user(name).id, SHELL, username=username)


def change_password(world: World, name: str) -> None:
    """Change somebody's password."""
    effective = world.snapshot.effective
    user_passwords.set_password(world.database, effective, world.user(name).id, OTHER_PASSWORD, SHELL)


def reset(world: World, name: str) -> str:
    """Reset somebody's password; return the new one."""
    made = invitations.reset_password(world.database, world.snapshot.effective, world.user(name).id, SHELL)
    return made.initial_password or ""


Act = Callable[[World], Any]

ENDS: dict[str, tuple[str, Act, str]] = {
    "password changed": (BOB, lambda world: change_password(world, BOB), "wrong"),
    "owner's password changed": (ADA, lambda world: change_password(world, ADA), "wrong"),
    "password reset": (BOB, lambda world: reset(world, BOB), "wrong"),
    "owner's password reset": (ADA, lambda world: reset(world, ADA), "wrong"),
    "password in the file": (ADA, lambda world: world.write_credentials(ADA, OTHER_PASSWORD), "wrong"),
    "name in the file": (ADA, lambda world: world.write_credentials("countess", PASSWORD), "wrong"),
    "another owner in the file": (ADA, lambda world: world.write_credentials(BOB, OTHER_PASSWORD), "wrong"),
    "became the owner": (BOB, lambda world: world.write_credentials(BOB, OTHER_PASSWORD), "wrong"),
    "renamed": (BOB, lambda world: rename(world, BOB, "robert"), "wrong"),
    "owner renamed": (ADA, lambda world: rename(world, ADA, "countess"), "wrong"),
    "deactivated": (
        BOB,
        lambda world: users.set_active(world.database, world.user(BOB).id, SHELL, active=False),
        "inactive",
    ),
    "deleted": (BOB, lambda world: users.delete_all(world.database, [world.user(BOB).id], SHELL), "wrong"),
}


@pytest.mark.parametrize("what", ENDS)
def test_what_ends_at_once(cast: World, what: str) -> None:
    """What was remembered a moment ago opens nothing any more, with the very next request."""
    name, act, reason = ENDS[what]
    identify(cast, name)
    act(cast)
    assert refusal(cast, name).reason == reason


def test_another_process_changes_the_password(cast: World) -> None:
    """It is the database that is asked each time: a change by another process counts at once, too."""
    identify(cast)
    effective, bob = cast.snapshot.effective, cast.user(BOB)
    user_passwords.set_password(cast.connect(), effective, bob.id, OTHER_PASSWORD, SHELL)
    assert refusal(cast).reason == "wrong"
    assert identify(cast, BOB, OTHER_PASSWORD).user_id == bob.id


def test_the_old_password_again(cast: World, verified: list[str]) -> None:
    """What was forgotten is verified again: a password that is good once more is let in, and not from memory."""
    bob = cast.user(BOB).id
    identify(cast)
    for active in (False, True):
        users.set_active(cast.database, bob, SHELL, active=active)
        if not active:
            refusal(cast)
    verified.clear()
    assert identify(cast).user_id == bob
    assert verified == [PASSWORD]


@pytest.mark.parametrize("name", [ADA, BOB])
def test_the_new_name_is_verified(cast: World, name: str, verified: list[str]) -> None:
    """After a rename the new name and the old password are other credentials, which are verified once."""
    identify(cast, name)
    rename(cast, name, "another-name")
    verified.clear()
    for _ in range(2):
        identify(cast, "another-name")
    assert verified == [PASSWORD]


@pytest.mark.parametrize("password", [PASSWORD, OTHER_PASSWORD])
def test_somebody_else_takes_the_name(cast: World, password: str) -> None:
    """When another user bears the name, it is that user who is meant, also if both have the same password."""
    identify(cast)
    rename(cast, BOB, "robert")
    new = cast.add(BOB, password=password)
    if password == PASSWORD:
        assert identify(cast).user_id == new.id
    else:
        assert refusal(cast).reason == "wrong"


def test_the_same_credentials_in_the_file(cast: World, verified: list[str]) -> None:
    """Reading credentials that are stored already, and taking the lines out again, forgets nothing."""
    identify(cast, ADA)
    cast.write_credentials()
    cast.remove_config()
    verified.clear()
    identify(cast, ADA)
    assert verified == []


def test_a_rotated_secret_key(cast: World) -> None:
    """A password needs no secret key: programs that send one go on."""
    identify(cast)
    provision.rotate_secret_key(cast.database, cast.snapshot.effective, SHELL)
    cast.look()
    assert identify(cast).user_id == cast.user(BOB).id


@pytest.mark.parametrize("superuser", [True, False])
def test_the_role_is_that_of_now(cast: World, superuser: bool) -> None:
    """What is remembered is who it is, not what they may do."""
    name = BOB if superuser else DORA
    identify(cast, name)
    users.set_superuser(cast.database, cast.user(name).id, SHELL, superuser=superuser)
    assert identify(cast, name).role == (Role.ADMIN if superuser else Role.USER)


def test_an_initial_password(cast: World, clock: time_machine.Traveller) -> None:
    """An initial password says that it has to be replaced, and dies in time also when it is remembered."""
    (made,) = invitations.invite(cast.database, cast.snapshot.effective, [NewUser("olga", active=True)], SHELL)
    password = made.initial_password or ""
    for _ in range(2):
        assert identify(cast, "olga", password).must_change_password
    clock.shift(timedelta(hours=72))
    refused = refusal(cast, "olga", password)
    assert (refused.reason, str(refused)) == ("expired", NEUTRAL)


def test_a_replaced_initial_password(cast: World) -> None:
    """Once it is replaced, the initial password opens nothing, and the new one has not to be replaced."""
    password = reset(cast, BOB)
    assert identify(cast, BOB, password).must_change_password
    change_password(cast, BOB)
    assert refusal(cast, BOB, password).reason == "wrong"
    assert not identify(cast, BOB, OTHER_PASSWORD).must_change_password


# -- at the same moment, and waiting --------------------------------------------------------------------------


def test_twenty_requests_at_once(cast: World, hasher: CountingHasher) -> None:
    """A program that begins with twenty requests at once has tried once, however few tries there are."""
    cast.write_config("throttle: {attempts: 2, lock: 30s}\n")
    _ = cast.snapshot
    connections = [cast.connect() for _ in range(4)]
    calls = [partial(identify, cast, database=connections[number % 4]) for number in range(20)]
    outcomes = at_once(*calls)
    assert {outcome.user_id for outcome in outcomes if isinstance(outcome, Identity)} == {cast.user(BOB).id}
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert (hasher.verified, cast.events().count("sign-in success")) == (1, 1)


def test_many_wrong_passwords_at_once(cast: World, hasher: CountingHasher) -> None:
    """However many wrong passwords come at the same moment, ten are looked at."""
    _ = cast.snapshot
    calls = [partial(identify, cast, BOB, WRONG, database=cast.connect()) for _ in range(16)]
    reasons = [outcome.reason for outcome in at_once(*calls) if isinstance(outcome, LoginFailed)]
    assert (reasons.count("wrong"), reasons.count("locked")) == (10, 6)
    assert hasher.verified == 10


def test_a_flood_of_one_password_leaves_threads_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those who send the same credentials at once only so many strangers wait; whoever is known does."""
    monkeypatch.setattr(basic, "QUEUE", 0)
    remembered, key, done = Remembered(), bytes(32), threading.Event()

    def wait_as_one_who_is_known() -> None:
        with remembered.turn(key):
            done.set()

    with remembered.turn(key, known=False):
        with pytest.raises(Busy), remembered.turn(key, known=False):
            pass
        thread = threading.Thread(target=wait_as_one_who_is_known)
        thread.start()
        assert not done.is_set()
    thread.join()
    assert done.is_set()


def test_all_who_wait_leave_threads_to_others() -> None:
    """Strangers that wait for a turn, and those that wait to be hashed, are together fewer than the threads."""
    assert basic.QUEUE + slots.QUEUE < bridge.THREADS


@pytest.mark.parametrize(("address", "known"), [("192.0.2.1", True), ("198.51.100.7", False)])
def test_who_is_known_waits_for_a_turn(
    cast: World, monkeypatch: pytest.MonkeyPatch, address: str, known: bool
) -> None:
    """Whether somebody may wait for a turn when many do depends on whether they signed in there lately."""
    identify(cast)
    asked, real = list[bool](), Remembered.turn

    def turn(self: Remembered, key: bytes, *, known: bool) -> AbstractContextManager[None]:
        asked.append(known)
        return real(self, key, known=known)

    monkeypatch.setattr(Remembered, "turn", turn)
    refusal(cast, BOB, WRONG, address=address)
    assert asked == [known]


def test_a_wrong_password_holds_up_nobody_else(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one password is being verified, other credentials have their turn."""
    real, others = passwords.verify, list[str]()

    def verify(password_hash: str | None, password: str) -> bool:
        if password == WRONG and not others:
            others.append("under way")
            others.append(identify(cast, name, database=cast.connect()).username)
        return real(password_hash, password)

    remembered = cast.app.remembered
    wrong = remembered.key_of(Sent(BOB, WRONG))[0] % basic.TURNS
    # Credentials whose turn is another one, as nearly all are.
    name = next(
        each for each in (DORA, BOB, ADA) if remembered.key_of(Sent(each, PASSWORD))[0] % basic.TURNS != wrong
    )
    monkeypatch.setattr(passwords, "verify", verify)
    refusal(cast, BOB, WRONG)
    assert others == ["under way", name]


def test_a_remembered_program_waits_as_well(cast: World) -> None:
    """Whoever shares a program's network cannot go on guessing: after too many wrong tries the right one waits."""
    identify(cast)
    for _ in range(10):
        refusal(cast, BOB, WRONG)
    refused = refusal(cast)
    assert (refused.reason, refused.retry_after is not None) == ("locked", True)


def test_a_remembered_program_waits_for_its_own_count_alone(cast: World) -> None:
    """Wrong tries for other names, which block their network, hold up no program that is known there."""
    cast.write_config("throttle: {network-attempts: 3}\n")
    identify(cast)
    for number in range(3):
        refusal(cast, f"nobody {number}", WRONG)
    assert refusal(cast, "nobody else", WRONG).reason == "locked"
    assert identify(cast).user_id == cast.user(BOB).id


def test_what_is_remembered_tells_no_password(cast: World) -> None:
    """Whoever has to wait elsewhere learns no password from memory, and the program it is of gets in as before."""
    identify(cast)
    for _ in range(10):
        refusal(cast, BOB, WRONG, address="198.51.100.7")
    assert refusal(cast, BOB, PASSWORD, address="198.51.100.7").reason == "locked"
    assert identify(cast).user_id == cast.user(BOB).id
    assert identify(cast, address="203.0.113.1").user_id == cast.user(BOB).id


def test_a_program_that_is_not_known_has_to_wait(cast: World) -> None:
    """Wrong passwords count alike by every road: the right one has to wait here too, and is not looked at."""
    for _ in range(10):
        refusal(cast, BOB, WRONG)
    refused = refusal(cast)
    assert (refused.reason, refused.retry_after is not None) == ("locked", True)


def test_a_password_changed_while_it_is_verified(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that is changed while it is being verified opens nothing, and is not remembered."""
    real, pending = passwords.verify, [BOB]

    def verify_slowly(password_hash: str | None, password: str) -> bool:
        right = real(password_hash, password)
        if pending:
            change_password(cast, pending.pop())
        return right

    monkeypatch.setattr(passwords, "verify", verify_slowly)
    assert [refusal(cast).reason for _ in range(2)] == ["wrong", "wrong"]


# -- the memory -----------------------------------------------------------------------------------------------


def known(remembered: Remembered, sent: Sent) -> bool:
    """Tell whether credentials are remembered."""
    return remembered.get(remembered.key_of(sent)) is not None


def test_how_much_is_remembered(cast: World) -> None:
    """However many credentials are good, the memory is bounded; those that were used last stay."""
    identify(cast)
    remembered = cast.app.remembered
    entry = remembered.get(remembered.key_of(Sent(BOB, PASSWORD)))
    for number in range(MOST_REMEMBERED + 10):
        remembered.put(remembered.key_of(Sent(f"user {number}", PASSWORD)), entry)
    left = [number for number in range(MOST_REMEMBERED + 10) if known(remembered, Sent(f"user {number}", PASSWORD))]
    assert left == list(range(10, MOST_REMEMBERED + 10))


def test_how_long_it_is_remembered(cast: World, verified: list[str]) -> None:
    """What was verified is held for ten minutes from then on, used or not, and then verified again."""
    now = [0.0]
    cast.app.remembered = Remembered(lambda: now[0])
    for moment in (0, REMEMBERED_FOR / 2, REMEMBERED_FOR - 1):
        now[0] = moment
        identify(cast)
    assert verified == [PASSWORD]
    now[0] = REMEMBERED_FOR
    identify(cast)
    assert verified == [PASSWORD] * 2


def test_the_memory_holds_no_password(cast: World) -> None:
    """Whoever reads the memory finds no password, and no hash of one that is quickly tried out."""
    identify(cast)
    remembered = cast.app.remembered
    held = list(remembered._known.items())
    assert len(held) == 1
    assert PASSWORD not in repr([vars(remembered), held])
    texts = [text.encode() for text in (PASSWORD, f"{BOB}:{PASSWORD}", encoded(f"{BOB}:{PASSWORD}"))]
    assert held[0][0] not in [hashlib.sha256(text).digest() for text in texts]


def test_every_memory_has_a_key_of_its_own() -> None:
    """What one process remembers says nothing to another one, or to the same one after a start."""
    sent = Sent(BOB, PASSWORD)
    one, two = Remembered(), Remembered()
    assert one.key_of(sent) == one.key_of(sent) != two.key_of(sent)


@PROPERTY
@given(st.lists(st.tuples(st.text("ab", max_size=3), st.text("ab:", max_size=3)), unique=True, min_size=2))
def test_no_two_credentials_are_one(pairs: list[tuple[str, str]]) -> None:
    """No name and password are remembered as another name with another password."""
    remembered = Remembered()
    assert len({remembered.key_of(Sent(*pair)) for pair in pairs}) == len(pairs)
