"""What there is to deploy: lists, tags, metadata, and the parameters as a namespace may set them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from herdsman.core.catalog import find as find_entry
from herdsman.core.catalog import narrow, parameters_schema
from herdsman.core.problems import Fault
from herdsman.model.catalog import Catalog, Entry, Kind, Limits, Parameter, Rule
from herdsman.platform.errors import NotThere
from herdsman.platform.pages import Section


@dataclass(frozen=True, slots=True)
class Tags:
    """Which entries are meant: those with *all* of these, *any* of these, not all of these, none of these."""

    all: Sequence[str] = ()
    any: Sequence[str] = ()
    not_all: Sequence[str] = ()
    not_any: Sequence[str] = ()

    def match(self, entry: Entry) -> bool:
        """Whether *entry* is meant. Case makes no difference."""
        has = {tag.casefold() for tag in entry.metadata.tags}
        wanted, some, unwanted, none = (
            {tag.casefold() for tag in tags} for tags in (self.all, self.any, self.not_all, self.not_any)
        )
        return (
            wanted <= has and (not some or bool(some & has)) and not (unwanted and unwanted <= has) and not none & has
        )


class Showcase:
    """The catalog as it is shown. *current* answers it, *again* reads it anew first."""

    def __init__(
        self,
        current: Callable[[], Catalog],
        again: Callable[[], Catalog] | None = None,
        *,
        limits: Mapping[str, Limits] | None = None,
    ) -> None:
        self._current, self._again, self._limits = current, again or current, limits or {}

    def entries(self, section: Section, tags: Tags | None = None) -> list[Entry]:
        """Those of a section that *tags* mean, by name."""
        meant = tags or Tags()
        found = [e for e in self._current().entries.values() if e.section == section and meant.match(e)]
        return sorted(found, key=lambda e: e.name)

    def tags(self, section: Section) -> dict[str, int]:
        """How many entries have each tag."""
        return dict(sorted(Counter(tag for e in self.entries(section) for tag in e.metadata.tags).items()))

    def entry(self, section: Section, name: str) -> Entry:
        """One of them. Raises `NotThere`."""
        found = find_entry(self._current(), f"{section}/{name}")
        if isinstance(found, Fault):
            raise NotThere(found.message, hint=found.hint)
        return found

    def parameters(self, section: Section, name: str, namespace: str) -> dict[str, dict[str, Any]]:
        """What a user may set, with the ranges and defaults that hold in *namespace*."""
        entry = self._narrowed(section, name, namespace)
        return {g: {key: told_parameter(p) for key, p in ps.items()} for g, ps in entry.groups.items()}

    def schema(self, section: Section, name: str, namespace: str) -> dict[str, Any]:
        """The same as a JSON Schema."""
        return parameters_schema(self._narrowed(section, name, namespace))

    def _narrowed(self, section: Section, name: str, namespace: str) -> Entry:
        limits = self._limits.get(namespace) if namespace else None
        return narrow(self.entry(section, name), limits or Limits(namespace))

    def refresh(self) -> Catalog:
        """Read all of it anew."""
        return self._again()


def told_metadata(entry: Entry, *, whole: bool) -> dict[str, Any]:
    """What an entry is; a list of many leaves out what is long."""
    about = entry.metadata
    told: dict[str, Any] = {
        "name": entry.name,
        "id": entry.id,
        "title": about.title,
        "summary": about.summary,
        "tags": list(about.tags),
        "categories": list(about.categories),
        "tasks": list(about.tasks),
        "libraries": list(about.libraries),
        "data-type": list(about.data_types),
        "license": about.licence or None,
        "dates": {"created": about.created or None, "updated": about.updated or None},
        "version": entry.digest,
    }
    return {**told, "description": about.description, "links": dict(about.links)} if whole else told


def told_parameter(parameter: Parameter) -> dict[str, Any]:
    """A parameter in the format that its users know, and what a form wants to know besides."""
    rule = parameter.rule
    told: dict[str, Any] = {"name": parameter.name, "value": "" if parameter.secret else parameter.default}
    told |= {"type": rule.kind.value, "description": parameter.description}
    if rule.options:
        told["options"] = list(rule.options)
    if rule.kind in (Kind.INT, Kind.NUMBER) and (rule.range.low is not None or rule.range.high is not None):
        told["range"] = [rule.range.low, rule.range.high]
    for name in ("secret", "required", "advanced", "batch"):
        if getattr(parameter, name):
            told[name] = True
    if parameter.generate:
        told["generated"] = True
    told |= _texts(rule)
    if parameter.note:
        told["note"] = parameter.note
    if parameter.depends:
        told["depends"] = {f"{c.group}.{c.key}": list(c.values) for c in parameter.depends}
    return told


def _texts(rule: Rule) -> dict[str, Any]:
    if not rule.free_text:
        return {}
    told: dict[str, Any] = {"max_length": rule.max_length}
    if rule.min_length:
        told["min_length"] = rule.min_length
    if rule.pattern:
        told["pattern"] = rule.pattern
    if rule.multiline:
        told["multiline"] = True
    return told
