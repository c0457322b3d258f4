"""`herdsman export`: the live side of a fleet as a file, for checks where there is no cluster."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from herdsman.cli.output import SERVER
from herdsman.errors import HerdsmanError


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--live", is_flag=True, help="What is live; there is nothing else to export.")
@click.option("--nomad", metavar="ADDRESS", help="Ask this Nomad, and no operator: for the specs in DIRECTORY.")
@click.option(
    "--also", multiple=True, metavar="NAMESPACE/JOB", help="A job that is nobody's, whole: to plan adopting it."
)
@click.option("--fleet", help="The fleet's name where no Fleet document gives one; with --nomad.")
@SERVER
def export(
    directory: Path | None, live: bool, nomad: str | None, also: tuple[str, ...], fleet: str | None, server: str
) -> None:
    """Write what is live of the fleet to standard output, for herdsman diff --against FILE.

    Asks the running operator, which knows best; or with --nomad a cluster. What looks like a secret is replaced by a
    seal, which tells changed from same and nothing else.
    """
    if not live:
        raise HerdsmanError("say what to export", hint="herdsman export --live > snapshot.json")
    if nomad is None and directory is not None:
        raise HerdsmanError("an operator has its own specs", hint="leave DIRECTORY out, or name a cluster with --nomad")
    from herdsman.cli import exporting

    if nomad is None:
        _write(exporting.from_operator(server, also))
    else:
        _write(exporting.from_cluster(nomad, directory, also, fleet=fleet))


def _write(lines: Iterator[str]) -> None:
    """Line by line, as they come. The last one says whether that was all."""
    last = ""
    for line in lines:
        sys.stdout.write(line)
        last = line
    sys.stdout.flush()
    if not last.endswith('"complete":true}\n'):
        raise HerdsmanError(f"the export was broken off: {_why(last)}", hint="the file is of no use; try again")


def _why(last: str) -> str:
    _, mark, words = last.rstrip("}\n").partition('"error":')
    return words.strip('"') if mark else "the connection ended"
