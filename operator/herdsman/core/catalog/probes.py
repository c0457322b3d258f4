"""Sets of parameters that try an entry out: its defaults, and every choice, end of a range and condition once.

A jobspec that has a task only for some parameters is read with those parameters too, before a user finds out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from herdsman.core.catalog.values import compiled
from herdsman.core.spelling import shown
from herdsman.model.catalog import Entry, Facts, Kind, Parameter, Rule, Site

FACTS_OF_PROBES: Final = Facts(
    deployment_id="probe", namespace="default", owner="someone@example.org", catalog_entry="modules/probe"
)

SITES: Final[Mapping[str, Site]] = {
    "": Site(),
    " on a site with everything": Site(
        domain="deployments.example.org",
        registry="images.example.org",
        platform_registry="images.example.org/platform",
        service_provider="consul",
        labelled_nodes=True,
        disk_quotas=True,
        notify_url="https://example.org/started",
    ),
}
"""A plain cluster, and one that has all that a site can have."""

_WORD: Final = "sample"


@dataclass(frozen=True, slots=True)
class Probe:
    """Parameters to try, in words and as a user gives them."""

    words: str
    given: Mapping[str, Mapping[str, Any]]


def probes(entry: Entry) -> Iterator[Probe]:
    """What is worth trying. Only `required` parameters are given where nothing else is said."""
    base = [(p, value) for p in entry.parameters if p.required for value in samples(p.rule)[:1]]
    yield Probe("with the defaults", _given(base))
    yield Probe("with everything", everything(entry))
    if entry.script is not None:
        yield Probe("with everything and a script", everything(entry, batch=True))
    for parameter in entry.parameters:
        for value in samples(parameter.rule):
            words = f"with {parameter.path}" if parameter.secret else f"with {parameter.path}: {shown(value)}"
            yield Probe(words, _given([*base, *_needed(entry, parameter), (parameter, value)]))


def everything(entry: Entry, *, batch: bool = False) -> Mapping[str, Mapping[str, Any]]:
    """A value for every parameter; for the script of a batch job only in *batch*, where much else means nothing."""
    parameters = (p for p in entry.parameters if batch or not p.batch)
    return _given((p, value) for p in parameters for value in samples(p.rule)[-1:])


def samples(rule: Rule) -> list[Any]:
    """Values that the rule allows and that may make a difference; none where it has a pattern and no example."""
    if rule.options:
        return list(rule.options)
    match rule.kind:
        case Kind.BOOL:
            return [True, False]
        case Kind.INT | Kind.NUMBER:
            ends = [int(end) if end.is_integer() else end for end in _ends(rule)]
            return list(dict.fromkeys(ends)) or [1]
        case Kind.STRING:
            return _texts(rule)
        case Kind.LIST:
            assert rule.items is not None
            elements = samples(rule.items)
            return [elements[:1] * count for count in (0, 1, 2) if rule.min_length <= count <= rule.max_length]
        case Kind.OBJECT:
            parts = {name: samples(field.rule) for name, field in rule.fields.items()}
            return [{name: values[0] for name, values in parts.items() if values}]


def _ends(rule: Rule) -> list[float]:
    return [float(end) for end in (rule.range.low, rule.range.high) if end is not None]


def _texts(rule: Rule) -> list[str]:
    if rule.example:
        return [rule.example]
    text = (_WORD * (1 + rule.min_length // len(_WORD)))[: rule.max_length]
    return [text] if not rule.pattern or compiled(rule.pattern).fullmatch(text) else []


def _needed(entry: Entry, parameter: Parameter) -> Iterator[tuple[Parameter, Any]]:
    """What makes *parameter* mean something."""
    for condition in parameter.depends:
        yield entry.groups[condition.group][condition.key], condition.values[0]


def _given(values: Iterable[tuple[Parameter, Any]]) -> Mapping[str, Mapping[str, Any]]:
    given: dict[str, dict[str, Any]] = {}
    for parameter, value in values:
        given.setdefault(parameter.group, {})[parameter.key] = value
    return given
