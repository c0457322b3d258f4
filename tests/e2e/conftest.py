"""An empty cluster and an empty fleet for each test."""

from pathlib import Path

import pytest

from clusters import FLEET, Cluster
from nomads import nomad_address

__all__ = ["nomad_address"]


@pytest.fixture
def cluster(nomad_address: str) -> Cluster:
    """An empty cluster."""
    found = Cluster(nomad_address)
    found.wipe()
    return found


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A directory with a fleet and nothing else."""
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "fleet.yaml").write_text(FLEET)
    return folder
