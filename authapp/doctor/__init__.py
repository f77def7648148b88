"""The doctor: looks at everything an installation hangs on, changes nothing, and says what to do."""

from collections.abc import Callable, Iterator

from authapp.database import DatabaseError, reason_of
from authapp.doctor import access, data, files, together
from authapp.doctor.case import CONFIG, DATABASE, ENVIRONMENT, Case, opened_case
from authapp.doctor.finding import Finding, bad
from authapp.doctor.machine import Machine
from authapp.paths import Locations

CHECKS: dict[str, Callable[[Case], Iterator[Finding]]] = {
    CONFIG: files.config_file,
    ENVIRONMENT: files.environment,
    files.DATA: files.data_folder,
    DATABASE: data.database,
    data.CLOCK: data.time,
    access.KEY: access.secret_key,
    access.ADDRESS: access.address,
    access.MODES: access.mode,
    access.PROXIES: access.proxies,
    access.OWNER: access.owner,
    together.NODES: together.others,
}


def diagnose(locations: Locations, machine: Machine | None = None) -> list[Finding]:
    """Look at everything."""
    with opened_case(locations, machine or Machine.here()) as case:
        return [finding for name, check in CHECKS.items() for finding in _carried_out(name, check, case)]


def _carried_out(name: str, check: Callable[[Case], Iterator[Finding]], case: Case) -> Iterator[Finding]:
    """Carry out one check; that a database breaks meanwhile, or is damaged, spoils no other one."""
    try:
        yield from check(case)
    except OSError as error:
        yield bad(
            name, f"this cannot be looked at: {error.strerror}", "run the doctor as the account that runs authapp"
        )
    except DatabaseError as error:
        yield bad(
            name, f"the database cannot be read: {reason_of(error)}", "see that it is whole, or restore a backup"
        )
