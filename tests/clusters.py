"""Whole operators on a real HTTP Nomad: the embedded one, or what HERDSMAN_TEST_NOMAD names."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import yaml

from herdsman.bootstrap import Wired, wire
from herdsman.settings import load


class Cluster:
    """A Nomad as somebody else sees it: plain HTTP."""

    def __init__(self, address: str) -> None:
        self.address = address

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer, None for 404."""
        data = json.dumps(body).encode() if body is not None else None
        try:
            with urlopen(Request(self.address + path, data=data, method=method), timeout=10) as answer:
                text = answer.read()
        except HTTPError as error:
            if error.code == 404:
                return None
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return json.loads(text) if text else None

    def job(self, name: str) -> Any:
        """One job, None where there is none."""
        return self.call("GET", f"/v1/job/{name}")

    def edit(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Register the live job with *change* made to it."""
        body = self.job(name)
        change(body)
        self.call("POST", "/v1/jobs", {"Job": body})

    def index(self) -> int:
        """Nomad's raft index: it moves with every write."""
        with urlopen(f"{self.address}/v1/evaluations", timeout=10) as answer:
            return int(answer.headers["X-Nomad-Index"])

    def wipe(self) -> None:
        """Purge every job and drop the claims, for the next test."""
        for job in self.call("GET", "/v1/jobs?namespace=*"):
            self.call("DELETE", f"/v1/job/{job['ID']}?purge=true&namespace={job['Namespace']}")
        for variable in self.call("GET", "/v1/vars?prefix=herdsman"):
            self.call("DELETE", f"/v1/var/{variable['Path']}")
        until(lambda: self.call("GET", "/v1/jobs?namespace=*") == [])


def until(condition: Callable[[], object], timeout: float = 30.0) -> None:
    """Wait until *condition* holds; a world that does not come to it fails the test."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.02)


def document(name: str, *, policy: dict[str, Any] | None = None, **body: Any) -> str:
    """A `Job` document with one mock task that runs."""
    task = {"Name": "t", "Driver": "mock_driver", "Config": {"run_for": "1h"}, "Resources": {"CPU": 20, "MemoryMB": 16}}
    update = {"MinHealthyTime": 10_000_000, "HealthyDeadline": "5s", "ProgressDeadline": "10s"}
    group = {"Name": "g", "Count": 1, "Tasks": [task], "Update": update}
    spec: dict[str, Any] = {"job": {"Datacenters": ["dc1"], "TaskGroups": [group]} | body}
    if policy:
        spec["policy"] = policy
    return yaml.safe_dump({"apiVersion": "herdsman/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec})


FLEET = "apiVersion: herdsman/v1\nkind: Fleet\nmetadata: {name: e2e}\nspec: {}\n"


@contextmanager
def operating(specs: Path, address: str, **flags: Any) -> Iterator[Wired]:
    """An operator that runs while the block does."""
    settings = load(
        {
            "specs": specs,
            "nomad": address,
            "state": specs.parent / "state",
            "listen": "127.0.0.1:0",
            "resync": 2.0,
            "source_poll": 2.0,
            "nomad_timeout": 1.0,
            **flags,
        },
        ignore_nomad_env=True,
    )
    wired = wire(settings)
    wired.start()
    try:
        yield wired
    finally:
        assert wired.service.stop(), "every look under way ends within the grace"
        wired.close()
