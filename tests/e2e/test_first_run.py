"""The first run as a user does it: `herdsman dev` with the fleet of this repository, and its end."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from clusters import Cluster, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the fleet, to be edited."""
    return Path(shutil.copytree(ROOT / "specs", tmp_path / "specs"))


class Dev:
    """A running `herdsman dev`."""

    def __init__(self, folder: Path, log: Path) -> None:
        # a mark in the environment finds every process that descends from it, whatever it does to its parents
        self.mark = f"HERDSMAN_TEST_MARK={os.getpid()}-{id(self)}"
        name, value = self.mark.split("=")
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "herdsman", "dev", "--specs", str(folder), "--nomad", "embedded"],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, name: value, "NOMAD_ADDR": "http://127.0.0.1:1"},
                start_new_session=True,
            )
        self.log = log
        until(lambda: "Ctrl-C" in log.read_text() or self.process.poll() is not None, 30)
        text = log.read_text()
        assert self.process.poll() is None, text
        self.nomad = Cluster(re.search(r"nomad +(http://\S+)", text)[1])  # type: ignore[index]
        self.api = re.search(r"api +(http://[^/]+)", text)[1]  # type: ignore[index]

    def specs(self) -> dict[str, dict[str, object]]:
        """Every spec by name, as the API has it."""
        with urlopen(f"{self.api}/v1/specs", timeout=10) as answer:
            return {s["name"]: s for s in json.load(answer)["specs"]}

    def left(self) -> list[str]:
        """The processes that carry the mark."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self.mark.encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


@pytest.fixture
def dev(folder: Path, tmp_path: Path) -> Iterator[Dev]:
    """The operator with its own Nomad, all specs Ready."""
    running = Dev(folder, tmp_path / "dev.log")
    try:
        until(lambda: len(running.specs()) == 5 and all(s["ready"] == "True" for s in running.specs().values()), 30)
        yield running
    finally:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(30)


def test_the_first_five_minutes(dev: Dev, folder: Path) -> None:
    """An edit, a stop by hand, a broken file and a deleted one come out as the README says."""
    job = "/v1/job/hello-web?namespace=first-steps"
    text = (folder / "hello-web.yaml").read_text()
    (folder / "hello-web.yaml").write_text(text.replace("replicas: 1", "replicas: 2"))
    until(lambda: dev.nomad.call("GET", job)["TaskGroups"][0]["Count"] == 2, 3)

    dev.nomad.call("DELETE", job)
    until(lambda: not dev.nomad.call("GET", job)["Stop"], 5)

    worker = (folder / "worker.yaml").read_text()
    (folder / "worker.yaml").write_text(worker.replace("metadata:", "metadata"))
    until(lambda: dev.specs()["worker"]["ready"] == "False", 5)
    assert "worker.yaml" in str(dev.specs()["worker"]["message"])
    assert dev.nomad.call("GET", "/v1/job/worker?namespace=first-steps")["Status"] == "running"

    (folder / "worker.yaml").unlink()
    until(lambda: dev.nomad.call("GET", "/v1/job/worker?namespace=first-steps") is None, 10)


def test_the_page_is_served_by_a_real_process(dev: Dev) -> None:
    """The web page of the first run answers on the port that Nomad gave it."""
    (allocation,) = dev.nomad.call("GET", "/v1/job/hello-web/allocations?namespace=first-steps")
    whole = dev.nomad.call("GET", f"/v1/allocation/{allocation['ID']}")
    ports = whole["AllocatedResources"]["Shared"]["Ports"]

    with urlopen(f"http://127.0.0.1:{ports[0]['Value']}/", timeout=10) as answer:
        assert b"Hello from Herdsman" in answer.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_it_ends_cleanly(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    """It ends with code 0 within seconds, and leaves no process behind."""
    running = Dev(folder, tmp_path / "dev.log")
    until(lambda: len(running.specs()) == 5, 30)

    running.process.send_signal(number)

    assert running.process.wait(15) == 0, running.log.read_text()
    until(lambda: running.left() == [], 5)


def test_nothing_outlives_it_when_it_is_killed(folder: Path, tmp_path: Path) -> None:
    """Killed outright, it takes the embedded Nomad and the tasks with it."""
    running = Dev(folder, tmp_path / "dev.log")
    until(lambda: all(s["ready"] == "True" for s in running.specs().values()), 30)

    running.process.kill()
    running.process.wait(5)

    until(lambda: running.left() == [], 15)
