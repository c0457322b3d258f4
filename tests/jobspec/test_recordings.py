"""Jobspecs whose parse a real Nomad 2.0.5 was asked for: every block of the documentation, and its answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from herdsman.jobspec import parse

RECORDED = Path(__file__).parent / "data" / "recorded"
CASES = sorted(path.name.removesuffix(".nomad.hcl") for path in RECORDED.glob("*.nomad.hcl"))


@pytest.mark.parametrize("case", CASES)
def test_recorded_answer(case: str) -> None:
    """The job is, key by key, the one that Nomad made of the same text."""
    source = (RECORDED / f"{case}.nomad.hcl").read_text()
    variables = RECORDED / f"{case}.vars"
    job = parse(source, variables=variables.read_text() if variables.exists() else None)
    assert json.loads(json.dumps(job)) == json.loads((RECORDED / f"{case}.json").read_text())


def test_there_are_recordings() -> None:
    """The table above is not empty."""
    assert len(CASES) >= 23
