"""Who asks, and what they may: one identity per subject and issuer, with a role in each namespace it was granted.

An *owner* is `sub@issuer`: what a deployment belongs to. Names and addresses of people change and are shown, never
compared.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final

ANYWHERE: Final = "*"
"""In grants: every namespace."""


COOKIE: Final = "herdsman_token"
"""Where a browser keeps the token of who logged in: no script reads it, no other site sends it."""


class Role(IntEnum):
    """What somebody may do in a namespace; each role may do what the lower ones may."""

    VIEWER = 1
    TRY_ME = 2
    USER = 3
    ADMIN = 4

    @property
    def label(self) -> str:
        """The word for settings, answers and errors: `try-me`."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def of(cls, label: str) -> "Role":
        """The role of that word. Raises `ValueError`."""
        for role in cls:
            if role.label == label:
                return role
        raise ValueError(f"{label!r} is no role: there are {', '.join(r.label for r in cls)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody who proved who they are. *email* is one that the issuer verified, else empty.

    *admin* is an administrator of everything, whatever the *grants* say; one of `ANYWHERE` counts in each namespace.
    """

    subject: str
    issuer: str
    name: str = ""
    email: str = ""
    grants: Mapping[str, Role] = field(default_factory=dict)
    admin: bool = False

    @property
    def owner(self) -> str:
        """`sub@issuer`: what deployments belong to. An issuer has no `@`, so the last one divides the two."""
        return f"{self.subject}@{self.issuer}"

    @property
    def slug(self) -> str:
        """The owner as a name for files, addresses and labels: lower case, at most 51 characters, no two alike."""
        return slug(self.owner)

    def role(self, namespace: str) -> Role | None:
        """The role in *namespace*, None where there is none."""
        if self.admin:
            return Role.ADMIN
        held = [self.grants[n] for n in (namespace, ANYWHERE) if n in self.grants]
        return max(held, default=None)

    def may(self, needed: Role, namespace: str) -> bool:
        """Whether it has that role, or a higher one, in *namespace*."""
        held = self.role(namespace)
        return held is not None and held >= needed

    def highest(self) -> Role | None:
        """The highest role held in any namespace."""
        return Role.ADMIN if self.admin else max(self.grants.values(), default=None)

    def namespaces(self, needed: Role = Role.VIEWER) -> frozenset[str]:
        """Where it has that role, or a higher one; `ANYWHERE` among them means every namespace."""
        everywhere = frozenset({ANYWHERE}) if self.admin else frozenset[str]()
        return everywhere | {n for n, role in self.grants.items() if role >= needed}


def slug(owner: str) -> str:
    """A readable beginning, and 128 bits of a digest that keep two owners apart where letter case does not count."""
    digest = base64.b32encode(hashlib.sha256(owner.encode()).digest()[:16]).decode().rstrip("=").lower()
    readable = re.sub(r"[^a-z0-9]+", "-", owner.rpartition("@")[0].lower()).strip("-")[:24].strip("-")
    return f"{readable}-{digest}" if readable else digest


LOCAL: Final = Identity(subject="local", issuer="loopback", name="local admin", admin=True)
"""Whoever talks to an operator that knows no users, from the machine that it runs on."""


class Why(StrEnum):
    """Why a token was refused: for our own log. A client is told less."""

    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    UNKNOWN_KEY = "unknown-key"
    SIGNATURE = "signature"
    KIND = "kind"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    CLIENT = "client"
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    CLAIMS = "claims"
    UNKNOWN_TOKEN = "unknown-token"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Denial:
    """A token that proves nothing here. With `UNAVAILABLE` it could not be judged: nobody answers for its keys."""

    why: Why
