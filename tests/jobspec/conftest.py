"""Helpers of the jobspec tests: the value of one expression, and the findings about one text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from herdsman.jobspec import Diagnostic, JobspecError, parse

_FRAME = 'job "j" {{\n  group "g" {{\n    task "t" {{\n      config {{\n        v = {}\n      }}\n    }}\n  }}\n}}\n'

Evaluate = Callable[..., object]
Findings = Callable[..., tuple[Diagnostic, ...]]


@pytest.fixture
def evaluate() -> Evaluate:
    """The value that an expression has in a driver's config, where nothing is converted."""

    def value(expression: str, *, before: str = "", variables: str | Mapping[str, object] | None = None) -> object:
        job = parse(before + _FRAME.format(f"[{expression}]"), variables=variables)
        groups = job["TaskGroups"]
        assert isinstance(groups, list)
        return groups[0]["Tasks"][0]["Config"]["v"][0]

    return value


@pytest.fixture
def findings() -> Findings:
    """What is wrong with a text; it is wrong that nothing is."""

    def found(text: str, *, variables: str | Mapping[str, object] | None = None) -> tuple[Diagnostic, ...]:
        with pytest.raises(JobspecError) as error:
            parse(text, variables=variables)
        return error.value.diagnostics

    return found


@pytest.fixture
def complaint(findings: Findings) -> Callable[[str], str]:
    """The first finding about an expression: "summary; detail"."""

    def first(expression: str) -> str:
        finding = findings(_FRAME.format(expression))[0]
        return f"{finding.summary}; {finding.detail}"

    return first
