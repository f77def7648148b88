"""What ends sessions, JWTs and API tokens, and what does not, is what the table in docs/api.md says."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from authapp import invitations, issued_tokens, modes, provision, sessions, settings, users
from authapp.audit import Actor
from tests.world import ADA, BOB, OTHER_PASSWORD, PASSWORD, SHELL, Browser, World, signed_in

DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
TABLE = DOCUMENT.partition("## What ends what")[2].partition("\n## ")[0]
ROW = re.compile(r"^\| (?!---)(\S.*) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = {found[1]: found.groups()[1:] for found in ROW.finditer(TABLE)}
# How many of two are left.
LEFT = {"all": 0, "everybody's": 0, "the owner's": 0, "that one": 1, "live on": 2}
HERE = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Scene:
    """A user with two of each: two sessions, one of them in a browser, two JWTs, two API tokens."""

    world: World
    name: str
    browser: Browser
    jwt: str

    @property
    def user_id(self) -> str:
        """The user's id."""
        return self.world.user(self.name).id

    def rotate(self) -> None:
        """Make a new secret key."""
        provision.rotate_secret_key(self.world.database, self.world.snapshot.effective, SHELL)

    def leave_none(self) -> None:
        """Record mode basic where none was."""
        with self.world.database.writing() as db:
            installation = settings.installation(db)
            assert installation is not None
            modes.leave_none(db, installation, SHELL)


def change_password(scene: Scene) -> None:
    """Change one's own password on the page."""
    new = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert scene.browser.post("/account/password", new).status_code == 303


def sign_out(scene: Scene) -> None:
    """Sign the browser out, and the JWT."""
    scene.browser.sign_out()
    ask(scene, "post", "/logout")


def ask(scene: Scene, method: str, path: str) -> None:
    """Send a request with the JWT."""
    headers = {"Authorization": f"Bearer {scene.jwt}"}
    answer = getattr(scene.world.browser().client, method)(f"/api/v1{path}", headers=headers)
    assert answer.status_code in (200, 204), answer.text


# row of the table -> what it is about
ACTIONS: dict[str, list[Callable[[Scene], object]]] = {
    "you change your password": [change_password],
    "a superuser resets it, or `authapp user reset-password`": [
        lambda s: invitations.reset_password(s.world.database, s.world.snapshot.effective, s.user_id, SHELL),
    ],
    "deactivated, deleted": [
        lambda s: users.set_active(s.world.database, s.user_id, SHELL, active=False),
        lambda s: users.delete_all(s.world.database, [s.user_id], SHELL),
    ],
    "sign out, `POST /logout`": [sign_out],
    '`DELETE /sessions`, "Sign out all others"': [
        lambda s: s.browser.client.delete("/api/v1/sessions", headers=HERE),
        lambda s: s.browser.post("/account/sessions/end", form="/account/sessions"),
    ],
    "`DELETE /tokens`": [lambda s: ask(s, "delete", "/tokens")],
    "`authapp session revoke --all`": [
        lambda s: sessions.revoke_everybodys(s.world.database, s.world.snapshot.effective.config.session, SHELL),
    ],
    "`authapp token revoke --all`": [lambda s: issued_tokens.revoke_everybodys(s.world.database, SHELL)],
    "`authapp secret rotate`, another `server.secret-key`": [
        Scene.rotate,
        lambda s: s.world.write_config(f"server: {{secret-key: {'k' * 40}}}\n"),
    ],
    "new credentials in the config file": [lambda s: s.world.write_credentials(ADA, OTHER_PASSWORD)],
    "the mode is switched, either way": [
        lambda s: modes.enter_none(s.world.database, SHELL),
        Scene.leave_none,
    ],
}


def begin(world: World, name: str) -> Scene:
    """Give a user two of each."""
    browser, effective, user = signed_in(world, name), world.snapshot.effective, world.user(name)
    with world.database.writing() as db:
        sessions.start(db, user, Actor("form"))
        jwts = [issued_tokens.issue_jwt(db, effective, user).token for _ in range(2)]
    for purpose in ("backup", "report"):
        issued_tokens.create(world.database, user.id, purpose, SHELL)
    return Scene(world, name, browser, jwts[0])


def left(world: World) -> tuple[int, ...]:
    """Count all sessions, JWTs and API tokens there are."""
    rows = world.tables()
    return len(rows["sessions"]), *(sum(f"'{kind}'" in row for row in rows["tokens"]) for kind in ("jwt", "api"))


@pytest.mark.parametrize(
    ("row", "number"), [(row, place) for row, acts in ACTIONS.items() for place in range(len(acts))]
)
def test_what_ends_what(cast: World, row: str, number: int) -> None:
    """After what a row of the table is about, as many are left of each as the row says."""
    scene = begin(cast, ADA if "the owner's" in ROWS[row] else BOB)
    assert left(cast) == (2, 2, 2)
    ACTIONS[row][number](scene)
    assert left(cast) == tuple(1 if cell.startswith("all but") else LEFT[cell] for cell in ROWS[row])


def test_every_row_is_tested() -> None:
    """The table has no row that is not tried."""
    assert set(ROWS) == set(ACTIONS)
