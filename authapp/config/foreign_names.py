"""What the names in the files of Kestra, LangSmith, Langflow and Langinfra mean here."""

from collections.abc import Callable
from dataclasses import dataclass

from authapp.config import environment
from authapp.config.options import CREDENTIALS, MODE, OPTIONS, PASSWORD_KEYS, SECRET_KEY, USERNAME, canonical

EXPECTED = (
    "expected an application.yml of Kestra, Helm values of LangSmith, "
    "or an env file of LangSmith, Langflow or Langinfra"
)
LANGINFRA = tuple(prefix for prefix in environment.LANGINFRA_PREFIXES if prefix != environment.PREFIX)
KESTRA = "a config file of Kestra"
OAUTH = "oauth"  # no option, but whoever uses it cannot move in

# The names of a path into a YAML file, folded.
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one of the other systems' names is here: the option it sets, and how its text becomes the option's.

    `kind` is the kind of file that has it; `why_not` says why there is no option for it.
    """

    kind: str
    key: str = ""
    translate: Callable[[str], str] = str
    why_not: str = ""


def _basic_when_true(text: str) -> str:
    return "basic" if _is_true(text) else "none"


def _oauth_when_true(text: str) -> str:
    return OAUTH if _is_true(text) else ""


def _oauth_when_set(text: str) -> str:
    # LangSmith's example files are full of values such as your-client-id.
    return "" if text.startswith(("your-", "<")) else OAUTH


def _is_true(text: str) -> bool:
    return bool(OPTIONS["auth.sign-up"].convert(text))


def _kestra() -> dict[str, Meaning]:
    kind = KESTRA
    values = {
        "username": Meaning(kind, USERNAME),
        "password": Meaning(kind, PASSWORD_KEYS[0]),
        "realm": Meaning(kind, f"{CREDENTIALS}.realm"),
        "enabled": Meaning(
            kind, why_not="it has no effect; signing in is always required, as in Kestra since 0.24"
        ),
        "openUrls": Meaning(kind, why_not="authapp has no addresses that are open to everybody"),
        "email": Meaning(kind, why_not="Kestra does not know it either; the user name belongs under username"),
        "users": Meaning(kind, why_not="Kestra does not know it either; add users once authapp runs"),
    }
    return {f"kestra.server.basicAuth.{name}": meaning for name, meaning in values.items()}


def _helm() -> dict[str, Meaning]:
    kind = "Helm values of LangSmith"
    elsewhere = "the password and the secret key stand in that Kubernetes secret; set them by hand"
    misplaced = "LangSmith does not read it here, but under config.basicAuth"
    values = {
        "authType": Meaning(kind, MODE),
        "basicAuth.enabled": Meaning(kind, MODE, _basic_when_true),
        "basicAuth.initialOrgAdminEmail": Meaning(kind, USERNAME),
        "basicAuth.initialOrgAdminPassword": Meaning(kind, PASSWORD_KEYS[0]),
        "basicAuth.jwtSecret": Meaning(kind, SECRET_KEY),
        "initialOrgAdminEmail": Meaning(kind, USERNAME),
        "initialOrgAdminPassword": Meaning(kind, why_not=misplaced),
        "jwtSecret": Meaning(kind, why_not=misplaced),
        "initialOrgName": Meaning(kind, "organization.name"),
        "defaultWorkspaceName": Meaning(kind, "workspace.name"),
        "existingSecretName": Meaning(kind, why_not=elsewhere),
        "oauth.enabled": Meaning(kind, OAUTH, _oauth_when_true),
    }
    return {f"config.{name}": meaning for name, meaning in values.items()}


def _langsmith_env() -> dict[str, Meaning]:
    kind = "an env file of LangSmith"
    known = (
        "AUTH_TYPE", "BASIC_AUTH_ENABLED", "INITIAL_ORG_ADMIN_EMAIL", "INITIAL_ORG_ADMIN_PASSWORD",
        "BASIC_AUTH_JWT_SECRET",
    )  # fmt: skip
    return {
        **{name: Meaning(kind, *environment.NAMES[name]) for name in known},
        "INITIAL_ORG_NAME": Meaning(kind, "organization.name"),
        "DEFAULT_WORKSPACE_NAME": Meaning(kind, "workspace.name"),
        **{f"OAUTH_{name}": Meaning(kind, OAUTH, _oauth_when_set) for name in ("CLIENT_ID", "ISSUER_URL")},
    }


def _langinfra_env() -> dict[str, Meaning]:
    kinds = {prefix: f"an env file of {prefix[:-1].capitalize()}" for prefix in LANGINFRA}
    known = ("AUTO_LOGIN", "SUPERUSER", "SUPERUSER_PASSWORD", "SECRET_KEY", "NEW_USER_IS_ACTIVE")
    found = {
        prefix + name: Meaning(kind, *environment.NAMES[prefix + name])
        for prefix, kind in kinds.items()
        for name in known
    }
    return found | {f"{prefix}ENABLE_SIGNUP": Meaning(kind, "auth.sign-up") for prefix, kind in kinds.items()}


LANGSMITH_ENV = _langsmith_env()
# name -> meaning, of variables
ENV = LANGSMITH_ENV | _langinfra_env()


def _path(name: str) -> Path:
    return tuple(canonical(name).split("."))


# folded path -> name and meaning, of YAML files
YAML: dict[Path, tuple[str, Meaning]] = {
    _path(name): (name, meaning) for name, meaning in (_kestra() | _helm()).items()
}
# folded path -> name, of the sections above them
SECTIONS: dict[Path, str] = {
    path[:depth]: ".".join(name.split(".")[:depth])
    for path, (name, _) in YAML.items()
    for depth in range(1, len(path))
}
