"""What is attacked: a fresh authapp in a temporary folder, with real workers and hashes, on a loopback port."""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.server_process import Server, installation

# So that what is attacked answers, and not the count of tries.
NO_WAITING = "throttle: {attempts: 1000, account-attempts: 1000, network-attempts: 10000}\n"


@contextmanager
def target(config: str = "") -> Iterator[Server]:
    """Start an authapp whose setup Ada has finished; it is stopped, and its folder gone, when the block ends."""
    with tempfile.TemporaryDirectory() as folder, installation(Path(folder)) as server:
        if config:
            server.write_config(config)
        server.start(patience=120).set_up()  # a machine that does other things as well is slow
        yield server


def requests_logged(server: Server) -> list[dict[str, Any]]:
    """Return what the server's log says of every request it answered."""
    lines = (line for line in server.output.splitlines() if line.startswith("{"))
    return [found for found in map(json.loads, lines) if found.get("event") == "request"]


def errors_logged(server: Server) -> int:
    """Count the answers with a status of 500 and above, and the tracebacks."""
    failed = sum(int(found["status"]) >= 500 for found in requests_logged(server))
    return failed + len(re.findall("Traceback", server.output))
