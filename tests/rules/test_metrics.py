"""What the metrics say: of the installation, as its database has it, and of the workers of a node."""

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from authapp import chores, clock, issued_tokens, refusals, sessions, users
from authapp.audit import Actor
from authapp.errors import LoginFailed, NotAllowed
from authapp.logins import sign_in
from authapp.metrics import meter, stock, text
from authapp.metrics.declared import METRICS, PREFIX
from authapp.metrics.meter import Meter, Numbers
from authapp.metrics.stock import Stock
from authapp.models import Scope, new_id
from tests.world import ADA, BOB, DORA, OTHER_PASSWORD, PASSWORD, SHELL, World

FORM = Actor("form", address="192.0.2.1")


def look(world: World) -> dict[str, float]:
    """Return what the database says now, each number by name and labels: `users admin active`."""
    with world.database.reading() as db:
        found = stock.look(db, world.snapshot.effective, is_sqlite=world.database.is_sqlite)
        return {" ".join([name, *labels.values()]): value for name, labels, value in found}


def total(numbers: Numbers, name: str, **labels: str) -> float:
    """Return one number."""
    return numbers[name, tuple(labels.items())]


# -- of the installation --------------------------------------------------------------------------------------


def test_users_by_role_and_state(cast: World) -> None:
    """Users are told apart by role, and by whether they are active, inactive, or wait to be let in."""
    eve = cast.add("eve", active=False)
    with cast.database.writing() as db:
        users.get(db, eve.id).signed_up = True
    found = look(cast)
    assert [found[f"users admin {state}"] for state in ("active", "inactive", "waiting")] == [2, 0, 0]
    assert [found[f"users user {state}"] for state in ("active", "inactive", "waiting")] == [1, 1, 1]


def test_sessions_that_are_not_over(cast: World) -> None:
    """A session counts while its browser is signed in: not after its end, nor when its user is switched off."""
    for name in (ADA, BOB, DORA):
        sign_in(cast.database, cast.snapshot.effective, name, PASSWORD, FORM)
    with cast.database.writing() as db:
        sessions.end_all(db, cast.user(ADA).id)
    users.set_active(cast.database, cast.user(DORA).id, SHELL, active=False)
    assert look(cast)["sessions"] == 1


def test_api_tokens_that_open_something(cast: World) -> None:
    """API tokens count by scope, and no longer when they are revoked."""
    for scope in (Scope.READ, Scope.READ, Scope.ADMIN):
        made = issued_tokens.create(
            cast.database, cast.user(ADA).id, "x", Actor("form", cast.user(ADA).id), scope=scope
        )
    issued_tokens.revoke(cast.database, made.row.id, SHELL)
    found = look(cast)
    assert [found[f"api_tokens {scope}"] for scope in Scope] == [2, 0, 0]


def test_locks_and_sign_ins(cast: World) -> None:
    """Wrong passwords count by road and outcome, and so does who has to wait for them, and who was refused then."""
    for _ in range(12):
        with pytest.raises(LoginFailed):
            sign_in(cast.database, cast.snapshot.effective, BOB, OTHER_PASSWORD, FORM)
    sign_in(cast.database, cast.snapshot.effective, ADA, PASSWORD, FORM)
    refusals.flush(cast.database)
    found = look(cast)
    assert (found["recent_sign_ins form wrong"], found["recent_sign_ins form success"]) == (10, 1)
    assert (found["locks tries"], found["locks account"], found["locks network"]) == (1, 0, 0)
    assert found["recent_lockouts"] == 2


def test_lockouts_stay_counted_when_they_are_written_down(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused sign-ins count once, before and after they become entries of the audit table."""
    for _ in range(3):
        cast.database.refused.count("192.0.2.1")
    refusals.flush(cast.database)
    assert look(cast)["recent_lockouts"] == 3
    monkeypatch.setattr(refusals, "LATE", timedelta(minutes=-1))
    assert refusals.seal(cast.database) == 1
    assert look(cast)["recent_lockouts"] == 3


def test_what_is_older_than_five_minutes(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign-ins and refusals of more than five minutes ago do not count any more."""
    sign_in(cast.database, cast.snapshot.effective, ADA, PASSWORD, FORM)
    cast.database.refused.count("192.0.2.1")
    refusals.flush(cast.database)
    later = clock.now() + timedelta(minutes=7)
    monkeypatch.setattr(clock, "now", lambda: later)
    found = look(cast)
    assert (found["recent_sign_ins form success"], found["recent_lockouts"]) == (0, 0)


def test_the_audit_table_waits_to_be_sealed(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that are in no block count, and the age of the oldest; once they are sealed, none."""
    count = len(cast.events())
    later = clock.now() + timedelta(minutes=7)
    monkeypatch.setattr(clock, "now", lambda: later)
    found = look(cast)
    assert (found["unsealed_audit_entries"], found["unsealed_audit_age_seconds"] >= 420) == (count, True)
    chores.run(cast.database, cast.snapshot.effective.config)
    found = look(cast)
    assert (found["unsealed_audit_entries"], found["unsealed_audit_age_seconds"]) == (0, 0)


def test_the_database_itself(cast: World) -> None:
    """The schema's number and the size of the database are told."""
    found = look(cast)
    assert found["schema"] >= 7
    assert found["database_bytes"] > 50_000


def test_the_answer_is_kept_for_a_few_seconds(cast: World) -> None:
    """Whoever asks again within five seconds gets the same numbers, and then new ones."""
    seconds = [0.0]
    kept = Stock(lambda: seconds[0])
    before = kept.numbers(cast.database, cast.snapshot.effective, SHELL)
    cast.add("eve")
    seconds[0] = 4
    assert kept.numbers(cast.database, cast.snapshot.effective, SHELL) == before
    seconds[0] = 6
    after = kept.numbers(cast.database, cast.snapshot.effective, SHELL)
    assert total(after, "users", role="user", state="active") == 2


def test_what_is_kept_is_for_superusers_too(cast: World) -> None:
    """Whoever is no superuser gets no numbers, not even such as were asked for a moment ago."""
    kept = Stock()
    kept.numbers(cast.database, cast.snapshot.effective, Actor("api", cast.user(DORA).id))
    with pytest.raises(NotAllowed):
        kept.numbers(cast.database, cast.snapshot.effective, Actor("api", cast.user(BOB).id))


# -- of the workers -------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder that the workers of a server share."""
    with meter.folder(tmp_path) as shared:
        yield shared


def worker(shared: Path, *durations: float) -> Meter:
    """Return what a worker counts that answered so many requests."""
    counts = Meter()
    counts._folder = meter.Folder(shared)  # without the thread that writes by itself
    for seconds in durations:
        counts.count("login.login", 200, seconds)
    counts._publish()
    return counts


def test_every_worker_answers_for_all(folder: Path) -> None:
    """Whichever worker is asked, it returns the requests of all of them, and their gauges added up."""
    first, second = worker(folder, 0.001), worker(folder, 0.001, 0.2)
    for asked in (first, second):
        numbers = asked.numbers()
        assert total(numbers, "requests_total", view="login.login", status="2xx") == 3
        assert total(numbers, "workers") == 2


def test_durations_become_a_histogram(folder: Path) -> None:
    """A duration counts in every bucket that it is not longer than, in the sum and in the count."""
    numbers = worker(folder, 0.02, 0.2, 20).numbers()
    buckets = {
        most: total(numbers, "request_duration_seconds_bucket", view="login.login", le=most)
        for most in ("0.01", "0.025", "0.25", "10.0", "+Inf")
    }
    assert buckets == {"0.01": 0, "0.025": 1, "0.25": 2, "10.0": 2, "+Inf": 3}
    assert total(numbers, "request_duration_seconds_sum", view="login.login") == pytest.approx(20.22)
    assert total(numbers, "request_duration_seconds_count", view="login.login") == 3


def test_what_a_worker_counted_stays_when_it_is_gone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counters of a worker that ended still count, or rates would jump; what it was doing does not."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: ended.pid)
        worker(folder, 0.1, 0.1)
    numbers = worker(folder, 0.1).numbers()
    assert total(numbers, "requests_total", view="login.login", status="2xx") == 3
    assert (total(numbers, "workers"), total(numbers, "workers_started_total")) == (1, 2)


def test_the_folder_goes_with_its_server(tmp_path: Path) -> None:
    """When a server stops, nothing is left of what its workers wrote; before they write, there is nothing."""
    with meter.folder(tmp_path) as shared:
        assert not shared.exists()
        worker(shared, 0.1)
        assert shared.stat().st_mode & 0o777 == 0o700
    assert not list(tmp_path.iterdir())


def test_the_next_start_clears_away(tmp_path: Path) -> None:
    """What a killed server left is cleared away; a folder that workers hold is left alone, and so is all else."""
    left, other = tmp_path / f"metrics-{new_id()}", tmp_path / "metrics-of-mine"
    for path in (left, other):
        path.mkdir()
    with meter.folder(tmp_path) as shared:
        worker(shared, 0.1)
        with meter.folder(tmp_path):
            assert sorted(tmp_path.iterdir()) == sorted([shared, other])


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Where nothing can be written a worker goes on, answers for itself, and says so once."""
    with capture_logs() as logs:
        counts = worker(tmp_path / "gone" / "metrics", 0.1)
        assert total(counts.numbers(), "requests_total", view="login.login", status="2xx") == 1
    assert [(line["event"], line["reason"]) for line in logs] == [
        ("the metrics cannot be written", "No such file or directory")
    ]


# -- as text --------------------------------------------------------------------------------------------------


def test_every_number_is_declared(cast: World, folder: Path) -> None:
    """Prometheus' own parser reads the text, and each metric in it has the kind and labels it is declared with."""
    counts = worker(folder, 0.1)
    counts.count_refusal(408)
    numbers = {**Stock().numbers(cast.database, cast.snapshot.effective, SHELL), **counts.numbers()}
    declared = {PREFIX + one.name: one for one in METRICS}
    for family in text_string_to_metric_families(text.write(numbers).decode()):
        one = declared[family.name]
        assert (family.type, family.documentation) == (one.kind, one.help)
        assert all(set(sample.labels) - {"le"} == set(one.labels) for sample in family.samples)
    assert {name for name, _ in numbers if not name.startswith("request_duration")} <= {
        one.full_name.removeprefix(PREFIX) for one in METRICS
    }
