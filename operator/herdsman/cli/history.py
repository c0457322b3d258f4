"""Commands about which commit made what, and the way back: history, trace, rollback."""

from typing import Any
from urllib.parse import quote

import click

from herdsman.cli.output import KIND, NAMESPACE, OUTPUT, SERVER, show, table
from herdsman.cli.remote import client_of, key_of
from herdsman.errors import HerdsmanError


@click.command()
@click.argument("name")
@KIND
@NAMESPACE
@click.option("--limit", default=50, show_default=True, help="How many lines.")
@OUTPUT
@SERVER
def history(name: str, kind: str | None, namespace: str, limit: int, output: str, server: str) -> None:
    """Show what was done to NAME, and which commit made which version of the job."""
    client = client_of(server)
    key = key_of(client, kind, namespace, name)
    done = client.get(f"/v1/history/{key['kind']}/{_path(key)}", limit=limit)
    versions = client.get(f"/v1/versions/{_path(key)}") if key["kind"] == "Job" else []
    if show({"history": done, "versions": versions}, output):
        return
    rows = [[r["at"], r["action"], r["reason"], r["version"], _short(r), r["author"], _place(r)] for r in done]
    table(["AT", "ACTION", "REASON", "VERSION", "REVISION", "AUTHOR", "DECLARED IN"], rows)
    if versions:
        click.echo("\nVersions that Nomad remembers:")
        table(["VERSION", "AT", "STATE", "REVISION", "AUTHOR", "DECLARED IN"], [_row(v) for v in versions])


def _row(v: dict[str, Any]) -> list[object]:
    state = ", ".join(word for word in ("current", "stable") if v[word])
    place = _place(v) if v["ours"] else "(not by Herdsman)"
    return [v["version"], v["at"], state, _short(v), v["author"], place]


def _short(item: dict[str, Any]) -> str:
    return str(item["revision"])[:12]


def _place(item: dict[str, Any]) -> str:
    return f"{item['path']}:{item['line']}" if item["line"] else str(item["path"])


def _path(key: dict[str, str]) -> str:
    return f"{quote(key['namespace'] or '-', safe='')}/{quote(key['name'], safe='/')}"


@click.command()
@click.argument("job")
@click.option("-n", "--namespace", default="default", show_default=True, help="Of the job, in Nomad.")
@OUTPUT
@SERVER
def trace(job: str, namespace: str, output: str, server: str) -> None:
    """Go from a live JOB back to the file and the commit that declare it."""
    found = client_of(server).get(f"/v1/trace/{_path({'namespace': namespace, 'name': job})}")
    if show(found, output):
        return
    live, last, spec = found["live"], found["last"], found["spec"]
    click.echo(f"job {namespace}/{job}, version {live['version']} of {live['at']}")
    if live["ours"]:
        click.echo(f"  declared in {_place(live)} at {live['revision']} by {live['author'] or 'an unknown author'}")
    elif last is not None:
        click.echo("  somebody else made this version")
        click.echo(f"  the last by Herdsman is {last['version']}: {_place(last)} at {last['revision']}")
    else:
        click.echo("  Herdsman made none of the versions that Nomad remembers")
    click.echo(f"  fleet: {found['fleet'] or '(it bears no stamp)'}")
    if spec is not None:
        click.echo(f"  now declared in {_place(spec)} at {spec['revision']}: {spec['reason']}")


@click.command()
@click.argument("name")
@click.option("--to", required=True, metavar="COMMIT|VERSION", help="What it was then.")
@click.option("--now", is_flag=True, help="Put the job right at once; held until its spec changes. Git stays as it is.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@KIND
@NAMESPACE
@SERVER
def rollback(name: str, to: str, now: bool, yes: bool, kind: str | None, namespace: str, server: str) -> None:
    """Write a commit that declares NAME as it was, so that Git stays true."""
    client = client_of(server)
    key = key_of(client, kind, namespace, name)
    if now and key["kind"] != "Job":
        raise HerdsmanError("--now is for jobs: Nomad keeps no versions of anything else")
    what = f"{key['kind']} {key['namespace']}/{key['name']}"
    if not yes and not click.confirm(f"roll {what} back to {to}{' in Nomad, at once' if now else ' in Git'}?"):
        raise click.Abort
    done = client.post("/v1/rollback", {"key": key, "to": to, "now": now})
    if now:
        click.echo(f"{what} goes back to version {done['version']}, and is held there until its spec changes")
        return
    click.echo(f"commit {done['revision'][:12]} restores {', '.join(done['files'])}")
    if not done["pushed"]:
        click.echo("the remote is away: it is pushed as soon as it answers", err=True)
