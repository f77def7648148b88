"""The command line. Exit status: 0 done, 1 refused or failed, 2 wrong usage or wrong config."""

import gc
import os
import sys

# Importing makes many objects and no garbage, yet it sets off the collector again and again: a tenth of the time.
gc.disable()

import click  # noqa: E402 - see above

from authapp import __version__  # noqa: E402 - see above
from authapp.cli.common import Commands  # noqa: E402 - see above

gc.freeze()  # it need not look at these again
gc.enable()


@click.group(
    cls=Commands,
    commands_in={
        "run": "serve:run_command",
        "bootstrap": "serve:bootstrap",
        "superuser": "setup:superuser",
        "setup": "setup:setup_group",
        "user": "user:user_group",
        "session": "session:session_group",
        "token": "token:token_group",
        "audit": "audit:audit_group",
        "config": "config:config_group",
        "mode": "mode:mode_group",
        "secret": "mode:secret_group",
        "db": "db:db_group",
        "doctor": "doctor:doctor",
        "hash-password": "config:hash_password",
        "completion": "completion:completion",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="%(version)s")
def main() -> None:
    """Run authapp: the login for things you host yourself."""
    os.umask(0o077)


def run_main() -> None:
    """Be `authapp run`, for `python app.py`."""
    main(["run", *sys.argv[1:]])
