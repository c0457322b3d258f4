"""An operator that is never started: to load specs, and to plan them."""

from collections.abc import Callable, Iterator
from pathlib import Path

from herdsman.adapters.clock import SystemClock
from herdsman.adapters.hcl import OfflineHclParser
from herdsman.adapters.metrics import PrometheusMetrics
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.adapters.store import SqliteStore
from herdsman.adapters.tree import DirectorySource
from herdsman.bootstrap.parts import catalogs, nomad_config
from herdsman.load import Bodies, Loader
from herdsman.looking import Ports
from herdsman.model.desired import DesiredJob
from herdsman.model.observed import Body, Hint
from herdsman.ports import HclParser, Nomad, Source
from herdsman.runtime.service import Pace, Service
from herdsman.settings import Settings
from herdsman.usecases import Operator


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
