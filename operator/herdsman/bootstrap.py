"""The composition root: settings in, a wired operator out. Every concrete class is named here and nowhere else."""

import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool

from herdsman.adapters.accounting import SummaryFolder
from herdsman.adapters.age import Age
from herdsman.adapters.auth.config import AuthConfig
from herdsman.adapters.auth.judge import build
from herdsman.adapters.catalog import CachedCatalog, Catalogs, FleetCatalog, FromPackage, FromSource, Origin
from herdsman.adapters.clock import SystemClock
from herdsman.adapters.commitstatus import HostedCommitStatuses, Provider, StatusHost
from herdsman.adapters.events import NomadEvents
from herdsman.adapters.exports import Exporter
from herdsman.adapters.git import Credentials, GitConfig, GitSource, Mode, Scheme, Verify, reference
from herdsman.adapters.git.writer import GitWriter
from herdsman.adapters.hcl import OfflineHclParser
from herdsman.adapters.metrics import PrometheusMetrics, State, merged
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.adapters.statushosts import Repo
from herdsman.adapters.store import SqliteStore
from herdsman.adapters.tree import DirectorySource
from herdsman.adapters.treewriter import TreeWriter
from herdsman.adapters.usage import SqliteUsage
from herdsman.api.app import create_app
from herdsman.api.fleets import Hooks, create_fleets_app
from herdsman.api.front import Front, create_front
from herdsman.api.guards import LOOPBACK
from herdsman.core.access import AccessRules
from herdsman.dashboard.pages import add_dashboard
from herdsman.errors import NomadError, SettingsError
from herdsman.load import Bodies, Loader
from herdsman.model.catalog import Site
from herdsman.model.desired import DesiredJob
from herdsman.model.keys import Key
from herdsman.model.observed import Body, Hint
from herdsman.model.writes import Author
from herdsman.ports import Auth, Clock, HclParser, Nomad, Source
from herdsman.reconcile import Ports
from herdsman.runtime.accountant import Accountant, Accounting
from herdsman.runtime.herald import Herald
from herdsman.runtime.service import Pace, Service
from herdsman.settings import Settings, load
from herdsman.usecases import Operator, Webhooks
from herdsman.version import __version__

_OLDEST_NOMAD = (1, 7)


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
        threads=settings.workers + 4,
    )


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


def _webhook_secret(settings: Settings) -> Callable[[], str]:
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


@dataclass(frozen=True, slots=True)
class Wired:
    """The operator of one fleet, not started."""

    service: Service
    operator: Operator
    metrics: PrometheusMetrics
    hooks: Webhooks
    app: FastAPI
    store: SqliteStore
    cluster: NomadCluster
    accountant: Accountant
    closing: Sequence[Callable[[], object]]

    def start(self) -> None:
        """Start every thread; returns at once."""
        self.service.start()
        self.accountant.start()

    def close(self) -> None:
        """Let go of files and connections, after the service was stopped."""
        for close in self.closing:
            close()


@dataclass(frozen=True, slots=True)
class Process:
    """Every fleet of this process, and the application in front of them."""

    fleets: Mapping[str, Wired]
    app: FastAPI
    is_open: bool
    """Whether no users are known, so that everybody on this machine is an administrator."""

    def start(self) -> None:
        """Start every fleet; returns at once."""
        for fleet in self.fleets.values():
            fleet.start()

    def news(self) -> None:
        """Every source may have news."""
        for fleet in self.fleets.values():
            fleet.service.news()

    def stop(self) -> bool:
        """Stop every fleet, at the same time; whether all looks ended within the grace."""
        with ThreadPoolExecutor(len(self.fleets)) as pool:
            return all(pool.map(lambda fleet: fleet.service.stop(), self.fleets.values()))

    def close(self) -> None:
        """Let go of files and connections."""
        for fleet in self.fleets.values():
            fleet.close()


def assemble(settings: Settings) -> Process:
    """Put everything together. Raises `SettingsError` and `StoreError`; nothing is contacted yet."""
    host, _ = listen_address(settings.listen)
    auth = users(settings)
    if host not in LOOPBACK and auth is None:
        raise SettingsError(
            f"--listen {settings.listen} is not a loopback address, and no users are known",
            hint="say whose tokens are believed with --oidc-issuer or --token-file, or listen on 127.0.0.1",
        )
    each = settings.each()
    if len(each) == 1 and not settings.fleets:
        only = wire(settings, auth=auth)
        return Process({settings.fleet: only}, only.app, is_open=auth is None)
    fleets = {own.fleet: wire(own, root=f"/fleets/{own.fleet}", auth=auth) for own in each}
    app = create_fleets_app(
        {name: (fleet.app, fleet.operator) for name, fleet in fleets.items()},
        metrics=lambda: merged({name: fleet.metrics for name, fleet in fleets.items()}),
        hooks=Hooks({name: fleet.hooks for name, fleet in fleets.items()}),
        auth=auth,
    )
    return Process(fleets, app, is_open=auth is None)


def users(settings: Settings) -> Auth | None:
    """Who judges tokens; None where no users are known. Raises `SettingsError`."""
    if not settings.oidc_issuer and settings.token_file is None:
        return None
    config = AuthConfig(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        clients=settings.oidc_clients,
        algorithms=settings.oidc_algorithms,
        rules=AccessRules(vos=settings.vos, admins=frozenset(settings.admins)),
        ca_file=settings.oidc_cacert,
        token_file=settings.token_file,
    )
    return build(config, clock=SystemClock(), warn=structlog.get_logger("herdsman").warning)


def wire(settings: Settings, *, root: str = "", auth: Auth | None = None) -> Wired:
    """The operator of one fleet, served below the path *root*. Raises `SettingsError` and `StoreError`."""
    log = structlog.get_logger("herdsman")
    clock, metrics, config = SystemClock(), PrometheusMetrics(), nomad_config(settings)
    cluster = NomadCluster(config, on_request=metrics.nomad_request)
    settings.state.mkdir(parents=True, exist_ok=True)
    store = SqliteStore(settings.state / "herdsman.db")
    if store.put_aside:
        log.warning(
            "the state file could not be read; it was put aside, and Nomad is asked again", kept=store.put_aside
        )
    specs = source(settings, clock=clock, warn=log.warning)
    written = writer(settings, clock=clock, warn=log.warning)
    telling = herald(settings, root=root, warn=log.warning)
    shared = shared_catalogs(settings, clock=clock, warn=log.warning)
    entries = FleetCatalog(shared)
    age = Age(settings.age_identity) if settings.age_identity is not None else None
    events = NomadEvents(config)
    service = Service(
        source=specs,
        loader=Loader(
            fleet=settings.fleet,
            store=store,
            catalogs=entries.catalog,
            site=site(settings),
            decrypt=age.decrypt if age is not None else None,
            clock=clock,
        ),
        ports=Ports(nomad=cluster, store=store, clock=clock, body=Bodies(cluster)),
        events=events,
        metrics=metrics,
        pace=Pace(resync=settings.resync, source_poll=settings.source_poll, workers=settings.workers),
        take_over=settings.take_over,
        herald=telling[0] if telling is not None else None,
    )
    if isinstance(written, GitWriter) and settings.git_keep_unpushed:
        service.chores.append(("writer", written.run))
    accountant, counted = counting(settings, service=service, cluster=cluster, clock=clock)
    operator = Operator(service, service.ports, source=specs.describe(), nomad=config.place, writer=written)
    metrics.state = lambda: _state(service, store, events, operator)
    hooks = Webhooks(_webhook_secret(settings), service.news, metrics.webhook)
    app = create_app(operator, metrics=metrics.text, hooks=hooks, auth=auth)
    app.state.stats = accountant
    app.state.export = exporter(service, source=specs.describe()).lines
    add_dashboard(app, operator, root=root, auth=auth)
    closing: list[Callable[[], object]] = [accountant.stop, counted.close, cluster.close, store.close]
    closing += [written.close] if isinstance(written, GitWriter) else []
    closing += [telling[1].close] if telling is not None else []
    return Wired(service, operator, metrics, hooks, app, store, cluster, accountant, closing)


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


def _state(service: Service, store: SqliteStore, events: NomadEvents, operator: Operator) -> State:
    depth, desired = service.queue.depth(), service.view.desired
    return State(
        statuses=store.statuses().values(),
        dirty=depth.dirty,
        adds=service.queue.adds,
        retries=service.queue.retries,
        busy=tuple(service.queue.busy()),
        workers=service.pace.workers,
        event_stream_connected=events.connected,
        event_stream_reconnects=events.reconnects,
        event_stream_silence=service.clock.monotonic() - (events.last_frame or service.began),
        resync_interval=service.pace.resync,
        source=service.source_state,
        source_rejections=len(desired.rejections),
        source_settled=desired.settled,
        ready=service.ready,
        info={"version": __version__, "nomad_version": operator.nomad_version, "fleet": desired.fleet.name},
    )


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8080`. Raises `SettingsError`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{text!r} is no address to listen on", hint="write HOST:PORT, like 127.0.0.1:8080")
    return host.strip("[]"), int(port)


def front(server: str, *, host: str) -> Starlette:
    """An application that stands before the operator at *server*. Raises `SettingsError` where that is not safe."""
    made = Front(server, host=host, clock=SystemClock())
    made.check()
    return create_front(made)


def application() -> FastAPI:
    """API and operator as one application, from variables and `herdsman.yaml`: for `uvicorn --factory`."""
    file = Path("herdsman.yaml")
    process = assemble(load({}, file=file if file.is_file() else None))

    @asynccontextmanager
    async def living(_app: FastAPI) -> AsyncIterator[None]:
        process.start()
        try:
            yield
        finally:
            await run_in_threadpool(process.stop)
            process.close()

    process.app.router.lifespan_context = living
    return process.app


@contextmanager
def served(app: FastAPI | Starlette, listen: str) -> Iterator[str]:
    """The HTTP server, in a thread of its own while the block runs; the value is its address."""
    host, port = listen_address(listen)
    with _bound(host, port) as sock:
        bound = sock.getsockname()[1]
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=3)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="herdsman-http", daemon=True)
        thread.start()
        try:
            yield f"http://{f'[{host}]' if ':' in host else host}:{bound}"
        finally:
            server.should_exit = True
            thread.join(5)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another with --listen"
        ) from None
    return sock


def greet(wired: Wired) -> str:
    """The version of Nomad, and what it lacks for Herdsman, in words; empty where Nomad does not answer yet."""
    try:
        version = wired.cluster.version()
    except NomadError:
        return ""
    wired.operator.nomad_version = version
    parts = tuple(int(p) for p in version.split("-")[0].split(".")[:2] if p.isdigit())
    if parts < _OLDEST_NOMAD:
        return f"Nomad {version} is older than 1.7, which Herdsman needs; expect refusals"
    lacks = "" if parts >= (1, 9) else "; it has no version tags"
    return f"Nomad {version}{lacks}"


class Unheard:
    """An event stream that never says anything: for a look without a cluster's events."""

    def follow(self) -> Iterator[Hint]:
        """Nothing."""
        return iter(())

    def close(self) -> None:
        """Nothing to close."""


def cluster(settings: Settings) -> NomadCluster:
    """The cluster that the settings name; nothing is contacted yet."""
    return NomadCluster(nomad_config(settings))


def exporter(service: Service, *, source: str = "") -> Exporter:
    """Writes what is live of the fleet that *service* keeps."""
    ports = service.ports
    return Exporter(ports.nomad, ports.store, ports.clock, desired=lambda: service.view.desired, source=source)


def offline(specs: Path, *, fleet: str, nomad: NomadCluster | None = None) -> tuple[Service, Operator]:
    """A service that is never started: to load *specs*, and with *nomad* to plan them. Nothing is ever written."""
    parser: HclParser = nomad if nomad is not None else OfflineHclParser()
    source = DirectorySource(specs, clock=SystemClock())
    return unstarted(source, fleet=fleet, nomad=nomad or NomadCluster(NomadConfig()), body=Bodies(parser))


def unstarted(
    source: Source,
    *,
    fleet: str,
    nomad: Nomad,
    body: Callable[[DesiredJob], Body],
    decrypt: Callable[[str], str] | None = None,
) -> tuple[Service, Operator]:
    """A service that is never started, with a record of its own that is empty. Nothing is ever written."""
    clock, store, metrics = SystemClock(), SqliteStore(":memory:"), PrometheusMetrics()
    service = Service(
        source=source,
        loader=Loader(
            fleet=fleet,
            store=store,
            catalogs=catalogs(None, clock=clock, warn=lambda _: None).catalog,
            decrypt=decrypt,
            clock=clock,
        ),
        ports=Ports(nomad=nomad, store=store, clock=clock, body=body),
        events=Unheard(),
        metrics=metrics,
        pace=Pace(),
    )
    return service, Operator(service, service.ports, source=source.describe(), nomad="")
