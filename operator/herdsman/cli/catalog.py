"""Commands about catalogs: `catalog lint` checks what is to become one, without a cluster."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from herdsman.cli.output import OUTPUT, show


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
