"""The database and the clock."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from authapp import clock
from authapp.database import Database
from authapp.doctor.case import DATABASE, Case
from authapp.doctor.finding import Finding, bad, look, ok
from authapp.models import AuditEntry, Setting, SignedIn, User

CLOCK = "clock"
NETWORK = re.compile(r"nfs\d*|cifs|smb\w*|9p|ceph|glusterfs|lustre|afs|fuse(\..+)?")
RECORDED = (AuditEntry.at, SignedIn.last_seen_at, User.last_login_at, User.created_at, Setting.updated_at)
APART = timedelta(seconds=60)
SANE_YEARS = range(2025, 2100)
SET_THE_CLOCK = "set the clock, and let a time service keep it (timedatectl set-ntp true)"


def database(case: Case) -> Iterator[Finding]:
    """Say which database it is, whether it can be used, and whether it is whole."""
    yield case.opening
    if case.sqlite is not None:
        kind = case.machine.file_system_of(case.sqlite)
        if NETWORK.fullmatch(kind):
            found = f"SQLite's file is on a network file system ({kind}), where locks may not hold"
            yield look(DATABASE, found, "move it to a local disk, or use PostgreSQL (database.url)")
    if case.database and case.sqlite is not None:
        yield from _whole(case.database)


def _whole(database: Database) -> Iterator[Finding]:
    with database.reading() as db:
        answer = str(db.execute(text("PRAGMA quick_check(1)")).scalar())
    if answer != "ok":
        yield bad(DATABASE, "the file is damaged (PRAGMA quick_check)", "stop authapp and restore a backup")


def time(case: Case) -> Iterator[Finding]:
    """Compare the clock with what the database has seen, and with the database server's."""
    now = clock.now()
    troubles = [*_sane(now), *(_compared(case.database, now) if case.database else ())]
    yield from troubles or [ok(CLOCK, f"{now:%Y-%m-%d %H:%M} UTC")]


def _sane(now: datetime) -> Iterator[Finding]:
    if now.year not in SANE_YEARS:
        yield bad(CLOCK, f"this machine is in the year {now.year}", SET_THE_CLOCK)


def _compared(database: Database, now: datetime) -> Iterator[Finding]:
    with database.reading() as db:
        newest = max(
            (moment for column in RECORDED if (moment := db.scalar(select(func.max(column))))), default=now
        )
        apart = timedelta() if database.is_sqlite else abs(_of_server(db) - clock.now())
    if newest - now > APART:
        found = f"the database has seen {newest:%Y-%m-%d %H:%M} UTC already: the clock went back"
        yield bad(CLOCK, found, SET_THE_CLOCK)
    if apart > APART:
        found = f"the database server's clock is {round(apart.total_seconds())} seconds apart from this one"
        yield look(CLOCK, found, SET_THE_CLOCK)


def _of_server(db: Session) -> datetime:
    moment: datetime = db.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment
