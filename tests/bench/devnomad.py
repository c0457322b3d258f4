"""The embedded Nomad against a bare Starlette handler: `python tests/bench/devnomad.py [SIZES]`.

    start       from the command to the first answer
    register    jobs, over 16 connections
    plan        the same jobs against themselves, with the diff
    list        all jobs with their metadata, in one call
    memory      resident, with that many jobs
    held        3,000 blocking queries are held: how long another call takes meanwhile, and the CPU that they cost

The handler of the floor reads the request and answers constant JSON of the size that the real answer has, behind the
same HTTP server, to the same client, in the same run. Ratios are what can be compared.
"""

import asyncio
import http.client
import json
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

CONNECTIONS = 16
HELD = 3_000
ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Shot:
    """One request."""

    method: str
    path: str
    body: bytes | None = None


def job(number: int) -> dict[str, Any]:
    """A job that runs nothing, with what most jobs have."""
    work = {"Name": "t", "Driver": "mock_driver", "Config": {"run_for": "1h"}, "Env": {"NUMBER": str(number)}}
    return {
        "ID": f"bench-{number}",
        "Name": f"bench-{number}",
        "Type": "service",
        "Datacenters": ["dc1"],
        "Meta": {"herdsman_fleet": "bench"},
        "TaskGroups": [{"Name": "g", "Count": 0, "Tasks": [work]}],
    }


def registers(count: int) -> list[Shot]:
    """As an operator sends them."""
    bodies = ({"Job": job(n), "EnforceIndex": True, "JobModifyIndex": 0} for n in range(count))
    return [Shot("POST", "/v1/jobs", json.dumps(body).encode()) for body in bodies]


def plans(count: int) -> list[Shot]:
    """A look at what each would change."""
    return [
        Shot("POST", f"/v1/job/bench-{n}/plan", json.dumps({"Job": job(n), "Diff": True}).encode())
        for n in range(count)
    ]


# -- the client ----------------------------------------------------------------------------------------------------
class Target:
    """A server, and how to speak to it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def send(self, shot: Shot, connection: http.client.HTTPConnection | None = None) -> bytes:
        """The answer to one request, which must succeed."""
        used = connection or self.connect()
        used.request(shot.method, shot.path, body=shot.body)
        answer = used.getresponse()
        data = answer.read()
        assert answer.status == 200, (shot.path, answer.status, data[:200])
        if connection is None:
            used.close()
        return data

    def answers(self) -> bool:
        """Whether anybody answers."""
        with suppress(OSError, http.client.HTTPException):
            self.send(Shot("GET", "/v1/status/leader"))
            return True
        return False

    def rate(self, shots: list[Shot]) -> float:
        """Requests a second, over many connections at once."""
        work: Queue[Shot] = Queue()
        for shot in shots:
            work.put(shot)

        def run() -> None:
            connection = self.connect()
            with suppress(Empty):
                while True:
                    self.send(work.get_nowait(), connection)
            connection.close()

        began = time.perf_counter()
        threads = [threading.Thread(target=run) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(shots) / (time.perf_counter() - began)

    def took(self, shot: Shot) -> float:
        """The median time of one request, in ms."""
        connection = self.connect()
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            self.send(shot, connection)
            times.append((time.perf_counter() - began) * 1000)
        connection.close()
        return statistics.median(times)


# -- the servers ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Running:
    """A server's process."""

    target: Target
    pid: int
    start: float
    """Seconds from the command to the first answer."""


@contextmanager
def serving(command: Callable[[int], list[str]]) -> Iterator[Running]:
    """A server in a process of its own while the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    target = Target(port)
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        child = subprocess.Popen(command(port), stdout=log, stderr=subprocess.STDOUT)
        try:
            while not target.answers():
                assert child.poll() is None, "the server ended"
                assert time.perf_counter() - began < 60, "the server did not begin"
                time.sleep(0.005)
            yield Running(target, child.pid, time.perf_counter() - began)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(30)


def embedded(port: int) -> list[str]:
    """The embedded Nomad."""
    return [sys.executable, "-m", "herdsman", "devnomad", "--port", str(port)]


def floor(port: int, *sizes: int) -> list[str]:
    """The bare handler: what it answers to a register, a plan and a list is that long."""
    return [sys.executable, str(Path(__file__).resolve()), "--floor", str(port), *map(str, sizes)]


def serve_floor(port: int, register: int, plan: int, listed: int) -> None:
    """Answer everything with constant JSON."""
    import uvicorn  # noqa: PLC0415 - only the floor's own process needs a server
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    answers = {name: b'"' + b"x" * (size - 2) + b'"' for name, size in (("r", register), ("p", plan), ("l", listed))}

    async def answer(request: Request) -> Response:
        kind = "l" if request.method == "GET" else "p" if request.url.path.endswith("/plan") else "r"
        await request.body()
        return Response(answers[kind], media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    options: dict[str, Any] = {"log_config": None, "access_log": False, "http": "httptools", "lifespan": "off"}
    uvicorn.run(app, host="127.0.0.1", port=port, **options)


def memory(pid: int) -> float:
    """Resident memory, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """CPU time used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -- held queries --------------------------------------------------------------------------------------------------
async def hold(target: Target, index: int) -> list[asyncio.StreamWriter]:
    """Many queries that wait for something that does not happen."""
    request = f"GET /v1/job/bench-0?index={index + 10_000}&wait=5m HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    gate = asyncio.Semaphore(100)

    async def one() -> asyncio.StreamWriter:
        async with gate:
            _, writer = await asyncio.open_connection("127.0.0.1", target.port)
            writer.write(request)
            await writer.drain()
            return writer

    return list(await asyncio.gather(*(one() for _ in range(HELD))))


async def measure_held(server: Running) -> None:
    """What a held query costs, and whom it keeps waiting."""
    target, shot = server.target, Shot("GET", "/v1/job/bench-1")
    alone = await asyncio.to_thread(target.took, shot)
    writers = await hold(target, 1_000_000)
    await asyncio.sleep(1)
    used = cpu_seconds(server.pid)
    await asyncio.sleep(3)
    used = cpu_seconds(server.pid) - used
    meanwhile = await asyncio.to_thread(target.took, shot)
    print(
        f"devnomad held: {HELD} blocking queries use {used / 3:.1%} of one core; another read takes {meanwhile:.2f} ms,"
        f" without them {alone:.2f} ms ({meanwhile / alone:.2f}x), RSS {memory(server.pid):.0f} MiB",
        flush=True,
    )
    for writer in writers:
        writer.close()
    await asyncio.sleep(1)


# -- all of it -----------------------------------------------------------------------------------------------------
def run(sizes: list[int]) -> None:
    """See the module's story; *sizes* are numbers of jobs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        for size in sizes:
            measure(size)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def measure(size: int) -> None:
    """One fleet's worth."""
    register, plan, listed = registers(size), plans(size), Shot("GET", "/v1/jobs?namespace=*&meta=true")
    with serving(embedded) as ours:
        target = ours.target
        registered = target.rate(register)
        planned = target.rate(plan)
        took = target.took(listed)
        lengths = [len(target.send(each)) for each in (register_again(0), plan[0], listed)]
        resident = memory(ours.pid)
        with serving(lambda port: floor(port, *lengths)) as bare:
            tell_rate(f"register {size} jobs", registered, bare.target.rate(register))
            tell_rate(f"plan {size} jobs", planned, bare.target.rate(plan))
            least = bare.target.took(listed)
        print(
            f"devnomad list {size} jobs with meta: {took:.1f} ms, floor {least:.1f} ms ({took / least:.1f}x)",
            flush=True,
        )
        print(
            f"devnomad start {ours.start:.2f} s, floor {bare.start:.2f} s ({ours.start / bare.start:.1f}x);"
            f" RSS with {size} jobs {resident:.0f} MiB",
            flush=True,
        )
        if size >= 2:
            asyncio.run(measure_held(ours))


def register_again(number: int) -> Shot:
    """A register that changes nothing."""
    return Shot("POST", "/v1/jobs", json.dumps({"Job": job(number)}).encode())


def tell_rate(what: str, ours: float, least: float) -> None:
    """One line."""
    print(f"devnomad {what}: {ours:.0f}/s, floor {least:.0f}/s ({least / ours:.1f}x)", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--floor"]:
        serve_floor(*map(int, sys.argv[2:]))
    else:
        run([int(size) for size in sys.argv[1:]] or [1_000])
