"""Where specs come from and go to, from the settings: a repository or a directory, and who hears of commits."""

from collections.abc import Callable

from herdsman.adapters.commitstatus import HostedCommitStatuses, Provider, StatusHost
from herdsman.adapters.git import Credentials, GitConfig, GitSource, Mode, Scheme, Verify, reference
from herdsman.adapters.git.writer import GitWriter
from herdsman.adapters.statushosts import Repo
from herdsman.adapters.tree import DirectorySource
from herdsman.adapters.treewriter import TreeWriter
from herdsman.errors import SettingsError
from herdsman.model.writes import Author
from herdsman.ports import Clock, Source
from herdsman.runtime.herald import Herald
from herdsman.settings import Settings


def git_config(settings: Settings) -> GitConfig:
    """Which repository is followed, and how it is reached. Raises `SettingsError`."""
    credentials = Credentials(
        username=settings.git_username,
        secret=settings.git_token.get_secret_value(),
        secret_file=settings.git_token_file,
        scheme=Scheme(settings.git_scheme),
        ca_file=settings.git_cacert,
        client_cert=settings.git_client_cert,
        client_key=settings.git_client_key,
        ssh_key=settings.git_ssh_key,
        known_hosts=settings.git_known_hosts,
    )
    verify = None
    if settings.verify:
        verify = Verify(Mode(settings.verify), settings.verify_ssh_signers, settings.verify_gpg_keys)
    elif settings.verify_ssh_signers or settings.verify_gpg_keys:
        raise SettingsError("keys to verify with were named, but not what has to be signed", hint="add --verify head")
    return GitConfig(
        url=settings.git,
        ref=reference(branch=settings.branch, tag=settings.tag, semver=settings.semver, commit=settings.commit),
        path=settings.path,
        include=settings.include,
        exclude=settings.exclude,
        credentials=credentials,
        verify=verify,
        interval=settings.git_interval,
        timeout=settings.git_timeout,
        proxy=settings.git_proxy.get_secret_value(),
        allow_insecure=settings.git_allow_insecure,
    )


def source(settings: Settings, *, clock: Clock, warn: Callable[[str], None]) -> Source:
    """Where the specs come from: a Git repository, or a directory. Raises `SettingsError`."""
    if settings.git:
        return GitSource(git_config(settings), clock=clock, cache=settings.state / "git", warn=warn)
    stray = [n for n in ("branch", "tag", "semver", "commit", "path", "verify") if getattr(settings, n)]
    if stray:
        raise SettingsError(f"--{stray[0]} is of a Git repository", hint="name it with --git URL")
    return DirectorySource(settings.specs.absolute(), clock=clock, warn=warn)


def writer(settings: Settings, *, clock: Clock, warn: Callable[[str], None]) -> GitWriter | TreeWriter | None:
    """Where specs are written to; None where nobody may. Raises `SettingsError`."""
    state = settings.state / "writes"
    if not settings.git:
        return TreeWriter(settings.specs.absolute(), clock=clock, state=state, warn=warn)
    fixed = settings.tag or settings.semver or settings.commit
    if settings.git_write == "off" or (settings.git_write == "auto" and (fixed or settings.verify)):
        return None
    return GitWriter(
        git_config(settings),
        clock=clock,
        cache=settings.state / "git",
        state=state,
        committer=_committer(settings.git_committer),
        keep_unpushed=settings.git_keep_unpushed,
        pull_requests=settings.git_write == "pull-request",
        warn=warn,
    )


def _committer(text: str) -> Author:
    name, _, email = text.partition("<")
    return Author(name.strip(), email.strip().removesuffix(">"))


def herald(settings: Settings, *, root: str, warn: Callable[[str], None]) -> tuple[Herald, HostedCommitStatuses] | None:
    """Who tells the repository's host how commits fare; None where nobody does. Raises `SettingsError`."""
    if settings.commit_status_token_file is None:
        return None
    repository = Repo.of(settings.git)
    if repository is None:
        raise SettingsError(f"no host is told of the commits of {settings.git!r}", hint="name a repository with --git")
    host = StatusHost(
        repository.host,
        Provider(settings.commit_status_provider) if settings.commit_status_provider else None,
        settings.commit_status_api,
        token_file=settings.commit_status_token_file,
        ca_file=settings.git_cacert,
        allow_insecure=settings.git_allow_insecure,
    )
    told = HostedCommitStatuses([host], warn=warn)
    context = f"herdsman/{settings.fleet}" if root else "herdsman"
    return Herald(told, url=settings.git, context=context), told


def webhook_secret(settings: Settings) -> Callable[[], str]:
    """The secret, read anew each time: it may be rotated. Raises `SettingsError` where its file cannot be read."""
    file = settings.webhook_secret_file
    if file is None:
        return settings.webhook_secret.get_secret_value

    def read() -> str:
        try:
            return file.read_text().strip()
        except (OSError, ValueError) as error:
            raise SettingsError(f"the webhook's secret cannot be read: {error}") from None

    return read
