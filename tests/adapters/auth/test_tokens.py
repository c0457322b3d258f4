"""Tokens for machines: a file of digests that is read again when it changes."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from clocks import START, FakeClock
from herdsman.adapters.auth.config import AuthConfig
from herdsman.adapters.auth.judge import build
from herdsman.adapters.auth.tokens import TokenFile, digest_of, line_for, new_token, parse_entry
from herdsman.errors import SettingsError
from herdsman.model.identity import Denial, Identity, Role, Why

TOKEN = new_token()


def line(token: str = TOKEN, **changed: Any) -> str:
    """The line for a token."""
    given: dict[str, Any] = {"name": "ci", "role": Role.USER, "namespaces": ("research",), "expires": None, **changed}
    return line_for(token, **given) + "\n"


class Machines:
    """A file, who reads it, and what that said."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.clock, self.said = path, FakeClock(), list[str]()
        self.write(text)
        self.auth = TokenFile(path, clock=self.clock, warn=self.said.append)

    def write(self, text: str) -> None:
        """Put another file in its place, as deployments do."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)

    def why(self, token: str) -> Why | None:
        """Why *token* is refused, None where it is not."""
        found = self.auth.identify(token)
        return found.why if isinstance(found, Denial) else None


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    """One token."""
    return Machines(tmp_path / "tokens.yaml", line())


def test_a_token_is_a_machine(machines: Machines) -> None:
    """A token is whoever its line says, in the namespaces that its line names, and nobody who can be a person."""
    found = machines.auth.identify(TOKEN)

    assert isinstance(found, Identity)
    assert found.owner == "ci@herdsman"
    assert found.grants == {"research": Role.USER}
    assert machines.auth.anonymous() is None


def test_the_file_does_not_hold_the_token(machines: Machines) -> None:
    """Whoever reads the file cannot ask for anything with what is there."""
    text = machines.path.read_text()

    assert TOKEN not in text
    assert TOKEN[4:] not in text
    assert machines.why(digest_of(TOKEN)) is Why.MALFORMED
    assert machines.why("hrd_" + digest_of(TOKEN)[:43]) is Why.UNKNOWN_TOKEN


@pytest.mark.parametrize(
    "token",
    ["", "hrd_", TOKEN[:-1], TOKEN + "a", TOKEN + "\n", "HRD_" + TOKEN[4:], " " + TOKEN],
    ids=["nothing", "the prefix", "shorter", "longer", "a line", "upper case", "a space"],
)
def test_what_is_nearly_a_token_is_none(machines: Machines, token: str) -> None:
    """Every character counts."""
    assert machines.why(token) is Why.MALFORMED


def test_tokens_are_never_alike() -> None:
    """256 random bits each."""
    made = {new_token() for _ in range(100)}

    assert len(made) == 100
    assert {len(t) for t in made} == {47}


def test_an_expired_token_is_none(machines: Machines) -> None:
    """The last moment of a token is the one before its line says."""
    machines.write(line(expires=START + timedelta(seconds=10)))
    assert machines.why(TOKEN) is None

    machines.clock.advance(10)
    assert machines.why(TOKEN) is Why.EXPIRED


def test_a_change_of_the_file_counts_at_once(machines: Machines) -> None:
    """Another line is another token; without its line a token is none; with the file gone all are."""
    other = new_token()
    machines.write(line() + line(other, name="cd"))
    assert machines.why(other) is None

    machines.write(line(other, name="cd"))
    assert machines.why(TOKEN) is Why.UNKNOWN_TOKEN

    machines.path.unlink()
    assert machines.why(other) is Why.UNKNOWN_TOKEN
    assert "cannot be read" in machines.said[0]

    machines.write(line(other, name="cd"))
    assert machines.why(other) is None


@pytest.mark.parametrize(
    "text", ["{", "- [", "a: b", "[" * 2000, "\x00", "just words", "- &a [*a]"], ids=lambda t: ascii(t[:8])
)
def test_a_file_that_makes_no_sense_admits_nobody(machines: Machines, text: str) -> None:
    """A mistake in the file takes no line's word for anything, and is told."""
    machines.write(text)

    assert machines.why(TOKEN) is Why.UNKNOWN_TOKEN
    assert len(machines.said) == 1


def test_a_file_that_anybody_may_write_admits_nobody(tmp_path: Path) -> None:
    """Whoever can write the file could make an administrator."""
    path = tmp_path / "tokens.yaml"
    path.write_text(line())
    path.chmod(0o666)

    with pytest.raises(SettingsError, match="written by anybody"):
        TokenFile(path, clock=FakeClock(), warn=print)


BAD: dict[str, dict[str, Any]] = {
    "an unknown role": {"role": "root"},
    "no namespaces": {"namespaces": []},
    "namespaces in a word": {"namespaces": "research"},
    "no name": {"name": ""},
    "a name with a line end": {"name": "ci\nx"},
    "a name that looks like an owner": {"name": "ada@https://issuer.example"},
    "the token itself": {"sha256": TOKEN},
    "half a digest": {"sha256": digest_of(TOKEN)[:32]},
    "a digest in capitals": {"sha256": digest_of(TOKEN).upper()},
    "a time without a zone": {"expires": "2027-01-01T00:00:00"},
    "a time in words": {"expires": "soon"},
    "no time": {"expires": None},
    "a field too many": {"admin": True},
}


@pytest.mark.parametrize("changed", BAD.values(), ids=BAD)
def test_a_line_that_makes_no_sense_admits_nobody(machines: Machines, changed: dict[str, Any]) -> None:
    """Its neighbour counts, and what is said of it quotes no digest."""
    other = new_token()
    entry = {**yaml.safe_load(line())[0], **changed}
    machines.write(yaml.safe_dump([entry]) + line(other, name="cd"))

    assert machines.why(other) is None
    assert machines.why(TOKEN) is Why.UNKNOWN_TOKEN
    (said,) = machines.said
    assert "entry 1" in said
    assert digest_of(TOKEN)[:8] not in said
    assert TOKEN not in said


def test_two_lines_of_one_name_or_digest_are_one(machines: Machines) -> None:
    """The first counts: no line can widen another's."""
    machines.write(line() + line(role=Role.ADMIN, namespaces=("*",), name="other") + line(new_token()))

    found = machines.auth.identify(TOKEN)
    assert isinstance(found, Identity)
    assert not found.admin
    assert len(machines.said) == 2


@pytest.mark.parametrize(
    ("role", "namespaces", "admin"),
    [(Role.ADMIN, ("*",), True), (Role.ADMIN, ("research",), False), (Role.USER, ("*",), False)],
)
def test_only_an_admin_of_everything_is_one(role: Role, namespaces: tuple[str, ...], admin: bool) -> None:
    """An administrator of one namespace is none of the others; a user everywhere is a user."""
    (entry,) = yaml.safe_load(line(role=role, namespaces=namespaces))
    found = parse_entry(entry).identity

    assert found.admin is admin
    assert found.role("elsewhere") == (None if namespaces == ("research",) else role)


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    """No tokens yet is no mistake; no file is one, at start."""
    path = tmp_path / "tokens.yaml"
    with pytest.raises(SettingsError, match="cannot be read"):
        TokenFile(path, clock=FakeClock(), warn=print)

    path.write_text("# none yet\n")
    os.utime(path, ns=(1, 1))
    auth = build(AuthConfig(token_file=path), clock=FakeClock(), warn=print)
    assert auth.identify(TOKEN) == Denial(Why.UNKNOWN_TOKEN)
    assert auth.identify("a.b.c") == Denial(Why.UNKNOWN_TOKEN)
    assert auth.anonymous() is None


def test_a_line_says_when_it_ends() -> None:
    """The line is one line, and reads back as what was asked for."""
    text = line(expires=datetime(2027, 1, 1, tzinfo=UTC), namespaces=("a", "b"))

    assert text.count("\n") == 1
    assert parse_entry(yaml.safe_load(text)[0]).expires == datetime(2027, 1, 1, tzinfo=UTC)
