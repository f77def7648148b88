"""A pasted list of users: one a line, `user name, full name, role`, as people copy it out of a table."""

import csv
import re

from authapp.errors import BadList, Refused
from authapp.invitations import MOST_AT_ONCE, NewUser, Row
from authapp.models import Role

USERNAME, FULL_NAME, ROLE = "user name", "full name", "role"
COLUMNS = (USERNAME, FULL_NAME, ROLE)
# What a first line may call the columns. It is headings when it has two of these, or an UNMISTAKABLE one alone: a
# user may well be called `login` or `mail`.
HEADINGS = {
    **dict.fromkeys(("user name", "username", "user", "login", "e-mail", "email", "mail"), USERNAME),
    **dict.fromkeys(("full name", "fullname", "name", "display name"), FULL_NAME),
    ROLE: ROLE,
}
UNMISTAKABLE = {"user name", "username", "e-mail", "email"}
ROLES = {
    **dict.fromkeys(("", "user", "member"), Role.USER),
    **dict.fromkeys(("superuser", "admin", "organization admin"), Role.ADMIN),
}


QUOTED = re.compile(r'"(?:[^"]|"")*"')


def read(text: str, *, active: bool | None = None) -> list[Row]:
    """Return the users a list names, each with its line, counted from 1; empty lines are passed over.

    Columns are parted by tabs, semicolons or commas, and may stand in quotation marks. Raises BadList when there
    is no user, or too many.
    """
    filled = _filled(text)
    columns, delimiter = _heading(filled[0][1]) if filled else ((), "")
    if columns:
        filled = filled[1:]
    if not filled:
        raise BadList("The list is empty: write one user a line.")
    if len(filled) > MOST_AT_ONCE:
        raise BadList(f"At most {MOST_AT_ONCE} users at once; this list has {len(filled)}.")
    return [_row(number, line, columns or COLUMNS, delimiter, active) for number, line in filled]


def headings_line(text: str) -> int | None:
    """Return the line that was read as headings, or None where there is none."""
    filled = _filled(text)
    return filled[0][0] if filled and _heading(filled[0][1])[0] else None


def unused_columns(text: str) -> list[str]:
    """Return the headings of a list that nobody knows: what stands below them is not used."""
    if headings_line(text) is None:
        return []
    line = _filled(text)[0][1]
    cells, _ = _cells(line, _delimiter(line))
    return [cell[:50] for cell in cells if cell and cell.casefold() not in HEADINGS]


def _filled(text: str) -> list[tuple[int, str]]:
    """Return the lines that hold anything, each with its number."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    # Programs write a byte order mark before a list; lists that were joined have one before a line.
    marked = ((number, line.lstrip("\ufeff")) for number, line in enumerate(lines, 1))
    return [(number, line) for number, line in marked if line.strip(" \t\u00a0,;")]


def _heading(line: str) -> tuple[tuple[str, ...], str]:
    """Return what a line calls the columns and what parts them, or nothing when it names a user."""
    delimiter = _delimiter(line)
    cells, _ = _cells(line, delimiter)
    columns = tuple(HEADINGS.get(cell.casefold(), "") for cell in cells)
    is_plain = len(cells) == 1 and cells[0].casefold() in UNMISTAKABLE
    if not is_plain and (not columns[0] or len(set(columns) - {""}) < 2):  # noqa: PLR2004 - one may be a name
        return (), ""
    return columns, delimiter if len(cells) > 1 else ""


def _delimiter(line: str) -> str:
    unquoted = QUOTED.sub("", line.strip(" \u00a0"))
    return "\t" if "\t" in unquoted else next((sign for sign in unquoted if sign in ";,"), ",")


def _cells(line: str, delimiter: str) -> tuple[list[str], Refused | None]:
    stripped = line.strip(" \u00a0")
    try:
        cells = next(csv.reader([stripped], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error:
        return [stripped], BadList("A quotation mark is not closed, or has text behind it.")
    return [cell.strip() for cell in cells], None


def _row(number: int, line: str, columns: tuple[str, ...], delimiter: str, active: bool | None) -> Row:
    found, refusal = _cells(line, delimiter or _delimiter(line))
    cells = dict(zip(columns, found, strict=False))
    username, full_name, role = (cells.get(column, "") for column in COLUMNS)
    role = role.casefold()
    if refusal is None and len(found) > len(columns):
        refusal = BadList("There are too many columns; put a name with a comma in quotation marks.")
    if refusal is None and role not in ROLES:
        refusal = BadList("The role is neither user nor superuser.")
    user = NewUser(username, full_name, role=ROLES.get(role, Role.USER), active=active)
    return Row(number, user, refusal)
