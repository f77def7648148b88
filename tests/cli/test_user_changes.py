"""`authapp user activate` and its like: what they do to a user, and that they say no more than they did."""

import json
import re

import pytest

from authapp import locks, logins, throttle
from tests.cli.commands import INITIAL_PASSWORD, Run, credentials, is_one_sentence, printed, said
from tests.world import ADA, BOB, CHARLIE, DORA, OTHER_PASSWORD, World, signed_in

# command, user -> what is said, and what is said when it was so already
SWITCHES = {
    ("activate", CHARLIE): ("charlie may sign in now.", "charlie may sign in already."),
    ("deactivate", BOB): ("bob may no longer sign in; every session and token is gone.", "bob was not active."),
    ("promote", BOB): ("bob is a superuser now.", "bob is a superuser already."),
    ("demote", DORA): ("dora is no longer a superuser.", "dora was no superuser."),
}
# command -> what the user cannot be
REMOVES = {"deactivate": "deactivated", "demote": "demoted", "delete --yes": "deleted"}


def refusal(run: Run, words: str, user: str) -> str:
    """Return what a command is refused with."""
    command, *rest = words.split()
    result = run("user", command, user, *rest)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


def lock(world: World, user: str) -> None:
    """Type wrong passwords until the user has to wait."""
    statuses = [world.browser().sign_in(user, "Not the password").status_code for _ in range(11)]
    assert statuses[-1] == 429


# -- switches -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "user"), SWITCHES)
def test_a_switch_says_what_it_did(run: Run, cast: World, command: str, user: str) -> None:
    """A switch says in one sentence what became of the user, and changes just that."""
    before = cast.user(user)
    assert said(run("user", command, user)) == SWITCHES[command, user][0] + "\n"
    after = cast.user(user)
    is_role = command in ("promote", "demote")
    assert (before.is_active != after.is_active, before.role != after.role) == (not is_role, is_role)


@pytest.mark.parametrize(("command", "user"), SWITCHES)
def test_a_switch_says_when_it_did_nothing(run: Run, cast: World, command: str, user: str) -> None:
    """A switch that stands already says so, ends with 0, and records nothing."""
    run("user", command, user)
    before = cast.tables()
    assert said(run("user", command, user)) == SWITCHES[command, user][1] + "\n"
    assert cast.tables() == before


def test_deactivating_signs_out(run: Run, cast: World) -> None:
    """A user who is deactivated by command is refused at the next click, and stays out."""
    bob = signed_in(cast, BOB)
    run("user", "deactivate", BOB)
    assert not bob.is_signed_in()
    assert bob.sign_in(BOB).status_code == 401
    run("user", "activate", BOB)
    assert not bob.is_signed_in()


def test_activating_lets_in(run: Run, cast: World) -> None:
    """A user who is activated by command may sign in."""
    run("user", "activate", CHARLIE)
    assert signed_in(cast, CHARLIE).is_signed_in()


def test_roles_count_at_once(run: Run, cast: World) -> None:
    """A role that is given or taken by command counts at the next click of somebody who is signed in."""
    bob, dora = signed_in(cast, BOB), signed_in(cast, DORA)
    run("user", "promote", BOB)
    run("user", "demote", DORA)
    assert [browser.get("/admin/users").status_code for browser in (bob, dora)] == [200, 403]


# -- who cannot be removed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", REMOVES)
def test_the_owner_stays(run: Run, cast: World, how: str) -> None:
    """No command deactivates, demotes or deletes the owner: one sentence says why, and nothing changes."""
    before = cast.tables()
    assert refusal(run, how, ADA) == f"{ADA} is the owner, who cannot be {REMOVES[how]}.\n"
    assert cast.tables() == before


@pytest.mark.parametrize("how", REMOVES)
def test_the_last_superuser_stays(run: Run, world: World, how: str) -> None:
    """Where there is no owner, no command removes the last active superuser."""
    world.add(DORA, superuser=True)
    world.add("erin", superuser=True, active=False)
    before = world.tables()
    assert refusal(run, how, DORA) == f"dora is the last active superuser, who cannot be {REMOVES[how]}.\n"
    assert world.tables() == before


# -- names ----------------------------------------------------------------------------------------------------


def test_renaming(run: Run, cast: World) -> None:
    """A renamed user signs in under the new name only, with the password they had."""
    assert said(run("user", "rename", BOB, "Robert")) == "Robert is the new name of bob.\n"
    assert signed_in(cast, "robert").is_signed_in()
    assert cast.browser().sign_in(BOB).status_code == 401
    assert cast.audit("user.edited")[-1].detail == {"before": BOB}


def test_renaming_to_another_spelling(run: Run, cast: World) -> None:
    """A user's own name in another spelling is not taken."""
    assert said(run("user", "rename", BOB, "Bob")) == "Bob is the new name of bob.\n"
    assert cast.user(BOB).username == "Bob"


def test_renaming_to_the_same_name(run: Run, cast: World) -> None:
    """Whoever bears the name already is told so, and nothing is recorded."""
    before = cast.tables()
    assert "already" in said(run("user", "rename", BOB, BOB))
    assert cast.tables() == before


@pytest.mark.parametrize("name", [ADA, DORA.upper(), "a:b", " bob", "", "x" * 257])
def test_renaming_is_refused(run: Run, cast: World, name: str) -> None:
    """A name that is taken or breaks a rule is refused in one sentence, and nothing changes."""
    before = cast.tables()
    assert is_one_sentence(run("user", "rename", BOB, name))
    assert cast.tables() == before


def test_renaming_the_owner(run: Run, cast: World) -> None:
    """The command line may rename the owner; the stored credentials follow."""
    assert said(run("user", "rename", ADA, "countess")) == f"countess is the new name of {ADA}.\n"
    assert cast.setting("server.basic-auth")["username"] == "countess"
    assert signed_in(cast, "countess").get("/admin/users").status_code == 200


@pytest.mark.parametrize(
    ("words", "key", "line"), [("rename countess", "username", 3), ("reset-password", "password", 4)]
)
def test_what_the_file_says_is_changed_there(run: Run, cast: World, words: str, key: str, line: int) -> None:
    """What the config file supplies is refused in one sentence that names file and line, and nothing changes."""
    cast.write_config(credentials())
    before = cast.tables()
    told = f"server.basic-auth.{key} is supplied by config.yml, line {line}; change it there.\n"
    assert refusal(run, words, ADA) == told
    assert cast.tables() == before


# -- passwords ------------------------------------------------------------------------------------------------


def new_password(text: str) -> str:
    """Return the initial password in what a command said; it stands there once."""
    (line,) = (line for line in text.splitlines() if line.startswith("Initial password: "))
    password = line.removeprefix("Initial password: ")
    assert text.count(password) == 1
    return password


@pytest.mark.parametrize("user", [BOB, DORA, ADA])
def test_resetting_a_password(run: Run, cast: World, user: str) -> None:
    """The password that is printed signs in, leads to the change of password, and the old one is dead."""
    text = said(run("user", "reset-password", user))
    assert text.startswith(f"{user} has a new password; the old one, every session and every token are gone.\n")
    assert cast.browser().sign_in(user).status_code == 401
    browser = signed_in(cast, user, new_password(text))
    assert browser.get("/").location == "/account/password"


def test_resetting_ends_the_sessions(run: Run, cast: World) -> None:
    """Whoever was signed in is signed out by a reset."""
    bob, dora = signed_in(cast, BOB), signed_in(cast, DORA)
    run("user", "reset-password", BOB)
    assert (bob.is_signed_in(), dora.is_signed_in()) == (False, True)


def test_resetting_keeps_only_the_hash(run: Run, cast: World) -> None:
    """The printed password is nowhere in the database, and no other command shows it again."""
    password = new_password(said(run("user", "reset-password", BOB)))
    assert password not in str(cast.tables())
    assert password not in run("user", "show", BOB).output + run("user", "list", "--json").output


def test_resetting_for_scripts(run: Run, cast: World) -> None:
    """With `--json` the password stands in a field of its own, once, and works."""
    result = run("user", "reset-password", BOB, "--json")
    told = printed(result)
    assert result.stdout.count(told["initial_password"]) == 1
    assert told["must_change_password"] is True
    assert signed_in(cast, BOB, told["initial_password"]).get("/").location == "/account/password"


def test_resetting_says_how_long(run: Run, cast: World) -> None:
    """The command says until when the password works; for somebody who may not sign in, that it is too early."""
    cast.write_config("password:\n  initial-lifetime: 1h\n")
    assert "It is shown this once, works until 20" in said(run("user", "reset-password", BOB))
    assert "It is shown this once, works once the user is active" in said(run("user", "reset-password", CHARLIE))


def test_resetting_lifts_the_wait(run: Run, cast: World) -> None:
    """Whoever has to wait after wrong passwords may use the new one at once."""
    lock(cast, BOB)
    password = new_password(said(run("user", "reset-password", BOB)))
    assert cast.browser().sign_in(BOB, password).status_code == 303


@pytest.mark.usefixtures("cast")
def test_initial_passwords_look_alike(run: Run) -> None:
    """Initial passwords can be read aloud, and each is another one."""
    made = [new_password(said(run("user", "reset-password", user))) for user in (BOB, BOB, DORA)]
    assert all(re.fullmatch(INITIAL_PASSWORD, password) for password in made)
    assert len(set(made)) == 3


# -- waits ----------------------------------------------------------------------------------------------------


def test_unlocking(run: Run, cast: World) -> None:
    """A user who was made to wait may try again, and is shown as locked until then."""
    lock(cast, BOB)
    assert printed(run("user", "show", BOB, "--json"))["is_locked"] is True
    assert said(run("user", "unlock", BOB)) == "bob may try again.\n"
    assert printed(run("user", "show", BOB, "--json"))["is_locked"] is False
    assert signed_in(cast, BOB).is_signed_in()
    assert cast.audit("sign-in.unlocked")[-1].target == BOB


def test_unlocking_nobody(run: Run, cast: World) -> None:
    """A user who need not wait is said to be not locked, and nothing is recorded."""
    before = cast.tables()
    assert said(run("user", "unlock", BOB)) == "bob was not locked.\n"
    assert cast.tables() == before


def test_unlocking_in_a_locked_network(run: Run, cast: World) -> None:
    """Where a whole network has to wait, too, unlocking a user at the command line lifts that, and says so."""
    cast.write_config("throttle: {network-attempts: 2}\n")
    for name in ("nobody", "somebody"):
        cast.browser().sign_in(name, "Not the password")
    result = run("user", "unlock", BOB)
    assert result.stdout == "bob was not locked.\n"
    assert result.stderr == "Everybody may try again in networks that had to wait as a whole: 127.0.0.1.\n"
    assert signed_in(cast, BOB).is_signed_in()
    (entry,) = cast.audit("sign-in.unlocked")
    assert (entry.target, entry.detail) == ("", {"count": "network", "network": "127.0.0.1"})
    assert run("user", "unlock", BOB).stderr == ""


def lock_network(world: World, address: str) -> None:
    """Let a stranger use up the one try of a network."""
    effective = world.snapshot.effective
    with world.database.writing() as db:
        throttle.take(db, effective.config.throttle, logins.bucket_of(effective, f"nobody at {address}", address))


def test_unlocking_in_many_networks(run: Run, cast: World) -> None:
    """Ten of the networks are named; the audit table has each."""
    cast.write_config("throttle: {network-attempts: 1}\n")
    for number in range(12):
        lock_network(cast, f"192.0.{number}.1")
    told = run("user", "unlock", BOB).stderr
    assert told.startswith("Everybody may try again in networks that had to wait as a whole: 192.0.")
    assert (told.count("192.0."), told.endswith(" and 2 more.\n")) == (10, True)
    assert len(cast.audit("sign-in.unlocked")) == 12


def test_unlocking_in_very_many_networks(run: Run, cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where so many networks have to wait that not all are written down, none of them has to wait any more."""
    monkeypatch.setattr(locks, "MOST", 1)
    cast.write_config("throttle: {network-attempts: 1}\n")
    for number in range(3):
        lock_network(cast, f"192.0.{number}.1")
    assert run("user", "unlock", BOB).stderr.count("192.0.") == len(cast.audit("sign-in.unlocked")) == 1
    with cast.database.reading() as db:
        assert throttle.locks(db, cast.snapshot.effective.config.throttle, 3) == []


def test_unlocking_after_a_slip(run: Run, cast: World) -> None:
    """One wrong password locks nobody, so nothing is said or recorded to have been unlocked."""
    cast.browser().sign_in(BOB, "Not the password")
    assert said(run("user", "unlock", BOB)) == "bob was not locked.\n"
    assert cast.audit("sign-in.unlocked") == []


# -- deleting -------------------------------------------------------------------------------------------------


def test_deleting_asks_for_the_name(run: Run, cast: World) -> None:
    """A user is deleted when the name is typed; then they are gone, sessions and all."""
    bob = signed_in(cast, BOB)
    result = run("user", "delete", BOB, typed="bob\n")
    assert result.exit_code == 0
    assert "Type the user name, bob, to delete them for good: " in result.output
    assert result.stdout.endswith("bob is deleted.\n")
    assert not bob.is_signed_in()
    assert is_one_sentence(run("user", "show", BOB))


@pytest.mark.parametrize("typed", ["y\n", "yes\n", "dora\n", "", "\n"])
def test_deleting_without_the_name(run: Run, cast: World, typed: str) -> None:
    """Anything but the user name deletes nobody, with exit status 1."""
    before = cast.tables()
    result = run("user", "delete", BOB, typed=typed)
    assert result.exit_code == 1
    assert "deleted." not in result.stdout
    assert cast.tables() == before


def test_deleting_by_id_asks_for_the_name(run: Run, cast: World) -> None:
    """Who was meant by id is shown, and deleted, by name."""
    bob = cast.user(BOB).id
    assert run("user", "delete", bob, typed=f"{bob}\n").exit_code == 1
    assert run("user", "delete", bob, typed="bob\n").exit_code == 0


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_deleting_without_a_question(run: Run, cast: World, words: tuple[str, ...]) -> None:
    """With `--yes` nothing is asked."""
    result = run("user", "delete", BOB, "--yes", *words)
    assert "Type" not in said(result)
    assert is_one_sentence(run("user", "show", BOB))
    assert cast.audit("user.deleted")[-1].target == BOB


def test_the_question_is_not_for_scripts(run: Run, cast: World) -> None:
    """With `--json` standard output holds the JSON and nothing else, also when the name was asked for."""
    bob = cast.user(BOB).id
    result = run("user", "delete", BOB, "--json", typed="bob\n")
    assert json.loads(result.stdout) == {"id": bob, "username": BOB, "deleted": True}


def test_a_deleted_users_name_is_free(run: Run, cast: World) -> None:
    """A superuser may give a deleted user's name again; it is another user."""
    before = cast.user(BOB).id
    run("user", "delete", BOB, "--yes")
    assert run("user", "add", BOB, "--password-stdin", typed=OTHER_PASSWORD + "\n").exit_code == 0
    assert cast.user(BOB).id != before
