"""Log lines of failed sign-ins, as fail2ban reads them with the filter that the documentation ships."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.web.program import by_basic
from tests.world import BOB, CHARLIE, PASSWORD, World

DOCUMENT = Path(__file__).parents[2] / "docs" / "fail2ban.md"
# What fail2ban 1.0.2 puts in place of <HOST> (server/failregex.py, server/ipdns.py).
IP4 = r"(?:::f{4,6}:)?(?P<ip4>(?:\d{1,3}\.){3}\d{1,3})"
IP6 = r"(?P<ip6>(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|(?<=:):))"
HOST = rf"(?:\[?(?:{IP4}|{IP6})\]?|(?P<dns>[\w\-.^_]*\w))"
# It takes the moment out of a line that it reads from a file, and leaves it in one from the journal.
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
FORGED = "203.0.113.66"
REST = f"address='{FORGED}' authentication_failed=True reason='wrong' road='form'"
JSON_REST = '"authentication_failed": true, "event": "sign-in failed", "level": "warning", "timestamp": "2026"}'
FORGERIES = [
    f"bob' {REST}",
    f"2026-11-26T06:54:23.418440Z [warning  ] sign-in failed   {REST}",
    f'{{"address": "{FORGED}", "road": "form", "reason": "wrong", {JSON_REST}',
]
# Not Referer: a form that comes from another site is refused before anybody guesses.
HEADERS = ("USER_AGENT", "X_FORWARDED_FOR", "X_REQUEST_ID", "ACCEPT_LANGUAGE")
TRIES = 12  # more than the throttle lets through
BREAKS = ["\n", "\r\n", "\r", "\x1b[2K\x1b[1G", "\u2028", '"\n', "'\n"]

each_format = pytest.mark.parametrize("form", ["console", "json"])
each_forgery = pytest.mark.parametrize("line", FORGERIES, ids=["part", "console", "json"])


def filters() -> list[re.Pattern[str]]:
    """Return the expressions of the document, as fail2ban compiles them."""
    found = re.search(r"^failregex = (.+\n(?: +.+\n)*)", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return [re.compile(line.strip().replace("<HOST>", HOST), re.MULTILINE) for line in found[1].splitlines()]


def banned(text: str) -> list[str]:
    """Return the addresses that a log gives to fail2ban, whether the moments are taken out or not."""
    found = []
    for line in text.split("\n"):
        ways = [line, MOMENT.sub("", line, count=1), f"host authapp[17]: {line}"]
        matches = [[one for one in (rule.search(way) for rule in filters()) if one] for way in ways]
        assert len({len(each) for each in matches}) == 1, line
        found += [one["ip4"] or one["ip6"] for one in matches[0]]
    return found


def logged(world: World, form: str, capfd: pytest.CaptureFixture[str], act: Callable[[], object]) -> str:
    """Return what an app that logs in one of the two formats writes while somebody acts."""
    world.write_config(f"log:\n  format: {form}\n")
    world.add_cast()
    capfd.readouterr()
    act()
    return capfd.readouterr().err


@each_format
def test_wrong_passwords_are_found(world: World, capfd: pytest.CaptureFixture[str], form: str) -> None:
    """A wrong password on the page, with HTTP Basic, and an unknown name each give fail2ban the address."""

    def guess() -> None:
        world.browser().sign_in(BOB, "wrong")
        world.browser().sign_in("nobody", "wrong")
        by_basic(world, BOB, "wrong").get("/audit")

    assert banned(logged(world, form, capfd, guess)) == ["127.0.0.1"] * 3


@each_format
def test_locked_tries_are_found(world: World, capfd: pytest.CaptureFixture[str], form: str) -> None:
    """Whoever goes on after being made to wait is still found."""

    def guess() -> None:
        for _ in range(TRIES):
            world.browser().sign_in(BOB, "wrong")

    written = logged(world, form, capfd, guess)
    assert "locked" in written
    assert banned(written) == ["127.0.0.1"] * TRIES


@each_format
def test_addresses_of_ipv6_are_found(world: World, capfd: pytest.CaptureFixture[str], form: str) -> None:
    """An IPv6 address is found whole."""

    def guess() -> None:
        browser = world.browser()
        browser.client.environ_base["REMOTE_ADDR"] = "2001:db8::7"
        browser.sign_in(BOB, "wrong")

    assert banned(logged(world, form, capfd, guess)) == ["2001:db8::7"]


@each_format
def test_right_passwords_are_not_found(world: World, capfd: pytest.CaptureFixture[str], form: str) -> None:
    """A sign-in that works, and one of somebody who only waits to be activated, give fail2ban nothing."""

    def enter() -> None:
        world.browser().sign_in(BOB, PASSWORD)
        world.browser().sign_in(CHARLIE, PASSWORD)

    written = logged(world, form, capfd, enter)
    assert "inactive" in written
    assert banned(written) == []


@each_format
@each_forgery
def test_forged_user_names(world: World, capfd: pytest.CaptureFixture[str], form: str, line: str) -> None:
    """A user name that looks like a line of the log bans nobody but who sent it, and is not logged at all."""

    def forge() -> None:
        for sign in ("", "\n", "\x1b[2K"):
            world.browser().sign_in(f"x{sign}{line}", "wrong")

    written = logged(world, form, capfd, forge)
    assert banned(written) == ["127.0.0.1"] * 3
    assert FORGED not in written


@each_format
@each_forgery
def test_forged_paths(world: World, capfd: pytest.CaptureFixture[str], form: str, line: str) -> None:
    """A path that looks like a line of the log is logged as what it is, and bans nobody."""

    def forge() -> None:
        for sign in BREAKS:
            world.browser().get(f"/{quote(sign + line)}")

    written = logged(world, form, capfd, forge)
    assert written.count(FORGED) >= len(BREAKS)
    assert banned(written) == []
    assert not any(sign in written for sign in "\r\x1b")


@each_format
@each_forgery
def test_forged_headers(world: World, capfd: pytest.CaptureFixture[str], form: str, line: str) -> None:
    """A User-Agent or another header that looks like a line of the log bans nobody but who guesses."""

    def forge() -> None:
        browser = world.browser()
        browser.client.environ_base.update({f"HTTP_{name}": line for name in HEADERS})
        browser.sign_in(BOB, "wrong")

    assert banned(logged(world, form, capfd, forge)) == ["127.0.0.1"]


@each_format
def test_each_format_has_its_expression(world: World, capfd: pytest.CaptureFixture[str], form: str) -> None:
    """Each format is found by exactly one of the document's expressions."""
    lines = logged(world, form, capfd, lambda: world.browser().sign_in(BOB, "wrong")).split("\n")
    found = [any(rule.search(line) for line in lines) for rule in filters()]
    assert found == [form == "console", form == "json"]


@pytest.mark.parametrize("number", [0, 1])
def test_the_documents_lines(number: int) -> None:
    """The lines that the document shows are found by its own expressions."""
    shown = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if MOMENT.search(line)]
    assert banned(shown[number]) == ["192.0.2.7"]


def test_the_forgeries_would_count() -> None:
    """Lines that are forged here would ban somebody, if they could begin a line of the log."""
    assert banned("\n".join(FORGERIES)) == [FORGED] * 2
