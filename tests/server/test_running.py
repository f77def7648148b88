"""What lasts while a server runs, and from one start to the next."""

import os
import signal

import pytest

from tests.server_process import Server, credentials, every_worker, every_worker_looks, wait_for
from tests.world import ADA, BOB, OTHER_PASSWORD, PASSWORD, WEAK_PASSWORD

pytestmark = pytest.mark.xdist_group("server-running")


def test_a_closed_start_opens(server: Server) -> None:
    """When the file is mended, a closed start opens by itself in every worker, without a restart."""
    server.write_config(credentials(ADA, WEAK_PASSWORD))
    assert server.start().client().get("/login").status == 503
    server.write_config(credentials(ADA, PASSWORD))
    every_worker(lambda: server.client().get("/login").status == 200, "every worker opens")
    assert server.signed_in().is_signed_in()
    assert server.count("credentials.adopted") == 1


def test_the_setup_link_outlives_a_restart(server: Server) -> None:
    """A restart before the setup prints the same link again, and it works."""
    link = server.start().setup_link
    server.restart()
    assert server.output.count(link) == 2
    assert server.set_up().is_signed_in()


def test_a_worker_that_dies_is_replaced(shared: Server) -> None:
    """A worker that is killed is replaced by another one, and everybody stays signed in."""
    owner, before = shared.signed_in(), shared.worker_pids()
    os.kill(min(before), signal.SIGKILL)
    wait_for(lambda: shared.worker_pids() - before and shared.is_up(), "another worker serves")
    every_worker(owner.is_signed_in, "the owner is signed in at every worker")


def test_a_new_worker_knows_the_config_in_force(running: Server) -> None:
    """A worker that starts while the config file is missing does not serve with defaults."""
    running.write_config("organization:\n  name: Lighthouse\n")
    every_worker_looks(lambda: "Lighthouse</title>" in running.client().get("/login").text, "the name is shown")
    wait_for(lambda: "was edited and is in force" in running.output, "the parent has read it too")
    before = running.worker_pids()
    running.config_file.unlink()
    os.kill(min(before), signal.SIGKILL)
    wait_for(lambda: running.worker_pids() - before and running.is_up(), "another worker serves")
    answers = [running.client().get("/login") for _ in range(30)]
    assert all("Lighthouse</title>" in answer.text or answer.status == 503 for answer in answers)


def test_a_restart_signs_nobody_out(shared: Server) -> None:
    """Whoever was signed in stays so when the server is restarted."""
    owner = shared.signed_in()
    shared.restart()
    assert owner.is_signed_in()


def test_a_superuser_made_on_the_command_line(shared: Server) -> None:
    """`authapp superuser` while the server runs makes a superuser who can sign in at once."""
    done = shared.run("superuser", "--username", BOB, "--password-stdin", typed=f"{OTHER_PASSWORD}\n")
    assert (done.returncode, done.stdout) == (0, "Superuser created successfully.\n")
    assert shared.signed_in(BOB, OTHER_PASSWORD).get("/admin/users").status == 200


def test_an_owner_made_on_the_command_line(server: Server) -> None:
    """`authapp superuser` while the wizard waits makes the owner, and the wizard is closed at once."""
    done = server.start().run("superuser", "--username", ADA, "--password-stdin", typed=f"{PASSWORD}\n")
    assert done.returncode == 0
    assert server.client().get("/setup").status == 404
    assert server.signed_in().is_signed_in()
