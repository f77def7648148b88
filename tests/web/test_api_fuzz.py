"""The API attacked along its own document: what fits it is taken, what does not is refused, whoever asks."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.config import SchemathesisConfig

from authapp.errors import Refused
from authapp.names import clean_full_name, clean_username
from authapp.web.api import documents
from authapp.web.state import App
from tests.databases import SQLITE_AND_POSTGRES, PostgresCopy, SqliteCopy, taking
from tests.web.program import basic, by_basic, by_jwt, by_token
from tests.world import ADA, BOB, PASSWORD, World, signed_in

WHO = {"nobody": dict[str, str](), "a user": basic(BOB), "a superuser": basic(ADA)}


def document() -> dict[str, Any]:
    """Return the API's document; an app with nothing but the API is enough for it."""
    app = App("authapp")
    documents.init_app(app)
    return app.api_doc


class Stage:
    """The app that is attacked: each test puts one of its own here."""

    app: App

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, as WSGI has it."""
        answer: Iterable[bytes] = self.app(environ, start_response)
        return answer


# -- what our formats mean ------------------------------------------------------------------------------------


def _passes(rule: Callable[[str], str]) -> Callable[[str], bool]:
    def passes(text: str) -> bool:
        try:
            return bool(rule(text))
        except Refused:
            return False

    return passes


TYPED = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=40)
FORMATS = {
    "user-name": TYPED.filter(_passes(clean_username)),
    "full-name": TYPED.filter(_passes(clean_full_name)),
    "token-name": TYPED,
    "password": TYPED.map(lambda text: f"{PASSWORD} {text}"),  # of every kind of character, and not common
    "cursor": st.just(""),  # the first page; where the others begin only the server can say
}
for name, values in FORMATS.items():
    schemathesis.openapi.format(name, values)


# -- how it is attacked ---------------------------------------------------------------------------------------


def _also_422(*operations: str) -> dict[str, Any]:
    """Let operations refuse values that fit the schema."""
    statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
    return {
        "include-operation-id": list(operations),
        "phases": {"stateful": {"generation": {"mode": "positive"}}},
        "checks": {"positive_data_acceptance": {"expected-statuses": statuses}},
    }


CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 4,
        "cache": {"enabled": False},  # it would be a folder in the tree
        "generation": {"deterministic": True, "max-examples": 20},
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "429"]}},
        "operations": [
            _also_422("create_user", "sign_up"),  # a password policy is no JSON Schema
            _also_422("all_entries"),  # a day or a moment is no JSON Schema
            _also_422("change_setting"),  # what a value may be depends on the option
            _also_422("create_token"),  # the end lies in the future, and is given in one of two ways
            _also_422("create_users"),  # a name that is taken is a broken rule of one row
            # Where all were deleted there is still a list, without anything in it.
            {
                "include-operation-id": ["all_sessions", "all_tokens", "sessions_of_user", "tokens_of_user"],
                "checks": {"use_after_free": {"enabled": False}},
            },
            _also_422("change_user"),  # role and is_superuser may contradict each other
        ],
    }
)
STAGE = Stage()
SCHEMA = schemathesis.openapi.from_dict(document(), config=CONFIG)
SCHEMA.app = STAGE


@contextmanager
def stage(
    folder: Path, empty_database: Path, database_url: str | None, people: SqliteCopy | PostgresCopy
) -> Iterator[World]:
    """Let a new installation be attacked: people may sign up, nobody has to wait, no list is empty."""
    folder.mkdir()
    world = World(folder, empty_database, database_url)
    people.copy_to(world)
    world.write_config(
        "throttle: {attempts: 1000, account-attempts: 10000, network-attempts: 10000}\nauth: {sign-up: true}\n"
    )
    for name in (ADA, BOB):
        signed_in(world, name)
        by_jwt(world, name)
        by_token(world, name)
    STAGE.app = world.app
    yield world
    world.close()


def people_of(request: pytest.FixtureRequest, kind: str) -> SqliteCopy | PostgresCopy:
    """Return the people who are there."""
    found: SqliteCopy | PostgresCopy = request.getfixturevalue(f"{kind}_cast")
    return found


@pytest.fixture
def new_stage(
    tmp_path: Path, empty_database: Path, database_url: str | None, request: pytest.FixtureRequest
) -> Iterator[None]:
    """A new installation for each operation that is attacked."""
    people = people_of(request, "postgres" if database_url else "sqlite")
    with stage(tmp_path / "stage", empty_database, database_url, people):
        yield


@SCHEMA.parametrize()
@settings(deadline=None, database=None)
@pytest.mark.usefixtures("new_stage")
@pytest.mark.parametrize("who", WHO)
def test_the_document_is_true(case: schemathesis.Case[Any], who: str) -> None:
    """Every answer is one that the document describes; what fits the document is taken, and only that."""
    case.call_and_validate(headers=WHO[who])


class Superuser(SCHEMA.as_state_machine()):  # type: ignore[misc]  # the class is made from the document
    """A superuser's program, which goes on with what it was told: it looks at what it made, and deletes it."""

    stages: Iterator[AbstractContextManager[World]]

    def setup(self) -> None:
        """Begin with a new installation, so that every example is the same whichever came before."""
        self.stage = next(self.stages)
        self.stage.__enter__()

    def teardown(self) -> None:
        """Take the installation down."""
        self.stage.__exit__(None, None, None)
        super().teardown()

    def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
        """Send the credentials along."""
        del case
        return {"headers": WHO["a superuser"]}

    def validate_response(self, response: Any, case: schemathesis.Case[Any], *_: Any, **sent: Any) -> None:
        """Do not take the credentials for ones that were made up."""
        case.validate_response(response, headers=sent["headers"], transport_kwargs=sent, recorder=self.recorder)


@pytest.fixture(params=SQLITE_AND_POSTGRES)
def stages(
    tmp_path: Path, empty_database: Path, request: pytest.FixtureRequest
) -> Iterator[AbstractContextManager[World]]:
    """As many new installations as are wanted."""
    take, people = taking(request), people_of(request, request.param)

    @contextmanager
    def new(folder: Path) -> Iterator[World]:
        with take() as database_url, stage(folder, empty_database, database_url, people) as world:
            yield world

    return (new(tmp_path / str(number)) for number in count())


def test_what_was_made_is_there_and_what_was_deleted_is_not(
    stages: Iterator[AbstractContextManager[World]],
) -> None:
    """However a program goes on with what it was told, what it made is there, and gone once it deleted it."""
    Superuser.stages = stages
    steps = settings(max_examples=20, stateful_step_count=10, deadline=None, database=None, derandomize=True)
    run_state_machine_as_test(Superuser, settings=steps)


def test_what_is_attacked_is_what_is_served(cast: World) -> None:
    """The document that programs get has the operations and models that were attacked."""
    served, attacked = by_basic(cast).get("/openapi.json").json or {}, document()
    assert served["paths"] == attacked["paths"]
    assert served["components"]["schemas"] == attacked["components"]["schemas"]
