"""Sockets: how bytes reach Nomad.

TLS is verified unless it is switched off by name, against the system's authorities or, where some are configured,
against those alone. Nothing is read from the environment, no proxy is used, and no redirect is followed: the token
would go with it.
"""

import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool

from herdsman.adapters.nomad.config import NomadConfig, Renewed
from herdsman.errors import SettingsError
from herdsman.version import __version__

USER_AGENT = f"herdsman/{__version__}"


def open_session(config: NomadConfig) -> requests.Session:
    """One session for all threads, with a pool that holds a connection for each."""
    session = _Session()
    session.trust_env = False
    session.headers["User-Agent"] = USER_AGENT
    session.adapters.clear()
    session.mount(config.base_url.partition("://")[0] + "://", _adapter(config))
    return session


def open_connection(config: NomadConfig, tls: Renewed[ssl.SSLContext] | None, *, timeout: float) -> HTTPConnection:
    """A connection of its own, not yet connected, for an answer that never ends."""
    if config.scheme == "unix":
        return UnixConnection(config.socket_path, timeout=timeout)
    parts = urlsplit(config.base_url)
    host = parts.hostname or ""
    if tls is None:
        return HTTPConnection(host, parts.port or 80, timeout=timeout)
    name = config.tls_server_name or None
    return HTTPSConnection(host, parts.port or 443, timeout=timeout, ssl_context=tls(), server_hostname=name)


def tls_source(config: NomadConfig) -> Renewed[ssl.SSLContext] | None:
    """The TLS context as the certificates on disk are now; None where there is no TLS."""
    if config.scheme != "https":
        return None
    if config.skip_verify:  # asked for by name, so a warning with every request tells nobody anything
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    files = [f for f in (config.ca_cert, config.ca_path, config.client_cert, config.client_key) if f]
    return Renewed(files, lambda: _tls_context(config))


def _tls_context(config: NomadConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if config.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    authorities = _authorities(config)
    for file in authorities:
        _load(file, lambda file=file: context.load_verify_locations(file))
    if not authorities:
        context.load_default_certs()
    if config.client_cert and config.client_key:
        cert, key = config.client_cert, config.client_key
        _load(cert, lambda: context.load_cert_chain(cert, key))
    return context


def _authorities(config: NomadConfig) -> list[Path]:
    files = [config.ca_cert] if config.ca_cert else []
    if config.ca_path:
        try:
            files += sorted(file for file in config.ca_path.iterdir() if file.is_file())
        except OSError as error:
            raise SettingsError(f"the certificates in {config.ca_path} cannot be read: {error.strerror}") from None
    return files


def _load(file: Path, load: Any) -> None:
    try:
        load()
    except OSError as error:  # ssl.SSLError is one
        words = "it is no PEM certificate (with its key)" if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsError(f"the certificate {file} cannot be used: {words}") from None


class _Session(requests.Session):
    """A session that follows nothing: python-nomad lets `requests` follow redirects of PUT and DELETE."""

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["allow_redirects"] = False
        return super().request(*args, **kwargs)


def _adapter(config: NomadConfig) -> HTTPAdapter:
    if config.scheme == "unix":
        return _UnixAdapter(config)
    tls = tls_source(config)
    if tls is None:
        return HTTPAdapter(pool_connections=1, pool_maxsize=config.threads)
    return _TlsAdapter(config, tls)


class _TlsAdapter(HTTPAdapter):
    """HTTPS with our own context: requests would add its own authorities, and never look at the files again."""

    def __init__(self, config: NomadConfig, tls: Renewed[ssl.SSLContext]) -> None:
        self._tls = tls
        self._server_name = config.tls_server_name
        super().__init__(pool_connections=2, pool_maxsize=config.threads)  # two: the old certificates' and the new

    def build_connection_pool_key_attributes(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> Any:
        """Which pool serves a request: another one as soon as the context is another one."""
        parts = urlsplit(str(request.url))
        host = {"scheme": "https", "host": parts.hostname, "port": parts.port}
        name = {"server_hostname": self._server_name} if self._server_name else {}
        return host, {"ssl_context": self._tls(), **name}

    def cert_verify(self, *_: Any) -> None:
        """Nothing to do: the context verifies."""


class UnixConnection(HTTPConnection):
    """HTTP over a Unix socket, as Nomad offers it to its own tasks (`api.sock` in their secrets directory)."""

    def __init__(self, path: str, *, timeout: Any = None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self._path)
        except OSError:
            sock.close()
            raise
        self.sock = sock


class _UnixPool(HTTPConnectionPool):
    def __init__(self, path: str, *, maxsize: int) -> None:
        super().__init__("localhost", maxsize=maxsize)
        self._path = path

    def _new_conn(self) -> UnixConnection:
        return UnixConnection(self._path, timeout=self.timeout.connect_timeout)


class _UnixAdapter(HTTPAdapter):
    """Every URL of the session goes to one socket."""

    def __init__(self, config: NomadConfig) -> None:
        super().__init__()
        self._pool = _UnixPool(config.socket_path, maxsize=config.threads)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        """The one pool."""
        return self._pool

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()
        super().close()
