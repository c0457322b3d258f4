"""Every fleet of this process, the application in front of them, and the server that listens for it."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool

from herdsman.adapters.auth.config import AuthConfig
from herdsman.adapters.auth.judge import build
from herdsman.adapters.clock import SystemClock
from herdsman.adapters.metrics import merged
from herdsman.api.fleets import Hooks, create_fleets_app
from herdsman.api.front import Front, create_front
from herdsman.api.guards import LOOPBACK
from herdsman.bootstrap.fleet import Wired, wire
from herdsman.core.access import AccessRules
from herdsman.errors import NomadError, SettingsError
from herdsman.ports import Auth
from herdsman.settings import Settings, load


@dataclass(frozen=True, slots=True)
class Process:
    """Every fleet of this process, and the application in front of them."""

    fleets: Mapping[str, Wired]
    app: FastAPI
    is_open: bool
    """Whether no users are known, so that everybody on this machine is an administrator."""

    def start(self) -> None:
        """Start every fleet; returns at once."""
        for fleet in self.fleets.values():
            fleet.start()

    def news(self) -> None:
        """Every source may have news."""
        for fleet in self.fleets.values():
            fleet.service.news()

    def stop(self) -> bool:
        """Stop every fleet, at the same time; whether all looks ended within the grace."""
        with ThreadPoolExecutor(len(self.fleets)) as pool:
            return all(pool.map(lambda fleet: fleet.service.stop(), self.fleets.values()))

    def close(self) -> None:
        """Let go of files and connections."""
        for fleet in self.fleets.values():
            fleet.close()


def assemble(settings: Settings) -> Process:
    """Put everything together. Raises `SettingsError` and `StoreError`; nothing is contacted yet."""
    host, _ = listen_address(settings.listen)
    auth = users(settings)
    if host not in LOOPBACK and auth is None:
        raise SettingsError(
            f"--listen {settings.listen} is not a loopback address, and no users are known",
            hint="say whose tokens are believed with --oidc-issuer or --token-file, or listen on 127.0.0.1",
        )
    each = settings.each()
    if len(each) == 1 and not settings.fleets:
        only = wire(settings, auth=auth)
        return Process({settings.fleet: only}, only.app, is_open=auth is None)
    fleets = {own.fleet: wire(own, root=f"/fleets/{own.fleet}", auth=auth) for own in each}
    app = create_fleets_app(
        {name: (fleet.app, fleet.operator) for name, fleet in fleets.items()},
        metrics=lambda: merged({name: fleet.metrics for name, fleet in fleets.items()}),
        hooks=Hooks({name: fleet.hooks for name, fleet in fleets.items()}),
        auth=auth,
    )
    return Process(fleets, app, is_open=auth is None)


def users(settings: Settings) -> Auth | None:
    """Who judges tokens; None where no users are known. Raises `SettingsError`."""
    if not settings.oidc_issuer and settings.token_file is None:
        return None
    config = AuthConfig(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        clients=settings.oidc_clients,
        algorithms=settings.oidc_algorithms,
        rules=AccessRules(vos=settings.vos, admins=frozenset(settings.admins)),
        ca_file=settings.oidc_cacert,
        token_file=settings.token_file,
    )
    return build(config, clock=SystemClock(), warn=structlog.get_logger("herdsman").warning)


def application() -> FastAPI:
    """API and operator as one application, from variables and `herdsman.yaml`: for `uvicorn --factory`."""
    file = Path("herdsman.yaml")
    process = assemble(load({}, file=file if file.is_file() else None))

    @asynccontextmanager
    async def living(_app: FastAPI) -> AsyncIterator[None]:
        process.start()
        try:
            yield
        finally:
            await run_in_threadpool(process.stop)
            process.close()

    process.app.router.lifespan_context = living
    return process.app


def front(server: str, *, host: str) -> Starlette:
    """An application that stands before the operator at *server*. Raises `SettingsError` where that is not safe."""
    made = Front(server, host=host, clock=SystemClock())
    made.check()
    return create_front(made)


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8080`. Raises `SettingsError`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{text!r} is no address to listen on", hint="write HOST:PORT, like 127.0.0.1:8080")
    return host.strip("[]"), int(port)


@contextmanager
def served(app: FastAPI | Starlette, listen: str) -> Iterator[str]:
    """The HTTP server, in a thread of its own while the block runs; the value is its address."""
    host, port = listen_address(listen)
    with _bound(host, port) as sock:
        bound = sock.getsockname()[1]
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=3)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="herdsman-http", daemon=True)
        thread.start()
        try:
            yield f"http://{f'[{host}]' if ':' in host else host}:{bound}"
        finally:
            server.should_exit = True
            thread.join(5)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another with --listen"
        ) from None
    return sock


_OLDEST_NOMAD = (1, 7)


def greet(wired: Wired) -> str:
    """The version of Nomad, and what it lacks for Herdsman, in words; empty where Nomad does not answer yet."""
    try:
        version = wired.cluster.version()
    except NomadError:
        return ""
    wired.operator.nomad_version = version
    parts = tuple(int(p) for p in version.split("-")[0].split(".")[:2] if p.isdigit())
    if parts < _OLDEST_NOMAD:
        return f"Nomad {version} is older than 1.7, which Herdsman needs; expect refusals"
    lacks = "" if parts >= (1, 9) else "; it has no version tags"
    return f"Nomad {version}{lacks}"
