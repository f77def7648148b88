"""The sign-up page's rule: strangers make themselves a user, and learn nothing about who is there already."""

from datetime import timedelta

from sqlalchemy.orm import Session

from authapp import audit, names, passwords, settings, throttle, user_passwords, users
from authapp.audit import Actor
from authapp.config.live import Snapshot
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.errors import SignUpClosed, TooManyTries
from authapp.models import KnownName, Role, new_id

# Folded names hold no capital letters, so the tries of signing up never count for anybody's account.
ANYBODY = "SIGN-UP"


def sign_up(
    database: Database, snapshot: Snapshot, username: str, password: str, by: Actor, *, full_name: str = ""
) -> None:
    """Make a user who waits for activation, unless `auth.new-user-is-active`.

    A name that anybody bears or ever bore, or that the effective config names, gets the same answer in the same
    time, and makes nothing. Raises SignUpClosed, BadUsername, BadFullName, WeakPassword, TooManyTries.
    """
    effective = snapshot.effective
    if not effective.config.auth.sign_up or effective.config.auth.mode == "none":
        raise SignUpClosed
    name, clean_full_name = names.clean_username(username), names.clean_full_name(full_name)
    bucket = throttle.bucket(effective.secret_key, ANYBODY, by.address)
    with database.reading() as db:  # before the slow look at the password
        _require_a_try(database, by, throttle.has_to_wait(db, effective.config.throttle, bucket, alone=True))
    with passwords.JUDGED.take(known=False):
        user_passwords.policy(effective).require(password, user_passwords.context(effective, name))
    with passwords.SLOTS.take(known=False):
        with database.writing() as db:
            taken = throttle.take(db, effective.config.throttle, bucket, alone=True)
        _require_a_try(database, by, taken.wait)
        password_hash = passwords.hash_password(password)
    with database.writing() as db:
        settings.hold(db)
        active = effective.config.auth.new_user_is_active
        is_reserved = _is_reserved(db, snapshot, name)
        with db.begin_nested() as attempt:
            user = users.add(
                db, new_id() if is_reserved else name, password_hash,
                full_name=clean_full_name, role=Role.USER, is_active=active, signed_up=True,
            )  # fmt: skip
            if is_reserved:
                attempt.rollback()  # after the same work, so that time tells nothing either
        if is_reserved:
            audit.record(db, "user.signed-up", by, outcome="name taken")
        else:
            audit.record(db, "user.signed-up", by, target=user, active=active)


def broken_rules(effective: Effective, username: str, password: str) -> list[str]:
    """Return the texts of the policy's rules that a stranger's password breaks; raises Busy, as signing up does."""
    with passwords.JUDGED.take(known=False):
        return user_passwords.broken_rules(effective, username, password)


def _require_a_try(database: Database, by: Actor, wait: timedelta | None) -> None:
    if wait is not None:
        database.refused.count(throttle.network_of(by.address))
        raise TooManyTries(wait)


def _is_reserved(db: Session, snapshot: Snapshot, username: str) -> bool:
    """Tell whether a name is or was somebody's, or is the owner's as the config has it."""
    key = names.fold(username)
    named = (snapshot.effective.config.server.basic_auth.username, snapshot.given.username)
    return db.get(KnownName, key) is not None or key in {names.fold(name) for name in named if name}
