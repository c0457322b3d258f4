"""Sockets: how bytes reach Nomad.

TLS is verified unless it is switched off by name, against the system's authorities or, where some are configured,
against those alone. Nothing is read from the environment, no proxy is used, and no redirect is followed: the token
would go with it.
"""

import socket
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from herdsman.adapters.nomad.config import NomadConfig, Renewed
from herdsman.errors import SettingsError
from herdsman.version import __version__

USER_AGENT = f"herdsman/{__version__}"


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


class Wire:
    """What python-nomad takes for a session of `requests`: one pool of connections for all threads, over urllib3.

    `requests` would spend as much time on preparing a call as all the rest of us does; of what it adds, nothing is
    wanted here: no redirects (python-nomad lets it follow those of PUT and DELETE), no cookies, no environment.
    """

    def __init__(self, config: NomadConfig) -> None:
        self._config = config
        self._tls = tls_source(config)
        self._pool: HTTPConnectionPool | None = None
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def get(self, **call: Any) -> requests.Response:
        """One call, as for the other methods: *url*, *params*, *headers*, *timeout*, *data*."""
        return self._call("GET", **call)

    def post(self, **call: Any) -> requests.Response:
        """See `get`."""
        return self._call("POST", **call)

    def put(self, **call: Any) -> requests.Response:
        """See `get`."""
        return self._call("PUT", **call)

    def delete(self, **call: Any) -> requests.Response:
        """See `get`."""
        return self._call("DELETE", **call)

    def close(self) -> None:
        """Close the connections that are open."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()

    def _call(
        self,
        method: str,
        *,
        url: str,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        timeout: tuple[float, float],
        data: bytes | None = None,
        **_: Any,
    ) -> requests.Response:
        query = urlencode({name: value for name, value in params.items() if value is not None})
        parts = urlsplit(url)
        try:
            answer = self._open_pool().urlopen(
                method,
                f"{parts.path}?{query}" if query else parts.path,
                body=data,
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **headers},
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=urllib3.Timeout(*timeout),
            )
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(error) from error
        return _as_requests(answer, url)

    def _open_pool(self) -> HTTPConnectionPool:
        """The pool; another one as soon as the certificates on disk are others."""
        context = self._tls() if self._tls is not None else None
        with self._lock:
            if self._pool is None or context is not self._context:
                self._pool, self._context = self._new_pool(context), context
            return self._pool

    def _new_pool(self, context: ssl.SSLContext | None) -> HTTPConnectionPool:
        config = self._config
        if config.scheme == "unix":
            return _UnixPool(config.socket_path, maxsize=config.threads)
        parts = urlsplit(config.base_url)
        if context is None:
            return HTTPConnectionPool(parts.hostname or "", parts.port or 80, maxsize=config.threads)
        return HTTPSConnectionPool(
            parts.hostname or "",
            parts.port or 443,
            maxsize=config.threads,
            ssl_context=context,
            server_hostname=config.tls_server_name or None,
        )


def _as_requests(answer: urllib3.BaseHTTPResponse, url: str) -> requests.Response:
    """The answer as python-nomad knows it."""
    response = requests.Response()
    response.status_code, response.reason, response.url = answer.status, answer.reason or "", url
    response.headers.update(answer.headers)
    response.encoding = "utf-8"
    response._content = answer.data  # the one way to make a Response of bytes that are there already
    return response


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
