"""Speed as ratios against floors in the same run: `make bench`, or `python -m tests.bench [--sizes 100,1000] [NAME…]`.

    converge    from the moment at which N spec files appear under a running operator to N registered jobs, against a
                bare client that registers the same bodies over 16 connections; and the same from the operator's start
    edit        from a saved file to the registered job
    drift       from a foreign edit to its repair
    rest        60 s at rest: calls, writes, CPU, memory
    git         a Git source: first clone, a poll without news, one file changed of many, against git alone
    writer      one write and fifty at once as commits, against git by hand
    devnomad    the embedded Nomad against a bare HTTP server: registers, plans, lists, held queries, start, memory

Every number is from this machine, at this moment; ratios are what can be compared.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests")]
HERDSMAN = [sys.executable, "-m", "herdsman"]


def body(number: int) -> dict[str, Any]:
    """The job that spec *number* declares."""
    return {
        "Type": "service",
        "Datacenters": ["dc1"],
        "TaskGroups": [
            {
                "Name": "g",
                "Count": 0,
                "Tasks": [
                    {
                        "Name": "t",
                        "Driver": "mock_driver",
                        "Config": {"run_for": "1h"},
                        "Env": {"NUMBER": str(number), "MODE": "bench"},
                        "Resources": {"CPU": 20, "MemoryMB": 16},
                    }
                ],
            }
        ],
    }


def spec(number: int) -> str:
    """Its spec file, as a person would write it."""
    document = {
        "apiVersion": "herdsman/v1",
        "kind": "Job",
        "metadata": {"name": f"bench-{number}"},
        "spec": {"job": body(number)},
    }
    return yaml.safe_dump(document, sort_keys=False)


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], ready: Callable[[], bool]) -> Iterator[subprocess.Popen[bytes]]:
    """*command*, from the moment at which it is *ready* until the block ends."""
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_until(ready, 60)
            yield child
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read()[-3000:].decode(errors="replace"))
            raise
        finally:
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


@contextmanager
def nomad() -> Iterator["Api"]:
    """A fresh embedded Nomad; or the real one that HERDSMAN_TEST_NOMAD names, which must be empty."""
    address = os.environ.get("HERDSMAN_TEST_NOMAD", "")
    if "://" in address:
        yield Api(int(address.rsplit(":", 1)[1].strip("/")))
        return
    api = Api(free_port())
    with process([*HERDSMAN, "devnomad", "--port", str(api.port)], lambda: api.answers("/v1/status/leader")):
        yield api


@contextmanager
def operator(specs: Path, api: "Api", *flags: str) -> Iterator[tuple[subprocess.Popen[bytes], "Api"]]:
    """A running operator, ready or not."""
    own = Api(free_port())
    with tempfile.TemporaryDirectory() as state:
        command = [*HERDSMAN, "run", "--specs", str(specs), "--nomad", f"http://127.0.0.1:{api.port}"]
        command += ["--listen", f"127.0.0.1:{own.port}", "--state", state, "--log-level", "warning", *flags]
        with process(command, lambda: own.answers("/healthz")) as child:
            yield child, own


class Api:
    """A bare HTTP client for one port: the floor."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def get(self, path: str) -> Any:
        """The JSON answer, over a new connection."""
        connection = self.connect()
        connection.request("GET", path)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return json.loads(data) if data[:1] in (b"{", b"[", b'"') else data.decode()

    def answers(self, path: str) -> bool:
        """Whether anybody answers at *path*."""
        connection = self.connect()
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def register_all(self, bodies: list[dict[str, Any]], connections: int = 16) -> float:
        """Register *bodies* over that many connections at once; the answer is how long it took, in s."""
        work: Queue[bytes] = Queue()
        for item in bodies:
            work.put(json.dumps({"Job": item, "EnforceIndex": True, "JobModifyIndex": 0}).encode())

        def run() -> None:
            connection = self.connect()
            while True:
                try:
                    data = work.get_nowait()
                except Empty:
                    connection.close()
                    return
                connection.request("POST", "/v1/jobs", body=data)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200, answer.status

        began = time.monotonic()
        threads = [threading.Thread(target=run) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - began

    def count(self) -> int:
        """How many jobs of the bench there are."""
        return sum(j["ID"].startswith("bench-") for j in self.get("/v1/jobs?prefix=bench-"))


def wait_until(condition: Callable[[], bool], timeout: float, every: float = 0.02) -> float:
    """How long it took until *condition* held, in s."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout:
            raise TimeoutError(f"not within {timeout:g} s")
        time.sleep(every)
    return time.monotonic() - began


def fill(folder: Path, count: int) -> None:
    """Write *count* spec files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:05}.yaml").write_text(spec(number))


def fleet(folder: Path) -> None:
    """The fleet's own document."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fleet.yaml").write_text("apiVersion: herdsman/v1\nkind: Fleet\nmetadata:\n  name: bench\n")


def bench_converge(sizes: list[int]) -> None:
    """See the module's story."""
    for size in sizes:
        floor = floor_of(size)
        running, rss = converge_running(size)
        started = converge_from_start(size)
        print(
            f"converge {size:>6} jobs: floor {floor:.2f} s, running operator {running:.2f} s ({running / floor:.2f}x),"
            f" from its start {started:.2f} s ({started / floor:.2f}x), RSS {rss:.0f} MiB",
            flush=True,
        )


def floor_of(size: int) -> float:
    """How long a bare client takes."""
    common = {"Meta": {"herdsman_fleet": "bench"}}
    with nomad() as api:
        return api.register_all([body(n) | {"ID": f"bench-{n}", "Name": f"bench-{n}"} | common for n in range(size)])


def converge_running(size: int) -> tuple[float, float]:
    """How long an operator takes that runs already, in s, and its memory afterwards, in MiB."""
    with nomad() as api, tempfile.TemporaryDirectory() as folder:
        specs = Path(folder) / "specs"
        fleet(specs)
        fill(Path(folder) / "prepared", size)
        with operator(specs, api) as (child, own):
            wait_until(lambda: own.get("/v1/overview")["ready"], 30)
            shutil.move(Path(folder) / "prepared", specs / "jobs")
            took = wait_until(lambda: api.count() >= size, 600, max(0.1, size / 10000))
            wait_until(lambda: own.get("/v1/overview")["total"] == size, 600, 0.5)
            return took, memory(child.pid)


def converge_from_start(size: int) -> float:
    """How long an operator takes from its start, in s."""
    with nomad() as api, tempfile.TemporaryDirectory() as folder:
        specs = Path(folder) / "specs"
        fleet(specs)
        fill(specs / "jobs", size)
        began = time.monotonic()
        with operator(specs, api):
            wait_until(lambda: api.count() >= size, 600, max(0.1, size / 10000))
            return time.monotonic() - began


def bench_edit(_sizes: list[int]) -> None:
    """See the module's story."""
    with nomad() as api, tempfile.TemporaryDirectory() as folder:
        specs = Path(folder)
        fleet(specs)
        fill(specs, 100)
        with operator(specs, api) as (_, own):
            wait_until(lambda: own.get("/v1/overview")["ready"], 60)
            edits, drifts = [], []
            for n in range(10):
                path = specs / "00005.yaml"
                path.write_text(spec(5).replace("MODE: bench", f"MODE: edit-{n}"))
                edits.append(wait_until(partial(has_mode, api, f"edit-{n}"), 10, 0.005))
                time.sleep(0.3)
            for n in range(10):
                live = api.get("/v1/job/bench-5")
                live["Priority"] = 61 + n
                api_post(api, "/v1/jobs", {"Job": live})
                drifts.append(wait_until(lambda: api.get("/v1/job/bench-5")["Priority"] == 50, 10, 0.005))
                time.sleep(31 if n % 9 == 8 else 0.3)
    print(f"saved → registered: median {median_ms(edits)}, worst {max(edits) * 1000:.0f} ms", flush=True)
    print(f"drift → repaired:   median {median_ms(drifts)}, worst {max(drifts) * 1000:.0f} ms", flush=True)


def has_mode(api: Api, mode: str) -> bool:
    """Whether the edited job's MODE is *mode*."""
    return bool(api.get("/v1/job/bench-5")["TaskGroups"][0]["Tasks"][0]["Env"]["MODE"] == mode)


def api_post(api: Api, path: str, data: dict[str, Any]) -> None:
    """Send *data*."""
    connection = api.connect()
    connection.request("POST", path, body=json.dumps(data))
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


def median_ms(seconds: list[float]) -> str:
    """The median, for a reader."""
    return f"{statistics.median(seconds) * 1000:.0f} ms"


def bench_rest(sizes: list[int]) -> None:
    """See the module's story."""
    for size in [s for s in sizes if s <= 1000] or [1000]:
        rest(size)


def rest(size: int) -> None:
    """A minute in the life of a fleet that is in sync."""
    with nomad() as api, tempfile.TemporaryDirectory() as folder:
        specs = Path(folder)
        fleet(specs)
        fill(specs, size)
        with operator(specs, api, "--resync", "10") as (child, own):
            wait_until(lambda: own.get("/v1/overview")["readyCount"] == size, 300, 0.2)
            time.sleep(10)
            before, cpu, index = calls(own), cpu_seconds(child.pid), raft_index(api)
            time.sleep(60)
            used = cpu_seconds(child.pid) - cpu
            print(
                f"rest {size} jobs, 60 s, a resync every 10 s: {calls(own) - before} calls to Nomad,"
                f" raft index moved by {raft_index(api) - index}, CPU {used / 60:.2%} of one core,"
                f" RSS {memory(child.pid):.0f} MiB",
                flush=True,
            )


def calls(own: Api) -> int:
    """How many calls the operator made to Nomad."""
    lines = [x for x in str(own.get("/metrics")).splitlines() if x.startswith("herdsman_nomad_requests_total{")]
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines))


def raft_index(api: Api) -> int:
    """Nomad's index: it moves with every write."""
    connection = api.connect()
    connection.request("GET", "/v1/evaluations")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return int(answer.headers["X-Nomad-Index"])


def memory(pid: int) -> float:
    """Resident memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid: int) -> float:
    """CPU time used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _elsewhere(module: str) -> Callable[[list[int]], None]:
    """The bench in a module of its own, imported when it is run."""
    return lambda sizes: import_module(f"tests.bench.{module}").run(sizes)


BENCHES: dict[str, Callable[[list[int]], None]] = {
    "converge": bench_converge,
    "edit": bench_edit,
    "rest": bench_rest,
    "git": _elsewhere("git_source"),
    "writer": _elsewhere("git_writer"),
    "devnomad": _elsewhere("devnomad"),
}


def main() -> None:
    """Run the benches that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="which (all)")
    parser.add_argument("--sizes", default="100,1000,10000", help="how many jobs")
    asked = parser.parse_args()
    for name in asked.names or BENCHES:
        BENCHES[name]([int(s) for s in asked.sizes.split(",")])


if __name__ == "__main__":
    main()
