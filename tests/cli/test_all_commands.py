"""What holds for every command."""

from collections.abc import Iterator

import click
import pytest

from authapp.cli import main


def commands(group: click.Group, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command and group of commands with its whole name."""
    for word in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), word)
        assert command is not None
        yield f"{name}{word}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name}{word} ")


FOUND = {"": main, **dict(commands(main))}
GROUPS = {name: command for name, command in FOUND.items() if isinstance(command, click.Group)}
ALL = {name: command for name, command in FOUND.items() if name not in GROUPS}


@pytest.mark.parametrize("name", ALL)
def test_every_command_takes_a_config(name: str) -> None:
    """Every command takes `--config` and `--env-file`, so that scripts need not tell them apart."""
    assert {"--config", "--env-file"} <= {option for parameter in ALL[name].params for option in parameter.opts}


@pytest.mark.parametrize("name", GROUPS)
def test_no_list_of_commands_is_cut(name: str) -> None:
    """A list of commands fits a terminal of 80 columns, with a whole sentence for each."""
    group = GROUPS[name]
    listed = group.get_help(click.Context(group, terminal_width=80, info_name="authapp")).partition("Commands:")[2]
    assert [line for line in listed.splitlines() if line and not line.endswith(".")] == []


@pytest.mark.parametrize("name", ALL)
def test_every_command_says_what_it_does(name: str) -> None:
    """Every command has a sentence of help."""
    assert ALL[name].get_short_help_str(200).endswith(".")
