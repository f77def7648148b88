"""Mode none, the way to basic, and the lock."""

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import update

from authapp import (
    invitations,
    logins,
    modes,
    passwords,
    provision,
    sessions,
    settings,
    stored_options,
    users,
    wizard,
)
from authapp.audit import MODE_NONE, Actor
from authapp.config.checks import mode_lock
from authapp.config.examine import Start, examine
from authapp.config.live import NotNow, Reading
from authapp.database import Database
from authapp.errors import ConfigError, LoginFailed, NotAllowed, Refused, UsernameTaken
from authapp.invitations import NewUser
from authapp.models import DEFAULT_ID, Organization, Role, User, Workspace
from authapp.paths import Locations
from authapp.settings import Credentials
from tests.world import ADA, BOB, OTHER_PASSWORD, PASSWORD, SHELL, World, at_once


@pytest.fixture
def none(world: World) -> World:
    """An installation that has only ever been in mode none."""
    world.write_mode("none")
    assert world.snapshot.effective.config.auth.mode == "none"
    return world


def make_mischief(world: World) -> None:
    """Make every way in that somebody could make behind the program's back."""
    with world.database.writing() as db:
        default = modes.default_user(db)
        assert default is not None
        default.password_hash = passwords.hash_password(PASSWORD)
        other = users.add(db, BOB, passwords.hash_password(PASSWORD), is_active=True, role=Role.ADMIN)
        for user in (default, other):
            sessions.start(db, user, SHELL)
        settings.store_credentials(db, Credentials("default", passwords.hash_password(PASSWORD)))
        settings.store(db, settings.SETUP_TOKEN, [{"sha256": "0" * 64, "created_at": "2026-01-01T00:00:00+00:00"}])


def switch(world: World, *, credentials: bool = True) -> None:
    """Start again in mode basic."""
    world.write_mode("basic", credentials=credentials)
    world.restart()
    assert not world.snapshot.closed, world.snapshot.problems


def recorded(world: World) -> str:
    """The mode that is recorded."""
    mode = world.setting("installation")["auth_mode"]
    assert isinstance(mode, str)
    return mode


# -- mode none ------------------------------------------------------------------------------------------------


def test_everybody_is_the_default_user(none: World) -> None:
    """In mode none there is one user, an active superuser without a password, whom the installation names."""
    user = none.user("default")
    assert (user.is_active, user.is_superuser, user.password_hash) == (True, True, None)
    assert none.setting("installation")["owner_id"] == user.id
    assert recorded(none) == "none"


def test_starting_again_changes_nothing(none: World) -> None:
    """A second start in mode none rewrites no row."""
    before = none.tables()
    none.restart()
    provision.prepare(none.database, "none")
    assert none.snapshot.effective.config.auth.mode == "none"
    assert none.tables() == before


def test_a_missing_default_user_is_made_again(none: World) -> None:
    """The default user's row, deleted behind the program's back, comes back with the same id."""
    user = none.user("default")
    with none.database.writing() as db:
        db.delete(db.get_one(User, user.id))
    provision.prepare(none.database, "none")
    assert none.user("default").id == user.id


def test_setup_never_opens(none: World) -> None:
    """There is nothing to set up in mode none, and no setup token."""
    assert wizard.ensure_token(none.database, none.snapshot, none.folder / "data") is None


def test_credentials_in_the_file_wait(none: World) -> None:
    """Credentials in the config file are not adopted in mode none; not even bad ones matter yet."""
    none.write_mode("none", credentials=True)
    assert (none.setting("server.basic-auth"), none.snapshot.problems) == (None, ())
    none.write_config("auth: {mode: none}\nserver: {basic-auth: {username: ada, password: short}}\n")
    assert (none.snapshot.closed, none.snapshot.problems) == (False, ())


PEOPLE: dict[str, Callable[[World], object]] = {
    "invite": lambda world: invitations.invite(
        world.database, world.snapshot.effective, [NewUser(BOB, password=PASSWORD)], SHELL
    ),
    "reset": lambda world: invitations.reset_password(
        world.database, world.snapshot.effective, world.user("default").id, SHELL
    ),
    "deactivate": lambda world: users.set_active(world.database, world.user("default").id, SHELL, active=False),
    "demote": lambda world: users.set_superuser(world.database, world.user("default").id, SHELL, superuser=False),
    "delete": lambda world: users.delete_all(world.database, [world.user("default").id], SHELL),
    "end sessions": lambda world: sessions.revoke_everybodys(
        world.database, world.snapshot.effective.config.session, SHELL
    ),
    "sign in": lambda world: logins.sign_in(
        world.database, world.snapshot.effective, "default", PASSWORD, Actor("form")
    ),
    "superuser": lambda world: wizard.found_by_command(world.database, world.snapshot, ADA, PASSWORD, SHELL),
}


@pytest.mark.parametrize("what", PEOPLE)
def test_there_are_no_people_to_manage(none: World, what: str) -> None:
    """No road of mode none makes a user, a password, a superuser or a session, and none changes one."""
    before = none.tables()
    with pytest.raises(NotAllowed, match="mode none"):
        PEOPLE[what](none)
    assert none.tables() == before


def test_settings_can_be_changed(none: World) -> None:
    """Whoever uses mode none may change the settings: they are no people."""
    default = none.user("default")
    by = Actor("form", default.id, default.username)
    stored_options.store(none.database, none.app.live, {"organization.name": "Looms"}, by)
    none.look()
    assert none.snapshot.effective.get("organization.name") == "Looms"


# -- from none to basic ---------------------------------------------------------------------------------------


def test_the_default_user_becomes_the_owner(none: World) -> None:
    """With credentials in the file, the default user is the owner after the switch: same id, new name, password."""
    before = none.user("default")
    switch(none)
    owner = none.user(ADA)
    assert (owner.id, owner.created_at, owner.is_superuser) == (before.id, before.created_at, True)
    assert logins.sign_in(none.database, none.snapshot.effective, ADA, PASSWORD, Actor("form"))
    assert (recorded(none), none.events().count("mode.changed success")) == ("basic", 1)


def test_only_the_owner_changes(none: World) -> None:
    """Compared row by row, the switch changes the owner's names, the records of the mode, and nothing else."""
    stored_options.store(none.database, none.app.live, {"organization.name": "Looms"}, SHELL)
    before = none.tables()
    switch(none)
    after = none.tables()
    changed = {table for table in before if before[table] != after[table]}
    assert changed == {"users", "name_parts", "known_names", "settings", "audit"}
    assert set(before["audit"]) <= set(after["audit"])
    assert any("organization.name" in row for row in after["settings"])
    assert len(after["users"]) == len(before["users"]) == 1


def test_organization_and_workspace_keep_their_ids(none: World) -> None:
    """Organization and workspace have the same id before and after."""
    switch(none)
    with none.database.reading() as db:
        assert db.get(Organization, DEFAULT_ID)
        assert db.get(Workspace, DEFAULT_ID)


@pytest.mark.parametrize("credentials", [True, False])
def test_everything_made_meanwhile_is_void(none: World, credentials: bool) -> None:
    """Passwords, sessions, superusers and setup tokens that somebody made in mode none open nothing afterwards."""
    make_mischief(none)
    switch(none, credentials=credentials)
    bob = none.user(BOB)
    assert (bob.password_hash, bob.role, none.sessions_of(BOB)) == (None, Role.USER, 0)
    assert none.tables()["sessions"] == []
    assert none.setting(settings.SETUP_TOKEN) is None
    for name, password in (("default", PASSWORD), (BOB, PASSWORD)):
        with pytest.raises(LoginFailed):
            logins.sign_in(none.database, none.snapshot.effective, name, password, Actor("form"))


def test_without_credentials_the_wizard_asks(none: World) -> None:
    """Without credentials in the file the setup wizard opens; its winner is the default user under a new name."""
    default = none.user("default")
    switch(none, credentials=False)
    token = none.setup_token()
    wizard.finish(none.database, none.snapshot, token, ADA, PASSWORD, Actor("setup"))
    assert none.user(ADA).id == default.id


def test_the_default_users_own_name_may_be_kept(none: World) -> None:
    """Somebody may go on being called default."""
    default = none.user("default")
    switch(none, credentials=False)
    owner = wizard.found_by_command(none.database, none.snapshot, "default", PASSWORD, SHELL)
    assert owner is not None
    assert owner.id == default.id


def test_half_of_the_credentials(none: World) -> None:
    """With a user name alone in the file, the wizard asks for the password and the name is the file's."""
    default = none.user("default")
    none.write_config(f"server: {{basic-auth: {{username: '{ADA}'}}}}\n")
    none.restart()
    wizard.finish(none.database, none.snapshot, none.setup_token(), "ignored", PASSWORD, Actor("setup"))
    assert none.user(ADA).id == default.id


def test_whoever_bears_the_owners_name_is_renamed(none: World) -> None:
    """A user with the name the owner is to have is put aside: the default user stays the owner."""
    default = none.user("default")
    with none.database.writing() as db:
        users.add(db, ADA, None, is_active=True, role=Role.ADMIN)
    switch(none)
    assert none.user(ADA).id == default.id
    assert none.user(f"{ADA} (from mode none 1)").is_active is False


def test_the_wizard_gives_no_name_away(none: World) -> None:
    """In the wizard after the switch, a name that another user has is refused."""
    with none.database.writing() as db:
        users.add(db, ADA, None, is_active=True, role=Role.USER)
    switch(none, credentials=False)
    with pytest.raises(UsernameTaken):
        wizard.finish(none.database, none.snapshot, none.setup_token(), ADA, PASSWORD, Actor("setup"))
    with pytest.raises(UsernameTaken):
        wizard.found_by_command(none.database, none.snapshot, ADA, PASSWORD, SHELL)


def test_credentials_that_break_a_rule_switch_nothing(none: World) -> None:
    """When the file's credentials are refused, the start is closed, the mode stays, and a mended file switches."""
    make_mischief(none)
    before = none.tables()
    none.write_config(f"server: {{basic-auth: {{username: '{ADA}', password: short}}}}\n")
    none.restart()
    assert none.snapshot.closed
    assert none.tables() == before
    none.write_mode("basic", credentials=True)
    assert (none.snapshot.closed, recorded(none)) == (False, "basic")


def test_an_interrupted_switch_completes(none: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A switch that fails in its middle has written nothing, and the next one completes."""
    make_mischief(none)
    none.write_mode("basic", credentials=True)
    before = none.tables()
    edit = reading(none)
    with monkeypatch.context() as patch:
        patch.setattr(settings, "store_credentials", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            provision.adopt(none.database, edit)
    assert none.tables() == before
    provision.adopt(none.database, edit)
    assert (recorded(none), none.user(ADA).is_superuser) == ("basic", True)


def test_many_processes_switch_once(none: World) -> None:
    """Six processes that start in mode basic at once switch once, to one owner."""
    default = none.user("default")
    none.write_mode("basic", credentials=True)
    edit = reading(none)
    outcomes = at_once(*(partial(provision.adopt, connected, edit) for connected in connections(none, 6)))
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert (none.user(ADA).id, len(none.audit("mode.changed"))) == (default.id, 1)


def connections(world: World, number: int) -> list[Database]:
    """Databases as so many processes open them."""
    return [world.connect() for _ in range(number)]


def reading(world: World) -> Reading:
    """What a process that starts now reads."""
    examined = examine(world.locations)
    frozen = Start.from_layers(examined).freeze(examined.effective)
    return Reading(frozen, examined.given, changed=True, edited=False)


# -- the lock -------------------------------------------------------------------------------------------------


def test_basic_does_not_become_none(cast: World) -> None:
    """An installation in which people sign in does not start in mode none, whatever the file says."""
    before = cast.tables()
    cast.write_mode("none")
    with pytest.raises(ConfigError, match=r"recorded mode is basic, the wanted one is none.*mode set none"):
        provision.adopt(cast.database, reading(cast))
    cast.restart()
    assert cast.snapshot.closed
    assert cast.tables() == before


@pytest.mark.parametrize(
    ("recorded_mode", "wanted", "free"),
    [
        ("basic", "basic", True),
        ("none", "none", True),
        ("none", "basic", True),
        ("basic", "none", False),
        ("oauth", "basic", False),
        ("oauth", "none", False),
    ],
)
def test_which_way_is_open(recorded_mode: str, wanted: str, *, free: bool) -> None:
    """Only none may become basic by itself."""
    assert (mode_lock(recorded_mode, wanted) is None) is free


def test_the_way_back(cast: World) -> None:
    """Going back on purpose makes the owner the default user and ends every session; nobody is deleted."""
    with cast.database.writing() as db:
        sessions.start(db, db.get_one(User, cast.user(BOB).id), SHELL)
    owner = cast.user(ADA)
    assert modes.enter_none(cast.database, SHELL)
    cast.write_mode("none")
    cast.restart()
    with cast.database.reading() as db:
        default = modes.default_user(db)
    assert default is not None
    assert (default.id, default.username, cast.sessions_of(BOB)) == (owner.id, ADA, 0)
    assert cast.user(BOB).is_active
    assert not modes.enter_none(cast.database, SHELL)


def test_there_and_back(cast: World) -> None:
    """From basic to none and back, the owner has the same id, and everybody's older password is void."""
    owner = cast.user(ADA)
    modes.enter_none(cast.database, SHELL)
    cast.write_config(f"server: {{basic-auth: {{username: '{ADA}', password: '{OTHER_PASSWORD}'}}}}\n")
    cast.restart()
    assert not cast.snapshot.closed
    assert cast.user(ADA).id == owner.id
    for name, password in ((ADA, PASSWORD), (BOB, PASSWORD)):
        with pytest.raises(LoginFailed):
            logins.sign_in(cast.database, cast.snapshot.effective, name, password, Actor("form"))
    assert logins.sign_in(cast.database, cast.snapshot.effective, ADA, OTHER_PASSWORD, Actor("form"))


def test_the_owner_of_a_name_somebody_bears(cast: World) -> None:
    """Back from mode none, a user who has the owner's new name is put aside, instead of becoming the owner."""
    owner = cast.user(ADA)
    modes.enter_none(cast.database, SHELL)
    cast.write_config(f"server: {{basic-auth: {{username: '{BOB}', password: '{PASSWORD}'}}}}\n")
    cast.restart()
    assert cast.snapshot.problems == ()
    assert cast.user(BOB).id == owner.id


# -- the rehearsal --------------------------------------------------------------------------------------------


def test_the_rehearsal_counts_and_changes_nothing(none: World) -> None:
    """The rehearsal says what would be kept and void, and writes nothing."""
    make_mischief(none)
    stored_options.store(none.database, none.app.live, {"organization.name": "Looms"}, SHELL)
    before = none.tables()
    rehearsal = modes.rehearse(none.database)
    assert (rehearsal.username, rehearsal.user_id) == ("default", none.user("default").id)
    assert (rehearsal.other_users, rehearsal.demoted) == ((BOB,), (BOB,))
    assert (rehearsal.passwords, rehearsal.sessions, rehearsal.stored_options) == (2, 2, ("organization.name",))
    assert none.tables() == before


def test_nothing_to_rehearse(cast: World) -> None:
    """In mode basic there is nothing to rehearse."""
    with pytest.raises(Refused, match="already"):
        modes.rehearse(cast.database)


# -- the secret key -------------------------------------------------------------------------------------------


def test_rotating_signs_everybody_out(cast: World) -> None:
    """A rotated secret key is another one, and no session is left; passwords stay."""
    token = logins.sign_in(cast.database, cast.snapshot.effective, BOB, PASSWORD, Actor("form"))
    before = cast.setting("server.secret-key")
    assert provision.rotate_secret_key(cast.database, cast.snapshot.effective, SHELL).sessions == 1
    cast.look()
    with cast.database.reading() as db:
        assert sessions.find(db, cast.snapshot.effective.config.session, token) is None
    assert cast.setting("server.secret-key") not in (before, "")
    assert logins.sign_in(cast.database, cast.snapshot.effective, BOB, PASSWORD, Actor("form"))
    assert cast.events().count("secret-key.changed success") == 0


def test_a_pinned_secret_key_is_not_rotated(cast: World) -> None:
    """A secret key from the file is changed there and nowhere else."""
    cast.write_config(f"server: {{secret-key: {'x' * 40}}}\n")
    before = cast.tables()
    with pytest.raises(Refused, match=r"config\.yml, line 1"):
        provision.rotate_secret_key(cast.database, cast.snapshot.effective, SHELL)
    assert cast.tables() == before


def test_void_means_void_by_sql(none: World) -> None:
    """Even rows written by hand while the default user was everybody count for nothing: no hash is left."""
    with none.database.writing() as db:
        db.execute(update(User).values(password_hash=passwords.hash_password(OTHER_PASSWORD)))
    switch(none, credentials=False)
    with none.database.reading() as db:
        assert [user.password_hash for user in db.query(User)] == [None]


# -- processes that run already -------------------------------------------------------------------------------


def test_a_running_process_does_not_switch(cast: World) -> None:
    """A server that runs in mode basic does not undo `mode set none`, whatever is edited or changed meanwhile."""
    assert cast.snapshot.problems == ()
    modes.enter_none(cast.database, SHELL)
    cast.look()
    cast.write_credentials(ADA, OTHER_PASSWORD)
    assert (recorded(cast), cast.setting("server.basic-auth")) == ("none", None)
    assert cast.app.recorded_mode == "none"


def test_a_worker_waits_for_its_parent(none: World) -> None:
    """A worker that starts does not leave mode none by itself; it has no config until its parent did."""
    none.write_mode("basic", credentials=True)
    edit = reading(none)
    with pytest.raises(NotNow):
        provision.adopter(none.database, starts=False)(edit)
    assert recorded(none) == "none"
    provision.adopter(none.database)(edit)
    provision.adopter(none.database, starts=False)(edit)
    assert recorded(none) == "basic"


# -- what is said before a start that will be refused ---------------------------------------------------------


def test_a_locked_mode_is_told_while_the_server_runs(cast: World) -> None:
    """Mode none written into the file of an installation in mode basic is not only told to need a restart."""
    cast.write_mode("none")
    (warning,) = cast.snapshot.warnings
    assert str(warning).startswith("config.yml:1:8 auth.mode: the next start will be refused: the recorded mode is")
    cast.write_mode("basic")
    assert not cast.snapshot.warnings


def test_the_switch_to_basic_is_no_refusal(none: World) -> None:
    """Mode basic written into the file of an installation in mode none needs a restart and nothing else."""
    none.write_mode("basic", credentials=True)
    assert (none.snapshot.warnings, none.snapshot.needs_restart) == ((), ("auth.mode",))


def test_the_rehearsal_names_whom_it_renames(none: World) -> None:
    """The rehearsal says whose name the owner takes."""
    make_mischief(none)
    assert modes.rehearse(none.database, BOB).renamed == BOB
    assert modes.rehearse(none.database, "default").renamed is None


# -- what an attacker or a hurry could do ---------------------------------------------------------------------


def test_a_setting_on_its_way_is_refused_after_the_switch(none: World) -> None:
    """Whoever came in while nobody signed in changes nothing any more once people do."""
    default = none.user("default")
    by = Actor(MODE_NONE, default.id, default.username)
    switch(none)
    before = none.tables()
    with pytest.raises(NotAllowed, match="People sign in here"):
        stored_options.store(none.database, none.app.live, {"auth.sign-up": "true"}, by)
    assert none.tables() == before


def test_commands_without_the_servers_environment_sign_nobody_out(cast: World) -> None:
    """A command that is run where the server's secret key is not leaves the sessions alone."""
    cast.write_config(f"server: {{secret-key: {'k' * 40}}}\n")
    token = logins.sign_in(cast.database, cast.snapshot.effective, BOB, PASSWORD, Actor("form"))
    before, elsewhere = cast.tables(), Locations(cast.folder / "none.yml", named=False, data=cast.folder / "data")
    examined = examine(elsewhere, provision.load_rows(cast.database))
    edit = Reading(
        Start.from_layers(examined).freeze(examined.effective), examined.given, changed=True, edited=False
    )
    provision.adopt(cast.database, edit, signs=False)
    assert cast.tables() == before
    with pytest.raises(NotAllowed, match="not the stored one"):
        provision.rotate_secret_key(cast.database, edit.effective, SHELL)
    with cast.database.reading() as db:
        assert sessions.find(db, cast.snapshot.effective.config.session, token)
