"""A pasted list of users, however it was copied out of a table."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from authapp import invitations, userlist
from authapp.errors import BadList
from authapp.invitations import Row
from authapp.models import Role
from tests.world import BOB, World

ADMIN, USER = Role.ADMIN, Role.USER
PIECES = ["ada", "Ada L.", "user", "superuser", "user name", "role", '"', ",", ";", "\t", "\n", "\r\n", "\r", " "]
PIECES += ["\ufeff", "\0", "\u2028", "\u00a0", "\u3000", "\udc80", "<b>", "=1+1"]


def users(text: str) -> list[tuple[str, str, Role]]:
    """Return the users a list names, none of them refused: user name, full name, role."""
    rows = userlist.read(text)
    assert [row.refusal for row in rows if row.refusal] == []
    return [(row.user.username, row.user.full_name, row.user.role) for row in rows]


def refusals(rows: list[Row]) -> dict[int, str]:
    """Return which lines cannot be used, and why."""
    return {row.line: str(row.refusal) for row in rows if row.refusal}


def checked(world: World, text: str) -> list[Row]:
    """Read a list and hold it against the rules and the users there are."""
    return invitations.checked(world.database, world.snapshot.effective, userlist.read(text))


# -- columns --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "erin,Erin Weaver,superuser",
        "erin, Erin Weaver , superuser ",
        "erin;Erin Weaver;superuser",
        "erin\tErin Weaver\tsuperuser",
        '"erin","Erin Weaver","superuser"',
        '"erin"; "Erin Weaver"; "superuser"',
        '"erin"\t"Erin Weaver"\tsuperuser',
        "\u00a0erin,Erin Weaver,superuser\u00a0",
        "\ufefferin,Erin Weaver,superuser",
        "  erin,Erin Weaver,SuperUser",
    ],
)
def test_however_the_columns_are_parted(line: str) -> None:
    """Columns are parted by commas, semicolons or tabs, with or without quotation marks."""
    assert users(line) == [("erin", "Erin Weaver", ADMIN)]


@pytest.mark.parametrize(
    ("line", "full_name"),
    [
        ('erin,"Weaver, Erin",user', "Weaver, Erin"),
        ("erin;Weaver, Erin;user", "Weaver, Erin"),
        ("erin\tWeaver, Erin; Dr.\tuser", "Weaver, Erin; Dr."),
        ('erin,"Erin ""the Weaver"" W.",user', 'Erin "the Weaver" W.'),
        ('erin,"Weaver; Erin",user', "Weaver; Erin"),
        ('"erin","Weaver; Erin"', "Weaver; Erin"),
    ],
)
def test_signs_that_part_columns_may_stand_in_a_name(line: str, full_name: str) -> None:
    """What stands in quotation marks is one cell; beside a stronger sign a comma is part of a name."""
    assert users(line) == [("erin", full_name, USER)]


@pytest.mark.parametrize("line", ["erin", "erin,", "erin,,", "erin;;", "erin\t\t", '"erin"', "erin,,user"])
def test_only_the_user_name_is_needed(line: str) -> None:
    """A missing full name is none, and a missing role is user."""
    assert users(line) == [("erin", "", USER)]


@pytest.mark.parametrize(
    ("word", "role"),
    [
        ("user", USER),
        ("User", USER),
        ("member", USER),
        ("superuser", ADMIN),
        ("admin", ADMIN),
        ("ADMIN", ADMIN),
        ("Organization Admin", ADMIN),
    ],
)
def test_words_for_roles(word: str, role: Role) -> None:
    """Roles may be called what other systems call them, in any case."""
    assert users(f"erin,Erin,{word}") == [("erin", "Erin", role)]


@pytest.mark.parametrize("active", [None, True, False])
def test_active_is_said_for_the_whole_list(active: bool | None) -> None:
    """Whether they are active is chosen for all users of a list at once; no password comes from a list."""
    rows = userlist.read("erin\nfrank", active=active)
    assert [(row.user.active, row.user.password) for row in rows] == [(active, None)] * 2


# -- lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    """Lines end as on Linux, Windows, or old Macs; lines are counted as an editor counts them."""
    rows = userlist.read(end.join(["erin", "", "frank", ""]))
    assert [(row.line, row.user.username) for row in rows] == [(1, "erin"), (3, "frank")]


@pytest.mark.parametrize("line", ["", "   ", "\t\t", ",,", " ; ; ", "\u00a0", "\ufeff"])
def test_empty_lines_are_passed_over(line: str) -> None:
    """A line without a name in it, as tables have at their ends, is no user."""
    assert users(f"{line}\nerin\n{line}\n") == [("erin", "", USER)]


@pytest.mark.parametrize("text", ["", "\n\n", " \t \r\n,,,", "\ufeff", "user name,full name,role", "User;Role\n\n"])
def test_an_empty_list(text: str) -> None:
    """A list without a user is refused, one with headings alone too."""
    with pytest.raises(BadList, match="empty"):
        userlist.read(text)


def test_five_hundred_at_once() -> None:
    """A list has up to 500 users; empty lines and headings do not count."""
    text = "user name\n" + "\n\n".join(f"user{number}" for number in range(500))
    assert len(userlist.read(text)) == 500


def test_one_too_many() -> None:
    """A list of 501 users is refused whole, and says how many it has."""
    with pytest.raises(BadList, match=r"At most 500 .* 501"):
        userlist.read("\n".join(f"user{number}" for number in range(501)))


# -- headings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "user name,full name,role\nerin,Erin,admin",
        "Role;Full name;User name\nadmin;Erin;erin",
        "E-Mail\tRole\tName\nerin\tadmin\tErin",
        '"USERNAME","ROLE","DISPLAY NAME"\nerin,admin,Erin',
        "\ufefflogin,name,role\r\nerin,Erin,admin\r\n",
        "\n\nEmail , Full Name , Role\nerin,Erin,admin",
        "user,department,role,name\nerin,Looms,admin,Erin",
    ],
)
def test_headings_in_any_order(text: str) -> None:
    """A first line of headings says which column is which; columns with other headings are not used."""
    assert users(text) == [("erin", "Erin", ADMIN)]


@pytest.mark.parametrize(
    "text",
    [
        "Full name;User name\nWeaver, Erin;erin",
        "Full name;User name\nWeaver, Erin;erin\nfrank",
        "User name\tFull name\nerin\tWeaver, Erin",
        "User name;Full name\nerin;Weaver, Erin",
    ],
)
def test_the_headings_say_what_parts_the_columns(text: str) -> None:
    """What parts the headings parts every line, whatever else stands in a name."""
    assert users(text)[0] == ("erin", "Weaver, Erin", USER)


@pytest.mark.parametrize("heading", ["user name,full name,role", "role,user name", "user name"])
def test_only_the_first_line_has_headings(heading: str) -> None:
    """A user may be called like a heading: below the headings every line is a user."""
    names = [row.user.username for row in userlist.read(f"{heading}\nuser,login\nmail,email")]
    assert len(names) == 2


@pytest.mark.parametrize("name", ["user", "login", "mail", "name", "full name", "role"])
def test_a_user_may_be_called_like_a_heading(name: str) -> None:
    """One word that could be a heading makes no headings: that user would be lost."""
    assert users(f"{name}\nerin") == [(name, "", USER), ("erin", "", USER)]
    assert users(f"{name},Erin Weaver\nfrank") == [(name, "Erin Weaver", USER), ("frank", "", USER)]


@pytest.mark.parametrize("heading", ["user name", "Username", "e-mail", "Email"])
def test_a_heading_nobody_is_called(heading: str) -> None:
    """A list of one column may have a heading that is no user's name."""
    assert users(f"{heading}\nerin") == [("erin", "", USER)]


def test_a_mark_inside_a_name_is_not_cut() -> None:
    """A byte order mark before a line is no part of it; inside a name it is refused like everything invisible."""
    (before, inside) = userlist.read("\ufefferin\nfr\ufeffank")
    assert (before.user.username, inside.user.username) == ("erin", "fr\ufeffank")


def test_a_user_may_be_called_like_a_heading_further_down() -> None:
    """Without headings too, only the first line can be one."""
    assert [name for name, _, _ in users("erin\nlogin\nrole")] == ["erin", "login", "role"]


# -- what cannot be used --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("frank,Frank,king", "neither user nor superuser"),
        ("frank,Frank,user,looms", "too many columns"),
        ("frank,Smith, Frank,user", "too many columns"),
        ('frank,"Frank', "quotation mark"),
        ('"frank,Frank,user', "quotation mark"),
        ('frank,"Frank" Smith,user', "quotation mark"),
        ('"', "quotation mark"),
    ],
)
def test_a_line_that_cannot_be_read(line: str, reason: str) -> None:
    """A line that cannot be read is told why, with its number; the other lines are read."""
    rows = userlist.read(f"user name,full name,role\nerin\n\n{line}\ngina")
    assert [row.line for row in rows] == [2, 4, 5]
    assert list(refusals(rows)) == [4]
    assert reason in refusals(rows)[4]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("fra\0nk", "control"),
        ("fra\udc80nk", "invisible"),
        ("fra\x1b[31mnk", "control"),
        ("fra\u202enk", "invisible"),
        ("fra:nk", "colon"),
        (",Frank,user", "empty"),
        ('"",Frank', "empty"),
        ("x" * 257, "256"),
        ("frank,Fr\x07ank", "control"),
        ("frank," + "x" * 201, "200"),
        ("BOB", "already"),
    ],
)
def test_a_line_that_breaks_a_rule(cast: World, line: str, reason: str) -> None:
    """A list is held against the rules for names and the users there are, line by line."""
    found = refusals(checked(cast, f"erin\n{line}\ngina,Gina"))
    assert list(found) == [2]
    assert reason in found[2]


def test_everything_wrong_is_told_at_once(cast: World) -> None:
    """Every line that cannot be used is told, not only the first."""
    text = f"erin\n{BOB}\nfra:nk\ngina,,king\nERIN\nharry"
    assert list(refusals(checked(cast, text))) == [2, 3, 4, 5]


def test_markup_in_a_name_is_a_name(cast: World) -> None:
    """HTML and formulas are taken as the text they are, and kept as they were typed."""
    (row,) = checked(cast, "<script>alert(1)</script>,=HYPERLINK(1),user")
    assert row.refusal is None
    assert (row.user.username, row.user.full_name) == ("<script>alert(1)</script>", "=HYPERLINK(1)")


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=30).map("".join)))
@example('"')
@example("x" * 200_000)
@example('"' + "x" * 200_000)
def test_any_text_is_a_list_or_refused(text: str) -> None:
    """Whatever is pasted, it names users or is refused in a sentence; each line is told once, in order."""
    try:
        rows = userlist.read(text)
    except BadList:
        return
    lines = [row.line for row in rows]
    assert 1 <= len(rows) <= invitations.MOST_AT_ONCE
    assert lines == sorted(set(lines))
