"""A `Deployment` to the job that it asks for: which version of its entry, with which values, and with which secrets.

Secrets stand in Git encrypted for the operator; what they say goes into a Nomad variable of the job's own and nowhere
else. A deployment whose entry is not there, or whose parameters do not fit it, is rejected, and so its job stays.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from herdsman.core.catalog import render
from herdsman.core.problems import Fault
from herdsman.core.spelling import did_you_mean
from herdsman.core.windows import is_open
from herdsman.errors import HerdsmanError
from herdsman.model.catalog import Catalog, Entry, Facts, Rendered, Site
from herdsman.model.desired import HclSource, Order, Upgrade, Window
from herdsman.model.documents import DeploymentDocument, is_encrypted
from herdsman.model.keys import Key

Decrypt = Callable[[str], str]
"""The text that was encrypted with age. Raises `HerdsmanError` with words that repeat nothing of it."""

NO_IDENTITY: Final = "this operator has no age identity to decrypt it with"
ADD_IDENTITY: Final = "install herdsman[age] and name the identity file with --age-identity"


@dataclass(frozen=True, slots=True)
class Made:
    """What a deployment comes to. *sealed* is what its secrets are told apart by: as they stand in the spec."""

    entry: Entry
    hcl: HclSource
    values: Mapping[str, Mapping[str, Any]]
    secrets: Mapping[str, str] = field(repr=False)
    sealed: Mapping[str, str] = field(repr=False)
    generate: Mapping[str, int] = field(default_factory=dict)


class Known:
    """What was made before, by document: most of a snapshot is as it was. Of two generations the older is dropped."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[DeploymentDocument, str, Made]] = {}
        self._next: dict[int, tuple[DeploymentDocument, str, Made]] = {}

    def begin(self) -> None:
        """A new snapshot: what it does not ask for again is forgotten at the next."""
        self._last, self._next = self._next, {}

    def get(self, model: DeploymentDocument, template: str) -> Made | None:
        """What *model* came to with that version of its entry."""
        found = self._next.get(id(model)) or self._last.get(id(model))
        if found is None or found[0] is not model or found[1] != template:
            return None
        self._next[id(model)] = found
        return found[2]

    def put(self, model: DeploymentDocument, made: Made) -> None:
        """Remember *made*."""
        self._next[id(model)] = (model, made.entry.digest, made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What deployments are made with.

    *kept* answers an earlier version of an entry by its digest, *applied* the digest of the version that a live job was
    last written from; without *now* every window is closed.
    """

    catalog: Catalog = field(default_factory=Catalog)
    site: Site = field(default_factory=Site)
    decrypt: Decrypt | None = None
    kept: Callable[[str], Entry | None] = lambda digest: None
    applied: Callable[[Key], str] = lambda key: ""
    now: datetime | None = None
    known: Known = field(default_factory=Known)


def make(
    model: DeploymentDocument, workshop: Workshop, windows: Sequence[Window]
) -> tuple[Order, Made | tuple[Fault, ...]]:
    """What *model* orders, and what it comes to or all that is wrong with it."""
    entry = _entry(model, workshop, windows)
    order = _order(model, workshop)
    if isinstance(entry, Fault):
        return order, (entry,)
    order = replace(order, template=entry.digest)
    made = workshop.known.get(model, entry.digest) or _made(model, entry, workshop)
    if not isinstance(made, Made):
        return replace(order, values=_harmless(model, entry), batch=entry.is_batch(model.spec.parameters)), made
    workshop.known.put(model, made)
    given = (*(name for name, secret in made.secrets.items() if secret), *made.generate)
    title = order.title or str(made.values.get("general", {}).get("title") or "")
    batch = entry.is_batch(made.values)
    return replace(order, values=made.values, secrets=tuple(sorted(given)), title=title, batch=batch), made


def _order(model: DeploymentDocument, workshop: Workshop) -> Order:
    spec, latest = model.spec, workshop.catalog.entries.get(model.spec.catalog)
    return Order(
        key=model.key,
        entry=spec.catalog,
        owner=spec.owner,
        title=spec.title,
        description=spec.description,
        created=spec.created,
        expires=spec.expires,
        stopped=spec.stopped,
        upgrade=spec.upgrade,
        latest=latest.digest if latest is not None else "",
        labels=dict(model.metadata.labels),
    )


# -- the entry ---------------------------------------------------------------------------------------------------------


def _entry(model: DeploymentDocument, workshop: Workshop, windows: Sequence[Window]) -> Entry | Fault:
    """The version of the entry that the job is made from."""
    name = model.spec.catalog
    latest = workshop.catalog.entries.get(name)
    stays = _stays_at(model, workshop, windows)
    if stays and (latest is None or latest.digest != stays):
        kept = workshop.kept(stays)
        if kept is not None and kept.id == name:
            return kept
        hint = "the live job stays as it is; upgrade: auto makes it follow the catalog"
        return Fault(("spec", "template"), f"the version {stays} of {name} is not known any more", hint)
    return latest if latest is not None else _no_entry(name, workshop.catalog)


def _stays_at(model: DeploymentDocument, workshop: Workshop, windows: Sequence[Window]) -> str:
    """The digest of the version that may not be left now, or ""."""
    spec = model.spec
    match spec.upgrade:
        case Upgrade.PIN:
            return spec.template or ""
        case Upgrade.WINDOW if workshop.now is None or not is_open(windows, workshop.now):
            return workshop.applied(model.key) or spec.template or ""
        case _:
            return ""


def _no_entry(name: str, catalog: Catalog) -> Fault:
    at = ("spec", "catalog")
    broken = catalog.broken.get(name, ())
    if broken:
        return Fault(at, f"the entry {name} cannot be used: {broken[0]}")
    if catalog.problem:
        return Fault(at, f"there is no entry {name}, and not all of the catalog can be read: {catalog.problem}")
    return Fault(at, f"the catalog has no entry {name}", did_you_mean(name, catalog.entries))


# -- parameters --------------------------------------------------------------------------------------------------------

_PARAMETERS: Final = ("spec", "parameters")

_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "deployment_id": ("metadata", "name"),
    "namespace": ("metadata", "namespace"),
    "owner": ("spec", "owner"),
    "node_type": ("spec", "nodeType"),
    "priority": ("spec", "priority"),
}
"""Where a document says a fact; the others are of the site."""


def _made(model: DeploymentDocument, entry: Entry, workshop: Workshop) -> Made | tuple[Fault, ...]:
    spec, metadata = model.spec, model.metadata
    facts = Facts(
        deployment_id=metadata.name,
        namespace=metadata.namespace,
        owner=spec.owner,
        catalog_entry=spec.catalog,
        node_type=spec.node_type,
        priority=spec.priority,
    )
    wrong: list[Fault] = []
    sealed: dict[str, str] = {}
    given = _opened(model, entry, workshop.decrypt, sealed, wrong)
    rendered = render(entry, given, facts=facts, site=workshop.site)
    if not isinstance(rendered, Rendered):
        told = {fault.loc for fault in wrong}
        wrong += [fault for found in rendered if (fault := _in_document(found)).loc not in told]
    if wrong or not isinstance(rendered, Rendered):
        return tuple(wrong)
    resolved = rendered.resolved
    secrets = {name: secret for name, secret in resolved.secrets.items() if secret}
    return Made(
        entry=entry,
        hcl=rendered.source,
        values=resolved.values,
        secrets=secrets,
        sealed={name: sealed.get(name, secret) for name, secret in secrets.items()},
        generate=resolved.generate,
    )


def _in_document(fault: Fault) -> Fault:
    """*fault* with the place that it has in a document."""
    name = str(fault.loc[0]) if fault.loc else ""
    if name == "parameters":
        return fault._replace(loc=("spec", *fault.loc))
    if name in _PLACES:
        return fault._replace(loc=_PLACES[name])
    return Fault((), f"the platform's setting {name}: {fault.message}", fault.hint)


def _opened(
    model: DeploymentDocument, entry: Entry, decrypt: Decrypt | None, sealed: dict[str, str], wrong: list[Fault]
) -> Mapping[str, Any]:
    """The parameters with their secrets in clear, for a moment; *sealed* gets them as they stand in the spec."""
    given = {group: dict(values) if values is not None else None for group, values in model.spec.parameters.items()}
    for parameter in entry.secrets:
        values = given.get(parameter.group)
        if values is None or values.get(parameter.key) in (None, "", parameter.default):
            continue
        at, value = (*_PARAMETERS, parameter.group, parameter.key), values[parameter.key]
        text = opened(value, at, decrypt, wrong)
        if text is None:
            del values[parameter.key]
        else:
            sealed[parameter.key] = value
            values[parameter.key] = text.removesuffix("\n")  # of whoever wrote it with echo
    return given


def opened(value: Any, at: tuple[str, ...], decrypt: Decrypt | None, wrong: list[Fault]) -> str | None:
    """The secret that *value* holds, or None and in *wrong* why not."""
    if not is_encrypted(value):
        hint = "Git remembers it for ever: write the answer of age --armor -r RECIPIENT"
        wrong.append(Fault(at, "a secret may not stand here in clear", hint))
    elif decrypt is None:
        wrong.append(Fault(at, NO_IDENTITY, ADD_IDENTITY))
    else:
        try:
            return decrypt(value)
        except HerdsmanError as error:
            wrong.append(Fault(at, error.message, error.hint))
    return None


def _harmless(model: DeploymentDocument, entry: Entry) -> dict[str, dict[str, Any]]:
    """What was given, without anything that may be a secret."""
    hidden = {(p.group, p.key) for p in entry.secrets}
    known = {(p.group, p.key) for p in entry.parameters} - hidden

    def plain(group: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        return ((key, value) for key, value in values.items() if (group, key) in known)

    return {group: dict(plain(group, values)) for group, values in model.spec.parameters.items() if values}
