"""Where `herdsman export` gets its lines from: a running operator, or a cluster."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import urllib3

from herdsman import bootstrap, settings
from herdsman.api.routes.exports import named
from herdsman.cli.client import Client
from herdsman.cli.previews import Still, still, unopened
from herdsman.errors import UsageError
from herdsman.load import Bodies
from herdsman.model.sources import Snapshot

_PATIENCE = urllib3.Timeout(connect=5, read=120)


class Streaming(Client):
    """An operator, heard line by line."""

    def lines(self, also: tuple[str, ...]) -> Iterator[str]:
        """The lines of its export, with the jobs *also*. Raises `HerdsmanError` where nobody answers."""
        url = self._url("/v1/export", {}) + (f"?{urlencode([('also', name) for name in also])}" if also else "")
        try:
            answer = self._pool.request("GET", url, headers=self._bearer(), preload_content=False, timeout=_PATIENCE)
            self._check(answer.status, b"" if answer.status == 200 else answer.read())
            yield from _lines(answer.stream(1 << 16))
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from None


def from_operator(server: str, also: tuple[str, ...]) -> Iterator[str]:
    """What the operator at *server* exports."""
    return Streaming(server).lines(also)


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


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (f"{line.decode()}\n" for line in whole)
    if rest:
        yield rest.decode(errors="replace")
