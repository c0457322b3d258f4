"""What a person says of a Git source, checked before anything is done with it.

URLs, references and paths end up on command lines of git, ssh and a shell behind both. Each is therefore held against
what it may look like; whatever could be read as an option, a transport of its own (`ext::…`) or a second line is
refused. A secret has no place in a URL: it would be seen in lists of processes, in logs, and in the name of the source.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from posixpath import normpath
from typing import Final
from urllib.parse import SplitResult, urlsplit

from herdsman.adapters.git.refs import DEFAULT_BRANCH, Ref
from herdsman.core.ignore import bad_rules
from herdsman.errors import SettingsError

SECURE: Final = ("https", "ssh")
INSECURE: Final = ("http", "git", "file")
"""Anybody on the way may change what they deliver, or, with `file`, anybody on this machine who may write there."""

PROXIES: Final = ("http", "https", "socks4", "socks5", "socks5h")


class Scheme(StrEnum):
    """How a secret is told to an HTTP server."""

    BASIC = "basic"
    BEARER = "bearer"


class Mode(StrEnum):
    """What must be signed."""

    HEAD = "head"
    TAG = "tag"
    TAG_AND_HEAD = "tag-and-head"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens the remote. Files are read again for every call, so that they may be rotated.

    *secret* (or what *secret_file* holds) is a password or a token: of a person, of a project, or of a GitHub App.
    *ca_file* holds the authorities of the server, *client_cert* and *client_key* are for mTLS. Without *known_hosts*
    those of the user and of the machine count; a host that is not known is never spoken to. Without *ssh_key* those
    in the user's `~/.ssh` are tried; an agent is not asked.
    """

    username: str = ""
    secret: str = field(default="", repr=False)
    secret_file: Path | None = None
    scheme: Scheme = Scheme.BASIC
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    ssh_key: Path | None = None
    known_hosts: Path | None = None


@dataclass(frozen=True, slots=True)
class Verify:
    """Whose signature is demanded, and on what: keys of a file in the format of `ssh-keygen`, or exported GPG keys."""

    mode: Mode = Mode.HEAD
    ssh_allowed_signers: Path | None = None
    gpg_keys: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class GitConfig:
    """One Git source. Raises `SettingsError` where it makes no sense.

    *path* is the directory that holds the specs; paths in the snapshot start from there. *include* and *exclude* are
    patterns in gitignore syntax. *interval* is in seconds, between two looks at the remote; so is *timeout*, for one
    such look: a fetch may take ten times as long. *allow_insecure* admits `http`, `git` and `file`.
    """

    url: str
    ref: Ref = DEFAULT_BRANCH
    path: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    credentials: Credentials = Credentials()
    verify: Verify | None = None
    interval: float = 60.0
    timeout: float = 60.0
    proxy: str = field(default="", repr=False)
    allow_insecure: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", canonical_url(self.url, insecure=self.allow_insecure))
        object.__setattr__(self, "path", canonical_path(self.path))
        _check_patterns((*self.include, *self.exclude))
        _check_credentials(self.credentials, self.protocol)
        _check_proxy(self.proxy)
        if self.verify:
            _check_verify(self.verify, self.ref)
        if self.interval <= 0 or self.timeout <= 0:
            raise SettingsError("interval and timeout of a Git source are longer than nothing", hint="in seconds")

    @property
    def protocol(self) -> str:
        """`https`, `ssh`, …"""
        return _split(self.url).scheme

    @property
    def origin(self) -> str:
        """Protocol, host and port: whom a secret is for."""
        parts = _split(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @property
    def shown(self) -> str:
        """The URL as it is shown to people."""
        return self.url if self.protocol == "ssh" else f"{self.origin}{_split(self.url).path}"

    @property
    def place(self) -> str:
        """What the source is known by."""
        return f"{self.shown} ({self.ref}{f', path {self.path}' if self.path else ''})"


_SCP: Final = re.compile(r"(?:([^/@:]+)@)?(\[[^\]/]+\]|[^/:@\[\]]+):([^:@][^@]*)")
"""The short form of ssh, `git@host:path`. It is kept as it is: its path may start from a home, an ssh URL's cannot."""

_HOST: Final = re.compile(r"(?!-)[\w.-]+|[0-9a-fA-F:.]+(?:%\w+)?")
_USER: Final = re.compile(r"(?!-)[\w.+%~-]*")


def canonical_url(url: str, *, insecure: bool) -> str:
    """*url* as git takes it; a local path becomes a URL. Raises `SettingsError` where it is none of ours."""
    url = url.strip()
    if url.startswith(("/", "./", "../")):
        url = Path(url).absolute().as_uri()
    if not url.isprintable() or " " in url or url.startswith("-") or re.match(r"\w*::", url):
        raise _bad_url(url, "it is no URL of a repository")
    try:
        parts = _split(url)
        _ = parts.port
    except ValueError as error:
        raise _bad_url(url, f"it is malformed ({error})") from None
    _check_url(url, parts, insecure=insecure)
    return url


def _split(url: str) -> SplitResult:
    match = _SCP.fullmatch(url) if "://" not in url else None
    if not match:
        return urlsplit(url)
    user, host, path = match.groups()
    return SplitResult("ssh", f"{user}@{host}" if user else host, path, "", "")


def _check_url(url: str, parts: SplitResult, *, insecure: bool) -> None:
    if not parts.scheme:
        raise _bad_url(url, "it has no protocol")
    if parts.password is not None:
        raise _bad_url(url, "it holds a password", hint="put that into a file, and name the file in the credentials")
    if parts.scheme not in (SECURE + INSECURE):
        raise _bad_url(url, f"the protocol {parts.scheme!r} is not spoken")
    if parts.scheme in INSECURE and not insecure:
        raise _bad_url(
            url, f"{parts.scheme} is not secure", hint="use https or ssh, or allow it with allow_insecure for a test"
        )
    if parts.query or parts.fragment:
        raise _bad_url(url, "it has a part behind ? or #")
    if parts.scheme != "file" and not (_HOST.fullmatch(parts.hostname or "") and _USER.fullmatch(parts.username or "")):
        raise _bad_url(url, "its host or its user is none")
    if not parts.path.strip("/") or parts.path.startswith("-"):
        raise _bad_url(url, "its path is none")


def _bad_url(
    url: str, why: str, *, hint: str = "write it like https://host/path.git or git@host:path.git"
) -> SettingsError:
    shown = re.sub(r"[^/@]*@", "…@", url)[:200]
    return SettingsError(f"the Git URL {shown!r} cannot be used: {why}", hint=hint)


def canonical_path(path: str) -> str:
    """A path inside the repository, without slashes at its ends; empty for its root. Raises `SettingsError`."""
    clean = normpath(path.strip().strip("/") or ".")
    if clean == ".":
        return ""
    if not clean.isprintable() or ".." in clean.split("/"):
        raise SettingsError(f"{path!r} is no path inside a repository", hint="write it like specs/prod")
    return clean


def _check_patterns(patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        if not pattern.strip() or len(pattern.splitlines()) != 1 or bad_rules(pattern):
            raise SettingsError(f"{pattern!r} is no pattern", hint="include and exclude speak gitignore, like jobs/**")


def _check_credentials(given: Credentials, protocol: str) -> None:
    rules = (
        (given.secret and given.secret_file, "secret and secret_file exclude each other"),
        (not (given.username + given.secret).isprintable(), "username and secret are one line each"),
        (given.client_key and not given.client_cert, "client_key needs client_cert"),
        (_has_secret(given) and protocol not in ("https", "http"), f"a secret is of no use with {protocol}"),
        (given.ssh_key and protocol != "ssh", f"ssh_key is of no use with {protocol}"),
        (given.scheme is Scheme.BEARER and not _has_secret(given), "a bearer token has to be given"),
    )
    for broken, words in rules:
        if broken:
            raise SettingsError(f"the Git credentials contradict themselves: {words}")


def _check_proxy(proxy: str) -> None:
    """Its error does not repeat it: it may hold a password."""
    try:
        usable = not proxy or (urlsplit(proxy).scheme in PROXIES and bool(urlsplit(proxy).hostname))
    except ValueError:
        usable = False
    if not usable or not proxy.isprintable():
        raise SettingsError("the proxy for Git is no URL", hint="write it like http://user:password@proxy:3128")


def _has_secret(given: Credentials) -> bool:
    return bool(given.secret or given.secret_file)


def _check_verify(verify: Verify, ref: Ref) -> None:
    if not (verify.ssh_allowed_signers or verify.gpg_keys):
        raise SettingsError(
            "verify demands signatures, but knows no key", hint="name ssh_allowed_signers, gpg_keys, or both"
        )
    if verify.mode is not Mode.HEAD and not ref.is_tag:
        raise SettingsError(f"verify demands a signed tag, but {ref} is followed", hint="follow a tag, or verify head")
