"""The command that serves the API in a process of its own, in front of a running operator."""

import signal
import threading

import click

from herdsman.cli.output import SERVER


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; 0.0.0.0 is everywhere.")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535))
@SERVER
def api(host: str, port: int, server: str) -> None:
    """Serve API and dashboard of the operator at --server from here too.

    The operator judges who asks: one that knows no users (--oidc-issuer, --token-file) is served on loopback only.
    """
    from herdsman import bootstrap

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    with bootstrap.served(bootstrap.front(server, host=host), listen) as address:
        click.echo(f"The API of {server} is at {address}/; Ctrl-C ends it.")
        stop.wait()
