"""What the log tells of somebody who tries what they may not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.world import BOB, PASSWORD, World, signed_in

Do = Callable[[World], TestResponse]
TRIES: dict[str, tuple[int, Do]] = {
    "an admin page": (403, lambda world: signed_in(world, BOB).get("/admin/users")),
    "the API for superusers": (403, lambda world: signed_in(world, BOB).get("/api/v1/users")),
    "the API without credentials": (401, lambda world: world.browser().get("/api/v1/users")),
    "no CSRF token": (400, lambda world: world.browser().client.post("/logout")),
    "another site": (403, lambda world: world.browser().client.post("/login", headers={"Origin": "http://evil"})),
    "a foreign host": (421, lambda world: world.browser().get("/login", headers={"Host": "evil.example"})),
    "a wrong method": (405, lambda world: world.browser().client.open("/login", method="TRACE")),
    "setup once more": (404, lambda world: world.browser().client.post("/setup")),
}


def lines(world: World, capfd: pytest.CaptureFixture[str], do: Do) -> list[dict[str, Any]]:
    """Return what was logged of the last request, as a machine reads it."""
    world.restart()  # so that it logs to what is captured here
    path = do(world).request.path
    found = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    return [line for line in found if line.get("path") == path]


@pytest.mark.parametrize(("status", "do"), TRIES.values(), ids=list(TRIES))
def test_refusals_are_logged(capfd: pytest.CaptureFixture[str], cast: World, status: int, do: Do) -> None:
    """Whatever is refused leaves a line that tells when, from where, what was asked for, and the refusal."""
    line = lines(cast, capfd, do)[-1]
    assert (line["status"], line["address"]) == (status, "127.0.0.1")
    assert {"method", "path", "timestamp", "level"} <= set(line)


def test_a_refused_user_is_named(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """The line of a page that was refused to a signed-in user says whom it was refused to."""
    line = lines(cast, capfd, lambda world: signed_in(world, BOB).get("/admin/users"))[-1]
    assert line["user"] == cast.user(BOB).id


def test_times_are_utc(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """Every line carries its time in UTC, and says so."""
    before = datetime.now(UTC)
    line = lines(cast, capfd, lambda world: world.browser().get("/login"))[-1]
    assert line["timestamp"].endswith("Z")
    assert before <= datetime.fromisoformat(line["timestamp"]) <= datetime.now(UTC)


def test_a_locked_account_is_logged(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """Each failed sign-in has a line that programs which shut out guessers can read, the refused one too."""
    cast.restart()
    cast.write_config("throttle:\n  attempts: 2\n")
    for _ in range(3):
        cast.browser().sign_in(BOB, "Wrong password!")
    found = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    failed = [line for line in found if line.get("authentication_failed")]
    assert [line["reason"] for line in failed] == ["wrong", "wrong", "locked"]
    assert {line["address"] for line in failed} == {"127.0.0.1"}


def test_nothing_sent_breaks_out_of_its_line(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """Line ends, control characters and quotation marks in a path stay inside one field of one line."""
    cast.restart()
    for text in ("a\r\nforged", "\x1b[2Jforged", "a\u2028forged", "a\x00forged", 'forged","forged":"x'):
        cast.browser().client.get(f"/{text}")
    err = capfd.readouterr().err
    found = [json.loads(line) for line in err.split("\n") if "forged" in line]
    assert len(found) == 5
    assert not [line for line in found if "forged" in line]
    assert err.isascii()
    assert err.replace("\n", "").isprintable()


@pytest.mark.parametrize("road", ["form", "basic", "jwt"])
def test_every_road_is_written_down(cast: World, road: str) -> None:
    """A sign-in is in the audit table whichever road it took, with its outcome and address."""
    pair = {"username": BOB, "password": PASSWORD}
    browser = cast.browser()
    if road == "form":
        browser.sign_in(BOB)
    elif road == "basic":
        browser.get("/api/v1/users/whoami", auth=(BOB, PASSWORD))
    else:
        browser.client.post("/api/v1/login", json=pair)
    entry = cast.audit("sign-in")[-1]
    assert (entry.outcome, entry.address, entry.target) == ("success", "127.0.0.1", BOB)
    assert entry.at.tzinfo is not None


def test_lines_go_to_standard_error_alone(capfd: pytest.CaptureFixture[str], cast: World) -> None:
    """The log goes to standard error, and neither to standard output nor into a file."""
    cast.restart()
    before = {file.name for file in cast.folder.rglob("*")}
    signed_in(cast, BOB).get("/nowhere")
    captured = capfd.readouterr()
    new = {file.name for file in cast.folder.rglob("*")} - before
    assert "/nowhere" in captured.err
    assert captured.out == ""
    assert {name.removeprefix("authapp.db") for name in new} <= {"-wal", "-shm"}
