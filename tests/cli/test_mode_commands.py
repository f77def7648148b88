"""`authapp mode` and `authapp secret`."""

import json

import pytest

from authapp import clock, issued_tokens, settings, users
from authapp.models import DEFAULT_ID, Token, TokenKind
from tests.cli.commands import Run, credentials, said
from tests.world import ADA, BOB, PASSWORD, SHELL, World

NONE = "auth: {mode: none}\n"


@pytest.fixture
def none(run: Run, world: World) -> World:
    """An installation that was bootstrapped in mode none."""
    world.write_config(NONE)
    said(run("bootstrap"))
    return world


def switched(run: Run, world: World, config: str) -> None:
    """Bootstrap with another config file."""
    world.write_config(config)
    assert run("bootstrap").exit_code == 0


def fingerprint(world: World) -> str:
    """The recorded fingerprint of the secret key."""
    return str(world.setting(settings.INSTALLATION)["secret_key_fingerprint"])


# -- show -----------------------------------------------------------------------------------------------------


def test_show(run: Run, none: World) -> None:
    """`mode show` prints the recorded mode, which follows a switch and not the config file."""
    assert said(run("mode", "show")) == "none\n"
    none.write_config(credentials())
    assert said(run("mode", "show")) == "none\n"
    assert json.loads(said(run("mode", "show", "--json"))) == {"mode": "none"}
    switched(run, none, credentials())
    assert said(run("mode", "show")) == "basic\n"


@pytest.mark.sqlite(reason="there is no installation where its file is missing")
@pytest.mark.parametrize("words", [("show",), ("check", "basic"), ("set", "none")])
def test_no_installation(run: Run, words: tuple[str, ...]) -> None:
    """Where there is no installation, the commands say where they looked."""
    result = run("mode", *words)
    assert result.exit_code == 1
    assert "looked for" in result.stderr


# -- check ----------------------------------------------------------------------------------------------------


def test_the_rehearsal(run: Run, none: World) -> None:
    """`mode check basic` names what is kept and what needs credentials, and changes nothing."""
    none.write_config(NONE + credentials())
    before = none.tables()
    text = said(run("mode", "check", "basic"))
    for words in (none.user("default").id, DEFAULT_ID, ADA, "config.yml, line", "every program"):
        assert words in text
    assert PASSWORD not in text
    assert none.tables() == before


def test_the_rehearsal_with_the_mode_in_the_file_already(run: Run, none: World) -> None:
    """The rehearsal works before and after `auth.mode` was edited."""
    none.write_config("auth: {mode: basic}\n" + credentials())
    assert f"becomes the owner, {ADA}" in said(run("mode", "check", "basic"))


def test_the_rehearsal_counts_what_is_void(run: Run, none: World) -> None:
    """The rehearsal says how many tokens end, beside passwords and sessions."""
    none.write_config(NONE + credentials())
    assert "Void: 0 passwords, 0 sessions, 0 tokens." in said(run("mode", "check", "basic"))
    user_id, now = none.user("default").id, clock.now()
    with none.database.writing() as db:  # as a backup of before may bring it along
        db.add(Token(kind=TokenKind.API, sha256="0" * 64, user_id=user_id, created_at=now))
    assert "0 sessions, 1 token." in said(run("mode", "check", "basic"))
    facts = json.loads(said(run("mode", "check", "basic", "--json")))
    assert facts["void"] == {"passwords": 0, "sessions": 0, "tokens": 1}


@pytest.mark.usefixtures("none")
def test_the_rehearsal_without_credentials(run: Run) -> None:
    """Without credentials the rehearsal says that the setup wizard asks."""
    facts = json.loads(said(run("mode", "check", "basic", "--json")))
    assert (facts["owner"]["username"], "wizard" in facts["owner"]["how"]) == (None, True)
    assert facts["kept"]["workspace_id"] == DEFAULT_ID


@pytest.mark.parametrize(
    "given",
    ["password: short", "password-hash: '19=19456,t=2,p=1'", "password-file: missing.txt"],
)
def test_nobody_could_sign_in(run: Run, none: World, given: str) -> None:
    """When the credentials cannot be used, the rehearsal says why, at which line, and exits 1."""
    none.write_config(f"{NONE}server:\n  basic-auth:\n    username: {ADA}\n    {given}\n")
    before = none.tables()
    result = run("mode", "check", "basic")
    assert result.exit_code == 1
    assert "Nobody could sign in afterwards" in result.stderr
    assert "config.yml:5:5 server.basic-auth.password" in result.stderr
    assert none.tables() == before


@pytest.mark.usefixtures("cast")
def test_nothing_to_rehearse(run: Run) -> None:
    """In mode basic there is nothing to rehearse."""
    result = run("mode", "check", "basic")
    assert (result.exit_code, "already" in result.stderr) == (1, True)


# -- the lock -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["bootstrap", "superuser", "run"])
@pytest.mark.parametrize(
    ("config", "wanted"),
    [(NONE, "none"), ("auth: {mode: oauth}\n", "oauth"), ("auth: {mode: None}\n", "none")],
)
def test_the_lock(run: Run, cast: World, command: str, config: str, wanted: str) -> None:
    """A start in a locked mode ends with exit 2, and names the recorded mode, the wanted one and the way out."""
    before = cast.tables()
    cast.write_config(config)
    result = run(command)
    assert result.exit_code == 2
    for words in ("config.yml:1:8 auth.mode", "recorded mode is basic", wanted, "authapp mode set none"):
        assert words in result.stderr
    assert cast.tables() == before


@pytest.mark.usefixtures("cast")
def test_two_systems_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Basic and OAuth at once end the start, and name both variables."""
    monkeypatch.setenv("BASIC_AUTH_ENABLED", "true")
    monkeypatch.setenv("AUTH_TYPE", "oauth")
    result = run("bootstrap")
    assert result.exit_code == 2
    for words in ("BASIC_AUTH_ENABLED", "AUTH_TYPE", "recorded mode is basic", "authapp mode set none"):
        assert words in result.stderr


def test_commands_do_not_switch(run: Run, none: World) -> None:
    """A command that only looks does not switch an installation whose config wants basic by now."""
    none.write_config(credentials())
    before = none.tables()
    result = run("user", "list")
    assert (result.exit_code, "mode check basic" in result.stderr) == (1, True)
    assert none.tables() == before


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("server: {host: 0.0.0.0}\n", "server.host"),
        ("server: {public-url: 'https://auth.example.com'}\n", "public-url"),
        ("server: {trusted-proxies: [10.0.0.0/8]}\n", "trusted-proxies"),
    ],
)
def test_mode_none_stays_local(run: Run, world: World, config: str, words: str) -> None:
    """Mode none does not start beside what opens it to others, unless that is meant; then it does."""
    world.write_config(NONE + config)
    result = run("bootstrap")
    assert result.exit_code == 2
    assert words in result.stderr
    world.write_config("auth: {mode: none, allow-public-none: true}\n" + config)
    assert run("bootstrap").exit_code == 0


def test_check_tells_of_the_lock(run: Run, cast: World) -> None:
    """`config check` beside an installation says what its next start would: the mode is locked."""
    cast.write_config(NONE)
    result = run("config", "check")
    assert result.exit_code == 2
    assert "config.yml:1:8 auth.mode: the recorded mode is basic" in result.stderr


@pytest.mark.usefixtures("cast")
def test_a_misspelled_mode(run: Run, world: World) -> None:
    """A mode that does not exist is a typing mistake, and not told to be locked."""
    world.write_config("auth: {mode: nonne}\n")
    assert "recorded" not in run("bootstrap").stderr


# -- set ------------------------------------------------------------------------------------------------------


def test_the_way_back(run: Run, cast: World) -> None:
    """`mode set none` asks for the word, records mode none, and the next start is in mode none."""
    cast.write_config(NONE)
    result = run("mode", "set", "none", typed="none\n")
    assert (result.exit_code, result.stdout) == (0, "The recorded mode is none now.\n")
    assert run("bootstrap").exit_code == 0
    assert said(run("mode", "show")) == "none\n"


@pytest.mark.parametrize("typed", ["yes\n", "\n", "NONE\n", ""])
def test_the_word_has_to_be_typed(run: Run, cast: World, typed: str) -> None:
    """Anything but the word changes nothing."""
    cast.write_config(NONE)
    before = cast.tables()
    assert run("mode", "set", "none", typed=typed).exit_code == 1
    assert cast.tables() == before


def test_the_way_back_checks_first(run: Run, cast: World) -> None:
    """A config in which mode none could not start keeps the mode as it is."""
    cast.write_config(NONE + "server: {host: 0.0.0.0}\n")
    before = cast.tables()
    assert run("mode", "set", "none", typed="none\n").exit_code == 2
    assert cast.tables() == before


@pytest.mark.usefixtures("cast")
def test_a_config_that_wants_basic(run: Run) -> None:
    """When the config file still wants basic, the command says that the next start goes back to it."""
    result = run("mode", "set", "none", typed="none\n")
    assert result.exit_code == 0
    assert "the next start goes back to basic" in result.stderr


# -- what mode none does not have -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("user", "list"),
        ("user", "add", BOB),
        ("user", "reset-password", "default"),
        ("user", "deactivate", "default"),
        ("session", "list"),
        ("session", "revoke", "--all"),
        ("token", "list"),
        ("token", "add", "default", "backup"),
        ("token", "revoke", "--all"),
        ("setup", "token"),
        ("superuser", "--username", BOB, "--password-stdin"),
    ],
)
def test_no_people(run: Run, none: World, words: tuple[str, ...]) -> None:
    """Commands about people say that there are none in mode none."""
    before = none.tables()
    result = run(*words, typed=f"{PASSWORD}\n")
    assert (result.exit_code, "mode none" in result.stderr) == (1, True)
    assert none.tables() == before


@pytest.mark.usefixtures("none")
def test_no_setup(run: Run) -> None:
    """There is nothing left to set up in mode none."""
    assert said(run("setup", "status")) == "complete\n"


def test_whom_the_switch_renames(run: Run, none: World) -> None:
    """The rehearsal says whom the switch renames, because the owner takes the name."""
    with none.database.writing() as db:
        users.add(db, ADA, None, is_active=True)
    none.write_config(credentials())
    assert f"{ADA}: is renamed and deactivated" in said(run("mode", "check", "basic"))


# -- the secret key -------------------------------------------------------------------------------------------


def test_rotate(run: Run, cast: World) -> None:
    """`secret rotate` makes a new key and says how many sessions and JWTs ended; the key is not shown."""
    browser = cast.browser()
    browser.sign_in()
    before = cast.setting("server.secret-key"), fingerprint(cast)
    text = said(run("secret", "rotate"))
    assert text.startswith("There is a new secret key; 1 session and 0 JWTs ended.\nAPI tokens live on")
    after = cast.setting("server.secret-key"), fingerprint(cast)
    assert before[0] != after[0] not in text
    assert before[1] != after[1]
    cast.look()
    assert not browser.is_signed_in()


def test_rotate_leaves_api_tokens(run: Run, cast: World) -> None:
    """`secret rotate` ends JWTs and says so; API tokens live on."""
    user, effective = cast.user(BOB), cast.snapshot.effective
    api_token = issued_tokens.create(cast.database, user.id, "backup", SHELL).row.id
    with cast.database.writing() as db:
        issued_tokens.issue_jwt(db, effective, user)
    assert "0 sessions and 1 JWT ended." in said(run("secret", "rotate"))
    with cast.database.reading() as db:
        assert [row.id for row in issued_tokens.of_user(db, effective.config.session, user.id)] == [api_token]


def test_rotate_refuses_a_pinned_key(run: Run, cast: World) -> None:
    """A pinned secret key is refused, with the place that supplies it."""
    cast.write_config(f"server: {{secret-key: {'k' * 32}}}\n")
    result = run("secret", "rotate")
    assert (result.exit_code, "config.yml, line 1" in result.stderr) == (1, True)
