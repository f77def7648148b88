"""`authapp run` and `authapp bootstrap`."""

import click

from authapp.cli.common import config_option
from authapp.errors import ConfigError
from authapp.installed import Installed
from authapp.paths import Locations


@click.command("run")
@config_option
@click.option("--host", metavar="HOST", help="Listen on this address.")
@click.option("--port", type=click.IntRange(1, 65535), help="Listen on this port.")
@click.option("--workers", type=click.IntRange(1, 64), help="Serve with this many processes.")
def run_command(locations: Locations, host: str | None, port: int | None, workers: int | None) -> None:
    """Set up what is missing and serve."""
    # No other command needs Flask, which takes as long to import as they take to run.
    from authapp.server import run  # noqa: PLC0415 - see above

    wanted = {"server.host": host, "server.port": port, "server.workers": workers}
    run(locations, {key: value for key, value in wanted.items() if value is not None})


@click.command()
@config_option
def bootstrap(locations: Locations) -> None:
    """Prepare the database and exit."""
    installed = Installed(locations)
    if installed.live.snapshot.closed:
        raise ConfigError(installed.live.snapshot.problems)
    if changed := installed.what_changed():
        click.echo(changed)
    if token := installed.setup_token():
        click.echo(f"Set it up: {installed.address()}/setup?token={token}")
    click.echo("The database is ready.")
