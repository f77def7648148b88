"""`authapp superuser`: typed by a person, called by a script, and beside what the config file says."""

import json

import pytest
from click.testing import Result

from tests.cli.commands import Run, is_one_sentence, said
from tests.world import ADA, BOB, OTHER_PASSWORD, PASSWORD, WEAK_PASSWORD, World, signed_in

SUCCESS = "Superuser created successfully.\n"


def scripted(run: Run, username: str) -> Result:
    """Ask for a superuser as a script does."""
    return run("superuser", "--username", username, "--password-stdin", typed=OTHER_PASSWORD + "\n")


def test_a_person_is_asked(run: Run, cast: World) -> None:
    """Somebody at a terminal is asked for name, password and the password again, and told that it worked."""
    result = run("superuser", typed=f"erin\n{OTHER_PASSWORD}\n{OTHER_PASSWORD}\n")
    assert said(result) == f"Username: erin\nPassword: \nPassword again: \n{SUCCESS}"
    assert signed_in(cast, "erin", OTHER_PASSWORD).get("/admin/users").status_code == 200


def test_a_person_may_mistype(run: Run, cast: World) -> None:
    """Two passwords that differ are asked for again."""
    result = run("superuser", typed=f"erin\n{PASSWORD}\nno\n{OTHER_PASSWORD}\n{OTHER_PASSWORD}\n")
    assert said(result).endswith(SUCCESS)
    assert signed_in(cast, "erin", OTHER_PASSWORD).is_signed_in()


def test_a_script_is_told(run: Run, cast: World) -> None:
    """A script reads one line and nothing else; the superuser is active and needs no other password."""
    assert said(scripted(run, "erin")) == SUCCESS
    erin = cast.user("erin")
    assert (erin.is_active, erin.is_superuser, erin.must_change_password) == (True, True, False)


def test_a_superuser_is_recorded(run: Run, cast: World) -> None:
    """The audit table says who was made a superuser, and that it was done on the command line."""
    scripted(run, "erin")
    entry = cast.audit("user.created")[-1]
    assert (entry.road, entry.target, entry.detail["superuser"]) == ("command line", "erin", True)


@pytest.mark.parametrize("name", [BOB, "BOB", "\uff42ob", ADA])
def test_a_person_chooses_a_taken_name(run: Run, cast: World, name: str) -> None:
    """Under a name that is taken nobody is created or changed, and no word says otherwise."""
    before = cast.tables()
    result = run("superuser", typed=f"{name}\n{OTHER_PASSWORD}\n{OTHER_PASSWORD}\n")
    assert is_one_sentence(result)
    assert "successfully" not in result.output
    assert cast.tables() == before


@pytest.mark.usefixtures("cast")
def test_a_taken_name_is_told_before_the_password(run: Run) -> None:
    """Nobody types a password for a name that is taken."""
    result = run("superuser", typed=f"{BOB}\n")
    assert is_one_sentence(result)
    assert "already has this user name" in result.stderr


@pytest.mark.parametrize("name", [ADA, "erin"])
def test_a_superuser_for_scripts(run: Run, world: World, name: str) -> None:
    """With --json the new superuser is printed as `user show` prints it, whether that makes the owner or not."""
    if name != ADA:
        world.set_up()
    result = run("superuser", "--username", name, "--password-stdin", "--json", typed=OTHER_PASSWORD + "\n")
    told = json.loads(result.stdout)
    assert (told["username"], told["is_superuser"], told["is_owner"]) == (name, True, name == ADA)
    assert json.loads(run("setup", "status", "--json").stdout) == {"complete": True}


def test_a_script_names_the_superuser(run: Run, cast: World) -> None:
    """With --password-stdin the first line is the password and never a name, so that the name has to be given."""
    before = cast.tables()
    result = run("superuser", "--password-stdin", typed=OTHER_PASSWORD + "\n")
    assert (result.exit_code, "--username" in result.stderr) == (2, True)
    assert cast.tables() == before


def test_the_first_name_is_taken(run: Run, world: World) -> None:
    """Where there is no owner yet, a taken name is refused too, and setup stays open."""
    world.add(BOB)
    before = world.tables()
    assert is_one_sentence(scripted(run, "Bob"))
    assert world.tables() == before


def test_the_same_call_again(run: Run, world: World) -> None:
    """A script that runs twice is refused the second time, and the first password stays."""
    words = ("superuser", "--username", ADA, "--password-stdin")
    assert run(*words, typed=PASSWORD + "\n").stdout == SUCCESS
    assert is_one_sentence(run(*words, typed=OTHER_PASSWORD + "\n"))
    assert signed_in(world, ADA, PASSWORD).is_signed_in()


@pytest.mark.parametrize("typed", ["", "erin\n", f"erin\n{OTHER_PASSWORD}\n", f"erin\n{WEAK_PASSWORD}\n"])
def test_an_input_that_ends_early(run: Run, cast: World, typed: str) -> None:
    """Whoever stops in the middle has made nobody."""
    before = cast.tables()
    result = run("superuser", typed=typed)
    assert result.exit_code == 1
    assert "successfully" not in result.output
    assert cast.tables() == before


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\x9bb", "a\u202eb"])
def test_a_name_that_terminals_obey(run: Run, world: World, name: str) -> None:
    """A name with control characters makes no owner, and is not repeated."""
    result = scripted(run, name)
    assert is_one_sentence(result)
    assert name not in result.output
    assert not world.tables()["users"]


def test_who_became_the_owner(run: Run, world: World) -> None:
    """The first superuser is the owner, and is told so by the name as it is stored, and in which database."""
    result = scripted(run, "\uff45rin")
    address = world.database_url or f"sqlite:///{world.folder / 'data' / 'authapp.db'}"
    assert result.stderr.startswith(f"erin is the owner of the installation in {address}.\n")
    assert world.user("erin").is_superuser


def test_the_file_names_the_owner(run: Run, world: World) -> None:
    """Where the config file gives the owner's name, no word says that another name was taken."""
    world.write_credentials(username=ADA, password=None)
    result = scripted(run, "erin")
    assert "erin is the owner" not in result.output
    assert ADA in result.stderr


def test_the_file_gives_the_password(run: Run, world: World) -> None:
    """Where the config file gives the owner's password, whoever types another one learns that the file's counts."""
    world.write_credentials(username=None, password=PASSWORD)
    assert "server.basic-auth.password" in scripted(run, ADA).stderr
