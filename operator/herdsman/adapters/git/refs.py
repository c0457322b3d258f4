"""Which commit of a repository is followed: a branch, a tag, the newest of a range of versions, or one commit.

A reference is resolved against what the remote advertises, and to nothing else: it is the remote's word that counts,
not what the mirror remembers.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from herdsman.adapters.git.versions import Version, version_range
from herdsman.errors import SettingsError, SourceError

HEADS, TAGS = "refs/heads/", "refs/tags/"

_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})")

_NAME = re.compile(r"(?!-|/|.*(?://|/\.|\.\.|@\{|\.lock(?:/|$)|[/.]$)|\.|@$)[^\x00-\x20\x7f~^:?*\[\\]{1,250}")
"""What `git check-ref-format` accepts, and no option."""


@dataclass(frozen=True, slots=True)
class Advertised:
    """What a remote says it has: object IDs by name of reference, and the name of its default branch."""

    refs: Mapping[str, str] = field(default_factory=dict)
    default: str = ""

    @classmethod
    def parse(cls, text: str) -> "Advertised":
        """What `git ls-remote --symref` printed; lines that are none of its own count for nothing."""
        pairs = [line.split("\t", 1) for line in text.split("\n") if "\t" in line]
        default = next((v.removeprefix("ref: ") for v, n in pairs if n == "HEAD" and v.startswith("ref: ")), "")
        if not (default.startswith(HEADS) and _NAME.fullmatch(default)):
            default = ""
        return cls({name: oid for oid, name in pairs if _OID.fullmatch(oid)}, default)


@dataclass(frozen=True, slots=True)
class Target:
    """What to fetch: a *name* the remote knows, and the object *oid* that it names just now."""

    name: str
    oid: str


class Ref(Protocol):
    """One way to say which commit is followed."""

    @property
    def question(self) -> tuple[str, ...]:
        """What to ask `git ls-remote` for; empty where the remote need not be asked."""
        ...

    @property
    def is_one_name(self) -> bool:
        """Whether news comes under the same name, so that it can be fetched without asking first."""
        ...

    @property
    def is_tag(self) -> bool:
        """Whether it leads to a tag."""
        ...

    def resolve(self, advertised: Advertised) -> Target:
        """What to fetch. Raises `SourceError` where the remote has no such thing."""
        ...


@dataclass(frozen=True, slots=True)
class Named:
    """A branch, a tag or any other reference, by its full name; `HEAD` is the remote's default branch."""

    name: str = "HEAD"

    def __str__(self) -> str:
        if self.name == "HEAD":
            return "default branch"
        return short(self.name)

    @property
    def question(self) -> tuple[str, ...]:
        """The reference itself, out of its kind: a server with many pull requests need not list those."""
        kinds = (("HEAD", "--symref"), (HEADS, "--heads"), (TAGS, "--tags"))
        return (*(flag for prefix, flag in kinds if self.name.startswith(prefix)), "origin", self.name)

    @property
    def is_one_name(self) -> bool:
        """Always."""
        return True

    @property
    def is_tag(self) -> bool:
        """By its name."""
        return self.name.startswith(TAGS)

    def resolve(self, advertised: Advertised) -> Target:
        """It is there or it is not. The default branch is called by its own name, where the remote tells it."""
        oid = advertised.refs.get(self.name)
        if oid:
            return Target(advertised.default if self.name == "HEAD" and advertised.default else self.name, oid)
        if not advertised.refs:
            raise SourceError(
                f"the remote has no {self}, and no default branch",
                hint="an empty repository? push a first commit; until then nothing is changed",
            )
        raise SourceError(
            f"the remote has no {self}",
            hint=f"it was removed, renamed, or never pushed; the default is {short(advertised.default) or 'another'}",
        )


DEFAULT_BRANCH = Named()
"""Whatever branch the remote says is its default."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """One commit, by its full ID: what it holds never changes, so nobody is asked for news."""

    oid: str

    def __str__(self) -> str:
        return f"commit {self.oid[:12]}"

    @property
    def question(self) -> tuple[str, ...]:
        """Nothing to ask."""
        return ()

    @property
    def is_one_name(self) -> bool:
        """There is no news of it."""
        return False

    @property
    def is_tag(self) -> bool:
        """A commit is none."""
        return False

    def resolve(self, advertised: Advertised) -> Target:
        """Itself."""
        return Target(self.oid, self.oid)


@dataclass(frozen=True)
class Versions:
    """The tag with the greatest version within a range."""

    text: str

    def __str__(self) -> str:
        return f"tag {self.text}"

    @cached_property
    def _accepts(self) -> Callable[[Version], bool]:
        return version_range(self.text)

    @property
    def question(self) -> tuple[str, ...]:
        """All tags."""
        return ("--tags", "origin")

    @property
    def is_one_name(self) -> bool:
        """A new version has another name."""
        return False

    @property
    def is_tag(self) -> bool:
        """Always."""
        return True

    def resolve(self, advertised: Advertised) -> Target:
        """The greatest; of tags that are the same version (`1.0.0`, `v1.0.0`, build numbers) the last by name."""
        found = [(v, n) for n in advertised.refs if n.startswith(TAGS) and (v := Version.of(n.removeprefix(TAGS)))]
        fitting = [(v, n) for v, n in found if self._accepts(v)]
        if not fitting:
            greatest = f"the greatest is {short(max(found)[1])}" if found else "none of its tags is a version"
            raise SourceError(f"the remote has no tag within {self.text!r}", hint=greatest)
        name = max(fitting)[1]
        return Target(name, advertised.refs[name])


# -- from words to references ----------------------------------------------------------------------------------------

_LOOKS_LIKE_A_RANGE = re.compile(r"[<>=~^*\s|,]|(?:^|\.)[xX](?:\.|$)")


def reference(*, branch: str = "", tag: str = "", semver: str = "", commit: str = "") -> Ref:
    """What a person named; nothing is the remote's default branch. Raises `SettingsError`.

    A *tag* that can only be a range (`1.x`, `>=1.2 <2`) is one. *branch* may be any full name (`refs/pull/7/head`).
    """
    given = [
        name for name, v in (("branch", branch), ("tag", tag), ("semver", semver), ("commit", commit)) if v.strip()
    ]
    if len(given) > 1:
        raise SettingsError(f"{' and '.join(given)} exclude each other", hint="say one of them")
    if commit:
        return _pinned(commit.strip())
    if semver or _LOOKS_LIKE_A_RANGE.search(tag):
        text = (semver or tag).strip()
        version_range(text)
        return Versions(text)
    if tag:
        return Named(_full(tag.strip(), TAGS, "tag"))
    return Named(_full(branch.strip(), HEADS, "branch")) if branch else DEFAULT_BRANCH


def short(name: str) -> str:
    """A reference as people say it."""
    for prefix, word in ((HEADS, "branch"), (TAGS, "tag")):
        if name.startswith(prefix):
            return f"{word} {name.removeprefix(prefix)}"
    return name


def plain(name: str) -> str:
    """A reference without its kind: `main`, `v1.2.0`; nothing for a bare commit."""
    return "" if _OID.fullmatch(name) else name.removeprefix(HEADS).removeprefix(TAGS)


def _full(name: str, prefix: str, word: str) -> str:
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise SettingsError(f"{name!r} is no name of a {word}", hint=f"write the {word} as git shows it, like main")
    return name if name.startswith("refs/") else prefix + name


def _pinned(commit: str) -> Pinned:
    if not _OID.fullmatch(commit.lower()):
        raise SettingsError(
            f"{commit!r} is no full commit ID", hint="write all 40 hexadecimal digits: a short one may come to mean two"
        )
    return Pinned(commit.lower())
