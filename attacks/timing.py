"""Whether the time of a refusal tells who exists: real hashes, refused sign-ins in turns, and a rank test.

Locked names are compared with each other only: that somebody has to wait is said in words anyway.
"""

import math
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from werkzeug.security import generate_password_hash

from attacks.report import Outcome
from attacks.target import NO_WAITING
from tests.world import ADA, BOB, CHARLIE, PASSWORD, World

SAMPLES, WARM_UP = 200, 5
SURE, WORTH = 0.001, 1.0  # a finding is less likely by chance than this, and slower by more milliseconds
UNKNOWN, WRONG = "nobody", "Wrong (but) typed well"
Samples = dict[str, list[float]]


@contextmanager
def stage(config: str) -> Iterator[World]:
    """Make an app in this process, in a folder of its own, with real hashes."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.db"
        empty.touch()
        world = World(Path(folder), empty)
        world.write_config(f"log: {{level: error}}\n{config}")
        yield world
        world.close()


def sample(world: World, names: list[str], status: int, count: int = SAMPLES) -> Samples:
    """Let names take turns with a wrong password; return how many milliseconds each refusal with `status` took."""
    client = world.app.test_client(use_cookies=False)
    took: Samples = {name: [] for name in names}
    for _ in range(count + WARM_UP):
        for name in random.sample(names, len(names)):
            body = {"username": name, "password": WRONG}
            began = time.perf_counter()
            answer = client.post("/api/v1/login", json=body)
            if answer.status_code == status:
                took[name].append((time.perf_counter() - began) * 1000)
    assert min(map(len, took.values())) > count, took  # else something else was measured
    return {name: times[-count:] for name, times in took.items()}


def rank_test(one: list[float], other: list[float]) -> float:
    """Return the two-sided p-value of Mann and Whitney's U, by the normal approximation with ties corrected."""
    both = sorted([*one, *other])
    places: dict[float, list[int]] = {}
    for place, value in enumerate(both, 1):
        places.setdefault(value, []).append(place)
    n, m, total = len(one), len(other), len(both)
    u = sum(statistics.fmean(places[value]) for value in one) - n * (n + 1) / 2
    ties = sum(len(tied) ** 3 - len(tied) for tied in places.values())
    spread = math.sqrt(n * m / 12 * (total + 1 - ties / (total * (total - 1))))
    return math.erfc(abs(u - n * m / 2) / spread / math.sqrt(2)) if spread else 1.0


def compare(outcome: Outcome, samples: Samples) -> None:
    """Compare each kind of name with the next, and the last with the first; note figures and findings."""
    kinds = list(samples)
    pairs = [*pairwise(kinds), *([(kinds[-1], kinds[0])] if len(kinds) > 2 else [])]
    outcome.requests += sum(map(len, samples.values()))
    for one, other in pairs:
        p = rank_test(samples[one], samples[other])
        medians = [statistics.median(samples[kind]) for kind in (one, other)]
        said = f"{one} {medians[0]:.2f} ms, {other} {medians[1]:.2f} ms, p = {p:.2g}"
        found = p < SURE and abs(medians[0] - medians[1]) > WORTH
        (outcome.findings if found else outcome.notes).append(said)


def _named(samples: Samples, names: dict[str, str]) -> Samples:
    return {names[name]: times for name, times in samples.items()}


def _refused(outcome: Outcome) -> None:
    with stage(NO_WAITING) as world:
        world.add_cast()
        names = {UNKNOWN: "unknown", BOB: "wrong password", CHARLIE: "inactive", ADA: "the owner"}
        compare(outcome, _named(sample(world, list(names), 401), names))


def _older_hash(outcome: Outcome) -> None:
    given = f"server: {{basic-auth: {{username: '{ADA}', password-hash: '{generate_password_hash(PASSWORD)}'}}}}"
    with stage(f"{NO_WAITING}{given}\n") as world:
        _ = world.app
        world.add(BOB)
        names = {UNKNOWN: "unknown, beside an older hash", BOB: "wrong password, beside it", ADA: "the older hash"}
        compare(outcome, _named(sample(world, list(names), 401), names))


def _locked(outcome: Outcome) -> None:
    with stage("throttle: {attempts: 1}\n") as world:
        world.add_cast()
        names = {UNKNOWN: "unknown and locked", BOB: "known and locked", CHARLIE: "inactive and locked"}
        compare(outcome, _named(sample(world, list(names), 429), names))


STAGES: tuple[Callable[[Outcome], None], ...] = (_refused, _older_hash, _locked)


def run() -> Outcome:
    """Measure refusals of every kind."""
    outcome = Outcome("timing of refusals")
    for measure in STAGES:
        measure(outcome)
    return outcome
