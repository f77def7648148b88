"""The config files of Kestra, LangSmith, Langflow and Langinfra: what they say of signing in, and where."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from authapp import variables
from authapp.config.foreign_names import (
    ENV,
    EXPECTED,
    KESTRA,
    LANGINFRA,
    LANGSMITH_ENV,
    OAUTH,
    SECTIONS,
    YAML,
    Meaning,
    Path,
)
from authapp.config.options import OPTIONS, USERNAME, canonical
from authapp.errors import CannotImport, Place, Problem
from authapp.variables import Variable

LARGEST = 256 * 1024  # bytes
DEEPEST = 100  # levels
MOST_NAMED = 8  # of the things in one section that are left out
STANDARD_TAG = "tag:yaml.org,2002:"
MERGE = f"{STANDARD_TAG}merge"
# What YAML makes of a text without quotes.
READS_AS = {"int": "a number", "float": "a number", "bool": "true or false", "timestamp": "a date"}
EMPTY = "it has no value"
NOT_OURS = "left out: authapp has no use for it"


@dataclass(frozen=True, slots=True)
class Said:
    """What a file says under one of the names it may use.

    `doubt` is why the text cannot be used, `note` what to know when it is.
    """

    name: str
    meaning: Meaning
    text: str = field(repr=False)
    place: Place
    doubt: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A file of another system: of which kind it is, what it says of signing in, and what else there is."""

    kind: str
    said: Sequence[Said]
    left_out: Sequence[Problem]


def read(content: bytes, file: str) -> Foreign:
    """Read another system's file; raises CannotImport, and no message repeats a value."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CannotImport(f"{file} is not UTF-8 text; {EXPECTED}") from None
    reason = "says nothing that is understood"
    found = None
    try:
        found = _read_yaml(text, file)
    except _NoYamlError as error:
        reason = f"cannot be read as YAML, nor as an env file ({error})"
    if found := found or _read_env(content, file):
        return found
    raise CannotImport(f"{file} {reason}; {EXPECTED}")


def is_precious(meaning: Meaning) -> bool:
    """Tell whether nothing may happen unsaid to what a name says."""
    return meaning.key == USERNAME or (meaning.key in OPTIONS and OPTIONS[meaning.key].secret)


# -- YAML -----------------------------------------------------------------------------------------------------


class _NoYamlError(Exception):
    """A text is no YAML; says why."""


def _read_yaml(text: str, file: str) -> Foreign | None:
    walk = _Walk(text, file)
    for root in _compose(text):
        if isinstance(root, yaml.MappingNode):
            walk.section(root, ())
    kestra = ("kestra",) in {path for _, path in walk.visited}
    if not walk.said and not kestra:
        return None
    kinds = dict.fromkeys(said.meaning.kind for said in walk.said) or {KESTRA: None}
    return Foreign(" and ".join(kinds), walk.said, walk.left_out)


def _compose(text: str) -> list[yaml.Node]:
    """Turn a text into the nodes of its documents, after a look at how deep they are."""
    if found := re.search("[\x85\u2028\u2029]", text):
        raise _NoYamlError(f"line {text.count(chr(10), 0, found.start()) + 1} holds an invisible line end")
    try:
        _require_shallow(yaml.parse(text, Loader=yaml.SafeLoader))
        return list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _NoYamlError(f"line {mark.line + 1}" if mark else "it has an error") from None
    except _NoYamlError:
        raise
    except Exception:  # noqa: BLE001 - whatever a hostile file does to the parser is a fault of the file
        raise _NoYamlError("it has characters that YAML does not know") from None


def _require_shallow(events: Iterator[yaml.Event]) -> None:
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _NoYamlError(f"it is nested more than {DEEPEST} levels deep")


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """Yield a mapping's keys and values, and of those it merges what it does not say itself."""
    pending: list[yaml.Node] = [node]
    seen: set[int] = set()
    names: set[str] = set()
    while pending:
        mapping = pending.pop(0)
        if not isinstance(mapping, yaml.MappingNode) or id(mapping) in seen:
            continue
        seen.add(id(mapping))
        own = [pair for pair in mapping.value if isinstance(pair[0], yaml.ScalarNode)]
        for _, value in (pair for pair in own if pair[0].tag == MERGE):
            pending += value.value if isinstance(value, yaml.SequenceNode) else [value]
        new = [pair for pair in own if pair[0].tag != MERGE and canonical(pair[0].value) not in names]
        names |= {canonical(key.value) for key, _ in new}
        yield from new


@dataclass(slots=True)
class _Walk:
    """One walk over a file, along the names that mean something here and nowhere else."""

    text: str
    file: str
    said: list[Said] = field(default_factory=list)
    left_out: list[Problem] = field(default_factory=list)
    visited: set[tuple[int, Path]] = field(default_factory=set)

    def place(self, node: yaml.Node) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def section(self, node: yaml.Node, path: Path) -> None:
        """Read what stands in a section; an alias leads to each section once."""
        if (id(node), path) in self.visited:
            return
        self.visited.add((id(node), path))
        others: list[yaml.ScalarNode] = []
        for key, value in _pairs(node) if isinstance(node, yaml.MappingNode) else ():
            below = (*path, *canonical(key.value).split("."))  # Kestra reads a.b: as a: {b: }
            if below in YAML:
                self.option(*YAML[below], key, value)
            elif below in SECTIONS:
                self.section(value, below)
            else:
                others.append(key)
        if path:
            self.pass_over(SECTIONS[path], others)
        else:
            for key in others:
                self.left_out.append(Problem(_shown(key.value), NOT_OURS, self.place(key)))

    def pass_over(self, section: str, keys: Sequence[yaml.ScalarNode]) -> None:
        """Say in one line what else stands in a section."""
        if keys:
            more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
            names = ", ".join(_shown(key.value) for key in keys[:MOST_NAMED])
            self.left_out.append(Problem(f"{section} ({names}{more})", NOT_OURS, self.place(keys[0])))

    def option(self, name: str, meaning: Meaning, key: yaml.ScalarNode, value: yaml.Node) -> None:
        place = self.place(key)
        doubt = _doubt(value)
        if doubt == EMPTY and not is_precious(meaning):
            doubt = ""  # as in the values that Helm shows as an example
            value = yaml.ScalarNode(value.tag, "")
        if isinstance(value, yaml.ScalarNode) and not doubt:
            note = self.note(value) if is_precious(meaning) else ""
            self.said.append(Said(name, meaning, value.value, place, note=note))
        else:
            self.said.append(Said(name, meaning, "", place, doubt))

    def note(self, node: yaml.ScalarNode) -> str:
        """Return what to know of a text without quotes."""
        kind = node.tag.removeprefix(STANDARD_TAG)
        behind = self.text[node.end_mark.index :].partition("\n")[0].strip()
        if node.style is None and kind != "str":
            return f"taken as it is typed, but without quotes YAML reads it as {READS_AS.get(kind, 'no text')}"
        if node.style is None and behind.startswith("#"):
            return "what stands behind the # was left out, as YAML reads it as a comment"
        return ""


def _doubt(node: yaml.Node) -> str:
    """Return why a value is none; an empty one has its own word."""
    if not isinstance(node, yaml.ScalarNode):
        return "it is a list or a group of values"
    if not node.tag.startswith(STANDARD_TAG):
        return "it has a tag that only its own program knows"
    if node.tag == f"{STANDARD_TAG}null":
        return EMPTY
    return "it stands on several lines" if node.start_mark.line != node.end_mark.line else ""


def _shown(name: str) -> str:
    """Return a name if it looks like one; anything else may be a piece of a secret."""
    return name if re.fullmatch(r"[A-Za-z][\w./-]{0,59}", name, re.ASCII) else "…"


# -- env files ------------------------------------------------------------------------------------------------


def _read_env(content: bytes, file: str) -> Foreign | None:
    found, problems = variables.parse(content, file)
    # OAUTH_CLIENT_ID and its like are other programs' names too.
    langsmith = any(name in found for name in LANGSMITH_ENV if ENV[name].key != OAUTH)
    names = [name for name in found if name in ENV and (langsmith or ENV[name].key != OAUTH)]
    if not names:
        return None
    said = [_said(name, found[name]) for name in names]
    kinds = dict.fromkeys(one.meaning.kind for one in said)
    return Foreign(" and ".join(kinds), said, [*problems, *_others(found, names)])


def _said(name: str, variable: Variable) -> Said:
    meaning = ENV[name]
    secret = is_precious(meaning) and meaning.key != USERNAME
    cut = "it may be cut at the #; write it in quotes, then import again" if variable.cut and secret else ""
    return Said(name, meaning, variable.text, variable.place, variable.trouble or cut)


def _others(found: Mapping[str, Variable], names: Sequence[str]) -> Iterator[Problem]:
    """Yield a line for every other name of Langflow's and Langinfra's, and one for those of other programs."""
    others = {name: one for name, one in found.items() if name not in names}
    theirs = [name for name in others if name.startswith(LANGINFRA)]
    for name in theirs:
        yield Problem(_shown(name) if others[name].text else "…", NOT_OURS, others[name].place)
    rest = [name for name in others if name not in theirs]
    if rest:
        # Without its `=` a name may be a piece of a secret that was wrapped.
        is_name = {name: others[name].text and re.fullmatch("[A-Z_][A-Z0-9_]{0,59}", name) for name in rest}
        shown = ", ".join(name if is_name[name] else "…" for name in rest)
        yield Problem(shown, NOT_OURS, others[rest[0]].place)
