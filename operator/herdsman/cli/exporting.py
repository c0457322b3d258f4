"""Where `herdsman export` gets its lines from: a running operator, or a cluster."""

from collections.abc import Iterator
from pathlib import Path

from herdsman import bootstrap, settings
from herdsman.api.routes.exports import named
from herdsman.cli.client import Client
from herdsman.cli.previews import Still, still, unopened
from herdsman.errors import UsageError
from herdsman.load import Bodies
from herdsman.model.sources import Snapshot

_SILENCE = 120.0


def from_operator(server: str, also: tuple[str, ...]) -> Iterator[str]:
    """What the operator at *server* exports."""
    with Client(server).stream("/v1/export", silence=_SILENCE, also=also) as answer:
        yield from (f"{line}\n" for line in answer)


def from_cluster(nomad: str, directory: Path | None, also: tuple[str, ...], *, fleet: str | None) -> Iterator[str]:
    """What is live of a fleet at the address *nomad*: of the one that *directory* declares, or that *fleet* names."""
    if directory is None and fleet is None:
        raise UsageError("whose jobs?", hint="name the DIRECTORY of the fleet's specs, or the fleet with --fleet")
    source = still(directory) if directory is not None else Still(Snapshot("", {}))
    cluster = bootstrap.cluster(settings.load({"nomad": nomad}))
    service, _ = bootstrap.unstarted(
        source, fleet=fleet or "default", nomad=cluster, body=Bodies(cluster), decrypt=unopened
    )
    service.load()
    return bootstrap.exporter(service, source=source.describe()).lines([named(n) for n in also])
