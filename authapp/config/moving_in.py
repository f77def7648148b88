"""The config file of another system -> authapp's, and what of it could not be carried over."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from authapp import passwords
from authapp.config import foreign
from authapp.config.foreign import Foreign, Said
from authapp.config.foreign_names import OAUTH
from authapp.config.options import MODE, OPTIONS, PASSWORD_KEYS, SECRET_KEY, USERNAME, is_placeholder
from authapp.config.references import ONLY_WHOLE
from authapp.errors import BadUsername, CannotImport, Problem
from authapp.names import clean_username

PASSWORD = PASSWORD_KEYS[0]
POLICY = "password.policy"
# What Kestra, Docker Compose and python-dotenv would fill in.
REFERENCE = re.compile(r"\$\{[^}]*\}")
# What becomes of an option that is left out.
INSTEAD = {
    PASSWORD: "the setup page will ask for one",
    SECRET_KEY: "authapp makes one itself",
    USERNAME: "the setup page will ask for one",
}


@dataclass(frozen=True, slots=True)
class Moved:
    """The text of a config file, and a line for each thing that is not in it as it was."""

    text: str = field(repr=False)
    left_out: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Usable:
    """What a file says of an option, as authapp's config file says it."""

    key: str
    value: str = field(repr=False)
    said: Said


def move_in(content: bytes, file: str, *, allow_none: bool = False) -> Moved:
    """Make a config file out of another system's; raises CannotImport, and no message repeats a secret.

    `allow_none`: where nobody had to sign in, nobody has to in the future.
    """
    theirs = foreign.read(content, file)
    left_out = list(theirs.left_out)
    usable = list(_use(theirs, left_out))
    _refuse_oauth(usable)
    chosen = {one.key: one for one in reversed(_agreeing(usable))}
    left_out += [Problem(one.said.name, one.said.note, one.said.place) for one in chosen.values() if one.said.note]
    values = {key: one.value for key, one in chosen.items() if key != OAUTH}
    if values.get(MODE) == "none" and not allow_none:
        del values[MODE]
        reason = "nobody had to sign in, and now everybody does; --allow-none keeps it as it was"
        left_out.append(_left_out(chosen[MODE].said, reason))
    if PASSWORD in values and not _admit(values):
        left_out.append(_left_out(chosen[PASSWORD].said, _unfit()))
    left_out.sort(key=lambda problem: (problem.place and problem.place.line) or 0)
    return Moved(_head(theirs, values) + _body(values), tuple(left_out))


def _left_out(said: Said, reason: str) -> Problem:
    instead = INSTEAD.get(said.meaning.key)
    return Problem(said.name, f"left out: {reason}" + (f"; {instead}" if instead else ""), said.place)


def _use(theirs: Foreign, left_out: list[Problem]) -> Iterator[_Usable]:
    """Yield what can be used, and note the rest."""
    for said in theirs.said:
        if not said.text and not said.doubt:
            continue
        try:
            value = _value(said)
        except (ValueError, BadUsername) as error:
            left_out.append(_left_out(said, str(error).removesuffix(".")))
        else:
            if value:
                yield _Usable(said.meaning.key, value, said)


def _value(said: Said) -> str:
    """Return a text as authapp's config file holds it; raises ValueError or BadUsername."""
    key = said.meaning.key
    if reason := said.meaning.why_not or said.doubt:
        raise ValueError(reason)
    if REFERENCE.search(said.text):
        raise ValueError("it names a variable, ${…}, and no environment is read here; set it by hand")
    if key == MODE and said.text.strip().lower() == OAUTH:
        raise _oauth(said)
    value = said.meaning.translate(said.text)
    if key == OAUTH:
        return value
    if key not in OPTIONS:
        raise ValueError("authapp has no such option")
    if foreign.is_precious(said.meaning) and is_placeholder(value):
        raise ValueError("it is the placeholder of an example file")
    try:
        typed = OPTIONS[key].convert(value)
    except ValueError as error:
        raise ValueError(f"it {error}") from None
    if key == USERNAME:
        clean_username(value)
    return _plain(key, typed) or value


def _plain(key: str, typed: object) -> str:
    """Return a truth value or a mode the one way it is written; nothing for texts."""
    if isinstance(typed, bool):
        return "true" if typed else "false"
    return str(typed) if key == MODE else ""


def _oauth(said: Said) -> CannotImport:
    where = said.place.words
    return CannotImport(
        f"{where} signs people in with OAuth ({said.name}), and authapp does with user name and password only"
    )


def _refuse_oauth(usable: Sequence[_Usable]) -> None:
    """Raise CannotImport where OAuth is in use; in mode none it is not, whatever its client is called."""
    found = [one for one in usable if one.key == OAUTH]
    none = any(one.value == "none" and one.said.name in ("AUTH_TYPE", "config.authType") for one in usable)
    if found and not none:
        raise _oauth(found[0].said)


def _agreeing(usable: Sequence[_Usable]) -> Sequence[_Usable]:
    """Return what is usable; raises CannotImport when two say different things of one option."""
    first: dict[str, _Usable] = {}
    for one in usable:
        before = first.setdefault(one.key, one)
        if before.value != one.value:
            places = [f"{said.name} ({said.place.words})" for said in (before.said, one.said)]
            raise CannotImport(f"{' and '.join(places)} say different things; keep one of the two")
    return usable


def _admit(values: dict[str, str]) -> bool:
    """Choose the policy that a password fits, the strictest first; take out a password that fits none."""
    organization = values.get("organization.name", OPTIONS["organization.name"].default)
    context = (values.get(USERNAME, ""), organization)
    for policy in passwords.POLICIES.values():
        if not policy.broken(values[PASSWORD], context):
            if policy.name != OPTIONS[POLICY].default:
                values[POLICY] = policy.name
            return True
    del values[PASSWORD]
    return False


def _unfit() -> str:
    policies = (
        f"{policy.name} asks for {', '.join(rule.text for rule in policy.rules)}"
        for policy in passwords.POLICIES.values()
    )
    return f"it fits none of the password policies ({'; '.join(policies)})"


# -- the text -------------------------------------------------------------------------------------------------


def _head(theirs: Foreign, values: Mapping[str, str]) -> str:
    lines = [f"# authapp's config file, made from {theirs.kind}."]
    if PASSWORD in values or SECRET_KEY in values:
        lines += ["# It holds a secret, so nobody else should read it: chmod 600 config.yml"]
    if POLICY in values:
        lines += ["# password.policy is the one that the password fits; remove both together."]
    return "\n".join(lines) + "\n\n"


def _body(values: Mapping[str, str]) -> str:
    """Write options below their sections, in the order of their declarations."""
    lines: list[str] = []
    open_sections: list[str] = []
    for key in (key for key in OPTIONS if key in values):
        *sections, name = key.split(".")
        for depth, section in enumerate(sections):
            if open_sections[: depth + 1] != sections[: depth + 1]:
                lines.append(f"{'  ' * depth}{section}:")
                open_sections = sections[: depth + 1]
        lines.append(f"{'  ' * len(sections)}{name}: {_written(key, values[key])}")
    return "".join(f"{line}\n" for line in lines)


def _written(key: str, value: str) -> str:
    if key in (MODE, POLICY) or isinstance(OPTIONS[key].default, bool):
        return value
    return quoted(value if key in ONLY_WHOLE else value.replace("${", "$${"))


def quoted(text: str) -> str:
    """Return a text in quotes as YAML reads it, without any character that is not seen."""
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
