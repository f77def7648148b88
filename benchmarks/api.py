"""What it costs to prove who one is: the same question to the API with every kind of credential.

Run it with `make bench`, or `python benchmarks/api.py --url postgresql://…` with an empty database. It prints
milliseconds, the median of many rounds, and how many times a JWT's they are; all kinds take turns, so that a busy
machine spoils all alike. Passwords are hashed as in production.

HTTP Basic that is remembered may take at most about twice as long as a JWT: programs send it with every request,
and nobody should have to fetch a token for speed alone. The first request takes as long as argon2 does, and has to.
"""

import argparse
import re
import statistics
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from flask.testing import FlaskClient

from authapp import issued_tokens, provision, wizard
from authapp.audit import Actor
from authapp.basic import Remembered
from authapp.config.examine import Start, examine
from authapp.database import Database, upgrade
from authapp.factory import create_app
from authapp.paths import Locations
from authapp.web.state import App

ROUNDS = 200
FIRST_ROUNDS = 20  # of what is slow on purpose
WARM_UP = 3
AT_MOST = 2.0  # times as slow as a JWT
SHELL = Actor("command line", name="benchmark")
OWNER, PASSWORD = "ada@example.com", "Correct-horse battery"
BASIC = {"Authorization": f"Basic {b64encode(f'{OWNER}:{PASSWORD}'.encode()).decode()}"}
WHOAMI = "/api/v1/users/whoami"


def main() -> None:
    """Set up, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--url", help="an empty database; SQLite without it")
    url = arguments.parse_args().url
    with tempfile.TemporaryDirectory() as folder:
        medians = _measure(Stage(Path(folder), url).acts)
    print(f"{'milliseconds, median of ' + str(ROUNDS):34}{'':12}{'to a JWT':>10}")
    for name, median in medians.items():
        print(f"{name:34}{median:12.2f}{median / medians['JWT']:10.2f}")
    ratio = medians["HTTP Basic, remembered"] / medians["JWT"]
    print(f"\nHTTP Basic, remembered, to a JWT: {ratio:.2f}; at most about {AT_MOST} is wanted")


def _measure(acts: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Let all take turns; return the median of each in milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(ROUNDS + WARM_UP):
        for name, act in acts.items():
            if "first" in name and number >= FIRST_ROUNDS + WARM_UP:
                continue
            began = time.perf_counter()
            act()
            times[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(took[WARM_UP:]) for name, took in times.items()}


class Stage:
    """An installation with its owner, and the owner's programs."""

    def __init__(self, folder: Path, url: str | None) -> None:
        locations = Locations(folder / "config.yml", named=False, data=folder)
        self.database = Database(url or f"sqlite:///{folder / 'authapp.db'}")
        upgrade(self.database)
        provision.prepare(self.database)
        overrules = {"database.url": self.database.url, "log.level": "error"}
        self.app: App = create_app(locations, Start.from_layers(examine(locations), overrules))
        wizard.found_by_command(self.database, self.app.live.snapshot, OWNER, PASSWORD, SHELL)
        self.program: FlaskClient = self.app.test_client(use_cookies=False)
        self.browser = self._signed_in()
        jwt, token = {"Authorization": f"Bearer {self._jwt()}"}, {"X-API-Key": self._api_token()}
        self.acts: dict[str, Callable[[], object]] = {
            "cookie": lambda: _ask(self.browser, {}),
            "JWT": lambda: _ask(self.program, jwt),
            "API token": lambda: _ask(self.program, token),
            "HTTP Basic, remembered": lambda: _ask(self.program, BASIC),
            "HTTP Basic, the first request": self._first,
        }

    def _first(self) -> None:
        """Ask as if the process had just started; what it learns is remembered for the act above."""
        self.app.remembered = Remembered()
        _ask(self.program, BASIC)

    def _signed_in(self) -> FlaskClient:
        browser: FlaskClient = self.app.test_client()
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get("/login").text)
        form = {"csrf_token": found[1] if found else "", "username": OWNER, "password": PASSWORD}
        assert browser.post("/login", data=form).status_code == 303
        return browser

    def _jwt(self) -> str:
        answer = self.program.post("/api/v1/login", json={"username": OWNER, "password": PASSWORD})
        assert answer.json is not None
        return str(answer.json["access_token"])

    def _api_token(self) -> str:
        me = self.program.get(WHOAMI, headers=BASIC).json
        assert me is not None
        return issued_tokens.create(self.database, me["id"], "benchmark", SHELL).token


def _ask(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.get(WHOAMI, headers=headers)
    assert answer.status_code == 200, answer.status


if __name__ == "__main__":
    main()
