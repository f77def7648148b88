"""What every test would make anew, though it is the same each time: compiled templates, addresses and queries.

They are kept once a process: making them took more than half of the time of the tests of pages.
"""

import functools
from collections.abc import Callable
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import create_engine
from werkzeug.routing import Rule

from authapp import database
from authapp.base import Base
from authapp.web.state import App


class KeptTemplates(BytecodeCache):
    """Jinja's cache of compiled templates, in memory; a template that changed is compiled anew."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket with what was compiled before, if anything was."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        assert bucket.code is not None
        self._codes[bucket.key, bucket.checksum] = bucket.code


class KeptQueries(dict[Any, Any]):
    """SQLAlchemy's cache of compiled queries, for all engines: those of one kind of database compile alike.

    SQLAlchemy puts the engine's own dialect in front of each key; here stands the name of its kind.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        """Return what was compiled before, if anything was."""
        return super().get((key[0].name, *key[1:]), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        """Keep what was compiled."""
        super().__setitem__((key[0].name, *key[1:]), compiled)


def share_between_apps() -> None:
    """Let the apps of this process share what is the same for all of them."""
    App.jinja_options = {**App.jinja_options, "bytecode_cache": KeptTemplates()}
    kept = KeptQueries()
    sharing = functools.partial(create_engine, execution_options={"compiled_cache": kept})
    database.create_engine = sharing  # type: ignore[attr-defined]  # not offered to others, but what is called
    for mapper in Base.registry.mappers:  # what a session writes is compiled into a cache of each table's
        mapper._compiled_cache = kept
    Rule._compile_builder = _kept(Rule._compile_builder)  # type: ignore[method-assign]  # the one place to keep them


def _kept(compile_builder: Callable[[Rule, bool], Any]) -> Callable[..., Any]:
    """Keep the functions that build addresses: each takes its rule as an argument, so equal rules share one."""
    kept: dict[Any, Any] = {}

    @functools.wraps(compile_builder)
    def compiled(rule: Rule, append_unknown: bool = True) -> Any:
        # Everything that Werkzeug reads to write such a function.
        key = (rule.rule, repr(rule.defaults), rule.subdomain, rule.host, rule.map.host_matching, append_unknown)
        if key not in kept:
            kept[key] = compile_builder(rule, append_unknown)
        return kept[key]

    return compiled
