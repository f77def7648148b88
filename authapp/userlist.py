"""A pasted list of users: one a line, `user name, full name, role`, as people copy it out of a table."""

import csv

from authapp.errors import BadList, Refused
from authapp.invitations import MOST_AT_ONCE, NewUser, Row
from authapp.models import Role

USERNAME, FULL_NAME, ROLE = "user name", "full name", "role"
COLUMNS = (USERNAME, FULL_NAME, ROLE)
# What a first line may call the columns; a line that begins with one of these is no user.
HEADINGS = {
    **dict.fromkeys(("user name", "username", "user", "login", "e-mail", "email", "mail"), USERNAME),
    **dict.fromkeys(("full name", "fullname", "name", "display name"), FULL_NAME),
    ROLE: ROLE,
}
ROLES = {
    **dict.fromkeys(("", "user", "member"), Role.USER),
    **dict.fromkeys(("superuser", "admin", "organization admin"), Role.ADMIN),
}


def read(text: str, *, active: bool | None = None) -> list[Row]:
    """Return the users a list names, each with its line, counted from 1; empty lines are passed over.

    Columns are parted by tabs, semicolons or commas, and may stand in quotation marks. Raises BadList when there
    is no user, or too many.
    """
    lines = text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    rows: list[Row] = []
    columns = list(COLUMNS)
    for number, line in enumerate(lines, 1):
        if not line.strip(" \t\u00a0,;"):
            continue
        cells, refusal = _cells(line)
        if not rows and columns == list(COLUMNS) and cells[0].casefold() in HEADINGS:
            columns = [HEADINGS.get(cell.casefold(), "") for cell in cells]
            continue
        if refusal is None and len(cells) > len(columns):
            refusal = BadList("There are too many columns; put a name with a comma in quotation marks.")
        rows.append(_row(number, dict(zip(columns, cells, strict=False)), active, refusal))
    if not rows:
        raise BadList("The list is empty: write one user a line.")
    if len(rows) > MOST_AT_ONCE:
        raise BadList(f"At most {MOST_AT_ONCE} users at once; this list has {len(rows)}.")
    return rows


def _cells(line: str) -> tuple[list[str], Refused | None]:
    stripped = line.strip(" \u00a0")
    delimiter = next((sign for sign in "\t;," if sign in stripped), ",")
    try:
        cells = next(csv.reader([stripped], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error:
        return [stripped], BadList("A quotation mark is not closed, or has text behind it.")
    return [cell.strip() for cell in cells], None


def _row(number: int, cells: dict[str, str], active: bool | None, refusal: Refused | None) -> Row:
    username, full_name, role = (cells.get(column, "") for column in COLUMNS)
    role = role.casefold()
    user = NewUser(username, full_name, role=ROLES.get(role, Role.USER), active=active)
    if refusal is None and role not in ROLES:
        refusal = BadList("The role is neither user nor superuser.")
    return Row(number, user, refusal)
