"""The server as a process: how it starts, how it ends, and that nothing outlives it."""

import os
import resource
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from devnomad.processes import Process, marked, server, wait_until_gone
from devnomad.support import SECOND, Api, group, job, shell

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


def _sleeper(mark: str) -> dict[str, object]:
    """A task that ignores polite signals and has a child; both carry the mark."""
    script = f"trap '' INT TERM; sh -c 'trap \"\" INT TERM; sleep 1000 # {mark}' & wait # {mark}"
    return shell(script, KillTimeout=60 * SECOND)


def _run_sleeper(api: Api, mark: str, count: int = 2) -> None:
    api.register(job("sleeper", group(count=count, Tasks=[_sleeper(mark)])))
    api.running("sleeper", count)
    assert len(marked(mark)) >= 2 * count


@pytest.fixture
def mark() -> str:
    """A text by which the processes of one test are known."""
    return f"mark-{uuid.uuid4().hex}"


def test_it_greets_and_is_ready_at_once() -> None:
    """The start-up line says that this is a simulation and where it is; by then requests are answered."""
    with server() as process:
        assert "simulation" in process.greeting
        assert process.api.get("/v1/status/leader") == f"127.0.0.1:{process.api.port}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_quick_and_leaves_nothing(mark: str, number: signal.Signals) -> None:
    """However stubborn its tasks are, the server is gone within two seconds of a signal, and they with it."""
    with server() as process:
        _run_sleeper(process.api, mark)
        took = process.end(number)
        assert process.popen.returncode == 0
        assert took < 2
        assert marked(mark) == []


def test_a_stop_waits_for_nobody(mark: str) -> None:
    """Held queries, event streams, followed logs and the agent's log do not keep the server from stopping."""
    with server() as process:
        api = process.api
        _run_sleeper(api, mark, 1)
        alloc = api.allocs("sleeper")[0]["ID"]
        paths = (
            f"/v1/jobs?index={10**9}&wait=5m",
            "/v1/event/stream",
            f"/v1/client/fs/logs/{alloc}?task=t&type=stdout&follow=true&plain=true",
            "/v1/agent/monitor",
        )
        curls = [_open(api.port, path) for path in paths]
        took = process.end(signal.SIGTERM)
        for curl in curls:
            curl.kill()
            curl.communicate()
        assert took < 2
        assert process.popen.returncode == 0


def _open(port: int, path: str) -> "subprocess.Popen[bytes]":
    """A caller that stays; it has sent its request when this returns."""
    script = (
        "import socket, sys, time\n"
        f"s = socket.create_connection(('127.0.0.1', {port}))\n"
        f"s.sendall(b'GET {path} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
        "print('sent', flush=True)\n"
        "while s.recv(65536): pass\n"
    )
    caller = subprocess.Popen([sys.executable, "-S", "-c", script], stdout=subprocess.PIPE)
    assert caller.stdout is not None
    caller.stdout.readline()
    time.sleep(0.1)  # for the server to read what was sent: there is nothing to observe before that
    return caller


def test_a_killed_server_takes_its_tasks_along(mark: str) -> None:
    """A server that is killed can do nothing any more; its tasks and its temporary directory go all the same."""
    with server() as process:
        _run_sleeper(process.api, mark)
        pid = marked(mark)[0]
        folder = _alloc_dir(pid).split("/alloc/")[0]
        assert Path(folder).is_dir()
        process.end(signal.SIGKILL)
        wait_until_gone(mark)
        wait_until_gone(folder)
        assert not Path(folder).exists()


def _alloc_dir(pid: int) -> str:
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    found = next(each for each in environ if each.startswith(b"NOMAD_ALLOC_DIR="))
    return found.decode().partition("=")[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_daemon_that_left_its_group_goes_as_well(mark: str, number: signal.Signals) -> None:
    """A task that puts a process into a session of its own has not got it away."""
    with server() as process:
        script = f"setsid sh -c 'sleep 1000 # {mark}' & wait"
        process.api.register(job("daemon", group(Tasks=[shell(script)])))
        process.api.wait(lambda: marked(mark))
        process.end(number)
        wait_until_gone(mark)


def test_what_two_kills_left_is_swept_at_the_next_start(mark: str, tmp_path: Path) -> None:
    """Where both the server and its helper were killed, the next server in that directory ends what they left."""
    state = tmp_path / "state"
    with server("--state", str(state)) as process:
        _run_sleeper(process.api, mark, 1)
        for helper in marked(f"reaping.py\0{state}"):
            os.kill(helper, signal.SIGKILL)
        process.end(signal.SIGKILL)
    assert marked(mark)
    left = set(marked(mark))
    with server("--state", str(state)) as process:
        assert not left & set(marked(mark))
        process.api.running("sleeper", 1)
        assert process.end(signal.SIGTERM) < 2
    wait_until_gone(mark)


def test_it_stops_with_its_parent() -> None:
    """With --exit-with-parent it stops when its standard input ends."""
    with server("--exit-with-parent", stdin=subprocess.PIPE) as process:
        assert process.popen.stdin is not None
        process.popen.stdin.close()
        process.popen.stdin = None
        assert process.popen.wait(timeout=5) == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--bind", "0.0.0.0"], "not a loopback address"),
        (["--bind", "0.0.0.0", "--allow-remote"], "--allow-remote needs --acl"),
        (["--bind", "no.such.host.invalid", "--acl", "--allow-remote"], "cannot listen on"),
        (["--exit-with-parent"], "needs a pipe"),
        (["--nodes", "0"], "0 is not in the range"),
    ],
)
def test_what_cannot_be_served_is_said(arguments: list[str], complaint: str) -> None:
    """A configuration that is unsafe or impossible is refused in words, without a traceback."""
    main = "from herdsman.cli.devnomad import devnomad; devnomad()"
    done = subprocess.run(
        [sys.executable, "-c", main, "--port", "0", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_said() -> None:
    """Where the port is taken, the error names it and what to do."""
    with server() as process:
        main = "from herdsman.cli.devnomad import devnomad; devnomad()"
        done = subprocess.run(
            [sys.executable, "-c", main, "--port", str(process.api.port)],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 2
        assert f"cannot listen on 127.0.0.1:{process.api.port}" in done.stderr


def test_two_servers_do_not_share_a_directory(tmp_path: Path) -> None:
    """A second server in the same directory is refused, and the first goes on."""
    with server("--state", str(tmp_path)) as first:
        main = "from herdsman.cli.devnomad import devnomad; devnomad()"
        done = subprocess.run(
            [sys.executable, "-c", main, "--port", "0", "--state", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 2
        assert "another embedded Nomad works in" in done.stderr
        assert first.api.get("/v1/regions") == ["global"]


def test_starting_costs_less_than_a_second() -> None:
    """From nothing to the first answer and back, the server takes less than a second of a processor's time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = Process()
    process.end(signal.SIGTERM)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


def test_a_restart_right_after_a_kill_runs_everything_again(mark: str, tmp_path: Path) -> None:
    """A server that comes while the helper of the killed one still ends its tasks waits for it: its own are safe."""
    state = str(tmp_path / "state")
    with server("--state", state) as process:
        _run_sleeper(process.api, mark, 2)
        old = set(marked(mark))
        process.end(signal.SIGKILL)
    with server("--state", state) as process:
        process.api.running("sleeper", 2)
        process.api.wait(lambda: len(set(marked(mark)) - old) >= 4)
        assert not old & set(marked(mark))
        states = [alloc["TaskStates"]["t"]["Restarts"] for alloc in process.api.allocs("sleeper")]
        assert states == [0, 0]
