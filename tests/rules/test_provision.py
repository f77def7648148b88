"""Adopting the credentials of the config file (R4), and what every installation has."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from authapp import logins, passwords, provision, settings, user_passwords, users
from authapp.audit import Actor
from authapp.config.examine import examine
from authapp.config.live import NotNow, Reading
from authapp.errors import Busy, ConfigError, LoginFailed, Problem
from authapp.models import Setting, User
from tests.hasher import CountingHasher
from tests.world import ADA, BOB, CHARLIE, DORA, OTHER_PASSWORD, PASSWORD, SHELL, World, at_once

VISITOR = Actor("form", address="192.0.2.1")
USERNAME, FILE = "server.basic-auth.username", "server.basic-auth.password-file"
TYPED, HASH = "server.basic-auth.password", "server.basic-auth.password-hash"
THIRD_PASSWORD = "Umbrella & sewing machine"


def sign_in(world: World, username: str = ADA, password: str = PASSWORD, address: str = "192.0.2.1") -> str:
    """Sign somebody in; return the session's token."""
    by = Actor("form", address=address)
    return logins.sign_in(world.database, world.snapshot.effective, username, password, by)


def is_refused(world: World, username: str = ADA, password: str = PASSWORD) -> bool:
    """Tell whether a pair of user name and password is wrong."""
    try:
        sign_in(world, username, password)
    except LoginFailed:
        return True
    return False


def reading(world: World, *, edited: bool = False) -> Reading:
    """Read the config file, as a process does that sees it for the first time."""
    with world.database.reading() as db:
        examined = examine(world.locations, settings.load_all(db))
    assert examined.problems == ()
    return Reading(examined.effective, examined.given, changed=True, edited=edited)


def refused(world: World) -> tuple[Problem, ...]:
    """Adopt the config file; return why it was refused."""
    with pytest.raises(ConfigError) as raised:
        provision.adopt(world.database, reading(world))
    return raised.value.problems


def settings_rows(world: World) -> list[tuple[Any, ...]]:
    """Return the Settings table with its times."""
    with world.database.engine.connect() as connection:
        rows = connection.execute(Setting.__table__.select().order_by(Setting.key))
        return [tuple(row) for row in rows]


def let_settle(file: Path) -> None:
    """Make a file a second old: a younger one is not read yet."""
    a_second_ago = time.time_ns() - 10**9
    os.utime(file, ns=(a_second_ago, a_second_ago))


def write_hash(world: World, password_hash: str, username: str = ADA) -> None:
    """Write user name and hash into the config file."""
    world.write_config(f"server: {{basic-auth: {{username: '{username}', password-hash: '{password_hash}'}}}}\n")


# -- the first time -------------------------------------------------------------------------------------------


def test_adopting_writes_everything(world: World) -> None:
    """Credentials in the file make the owner, are stored, complete the setup, and are recorded."""
    world.write_credentials()
    assert not world.snapshot.problems
    ada, installation = world.user(ADA), world.setting("installation")
    assert (ada.is_active, ada.is_superuser, ada.password_hash) == (True, True, None)
    assert (world.setting("server.basic-auth")["username"], installation["owner_id"]) == (ADA, ada.id)
    assert installation["setup_completed_at"]
    (entry,) = world.audit("credentials.adopted")
    assert (entry.road, entry.actor, entry.target_id) == ("config file", "config.yml, line 4", ada.id)
    assert sign_in(world)


def test_adopting_ends_the_first_run(world: World) -> None:
    """Credentials that are written into the file while the wizard waits end its tokens."""
    world.setup_token()
    world.write_credentials()
    assert world.setting("setup.token") is None
    assert sign_in(world)


@pytest.mark.parametrize("name", ["Zoë", "zoe\u0308"])
def test_the_name_is_stored_composed(world: World, name: str) -> None:
    """The user name of the file is stored in Unicode's form NFKC."""
    world.write_credentials(name)
    _ = world.snapshot
    assert world.setting("server.basic-auth")["username"] in ("Zoë", "zoë")
    assert sign_in(world, "ZOË")


@pytest.mark.parametrize("content", [OTHER_PASSWORD, OTHER_PASSWORD + "\n", OTHER_PASSWORD + "\r\n"])
def test_a_password_file(world: World, tmp_path: Path, content: str) -> None:
    """The password may stand in a file of its own; one final newline is cut."""
    (tmp_path / "password").write_bytes(content.encode())
    let_settle(tmp_path / "password")
    world.write_config(f"server: {{basic-auth: {{username: '{ADA}', password-file: password}}}}\n")
    assert sign_in(world, ADA, OTHER_PASSWORD)


@pytest.mark.parametrize("half", [{"username": None}, {"password": None}])
def test_half_of_a_pair_is_not_adopted(world: World, half: dict[str, None]) -> None:
    """Where nothing fills in the other half, half of the credentials adopts nothing."""
    world.write_credentials(**half)
    assert not world.snapshot.problems
    assert world.setting("server.basic-auth") is None
    assert world.setting("installation")["setup_completed_at"] is None


# -- what is so already ---------------------------------------------------------------------------------------


def test_an_unchanged_file_rewrites_nothing(world: World, hasher: CountingHasher) -> None:
    """A process that reads the same file again writes not one byte, and hashes nothing."""
    world.write_credentials()
    sign_in(world)
    before, rows, hashed = world.tables(), settings_rows(world), hasher.hashed
    provision.adopt(world.connect(), reading(world))
    provision.prepare(world.database)
    assert (world.tables(), settings_rows(world), hasher.hashed) == (before, rows, hashed)


def test_an_unchanged_hash_rewrites_nothing(world: World) -> None:
    """A hash of today's kind or of an older one is compared as text, and stays as it is."""
    write_hash(world, passwords.hash_password(PASSWORD))
    sign_in(world)
    rows = settings_rows(world)
    provision.adopt(world.connect(), reading(world))
    assert settings_rows(world) == rows


def test_another_edit_leaves_the_credentials(world: World) -> None:
    """An edit elsewhere in the file rewrites no credentials and ends no session."""
    world.write_credentials()
    sign_in(world)
    rows = settings_rows(world)
    world.write_config(world.config_file.read_text() + "organization: {name: Widgets}\n")
    assert settings_rows(world) == rows
    assert world.sessions_of(ADA) == 1


def test_the_table_is_not_watched(world: World) -> None:
    """A change of the stored credentials does not make a process adopt its file again."""
    world.write_credentials()
    _ = world.snapshot
    with world.database.writing() as db:
        stored = settings.credentials(db)
        assert stored is not None
        settings.store_credentials(db, replace(stored, password_hash=passwords.hash_password(OTHER_PASSWORD)))
    world.look()
    assert sign_in(world, ADA, OTHER_PASSWORD)
    assert len(world.audit("credentials.adopted")) == 1


def test_what_was_accepted_once_is_never_refused(world: World) -> None:
    """A password that belongs to the stored hash is kept, even if today's policy would refuse it."""
    world.write_config("password: {policy: kestra}\n")
    world.set_up(ADA, "Short-and-1")
    before = world.setting("server.basic-auth")
    world.write_credentials(ADA, "Short-and-1")
    assert world.snapshot.effective.config.password.policy == "standard"
    assert not world.snapshot.problems
    assert world.setting("server.basic-auth") == before


def test_a_hash_is_judged_by_no_policy(world: World) -> None:
    """A hash in the file is stored as text, whatever password it belongs to."""
    pinned = passwords.hash_password("weak")
    write_hash(world, pinned)
    assert sign_in(world, ADA, "weak")
    assert world.setting("server.basic-auth")["password_hash"] == pinned


def test_another_hash_of_the_same_password(world: World) -> None:
    """Hashes are compared as text: another hash of the same password replaces the stored one."""
    world.set_up()
    pinned = passwords.hash_password(PASSWORD)
    write_hash(world, pinned)
    assert not world.snapshot.problems
    assert world.setting("server.basic-auth")["password_hash"] == pinned


# -- changes --------------------------------------------------------------------------------------------------


def test_a_new_password_in_the_file(cast: World) -> None:
    """The file wins: the new password signs in, the old one does not, the owner's sessions are over."""
    for name in (ADA, BOB):
        sign_in(cast, name)
    cast.write_credentials(ADA, OTHER_PASSWORD)
    assert (cast.sessions_of(ADA), cast.sessions_of(BOB)) == (0, 1)
    assert is_refused(cast)
    assert sign_in(cast, ADA, OTHER_PASSWORD)


def test_a_lone_password_in_the_file(cast: World) -> None:
    """A password alone is the owner's, whose stored user name fills in the other half."""
    cast.write_credentials(None, OTHER_PASSWORD)
    assert sign_in(cast, ADA, OTHER_PASSWORD)


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_new_name_in_the_file(cast: World, password: str | None) -> None:
    """A rename keeps the user: same id, same row, same password; the sessions end."""
    ada = cast.user(ADA)
    sign_in(cast)
    cast.write_credentials("lovelace", password)
    renamed = cast.user("lovelace")
    assert (renamed.id, renamed.created_at, renamed.last_login_at is None) == (ada.id, ada.created_at, False)
    assert cast.sessions_of("lovelace") == 0
    assert is_refused(cast)
    assert sign_in(cast, "lovelace")


def test_the_name_in_another_case(cast: World) -> None:
    """The owner's name is written as the file writes it."""
    ada = cast.user(ADA)
    cast.write_credentials(ADA.upper())
    assert cast.user(ADA).username == ADA.upper()
    assert cast.user(ADA).id == ada.id


@pytest.mark.parametrize("username", [ADA, "lovelace"])
def test_taking_the_lines_out_changes_nothing(cast: World, username: str) -> None:
    """Recovery sticks: without the lines the adopted credentials go on working, and no session ends."""
    cast.write_credentials(username, OTHER_PASSWORD)
    sign_in(cast, username, OTHER_PASSWORD)
    rows = settings_rows(cast)
    cast.write_config("# nothing here any more\n")
    assert settings_rows(cast) == rows
    assert cast.sessions_of(username) == 1
    assert sign_in(cast, username, OTHER_PASSWORD)


def test_the_owner_is_made_active_superuser(cast: World) -> None:
    """Whatever somebody did to the owner's row by hand, adopting makes it right."""
    with cast.database.writing() as db:
        row = users.get(db, cast.user(ADA).id)
        row.is_active, row.role, row.password_hash = False, "user", passwords.hash_password(THIRD_PASSWORD)
    cast.write_credentials(ADA, OTHER_PASSWORD)
    ada = cast.user(ADA)
    assert (ada.is_active, ada.is_superuser, ada.password_hash) == (True, True, None)


def test_a_recovery_is_marked_for_review(cast: World) -> None:
    """After an adoption the owner has to look at who else is a superuser, until that was done."""
    assert cast.user(ADA).recovered_at is None
    cast.write_credentials(ADA, OTHER_PASSWORD)
    assert cast.user(ADA).recovered_at is not None
    users.reviewed(cast.database, cast.user(ADA).id, SHELL)
    assert cast.user(ADA).recovered_at is None
    assert cast.events()[-1] == "recovery.reviewed success"


def test_the_first_adoption_is_no_recovery(world: World) -> None:
    """Where there was no owner before there is nobody to look at."""
    world.write_credentials()
    _ = world.snapshot
    assert world.user(ADA).recovered_at is None


# -- somebody else's name -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [BOB, "BOB"])
def test_a_lone_name_of_somebody_else_is_refused(cast: World, name: str) -> None:
    """A user name alone, which another user has, is refused; nothing is written."""
    cast.write_credentials(name, None)
    before = cast.tables()
    (problem,) = refused(cast)
    assert (problem.key, problem.closes, str(problem.place)) == (USERNAME, True, "config.yml:3:5")
    assert "another user" in problem.message
    assert cast.tables() == before


@pytest.mark.parametrize("name", [BOB, CHARLIE, DORA])
def test_with_a_password_that_user_becomes_the_owner(cast: World, name: str) -> None:
    """With a password, the user who bears the name becomes the owner, active and superuser, under the same id."""
    chosen = cast.user(name)
    cast.write_credentials(name, THIRD_PASSWORD)
    owner = cast.user(name)
    assert cast.setting("installation")["owner_id"] == owner.id == chosen.id
    assert (owner.is_active, owner.is_superuser, owner.password_hash) == (True, True, None)
    assert sign_in(cast, name, THIRD_PASSWORD)
    assert is_refused(cast, name, PASSWORD)


def test_the_former_owner(cast: World) -> None:
    """The former owner stays an active superuser, without a password; both users' sessions end."""
    for name in (ADA, BOB):
        sign_in(cast, name)
    cast.write_credentials(BOB, THIRD_PASSWORD)
    ada = cast.user(ADA)
    assert (ada.is_active, ada.is_superuser, ada.password_hash) == (True, True, None)
    assert (cast.sessions_of(ADA), cast.sessions_of(BOB)) == (0, 0)
    assert is_refused(cast, ADA, PASSWORD)
    assert is_refused(cast, ADA, THIRD_PASSWORD)
    assert cast.audit("owner.replaced")[0].target_id == ada.id


# -- the lock-out ---------------------------------------------------------------------------------------------


def lock_out(world: World, name: str = ADA) -> None:
    """Type wrong passwords until one has to wait."""
    for number in range(20):
        address = f"192.0.2.{1 + number // 10}"
        with pytest.raises(LoginFailed):
            sign_in(world, name, "Wrong password", address)
    assert is_refused(world, name)


@pytest.mark.parametrize("password", [PASSWORD, OTHER_PASSWORD])
def test_an_edited_file_lifts_the_lock_out(world: World, password: str) -> None:
    """An edited file with credentials lifts the owner's lock-out everywhere, also with the stored password."""
    world.write_credentials()
    lock_out(world)
    world.write_credentials(ADA, password)
    world.write_config(world.config_file.read_text() + "# edited\n")
    assert sign_in(world, ADA, password)
    assert sign_in(world, ADA, password, "192.0.2.2")
    assert "sign-in.unlocked success" in world.events()


def test_other_peoples_lock_outs_stay(cast: World) -> None:
    """Only the owner's lock-out is lifted."""
    lock_out(cast, BOB)
    cast.write_credentials()
    cast.write_config(cast.config_file.read_text() + "# edited\n")
    assert is_refused(cast, BOB)


@pytest.mark.parametrize("text", ["# nothing\n", "organization: {name: Widgets}\n"])
def test_an_edit_without_credentials_lifts_nothing(cast: World, text: str) -> None:
    """An edited file without credentials leaves the owner waiting."""
    lock_out(cast)
    cast.write_config(text)
    assert is_refused(cast)


def test_changed_credentials_lift_the_lock_out_at_start_too(world: World) -> None:
    """Who edits the file while authapp is stopped need not wait either."""
    world.set_up()
    lock_out(world)
    world.stop()
    world.write_credentials(ADA, OTHER_PASSWORD)
    assert sign_in(world, ADA, OTHER_PASSWORD)


# -- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [False, True])
def test_a_weak_password_is_refused(world: World, stored: bool) -> None:
    """A weak password is refused with key, place and all the policy's rules; nothing is written."""
    if stored:
        world.set_up()
    world.write_credentials(ADA, "Password123!")
    before = world.tables()
    (problem,) = refused(world)
    assert (problem.key, problem.closes, str(problem.place)) == (TYPED, True, "config.yml:4:5")
    assert all(rule.text in problem.message for rule in passwords.POLICIES["standard"].rules)
    assert "Password123!" not in str(problem)
    assert world.tables() == before


@pytest.mark.parametrize("name", ["", " ada", "a:b", "a\u200bb", "x" * 257])
def test_a_bad_name_is_refused(world: World, name: str) -> None:
    """A user name that breaks a rule is refused with key, place and the rule, not with the name."""
    world.write_credentials(name)
    (problem,) = refused(world)
    assert (problem.key, problem.closes, str(problem.place)) == (USERNAME, True, "config.yml:3:5")
    assert problem.message.startswith("A user name ")
    assert world.setting("server.basic-auth") is None


def test_all_problems_at_once(world: World) -> None:
    """A bad name and a weak password are told together."""
    world.write_credentials("a:b", "weak")
    assert [problem.key for problem in refused(world)] == [USERNAME, TYPED]


@pytest.mark.parametrize("text", ["nonsense", "$argon2id$v=19$m=8,t=1,p=1$", "argon2id=19=8", "scrypt:x", ""])
def test_a_malformed_hash_starts_closed(world: World, text: str) -> None:
    """With a malformed hash nobody signs in, and the problem names key and place, not the text."""
    world.set_up()
    world.stop()
    write_hash(world, text)
    (problem,) = world.snapshot.problems
    assert (world.snapshot.closed, problem.key, problem.closes) == (True, HASH, True)
    assert str(problem.place).startswith("config.yml:1:")
    assert not text or text not in str(problem)


@pytest.mark.parametrize("kind", ["missing", "empty", "a newline", "a folder", "too large", "not UTF-8"])
def test_an_unusable_password_file_starts_closed(world: World, tmp_path: Path, kind: str) -> None:
    """A password file that cannot be read or is empty starts authapp closed; nothing is written."""
    file = tmp_path / "password"
    content = {"empty": b"", "a newline": b"\n", "too large": b"x" * 4097, "not UTF-8": b"\xff\xfe\xfd"}
    if kind in content:
        file.write_bytes(content[kind])
    elif kind == "a folder":
        file.mkdir()
    if file.exists():
        let_settle(file)
    world.write_config(f"server: {{basic-auth: {{username: '{ADA}', password-file: password}}}}\n")
    (problem,) = world.snapshot.problems
    assert (world.snapshot.closed, problem.key, problem.closes) == (True, FILE, True)
    assert world.setting("server.basic-auth") is None


def test_a_refused_edit_leaves_everything(cast: World) -> None:
    """A live edit that is refused changes nothing: old credentials, old sessions, and the problem is shown."""
    cast.write_credentials()
    sign_in(cast)
    before = cast.tables()
    cast.write_credentials(ADA, "weak")
    assert [problem.key for problem in cast.snapshot.problems] == [TYPED]
    assert not cast.snapshot.closed
    assert cast.tables() == before
    assert sign_in(cast)


def test_a_mended_file_is_adopted(world: World) -> None:
    """A closed start opens as soon as the file is mended, without a restart."""
    world.write_credentials(ADA, "weak")
    assert world.snapshot.closed
    world.write_credentials()
    assert (world.snapshot.closed, world.snapshot.problems) == (False, ())
    assert sign_in(world)


# -- when the database refuses --------------------------------------------------------------------------------


@contextmanager
def refusing_database() -> Iterator[None]:
    """Let every commit fail."""

    def refuse(_: Session) -> None:
        raise OperationalError("COMMIT", {}, OSError("disk I/O error"))

    event.listen(Session, "before_commit", refuse)
    try:
        yield
    finally:
        event.remove(Session, "before_commit", refuse)


def test_the_old_config_stays_while_the_database_refuses(cast: World) -> None:
    """If the database refuses, the old config stays in force as a whole; with the next look it is tried again."""
    cast.write_credentials()
    sign_in(cast)
    before = cast.tables()
    with refusing_database():
        cast.write_credentials(ADA, OTHER_PASSWORD)
        cast.write_config(cast.config_file.read_text() + "organization: {name: Widgets}\n")
    assert cast.snapshot.effective.config.organization.name == "Default"
    assert cast.tables() == before
    cast.look()
    assert cast.snapshot.effective.config.organization.name == "Widgets"
    assert sign_in(cast, ADA, OTHER_PASSWORD)


def test_adopting_before_the_installation_is_prepared(world: World) -> None:
    """Before the installation was prepared nothing is adopted; it is tried again later."""
    world.write_credentials()
    good = reading(world)
    with world.database.writing() as db:
        db.execute(delete(Setting))
    with pytest.raises(NotNow):
        provision.adopt(world.database, good)
    assert world.setting("server.basic-auth") is None


def test_a_busy_judge_makes_no_file_bad(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While passwords cannot be judged, an edited file is neither refused nor adopted, and tried again."""
    cast.config_file.write_text(f"server:\n  basic-auth:\n    password: '{OTHER_PASSWORD}'\n")

    def busy(*_: object) -> list[str]:
        raise Busy

    with monkeypatch.context() as while_flooded:
        while_flooded.setattr(user_passwords, "broken_rules", busy)
        with pytest.raises(NotNow):
            provision.adopter(cast.database)(reading(cast))
    provision.adopter(cast.database)(reading(cast))
    assert sign_in(cast, ADA, OTHER_PASSWORD)


# -- many at once ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [False, True])
def test_many_processes_adopt_one_file_once(world: World, stored: bool) -> None:
    """When several processes notice one edit, one of them adopts it and one line is recorded."""
    if stored:
        world.set_up()
        world.stop()  # it would adopt the edit before the others
    world.write_config(f"server: {{basic-auth: {{username: '{ADA}', password: '{OTHER_PASSWORD}'}}}}\n")
    edit = reading(world, edited=stored)
    outcomes = at_once(*(partial(provision.adopt, world.connect(), edit) for _ in range(6)))
    assert outcomes == [()] * 6
    assert len(world.audit("credentials.adopted")) == 1
    assert len(world.tables()["users"]) == 1


def test_a_password_changed_while_adopting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the stored password is changed while the file's is being hashed, the file wins."""
    world.set_up()
    ada, other = world.user(ADA), world.connect()
    world.config_file.write_text(f"server: {{basic-auth: {{username: '{ADA}', password: '{OTHER_PASSWORD}'}}}}\n")
    world.config_file.chmod(0o600)
    edit, effective, real = reading(world), world.snapshot.effective, passwords.hash_password
    pending = [THIRD_PASSWORD]

    def hash_slowly(password: str) -> str:
        if pending:
            user_passwords.set_password(other, replace(effective, source_of={}), ada.id, pending.pop(), SHELL)
        return real(password)

    monkeypatch.setattr(passwords, "hash_password", hash_slowly)
    provision.adopt(world.database, edit)
    assert passwords.verify(world.setting("server.basic-auth")["password_hash"], OTHER_PASSWORD)


# -- the owner's row ------------------------------------------------------------------------------------------


def test_a_missing_owner_row_is_made_again(cast: World) -> None:
    """An owner's row that somebody deleted is there again at the next start, with the same id and password."""
    ada = cast.user(ADA)
    with cast.database.writing() as db:
        db.execute(delete(User).where(User.id == ada.id))
    provision.prepare(cast.connect())
    again = cast.user(ADA)
    assert (again.id, again.is_active, again.is_superuser) == (ada.id, True, True)
    assert sign_in(cast)
    assert "owner.restored success" in cast.events()


def test_preparing_again_changes_nothing(cast: World) -> None:
    """Preparing what is prepared writes nothing."""
    before = cast.tables()
    provision.prepare(cast.connect())
    assert cast.tables() == before


def test_the_one_organization(world: World) -> None:
    """There is one organization and one workspace, `Default`, both with the known id."""
    _ = world.database
    tables = world.tables()
    known = "00000000-0000-0000-0000-000000000000"
    assert [row.startswith(f"('{known}', 'Default'") for row in tables["organizations"]] == [True]
    assert [row.startswith(f"('{known}', '{known}', 'Default'") for row in tables["workspaces"]] == [True]


# -- the secret key -------------------------------------------------------------------------------------------


def write_secret_key(world: World, key: str) -> None:
    """Write a secret key into the config file."""
    world.write_config(f"server: {{secret-key: '{key}'}}\n")


def test_a_new_secret_key_signs_everybody_out_once(cast: World) -> None:
    """The process that first finds another secret key ends all sessions; the others find it known already."""
    for name in (ADA, BOB):
        sign_in(cast, name)
    write_secret_key(cast, "k" * 40)
    assert (cast.sessions_of(ADA), cast.sessions_of(BOB)) == (0, 0)
    sign_in(cast, BOB)
    provision.adopt(cast.connect(), reading(cast))
    assert cast.sessions_of(BOB) == 1
    assert cast.events().count("secret-key.changed success") == 1


def test_the_first_secret_key_is_no_change(world: World) -> None:
    """A new installation remembers its secret key without ending anything."""
    write_secret_key(world, "k" * 40)
    _ = world.snapshot
    assert world.setting("installation")["secret_key_fingerprint"]
    assert "secret-key.changed success" not in world.events()
    assert "k" * 20 not in str(world.tables())


def test_the_stored_key_comes_back(cast: World) -> None:
    """Taking the secret key out of the file lets the stored one show through, which is a change again."""
    stored = cast.setting("server.secret-key")
    write_secret_key(cast, "k" * 40)
    sign_in(cast)
    cast.write_config("# nothing\n")
    assert cast.snapshot.effective.secret_key == stored
    assert cast.sessions_of(ADA) == 0


def test_processes_that_find_a_new_key_at_once(cast: World) -> None:
    """When several processes find another secret key at the same moment, one line is recorded."""
    sign_in(cast)
    cast.config_file.write_text(f"server: {{secret-key: '{'k' * 40}'}}\n")
    cast.config_file.chmod(0o600)
    edit = reading(cast)
    adopt = [partial(provision.adopt, cast.connect(), edit) for _ in range(4)]
    assert at_once(*adopt) == [()] * 4
    assert cast.sessions_of(ADA) == 0
    assert len(cast.audit("secret-key.changed")) == 1
