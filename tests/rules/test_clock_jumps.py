"""A clock that jumps: nothing lives for ever, nobody is locked out for ever, and no record is lost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from authapp import audit, audit_chain, chores, nodes, sessions, throttle, wizard
from authapp.audit_chain import Verified
from authapp.config.sections import Config, SessionOptions, Throttle
from authapp.invitations import NewUser, invite
from authapp.logins import is_expired
from authapp.models import Refusal
from authapp.nodes import Here
from tests.web.pages import browser_called
from tests.web.program import by_jwt, by_token
from tests.world import BOB, SHELL, World

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY, YEARS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=3650)
OPTIONS, LIMITS = SessionOptions(), Throttle(attempts=3, network_attempts=3)
BUCKET = throttle.bucket("a secret key for these tests", "bob", "192.0.2.1", "id of bob")
each_jump = pytest.mark.parametrize("jump", [-YEARS, -DAY, -HOUR, DAY, YEARS], ids=str)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock, which stands at noon until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


# -- who is signed in -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("remember", [False, True])
@pytest.mark.parametrize("ahead", [HOUR, DAY, YEARS], ids=str)
def test_a_session_ends(cast: World, clock: time_machine.Traveller, ahead: timedelta, remember: bool) -> None:
    """A session that began while the clock was ahead lives twice its time at most."""
    lifetime = OPTIONS.remember_lifetime if remember else OPTIONS.lifetime
    clock.shift(ahead)
    with cast.database.writing() as db:
        token = sessions.start(db, cast.user(BOB), SHELL, remember=remember)
    clock.move_to(NOON)
    with cast.database.reading() as db:
        found = sessions.find(db, OPTIONS, token)
        listed = sessions.all_of(db, OPTIONS, cast.user(BOB).id)
    assert bool(found) == bool(listed) == (ahead < lifetime and (remember or ahead < OPTIONS.idle_timeout))


def test_a_clock_that_is_set_back_signs_nobody_out(cast: World, clock: time_machine.Traveller) -> None:
    """Who signed in before the clock was set back by an hour stays signed in."""
    browser = browser_called(cast, "Browser/1")
    clock.shift(-HOUR)
    assert browser.is_signed_in()


@each_jump
def test_a_page_opens_whatever_the_clock_says(cast: World, clock: time_machine.Traveller, jump: timedelta) -> None:
    """After each jump a browser is signed in or led to the sign-in, and can sign in anew."""
    browser = browser_called(cast, "Browser/1")
    clock.shift(jump)
    assert browser.get("/account").status_code in (200, 303)
    browser = browser_called(cast, "Browser/1")
    assert browser.is_signed_in()


def test_a_proof_from_the_future(clock: time_machine.Traveller) -> None:
    """A password that was typed while the clock was ahead by more than 15 minutes proves nothing any more."""
    proved_at = NOON + sessions.PROOF_LIFETIME
    assert not sessions.has_proof(proved_at)
    clock.shift(MINUTE)
    assert sessions.has_proof(proved_at)


@each_jump
def test_a_jwt(cast: World, clock: time_machine.Traveller, jump: timedelta) -> None:
    """A JWT is refused while the clock is behind its beginning by more than a minute, or beyond its end."""
    program = by_jwt(cast, BOB)
    clock.shift(jump)
    assert program.get("/users/whoami").status_code == 401
    clock.move_to(NOON - MINUTE)
    assert program.get("/users/whoami").status_code == 200


@each_jump
def test_an_api_token(cast: World, clock: time_machine.Traveller, jump: timedelta) -> None:
    """An API token without an end goes on working, whatever the clock says."""
    program = by_token(cast, BOB)
    clock.shift(jump)
    assert program.get("/users/whoami").status_code == 200


def test_an_initial_password_from_the_future(cast: World, clock: time_machine.Traveller) -> None:
    """An initial password that was made while the clock was years ahead does not wait so long to be used."""
    clock.shift(YEARS)
    effective = cast.snapshot.effective
    user = invite(cast.database, effective, [NewUser("erin", active=True)], SHELL)[0].user
    assert not is_expired(effective, user)
    clock.move_to(NOON)
    assert is_expired(effective, user)


def test_a_setup_token_from_the_future(world: World, clock: time_machine.Traveller) -> None:
    """A setup token that was made while the clock was years ahead opens nothing; another is made."""
    clock.shift(YEARS)
    old = world.setup_token()
    clock.move_to(NOON)
    assert not wizard.is_token(world.database, old)
    assert wizard.is_token(world.database, world.setup_token())


# -- the throttle ---------------------------------------------------------------------------------------------


def waits(world: World) -> timedelta | None:
    """Return how long there is no try left."""
    with world.database.reading() as db:
        return throttle.has_to_wait(db, LIMITS, BUCKET)


def use_up(world: World) -> None:
    """Take every try there is."""
    with world.database.writing() as db:
        while throttle.take(db, LIMITS, BUCKET).wait is None:
            pass


def locks(world: World) -> int:
    """Return how many locks a superuser sees."""
    with world.database.reading() as db:
        return len(throttle.locks(db, LIMITS, 10))


@pytest.mark.parametrize(("ahead", "still"), [(HOUR, True), (DAY, False), (YEARS, False)], ids=str)
def test_a_lock_from_the_future(world: World, clock: time_machine.Traveller, ahead: timedelta, still: bool) -> None:
    """Nobody has to wait for ever: a lock that lasts too long, because the clock was ahead, does not count."""
    clock.shift(ahead)
    use_up(world)
    clock.move_to(NOON)
    assert (waits(world) is not None) == (locks(world) > 0) == still


@each_jump
def test_a_guesser_is_stopped_again(world: World, clock: time_machine.Traveller, jump: timedelta) -> None:
    """A jump gives a guesser at most the tries of one more window."""
    use_up(world)
    clock.shift(jump)
    with world.database.writing() as db:
        taken = [throttle.take(db, LIMITS, BUCKET).wait for _ in range(LIMITS.attempts + 1)]
    assert taken[-1] is not None
    assert timedelta() < (waits(world) or timedelta()) <= HOUR + LIMITS.lock


def test_nobody_is_known_for_years(world: World, clock: time_machine.Traveller) -> None:
    """Who signed in while the clock was years ahead is not known in a network until then."""
    clock.shift(YEARS)
    with world.database.writing() as db:
        throttle.know(db, BUCKET)
        assert throttle.is_known(db, BUCKET)
    clock.move_to(NOON)
    with world.database.reading() as db:
        assert not throttle.is_known(db, BUCKET)


# -- the record -----------------------------------------------------------------------------------------------


def happens(world: World) -> None:
    """Let something happen, and do the chores, as every process does once a minute."""
    with world.database.writing() as db:
        audit.record(db, "some.event", SHELL)
    chores.run(world.database, Config())


def verified(world: World) -> Verified:
    """Look through the chain, which must be whole."""
    with world.database.reading() as db:
        found = audit_chain.verify(db)
    assert isinstance(found, Verified), str(found)
    return found


@each_jump
def test_the_chain_goes_on(world: World, clock: time_machine.Traveller, jump: timedelta) -> None:
    """After each jump, and after the clock is right again, the chain goes on and is whole; nothing is cut off."""
    happens(world)
    clock.shift(jump)
    happens(world)
    clock.move_to(NOON + MINUTE)
    happens(world)
    assert (verified(world).blocks, verified(world).unsealed) == (3, 0)
    assert len(world.audit("some.event")) == 3


def test_a_wrong_clock_cuts_nothing_for_a_day(world: World, clock: time_machine.Traveller) -> None:
    """A clock that is years ahead cuts nothing off before it says so for a day, and then never the newest block."""
    happens(world)
    clock.shift(YEARS)
    for _ in range(23):
        happens(world)
        clock.shift(HOUR)
    assert world.audit("audit.cut") == []
    clock.shift(HOUR + MINUTE)
    happens(world)
    assert len(world.audit("audit.cut")) == 1
    assert verified(world).blocks == 24


def test_one_node_with_a_wrong_clock_cuts_nothing(world: World, clock: time_machine.Traveller) -> None:
    """Beside nodes whose clocks are right, one that is years ahead cuts nothing, however long it runs."""
    for day in range(3):
        for ahead in (YEARS, timedelta()):
            clock.move_to(NOON + day * DAY + ahead)
            happens(world)
    clock.move_to(NOON + 3 * DAY + YEARS)
    happens(world)
    assert world.audit("audit.cut") == []


def test_a_block_from_the_future_holds_nothing_up(world: World, clock: time_machine.Traveller) -> None:
    """What was sealed while the clock was ahead is cut off with its neighbours, and holds no cut up until then."""
    clock.shift(YEARS)
    happens(world)
    clock.move_to(NOON)
    for days in (0, 400, 2):
        clock.shift(days * DAY)
        happens(world)
    assert [entry.detail["through_block"] for entry in world.audit("audit.cut")] == [2]
    assert verified(world).blocks == 2


def test_counts_from_the_future_are_written_down(world: World, clock: time_machine.Traveller) -> None:
    """What was refused while the clock was ahead becomes an entry soon after, not when the clock is there."""
    clock.shift(YEARS)
    world.database.refused.count("192.0.2.1")
    clock.move_to(NOON)
    chores.run(world.database, Config())
    assert len(world.audit("sign-in.refused")) == 1
    with world.database.reading() as db:
        assert db.scalar(select(func.count()).select_from(Refusal)) == 0


# -- nodes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [HOUR, DAY, YEARS], ids=str)
def test_a_node_from_the_future(world: World, clock: time_machine.Traveller, ahead: timedelta) -> None:
    """A node that was seen while its clock was ahead is not alive until then."""
    clock.shift(ahead)
    nodes.beat(world.database, Here(id="a"), world.snapshot.effective)
    clock.move_to(NOON)
    nodes.beat(world.database, Here(id="b"), world.snapshot.effective)
    with world.database.reading() as db:
        assert [node.id for node in nodes.live(db)] == ["b"]
