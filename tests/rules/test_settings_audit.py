"""The Settings table as a mapping, and the append-only audit table."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from authapp import audit, settings
from authapp.audit import Actor
from authapp.config.overlay import settings_layer
from authapp.database import Database
from authapp.models import Setting
from authapp.settings import Credentials
from tests.world import ADA, PASSWORD, SHELL, World, at_once

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock, which stands at noon until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def row(world: World, key: str) -> Setting:
    """Return a row of the Settings table."""
    with world.database.reading() as db:
        return db.get_one(Setting, key)


# -- settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["text", "", 7, 1.5, True, False, [], [1, "two", None], {"a": {"b": [1]}}, "żółć 😀", "null"]
)
def test_any_json_is_kept_as_it_is(world: World, value: Any) -> None:
    """What is stored is loaded again, of the same type."""
    with world.database.writing() as db:
        settings.store(db, "some.key", value)
    assert world.setting("some.key") == value
    assert type(world.setting("some.key")) is type(value)


def test_storing_says_when_and_who(world: World, clock: time_machine.Traveller) -> None:
    """A row says when it was written last, and by which user."""
    with world.database.writing() as db:
        settings.store(db, "some.key", 1, by="the first")
    clock.shift(timedelta(hours=1))
    with world.database.writing() as db:
        settings.store(db, "some.key", 2, by="the second")
    written = row(world, "some.key")
    assert (written.value, written.updated_by) == (2, "the second")
    assert written.updated_at == NOON + timedelta(hours=1)


def test_times_carry_their_time_zone(world: World) -> None:
    """A moment is loaded in UTC, with its time zone, whatever the database keeps of it."""
    assert row(world, settings.INSTALLATION).updated_at.utcoffset() == timedelta(0)


def test_what_is_not_there_is_none(world: World) -> None:
    """A key nobody wrote has no value; removing it does no harm."""
    with world.database.writing() as db:
        settings.remove(db, "some.key")
    assert world.setting("some.key") is None


def test_removing(world: World) -> None:
    """A row that is removed is gone, and no other with it."""
    with world.database.writing() as db:
        settings.store(db, "some.key", 1)
        settings.store(db, "other.key", 1)
    with world.database.writing() as db:
        settings.remove(db, "some.key")
        rows = settings.load_all(db)
    assert "some.key" not in rows
    assert "other.key" in rows


def test_what_an_installation_has(world: World) -> None:
    """A new installation has its id, the mode `basic`, and a secret key of 256 bits."""
    _ = world.database
    installation = world.setting("installation")
    assert len(installation["id"]) == 36
    assert installation["auth_mode"] == "basic"
    assert (installation["owner_id"], installation["setup_completed_at"]) == (None, None)
    assert len(world.setting("server.secret-key")) == 43


def test_what_stands_under_basic_auth(cast: World) -> None:
    """The owner's credentials stand under `server.basic-auth`, under the names of the contract."""
    stored = cast.setting("server.basic-auth")
    assert list(stored) == ["username", "password_hash"]
    assert stored["username"] == ADA
    assert stored["password_hash"].startswith("$argon2id$")


def test_stored_credentials_are_a_layer(cast: World) -> None:
    """The row `server.basic-auth` supplies user name and hash to the overlay; authapp's own rows supply nothing."""
    with cast.database.reading() as db:
        values = settings_layer(settings.load_all(db)).values
    assert set(values) == {"server.basic-auth.username", "server.basic-auth.password-hash", "server.secret-key"}


def test_credentials_do_not_show_their_hash() -> None:
    """Credentials that end up in a log or a traceback do not show the hash."""
    assert "$argon2" not in repr(Credentials(ADA, "$argon2id$secret"))


def test_holding_lets_one_go_after_the_other(world: World) -> None:
    """Whoever holds the installation reads and writes before anybody else does: no update is lost."""
    with world.database.writing() as db:
        settings.store(db, "counter", 0)

    def count(database: Database) -> None:
        for _ in range(10):
            with database.writing() as db:
                settings.hold(db)
                settings.store(db, "counter", settings.load(db, "counter") + 1)

    assert at_once(*(partial(count, world.connect()) for _ in range(3))) == [None] * 3
    assert world.setting("counter") == 30


# -- audit ----------------------------------------------------------------------------------------------------


def test_an_entry_says_what_happened(cast: World, clock: time_machine.Traveller) -> None:
    """An entry says when, what, how it ended, who, by which road, from where, to whom, and details."""
    del clock
    ada = cast.user(ADA)
    by = Actor("form", ada.id, ADA, "192.0.2.1", "Browser/1")
    with cast.database.writing() as db:
        audit.record(db, "some.event", by, outcome="refused", target=ada, number=7)
    (entry,) = cast.audit("some.event")
    assert (entry.at, entry.outcome, entry.road, entry.actor_id, entry.actor) == (
        NOON,
        "refused",
        "form",
        ada.id,
        ADA,
    )
    assert (entry.address, entry.target_id, entry.target, entry.detail) == ("192.0.2.1", ada.id, ADA, {"number": 7})


def test_long_names_are_cut(world: World) -> None:
    """However long a name or address is, the entry is written."""
    with world.database.writing() as db:
        audit.record(db, "some.event", Actor("form", name="x" * 1000, address="y" * 1000))
    (entry,) = world.audit("some.event")
    assert (len(entry.actor), len(entry.address)) == (256, 64)


def test_entries_are_counted_up(world: World) -> None:
    """Every entry has a number of its own, in the order of what happened."""
    for number in range(3):
        with world.database.writing() as db:
            audit.record(db, "some.event", SHELL, number=number)
    entries = world.audit("some.event")
    assert [entry.detail["number"] for entry in entries] == [0, 1, 2]
    assert len({entry.id for entry in entries}) == 3


def test_what_did_not_happen_is_not_recorded(world: World) -> None:
    """An entry is part of the transaction it tells of: with it, it is undone."""

    def fail() -> None:
        with world.database.writing() as db:
            audit.record(db, "some.event", SHELL)
            db.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert world.audit("some.event") == []


def test_an_entry_outlives_its_user(cast: World) -> None:
    """Entries keep name and id of a user whose row is gone."""
    bob = cast.user("bob")
    with cast.database.writing() as db:
        db.delete(db.get_one(type(bob), bob.id))
    assert (cast.audit("user.created")[0].target, cast.audit("user.created")[0].target_id) == ("bob", bob.id)


def test_setting_up_is_recorded_without_secrets(cast: World) -> None:
    """The audit table tells how everybody came about, and holds no password and no hash."""
    assert cast.events() == [
        "installation.created success",
        "setup.completed success",
        *["user.created success"] * 3,
    ]
    text = str(cast.tables()["audit"])
    assert PASSWORD not in text
    assert "$argon2" not in text
