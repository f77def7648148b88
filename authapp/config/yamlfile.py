"""config.yml -> texts that remember their line and column.

PyYAML reads the file into nodes and nothing more: no value is ever interpreted by YAML's own rules, so a
password such as `012345` or `no` stays the text that was typed.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from authapp import paths
from authapp.config.options import OPTIONS, PASSWORD_KEYS, canonical, split
from authapp.config.references import ONLY_WHOLE, NotSet, resolve
from authapp.errors import Place, Problem
from authapp.variables import Variables

LARGEST = 256 * 1024  # bytes
DEEPEST = 20  # levels
# A key this like a known one is a slip of the pen; any other may be part of a secret and is not repeated.
LIKENESS = 0.75
NEVER_CLOSED = ("while scanning a quoted scalar", "while parsing a flow")  # as PyYAML says it
# The first key of other systems' files.
FOREIGN = {"kestra": "a Kestra file", "config": "a file of Helm values"}


@dataclass(frozen=True, slots=True)
class Given:
    """What a layer says of an option: a text (or list of texts, or a JSON value), and where.

    `referred`: the text is not what stands at that place, but that of a variable it names.
    """

    value: Any
    place: Place | None = None
    referred: bool = False


@dataclass(slots=True)
class Document:
    """What a config file says, by option key, and all that is wrong with it."""

    values: dict[str, Given] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read(path: Path) -> tuple[bytes | None, list[Problem]]:
    """Read a config file's bytes; None when there is no such file."""
    try:
        return paths.read_small_file(path, LARGEST), []
    except FileNotFoundError:
        return None, []
    except (OSError, ValueError) as error:
        reason = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)
        return b"", [Problem("", reason, Place(path.name))]


def parse(content: bytes, file: str, variables: Variables | None = None) -> Document:
    """Read a config file's content; `${NAME}` is a variable. Never raises, and no problem repeats a value."""
    document = Document()
    try:
        text = content.decode("utf-8-sig")
        _refuse_hidden_line_ends(text, file)
        root = _compose(text, file)
    except UnicodeDecodeError:
        document.problems.append(Problem("", "is not UTF-8 text", Place(file)))
    except _BadFileError as error:
        document.problems.append(error.problem)
    except Exception:  # noqa: BLE001 - whatever a hostile file does to the parser is a problem of the file
        document.problems.append(Problem("", "cannot be read as YAML", Place(file)))
    else:
        _Walk(document, text, file, variables or {}).section(root, "", _TREE)
    return document


class _BadFileError(Exception):
    def __init__(self, message: str, place: Place, hint: str = "") -> None:
        super().__init__(message)
        self.problem = Problem("", message, place, hint)


def _refuse_hidden_line_ends(text: str, file: str) -> None:
    """Refuse what ends a line for YAML and looks like nothing in an editor: it would cut a value."""
    for number, line in enumerate(text.split("\n"), 1):
        if found := re.search("[\x85\u2028\u2029]", line):
            raise _BadFileError("contains an invisible line end", Place(file, number, found.start() + 1))


def _place(file: str, mark: Any) -> Place:
    """Turn one of PyYAML's marks, which count from 0, into a Place."""
    return Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)


def _compose(text: str, file: str) -> yaml.Node | None:
    """Turn text into nodes, after a look at its events that refuses what a config never needs."""
    try:
        _check_events(text, file)
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _place(file, mark)
        tab = mark is not None and text[mark.index : mark.index + 1] == "\t"
        # What is never closed is noticed far behind the place where it begins.
        if not tab and error.context_mark and (error.context or "").startswith(NEVER_CLOSED):
            place = _place(file, error.context_mark)
        if tab:
            raise _BadFileError(
                "a tab cannot stand here; indent with spaces, and quote a value that holds one", place
            ) from None
        hint = "look at indentation, brackets and quotes; a value with special characters needs quotes: '…'"
        raise _BadFileError("this is not valid YAML", place, hint) from None
    except yaml.reader.ReaderError:
        raise _BadFileError("contains control characters", Place(file)) from None


def _check_events(text: str, file: str) -> None:
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        place = _place(file, event.start_mark)
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise _BadFileError("a config file holds one YAML document", place)
        if depth > DEEPEST:
            raise _BadFileError(f"is nested more than {DEEPEST} levels deep", place)
        if getattr(event, "anchor", None) is not None:
            hint = "a value that begins with & or * needs quotes: '…'"
            raise _BadFileError("anchors and aliases are not used here", place, hint)
        if getattr(event, "tag", None) is not None:
            raise _BadFileError("tags are not used here", place, "a value that begins with ! needs quotes: '…'")


def _make_tree() -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key in OPTIONS:
        *sections, name = key.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(canonical(section), (section, {}))[1]
        branch[canonical(name)] = (name, OPTIONS[key])
    return tree


# canonical name -> (name, Option or the tree below it)
_TREE = _make_tree()


def _find(raw: str, tree: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return the key that is meant, and the option or the tree below it; `auth.mode` is `mode` below `auth`."""
    names: list[str] = []
    found: Any = tree
    for part in raw.split("."):
        entry = found.get(canonical(part)) if isinstance(found, dict) else None
        if entry is None:
            return None
        names.append(entry[0])
        found = entry[1]
    return ".".join(names), found


@dataclass(slots=True)
class _Walk:
    """One walk over a file's nodes; collects values and problems."""

    document: Document
    text: str
    file: str
    variables: Variables
    seen: dict[str, int] = field(default_factory=dict)  # key -> line, of options and of sections

    def place(self, node: yaml.Node) -> Place:
        return _place(self.file, node.start_mark)

    def problem(self, key: str, message: str, node: yaml.Node, hint: str = "") -> None:
        self.document.problems.append(Problem(key, message, self.place(node), hint))

    def section(self, node: yaml.Node | None, path: str, tree: Mapping[str, Any]) -> None:
        """Read the options below `path`; a section without anything below it is as good as none."""
        if node is None or _is_null(node):
            return
        if not isinstance(node, yaml.MappingNode):
            hint = f"the owner's password is {PASSWORD_KEYS[0]}" if path == "password" else ""
            here = "must hold options, each on its own line below it"
            self.problem(path, here if path else "the file must hold options, such as server:", node, hint)
            return
        for key_node, value_node in node.value:
            raw = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            found = _find(raw, tree)
            if found is None:
                self.unknown(raw, path, tree, key_node)
                continue
            full = f"{path}.{found[0]}" if path else found[0]
            if full in self.seen:
                self.problem(full, f"is given twice, first in line {self.seen[full]}", key_node)
                continue
            self.seen[full] = key_node.start_mark.line + 1
            if isinstance(found[1], dict):
                self.section(value_node, full, found[1])
            else:
                self.option(full, key_node, value_node)

    def unknown(self, raw: str, path: str, tree: Mapping[str, Any], node: yaml.Node) -> None:
        name = canonical(raw)
        close = difflib.get_close_matches(name, tree, n=1, cutoff=LIKENESS)
        sections = {key.rpartition(".")[0] for key in OPTIONS}
        elsewhere = [key for key in (*sections, *OPTIONS) if canonical(key.rpartition(".")[2]) == name]
        known = ", ".join(entry[0] for entry in tree.values())
        if not path and name in FOREIGN:
            hint = "`authapp config import FILE` makes a config.yml out of it"
            self.problem("", f"'{name}' is what {FOREIGN[name]} begins with", node, hint)
        elif close:
            # With other signs in it, part of it may be the value.
            named = raw if re.fullmatch(r"[\w.-]+", raw, re.ASCII) else ""
            full = ".".join(part for part in (path, named) if part)
            self.problem(full, f"unknown option, did you mean '{tree[close[0]][0]}'?", node)
        elif elsewhere:
            self.problem(path, f"'{elsewhere[0].rpartition('.')[2]}' does not belong here, "
                         f"did you mean {' or '.join(elsewhere)}?", node)  # fmt: skip
        else:
            self.problem(path, "unknown option", node, f"the options here are: {known}")

    def option(self, key: str, key_node: yaml.Node, node: yaml.Node) -> None:
        value: Any = None
        if OPTIONS[key].many and isinstance(node, yaml.SequenceNode):
            if all(isinstance(item, yaml.ScalarNode) and not _is_null(item) for item in node.value):
                value = tuple(item.value for item in node.value)
            else:
                self.problem(key, "must be a list of plain values", node)
        elif not isinstance(node, yaml.ScalarNode):
            what = "a list" if isinstance(node, yaml.SequenceNode) else "a group of options"
            self.problem(key, f"must be a single value, not {what}", node, "quote it if that is the value")
        elif _is_null(node):
            needs = "has no value" if key not in PASSWORD_KEYS else "is blank to YAML"
            self.problem(key, needs, node, "write the value in quotes, or take the line out")
        elif OPTIONS[key].secret and self.is_cut(node):
            self.problem(key, "would be cut or changed by YAML", node, "write the value in quotes: '…'")
        else:
            value = (node.value,) if OPTIONS[key].many else node.value
        if value is not None:
            self.keep(key, key_node, value)

    def keep(self, key: str, key_node: yaml.Node, value: Any) -> None:
        """Note a value, with the environment variables it names in it."""
        many = OPTIONS[key].many
        try:
            texts = [resolve(key, text, self.variables) for text in (value if many else (value,))]
        except NotSet:
            hint = "${NAME:default} has a value without it" + ("" if key in ONLY_WHOLE else "; $${ is a literal ${")
            self.problem(key, "names an environment variable that is not set, or is damaged", key_node, hint)
            return
        found = tuple(part for text in texts for part in split(text)) if many else texts[0]
        self.document.values[key] = Given(found, self.place(key_node), referred=not many and texts[0] != value)

    def is_cut(self, node: yaml.ScalarNode) -> bool:
        """Tell whether YAML would make less of a secret: a block, several lines, or something behind a `#`."""
        if node.start_mark.line != node.end_mark.line or node.style in ("|", ">"):
            return True
        rest = self.text[node.end_mark.index :].partition("\n")[0]
        return (rest if node.style else rest.strip()).startswith("#")


def _is_null(node: yaml.Node) -> bool:
    return (
        isinstance(node, yaml.ScalarNode) and node.style is None and node.value in ("", "~", "null", "Null", "NULL")
    )
