"""What holds for every command."""

from collections.abc import Iterator

import click
import pytest

from authapp.cli import main


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


@pytest.mark.parametrize("name", ALL)
def test_every_command_says_what_it_does(name: str) -> None:
    """Every command has a sentence of help."""
    assert ALL[name].get_short_help_str(200).endswith(".")
