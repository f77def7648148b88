"""User names and full names: what may be one, what they are compared by, and how they are found."""

import re
import unicodedata

from authapp.errors import BadFullName, BadUsername

LONGEST_USERNAME = 256
LONGEST_FULL_NAME = 200
LONGEST_PART = 64  # characters of a name that a search compares
BEGINNINGS = re.compile(r"(?<=[\W_])[^\W_]|(?<=\d)[^\W\d]|(?<=[^\W\d])\d")  # of words and numbers


def clean_username(text: str) -> str:
    """Return a user name in the form it is stored (NFKC); raises BadUsername with the rule it breaks."""
    name = unicodedata.normalize("NFKC", text)
    if not name:
        raise BadUsername("A user name must not be empty.")
    if len(name) > LONGEST_USERNAME:
        raise BadUsername(f"A user name has at most {LONGEST_USERNAME} characters.")
    if name != name.strip():
        raise BadUsername("A user name must not begin or end with a space.")
    if ":" in name:
        raise BadUsername("A user name must not contain a colon (:).")
    if _has_invisible(name):
        raise BadUsername("A user name must not contain invisible or control characters.")
    return name


def clean_full_name(text: str) -> str:
    """Return a full name in the form it is stored (NFC, may be empty); raises BadFullName."""
    name = unicodedata.normalize("NFC", text).strip()
    if len(name) > LONGEST_FULL_NAME:
        raise BadFullName(f"A full name has at most {LONGEST_FULL_NAME} characters.")
    if _has_invisible(name):
        raise BadFullName("A full name must not contain invisible or control characters.")
    return name


def _has_invisible(name: str) -> bool:
    return any(unicodedata.category(character)[0] == "C" for character in name)


def fold(name: str) -> str:
    """Return what names are compared by: `Zoë`, `ZOË` and their decomposed forms are one name."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def parts(*names: str) -> set[str]:
    """Return what names are found by: their folded text from each beginning of a word or number on.

    `Ada.Lovelace42` is found by `ada.lov`, `love` and `42`.
    """
    found = set()
    for name in map(fold, names):
        starts = {0, *(match.start() for match in BEGINNINGS.finditer(name))}
        found |= {name[start : start + LONGEST_PART] for start in starts}
    return found - {""}


def wanted_part(search: str) -> str:
    """Return what the parts of a name are compared with when somebody looks for a text."""
    folded = fold(search).strip()
    return (re.sub(r"^[\W_]+", "", folded) or folded)[:LONGEST_PART]
