"""Who may do what to whom, and what comes of it: the one table that every road goes through.

A road is a way of doing things: the rules themselves, the pages, the command line. Each has an adapter below, which
gets somebody ready to act and then says in the table's words what came of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, update
from werkzeug.test import TestResponse

from authapp import directory, invitations, locks, sessions, throttle, user_names, users
from authapp.audit import Actor
from authapp.counters import About, SqlStorage
from authapp.directory import Query
from authapp.errors import LastSuperuser, NotAllowed, Refused, Unconfirmed, UserNotFound
from authapp.invitations import NewUser
from authapp.models import Role, User
from tests.cli.commands import Run
from tests.world import ADA, BOB, CHARLIE, DORA, PASSWORD, SHELL, Browser, World, csrf_token

DONE = "done"
NOT_ALLOWED = "refused: not allowed"
LAST_SUPERUSER = "refused: last superuser"
NOT_FOUND = "refused: not found"
ASKED_TWICE = "refused: asked twice"
HAS_TO_SIGN_IN = "refused: has to sign in"
HAS_TO_CHANGE_PASSWORD = "refused: has to change password"
OUTCOMES = {
    "done": DONE, "no": NOT_ALLOWED, "last": LAST_SUPERUSER, "unknown": NOT_FOUND, "twice": ASKED_TWICE,
    "sign-in": HAS_TO_SIGN_IN, "change": HAS_TO_CHANGE_PASSWORD,
}  # fmt: skip

# by: who acts; `left` is a deactivated superuser whose browser still has its session, `owing` a superuser with an
# initial password, `host` the command line. A star stands for every act that has no row of its own above.
# The columns: on whom; `all` nobody in particular, `last` the last active superuser where no owner is active,
# `nobody` an id that is no user's. A dash: there is no such case.
TABLE = """
by         act           all      owner    superuser  last  user     inactive  oneself  nobody

owner      invite        done     -        -          -     -        -         -        -
owner      list          done     -        -          -     -        -         -        -
owner      activate      -        -        done       -     done     done      done     unknown
owner      deactivate    -        -        done       -     done     done      last     unknown
owner      promote       -        -        done       -     done     done      done     unknown
owner      demote        -        -        done       -     done     done      last     unknown
owner      rename        -        -        done       -     done     done      done     unknown
owner      reset         -        -        done       -     done     done      no       unknown
owner      unlock        -        -        done       -     done     done      done     unknown
owner      delete        -        -        done       -     done     done      no       unknown
owner      end-sessions  -        -        done       -     done     done      done     unknown

superuser  invite        done     -        -          -     -        -         -        -
superuser  list          done     -        -          -     -        -         -        -
superuser  activate      -        done     done       done  done     done      done     unknown
superuser  deactivate    -        last     done       last  done     done      twice    unknown
superuser  promote       -        done     done       done  done     done      done     unknown
superuser  demote        -        last     done       last  done     done      twice    unknown
superuser  rename        -        no       done       done  done     done      done     unknown
superuser  reset         -        no       done       no    done     done      no       unknown
superuser  unlock        -        done     done       done  done     done      done     unknown
superuser  delete        -        last     done       no    done     done      no       unknown
superuser  end-sessions  -        done     done       done  done     done      done     unknown

host       invite        done     -        -          -     -        -         -        -
host       list          done     -        -          -     -        -         -        -
host       activate      -        done     done       done  done     done      -        unknown
host       deactivate    -        last     done       last  done     done      -        unknown
host       promote       -        done     done       done  done     done      -        unknown
host       demote        -        last     done       last  done     done      -        unknown
host       rename        -        done     done       done  done     done      -        unknown
host       reset         -        done     done       done  done     done      -        unknown
host       unlock        -        done     done       done  done     done      -        unknown
host       delete        -        last     done       last  done     done      -        unknown
host       end-sessions  -        done     done       done  done     done      -        unknown

user       invite        no       -        -          -     -        -         -        -
user       list          no       -        -          -     -        -         -        -
user       end-sessions  -        no       no         -     no       no        done     no
user       *             -        no       no         -     no       no        no       no

left       invite        sign-in  -        -          -     -        -         -        -
left       list          sign-in  -        -          -     -        -         -        -
left       *             -        sign-in  sign-in    -     sign-in  sign-in   sign-in  sign-in

owing      invite        change   -        -          -     -        -         -        -
owing      list          change   -        -          -     -        -         -        -
owing      *             -        change   change     -     change   change    change   change

stranger   invite        sign-in  -        -          -     -        -         -        -
stranger   list          sign-in  -        -          -     -        -         -        -
stranger   *             -        sign-in  sign-in    -     sign-in  sign-in   -        sign-in
"""
ACTORS = {"owner": ADA, "superuser": DORA, "user": BOB, "left": "ivan", "owing": "olga"}
TARGETS = {"owner": ADA, "superuser": "erin", "last": DORA, "user": "grace", "inactive": CHARLIE}
NEWCOMER, NEW_NAME = "newcomer", "another name"
NOBODYS_ID = "11111111-1111-4111-8111-111111111111"
ELSEWHERE = "192.0.2.9"


@dataclass(frozen=True, slots=True)
class Scene:
    """What has to come of it when somebody does something, by whom it is done to.

    To several where all is refused: that changes nothing, so that whoever is next finds everything as it was.
    """

    by: str
    act: str
    outcomes: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Read like the head of the row and its columns."""
        return " ".join([self.by, self.act, *(on for on, _ in self.outcomes)])


def _scenes(table: str) -> Iterator[Scene]:
    heading, *rows = (line.split() for line in table.splitlines() if line)
    every = [act for by, act, *_ in rows if by == "host"]
    stated = {(by, act) for by, act, *_ in rows}
    for by, named, *cells in rows:
        found = [(on, OUTCOMES[cell]) for on, cell in zip(heading[2:], cells, strict=True) if cell != "-"]
        alone = [(on, outcome) for on, outcome in found if outcome == DONE or on == "last"]
        together = tuple(one for one in found if one not in alone)
        for act in [act for act in every if (by, act) not in stated] if named == "*" else [named]:
            yield from (Scene(by, act, (one,)) for one in alone)
            if together:
                yield Scene(by, act, together)


SCENES = list(_scenes(TABLE))


# -- the stage ------------------------------------------------------------------------------------------------


class Stage:
    """An installation where somebody is about to do something: who, to whom, and what is to be seen afterwards."""

    def __init__(self, world: World, by: str) -> None:
        self.world, self.by = world, by
        self.shown = ""  # what a list showed
        self.password = PASSWORD
        self.actor = self._actor()
        self.target: User | None = None
        self.target_id = NOBODYS_ID
        self.is_own = False

    def _actor(self) -> User | None:
        if self.by == "left":
            self.world.add("ivan", superuser=True)
        if self.by == "owing":
            wanted = NewUser("olga", role=Role.ADMIN, active=True)
            (made,) = invitations.invite(self.world.database, self.world.snapshot.effective, [wanted], SHELL)
            self.password = made.initial_password or ""
        return self.world.user(ACTORS[self.by]) if self.by in ACTORS else None

    def aim(self, on: str) -> None:
        """Let somebody stand there to whom it is done, with a wait to lift and a session to end."""
        self.target = self.actor if on == "oneself" else self._target(on)
        self.target_id = self.target.id if self.target else NOBODYS_ID
        self.is_own = self.actor is not None and self.actor.id == self.target_id
        if self.target is not None:
            self._lock_and_sign_in(self.target)
        if on == "last":
            self.switch_off(User.username != DORA)

    def _target(self, on: str) -> User | None:
        if on in ("superuser", "user"):
            self.world.add(TARGETS[on], superuser=on == "superuser")
        return self.world.user(TARGETS[on]) if on in TARGETS else None

    def _lock_and_sign_in(self, user: User) -> None:
        effective = self.world.snapshot.effective
        with self.world.database.writing() as db:
            sessions.start(db, user, SHELL)
            where = throttle.bucket(effective.secret_key, user.username_key, ELSEWHERE, user.id)
            storage = SqlStorage(db, timedelta(hours=1), About(where.account, where.network, user.id))
            storage.incr(f"{throttle.TRIES}/{where.key}", 600, effective.config.throttle.attempts)

    def switch_off(self, whom: ColumnElement[bool]) -> None:
        """Deactivate users behind the back of every rule, so that their sessions stay."""
        with self.world.database.writing() as db:
            db.execute(update(User).where(whom).values(is_active=False))

    def rows(self) -> dict[str, list[str]]:
        """Return the rows that a refusal must leave alone."""
        tables = self.world.tables()
        return {name: tables[name] for name in ("users", "sessions", "settings")}

    def now(self) -> User | None:
        """Return the target as it is now; none when it is gone."""
        with self.world.database.reading() as db:
            return db.get(User, self.target_id)

    def is_locked(self) -> bool:
        """Tell whether the target has to wait."""
        with self.world.database.reading() as db:
            (one,) = directory.listed(db, self.world.snapshot.effective, [users.get(db, self.target_id)])
        return one.is_locked

    def sessions_left(self) -> int:
        """Count the target's sessions, without the one in which somebody ends their own."""
        left = self.world.sessions_of(self.target.username if self.target else "")
        return left - 1 if self.is_own and left else left


def _is(what: Callable[[User], bool]) -> Callable[[Stage], bool]:
    def is_so(stage: Stage) -> bool:
        user = stage.now()
        return user is not None and what(user)

    return is_so


# What is to be seen once an act was done.
SEEN: dict[str, Callable[[Stage], bool]] = {
    "invite": lambda stage: stage.world.user(NEWCOMER).must_change_password,
    "list": lambda stage: all(name in stage.shown for name in (ADA, BOB, CHARLIE, DORA)),
    "activate": _is(lambda user: user.is_active),
    "deactivate": _is(lambda user: not user.is_active),
    "promote": _is(lambda user: user.is_superuser),
    "demote": _is(lambda user: not user.is_superuser),
    "rename": _is(lambda user: user.username == NEW_NAME),
    "reset": _is(lambda user: user.must_change_password),
    "unlock": lambda stage: not stage.is_locked(),
    "delete": lambda stage: stage.now() is None,
    "end-sessions": lambda stage: stage.sessions_left() == 0,
}


# -- the roads ------------------------------------------------------------------------------------------------

Act = Callable[[str], str]  # does the act of this name, and says what came of it


@dataclass(frozen=True, slots=True)
class Road:
    """A way of doing things: for whom, what gets them ready to act, and with which acts.

    `words` says how the road answers where it knows an outcome by another word than the table.
    """

    actors: frozenset[str]
    ready: Callable[[Stage], Act]
    acts: frozenset[str] = frozenset(SEEN)
    words: tuple[tuple[str, str], ...] = ()

    def scenes(self) -> list[Scene]:
        """Return what of the table this road can come to."""
        return [scene for scene in SCENES if scene.by in self.actors and scene.act in self.acts]

    def expects(self, scene: Scene) -> dict[str, str]:
        """Return what has to come of a scene by this road, by whom it is done to."""
        words = dict(self.words)
        return {on: words.get(outcome, outcome) for on, outcome in scene.outcomes}


def go(world: World, scene: Scene, road: Road) -> dict[str, str]:
    """Play a scene on a road; return what came of it, as the road says and as is to be seen."""
    stage = Stage(world, scene.by)
    act = road.ready(stage)
    return {on: _play(stage, on, scene.act, act) for on, _ in scene.outcomes}


def _play(stage: Stage, on: str, name: str, act: Act) -> str:
    stage.aim(on)
    before = stage.rows()
    outcome = act(name)
    if outcome == DONE:
        return DONE if SEEN[name](stage) else "done, and nothing is to be seen of it"
    return outcome if stage.rows() == before else f"{outcome}, and yet something changed"


# The rules know ids only: a stranger is one whose id is nobody's, and it is the roads that make people sign in and
# replace an initial password.

REFUSALS: dict[type[Refused], str] = {
    NotAllowed: NOT_ALLOWED,
    LastSuperuser: LAST_SUPERUSER,
    UserNotFound: NOT_FOUND,
    Unconfirmed: ASKED_TWICE,
}


def _by_the_rules(stage: Stage) -> Act:
    db, effective = stage.world.database, stage.world.snapshot.effective
    actor_id = stage.actor.id if stage.actor else None if stage.by == "host" else NOBODYS_ID
    by = Actor("form", actor_id)
    if stage.by == "left":
        stage.switch_off(User.id == actor_id)
    acts: dict[str, Callable[[str], object]] = {
        "invite": lambda _: invitations.invite(db, effective, [NewUser(NEWCOMER)], by),
        "list": lambda _: _list_by_the_rules(stage, by),
        "activate": lambda on: users.set_active(db, on, by, active=True),
        "deactivate": lambda on: users.set_active(db, on, by, active=False, sure=False),
        "promote": lambda on: users.set_superuser(db, on, by, superuser=True, sure=False),
        "demote": lambda on: users.set_superuser(db, on, by, superuser=False, sure=False),
        "rename": lambda on: user_names.edit(db, effective, on, by, username=NEW_NAME),
        "reset": lambda on: invitations.reset_password(db, effective, on, by),
        "unlock": lambda on: locks.unlock(db, effective, on, by),
        "delete": lambda on: users.delete_all(db, [on], by),
        "end-sessions": lambda on: sessions.revoke_all(db, effective.config.session, on, by),
    }

    def act(name: str) -> str:
        try:
            acts[name](stage.target_id)
        except Refused as error:
            return REFUSALS[type(error)]
        return DONE

    return act


def _list_by_the_rules(stage: Stage, by: Actor) -> None:
    with stage.world.database.reading() as db:
        page = directory.page(db, stage.world.snapshot.effective, Query(), by)
    stage.shown = " ".join(one.user.username for one in page.users)


RULES = Road(
    frozenset({"owner", "superuser", "host", "user", "left", "stranger"}),
    _by_the_rules,
    words=((HAS_TO_SIGN_IN, NOT_ALLOWED),),
)


# The pages.

FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "activate": ("active", {"on": "y"}),
    "deactivate": ("active", {}),
    "promote": ("superuser", {"on": "y"}),
    "demote": ("superuser", {}),
    "rename": ("", {"username": NEW_NAME}),
    "reset": ("reset-password", {}),
    "unlock": ("unlock", {}),
    "delete": ("delete", {}),
    "end-sessions": ("sessions/end", {}),
}


def _browser(stage: Stage) -> tuple[Browser, str]:
    """Return the browser of whoever acts, and a CSRF token that is good in it."""
    browser = stage.world.browser()
    if stage.actor is None:
        return browser, csrf_token(browser.get("/login").text)
    browser.sign_in(stage.actor.username, stage.password)
    token = csrf_token(browser.get("/account/password").text)
    if stage.by == "left":
        stage.switch_off(User.id == stage.actor.id)
    return browser, token


def _by_the_pages(stage: Stage) -> Act:
    browser, token = _browser(stage)

    def act(name: str) -> str:
        path, typed = _form(stage, name)
        if name == "list":
            answer = browser.get("/admin/users")
        else:
            answer = browser.client.post(path, data={"csrf_token": token, **typed}, buffered=True)
        stage.shown = answer.text
        return _outcome_of(answer)

    return act


def _form(stage: Stage, act: str) -> tuple[str, dict[str, str]]:
    if act == "invite":
        return "/admin/users/new", {"username": NEWCOMER}
    if act == "end-sessions" and stage.by == "user" and stage.is_own:
        return "/account/sessions/end", {}
    last, typed = FORMS.get(act, ("", {}))
    if act == "delete":
        typed = {"typed": stage.target.username if stage.target else NOBODYS_ID}
    return f"/admin/users/{stage.target_id}/{last}".rstrip("/"), typed


def _by_the_bulk_form(stage: Stage) -> Act:
    browser, token = _browser(stage)

    def act(name: str) -> str:
        typed = {"csrf_token": token, "ids": stage.target_id, "action": name, "typed": "delete"}
        return _outcome_of(browser.client.post("/admin/users/bulk", data=typed, buffered=True))

    return act


def _outcome_of(answer: TestResponse) -> str:
    """Return what a page says came of it."""
    if answer.status_code in (200, 303):
        led = {"/login": HAS_TO_SIGN_IN, "/account/password": HAS_TO_CHANGE_PASSWORD}
        return led.get((answer.location or "").partition("?")[0], DONE)
    said = {
        (403, "for the first sign-in only"): HAS_TO_CHANGE_PASSWORD,
        (403, ""): NOT_ALLOWED,
        (404, "There is no such user."): NOT_FOUND,
        (409, 'name="sure"'): ASKED_TWICE,
        (409, "is the owner, who cannot be"): LAST_SUPERUSER,
        (409, "is the last active superuser, who cannot be"): LAST_SUPERUSER,
    }
    return next(
        (
            outcome
            for (status, words), outcome in said.items()
            if answer.status_code == status and words in answer.text
        ),
        f"{answer.status}: {answer.text}",
    )


PEOPLE = frozenset({"owner", "superuser", "user", "left", "owing", "stranger"})
PAGES = Road(PEOPLE, _by_the_pages)
BULK_FORM = Road(PEOPLE, _by_the_bulk_form, frozenset({"activate", "deactivate", "delete"}))


# The command line.

COMMANDS = {
    "invite": f"user add {NEWCOMER}",
    "list": "user list",
    "reset": "user reset-password",
    "delete": "user delete --yes",
    "end-sessions": "session revoke --user",
}


def command_line(run: Run) -> Road:
    """Return the road of whoever has a shell; `run` runs a command."""

    def ready(stage: Stage) -> Act:
        def act(name: str) -> str:
            words = COMMANDS.get(name, f"user {name}").split()
            words += [stage.target_id] if name not in ("invite", "list") else []
            words += [NEW_NAME] if name == "rename" else []
            result = run(*words)
            stage.shown = result.output
            said = {"There is no such user.": NOT_FOUND, "who cannot be": LAST_SUPERUSER}
            refused = (outcome for text, outcome in said.items() if text in result.stderr and result.exit_code == 1)
            return DONE if result.exit_code == 0 else next(refused, result.output)

        return act

    return Road(frozenset({"host"}), ready)


# The API joins here: a Road for PEOPLE whose adapter sends the request and reads the problem it answers with.
