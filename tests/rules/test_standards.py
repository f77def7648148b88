"""What standards ask of passwords, as far as no other test says it."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from authapp import logins
from authapp.audit import Actor
from authapp.base import Base
from authapp.passwords import POLICIES
from tests.world import BOB, PASSWORD, World

COMMON = [password for password in FREQUENCY_LISTS["passwords"] if len(password) >= 12]
ONE_KIND = [
    "kvqzmwtrbxuhpdyejg",
    "840391752860473915",
    "!?-.,:;()/&%$#=+*~",
    "жшщюяэыъчцхфпдлвйк",
    "漢字仮名書道茶室庭石橋川森空雲雨雪風",
]


@pytest.mark.parametrize("policy", ["standard", "nist"])
def test_common_passwords_of_every_length_are_refused(policy: str) -> None:
    """Every password that is long enough, of the 30,000 that most people use, is refused as easy to guess."""
    strong = POLICIES[policy].rules[-1].text
    assert len(COMMON) > 200
    assert [password for password in COMMON if strong not in POLICIES[policy].broken(password)] == []


@pytest.mark.parametrize("password", ONE_KIND)
def test_one_policy_asks_for_no_kind_of_character(password: str) -> None:
    """The policy `nist` takes a long password of one kind of character, whichever it is."""
    assert POLICIES["nist"].broken(password) == []


def test_passwords_do_not_age(cast: World) -> None:
    """A password nobody changed for ten years signs in, and need not be changed."""
    with time_machine.travel(datetime.now(UTC) + timedelta(days=3653)):
        assert logins.sign_in(cast.database, cast.snapshot.effective, BOB, PASSWORD, Actor("form"))
    assert not cast.user(BOB).must_change_password


def test_there_are_no_hints() -> None:
    """No table has a place for a hint, or for a secret question and its answer."""
    columns = {column.name for table in Base.metadata.sorted_tables for column in table.columns}
    assert not [name for name in columns if any(word in name for word in ("hint", "question", "answer"))]
