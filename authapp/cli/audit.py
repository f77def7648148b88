"""`authapp audit`: what happened, and whether somebody changed the record of it."""

from dataclasses import asdict

import click

from authapp import audit_chain
from authapp.audit_chain import Broken, Verified
from authapp.cli import audit_read
from authapp.cli.common import config_option, counted, existing_database, json_option, print_json
from authapp.paths import Locations


@click.group("audit")
def audit_group() -> None:
    """Look at what happened, and verify the record of it."""


@audit_group.command("verify", short_help="Look whether somebody changed the record.")
@config_option
@click.option("--expect", metavar="MAC", help="A MAC that an earlier verification printed; it must still be there.")
@json_option
def verify_command(locations: Locations, expect: str | None, *, as_json: bool) -> None:
    """Look for entries that were changed, removed or put in after they were sealed."""
    with existing_database(locations) as database, database.reading() as db:
        found = audit_chain.verify(db)
        expected = expect is None or audit_chain.has(db, expect)
    if as_json:
        print_json({"whole": isinstance(found, Verified), "expected": expected, **asdict(found)})
    elif isinstance(found, Verified):
        _print(found)
    _require(found, expected=expected)


def _print(found: Verified) -> None:
    entries, blocks = counted(found.entries, "entry", "entries"), counted(found.blocks, "block", "blocks")
    click.echo(f"The chain is whole: {entries} in {blocks}.")
    click.echo(f"Not sealed yet: {found.unsealed}")
    if found.block is not None:
        click.echo(f"Newest block: {found.block}")
        click.echo(f"Its MAC: {found.mac}")


def _require(found: Verified | Broken, *, expected: bool) -> None:
    """End the command with a sentence unless everything is as it should be."""
    if isinstance(found, Broken):
        raise click.ClickException(str(found))
    if not expected:
        raise click.ClickException(
            "No block has the expected MAC: the end of the chain was removed, or the chain was made anew, "
            "or that block was cut off since."
        )


audit_group.add_command(audit_read.list_command)
audit_group.add_command(audit_read.export_command)
