"""What somebody orders or changes, what comes of it, and how it is signed."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from herdsman.model.catalog import Entry
from herdsman.model.identity import Identity
from herdsman.model.plans import Plan
from herdsman.model.writes import Author, Written
from herdsman.platform.drafting import Conf, Draft
from herdsman.platform.info import Info, iso
from herdsman.platform.pages import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody orders. *name* is the entry's; *labels* are the platform's own. With a *script* it is a batch job,
    which runs that to its end; "" is one that was forgotten."""

    section: Section
    name: str
    namespace: str
    conf: Conf = field(default_factory=dict)
    script: str | None = None
    title: str = ""
    description: str = ""
    upgrade: str | None = None
    expires_after: float | None = None
    node_type: str | None = None
    priority: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be different. *conf* replaces all of it; what is None stays."""

    conf: Conf | None = None
    title: str | None = None
    description: str | None = None
    upgrade: str | None = None
    expires_after: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a write: the deployment, the digest of its file, and how it was written."""

    info: Info
    etag: str
    written: Written

    @property
    def waits(self) -> bool:
        """Whether it takes effect only when something else happens: a remote answers, a person merges."""
        return waits(self.written)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a write would come to, with nothing written. *plan* is None where Nomad could not be asked."""

    draft: Draft
    plan: Plan | None
    over_quota: str
    trouble: str = ""


def waits(written: Written) -> bool:
    """Whether a write waits for something."""
    return not written.pushed or bool(written.url)


def instant(seconds: float) -> str:
    """The time with its milliseconds: of two orders that a quota does not hold, the older is deployed."""
    return f"{iso(seconds)[:-1]}.{int(seconds * 1000) % 1000:03d}Z"


def mark_of(who: Identity, wish: Wish, entry: Entry, request: str) -> str:
    """What is kept of a request in the spec: whose it was and its key, as a digest, and what it asked for, as another.

    Both are keyed with what only the caller knows, and no secret goes into them: specs are read by many.
    """
    if not request:
        return ""
    hidden = {(p.group, p.key) for p in entry.secrets}
    conf = {
        group: {key: None if (group, key) in hidden else value for key, value in values.items()}
        for group, values in wish.conf.items()
        if isinstance(values, Mapping)
    }
    asked = [entry.id, wish.namespace, conf, wish.title, wish.description, wish.upgrade, wish.expires_after]
    asked += [wish.script] if wish.script is not None else []
    named = f"{who.owner} {request}".encode(errors="replace")
    told = json.dumps(asked, sort_keys=True).encode()
    return f"{sha256(named).hexdigest()[:32]}.{hmac.digest(named, told, 'sha256').hex()[:16]}"


def author_of(who: Identity) -> Author:
    """Who authors a commit: one line of what may stand in one."""
    name = "".join(c for c in who.name or who.subject if c.isprintable() and c not in "<>")[:128].strip()
    email = "".join(c for c in who.email if c.isprintable() and c not in "<> ")[:128]
    return Author(name or who.slug, email)
