"""Whether a PromQL expression names what there is: what an operator tells, and what the rules record of it."""

from functools import cache
from typing import Any

import yaml

from deploy.known import DEPLOY, Exposition
from deploy.promql import Expression, read

RULES = DEPLOY / "prometheus" / "herdsman.rules.yaml"
ADDED = frozenset({"job", "instance"})
"""Labels that Prometheus adds to whatever it scrapes."""

OPEN = frozenset({"code", "method", "route", "namespace", "name", "kind", *ADDED})
"""Labels whose values no list can hold."""


@cache
def rules() -> list[dict[str, Any]]:
    """Every rule, in order."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


@cache
def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


@cache
def recorded() -> dict[str, Expression]:
    """What each recording rule reads, by the name that it records."""
    return {rule["record"]: read(rule["expr"]) for rule in rules() if "record" in rule}


def labels_of(metric: str, told: Exposition) -> set[str]:
    """The labels that a metric may have, once it is scraped; fails where nobody tells it."""
    if metric == "ALERTS":
        return {"alertname", "alertstate", "severity"}
    if metric == "up":
        return set(ADDED)
    if metric in recorded():
        return set().union(*(labels_of(s.metric, told) for s in recorded()[metric].selectors))
    assert metric in told.labels, f"nobody tells {metric}"
    return told.labels[metric] | ADDED


def values_of(metric: str, label: str, told: Exposition) -> set[str]:
    """The values that a label may have; empty where no list can hold them."""
    if label in OPEN:
        return set()
    if metric in recorded():
        return set().union(*(values_of(s.metric, label, told) for s in recorded()[metric].selectors))
    return told.values.get((metric, label), set())


def check(expression: str, told: Exposition) -> None:
    """Fail where *expression* names a metric, a label or a value that there is not."""
    found = read(expression)
    assert found.selectors, f"it reads nothing: {expression}"
    known = set().union(*(labels_of(s.metric, told) for s in found.selectors)) | {"le"}
    assert found.grouping <= known, f"no metric has {sorted(found.grouping - known)}: {expression}"
    for selector in found.selectors:
        for matcher in selector.matchers:
            assert matcher.label in labels_of(selector.metric, told), f"{selector.metric} has no {matcher.label}"
            values = values_of(selector.metric, matcher.label, told)
            unknown = set(matcher.alternatives) - values if values else set()
            assert not unknown, f"{selector.metric}{{{matcher.label}}} is never {sorted(unknown)}"
