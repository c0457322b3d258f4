"""Checks before a change is merged: `validate` and `diff`. Neither needs an operator, and neither needs a cluster.

`diff` compares specs with what is live: a cluster, a file that `herdsman export` made of one, or with `--base` alone
the specs as they were where the branch began, taken as carried out.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from herdsman.cli.reports import Checked, Compared

FORMATS = ("text", "json", "yaml", "markdown", "junit")
DIRECTORY = click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default="specs")
FLEET = click.option(
    "--fleet", default=None, help="The fleet's name where no Fleet document gives one (the export's, or default)."
)
OUTPUT = click.option(
    "-o", "--output", type=click.Choice(FORMATS), default="text", show_default=True, help="Format of the answer."
)

DIFFERS = 2


@click.command()
@DIRECTORY
@FLEET
@OUTPUT
def validate(directory: Path, fleet: str | None, output: str) -> None:
    """Check the specs in DIRECTORY without a cluster. Exit code 0: all are fine; 1: some are not."""
    from herdsman.cli.comparing import checked

    found = checked(directory, fleet or "default")
    click.echo(_rendered(found, output), nl=False)
    sys.exit(1 if found.failed else 0)


@click.command()
@DIRECTORY
@click.option("--against", metavar="live|FILE", help="What is live: a cluster (live), or a file of herdsman export.")
@click.option("--base", metavar="REF", help="Show only what the branch changes since it left REF, like origin/main.")
@click.option("--nomad", help="Address of Nomad; NOMAD_ADDR and its siblings count too.")
@click.option("--all", "everything", is_flag=True, help="Also what is in sync.")
@FLEET
@OUTPUT
def diff(
    directory: Path,
    against: str | None,
    base: str | None,
    nomad: str | None,
    everything: bool,
    fleet: str | None,
    output: str,
) -> None:
    """Say what the specs in DIRECTORY would change, and change nothing.

    Compared with a live cluster, with a file that herdsman export made (no cluster is needed then), or with --base
    alone with the specs where the branch began. Exit code 0: no difference; 2: a difference; 1: an error.
    """
    from herdsman.cli.comparing import compared

    found = compared(directory, against=against, base=base, nomad=nomad, fleet=fleet, everything=everything)
    click.echo(_rendered(found, output), nl=False)
    sys.exit(1 if found.failed else DIFFERS if found.result == "differs" else 0)


def _rendered(found: "Checked | Compared", output: str) -> str:
    """*found* in one of the `FORMATS`, ended by a line break."""
    from herdsman.cli import junit, markdown, reports

    match output:
        case "markdown":
            return markdown.markdown_of(found)
        case "junit":
            return junit.junit_of(found)
        case "text":
            return f"{reports.text_of(found)}\n"
        case "json":
            return f"{json.dumps(reports.json_of(found), indent=2, ensure_ascii=False)}\n"
        case _:
            import yaml

            return str(yaml.safe_dump(reports.json_of(found), sort_keys=False, allow_unicode=True))
