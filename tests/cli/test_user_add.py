"""`authapp user add`: one user, or a list of them, all or none."""

import pytest

from authapp.errors import UsernameTaken
from authapp.models import Role
from tests.cli.commands import FACTS, Run, is_one_sentence, is_safe_to_show, printed, said
from tests.world import ADA, BOB, OTHER_PASSWORD, PASSWORD, WEAK_PASSWORD, World, signed_in

TAKEN = str(UsernameTaken())


def write_list(world: World, text: str | bytes) -> str:
    """Write a list of users into a file; return its name."""
    content = text.encode() if isinstance(text, str) else text
    (world.folder / "people.csv").write_bytes(content)
    return "people.csv"


def known(world: World, *names: str) -> list[tuple[str, str, str]]:
    """Return user name, full name and role of users, as the database has them."""
    users = [world.user(name) for name in names]
    return [(user.username, user.full_name, str(user.role)) for user in users]


# -- one user -------------------------------------------------------------------------------------------------


def test_a_generated_password(run: Run, cast: World) -> None:
    """Without a password one is generated and shown once; it signs in, and has to be replaced."""
    lines = said(run("user", "add", "erin", "--active")).splitlines()
    assert lines[0] == "erin was created."
    password = lines[1].removeprefix("Initial password: ")
    assert lines[2].startswith("It is shown this once, works until 20")
    assert signed_in(cast, "erin", password).get("/").location == "/account/password"
    assert password not in str(cast.tables())


def test_a_generated_password_for_scripts(run: Run, cast: World) -> None:
    """With `--json` the user is one object with the documented fields, and the initial password once."""
    result = run("user", "add", "erin", "--full-name", "Erin the Weaver", "--active", "--json")
    told = printed(result)
    assert set(told) == FACTS | {"initial_password"}
    assert (told["username"], told["full_name"], told["must_change_password"]) == ("erin", "Erin the Weaver", True)
    assert result.stdout.count(told["initial_password"]) == 1
    assert signed_in(cast, "erin", told["initial_password"]).get("/").location == "/account/password"


def test_a_typed_password(run: Run, cast: World) -> None:
    """With `--password-stdin` the first line is the password; it is repeated nowhere and needs no change."""
    result = run("user", "add", "erin", "--active", "--password-stdin", typed=OTHER_PASSWORD + "\nmore\n")
    assert said(result) == "erin was created.\n"
    assert signed_in(cast, "erin", OTHER_PASSWORD).is_signed_in()


@pytest.mark.usefixtures("cast")
def test_a_typed_password_for_scripts(run: Run) -> None:
    """Scripts that gave the password are not told it again."""
    result = run("user", "add", "erin", "--password-stdin", "--json", typed=OTHER_PASSWORD + "\n")
    assert set(printed(result)) == FACTS
    assert OTHER_PASSWORD not in result.output


@pytest.mark.parametrize(("words", "option", "active"), [
    ((), "false", False), ((), "true", True), (("--active",), "false", True), (("--inactive",), "true", False),
])  # fmt: skip
def test_who_may_sign_in(run: Run, cast: World, words: tuple[str, ...], option: str, *, active: bool) -> None:
    """Whether the user may sign in is what is asked for, else `auth.new-user-is-active`, and is said."""
    cast.write_config(f"auth:\n  new-user-is-active: {option}\n")
    text = said(run("user", "add", "erin", *words))
    assert text.splitlines()[0] == f"erin was created{'' if active else ', and is not active yet'}."
    assert ("works once the user is active" in text) is not active
    assert cast.user("erin").is_active is active


@pytest.mark.parametrize(("words", "role"), [
    ((), Role.USER), (("--superuser",), Role.ADMIN), (("--role", "admin"), Role.ADMIN),
    (("--role", "user"), Role.USER),
])  # fmt: skip
def test_roles(run: Run, cast: World, words: tuple[str, ...], role: Role) -> None:
    """`--role admin` and `--superuser` make a superuser, anything else a user."""
    assert printed(run("user", "add", "erin", *words, "--json"))["role"] == role
    assert cast.user("erin").role == role


def test_names_are_stored_clean(run: Run, cast: World) -> None:
    """What is said is the name as it is stored."""
    fullwidth = "\uff45rin"
    assert said(run("user", "add", fullwidth, "--full-name", "  Erin ")).startswith("erin was created")
    assert known(cast, "erin") == [("erin", "Erin", "user")]


@pytest.mark.parametrize(("name", "words"), [
    (BOB, "already has this user name"), (ADA.upper(), "already has this user name"), ("a:b", "colon"),
    ("", "empty"), (" erin", "space"), ("x" * 257, "256"),
])  # fmt: skip
def test_names_that_are_refused(run: Run, cast: World, name: str, words: str) -> None:
    """A name that is taken or breaks a rule is refused in one sentence that says why; nobody is created."""
    before = cast.tables()
    result = run("user", "add", name, "--json")
    assert is_one_sentence(result)
    assert words in result.stderr
    assert result.stdout == ""
    assert cast.tables() == before


@pytest.mark.parametrize(("typed", "words"), [
    (WEAK_PASSWORD + "\n", "at least 12 characters"), ("", "no password"), ("\n", "no password"),
    (b"\xff\xfe\n", "not UTF-8"), ("Aa!" + "xY7" * 85 + "\n", "at most 256"),
])  # fmt: skip
def test_passwords_that_are_refused(run: Run, cast: World, typed: str | bytes, words: str) -> None:
    """A password that is weak, missing or no text is refused in one sentence that says why; nobody is created."""
    before = cast.tables()
    result = run("user", "add", "erin", "--password-stdin", typed=typed)
    assert is_one_sentence(result)
    assert words in result.stderr
    assert cast.tables() == before


# -- a list ---------------------------------------------------------------------------------------------------

THREE = [("erin", "Weaver, Erin", "user"), ("frank", "Frank", "admin"), ("grace", "", "user")]


@pytest.mark.parametrize("text", [
    'erin,"Weaver, Erin"\nfrank,Frank,superuser\ngrace\n',
    '\ufefferin,"Weaver, Erin"\r\nfrank,Frank,superuser\r\n\r\ngrace',
    'user name;full name;role\nerin;"Weaver, Erin"\nfrank;Frank;admin\ngrace;;user\n',
    "role\nfrank\tFrank\tSuperuser\nerin\tWeaver, Erin\n\n\ngrace\t\t\n".removeprefix("role\n"),
])  # fmt: skip
@pytest.mark.parametrize("road", ["file", "standard input"])
def test_a_list(run: Run, cast: World, text: str, road: str) -> None:
    """A list as spreadsheets write it, in a file or on standard input, creates everybody it names."""
    if road == "file":
        result = run("user", "add", "--list", write_list(cast, text))
    else:
        result = run("user", "add", "--list", "-", typed=text.encode())
    assert said(result).count(" was created, and is not active yet.\n") == 3
    assert known(cast, "erin", "frank", "grace") == THREE


def test_a_list_shows_every_password(run: Run, cast: World) -> None:
    """Each name stands before its own initial password, and each signs in with it."""
    lines = said(run("user", "add", "--list", "-", "--active", typed="erin\nfrank\n")).splitlines()
    assert [lines[0], lines[3]] == ["erin was created.", "frank was created."]
    for name, line in (("erin", lines[1]), ("frank", lines[4])):
        browser = signed_in(cast, name, line.removeprefix("Initial password: "))
        assert browser.get("/").location == "/account/password"


def test_a_list_for_scripts(run: Run, cast: World) -> None:
    """With `--json` a list is answered with an array, a list of one too; each password stands in it once."""
    result = run("user", "add", "--list", write_list(cast, "erin\nfrank\n"), "--json")
    told = printed(result)
    assert [set(one) for one in told] == [FACTS | {"initial_password"}] * 2
    assert [result.stdout.count(one["initial_password"]) for one in told] == [1, 1]
    assert len(printed(run("user", "add", "--list", "-", "--json", typed="grace\n"))) == 1


def test_the_longest_list(run: Run, cast: World) -> None:
    """A list of 500 is created, each user with a password of their own."""
    text = "".join(f"user-{number}\n" for number in range(500))
    told = printed(run("user", "add", "--list", "-", "--json", typed=text))
    assert len({one["initial_password"] for one in told}) == 500
    assert len(cast.tables()["users"]) == 504


def test_a_list_that_is_too_long(run: Run, cast: World) -> None:
    """A list of 501 creates nobody; empty lines do not count."""
    before = cast.tables()
    result = run("user", "add", "--list", "-", typed="\n\n".join(f"user-{number}" for number in range(501)))
    assert is_one_sentence(result)
    assert "At most 500 users at once" in result.stderr
    assert cast.tables() == before


@pytest.mark.parametrize(("text", "told"), [
    ("", "The list is empty: write one user a line."),
    ("\n ,;\n", "The list is empty: write one user a line."),
    ("user name,full name\n", "The list is empty: write one user a line."),
    ("erin\nfrank,Frank,boss\n", "Line 2: The role is neither user nor superuser."),
    ('erin\n\nfrank,"Frank\n', "Line 3: A quotation mark is not closed, or has text behind it."),
    ("erin\nfrank,,user,more\n", "Line 2: There are too many columns; put a name with a comma in quotation marks."),
    ("erin\na:b\n", "Line 2: A user name must not contain a colon (:)."),
    (f"erin\n{BOB.upper()}\n", f"Line 2: {TAKEN}"),
    ("erin\nERIN\n", "Line 2: The same user name stands in line 1."),
    (b"erin\nfr\xe4nk\n", "The list is not UTF-8 text."),
])  # fmt: skip
def test_a_list_that_is_refused(run: Run, cast: World, text: str | bytes, told: str) -> None:
    """One bad line, and nobody of the list is created; one sentence names the line and what is wrong with it."""
    before = cast.tables()
    result = run("user", "add", "--list", write_list(cast, text), "--json")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", told + "\n")
    assert cast.tables() == before


@pytest.mark.parametrize(("text", "told"), [
    (f"user name,full name\nerin\n{BOB}\n", f"Line 3: {TAKEN}"),
    (f"\n\n\nerin\n\n{BOB}\n", f"Line 6: {TAKEN}"),
    ("user name\n\nerin\nErin\n", "Line 4: The same user name stands in line 3."),
    (f"\n\n{BOB}\n", f"Line 3: {TAKEN}"),
])  # fmt: skip
def test_lines_are_counted_as_editors_do(run: Run, cast: World, text: str, told: str) -> None:
    """The line that is named is the one in the file, also behind headings and empty lines."""
    before = cast.tables()
    result = run("user", "add", "--list", write_list(cast, text))
    assert (result.exit_code, result.stderr) == (1, told + "\n")
    assert cast.tables() == before


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\x07b", "a\x9b31mb", "a\u202eb", "a\x00b"])
def test_a_list_that_terminals_would_obey(run: Run, cast: World, name: str) -> None:
    """A list with control characters in it is refused without repeating them to the terminal."""
    before = cast.tables()
    result = run("user", "add", "--list", write_list(cast, f"erin\n{name},{name}\n"))
    assert is_one_sentence(result)
    assert is_safe_to_show(result.output)
    assert cast.tables() == before


@pytest.mark.parametrize("words", ["erin", "--password-stdin", "--full-name Erin", "--superuser", "--role admin"])
def test_a_list_says_all_itself(run: Run, cast: World, words: str) -> None:
    """What a list itself says of its users cannot be given beside it: wrong usage, and nobody is created."""
    before = cast.tables()
    result = run("user", "add", "--list", write_list(cast, "erin\n"), *words.split(), typed=PASSWORD + "\n")
    assert result.exit_code == 2, result.output
    assert "Usage:" in result.output
    assert cast.tables() == before


def test_a_list_that_is_missing(run: Run, cast: World) -> None:
    """A list that cannot be opened is wrong usage, and is named."""
    before = cast.tables()
    for name in ("missing.csv", "data"):
        result = run("user", "add", "--list", name)
        assert result.exit_code == 2
        assert name in result.stderr
    assert cast.tables() == before


def test_a_list_is_recorded_user_by_user(run: Run, cast: World) -> None:
    """Each user a list creates has an entry in the audit table."""
    run("user", "add", "--list", "-", "--active", typed="erin\nfrank\n")
    entries = cast.audit("user.created")[-2:]
    assert [(entry.target, entry.road, entry.detail["active"]) for entry in entries] == [
        ("erin", "command line", True),
        ("frank", "command line", True),
    ]
