"""How the CLI prints: tables for people, JSON and YAML for pipes; no colours where nobody sees them."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

OUTPUT = click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True, help="Format."
)
SERVER = click.option(
    "--server", envvar="HERDSMAN_SERVER", default="http://127.0.0.1:8080", show_default=True, help="The operator's API."
)
NAMESPACE = click.option(
    "-n", "--namespace", envvar="NOMAD_NAMESPACE", default="", help="Only this Nomad namespace (NOMAD_NAMESPACE)."
)
KIND = click.option(
    "--kind", type=click.Choice(["Job", "Namespace"], case_sensitive=False), default=None, help="Only this kind."
)

GOOD, BAD, WAIT = "green", "red", "yellow"
_COLOURS = {"True": GOOD, "False": BAD, "Unknown": WAIT, "Normal": GOOD, "Warning": WAIT}


def show(data: Any, output: str) -> bool:
    """Print *data* as JSON or YAML; False where a table is asked for, which the caller draws."""
    if output == "json":
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    elif output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True).rstrip())
    return output != "table"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns under *head*, as wide as they need to be; the last one runs on."""
    texts = [[str(c) if c is not None else "" for c in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *texts]) for i in range(len(head))]
    click.echo(_line(head, widths, colour=False))
    for row in texts:
        click.echo(_line(row, widths, colour=True))


def _line(cells: Sequence[str], widths: Sequence[int], *, colour: bool) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells[:-1], widths, strict=False)] + [cells[-1]]
    if colour:
        padded = [click.style(p, fg=_COLOURS[p.strip()]) if p.strip() in _COLOURS else p for p in padded]
    return "  ".join(padded).rstrip()


def fail(message: str, hint: str = "") -> None:
    """An error, to standard error."""
    click.echo(f"{click.style('error:', fg=BAD)} {message}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)


def interactive() -> bool:
    """Whether somebody watches."""
    return sys.stdout.isatty()
