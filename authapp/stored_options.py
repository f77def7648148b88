"""Options in the Settings table: what superusers may set without the config file."""

import difflib
from collections.abc import Iterable, Mapping

from authapp import audit, permissions, settings
from authapp.audit import Actor
from authapp.config.live import LiveConfig
from authapp.config.options import MODE, OPTIONS, canonical
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.errors import BadValue, NoSuchOption, NotSettable, Pinned, Refused


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
        _require_free(_known(live), values)
        for key, value in ready.items():
            if settings.load(db, key) != value:
                settings.store(db, key, value, by=by.user_id)
                audit.record(db, "setting.changed", by, key=key)


def changed(effective: Effective, sent: Mapping[str, str], seen: Mapping[str, str]) -> dict[str, str]:
    """Return what a form changes: what is neither in force already, nor what its sender saw in it.

    So a form that was open for a while takes nothing back that somebody else changed meanwhile. Raises
    NoSuchOption.
    """
    _require_settable(sent)
    return {
        key: text
        for key, text in sent.items()
        if (value := _meaning(key, text)) != effective.get(key)
        and (key not in seen or value != _meaning(key, seen[key]))
    }


def refusals(live: LiveConfig, values: Mapping[str, object]) -> dict[str, Refused]:
    """Return why `store` takes none of these values: what is wrong with each, by key."""
    known, found = _known(live), dict[str, Refused]()
    for key, value in values.items():
        try:
            _require_free(known, [key])
            _ready(key, value)
        except (BadValue, Pinned) as error:
            found[key] = error
    return found


def unset(database: Database, live: LiveConfig, keys: Iterable[str], by: Actor) -> None:
    """Take options out of the Settings table, so that their defaults count again. Raises NoSuchOption, Pinned."""
    _require_settable(keys := list(keys))
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, permissions.SETTINGS)
        _require_free(_known(live), keys)
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


def find(wanted: str) -> str:
    """Return the key of the option that is called so, however it is spelled; raises NoSuchOption."""
    found = find_all(wanted)
    if canonical(found[0]) != canonical(wanted):
        raise NoSuchOption(f"That is a section; name one option in it: {', '.join(found)}.")
    return found[0]


def _require_settable(keys: Iterable[str]) -> None:
    for key in keys:
        if key not in OPTIONS or not OPTIONS[key].settable:
            hint = " `authapp mode` looks after it." if key == MODE else ""
            raise NotSettable(f"{key} cannot be set here; only the config file or the environment can.{hint}")


def _ready(key: str, value: object) -> object:
    try:
        return OPTIONS[key].to_json(OPTIONS[key].convert(value))
    except ValueError as error:
        raise BadValue(f"{key} {error}.", key) from None


def _meaning(key: str, text: str) -> object:
    """Return the typed value of a text, or the text where it has none."""
    try:
        return OPTIONS[key].convert(text)
    except ValueError:
        return text


def _known(live: LiveConfig) -> tuple[Effective, Effective]:
    """Return what this process knows, and what the file says this very moment."""
    return live.current, live.glance()


def _require_free(known: Iterable[Effective], keys: Iterable[str]) -> None:
    """Refuse what is pinned."""
    for key in keys:
        for effective in known:
            if effective.pinned(key):
                raise Pinned(key, effective.place_of.get(key))
