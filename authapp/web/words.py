"""What the entries of the audit table are called on pages."""

from collections.abc import Mapping
from datetime import datetime

from authapp.audit import API, BASIC, MODE_NONE, SIGN_IN, SUCCESS, LastSignIn
from authapp.models import AuditEntry
from authapp.throttle import NETWORK

# How a program signed in, by its road.
PROGRAMS = {"basic": "A program signed in with HTTP Basic", "api": "A program signed in with a JWT"}
# `event outcome`, or the event alone for every outcome.
EVENTS = {
    "audit.cut": "Old entries cut off",
    "audit.key-made": "A key to seal entries was made",
    "audit.exported": "Exported the audit table",
    "credentials.adopted": "Credentials taken from config file or environment",
    "database.restored": "A backup was put in place of everything",
    "installation.created": "The installation was made",
    "mode.changed": "The mode was changed",
    "owner.replaced": "Not the owner any more: config file or environment name another user",
    "owner.restored": "The owner's missing row was made again",
    "password.proved": "Proved the password for a change",
    "recovery.reviewed": "Looked through the superusers after a recovery",
    "secret-key.changed": "Another secret key: everybody was signed out",
    "secret-key.rotated": "New secret key: everybody was signed out",
    "session.all-ended": "All sessions ended",
    "session.ended": "A session was ended",
    "session.everybodys-ended": "Everybody's sessions ended",
    "setting.changed": "Setting changed",
    "setting.reset": "Setting back to its default",
    "setup.completed": "Finished the setup",
    "setup-token.created": "Made a setup token",
    "sign-in success": "Signed in",
    "sign-in expired": "Refused: the initial password had expired",
    "sign-in inactive": "Refused: right password, but not active",
    "sign-in wrong": "Refused: wrong password",
    "sign-in.locked": "Locked: too many wrong passwords",
    "sign-in.refused": "Refused within a minute: too many tries",
    "sign-in.unlocked": "Unlocked",
    "sign-out": "Signed out",
    "token.all-revoked": "All tokens revoked",
    "token.created": "Made an API token",
    "token.everybodys-revoked": "Everybody's tokens revoked",
    "token.revoked": "A token was revoked",
    "user.activated": "Activated",
    "user.created": "Created",
    "user.deactivated": "Deactivated",
    "user.deleted": "Deleted",
    "user.demoted": "Superuser role taken away",
    "user.edited": "Full name changed",
    "user.password-changed": "Password changed",
    "user.password-reset": "Password reset",
    "user.promoted": "Made superuser",
    "user.put-aside": "Renamed and deactivated: the owner took the name",
    "user.signed-up": "Signed up",
}
# What an event is called where all of its outcomes are meant.
KINDS = {event: words for event, words in EVENTS.items() if " " not in event} | {SIGN_IN: "Signed in, or tried to"}
OUTCOMES = {
    SUCCESS: "Success",
    "wrong": "Wrong password",
    "inactive": "Not active",
    "expired": "Expired",
    "locked": "Locked",
    "name taken": "Name taken",
}
ROADS = {
    "form": "Page",
    "api": "API",
    "basic": "HTTP Basic",
    "setup": "Setup",
    MODE_NONE: "Mode none",
    "command line": "Command line",
    "config file": "Config file",
    "environment": "Environment",
    "authapp": "authapp",
}
# The roads of those who are nobody known yet.
VISITORS = ("form", BASIC, API)


def happening(entry: AuditEntry) -> str:
    """Say what an entry of the audit table is about."""
    detail = entry.detail or {}
    if entry.event == "user.edited" and detail.get("before") != entry.target:
        return f"Renamed, before: {detail.get('before')}"
    if entry.event == "sign-in.locked" and detail.get("count") == NETWORK:
        return "Locked everybody new in the network: too many wrong passwords"
    said = EVENTS.get(f"{entry.event} {entry.outcome}") or EVENTS.get(entry.event, entry.event)
    if (entry.event, entry.outcome) == (SIGN_IN, SUCCESS):
        said = PROGRAMS.get(entry.road, said)
    named = detail.get("key") or (detail.get("name") if entry.event.startswith("token.") else None)
    if entry.event == "sign-in.refused":
        return f"{said} ({detail.get('count')})"
    return f"{said}: {named}" if named else said


def doer(entry: AuditEntry) -> str:
    """Say who did what an entry of the audit table is about."""
    if entry.actor_id or entry.road not in VISITORS:
        return entry.actor or ROADS.get(entry.road, entry.road)
    return "a visitor"


def meant(entry: AuditEntry) -> str:
    """Say to whom it was done; empty when that is who did it, or nobody."""
    if entry.target_id is None:
        # A name nobody bears is written down as a hash: people type passwords there.
        return "a name nobody has" if entry.target else ""
    return entry.target if entry.target_id != entry.actor_id else ""


def choices(known: Mapping[str, str], chosen: str) -> list[tuple[str, str]]:
    """Return what a list offers, by its words; whatever an address asks for is among them."""
    return sorted({**({chosen: chosen} if chosen else {}), **known}.items(), key=lambda one: one[1].casefold())


def moment(value: datetime | None) -> str:
    """Return a moment as the command line writes it, which pages show until the browser has made it local."""
    return value.strftime("%Y-%m-%d %H:%M UTC") if value else ""


def last_sign_in(last: LastSignIn) -> str:
    """Say when and where somebody signed in last, and what failed since; empty when there is nothing to say."""
    told = ""
    if last.at:
        told = f"Your last sign-in was on {moment(last.at)}{f', from {last.address}' if last.address else ''}. "
    return f"{told}{failures(last)}".strip()


def failures(last: LastSignIn) -> str:
    """Say how many tries failed since the last sign-in; empty when none did."""
    if not last.failures:
        return ""
    tries = "A try" if last.failures == 1 else f"{last.failures} tries"
    return f"{tries} to sign in as you failed {'since then' if last.at else 'before this'}."
