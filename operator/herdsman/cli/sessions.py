"""What a user is logged in with, by server: in the user's configuration directory, where nobody else can read it.

`bearer(server)` is what requests send. A token goes to the server that it was got for, to any path of it, and never in
the clear to another machine. One that is about to expire is renewed first; two commands at once renew it once, since
issuers take a second use of one refresh token for theft.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from herdsman import settings
from herdsman.adapters.auth.config import is_loopback
from herdsman.adapters.auth.web import Answer, IssuerError, Web
from herdsman.adapters.clock import SystemClock
from herdsman.errors import HerdsmanError

if TYPE_CHECKING:  # every command that asks a server imports this, and the ports would bring the whole model
    from herdsman.ports import Clock

EARLY: Final = 30.0
"""So many seconds before it expires a token is renewed."""

_SENDABLE = re.compile(r"[\x21-\x7e]{1,65536}")
_CODE = re.compile(r"[a-z_]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Tokens of one issuer for one server. *expires* is in seconds since the epoch, 0 where the issuer did not say."""

    issuer: str
    client_id: str
    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    expires: float = 0.0
    ca_file: str = ""


def origin(server: str) -> str:
    """The scheme, host and port of *server*: what a token belongs to. Raises `HerdsmanError`."""
    try:
        parts = urlsplit(server)
        host, port = parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        host, port = None, 0
    if not host:
        raise HerdsmanError(f"{server!r} is no address of a server", hint="write http://HOST:PORT or https://HOST")
    return f"{parts.scheme}://[{host}]:{port}" if ":" in host else f"{parts.scheme}://{host}:{port}"


def bearer(server: str, *, clock: "Clock | None" = None) -> str | None:
    """The token to send to *server*: `HERDSMAN_TOKEN`, else that of `herdsman login`, else None.

    Raises `HerdsmanError` where there is one that cannot be sent.
    """
    given = settings.environment("HERDSMAN_TOKEN").strip()
    sessions = Sessions(clock=clock)
    if not given and sessions.get(origin(server)) is None:
        return None
    parts = urlsplit(server)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise HerdsmanError(f"a token is not sent to {origin(server)} in the clear", hint="use the https address of it")
    token = given or sessions.fresh(origin(server)).access_token
    if not _SENDABLE.fullmatch(token):
        raise HerdsmanError(
            "the token holds blanks or characters that no header may carry", hint="check HERDSMAN_TOKEN"
        )
    return token


class Sessions:
    """All sessions of this user, in one file that only they may read."""

    def __init__(self, path: Path | None = None, *, clock: "Clock | None" = None) -> None:
        home = settings.environment("XDG_CONFIG_HOME")
        folder = Path(home) if home.startswith("/") else Path.home() / ".config"
        self._path = path or folder / "herdsman" / "sessions.json"
        self._clock = clock or SystemClock()

    def get(self, server: str) -> Session | None:
        """The session at that origin."""
        return self._load().get(server)

    def put(self, server: str, session: Session | None) -> None:
        """Keep a session, or with None forget it."""
        with self._locked():
            self._put(server, session)

    def fresh(self, server: str) -> Session:
        """The session at that origin, renewed where it is due. Raises `HerdsmanError` where it is over."""
        session = self._load().get(server)
        if session is not None and not self._due(session):
            return session
        with self._locked():
            session = self._load().get(server)  # somebody else may have renewed it while we waited
            if session is None:
                raise _over(server)
            return self._renewed(server, session) if self._due(session) else session

    def _due(self, session: Session, early: float = EARLY) -> bool:
        return bool(session.expires) and self._clock.now().timestamp() > session.expires - early

    def _renewed(self, server: str, session: Session) -> Session:
        if not session.refresh_token:
            if not self._due(session, 0):
                return session
            raise _over(server)
        try:
            answer = self._refresh(session)
        except IssuerError:
            if self._due(session, 0):
                raise
            return session
        if answer.body.get("error") == "invalid_grant":
            self._put(server, None)
            raise _over(server)
        renewed = granted(answer, session, now=self._clock.now().timestamp())
        self._put(server, renewed)
        return renewed

    def _refresh(self, session: Session) -> Answer:
        web = Web(ca_file=Path(session.ca_file) if session.ca_file else None)
        form = {
            "grant_type": "refresh_token",
            "refresh_token": session.refresh_token,
            "client_id": session.client_id,
        }
        return web.post(endpoint(web.discover(session.issuer), "token_endpoint"), form)

    def _load(self) -> dict[str, Session]:
        try:
            with self._path.open("rb") as file:
                mode, data = os.fstat(file.fileno()).st_mode, file.read()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise HerdsmanError(f"{self._path} cannot be read: {(error.strerror or '').lower()}") from None
        if mode & 0o077:
            raise HerdsmanError(f"{self._path} may be read by others", hint=f"chmod 600 {self._path}")
        try:
            return {server: Session(**parts) for server, parts in json.loads(data)["sessions"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise HerdsmanError(f"{self._path} is damaged", hint="remove it, and log in again") from None

    def _put(self, server: str, session: Session | None) -> None:
        kept = {name: one for name, one in self._load().items() if name != server}
        if session is not None:
            kept[server] = session
        text = json.dumps({"sessions": {name: asdict(one) for name, one in kept.items()}}, indent=2)
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        new.replace(self._path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise HerdsmanError(f"{self._path.parent} cannot be written: {(error.strerror or '').lower()}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def endpoint(document: Mapping[str, Any], name: str) -> str:
    """An address in a discovery document. Raises `HerdsmanError` where it is not there."""
    found = document.get(name)
    if not isinstance(found, str):
        what = "log in with a device code" if name.startswith("device") else "give tokens"
        raise HerdsmanError(f"the issuer does not {what}: its discovery document names no {name}")
    return found


def granted(answer: Answer, session: Session, *, now: float) -> Session:
    """*session* with the tokens of *answer*. Raises `HerdsmanError` where it holds none."""
    token, lifetime = answer.body.get("access_token"), answer.body.get("expires_in")
    if answer.status != 200 or not isinstance(token, str) or not _SENDABLE.fullmatch(token):
        raise refused(answer)
    refresh = answer.body.get("refresh_token")
    known = isinstance(lifetime, int | float) and not isinstance(lifetime, bool) and 0 < lifetime < 2**31
    return replace(
        session,
        access_token=token,
        refresh_token=refresh if isinstance(refresh, str) and refresh else session.refresh_token,
        expires=now + float(lifetime or 0) if known else 0.0,
    )


def refused(answer: Answer) -> HerdsmanError:
    """What an issuer that gives nothing is quoted with: its error code, and nothing longer."""
    code = answer.body.get("error")
    said = code if isinstance(code, str) and _CODE.fullmatch(code) else f"status {answer.status}"
    hints = {
        "unauthorized_client": "the client may not use device codes: its settings at the issuer say so",
        "invalid_client": "check --client-id; it has to be a public client",
        "invalid_scope": "ask for less with --scope",
        "access_denied": "somebody answered no",
        "expired_token": "it took too long; start again",
    }
    return HerdsmanError(f"the issuer refuses: {said}", hint=hints.get(said, ""))


def _over(server: str) -> HerdsmanError:
    return HerdsmanError(f"the login at {server} has expired", hint="herdsman login")
