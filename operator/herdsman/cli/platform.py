"""Commands of who runs things from the catalog: deploy, update, stop, start, restart, delete, try-me.

A deployment is named by its ID, by the beginning of it, or by its title.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click

from herdsman.cli.meant import SHORT, NoSuch, called, connected, endpoints, find, word
from herdsman.cli.output import OUTPUT, SERVER, show
from herdsman.cli.parameters import Words, typed
from herdsman.client.errors import Unfinished, plain
from herdsman.errors import HerdsmanError, UsageError

if TYPE_CHECKING:
    from herdsman.client import Client
    from herdsman.client.shapes import Deployment, Preview

VO = click.option("--vo", default="", metavar="NAME", help="The virtual organisation or namespace.")
TITLE = click.option("--title", default=None, help="What it is called in lists.")
DESCRIPTION = click.option("--description", default=None, help="What it is for.")
EXPIRES = click.option("--expires-after", default=None, metavar="8h", help="Remove it by itself so long after.")
UPGRADE = click.option(
    "--upgrade", type=click.Choice(["auto", "pin", "window"]), default=None, help="How it follows the catalog."
)
WAIT = click.option("--wait", "waiting", is_flag=True, help="Until it runs; says how it gets there.")
TIMEOUT = click.option("--timeout", default=300.0, show_default=True, help="How long to wait, in seconds.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Change nothing; show what would come of it.")


def _parameters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that give parameters, in the order of their help."""
    for option in (
        click.option("--ask", "asks", multiple=True, metavar="GROUP.PARAM", help="Ask for it, without echo."),
        click.option(
            "--set-file", "files", multiple=True, metavar="GROUP.PARAM=PATH", help="What is in a file; - is stdin."
        ),
        click.option("--set", "sets", multiple=True, metavar="GROUP.PARAM=VALUE", help="One parameter."),
        click.option(
            "-f", "--file", type=click.Path(dir_okay=False, path_type=Path), help="Parameters as YAML, by group."
        ),
    ):
        command = option(command)
    return command


def _ask(name: str) -> str:
    answer: str = click.prompt(plain(name), hide_input=True, confirmation_prompt=True, err=True)
    return answer


# -- order ---------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("entry", metavar="modules/NAME|tools/NAME")
@VO
@click.option(
    "--script",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="Run what is in it to its end, as a batch job; - is stdin.",
)
@_parameters
@TITLE
@DESCRIPTION
@EXPIRES
@UPGRADE
@DRY_RUN
@WAIT
@TIMEOUT
@OUTPUT
@SERVER
def deploy(entry: str, **given: Any) -> None:
    """Deploy an entry of the catalog; herdsman catalog show NAME tells its parameters."""
    section, _, name = entry.partition("/")
    if section not in ("modules", "tools") or not name:
        raise UsageError(
            f"{entry!r} names no entry", hint="write modules/NAME or tools/NAME; see herdsman catalog list"
        )
    script = _script(given["script"])
    with connected(given["server"]) as client:
        catalog = client.modules if section == "modules" else client.tools
        known = cast("Any", catalog.config(name, vo=given["vo"]))
        words = _words(given)
        conf = words.conf(known, ask=_ask)
        conf = _with_required(conf, known) if sys.stdin.isatty() else conf
        order: Any = {
            **_touch(given),
            **({"conf": conf} if conf else {}),
            **({"script": script} if script is not None else {}),
            **({"vo": given["vo"]} if given["vo"] else {}),
        }
        if given["dry_run"]:
            _show_preview(client.deployments.preview(entry, **order), given["output"])
            return
        made = client.deployments.create(entry, **order)
        _after(client.deployments, made, f"ordered {entry}", given)


def _script(file: IO[str] | None) -> str | None:
    """What is in it, where one is given."""
    try:
        return file.read() if file is not None else None
    except UnicodeDecodeError:
        raise UsageError("the script is no text in UTF-8", hint="save it as UTF-8") from None


def _words(given: dict[str, Any]) -> Words:
    return Words(file=given["file"], sets=given["sets"], files=given["files"], asks=given["asks"])


def _touch(given: dict[str, Any]) -> dict[str, Any]:
    """What was said of title, description and the like."""
    names = ("title", "description", "upgrade", "expires_after")
    found = {name: given[name] for name in names if given.get(name) is not None}
    if str(found.get("expires_after", "")).isdecimal():
        found["expires_after"] = float(found["expires_after"])
    return found


def _with_required(conf: dict[str, dict[str, Any]], known: Any) -> dict[str, dict[str, Any]]:
    """*conf*, and what has to be there and is not asked for."""
    from herdsman.cli.parameters import Given

    for group, parameters in known.items():
        for key, about in parameters.items():
            wanted = about.get("required") and not about.get("generated") and about.get("value") in ("", None)
            if wanted and key not in conf.get(group, {}):
                name = about.get("name") or key
                text = _ask(name) if about.get("secret") else click.prompt(plain(name), err=True)
                conf.setdefault(group, {})[key] = typed(Given(group, key, text), known)
    return conf


def _after(calls: Any, made: "Deployment", did: str, given: dict[str, Any]) -> None:
    """Tell what was ordered; wait for it where that is asked for."""
    is_table = given["output"] == "table"
    if is_table:
        click.echo(f"{did} as {made['job_ID']}")
    if given["waiting"]:
        try:
            made = calls.wait(made, timeout=given["timeout"], told=lambda now: click.echo(word(now), err=not is_table))
        except Unfinished as error:
            hint = error.hint and f"herdsman logs {made['job_ID'][:SHORT]}; herdsman show {made['job_ID'][:SHORT]}"
            raise HerdsmanError(error.message, hint=hint) from None
    if show(made, given["output"]):
        return
    if not given["waiting"]:
        click.echo(f"  {word(made)}; herdsman show {made['job_ID'][:SHORT]} tells how it does")
    endpoints(made)


def _show_preview(found: "Preview", output: str) -> None:
    if show(found, output):
        return
    planned = found["plan"]
    if planned is not None:
        click.echo(f"{planned['action']} ({planned['reason']}) {plain(planned['blast_radius'])}".rstrip())
        for line in filter(None, (planned["message"], *planned["changes"], planned["warnings"])):
            click.echo(f"  {plain(line)}")
        for group, why in (planned["failures"] or {}).items():
            click.echo(f"  group {group} cannot be placed now: {plain(why)}")
    for label, said in (("it would be queued", found["over_quota"]), ("Nomad could not be asked", found["trouble"])):
        if said:
            click.echo(f"{label}: {plain(said)}")
    click.echo("nothing was written")


@click.command("try-me")
@click.argument("module")
@click.option("--title", default="", help="What it is called.")
@EXPIRES
@WAIT
@TIMEOUT
@OUTPUT
@SERVER
def try_me(module: str, **given: Any) -> None:
    """Try a MODULE for some minutes, with what it needs by default. It ends by itself."""
    with connected(given["server"]) as client:
        after = _touch({"expires_after": given["expires_after"]}).get("expires_after")
        made = client.try_me.create(module, title=given["title"], expires_after=after)
        ends = f" until {made['expires']}" if made["expires"] else ""
        _after(client.try_me, made, f"{module} can be tried{ends}", given)


# -- change --------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("deployment")
@_parameters
@TITLE
@DESCRIPTION
@EXPIRES
@UPGRADE
@DRY_RUN
@OUTPUT
@SERVER
def update(deployment: str, **given: Any) -> None:
    """Change parameters of a deployment, and leave the others as they are."""
    words, touch = _words(given), _touch(given)
    if not words and not touch:
        raise UsageError("nothing is to be different", hint="say what: --set GROUP.PARAM=VALUE, --title TEXT, …")
    with connected(given["server"]) as client:
        one = find(client, deployment)
        section, _, name = one["catalog"].partition("/")
        catalog = client.modules if section == "modules" else client.tools
        known = cast("Any", catalog.config(name, vo=one["namespace"])) if words else {}
        conf = words.conf(known, ask=_ask) if words else {}
        if given["dry_run"]:
            change: Any = {**touch, **({"conf": client.deployments.amended(one, conf)} if conf else {})}
            _show_preview(client.deployments.preview_update(one, **change), given["output"])
            return
        calls = client.deployments
        made = calls.amend(one, conf, **touch) if conf else calls.update(one, **touch)
    if not show(made, given["output"]):
        click.echo(f"changed {called(made)}: {word(made)}")


@click.command()
@click.argument("deployments", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@SERVER
def delete(deployments: tuple[str, ...], yes: bool, server: str) -> None:
    """Remove deployments, with all that they hold. One that is gone already is no error."""
    with connected(server) as client:
        for name in deployments:
            try:
                one = find(client, name)
            except NoSuch:
                click.echo(f"there is no {name}, or no longer")
                continue
            if not yes and not click.confirm(f"remove {called(one)}, {one['status']}, and all its data?"):
                raise click.Abort
            client.deployments.delete(one)
            click.echo(f"removed {called(one)}")


def _stopped(client: "Client", one: "Deployment") -> str:
    client.deployments.stop(one)
    return "it stops"


def _started(client: "Client", one: "Deployment") -> str:
    client.deployments.start(one)
    return "it starts"


def _restarted(client: "Client", one: "Deployment") -> str:
    return f"{client.deployments.restart(one)} restarted"


def _single(name: str, help_: str, act: "Callable[[Client, Deployment], str]") -> click.Command:
    def run(deployment: str, server: str) -> None:
        with connected(server) as client:
            one = find(client, deployment)
            click.echo(f"{called(one)}: {act(client, one)}")

    run.__doc__ = help_
    return click.command(name)(click.argument("deployment")(SERVER(run)))


stop = _single("stop", "Let a deployment rest: it keeps its parameters, and holds nothing.", _stopped)
start = _single("start", "Let a deployment that was stopped run again.", _started)
restart = _single("restart", "Start the tasks of a deployment anew, where they are.", _restarted)
