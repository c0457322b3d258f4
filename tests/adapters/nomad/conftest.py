"""A fake Nomad, and a cluster that speaks to it."""

from collections.abc import Iterator

import pytest

from adapters.nomad.fake import FakeNomad
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from nomads import nomad_address  # noqa: F401 - a fixture


@pytest.fixture
def fake() -> Iterator[FakeNomad]:
    """A server on a free port that keeps what it is asked."""
    with FakeNomad() as server:
        yield server


@pytest.fixture
def cluster(fake: FakeNomad) -> Iterator[NomadCluster]:
    """The adapter before the fake; it never really sleeps between attempts."""
    adapter = NomadCluster(NomadConfig(address=fake.address), sleep=lambda _: None)
    yield adapter
    adapter.close()
