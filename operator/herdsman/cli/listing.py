"""Commands that look at what runs from the catalog: list, show, logs."""

import sys
from typing import TYPE_CHECKING, Any, cast

import click

from herdsman.cli.meant import SHORT, connected, find, word
from herdsman.cli.output import OUTPUT, SERVER, show, table
from herdsman.client.errors import plain

if TYPE_CHECKING:
    from herdsman.client.shapes import Deployment, Wanted


@click.command("list")
@click.option("--vo", "vos", multiple=True, metavar="NAME", help="Only of this organisation; may be given again.")
@click.option("--status", "words", multiple=True, metavar="WORD", help="Only those that do so, like running.")
@click.option("--entry", default="", metavar="modules/NAME", help="Only those of this entry.")
@click.option("--all-owners", is_flag=True, help="Everybody's, in what you administer.")
@click.option("--owner", default=None, help="Only this owner's, in what you administer.")
@OUTPUT
@SERVER
def list_(
    vos: tuple[str, ...], words: tuple[str, ...], entry: str, all_owners: bool, owner: str | None, **given: str
) -> None:
    """List your deployments."""
    wanted: Any = {"vos": list(vos), "status": list(words), "catalog": entry}
    with connected(given["server"]) as client:
        if all_owners or owner is not None:
            found = list(client.deployments.everybody(owner=owner, **cast("Wanted", wanted)))
        else:
            found = client.deployments.list(**cast("Wanted", wanted))
    if show(found, given["output"]):
        return
    if not found:
        click.echo("there are none; herdsman catalog list shows what can be deployed")
        return
    head = ["ID", "TITLE", "ENTRY", "NAMESPACE", "STATUS", "ORDERED", "ENDPOINT OR REASON"]
    table(head, [_row(one) for one in found])


def _row(one: "Deployment") -> list[object]:
    endpoint = one["endpoints"].get(one["main_endpoint"] or "", "")
    said = plain(one["error_msg"] or endpoint)
    id_, title = plain(one["job_ID"])[:SHORT], plain(one["title"])
    entry = f"{one['catalog']} (batch)" if one.get("batch") else one["catalog"]
    return [id_, title, entry, one["namespace"], one["status"], one["submit_time"], said]


@click.command("show")
@click.argument("deployment")
@OUTPUT
@SERVER
def show_(deployment: str, output: str, server: str) -> None:
    """Show one deployment with its parameters and endpoints."""
    with connected(server) as client:
        one = find(client, deployment)
    if show(one, output):
        return
    asks = one["resources"]
    active = one["active_endpoints"] or ()
    for label, value in (
        ("ID", one["job_ID"]),
        ("Title", one["title"]),
        ("Description", one["description"]),
        ("Status", word(one)),
        (
            "Entry",
            one["catalog"]
            + (" (batch)" if one.get("batch") else "")
            + (" (a newer version is there)" if one.get("outdated") else ""),
        ),
        ("Owner", one["owner"]),
        ("Namespace", one["namespace"]),
        ("Ordered", one["submit_time"]),
        ("Expires", one["expires"]),
        ("Image", one["docker_image"]),
        ("Resources", f"{_cpu(asks)}, {asks['memory_MB']} MB memory, {asks['disk_MB']} MB disk, {asks['gpu_num']} GPU"),
        ("Place", " ".join(p for p in (one["datacenter"], one["alloc_ID"]) if p)),
    ):
        if value:
            click.echo(f"{label + ':':<13}{plain(value)}")
    listed: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Endpoints", {k: v + ("" if k in active else "  (does not answer yet)") for k, v in one["endpoints"].items()}),
        ("Parameters", {f"{g}.{k}": v for g, values in (one.get("conf") or {}).items() for k, v in values.items()}),
    )
    for title, lines in listed:
        if lines:
            click.echo(f"{title}:")
        for name, value in lines.items():
            click.echo(f"  {plain(name):<28}{plain(value if isinstance(value, str) else _json(value))}".rstrip())


def _cpu(asks: Any) -> str:
    return f"{asks['cpu_num']} cores" if asks["cpu_num"] else f"{asks['cpu_MHz']} MHz"


def _json(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


@click.command()
@click.argument("deployment")
@click.option("--task", default="", help="Of this task; the main one by default.")
@click.option("-f", "--follow", is_flag=True, help="Go on as it writes.")
@click.option("--stderr", is_flag=True, help="What it writes to standard error.")
@click.option("--tail", type=click.IntRange(min=0), default=None, metavar="BYTES", help="Only the end of it.")
@SERVER
def logs(deployment: str, task: str, follow: bool, stderr: bool, tail: int | None, server: str) -> None:
    """Show what a deployment writes."""
    out = sys.stdout.buffer
    with (
        connected(server) as client,
        client.deployments.logs(find(client, deployment), task=task, stderr=stderr, follow=follow, tail=tail) as stream,
    ):
        for piece in stream.pieces():
            out.write(piece)
            out.flush()
