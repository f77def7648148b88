"""Where files live, and who may touch them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from authapp import paths
from authapp.config.examine import examine
from authapp.errors import ConfigError
from authapp.paths import Locations, check_ownership, ensure_data_folder, locate, read_small_file, write_secret_file

# -- finding the config file ----------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, beside an /etc of its own; nobody names a config file."""
    for folder in ("here", "etc"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("AUTHAPP_CONFIG", raising=False)
    monkeypatch.setattr(paths, "SYSTEM_CONFIG", tmp_path / "etc" / "config.yml")
    return tmp_path / "here"


def test_the_file_that_was_named_comes_first(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--config` beats everything."""
    for name in ("named.yml", "environment.yml", "config.yml"):
        (here / name).touch()
    monkeypatch.setenv("AUTHAPP_CONFIG", "environment.yml")
    assert locate("named.yml") == Locations(here / "named.yml", named=True, data=here / "data")


def test_the_environment_comes_second(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`AUTHAPP_CONFIG` beats the file that lies around, and counts as naming it."""
    for name in ("environment.yml", "config.yml"):
        (here / name).touch()
    monkeypatch.setenv("AUTHAPP_CONFIG", "environment.yml")
    assert locate() == Locations(here / "environment.yml", named=True, data=here / "data")


def test_the_current_folder_comes_third(here: Path) -> None:
    """`./config.yml` beats the system's, and was found rather than named."""
    (here / "config.yml").touch()
    paths.SYSTEM_CONFIG.touch()
    assert locate() == Locations(here / "config.yml", named=False, data=here / "data")


@pytest.mark.usefixtures("here")
def test_the_system_comes_last() -> None:
    """Then the data are where the system keeps them."""
    paths.SYSTEM_CONFIG.touch()
    assert locate() == Locations(paths.SYSTEM_CONFIG, named=False, data=Path("/var/lib/authapp"))


@pytest.mark.usefixtures("here")
def test_the_system_file_keeps_its_data_folder_when_named() -> None:
    """Naming it aloud does not move the installation."""
    paths.SYSTEM_CONFIG.touch()
    assert locate(str(paths.SYSTEM_CONFIG)).data == Path("/var/lib/authapp")


def test_without_any_file_the_current_folder_is_watched(here: Path) -> None:
    """With none named and none there, authapp runs without and waits for `./config.yml` to appear."""
    assert locate() == Locations(here / "config.yml", named=False, data=here / "data")


def test_an_empty_variable_names_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty `AUTHAPP_CONFIG` is one that is not set."""
    monkeypatch.setenv("AUTHAPP_CONFIG", "")
    assert locate().config_file == here / "config.yml"


@pytest.mark.parametrize("named", ["gone.yml", "gone/config.yml", "dangling.yml", "file/config.yml"])
def test_a_named_file_that_is_not_there_is_an_error(here: Path, named: str) -> None:
    """A mistyped path never means running without a file; the message shows the whole path."""
    (here / "dangling.yml").symlink_to("gone.yml")
    (here / "file").touch()
    with pytest.raises(ConfigError, match="this config file") as refusal:
        locate(named)
    assert str(here / named) in str(refusal.value)


def test_a_name_that_is_empty_is_an_error() -> None:
    """`--config "$UNSET"` never means the file that happens to be here."""
    with pytest.raises(ConfigError, match="its name is empty"):
        locate("")


def test_a_file_in_another_folder_brings_its_data_folder(here: Path) -> None:
    """`data/` lies beside the file in use, and so does what its relative paths mean."""
    (here / "other").mkdir()
    (here / "other" / "my.yml").touch()
    locations = locate("other/my.yml")
    assert (locations.data, locations.base) == (here / "other" / "data", here / "other")


@pytest.fixture
def closed_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The /etc folder, which whoever runs authapp may not look into."""
    real = os.stat
    folder = paths.SYSTEM_CONFIG.parent
    assert here.is_dir()

    def refuse(path: object, **rest: bool) -> os.stat_result:
        if isinstance(path, str | Path) and str(path).startswith(f"{folder}/"):
            raise PermissionError(13, "Permission denied")
        return real(path, **rest)  # type: ignore[arg-type]  # passed on as it came

    with monkeypatch.context() as context:
        context.setattr(os, "stat", refuse)
        yield folder


@pytest.mark.usefixtures("closed_folder")
def test_a_system_folder_that_is_closed_to_us_is_none_of_ours(here: Path) -> None:
    """Another account's installation in /etc does not keep anybody from running his own."""
    assert locate().config_file == here / "config.yml"


def test_a_named_file_that_is_closed_to_us_is_an_error_in_words(closed_folder: Path) -> None:
    """It says so where it would else say what is wrong with the file; never with a traceback."""
    try:
        problems = list(examine(locate(str(closed_folder / "my.yml"))).problems)
    except ConfigError as error:
        problems = list(error.problems)
    assert "my.yml" in str(problems[0])


# -- who may touch a file -------------------------------------------------------------------------------------


@pytest.fixture
def strangers_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config file that belongs neither to root nor to whoever runs authapp."""
    file = tmp_path / "config.yml"
    file.touch(mode=0o600)
    if os.geteuid() == 0:
        os.chown(file, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    return file


def test_an_own_file_is_fine(tmp_path: Path) -> None:
    """Readable for others is fine, too: not every config file holds a secret."""
    (tmp_path / "config.yml").touch()
    (tmp_path / "config.yml").chmod(0o664)
    assert not check_ownership(tmp_path / "config.yml", implicit=True)


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("mode", [0o602, 0o666, 0o777])
def test_a_file_anybody_may_write_is_a_problem(tmp_path: Path, mode: int, *, implicit: bool) -> None:
    """Whoever can write the file owns the installation, named or found."""
    (tmp_path / "config.yml").touch()
    (tmp_path / "config.yml").chmod(mode)
    [problem] = check_ownership(tmp_path / "config.yml", implicit=implicit)
    assert str(problem) == "config.yml: anybody may write this; run: chmod o-w"


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    """A link's own rights say nothing."""
    (tmp_path / "real").touch()
    (tmp_path / "real").chmod(0o666)
    (tmp_path / "config.yml").symlink_to("real")
    assert len(check_ownership(tmp_path / "config.yml", implicit=False)) == 1


def test_a_strangers_file_is_a_problem_when_it_was_found(strangers_file: Path) -> None:
    """Somebody may have put it into a folder such as /tmp; whoever trusts it can name it."""
    [problem] = check_ownership(strangers_file, implicit=True)
    assert "belongs to another user" in problem.message
    assert "--config" in problem.message


def test_a_strangers_file_may_be_named(strangers_file: Path) -> None:
    """Naming it is trusting it."""
    assert not check_ownership(strangers_file, implicit=False)


def test_a_strangers_config_does_not_take_effect(strangers_file: Path) -> None:
    """Found in the current folder, it is a problem; named, it counts."""
    found = Locations(strangers_file, named=False, data=strangers_file.parent)
    assert examine(found).problems
    assert not examine(Locations(strangers_file, named=True, data=strangers_file.parent)).problems


def test_a_missing_file_has_no_owner(tmp_path: Path) -> None:
    """Whoever opens it says that it is missing."""
    assert not check_ownership(tmp_path / "config.yml", implicit=True)


# -- the data folder ------------------------------------------------------------------------------------------


def test_the_data_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """0700, whatever the umask, with the folders above it."""
    before = os.umask(0)
    try:
        ensure_data_folder(tmp_path / "above" / "data")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "above" / "data").stat().st_mode) == 0o700


def test_an_existing_data_folder_stays_as_it_is(tmp_path: Path) -> None:
    """Its rights are its owner's choice, as long as not everybody may write."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o750)
    (tmp_path / "data" / "authapp.db").write_text("precious", encoding="utf-8")
    ensure_data_folder(tmp_path / "data")
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o750
    assert (tmp_path / "data" / "authapp.db").read_text(encoding="utf-8") == "precious"


def test_a_data_folder_anybody_may_write_is_an_error(tmp_path: Path) -> None:
    """The database and the setup token in it would be anybody's."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)
    with pytest.raises(ConfigError, match="anybody may write this; run: chmod o-w"):
        ensure_data_folder(tmp_path / "data")


def test_a_strangers_data_folder_is_an_error(tmp_path: Path, strangers_file: Path) -> None:
    """A folder that somebody else prepared is not used; root is told to be the account that runs authapp."""
    strangers_file.unlink()
    (tmp_path / "data").mkdir()
    if os.geteuid() == 0:
        os.chown(tmp_path / "data", 12345, -1)
    with pytest.raises(ConfigError, match="belongs to another user; run this as the account that runs authapp"):
        ensure_data_folder(tmp_path / "data")


@pytest.mark.parametrize("below", ["data", "data/deeper"])
def test_a_file_in_the_data_folders_place_is_an_error(tmp_path: Path, below: str) -> None:
    """The message names the folder and the system's reason."""
    (tmp_path / "data").touch()
    with pytest.raises(ConfigError, match="cannot make the data folder") as refusal:
        ensure_data_folder(tmp_path / below)
    assert str(tmp_path / below) in str(refusal.value)


def test_a_read_only_data_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said at start, not with the first write."""
    (tmp_path / "data").mkdir(mode=0o700)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match="cannot be written to"):
        ensure_data_folder(tmp_path / "data")


# -- secret files ---------------------------------------------------------------------------------------------


def test_a_secret_file_is_its_owners_alone(tmp_path: Path) -> None:
    """0600, whatever the umask."""
    before = os.umask(0)
    try:
        write_secret_file(tmp_path / "token", "secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert (tmp_path / "token").read_text(encoding="utf-8") == "secret"


def test_a_secret_file_replaces_a_readable_one(tmp_path: Path) -> None:
    """Whoever holds the old file open learns nothing, and the old rights are gone."""
    (tmp_path / "token").write_text("old", encoding="utf-8")
    (tmp_path / "token").chmod(0o644)
    with (tmp_path / "token").open(encoding="utf-8") as spy:
        write_secret_file(tmp_path / "token", "new")
        assert spy.read() == "old"
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_secret_file_follows_no_link(tmp_path: Path) -> None:
    """A link that somebody laid there does not lead the secret elsewhere."""
    (tmp_path / "elsewhere").touch()
    (tmp_path / "token").symlink_to("elsewhere")
    write_secret_file(tmp_path / "token", "secret")
    assert (tmp_path / "elsewhere").read_bytes() == b""
    assert not (tmp_path / "token").is_symlink()


def test_a_link_laid_in_the_last_moment_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What appears between removing and making the file is an error, not a way out."""
    (tmp_path / "token").symlink_to("elsewhere")
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(FileExistsError):
        write_secret_file(tmp_path / "token", "secret")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(("size", "fits"), [(0, True), (10, True), (11, False)])
def test_a_small_file_has_a_limit(tmp_path: Path, size: int, *, fits: bool) -> None:
    """Exactly the limit is read, one byte more is refused with the limit in the message."""
    (tmp_path / "file").write_bytes(b"x" * size)
    if fits:
        assert read_small_file(tmp_path / "file", 10) == b"x" * size
    else:
        with pytest.raises(ValueError, match="is larger than 10 bytes"):
            read_small_file(tmp_path / "file", 10)
