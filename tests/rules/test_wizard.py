"""First run: may it happen, who may do it, and finishing it (R5, R6)."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest
import time_machine
from sqlalchemy import delete, event, update
from sqlalchemy.orm import Session

from authapp import logins, passwords, provision, sessions, settings, users, wizard
from authapp.audit import Actor
from authapp.config.live import Snapshot
from authapp.config.overlay import GivenCredentials
from authapp.errors import BadSetupToken, BadUsername, Problem, SetupClosed, UsernameTaken, WeakPassword
from authapp.models import Setting, User
from authapp.settings import Credentials
from tests.hasher import CountingHasher
from tests.world import ADA, BOB, DORA, OTHER_PASSWORD, PASSWORD, SHELL, WEAK_PASSWORD, World, at_once

VISITOR = Actor("setup", address="192.0.2.1", user_agent="Browser/1")
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock, which stands at noon until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def is_open(world: World, snapshot: Snapshot | None = None) -> bool:
    """Tell whether setup is open."""
    with world.database.reading() as db:
        return wizard.is_open(db, snapshot or world.snapshot)


def finish(world: World, token: str | None, username: str = ADA, password: str = PASSWORD) -> str:
    """Send the wizard's form; return the session's token."""
    return wizard.finish(world.database, world.snapshot, token, username, password, VISITOR)


def change_installation(world: World, **changes: Any) -> None:
    """Change what the installation remembers of itself."""
    with world.database.writing() as db:
        installation = settings.hold(db)
        assert installation is not None
        settings.store_installation(db, replace(installation, **changes))


def token_file(world: World) -> Path:
    """Return the file with the setup token."""
    return world.folder / "data" / "setup-token"


# -- may it happen --------------------------------------------------------------------------------------------


def test_a_new_installation_is_open(world: World) -> None:
    """On an installation nobody has set up, setup is open."""
    assert is_open(world)
    with world.database.reading() as db:
        assert not wizard.is_completed(db)


def store_credentials(world: World) -> None:
    """Store credentials and nothing else."""
    with world.database.writing() as db:
        settings.store_credentials(db, Credentials(ADA, passwords.hash_password(PASSWORD)))


@pytest.mark.parametrize(
    "close",
    [
        pytest.param(lambda world: change_installation(world, auth_mode="other"), id="another mode"),
        pytest.param(lambda world: change_installation(world, setup_completed_at="2030-01-01"), id="completed"),
        pytest.param(store_credentials, id="credentials are stored"),
        pytest.param(lambda world: world.add(DORA, superuser=True), id="a superuser with a password"),
    ],
)
def test_each_alone_closes_setup(world: World, close: Callable[[World], object]) -> None:
    """Each thing in the database that speaks against a first run is enough to close setup."""
    close(world)
    assert not is_open(world)
    assert wizard.ensure_token(world.database, world.snapshot, world.folder / "data") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"closed": True},
        {"problems": (Problem("server.basic-auth.password", "is refused", closes=True),)},
        {"given": GivenCredentials(ADA, PASSWORD)},
        {"given": GivenCredentials(ADA, None, "$argon2id$…")},
    ],
)
def test_what_the_file_says_closes_setup(world: World, changes: dict[str, Any]) -> None:
    """Complete credentials in the file close setup, and so do credentials in it that were refused."""
    assert not is_open(world, replace(world.snapshot, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"given": GivenCredentials(ADA)},
        {"given": GivenCredentials(None, PASSWORD)},
        {"problems": (Problem("server.port", "must be a whole number"),)},
    ],
)
def test_what_leaves_setup_open(world: World, changes: dict[str, Any]) -> None:
    """Half of the credentials, or a slip elsewhere in a later edit, leave setup open."""
    assert is_open(world, replace(world.snapshot, **changes))


def test_people_who_leave_setup_open(world: World) -> None:
    """Users, inactive superusers and superusers without a password leave setup open."""
    world.add(BOB)
    world.add(DORA, superuser=True, active=False)
    erin = world.add("erin", superuser=True)
    with world.database.writing() as db:
        users.get(db, erin.id).password_hash = None
    assert is_open(world)


def test_no_installation_is_not_open(world: World) -> None:
    """Before the installation was prepared setup is closed."""
    _ = world.snapshot
    with world.database.writing() as db:
        settings.remove(db, settings.INSTALLATION)
    assert not is_open(world)


@pytest.mark.parametrize(
    "emptied",
    [
        [delete(User)],
        [delete(Setting).where(Setting.key == "server.basic-auth")],
        [delete(Setting).where(Setting.key == "server.basic-auth"), delete(User)],
        [delete(Setting).where(Setting.key == "installation")],
        [update(User).values(is_active=False)],
    ],
)
def test_there_is_no_reopening(world: World, emptied: list[Any]) -> None:
    """Once completed, setup stays closed, whatever is deleted by hand; also after the next start."""
    world.set_up()
    with world.database.writing() as db:
        for statement in emptied:
            db.execute(statement)
    assert not is_open(world)
    provision.prepare(world.database)
    assert not is_open(world)


# -- the setup token ------------------------------------------------------------------------------------------


def test_the_token_file(world: World) -> None:
    """The token stands in a file that only its owner may read; the table holds its SHA-256 and its age."""
    token = world.setup_token()
    assert token_file(world).read_text() == token + "\n"
    assert S_IMODE(token_file(world).stat().st_mode) == 0o600
    (entry,) = world.setting("setup.token")
    assert sorted(entry) == ["created_at", "sha256"]
    assert entry["sha256"] == hashlib.sha256(token.encode()).hexdigest()
    assert token not in str(world.tables())


@pytest.mark.parametrize("kind", ["file", "link", "link to nowhere"])
def test_what_stood_in_the_files_place(world: World, tmp_path: Path, kind: str) -> None:
    """What somebody put in the file's place is replaced: never written to, never followed."""
    _ = world.database
    bait = tmp_path / "bait"
    if kind == "file":
        token_file(world).write_text("x")
        token_file(world).chmod(0o666)
    else:
        token_file(world).symlink_to(bait)
        bait.write_text("bait") if kind == "link" else None
    token = world.setup_token()
    assert not token_file(world).is_symlink()
    assert S_IMODE(token_file(world).stat().st_mode) == 0o600
    assert token_file(world).read_text().strip() == token
    assert not bait.exists() or bait.read_text() == "bait"


def test_a_file_that_cannot_be_written(world: World) -> None:
    """A token that cannot be written to its file is not listed either."""
    _ = world.database
    token_file(world).mkdir()
    with pytest.raises(OSError, match="setup-token"):
        world.setup_token()
    assert world.setting("setup.token") is None


def test_a_start_prints_the_token_of_its_file(world: World) -> None:
    """While the token of the file is listed, every start prints that one."""
    assert world.setup_token() == world.setup_token()
    assert len(world.setting("setup.token")) == 1


@pytest.mark.parametrize("content", ["", "another token", "é", "x" * 5000])
def test_a_file_that_holds_no_listed_token(world: World, content: str) -> None:
    """A file with anything else in it is replaced by one with a new token."""
    old = world.setup_token()
    token_file(world).write_text(content)
    assert world.setup_token() not in (old, content)


def test_a_token_lasts_24_hours(world: World, clock: time_machine.Traveller) -> None:
    """A token opens the wizard for 24 hours; then a start makes a new one."""
    token = world.setup_token()
    clock.shift(timedelta(hours=24) - INSTANT)
    assert wizard.is_token(world.database, token)
    assert world.setup_token() == token
    clock.shift(INSTANT)
    assert not wizard.is_token(world.database, token)
    with pytest.raises(BadSetupToken):
        finish(world, token)
    assert world.setup_token() != token
    assert len(world.setting("setup.token")) == 1


def test_eight_nodes_have_a_token_each(world: World, tmp_path: Path) -> None:
    """Each node that is started has a token of its own; with the ninth, the oldest ends."""
    made = []
    for number in range(9):
        folder = tmp_path / f"node{number}"
        folder.mkdir()
        made.append(wizard.ensure_token(world.database, world.snapshot, folder) or "")
    assert [wizard.is_token(world.database, token) for token in made] == [False] + [True] * 8
    assert len(world.setting("setup.token")) == 8


def test_nodes_that_start_at_once(world: World, tmp_path: Path) -> None:
    """Nodes that start at the same moment do not lose each other's token."""
    snapshot = world.snapshot
    folders = [tmp_path / f"node{number}" for number in range(4)]
    for folder in folders:
        folder.mkdir()
    made = at_once(*(partial(wizard.ensure_token, world.connect(), snapshot, folder) for folder in folders))
    assert all(isinstance(token, str) and wizard.is_token(world.database, token) for token in made)


def test_a_fresh_token_voids_the_older_ones(world: World) -> None:
    """A fresh token is the only one."""
    old = world.setup_token()
    fresh = wizard.ensure_token(world.database, world.snapshot, world.folder / "data", fresh=True)
    assert fresh is not None
    assert not wizard.is_token(world.database, old)
    assert wizard.is_token(world.database, fresh)
    assert world.setup_token() == fresh


def test_the_file_goes_away(world: World) -> None:
    """The token file can be removed, also when it is gone already."""
    world.setup_token()
    for _ in range(2):
        wizard.remove_token_file(world.folder / "data")
        assert not token_file(world).exists()


# -- finishing ------------------------------------------------------------------------------------------------


def test_finishing_writes_everything(world: World, clock: time_machine.Traveller) -> None:
    """Finishing makes the owner, stores the credentials, closes setup for good, and signs the owner in."""
    del clock
    signed_in = finish(world, world.setup_token())
    ada = world.user(ADA)
    installation = world.setting("installation")
    assert (ada.is_active, ada.is_superuser, ada.password_hash, ada.last_login_at) == (True, True, None, NOON)
    assert (installation["owner_id"], installation["setup_completed_at"]) == (ada.id, NOON.isoformat())
    assert passwords.verify(world.setting("server.basic-auth")["password_hash"], PASSWORD)
    assert world.setting("setup.token") is None
    assert world.events()[-1] == "setup.completed success"
    with world.database.reading() as db:
        assert sessions.find(db, world.snapshot.effective.config.session, signed_in)
        assert wizard.is_completed(db)
    assert not is_open(world)


def test_the_owner_signs_in_afterwards(world: World) -> None:
    """What was chosen in the wizard is what one signs in with."""
    finish(world, world.setup_token(), "Zoë", "Zwölf € im: Portemonnaie 😀")
    assert logins.sign_in(world.database, world.snapshot.effective, "ZOË", "Zwölf € im: Portemonnaie 😀", VISITOR)


def test_setup_happens_once(world: World, hasher: CountingHasher) -> None:
    """Whoever comes second is told that setup is finished, changes nothing and costs no hashing."""
    token = world.setup_token()
    finish(world, token)
    before, hashed = world.tables(), hasher.hashed
    with pytest.raises(SetupClosed):
        finish(world, token, DORA, OTHER_PASSWORD)
    assert world.tables() == before
    assert hasher.hashed == hashed


@pytest.mark.parametrize("token", [None, "", "wrong", "lone \udc80", "é"])
def test_strangers_cost_no_hashing(world: World, hasher: CountingHasher, token: str | None) -> None:
    """Without the setup token nothing is written and nothing is hashed."""
    world.setup_token()
    before = world.tables()
    with pytest.raises(BadSetupToken):
        finish(world, token)
    assert world.tables() == before
    assert hasher.hashed == 0


@pytest.mark.parametrize(
    ("username", "password", "error"),
    [
        (ADA, WEAK_PASSWORD, WeakPassword),
        ("a:b", PASSWORD, BadUsername),
        ("", PASSWORD, BadUsername),
        (ADA, "", WeakPassword),
    ],
)
def test_nothing_is_written_before_everything_is_valid(
    world: World, username: str, password: str, error: type[Exception]
) -> None:
    """A bad user name or password changes nothing, and the token goes on working."""
    token = world.setup_token()
    before = world.tables()
    with pytest.raises(error):
        finish(world, token, username, password)
    assert world.tables() == before
    assert finish(world, token)


def test_a_failure_leaves_nothing(world: World) -> None:
    """If the database refuses at the very end, nothing was written, and setup can be tried again."""
    token = world.setup_token()
    before = world.tables()

    def refuse(_: Session) -> None:
        raise OSError("no space left on device")

    event.listen(Session, "before_commit", refuse)
    try:
        with pytest.raises(OSError, match="no space"):
            finish(world, token)
    finally:
        event.remove(Session, "before_commit", refuse)
    assert world.tables() == before
    assert finish(world, token)


def test_one_of_many_wins(world: World) -> None:
    """Of many submissions at the same moment, to several processes, exactly one makes the owner."""
    token, snapshot = world.setup_token(), world.snapshot
    connections = [world.connect() for _ in range(4)]
    names = [f"visitor{number}" for number in range(20)]
    outcomes = at_once(
        *(
            partial(wizard.finish, connections[number % 4], snapshot, token, name, PASSWORD, VISITOR)
            for number, name in enumerate(names)
        )
    )
    winners = [name for name, outcome in zip(names, outcomes, strict=True) if isinstance(outcome, str)]
    assert [world.setting("server.basic-auth")["username"]] == winners
    assert {type(outcome) for outcome in outcomes} == {str, SetupClosed}
    assert len(world.tables()["users"]) == len(world.tables()["sessions"]) == 1


def test_setup_without_a_token(world: World) -> None:
    """With `setup.require-token: false` no token is asked for; setup still happens once."""
    world.write_config("setup: {require-token: false}\n")
    assert finish(world, None)
    with pytest.raises(SetupClosed):
        finish(world, None)


# -- halves that the file gives -------------------------------------------------------------------------------


def test_a_pinned_user_name(world: World) -> None:
    """A user name in the file counts instead of what was typed."""
    world.write_credentials(password=None)
    finish(world, world.setup_token(), "somebody else")
    assert world.setting("server.basic-auth")["username"] == ADA
    assert world.user(ADA).is_superuser


def test_a_pinned_password(world: World) -> None:
    """A password in the file counts instead of what was typed."""
    world.write_credentials(username=None, password=OTHER_PASSWORD)
    finish(world, world.setup_token(), password="")
    assert passwords.verify(world.setting("server.basic-auth")["password_hash"], OTHER_PASSWORD)


def test_a_pinned_hash(world: World) -> None:
    """A hash in the file is stored as it stands there."""
    pinned = passwords.hash_password(OTHER_PASSWORD)
    world.write_config(f"server: {{basic-auth: {{password-hash: '{pinned}'}}}}\n")
    finish(world, world.setup_token(), password="")
    assert world.setting("server.basic-auth")["password_hash"] == pinned


def test_enabled_alone_opens_the_wizard(world: World) -> None:
    """`enabled: false` is ignored with a notice, and setup is open as without it."""
    world.write_config("server: {basic-auth: {enabled: false}}\n")
    assert is_open(world)
    assert [problem.key for problem in world.snapshot.warnings] == ["server.basic-auth.enabled"]


# -- from the command line ------------------------------------------------------------------------------------


def found(world: World, username: str = ADA, password: str = PASSWORD) -> bool:
    """Make the owner from a shell."""
    return wizard.found_by_command(world.database, world.snapshot, username, password, SHELL) is not None


def test_founding_by_command(world: World) -> None:
    """From a shell the owner is made without a token, and setup is completed."""
    world.setup_token()
    assert found(world)
    assert world.setting("installation")["owner_id"] == world.user(ADA).id
    assert world.setting("setup.token") is None
    assert not is_open(world)
    assert world.events()[-1] == "setup.completed success"


def test_founding_twice(world: World) -> None:
    """Where there is an owner, founding answers no and changes nothing."""
    found(world)
    before = world.tables()
    assert not found(world, DORA)
    assert world.tables() == before


@pytest.mark.parametrize(
    ("username", "password", "error"),
    [(BOB, PASSWORD, UsernameTaken), (ADA, WEAK_PASSWORD, WeakPassword), ("a:b", PASSWORD, BadUsername)],
)
def test_founding_is_judged(world: World, username: str, password: str, error: type[Exception]) -> None:
    """From a shell, too, name and password have to fit, and a name that is taken is refused."""
    world.add(BOB)
    before = world.tables()
    with pytest.raises(error):
        found(world, username, password)
    assert world.tables() == before


def test_the_browser_and_the_shell_at_once(world: World) -> None:
    """When wizard and command line finish at the same moment, one of them does."""
    token, snapshot = world.setup_token(), world.snapshot
    outcomes = at_once(
        partial(wizard.finish, world.connect(), snapshot, token, ADA, PASSWORD, VISITOR),
        partial(wizard.found_by_command, world.connect(), snapshot, DORA, PASSWORD, SHELL),
    )
    by_browser, by_shell = isinstance(outcomes[0], str), isinstance(outcomes[1], User)
    assert by_browser is not by_shell
    assert len(world.tables()["users"]) == 1
