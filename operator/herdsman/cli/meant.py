"""What the commands about deployments share: the client, and which deployment is meant by a name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from herdsman.client.errors import NotFound, plain
from herdsman.errors import HerdsmanError

if TYPE_CHECKING:
    from herdsman.client import Client
    from herdsman.client.shapes import Deployment

SHORT = 8
"""So much of an ID is shown in lists."""


class NoSuch(HerdsmanError):
    """The caller has no deployment of that name."""


@contextmanager
def connected(server: str) -> "Iterator[Client]":
    """The client of the operator at *server*, while the block runs."""
    from herdsman.cli.client import platform

    with platform(server) as client:
        yield client


def find(client: "Client", name: str) -> "Deployment":
    """The deployment that *name* means. Raises `NoSuch`, or `HerdsmanError` where it means several."""
    try:
        return client.deployments.get(name)
    except NotFound:
        mine = client.deployments.list()
    found = [one for one in mine if name in (one["job_ID"], one["title"])]
    found = found or [one for one in mine if len(name) >= 4 and one["job_ID"].startswith(name)]
    if len(found) == 1:
        return client.deployments.get(found[0])
    if found:
        places = ", ".join(one["job_ID"] for one in found[:5])
        raise HerdsmanError(f"several deployments are called {name}: {places}", hint="name one by its ID")
    raise NoSuch(f"you have no deployment {name}", hint="herdsman list shows those that you have")


def word(one: "Deployment") -> str:
    """How it does, and why."""
    return f"{one['status']}: {plain(one['error_msg'])}" if one["error_msg"] else one["status"]


def called(one: "Deployment") -> str:
    """As people name it."""
    return plain(f"{one['title']} ({one['job_ID'][:SHORT]})" if one["title"] else one["job_ID"])


def endpoints(one: "Deployment") -> None:
    """Print where it is."""
    width = max(map(len, one["endpoints"]), default=0)
    for name, url in one["endpoints"].items():
        click.echo(f"  {plain(name):<{width}}  {plain(url)}")
