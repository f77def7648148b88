"""`/admin/users/new` and `/admin/users/list`: one user, or a pasted list; initial passwords are shown once."""

import csv
import html
import io
import re
from datetime import UTC, datetime

import pytest
import time_machine
from werkzeug.test import TestResponse

from authapp.web.security import LARGEST_LIST
from tests.cli.commands import INITIAL_PASSWORD
from tests.web.pages import LIST, at, cells, field_of, is_tame, password_on
from tests.web.test_admin import EVIL_NAMES, create
from tests.world import ADA, BOB, PASSWORD, Browser, World, csrf_token, elements, signed_in

NEW, MANY = "/admin/users/new", "/admin/users/list"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
TEXT = 'grace@example.com, Grace Hopper\nalan; "Turing, Alan"; superuser\n\njoan\t\tuser'


def paste(browser: Browser, users: str, **more: str) -> TestResponse:
    """Send the form for a list; `create` and `change` are its other buttons."""
    return browser.post(MANY, {"users": users, **more})


def pasted(page: str) -> str:
    """Return what stands in the field for the list, as a browser would send it again."""
    (found,) = re.findall(r'<textarea[^>]*name="users"[^>]*>\r?\n(.*?)</textarea>', page, re.DOTALL)
    return html.unescape(found)


def passwords_on(page: str) -> dict[str, str]:
    """Return the initial passwords of a page, by user name."""
    found = re.findall(
        rf'<th scope="row"><span class="name">([^<]+)</span>.*?>({INITIAL_PASSWORD})</code>', page, re.DOTALL
    )
    return dict(found)


def names(world: World) -> set[str]:
    """Return everybody's user name."""
    with world.database.engine.connect() as connection:
        return set(connection.exec_driver_sql("SELECT username FROM users").scalars())


# -- one ------------------------------------------------------------------------------------------------------


def test_without_a_password_one_is_made(cast: World) -> None:
    """Whoever types no password is shown the one that was made, once, with how long it works."""
    with time_machine.travel(NOON, tick=False):
        answer = create(signed_in(cast), "eve", "", active="y")
    assert (answer.status_code, "Location" in answer.headers) == (200, False)
    assert "no-store" in answer.headers["Cache-Control"]
    assert "This page is shown once." in answer.text
    assert cells(answer.text)[0][0] == "eve"
    assert "2030-01-04 12:00 UTC" in cells(answer.text)[0][2]
    assert cast.user("eve").must_change_password


def test_initial_password_signs_in(cast: World) -> None:
    """The password that was made signs in, and has to be replaced."""
    initial = password_on(create(signed_in(cast), "eve", "", active="y").text)
    assert signed_in(cast, "eve", initial).get("/").location == "/account/password"


def test_inactive_users_initial_password_does_not_work_yet(cast: World) -> None:
    """Of somebody who is not active the page says that the password does not work before they are."""
    page = create(signed_in(cast), "eve", "").text
    assert "Not active yet" in cells(page)[0][2]
    assert cast.browser().sign_in("eve", password_on(page)).status_code == 401


def test_typed_password_needs_no_change(cast: World) -> None:
    """A password that the superuser typed is not shown, signs in, and stays."""
    answer = create(signed_in(cast), "eve", PASSWORD, active="y")
    assert (answer.status_code, answer.location) == (303, LIST)
    assert signed_in(cast, "eve").is_signed_in()
    assert not cast.user("eve").must_change_password


def test_full_name_is_kept(cast: World) -> None:
    """A full name stands on the new user's page, without the spaces around it."""
    ada = signed_in(cast)
    ada.post(NEW, {"username": "eve", "full_name": " Eve the Third "})
    assert field_of(ada.get(at(cast, "eve")).text, "full_name")["value"] == "Eve the Third"


def test_everything_wrong_with_a_new_user_is_told_at_once(cast: World) -> None:
    """A taken name and a weak password are both refused, each at its field."""
    answer = signed_in(cast).post(NEW, {"username": BOB, "password": "short"})
    assert answer.status_code == 409
    assert 'id="username-error"' in answer.text
    assert 'id="password-error"' in answer.text


@pytest.mark.parametrize("full_name", ["x" * 201, "a\u202eb", "a\x07b"])
def test_bad_full_name_is_refused(cast: World, full_name: str) -> None:
    """A full name that is too long or has invisible characters is refused with 422 beside its field."""
    answer = signed_in(cast).post(NEW, {"username": "eve", "full_name": full_name})
    assert answer.status_code == 422
    assert 'id="full_name-error"' in answer.text
    assert field_of(answer.text, "username")["value"] == "eve"
    assert "eve" not in names(cast)


def test_form_sent_twice_creates_one(cast: World) -> None:
    """Reloading the page with the initial password creates nobody else, and shows no password again."""
    ada = signed_in(cast)
    first, second = create(ada, "eve", ""), create(ada, "eve", "")
    assert second.status_code == 409
    assert password_on(first.text) not in second.text


# -- looking at a list ----------------------------------------------------------------------------------------


def test_preview_creates_nobody(cast: World) -> None:
    """A list is shown as it would be created, line by line; nothing is created yet, and nothing was lost."""
    before = cast.tables()["users"]
    ada = signed_in(cast)
    answer = paste(ada, TEXT)
    assert answer.status_code == 200
    assert cells(answer.text) == [
        ["1", "grace@example.com", "Grace Hopper", "User"],
        ["2", "alan", "Turing, Alan", "Superuser"],
        ["4", "joan", "", "User"],
    ]
    assert "Create these 3 users?" in answer.text
    assert pasted(answer.text).splitlines() == TEXT.splitlines()
    assert len(before) == len(cast.tables()["users"])


def test_preview_says_whether_they_may_sign_in(cast: World) -> None:
    """The preview says whether they may sign in at once, and carries that along."""
    ada = signed_in(cast)
    page = paste(ada, "eve", active="y").text
    assert "They may sign in at once." in page
    assert field_of(page, "active")["value"] == "y"
    assert "They may not sign in before you make them active." in paste(ada, "eve").text


@pytest.mark.parametrize("new_user_is_active", ["true", "false"])
def test_form_starts_as_the_option_says(cast: World, new_user_is_active: str) -> None:
    """The form's switch "Active" starts as `auth.new-user-is-active` says."""
    cast.write_config(f"auth:\n  new-user-is-active: {new_user_is_active}\n")
    page = signed_in(cast).get(MANY).text
    assert ("checked" in field_of(page, "active")) == (new_user_is_active == "true")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("BOB", "Another user already has this user name."),
        ("\uff42\uff4f\uff42", "Another user already has this user name."),
        ("GRACE", "The same user name stands in line 1."),
        ("a:b", "must not contain a colon"),
        ("x" * 257, "at most 256 characters"),
        ("eve," + "x" * 201, "at most 200 characters"),
        (", Eve", "must not be empty"),
        ("eve, Eve, king", "The role is neither user nor superuser."),
        ("eve, Eve, user, more", "too many columns"),
        ('eve, "Eve', "A quotation mark is not closed"),
    ],
)
def test_what_is_wrong_with_a_line(cast: World, line: str, said: str) -> None:
    """What is wrong with a line stands beside it, before the good ones; the text stays, and nobody is created."""
    answer = paste(signed_in(cast), f"grace\n{line}\nalan", create="y")
    assert answer.status_code == 422
    assert "1 of 3 lines cannot be used. Nothing was created" in answer.text
    assert [bool(re.search(said, " ".join(row))) for row in cells(answer.text)] == [True]
    assert pasted(answer.text).splitlines() == f"grace\n{line}\nalan".splitlines()
    assert not names(cast) & {"grace", "alan", "eve"}


def test_columns_that_are_not_used_are_told(cast: World) -> None:
    """Headings nobody knows are named: what stands below them would be lost without a word."""
    page = paste(signed_in(cast), "Login;Role;Rang;Abteilung\neve;admin;1;Looms").text
    assert "Not used: the columns" in page
    assert "Rang, Abteilung" in page
    assert "Not used" not in paste(signed_in(cast), "Login;Role\neve;admin").text


def test_headings_are_told(cast: World) -> None:
    """The preview says when the first line was read as headings, so that no user is lost without a word."""
    ada = signed_in(cast)
    assert "Line 1 was read as headings." in paste(ada, "user name, full name\neve, Eve").text
    assert "read as headings" not in paste(ada, "user\neve").text


def test_every_bad_line_is_told_at_once(cast: World) -> None:
    """All lines that cannot be used are told together."""
    page = paste(signed_in(cast), "a:b\ngood\nbob\nGOOD").text
    refused = re.findall(r'<tr class="refused">', page)
    assert "3 of 4 lines cannot be used." in page
    assert len(refused) == 3


def test_five_hundred_of_the_longest_names(cast: World) -> None:
    """A list of 500 users is not too large, in whatever letters they write their names."""
    lines = [f"{number}{'Ж' * 250}, {'山' * 200}" for number in range(500)]
    answer = paste(signed_in(cast), "\n".join(lines))
    assert (answer.status_code, "Create these 500 users?" in answer.text) == (200, True)


@pytest.mark.parametrize("name", [None, BOB])
def test_only_superusers_send_so_much(cast: World, name: str | None) -> None:
    """From anybody else a form as long as a list is too large, before it is read."""
    browser = signed_in(cast, name) if name else cast.browser()
    token = csrf_token(browser.get("/login" if name is None else "/account").text)
    answer = browser.client.post(MANY, data={"csrf_token": token, "users": "x" * 200_000})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("config", "address"),
    [
        ("", "http://localhost/login"),
        ("server:\n  public-url: https://auth.example.com\n", "https://auth.example.com/login"),
    ],
)
def test_printed_passwords_say_where_to_sign_in(cast: World, config: str, address: str) -> None:
    """The sheet to hand over names the address people use, however the superuser got here."""
    cast.write_config(config or "# nothing\n")
    page = signed_in(cast).post(NEW, {"username": "eve"}).text
    assert f"Sign in at {address} with the password" in page


@pytest.mark.parametrize("typed", ["", "  \n\n", ",\n;\n\t", "user name, full name"])
def test_empty_list_is_refused(cast: World, typed: str) -> None:
    """A list without a user is refused with 422 beside the field, with what to do."""
    answer = paste(signed_in(cast), typed)
    assert answer.status_code == 422
    assert re.search(r'id="users-error"[^>]*>[^<]*one user a line', answer.text)


def test_failed_csrf_check_keeps_the_list(cast: World) -> None:
    """Without its CSRF token the form is shown again with 400, the list in it, and nobody is created."""
    answer = signed_in(cast).client.post(MANY, data={"users": "eve", "create": "y"})
    assert answer.status_code == 400
    assert pasted(answer.text) == "eve"
    assert "eve" not in names(cast)


# -- creating a list ------------------------------------------------------------------------------------------


def test_list_is_created(cast: World) -> None:
    """What was previewed is created: each initial password stands on one page, and signs in."""
    ada = signed_in(cast)
    preview = paste(ada, TEXT, active="y").text
    answer = paste(ada, pasted(preview), active="y", create="y")
    made = passwords_on(answer.text)
    assert "3 users are created" in answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    assert set(made) == {"grace@example.com", "alan", "joan"}
    assert len(set(made.values())) == 3
    assert signed_in(cast, "alan", made["alan"]).get("/").location == "/account/password"
    assert (cast.user("alan").full_name, cast.user("alan").is_superuser) == ("Turing, Alan", True)


def test_list_of_inactive_users(cast: World) -> None:
    """Without the switch those created may not sign in yet."""
    made = passwords_on(paste(signed_in(cast), "eve\nmallory", create="y").text)
    assert cast.browser().sign_in("eve", made["eve"]).status_code == 401
    assert not cast.user("mallory").is_active


def test_list_can_be_changed(cast: World) -> None:
    """From the preview one gets back to the list, with everything in it, and nothing is created."""
    answer = paste(signed_in(cast), TEXT, active="y", change="y")
    assert answer.status_code == 200
    assert pasted(answer.text).splitlines() == TEXT.splitlines()
    assert "checked" in field_of(answer.text, "active")
    assert "alan" not in names(cast)


def test_name_taken_since_the_preview(cast: World) -> None:
    """When somebody takes a name between preview and creation, nobody is created and the line is told."""
    ada = signed_in(cast)
    paste(ada, "eve\nmallory")
    cast.add("mallory")
    answer = paste(ada, "eve\nmallory", create="y")
    assert answer.status_code == 422
    assert "Another user already has this user name." in answer.text
    assert "eve" not in names(cast)


def test_five_hundred_are_created(cast: World) -> None:
    """Five hundred users with long names are created at once."""
    text = "\n".join(f"user{number:03}@{'example.' * 12}com, {'Somebody ' * 10}" for number in range(500))
    assert len(text) > 64 * 1024
    answer = paste(signed_in(cast), text, create="y")
    assert "500 users are created" in answer.text
    assert len(passwords_on(answer.text)) == 500


def test_one_more_is_refused(cast: World) -> None:
    """A list of 501 users is refused with 422 and how many there may be; the text stays, nobody is created."""
    text = "\n".join(f"user{number:03}" for number in range(501))
    answer = paste(signed_in(cast), text, create="y")
    assert answer.status_code == 422
    assert "At most 500 users at once; this list has 501." in answer.text
    assert pasted(answer.text).splitlines() == text.splitlines()
    assert "user000" not in names(cast)


def test_list_that_is_far_too_long(cast: World) -> None:
    """More than 500 long names could take gets 413."""
    token = csrf_token((ada := signed_in(cast)).get(MANY).text)
    answer = ada.client.post(MANY, data={"csrf_token": token, "users": "x" * LARGEST_LIST})
    assert answer.status_code == 413
    assert "too large" in answer.text


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_lists_are_text(cast: World, name: str) -> None:
    """Names are text in the preview, beside their errors, and on the page with the passwords."""
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow([name, name])
    ada = signed_in(cast)
    pages = [paste(ada, line.getvalue()).text, paste(ada, line.getvalue(), create="y").text]
    pages += [paste(ada, line.getvalue()).text]
    assert all(map(is_tame, pages))
    assert cast.user(name).full_name == name


def test_list_cannot_close_its_field(cast: World) -> None:
    """A list that looks like the end of its field stays inside of it."""
    text = "</textarea><script>alert(1)</script>"
    page = paste(signed_in(cast), text).text
    assert pasted(page) == text
    assert len([tag for tag, _ in elements(page) if tag == "script"]) == 1


# -- shown once -----------------------------------------------------------------------------------------------


def make_initial_passwords(world: World, ada: Browser) -> list[TestResponse]:
    """Invite one user, create a list, reset a password; return the three pages."""
    return [
        create(ada, "eve", "", active="y"),
        paste(ada, "grace\nalan", active="y", create="y"),
        ada.post(f"{at(world)}/reset-password", form=at(world)),
    ]


def test_initial_passwords_are_written_down_nowhere(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """An initial password stands in no header or cookie of its page, no log line and no row."""
    cast.restart()  # so that it logs to what is captured here
    ada = signed_in(cast)
    answers = make_initial_passwords(cast, ada)
    with ada.client.session_transaction() as cookie:
        elsewhere = f"{[answer.headers for answer in answers]} {dict(cookie)} {cast.tables()}"
    log = "".join(capfd.readouterr())
    made = [initial for answer in answers for initial in re.findall(INITIAL_PASSWORD, answer.text)]
    assert len(made) == 4
    assert "/reset-password" in log
    assert not [initial for initial in made if initial in elsewhere or initial in log]


def test_initial_passwords_stand_on_no_other_page(cast: World) -> None:
    """No page that is opened after the one with the initial passwords shows one again."""
    ada = signed_in(cast)
    made = [re.findall(INITIAL_PASSWORD, answer.text) for answer in make_initial_passwords(cast, ada)]
    users = [at(cast, name) for name in (BOB, "eve", "grace", ADA)]
    pages = [ada.get(path).text for path in ("/", LIST, NEW, MANY, "/admin/sessions", "/account", *users)]
    assert [len(found) for found in made] == [1, 2, 1]
    assert not [page for page in pages if re.search(INITIAL_PASSWORD, page)]
