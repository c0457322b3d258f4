"""What a cluster is reached with, and the files behind it that may change while we run.

Tokens and certificates of a workload are renewed on disk; whatever was read from a file is read again once the file is
another one. A file caught half-written leaves the last good value in place.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from herdsman.errors import SettingsError

OnRequest = Callable[[str, str, str, float], None]
"""Told of every request: method, route (`/v1/job/:id/plan`), status or `error`, seconds."""

_T = TypeVar("_T")

_TOKEN = re.compile(r"[\x21-\x7e]*")
"""What may stand in a header. A token that may not is never quoted in an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NomadConfig:
    """How to reach one Nomad cluster. Secrets are left out of its `repr`."""

    address: str = "http://127.0.0.1:4646"  # http://, https:// or unix://
    region: str = ""  # "" is the region of the agent that answers
    token: str = field(default="", repr=False)
    token_file: Path | None = None  # wins over `token`
    ca_cert: Path | None = None
    ca_path: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    tls_server_name: str = ""
    skip_verify: bool = False
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    threads: int = 8  # how many calls may run at once without opening connections anew

    @property
    def scheme(self) -> str:
        """`http`, `https` or `unix`."""
        return urlsplit(self.address).scheme.lower()

    @property
    def base_url(self) -> str:
        """What every path is put behind. A Unix socket answers to any host name."""
        return "http://localhost" if self.scheme == "unix" else self.address.rstrip("/")

    @property
    def socket_path(self) -> str:
        """The file of a Unix socket."""
        return self.address[len("unix://") :]

    @property
    def place(self) -> str:
        """The address for a reader: without a password."""
        before, at, after = self.address.rpartition("@")
        return f"{before.partition('://')[0]}://{after}" if at else self.address

    def check(self) -> None:
        """Raise `SettingsError` where the parts make no sense together."""
        if self.scheme not in {"http", "https", "unix"}:
            raise SettingsError(
                f"the Nomad address {self.place!r} has no scheme",
                hint="write http://HOST:4646, https://HOST:4646 or unix:///PATH/api.sock",
            )
        if self.scheme != "unix" and not _names_host(self.address):
            raise SettingsError(f"the Nomad address {self.place!r} names no host, or no port that there is")
        if (self.client_cert is None) != (self.client_key is None):
            raise SettingsError("a client certificate for Nomad needs its key, and a key its certificate")


def _names_host(address: str) -> bool:
    parts = urlsplit(address)
    try:
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class Renewed(Generic[_T]):
    """A value made from files, made anew when one of them changes its time or its size."""

    def __init__(self, files: Sequence[Path], load: Callable[[], _T]) -> None:
        self._files = files
        self._load = load
        self._stamps = self._look()
        self._value = load()

    def __call__(self) -> _T:
        stamps = self._look()
        if stamps != self._stamps:
            try:
                self._value = self._load()
            except SettingsError:
                return self._value  # caught in the middle of a change: the next call tries again
            self._stamps = stamps
        return self._value

    def _look(self) -> list[tuple[int, int] | None]:
        return [_stamp(file) for file in self._files]


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def token_source(config: NomadConfig) -> Renewed[str]:
    """The token as it is now. Raises `SettingsError` where it cannot be read or sent."""
    file = config.token_file
    if file is None:
        token = _sendable(config.token, "the Nomad token")
        return Renewed((), lambda: token)
    return Renewed((file,), lambda: _read_token(file))


def _read_token(file: Path) -> str:
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"the Nomad token file {file} cannot be read: {words}") from None
    if not token:
        raise SettingsError(f"the Nomad token file {file} is empty")
    return _sendable(token, f"the Nomad token in {file}")


def _sendable(token: str, name: str) -> str:
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        raise SettingsError(f"{name} holds blanks or characters that no HTTP header may carry")
    return token
