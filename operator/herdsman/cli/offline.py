"""Commands that need no running operator: validate, diff, schema."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from herdsman.cli.output import OUTPUT, show

FLEET = click.option("--fleet", default="default", help="The fleet's name where no Fleet document gives one.")


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default="specs")
@FLEET
@OUTPUT
def validate(directory: Path, fleet: str, output: str) -> None:
    """Check the specs in DIRECTORY without a cluster. Exit code 0: all are fine; 1: some are not."""
    from herdsman.bootstrap import offline

    service, _ = offline(directory.absolute(), fleet=fleet)
    desired = service.load()
    errors, warnings = [str(r) for r in desired.rejections], []
    for _, wanted in sorted(desired.wanted.items()):
        error, warning = _judge(wanted, service)
        errors += error
        warnings += warning
    result = {"fleet": desired.fleet.name, "specs": len(desired.wanted), "errors": errors, "warnings": warnings}
    if not show(result, output):
        for line in (*errors, *(f"warning: {w}" for w in warnings)):
            click.echo(line)
        click.echo(f"fleet {desired.fleet.name}: {len(desired.wanted)} specs, {len(errors)} errors")
    sys.exit(1 if errors else 0)


def _judge(wanted: Any, service: Any) -> tuple[list[str], list[str]]:
    """Errors and warnings that only show when a jobspec is parsed."""
    from herdsman.adapters.hcl import volatile
    from herdsman.errors import NomadError
    from herdsman.model.desired import DesiredJob

    if not isinstance(wanted, DesiredJob):
        return [], []
    try:
        service.ports.body(wanted)
    except NomadError as error:
        place = "" if wanted.origin.position.path in error.message else f"{wanted.origin.position}: "
        return [f"{place}{wanted.key.name}: {error}"], []
    found = volatile(wanted.hcl.text) if wanted.hcl is not None else []
    at = wanted.origin.position
    return [], [f"{at}: {name}() answers something else each time the jobspec is parsed" for name in found]


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default="specs")
@click.option("--nomad", help="Address of Nomad; NOMAD_ADDR and its siblings count too.")
@click.option("--against", default="live", type=click.Choice(["live"]), show_default=True, help="What to compare with.")
@click.option("--all", "everything", is_flag=True, help="Also what is in sync.")
@FLEET
@OUTPUT
def diff(directory: Path, nomad: str | None, against: str, everything: bool, fleet: str, output: str) -> None:
    """Compare the specs in DIRECTORY with a live cluster, and write nothing.

    Exit code 0: no difference; 2: a difference; 1: an error.
    """
    from herdsman import bootstrap, settings
    from herdsman.api.schemas import PlanOut
    from herdsman.cli.remote import show_plans

    cluster = bootstrap.cluster(settings.load({"nomad": nomad}))
    service, operator = bootstrap.offline(directory.absolute(), fleet=fleet, nomad=cluster)
    desired = service.load()
    for rejection in desired.rejections:
        click.echo(str(rejection), err=True)
    service.view.relist()
    service.view.claimed = ""
    plans = [PlanOut.of_plan(p).model_dump(mode="json", by_alias=True) for p in operator.plan()]
    code = show_plans(plans, output, everything=everything)
    sys.exit(1 if desired.rejections else code)


@click.command()
@click.argument("kind", default="herdsman")
@click.option("--write", type=click.Path(file_okay=False, path_type=Path), help="Write every schema into this folder.")
def schema(kind: str, write: Path | None) -> None:
    """Print the JSON Schema of KIND (fleet, job, namespace), or of all of them in one."""
    from herdsman.core.schema import schemas
    from herdsman.errors import UnknownError

    found: Any = schemas()
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        for name, content in found.items():
            (write / name).write_text(json.dumps(content, indent=2) + "\n")
        click.echo(f"wrote {len(found)} schemas to {write}")
        return
    name = f"{kind.lower().removesuffix('.json')}.json"
    if name not in found:
        raise UnknownError(f"no kind {kind!r}", hint=f"there are {', '.join(n.removesuffix('.json') for n in found)}")
    click.echo(json.dumps(found[name], indent=2))
