"""The list of users: search, filter, sort, and pages that cost the same however many users there are.

Pages go on after a row instead of after a number of rows ("keyset paging"), each along an index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, literal, select, tuple_
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.attributes import InstrumentedAttribute

from authapp import names, paging, permissions, settings, throttle
from authapp.audit import Actor
from authapp.base import UtcDateTime
from authapp.config.overlay import Effective
from authapp.errors import BadQuery
from authapp.invitations import Invitation
from authapp.models import NamePart, Role, User
from authapp.paging import CURSOR, DAMAGED, PAGE

LAST = "\U0010ffff"  # stands behind every text that begins like the one before it
SORTS = ("username", "role", "created_at", "last_login_at")


@dataclass(frozen=True, slots=True)
class Query:
    """Which users, in which order.

    `sort` is one of SORTS, with `-` before it downward; without one, a search sorts by the part of the name that
    matched, and everything else by user name. `cursor` is a page's `next_cursor` or `previous_cursor`.
    """

    search: str = ""
    role: str = ""
    active: bool | None = None
    sort: str = ""
    limit: int = PAGE
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A user of the list, and what else is known of them."""

    user: User
    is_owner: bool
    is_locked: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, and the cursors to the pages before and after it, if there are such."""

    users: tuple[Listed, ...]
    next_cursor: str | None
    previous_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Cursor:
    """The row to go on from, by the values it is sorted by; `back`: to the rows before it."""

    values: tuple[Any, ...]
    back: bool


@dataclass(frozen=True, slots=True)
class _Order:
    """How rows are sorted: columns that together differ for every row, each no null but perhaps the first."""

    columns: tuple[InstrumentedAttribute[Any], ...]
    down: bool

    @property
    def has_nulls(self) -> bool:
        """Whether rows without a value come in a row of their own, behind the others."""
        return self.columns[0] is User.last_login_at


def page(db: Session, effective: Effective, query: Query, by: Actor) -> Page:
    """Return a page of the list; raises NotAllowed, and BadQuery for what means nothing."""
    permissions.require(db, by, permissions.SEE_USERS)
    _require_sense(query)
    wanted = names.wanted_part(query.search)
    back, by_match, texts = _opened(query.cursor) if query.cursor else (False, False, [])
    if not query.cursor:
        by_match = bool(wanted) and _matches_somebody(db, wanted)
    order = _order(query, by_match=by_match)
    statement = _filtered(query, wanted, by_match=by_match, sorted_by_match=order.columns[0] is NamePart.part)
    cursor = _decode(texts, order, back=back) if query.cursor else None
    rows = _fetch(db, statement, order, cursor, query.limit + 1)
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    if cursor and cursor.back:
        rows.reverse()
    has_next = bool(rows) and (more or bool(cursor and cursor.back))
    has_previous = bool(rows) and bool(cursor) and (more or not (cursor and cursor.back))
    return Page(
        listed(db, effective, [row[0] for row in rows]),
        _encode(rows[-1], order, back=False, by_match=by_match) if has_next else None,
        _encode(rows[0], order, back=True, by_match=by_match) if has_previous else None,
    )


def listed(db: Session, effective: Effective, users: Sequence[User]) -> tuple[Listed, ...]:
    """Return users with what else is known of them."""
    installation = settings.installation(db)
    owner_id = installation.owner_id if installation else None
    accounts = {user.id: throttle.account_of(effective.secret_key, user.username_key) for user in users}
    locked = throttle.locked(db, effective.config.throttle, accounts.values()) if users else set()
    return tuple(Listed(user, user.id == owner_id, accounts[user.id] in locked) for user in users)


def usernames(db: Session, beginning: str, limit: int = PAGE) -> Sequence[str]:
    """Return the first user names that begin like a text."""
    folded = names.fold(beginning)[: names.LONGEST_PART]
    wanted = select(User.username).join(NamePart, NamePart.user_id == User.id)
    # What a name is found by from its first letter on is the name itself.
    is_first = NamePart.part == func.substr(User.username_key, 1, names.LONGEST_PART)
    wanted = wanted.where(_begins_with(NamePart.part, folded), is_first)
    return db.scalars(wanted.order_by(NamePart.part).limit(limit)).all()


def facts(user: User) -> dict[str, Any]:
    """Return what programs are told of a user."""
    return {
        "id": user.id,
        "username": user.username,
        "full_name": user.full_name,
        "role": str(user.role),
        "is_active": user.is_active,
        "is_superuser": user.is_superuser,
        "must_change_password": user.must_change_password,
        "created_at": user.created_at.isoformat(),
        "last_login_at": user.last_login_at.isoformat() if user.last_login_at else None,
    }


def invited(made: Invitation) -> dict[str, Any]:
    """Return what programs are told of a user who was made; the initial password this once."""
    known = facts(made.user)
    if made.initial_password is not None:
        known["initial_password"] = made.initial_password
    return known


# -- what is asked --------------------------------------------------------------------------------------------


def _require_sense(query: Query) -> None:
    if query.sort and query.sort.removeprefix("-") not in SORTS:
        raise BadQuery(f"Users are sorted by one of {', '.join(SORTS)}, downward with a '-' before it.")
    if query.role and query.role not in set(Role):
        raise BadQuery(f"A role is one of {', '.join(Role)}.")
    paging.require_limit(query.limit, "users")


def _order(query: Query, *, by_match: bool) -> _Order:
    if by_match and not query.sort:
        return _Order((NamePart.part, NamePart.user_id), down=False)
    columns = {
        "username": (User.username_key,),
        "role": (User.role, User.username_key),
        "created_at": (User.created_at, User.id),
        "last_login_at": (User.last_login_at, User.id),
    }[query.sort.removeprefix("-") or "username"]
    return _Order(columns, down=query.sort.startswith("-"))


def _begins_with(column: InstrumentedAttribute[str], text: str) -> ColumnElement[bool]:
    return (column >= text) & (column < text + LAST)


def _matches_somebody(db: Session, wanted: str) -> bool:
    """Tell whether a word of anybody's name begins with a text; if not, it is looked for anywhere in the names."""
    return db.scalar(select(NamePart.user_id).where(_begins_with(NamePart.part, wanted)).limit(1)) is not None


def _filtered(query: Query, wanted: str, *, by_match: bool, sorted_by_match: bool) -> Select[Any]:
    statement: Select[Any] = select(User)
    if sorted_by_match:
        # A user several of whose words match stands at the first of them.
        earlier = aliased(NamePart)
        is_first = ~exists().where(
            earlier.user_id == NamePart.user_id, earlier.part >= wanted, earlier.part < NamePart.part
        )
        matching = _begins_with(NamePart.part, wanted)
        statement = statement.add_columns(NamePart).join(NamePart, NamePart.user_id == User.id)
        statement = statement.where(matching, is_first)
    elif wanted:
        anywhere = NamePart.part.contains(wanted, autoescape=True)
        matching = _begins_with(NamePart.part, wanted) if by_match else anywhere
        found = User.id.in_(select(NamePart.user_id).where(matching))
        statement = statement.where(
            found if by_match else found | User.username_key.contains(wanted, autoescape=True)
        )
    if query.role:
        statement = statement.where(User.role == query.role)
    if query.active is not None:
        statement = statement.where(User.is_active == query.active)
    return statement


# -- pages ----------------------------------------------------------------------------------------------------


def _fetch(db: Session, statement: Select[Any], order: _Order, cursor: _Cursor | None, limit: int) -> list[Any]:
    """Return up to `limit` rows from the cursor on, in the direction it points."""
    back = bool(cursor and cursor.back)
    if not order.has_nulls:
        return _run(db, statement, order, cursor, limit, back=back)
    column = order.columns[0]
    halves = [statement.where(column.is_not(None)), statement.where(column.is_(None))]
    at = 1 if cursor and cursor.values[0] is None else 0
    found: list[Any] = []
    for half in (1, 0) if back else (0, 1):
        if cursor and (half > at if back else half < at):
            continue
        here = cursor if cursor and half == at else None
        found += _run(db, halves[half], order, here, limit - len(found), back=back)
        if len(found) == limit:
            break
    return found


def _run(
    db: Session, statement: Select[Any], order: _Order, cursor: _Cursor | None, limit: int, *, back: bool
) -> list[Any]:
    down = order.down != back
    if cursor is not None:
        pairs = list(zip(order.columns, cursor.values, strict=True))
        if cursor.values[0] is None:  # all of these rows have none
            pairs = pairs[1:]
        row = tuple_(*(column for column, _ in pairs))
        after = tuple_(*(literal(value, column.type) for column, value in pairs))
        statement = statement.where(row < after if down else row > after)
    statement = statement.order_by(*(column.desc() if down else column.asc() for column in order.columns))
    return list(db.execute(statement.limit(limit)).all())


def _encode(row: Any, order: _Order, *, back: bool, by_match: bool) -> str:
    """Return a cursor: its direction, how is searched (later pages go on as the first), the values of its row."""
    values = [getattr(row[1] if column.class_ is NamePart else row[0], column.key) for column in order.columns]
    texts = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return paging.pack([back, by_match, *texts])


def _opened(cursor: str) -> tuple[bool, bool, list[object]]:
    try:
        back, by_match, *texts = paging.unpack(cursor)
    except ValueError:
        raise BadQuery(DAMAGED, CURSOR) from None
    if not (isinstance(back, bool) and isinstance(by_match, bool)):
        raise BadQuery(DAMAGED, CURSOR)
    return back, by_match, texts


def _decode(texts: list[object], order: _Order, *, back: bool) -> _Cursor:
    try:
        values = [_typed(value, column) for value, column in zip(texts, order.columns, strict=True)]
    except (ValueError, TypeError):
        raise BadQuery(DAMAGED, CURSOR) from None
    return _Cursor(tuple(values), back)


def _typed(value: object, column: InstrumentedAttribute[Any]) -> object:
    if value is None and column is User.last_login_at:
        return None
    if not isinstance(value, str) or not names.is_storable(value):
        raise TypeError
    return paging.moment_of(value) if isinstance(column.type, UtcDateTime) else value
