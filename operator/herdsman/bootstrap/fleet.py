"""The operator of one fleet, wired."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from fastapi import FastAPI

from herdsman.adapters.age import Age
from herdsman.adapters.catalog import FleetCatalog
from herdsman.adapters.clock import SystemClock
from herdsman.adapters.current import CurrentCatalog, Watched
from herdsman.adapters.events import NomadEvents
from herdsman.adapters.exports import Exporter
from herdsman.adapters.git.writer import GitWriter
from herdsman.adapters.metrics import PrometheusMetrics, State
from herdsman.adapters.nomad import NomadCluster
from herdsman.adapters.nomad.tasks import NomadTasks
from herdsman.adapters.statelock import StateLock
from herdsman.adapters.store import SqliteStore
from herdsman.api.app import create_app
from herdsman.bootstrap.parts import counting, nomad_config, platform_config, salt, shared_catalogs, site
from herdsman.bootstrap.sources import herald, source, webhook_secret, writer
from herdsman.dashboard.pages import add_dashboard
from herdsman.load import Bodies, Loader
from herdsman.looking import Ports
from herdsman.platform.assembly import assemble as assemble_platform
from herdsman.ports import Auth
from herdsman.runtime.accountant import Accountant
from herdsman.runtime.service import Pace, Service
from herdsman.settings import Settings
from herdsman.usecases import Operator, Webhooks
from herdsman.version import __version__


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


def wire(settings: Settings, *, root: str = "", auth: Auth | None = None) -> Wired:
    """The operator of one fleet, served below the path *root*. Raises `SettingsError` and `StoreError`."""
    log = structlog.get_logger("herdsman")
    clock, metrics, config = SystemClock(), PrometheusMetrics(), nomad_config(settings)
    cluster = NomadCluster(config, on_request=metrics.nomad_request)
    lock = StateLock(settings.state)
    store = SqliteStore(settings.state / "herdsman.db")
    if store.put_aside:
        log.warning(
            "the state file could not be read; it was put aside, and Nomad is asked again", kept=store.put_aside
        )
    specs = Watched(source(settings, clock=clock, warn=log.warning))
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
    showing = CurrentCatalog(specs, shared, clock=clock)
    platform = assemble_platform(
        service,
        service.ports,
        writer=written,
        cluster=cluster,
        tasks=NomadTasks(config),
        catalog=showing.catalog,
        refresh=showing.refresh,
        site=site(settings),
        encrypt=age.encrypt if age is not None else None,
        decrypt=age.decrypt if age is not None else None,
        config=platform_config(settings),
        salt=salt(settings.state / "salt"),
    )
    service.chores += [("placements", platform.placements.run), ("try-me", platform.try_me.run)]
    metrics.state = lambda: _state(service, store, events, operator)
    hooks = Webhooks(webhook_secret(settings), service.news, metrics.webhook)
    app = create_app(operator, metrics=metrics.text, hooks=hooks, auth=auth)
    app.state.stats = accountant
    app.state.platform = platform
    app.state.export = exporter(service, source=specs.describe()).lines
    add_dashboard(app, operator, root=root, auth=auth)
    closing: list[Callable[[], object]] = [accountant.stop, counted.close, cluster.close, store.close, lock.close]
    closing += [written.close] if isinstance(written, GitWriter) else []
    closing += [telling[1].close] if telling is not None else []
    return Wired(service, operator, metrics, hooks, app, store, cluster, accountant, closing)


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


def exporter(service: Service, *, source: str = "") -> Exporter:
    """Writes what is live of the fleet that *service* keeps."""
    ports = service.ports
    return Exporter(ports.nomad, ports.store, ports.clock, desired=lambda: service.view.desired, source=source)
