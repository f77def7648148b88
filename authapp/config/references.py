"""`${NAME}` and `${NAME:default}` in a config file: replaced by environment variables."""

import re

from authapp.config.options import OPTIONS, PASSWORD_KEYS, SECRET_KEY
from authapp.variables import Variables

REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)(?::([^}]*))?\}", re.ASCII)
REFERENCE_OR_ESCAPE = re.compile(rf"\$\$\{{|{REFERENCE.pattern}", re.ASCII)
# A secret is the text that was typed, whatever is in it, unless it is nothing but one reference.
ONLY_WHOLE = {*PASSWORD_KEYS[:2], SECRET_KEY}


class NotSet(Exception):
    """A variable without a default is not set, or cannot be used as it is written."""


def resolve(key: str, text: str, variables: Variables) -> str:
    """Return an option's text with its references replaced, and `$${` as `${`; every other `$` stays.

    Raises NotSet.
    """

    def replacement(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        variable = variables.get(found[1])
        damaged = variable is not None and (variable.trouble or (variable.cut and OPTIONS[key].secret))
        if damaged or (variable is None and found[2] is None):
            raise NotSet
        return variable.text if variable is not None else found[2]

    if key in ONLY_WHOLE:
        whole = REFERENCE.fullmatch(text)
        return replacement(whole) if whole else text
    return REFERENCE_OR_ESCAPE.sub(replacement, text)
