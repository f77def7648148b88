"""What holds for every command."""

from collections.abc import Iterator

import click
import pytest

from authapp.cli import main


def groups(group: click.Group) -> Iterator[click.Group]:
    """Yield a group and every one in it."""
    yield group
    for word in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), word)
        if isinstance(command, click.Group):
            yield from groups(command)


def commands(group: click.Group, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its whole name."""
    for word in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), word)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{name}{word} ")
        else:
            yield f"{name}{word}", command


ALL = dict(commands(main))


@pytest.mark.parametrize("name", ALL)
def test_every_command_takes_a_config(name: str) -> None:
    """Every command takes `--config` and `--env-file`, so that scripts need not tell them apart."""
    assert {"--config", "--env-file"} <= {option for parameter in ALL[name].params for option in parameter.opts}


@pytest.mark.parametrize("group", list(groups(main)), ids=lambda group: str(group.name))
def test_no_list_of_commands_is_cut(group: click.Group) -> None:
    """A list of commands fits a terminal of 80 columns, with a whole sentence for each."""
    listed = group.get_help(click.Context(group, terminal_width=80, info_name="authapp")).partition("Commands:")[2]
    assert [line for line in listed.splitlines() if line and not line.endswith(".")] == []


@pytest.mark.parametrize("name", ALL)
def test_every_command_says_what_it_does(name: str) -> None:
    """Every command has a sentence of help."""
    assert ALL[name].get_short_help_str(200).endswith(".")
