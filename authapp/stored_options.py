"""Options in the Settings table: what superusers may set without the config file."""

from collections.abc import Mapping

from authapp import audit, permissions, settings
from authapp.audit import Actor
from authapp.config.options import OPTIONS
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.errors import BadValue, NoSuchOption, Pinned


def store(database: Database, effective: Effective, values: Mapping[str, str], by: Actor) -> None:
    """Write options, all or none; the values are texts as they stand in a config file.

    Raises NoSuchOption, Pinned when file or environment supply one, BadValue when one does not fit.
    """
    for key, value in values.items():
        _require_settable(effective, key)
        try:
            OPTIONS[key].convert(value)
        except ValueError as error:
            raise BadValue(f"{key} {error}.") from None
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, permissions.SETTINGS)
        for key, value in values.items():
            if settings.load(db, key) != value:
                settings.store(db, key, value, by=by.user_id)
                audit.record(db, "setting.changed", by, key=key)


def _require_settable(effective: Effective, key: str) -> None:
    if key not in OPTIONS or not OPTIONS[key].settable:
        raise NoSuchOption(f"{key} cannot be set here; only the config file or the environment can.")
    if effective.pinned(key):
        raise Pinned(key, effective.place_of.get(key))
