"""The declarations: every metric once, with its kind, labels and help. The documentation is made from them.

No label holds a user name, an address or a path: what a label may say is bounded by the code.
"""

from dataclasses import dataclass
from typing import Literal

PREFIX = "authapp_"

Kind = Literal["counter", "gauge", "histogram"]
# `installation`: the same at every node, so take one of them; `node`: of all workers of the node that answers.
About = Literal["installation", "node"]


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric; its name goes without the prefix, and without the `_total` that ends a counter's."""

    name: str
    kind: Kind
    about: About
    help: str
    labels: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """What it is called in Prometheus."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


METRICS = (
    Declared(
        "users", "gauge", "installation",
        "Users: active, inactive, or waiting (they signed up, and nobody has let them in yet).", ("role", "state"),
    ),
    Declared("sessions", "gauge", "installation", "Signed-in browsers."),
    Declared("api_tokens", "gauge", "installation", "API tokens that open something.", ("scope",)),
    Declared(
        "locks", "gauge", "installation",
        "Who has to wait after too many wrong passwords: names from a network (tries), names from everywhere "
        "(account), networks.", ("kind",),
    ),
    Declared(
        "recent_sign_ins", "gauge", "installation",
        "Sign-ins within the last five minutes; HTTP Basic counts when its password is verified anew.",
        ("road", "outcome"),
    ),
    Declared(
        "recent_lockouts", "gauge", "installation",
        "Sign-ins within about the last five minutes that were refused without a look at the password, because "
        "somebody has to wait; a minute late.",
    ),
    Declared("unsealed_audit_entries", "gauge", "installation", "Audit entries that are in no block yet."),
    Declared("unsealed_audit_age_seconds", "gauge", "installation", "The age of the oldest; 0 without one."),
    Declared("nodes", "gauge", "installation", "Nodes that gave a sign of life within a minute.", ("version",)),
    Declared("schema", "gauge", "installation", "The number of the database's schema."),
    Declared("database_bytes", "gauge", "installation", "The size of the database."),
    Declared(
        "info", "gauge", "node", "Always 1; the labels say what answers.", ("version", "database", "mode"),
    ),
    Declared("config_good", "gauge", "node", "1 when the config file as it is now is in force, 0 when it is bad."),
    Declared("config_problems", "gauge", "node", "What is wrong with the config file as it is now."),
    Declared("config_warnings", "gauge", "node", "What works in the config, but should be different."),
    Declared("config_needs_restart", "gauge", "node", "Options that were edited and count from the next start."),
    Declared("start_time_seconds", "gauge", "node", "When the oldest worker was started, in seconds since 1970."),
    Declared("workers", "gauge", "node", "Worker processes."),
    Declared("workers_started", "counter", "node", "Worker processes that were started, replaced ones among them."),
    Declared(
        "requests", "counter", "node",
        "Requests by the view asked for (none: there is nothing at the address, or not for such a request) "
        "and the class of the status.", ("view", "status"),
    ),
    Declared(
        "request_duration_seconds", "histogram", "node",
        "How long views took, from the whole request to the beginning of the answer.", ("view",),
    ),
    Declared(
        "requests_not_taken", "counter", "node",
        "Requests no view saw: cut off on their way (400), too slow (408), too large a head (431), no room (503).",
        ("status",),
    ),
    Declared("threads", "gauge", "node", "Requests that can be answered at once."),
    Declared("threads_busy", "gauge", "node", "Requests that are being answered."),
    Declared("requests_waiting", "gauge", "node", "Requests that wait for a thread."),
    Declared("body_bytes", "gauge", "node", "Bytes of request bodies that are held."),
    Declared("body_bytes_limit", "gauge", "node", "How many may be held."),
    Declared("hashing_places", "gauge", "node", "Passwords that can be hashed at once."),
    Declared("hashing_places_taken", "gauge", "node", "Passwords that are being hashed."),
    Declared("hashing_waiting", "gauge", "node", "Sign-ins that wait for a place to hash."),
)  # fmt: skip


def table() -> str:
    """Return them as tables in Markdown, one for the installation and one for a node."""
    parts = []
    for about, title in (("installation", "Of the installation"), ("node", "Of the node that answers")):
        rows = [f"### {title}\n", "| name | kind | labels | |", "|---|---|---|---|"]
        for one in METRICS:
            if one.about == about:
                labels = ", ".join(f"`{label}`" for label in one.labels)
                rows.append(f"| `{one.full_name}` | {one.kind} | {labels} | {one.help} |")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)
