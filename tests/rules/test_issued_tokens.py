"""API tokens and JWTs are rows: making them, what they open and how long, lists, and revoking them."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest
import time_machine
from sqlalchemy import select

from authapp import invitations, issued_tokens, logins, tokens, users
from authapp.audit import Actor
from authapp.config.sections import SessionOptions
from authapp.errors import (
    BadToken,
    LoginFailed,
    NotAllowed,
    PasswordChangeRequired,
    Refused,
    TokenNotFound,
    TooManyTokens,
    UserNotFound,
)
from authapp.issued_tokens import LONGEST_LIFETIME, Issued
from authapp.models import Scope, Token, TokenKind
from authapp.paging import Cursor
from tests.world import ADA, BOB, CHARLIE, DORA, PASSWORD, SHELL, World, at_once

OPTIONS = SessionOptions()
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
INSTANT, MINUTE, HOUR, DAY = timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
VISITOR = Actor("api", address="192.0.2.1")
ODD_IDS = ["", "no such id", "\0", "\udc80", "x" * 300]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """The clock, which stands at noon until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def acting(world: World, username: str) -> Actor:
    """Somebody who acts by the API."""
    return Actor("api", world.user(username).id, username, "192.0.2.7")


def make(
    world: World,
    username: str = BOB,
    name: str = "backup",
    *,
    by: Actor | None = None,
    scope: Scope = Scope.READ,
    expires_at: datetime | None = None,
) -> Issued:
    """Make an API token for somebody, who does it themselves unless it is said by whom."""
    by = by or acting(world, username)
    user_id = world.user(username).id
    return issued_tokens.create(world.database, user_id, name, by, scope=scope, expires_at=expires_at)


def make_jwt(world: World, username: str = BOB, password: str = PASSWORD) -> Issued:
    """Make a JWT for somebody."""
    return logins.get_jwt(world.database, world.snapshot.effective, username, password, VISITOR)


def find(world: World, token: str) -> Token | None:
    """Return the row that an API token opens something with."""
    with world.database.reading() as db:
        found = issued_tokens.find(db, token)
    assert found is None or found[0].user_id == found[1].id
    return found[0] if found else None


def find_jwt(world: World, token: str) -> Token | None:
    """Return the row that a JWT opens something with."""
    with world.database.reading() as db:
        found = issued_tokens.find_jwt(db, world.snapshot.effective, token)
    return found[0] if found else None


def rows(world: World) -> dict[str, Token]:
    """Return every row, by its id."""
    with world.database.reading() as db:
        return {row.id: row for row in db.scalars(select(Token))}


def of_user(world: World, username: str, options: SessionOptions = OPTIONS) -> list[str]:
    """Return the ids of somebody's tokens, as they are listed."""
    with world.database.reading() as db:
        return [row.id for row in issued_tokens.of_user(db, options, world.user(username).id)]


# -- making an API token --------------------------------------------------------------------------------------


def test_what_a_row_holds(cast: World) -> None:
    """A row says whose token it is, what it is called, what it may do, since when and until when."""
    made = make(cast, name=" nightly backup ", scope=Scope.WRITE, expires_at=NOON + DAY)
    row = rows(cast)[made.row.id]
    assert (row.kind, row.user_id, row.name, row.scope) == ("api", cast.user(BOB).id, "nightly backup", "write")
    assert (row.created_at, row.expires_at) == (NOON, NOON + DAY)
    assert (row.last_used_at, row.last_used_from) == (None, "")


def test_a_token_is_for_reading_and_for_ever_unless_it_is_said(cast: World) -> None:
    """A token about which nothing is said may only read, and does not expire."""
    made = issued_tokens.create(cast.database, cast.user(BOB).id, "backup", acting(cast, BOB))
    assert (made.row.scope, made.row.expires_at) == ("read", None)


def test_only_an_api_tokens_sha256_is_stored(cast: World) -> None:
    """The row holds the SHA-256 of the token; no table holds the token, or the random part of it."""
    made = make(cast)
    assert rows(cast)[made.row.id].sha256 == hashlib.sha256(made.token.encode()).hexdigest()
    assert made.token[8:51] not in str(cast.tables()) + repr(made)


def test_making_a_token_is_recorded(cast: World) -> None:
    """The audit table says who made a token for whom, what it is called and may do, and nothing of the token."""
    by = acting(cast, BOB)
    make(cast, scope=Scope.ADMIN)
    (entry,) = cast.audit("token.created")
    assert (entry.actor_id, entry.target_id, entry.address) == (by.user_id, by.user_id, "192.0.2.7")
    assert entry.detail == {"name": "backup", "scope": "admin"}


@pytest.mark.parametrize("whose", [ADA, BOB, DORA, CHARLIE])
def test_the_command_line_makes_tokens_for_everybody(cast: World, whose: str) -> None:
    """Whoever has a shell makes tokens for anybody; that of somebody inactive opens nothing yet."""
    made = make(cast, whose, by=SHELL)
    assert (find(cast, made.token) is None) == (whose == CHARLIE)
    users.set_active(cast.database, cast.user(whose).id, SHELL, active=True)
    assert find(cast, made.token)


@pytest.mark.parametrize(("whose", "by"), [(BOB, DORA), (BOB, ADA), (ADA, DORA), (ADA, BOB), (CHARLIE, CHARLIE)])
def test_who_may_not_make_a_token(cast: World, whose: str, by: str) -> None:
    """Nobody makes tokens for others, not even a superuser; and nobody at all who is inactive."""
    before = cast.tables()
    with pytest.raises(NotAllowed):
        make(cast, whose, by=acting(cast, by))
    assert cast.tables() == before


def test_a_token_before_the_password_is_replaced(cast: World) -> None:
    """Whoever has to replace the password first makes no token, also by a request that came in before a reset."""
    by = acting(cast, BOB)
    invitations.reset_password(cast.database, cast.snapshot.effective, cast.user(BOB).id, SHELL)
    with pytest.raises(PasswordChangeRequired):
        make(cast, by=by)
    assert rows(cast) == {}
    assert make(cast, by=SHELL).row.id in rows(cast)


@pytest.mark.parametrize("user_id", ODD_IDS)
def test_a_token_for_nobody(cast: World, user_id: str) -> None:
    """There are no tokens of users that do not exist, whatever their id looks like."""
    with pytest.raises(UserNotFound):
        issued_tokens.create(cast.database, user_id, "backup", SHELL)


@pytest.mark.parametrize(
    "name", ["", " ", "\t\n", "x" * 101, "a\0b", "a\nb", "a\x7fb", "a\x85b", "a\u202eb", "a\u2028b", "a\udc80"]
)
def test_names_that_are_refused(cast: World, name: str) -> None:
    """A token's name is not empty, not too long, and all of it can be seen; else nothing is made."""
    before = cast.tables()
    with pytest.raises(BadToken) as refused:
        make(cast, name=name)
    assert refused.value.field == "name"
    assert cast.tables() == before


@pytest.mark.parametrize(
    "name", ["x", "x" * 100, f" {'x' * 100}\n", "Sicherung \u00fc \u20ac", "\U0001f468\u200d\U0001f4bb", "a:b <i>"]
)
def test_names_that_are_good(cast: World, name: str) -> None:
    """A token's name may be any text that can be seen; white space around it is cut."""
    assert make(cast, name=name).row.name == name.strip()


def test_two_tokens_of_one_name(cast: World) -> None:
    """Two tokens may be called the same; they are two."""
    one, two = make(cast), make(cast)
    assert one.token != two.token
    assert len(rows(cast)) == 2


@pytest.mark.parametrize("expires_at", [NOON, NOON - INSTANT, NOON - DAY, NOON + LONGEST_LIFETIME + INSTANT])
def test_moments_that_are_refused(cast: World, expires_at: datetime) -> None:
    """A token does not expire in the past or too far in the future; else nothing is made."""
    before = cast.tables()
    with pytest.raises(BadToken, match="3650 days") as refused:
        make(cast, expires_at=expires_at)
    assert refused.value.field == "expires_at"
    assert cast.tables() == before


def fill(world: World, username: str, number: int) -> list[str]:
    """Give somebody API tokens; return their ids."""
    user_id = world.user(username).id
    made = [
        Token(kind=TokenKind.API, sha256=tokens.digest(f"{user_id} {each}"), user_id=user_id, created_at=NOON)
        for each in range(number)
    ]
    with world.database.writing() as db:
        db.add_all(made)
    return [row.id for row in made]


def test_a_hundred_tokens_at_most(cast: World) -> None:
    """Nobody has more than a hundred API tokens; whoever revokes one may make another."""
    one, *_ = fill(cast, BOB, 100)
    with pytest.raises(TooManyTokens, match="100"):
        make(cast)
    issued_tokens.revoke(cast.database, one, SHELL)
    assert make(cast).row.id in rows(cast)


def test_what_does_not_count_among_the_hundred(cast: World) -> None:
    """JWTs and other people's tokens do not count, so a program that signs in often shuts nobody out."""
    fill(cast, BOB, 99)
    fill(cast, DORA, 100)
    for _ in range(2):
        make_jwt(cast)
    assert make(cast).row.id in rows(cast)


def test_two_make_the_hundredth_token(cast: World) -> None:
    """Of two tokens that are made at the same moment where one more is possible, one is made."""
    fill(cast, BOB, 99)
    bob = cast.user(BOB).id
    calls = [partial(issued_tokens.create, cast.connect(), bob, name, SHELL) for name in ("one", "two")]
    assert sorted(type(outcome).__name__ for outcome in at_once(*calls)) == ["Issued", "TooManyTokens"]
    assert len(rows(cast)) == 100


# -- what an API token opens ----------------------------------------------------------------------------------


def test_an_api_token_is_found(cast: World) -> None:
    """An API token leads to its row, however many others there are."""
    made = [make(cast, name) for name in (BOB, ADA, BOB)]
    assert [found.id for each in made if (found := find(cast, each.token))] == [each.row.id for each in made]


@pytest.mark.parametrize("text", ["", "x", "\0", "lone \udc80", "authapp_", "authapp_" + "A" * 49])
def test_other_texts_find_nothing(cast: World, text: str) -> None:
    """What nobody was given is nobody's token, whatever it looks like."""
    make(cast)
    assert find(cast, text) is None


def test_a_token_nobody_made(cast: World) -> None:
    """A text with the right form and the right checksum is no token until somebody makes it."""
    assert find(cast, tokens.generate_api_token()) is None


def test_the_stored_hash_opens_nothing(cast: World) -> None:
    """Whoever reads the table has no token."""
    for sha256 in (make(cast).row.sha256, make_jwt(cast).row.sha256):
        assert (find(cast, sha256), find_jwt(cast, sha256)) == (None, None)


def test_a_jwt_is_no_api_token(cast: World) -> None:
    """A JWT where an API token belongs opens nothing, and the other way round."""
    assert find(cast, make_jwt(cast).token) is None
    assert find_jwt(cast, make(cast).token) is None


def test_a_row_is_of_one_kind(cast: World) -> None:
    """The row of a JWT opens nothing to an API token, nor the other way round, even if their hashes agree."""
    api, jwt = make(cast), make_jwt(cast)
    with cast.database.writing() as db:
        db.get_one(Token, api.row.id).kind = TokenKind.JWT
        db.get_one(Token, jwt.row.id).kind = TokenKind.API
    assert (find(cast, api.token), find_jwt(cast, jwt.token)) == (None, None)


def test_until_a_token_expires(cast: World, clock: time_machine.Traveller) -> None:
    """A token opens something until the moment it expires, and not a moment longer."""
    made = make(cast, expires_at=NOON + LONGEST_LIFETIME)
    clock.move_to(NOON + LONGEST_LIFETIME - INSTANT)
    assert find(cast, made.token)
    clock.shift(INSTANT)
    assert find(cast, made.token) is None


@pytest.mark.parametrize("hours", [-14, -2, 2, 14])
def test_an_end_in_another_time_zone(cast: World, clock: time_machine.Traveller, hours: int) -> None:
    """The end of a token is a moment, in whichever time zone a program writes it."""
    end = NOON + DAY
    made = make(cast, expires_at=end.astimezone(timezone(timedelta(hours=hours))))
    assert rows(cast)[made.row.id].expires_at == end
    clock.move_to(end - INSTANT)
    assert find(cast, made.token)
    clock.shift(INSTANT)
    assert find(cast, made.token) is None


def test_a_token_for_ever(cast: World, clock: time_machine.Traveller) -> None:
    """A token that does not expire is good after many years."""
    made = make(cast)
    clock.shift(100 * 365 * DAY)
    assert find(cast, made.token)


@pytest.mark.parametrize("kind", ["api", "jwt"])
def test_a_token_of_somebody_inactive(cast: World, kind: str) -> None:
    """A token counts only while its user is active, even if its row was left behind."""
    made, look = (make(cast), find) if kind == "api" else (make_jwt(cast), find_jwt)
    with cast.database.writing() as db:
        users.get(db, made.row.user_id).is_active = False
    assert look(cast, made.token) is None
    assert made.row.id in rows(cast)


@pytest.mark.parametrize("kind", ["api", "jwt"])
def test_a_token_does_not_outlive_its_user(cast: World, kind: str) -> None:
    """With a user's row the user's tokens go."""
    made, look = (make(cast), find) if kind == "api" else (make_jwt(cast), find_jwt)
    with cast.database.writing() as db:
        db.delete(users.get(db, made.row.user_id))
    assert look(cast, made.token) is None
    assert rows(cast) == {}


def test_last_used_is_written_once_a_minute(cast: World, clock: time_machine.Traveller) -> None:
    """A token's first use is worth writing, and then one a minute, with the time of now."""
    made = make(cast).row
    assert issued_tokens.is_worth_touching(made)
    touch(cast, made.id)
    clock.shift(MINUTE - INSTANT)
    assert not issued_tokens.is_worth_touching(rows(cast)[made.id])
    clock.shift(INSTANT)
    assert issued_tokens.is_worth_touching(rows(cast)[made.id])
    touch(cast, made.id, "2001:db8::1")
    touched = rows(cast)[made.id]
    assert (touched.last_used_at, touched.last_used_from) == (NOON + MINUTE, "2001:db8::1")


def touch(world: World, token_id: str, address: str = "192.0.2.1") -> None:
    """Let a token be used now."""
    with world.database.writing() as db:
        issued_tokens.touch(db, token_id, address)


def test_what_an_address_says_is_cut(cast: World) -> None:
    """However long what a proxy calls an address is, it is written down."""
    made = make(cast).row
    touch(cast, made.id, "a" * 500)
    assert rows(cast)[made.id].last_used_from == "a" * 64


def test_touching_what_was_revoked(cast: World) -> None:
    """A token that was revoked meanwhile is not brought back by being used."""
    made = make(cast).row
    issued_tokens.revoke(cast.database, made.id, SHELL)
    touch(cast, made.id)
    assert rows(cast) == {}


# -- JWTs -----------------------------------------------------------------------------------------------------


def test_a_jwt_is_a_row(cast: World) -> None:
    """A JWT leads to a row that says whose it is and until when: as long as a sign-in."""
    made = make_jwt(cast)
    row = find_jwt(cast, made.token)
    assert row is not None
    assert (row.kind, row.user_id, row.name, row.scope) == ("jwt", cast.user(BOB).id, "", None)
    assert (row.created_at, row.expires_at) == (NOON, NOON + OPTIONS.lifetime)


def test_only_a_jtis_sha256_is_stored(cast: World) -> None:
    """The row holds the SHA-256 of a JWT's `jti`; no table holds the JWT, the `jti`, or the signature."""
    made = make_jwt(cast)
    with cast.database.reading() as db:
        read = tokens.read_jwt(cast.snapshot.effective.secret_key, issued_tokens.audience(db), made.token)
    assert read is not None
    assert made.row.sha256 == tokens.digest(read[1])
    written = str(cast.tables()) + repr(made)
    assert [secret for secret in (read[1], *made.token.split(".")[1:]) if secret in written] == []


def test_a_jwt_is_for_this_installation(cast: World) -> None:
    """The audience of a JWT is the id of the installation, which another one with the same secret key has not."""
    with cast.database.reading() as db:
        assert issued_tokens.audience(db) == f"authapp:{cast.setting('installation')['id']}"


@pytest.mark.parametrize("name", [ADA, BOB])
def test_a_jwt_whose_row_is_gone(cast: World, name: str) -> None:
    """A JWT that is signed well opens nothing once its row is gone; others of the same user go on."""
    gone, other = make_jwt(cast, name), make_jwt(cast, name)
    issued_tokens.revoke(cast.database, gone.row.id, acting(cast, name))
    assert find_jwt(cast, gone.token) is None
    assert find_jwt(cast, other.token)


def test_a_jwt_of_another_than_its_row(cast: World) -> None:
    """A JWT whose user is another one than that of its row opens nothing."""
    jti = tokens.generate()
    with cast.database.writing() as db:
        audience = issued_tokens.audience(db)
        db.add(Token(kind=TokenKind.JWT, sha256=tokens.digest(jti), user_id=cast.user(BOB).id, created_at=NOON))
    found = {
        name: find_jwt(
            cast,
            tokens.sign_jwt(
                cast.snapshot.effective.secret_key,
                tokens.Claims(cast.user(name).id, jti, audience, NOON, NOON + HOUR),
            ),
        )
        for name in (ADA, BOB)
    }
    assert found[ADA] is None
    assert found[BOB] is not None


def test_a_jwt_ends_after_its_lifetime(cast: World, clock: time_machine.Traveller) -> None:
    """A JWT is good as long as a sign-in is, however much or little it is used."""
    made = make_jwt(cast)
    clock.shift(OPTIONS.lifetime - timedelta(seconds=1))
    assert find_jwt(cast, made.token)
    clock.shift(timedelta(seconds=1))
    assert find_jwt(cast, made.token) is None


@pytest.mark.parametrize(("lifetime", "good"), [("1h", False), ("2h", True), ("13h", True)])
def test_the_lifetime_in_force_counts(
    cast: World, clock: time_machine.Traveller, lifetime: str, good: bool
) -> None:
    """A shorter `session.lifetime` ends JWTs that were made under a longer one."""
    made = make_jwt(cast)
    clock.shift(HOUR)
    cast.write_config(f"session: {{lifetime: {lifetime}}}\n")
    assert cast.snapshot.problems == ()
    assert (find_jwt(cast, made.token) is not None) == good


def test_a_longer_lifetime_prolongs_no_jwt(cast: World, clock: time_machine.Traveller) -> None:
    """A JWT says itself until when it is good, so a longer `session.lifetime` is for those that are made then."""
    made = make_jwt(cast)
    cast.write_config("session: {lifetime: 14h}\n")
    clock.shift(13 * HOUR)
    assert find_jwt(cast, made.token) is None


def test_rows_of_jwts_that_are_over_go(cast: World, clock: time_machine.Traveller) -> None:
    """Making a JWT deletes the rows of everybody's that are over, and no API token, which says that it expired."""
    over = [make_jwt(cast, name).row.id for name in (BOB, ADA)]
    expired = make(cast, expires_at=NOON + MINUTE).row.id
    clock.shift(INSTANT)
    young = make_jwt(cast).row.id
    clock.move_to(NOON + OPTIONS.lifetime)
    new = make_jwt(cast).row.id
    assert set(rows(cast)) == {expired, young, new}
    assert set(over).isdisjoint(rows(cast))


def test_a_jwt_for_an_initial_password(cast: World) -> None:
    """Whoever has to replace the password first gets no JWT; that they signed in is written down."""
    made = invitations.reset_password(cast.database, cast.snapshot.effective, cast.user(BOB).id, SHELL)
    with pytest.raises(PasswordChangeRequired):
        make_jwt(cast, BOB, made.initial_password or "")
    assert rows(cast) == {}
    assert cast.user(BOB).last_login_at == NOON
    assert cast.events()[-1] == "sign-in success"


@pytest.mark.parametrize("name", [ADA, BOB, CHARLIE, "nobody"])
def test_a_jwt_for_a_wrong_password(cast: World, name: str) -> None:
    """Without the right password there is no JWT, and the refusal says no more than the form's."""
    with pytest.raises(LoginFailed, match="do not match"):
        make_jwt(cast, name, "Not the password at all")
    assert rows(cast) == {}


def test_getting_a_jwt_is_a_sign_in(cast: World) -> None:
    """The audit table says who got a JWT, by which road and from where."""
    make_jwt(cast)
    entry = cast.audit("sign-in")[-1]
    assert (entry.actor_id, entry.road, entry.address) == (cast.user(BOB).id, "api", "192.0.2.1")


def test_no_tokens_in_mode_none(world: World) -> None:
    """In mode none nobody signs in, so there is no token to make, for nobody and by no road."""
    world.write_mode("none")
    _ = world.app
    with pytest.raises(NotAllowed, match="mode none"):
        make(world, "default", by=SHELL)
    with pytest.raises(NotAllowed, match="mode none"):
        make_jwt(world, "default")


# -- lists ----------------------------------------------------------------------------------------------------


def test_ones_tokens(cast: World, clock: time_machine.Traveller) -> None:
    """A user's API tokens and JWTs are listed together, the newest first, and nobody else's."""
    mine = []
    for made in (make, make_jwt, make):
        mine.append(made(cast).row.id)
        make(cast, ADA)
        clock.shift(MINUTE)
    assert of_user(cast, BOB) == mine[::-1]
    assert of_user(cast, CHARLIE) == []


def test_tokens_that_expired_are_listed(cast: World, clock: time_machine.Traveller) -> None:
    """An API token that expired is shown as such; a JWT that is over is of no interest any more."""
    made = make(cast, expires_at=NOON + MINUTE).row
    make_jwt(cast)
    clock.shift(OPTIONS.lifetime - INSTANT)
    assert len(of_user(cast, BOB)) == 2
    clock.shift(INSTANT)
    assert of_user(cast, BOB) == [made.id]
    assert issued_tokens.is_over(made)


def test_lists_follow_the_lifetime_in_force(cast: World, clock: time_machine.Traveller) -> None:
    """A JWT that a shorter `session.lifetime` ended is not listed, whoever looks."""
    make_jwt(cast)
    clock.shift(HOUR)
    short = SessionOptions(lifetime=HOUR)
    with cast.database.reading() as db:
        assert (of_user(cast, BOB, short), issued_tokens.everybodys(db, short)) == ([], [])
        assert len(issued_tokens.everybodys(db, OPTIONS)) == 1


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
def test_pages_of_everybodys_tokens(cast: World, clock: time_machine.Traveller, limit: int) -> None:
    """Page after page holds every token once, also those made at one moment, and while some go and others come."""
    for _ in range(2):
        for name in (BOB, ADA, DORA):
            make(cast, name)
        clock.shift(MINUTE)
    whole, found = page(cast), list[Token]()
    assert len(whole) == 6
    while more := page(cast, after=(found[-1].created_at, found[-1].id) if found else None, limit=limit):
        found += more
        issued_tokens.revoke(cast.database, more[-1].id, SHELL)
        make(cast)
    assert [row.id for row in found] == [row.id for row in whole]


def page(world: World, *, after: Cursor | None = None, limit: int | None = None) -> list[Token]:
    """Return a page of everybody's tokens."""
    with world.database.reading() as db:
        listed = issued_tokens.everybodys(db, OPTIONS, after=after, limit=limit)
    assert all(row.user_id == user.id for row, user in listed)
    return [row for row, _ in listed]


def test_a_page_of_ones_tokens(cast: World, clock: time_machine.Traveller) -> None:
    """One's own list has pages as well, which hold only one's own."""
    mine = []
    for _ in range(3):
        mine.append(make(cast).row)
        make(cast, ADA)
        clock.shift(MINUTE)
    oldest, middle, newest = mine
    with cast.database.reading() as db:
        listed = partial(issued_tokens.of_user, db, OPTIONS, cast.user(BOB).id, limit=1)
        assert [row.id for row in listed()] == [newest.id]
        assert [row.id for row in listed(after=(newest.created_at, newest.id))] == [middle.id]
        assert list(listed(after=(oldest.created_at, oldest.id))) == []


def test_live_api_tokens(cast: World, clock: time_machine.Traveller) -> None:
    """Whoever looks after a recovery sees what opens something now: no JWT, nothing expired, nobody inactive."""
    for name in (DORA, BOB, ADA, CHARLIE):
        make(cast, name, by=SHELL)
    make(cast, BOB, "over", expires_at=NOON + MINUTE)
    make(cast, BOB, "not over", expires_at=NOON + MINUTE + INSTANT)
    make_jwt(cast)
    clock.shift(MINUTE)
    with cast.database.reading() as db:
        listed = [(user.username, row.name) for row, user in issued_tokens.live_api_tokens(db)]
    assert sorted(listed) == [(ADA, "backup"), (BOB, "backup"), (BOB, "not over"), (DORA, "backup")]
    assert [name for name, _ in listed] == [ADA, BOB, BOB, DORA]


def test_what_programs_are_told(cast: World) -> None:
    """What is told of a token can be written as JSON, and holds nothing that the token can be guessed by."""
    made = make(cast, expires_at=NOON + DAY)
    told = json.dumps(issued_tokens.facts(made.row, BOB))
    assert json.loads(told)["expires_at"] == "2030-01-02T12:00:00+00:00"
    assert made.row.sha256 not in told
    assert made.token not in told


# -- revoking one ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [BOB, DORA, ADA, None])
@pytest.mark.parametrize("kind", ["api", "jwt"])
def test_revoking_one(cast: World, kind: str, by: str | None) -> None:
    """One's own tokens can be revoked by oneself, and anybody's by a superuser or the command line."""
    gone, other = [make(cast) if kind == "api" else make_jwt(cast) for _ in range(2)]
    row, user = issued_tokens.revoke(cast.database, gone.row.id, acting(cast, by) if by else SHELL)
    assert (row.id, user.username) == (gone.row.id, BOB)
    assert set(rows(cast)) == {other.row.id}


def test_revoking_is_recorded(cast: World) -> None:
    """The audit table says who revoked whose token, of which kind and called what."""
    by = acting(cast, DORA)
    issued_tokens.revoke(cast.database, make(cast).row.id, by)
    (entry,) = cast.audit("token.revoked")
    assert (entry.actor_id, entry.target, entry.address) == (by.user_id, BOB, "192.0.2.7")
    assert entry.detail == {"kind": "api", "name": "backup"}


@pytest.mark.parametrize("by", [BOB, DORA, ADA, None])
def test_seeing_one(cast: World, by: str | None) -> None:
    """Whoever may revoke a token may see it."""
    made = make(cast)
    with cast.database.reading() as db:
        row, user = issued_tokens.get(db, made.row.id, acting(cast, by) if by else SHELL)
    assert (row.id, user.username) == (made.row.id, BOB)


def refusal(world: World, token_id: str, by: Actor, of: str | None = None) -> str:
    """Ask for a token and try to revoke it; return the refusal, which is the same for both."""
    with pytest.raises(Refused) as revoked:
        issued_tokens.revoke(world.database, token_id, by, of=of)
    with world.database.reading() as db, pytest.raises(Refused) as seen:
        issued_tokens.get(db, token_id, by, of=of)
    assert type(revoked.value) is type(seen.value) is TokenNotFound
    assert str(revoked.value) == str(seen.value)
    return str(seen.value)


@pytest.mark.parametrize("by", [BOB, CHARLIE])
def test_other_peoples_tokens(cast: World, by: str) -> None:
    """A token that is none of one's business is not there: nobody learns which tokens others have."""
    adas = make(cast, ADA).row.id
    who = acting(cast, by)
    assert refusal(cast, adas, who) == refusal(cast, "no such id", who)
    assert set(rows(cast)) == {adas}


def test_ones_own_token_when_inactive(cast: World) -> None:
    """Whoever was deactivated looks after no token any more, not even their own."""
    made = make(cast, CHARLIE, by=SHELL).row.id
    assert refusal(cast, made, acting(cast, CHARLIE))
    assert set(rows(cast)) == {made}


@pytest.mark.parametrize("by", [DORA, None])
def test_a_token_among_those_of_another(cast: World, by: str | None) -> None:
    """Asked for among one user's tokens, another user's are not there, also for those who may see them."""
    adas = make(cast, ADA).row.id
    assert refusal(cast, adas, acting(cast, by) if by else SHELL, of=cast.user(BOB).id)
    assert set(rows(cast)) == {adas}


@pytest.mark.parametrize("token_id", ODD_IDS)
def test_revoking_what_is_not_there(cast: World, token_id: str) -> None:
    """A token that was revoked, or never was, is told so, whatever its id looks like."""
    assert refusal(cast, token_id, SHELL)


def test_two_revoke_one_token(cast: World) -> None:
    """When two people revoke one token at the same moment, one does, and the other hears that it is gone."""
    token_id = make(cast).row.id
    by = [acting(cast, BOB), acting(cast, DORA)]
    outcomes = at_once(*(partial(issued_tokens.revoke, cast.connect(), token_id, each) for each in by))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["TokenNotFound", "tuple"]
    assert len(cast.audit("token.revoked")) == 1


# -- revoking many --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [BOB, DORA, None])
def test_revoking_all_of_a_user(cast: World, by: str | None) -> None:
    """All tokens of a user, JWTs too, can be revoked but one, by that user, a superuser or the command line."""
    kept, *_, adas = make(cast), make(cast), make_jwt(cast), make(cast, ADA)
    who = acting(cast, by) if by else SHELL
    assert issued_tokens.revoke_all(cast.database, cast.user(BOB).id, who, keep=kept.row.id) == 2
    assert set(rows(cast)) == {kept.row.id, adas.row.id}
    assert [entry.detail for entry in cast.audit("token.all-revoked")] == [{"tokens": 2}]


def test_revoking_nothing_is_not_recorded(cast: World) -> None:
    """Where no token was, none was revoked, and nothing is recorded."""
    make(cast, ADA)
    assert issued_tokens.revoke_all(cast.database, cast.user(BOB).id, SHELL) == 0
    assert cast.audit("token.all-revoked") == []


def test_keeping_somebody_elses_token(cast: World) -> None:
    """A token to keep that is somebody else's keeps none of one's own."""
    make(cast)
    adas = make(cast, ADA).row.id
    assert issued_tokens.revoke_all(cast.database, cast.user(BOB).id, acting(cast, BOB), keep=adas) == 1
    assert set(rows(cast)) == {adas}


@pytest.mark.parametrize(("whose", "by"), [(ADA, BOB), (ADA, CHARLIE), (CHARLIE, CHARLIE)])
def test_who_may_not_revoke_many(cast: World, whose: str, by: str) -> None:
    """Nobody revokes other people's tokens who is no superuser, and nobody any who is inactive."""
    made = make(cast, whose, by=SHELL).row.id
    with pytest.raises(NotAllowed):
        issued_tokens.revoke_all(cast.database, cast.user(whose).id, acting(cast, by))
    assert set(rows(cast)) == {made}


@pytest.mark.parametrize("user_id", ODD_IDS)
def test_revoking_all_of_nobody(cast: World, user_id: str) -> None:
    """A user who is not there has no tokens to revoke, and that is said."""
    with pytest.raises(UserNotFound):
        issued_tokens.revoke_all(cast.database, user_id, SHELL)
