"""The commented example config file, made from the declarations of the options."""

import json
from datetime import timedelta
from typing import Any

from authapp.config.options import OPTIONS, Option
from authapp.config.types import duration_text

HEAD = """\
# authapp's config file. What stands here always wins over the environment and over what the database says,
# and an edit counts within a second; only what is marked (restart) is read once, at start.
# docs/options.md tells more of each option. ${NAME:default} is the environment variable NAME.
#
# Every option is commented out and shows its default, or an example. Quote passwords: '…'
"""
# Options without a default of their own that would show anything, or whose default depends on the machine.
SAMPLES = {
    "server.workers": "2",
    "server.public-url": "https://auth.example.com",
    "server.secret-key": "'at least 16 characters'",
    "server.basic-auth.username": "admin@example.com",
    "server.basic-auth.password": "'a password that fits the policy'",
    "server.basic-auth.password-hash": "'$argon2id$…'",
    "server.basic-auth.password-file": "/run/secrets/authapp-password",
    "database.url": "postgresql://authapp@localhost/authapp",
    "log.format": "json",
}


def example() -> str:
    """Return the text of `config.yml.example`."""
    lines = [HEAD]
    written: list[str] = []
    for key, option in OPTIONS.items():
        if key == "server.basic-auth.enabled":
            continue  # understood for those who move in, not to be written
        *sections, name = key.split(".")
        for depth, section in enumerate(sections):
            if (path := ".".join(sections[: depth + 1])) not in written:
                lines += [""] * (depth == 0) + [f"{'  ' * depth}{section}:"]
                written.append(path)
        indent = "  " * len(sections)
        lines += [f"{indent}# {option.help}{' (restart)' if option.restart else ''}"]
        lines += [f"{indent}#{name}: {_sample(key, option)}"]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def default_text(option: Option) -> str:
    """Return an option's default as it is written in a config file; empty when there is none."""
    return "" if option.default in (None, ()) else _yaml(option.default)


def _sample(key: str, option: Option) -> str:
    return SAMPLES.get(key) or _yaml(option.default)


def _yaml(value: Any) -> str:
    if isinstance(value, timedelta):
        return duration_text(value)
    return json.dumps(value) if isinstance(value, bool | tuple) else str(value)
