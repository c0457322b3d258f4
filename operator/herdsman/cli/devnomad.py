"""`herdsman devnomad`: the embedded Nomad, in the foreground."""

from pathlib import Path

import click


@click.command()
@click.option("--bind", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=4646, show_default=True, type=click.IntRange(0, 65_535), help="Port; 0 takes any free one."
)
@click.option("--acl", is_flag=True, help="Turn access control on; start with POST /v1/acl/bootstrap.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep everything in this directory over a restart; without it nothing is kept.",
)
@click.option("--nodes", default=1, show_default=True, type=click.IntRange(1, 100), help="How many nodes to simulate.")
@click.option("--gpu", default=0, show_default=True, type=click.IntRange(0, 64), help="How many GPUs each node claims.")
@click.option("--allow-remote", is_flag=True, help="Listen on an address that others reach; needs --acl.")
@click.option("--exit-with-parent", is_flag=True, help="Stop when standard input closes.")
def devnomad(
    *,
    bind: str,
    port: int,
    acl: bool,
    state: Path | None,
    nodes: int,
    gpu: int,
    allow_remote: bool,
    exit_with_parent: bool,
) -> None:
    """Serve a simulated Nomad for a first run, a demo, a test. raw_exec tasks are real processes of this machine."""
    from herdsman.devnomad.server import Config, ConfigError, serve

    config = Config(
        bind=bind,
        port=port,
        acl=acl,
        state_dir=state,
        nodes=nodes,
        gpus=gpu,
        allow_remote=allow_remote,
        exit_with_parent=exit_with_parent,
    )
    try:
        serve(config)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
