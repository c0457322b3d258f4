"""What is done before a task starts: its directory, what was dispatched to it, its artifacts, its templates."""

import asyncio
import base64
from typing import TYPE_CHECKING

from herdsman.devnomad.client import artifacts, task_events, taskenv
from herdsman.devnomad.client.templates import MissingVariable, TemplateError
from herdsman.devnomad.types import Row

if TYPE_CHECKING:
    from herdsman.devnomad.client.task_runner import TaskRunner


class PrepareError(Exception):
    """A task could not be made ready; `event` tells it."""

    def __init__(self, event: Row, *, recoverable: bool) -> None:
        super().__init__(event["DisplayMessage"])
        self.event = event
        self.recoverable = recoverable


async def prepare(runner: "TaskRunner", env: dict[str, str]) -> dict[str, str]:
    """Make a task ready; answers what its templates add to its environment."""
    task, context = runner.task, runner.context
    needs_files = runner.real or task["Templates"] or task["Artifacts"] or task["DispatchPayload"]
    if not needs_files and not (task["Config"] or {}).get("stdout_string"):
        return {}
    context.dirs.build_task(runner.name)
    _write_payload(runner)
    if runner.real:
        await _fetch(runner, env)
    return await _first_rendering(runner, env)


def _write_payload(runner: "TaskRunner") -> None:
    wanted, payload = runner.task["DispatchPayload"], runner.context.alloc["Job"]["Payload"]
    if wanted and payload and wanted.get("File"):
        target = runner.context.dirs.task(runner.name) / "local" / wanted["File"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(base64.b64decode(payload))


async def _fetch(runner: "TaskRunner", env: dict[str, str]) -> None:
    wanted = runner.task["Artifacts"] or ()
    if not wanted:
        return
    runner.tell(task_events.artifacts())
    root = runner.context.dirs.task(runner.name)
    for artifact in wanted:
        filled = taskenv.interpolate_all(artifact, env, runner.context.node)
        try:
            await asyncio.to_thread(artifacts.fetch, filled, root)
        except artifacts.FetchError as error:
            raise PrepareError(task_events.artifact_failure(str(error)), recoverable=True) from error


# -- templates -----------------------------------------------------------------------------------------------------
async def _first_rendering(runner: "TaskRunner", env: dict[str, str]) -> dict[str, str]:
    """Render the templates; where a variable is not there yet, wait for it as long as the task is wanted."""
    missing = ""
    while True:
        runner.variable_changed.clear()
        try:
            return template_environment(runner, env)
        except MissingVariable as error:
            if str(error) != missing:
                missing = str(error)
                runner.tell(task_events.template(missing))
        await runner.until_variable_changes()


def template_environment(runner: "TaskRunner", env: dict[str, str]) -> dict[str, str]:
    """Write a task's templates; answers what those with `env = true` add to its environment."""
    try:
        return runner.templates.render(runner.task["Templates"] or [], env).env
    except MissingVariable:
        raise
    except TemplateError as error:
        if not runner.real:
            return {}  # nobody reads it
        raise PrepareError(task_events.setup_failure(f"Template failed: {error}"), recoverable=True) from error
