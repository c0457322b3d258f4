"""The `herdsman` command: each command is imported when it is called; errors become words in one place."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module

import click

from herdsman.cli.output import fail
from herdsman.errors import HerdsmanError

COMMANDS: Mapping[str, str] = {
    "run": "operate:run",
    "dev": "operate:dev",
    "devnomad": "devnomad:devnomad",
    "api": "api:api",
    "validate": "checks:validate",
    "diff": "checks:diff",
    "export": "export:export",
    "schema": "offline:schema",
    "catalog": "catalog:catalog",
    "deploy": "platform:deploy",
    "list": "listing:list_",
    "show": "listing:show_",
    "logs": "listing:logs",
    "update": "platform:update",
    "stop": "platform:stop",
    "start": "platform:start",
    "restart": "platform:restart",
    "delete": "platform:delete",
    "try-me": "platform:try_me",
    "stats": "usage:stats",
    "get": "remote:get",
    "describe": "remote:describe",
    "plan": "remote:plan",
    "resync": "remote:resync",
    "suspend": "remote:suspend",
    "resume": "remote:resume",
    "approve": "remote:approve",
    "events": "remote:events",
    "history": "history:history",
    "trace": "history:trace",
    "rollback": "history:rollback",
    "login": "login:login",
    "whoami": "login:whoami",
    "logout": "login:logout",
    "token": "login:token",
    "version": "about:version",
    "completion": "about:completion",
}
"""Where each command lives: module and function. A prompt answer is a feature, so nothing is imported in vain."""


class Lazy(click.Group):
    """A group that imports a command when it is needed, and says errors as people do."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"herdsman.cli.{module}"), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that *args* begin with; a mistyped one is answered with the nearest."""
        near = [] if args[0] in COMMANDS else get_close_matches(args[0], COMMANDS, n=1)
        if near and not args[0].startswith("-"):
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {near[0]!r}?", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def herdsman() -> None:
    """Keep the jobs of a Nomad cluster as YAML specs declare them.

    Start with: herdsman dev --specs specs
    """


def run() -> int:
    """Run the command line. Exit codes: 0 done, 1 failed or wrongly called, 2 a difference (`diff`, `plan`)."""
    try:
        result = herdsman(prog_name="herdsman", standalone_mode=False)
    except HerdsmanError as error:
        fail(error.message, error.hint)
    except click.ClickException as error:
        error.show()
    except click.Abort:
        return 130
    else:
        return result if isinstance(result, int) else 0
    return 1
