"""One reading of the config file: what it says, what follows from it, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from authapp import paths
from authapp.config import environment, yamlfile
from authapp.config.checks import conflicts, missing_or_empty
from authapp.config.credentials import given_credentials
from authapp.config.environment import Environment
from authapp.config.options import OPTIONS, build
from authapp.config.overlay import Effective, GivenCredentials, Layer, Source, overlay, settings_layer
from authapp.errors import Problem
from authapp.paths import Locations

# What tells that a file changed: times, sizes, numbers and rights; None for a file that is not there.
Signature = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Examined:
    """One reading of file and environment: what they say, what follows from it, and which files it came from."""

    document: yamlfile.Document
    around: Environment
    effective: Effective
    given: GivenCredentials
    problems: tuple[Problem, ...]
    signature: tuple[Signature, ...]
    watched: tuple[Path, ...]
    stood_still: bool


@dataclass(frozen=True, slots=True)
class Start:
    """The options that are resolved once, by the parent process, and handed to every worker.

    `values` are in force; `written` is what the layers said at start, which the command line may have overruled.
    `had_file`: there was a config file with content, so that a worker which starts later must not go without.
    """

    values: Mapping[str, Any]
    written: Mapping[str, Any]
    had_file: bool = False

    @classmethod
    def from_layers(cls, examined: Examined, overrules: Mapping[str, Any] | None = None) -> "Start":
        """Resolve the options; `overrules` are those of the command line."""
        written = {key: examined.effective.get(key) for key, option in OPTIONS.items() if option.restart}
        return cls({**written, **(overrules or {})}, written, bool(examined.document.values))

    def freeze(self, effective: Effective) -> Effective:
        """Return an effective config with these options in force."""
        values = {**effective.values, **self.values}
        return replace(effective, config=build(values), values=values)

    def edited(self, effective: Effective) -> tuple[str, ...]:
        """Return which of these options say something else by now."""
        return tuple(key for key, value in self.written.items() if effective.get(key) != value)


def examine(
    locations: Locations,
    rows: Mapping[str, Any] | None = None,
    *,
    start: Start | None = None,
    had_one: bool = False,
    running: bool = False,
) -> Examined:
    """Read the config file and all that hangs on it, and check it whole; changes nothing.

    `start`: the options that are in force already, whatever the file says. `had_one`: there was a good file
    before, so that a missing or empty one is a problem. `running`: in mode none, a file that goes less far than the
    one in force is no problem, because taking it over shuts strangers out at once.
    """
    file = locations.config_file
    before = stat_of(file)
    content, problems = yamlfile.read(file)
    document = yamlfile.parse(content or b"", file.name, locations.variables)
    around = environment.read(locations.variables)
    problems += missing_or_empty(content, file.name) if had_one and not problems else []
    problems += [*document.problems, *around.problems]
    problems += paths.check_ownership(file, implicit=not locations.named)
    effective, found = lay(rows or {}, around, document)
    problems += found
    in_force = start.freeze(effective) if start else effective
    password_file = effective.config.server.basic_auth.password_file
    watched = (file, locations.base / password_file) if password_file else (file,)
    signature = tuple(stat_of(path) for path in watched)
    given, found = given_credentials(effective, locations.base)
    if in_force.config.auth.mode == "none":
        found = [problem for problem in found if not problem.closes]  # nobody signs in with them
    problems += [*found, *conflicts(in_force, with_mode=not running)]
    stood_still = signature[0] == before and signature == tuple(stat_of(path) for path in watched)
    return Examined(document, around, effective, given, tuple(problems), signature, watched, stood_still)


def lay(
    rows: Mapping[str, Any], around: Environment, document: yamlfile.Document
) -> tuple[Effective, list[Problem]]:
    """Lay the layers over each other: Settings table, environment, config file."""
    return overlay([settings_layer(rows), around.layer, Layer(Source.FILE, document.values)])


def stat_of(path: Path) -> Signature:
    """Return what changes when a file is edited, replaced, or given other rights."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev, status.st_mode, status.st_uid)
