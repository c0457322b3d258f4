"""`/v1/client/allocation/:id/exec` and `/v1/job/:id/action`: a command beside a task, over a WebSocket."""

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, Any

import orjson
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from herdsman.devnomad.client import execs
from herdsman.devnomad.client.task_runner import TaskRunner
from herdsman.devnomad.errors import BadRequest, Denied, NotFound, Refused
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.reply import Reply
from herdsman.devnomad.http.routing import under
from herdsman.devnomad.types import Row

if TYPE_CHECKING:
    from herdsman.devnomad.agent import Agent

_INTERNAL_ERROR = 1011
_LONGEST_REASON = 120


async def serve(agent: "Agent", scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one WebSocket."""
    socket = WebSocket(scope, receive, send)
    headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
    call = Call(agent, method="GET", path=scope["path"], query=scope["query_string"], headers=headers, body=b"")
    await socket.accept()
    try:
        if call.flag("ws_handshake"):
            await _handshake(call, socket)
        runner, command = _wanted(call)
        await _run(socket, runner, command, tty=call.flag("tty"))
        await socket.close()
    except WebSocketDisconnect:
        return
    except Refused as refusal:
        await socket.close(_INTERNAL_ERROR, refusal.text[:_LONGEST_REASON])


async def _handshake(call: Call, socket: WebSocket) -> None:
    """The token comes in the first frame: browsers cannot send it in a header."""
    frame = _decoded(await socket.receive_text())
    if frame.get("version") != 1:
        raise BadRequest(f"unexpected version value: {frame.get('version')}")
    call.headers = {**call.headers, "x-nomad-token": str(frame.get("auth_token") or "")}


def _decoded(text: str) -> Row:
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"a frame is no JSON: {error}") from error
    return frame if isinstance(frame, dict) else {}


# -- what is to run ------------------------------------------------------------------------------------------------
def _wanted(call: Call) -> tuple[TaskRunner, list[str]]:
    path = call.path
    if path.startswith("/v1/client/allocation/") and path.endswith("/exec"):
        alloc_id = path.removeprefix("/v1/client/allocation/").removesuffix("/exec")
        return _runner(call, alloc_id), _command(call.param("command"))
    if path.startswith("/v1/job/") and path.endswith("/action"):
        runner = _runner(call, call.param("allocID"))
        return runner, _action(runner, call.param("action"))
    raise NotFound("no WebSocket is served there")


def _runner(call: Call, alloc_id: str) -> TaskRunner:
    alloc = call.agent.store.allocs.get(alloc_id)
    call.may("alloc-exec", namespace=alloc["Namespace"] if alloc else None)
    if alloc is None:
        raise NotFound(f'Unknown allocation "{alloc_id}"')
    runner = call.agent.client_of(alloc).runners.get(alloc_id)
    task = runner.tasks.get(call.param("task")) if runner is not None else None
    if task is None:
        raise BadRequest(f'task "{call.param("task")}" not found')
    if task.real and not call.access.namespace(alloc["Namespace"], "alloc-node-exec"):
        raise Denied
    if not task.running:
        raise BadRequest(f'task "{task.name}" is not running.')
    return task


def _command(text: str) -> list[str]:
    if not text:
        raise BadRequest("Missing command")
    try:
        command = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"failed to decode command: {error}") from error
    if not isinstance(command, list) or not command:
        raise BadRequest("failed to decode command: it must be a list of texts")
    return [str(each) for each in command]


def _action(runner: TaskRunner, name: str) -> list[str]:
    action = next((each for each in runner.task["Actions"] or () if each["Name"] == name), None)
    if action is None:
        raise BadRequest(f"action {name} not found")
    return [action["Command"], *(action["Args"] or ())]


# -- running -------------------------------------------------------------------------------------------------------
async def _run(socket: WebSocket, runner: TaskRunner, command: list[str], *, tty: bool) -> None:
    if not runner.real:
        text = f"the embedded Nomad simulates the {runner.task['Driver']} driver: there is nothing to run commands in\n"
        await _send(socket, {"stderr": {"data": base64.b64encode(text.encode()).decode()}})
        await _send(socket, {"exited": True, "result": {"exit_code": 1}})
        return
    try:
        running = await execs.start(runner, command, tty=tty)
    except OSError as error:
        raise BadRequest(f"failed to exec: {command[0]}: {error.strerror}") from error
    listening = asyncio.create_task(_listen(socket, running))
    telling = asyncio.create_task(_tell(socket, running))
    try:
        await asyncio.wait((listening, telling), return_when=asyncio.FIRST_COMPLETED)
        if telling.done():
            telling.result()
    finally:
        for task in (listening, telling):
            task.cancel()
        await asyncio.gather(listening, telling, return_exceptions=True)
        await running.close()


async def _tell(socket: WebSocket, running: execs.Exec) -> None:
    async for said in running.output():
        inner = {"data": base64.b64encode(said.data).decode()} if said.data else {"close": True}
        await _send(socket, {said.stream: inner})
    code = await running.exit_code()
    await _send(socket, {"exited": True, "result": {"exit_code": code} if code else {}})


async def _send(socket: WebSocket, frame: Row) -> None:
    await socket.send_text(orjson.dumps(frame).decode())


async def _listen(socket: WebSocket, running: execs.Exec) -> None:
    """Pass on what comes; ends when the caller is gone."""
    while True:
        try:
            frame = _decoded(await socket.receive_text())
        except (WebSocketDisconnect, Refused):
            return
        await _take(frame, running)


async def _take(frame: Row, running: execs.Exec) -> None:
    given: Any = frame.get("stdin") or {}
    if given.get("data"):
        try:
            data = base64.b64decode(given["data"])
        except binascii.Error:
            return
        await running.write(data)
    if given.get("close"):
        running.close_input()
    size: Any = frame.get("tty_size") or {}
    if size:
        running.resize(height=int(size.get("height") or 24), width=int(size.get("width") or 80))


def _plain(_call: Call) -> Reply:
    """A request that asks for no WebSocket."""
    raise BadRequest("this path is served over a WebSocket only")


ROUTES = (
    under("/v1/client/allocation/", "/exec", get=_plain),
    under("/v1/job/", "/action", get=_plain),
)
