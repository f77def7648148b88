"""What all tables share: names of constraints, and moments in UTC."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ColumnElement, DateTime, Dialect, MetaData, TypeDecorator, and_, delete, select
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session

from authapp import clock


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, with its time zone; SQLite keeps none, so whatever is stored is in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store a moment in UTC, in whatever zone it was given."""
        del dialect
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give a loaded moment its time zone."""
        del dialect
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Base(DeclarativeBase):
    """What all tables share: names for every constraint, so that a migration can drop what it names."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}  # noqa: RUF012 - SQLAlchemy's own name


def is_to_come(moment: Any, longest: timedelta) -> ColumnElement[bool]:
    """Return the condition that a moment is still to come.

    One that is ahead by more than twice the longest time was written by a clock that was wrong.
    """
    now = clock.now()
    return and_(moment > now, moment <= now + 2 * longest)


def delete_free(db: Session, key: InstrumentedAttribute[str], *which: ColumnElement[bool]) -> None:
    """Delete rows, known by their `key`, except those another transaction holds: they are left to the next time.

    Two transactions that delete the same rows, each in an order of its own, would wait for each other for ever.
    """
    free = select(key).where(*which).with_for_update(skip_locked=True)
    db.execute(delete(key.class_).where(key.in_(free)).execution_options(synchronize_session=False))
