"""Health checks of services registered with Nomad itself, made against real tasks; simulated ones just pass."""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from herdsman.devnomad.clock import SECOND, now_ns
from herdsman.devnomad.types import Row

_CODE_LINE = 1024


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one service, and where to knock."""

    spec: Row
    service: str
    group: str
    task: str
    host: str
    port: int

    @property
    def id(self) -> str:
        """A name that stays the same for the same check."""
        parts = f"{self.group}/{self.task}/{self.service}/{self.spec['Name']}/{self.spec['Type']}/{self.spec['Path']}"
        return hashlib.md5(parts.encode(), usedforsecurity=False).hexdigest()

    @property
    def gates_health(self) -> bool:
        """Whether an allocation is healthy only while this check passes."""
        return self.spec["OnUpdate"] in {"", "require_healthy"}


@dataclass(slots=True)
class Result:
    """What a check found last."""

    status: str = "pending"
    output: str = "nomad: waiting to run"
    code: int = 0
    at: int = 0
    passing_since: int | None = None
    failures: int = field(default=0)


def checks_of(alloc: Row, group: Row) -> Iterator[Check]:
    """The checks of an allocation's services whose provider is Nomad."""
    for owner, services in [("", group["Services"])] + [(task["Name"], task["Services"]) for task in group["Tasks"]]:
        for service in services or ():
            if service["Provider"] != "nomad":
                continue
            for spec in service["Checks"] or ():
                host, port = _address(alloc, spec["PortLabel"] or service["PortLabel"])
                yield Check(spec, service["Name"], group["Name"], owner or spec["TaskName"], host, port)


def _address(alloc: Row, label: str) -> tuple[str, int]:
    for port in alloc["AllocatedResources"]["Shared"]["Ports"] or ():
        if port["Label"] == label:
            return port["HostIP"], port["Value"]
    return "127.0.0.1", int(label) if label.isdigit() else 0


class Checker:
    """Makes the checks of one allocation, over and over."""

    def __init__(self, checks: list[Check], *, changed: Callable[[], None], restart: Callable[[Check], None]) -> None:
        self._checks, self._changed, self._restart = checks, changed, restart
        self._results = {check.id: Result() for check in checks}
        self._tasks = [asyncio.create_task(self._repeat(check)) for check in checks]
        self._since = now_ns()

    def passing_since(self) -> int | None:
        """Since when all checks pass that gate the allocation's health; none while one does not."""
        moments = [self._results[check.id].passing_since for check in self._checks if check.gates_health]
        if any(moment is None for moment in moments):
            return None
        return max((moment for moment in moments if moment is not None), default=0)

    def shown(self) -> Row:
        """The results, as the API tells them."""
        return {check.id: _shown(check, self._results[check.id]) for check in self._checks}

    def stop(self) -> None:
        """Make no more checks."""
        for task in self._tasks:
            task.cancel()

    async def _repeat(self, check: Check) -> None:
        interval = (check.spec["Interval"] or 10 * SECOND) / SECOND
        while True:
            self._note(check, await _make(check))
            await asyncio.sleep(interval)

    def _note(self, check: Check, found: "_Found") -> None:
        result, now = self._results[check.id], now_ns()
        result.status = "success" if found.passed else "failure"
        result.code, result.output, result.at = found.code, found.output, now
        if found.passed:
            result.failures = 0
            result.passing_since = result.passing_since or now
        else:
            result.failures += 1
            result.passing_since = None
            self._maybe_restart(check, result, now)
        self._changed()

    def _maybe_restart(self, check: Check, result: Result, now: int) -> None:
        policy = check.spec["CheckRestart"]
        if not policy or not policy["Limit"] or now - self._since <= (policy["Grace"] or 0):
            return
        if result.failures >= policy["Limit"]:
            result.failures = 0
            self._since = now
            self._restart(check)


@dataclass(frozen=True, slots=True)
class _Found:
    """What knocking once found: whether it passed, a line about it, and the HTTP status."""

    passed: bool
    output: str
    code: int = 0


async def _make(check: Check) -> _Found:
    timeout = (check.spec["Timeout"] or 5 * SECOND) / SECOND
    try:
        async with asyncio.timeout(timeout):
            return await (_http(check) if check.spec["Type"] == "http" else _tcp(check))
    except TimeoutError:
        return _Found(passed=False, output=f"nomad: {check.spec['Type']} check timed out after {timeout:g}s")
    except (OSError, asyncio.IncompleteReadError, ValueError) as error:
        return _Found(passed=False, output=f"nomad: {error}")


async def _tcp(check: Check) -> _Found:
    _, writer = await asyncio.open_connection(check.host, check.port)
    writer.close()
    return _Found(passed=True, output="nomad: tcp ok")


async def _http(check: Check) -> _Found:
    spec = check.spec
    reader, writer = await asyncio.open_connection(check.host, check.port, ssl=_tls(spec))
    try:
        body = (spec["Body"] or "").encode()
        lines = [
            f"{spec['Method'] or 'GET'} {spec['Path'] or '/'} HTTP/1.1",
            f"Host: {check.host}:{check.port}",
            "Connection: close",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, values in (spec["Header"] or {}).items() for value in values),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        status = (await reader.readuntil(b"\n"))[:_CODE_LINE].decode("latin-1").split()
        code = int(status[1])
    except IndexError as error:
        raise ValueError("the answer is no HTTP") from error
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
    passed = 200 <= code < 300
    return _Found(passed=passed, output="nomad: http ok" if passed else f"nomad: http status {code}", code=code)


def _tls(spec: Row) -> ssl.SSLContext | None:
    if spec["Protocol"] != "https":
        return None
    context = ssl.create_default_context()
    if spec["TLSSkipVerify"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _shown(check: Check, result: Result) -> Row:
    shown = {
        "ID": check.id,
        "Mode": "healthiness" if check.gates_health else "readiness",
        "Status": result.status,
        "Output": result.output,
        "Timestamp": result.at // SECOND,
        "Group": check.group,
        "Task": check.task,
        "Service": check.service,
        "Check": check.spec["Name"],
    }
    if result.code:
        shown["StatusCode"] = result.code
    return shown
