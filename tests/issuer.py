"""A small OpenID issuer on loopback: real keys, real HTTP, and every way in which one goes wrong.

`Issuer` publishes keys, rotates them, signs tokens, is down, hangs, drips and lies; it serves the device flow and
refreshes, and counts what was asked. Hostile tokens, which no library would make, are put together by `forged`.
"""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.jwk import ECKey, KeyParameters, OKPKey, RSAKey

from clocks import START

NOW = int(START.timestamp())
Key = RSAKey | ECKey | OKPKey


@cache
def key(kid: str, algorithm: str = "ES256") -> Key:
    """The private key of that name; making one for RSA takes a while, so each is made once."""
    parameters: KeyParameters = {"kid": kid, "use": "sig", "alg": algorithm}
    if algorithm == "RS256":
        return RSAKey.generate_key(2048, parameters)
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", parameters)
    return OKPKey.generate_key("Ed25519", parameters)


def b64(data: bytes | Mapping[str, Any]) -> str:
    """Base64url without padding, of bytes or of JSON."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class _Registry(jws.JWSRegistry):
    """Signs whatever header it is given."""

    max_header_length = 1 << 20

    def check_header(self, header: Any) -> None: ...

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def sign(header: Mapping[str, Any], payload: bytes, by: Key) -> str:
    """A token with just this header, whose signature is good."""
    one = jws.CompactSignature(dict(header), payload)
    algorithm = _Registry().get_alg("EdDSA" if header["alg"] == "Ed25519" else header["alg"])
    text = f"{b64(one.headers())}.{b64(payload)}"
    return f"{text}.{b64(algorithm.sign(text.encode(), by))}"


def forged(header: Mapping[str, Any], claims: Mapping[str, Any], *, secret: bytes | None = None) -> str:
    """A token that nobody signed, or that is signed with a shared *secret*."""
    text = f"{b64(header)}.{b64(claims)}"
    return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest()) if secret else ''}"


def public_pem(of: Key) -> bytes:
    """The public key as a file that everybody may have."""
    return of.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Issuer:
    """An issuer. *mode* says how it answers: ok, down, hang, drip, huge, garbage, deep, redirect, zipped."""

    def __init__(self, *, algorithm: str = "ES256", context: ssl.SSLContext | None = None) -> None:
        self.mode = "ok"
        self.key = key("k1", algorithm)
        self.published: list[Any] = [self.key.as_dict(private=False)]
        self.document: dict[str, Any] = {}
        self.hits: Counter[str] = Counter()
        self.forms: list[dict[str, str]] = []
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.device: dict[str, Any] = {}
        self.released = threading.Event()
        self._refreshes = 0

        class Bound(_Handler):
            issuer = self

        self._server = _Server(("127.0.0.1", 0), Bound)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}/realms/test"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def rotate(self, kid: str, algorithm: str = "ES256") -> None:
        """Sign with another key from now on, and publish that one alone."""
        self.key = key(kid, algorithm)
        self.published = [self.key.as_dict(private=False)]

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Claims of a good access token; a value of None takes a claim out."""
        claims = {
            "iss": self.url,
            "sub": "ada",
            "aud": "herdsman",
            "exp": NOW + 300,
            "iat": NOW,
            "name": "Ada Lovelace",
            "realm_access": {"roles": ["access:vo.test:ap-u"]},
        }
        return {k: v for k, v in {**claims, **changed}.items() if v is not None}

    def token(self, *, header: Mapping[str, Any] | None = None, by: Key | None = None, **claims: Any) -> str:
        """A token signed by the present key, or *by* another; *claims* replace, or with None remove."""
        own = by or self.key
        full = {"alg": own.as_dict().get("alg"), "kid": own.kid, "typ": "JWT", **(header or {})}
        full = {k: v for k, v in full.items() if v is not None}
        return sign(full, json.dumps(self.claims(**claims)).encode(), own)

    def discovery(self) -> dict[str, Any]:
        """The discovery document."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/certs",
            "token_endpoint": f"{self.url}/token",
            "device_authorization_endpoint": f"{self.url}/device",
            "revocation_endpoint": f"{self.url}/revoke",
            **self.document,
        }

    def reply(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The answer to a request."""
        match path:
            case "/.well-known/openid-configuration":
                return 200, self.discovery()
            case "/certs":
                return 200, {"keys": self.published}
            case "/device":
                return 200, self._device()
            case "/token":
                return self.answers.pop(0) if self.answers else (200, self.tokens())
            case "/revoke":
                return 200, {}
        return 404, {"error": "not_found"}

    def tokens(self, **claims: Any) -> dict[str, Any]:
        """What a token endpoint answers; every refresh token is another."""
        self._refreshes += 1
        return {
            "access_token": self.token(jti=str(self._refreshes), **claims),
            "refresh_token": f"refresh-{self._refreshes}",
            "token_type": "Bearer",
            "expires_in": 300,
        }

    def _device(self) -> dict[str, Any]:
        return {
            "device_code": "device-code-secret",
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.url}/activate",
            "expires_in": 600,
            "interval": 5,
            **self.device,
        }

    def close(self) -> None:
        """Gone: nobody answers at its port."""
        self.released.set()
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
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    issuer: Issuer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = dict(parse_qsl(body))
        self.issuer.forms.append(form)
        self._serve(form)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Silent."""

    def _serve(self, form: dict[str, str]) -> None:
        path = self.path.removeprefix("/realms/test")
        self.issuer.hits[path] += 1
        mode = self.issuer.mode
        if mode == "hang":
            self.issuer.released.wait(20)
            self.close_connection = True
        elif mode == "drip":
            self._drip()
        elif mode == "down":
            self._answer(503, b"<html>maintenance</html>")
        elif mode == "redirect":
            self._answer(302, b"", {"Location": f"{self.issuer.url}/elsewhere"})
        elif mode == "huge":
            self._answer(200, b'{"keys": [' + b" " * 2_000_000 + b"]}")
        elif mode == "garbage":
            self._answer(200, b"\xff\x00 not json")
        elif mode == "deep":
            self._answer(200, b"[" * 100_000)
        elif mode == "zipped":
            self._answer(200, b"\x1f\x8b\x08\x00", {"Content-Encoding": "gzip"})
        else:
            status, body = self.issuer.reply(path, form)
            self._answer(status, json.dumps(body).encode())

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        """A byte now and then: each comes in time, and all of them never."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(1000):
            if self.issuer.released.is_set():
                return
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.02)
