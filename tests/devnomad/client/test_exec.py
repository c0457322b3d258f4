"""Commands beside a task, over a WebSocket: `nomad alloc exec` and the actions of jobs."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from devnomad.support import Api, group, job, serving, shell, task


@pytest.fixture(scope="module")
def alloc(nomad: Api) -> Iterator[str]:
    """An allocation with a real task to run commands beside."""
    action = {"Name": "greet", "Command": "/bin/echo", "Args": ["hello", "there"]}
    real = shell("exec sleep 1000", Actions=[action], Env={"MINE": "yes"})
    simulated = task("container", Driver="docker", Config={"image": "x"})
    nomad.register(job("exec", group(Tasks=[real, simulated])))
    yield nomad.running("exec")[0]["ID"]
    nomad.purge("exec")


def _open(api: Api, path: str) -> ClientConnection:
    headers = {"X-Nomad-Token": api.token} if api.token else {}
    return connect(f"ws://127.0.0.1:{api.port}{path}", additional_headers=headers, open_timeout=10)


def _exec(alloc: str, *command: str, name: str = "t", **query: str) -> str:
    more = "".join(f"&{key}={value}" for key, value in query.items())
    return f"/v1/client/allocation/{alloc}/exec?task={name}&command={quote(json.dumps(command))}{more}"


def _frames(socket: ClientConnection) -> Iterator[dict[str, Any]]:
    try:
        while True:
            yield json.loads(socket.recv(timeout=10))
    except ConnectionClosed:
        return


def _said(frames: list[dict[str, Any]], stream: str) -> str:
    parts = (frame[stream].get("data") or "" for frame in frames if stream in frame)
    return b"".join(base64.b64decode(part) for part in parts).decode()


def _code(frames: list[dict[str, Any]]) -> int:
    assert frames[-1]["exited"] is True
    return int(frames[-1]["result"].get("exit_code", 0))


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_runs_beside_its_task(nomad: Api, alloc: str, code: int) -> None:
    """Output comes on its stream, with the task's environment; at last comes the exit code."""
    script = f"echo $MINE $NOMAD_TASK_NAME; echo oops >&2; exit {code}"
    with _open(nomad, _exec(alloc, "/bin/sh", "-c", script)) as socket:
        frames = list(_frames(socket))

    assert _said(frames, "stdout") == "yes t\n"
    assert _said(frames, "stderr") == "oops\n"
    assert _code(frames) == code
    assert {"stdout": {"close": True}} in frames


def test_a_command_is_spoken_to(nomad: Api, alloc: str) -> None:
    """What is sent is its standard input, which can be closed."""
    with _open(nomad, _exec(alloc, "/bin/cat")) as socket:
        for word in ("one\n", "two\n"):
            socket.send(json.dumps({"stdin": {"data": base64.b64encode(word.encode()).decode()}}))
        socket.send(json.dumps({"stdin": {"close": True}}))
        frames = list(_frames(socket))

    assert _said(frames, "stdout") == "one\ntwo\n"
    assert _code(frames) == 0


def test_a_terminal_is_one(nomad: Api, alloc: str) -> None:
    """With `tty` the command has a terminal, of the size that is told."""
    script = "test -t 0 && echo terminal; read line; stty size"
    with _open(nomad, _exec(alloc, "/bin/sh", "-c", script, tty="true")) as socket:
        socket.send(json.dumps({"tty_size": {"height": 33, "width": 111}}))
        socket.send(json.dumps({"stdin": {"data": base64.b64encode(b"go\n").decode()}}))
        frames = list(_frames(socket))

    said = _said(frames, "stdout")
    assert "terminal" in said
    assert "33 111" in said
    assert _code(frames) == 0


def test_a_command_ends_with_its_caller(nomad: Api, alloc: str) -> None:
    """When the caller goes, so does what it started."""
    with _open(nomad, _exec(alloc, "/bin/sh", "-c", "echo $$; sleep 1000")) as socket:
        pid = int(base64.b64decode(json.loads(socket.recv(timeout=10))["stdout"]["data"]))

    nomad.wait(lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False


def test_an_action_is_a_command_with_a_name(nomad: Api, alloc: str) -> None:
    """An action of a job runs as it is written there; actions are listed."""
    with _open(nomad, f"/v1/job/exec/action?allocID={alloc}&task=t&action=greet") as socket:
        frames = list(_frames(socket))

    assert _said(frames, "stdout") == "hello there\n"
    listed = nomad.get("/v1/job/exec/actions")
    assert [(each["Name"], each["TaskName"], each["TaskGroupName"]) for each in listed] == [("greet", "t", "g")]


def test_a_simulated_task_says_so(nomad: Api, alloc: str) -> None:
    """There is nothing to run commands in where nothing runs."""
    with _open(nomad, _exec(alloc, "/bin/sh", name="container")) as socket:
        frames = list(_frames(socket))

    assert "simulates the docker driver" in _said(frames, "stderr")
    assert _code(frames) == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/v1/client/allocation/{alloc}/exec?task=t", "Missing command"),
        ("/v1/client/allocation/{alloc}/exec?task=t&command=x", "failed to decode command"),
        ("/v1/client/allocation/{alloc}/exec?task=t&command=%5B%5D", "failed to decode command"),
        ("/v1/client/allocation/{alloc}/exec?task=nobody&command=%5B%22ls%22%5D", 'task "nobody" not found'),
        ("/v1/client/allocation/nobody/exec?task=t&command=%5B%22ls%22%5D", "Unknown allocation"),
        ("/v1/client/allocation/{alloc}/exec?task=t&command=%5B%22/no/such%22%5D", "No such file"),
        ("/v1/job/exec/action?allocID={alloc}&task=t&action=none", "action none not found"),
        ("/v1/somewhere/else", "no WebSocket"),
    ],
)
def test_what_cannot_be_run_is_said(nomad: Api, alloc: str, path: str, reason: str) -> None:
    """The socket is closed with the reason."""
    with _open(nomad, path.format(alloc=alloc)) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=10)

    assert closed.value.rcvd is not None
    assert reason in closed.value.rcvd.reason


def test_without_a_websocket_nothing_runs(nomad: Api, alloc: str) -> None:
    """A plain request for a command is a bad one."""
    answer = nomad.call("GET", f"/v1/client/allocation/{alloc}/exec?task=t&command=%5B%22ls%22%5D")

    assert answer.status == 400
    assert "WebSocket" in answer.body


def test_the_right_is_needed() -> None:
    """Running commands needs `alloc-exec`, and for real processes `alloc-node-exec`; the token may come in a frame."""
    with serving(acl=True) as api:
        api.token = api.put("/v1/acl/bootstrap")["SecretID"]
        api.register(job("exec", group(Tasks=[shell("exec sleep 1000")])))
        alloc = api.running("exec")[0]["ID"]
        rules = 'namespace "default" { policy = "write" }'
        api.put("/v1/acl/policy/w", {"Name": "w", "Rules": rules})
        weak = Api(api.port, token=api.put("/v1/acl/token", {"Type": "client", "Policies": ["w"]})["SecretID"])
        with _open(weak, _exec(alloc, "/bin/true")) as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.reason == "Permission denied"
        with _open(Api(api.port), _exec(alloc, "/bin/true", ws_handshake="true")) as socket:
            socket.send(json.dumps({"version": 1, "auth_token": api.token}))
            assert _code(list(_frames(socket))) == 0
