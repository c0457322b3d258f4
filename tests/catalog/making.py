"""Entries to test with: those that are shipped, small ones made up, and parameters as users give them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from random import Random
from textwrap import dedent
from typing import Any

import hypothesis.strategies as st

from herdsman.adapters.catalog import FromPackage, outline, read_catalog
from herdsman.adapters.hcl import OfflineHclParser
from herdsman.core.catalog import parse_entry, render
from herdsman.core.problems import Fault
from herdsman.model.catalog import Catalog, Entry, Facts, Kind, Limits, Parameter, Range, Rendered, Rule, Site
from herdsman.model.desired import Rejection
from herdsman.model.observed import Body

FACTS = Facts(deployment_id="d-1", namespace="lab", owner="ada@issuer.example.org", catalog_entry="modules/x")

PLAIN = Site()
FULL = Site(
    domain="deployments.example.org",
    registry="images.example.org:5000/hub",
    platform_registry="images.example.org/platform",
    service_provider="consul",
    labelled_nodes=True,
    disk_quotas=True,
    notify_url="https://example.org/started",
)

METADATA = "title: A thing\nsummary: It does something.\n"

JOB = """
    variable "deployment_id" {
      type = string
    }
    VARIABLES
    job "x" {
      id   = var.deployment_id
      name = var.deployment_id
      group "g" {
        task "main" {
          driver = "docker"
          config {
            image = "busybox"
          }
          TASK
        }
      }
    }
"""


@lru_cache
def shipped() -> Catalog:
    """The catalog that Herdsman brings along."""
    return read_catalog(FromPackage().files(), folder="catalog")


def shipped_ids() -> list[str]:
    """The names of its entries."""
    return sorted(shipped().entries)


def job_text(*variables: str, task: str = "") -> str:
    """A jobspec that declares *variables*, written `name` or `name: type`, and uses them in a task's env."""
    parts = [(name.strip(), kind.strip() or "string") for name, _, kind in (v.partition(":") for v in variables)]
    blocks = "\n".join(f'variable "{name}" {{\n  type = {kind}\n}}' for name, kind in parts)
    env = "\n".join(f"{name} = var.{name}" for name, _ in parts)
    return dedent(JOB).replace("VARIABLES", blocks).replace("TASK", f"env {{\n{env}\n}}\n{task}")


def read(
    user: str, job: str = "", *, metadata: str = METADATA, name: str = "x", section: str = "modules"
) -> Entry | tuple[Rejection, ...]:
    """An entry of three texts; without a jobspec, of one that takes nothing."""
    text = dedent(job or job_text()).encode()
    files = {"metadata.yaml": dedent(metadata).encode(), "user.yaml": dedent(user).encode(), "nomad.hcl": text}
    return parse_entry(section, name, files, folder=f"catalog/{section}/{name}", outline=outline(text))


def entry(user: str, job: str = "") -> Entry:
    """The same, where it must be right."""
    found = read(user, job)
    assert isinstance(found, Entry), [str(rejection) for rejection in found]
    return found


def parse(hcl: str, variables: Mapping[str, Any]) -> Body:
    """A job, by our own jobspec."""
    return OfflineHclParser().parse(hcl, variables=variables, namespace="lab")


def rendered(of: Entry, given: object = None, *, site: Site = PLAIN, limits: Limits | None = None) -> Rendered:
    """A deployment that must be right."""
    found = render(of, given, facts=FACTS, site=site, limits=limits or Limits())
    assert isinstance(found, Rendered), found
    return found


def refused(of: Entry, given: object = None) -> tuple[Fault, ...]:
    """What is wrong with a deployment that must be wrong."""
    found = render(of, given, facts=FACTS, site=PLAIN)
    assert not isinstance(found, Rendered)
    return found


def job_of(of: Rendered) -> Body:
    """The job that comes out; the same for the same source."""
    return _job(of.source.text, json.dumps(of.source.variables))


@lru_cache(maxsize=64)
def _job(hcl: str, variables: str) -> Body:
    return parse(hcl, json.loads(variables))


Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Everything in a job that is not a mapping or a list, by its place; an empty one counts too."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not parts:
        yield path, value
    for key, part in parts:
        yield from leaves(part, (*path, key))


# -- what users give ---------------------------------------------------------------------------------------------------

Given = dict[str, dict[str, Any]]


def minimal(of: Entry) -> Given:
    """Only what must be given, as an entry's authors would give it: required parameters by their examples."""
    return {p.group: group for p in of.parameters if (group := _needed(of, p.group))}


def _needed(of: Entry, group: str) -> dict[str, Any]:
    return {p.key: sample(p) for p in of.groups[group].values() if p.required}


def sample(parameter: Parameter) -> Any:
    """A harmless text that a parameter takes."""
    return parameter.rule.example or "harmless-text"


def secret(parameter: Parameter) -> str:
    """A text that is nowhere else."""
    return f"{parameter.rule.example or 'zq'}{parameter.key.replace('_', '')}0wHaTnobodyknows"


def with_conditions(of: Entry, parameter: Parameter) -> Given:
    """What makes a parameter mean something, over what is needed."""
    given = minimal(of)
    for condition in parameter.depends:
        given.setdefault(condition.group, {})[condition.key] = condition.values[0]
    return given


def put(given: Given, parameter: Parameter, value: Any) -> Given:
    """*given*, with another value for one parameter."""
    return {**given, parameter.group: {**given.get(parameter.group, {}), parameter.key: value}}


def parameter_sets(of: Entry) -> st.SearchStrategy[Given]:
    """Valid sets of parameters: any of them may be left out but those that are required."""
    groups = {group: _group_sets(parameters) for group, parameters in of.groups.items()}
    return st.fixed_dictionaries(groups)


def _group_sets(parameters: Mapping[str, Parameter]) -> st.SearchStrategy[dict[str, Any]]:
    values = {key: _values(_rule(p), secret=p.secret) for key, p in parameters.items()}
    must = {key: value for key, value in values.items() if parameters[key].required}
    return st.fixed_dictionaries(must, optional={key: value for key, value in values.items() if key not in must})


def _rule(parameter: Parameter) -> Rule:
    """A text that is required may not be empty, even where its rule says nothing of a length."""
    rule = parameter.rule
    return replace(rule, min_length=max(1, rule.min_length)) if parameter.required else rule


def _values(rule: Rule, *, secret: bool = False) -> st.SearchStrategy[Any]:
    if rule.options:
        return st.sampled_from(rule.options)
    return _STRATEGIES[rule.kind](rule, secret)


_LETTERS = "".join(map(chr, range(32, 127))) + "äßéñ中文🚀\u200d\u202e\u0301\u00a0"


def _texts(rule: Rule, secret: bool) -> st.SearchStrategy[str]:
    if rule.pattern:
        return st.sampled_from(variants(rule.pattern, rule.example, rule.min_length, rule.max_length))
    alphabet = _LETTERS + ("\n\t" if rule.multiline else "")
    most = min(rule.max_length, max(20, rule.min_length))
    texts = st.text(alphabet, min_size=rule.min_length, max_size=most)
    return texts if secret else texts.filter(_no_syntax)


@lru_cache
def variants(pattern: str, example: str, shortest: int, longest: int) -> list[str]:
    """Texts that a pattern allows: an example, changed here and there at random, for as long as it still fits."""
    chance, found = Random(pattern), [example]  # the same each time
    for _ in range(400):
        text = chance.choice(found)
        at = chance.randrange(len(text) + 1)
        put = chance.choice([chance.choice(_LETTERS), text[at : at + 3], text, ""])
        changed = text[:at] + put + text[at + chance.randrange(3) :]
        if shortest <= len(changed) <= longest and re.fullmatch(pattern, changed, re.ASCII) and _no_syntax(changed):
            found.append(changed)
    return list(dict.fromkeys(found))


def _no_syntax(text: str) -> bool:
    return "${" not in text and "%{" not in text


def _numbers(allowed: Range, *, whole: bool) -> st.SearchStrategy[Any]:
    low = allowed.low if allowed.low is not None else -(2**31)
    high = allowed.high if allowed.high is not None else 2**31
    return st.integers(int(low), int(high)) if whole else st.floats(low, high, allow_nan=False)


def _lists(rule: Rule) -> st.SearchStrategy[list[Any]]:
    assert rule.items is not None
    return st.lists(_values(rule.items), min_size=rule.min_length, max_size=min(rule.max_length, 3))


def _objects(rule: Rule) -> st.SearchStrategy[dict[str, Any]]:
    parts = {name: _values(field.rule) for name, field in rule.fields.items()}
    must = {name: value for name, value in parts.items() if rule.fields[name].required}
    return st.fixed_dictionaries(must, optional={name: value for name, value in parts.items() if name not in must})


_STRATEGIES: Mapping[Kind, Callable[[Rule, bool], st.SearchStrategy[Any]]] = {
    Kind.STRING: _texts,
    Kind.INT: lambda rule, _: _numbers(rule.range, whole=True),
    Kind.NUMBER: lambda rule, _: _numbers(rule.range, whole=False),
    Kind.BOOL: lambda *_: st.booleans(),
    Kind.LIST: lambda rule, _: _lists(rule),
    Kind.OBJECT: lambda rule, _: _objects(rule),
}
