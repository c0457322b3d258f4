"""The contract's scenarios without a server: what each step asks, and what a real Nomad answered.

Reads answer with the recording; what a scenario needs beyond that (an index, an ID) it cannot have, and ends there.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from contract.nomad.nomad_contract import Run, differences, load_scenarios

FOLDER = Path(__file__).resolve().parents[2] / "contract" / "nomad"
SERVER_KEPT = ("Status", "Stable", "CreateIndex", "ModifyIndex", "JobModifyIndex", "SubmitTime")


@dataclass(frozen=True)
class Step:
    """One request of a scenario, and its recorded answer."""

    scenario: str
    name: str
    method: str
    path: str
    body: Any
    status: int
    answer: Any

    @property
    def title(self) -> str:
        """A name for parametrised tests."""
        return f"{self.scenario}: {self.name}"


class _Nothing:
    """A server that knows nothing."""

    def call(self, *_: object, **__: object) -> tuple[int, dict[str, str], dict[str, object]]:
        return 404, {}, {}


class _Tape(Run):
    def __init__(self, scenario: str, recorded: list[dict[str, Any]]) -> None:
        super().__init__(_Nothing())
        self.scenario = scenario
        self.recorded = {step["step"]: step for step in recorded}
        self.taken: list[Step] = []

    def do(self, name: str, method: str, path: str, body: object = None, **_: object) -> Any:
        step = self.recorded.get(name, {})
        # A scenario edits its jobs between the steps.
        kept = json.loads(json.dumps(body)) if isinstance(body, dict) else body
        self.taken.append(Step(self.scenario, name, method, path, kept, step.get("status", 0), step.get("body")))
        return step.get("body")

    def wait(self, *_: object, **__: object) -> list[object]:
        return []

    def stream(self, *_: object, **__: object) -> list[object]:
        return []


@cache
def recording(name: str) -> list[dict[str, Any]]:
    """The recorded steps of a scenario."""
    return json.loads((FOLDER / "recorded" / f"{name}.json").read_text())


@cache
def steps(name: str) -> tuple[Step, ...]:
    """The steps of a scenario as far as they go without a server."""
    tape = _Tape(name, recording(name))
    scenario: Callable[[Run], None] = load_scenarios(FOLDER)[name]
    with suppress(KeyError, TypeError, IndexError, AttributeError):
        scenario(tape)
    return tuple(tape.taken)


def answer(name: str, step: str) -> Any:
    """The recorded body of one step."""
    return next(one["body"] for one in recording(name) if one["step"] == step)


def disagreements(want: object, got: object, *, drop: tuple[str, ...] = ()) -> list[str]:
    """How an answer differs from a recorded one, volatile values masked as the checker masks them."""
    run = Run(_Nothing())
    return differences(run.mask(want, drop=set(drop)), run.mask(json.loads(json.dumps(got)), drop=set(drop)))
