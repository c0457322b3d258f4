"""Real Git servers on loopback, and repositories to put behind them.

Repository    a bare repository, filled by `git fast-import`: any tree, any author, any time, in one process
HttpServer    `git http-backend` behind a small HTTP server, with or without TLS, basic and bearer authentication,
              and ways to misbehave
SshServer     `sshd` with keys of its own; `SSHD` is None where there is none
GitDaemon     `git daemon`
"""

import base64
import getpass
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")

NEUTRAL = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C", "PATH": os.environ["PATH"]}

AUTHOR = "Ada <ada@example.org>"


def git(*args: str, cwd: Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
    """What git prints, run without anybody's configuration."""
    done = subprocess.run(
        ["git", *args],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        check=False,
        env={**NEUTRAL, "HOME": str(cwd), **(env or {})},
    )
    if done.returncode:
        raise AssertionError(f"git {args[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace").strip()


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link in a tree."""

    target: str


@dataclass(frozen=True, slots=True)
class Module:
    """A submodule in a tree."""

    commit: str = "1" * 40


Files = Mapping[str | bytes, str | bytes | Link | Module | None]


class Repository:
    """A bare repository at *path*, made where there is none."""

    def __init__(self, path: Path, *, branch: str = "main", object_format: str = "sha1") -> None:
        self.path = path
        if not path.exists():
            path.mkdir(parents=True)
            git("init", "--bare", "-q", f"--initial-branch={branch}", f"--object-format={object_format}", cwd=path)
            git("config", "http.receivepack", "true", cwd=path)

    def git(self, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """Run git in it."""
        return git(*args, cwd=self.path, stdin=stdin, env=env)

    def commit(
        self,
        files: Files,
        *,
        branch: str = "main",
        message: str = "a change",
        author: str = AUTHOR,
        at: int | None = None,
        orphan: bool = False,
    ) -> str:
        """Commit *files* (None removes one) onto *branch*; an *orphan* has no parent and nothing of what was there."""
        when = int(time.time()) if at is None else at
        name = f"refs/heads/{branch}"
        old = self.head(branch)
        lines: list[bytes] = []
        if orphan and old:
            lines.append(f"reset {name}\n\n".encode())
        lines.append(f"commit {name}\nauthor {author} {when} +0000\ncommitter {author} {when} +0000\n".encode())
        lines.append(_data(message.encode()))
        if old and not orphan:
            lines.append(f"from {old}\n".encode())
        lines += [_change(path, content) for path, content in files.items()]
        self.git("fast-import", "--quiet", "--force", stdin=b"".join(lines))
        return self.head(branch)

    def head(self, branch: str = "main") -> str:
        """The commit of a branch; empty where there is none."""
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")


def _change(path: str | bytes, content: str | bytes | Link | Module | None) -> bytes:
    raw = path if isinstance(path, bytes) else path.encode()
    name = b'"' + b"".join(b"\\%03o" % c if c < 32 or c in b'"\\' or c > 126 else bytes([c]) for c in raw) + b'"'
    match content:
        case None:
            return b"D " + name + b"\n"
        case Link(target):
            return b"M 120000 inline " + name + b"\n" + _data(target.encode())
        case Module(commit):
            return b"M 160000 " + commit.encode() + b" " + name + b"\n"
        case str():
            return b"M 100644 inline " + name + b"\n" + _data(content.encode())
        case bytes():
            return b"M 100644 inline " + name + b"\n" + _data(content)


def _data(data: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(data), data)


def basic(user: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Request:
    """What a server was asked."""

    method: str
    path: str
    authorization: str
    fetch: bool = False


Answer = Callable[["_Handler"], bool]


class HttpServer:
    """Serves the repositories below *root* over smart HTTP.

    *accept* holds the Authorization headers that open it; empty, it is open. *fault* may answer instead (then it says
    true). *cut* ends the answer to a POST after so many bytes, and the connection with it. *after_list* is called
    once, when references were listed.
    """

    def __init__(self, root: Path, *, context: ssl.SSLContext | None = None, accept: set[str] | None = None) -> None:
        self.accept = accept or set()
        self.requests: list[Request] = []
        self.fault: Answer = lambda _: False
        self.cut: int | None = None
        self.after_list: Callable[[], object] | None = None
        owner = self

        class Bound(_Handler):
            server_owner = owner
            project_root = root

        self._server = _Server(("127.0.0.1", 0), Bound)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https" if context else "http"
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def url(self, name: str, *, host: str = "127.0.0.1", user: str = "") -> str:
        """Where the repository *name* is."""
        return f"{self._scheme}://{f'{user}@' if user else ''}{host}:{self.port}/{name}"

    def close(self) -> None:
        """Stop serving, and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away, or does not like our certificate, is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_owner: HttpServer
    project_root: Path

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Silence."""

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bool:
        """Send a whole answer; the value is what a fault says then."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return True

    def hang_up(self, body: bytes) -> None:
        """Promise more than *body* and end the connection after it."""
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-result")
        self.send_header("Content-Length", str(len(body) + 100_000))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        owner = self.server_owner
        body = self._body()
        given = self.headers.get("Authorization", "")
        wants_objects = b"command=fetch" in body[:100]
        owner.requests.append(Request(self.command, self.path, given, wants_objects))
        if owner.fault(self):
            return
        if owner.accept and given not in owner.accept:
            self.answer(401, b"", {"WWW-Authenticate": 'Basic realm="git"'})
            return
        status, headers, answer = self._backend(body)
        if owner.cut is not None and self.command == "POST" and len(answer) > owner.cut:
            self.hang_up(answer[: owner.cut])
            return
        self.answer(status, answer, headers)
        if owner.after_list and b"command=ls-refs" in body[:100]:
            act, owner.after_list = owner.after_list, None
            act()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _backend(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        path, _, query = self.path.partition("?")
        env = {
            **NEUTRAL,
            "GIT_PROJECT_ROOT": str(self.project_root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "somebody",
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, check=False, env=env)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        return status, headers, answer


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def key_pair(path: Path, *, comment: str = "test") -> Path:
    """An ssh key at *path*, its public half beside it as `.pub`."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], check=True)
    return path


class _Process:
    """A server that is a process, from the moment its port answers."""

    def __init__(self, command: list[str], port: int, env: Mapping[str, str]) -> None:
        self.port = port
        self._process = subprocess.Popen(
            command,
            env={**NEUTRAL, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if time.monotonic() > until or self._process.poll() is not None:
                    self.close()
                    raise AssertionError(f"{command[0]} does not listen") from None
                time.sleep(0.02)

    def close(self) -> None:
        """End it, with all its children."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class GitDaemon(_Process):
    """Serves the repositories below *root* over `git://`."""

    def __init__(self, root: Path) -> None:
        port = free_port()
        command = ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}"]
        super().__init__([*command, f"--base-path={root}", str(root)], port, {"HOME": str(root)})

    def url(self, name: str) -> str:
        """Where the repository *name* is."""
        return f"git://127.0.0.1:{self.port}/{name}"


@dataclass(slots=True)
class SshFiles:
    """What `SshServer` makes in its folder: a user's key, and the host's key as a line for known_hosts."""

    key: Path
    known_hosts: Path
    authorized: Path = field(repr=False)


class SshServer(_Process):
    """`sshd` for whoever runs the test; *folder* is private to it."""

    def __init__(self, folder: Path) -> None:
        assert SSHD
        folder.mkdir(mode=0o700, exist_ok=True)
        host = key_pair(folder / "host")
        port = free_port()
        self.files = SshFiles(key_pair(folder / "user"), folder / "known_hosts", folder / "authorized")
        self.files.authorized.write_bytes((folder / "user.pub").read_bytes())
        self.files.known_hosts.write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
        settings = (
            f"ListenAddress 127.0.0.1:{port}", f"HostKey {host}", f"AuthorizedKeysFile {self.files.authorized}",
            f"PidFile {folder / 'pid'}", "UsePAM no", "StrictModes no", "PasswordAuthentication no",
            "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", f"SetEnv PATH={NEUTRAL['PATH']}",
        )  # fmt: skip
        (folder / "sshd_config").write_text("\n".join(settings) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        super().__init__([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], port, {})

    def url(self, path: Path) -> str:
        """Where the repository at *path* is."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"
