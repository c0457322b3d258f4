"""A Nomad that is only a file: answers the operator's questions from an export, plans by the embedded Nomad's rules.

Nothing can be written to it. What a plan would bring about can be assumed, so that the next one builds on it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from herdsman.adapters.nomad.failures import words
from herdsman.core.sealing import Sealer
from herdsman.devnomad.structs.canonical import canonicalize
from herdsman.devnomad.structs.decode import DecodeError, decode_job
from herdsman.devnomad.structs.jobdiff import annotate, diff
from herdsman.devnomad.structs.updates import needs_replacement
from herdsman.devnomad.structs.validate import error_text, validate
from herdsman.errors import Refused, Unavailable
from herdsman.model.desired import DesiredJob
from herdsman.model.exports import Export, ExportedJob
from herdsman.model.keys import Key, namespace_key, variable_key
from herdsman.model.observed import (
    Allocation,
    Body,
    Deployment,
    Evaluation,
    Forecast,
    GroupUpdates,
    JobStub,
    Listing,
    LiveJob,
    LiveNamespace,
    Provenance,
    Registered,
    VariableItems,
)
from herdsman.model.plans import Action, Plan

_ONE_PER_NODE = frozenset({"system", "sysbatch"})

NODES_UNKNOWN = "a system job runs on every node; how many there are is not known here, one is counted"


class SnapshotNomad:
    """`ports.Nomad` over an *export*. For one thread."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self._jobs = {k: j for k, j in export.jobs.items() if j.stub is not None}
        self._variables = {k: v for k, v in export.variables.items() if v.index}
        self._spaces = {
            k: LiveNamespace(k, n.body if n.body is not None else {"Name": k.name})
            for k, n in export.namespaces.items()
            if n.live
        }

    def assume(self, plan: Plan) -> None:
        """Let what *plan* removes be gone, and the namespace that it creates be there."""
        key, action = plan.key, plan.decision.action
        if action is Action.PURGE:
            self._jobs.pop(key, None)
            self._spaces.pop(key, None)
            self._variables.pop(key, None)
        elif action is Action.STOP and key in self._jobs:
            job = self._jobs[key]
            assert job.stub is not None
            self._jobs[key] = replace(job, stub=replace(job.stub, stop=True, status="dead"))
        elif action is Action.CREATE and key.namespace == "":
            self._spaces[key] = LiveNamespace(key, {"Name": key.name})

    # -- ports.NomadReader ---------------------------------------------------------------------------------------------

    def version(self) -> str:
        """That of the cluster which was exported."""
        return self._export.header.nomad_version

    def listing(self) -> Listing:
        """Every job that the export names."""
        stubs = {k: j.stub for k, j in self._jobs.items() if j.stub is not None}
        return Listing(max([0, *(s.index for s in stubs.values())]), stubs)

    def stub(self, key: Key) -> JobStub | None:
        """One job as it was listed."""
        job = self._jobs.get(key)
        return job.stub if job is not None else None

    def job(self, key: Key) -> LiveJob | None:
        """One whole job. Raises `Unavailable` where only its name was exported."""
        job = self._jobs.get(key)
        return LiveJob(key, _body(job)) if job is not None else None

    def versions(self, key: Key) -> Sequence[LiveJob]:
        """None: a snapshot shows one moment."""
        return ()

    def provenance(self, key: Key, version: int) -> Provenance | None:
        """What stands beside a version of ours, where the export has that one."""
        job = self._jobs.get(key)
        found = job.provenance if job is not None else None
        return found if found is not None and found.version == version else None

    def plan(self, key: Key, body: Body) -> Forecast:
        """What registering *body* would do. Raises `Refused` where Nomad would refuse it."""
        new = stored(body)
        home = namespace_key(key.namespace)
        if self._export.closed and home not in self._spaces:
            raise Refused(f'job "{key.name}" is in nonexistent namespace "{key.namespace}"', hint="declare it")
        job = self._jobs.get(key)
        old = stored(_body(job)) if job is not None else None
        if old is not None:
            _check_update(old, new)
        stub = job.stub if job is not None else None
        updates = {g["Name"]: _updates(old, new, g, stub) for g in new["TaskGroups"] or ()}
        updates |= _dropped(old, new, stub)
        difference = diff(old, new)
        annotate(difference, {name: {"DestructiveUpdate": u.destructive} for name, u in updates.items()})
        guessed = new["Type"] in _ONE_PER_NODE and any(u != GroupUpdates() for u in updates.values())
        unknown = guessed and (stub is None or not _running(stub))
        return Forecast(
            index=stub.index if stub is not None else 0,
            diff=difference,
            updates=updates,
            warnings=NODES_UNKNOWN if unknown else "",
        )

    def deployments(self, key: Key) -> Sequence[Deployment]:
        """None: whether Nomad reverted a digest is in the operator's own record."""
        return ()

    def allocations(self, key: Key) -> Sequence[Allocation]:
        """None."""
        return ()

    def evaluations(self, key: Key) -> Sequence[Evaluation]:
        """None."""
        return ()

    def namespaces(self) -> Mapping[Key, LiveNamespace]:
        """Those that the export names."""
        return dict(self._spaces)

    def variable(self, path: str, *, namespace: str = "default") -> VariableItems:
        """One that the fleet's specs declare, or declared, its items sealed as the export is."""
        found = self._variables.get(variable_key(namespace, path))
        return VariableItems({}, 0) if found is None else VariableItems(found.items, found.index, found.create_index)

    def variables(self) -> Mapping[Key, int]:
        """Those that the export names."""
        return {k: v.index for k, v in self._variables.items()}

    # -- ports.NomadWriter ---------------------------------------------------------------------------------------------

    def register(
        self, key: Key, body: Body, *, if_index: int, provenance: Provenance, source: tuple[str, str]
    ) -> Registered:
        """Refused."""
        raise _read_only()

    def stop(self, live: LiveJob) -> Registered:
        """Refused."""
        raise _read_only()

    def purge(self, key: Key) -> None:
        """Refused."""
        raise _read_only()

    def put_namespace(self, body: Mapping[str, Any]) -> None:
        """Refused."""
        raise _read_only()

    def delete_namespace(self, key: Key) -> None:
        """Refused."""
        raise _read_only()

    def put_variable(
        self, path: str, items: Mapping[str, str], *, if_index: int, namespace: str = "default"
    ) -> VariableItems:
        """Refused."""
        raise _read_only()

    def delete_variable(self, path: str, *, if_index: int, namespace: str = "default") -> None:
        """Refused."""
        raise _read_only()


def _read_only() -> Refused:
    return Refused("an export cannot be written to")


def _body(job: ExportedJob) -> Body:
    if job.body is not None:
        return job.body
    name = f"{job.key.namespace}/{job.key.name}"
    raise Unavailable(
        f"the export has of {name}, which is not the fleet's, the name only: what would change in it is not known",
        hint=f"make the export with --also {name}",
    )


# -- what a register would do ------------------------------------------------------------------------------------------


def stored(body: Body) -> dict[str, Any]:
    """A job as Nomad would store it. Raises `Refused` where it cannot be read as one."""
    try:
        return canonicalize(decode_job(dict(body)))
    except DecodeError as error:
        raise Refused(str(error)) from None


def _check_update(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """What no update can change."""
    if old["Type"] != new["Type"]:
        raise Refused(
            f'cannot update job from type "{old["Type"]}" to "{new["Type"]}"',
            hint="give the job another name, or remove it first",
        )
    for name, word in (("Periodic", "periodic"), ("ParameterizedJob", "parameterized")):
        if bool(old[name]) != bool(new[name]):
            before, after = ("", "non-") if old[name] else ("non-", "")
            raise Refused(
                f"cannot update {before}{word} job to being {after}{word}",
                hint="give the job another name, or remove it first",
            )


def _updates(
    old: Mapping[str, Any] | None, new: dict[str, Any], group: Mapping[str, Any], stub: JobStub | None
) -> GroupUpdates:
    """What becomes of one group's allocations in the end: limits of a rolling update only say when."""
    if new["Periodic"] or new["ParameterizedJob"]:
        return GroupUpdates()  # children that run go on
    if new["Stop"]:
        return GroupUpdates(stop=_had(old, group["Name"], stub))
    had, count = _had(old, group["Name"], stub), _count(new, group, stub)
    kept = min(had, count)
    plain = GroupUpdates(place=max(0, count - had), stop=max(0, had - count))
    if not kept or old is None:
        return plain
    if needs_replacement(dict(old), new, group["Name"]):
        canaries = int((group["Update"] or {}).get("Canary") or 0) if new["Type"] == "service" else 0
        return replace(plain, canary=canaries, ignore=kept) if canaries else replace(plain, destructive=kept)
    before = _group(old, group["Name"])
    if before == group and old["Priority"] == new["Priority"]:
        return replace(plain, ignore=kept)
    return replace(plain, in_place=kept)


def _dropped(old: Mapping[str, Any] | None, new: Mapping[str, Any], stub: JobStub | None) -> dict[str, GroupUpdates]:
    """Groups that are no more."""
    names = {g["Name"] for g in new["TaskGroups"] or ()}
    gone = [g["Name"] for g in (old or {}).get("TaskGroups") or () if g["Name"] not in names]
    return {name: GroupUpdates(stop=_had(old, name, stub)) for name in gone}


def _had(old: Mapping[str, Any] | None, name: str, stub: JobStub | None) -> int:
    """How many allocations of a group run now."""
    group = _group(old, name) if old is not None else None
    if old is None or group is None or old["Stop"] or old["Periodic"] or old["ParameterizedJob"]:
        return 0
    if stub is not None and stub.status == "dead":
        return 0
    return _count(old, group, stub)


def _count(job: Mapping[str, Any], group: Mapping[str, Any], stub: JobStub | None) -> int:
    """How many allocations a group comes to; of a system job as many as there are now, evenly over its groups."""
    if job["Type"] not in _ONE_PER_NODE:
        return int(group["Count"])
    running = _running(stub) if stub is not None else 0
    return max(1, running // max(1, len(job["TaskGroups"] or ())))


def _running(stub: JobStub) -> int:
    return stub.counts.running + stub.counts.starting


def _group(job: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    return next((g for g in job["TaskGroups"] or () if g["Name"] == name), None)


# -- what a spec asks for ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """The body that a spec asks for, if Nomad would take it; sealed as the export is, where that is sealed."""

    parse: Callable[[DesiredJob], Body]
    sealer: Sealer | None = None

    def __call__(self, wanted: DesiredJob) -> Body:
        """The body. Raises `Refused`."""
        body = self.parse(wanted)
        doubts(body)
        return body if self.sealer is None else self.sealer.body(wanted.key, body)


def doubts(body: Body) -> list[str]:
    """What Nomad would warn of. Raises `Refused` with what it would refuse *body* for."""
    verdict = validate(stored(body), oversubscription=True, vault=True)
    if verdict.errors:
        raise Refused(f"Nomad would refuse it: {words(error_text(verdict.errors))}")
    return [words(w) for w in verdict.warnings]
