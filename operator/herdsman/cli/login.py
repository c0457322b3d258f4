"""Who I am to an operator: login, whoami, logout, and tokens for machines.

A login is the device flow (RFC 8628): the issuer gives a code, a browser anywhere confirms it, and we ask until it did,
never more often than the issuer wants. Ctrl-C leaves everything as it was.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from herdsman.cli.output import OUTPUT, SERVER, fail, show
from herdsman.errors import HerdsmanError

GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER: Final = 5.0
"""So many seconds are added to the interval each time the issuer says to slow down (RFC 8628 §3.5)."""

Sleep = Callable[[float], None]
_sleep: Sleep = time.sleep


@dataclass(frozen=True, slots=True)
class Device:
    """A login that waits for its confirmation. Times are in seconds."""

    code: str
    user_code: str
    address: str
    complete: str
    interval: float
    lifetime: float


@click.command()
@click.option("--issuer", envvar="HERDSMAN_OIDC_ISSUER", required=True, metavar="URL", help="Who knows you.")
@click.option("--client-id", envvar="HERDSMAN_OIDC_CLIENT_ID", required=True, metavar="ID", help="A public client.")
@click.option("--scope", default="openid profile email", show_default=True, help="Add offline_access to stay longer.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="The authorities of the issuer's TLS.")
@SERVER
def login(issuer: str, client_id: str, scope: str, ca_file: Path | None, server: str) -> None:
    """Log in, with a browser on any machine; commands send the token from then on."""
    from herdsman.adapters.auth.web import Web
    from herdsman.adapters.clock import SystemClock
    from herdsman.cli.sessions import Session, Sessions, endpoint, origin

    place, clock, web = origin(server), SystemClock(), Web(ca_file=ca_file)
    document = web.discover(issuer)
    device = begin(web, endpoint(document, "device_authorization_endpoint"), client_id=client_id, scope=scope)
    click.echo(f"Open {device.complete or device.address}", err=True)
    click.echo(f"and {'compare' if device.complete else 'enter'} the code {device.user_code}", err=True)
    empty = Session(
        issuer=issuer, client_id=client_id, access_token="", ca_file=str(ca_file.resolve()) if ca_file else ""
    )
    session = poll(web, endpoint(document, "token_endpoint"), device, session=empty, clock=clock, sleep=_sleep)
    Sessions().put(place, session)
    _welcome(server)


def _welcome(server: str) -> None:
    """Say who the server takes the user for: a token that it refuses is better known now."""
    from herdsman.cli.client import Client

    try:
        who = Client(server).get("/v1/whoami")
    except HerdsmanError as error:
        click.echo(f"logged in at the issuer; {server} did not confirm it", err=True)
        fail(error.message, error.hint)
        return
    click.echo(f"logged in to {server} as {who['name'] or who['owner']}")


def begin(web: Any, address: str, *, client_id: str, scope: str) -> Device:
    """Ask for a code. Raises `HerdsmanError`."""
    from herdsman.adapters.auth.config import url_problem
    from herdsman.cli.sessions import refused

    answer = web.post(address, {"client_id": client_id, "scope": scope})
    said: Mapping[str, Any] = answer.body
    code, user_code, page = (said.get(n) for n in ("device_code", "user_code", "verification_uri"))
    if answer.status != 200 or not (isinstance(code, str) and isinstance(user_code, str) and isinstance(page, str)):
        raise refused(answer)
    complete = said.get("verification_uri_complete", "")
    if url_problem(page) or not user_code.isprintable():
        raise HerdsmanError("the issuer names no page to confirm the code on")
    shown = complete if isinstance(complete, str) and complete and not url_problem(complete) else ""
    lifetime = _seconds(said.get("expires_in"), 600.0, 1800.0)
    return Device(code, user_code, page, shown, _seconds(said.get("interval"), 5.0, 60.0), lifetime)


def _seconds(value: Any, usual: float, most: float) -> float:
    given = isinstance(value, int | float) and not isinstance(value, bool)
    return min(most, max(1.0, float(value))) if given else usual


def poll(web: Any, address: str, device: Device, *, session: Any, clock: Any, sleep: Sleep) -> Any:
    """Ask until the code is confirmed; *session* with its tokens. Raises `HerdsmanError` where it never is."""
    from herdsman.adapters.auth.web import IssuerError
    from herdsman.cli.sessions import granted, refused

    form = {"grant_type": GRANT, "device_code": device.code, "client_id": session.client_id}
    interval, until = device.interval, clock.monotonic() + device.lifetime
    while clock.monotonic() + interval < until:
        sleep(interval)
        try:
            answer = web.post(address, form)
        except IssuerError:
            interval = min(60.0, interval * 2)  # RFC 8628: where it does not answer, ask less often
            continue
        match answer.body.get("error"):
            case None if answer.status < 500:
                return granted(answer, session, now=clock.now().timestamp())
            case "authorization_pending":
                pass
            case "slow_down":
                interval += SLOWER
            case None:
                interval = min(60.0, interval * 2)
            case _:
                raise refused(answer)
    raise HerdsmanError("nobody confirmed the code in time", hint="start again with herdsman login")


@click.command()
@OUTPUT
@SERVER
def whoami(output: str, server: str) -> None:
    """Show who you are to the operator, and what you may."""
    from herdsman.cli.client import Client

    who = Client(server).get("/v1/whoami")
    if show(who, output):
        return
    click.echo(f"{who['name']}  {who['email']}".strip())
    click.echo(f"owner      {who['owner']}")
    if who["admin"]:
        click.echo("role       admin of everything")
    for namespace, role in who["roles"].items():
        click.echo(f"role       {role} in {'every namespace' if namespace == '*' else namespace}")
    if not who["admin"] and not who["roles"]:
        click.echo("role       none")


@click.command()
@SERVER
def logout(server: str) -> None:
    """Forget the login, here and at the issuer."""
    from herdsman.cli.sessions import Sessions, origin

    sessions, place = Sessions(), origin(server)
    session = sessions.get(place)
    if session is None:
        click.echo(f"not logged in to {server}")
        return
    sessions.put(place, None)
    click.echo(f"logged out of {server}" + ("" if _revoke(session) else "; the issuer was not told"))


def _revoke(session: Any) -> bool:
    """Take the tokens back (RFC 7009); a login that is forgotten here stays forgotten if that fails."""
    from herdsman.adapters.auth.web import IssuerError, Web

    token = session.refresh_token or session.access_token
    try:
        web = Web(ca_file=Path(session.ca_file) if session.ca_file else None)
        address = web.discover(session.issuer).get("revocation_endpoint")
        form = {"token": token, "client_id": session.client_id}
        return isinstance(address, str) and web.post(address, form).status == 200
    except IssuerError:
        return False


@click.group()
def token() -> None:
    """Tokens for machines."""


@token.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["viewer", "try-me", "user", "admin"]), default="user", show_default=True)
@click.option("-n", "--namespace", "namespaces", multiple=True, required=True, help="Where; * is everywhere.")
@click.option("--days", type=click.IntRange(min=1, max=3650), default=90, show_default=True, help="How long it counts.")
def create(name: str, role: str, namespaces: tuple[str, ...], days: int) -> None:
    """Make a token: it is printed once, and below it the line for the operator's token file."""
    from herdsman.adapters.auth.tokens import line_for, new_token
    from herdsman.adapters.clock import SystemClock
    from herdsman.model.identity import Role

    made = new_token()
    until = SystemClock().now() + timedelta(days=days)
    try:
        line = line_for(made, name=name, role=Role.of(role), namespaces=namespaces, expires=until)
    except ValueError as error:
        raise HerdsmanError(str(error)) from None
    click.echo(made)
    click.echo("# for the token file; the token above is not shown again", err=True)
    click.echo(line)
