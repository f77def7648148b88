"""`authapp audit`: what happened."""

import click

from authapp.cli import audit_read


@click.group("audit")
def audit_group() -> None:
    """Look at what happened."""


audit_group.add_command(audit_read.list_command)
audit_group.add_command(audit_read.export_command)
