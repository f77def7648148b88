"""User names and full names: what may be one, what they are compared by, and how they are found."""

import re
import unicodedata

from authapp.errors import BadFullName, BadUsername

LONGEST_USERNAME = 256
LONGEST_FULL_NAME = 200
LONGEST_RAW = 1024  # characters that are normalized; the time that takes grows with their square
UNSTORABLE = "contains a character that no text should"  # what is said of a text that no database takes
LONGEST_PART = 64  # characters of a name that a search compares
MOST_PARTS = 20  # of one name, so that a hostile one costs no more than others
# Letters and marks that are drawn as nothing (Unicode's Default_Ignorable_Code_Point, as far as they are not in a
# category C already), and the empty Braille pattern: with them one name can look like another.
UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
JOINERS = "\u200c\u200d"
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
BEGINNINGS = re.compile(r"(?<=[\W_])[^\W_]|(?<=\d)[^\W\d]|(?<=[^\W\d])\d")  # of words and numbers


def clean_username(text: str) -> str:
    """Return a user name in the form it is stored (NFKC); raises BadUsername with the rule it breaks."""
    name = unicodedata.normalize("NFKC", text[: LONGEST_RAW + 1])
    if not name:
        raise BadUsername("A user name must not be empty.")
    if len(text) > LONGEST_RAW or len(name) > LONGEST_USERNAME:
        raise BadUsername(f"A user name has at most {LONGEST_USERNAME} characters.")
    if name != name.strip():
        raise BadUsername("A user name must not begin or end with a space.")
    if ":" in name:
        raise BadUsername("A user name must not contain a colon (:).")
    if "  " in name:
        raise BadUsername("A user name must not contain two spaces in a row.")
    if _has_invisible(name):
        raise BadUsername("A user name must not contain invisible or control characters.")
    if ID.fullmatch(name):
        raise BadUsername("A user name must not look like an id.")
    return name


def clean_full_name(text: str) -> str:
    """Return a full name in the form it is stored (NFC, may be empty); raises BadFullName."""
    name = unicodedata.normalize("NFC", text[: LONGEST_RAW + 1]).strip()
    if len(text) > LONGEST_RAW or len(name) > LONGEST_FULL_NAME:
        raise BadFullName(f"A full name has at most {LONGEST_FULL_NAME} characters.")
    if _has_invisible(name):
        raise BadFullName("A full name must not contain invisible or control characters.")
    return name


def _has_invisible(name: str) -> bool:
    return bool(UNSEEN.search(name)) or has_control(name, joiners="")


def has_control(text: str, *, joiners: str = JOINERS) -> bool:
    """Tell whether a text holds control characters, what turns text around, or other line ends than a person types.

    The joiners that make one sign of several, such as some emoji, may be let through.
    """
    categories = (unicodedata.category(character) for character in text if character not in joiners)
    return any(category[0] == "C" or category in ("Zl", "Zp") for category in categories)


def is_storable(text: str) -> bool:
    """Tell whether a database takes a text: it holds no NUL and no half of a character."""
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def fold(name: str) -> str:
    """Return what names are compared by: `Zoë`, `ZOË` and their decomposed forms are one name."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name[:LONGEST_RAW]).casefold())


def parts(*names: str) -> set[str]:
    """Return what names are found by: their folded text from each beginning of a word or number on.

    `Ada.Lovelace42` is found by `ada.lov`, `love` and `42`.
    """
    found = set()
    for name in map(fold, names):
        starts = [0, *(match.start() for match in BEGINNINGS.finditer(name))]
        found |= {name[start : start + LONGEST_PART] for start in starts[:MOST_PARTS]}
    return found - {""}


def wanted_part(search: str) -> str:
    """Return what the parts of a name are compared with when somebody looks for a text."""
    storable = search.encode(errors="replace").decode().replace("\0", "?")
    folded = fold(storable).strip()
    return (re.sub(r"^[\W_]+", "", folded) or folded)[:LONGEST_PART]
