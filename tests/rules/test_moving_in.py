"""Files of Kestra, LangSmith, Langflow and Langinfra as config files of authapp, and what cannot be one."""

import string
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from authapp.config import yamlfile
from authapp.config.foreign import DEEPEST
from authapp.config.moving_in import Moved, move_in, quoted
from authapp.config.options import OPTIONS
from authapp.config.overlay import Layer, Source, overlay
from authapp.errors import BadUsername, CannotImport
from authapp.names import clean_username

FILES = Path(__file__).parents[1] / "files"
USERNAME, PASSWORD, SECRET_KEY = "server.basic-auth.username", "server.basic-auth.password", "server.secret-key"
MODE, POLICY, SIGN_UP = "auth.mode", "password.policy", "auth.sign-up"
ORGANIZATION, WORKSPACE, NEW_IS_ACTIVE = "organization.name", "workspace.name", "auth.new-user-is-active"
GOOD = "Tulip%Harbor,92 rain"
KEY = "k1vQ0m8e3ZrX2yWb7uTn5sLd9pAf4cHg"
CANARY = "Xq7canaryZk4wJ9v"
PROPERTY = settings(max_examples=150, deadline=None, database=None)


def moved(text: str | bytes, *, allow_none: bool = False) -> Moved:
    """Import a text."""
    return move_in(text.encode() if isinstance(text, str) else text, "theirs", allow_none=allow_none)


def values(text: str | Moved, *, allow_none: bool = False) -> dict[str, str]:
    """Return what authapp reads out of the config file made from a text; there must be nothing wrong with it."""
    made = text if isinstance(text, Moved) else moved(text, allow_none=allow_none)
    document = yamlfile.parse(made.text.encode(), "config.yml")
    assert not document.problems + overlay([Layer(Source.FILE, document.values)])[1]
    return {key: value.value for key, value in document.values.items()}


def lines(text: str) -> str:
    """Return the lines that say what was left out."""
    return "\n".join(map(str, moved(text).left_out))


def refusal(text: str | bytes) -> str:
    """Return why a text cannot be imported."""
    with pytest.raises(CannotImport) as caught:
        moved(text)
    return str(caught.value)


def kestra(password: str = f"'{GOOD}'", **more: str) -> str:
    """Write a Kestra file."""
    rest = "".join(f"      {name}: {value}\n" for name, value in more.items())
    return f"kestra:\n  server:\n    basicAuth:\n      password: {password}\n{rest}"


# -- whole files ----------------------------------------------------------------------------------------------

WHOLE = {
    "kestra-application.yml": {
        USERNAME: "admin@kestra.io", PASSWORD: "Admin1234", POLICY: "kestra",
    },
    "langsmith-values.yaml": {
        USERNAME: "admin@example.com", PASSWORD: GOOD, SECRET_KEY: KEY, MODE: "basic", ORGANIZATION: "Ada's Works",
        WORKSPACE: "Research",
    },
    "langsmith.env": {
        USERNAME: "admin@example.com", PASSWORD: "Tulip%Harbor#92 rain", SECRET_KEY: KEY, MODE: "basic",
        ORGANIZATION: "Ada's Works", WORKSPACE: "Research",
    },
    "langflow.env": {
        USERNAME: "admin", PASSWORD: "securepassword of mine", SECRET_KEY: "randomly_generated_secure_key",
        MODE: "basic", NEW_IS_ACTIVE: "true", SIGN_UP: "false", POLICY: "nist",
    },
    "langinfra.env": {
        USERNAME: "admin", PASSWORD: "securepassword of mine", SECRET_KEY: "randomly_generated_secure_key",
        MODE: "basic", NEW_IS_ACTIVE: "true", POLICY: "nist",
    },
}  # fmt: skip
KINDS = {
    "kestra-application.yml": "a config file of Kestra", "langsmith-values.yaml": "Helm values of LangSmith",
    "langsmith.env": "an env file of LangSmith", "langflow.env": "an env file of Langflow",
    "langinfra.env": "an env file of Langinfra",
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_of_each_system(name: str) -> None:
    """Names, passwords, secret keys and switches of each system's own file are authapp's options."""
    found = values(moved((FILES / name).read_bytes()))
    found.pop("server.basic-auth.realm", None)  # as soon as there is such an option
    assert found == WHOLE[name]


@pytest.mark.parametrize("name", WHOLE)
def test_the_head_says_where_it_comes_from(name: str) -> None:
    """A short comment names the kind of file, and how to keep the password from others."""
    text = moved((FILES / name).read_bytes()).text
    assert text.startswith(f"# authapp's config file, made from {KINDS[name]}.\n")
    assert "chmod 600" in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("kestra-application.yml", "theirs:8:1 micronaut: left out"),
        ("kestra-application.yml", "theirs:21:7 kestra.server.basicAuth.enabled: left out"),
        ("kestra-application.yml", "theirs:25:7 kestra.server.basicAuth.openUrls: left out"),
        (
            "kestra-application.yml",
            "theirs:18:3 kestra (server-type, repository, queue, storage, encryption, url): left out",
        ),
        ("langsmith-values.yaml", "theirs:23:1 ingress: left out"),
        (
            "langsmith-values.yaml",
            "theirs:6:3 config (langsmithLicenseKey, apiKeySalt, userOrgCreationDisabled): left out",
        ),
        ("langsmith.env", "theirs:2 _LANGSMITH_IMAGE_VERSION, LANGSMITH_LICENSE_KEY, API_KEY_SALT: left out"),
        ("langflow.env", "theirs:3 LANGFLOW_DATABASE_URL: left out"),
        ("langflow.env", "theirs:11 OPENAI_API_KEY: left out"),
        ("langinfra.env", "theirs:9 LANGINFRA_LOG_LEVEL: left out"),
    ],
)
def test_what_is_left_out_has_a_line_with_its_place(name: str, said: str) -> None:
    """A section or name authapp has no use for is told in one line, with file and line."""
    assert said in lines((FILES / name).read_text())


@pytest.mark.parametrize("name", WHOLE)
def test_no_line_repeats_a_secret(name: str) -> None:
    """What stands on standard error may be copied into a ticket."""
    mine = [WHOLE[name][key] for key in (PASSWORD, SECRET_KEY) if key in WHOLE[name]]
    said = lines((FILES / name).read_text())
    assert not [text for text in ("k3str4", "Metrics1234", "lsv2-", "super-salt", "sk-12", *mine) if text in said]


# -- spellings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "kestra:\n  server:\n    basic-auth:\n      username: ada\n",
        "kestra:\n  server:\n    basic_auth: {userName: ada}\n",
        "KESTRA: {SERVER: {BASICAUTH: {USERNAME: ada}}}\n",
        "kestra.server.basic-auth.username: ada\n",
        "kestra:\n  server.basic-auth:\n    username: ada\n",
        "micronaut: {a: b}\n---\nkestra: {server: {basicAuth: {username: ada}}}\n",
        "x: &x {username: ada}\nkestra: {server: {basicAuth: *x}}\n",
        "x: &x {username: ada}\nkestra: {server: {basicAuth: {<<: *x}}}\n",
        "x: &x {username: bob}\nkestra: {server: {basicAuth: {username: ada, <<: [*x]}}}\n",
        "\ufeff# first\r\nkestra:\r\n  server:\r\n    basicAuth:\r\n      username: ada # me\r\n",
        "config:\n  basicAuth:\n    initialOrgAdminEmail: ada\n",
        "export LANGFLOW_SUPERUSER='ada'\n",
        "LANGINFRA_SUPERUSER=ada\nLANGFLOW_SUPERUSER=ada\n",
        "INITIAL_ORG_ADMIN_EMAIL=ada # me\n",
    ],
)
def test_a_name_may_be_written_in_any_way_its_system_reads(text: str) -> None:
    """Relaxed spelling, flat keys, documents, anchors, merges, comments and line ends change nothing."""
    assert values(text)[USERNAME] == "ada"


@pytest.mark.parametrize(
    ("typed", "kind"),
    [("739184620573916428", "a number"), ("073614620573614627", "a number"), ("7391_8462_0573_9164", "a number"),
     ("0x7B39F18462C0573916", "a number"), ("7391.84620573916428", "a number")],
)  # fmt: skip
def test_a_password_is_the_text_that_was_typed(typed: str, kind: str) -> None:
    """Whatever YAML would make of a password, every sign of it is kept, and a line says what it looks like."""
    assert values(kestra(typed))[PASSWORD] == typed
    assert f"password: taken as it is typed, but without quotes YAML reads it as {kind}" in lines(kestra(typed))
    assert "taken as it is typed" not in lines(kestra(f"'{typed}'"))


def test_a_comment_behind_a_password_is_told() -> None:
    """What YAML cuts off is no part of the password in the other system either."""
    text = kestra(f"{GOOD} #{CANARY}")
    assert values(text)[PASSWORD] == GOOD
    assert "behind the #" in lines(text)
    assert CANARY not in lines(text)


# -- what cannot be carried over ------------------------------------------------------------------------------


@pytest.mark.parametrize("placeholder", ["<PASSWORD>", "changeme", "change-me", "your-password", "your-jwt-secret"])
@pytest.mark.parametrize("name", ["INITIAL_ORG_ADMIN_EMAIL", "INITIAL_ORG_ADMIN_PASSWORD", "BASIC_AUTH_JWT_SECRET"])
def test_placeholders_are_left_out(name: str, placeholder: str) -> None:
    """A value that was never filled in is no secret."""
    assert not values(f"{name}={placeholder}\n")
    assert f"theirs:1 {name}: left out: it is the placeholder of an example file" in lines(
        f"{name}={placeholder}\n"
    )


def test_the_documented_example_gives_its_mode_alone() -> None:
    """LangSmith's documented values, copied as they are, import as far as they say something."""
    text = (
        "config:\n  authType: mixed\n  basicAuth:\n    enabled: true\n"
        "    initialOrgAdminEmail: <YOUR EMAIL ADDRESS>\n"
        "    initialOrgAdminPassword: <PASSWORD> # Must be at least 12 characters long\n    jwtSecret: <SECRET>\n"
    )
    assert values(text) == {MODE: "basic"}
    assert len(lines(text).splitlines()) == 3


@pytest.mark.parametrize(
    "name", ["a:b", "' ada'", "'a  b'", '"a\\u200bb"', "'12345678-1234-1234-1234-123456789012'"]
)
def test_a_user_name_that_is_none_here_is_left_out(name: str) -> None:
    """The reason is the rule for user names."""
    assert USERNAME not in values(kestra(username=name))
    assert "kestra.server.basicAuth.username: left out: A user name must not" in lines(kestra(username=name))


def test_a_short_secret_key_is_left_out() -> None:
    """A key of fewer than 16 characters is not good enough, and authapp makes a better one."""
    text = "LANGFLOW_SECRET_KEY=0123456789abcde\n"
    assert not values(text)
    assert "at least 16 characters; authapp makes one itself" in lines(text)


@pytest.mark.parametrize(
    "value", ["${KESTRA_PASSWORD}", "${KESTRA_PASSWORD:Fallback-12 of us}", "pre${x}post-Abc-123"]
)
def test_variables_are_not_filled_in(value: str) -> None:
    """Neither the environment nor a default is taken for what it would be in production."""
    text = kestra(f"'{value}'", username=f"'{value}'")
    assert not values(text)
    assert lines(text).count("names a variable") == 2


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("[a, b]", "a list or a group"),
        ("{a: b}", "a list or a group"),
        ("!vault abc", "a tag"),
        ("|\n        abc", "several lines"),
        ("abc\n        def", "several lines"),
        ("", "no value"),
        ("~", "no value"),
        ("#Abc-defgh-1234", "no value"),
    ],
)
def test_a_password_that_is_no_plain_value_is_left_out(typed: str, reason: str) -> None:
    """Lists, tags, blocks and nothing at all are told, and the setup page asks."""
    assert not values(kestra(typed))
    assert reason in lines(kestra(typed))
    assert "the setup page will ask for one" in lines(kestra(typed))


def test_an_env_secret_that_may_be_cut_is_left_out() -> None:
    """Nobody can tell whether what follows the # is a comment or the rest of a password."""
    text = f"LANGFLOW_SUPERUSER_PASSWORD={GOOD} #{CANARY}\nLANGFLOW_SUPERUSER=ada # me\n"
    assert values(text) == {USERNAME: "ada"}
    assert "it may be cut at the #" in lines(text)
    assert CANARY not in lines(text)


def test_lines_that_are_none_do_not_stop_the_others() -> None:
    """A broken line of an env file is told by its number alone."""
    text = f"LANGFLOW_SUPERUSER=ada\n{CANARY} x\n{CANARY}==\nLANGFLOW_NEW_USER_IS_ACTIVE=yes\n"
    assert values(text) == {USERNAME: "ada", NEW_IS_ACTIVE: "true"}
    assert "theirs:2: this line is no NAME=value" in lines(text)
    assert CANARY not in lines(text)


def test_a_switch_that_is_none_is_left_out() -> None:
    """What is neither true nor false is told."""
    assert not values("LANGFLOW_ENABLE_SIGNUP=perhaps\n")
    assert "must be true or false" in lines("LANGFLOW_ENABLE_SIGNUP=perhaps\n")


def test_empty_values_of_an_example_say_nothing() -> None:
    """Helm values are full of empty ones; they are neither carried over nor told."""
    text = "config:\n  authType: ''\n  initialOrgName: ''\n  defaultWorkspaceName:\n  existingSecretName: ''\n"
    assert not values(text)
    assert not lines(text)


def test_a_secret_elsewhere_is_told() -> None:
    """With a Kubernetes secret of one's own there is no password to carry over."""
    assert "set them by hand" in lines("config:\n  existingSecretName: langsmith-secrets\n")


def test_a_misplaced_secret_key_is_not_taken() -> None:
    """`config.jwtSecret` has no effect in LangSmith, so it is not what cookies were signed with."""
    text = f"config:\n  jwtSecret: {KEY}\n"
    assert not values(text)
    assert "under config.basicAuth" in lines(text)


# -- modes ----------------------------------------------------------------------------------------------------

OPEN = [
    "LANGFLOW_AUTO_LOGIN=True\n", "LANGINFRA_AUTO_LOGIN=true\n", "AUTH_TYPE=none\n", "BASIC_AUTH_ENABLED=false\n",
    "AUTH_TYPE=none\nBASIC_AUTH_ENABLED=false\n", "config:\n  authType: none\n",
    "config:\n  basicAuth:\n    enabled: false\n",
    "AUTH_TYPE=none\nOAUTH_CLIENT_ID=abc\n",
]  # fmt: skip


@pytest.mark.parametrize("text", OPEN)
def test_nobody_is_let_in_unasked(text: str) -> None:
    """Where nobody had to sign in, everybody does from now on, and it is said how to keep it."""
    assert MODE not in values(text)
    assert "--allow-none keeps it as it was" in lines(text)


@pytest.mark.parametrize("text", OPEN)
def test_mode_none_can_be_allowed(text: str) -> None:
    """With --allow-none the mode is carried over."""
    assert values(text, allow_none=True) == {MODE: "none"}
    assert not moved(text, allow_none=True).left_out


@pytest.mark.parametrize(
    "text",
    [
        "AUTH_TYPE=oauth\n",
        "AUTH_TYPE=mixed\nBASIC_AUTH_ENABLED=false\nOAUTH_CLIENT_ID=abc\n",
        "AUTH_TYPE=mixed\nBASIC_AUTH_ENABLED=true\nOAUTH_ISSUER_URL=https://id.example.com\n",
        "config:\n  authType: oauth\n",
        "config:\n  authType: mixed\n  oauth: {enabled: true}\n",
        "config:\n  authType: mixed\n  basicAuth: {enabled: false}\n  oauth: {enabled: true}\n",
        "config:\n  authType: mixed\n  basicAuth: {enabled: true}\n  oauth: {enabled: true}\n",
    ],
)
def test_oauth_cannot_move_in(text: str) -> None:
    """OAuth, alone or beside basic auth, is refused with the reason."""
    assert "signs people in with OAuth" in refusal(text)


def test_an_oauth_client_of_another_program_is_no_obstacle() -> None:
    """OAUTH_CLIENT_ID beside Langflow's names belongs to something else."""
    assert values("LANGFLOW_SUPERUSER=ada\nOAUTH_CLIENT_ID=abc\n") == {USERNAME: "ada"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("AUTH_TYPE=none\nBASIC_AUTH_ENABLED=true\n", ("AUTH_TYPE", "BASIC_AUTH_ENABLED")),
        ("LANGFLOW_SUPERUSER=a\nLANGINFRA_SUPERUSER=b\n", ("LANGFLOW_SUPERUSER", "LANGINFRA_SUPERUSER")),
        (
            "config:\n  initialOrgAdminEmail: a\n  basicAuth:\n    initialOrgAdminEmail: b\n",
            ("config.initialOrgAdminEmail", "config.basicAuth.initialOrgAdminEmail"),
        ),
        (f"{kestra()}---\n{kestra('Another-1 of them')}", ("theirs, line 4", "theirs, line 9")),
    ],
)
def test_two_names_that_disagree_are_refused(text: str, names: tuple[str, str]) -> None:
    """Which of the two was meant is not for authapp to guess; one sentence names both."""
    said = refusal(text)
    assert "say different things" in said
    assert all(name in said for name in names)


# -- the policy -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "policy"),
    [(GOOD, None), ("Admin1234", "kestra"), ("zebra marmalade kiosk drum", "nist")],
)
def test_the_policy_admits_the_password(password: str, policy: str | None) -> None:
    """The strictest policy that the password fits is chosen, and written only where it is not the default."""
    assert values(kestra(f"'{password}'")).get(POLICY) == policy


def test_a_password_that_fits_no_policy_is_left_out() -> None:
    """The setup page asks for a better one, and the line says what the policies ask for."""
    text = "LANGFLOW_SUPERUSER=admin\nLANGFLOW_SUPERUSER_PASSWORD=securepassword\n"
    assert values(text) == {USERNAME: "admin"}
    assert "it fits none of the password policies (standard asks for at least 12 characters" in lines(text)
    assert "securepassword" not in lines(text)


def test_the_user_name_is_no_password() -> None:
    """A policy judges the password beside the user name, as it will after the move."""
    text = kestra("'Admin1234'", username="admin1234")
    assert values(text) == {USERNAME: "admin1234"}


# -- nothing changes on the way -------------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)


@PROPERTY
@given(ANY_TEXT)
@example("'\"\\ #: ${a ${b} $${c}")
@example("\x85\u2028\u2029\ufeff\t\x07\n")
def test_any_text_can_be_written(text: str) -> None:
    """A quoted text is read as it was, and shows no control character."""
    document = yamlfile.parse(f"server:\n  secret-key: {quoted(text)}\n".encode(), "config.yml", {})
    assert quoted(text).isprintable()
    assert [value.value for value in document.values.values()] == ([] if is_reference(text) else [text])


def is_reference(text: str) -> bool:
    """Tell whether a secret is nothing but one reference, which is replaced."""
    return text.startswith("${") and text.endswith("}")


@PROPERTY
@given(ANY_TEXT, ANY_TEXT.filter(lambda text: not set(text) & set("\r\n")))
@example("Aa1-", "${x")
def test_credentials_arrive_as_they_are(password: str, username: str) -> None:
    """Every user name and password that authapp accepts is the same after the move."""
    typed = f"Aa1-{password}-{GOOD}"
    assume("${" not in typed or "}" not in typed)
    found = values(
        f"kestra: {{server: {{basicAuth: {{username: {quoted(username)}, password: {quoted(typed)}}}}}}}"
    )
    try:
        accepted = clean_username(username) != "" and not (username.startswith("<") and username.endswith(">"))
    except BadUsername:
        accepted = False
    if accepted and not ("${" in username and "}" in username):
        assert found[USERNAME] == username
    assert found[PASSWORD] == typed


@pytest.mark.parametrize("character", string.punctuation)
def test_every_punctuation_character_arrives_from_an_env_file(character: str) -> None:
    """In single quotes, as the documentation of every system recommends."""
    password = f"{character}{GOOD}{character}"
    written = password.replace("\\", "\\\\").replace("'", "\\'")
    assert values(f"INITIAL_ORG_ADMIN_PASSWORD='{written}'\n")[PASSWORD] == password


# -- files that are none --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "", "\n", "hello\n", "- a\n- b\n", "server:\n  basic-auth:\n    username: ada\n",
        "config:\n  theme: dark\n", "config: dark\n", "FOO=1\nOAUTH_CLIENT_ID=abc\n", "{", "a: [b\n", "a: b: c\n",
        "\0", "'", "services:\n  x:\n    environment:\n    - LANGFLOW_SUPERUSER=ada\n", b"\xff\xfeA\0U\0", b"\xe9",
        "kestra: " + "[" * (DEEPEST + 1), "kestra: " + "[" * 50_000, "kestra: *nowhere\n",
        "kestra: {a: '\u2028'}\n",
    ],
)  # fmt: skip
def test_a_file_of_none_of_the_systems_is_refused(content: str | bytes) -> None:
    """One sentence says what was expected."""
    said = refusal(content)
    assert said.startswith("Nothing was imported: theirs ")
    assert "expected an application.yml of Kestra" in said
    assert len(said.splitlines()) == 1


def test_a_kestra_file_without_credentials_is_an_empty_config() -> None:
    """Kestra without basicAuth has a setup page, and so has authapp."""
    assert not values("kestra:\n  queue: {type: memory}\n")


def test_aliases_do_not_explode() -> None:
    """A file that is its own section, and one of a thousand times a thousand, are read in a moment."""
    bomb = "a: &a {username: ada}\n" + "".join(
        f"{name}: &{name} {{{', '.join(f'<<: *{before}' for _ in range(9))}}}\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert values(f"{bomb}kestra: {{server: {{basicAuth: *i}}}}\n") == {USERNAME: "ada"}
    assert not values("kestra: &k {server: *k, <<: *k, kestra: *k}\n")


SNIPPETS = [
    *"\n \t'\"#&*!|>%@`[]{},:?-~.\0\r\\=", "\n  ", ": ", "- ", "---\n", "<<: ", "&a ", "*a", "${", "}", "export ",
    "kestra:", "\n  server:", "\n    basicAuth:", "\n      password: ", "\n      username: ", "\nconfig:",
    "\n  authType: ", "\n  basicAuth:", "\n    jwtSecret: ", "\nAUTH_TYPE=", "\nLANGFLOW_SUPERUSER_PASSWORD=",
    "\nBASIC_AUTH_JWT_SECRET=", "none", "true", CANARY, CANARY,
]  # fmt: skip


@PROPERTY
@given(st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=5), max_size=30).map("".join))
def test_hostile_text_gives_a_sound_file_or_one_sentence(text: str) -> None:
    """Whatever stands in a file, what is printed can be read, and is never mode none."""
    try:
        made = moved(text.encode("utf-8", "surrogatepass"))
    except CannotImport:
        return
    found = values(made)
    assert found.get(MODE) != "none"
    assert set(found) <= set(OPTIONS)


def test_a_line_without_its_sign_is_not_repeated() -> None:
    """The second line of a secret that was wrapped looks like a name; it is not shown."""
    moved = move_in(b"AUTH_TYPE=mixed\nSECRETLINE\nLANGFLOW_SECRETLINE\n", "theirs")
    assert "SECRETLINE" not in " ".join(map(str, moved.left_out))
