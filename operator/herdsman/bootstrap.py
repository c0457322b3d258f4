"""The composition root: settings in, a wired operator out. Every concrete class is named here and nowhere else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI

from herdsman.adapters.clock import SystemClock
from herdsman.adapters.events import NomadEvents
from herdsman.adapters.hcl import OfflineHclParser
from herdsman.adapters.metrics import PrometheusMetrics, State
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.adapters.store import SqliteStore
from herdsman.adapters.tree import DirectorySource
from herdsman.api.app import create_app
from herdsman.api.guards import LOOPBACK
from herdsman.dashboard.pages import add_dashboard
from herdsman.errors import NomadError, SettingsError
from herdsman.load import Bodies, Loader
from herdsman.model.observed import Hint
from herdsman.ports import HclParser
from herdsman.reconcile import Ports
from herdsman.runtime.service import Pace, Service
from herdsman.settings import Settings
from herdsman.usecases import Operator
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


@dataclass(frozen=True, slots=True)
class Wired:
    """A whole operator, not started."""

    service: Service
    operator: Operator
    metrics: PrometheusMetrics
    app: FastAPI
    store: SqliteStore
    cluster: NomadCluster


def wire(settings: Settings) -> Wired:
    """Put everything together. Raises `SettingsError` and `StoreError`; nothing is contacted yet."""
    host, _ = listen_address(settings.listen)
    if host not in LOOPBACK:
        raise SettingsError(
            f"--listen {settings.listen} is not a loopback address",
            hint="the API knows no users yet: listen on 127.0.0.1 and put a proxy that does before it",
        )
    log = structlog.get_logger("herdsman")
    clock, metrics, config = SystemClock(), PrometheusMetrics(), nomad_config(settings)
    cluster = NomadCluster(config, on_request=metrics.nomad_request)
    settings.state.mkdir(parents=True, exist_ok=True)
    store = SqliteStore(settings.state / "herdsman.db")
    if store.put_aside:
        log.warning(
            "the state file could not be read; it was put aside, and Nomad is asked again", kept=store.put_aside
        )
    source = DirectorySource(settings.specs.absolute(), clock=clock, warn=log.warning)
    events = NomadEvents(config)
    service = Service(
        source=source,
        loader=Loader(fleet=settings.fleet, store=store),
        ports=Ports(nomad=cluster, store=store, clock=clock, body=Bodies(cluster)),
        events=events,
        metrics=metrics,
        pace=Pace(resync=settings.resync, source_poll=settings.source_poll, workers=settings.workers),
        take_over=settings.take_over,
    )
    operator = Operator(service, service.ports, source=source.describe(), nomad=config.place)
    metrics.state = lambda: _state(service, store, events, operator)
    app = create_app(operator, metrics=metrics.text)
    add_dashboard(app, operator)
    return Wired(service, operator, metrics, app, store, cluster)


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
        source_files=service.files,
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


@contextmanager
def served(app: FastAPI, listen: str) -> Iterator[str]:
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


def offline(specs: Path, *, fleet: str, nomad: NomadCluster | None = None) -> tuple[Service, Operator]:
    """A service that is never started: to load *specs*, and with *nomad* to plan them. Nothing is ever written."""
    clock, store, metrics = SystemClock(), SqliteStore(":memory:"), PrometheusMetrics()
    parser: HclParser = nomad if nomad is not None else OfflineHclParser()
    source = DirectorySource(specs, clock=clock)
    service = Service(
        source=source,
        loader=Loader(fleet=fleet, store=store),
        ports=Ports(nomad=nomad or NomadCluster(NomadConfig()), store=store, clock=clock, body=Bodies(parser)),
        events=Unheard(),
        metrics=metrics,
        pace=Pace(),
    )
    return service, Operator(service, service.ports, source=source.describe(), nomad="")
