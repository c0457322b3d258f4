"""The Nomad that tests run against comes up whole, and leaves nothing behind."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.errors import Unavailable
from nomads import running_nomad


def test_a_nomad_of_its_own_ends_with_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers inside the block, on a port of its own, and is gone with all its processes afterwards."""
    monkeypatch.delenv("HERDSMAN_TEST_NOMAD", raising=False)
    with running_nomad(tmp_path) as address:
        cluster = NomadCluster(NomadConfig(address=address), sleep=lambda _: None)
        assert cluster.version()

    with pytest.raises(Unavailable, match="Connection refused"):
        cluster.version()
    cluster.close()
    port = str(urlsplit(address).port)
    assert not [line for line in command_lines() if f"--port {port}" in line]


def test_a_named_address_is_taken_as_it_is(nomad_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`HERDSMAN_TEST_NOMAD` may be an address; `NOMAD_ADDR` is not looked at."""
    monkeypatch.setenv("HERDSMAN_TEST_NOMAD", nomad_address)
    monkeypatch.setenv("NOMAD_ADDR", "http://127.0.0.1:9")

    with running_nomad(tmp_path) as address:
        assert address == nomad_address


def command_lines() -> list[str]:
    """What runs on this machine."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found
