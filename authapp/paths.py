"""Where files live, and who may touch them."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from authapp import variables
from authapp.errors import ConfigError, Place, Problem
from authapp.variables import Variables

PACKAGE = Path(__file__).resolve().parent
# A wheel carries these folders inside the package, a checkout beside it.
SHIPPED = PACKAGE if (PACKAGE / "templates").is_dir() else PACKAGE.parent
TEMPLATES, STATIC, MIGRATIONS = SHIPPED / "templates", SHIPPED / "static", SHIPPED / "migrations"

SYSTEM_CONFIG = Path("/etc/authapp/config.yml")
SYSTEM_DATA = Path("/var/lib/authapp")
LARGEST_ENV_FILE = 256 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Locations:
    """The config file to read or watch for, whether somebody named it, and the data folder.

    `variables`: the environment, which is read once; `env_file`: where some of it was read from, if anywhere.
    """

    config_file: Path
    named: bool
    data: Path
    variables: Variables = field(default_factory=dict, repr=False, compare=False)
    env_file: Path | None = field(default=None, compare=False)

    @property
    def base(self) -> Path:
        """The folder that relative paths of the config file start from."""
        return self.config_file.parent


def locate(named: str | None = None, env_file: str | None = None) -> Locations:
    """Find the config file: the one named, else `AUTHAPP_CONFIG`, else `./config.yml`, else the one in /etc.

    Raises ConfigError when a named file is not there, or the env file cannot be used.
    """
    found = read_environment(env_file)
    beside = Path(env_file).absolute() if env_file is not None else None
    wanted = named if named is not None or "AUTHAPP_CONFIG" not in found else found["AUTHAPP_CONFIG"].text
    if wanted is not None:
        file = Path(wanted).absolute()
        if reason := _unreachable(file) if wanted else "its name is empty":
            raise ConfigError([Problem("", f"this config file cannot be used ({reason})", Place(str(file)))])
        return Locations(file, named=True, data=data_beside(file), variables=found, env_file=beside)
    here = Path("config.yml").absolute()
    if _unreachable(here) and not _unreachable(SYSTEM_CONFIG):
        return Locations(SYSTEM_CONFIG, named=False, data=SYSTEM_DATA, variables=found, env_file=beside)
    return Locations(here, named=False, data=data_beside(here), variables=found, env_file=beside)


def read_environment(env_file: str | None = None) -> Variables:
    """Return the variables of an env file, if one is named, under those of this process, which beat it.

    Raises ConfigError when the file cannot be read, or is unsafe.
    """
    return {**(_read_env_file(Path(env_file)) if env_file is not None else {}), **variables.from_process()}


def _read_env_file(path: Path) -> Variables:
    try:
        content = read_small_file(path, LARGEST_ENV_FILE)
    except (OSError, ValueError) as error:
        reason = f"this env file cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)
        raise ConfigError([Problem("", reason, Place(str(path)))]) from None
    found, problems = variables.parse(content, path.name)
    if problems := [*check_ownership(path, implicit=False), *problems]:
        raise ConfigError(problems)
    return found


def _unreachable(file: Path) -> str | None:
    """Return why there is no such file, or None."""
    try:
        file.stat()
    except OSError as error:
        return error.strerror
    except ValueError:
        return "not a path"
    return None


def data_beside(file: Path) -> Path:
    """Return the data folder that belongs to a config file."""
    return SYSTEM_DATA if file == SYSTEM_CONFIG else file.parent / "data"


def ensure_data_folder(folder: Path) -> None:
    """Make the data folder (0700) if it is missing; raises ConfigError when others could change it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the data folder ({error.strerror})"
        raise ConfigError([Problem("", message, Place(str(folder)))]) from None
    if problems := check_ownership(folder, implicit=True):
        raise ConfigError(problems)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError([Problem("", "the data folder cannot be written to", Place(str(folder)))])


def check_ownership(path: Path, *, implicit: bool) -> list[Problem]:
    """Return what makes a file or folder unsafe: anybody may write it, or a stranger put it there.

    `implicit` files were found rather than named, so they must belong to root or to whoever runs authapp.
    """
    try:
        status = path.stat()
    except OSError:
        return []  # whoever opens it says so, with the right words
    problems = []
    place = Place(str(path) if path.is_dir() else path.name)
    if status.st_mode & stat.S_IWOTH:
        problems.append(Problem("", "anybody may write this; run: chmod o-w", place))
    if implicit and status.st_uid not in (0, os.geteuid()):
        # A folder is found however its config file is named.
        other_way = "run this as the account that runs authapp," if path.is_dir() else "name it with --config"
        problems.append(Problem("", f"belongs to another user; {other_way} or change its owner", place))
    return problems


def write_secret_file(path: Path, text: str) -> None:
    """Write a new file that only its owner may read; what stood there before is replaced, never followed.

    Raises OSError.
    """
    path.unlink(missing_ok=True)
    with new_secret_file(path) as file:
        file.write(text)


def new_secret_file(path: Path) -> TextIO:
    """Open a new file that only its owner may read; its lines end as they are given.

    Raises OSError, FileExistsError where something stands there already, a link that leads nowhere included.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


def read_small_file(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes.

    Raises OSError, and ValueError with a reason when it is something else or larger. Opened without
    blocking, so that a FIFO cannot hold the server up.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise ValueError(f"is larger than {limit} bytes")
    return content
