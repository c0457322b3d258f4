"""Secrets in specs: age over pyrage, where it is installed."""

from pathlib import Path

import pytest

from herdsman.adapters.age import Age
from herdsman.errors import SettingsError, SourceError
from herdsman.model.documents import is_encrypted

pyrage = pytest.importorskip("pyrage", reason="the extra age is not installed")


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """An identity file as age-keygen writes it."""
    secret = pyrage.x25519.Identity.generate()
    file = tmp_path / "key.txt"
    file.write_text(f"# created: 2026-01-31T12:00:00Z\n# public key: {secret.to_public()}\n{secret}\n")
    return file


@pytest.mark.parametrize("text", ["open sesame", "", "two\nlines\n", "ключ 🔑"])
def test_what_is_encrypted_for_the_operator_is_read(identity: Path, text: str) -> None:
    """There and back, in the armoured form that specs hold; a surrounding blank of YAML does not matter."""
    age = Age(identity)
    armour = age.encrypt(text)

    assert is_encrypted(armour)
    assert age.decrypt(f"\n{armour}\n") == text


def test_it_is_for_the_recipient_that_is_named(identity: Path) -> None:
    """What others encrypt for that recipient is read too."""
    age = Age(identity)
    recipient = pyrage.x25519.Recipient.from_str(age.recipient)

    assert age.decrypt(pyrage.encrypt(b"hello", [recipient], armored=True).decode()) == "hello"


def test_a_rotated_identity_needs_no_restart(identity: Path) -> None:
    """The file is read for every text; an older identity beside the new one still opens what is for it."""
    age = Age(identity)
    before = age.encrypt("before")
    identity.write_text(f"{pyrage.x25519.Identity.generate()}\n{identity.read_text()}")

    assert [age.decrypt(before), age.decrypt(age.encrypt("after"))] == ["before", "after"]


def test_what_is_for_somebody_else_is_refused_without_being_repeated(identity: Path, tmp_path: Path) -> None:
    """The words name the recipient to encrypt for, and nothing of the text."""
    other = tmp_path / "other.txt"
    other.write_text(str(pyrage.x25519.Identity.generate()))
    armour = Age(other).encrypt("open sesame")

    for text in (armour, armour[:80], "no age at all"):
        with pytest.raises(SourceError) as caught:
            Age(identity).decrypt(text)
        assert Age(identity).recipient in caught.value.hint
        assert armour[60:70] not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read"), ("# nothing", "no age identity"), ("AGE-SECRET-KEY-1XX", "no age identity")],
)
def test_an_identity_that_cannot_be_used_is_told_at_start(tmp_path: Path, content: str | None, told: str) -> None:
    """By its file's name, without its content."""
    file = tmp_path / "key.txt"
    if content is not None:
        file.write_text(content)

    with pytest.raises(SettingsError) as caught:
        Age(file)
    assert told in str(caught.value)
    assert "AGE-SECRET-KEY-1XX" not in str(caught.value)
