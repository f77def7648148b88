"""Good values for every option, found by its declared type, and the layers that give them."""

from collections.abc import Iterator
from typing import Any, get_args

from authapp.config import environment
from authapp.config.environment import own_name
from authapp.config.examine import lay
from authapp.config.options import OPTIONS
from authapp.config.overlay import Effective, Source
from authapp.config.yamlfile import parse
from authapp.errors import Place
from authapp.variables import Variable, Variables

CANARY = "Xq7canaryZk4wJ9v"  # stands in every text that nobody may see
# Texts of every kind; an option that takes any text takes the first three.
TEXTS = [
    f"One-{CANARY}", f"Two-{CANARY}", f"Three-{CANARY}", "true", "false", "2", "3", "4", "5", "11h", "22h", "33h",
    "https://one.example.com", "https://two.example.com", "https://three.example.com",
    "10.0.0.0/8", "192.168.0.0/16", "::1/128",
    f"postgresql://one:{CANARY}@db/authapp", f"postgresql://two:{CANARY}@db/authapp", "sqlite:///three.db",
]  # fmt: skip


def samples(key: str) -> list[str]:
    """Return two or three texts that mean different things for an option; the default comes last."""
    option = OPTIONS[key]
    found: dict[Any, str] = {}
    for text in (*_words(option.annotation), *TEXTS):
        try:
            found.setdefault(typed(key, text), text)
        except ValueError:
            continue  # a text of another kind
    return sorted(found.values(), key=lambda text: bool(typed(key, text) == option.default))[:3]


def _words(annotation: Any) -> Iterator[str]:
    """Yield the words an option chooses from."""
    for inner in get_args(annotation):
        if isinstance(inner, str):
            yield inner
        yield from _words(inner)


def typed(key: str, text: str) -> Any:
    """Return what a text means for an option; raises ValueError."""
    return OPTIONS[key].convert((text,) if OPTIONS[key].many else text)


def process(variables: dict[str, str]) -> Variables:
    """Return variables as they are found in a process."""
    return {name: Variable(text, Place(f"environment variable {name}")) for name, text in variables.items()}


def in_file(key: str, text: str) -> str:
    """Write a config file with one option."""
    *sections, name = key.split(".")
    return "".join(f"{{{part}: " for part in sections) + f"{{{name}: '{text}'}}" + "}" * len(sections) + "\n"


def row(key: str, text: str) -> dict[str, Any]:
    """Return the row of the Settings table that would hold an option."""
    option = OPTIONS[key]
    return {key: text if option.secret else option.to_json(typed(key, text))}


def laid(says: dict[Source, tuple[str, str]], rows: dict[str, Any] | None = None) -> Effective:
    """Lay layers over each other, read as a server reads them; each says one text of one option."""
    rows, variables, content = dict(rows or {}), {}, ""
    for source, (key, text) in says.items():
        if source is Source.SETTINGS:
            rows |= row(key, text)
        elif source is Source.ENVIRONMENT:
            variables[own_name(key)] = text
        else:
            content = in_file(key, text)
    around = environment.read(process(variables))
    document = parse(content.encode(), "config.yml")
    effective, problems = lay(rows, around, document)
    assert not [*problems, *document.problems, *around.problems, *around.warnings]
    return effective
