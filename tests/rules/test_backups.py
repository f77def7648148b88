"""Backups: made while others write, restored whole or not at all, and nothing that was revoked comes back."""

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from stat import S_IMODE

import pytest
from sqlalchemy import select, text

from authapp import audit, backups, clock, contents, issued_tokens, settings, users
from authapp.base import Base
from authapp.database import Database, upgrade
from authapp.errors import CannotMove, SchemaOutdated
from authapp.models import AuditEntry, Tries, User
from tests.world import ADA, BOB, CHARLIE, PASSWORD, SHELL, World, at_once, signed_in

# Decided for each table: does a restore bring its rows back? What lets somebody in, or counts tries, it does not.
RESTORED = {
    "audit",
    "audit_blocks",
    "known_names",
    "name_parts",
    "organizations",
    "settings",
    "users",
    "workspaces",
}
PEOPLE = ("users", "name_parts", "known_names", "organizations", "workspaces")


def backed_up(world: World, name: str = "backup.db") -> Path:
    """Make a backup."""
    file = world.folder / name
    backups.back_up(world.database, file)
    return file


def restore(world: World, file: Path) -> dict[str, int]:
    """Restore a backup into the world's database."""
    with backups.opened_backup(file, world.folder) as backup:
        return backups.restore(world.database, backup, SHELL)


def change(file: Path, *statements: str) -> None:
    """Change a backup."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def try_wrongly(world: World) -> None:
    """Leave a wrong try."""
    with world.database.writing() as db:
        db.add(Tries(key="k", account="a", count=3, expires_at=clock.now()))


@contextmanager
def refused(words: str) -> Iterator[None]:
    """Expect a refusal in one sentence."""
    with pytest.raises(CannotMove, match=words) as raised:
        yield
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


# -- making one -----------------------------------------------------------------------------------------------


def test_a_backup_holds_everything(cast: World) -> None:
    """A backup holds every row of every table, whichever database it is of."""
    signed_in(cast, BOB)
    with backups.opened_backup(backed_up(cast), cast.folder) as backup, contents.snapshot(backup) as connection:
        found = {
            table.name: sorted(str(tuple(row)) for row in connection.execute(table.select()))
            for table in Base.metadata.sorted_tables
        }
    # PostgreSQL's driver calls the same time zone something else.
    assert found == {
        name: [re.sub(r"zoneinfo\.ZoneInfo\(key='[\w/]+'\)", "datetime.timezone.utc", row) for row in rows]
        for name, rows in cast.tables().items()
    }


def test_a_backup_counts_its_rows(cast: World) -> None:
    """Whoever makes a backup learns how many rows of each table are in it."""
    rows = backups.back_up(cast.database, cast.folder / "backup.db")
    assert rows == {name: len(found) for name, found in cast.tables().items()}


def test_a_backup_is_one_private_file(cast: World) -> None:
    """A backup is a single file, which nobody but its owner may read; nothing else is left in the folder."""
    folder = cast.folder / "backups"
    folder.mkdir()
    backups.back_up(cast.database, folder / "backup.db")
    (file,) = folder.iterdir()
    assert (file.name, S_IMODE(file.stat().st_mode)) == ("backup.db", 0o600)


@pytest.mark.parametrize("there", ["file", "link to nowhere", "folder"])
def test_a_backup_replaces_nothing(world: World, there: str) -> None:
    """Where something stands already, no backup is made, and what stands there stays; a link is not followed."""
    file, elsewhere = world.folder / "backup.db", world.folder / "elsewhere.db"
    if there == "file":
        file.write_text("mine")
    elif there == "folder":
        file.mkdir()
    else:
        file.symlink_to(elsewhere)
    before = file.lstat()
    with refused("replaces nothing"):
        backups.back_up(world.database, file)
    assert file.lstat().st_ino == before.st_ino
    assert not elsewhere.exists()


def test_what_came_meanwhile_is_not_replaced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that appears while the backup is written is not replaced either."""
    file, finish = world.folder / "backup.db", backups._finish

    def finish_late(part: Path) -> dict[str, int]:
        file.write_text("mine")
        return finish(part)

    monkeypatch.setattr(backups, "_finish", finish_late)
    with refused("replaces nothing"):
        backups.back_up(world.database, file)
    assert file.read_text() == "mine"
    assert not list(world.folder.glob(".authapp-*"))


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=2)])
def test_what_killed_processes_left(world: World, age: timedelta) -> None:
    """What a killed backup or restore left behind is gone after the next one, once it is a day old."""
    working = world.folder / ".authapp-restore-killed"
    working.mkdir()
    left = [working, world.folder / ".authapp-backup-killed"]
    left[1].write_text("hashes")
    for path in left:
        os.utime(path, (time.time() - age.total_seconds(),) * 2)
    restore(world, backed_up(world))
    assert [path.exists() for path in left] == [not age] * 2


def test_a_folder_that_is_not_there(world: World) -> None:
    """A backup into a folder that is not there is refused in a sentence."""
    with refused("No such file or directory"):
        backups.back_up(world.database, world.folder / "nowhere" / "backup.db")


def test_a_failed_backup_leaves_nothing(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full on the way, there is no file afterwards, and no half one either."""

    def full(_part: Path) -> dict[str, int]:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(backups, "_finish", full)
    with refused("disk is full"):
        backed_up(cast)
    assert not [file for file in cast.folder.iterdir() if "backup" in file.name]


def test_a_newer_schema_is_not_backed_up(world: World) -> None:
    """A database of a newer version is refused, because this one does not know what belongs into the backup."""
    with world.database.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaOutdated, match="newer version"):
        backed_up(world)


def test_a_backup_while_others_write(cast: World) -> None:
    """A backup that is made while users come and go holds one state: no row lacks the one it refers to."""

    def write(number: int) -> None:
        for round_ in range(8):
            user = cast.add(f"user{number}-{round_}")
            if round_ % 2:
                users.delete_all(cast.database, [user.id], SHELL)

    file = cast.folder / "backup.db"
    made = at_once(partial(write, 1), partial(write, 2), partial(backups.back_up, cast.database, file))
    assert [outcome for outcome in made if isinstance(outcome, Exception)] == []
    # Opening it looks whether each row has the one it refers to.
    with backups.opened_backup(file, cast.folder) as backup, backup.reading() as db:
        entries = list(db.scalars(select(AuditEntry)))
        added, gone = (
            {entry.target_id for entry in entries if entry.event == event}
            for event in ("user.created", "user.deleted")
        )
        assert {user.id for user in db.scalars(select(User)) if user.username != ADA} == added - gone


# -- taking one back ------------------------------------------------------------------------------------------


def test_a_restore_brings_people_back(cast: World) -> None:
    """After a restore the people are those of the backup; who came later is gone."""
    file, before = backed_up(cast), cast.tables()
    cast.add("erin")
    users.delete_all(cast.database, [cast.user(BOB).id], SHELL)
    restore(cast, file)
    cast.look()
    after = cast.tables()
    assert {name: after[name] for name in PEOPLE} == {name: before[name] for name in PEOPLE}
    assert cast.browser().sign_in(BOB, PASSWORD).status_code == 303


def test_every_table_is_decided() -> None:
    """For each table it is decided whether a restore brings it back; whoever adds one has to decide, too."""
    assert {table.name for table in contents.tables()} == RESTORED | backups.LEFT_OUT


def test_no_session_comes_back(cast: World) -> None:
    """Sessions of before the restore are over, those of the backup and those since."""
    earlier = signed_in(cast, BOB)
    file = backed_up(cast)
    later = signed_in(cast, ADA)
    restore(cast, file)
    cast.look()
    assert (earlier.is_signed_in(), later.is_signed_in()) == (False, False)
    assert cast.tables()["sessions"] == []


def test_no_token_comes_back(cast: World) -> None:
    """API tokens and JWTs of the backup open nothing after the restore, revoked since or not."""
    made = issued_tokens.create(cast.database, cast.user(BOB).id, "backup", SHELL)
    file = backed_up(cast)
    issued_tokens.revoke(cast.database, made.row.id, SHELL)
    restore(cast, file)
    headers = {"Authorization": f"Bearer {made.token}"}
    assert cast.browser().get("/api/v1/users/whoami", headers=headers).status_code == 401
    assert cast.tables()["tokens"] == []


def test_a_new_secret_key(cast: World) -> None:
    """A restore makes a new stored secret key: neither the backup's nor the one of before is in use."""
    file, old = backed_up(cast), cast.setting("server.secret-key")
    restore(cast, file)
    assert cast.setting("server.secret-key") not in (None, old)


def test_no_setup_token_comes_back(world: World) -> None:
    """The setup tokens of a backup are void."""
    world.setup_token()
    file = backed_up(world)
    restore(world, file)
    assert world.setting(settings.SETUP_TOKEN) is None


def test_nobody_has_to_wait_after_a_restore(cast: World) -> None:
    """Wrong tries of before are forgotten, those of the backup and those since."""
    try_wrongly(cast)
    file = backed_up(cast)
    restore(cast, file)
    assert cast.tables()["tries"] == []


def test_a_restore_is_recorded(cast: World) -> None:
    """The restore is the newest entry of the audit table, which is that of the backup otherwise."""
    signed_in(cast, BOB)
    file, before = backed_up(cast), cast.events()
    cast.add("erin")
    restore(cast, file)
    assert cast.events() == [*before, "database.restored success"]
    (entry,) = cast.audit("database.restored")
    assert (entry.road, entry.detail) == (SHELL.road, {"users": 4, "sessions": 1, "tokens": 0})


def test_entries_are_numbered_on(cast: World) -> None:
    """After a restore new audit entries get numbers nobody had, so that whoever reads on misses none."""
    file = backed_up(cast)
    with cast.database.writing() as db:
        for _ in range(5):
            db.add(AuditEntry(at=clock.now(), event="x", outcome="x", road="x"))
    restore(cast, file)
    cast.add("erin")
    numbers = [entry.id for event in ("database.restored", "user.created") for entry in cast.audit(event)]
    assert len(numbers) == len(set(numbers)) == 5


def test_a_restore_into_an_empty_database(cast: World, tmp_path: Path) -> None:
    """A backup founds an installation on a machine where there was none."""
    file, fresh = backed_up(cast), Database(f"sqlite:///{tmp_path / 'fresh.db'}")
    upgrade(fresh)
    with backups.opened_backup(file, tmp_path) as backup:
        backups.restore(fresh, backup, SHELL)
    with fresh.reading() as db:
        assert {users.find(db, name) is not None for name in (ADA, BOB, CHARLIE)} == {True}
    fresh.dispose()


def test_a_restore_that_fails_changes_nothing(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restore that fails at its very end is undone whole."""
    file = backed_up(cast)
    cast.add("erin")
    before = cast.tables()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(ZeroDivisionError):
        restore(cast, file)
    assert cast.tables() == before
    monkeypatch.undo()
    cast.add("frank")


def test_writers_wait_for_a_restore(cast: World) -> None:
    """Whoever writes while a backup is restored comes before it or after it, never in between."""
    file = backed_up(cast)

    def add(number: int) -> None:
        for round_ in range(5):
            cast.add(f"user{number}-{round_}")

    outcomes = at_once(lambda: add(1), lambda: add(2), lambda: restore(cast, file))
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    kept = {row.target for row in cast.audit("user.created")}
    with cast.database.reading() as db:
        people = {user.username for user in db.scalars(select(User))}
    assert people == kept | {ADA}


@pytest.mark.postgres
@pytest.mark.sqlite(reason="its file is restored into another database")
def test_a_writer_who_does_not_end(cast: World, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody writes and does not end, a restore gives up in a sentence and changes nothing."""
    monkeypatch.setattr(contents, "LOCK_TRIES", 1)
    file, other = backed_up(cast), Database(postgres_url)
    with other.writing() as db:
        settings.store(db, "organization.name", "Example")
        db.flush()
        with backups.opened_backup(file, cast.folder) as backup, refused("Others write"):
            backups.restore(other, backup, SHELL)
    with other.reading() as db:
        assert settings.load(db, "organization.name") == "Example"
    other.dispose()


# -- what is no backup ----------------------------------------------------------------------------------------


def test_an_older_backup_is_brought_up_to_date(cast: World) -> None:
    """A backup of an older schema is upgraded in a copy, and the file stays as it is."""
    file = backed_up(cast)
    change(file, "DROP TABLE nodes", "UPDATE alembic_version SET version_num = '0006'")
    before = file.read_bytes()
    restore(cast, file)
    assert file.read_bytes() == before
    assert cast.user(BOB).is_active


def spoil(file: Path, how: str) -> None:
    """Make something else of a backup."""
    if how == "no database":
        file.write_bytes(b"this is no database, " * 500)
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:-20_000])
    elif how == "gone":
        file.unlink()
    else:
        change(file, how)


@pytest.mark.sqlite(reason="a backup is the same file on both databases")
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no database", "is no backup of authapp"),
        ("empty", "is no backup of authapp"),
        ("cut", "is no backup of authapp|damaged"),
        ("gone", "No such file"),
        ("DROP TABLE alembic_version", "is no backup of authapp"),
        ("UPDATE alembic_version SET version_num = 'abc'", "is no backup of authapp"),
        ("UPDATE alembic_version SET version_num = '9999'", "from a newer version"),
        ("DROP TABLE name_parts", "damaged"),
        ("DELETE FROM users", "damaged"),
        ("UPDATE users SET created_at = 'yesterday'", "damaged"),
        ("DELETE FROM settings WHERE key = 'installation'", "holds no installation"),
        ("UPDATE settings SET value = '[1]' WHERE key = 'installation'", "damaged"),
        ("UPDATE settings SET value = '{}' WHERE key = 'installation'", "holds no installation|damaged"),
    ],
)
def test_what_is_no_backup(cast: World, how: str, words: str) -> None:
    """What is no backup, or a damaged one, is refused in a sentence before anything is changed."""
    file, before = backed_up(cast), cast.tables()
    spoil(file, how)
    with refused(words):
        restore(cast, file)
    assert cast.tables() == before


def test_a_folder_is_no_backup(world: World) -> None:
    """Something that is not a file is refused, and nobody waits for it."""
    with refused("not a file"), backups.opened_backup(world.folder, world.folder):
        pass


@pytest.mark.sqlite(reason="it is about the file of SQLite")
def test_a_database_file_can_be_restored(cast: World) -> None:
    """The file of a stopped installation on SQLite, copied by hand, does as a backup."""
    cast.close()
    copied = cast.folder / "copied.db"
    copied.write_bytes((cast.folder / "data" / "authapp.db").read_bytes())
    assert restore(cast, copied)["users"] == 4
