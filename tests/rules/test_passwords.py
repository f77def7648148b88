"""Password policies and password hashes."""

import importlib.util

import argon2
import pytest
from werkzeug.security import generate_password_hash

from authapp import passwords, sign_up, slots
from authapp.errors import Busy, WeakPassword
from authapp.passwords import POLICIES
from tests.hasher import CountingHasher
from tests.world import PASSWORD, World

TWELVE, EIGHT, FIFTEEN = "at least 12 characters", "at least 8 characters", "at least 15 characters"
LOWER, UPPER, DIGIT = "a lower-case letter", "an upper-case letter", "a digit"
SYMBOL = "a symbol, such as ! ? - or €"
LONGEST, NOT_NAME = "at most 256 characters", "not the user name"
STRONG = "hard to guess: no common password, name or keyboard pattern"
ARGON2 = "$argon2id$v=19$m=8,t=1,p=1$"
SALT, TAG = "c29tZXNhbHQ", "A" * 43


# -- the policies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "rules"),
    [
        ("standard", [TWELVE, LOWER, UPPER, SYMBOL, LONGEST, NOT_NAME, STRONG]),
        ("kestra", [EIGHT, LOWER, UPPER, DIGIT, LONGEST, NOT_NAME]),
        ("nist", [FIFTEEN, LONGEST, NOT_NAME, STRONG]),
    ],
)
def test_policies_and_their_rules(policy: str, rules: list[str]) -> None:
    """There are three policies, and each says all its rules in words."""
    assert sorted(POLICIES) == ["kestra", "nist", "standard"]
    assert [rule.text for rule in POLICIES[policy].rules] == rules


@pytest.mark.parametrize(
    ("policy", "password", "broken"),
    [
        ("standard", "Tr0ub!xqpLm", [TWELVE]),
        ("standard", "Tr0ub!xqpLmz", []),
        ("standard", "QWXPLMZRTVBN-", [LOWER]),
        ("standard", "qwxplmzrtvbn-", [UPPER]),
        ("standard", "Qwxplmzrtvbn7", [SYMBOL]),
        ("standard", "Qwxplmz rtvbn7", [SYMBOL]),
        ("standard", "", [TWELVE, LOWER, UPPER, SYMBOL, STRONG]),
        ("kestra", "Abcdef1", [EIGHT]),
        ("kestra", "Abcdefg1", []),
        ("kestra", "ABCDEFG1", [LOWER]),
        ("kestra", "abcdefg1", [UPPER]),
        ("kestra", "Abcdefgh", [DIGIT]),
        ("kestra", "Password1", []),
        ("nist", "qwxp lmzr tvbn", [FIFTEEN]),
        ("nist", "qwxp lmzr tvbnk", []),
        ("nist", "aaaaaaaaaaaaaaaaaaaa", [STRONG]),
    ],
)
def test_a_refusal_names_each_broken_rule(policy: str, password: str, broken: list[str]) -> None:
    """A password that breaks rules is told exactly which; one that breaks none is taken."""
    assert POLICIES[policy].broken(password) == broken


@pytest.mark.parametrize("symbol", ["!", "-", "_", "€", "😀", "§", "«", "…", "+", "^", "`", "\\", ":", "\x7f"])
def test_a_symbol_is_no_letter_digit_or_space(symbol: str) -> None:
    """Any character that is no letter, digit or space is a symbol."""
    assert SYMBOL not in POLICIES["standard"].broken(f"Qwxplmzrtvbn{symbol}")


@pytest.mark.parametrize("character", [" ", "\t", "\u00a0", "\u3000", "7", "٣", "é", "ß", "ж", "漢", "ª"])
def test_letters_digits_and_spaces_are_no_symbols(character: str) -> None:
    """Letters, digits and spaces of any script are no symbols."""
    assert SYMBOL in POLICIES["standard"].broken(f"Qwxplmzrtvbn{character}")


@pytest.mark.parametrize(("password", "broken"), [("Жхщфывапролд-", []), ("жхщфывапролд-", [UPPER])])
def test_letters_of_any_script_count(password: str, broken: list[str]) -> None:
    """Lower and upper case are those of any script."""
    assert POLICIES["standard"].broken(password) == broken


@pytest.mark.parametrize("policy", POLICIES)
def test_longest_password(policy: str) -> None:
    """256 characters are taken under every policy, 257 under none."""
    text = "Xq7-pLmz " * 29
    assert POLICIES[policy].broken(text[:256]) == []
    assert POLICIES[policy].broken(text[:257]) == [LONGEST]


@pytest.mark.parametrize(
    "password",
    ["  Spaces around it!  ", "Colons: here: and There", "Zwölf € im Portemonnaie", "Emoji 😀 in the Middle"],
)
def test_any_character_may_be_typed(password: str) -> None:
    """Spaces, colons, the euro sign and emoji are welcome."""
    assert POLICIES["standard"].broken(password) == []
    assert passwords.verify(passwords.hash_password(password), password)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["Qx7-vbn Lmzr TpwK", "QX7-VBN LMZR TPWK", "\uff31x7-vbn Lmzr TpwK"])
def test_not_the_user_name(policy: str, name: str) -> None:
    """No policy takes the user name, in whatever case or width."""
    assert NOT_NAME in POLICIES[policy].broken("Qx7-vbn Lmzr TpwK", (name, "Default"))


@pytest.mark.parametrize(
    "password",
    [
        "Password123!",
        "qwertyuiop[]A",
        "Passw0rd!Passw0rd!",
        "aaaaaaaaaaA!",
        "Iloveyou!!!!",
        "Qwerty123456!",
        "Authapp!2024",
    ],
)
def test_common_passwords_are_refused(password: str) -> None:
    """A common password, a keyboard pattern, or one made of authapp's own name is weak."""
    assert POLICIES["standard"].broken(password) == [STRONG]


@pytest.mark.parametrize("context", [("zubrowka@example.com", "Default"), ("ada", "Zubrowka")])
def test_passwords_made_of_ones_names_are_refused(context: tuple[str, str]) -> None:
    """A password made of the user's or the organization's name is weak for them."""
    assert POLICIES["standard"].broken("Zubrowka-1234", context) == [STRONG]
    assert POLICIES["standard"].broken("Zubrowka-1234", ("ada", "Default")) == []


def test_signs_that_read_as_letters_cost_no_more_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long text with many kinds of signs only the beginning is judged: the rest would take seconds."""
    judged: list[str] = []

    def score(text: str, _: list[str]) -> int:
        judged.append(text)
        return 0

    monkeypatch.setattr(passwords, "_score", score)
    POLICIES["nist"].broken("aA" * 10 + "4@8({[<369!1|0$5+7%2" * 3)
    assert judged == ["aA" * 10, "aA" * 10 + "4@8({[<3"]


def test_who_judges_waits_for_others_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """While others keep the judge busy, a password is neither taken nor refused: it has to be sent again."""
    monkeypatch.setattr(slots, "LONG_PATIENCE", 0.01)
    monkeypatch.setattr(passwords.JUDGED, "_taken", 2)  # by others
    with pytest.raises(Busy):
        POLICIES["nist"].broken("Correct-horse battery")


def test_few_strangers_wait_to_be_judged(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers who are too many are told so at once, as each that waits holds a thread; others need not wait."""
    monkeypatch.setattr(slots, "PATIENCE", 3600)
    monkeypatch.setattr(slots, "QUEUE", 0)
    monkeypatch.setattr(passwords.JUDGED, "_taken", 1)  # by another stranger
    assert POLICIES["nist"].broken("Correct-horse battery") == []
    with pytest.raises(Busy):
        sign_up.broken_rules(cast.snapshot.effective, "erin", "Correct-horse battery")


def test_strength_looks_at_the_first_72_characters() -> None:
    """A weak beginning stays weak, whatever comes behind the 72nd character."""
    assert POLICIES["nist"].broken("a" * 72 + "Tr0ub!xqpLmz correct horse") == [STRONG]


def test_refusal_names_policy_rules_and_option() -> None:
    """A refusal names the policy, each broken rule, and the option."""
    with pytest.raises(WeakPassword) as refusal:
        POLICIES["kestra"].require("abc")
    assert refusal.value.broken == (EIGHT, UPPER, DIGIT)
    assert all(words in str(refusal.value) for words in ("'kestra'", "password.policy", EIGHT, UPPER, DIGIT))
    assert "abc" not in str(refusal.value).replace("a lower", "")


# -- the hashes -----------------------------------------------------------------------------------------------


def test_real_hashes_are_argon2id_at_owasps_cost() -> None:
    """A real hash is argon2id with 19 MiB, two passes and one lane."""
    spec = importlib.util.find_spec("authapp.passwords")
    assert spec is not None
    assert spec.loader is not None
    untouched = importlib.util.module_from_spec(spec)  # the tests make the loaded one cheap
    spec.loader.exec_module(untouched)
    assert untouched.hash_password(PASSWORD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_two_hashes_of_one_password_differ() -> None:
    """Every hash has a salt of its own."""
    assert passwords.hash_password(PASSWORD) != passwords.hash_password(PASSWORD)


@pytest.mark.parametrize("password", [PASSWORD, "", " ", "€", "😀" * 256, "lone \udc80", "nul \0 inside"])
def test_a_hash_belongs_to_one_password(password: str) -> None:
    """A hash verifies with its password, and with no other."""
    made = passwords.hash_password(password)
    assert passwords.verify(made, password)
    assert not passwords.verify(made, password + "x")


@pytest.mark.parametrize("method", ["scrypt:1024:8:1", "pbkdf2:sha256:10", "pbkdf2:sha512:10", "pbkdf2:sha1:10"])
def test_werkzeugs_hashes_verify_and_want_a_rehash(method: str) -> None:
    """Werkzeug's scrypt and pbkdf2 strings are hashes; they verify and are to be replaced."""
    made = generate_password_hash(PASSWORD, method)
    assert passwords.is_hash(made)
    assert passwords.verify(made, PASSWORD)
    assert not passwords.verify(made, PASSWORD + " ")
    assert passwords.needs_rehash(made)


def test_only_hashes_of_another_cost_want_a_rehash() -> None:
    """An argon2id hash is replaced when its cost is not today's."""
    assert not passwords.needs_rehash(passwords.hash_password(PASSWORD))
    assert passwords.needs_rehash(argon2.PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash(PASSWORD))


@pytest.mark.parametrize("bears_the_name", [True, False])
def test_a_missing_hash_takes_one_verification(hasher: CountingHasher, bears_the_name: bool) -> None:
    """Without a hash the answer is no, after one verification, as with a hash."""
    password_hash = passwords.hash_password(PASSWORD) if bears_the_name else None
    assert not passwords.verify(password_hash, "something else")
    assert hasher.verified == 1


def test_the_dummy_password_opens_nothing() -> None:
    """Not even the text behind the dummy hash signs anybody in."""
    assert not passwords.verify(None, "nobody bears this name")


def test_longer_passwords_than_any_policy_takes_are_refused_unhashed(hasher: CountingHasher) -> None:
    """Over 256 characters are no password and cost no hashing."""
    assert not passwords.verify(hasher.hash("x" * 257), "x" * 257)
    assert hasher.verified == 0


@pytest.mark.parametrize("variant", ["argon2id", "argon2i", "argon2d"])
def test_argon2_strings_of_any_kind_are_hashes(variant: str) -> None:
    """Whole strings of the three kinds of argon2 are taken as hashes."""
    assert passwords.is_hash(f"${variant}$v=19$m=8,t=1,p=1${SALT}${TAG}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain password",
        "scrypt:",
        "scrypt:1024:8:1$salt",
        "scrypt:1024:8:1$salt$nothex",
        "scrypt:3:1:1$salt$" + "0" * 128,
        "scrypt:99999999999999999999:8:1$salt$" + "0" * 128,
        "pbkdf2:sha256$salt$" + "0" * 64,
        "pbkdf2:sha256:0$salt$" + "0" * 64,
        "pbkdf2:sha256:99999999999999999999$salt$" + "0" * 64,
        "pbkdf2:md17:10$salt$" + "0" * 64,
        "$argon2id$",
        "=19=8,t=1,p=1",
        f"argon2id$v=19$m=8,t=1,p=1${SALT}${TAG}",
        f"{ARGON2}{SALT}",
        f"{ARGON2}{SALT}${TAG}$more",
        f"{ARGON2}{SALT}${TAG[:-1]}!",
        f"$argon2id$v=19$m=1,t=1,p=1${SALT}${TAG}",
        f"$argon2id$v=19$m=4294967295,t=1,p=1${SALT}${TAG}",
        f"{ARGON2}{SALT}${TAG} ",
        f"{ARGON2}{SALT}${TAG}é",
        "$argon2id$é",
        "$2b$12$saltsaltsaltsaltsaltsuKcNZ1dPcqBTtzQ8hE2jPUmE3J0pO0O",
    ],
)
def test_damaged_hashes_are_told_apart(text: str) -> None:
    """A text that is no whole hash, or cannot be verified, is no hash; looking at it never fails."""
    assert not passwords.is_hash(text)


@pytest.mark.parametrize("method", ["argon2", "scrypt:1024:8:1", "pbkdf2:sha256:10"])
def test_the_hash_of_an_empty_password_is_refused(method: str) -> None:
    """The hash of an empty password would open for everybody who types nothing."""
    made = passwords.hash_password("") if method == "argon2" else generate_password_hash("", method)
    assert not passwords.is_hash(made)


@pytest.mark.parametrize(
    "text", ["", "$argon2id$", "no hash", "$argon2id$é", "scrypt:nonsense", "pbkdf2:sha256:0$s$00"]
)
def test_a_damaged_hash_opens_for_nobody(text: str) -> None:
    """Against a damaged hash every password is wrong; verifying it never fails."""
    assert not passwords.verify(text, "")
    assert not passwords.verify(text, PASSWORD)


@pytest.mark.parametrize(
    "text",
    [
        f"pbkdf2:sha256:2000000000$salt${'0' * 64}",
        f"scrypt:4194304:8:1$salt${'0' * 128}",
        "$argon2id$v=19$m=19456,t=1000000,p=1$c29tZXNhbHQ$" + "A" * 43,
        "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$" + "A" * 43,
    ],
)
def test_a_hash_that_takes_for_ever_is_refused(text: str) -> None:
    """A hash so costly that a sign-in would hold the server up is told from a good one without verifying it."""
    assert not passwords.is_hash(text)
