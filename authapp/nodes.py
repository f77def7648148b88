"""The nodes that serve an installation: which are alive, and whether what they were given agrees."""

import json
import os
import socket
from datetime import timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from authapp import __version__, clock, settings, tokens
from authapp.config.options import OPTIONS, PASSWORD_KEYS, USERNAME
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.errors import Problem
from authapp.models import Node

BEAT = timedelta(seconds=10)  # between two signs of life
LIVE = timedelta(seconds=60)  # after which a silent node counts as gone
KEPT = timedelta(days=1)
PURPOSE = "authapp/nodes/v1"
# Each node has its own; and a fast hash of a password must not stand in the database, whatever its key.
OWN = {"server.host", "server.port", "server.workers", "log.level", "log.format", "database.url"}
NOT_COMPARED = OWN | {USERNAME, *PASSWORD_KEYS}


def beat(database: Database, node_id: str, effective: Effective) -> None:
    """Say that a node is alive and what it was given, and forget those that were silent for a day."""
    with database.writing() as db:
        now, key = clock.now(), settings.stored_secret_key(db) or ""
        node = db.get(Node, node_id) or Node(id=node_id, started_at=now, host=socket.gethostname()[:255])
        node.last_seen_at, node.pid, node.version = now, os.getpid(), __version__
        node.hashed_under, node.given = tokens.fingerprint(key), hashes(effective, key)
        db.add(node)
        db.execute(delete(Node).where(~Node.last_seen_at.between(now - KEPT, now + KEPT)))


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


def check(db: Session, effective: Effective, node_id: str = "") -> list[Problem]:
    """Return which options other live nodes were given otherwise, and which nodes these are; never a value."""
    key = settings.stored_secret_key(db) or ""
    mine, under = hashes(effective, key), tokens.fingerprint(key)
    others = [node for node in live(db) if node.id != node_id and node.hashed_under == under]
    return [
        Problem(name, f"the node {node.host} (process {node.pid}) was given another value, or none")
        for node in others
        for name in sorted(mine.keys() | node.given.keys())
        if mine.get(name) != node.given.get(name)
    ]
