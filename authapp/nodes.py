"""The nodes that serve an installation: which are alive, and whether what they were given agrees."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from authapp import __version__, agreement, clock, settings, tokens
from authapp.config.live import Snapshot
from authapp.config.options import OPTIONS, PASSWORD_KEYS, USERNAME
from authapp.config.overlay import Effective, GivenCredentials
from authapp.database import Database
from authapp.errors import Problem
from authapp.models import Node, new_id
from authapp.paths import Locations
from authapp.settings import Credentials

BEAT = timedelta(seconds=10)  # between two signs of life
LIVE = timedelta(seconds=60)  # after which a silent node counts as gone
KEPT = timedelta(days=1)
PURPOSE = "authapp/nodes/v1"
# Each node has its own; and a fast hash of a password must not stand in the database, whatever its key.
OWN = {"server.host", "server.port", "server.workers", "log.level", "log.format", "database.url"}
NOT_COMPARED = OWN | {USERNAME, *PASSWORD_KEYS}
KEYS = {agreement.NAME: USERNAME, agreement.SECRET: PASSWORD_KEYS[0]}


@dataclass(frozen=True, slots=True)
class Here:
    """Where a process runs: the machine, the config file, and the node it is part of.

    `id` is empty where it is part of none, as a command is.
    """

    host: str = ""
    config_file: str = ""
    id: str = ""
    pid: int = 0

    @classmethod
    def of(cls, locations: Locations) -> "Here":
        """Return where this process runs."""
        return cls(socket.gethostname()[:255], str(locations.config_file))

    @classmethod
    def new_node(cls, locations: Locations) -> "Here":
        """Return a node that begins with this process."""
        here = cls.of(locations)
        return cls(here.host, here.config_file, new_id(), os.getpid())

    def has_file_of(self, node: Node) -> bool:
        """Tell whether a node reads this very config file, as the same server did before it was restarted."""
        return (node.host, node.config_file) == (self.host, self.config_file)

    def is_part_of(self, node: Node) -> bool:
        """Tell whether this process is part of a node; a command is, of each that reads its config file."""
        return node.id == self.id if self.id else self.has_file_of(node)


NOWHERE = Here()


@dataclass(frozen=True, slots=True)
class Compared:
    """What a node says of the credentials it was given, and which stored ones it compared them with."""

    stored: Credentials | None
    said: dict[str, Any] | None


def compare(database: Database, snapshot: Snapshot) -> Compared:
    """Compare the credentials a node was given with the stored ones. Slow, as hashing is."""
    with database.reading() as db:
        stored = settings.credentials(db)
    if stored is None or snapshot.closed:
        return Compared(stored, None)
    differ = agreement.differing(snapshot.given, stored)
    return Compared(stored, agreement.statement(snapshot.given, stored, differ))


def beat(database: Database, here: Here, effective: Effective, compared: Compared | None = None) -> None:
    """Say that a node is alive and what it was given, and forget those that were silent for a day.

    What was `compared` is left out when other credentials are stored by now: whoever stored them may have written
    what holds with them.
    """
    with database.writing() as db:
        node = write(db, here, effective)
        if compared and compared.stored == settings.credentials(db):
            node.agreement = compared.said
        now = clock.now()
        db.execute(delete(Node).where(~Node.last_seen_at.between(now - KEPT, now + KEPT)))


def write(db: Session, here: Here, effective: Effective) -> Node:
    """Write a node's row, in the transaction at hand, and return it."""
    now, key = clock.now(), settings.stored_secret_key(db) or ""
    node = db.get(Node, here.id) or Node(id=here.id, started_at=now)
    node.host, node.pid, node.config_file = here.host, here.pid, here.config_file
    node.last_seen_at, node.version = now, __version__
    node.hashed_under, node.given = tokens.fingerprint(key), hashes(effective, key)
    db.add(node)
    return node


def write_adopted(
    db: Session, here: Here, effective: Effective, given: GivenCredentials, stored: Credentials
) -> None:
    """Write with the transaction that adopts that this node's credentials are those that count."""
    # A worker may be the first to see an edit, but it adds no row: its node may be stopping.
    if here.id and (here.pid == os.getpid() or db.get(Node, here.id) is not None):
        write(db, here, effective).agreement = agreement.statement(given, stored)


def leave(database: Database, node_id: str) -> None:
    """Take a node that stops out of the list."""
    with database.writing() as db:
        db.execute(delete(Node).where(Node.id == node_id))


def hashes(effective: Effective, key: str) -> dict[str, str]:
    """Return a keyed hash of each option that file or environment give and that has to agree, never its value."""
    derived = tokens.derive_key(key, PURPOSE)
    compared = sorted(name for name in effective.values if effective.pinned(name) and name not in NOT_COMPARED)
    return {name: tokens.keyed_hash(derived, f"{name}={_text(name, effective.values[name])}") for name in compared}


def _text(name: str, value: Any) -> str:
    """Return a value as text; pydantic would write every secret as the same stars."""
    return value.get_secret_value() if isinstance(value, SecretStr) else json.dumps(OPTIONS[name].to_json(value))


def live(db: Session) -> list[Node]:
    """Return the nodes that gave a sign of life within the last minute, the oldest first."""
    now = clock.now()  # a node whose clock was ahead is not alive until then
    seen = select(Node).where(Node.last_seen_at.between(now - LIVE, now + LIVE))
    return list(db.scalars(seen.order_by(Node.started_at, Node.id)))


def let_all_be_silent(db: Session) -> None:
    """Let no node seem to be alive."""
    db.execute(update(Node).values(last_seen_at=clock.now() - 2 * LIVE))


def named(node: Node) -> str:
    """Return what a node is called in a sentence: two on one machine are told apart by the file they read."""
    file = f"{node.config_file}, " if node.config_file else ""
    return f"the node {node.host} ({file}process {node.pid})"


def given_the_stored(db: Session, here: Here, stored: Credentials, parts: frozenset[str]) -> Node | None:
    """Return a live node with another config file that was given one of these parts as it is stored."""
    for node in live(db):
        said = _said(node, stored)
        if not here.has_file_of(node) and any(said.get(part) for part in parts):
            return node
    return None


def _said(node: Node, stored: Credentials | None) -> dict[str, bool]:
    """Return which parts of the credentials a node was given, and whether they are the stored ones."""
    found = dict(node.agreement or {})
    return found if stored and found.pop(agreement.PAIR, "") == agreement.digest(stored) else {}


def check(db: Session, effective: Effective, here: Here = NOWHERE) -> list[Problem]:
    """Return which options other live nodes were given otherwise, and which nodes these are; never a value."""
    key, stored = settings.stored_secret_key(db) or "", settings.credentials(db)
    mine, under = hashes(effective, key), tokens.fingerprint(key)
    others = [node for node in live(db) if not here.is_part_of(node)]
    return [
        problem
        for node in others
        for problem in (*_other_options(node, mine, under), *_other_credentials(node, stored))
    ]


def _other_options(node: Node, mine: dict[str, str], under: str) -> Iterator[Problem]:
    if node.hashed_under == under:
        for name in sorted(mine.keys() | node.given.keys()):
            if mine.get(name) != node.given.get(name):
                yield Problem(name, f"{named(node)} was given another value, or none")


def _other_credentials(node: Node, stored: Credentials | None) -> Iterator[Problem]:
    for part, is_stored in _said(node, stored).items():
        if not is_stored:
            yield Problem(KEYS[part], f"{named(node)} was given another value than the one that counts")
