"""Commands that ask a running operator: get, describe, plan, resync, suspend, resume, approve, events."""

import sys
import time
from difflib import get_close_matches
from typing import Any

import click

from herdsman.cli.output import KIND, NAMESPACE, OUTPUT, SERVER, show, table
from herdsman.errors import HerdsmanError

DIFFERS = 2


def client_of(server: str) -> Any:
    from herdsman.cli.client import Client

    return Client(server)


def key_of(client: Any, kind: str | None, namespace: str, name: str) -> dict[str, str]:
    """The key of the spec that is called *name*; kind and namespace are only needed where there are several."""
    if kind and (namespace or kind == "Namespace"):
        return {"kind": kind, "namespace": namespace, "name": name}
    found = client.get("/v1/specs", kind=kind, namespace=namespace)["specs"]
    keys = [{k: s[k] for k in ("kind", "namespace", "name")} for s in found if s["name"] == name]
    jobs = [k for k in keys if k["kind"] == "Job"]
    if len(keys) == 1 or len(jobs) == 1:
        return (jobs or keys)[0]
    if keys:
        places = ", ".join(k["namespace"] for k in jobs)
        raise HerdsmanError(f"there are several specs called {name}: in {places}", hint="say which with --namespace")
    near = get_close_matches(name, [s["name"] for s in found], n=1)
    raise HerdsmanError(
        f"no spec is called {name}" + (f" in {namespace}" if namespace else ""),
        hint=f"did you mean {near[0]}?" if near else "herdsman get lists all of them",
    )


@click.command()
@click.argument("name", default="")
@KIND
@NAMESPACE
@click.option("--not-ready", is_flag=True, help="Only specs that are not Ready.")
@click.option("-l", "--selector", default="", metavar="KEY=VALUE", help="Only specs with this label.")
@OUTPUT
@SERVER
def get(name: str, kind: str | None, namespace: str, not_ready: bool, selector: str, output: str, server: str) -> None:
    """List specs and how they do; NAME may be a glob."""
    found = client_of(server).get(
        "/v1/specs",
        kind=kind and kind.capitalize(),
        namespace=namespace,
        name=name,
        ready="false" if not_ready else None,
    )
    if selector:
        label, _, value = selector.partition("=")
        found["specs"] = [s for s in found["specs"] if s["labels"].get(label) == value]
    if show(found, output):
        return
    rows = [
        [s["kind"], s["namespace"], s["name"], s["ready"], s["reason"], s["version"], _place(s), s["message"]]
        for s in found["specs"]
    ]
    table(["KIND", "NAMESPACE", "NAME", "READY", "REASON", "VERSION", "DECLARED IN", "MESSAGE"], rows)
    orphans = [r for r in found["rejections"] if r["key"] is None]
    if orphans and not name:
        click.echo("\nNot understood:")
        for rejection in orphans:
            click.echo(f"  {_rejection(rejection)}")


def _place(spec: dict[str, Any]) -> str:
    return f"{spec['path']}:{spec['line']}" if spec["line"] else spec["path"]


def _rejection(r: dict[str, Any]) -> str:
    where = ":".join(str(p) for p in (r["path"], r["line"], r["column"]) if p)
    field = f"{r['field']}: " if r["field"] else ""
    return f"{where}: {field}{r['message']}" + (f" ({r['hint']})" if r["hint"] else "")


@click.command()
@click.argument("name")
@KIND
@NAMESPACE
@OUTPUT
@SERVER
def describe(name: str, kind: str | None, namespace: str, output: str, server: str) -> None:
    """Show one spec with its conditions, history, events, deployments and allocations."""
    client = client_of(server)
    found = client.describe(*key_of(client, kind, namespace, name).values())
    if show(found, output):
        return
    spec = found["spec"]
    for label, value in (
        ("Name", spec["name"]),
        ("Namespace", spec["namespace"]),
        ("Kind", spec["kind"]),
        ("Declared in", _place(spec)),
        ("Revision", f"{spec['revision']} {spec['author']}".rstrip()),
        ("Digest", spec["digest"]),
        ("Version", spec["version"]),
        ("Last action", f"{spec['action']} {spec['changedAt'] or ''}".rstrip()),
        ("Last look", spec["checkedAt"]),
        ("Suspended", "yes" if found["suspended"] else "no"),
    ):
        click.echo(f"{label + ':':<14}{'' if value is None else value}".rstrip())
    _section("Conditions", ["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"], spec["conditions"])
    if spec["changes"]:
        click.echo("\nDifferences:")
        for change in spec["changes"]:
            click.echo(f"  {change}")
    if found["trouble"]:
        click.echo(f"\nNomad: {found['trouble']}")
    _section(
        "Deployments", ["ID", "VERSION", "STATUS", "HEALTHY", "DESIRED", "DESCRIPTION"], found["deployments"] or []
    )
    _section(
        "Allocations", ["ID", "GROUP", "NODE", "VERSION", "DESIRED", "STATUS", "LAST EVENT"], found["allocations"] or []
    )
    _section("History", ["AT", "ACTION", "REASON", "REVISION", "VERSION", "MESSAGE"], found["history"])
    _section("Events", ["AT", "SEVERITY", "REASON", "MESSAGE"], found["events"])


def _section(title: str, columns: list[str], items: list[dict[str, Any]]) -> None:
    if not items:
        return
    click.echo(f"\n{title}:")
    fields = [c.title().replace(" ", "") for c in columns]
    fields = [f[0].lower() + f[1:] for f in fields]
    table(columns, [[_short(f, item[f]) for f in fields] for item in items])


def _short(field: str, value: object) -> object:
    return str(value)[:8] if field == "id" else value


@click.command()
@click.argument("name", default="")
@KIND
@NAMESPACE
@click.option("--all", "everything", is_flag=True, help="Also what is in sync.")
@OUTPUT
@SERVER
def plan(name: str, kind: str | None, namespace: str, everything: bool, output: str, server: str) -> None:
    """Show what the operator would do now. Exit code 0: nothing; 2: something; 1: an error."""
    found = client_of(server).get("/v1/plan", kind=kind, namespace=namespace, name=name)
    sys.exit(show_plans(found, output, everything=everything))


def show_plans(found: list[dict[str, Any]], output: str, *, everything: bool) -> int:
    """Print plans; the answer is the exit code: 0 no difference, 2 a difference, 1 something could not be judged."""
    different = [p for p in found if p["action"] not in ("nothing", "adopt")]
    failed = [p for p in found if p["reason"] in ("Unavailable", "Refused", "Forbidden", "Conflict")]
    if not show(found, output):
        for item in found if everything else [*different, *(f for f in failed if f not in different)]:
            _show_plan(item)
        counts = {a: sum(p["action"] == a for p in found) for a in ("create", "update", "stop", "purge", "hold")}
        words = ", ".join(f"{n} to {a}" if a != "hold" else f"{n} held" for a, n in counts.items() if n)
        click.echo(words or "no difference")
    if failed:
        return 1
    return DIFFERS if different else 0


_SIGNS = {"create": "+", "update": "~", "purge": "-", "stop": "-", "hold": "!", "adopt": "=", "nothing": " "}


def _show_plan(item: dict[str, Any]) -> None:
    name = "/".join(p for p in (item["namespace"], item["name"]) if p)
    radius = f" [{item['blastRadius']}]" if item["blastRadius"] else ""
    click.echo(f"{_SIGNS[item['action']]} {item['kind']} {name}: {item['action']} ({item['reason']}){radius}")
    if item["message"] and item["action"] not in ("create", "update", "purge", "stop"):
        click.echo(f"    {item['message']}")
    for change in item["changes"]:
        click.echo(f"    {change}")
    for group, why in (item["failures"] or {}).items():
        click.echo(f"    group {group} cannot be placed: {why}")
    for warning in item["warnings"].splitlines():
        click.echo(f"    warning: {warning}")


@click.command()
@click.argument("name", default="")
@KIND
@NAMESPACE
@click.option("--wait", is_flag=True, help="Until every spec was looked at.")
@click.option("--with-source", is_flag=True, help="Read the source first.")
@click.option("--timeout", default=60.0, show_default=True, help="How long to wait, in seconds.")
@SERVER
def resync(
    name: str, kind: str | None, namespace: str, wait: bool, with_source: bool, timeout: float, server: str
) -> None:
    """Look again now, at NAME or at everything."""
    client = client_of(server)
    body: dict[str, Any] = {"withSource": with_source}
    if name:
        body["keys"] = [key_of(client, kind, namespace, name)]
    request = client.post("/v1/resync", body)
    if not wait:
        click.echo(f"resync {request['id']} requested")
        return
    until = time.monotonic() + timeout
    while not request["done"]:
        if time.monotonic() > until:
            left = "all" if request["pending"] is None else request["pending"]
            raise HerdsmanError(
                f"not done after {timeout:g} s: {left} specs to go", hint="see herdsman get --not-ready"
            )
        time.sleep(0.1)
        request = client.get(f"/v1/resync/{request['id']}")
    overview = client.get("/v1/overview")
    click.echo(f"looked at {request['total']} specs: {overview['readyCount']} of {overview['total']} ready")


def _hold(verb: str, past: str, name: str, kind: str | None, namespace: str, everything: bool, server: str) -> None:
    if bool(name) == everything:
        raise HerdsmanError(f"say what to {verb}: a NAME, or --all for the whole fleet")
    client = client_of(server)
    body = {"keys": [key_of(client, kind, namespace, name)]} if name else None
    client.post(f"/v1/{verb}", body)
    click.echo(f"{past} {name or 'the whole fleet'}")


@click.command()
@click.argument("name", default="")
@KIND
@NAMESPACE
@click.option("--all", "everything", is_flag=True, help="The whole fleet.")
@SERVER
def suspend(name: str, kind: str | None, namespace: str, everything: bool, server: str) -> None:
    """Hands off NAME: nothing is compared or changed until it is resumed."""
    _hold("suspend", "suspended", name, kind, namespace, everything, server)


@click.command()
@click.argument("name", default="")
@KIND
@NAMESPACE
@click.option("--all", "everything", is_flag=True, help="The whole fleet.")
@SERVER
def resume(name: str, kind: str | None, namespace: str, everything: bool, server: str) -> None:
    """Take care of NAME again."""
    _hold("resume", "resumed", name, kind, namespace, everything, server)


@click.command()
@click.argument("names", nargs=-1)
@KIND
@NAMESPACE
@click.option("--all", "everything", is_flag=True, help="Every change that is held and can be approved.")
@click.option("--list", "listing", is_flag=True, help="Only show what waits.")
@SERVER
def approve(
    names: tuple[str, ...], kind: str | None, namespace: str, everything: bool, listing: bool, server: str
) -> None:
    """Let the held change of NAMES through, once."""
    client = client_of(server)
    if listing or not (names or everything):
        held = client.get("/v1/held")
        table(["KIND", "NAMESPACE", "NAME", "REASON", "MESSAGE"], [_held_row(s) for s in held])
        return
    keys = [key_of(client, kind, namespace, n) for n in names]
    if everything:
        keys = [{"kind": s["kind"], "namespace": s["namespace"], "name": s["name"]} for s in client.get("/v1/held")]
    if not keys:
        click.echo("nothing waits for approval")
        return
    for spec in client.post("/v1/approve", {"keys": keys}):
        click.echo(f"approved {spec['name']}: {spec['reason']}")


def _held_row(s: dict[str, Any]) -> list[object]:
    message = next((c["message"] for c in s["conditions"] if c["type"] == "Synced"), s["message"])
    return [s["kind"], s["namespace"], s["name"], s["reason"], message]


@click.command()
@click.argument("name", default="")
@KIND
@NAMESPACE
@click.option("-w", "--watch", is_flag=True, help="Go on as they happen.")
@click.option("--limit", default=50, show_default=True, help="How many of the past.")
@OUTPUT
@SERVER
def events(name: str, kind: str | None, namespace: str, watch: bool, limit: int, output: str, server: str) -> None:
    """Show what happened."""
    client = client_of(server)
    key = key_of(client, kind, namespace, name) if name else {}
    past = client.get("/v1/events", limit=limit, **key)
    if output == "table":
        table(["AT", "SEVERITY", "REASON", "SPEC", "MESSAGE"], [_event_row(e) for e in past])
    else:
        show(past, output)
    if not watch:
        return
    for event in client.follow("/v1/events/stream", after=past[-1]["id"] if past else 0):
        if name and event["key"] != key:
            continue
        if output == "table":
            click.echo("  ".join(str(c) for c in _event_row(event)))
        else:
            show(event, output)


def _event_row(event: dict[str, Any]) -> list[object]:
    key = event["key"]
    spec = "/".join(p for p in (key["namespace"], key["name"]) if p) if key else "-"
    return [event["at"], event["severity"], event["reason"], spec, event["message"]]
