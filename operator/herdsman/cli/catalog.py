"""Commands about catalogs: `list`, `show` and `refresh` ask a running operator; `lint` checks what is to become one,
without a cluster."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from herdsman.cli.output import OUTPUT, SERVER, show, table
from herdsman.client.errors import NotFound, plain
from herdsman.errors import HerdsmanError, UsageError


@click.group()
def catalog() -> None:
    """What can be deployed: modules and tools."""


@catalog.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@OUTPUT
def lint(directory: Path, output: str) -> None:
    """Check the catalog in DIRECTORY, or the one entry, and try out every job that it can make.

    Exit code 0: all is fine; 1: something is not.
    """
    from herdsman.adapters.catalog import check_folder

    checked = check_folder(directory)
    found = checked.lint
    result = {
        "catalog": str(directory),
        "entries": list(checked.entries),
        "errors": [_said(rejection) for rejection in found.errors],
        "warnings": [_said(rejection) for rejection in found.warnings],
    }
    if not show(result, output):
        for line in (*map(str, found.errors), *(f"warning: {rejection}" for rejection in found.warnings)):
            click.echo(line)
        click.echo(f"{len(checked.entries)} entries, {len(found.errors)} errors, {len(found.warnings)} warnings")
    sys.exit(1 if found.errors else 0)


def _said(rejection: Any) -> Mapping[str, Any]:
    at = rejection.position
    place = {"file": at.path, "line": at.line, "column": at.column}
    return {**place, "field": rejection.field, "message": rejection.message, "hint": rejection.hint}


@catalog.command("list")
@click.option("--tools", "section", flag_value="tools", help="Only tools.")
@click.option("--modules", "section", flag_value="modules", help="Only modules.")
@click.option("--tag", "tags", multiple=True, help="Only entries with this tag; may be given again.")
@OUTPUT
@SERVER
def list_(section: str | None, tags: tuple[str, ...], output: str, server: str) -> None:
    """List what can be deployed."""
    from herdsman.cli.client import platform

    with platform(server) as client:
        meant: Any = {"tags": list(tags)} if tags else {}
        sections = {"modules": client.modules, "tools": client.tools}
        found = [one for name, of in sections.items() if section in (None, name) for one in of.detail(**meant)]
    if not show(found, output):
        rows = [
            [plain(e["id"]), plain(e["title"]), ", ".join(map(plain, e["tags"])), plain(e["summary"])] for e in found
        ]
        table(["ENTRY", "TITLE", "TAGS", "SUMMARY"], rows)


@catalog.command("show")
@click.argument("name")
@click.option("--config", "what", flag_value="config", help="Only its parameters.")
@click.option("--schema", "what", flag_value="schema", help="Its parameters as a JSON Schema.")
@click.option("--vo", default="", metavar="NAME", help="With the limits of this organisation or namespace.")
@OUTPUT
@SERVER
def show_(name: str, what: str | None, vo: str, output: str, server: str) -> None:
    """Show one entry: what it is, and its parameters."""
    from herdsman.cli.client import platform

    with platform(server) as client:
        of, name = _section(client, name)
        if what == "schema":
            show(of.schema(name, vo=vo), "json" if output == "table" else output)
            return
        config = of.config(name, vo=vo)
        about = None if what == "config" else of.metadata(name)
    if show(config if about is None else {**about, "config": config}, output):
        return
    if about is not None:
        for line in (f"{about['title']} ({about['id']})", about["summary"], "", about.get("description") or ""):
            click.echo(plain(line)) if line is not None else None
        for label, link in (about.get("links") or {}).items():
            click.echo(f"  {plain(label)}: {plain(link)}")
        click.echo("")
    rows = [
        [plain(f"{group}.{key}"), p["type"], _default(p), _bounds(p), plain(p["description"] or p["name"])]
        for group, parameters in config.items()
        for key, p in parameters.items()
    ]
    table(["PARAMETER", "TYPE", "DEFAULT", "ALLOWED", "DESCRIPTION"], rows)


def _section(client: Any, name: str) -> tuple[Any, str]:
    """The section that has the entry, and the entry's own name."""
    section, slash, rest = name.partition("/")
    if slash:
        if section not in ("modules", "tools"):
            raise UsageError(f"{name!r} names no entry", hint="write modules/NAME or tools/NAME")
        return (client.modules if section == "modules" else client.tools), rest
    for of in (client.modules, client.tools):
        try:
            of.metadata(name)
        except NotFound:
            continue
        return of, name
    raise HerdsmanError(f"the catalog has no entry {name}", hint="herdsman catalog list shows those that it has")


def _default(parameter: Any) -> str:
    if parameter.get("secret"):
        return "(secret)" if not parameter.get("generated") else "(secret, made up)"
    value = parameter["value"]
    return plain(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _bounds(parameter: Any) -> str:
    if parameter.get("options"):
        return "one of " + ", ".join(plain(str(option)) for option in parameter["options"])
    if parameter.get("range"):
        low, high = parameter["range"]
        return f"{'' if low is None else low}..{'' if high is None else high}"
    return "required" if parameter.get("required") else ""


@catalog.command()
@OUTPUT
@SERVER
def refresh(output: str, server: str) -> None:
    """Read the catalog anew, wherever it comes from. Exit code 0: all entries can be used; 1: some cannot."""
    from herdsman.cli.client import platform

    with platform(server) as client:
        found = client.modules.refresh()
    if not show(found, output):
        for name, reasons in found["broken"].items():
            for reason in reasons:
                click.echo(f"{plain(name)}: {plain(reason)}")
        if found["problem"]:
            click.echo(plain(found["problem"]))
        click.echo(f"{found['entries']} entries, {len(found['broken'])} broken")
    sys.exit(1 if found["broken"] or found["problem"] else 0)
