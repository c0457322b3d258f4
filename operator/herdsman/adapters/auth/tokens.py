"""Tokens for machines: a file that says, line by line, which token may do what. It holds digests, no tokens.

    - {name: ci, role: user, namespaces: [ai4eosc], expires: "2027-01-01T00:00:00Z", sha256: …}

A token is `hrd_` and 256 random bits, so a plain digest cannot be turned round. The file is read again when it changes:
taking a line out takes the token back. A file that cannot be read admits nobody, and says so; a line that makes no
sense admits nobody either, and the other lines count.
"""

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from herdsman.errors import SettingsError
from herdsman.model.identity import ANYWHERE, Denial, Identity, Role, Why
from herdsman.ports import Clock

PREFIX: Final = "hrd_"
ISSUER: Final = "herdsman"
"""The issuer of these identities: not an address, so no OpenID issuer can be called the same."""

_TOKEN = re.compile(r"hrd_[A-Za-z0-9_-]{43}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FIELDS = frozenset({"name", "role", "namespaces", "expires", "sha256"})
_MOST_BYTES = 1024 * 1024
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """One line of the file."""

    digest: str
    identity: Identity
    expires: datetime


def digest_of(token: str) -> str:
    """What the file holds of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A token that nobody had before."""
    return PREFIX + secrets.token_urlsafe(32)


def line_for(token: str, *, name: str, role: Role, namespaces: tuple[str, ...], expires: datetime | None) -> str:
    """The line that admits *token*. Raises `ValueError` where it would not be read."""
    until = expires.strftime("%Y-%m-%dT%H:%M:%SZ") if expires else "never"
    entry = {
        "name": name,
        "role": role.label,
        "namespaces": list(namespaces),
        "expires": until,
        "sha256": digest_of(token),
    }
    parse_entry(entry)
    return "- " + yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=100_000).strip()


def parse_entry(entry: object) -> ServiceToken:
    """The token of one line. Raises `ValueError` with what is wrong, never with the digest."""
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        raise ValueError(f"it has the fields {', '.join(sorted(_FIELDS))}, and no other")
    name, digest, namespaces = entry["name"], entry["sha256"], entry["namespaces"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("name: letters, digits, dots, - and _ make one")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ValueError("sha256: 64 hexadecimal digits in lower case make one")
    if not isinstance(namespaces, list) or not namespaces or not all(isinstance(n, str) and n for n in namespaces):
        raise ValueError(f"namespaces: a list of names, or of {ANYWHERE!r} alone")
    role = Role.of(str(entry["role"]))
    found = Identity(
        subject=name,
        issuer=ISSUER,
        name=name,
        grants=dict.fromkeys(namespaces, role),
        admin=role is Role.ADMIN and ANYWHERE in namespaces,
    )
    return ServiceToken(digest, found, _time(entry["expires"]))


def _time(value: Any) -> datetime:
    if value == "never":
        return _NEVER
    try:
        parsed = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise ValueError("expires: a time with its zone like 2027-01-01T00:00:00Z, or never")
    return parsed


class TokenFile:
    """`ports.Auth` on a file of digests. *warn* is told what of it cannot be used. Raises `SettingsError` at first."""

    def __init__(self, path: Path, *, clock: Clock, warn: Callable[[str], None]) -> None:
        self._path, self._clock, self._warn = path, clock, warn
        self._stamp = self._look()
        self._tokens = self._read()

    def anonymous(self) -> Identity | None:
        """Nobody."""
        return None

    def identify(self, token: str) -> Identity | Denial:
        """Whose *token* that is. It is compared with every line, and each comparison takes as long as any other."""
        if not _TOKEN.fullmatch(token):
            return Denial(Why.MALFORMED)
        shown = digest_of(token)
        found: ServiceToken | None = None
        for known in self._current():
            if hmac.compare_digest(known.digest, shown):
                found = known
        if found is None:
            return Denial(Why.UNKNOWN_TOKEN)
        return found.identity if self._clock.now() < found.expires else Denial(Why.EXPIRED)

    def _current(self) -> tuple[ServiceToken, ...]:
        stamp = self._look()
        if stamp != self._stamp:
            try:
                self._tokens = self._read()
            except SettingsError as error:
                self._tokens = ()
                self._warn(f"{error.message}; no service token is admitted")
            self._stamp = stamp
        return self._tokens

    def _look(self) -> tuple[int, ...]:
        try:
            seen = self._path.stat()
        except OSError:
            return ()
        return (seen.st_mtime_ns, seen.st_size, seen.st_ino, seen.st_mode)

    def _read(self) -> tuple[ServiceToken, ...]:
        entries = self._entries()
        tokens: dict[str, ServiceToken] = {}
        for number, entry in enumerate(entries, 1):
            try:
                token = parse_entry(entry)
                if token.identity.name in {t.identity.name for t in tokens.values()} or token.digest in tokens:
                    raise ValueError("a name or a digest stands there twice")
                tokens[token.digest] = token
            except ValueError as error:
                self._warn(f"{self._path}: entry {number} is not used: {error}")
        return tuple(tokens.values())

    def _entries(self) -> list[Any]:
        try:
            with self._path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                text = file.read(_MOST_BYTES + 1)
            found = yaml.safe_load(text) if len(text) <= _MOST_BYTES else None
        except OSError as error:
            raise SettingsError(f"{self._path} cannot be read: {(error.strerror or 'no file').lower()}") from None
        except (yaml.YAMLError, ValueError, RecursionError):
            found = {}  # its words would quote the file
        if mode & 0o002:
            raise SettingsError(f"{self._path} may be written by anybody", hint="chmod o-w")
        if found is None and len(text) <= _MOST_BYTES:
            found = []
        if not isinstance(found, list):
            raise SettingsError(f"{self._path} is no list of tokens", hint="herdsman token create prints a line for it")
        return found
