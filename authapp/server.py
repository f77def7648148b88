"""Start and run the server: provision, say where it is, serve with several processes."""

import errno
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from authapp import logs, nodes, stopping
from authapp.bridge import Bridge
from authapp.config.checks import INSTALL_METRICS, lacks_metrics
from authapp.config.examine import Start
from authapp.config.live import LOOK_INTERVAL, LiveConfig
from authapp.database import Database, DatabaseError
from authapp.errors import StartError
from authapp.factory import create_app
from authapp.installed import Installed
from authapp.metrics import meter
from authapp.nodes import Here
from authapp.paths import Locations
from authapp.pulse import Pulse
from authapp.sqlite_file import FileId

CONNECTIONS = 2000  # a worker holds at once; one that sends nothing for 30 seconds is closed
HEAD_BUFFER = 64 * 1024  # bytes of a head that a connection may hold; the bridge takes half of it
OPEN_FILES = 8192  # connections and all else, where the system lets a process have so many
KILL_TIMEOUT = 15  # seconds a worker has to finish what is in flight


def run(locations: Locations, overrules: Mapping[str, Any]) -> None:
    """Provision, print the address, and serve until told to stop."""
    here = Here.new_node(locations)
    installed = Installed(locations, overrules, node=here)
    with _listed(installed.database, installed.live, here):
        config = installed.live.current.config
        if lacks_metrics(config):
            raise StartError(f"The metrics need their library; run: {INSTALL_METRICS}.")
        address = _listening_address(config.server.host, config.server.port)
        _greet(installed)
        _watch(installed.live)
        leave = partial(_seconds_to_leave, installed.database, installed.live, here)
        with meter.folder(locations.data) as shared:
            loader = Loader(installed, here, shared)
            _serve(address, config.server.port, config.server.workers, loader, leave)


class Loader:
    """Makes a worker's app. It is sent to each worker anew, and takes along what the parent knows by then."""

    def __init__(self, installed: Installed, here: Here, shared: Path) -> None:
        self.live, self.file, self.here, self.shared = installed.live, installed.database.file, here, shared

    def __reduce__(self) -> tuple[Any, ...]:
        """Be in the worker a call of `load_worker`."""
        known = self.file and self.file.known
        return partial, (load_worker, self.live.locations, self.live.start, known, self.here, self.shared)


def load_worker(
    locations: Locations, start: Start, file_id: FileId | None, here: Here, shared: Path, *_: object
) -> Bridge:
    """Make the app of this worker process; its parent reports the config's problems.

    `file_id`: the SQLite file they all work on; `here`: the node it is part of; `shared`: the folder in which the
    workers show each other what they counted.
    """
    os.umask(0o077)
    _open_more_files()
    leaving = stopping.heed()
    threading.Thread(target=_stop_without, args=(os.getppid(),), daemon=True, name="parent watch").start()
    app = create_app(locations, start, file_id, here=here, quiet=True)
    app.leaving = leaving
    _watch(app.live)
    app.chores.start()
    bridge = Bridge(app, leaving, app.meter.count_refusal)
    app.meter.watch(bridge.numbers)
    app.meter.share(shared, lambda: app.live.current.config.metrics.enabled)
    return bridge


def _open_more_files() -> None:
    """Let this process hold as many connections as it takes; many systems begin with 1024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _stop_without(parent: int) -> None:
    """Stop this worker when its parent was killed: it would hold the port, and nobody would replace it."""
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(1)
    os.kill(os.getpid(), stopping.STOP)


def _serve(host: str, port: int, workers: int, loader: Loader, seconds_to_leave: Callable[[], float]) -> None:
    # The server takes longer to import than most commands take to run.
    import multiprocessing  # noqa: PLC0415 - see above

    from granian import Granian  # noqa: PLC0415 - see above
    from granian.constants import HTTPModes, Interfaces  # noqa: PLC0415 - see above
    from granian.http import HTTP1Settings  # noqa: PLC0415 - see above
    from granian.log import LogLevels  # noqa: PLC0415 - see above

    # A forked worker would share the parent's threads and open database files.
    multiprocessing.set_start_method("spawn", force=True)
    granian = Granian(
        "authapp.factory:create_app",
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        workers=workers,
        backpressure=CONNECTIONS,
        backlog=CONNECTIONS,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(max_buffer_size=HEAD_BUFFER),
        websockets=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_TIMEOUT,
    )
    leave = partial(stopping.leave_before_stop, seconds_to_leave, granian.signal_handler_interrupt)
    granian.on_startup(leave)  # when it has taken the signals, and has no worker yet
    granian.serve(target_loader=loader, wrap_loader=False)  # type: ignore[arg-type]  # a worker sees what Loader turns into


@contextmanager
def _listed(database: Database, live: LiveConfig, here: Here) -> Iterator[None]:
    """Stand in the list of nodes, and say what other nodes were given otherwise, until the server stops."""
    pulse, end = Pulse(database, live, here), threading.Event()
    pulse.beat_if_due()  # before anything else happens: another node that starts has to know of this one
    beats = threading.Thread(target=_beat, args=(pulse, end), daemon=True, name="node beat")
    beats.start()
    try:
        yield
    finally:
        end.set()
        beats.join(KILL_TIMEOUT)
        with suppress(DatabaseError):
            nodes.leave(database, here.id)
            database.settle()


def _beat(pulse: Pulse, end: threading.Event) -> None:
    while not end.wait(LOOK_INTERVAL):
        pulse.beat_if_due()


def _seconds_to_leave(database: Database, live: LiveConfig, here: Here) -> float:
    """Return how long this node has to go on serving until others have its visitors; where it is alone, no time."""
    with suppress(DatabaseError), database.reading() as db:
        if any(node.id != here.id for node in nodes.live(db)):
            seconds = live.current.config.server.drain_time.total_seconds()
            click.echo(f"Stopping in {seconds:g} seconds: until then load balancers turn to the other nodes.")
            return seconds
    return 0.0


def _watch(live: LiveConfig) -> None:
    """Look at the config file also while nobody asks for a page.

    An edit counts, and is reported, at once; and no worker has an older config than the others to keep when the
    next edit turns out to be a bad one.
    """
    threading.Thread(target=_look_again, args=(live,), daemon=True, name="config watch").start()


def _look_again(live: LiveConfig) -> None:
    pause = threading.Event()
    while True:
        pause.wait(LOOK_INTERVAL)
        try:
            live.look()
        except Exception as error:  # noqa: BLE001 - the server goes on serving; every worker looks for itself
            logs.log.error("the config watch failed", exc_info=error)


def _listening_address(host: str, port: int) -> str:
    """Return the IP address of a host, which is what the web server takes; raises StartError unless it is free."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return str(address[0])
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "something else listens there" if taken else error.strerror or "that address does not work"
        way_out = "port with --port, or server.port" if taken else "address with --host, or server.host"
        raise StartError(f"Cannot listen on {host}:{port}: {reason}. Choose another {way_out}.") from None


def _greet(installed: Installed) -> None:
    """Print where to go; with the setup link, the one secret that is ever printed."""
    address = installed.address()
    click.echo(f"authapp is at {address}/")
    snapshot = installed.live.snapshot
    if changed := installed.what_changed():
        click.echo(changed)
    if snapshot.effective.config.auth.mode == "none":
        click.echo("Mode none: nobody signs in; whoever reaches this address is a superuser.")
    if snapshot.closed:
        click.echo("Nobody can sign in until the config is mended; what is wrong stands above.")
    elif token := installed.setup_token():
        if snapshot.effective.config.setup.require_token:
            click.echo(f"Set it up (this link works for 24 hours): {address}/setup?token={token}")
        else:
            click.echo(f"Set it up: {address}/setup")
    click.echo("Stop with Ctrl-C.")
