"""`authapp audit verify`: whether somebody changed the record of what happened."""

import re

import pytest
from sqlalchemy import text

from authapp import audit, audit_chain
from tests.cli.commands import Run, is_one_sentence, said
from tests.world import SHELL, World


@pytest.fixture
def sealed(cast: World) -> World:
    """An installation whose audit entries are sealed in two blocks."""
    audit_chain.seal(cast.database)
    happens(cast)
    audit_chain.seal(cast.database)
    return cast


def happens(world: World) -> None:
    """Let something happen."""
    with world.database.writing() as db:
        audit.record(db, "some.event", SHELL)


def change(world: World, statement: str) -> None:
    """Change the database behind authapp's back."""
    with world.database.writing() as db:
        db.execute(text(statement))


def test_a_whole_chain(run: Run, sealed: World) -> None:
    """The command says how much is sealed, how much is not yet, and the newest block's MAC."""
    happens(sealed)
    lines = said(run("audit", "verify")).splitlines()
    assert lines[:3] == ["The chain is whole: 7 entries in 2 blocks.", "Not sealed yet: 1", "Newest block: 2"]
    assert re.fullmatch(r"Its MAC: [0-9a-f]{64}", lines[3])


def test_before_the_first_block(run: Run, cast: World) -> None:
    """Before anything was sealed there is nothing to find fault with."""
    del cast
    assert said(run("audit", "verify")).splitlines()[0] == "The chain is whole: 0 entries in 0 blocks."


def test_a_broken_chain(run: Run, sealed: World) -> None:
    """A changed entry ends the command with 1 and a sentence that names the entry and its block."""
    change(sealed, "UPDATE audit SET actor = 'somebody else' WHERE block_id = 2")
    result = run("audit", "verify")
    assert is_one_sentence(result)
    assert re.fullmatch(r"Entry \d+ of block 2 was changed\.\n", result.stderr)


def test_a_mac_that_was_kept(run: Run, sealed: World) -> None:
    """A MAC that an earlier verification printed is still there however long the chain has become."""
    mac = said(run("audit", "verify")).split()[-1]
    happens(sealed)
    audit_chain.seal(sealed.database)
    assert "Newest block: 3" in said(run("audit", "verify", "--expect", mac))


def test_a_mac_that_is_gone(run: Run, sealed: World) -> None:
    """When the newest blocks were removed, whoever kept their MAC finds out: exit status 1, and a sentence."""
    mac = said(run("audit", "verify")).split()[-1]
    change(sealed, "DELETE FROM audit WHERE block_id = 2")
    change(sealed, "DELETE FROM audit_blocks WHERE id = 2")
    assert said(run("audit", "verify"))
    assert is_one_sentence(run("audit", "verify", "--expect", mac))


def test_for_scripts(run: Run, sealed: World) -> None:
    """With --json scripts read the same, whether the chain is whole or not."""
    whole = run("audit", "verify", "--json")
    change(sealed, "DELETE FROM audit WHERE block_id = 2")
    broken = run("audit", "verify", "--json")
    assert (whole.exit_code, broken.exit_code) == (0, 1)
    assert '"whole": true' in whole.stdout
    assert all(part in broken.stdout for part in ('"whole": false', '"block": 2', '"reason": "was removed"'))


@pytest.mark.parametrize(
    "words", ["audit verify", "config show", "config show --json", "config explain audit.retention", "doctor"]
)
def test_the_key_is_shown_nowhere(run: Run, sealed: World, words: str) -> None:
    """No command prints the key of the chain."""
    result = run(*words.split())
    assert result.output
    assert sealed.setting(audit_chain.KEY) not in result.output


def test_the_key_is_no_option(run: Run, sealed: World) -> None:
    """The key can be neither read nor written as an option."""
    key = sealed.setting(audit_chain.KEY)
    for words in (["explain", "audit.key"], ["set", "audit.key", "mine"], ["unset", "audit.key"]):
        assert run("config", *words).exit_code != 0
    assert sealed.setting(audit_chain.KEY) == key
