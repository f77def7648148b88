"""Adopting: credentials of file or environment are taken into the Settings table, and make somebody the owner."""

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from authapp import (
    agreement,
    audit,
    clock,
    logins,
    modes,
    names,
    nodes,
    passwords,
    revocation,
    settings,
    throttle,
    user_passwords,
    users,
    withheld,
)
from authapp.audit import Actor
from authapp.config.live import NotNow, Reading
from authapp.config.options import MODE, PASSWORD_KEYS, USERNAME
from authapp.config.overlay import Effective, GivenCredentials, Source
from authapp.database import Database
from authapp.errors import BadUsername, ConfigError, Problem
from authapp.models import Role, User
from authapp.nodes import NOWHERE, Here
from authapp.settings import Credentials, Installation
from authapp.withheld import Withheld


@dataclass(frozen=True, slots=True)
class _Plan:
    """What adopting will change: from the credentials that are stored to those that will be.

    `like`: those that were replaced once and are given again.
    """

    before: Credentials | None
    after: Credentials
    like: tuple[Credentials, ...] = ()


def adopt(
    database: Database,
    reading: Reading,
    *,
    here: Here = NOWHERE,
    from_none: bool = False,
    starts: bool = True,
) -> tuple[Problem, ...]:
    """Take the credentials of file or environment into the Settings table, and lift the owner's lock.

    Compares first, hashes outside the transaction and compares again inside. `here`: the node that adopts.
    `from_none`: people begin to sign in with this; if the credentials are not complete, with the setup wizard.
    `starts`: the first reading counts. A worker's does not: its node has started before, and adopted what was to be
    adopted. Returns what was given and does not count; raises ConfigError when the credentials break a rule. Then
    nothing was written.
    """
    if not (reading.edited or (reading.first and starts)):
        return _check(database, reading, here)
    given = reading.given
    try:
        adopted = (reading.changed or from_none) and bool(given) and _adopt_credentials(database, reading, here)
    except Withheld as found:
        return (found.problem,)
    if from_none and not adopted:
        with database.writing() as db:
            _leave_none(db, settings.hold(db), _by(reading), given.username)
    if given and (adopted or reading.edited):
        _lift_lock(database, reading.effective, _by(reading))
    return () if reading.changed else _check(database, reading, here)


def withheld_at_start(
    database: Database, here: Here, effective: Effective, given: GivenCredentials
) -> Problem | None:
    """Return why a process that starts now would not adopt the credentials, or None. Slow, as hashing is."""
    if effective.config.auth.mode == modes.NONE:
        return None
    return withheld.why(database, here, Reading(effective, given, changed=True, edited=False))


def _check(database: Database, reading: Reading, here: Here) -> tuple[Problem, ...]:
    """Return what was given and does not count, in a process that goes on with what is stored.

    Raises ConfigError in a worker that starts while the credentials break a rule.
    """
    if reading.first:
        _require_good(database, reading.effective, reading.given)
    elif not (reading.edited or reading.changed):
        return ()
    problem = withheld.why(database, here, reading, runs=True)
    return (problem,) if problem else ()


def _require_good(database: Database, effective: Effective, given: GivenCredentials) -> None:
    with database.reading() as db:
        problems = check_against(db, effective, given)
    if problems:
        raise ConfigError(problems)


def _by(reading: Reading) -> Actor:
    """Return who adopts, for the audit table: the layer, and the place in it."""
    now = reading.effective
    key = next(filter(now.pinned, (*PASSWORD_KEYS, USERNAME)), MODE)
    place = now.place_of.get(key)
    return Actor(str(now.source_of.get(key, Source.FILE)), name=place.words if place else "")


def _leave_none(db: Session, installation: Installation | None, by: Actor, username: str | None) -> Installation:
    """Leave mode none in the transaction at hand, unless another process did so already."""
    if installation is None:
        raise NotNow
    if installation.auth_mode == modes.BASIC:
        return installation
    return modes.leave_none(db, installation, by, username)


def _adopt_credentials(database: Database, reading: Reading, here: Here) -> bool:
    """Bring the stored credentials into line with those given; tell whether anything was written."""
    insist = False
    while plan := _plan(database, reading):
        if _carry_out(database, plan, reading, here, insist):
            return True
        insist = reading.given.has_secret  # somebody changed the stored credentials meanwhile; the file wins
    return False


def _plan(database: Database, reading: Reading) -> _Plan | None:
    """Return what is to be changed, or None when it is so already (or half of the pair is still missing)."""
    given = reading.given
    _require_good(database, reading.effective, given)
    with database.reading() as db:
        stored = _stored(db)
        owner = users.find(db, stored.username) if stored else None
    username = given.username if given.username is not None else stored and stored.username
    known = _known_hash(given, stored)
    if not username or not (known or given.password):
        return None
    after = Credentials(names.clean_username(username), known or passwords.hash_password(given.password or ""))
    # A password that stands in the file is the owner's own, also when it was made for them.
    becomes_own = given.has_secret and owner is not None and owner.must_change_password
    if after == stored and not becomes_own:
        return None
    return _Plan(stored, after, () if reading.edited else withheld.replaced_like(database, given))


def check_before(database: Database | None, effective: Effective, given: GivenCredentials) -> list[Problem]:
    """Return what would keep the credentials from being adopted, as far as there is a database to ask."""
    if effective.config.auth.mode == modes.NONE:
        return []  # nobody signs in with them; a rehearsal of mode basic looks
    if database is None:
        return check(effective, given, None)
    with database.reading() as db:
        return check_against(db, effective, given)


def check_against(db: Session, effective: Effective, given: GivenCredentials) -> list[Problem]:
    """Return which rules the given credentials break, beside the users and the credentials that are there."""
    return _check_bearer(db, effective, given) + check(effective, given, _stored(db))


def _stored(db: Session) -> Credentials | None:
    """Return the stored credentials that count; in mode none none do."""
    installation = settings.installation(db)
    return settings.credentials(db) if installation and installation.auth_mode == modes.BASIC else None


def check(effective: Effective, given: GivenCredentials, stored: Credentials | None) -> list[Problem]:
    """Return which rules the given credentials break; a password that was accepted once is not judged again."""
    problems = []
    if given.username is not None:
        try:
            names.clean_username(given.username)
        except BadUsername as error:
            problems.append(Problem(USERNAME, str(error), effective.place_of.get(USERNAME), closes=True))
    username = given.username or (stored.username if stored else "")
    if given.password is None or _known_hash(given, stored):
        return problems
    if user_passwords.broken_rules(effective, username, given.password):
        policy = user_passwords.policy(effective)
        rules = ", ".join(rule.text for rule in policy.rules)
        message = f"the password does not fit the policy '{policy.name}', which asks for: {rules}"
        place = effective.place_of.get(given.secret_key)
        problems.append(Problem(given.secret_key, message, place, closes=True))
    return problems


def _known_hash(given: GivenCredentials, stored: Credentials | None) -> str | None:
    """Return the hash that needs no hashing: the one given, or the stored one if the password belongs to it."""
    if given.password_hash is not None:
        return given.password_hash
    if stored and (given.password is None or agreement.has_secret_of(given, stored)):
        return stored.password_hash
    return None


def _check_bearer(db: Session, effective: Effective, given: GivenCredentials) -> list[Problem]:
    """Refuse a lone name that another user has: only with a password does that user become the owner.

    Whoever signed up with it is put aside anyway, and must not be able to make an edit fail.
    """
    bearer = users.find(db, given.username) if given.username and not given.has_secret else None
    if bearer is None or bearer.signed_up or users.is_owner(db, bearer.id) or modes.default_user(db):
        return []
    message = "another user has this name; give a password too, and that user becomes the owner"
    return [Problem(USERNAME, message, effective.place_of.get(USERNAME), closes=True)]


def _carry_out(database: Database, plan: _Plan, reading: Reading, here: Here, insist: bool) -> bool:
    """Write the plan in one transaction; False when the stored credentials are not those it was made for.

    `insist`: write it even then. Raises Withheld.
    """
    with database.writing() as db:
        by, held = _by(reading), settings.hold(db)
        stored = _stored(db)
        if stored != plan.before and not (insist and stored != plan.after):
            return False
        if stored is not None:
            withheld.require_new(db, here, reading, stored, plan.after, plan.like)
        installation = _leave_none(db, held, by, plan.after.username)
        owner = _make_owner(db, installation, plan.after.username, by)
        if reading.given.has_secret:
            owner.initial_password_at = None
        settings.store_credentials(db, plan.after)
        nodes.write_adopted(db, here, reading.effective, reading.given, plan.after)
        _complete_setup(db, installation, owner)
        revocation.end_all(db, owner.id)
        if plan.before is not None:
            owner.recovered_at = clock.now()
        renamed = plan.before is not None and plan.before.username != plan.after.username
        audit.record(db, "credentials.adopted", by, target=owner, renamed=renamed, first=plan.before is None)
    return True


def _make_owner(db: Session, installation: Installation, username: str, by: Actor) -> User:
    """Return the user who is the owner from now on, under this name.

    A rename keeps the owner's row. If somebody else bears the name, that user becomes the owner, and the
    former owner stays a superuser, without a password until one is set. But whoever made themselves by signing
    up is put aside: a stranger must not become the owner by guessing the name.
    """
    owner = db.get(User, installation.owner_id) if installation.owner_id else None
    bearer = users.find(db, username)
    if bearer is not None and bearer is not owner and bearer.signed_up:
        users.put_aside(db, bearer, by)
    elif bearer is not None and bearer is not owner:
        if owner is not None:
            revocation.end_all(db, owner.id)
            audit.record(db, "owner.replaced", by, target=owner)
        owner = bearer
    if owner is None:
        owner = users.add(db, username, None, user_id=installation.owner_id, is_active=True, role=Role.ADMIN)
    users.call(db, owner, username)
    owner.is_active, owner.role, owner.password_hash = True, Role.ADMIN, None
    return owner


def _complete_setup(db: Session, installation: Installation, owner: User) -> None:
    """Record who the owner is and that setup is over; the setup tokens go with it."""
    completed_at = installation.setup_completed_at or clock.now().isoformat()
    settings.store_installation(db, replace(installation, owner_id=owner.id, setup_completed_at=completed_at))
    settings.remove(db, settings.SETUP_TOKEN)


def found(db: Session, installation: Installation, credentials: Credentials, by: Actor) -> User:
    """Make the first owner: user, credentials and the end of setup, in the transaction at hand."""
    owner = _make_owner(db, installation, credentials.username, by)
    owner.initial_password_at = None  # theirs, however the user came by it
    settings.store_credentials(db, credentials, by=owner.id)
    _complete_setup(db, installation, owner)
    return owner


def _lift_lock(database: Database, effective: Effective, by: Actor) -> None:
    """Forget the owner's wrong tries: whoever can edit the file need not wait."""
    with database.reading() as db:
        credentials = settings.credentials(db)
    if credentials is None:
        return
    bucket = logins.bucket_of(effective, credentials.username, "")
    with database.writing() as db:
        if throttle.lift(db, bucket.account, networks=True):
            audit.record(db, audit.UNLOCKED, by, target=users.find(db, credentials.username))
