"""Options in the Settings table: what superusers may set without the config file."""

import difflib
from collections.abc import Iterable, Mapping

from authapp import audit, permissions, settings
from authapp.audit import Actor
from authapp.config.live import LiveConfig
from authapp.config.options import OPTIONS, canonical
from authapp.database import Database
from authapp.errors import BadValue, NoSuchOption, Pinned


def store(database: Database, live: LiveConfig, values: Mapping[str, object], by: Actor) -> None:
    """Write options, all or none; the values are texts as they stand in a config file, or JSON.

    Raises NoSuchOption, Pinned when file or environment supply one, also since a moment ago, and BadValue when
    one does not fit.
    """
    _require_settable(values)
    ready = {key: _ready(key, value) for key, value in values.items()}
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, permissions.SETTINGS)
        _require_free(live, values)
        for key, value in ready.items():
            if settings.load(db, key) != value:
                settings.store(db, key, value, by=by.user_id)
                audit.record(db, "setting.changed", by, key=key)


def unset(database: Database, live: LiveConfig, keys: Iterable[str], by: Actor) -> None:
    """Take options out of the Settings table, so that their defaults count again. Raises NoSuchOption, Pinned."""
    _require_settable(keys := list(keys))
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, permissions.SETTINGS)
        _require_free(live, keys)
        for key in keys:
            if settings.load(db, key) is not None:
                settings.remove(db, key)
                audit.record(db, "setting.reset", by, key=key)


def find_all(wanted: str) -> list[str]:
    """Return the option that is called so, however it is spelled, or all of a section; raises NoSuchOption."""
    name = canonical(wanted)
    keys = {key: canonical(key) for key in OPTIONS}
    if found := [key for key, folded in keys.items() if folded == name or folded.startswith(f"{name}.")]:
        return found
    close = difflib.get_close_matches(name, keys.values(), n=1)
    like = next((key for key, folded in keys.items() if folded in close), None)
    hint = f"did you mean {like}?" if like else "`authapp config show` lists them all."
    raise NoSuchOption(f"There is no such option; {hint}")


def _require_settable(keys: Iterable[str]) -> None:
    for key in keys:
        if key not in OPTIONS or not OPTIONS[key].settable:
            raise NoSuchOption(f"{key} cannot be set here; only the config file or the environment can.")


def _ready(key: str, value: object) -> object:
    try:
        return OPTIONS[key].to_json(OPTIONS[key].convert(value))
    except ValueError as error:
        raise BadValue(f"{key} {error}.", key) from None


def _require_free(live: LiveConfig, keys: Iterable[str]) -> None:
    """Refuse what is pinned, as far as this process knows or by what the file says this very moment."""
    known = (live.current, live.glance())
    for key in keys:
        for effective in known:
            if effective.pinned(key):
                raise Pinned(key, effective.place_of.get(key))
