"""The examples of docs/api.md do what the document says, against a real server."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from authapp import tokens
from tests.examples import OUTPUTS, PROGRAMS, Document, read, run
from tests.server_process import Server, installation
from tests.world import ADA, PASSWORD

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
DOCUMENT = read(TEXT)
CLIENTS = ("sh", "python httpx", "python requests")
NOT_RUN = ("sh variables", "yaml config", "nginx", "regex")  # looked at below, all but the one for another program


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with the config file of the document, whose setup Ada has finished."""
    with installation(tmp_path) as server:
        (config,) = DOCUMENT.of("yaml config")
        server.write_config(config.code)
        server.start().set_up()
        yield server


def run_on(server: Server, document: Document, kind: str) -> None:
    """Run a document's examples of one kind as the owner of a server."""
    run(document.of(kind), server.folder, AUTH_URL=server.address, AUTH_USER=ADA, AUTH_PASSWORD=PASSWORD)


# -- what the document says -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pytest.param("sh", marks=pytest.mark.curl), "python httpx", "python requests"])
def test_the_examples(server: Server, kind: str) -> None:
    """Each example of the document runs as it is printed, and prints what the document shows."""
    run_on(server, DOCUMENT, kind)


def test_the_examples_that_need_no_server(tmp_path: Path) -> None:
    """So does what the document shows in plain Python."""
    run(DOCUMENT.of("python"), tmp_path)


# -- that nothing is left out ---------------------------------------------------------------------------------


def test_every_block_is_of_a_kind_that_is_known() -> None:
    """A fenced block is an example that is run, an output that is compared, or one of the few that are neither."""
    assert {block.kind for block in DOCUMENT.blocks} == {*PROGRAMS, *OUTPUTS, *NOT_RUN}
    assert TEXT.count("```") == 2 * len(DOCUMENT.blocks)


@pytest.mark.parametrize("section", [name for name in DOCUMENT.sections() if name.startswith("### ")])
def test_each_subject_has_each_kind(section: str) -> None:
    """Each subject is shown with curl, with httpx and with requests, and with what they print."""
    assert DOCUMENT.sections()[section] >= {*CLIENTS, "text"}
    assert all(block.output_kind for block in DOCUMENT.of(*CLIENTS) if block.section == section)


@pytest.mark.parametrize(
    ("kind", "word"), [("sh", "curl "), ("python httpx", "httpx"), ("python requests", "requests")]
)
def test_the_kinds_are_what_they_are_called(kind: str, word: str) -> None:
    """The first example of a kind uses the program it is named after, and there are eight subjects at least."""
    assert word in DOCUMENT.of(kind)[0].code
    assert len([name for name, kinds in DOCUMENT.sections().items() if kind in kinds]) >= 8


def test_the_variables() -> None:
    """The document introduces exactly the variables that the tests set for its examples."""
    (introduced,) = DOCUMENT.of("sh variables")
    names = re.findall(r"^export (AUTH_\w+)='", introduced.code, re.MULTILINE)
    assert names == ["AUTH_URL", "AUTH_USER", "AUTH_PASSWORD"]
    assert f"'{ADA}'" in introduced.code
    assert f"'{PASSWORD}'" in introduced.code


def test_the_regular_expression() -> None:
    """The regular expression for scanners finds an API token among other words, and nothing that is longer."""
    (shown,) = DOCUMENT.of("regex")
    token = tokens.generate_api_token()
    assert re.findall(shown.code.strip(), f"key={token}; {token}x authapp_x") == [token]


# -- that what is broken is found -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        "```python\nprint(1)\n```\n```text\n2\n```\n",
        "```python\nprint('a…')\n```\n```text\na\n```\n",
        "```python\nprint('[1, 2]')\n```\n```json\n[1]\n```\n",
        '```python\nprint(\'{"a": true}\')\n```\n```json\n{"a": 1}\n```\n',
        "```python\nraise SystemExit(1)\n```\n",
        "```python\nprint(1)\n```\n```python\nundefined\n```\n",
        "```sh\nfalse\n```\n",
        "```sh\necho trouble >&2\n```\n",
    ],
)
def test_a_broken_example_is_found(tmp_path: Path, broken: str) -> None:
    """An example that fails, complains, or prints anything else than what is shown is found."""
    document = read(broken)
    with pytest.raises(AssertionError):
        run(document.of("python", "sh"), tmp_path)


def test_an_output_of_nothing_is_found() -> None:
    """An output below no example of its section is found."""
    with pytest.raises(AssertionError):
        read("## One\n```python\nprint(1)\n```\n## Two\n```text\n1\n```\n")
