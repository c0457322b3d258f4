"""The server: an agent behind uvicorn, from its start-up line to a stop that leaves no process behind."""

import asyncio
import contextlib
import gc
import ipaddress
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from herdsman.devnomad.agent import Agent, Options
from herdsman.devnomad.http.app import create_app
from herdsman.devnomad.state.journal import StateInUse

STOP_TIMEOUT = 1


class ConfigError(ValueError):
    """A configuration that cannot be served; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Config:
    """What to serve, and where."""

    bind: str = "127.0.0.1"
    port: int = 4646
    """0 takes any free port; the start-up line and `Server.port` tell which."""
    acl: bool = False
    state_dir: Path | None = None
    nodes: int = 1
    gpus: int = 0
    allow_remote: bool = False
    exit_with_parent: bool = False
    """Stop when standard input closes: whoever started this server holds its other end."""

    def check(self) -> None:
        """Refuse what would be unsafe."""
        if not _loopback(self.bind):
            if not self.allow_remote:
                raise ConfigError(
                    f"--bind {self.bind} is not a loopback address, and the embedded Nomad runs anything for anybody "
                    "who reaches it; bind 127.0.0.1, or say --allow-remote --acl"
                )
            if not self.acl:
                raise ConfigError(
                    "--allow-remote needs --acl: without it anybody who reaches the port may run commands"
                )
        if self.nodes < 1:
            raise ConfigError(f"--nodes {self.nodes}: at least one node is needed")


def _loopback(address: str) -> bool:
    if address == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return False


class Server:
    """One embedded Nomad. `run` serves until `stop` is called, from any thread."""

    def __init__(self, config: Config) -> None:
        config.check()
        self.config = config
        self._socket = _listen(config)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._stop_asked = False

    @property
    def address(self) -> str:
        """The API's URL."""
        host = f"[{self.config.bind}]" if ":" in self.config.bind else self.config.bind
        return f"http://{host}:{self.port}"

    def run(self, *, ready: Callable[[], None] | None = None, signals: bool = False) -> None:
        """Serve; blocks until stopped."""
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(self._main(ready, signals=signals))

    def stop(self) -> None:
        """Stop serving soon."""
        self._stop_asked = True
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(stopping.set)

    async def _main(self, ready: Callable[[], None] | None, *, signals: bool) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        if self._stop_asked:
            return
        if signals:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._loop.add_signal_handler(number, self._stopping.set)
        if self.config.exit_with_parent:
            self._watch_parent(self._loop)
        config = self.config
        options = Options(
            host=config.bind,
            port=self.port,
            acl=config.acl,
            state_dir=config.state_dir,
            nodes=config.nodes,
            gpus=config.gpus,
        )
        try:
            agent = Agent(options)
        except (StateInUse, OSError) as error:
            raise ConfigError(f"cannot use --state {config.state_dir}: {error}") from error
        agent.start()
        try:
            await self._serve(agent, ready)
        finally:
            await agent.stop()

    async def _serve(self, agent: Agent, ready: Callable[[], None] | None) -> None:
        assert self._stopping is not None
        server = _Uvicorn(
            uvicorn.Config(
                create_app(agent),
                log_config=None,
                access_log=False,
                lifespan="off",
                http="httptools",
                ws="websockets-sansio",
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=STOP_TIMEOUT,
                backlog=4096,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.001)
        if ready is not None and not serving.done():
            ready()
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        agent.close_streams()
        server.should_exit = True
        await serving

    def _watch_parent(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.add_reader(sys.stdin.fileno(), self._parent_spoke)
        except (OSError, ValueError) as error:
            raise ConfigError("--exit-with-parent needs a pipe as standard input, held open by the parent") from error

    def _parent_spoke(self) -> None:
        """Standard input can be read: at its end the parent is gone."""
        if not os.read(sys.stdin.fileno(), 4096) and self._stopping is not None:
            assert self._loop is not None
            self._loop.remove_reader(sys.stdin.fileno())
            self._stopping.set()


class _Uvicorn(uvicorn.Server):
    """Signals are ours, not uvicorn's."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Leave the handlers as they are."""
        yield


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - not there on every platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _listen(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.bind, config.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {config.bind}:{config.port}: {error.strerror}; "
            "choose another --port (0 takes any free one)"
        ) from error
    listener.setblocking(False)  # noqa: FBT003 - takes no keyword
    return listener


def serve(config: Config) -> None:
    """Serve in the foreground until SIGTERM or SIGINT."""
    server = Server(config)

    def ready() -> None:
        print(  # noqa: T201 - the start-up line is what this command shows
            f"Embedded Nomad (a simulation, not a real cluster) serves {server.address}"
            f"{' with ACLs on' if config.acl else ''}; stop it with Ctrl-C",
            flush=True,
        )

    _take_the_machine_for_granted()
    server.run(ready=ready, signals=True)


def _take_the_machine_for_granted() -> None:
    """A process of our own may hold many connections, and need not look for garbage every few hundred objects."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
