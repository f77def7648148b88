"""The environment's layer: which variable is which option, under its own name or one of the three systems'."""

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from authapp.config.options import MODE, OPTIONS, PASSWORD_KEYS, SECRET_KEY, USERNAME, split
from authapp.config.overlay import Layer, Source
from authapp.config.yamlfile import LIKENESS, Given
from authapp.errors import Problem
from authapp.variables import Variable, Variables

PREFIX = "AUTHAPP_"
# Langinfra's five settings are understood under each of these.
LANGINFRA_PREFIXES = (PREFIX, "LANGINFRA_", "LANGFLOW_")
COPY_TO = f"{PREFIX}COPY_TO"  # `authapp db copy` reads it
NO_OPTIONS = {f"{PREFIX}CONFIG", COPY_TO}  # the first is read before there are any options
# What Kubernetes sets in every pod beside a service that is called authapp.
KUBERNETES = re.compile(r"AUTHAPP_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
KUBERNETES_PORT = re.compile(r"(tcp|udp|sctp)://")

Translate = Callable[[str], str]
_BOOL = TypeAdapter(bool)


def _as_it_is(text: str) -> str:
    return text


def _is_true(text: str) -> bool:
    try:
        return _BOOL.validate_python(text)
    except ValidationError:
        raise ValueError("must be true or false") from None


def _none_when_true(text: str) -> str:
    return "none" if _is_true(text) else "basic"


def _basic_when_true(text: str) -> str:
    return "basic" if _is_true(text) else "none"


def own_name(key: str) -> str:
    """Return the environment variable of an option: `AUTHAPP_SERVER_PORT` for `server.port`."""
    return PREFIX + re.sub("[.-]", "_", key).upper()


def _names() -> dict[str, tuple[str, Translate]]:
    """Return every name that is understood: the option it sets, and how its text becomes the option's."""
    names: dict[str, tuple[str, Translate]] = {own_name(key): (key, _as_it_is) for key in OPTIONS}
    for prefix in LANGINFRA_PREFIXES:
        names |= {
            f"{prefix}AUTO_LOGIN": (MODE, _none_when_true),
            f"{prefix}SUPERUSER": (USERNAME, _as_it_is),
            f"{prefix}SUPERUSER_PASSWORD": (PASSWORD_KEYS[0], _as_it_is),
            f"{prefix}SECRET_KEY": (SECRET_KEY, _as_it_is),
            f"{prefix}NEW_USER_IS_ACTIVE": ("auth.new-user-is-active", _as_it_is),
        }
    return names | {
        "AUTH_TYPE": (MODE, _as_it_is),
        "BASIC_AUTH_ENABLED": (MODE, _basic_when_true),
        "INITIAL_ORG_ADMIN_EMAIL": (USERNAME, _as_it_is),
        "INITIAL_ORG_ADMIN_PASSWORD": (PASSWORD_KEYS[0], _as_it_is),
        "BASIC_AUTH_JWT_SECRET": (SECRET_KEY, _as_it_is),
    }


NAMES = _names()


def other_names(key: str) -> list[str]:
    """Return the three systems' names of an option."""
    return [name for name, (named, _) in NAMES.items() if named == key and name != own_name(key)]


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says, what is wrong with it, and what is only odd."""

    layer: Layer
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def read(variables: Variables) -> Environment:
    """Turn variables into the environment's layer; no problem repeats a value."""
    reading = _Reading({}, {}, [])
    for name in NAMES:
        if name in variables and not _is_kubernetes(name, variables[name].text):
            reading.take(name, variables[name])
    unknown = list(_unknown(variables))
    # A file was written for us; what else is in the environment may have come by itself.
    wrong = [problem for problem in unknown if problem.place and problem.place.line]
    odd = [problem for problem in unknown if problem not in wrong]
    return Environment(Layer(Source.ENVIRONMENT, reading.values), (*reading.problems, *wrong), tuple(odd))


@dataclass(slots=True)
class _Reading:
    """One reading: values and the names they came from, by key, and the problems."""

    values: dict[str, Given]
    names: dict[str, str]
    problems: list[Problem]

    def take(self, name: str, variable: Variable) -> None:
        key, translate = NAMES[name]
        try:
            value = _value(key, variable, translate)
        except ValueError as error:
            self.problems.append(Problem(key, f"{name} {error}", variable.place))
            return
        before = self.values.setdefault(key, Given(value, variable.place))
        first = self.names.setdefault(key, name)
        if first != name and _typed(key, before.value) != _typed(key, value):
            message = f"{first} and {name} say different things; keep one of the two"
            self.problems.append(Problem(key, message, variable.place))


def _value(key: str, variable: Variable, translate: Translate) -> Any:
    if variable.trouble:
        raise ValueError(variable.trouble)
    if variable.cut and OPTIONS[key].secret:
        raise ValueError("would be cut at a # or at its end; write all of the value in quotes: '…'")
    text = translate(variable.text)
    return split(text) if OPTIONS[key].many else text


def _typed(key: str, value: Any) -> Any:
    try:
        return OPTIONS[key].convert(value)
    except ValueError:
        return value


def _is_kubernetes(name: str, text: str) -> bool:
    is_address = name.endswith("_PORT") and KUBERNETES_PORT.match(text) is not None
    return is_address or KUBERNETES.fullmatch(name) is not None


def _unknown(variables: Variables) -> Iterator[Problem]:
    """Yield what is called like ours and is none; a name that is like none of ours is not repeated."""
    # Compared without the prefix: that they share it makes no two names alike.
    ours = [name.removeprefix(PREFIX) for name in NAMES if name.startswith(PREFIX)]
    for name, variable in variables.items():
        if not name.startswith(PREFIX) or name in NAMES or name in NO_OPTIONS:
            continue
        if _is_kubernetes(name, variable.text):
            continue
        close = difflib.get_close_matches(name.removeprefix(PREFIX), ours, n=1, cutoff=LIKENESS)
        if close and name.isascii() and name.isidentifier():
            # In a file whose line lacks its `=` the name ends with the value, and the line number says enough.
            what = "this name is unknown" if variable.place.line else "is unknown"
            yield Problem("", f"{what}, did you mean {PREFIX}{close[0]}?", variable.place)
        else:
            hint = "`authapp config show` lists the options"
            place = variable.place if variable.place.line else None
            yield Problem("", f"a variable that begins with {PREFIX} is unknown", place, hint)
