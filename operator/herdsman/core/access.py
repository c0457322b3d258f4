"""Claims to identity: what an issuer says of somebody, read as roles in Nomad's namespaces.

Three ways of saying it are understood, each only for what the rules name:

- Keycloak realm roles `access:<vo>:<level>`, by default in the claim `realm_access.roles`;
- entitlements of AARC-G002 and AARC-G069, `<namespace>:group:<vo>[:<subgroup>…][:role=<role>][#<authority>]`, in
  `entitlements` and `eduperson_entitlement`, of the namespaces and authorities that are trusted;
- plain group names, in `groups`.

What is malformed, unknown or not trusted grants nothing, and hides nothing that is granted beside it. A role in a
subgroup is none in the group above it. Sources: https://aarc-community.org/guidelines/aarc-g069 and RFC 8141.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from herdsman.model.identity import ANYWHERE, Identity, Role

Claims = Mapping[str, Any]

MOST_VALUES: Final = 2000
"""So many values of one claim are looked at."""

LEVELS: Final[Mapping[str, Role]] = MappingProxyType(
    {"ap-a": Role.TRY_ME, "ap-a1": Role.TRY_ME, "ap-b": Role.TRY_ME, "ap-u": Role.USER, "ap-d": Role.USER}
)
"""The levels of AI4EOSC, ascending: what is below `ap-u` may try, and deploy nothing."""

GROUP_ROLES: Final[Mapping[str, Role]] = MappingProxyType({"": Role.USER, "member": Role.USER})
"""Roles of an entitlement; "" is one that names none, which is plain membership."""

TRUSTED: Final[Mapping[str, frozenset[str]]] = MappingProxyType({"urn:mace:egi.eu": frozenset({"aai.egi.eu"})})

_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")
_EMAIL = re.compile(r"[!-;=?A-~]{1,64}@[!-;=?A-~]{1,190}")  # all that can be seen but < > @
_URN = re.compile(r"[\w\-.~!$&'()*+,;=:@/%]+(?:#[\w\-.~!$&'()*+,;=:@/%?]*)?", re.ASCII)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MOST_URN = 2048


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in a namespace."""

    namespace: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """How claims are read.

    *vos* leads from a VO to the Nomad namespace of its members; a subgroup is written `vo:subgroup`, with `%3A` for a
    colon inside a name. *trusted* is, per URN namespace, the authorities whose word counts: `*` is any, "" none named.
    Claims are named by path: `realm_access.roles`. *admins* are owners (`sub@issuer`), *admin_values* are values of
    any of the claims, which make an administrator of everything.
    """

    vos: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, Role] = field(default_factory=lambda: LEVELS)
    roles: Mapping[str, Role] = field(default_factory=lambda: GROUP_ROLES)
    trusted: Mapping[str, frozenset[str]] = field(default_factory=lambda: TRUSTED)
    groups: Mapping[str, Grant] = field(default_factory=dict)
    everyone: Role | None = None
    admins: frozenset[str] = frozenset()
    admin_values: frozenset[str] = frozenset()
    role_claims: tuple[str, ...] = ("realm_access.roles",)
    entitlement_claims: tuple[str, ...] = ("entitlements", "eduperson_entitlement")
    group_claims: tuple[str, ...] = ("groups",)


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A group, and a role in it, "" where none is named; *authority* is who says so."""

    namespace: str
    group: tuple[str, ...]
    role: str = ""
    authority: str = ""


def identity(claims: Claims, *, issuer: str, rules: AccessRules) -> Identity | None:
    """Who the *claims* of a verified token are about; None where they name nobody."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        return None
    found = Identity(
        subject=subject,
        issuer=issuer,
        name=_name(claims) or subject,
        email=_email(claims),
        grants=grants(claims, rules),
    )
    named = {v for path in _all_claims(rules) for v in values(claims, path)}
    if found.owner in rules.admins or named & rules.admin_values:
        return Identity(
            subject=subject, issuer=issuer, name=found.name, email=found.email, grants=found.grants, admin=True
        )
    return found


def grants(claims: Claims, rules: AccessRules) -> dict[str, Role]:
    """The highest role in each namespace."""
    found: dict[str, Role] = {}
    for grant in _each_grant(claims, rules):
        found[grant.namespace] = max(grant.role, found.get(grant.namespace, grant.role))
    return found


def _each_grant(claims: Claims, rules: AccessRules) -> Iterator[Grant]:
    if rules.everyone is not None:
        yield Grant(ANYWHERE, rules.everyone)
    vos = {group_path(name): namespace for name, namespace in rules.vos.items()}
    for text in _of(claims, rules.role_claims):
        yield from _of_level(text, rules)
    for text in _of(claims, rules.entitlement_claims):
        yield from _of_entitlement(text, rules, vos)
    for text in _of(claims, rules.group_claims):
        if text in rules.groups:
            yield rules.groups[text]


def _of_level(text: str, rules: AccessRules) -> Iterator[Grant]:
    match text.split(":"):
        case ["access", vo, level] if vo in rules.vos and level in rules.levels:
            yield Grant(rules.vos[vo], rules.levels[level])


def _of_entitlement(text: str, rules: AccessRules, vos: Mapping[tuple[str, ...] | None, str]) -> Iterator[Grant]:
    said = parse_entitlement(text)
    if said is None or said.group not in vos or said.role not in rules.roles:
        return
    believed = rules.trusted.get(said.namespace, frozenset())
    if said.authority in believed or "*" in believed:
        yield Grant(vos[said.group], rules.roles[said.role])


def parse_entitlement(text: str) -> Entitlement | None:
    """The entitlement that *text* is, None where it is none.

    A name is divided at colons first and decoded afterwards, once: an encoded colon divides nothing, and what comes out
    of decoding is never read again as syntax.
    """
    if len(text) > _MOST_URN or not _URN.fullmatch(text):
        return None
    body, _, authority = text.partition("#")
    parts = body.split(":")
    if len(parts) < 5 or parts[0].lower() != "urn" or not all(parts) or "group" not in parts[3:]:
        return None
    at = parts.index("group", 3)
    names = parts[at + 1 :]
    role = names.pop().removeprefix("role=") if len(names) > 1 and names[-1].startswith("role=") else None
    decoded = [decode(n) for n in names]
    said = decode(role) if role is not None else ""
    if not names or said is None or role == "" or any(n.startswith("role=") for n in names) or None in decoded:
        return None
    namespace = ":".join(["urn", parts[1].lower(), *parts[2:at]])
    return Entitlement(namespace, tuple(n for n in decoded if n is not None), said, authority)


def group_path(name: str) -> tuple[str, ...] | None:
    """A group as rules write it, `vo:subgroup`; None where that is no name of a group."""
    decoded = [decode(part) for part in name.split(":")]
    return None if None in decoded else tuple(part for part in decoded if part is not None)


def decode(text: str) -> str | None:
    """Percent-encoding undone, once; None where it is malformed, not UTF-8, or hides what nobody can see."""
    if not text or _BAD_PERCENT.search(text):
        return None
    raw = re.sub(rb"%(..)", lambda m: bytes([int(m[1], 16)]), text.encode())
    try:
        plain = raw.decode()
    except UnicodeDecodeError:
        return None
    return plain if plain.isprintable() else None


def values(claims: Claims, path: str) -> list[str]:
    """The strings at *path*: of a list, or a single one. A claim of just that name goes before the path."""
    found: Any = claims
    for step in [path] if path in claims else path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    return [v for v in found[:MOST_VALUES] if isinstance(v, str)] if isinstance(found, list) else []


def _of(claims: Claims, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        yield from values(claims, path)


def _all_claims(rules: AccessRules) -> tuple[str, ...]:
    return rules.role_claims + rules.entitlement_claims + rules.group_claims


def _name(claims: Claims) -> str:
    """A name fit to be shown and to author a commit: one line, no brackets, nothing invisible."""
    for claim in ("name", "preferred_username"):
        given = claims.get(claim)
        if isinstance(given, str):
            seen = (" " if c in "<>" or unicodedata.category(c)[0] in "CZ" else c for c in given[:400])
            plain = " ".join("".join(seen).split())[:200].strip()
            if plain:
                return plain
    return ""


def _email(claims: Claims) -> str:
    """The address, where the issuer says in so many words that it verified it."""
    email = claims.get("email")
    if claims.get("email_verified") is True and isinstance(email, str) and _EMAIL.fullmatch(email):
        return email
    return ""
