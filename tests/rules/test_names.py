"""Full names, what names are compared by, and what they are found by. (User names: test_users.py)."""

import unicodedata
from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authapp import names
from authapp.errors import AuthappError, BadFullName, BadUsername
from authapp.models import NamePart, User
from authapp.passwords import POLICIES

# -- full names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Ada",
        "Ada, Countess of Lovelace: the first",
        "Łucja Żółć",
        "山田 太郎",
        "O'Neil, Jr.",
        '<b>Ada</b> & "Bob"',
        "=1+1",
        "ﬁona \uff33mith",
        "😀",
        "x" * 200,
    ],
)
def test_full_names_that_are_taken_as_they_are(name: str) -> None:
    """Nearly any text of up to 200 characters is a full name, and none at all is fine too."""
    assert names.clean_full_name(name) == name


@pytest.mark.parametrize("name", ["  Ada Lovelace ", "\tAda Lovelace\n", "\u00a0Ada Lovelace\u3000"])
def test_spaces_around_a_full_name(name: str) -> None:
    """Spaces that came along when a full name was pasted are cut."""
    assert names.clean_full_name(name) == "Ada Lovelace"


def test_full_names_are_stored_composed() -> None:
    """A full name is kept in Unicode's form NFC, and it is that form which has at most 200 characters."""
    assert names.clean_full_name("e\u0301" * 200) == "é" * 200


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("x" * 201, "200"),
        ("a\x00b", "control"),
        ("a\tb", "control"),
        ("a\nb", "control"),
        ("a\x1b[31mb", "control"),
        ("a\u2028b", "control"),
        ("a\u2029b", "control"),
        ("a\u200bb", "invisible"),
        ("a\u202eb", "invisible"),
        ("a\ufeffb", "invisible"),
        ("a\ue000b", "invisible"),
        ("a\udc80b", "invisible"),
        ("\u3164", "invisible"),
        ("ada\ufe0f", "invisible"),
        ("a\u2800b", "invisible"),
    ],
)
def test_full_names_that_are_refused(name: str, rule: str) -> None:
    """A refused full name is told the rule it breaks."""
    with pytest.raises(BadFullName, match=rule):
        names.clean_full_name(name)


# -- what names are compared by -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ada", "ADA"),
        ("Zoë", unicodedata.normalize("NFD", "ZOË")),
        ("straße", "STRASSE"),
        ("ada", "\uff41\uff44\uff41"),
        ("ﬁona", "FIONA"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("42", "\uff14\uff12"),
    ],
)
def test_names_that_are_compared_as_one(first: str, second: str) -> None:
    """Case, width and Unicode form make no difference."""
    assert names.fold(first) == names.fold(second)


@pytest.mark.parametrize(("first", "second"), [("zoë", "zoe"), ("ada", "ada "), ("a.b", "ab"), ("ł", "l")])
def test_names_that_are_compared_as_two(first: str, second: str) -> None:
    """Accents, dots and spaces make another name."""
    assert names.fold(first) != names.fold(second)


@given(st.text(max_size=30))
def test_what_names_are_compared_by_is_the_stored_forms(text: str) -> None:
    """A name is found as it was typed and as it was stored, whatever it is made of."""
    try:
        stored = names.clean_username(text)
    except AuthappError:
        return
    assert names.fold(stored) == names.fold(text)


def test_the_longest_name_fits_its_column() -> None:
    """However much longer names get by being folded, the column takes the longest."""
    column = User.__table__.c.username_key.type
    longest = max(len(names.fold(chr(code))) for code in range(0x110000) if _is_one(chr(code)))
    assert longest * names.LONGEST_USERNAME <= getattr(column, "length", 0)


def _is_one(character: str) -> bool:
    return len(unicodedata.normalize("NFKC", character)) == 1


@pytest.mark.parametrize(
    "judge",
    [
        names.fold,
        names.wanted_part,
        lambda text: _refused(names.clean_username, text),
        lambda text: _refused(names.clean_full_name, text),
        lambda text: POLICIES["standard"].broken(text, (text,)),
    ],
    ids=["compare", "search", "user name", "full name", "password"],
)
def test_a_text_full_of_accents_costs_no_more_than_others(
    judge: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the beginning of an endless text is normalized: the time that takes grows with its square."""
    lengths, real = [], unicodedata.normalize

    def normalize(form: Literal["NFC", "NFKC"], text: str) -> str:
        lengths.append(len(text))
        return real(form, text)

    monkeypatch.setattr(unicodedata, "normalize", normalize)
    judge("a" + "\u0301" * 10_000 + "\u0316" * 10_000)
    assert lengths
    assert max(lengths) <= 2 * names.LONGEST_RAW


def _refused(clean: Callable[[str], str], text: str) -> None:
    with pytest.raises((BadUsername, BadFullName), match="at most"):
        clean(text)


# -- what names are found by ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("bob", {"bob"}),
        ("Ada Lovelace", {"ada lovelace", "lovelace"}),
        ("ada@example.com", {"ada@example.com", "example.com", "com"}),
        ("Ada.Lovelace42", {"ada.lovelace42", "lovelace42", "42"}),
        ("42ada7", {"42ada7", "ada7", "7"}),
        ("_ada_b", {"_ada_b", "ada_b", "b"}),
        ("O'Neil-Straße", {"o'neil-strasse", "neil-strasse", "strasse"}),
        ("Zoë Żółć", {"zoë żółć", "żółć"}),
        ("---", {"---"}),
        ("", set()),
    ],
)
def test_what_a_name_is_found_by(name: str, parts: set[str]) -> None:
    """A name is found from each beginning of a word or number on."""
    assert names.parts(name) == parts


def test_several_names_are_found_together() -> None:
    """A user is found by user name and full name; a user without a full name by the one there is."""
    assert names.parts("bob", "Robert B") == {"bob", "robert b", "b"}
    assert names.parts("bob", "") == {"bob"}


def test_no_part_is_longer_than_its_column() -> None:
    """Of a long word only the beginning is kept to be found by."""
    (part,) = names.parts("x" * 256)
    assert len(part) == names.LONGEST_PART == getattr(NamePart.__table__.c.part.type, "length", 0)


def test_a_name_of_many_words_costs_no_more_than_others() -> None:
    """However many words a name has, it is found by the whole of it and by the first of them."""
    parts = names.parts(" ".join(f"w{chr(97 + number)}" for number in range(26)))
    assert len(parts) == names.MOST_PARTS
    assert {"wa", "wb"} <= {part[:2] for part in parts}


@pytest.mark.parametrize(
    ("search", "wanted"),
    [
        ("ADA", "ada"),
        ("  ada ", "ada"),
        ("Ada Lo", "ada lo"),
        ("@example.com", "example.com"),
        ("ada@", "ada@"),
        ("\uff21\uff24\uff21", "ada"),
        ("ZOE\u0308", "zoë"),
        ("100%", "100%"),
        ("%", "%"),
        ("_", "_"),
        ("", ""),
        ("   ", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_what_a_search_looks_for(search: str, wanted: str) -> None:
    """A search is compared like names are; signs before its first word do not matter, unless there is no word."""
    assert names.wanted_part(search) == wanted


@given(st.text(min_size=1, max_size=40).filter(lambda name: any(map(str.isalnum, name))))
def test_everybody_is_found_by_the_whole_name(name: str) -> None:
    """Whoever searches for a whole name finds its bearer, whatever is in it beside letters and digits."""
    try:
        stored = names.clean_full_name(name)
    except BadFullName:
        return
    wanted = names.wanted_part(stored)
    assert any(part.startswith(wanted) for part in names.parts(stored))


@given(st.lists(st.text(st.characters(categories=["Lu", "Ll"], max_codepoint=0x17F), min_size=1), max_size=5))
def test_everybody_is_found_by_each_word(words: list[str]) -> None:
    """Each word of a name finds its bearer."""
    parts = names.parts(" ".join(words))
    assert all(any(part.startswith(names.wanted_part(word)) for part in parts) for word in words)
