"""System git, one process at a time: nothing of the surroundings gets in, nothing secret gets out, nothing hangs.

Git reads a dozen variables and three configuration files that could change what it does. It gets none of them here:
its environment is made from nothing, its home is a directory of our own, hooks and helpers of others are off. What it
must know beyond that (the URL, a secret) goes into its environment as configuration, never into its arguments, which
everybody on the machine can read. Each command has a deadline and a process group of its own; who is late, or is still
there when the operator stops, goes with all its children.
"""

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

from herdsman.errors import SourceError

MAX_OUTPUT: Final = 64 * 1024 * 1024
"""No answer of git that is read whole may be larger: a remote with a million references is none, or not a sane one."""

_SLICE: Final = 0.1
"""The longest wait that does not ask whether to stop, in s."""

_CHUNK: Final = 1 << 16

Config = tuple[tuple[str, str], ...]

_ALWAYS: Final[Config] = (
    ("advice.detachedHead", "false"),
    ("core.fsmonitor", "false"),
    ("core.fsync", "none"),  # a mirror that a power cut spoils is cloned again; waiting for disks is not worth it
    ("core.hooksPath", os.devnull),
    ("core.askPass", ""),
    ("credential.helper", ""),
    ("fetch.writeCommitGraph", "false"),
    ("gc.autoDetach", "false"),
    ("init.defaultBranch", "none"),
    ("safe.directory", "*"),  # the mirror is ours alone, and nothing that git finds in a work tree is executed
)

_ENVIRONMENT: Final[Mapping[str, str]] = {
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


@dataclass(frozen=True, slots=True)
class Access:
    """What one command may use beyond the mirror. *secrets* are blotted out of whatever git says."""

    config: Config = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    protocols: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)


NOTHING: Final = Access()


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended by itself."""

    code: int
    out: bytes
    err: str

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked."""
        return self.code == 0


class Git:
    """Runs git with *home* as its home and working directory. When `stopped` answers true, what runs is ended."""

    def __init__(self, home: Path, *, program: str = "git") -> None:
        self._home, self._program = home, program
        self.stopped: Callable[[], bool] = lambda: False

    def run(
        self,
        *args: str,
        repo: Path | None = None,
        access: Access = NOTHING,
        timeout: float,
        program: str = "",
        stdin: int = subprocess.DEVNULL,
    ) -> Done:
        """Run one command to its end. Raises `SourceError` where there is none: no git, too late, told to stop.

        *program* is another one than git, which is run with the same care. *stdin* is an open file to read from.
        """
        command = [program or self._program, *args]
        process = self._open(command, repo, access, stdin=stdin, stderr=subprocess.PIPE)
        try:
            with process.stdout as out, process.stderr as err:  # type: ignore[union-attr]
                texts = self._collect(args[0], [out.fileno(), err.fileno()], monotonic() + timeout)
        except BaseException:
            kill(process)
            raise
        return Done(process.wait(), texts[0], _clean(texts[1], access.secrets))

    def serve(self, *args: str, repo: Path) -> "subprocess.Popen[bytes]":
        """Start a command that answers as long as it is asked."""
        return self._open([self._program, *args], repo, NOTHING, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def _open(
        self, command: list[str], repo: Path | None, access: Access, *, stdin: int, stderr: int
    ) -> "subprocess.Popen[bytes]":
        if self.stopped():
            raise SourceError("the source is being closed")
        try:
            return subprocess.Popen(
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=self._home,
                env=self._environment(repo, access),
                start_new_session=True,
            )
        except FileNotFoundError as error:
            if not self._home.is_dir():
                raise
            raise SourceError(
                f"the program {command[0]!r} is not there",
                hint="Herdsman needs git 2.31 or later, ssh, and gpg for GPG keys",
            ) from error

    def _environment(self, repo: Path | None, access: Access) -> dict[str, str]:
        config = (*_ALWAYS, *access.config)
        numbered = {f"GIT_CONFIG_KEY_{n}": key for n, (key, _) in enumerate(config)}
        numbered |= {f"GIT_CONFIG_VALUE_{n}": value for n, (_, value) in enumerate(config)}
        return {
            **_ENVIRONMENT,
            **access.environment,
            **numbered,
            **({"GIT_DIR": str(repo)} if repo else {}),
            "GIT_CONFIG_COUNT": str(len(config)),
            "GIT_ALLOW_PROTOCOL": ":".join(access.protocols) or "none",
            "HOME": str(self._home),
            "PATH": os.pathsep.join(os.get_exec_path()),
        }

    def _collect(self, name: str, pipes: list[int], deadline: float) -> list[bytes]:
        """Everything that comes out of *pipes* until all of them are closed."""
        texts = {pipe: bytearray() for pipe in pipes}
        with selectors.DefaultSelector() as selector:
            for pipe in pipes:
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                left = deadline - monotonic()
                if left <= 0:
                    raise Late(name)
                if self.stopped():
                    raise SourceError("the source is being closed")
                for key, _ in selector.select(min(left, _SLICE)):
                    chunk = os.read(key.fd, _CHUNK)
                    texts[key.fd] += chunk
                    if not chunk:
                        selector.unregister(key.fd)
                    if len(texts[key.fd]) > MAX_OUTPUT:
                        raise SourceError(f"git {name} does not stop talking", hint="is that a Git server?")
        return [bytes(texts[pipe]) for pipe in pipes]


class Late(SourceError):
    """A command that did not end in time."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"git {name} did not end in time", hint="the remote or the disk is slow, or hangs; it is tried again"
        )


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End *process* and whatever it started, at once. It is not waited for before: its number is still its own."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with suppress(OSError):
                pipe.close()


def _clean(text: bytes, secrets: tuple[str, ...]) -> str:
    words = text[-_CHUNK:].decode("utf-8", "replace")
    for secret in secrets:
        words = words.replace(secret, "…")
    return words
