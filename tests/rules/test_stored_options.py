"""Options that superusers set without the config file."""

from typing import Any

import pytest

from authapp import organization, stored_options
from authapp.audit import Actor
from authapp.config.options import OPTIONS
from authapp.config.overlay import Source
from authapp.errors import BadValue, NoSuchOption, NotAllowed, Pinned, Refused
from authapp.organization import NAME, WORKSPACE_NAME
from tests.world import BOB, CHARLIE, DORA, SHELL, World

# A good text for every option that may be set, and what it means.
GOOD: dict[str, tuple[str, Any]] = {
    "auth.new-user-is-active": ("true", True),
    "auth.sign-up": ("true", True),
    "session.lifetime": ("1h", OPTIONS["session.lifetime"].convert("1h")),
    "session.remember-lifetime": ("60d", OPTIONS["session.remember-lifetime"].convert("60d")),
    "session.idle-timeout": ("90m", OPTIONS["session.idle-timeout"].convert("90m")),
    "password.policy": ("nist", "nist"),
    "password.initial-lifetime": ("24h", OPTIONS["password.initial-lifetime"].convert("24h")),
    "throttle.attempts": ("5", 5),
    "audit.retention": ("90d", OPTIONS["audit.retention"].convert("90d")),
    "throttle.window": ("10m", OPTIONS["throttle.window"].convert("10m")),
    "throttle.lock": ("1h", OPTIONS["throttle.lock"].convert("1h")),
    "throttle.account-attempts": ("20", 20),
    "throttle.network-attempts": ("30", 30),
    "organization.name": ("Looms & Co.", "Looms & Co."),
    "workspace.name": ("Weaving", "Weaving"),
}


def store(world: World, values: dict[str, str], by: Actor = SHELL) -> None:
    """Set options."""
    stored_options.store(world.database, world.app.live, values, by)


def acting(world: World, username: str) -> Actor:
    """Somebody who acts on the admin pages."""
    return Actor("form", world.user(username).id, username)


# -- setting --------------------------------------------------------------------------------------------------


def test_which_options_may_be_set() -> None:
    """Superusers set these options; addresses, secrets and the owner are for the config file alone."""
    assert {key for key, option in OPTIONS.items() if option.settable} == set(GOOD)


@pytest.mark.parametrize("key", GOOD)
def test_an_option_that_is_set_counts(cast: World, key: str) -> None:
    """An option that was set is in force as soon as the app looks again, and stays over a restart."""
    text, value = GOOD[key]
    assert cast.snapshot.effective.get(key) != value
    store(cast, {key: text})
    cast.look()
    assert (cast.snapshot.effective.get(key), cast.snapshot.effective.source_of[key]) == (value, Source.SETTINGS)
    cast.restart()
    assert cast.snapshot.effective.get(key) == value


def test_several_at_once(cast: World) -> None:
    """Several options are set together; organization and workspace bear the new names everywhere."""
    store(cast, {NAME: "Looms & Co.", WORKSPACE_NAME: "Weaving"})
    cast.look()
    assert organization.organization(cast.snapshot.effective)["name"] == "Looms & Co."
    assert organization.workspace(cast.snapshot.effective)["name"] == "Weaving"


def test_setting_is_recorded(cast: World) -> None:
    """The audit table says who set which option, and the row who wrote it last."""
    by = acting(cast, DORA)
    store(cast, {NAME: "Looms & Co."}, by)
    (entry,) = cast.audit("setting.changed")
    assert (entry.actor_id, entry.detail) == (by.user_id, {"key": NAME})
    assert str(by.user_id) in str(cast.tables()["settings"])


def test_what_is_so_already_is_not_recorded(cast: World) -> None:
    """Setting an option to what it was set to already does nothing."""
    store(cast, {NAME: "Looms & Co."})
    before = cast.tables()
    store(cast, {NAME: "Looms & Co."})
    assert cast.tables() == before


# -- what is refused ------------------------------------------------------------------------------------------


def refused(world: World, values: dict[str, str], refusal: type[Refused], by: Actor = SHELL) -> str:
    """Try to set options; return the words of the refusal, after which nothing was written."""
    before = world.tables()
    with pytest.raises(refusal) as raised:
        store(world, values, by)
    assert world.tables() == before
    return str(raised.value)


@pytest.mark.parametrize("key", sorted({*OPTIONS, "", "no.such", "installation", "setup.token"} - set(GOOD)))
def test_what_cannot_be_set(cast: World, key: str) -> None:
    """What is no option, and what only file or environment may give, is refused: secrets, addresses, the owner."""
    said = refused(cast, {NAME: "Looms", key: "value"}, NoSuchOption)
    assert "cannot be set here" in said


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("organization.name", "", "must not be empty"),
        ("organization.name", "x" * 101, "at most 100 characters"),
        ("organization.name", "a\0b", "character"),
        ("organization.name", "a\udc80b", "character"),
        ("session.lifetime", "soon", "duration"),
        ("session.lifetime", "0h", "longer than nothing"),
        ("session.lifetime", "4000d", "at most 3650d"),
        ("throttle.attempts", "0", "at least 1"),
        ("throttle.attempts", "many", "whole number"),
        ("password.policy", "none", "one of"),
        ("auth.sign-up", "perhaps", "true or false"),
    ],
)
def test_a_value_that_does_not_fit(cast: World, key: str, value: str, words: str) -> None:
    """A value that does not fit is refused with the option and the rule, and nothing beside it is written."""
    said = refused(cast, {WORKSPACE_NAME: "Weaving", key: value}, BadValue)
    assert said.startswith(key)
    assert words in said


def test_a_pinned_option_stays(cast: World) -> None:
    """What the config file gives is set nowhere else, and the refusal says where it stands."""
    cast.write_config("organization: {name: Looms}\n")
    said = refused(cast, {WORKSPACE_NAME: "Weaving", NAME: "Other"}, Pinned)
    assert said.startswith("organization.name is supplied by config.yml, line 1")
    assert cast.snapshot.effective.get(NAME) == "Looms"


def test_what_was_set_comes_back(cast: World) -> None:
    """A config file goes before what was set; when its line is taken out, what was set counts again."""
    store(cast, {NAME: "Set here"})
    cast.write_config("organization: {name: In the file}\n")
    assert cast.snapshot.effective.get(NAME) == "In the file"
    cast.write_config("workspace: {name: Weaving}\n")
    assert cast.snapshot.effective.get(NAME) == "Set here"


@pytest.mark.parametrize("name", [BOB, CHARLIE])
def test_only_superusers_set_options(cast: World, name: str) -> None:
    """Nobody sets options who is no active superuser."""
    refused(cast, {NAME: "Looms"}, NotAllowed, acting(cast, name))


# -- forms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "seen", "changes"),
    [
        ("12h", None, False),  # in force already
        ("720m", None, False),  # the same, written otherwise
        ("1h", None, True),
        ("1h", "12h", True),
        ("1h", "60m", False),  # what the form held when it was opened
        ("soon", None, True),  # for `store` to refuse
        ("soon", "soon", False),
    ],
)
def test_what_a_form_changes(cast: World, sent: str, seen: str | None, *, changes: bool) -> None:
    """A form changes what says something else than what is in force, and than what its sender saw in it."""
    key = "session.lifetime"
    found = stored_options.changed(cast.snapshot.effective, {key: sent}, {key: seen} if seen else {})
    assert found == ({key: sent} if changes else {})


@pytest.mark.parametrize("key", ["server.port", "server.secret-key", "no.such"])
def test_what_no_form_changes(cast: World, key: str) -> None:
    """What cannot be set is refused before it is compared with what is in force."""
    with pytest.raises(NoSuchOption):
        stored_options.changed(cast.snapshot.effective, {key: "8080"}, {})


def test_every_refusal_is_told(cast: World) -> None:
    """All that is wrong with several values is told at once, each under its option."""
    cast.write_config("organization: {name: Looms}\n")
    wanted = {NAME: "x", "session.lifetime": "soon", "throttle.attempts": "0", WORKSPACE_NAME: "Weaving"}
    found = stored_options.refusals(cast.app.live, wanted)
    assert {key: type(refusal) for key, refusal in found.items()} == {
        NAME: Pinned,
        "session.lifetime": BadValue,
        "throttle.attempts": BadValue,
    }
