"""A Nomad to test against: the embedded one, unless `HERDSMAN_TEST_NOMAD` names an address or a `nomad` binary.

    from nomads import nomad_address   # in a conftest.py: a fixture, one Nomad for the whole session

    with running_nomad(tmp_path) as address:   # one of its own, for a test that restarts or breaks it
        ...

`NOMAD_ADDR` is never looked at: that is somebody's cluster.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest

ROOT = Path(__file__).parents[1]

PATIENCE = 60.0
"""Seconds that a Nomad may take to begin, on a machine that is busy with other tests."""


@pytest.fixture(scope="session")
def nomad_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Nomad that answers and has a node to place jobs on."""
    with running_nomad(tmp_path_factory.mktemp("nomad")) as address:
        yield address


@contextmanager
def running_nomad(folder: Path, *options: str) -> Iterator[str]:
    """A Nomad while the block runs; *options* go to the embedded one alone (`--acl`)."""
    named = os.environ.get("HERDSMAN_TEST_NOMAD", "")
    if named.startswith(("http://", "https://")):
        wait_until_ready(named)
        yield named
        return
    port = free_port()
    command = binary_command(named, folder, port) if named else embedded_command(port, *options)
    with started(command, folder) as process:
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(address, process, folder)
        yield address


def embedded_command(port: int, *options: str) -> list[str]:
    """How to start the embedded Nomad."""
    served = ["--bind", "127.0.0.1", "--port", str(port), "--exit-with-parent"]
    return [sys.executable, "-m", "herdsman", "devnomad", *served, *options]


def binary_command(binary: str, folder: Path, port: int) -> list[str]:
    """How to start a real one, in development mode, with nothing but loopback."""
    config = folder / "agent.json"
    ports = {"http": port, "rpc": free_port(), "serf": free_port()}
    config.write_text(json.dumps({"bind_addr": "127.0.0.1", "ports": ports, "disable_update_check": True}))
    return [binary, "agent", "-dev", "-config", str(config)]


@contextmanager
def started(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process and all that it starts, ended with the block; what it prints is in *folder*."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NOMAD_")}
    environment["PYTHONPATH"] = str(ROOT / "operator")
    with (folder / "nomad.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,  # closed with us, even where we are killed: `--exit-with-parent`
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)


def wait_until_ready(address: str, process: subprocess.Popen[bytes] | None = None, folder: Path | None = None) -> None:
    """Wait until a Nomad has a node that takes jobs. Fails the test with what it printed, if it never has."""
    deadline = time.monotonic() + PATIENCE
    while not _has_a_node(address):
        if (process and process.poll() is not None) or time.monotonic() > deadline:
            log = (folder / "nomad.log").read_text(errors="replace")[-3000:] if folder else ""
            pytest.fail(f"no Nomad at {address}: {log}")
        time.sleep(0.05)


def _has_a_node(address: str) -> bool:
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{address}/v1/nodes", timeout=5) as answer:
            return any(node["Status"] == "ready" for node in json.load(answer))
    except (URLError, OSError, ValueError):
        return False


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
