"""`authapp doctor`."""

from dataclasses import asdict

import click

from authapp.cli.common import json_option, print_json, printable
from authapp.doctor import diagnose
from authapp.doctor.case import find
from authapp.doctor.finding import Finding, State


@click.command(short_help="Check the installation, and say what to do.")
@click.option("--config", "config_file", metavar="PATH", help="The config file.")
@click.option("--env-file", metavar="PATH", help="A file of environment variables; the real ones beat it.")
@json_option
def doctor(config_file: str | None, env_file: str | None, *, as_json: bool) -> None:
    """Check files, rights, database, clock and proxies; say what to do. Changes nothing."""
    locations, lost = find(config_file, env_file)
    findings = [*lost, *diagnose(locations)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(printable(_line(finding)))
    if any(finding.state is State.BAD for finding in findings):
        click.get_current_context().exit(1)


def _line(finding: Finding) -> str:
    advice = f" -> {finding.advice}" if finding.advice else ""
    return f"{finding.state:<4}  {finding.check}: {finding.found}{advice}"
