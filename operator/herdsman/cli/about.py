"""Commands about the program itself."""

import click

from herdsman.cli.output import OUTPUT, show
from herdsman.version import __version__


@click.command()
@OUTPUT
def version(output: str) -> None:
    """Print the version."""
    if not show({"version": __version__}, output):
        click.echo(__version__)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a completion script for SHELL; load it with: eval "$(herdsman completion bash)"."""
    from click.shell_completion import get_completion_class

    from herdsman.cli.main import herdsman

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(herdsman, {}, "herdsman", "_HERDSMAN_COMPLETE").source())
