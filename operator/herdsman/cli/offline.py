"""`herdsman schema`: what a spec may hold, for editors."""

import json
from pathlib import Path
from typing import Any

import click


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
