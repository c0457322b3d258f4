"""`herdsman stats`: what was used, and how full the cluster is."""

from typing import TYPE_CHECKING, Any

import click

from herdsman.cli.output import OUTPUT, SERVER, show, table
from herdsman.client.errors import plain
from herdsman.errors import UsageError

if TYPE_CHECKING:
    from herdsman.client.shapes import Cluster, Granularity, Usage


@click.command()
@click.option("--usage", "usage", is_flag=True, help="What was used; that is what is shown by default.")
@click.option("--cluster", is_flag=True, help="The nodes, and what is left of them.")
@click.option("--vo", "namespaces", multiple=True, metavar="NAMESPACE", help="Only of this namespace.")
@click.option("--owner", default=None, help="Only of this owner.")
@click.option("--since", default="", metavar="2026-01-31", help="In UTC; 30 days ago by default.")
@click.option("--until", default="", metavar="2026-02-28", help="In UTC; now by default.")
@click.option(
    "--by", "granularity", type=click.Choice(["hour", "day", "month", "total"]), default="total", show_default=True
)
@OUTPUT
@SERVER
def stats(usage: bool, cluster: bool, namespaces: tuple[str, ...], owner: str | None, **given: Any) -> None:
    """Show what was used, in hours of CPU, GPU and memory; or how full the cluster is."""
    from herdsman.cli.client import platform

    if usage and cluster:
        raise UsageError("say one of --usage and --cluster")
    with platform(given["server"]) as client:
        if cluster:
            nodes = client.stats.cluster(namespaces)
            if not show(nodes, given["output"]):
                _show_cluster(nodes)
            return
        granularity: Granularity = given["granularity"]
        of: Any = {"namespaces": namespaces} | ({"owner": owner} if owner is not None else {})
        used = client.stats.usage(since=given["since"], until=given["until"], granularity=granularity, **of)
        if not show(used, given["output"]):
            _show_usage(used)


def _show_usage(found: "Usage") -> None:
    head = ["FROM", "NAMESPACE", "OWNER", "CORE·H", "GHZ·H", "GPU·H", "MEMORY GB·H", "DISK GB·H"]
    rows = [
        [row["start"][:16].replace("T", " "), plain(row["namespace"]), plain(row["owner"]) or "-", *_hours(row["used"])]
        for row in found["rows"]
    ]
    click.echo(f"from {found['since'][:16]} to {found['until'][:16]} UTC")
    table(head, [*rows, ["in all", "", "", *_hours(found["total"])]])
    now = found["current"]
    click.echo(
        f"now: {now['allocations']} allocations with {now['cpu_num']} cores, {now['cpu_MHz']} MHz, "
        f"{now['gpu_num']} GPU, {now['memory_MB']} MB memory, {now['disk_MB']} MB disk"
    )


def _hours(used: Any) -> list[str]:
    mhz, memory, disk = (used[name] / 1000 for name in ("cpu_MHz_h", "memory_MB_h", "disk_MB_h"))
    return [f"{value:.2f}" for value in (used["cpu_num_h"], mhz, used["gpu_num_h"], memory, disk)]


def _show_cluster(found: "Cluster") -> None:
    head = ["DATACENTER", "NODE", "STATE", "TYPE", "CORES", "MHZ", "MEMORY MB", "DISK MB", "GPU", "JOBS"]
    rows: list[list[object]] = []
    for name, datacenter in found["datacenters"].items():
        for node in datacenter["nodes"].values():
            about = [plain(name), plain(node["name"]), node["state"], plain(node["type"]) or "-"]
            rows.append([*about, *_taken(node), node["jobs_num"]])
    whole = found["cluster"]
    table(head, [*rows, ["in all", "", "", "", *_taken(whole), whole["jobs_num"]]])
    click.echo(
        f"free: {whole['cpu_free']} cores, {whole['cpu_MHz_free']} MHz, {whole['ram_free']} MB memory, "
        f"{whole['disk_free']} MB disk, {whole['gpu_free']} GPU"
    )


def _taken(node: Any) -> list[str]:
    return [f"{node[f'{what}_used']}/{node[f'{what}_total']}" for what in ("cpu", "cpu_MHz", "ram", "disk", "gpu")]
