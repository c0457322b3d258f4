"""What a file in `deploy/` may name: environment variables, flags of `herdsman run`, commands, metrics and labels."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click
from prometheus_client.parser import text_string_to_metric_families
from pydantic import AliasChoices

from herdsman import bootstrap, settings
from herdsman.cli.main import COMMANDS, herdsman
from herdsman.model.keys import job_key
from herdsman.model.plans import WRITES, Reason
from herdsman.model.statuses import Condition, ConditionType, ErrorClass, Status, Truth

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

Run = Callable[..., "subprocess.CompletedProcess[str]"]
"""A program with its arguments still to come."""

Tool = Callable[[str], Run]
"""A program by its name; the test is skipped where it is not installed."""


def command(name: str) -> click.Command:
    """A command of `herdsman`; fails where there is none."""
    assert name in COMMANDS, f"there is no command herdsman {name}"
    found = herdsman.get_command(click.Context(herdsman), name)
    assert found is not None
    return found


def flags(name: str) -> set[str]:
    """All flags of a command."""
    return {flag for param in command(name).params for flag in (*param.opts, *param.secondary_opts)}


def variables() -> set[str]:
    """Every environment variable that `herdsman run` and the CLI read."""
    found = {param.envvar for name in COMMANDS for param in command(name).params if isinstance(param.envvar, str)}
    for name, setting in settings.Settings.model_fields.items():
        alias = setting.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [f"HERDSMAN_{name.upper()}"]
        found |= {choice for choice in choices if isinstance(choice, str) and choice.isupper()}
    return found


@dataclass(slots=True)
class Exposition:
    """What `/metrics` tells: label names by sample name, and the values that were seen of each label."""

    text: str
    labels: dict[str, set[str]] = field(default_factory=dict)
    values: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> "Exposition":
        """Read the text format."""
        found = cls(text)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.labels.setdefault(sample.name, set()).update(sample.labels)
                for label, value in sample.labels.items():
                    found.values.setdefault((sample.name, label), set()).add(value)
        return found


@contextlib.contextmanager
def _wired(folder: Path) -> Iterator[bootstrap.Wired]:
    found = settings.load({"specs": folder, "state": folder, "log_format": "json"}, ignore_nomad_env=True)
    wired = bootstrap.wire(found)
    try:
        yield wired
    finally:
        wired.close()


def exposition(folder: Path) -> Exposition:
    """The metrics of a whole operator that was wired but never started, after each counter counted something."""
    with _wired(folder) as wired:
        for status in _statuses():
            wired.store.put_status(status)
        metrics = wired.metrics
        for result in ("success", "held", "requeue", "error"):
            metrics.reconciled(result, 0.01)
        for kind in ErrorClass:
            metrics.failed(kind.value)
        for action in WRITES:
            metrics.acted(action.value, "success")
        for outcome in ("success", "error"):
            metrics.source_read(outcome, 0.1)
        metrics.drifted()
        metrics.waited(0.1)
        metrics.resynced(1e9)
        metrics.nomad_request("GET", "/v1/jobs", "error", 0.1)
        return Exposition.of(metrics.text().decode())


def _statuses() -> Iterator[Status]:
    """One spec for each reason that a spec may have for being Ready or not, and one that is suspended."""
    for number, reason in enumerate(Reason):
        truth = list(Truth)[number % len(Truth)]
        conditions: Mapping[ConditionType, Condition] = {t: Condition(truth, reason) for t in ConditionType}
        yield Status(job_key("default", reason.value.lower()), conditions)
