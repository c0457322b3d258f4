"""What the operator would do with some specs, key by key, where no operator runs: its own decisions, on a record of
its own that is thrown away.

A running operator gets there in several looks: what another needs comes first, and the rest waits until it is Ready.
Here keys are taken in that order, and what was planned is assumed to have come to pass, so that one round shows all.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from herdsman import bootstrap
from herdsman.adapters.clock import SystemClock
from herdsman.adapters.hcl import OfflineHclParser
from herdsman.adapters.nomad import NomadCluster
from herdsman.adapters.tree import DirectorySource
from herdsman.cli.snapshots import Judged, SnapshotNomad
from herdsman.core.blast import FAILURES
from herdsman.core.redact import CHANGED, MASK
from herdsman.core.sealing import PREFIX, Sealer, unseal
from herdsman.load import Bodies
from herdsman.model.desired import NOWHERE, Desired, DesiredNamespace, DesiredVariable, Position, Wanted
from herdsman.model.exports import Export, ExportedJob, ExportedNamespace, ExportedVariable, Header
from herdsman.model.keys import Key, Kind
from herdsman.model.plans import Action, Plan, Reason
from herdsman.model.sources import Snapshot
from herdsman.model.statuses import Condition, ConditionType, Status, Truth
from herdsman.ports import Source
from herdsman.runtime.service import Service
from herdsman.usecases import Operator


@dataclass(frozen=True, slots=True)
class Still:
    """A source that is one snapshot, at rest: nobody writes to what a pipeline has checked out."""

    files: Snapshot
    name: str = ""

    def snapshot(self) -> Snapshot:
        """The files."""
        return replace(self.files, settled=True)

    def watch(self, changed: Callable[[], None], stopped: Callable[[], bool]) -> None:
        """Nothing ever changes."""

    def describe(self) -> str:
        """As it was named."""
        return self.name

    def poke(self) -> None:
        """There is no news."""

    def close(self) -> None:
        """There is nothing to close."""


def still(directory: Path) -> Still:
    """What is in *directory* now. Raises `SourceError`."""
    source = DirectorySource(directory.absolute(), clock=SystemClock())
    return Still(source.snapshot(), source.describe())


@dataclass(frozen=True, slots=True)
class Preview:
    """What some specs ask for, and what would be done about it."""

    desired: Desired
    plans: tuple[Plan, ...] = ()
    places: Mapping[Key, Position] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def understood(source: Source, *, fleet: str) -> tuple[Desired, Judged]:
    """What *source* asks for, and the bodies of it, by our own reading of HCL."""
    judged = Judged(Bodies(OfflineHclParser()))
    service, _ = bootstrap.unstarted(
        source, fleet=fleet, nomad=SnapshotNomad(Export(_NOBODY)), body=judged, decrypt=unopened
    )
    return service.load(), judged


def against_live(source: Source, cluster: NomadCluster, *, fleet: str) -> Preview:
    """The plans for *source* on a live cluster. Raises `NomadError` where that cannot be listed."""
    service, operator = bootstrap.unstarted(source, fleet=fleet, nomad=cluster, body=Bodies(cluster), decrypt=unopened)
    desired = _supposed(service.load(), service)
    service.view.replace(desired)
    return _preview(service, operator, desired, lambda plan: None)


def against_export(source: Source, export: Export, *, fleet: str) -> Preview:
    """The plans for *source* on what was exported."""
    nomad = SnapshotNomad(export)
    sealer = Sealer(bytes.fromhex(export.header.salt)) if export.header.salt else None
    judged = Judged(Bodies(OfflineHclParser()), sealer)
    service, operator = bootstrap.unstarted(source, fleet=fleet, nomad=nomad, body=judged, decrypt=unopened)
    _recall(service, export)
    desired = _supposed(service.load(), service)
    if sealer is not None:
        desired = _sealed(desired, sealer)
    service.view.replace(desired)

    def assume(plan: Plan) -> None:
        nomad.assume(plan)
        if plan.decision.action is Action.PURGE:
            service.view.gone(plan.key)
        elif plan.decision.action is Action.STOP:
            service.view.touch([plan.key])
            service.view.stub(plan.key)

    return _preview(service, operator, desired, assume)


_NOBODY = Header(fleet="", taken="", salt="")


def _recall(service: Service, export: Export) -> None:
    """Take the exported operator's record over."""
    store = service.ports.store
    exported: list[ExportedJob | ExportedNamespace | ExportedVariable] = [
        *export.jobs.values(),
        *export.namespaces.values(),
        *export.variables.values(),
    ]
    for one in exported:
        if one.memory.known or one.memory.owned or one.memory.prune is not None:
            store.remember(one.key, one.memory)
        if one.suspended:
            store.suspend(one.key, suspended=True)
        if isinstance(one, ExportedJob) and one.pin is not None:
            store.put_pin(one.key, one.pin)
    if export.header.suspended:
        store.suspend(None, suspended=True)


def _sealed(desired: Desired, sealer: Sealer) -> Desired:
    """Namespaces and variables sealed as they are in the export; what jobs hold is sealed as it is asked for."""
    return replace(desired, wanted={key: _one_sealed(one, sealer) for key, one in desired.wanted.items()})


def _one_sealed(one: Wanted, sealer: Sealer) -> Wanted:
    if isinstance(one, DesiredNamespace):
        return replace(one, meta=sealer.meta(one.key, one.meta))
    return replace(one, items=sealer.items(one.key, one.items)) if isinstance(one, DesiredVariable) else one


def _supposed(desired: Desired, service: Service) -> Desired:
    """What is encrypted is supposed to be what is live, where no record of ours could say that it changed."""
    memory = service.ports.store.memory
    wanted = {
        key: _closed(one) if isinstance(one, DesiredVariable) and not memory(key).known else one
        for key, one in desired.wanted.items()
    }
    return replace(desired, wanted=wanted)


def _closed(one: DesiredVariable) -> DesiredVariable:
    """The same, with what nobody could decrypt taken for a secret that is there already, or is made."""
    opened = {name: text for name, text in one.items.items() if not text.startswith(PREFIX)}
    return replace(one, items=opened, generate={**dict.fromkeys(one.items.keys() - opened.keys(), 1), **one.generate})


def unopened(text: str) -> str:
    """What is encrypted in a spec, where nobody can decrypt it: another text for each, and as short as a secret."""
    return f"{PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _preview(service: Service, operator: Operator, desired: Desired, assume: Callable[[Plan], None]) -> Preview:
    """One round, in order."""
    service.view.relist()
    service.view.claimed = ""
    memories = service.ports.store.memories()
    places = {key: Position(memory.path) for key, memory in memories.items() if memory.path}
    places |= {key: rejection.position for key, rejection in desired.frozen.items()}
    places |= {key: wanted.origin.position for key, wanted in desired.wanted.items()}
    plans: list[Plan] = []
    for key in _in_order(service.view.all_keys(), desired, {k: m.needs for k, m in memories.items()}):
        (plan,) = operator.plan([key])
        assume(plan)
        _note_ready(service, plan, desired, assumed=isinstance(service.ports.nomad, SnapshotNomad))
        plans.append(_readable(plan))
        places.setdefault(key, NOWHERE)
    return Preview(desired, tuple(sorted(plans, key=lambda p: p.key)), places)


def _in_order(keys: Iterable[Key], desired: Desired, needs: dict[Key, tuple[Key, ...]]) -> Iterator[Key]:
    """What is needed before what needs it; removals after all else, and the other way round."""
    keys = set(keys)
    wanted = {k: set(w.depends_on) & keys for k, w in desired.wanted.items()}
    yield from TopologicalSorter({k: wanted[k] for k in sorted(wanted)}).static_order()
    rest: dict[Key, set[Key]] = {k: set() for k in sorted(keys - wanted.keys())}
    for user, needed in needs.items():
        for need in needed:
            if user in rest and need in rest:
                rest[need].add(user)
    for key in rest:
        if key.kind is Kind.NAMESPACE:
            rest[key] |= {k for k in rest if k.namespace == key.name}
    try:
        yield from TopologicalSorter(rest).static_order()
    except CycleError:  # what was needed at different times may come to that
        yield from sorted(rest)


def _note_ready(service: Service, plan: Plan, desired: Desired, *, assumed: bool) -> None:
    """What needs it may go on: it is as wanted, or will be, where that may be *assumed*."""
    wanted, decision = desired.wanted.get(plan.key), plan.decision
    as_wanted = decision.action in (Action.NOTHING, Action.ADOPT) and decision.reason not in FAILURES
    if wanted is None or not (as_wanted or (assumed and decision.writes)):
        return
    ready = Condition(Truth.TRUE, Reason.IN_SYNC)
    service.ports.store.put_status(Status(plan.key, {ConditionType.READY: ready}, digest=wanted.digest))


def _readable(plan: Plan) -> Plan:
    """With seals shown as any secret is."""
    changes = tuple(replace(c, old=unseal(c.old), new=_new(c.old, c.new)) for c in plan.changes)
    return replace(plan, changes=changes)


def _new(old: str, new: str) -> str:
    after = unseal(new)
    return CHANGED if after == MASK and unseal(old) == MASK else after
