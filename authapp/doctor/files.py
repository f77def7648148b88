"""Config file, environment and data folder: what they say, and who else may read or write them."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from authapp import adoption, paths, wizard
from authapp.config.checks import warnings
from authapp.config.credentials import PASSWORD_HASH
from authapp.config.options import OPTIONS, SECRET_KEY
from authapp.config.overlay import Source
from authapp.doctor.case import CONFIG, ENVIRONMENT, Case
from authapp.doctor.finding import Finding, State, bad, look, of_problem, ok
from authapp.doctor.machine import nearest_folder, status
from authapp.errors import Problem

DATA = "data folder"
# What is left of a hash when every $ with the letters behind it was taken for a variable.
PIECE_OF_HASH = re.compile(r"argon2|[mt]=\d+|\bp=\d+|scrypt|pbkdf2|\d+:\d+:\d+")
WRITE_TWO = "write every $ as $$ in the Compose file, or give the hash's password in a password-file"
LEAST_SPACE = 100 * 1024 * 1024  # bytes
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def config_file(case: Case) -> Iterator[Finding]:
    """Say which config file counts, and everything that is wrong with it."""
    yield from _which(case)
    problems = [*case.examined.problems]
    told = {problem.key for problem in problems}
    problems += [
        problem
        for problem in adoption.check_before(case.database, case.effective, case.examined.given)
        if problem.key not in told
    ]
    for problem in problems:
        yield of_problem(CONFIG, problem, advice=WRITE_TWO if _is_mangled(case, problem) else "")
    exposed = dict(_exposed(case))
    yield from exposed.values()
    for warning in warnings(case.effective, case.locations.config_file, case.locations.env_file):
        if warning.key not in {*exposed, SECRET_KEY}:
            yield of_problem(CONFIG, warning, State.LOOK)
    yield from _mounted_alone(case)


def _which(case: Case) -> Iterator[Finding]:
    file = case.locations.config_file
    if status(file):
        yield ok(CONFIG, f"{file}, which was {'named' if case.locations.named else 'found'}")
    elif not case.locations.named:
        yield ok(CONFIG, f"there is none, so the defaults count; looked for {file}")


def _is_mangled(case: Case, problem: Problem) -> bool:
    """Tell whether a password hash was one, before something took its $ for variables."""
    text = case.examined.given.password_hash
    return problem.key == PASSWORD_HASH and problem.closes and bool(text and PIECE_OF_HASH.search(text))


def _exposed(case: Case) -> Iterator[tuple[str, Finding]]:
    """Yield the secrets that stand in a file which others may read, by their keys."""
    for layer in case.effective.layers:
        file = case.locations.config_file if layer.source is Source.FILE else case.locations.env_file
        who = _readers(file) if file else ""
        for key, given in layer.values.items():
            written = given.place is not None and given.place.line is not None and not given.referred
            if file and who and written and OPTIONS[key].secret:
                found = f"{given.place} {key}: {who} can read this secret"
                yield key, look(CONFIG, found, f"chmod 600 {file}")


def _readers(file: Path) -> str:
    """Say who else may read a file, if anybody."""
    found = status(file)
    if found is None or not found.st_mode & (stat.S_IROTH | stat.S_IRGRP):
        return ""
    return "everybody on this machine" if found.st_mode & stat.S_IROTH else "the file's group"


def _mounted_alone(case: Case) -> Iterator[Finding]:
    file = case.locations.config_file
    if case.machine.is_mount_point(file):
        yield look(
            CONFIG,
            f"{file} is mounted by itself; an editor that replaces the file leaves the old one mounted",
            "mount its folder instead",
        )


def environment(case: Case) -> Iterator[Finding]:
    """Say what the environment brings, and what in it is only odd."""
    values, env_file = case.examined.around.layer.values, case.locations.env_file
    many = f"{len(values)} option{'' if len(values) == 1 else 's'} set by variables"
    yield ok(ENVIRONMENT, many + (f", with those of {env_file}" if env_file else ""))
    for warning in case.examined.around.warnings:
        yield of_problem(ENVIRONMENT, warning, State.LOOK)


# -- the data folder ------------------------------------------------------------------------------------------


def data_folder(case: Case) -> Iterator[Finding]:
    """Look at the folders that authapp writes in, and at the files in them."""
    file = case.sqlite
    for folder in dict.fromkeys((case.locations.data, *((file.parent,) if file else ()))):
        troubles = [*_folder(folder), *_space(case, folder)]
        yield from troubles or [ok(DATA, f"{folder} belongs to authapp alone")]
    ours = [case.locations.data / wizard.TOKEN_FILE]
    ours += [file.with_name(file.name + ending) for ending in ("", "-wal", "-shm")] if file else []
    for one in ours:
        yield from _file(one)


def _folder(folder: Path) -> Iterator[Finding]:
    found = status(folder)
    if found is None:
        yield _not_there(folder)
        return
    problems = paths.check_ownership(folder, implicit=True)
    for problem in problems:
        yield of_problem(DATA, problem, advice=_whose(found))
    if found.st_mode & OTHERS and not problems:
        yield look(DATA, f"{folder}: others may look into it (mode {_mode(found)})", f"chmod 700 {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        yield bad(DATA, f"{folder} cannot be written to", "change its owner to the account that runs authapp")


def _whose(found: os.stat_result) -> str:
    if found.st_mode & stat.S_IWOTH:
        return "chmod 700"
    return "run the doctor as the account that runs authapp, or change the folder's owner"


def _not_there(folder: Path) -> Finding:
    above = nearest_folder(folder)
    if os.access(above, os.W_OK | os.X_OK):
        return ok(DATA, f"{folder} is not there yet; the first start makes it")
    return bad(DATA, f"{folder} is not there, and {above} cannot be written to", f"make it: mkdir -m 700 {folder}")


def _space(case: Case, folder: Path) -> Iterator[Finding]:
    free = case.machine.free_space(nearest_folder(folder))
    if free < LEAST_SPACE:
        yield look(DATA, f"{folder}: only {free // 2**20} MB are free", "make room, or move it to another disk")


def _file(file: Path) -> Iterator[Finding]:
    found = status(file)
    if found is None:
        return
    if found.st_mode & OTHERS:
        yield look(DATA, f"{file}: others may read or write it (mode {_mode(found)})", f"chmod 600 {file}")
    if not os.access(file, os.R_OK | os.W_OK):
        yield bad(DATA, f"{file} cannot be read and written", "change its owner to the account that runs authapp")


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"
