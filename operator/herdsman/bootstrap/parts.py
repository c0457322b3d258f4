"""The other parts of one fleet, from the settings: its Nomad, its catalogs, its platform, who counts usage."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from herdsman.adapters.accounting import SummaryFolder
from herdsman.adapters.catalog import CachedCatalog, Catalogs, FleetCatalog, FromPackage, FromSource, Origin
from herdsman.adapters.git import GitConfig, GitSource, reference
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.adapters.statushosts import Repo
from herdsman.adapters.usage import SqliteUsage
from herdsman.bootstrap.sources import git_config
from herdsman.model.catalog import Site
from herdsman.model.keys import Key
from herdsman.platform import PlatformConfig
from herdsman.platform.config import TryMeConfig
from herdsman.ports import Clock
from herdsman.runtime.accountant import Accountant, Accounting
from herdsman.runtime.service import Service
from herdsman.settings import Settings


def nomad_config(settings: Settings) -> NomadConfig:
    """How to reach Nomad, from the settings."""
    return NomadConfig(
        address=settings.nomad,
        region=settings.nomad_region,
        token=settings.nomad_token.get_secret_value(),
        token_file=settings.nomad_token_file,
        ca_cert=settings.nomad_cacert,
        ca_path=settings.nomad_capath,
        client_cert=settings.nomad_client_cert,
        client_key=settings.nomad_client_key,
        tls_server_name=settings.nomad_tls_server_name,
        skip_verify=settings.nomad_skip_verify,
        read_timeout=settings.nomad_timeout,
        threads=settings.workers + 48,  # those of the API, too
    )


def catalogs(settings: Settings | None, *, clock: Clock, warn: Callable[[str], None]) -> FleetCatalog:
    """Where the catalog entries of one fleet come from: its own folder, then what others share."""
    return FleetCatalog(shared_catalogs(settings, clock=clock, warn=warn))


def shared_catalogs(settings: Settings | None, *, clock: Clock, warn: Callable[[str], None]) -> Catalogs:
    """The catalogs of other repositories, then the package's."""
    origins: list[Origin] = [
        FromSource(GitSource(_of_catalog(settings, url), clock=clock, cache=settings.state / "git", warn=warn))
        for url in (settings.catalogs if settings is not None else ())
        if settings is not None
    ]
    return Catalogs(*(CachedCatalog(o, clock=clock) for o in (*origins, FromPackage())))


def _of_catalog(settings: Settings, url: str) -> GitConfig:
    """A repository of entries, reached as that of the specs is where it is on the same host."""
    own = Repo.of(settings.git) if settings.git else None
    there = Repo.of(url)
    if own is not None and there is not None and own.host == there.host:
        return replace(git_config(settings), url=url, ref=reference(), path="", include=(), exclude=(), verify=None)
    return GitConfig(url=url, ref=reference(), timeout=settings.git_timeout, allow_insecure=settings.git_allow_insecure)


def site(settings: Settings) -> Site:
    """What deployments are told of their cluster."""
    return Site(
        domain=settings.site_domain,
        registry=settings.site_registry,
        platform_registry=settings.site_platform_registry,
        service_provider=settings.site_service_provider,
        labelled_nodes=settings.site_labelled_nodes,
        disk_quotas=settings.site_disk_quotas,
        notify_url=settings.site_notify_url,
    )


def platform_config(settings: Settings) -> PlatformConfig:
    """What users of the platform may do."""
    return PlatformConfig(
        public_catalog=settings.public_catalog,
        vos=settings.vos,
        writes=settings.deployments_per_minute,
        try_me=TryMeConfig(
            enabled=settings.try_me,
            namespace=settings.try_me_namespace,
            anonymous=settings.try_me_anonymous,
            per_owner=settings.try_me_per_owner,
            most=settings.try_me_most,
            seconds=settings.try_me_seconds,
            longest=settings.try_me_longest,
        ),
    )


def salt(file: Path) -> bytes:
    """What keeps digests of addresses apart from anybody else's, the same after a restart."""
    try:
        found = file.read_bytes()
    except FileNotFoundError:
        found = b""
    if len(found) < 32:
        found = secrets.token_bytes(32)
        file.touch(mode=0o600)
        file.write_bytes(found)
    return found


def counting(
    settings: Settings, *, service: Service, cluster: NomadCluster, clock: Clock
) -> tuple[Accountant, SqliteUsage]:
    """Who counts what is used, and where that is kept. Raises `StoreError`."""
    usage = SqliteUsage(settings.state / "usage.db")
    if usage.put_aside:
        structlog.get_logger("herdsman").warning(
            "the file of usage could not be read; it was put aside, and counting begins anew", kept=usage.put_aside
        )

    def owner(key: Key) -> str:
        order = service.view.desired.orders.get(key)
        return order.owner if order is not None else ""

    def due() -> bool:
        return settings.usage == "always" or (settings.usage == "auto" and bool(service.view.desired.orders))

    accountant = Accountant(
        nomad=cluster,
        store=usage,
        clock=clock,
        owner=owner,
        written=SummaryFolder(settings.accounting_folder) if settings.accounting_folder else None,
        external=SummaryFolder(settings.accounting_external) if settings.accounting_external else None,
        pace=Accounting(interval=settings.usage_interval, keep_days=settings.usage_keep_days),
        due=due,
    )
    return accountant, usage
