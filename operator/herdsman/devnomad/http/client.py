"""`/v1/client/…`: what the client knows of its allocations: their files, their logs, what they use."""

import asyncio
import base64
import stat as modes
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import orjson

from herdsman.devnomad.client import fingerprint
from herdsman.devnomad.client.allocdir import AllocDir
from herdsman.devnomad.client.logs import FRAME, Chunk, read_log
from herdsman.devnomad.clock import now_ns, rfc3339
from herdsman.devnomad.errors import BadRequest, NotFound, NotSimulated, Refused
from herdsman.devnomad.http import stats
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.reply import TEXT, Raw, Reply, Stream, Value, nothing
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.ids import id_fault
from herdsman.devnomad.state.usage import client_terminal
from herdsman.devnomad.structs.errors import error_text
from herdsman.devnomad.types import Row

_HEARTBEAT_EVERY: Final = 100


def _alloc(call: Call, *capabilities: str) -> Row:
    """The allocation that the path names, where the caller may."""
    alloc_id = call.between
    if not alloc_id:
        raise BadRequest("must provide a valid alloc id")
    alloc = call.agent.store.allocs.get(alloc_id)
    call.may(*capabilities, namespace=alloc["Namespace"] if alloc else None)
    if alloc is None:
        if fault := id_fault(alloc_id):
            raise Refused(f"alloc lookup failed: {fault}")
        raise NotFound(f'Unknown allocation "{alloc_id}"')
    return alloc


def _dirs(call: Call, alloc: Row) -> AllocDir:
    dirs = call.agent.client_of(alloc).dirs(alloc["ID"])
    for task in _tasks(alloc):
        dirs.build_task(task["Name"])
    return dirs


def _tasks(alloc: Row) -> list[Row]:
    groups = alloc["Job"]["TaskGroups"]
    tasks: list[Row] = next(group for group in groups if group["Name"] == alloc["TaskGroup"])["Tasks"]
    return tasks


# -- logs ----------------------------------------------------------------------------------------------------------
def logs(call: Call) -> Reply:
    """What a task said."""
    alloc = _alloc(call, "read-logs", "read-fs")
    name, stream, origin = call.param("task"), call.param("type"), call.param("origin") or "start"
    if not name:
        raise BadRequest("must provide task name")
    follow, plain = _switch(call, "follow"), _switch(call, "plain")
    if stream not in {"stdout", "stderr"}:
        raise BadRequest("must provide log type (stdout/stderr)")
    offset = _place(call, "offset") if call.param("offset") else 0
    _check_origin(origin)
    task = next((each for each in _tasks(alloc) if each["Name"] == name), None)
    if task is None:
        raise BadRequest(f'unknown task name "{name}"')
    if not alloc["TaskStates"]:
        raise NotFound(f'task "{name}" not started yet. No logs available')
    if (task["LogConfig"] or {}).get("Disabled"):
        raise NotFound(f'logging is disabled for task "{name}"')
    chunks = read_log(
        call.agent.client_of(alloc).dirs(alloc["ID"]).logs,
        name,
        stream,
        offset=offset,
        from_end=origin == "end",
        follow=follow,
    )
    if plain:
        return Stream(_plain(call, alloc, chunks), TEXT)
    return Stream(_frames(call, alloc, chunks))


def _switch(call: Call, name: str, *, default: bool = False) -> bool:
    """A parameter that says yes or no, complained about as the calls about files do."""
    try:
        return call.flag(name) if call.param(name) else default
    except Refused:
        complaint = f'strconv.ParseBool: parsing "{call.param(name)}": invalid syntax'
        raise BadRequest(f"failed to parse {name} field to boolean: {complaint}") from None


def _place(call: Call, name: str) -> int:
    """A number of bytes."""
    text = call.param(name)
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f'error parsing {name}: strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _check_origin(origin: str) -> None:
    if origin not in {"start", "end"}:
        raise BadRequest("origin must be start or end")


def _ended(call: Call, alloc: Row) -> bool:
    """Whether there is no use in following any longer."""
    current = call.agent.store.allocs.get(alloc["ID"])
    return current is None or client_terminal(current) or call.agent.store.watches.closed


async def _plain(call: Call, alloc: Row, chunks: AsyncIterator[Chunk | None]) -> AsyncIterator[bytes]:
    idle_after_end = 0
    async for chunk in chunks:
        if chunk is not None:
            yield chunk.data
        elif _ended(call, alloc):
            idle_after_end += 1
            if idle_after_end > 1:
                return


async def _frames(call: Call, alloc: Row, chunks: AsyncIterator[Chunk | None]) -> AsyncIterator[bytes]:
    idle = idle_after_end = 0
    async for chunk in chunks:
        if chunk is not None:
            yield _frame(chunk.data, chunk.offset, f"alloc/logs/{chunk.file.name}")
            continue
        idle += 1
        if idle % _HEARTBEAT_EVERY == 0:
            yield b"{}"
        idle_after_end += _ended(call, alloc)
        if idle_after_end > 1:
            return


def _frame(data: bytes, offset: int, file: str) -> bytes:
    return orjson.dumps({"Offset": offset, "Data": base64.b64encode(data).decode(), "File": file})


# -- files ---------------------------------------------------------------------------------------------------------
def _path(call: Call) -> tuple[AllocDir, Path]:
    alloc = _alloc(call, "read-fs")
    dirs = _dirs(call, alloc)
    path = (dirs.root / call.param("path").lstrip("/")).resolve()
    if not path.is_relative_to(dirs.root.resolve()):
        raise Refused(f'Path escapes the alloc directory: "{call.param("path")}"')
    if any(
        path.is_relative_to(dirs.task(task["Name"]).resolve() / secret)
        for task in _tasks(alloc)
        for secret in ("secrets", "private")
    ):
        raise Refused(f"Reading secret file prohibited: {call.param('path')}", status=403)
    return dirs, path


def list_files(call: Call) -> Reply:
    """The entries of a directory."""
    _, path = _path(call)
    if not path.is_dir():
        raise _missing(call, path)
    return Value([_info(each) for each in sorted(path.iterdir())])


def stat(call: Call) -> Reply:
    """What a file is."""
    if not call.param("path"):
        raise BadRequest("must provide a file name")
    _, path = _path(call)
    if not path.exists():
        raise _missing(call, path)
    return Value(_info(path))


def _missing(call: Call, path: Path) -> Refused:
    return NotFound(f"stat {call.param('path') or path.name}: no such file or directory")


def _info(path: Path) -> Row:
    info = path.lstat()
    return {
        "Name": path.name,
        "IsDir": path.is_dir(),
        "Size": info.st_size,
        "FileMode": modes.filemode(info.st_mode),
        "ModTime": rfc3339(info.st_mtime_ns),
        "ContentType": "" if path.is_dir() else "text/plain; charset=utf-8",
    }


def _file(call: Call) -> Path:
    if not call.param("path"):
        raise BadRequest("must provide a file name")
    _, path = _path(call)
    if not path.is_file():
        if path.is_dir():
            raise BadRequest(f'file "{call.param("path")}" is a directory')
        raise _missing(call, path)
    return path


def cat(call: Call) -> Reply:
    """A file."""
    return Raw(_file(call).read_bytes())


def read_at(call: Call) -> Reply:
    """A piece of a file."""
    path = _file(call)
    offset, limit = _place(call, "offset"), _place(call, "limit")
    with path.open("rb") as file:
        file.seek(max(offset, 0))
        return Raw(file.read(max(limit, 0)))


def stream(call: Call) -> Reply:
    """A file in frames, followed as it grows."""
    alloc = _alloc(call, "read-fs")
    path = _file(call)
    follow = _switch(call, "follow", default=True)
    offset = max(_place(call, "offset"), 0) if call.param("offset") else 0
    _check_origin(call.param("origin") or "start")
    if call.param("origin") == "end":
        offset = max(path.stat().st_size - offset, 0)
    return Stream(_file_frames(call, alloc, path, offset, follow=follow))


async def _file_frames(call: Call, alloc: Row, path: Path, offset: int, *, follow: bool) -> AsyncIterator[bytes]:
    name, idle_after_end = call.param("path"), 0
    while path.exists():
        with path.open("rb") as file:
            file.seek(offset)
            while data := file.read(FRAME):
                offset += len(data)
                yield _frame(data, offset, name)
        if not follow or idle_after_end > 1:
            return
        idle_after_end += _ended(call, alloc)
        await asyncio.sleep(0.1)
    yield orjson.dumps({"File": name, "FileEvent": "file deleted", "Offset": offset})


# -- allocations at work -------------------------------------------------------------------------------------------
async def restart(call: Call) -> Reply:
    """Start tasks anew."""
    alloc = _alloc(call, "alloc-lifecycle")
    runner, body = call.agent.runner_of(alloc), call.request("structs.AllocRestartRequest", optional=True)
    task = body.get("TaskName") or ""
    if task and body.get("AllTasks"):
        raise BadRequest("task name and all tasks can't be both set")
    try:
        await runner.restart_tasks(task)
    except ValueError as error:
        raise Refused(str(error)) from error
    return Value({"Index": 0})


def signal(call: Call) -> Reply:
    """Send tasks a signal."""
    alloc = _alloc(call, "alloc-lifecycle")
    runner, body = call.agent.runner_of(alloc), call.request("structs.AllocSignalRequest")
    try:
        runner.signal_tasks(body.get("Task") or "", body.get("Signal") or "")
    except ValueError as error:
        raise Refused(error_text([str(error)])) from error
    return Value({"Index": 0})


def alloc_stats(call: Call) -> Reply:
    """What an allocation uses."""
    alloc = _alloc(call, "read-job")
    return Value(stats.of_alloc(call.agent.runner_of(alloc), call.param("task"), now=now_ns()))


def alloc_checks(call: Call) -> Reply:
    """What the checks of an allocation's services say."""
    return Value(call.agent.checks_of(_alloc(call, "read-job")))


def collect_alloc(call: Call) -> Reply:
    """Remove what a finished allocation left on disk."""
    alloc = _alloc(call, "submit-job")
    if not client_terminal(alloc):
        raise Refused(f'allocation "{alloc["ID"]}" is not eligible for garbage collection')
    call.agent.client_of(alloc).dirs(alloc["ID"]).destroy()
    return nothing()


def collect_all(call: Call) -> Reply:
    """Remove what all finished allocations left on disk."""
    call.require(call.access.coarse("node", "write"))
    for alloc in call.agent.store.allocs:
        if client_terminal(alloc):
            call.agent.client_of(alloc).dirs(alloc["ID"]).destroy()
    return nothing()


def client_stats(call: Call) -> Reply:
    """What the machine uses."""
    call.require(call.access.coarse("node", "read"))
    _node(call, call.param("node_id"))
    return Value(stats.of_host(call.agent.data_dir, now=now_ns()))


# -- node metadata -------------------------------------------------------------------------------------------------
def metadata(call: Call) -> Reply:
    """A node's metadata."""
    call.require(call.access.coarse("node", "read"))
    return Value(fingerprint.metadata(_node(call, call.param("node_id"))))


def _node(call: Call, node_id: str) -> Row:
    node = call.agent.store.nodes.get(node_id or call.agent.node_ids[0])
    if node is None and (fault := id_fault(node_id)):
        raise Refused(f"node lookup failed: {fault}")
    if node is None:
        raise NotFound(f'Unknown node "{node_id}"')
    return node


def set_metadata(call: Call) -> Reply:
    """Change a node's metadata."""
    call.require(call.access.coarse("node", "write"))
    body = call.request("structs.NodeMetaApplyRequest")
    if not body.get("Meta"):
        raise BadRequest("missing required Meta object")
    node = _node(call, call.param("node_id") or body.get("NodeID") or "")
    return Value(fingerprint.metadata(call.agent.nodes.set_metadata(node, body["Meta"])))


def _nothing_there(_call: Call) -> Reply:
    raise NotFound("resource not found")


def _no_such_call(_call: Call) -> Reply:
    raise NotFound("Invalid method")


def pause(_call: Call) -> Reply:
    """Tasks that run by a schedule."""
    raise NotSimulated("Pausing tasks by a schedule (Nomad Enterprise)")


ROUTES = (
    under("/v1/client/allocation/", "/pause", get=pause, put=pause),
    under("/v1/client/fs/logs/", get=logs),
    under("/v1/client/fs/ls/", get=list_files),
    under("/v1/client/fs/stat/", get=stat),
    under("/v1/client/fs/cat/", get=cat),
    under("/v1/client/fs/readat/", get=read_at),
    under("/v1/client/fs/stream/", get=stream),
    under("/v1/client/allocation/", "/restart", put=restart),
    under("/v1/client/allocation/", "/signal", put=signal),
    under("/v1/client/allocation/", "/stats", get=alloc_stats),
    under("/v1/client/allocation/", "/checks", get=alloc_checks),
    under("/v1/client/allocation/", "/gc", get=collect_alloc, put=collect_alloc),
    under("/v1/client/allocation/", get=_nothing_there, put=_nothing_there, delete=_nothing_there),
    under("/v1/client/fs/", get=_no_such_call, put=_no_such_call, delete=_no_such_call),
    exact("/v1/client/gc", get=collect_all, put=collect_all),
    exact("/v1/client/stats", get=client_stats),
    exact("/v1/client/metadata", get=metadata, put=set_metadata),
)
