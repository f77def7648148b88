"""Environment variables: the process's own, and those of an env file, each with where it stands."""

import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dotenv.parser import Binding, parse_stream

from authapp.errors import Place, Problem

# A quote that ends before the value does: 'abc'#def.
CUT_BEHIND_QUOTE = re.compile(r"""('(\\'|[^'])*'|"(\\"|[^"])*")#""")


LONGEST_LINE = 8192  # characters


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: its text, where it stands, and what is wrong with how it is written (or nothing).

    `cut`: a comment stands behind it, or a space that is none to the eye is lost at its end; either may have been
    meant to be part of a secret.
    """

    text: str = field(repr=False)
    place: Place
    trouble: str = ""
    cut: bool = False


# name -> what it says; an empty variable is not set, and not in here
Variables = Mapping[str, Variable]


def from_process() -> dict[str, Variable]:
    """Return the variables of this process."""
    return {
        name: Variable(text, Place(f"environment variable {name}")) for name, text in os.environ.items() if text
    }


def parse(content: bytes, file: str) -> tuple[dict[str, Variable], list[Problem]]:
    """Read an env file's content, without interpolation; no problem repeats what stands in it.

    A line may begin with `export`, a value may be quoted; what is wrong with a single value is noted beside it,
    because most of a file may be meant for other programs.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return {}, [Problem("", "is not UTF-8 text", Place(file))]
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LONGEST_LINE:  # the parser's time grows with the square of it
            return {}, [Problem("", f"this line has more than {LONGEST_LINE} characters", Place(file, number))]
    found: dict[str, Variable] = {}
    problems = []
    for binding in parse_stream(io.StringIO(text, newline="")):
        place = Place(file, _first_line(binding))
        if binding.error:
            problems.append(Problem("", "this line is no NAME=value, or a quote in it is never closed", place))
        elif binding.key is not None and (variable := _variable(binding, place, found)):
            found[binding.key] = variable
    return found, problems


def _first_line(binding: Binding) -> int:
    """Return the line a binding begins in; the parser counts from the blank lines before it."""
    before = re.match(r"\s*", binding.original.string)
    return binding.original.line + (len(re.findall(r"\r\n|\n|\r", before[0])) if before else 0)


def _variable(binding: Binding, place: Place, found: Variables) -> Variable | None:
    trouble = next(_troubles(binding, found), "")
    behind = binding.original.string.partition("=")[2].strip(" \t\r\n")
    cut = CUT_BEHIND_QUOTE.match(behind) if behind[:1] in ("'", '"') else behind != binding.value
    return Variable(binding.value or "", place, trouble, bool(cut)) if binding.value or trouble else None


def _troubles(binding: Binding, found: Variables) -> Iterator[str]:
    """Yield what is wrong with how a value is written."""
    value = binding.value
    if value is None:
        yield "has no value; write NAME=value, or take the line out"
        return
    before = found.get(binding.key or "")
    if before is not None and before.text != value:
        yield f"is given twice, first in line {before.place.line}"
    if "\n" in value or "\r" in value:
        yield "has a value of several lines; is a quote in the wrong place?"
