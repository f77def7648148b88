"""Getting back in by editing `config.yml` while the server runs, and the closed start."""

import os
import time

import pytest

from tests.world import (
    ADA,
    BOB,
    CHARLIE,
    DORA,
    OTHER_PASSWORD,
    PASSWORD,
    WEAK_PASSWORD,
    World,
    csrf_token,
    signed_in,
)

# What lies behind these four is checked by the tests of the rules; here counts what a browser sees.
CLOSING = {
    "a weak password": ("password: 'short'", "at least 12 characters"),
    "a bad user name": ("username: 'a:b'\n    password: 'Correct-horse battery'", "colon"),
    "a damaged hash": ("password-hash: '$argon2id$v=19$m=8'", "is no argon2, scrypt or pbkdf2 string"),
    "no password file": ("password-file: nowhere.txt", "cannot be read"),
}


def closing(line: str) -> str:
    """Return a config file whose credentials close the start."""
    name = "" if line.startswith("username") else f"    username: {ADA}\n"
    return f"server:\n  basic-auth:\n{name}    {line}\n"


@pytest.fixture
def running(cast: World) -> World:
    """An installation whose app is running when its files are edited."""
    _ = cast.app
    return cast


# -- recovery by editing the file -----------------------------------------------------------------------------


def test_new_pair_works_and_old_does_not(running: World) -> None:
    """Credentials written into the file count at once, and the ones before do not."""
    running.write_credentials("grace", OTHER_PASSWORD)
    assert running.browser().sign_in("grace", OTHER_PASSWORD).status_code == 303
    assert running.browser().sign_in(ADA, PASSWORD).status_code == 401
    assert running.browser().sign_in("grace", PASSWORD).status_code == 401


def test_edit_is_seen_with_the_next_request(running: World) -> None:
    """A request that comes more than half a second after the last look finds the edited file by itself."""
    browser = signed_in(running)
    running.look = lambda: None  # type: ignore[method-assign]  # nobody tells the app
    running.write_credentials(ADA, OTHER_PASSWORD)
    running.app.live._next_look = 0.0  # that half second is over
    assert not browser.is_signed_in()


def test_owners_sessions_end(running: World) -> None:
    """The owner's sessions end with the adoption, everybody else's go on."""
    ada, bob = signed_in(running), signed_in(running, BOB)
    running.write_credentials(ADA, OTHER_PASSWORD)
    assert ada.get("/account").location == "/login?next=/account"
    assert bob.is_signed_in()


def test_password_alone_in_the_file(running: World) -> None:
    """A password alone in the file is the owner's, under the name they had."""
    running.write_credentials(None, OTHER_PASSWORD)
    assert running.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 303
    assert running.browser().sign_in(ADA, PASSWORD).status_code == 401


def test_name_alone_in_the_file(running: World) -> None:
    """A user name alone in the file renames the owner, who keeps password and id."""
    owner = running.user(ADA).id
    running.write_credentials("grace", None)
    assert running.browser().sign_in("grace", PASSWORD).status_code == 303
    assert running.user("grace").id == owner


def test_recovery_sticks(running: World) -> None:
    """After the lines are taken out again, the new password still works and the old one does not."""
    running.write_credentials(ADA, OTHER_PASSWORD)
    running.write_config("# nothing\n")
    assert running.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 303
    assert running.browser().sign_in(ADA, PASSWORD).status_code == 401


def test_recovery_sticks_without_the_file(running: World) -> None:
    """After the whole file is taken away, the adopted password still works."""
    running.write_credentials(ADA, OTHER_PASSWORD)
    running.remove_config()
    assert running.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 303


def test_taking_the_lines_out_ends_no_session(running: World) -> None:
    """Taking the lines out of the file signs nobody out."""
    running.write_credentials(ADA, OTHER_PASSWORD)
    ada = signed_in(running, ADA, OTHER_PASSWORD)
    running.write_config("# nothing\n")
    assert ada.get("/account").status_code in (200, 303)
    assert ada.get("/admin/recovery").status_code == 200


def test_other_edits_sign_nobody_out(running: World) -> None:
    """An edit beside the credentials, in a file that holds them, ends no session and adopts nothing."""
    running.write_credentials(ADA, OTHER_PASSWORD)
    ada, adopted = signed_in(running, ADA, OTHER_PASSWORD), running.events().count("credentials.adopted success")
    running.write_config(running.config_file.read_text() + "organization:\n  name: Kestrel\n")
    assert "Kestrel" in ada.get("/admin/recovery").text
    assert running.events().count("credentials.adopted success") == adopted


def test_old_pair_written_again_changes_nothing(running: World) -> None:
    """Writing the credentials that are in force into the file ends no session and rewrites no hash."""
    ada, stored = signed_in(running), running.setting("server.basic-auth")
    running.write_credentials()
    assert ada.is_signed_in()
    assert running.setting("server.basic-auth") == stored


def test_edit_lifts_the_lock(running: World) -> None:
    """Whoever can write credentials into the file need not wait after ten wrong passwords."""
    for _ in range(11):
        locked = running.browser().sign_in(ADA, "Wrong password!").status_code
    assert locked == 429
    running.write_credentials()
    assert running.browser().sign_in().status_code == 303


def test_stranger_cannot_use_the_old_name(running: World) -> None:
    """After a rename nobody signs in under the owner's former name."""
    running.write_credentials("grace", OTHER_PASSWORD)
    assert running.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 401


def test_existing_user_becomes_the_owner(running: World) -> None:
    """With a password, the user who bears the name in the file becomes the owner beside the former one."""
    bob = signed_in(running, BOB)
    running.write_credentials(BOB, OTHER_PASSWORD)
    assert not bob.is_signed_in()
    assert signed_in(running, BOB, OTHER_PASSWORD).get("/admin/recovery").status_code == 200
    assert running.browser().sign_in(ADA, PASSWORD).status_code == 401
    assert running.user(ADA).is_superuser


def test_inactive_user_becomes_the_owner(running: World) -> None:
    """A user who waited for activation and is named in the file with a password is the active owner."""
    running.write_credentials(CHARLIE, OTHER_PASSWORD)
    assert signed_in(running, CHARLIE, OTHER_PASSWORD).get("/admin/recovery").status_code == 200


def test_password_file(running: World) -> None:
    """A password file counts too, and so does an edit of it alone."""
    secret = running.folder / "password.txt"
    secret.touch()
    running.write_config("server:\n  basic-auth:\n    password-file: password.txt\n")
    for age, password in ((20, OTHER_PASSWORD), (10, "Quite another one, again")):
        secret.write_text(password + "\n")
        os.utime(secret, (time.time() - age, time.time() - age))
        running.look()
        assert running.browser().sign_in(ADA, password).status_code == 303


# -- edits that go wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "words"), CLOSING.values(), ids=list(CLOSING))
def test_bad_edit_keeps_what_worked(running: World, line: str, words: str) -> None:
    """Bad credentials in a live edit change nothing but the sign-in page, which tells key, line and rule."""
    ada = signed_in(running)
    running.write_config(closing(line))
    page = running.browser().get("/login").text
    assert "config.yml, line" in page
    assert words in page
    assert ada.is_signed_in()
    assert running.browser().sign_in().status_code == 303


@pytest.mark.parametrize("line", ["password: 'canary'", "pasword: canary-value", "password: [canary]"])
def test_bad_edit_is_not_quoted(running: World, line: str) -> None:
    """No page quotes a value of the file that was refused."""
    running.write_config(closing(line))
    pages = [running.browser().get("/login"), signed_in(running).get("/admin/users")]
    assert not [page for page in pages if "canary" in page.text]


def test_problem_elsewhere_is_not_for_strangers(running: World) -> None:
    """A problem that is not about credentials stands on the admin pages, not on the sign-in page."""
    running.write_config("sesion:\n  lifetime: 1h\n")
    assert "sesion" not in running.browser().get("/login").text
    assert "sesion" in signed_in(running).get("/admin/users").text


def test_weak_edit_is_mended(running: World) -> None:
    """A weak password in the file does not count; once mended, it does."""
    running.write_credentials(ADA, WEAK_PASSWORD)
    assert running.browser().sign_in(ADA, WEAK_PASSWORD).status_code == 401
    running.write_credentials(ADA, OTHER_PASSWORD)
    assert running.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 303
    assert "alert" not in running.browser().get("/login").text


@pytest.mark.parametrize("content", ["", "\t- x", "server: [", "a: b\n" * 3])
def test_broken_file_keeps_the_last_good_one(running: World, content: str) -> None:
    """A file that is emptied or broken leaves the last good one in force."""
    running.write_credentials(ADA, OTHER_PASSWORD)
    running.write_config(content)
    assert running.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 303
    assert running.snapshot.problems


def test_taken_name_alone_is_refused(running: World) -> None:
    """The name of another user, without a password, is refused, and both stay who they are."""
    running.write_credentials(BOB, None)
    assert "another user has this name" in running.browser().get("/login").text
    assert running.browser().sign_in().status_code == 303
    assert running.browser().sign_in(BOB).status_code == 303


# -- the closed start -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/login", "/setup", "/account", "/admin/users", "/nowhere"])
@pytest.mark.parametrize(("line", "words"), CLOSING.values(), ids=list(CLOSING))
def test_closed_start_says_why_on_every_page(world: World, line: str, words: str, path: str) -> None:
    """Started with bad credentials, every page is a 503 that tells key, line and how to mend it."""
    world.write_config(closing(line))
    answer = world.browser().get(path)
    assert answer.status_code == 503
    assert "config.yml, line" in answer.text
    assert "server.basic-auth." in answer.text
    assert words in answer.text


def test_closed_start_lists_all_rules(world: World) -> None:
    """A closed start lists all of the policy's rules, not which one failed."""
    world.write_credentials(ADA, "lower case only, no capital")
    page = world.browser().get("/").text
    for rule in ("at least 12 characters", "a lower-case letter", "an upper-case letter", "a symbol"):
        assert rule in page
    assert "lower case only" not in page


def test_closed_start_refuses_older_credentials(cast: World) -> None:
    """In a closed start nobody signs in, with the credentials that worked before neither."""
    cast.write_credentials(ADA, WEAK_PASSWORD)
    cast.restart()
    client = cast.app.test_client()
    for name in (ADA, BOB):
        assert client.post("/login", data={"username": name, "password": PASSWORD}).status_code == 503
    assert cast.sessions_of(ADA) == cast.sessions_of(BOB) == 0


def test_closed_start_honours_no_session(cast: World) -> None:
    """In a closed start nobody who was signed in goes on either, until the file is mended."""
    browser = signed_in(cast, DORA)
    cast.write_credentials(ADA, WEAK_PASSWORD)
    cast.restart()
    browser.client.application = cast.app
    assert browser.get("/").status_code == 503


def test_mended_file_opens_the_app(cast: World) -> None:
    """Mending the file opens the app without a restart, with the mended credentials."""
    cast.write_credentials(ADA, WEAK_PASSWORD)
    cast.restart()
    assert cast.browser().get("/login").status_code == 503
    cast.write_credentials(ADA, OTHER_PASSWORD)
    assert cast.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 303


def test_emptied_file_opens_the_app(cast: World) -> None:
    """Taking the bad lines out opens the app too, with the credentials that are stored."""
    cast.write_credentials(ADA, WEAK_PASSWORD)
    cast.restart()
    assert cast.browser().get("/login").status_code == 503
    cast.write_config("# nothing\n")
    assert cast.browser().sign_in().status_code == 303


def test_closed_start_never_leads_to_setup(world: World) -> None:
    """Bad credentials in the file of a new installation do not open the wizard, with a setup token neither."""
    token = world.setup_token()
    world.write_credentials(ADA, WEAK_PASSWORD)
    world.restart()
    browser = world.browser()
    assert browser.get(f"/setup?token={token}").status_code == 503
    typed = {"csrf_token": "x", "username": "eve", "password": PASSWORD}
    assert browser.client.post("/setup", data=typed).status_code == 503
    assert world.setting("server.basic-auth") is None


def test_refused_live_edit_closes_the_wizard(world: World) -> None:
    """While the file holds credentials that were refused, nobody finishes the wizard."""
    browser = world.wizard()
    token = csrf_token(browser.get("/setup").text)
    world.write_credentials(ADA, WEAK_PASSWORD)
    browser.client.post("/setup", data={"csrf_token": token, "username": "eve", "password": PASSWORD})
    assert world.setting("server.basic-auth") is None


def test_accepted_password_is_never_refused_later(cast: World) -> None:
    """A password of the file that was accepted once starts the app, also under a stricter policy."""
    credentials = f"server:\n  basic-auth:\n    username: {ADA}\n    password: 'Abcdefg7'\n"
    cast.write_config("password:\n  policy: kestra\n" + credentials)
    signed_in(cast, ADA, "Abcdefg7")
    cast.write_config("password:\n  policy: nist\n" + credentials)
    cast.restart()
    assert cast.browser().sign_in(ADA, "Abcdefg7").status_code == 303


def test_nobody_else_to_review(world: World) -> None:
    """An owner who recovered while there was no other superuser is not asked about one made later."""
    world.set_up()
    world.write_credentials(password=OTHER_PASSWORD)
    ada = world.browser()
    ada.sign_in(ADA, OTHER_PASSWORD)
    world.add(DORA, superuser=True)
    assert ada.get("/admin/users").status_code == 200
