"""Hosts of repositories, and how each wants to be told of a commit: GitHub, GitLab, and Gitea with Forgejo.

Where the API is follows from the host, unless it is said; whose API it is follows from a well-known name, unless that
is said. Nothing here speaks to anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from re import compile as pattern
from typing import Any, Final
from urllib.parse import quote, urlsplit

import orjson

from herdsman.errors import SettingsError
from herdsman.model.writes import CommitState
from herdsman.version import __version__

_MAX_CONTEXT: Final = 255


class Provider(StrEnum):
    """Whose API it is. Forgejo speaks Gitea's."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"


@dataclass(frozen=True, slots=True)
class StatusHost:
    """A host of repositories that is told about their commits. Raises `SettingsError` where it makes no sense.

    *host* is as repository URLs have it, with the port where that has one. *provider* is told by well-known names where
    it is None; *api_url* is where the API is, if not where the provider has it by default. The token, or the file that
    holds it and is read for every call, may write commit statuses.
    """

    host: str
    provider: Provider | None = None
    api_url: str = ""
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    ca_file: Path | None = None
    timeout: float = 10.0
    allow_insecure: bool = False

    def __post_init__(self) -> None:
        provider = self.provider or recognise(self.host)
        if provider is None:
            raise SettingsError(
                f"whose API {self.host} speaks is not known", hint=f"name the provider: {', '.join(Provider)}"
            )
        object.__setattr__(self, "host", self.host.lower())
        object.__setattr__(self, "provider", provider)
        object.__setattr__(self, "api_url", self.api_url.rstrip("/") or _api_url(provider, self.host))
        parts = urlsplit(self.api_url)
        if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username or parts.query:
            raise SettingsError(f"{self.api_url!r} is no URL of an API", hint="write it like https://host/api/v4")
        if parts.scheme == "http" and not self.allow_insecure:
            raise SettingsError(
                f"a token for {self.host} would go over http, for everybody to read", hint="use https for its API"
            )
        if bool(self.token) == bool(self.token_file):
            raise SettingsError(f"{self.host} needs a token", hint="give token or token_file, one of them")


_NAMES: Final = (
    (Provider.GITHUB, ("github", "ghe")),
    (Provider.GITLAB, ("gitlab",)),
    (Provider.GITEA, ("gitea", "forgejo", "codeberg")),
)


def recognise(host: str) -> Provider | None:
    """The provider that a host's name tells, like `gitlab.example.org`; None where it tells none."""
    labels = host.lower().partition(":")[0].split(".")
    return next((provider for provider, names in _NAMES if any(name in labels for name in names)), None)


def _api_url(provider: Provider, host: str) -> str:
    match provider:
        case Provider.GITHUB if host.lower() == "github.com":
            return "https://api.github.com"
        case Provider.GITHUB if host.lower().endswith(".ghe.com"):
            return f"https://api.{host}"
        case Provider.GITHUB:
            return f"https://{host}/api/v3"
        case Provider.GITLAB:
            return f"https://{host}/api/v4"
        case Provider.GITEA:
            return f"https://{host}/api/v1"


_SCP: Final = pattern(r"(?:[^/@:]+@)?(\[[^\]/]+\]|[^/:@\[\]]+):(?!//)(.+)")


@dataclass(frozen=True, slots=True)
class Repo:
    """Where a repository is: its *host*, and its *path* there, like `owner/name`."""

    host: str
    path: str

    @classmethod
    def of(cls, url: str) -> "Repo | None":
        """The repository of a Git URL; None where it is on no host."""
        scp = _SCP.fullmatch(url) if "://" not in url else None
        if scp:
            host, path = scp.groups()
        else:
            try:
                parts = urlsplit(url)
                host = parts.netloc.rpartition("@")[2]
            except ValueError:
                return None
            path = parts.path
            host = host if parts.scheme in {"http", "https"} else host.partition(":")[0]
        path = path.strip("/").removesuffix(".git")
        return cls(host.lower(), path) if host and "/" in path and ".." not in path.split("/") else None


# -- what each host wants to hear --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Report:
    """One status of one commit."""

    repo: Repo
    commit: str
    state: CommitState
    description: str
    context: str
    target_url: str

    @property
    def subject(self) -> tuple[Repo, str, str]:
        """Whose status it is: a newer one of the same subject takes its place."""
        return self.repo, self.commit, self.context


@dataclass(frozen=True, slots=True)
class Call:
    url: str
    headers: Mapping[str, str]
    body: bytes


_LIMITS: Final = {Provider.GITHUB: 140, Provider.GITLAB: 255, Provider.GITEA: 255}
"""Characters of a description."""


def call(host: StatusHost, report: Report, token: str) -> Call:
    """The request that tells *host* of *report*."""
    assert host.provider
    limit = _LIMITS[host.provider]
    body: dict[str, Any] = {"state": str(report.state), "description": cut(report.description, limit)}
    if report.target_url.startswith(("https://", "http://")):
        body["target_url"] = report.target_url
    name, sha = cut(report.context, _MAX_CONTEXT), quote(report.commit, safe="")
    headers = {"Content-Type": "application/json", "User-Agent": f"herdsman/{__version__}"}
    match host.provider:
        case Provider.GITLAB:
            body |= {"name": name, "state": "failed" if report.state is CommitState.FAILURE else body["state"]}
            headers["PRIVATE-TOKEN"] = token
            url = f"{host.api_url}/projects/{quote(report.repo.path, safe='')}/statuses/{sha}"
        case Provider.GITHUB:
            body["context"] = name
            headers |= {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
            headers["X-GitHub-Api-Version"] = "2022-11-28"
            url = f"{host.api_url}/repos/{quote(report.repo.path)}/statuses/{sha}"
        case Provider.GITEA:
            body["context"] = name
            headers["Authorization"] = f"token {token}"
            url = f"{host.api_url}/repos/{quote(report.repo.path)}/statuses/{sha}"
    return Call(url, headers, orjson.dumps(body))


def cut(text: str, limit: int) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 8 * limit]).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
