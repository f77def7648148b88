"""`authapp completion`: what a shell needs to complete commands, options and user names."""

import click
from click.shell_completion import get_completion_class

from authapp.cli.common import config_unread

# The \b keeps click from running the lines together.
HELP = """Print a script that makes a shell complete authapp's commands.

\b
bash: echo 'eval "$(authapp completion bash)"' >> ~/.bashrc
zsh:  echo 'eval "$(authapp completion zsh)"' >> ~/.zshrc
fish: authapp completion fish > ~/.config/fish/completions/authapp.fish
"""


@click.command("completion", short_help="Print a script for a shell to complete commands.", help=HELP)
@config_unread
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"There is no completion for {shell}.")
    click.echo(kind(ctx.find_root().command, {}, "authapp", "_AUTHAPP_COMPLETE").source())
