"""An in-memory Nomad behind the port, for tests of decisions: what it makes of a job is what the embedded Nomad makes.

It keeps jobs, versions, submissions and indexes as Nomad documents them and places everything at once. It counts what
a test wants to know of a real cluster: writes, evaluations, and how often allocations were replaced. Faults are given
to it as a function that sees every call before it is answered.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from herdsman.devnomad.structs.canonical import canonicalize
from herdsman.devnomad.structs.changed import settle_policies, spec_changed
from herdsman.devnomad.structs.jobdiff import diff
from herdsman.devnomad.structs.updates import needs_replacement
from herdsman.errors import Conflict, NomadError, Refused, Unavailable
from herdsman.model.keys import Key, job_key, namespace_key, variable_key
from herdsman.model.observed import (
    STAMP,
    Allocation,
    Body,
    Counts,
    Deployment,
    DeploymentState,
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

Fault = Callable[[str, Key | None], NomadError | str | None]
"""Sees a call's name and key before it is answered: an error to raise, `"lost"` to act and lose the answer, or None."""


@dataclass
class Job:
    """One job with its past."""

    body: dict[str, Any]
    submissions: dict[int, Provenance] = field(default_factory=dict)
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    deployments: list[Deployment] = field(default_factory=list)
    replaced: int = 0
    status: str = "running"
    finished: bool = False


class NomadTwin:
    """See the module's story."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.jobs: dict[Key, Job] = {}
        self.spaces: dict[str, dict[str, Any]] = {"default": {"Name": "default", "Description": "", "Meta": None}}
        self.kept: dict[tuple[str, str], VariableItems] = {}  # variables
        self.index = 10
        self.evaluations_made = 0
        self.writes: list[tuple[str, Key | str]] = []
        self.calls: list[tuple[str, Key | None]] = []
        self.fault = fault

    # -- what others do --

    def foreign_register(self, body: Mapping[str, Any]) -> Key:
        """Somebody else registers *body*, without a submission."""
        key = job_key(body.get("Namespace") or "default", body["ID"])
        self._register(key, body, None)
        return key

    def foreign_put(self, path: str, items: Mapping[str, str], *, namespace: str = "default") -> None:
        """Somebody else writes a variable whole."""
        self.index += 1
        created = self.kept[namespace, path].create_index if (namespace, path) in self.kept else self.index
        self.kept[namespace, path] = VariableItems(dict(items), self.index, created)

    def foreign_edit(self, key: Key, change: Callable[[dict[str, Any]], object]) -> None:
        """Somebody else registers the live job with *change* made to it."""
        body = deepcopy(self.jobs[key].body)
        change(body)
        self._register(key, body, None)

    def foreign_stop(self, key: Key) -> None:
        """Somebody stops the job by hand."""
        self.foreign_edit(key, lambda b: b.update(Stop=True))

    def foreign_purge(self, key: Key) -> None:
        """Somebody purges the job by hand."""
        self.index += 1
        del self.jobs[key]

    def scale(self, key: Key, count: int) -> None:
        """An autoscaler acts on the first group: a new version that copies the submission."""
        before = self.jobs[key].body["Version"]
        self.foreign_edit(key, lambda b: b["TaskGroups"][0].update(Count=count))
        job = self.jobs[key]
        if before in job.submissions:
            job.submissions[job.body["Version"]] = job.submissions[before]

    def finish(self, key: Key) -> None:
        """A batch job ends well."""
        self.jobs[key].status, self.jobs[key].finished = "dead", True

    def collect_garbage(self) -> None:
        """Nomad forgets what is stopped, and batch jobs that have ended."""
        self.jobs = {k: j for k, j in self.jobs.items() if not (j.body["Stop"] or j.finished)}

    def revert(self, key: Key, to: int) -> None:
        """The live version's deployment fails and auto_revert goes back to version *to*."""
        job = self.jobs[key]
        failed = Deployment(
            id=f"d{self.index}",
            version=job.body["Version"],
            create_index=self.index,
            state=DeploymentState.FAILED,
            description=f"Failed due to unhealthy allocations - rolling back to job version {to}",
            auto_revert=True,
        )
        job.deployments = [failed, *(d for d in job.deployments if d.version != failed.version)]
        self._register(key, job.versions[to], None)

    def restarts(self, key: Key) -> int:
        """How often its allocations were replaced."""
        return self.jobs[key].replaced

    # -- ports.NomadReader --

    def version(self) -> str:
        return "2.0.5"

    def listing(self) -> Listing:
        self._enter("listing", None)
        return Listing(self.index, {k: self._stub(k, j) for k, j in self.jobs.items()})

    def stub(self, key: Key) -> JobStub | None:
        self._enter("stub", key)
        job = self.jobs.get(key)
        return self._stub(key, job) if job is not None else None

    def job(self, key: Key) -> LiveJob | None:
        self._enter("job", key)
        job = self.jobs.get(key)
        return LiveJob(key, deepcopy(job.body)) if job is not None else None

    def versions(self, key: Key) -> Sequence[LiveJob]:
        self._enter("versions", key)
        job = self.jobs.get(key)
        kept = [] if job is None else sorted(job.versions.items(), reverse=True)
        return [LiveJob(key, deepcopy(body)) for _, body in kept]

    def provenance(self, key: Key, version: int) -> Provenance | None:
        self._enter("provenance", key)
        job = self.jobs.get(key)
        if job is None or version not in job.versions:
            return None
        return job.submissions.get(version, job.submissions.get(0))

    def plan(self, key: Key, body: Body) -> Forecast:
        self._enter("plan", key)
        self._check(key, body)
        new, old = canonicalize(deepcopy(dict(body))), self.jobs.get(key)
        updates = {}
        for group in new["TaskGroups"]:
            updates[group["Name"]] = _updates(old.body if old else None, new, group)
        return Forecast(
            index=old.body["JobModifyIndex"] if old else 0,
            diff=diff(old.body if old else None, new),
            updates=updates,
        )

    def deployments(self, key: Key) -> Sequence[Deployment]:
        self._enter("deployments", key)
        return list(self.jobs[key].deployments) if key in self.jobs else []

    def allocations(self, key: Key) -> Sequence[Allocation]:
        self._enter("allocations", key)
        return []

    def evaluations(self, key: Key) -> Sequence[Evaluation]:
        self._enter("evaluations", key)
        return []

    def namespaces(self) -> Mapping[Key, LiveNamespace]:
        self._enter("namespaces", None)
        return {namespace_key(n): LiveNamespace(namespace_key(n), deepcopy(b)) for n, b in self.spaces.items()}

    def variable(self, path: str, *, namespace: str = "default") -> VariableItems:
        self._enter("variable", None if path.startswith("herdsman/") else variable_key(namespace, path))
        return self.kept.get((namespace, path), VariableItems({}, 0))

    def variables(self) -> Mapping[Key, int]:
        self._enter("variables", None)
        return {variable_key(n, p): v.index for (n, p), v in self.kept.items()}

    # -- ports.NomadWriter --

    def register(
        self, key: Key, body: Body, *, if_index: int, provenance: Provenance, source: tuple[str, str]
    ) -> Registered:
        lost = self._enter("register", key)
        self._check(key, body)
        live = self.jobs.get(key)
        found = live.body["JobModifyIndex"] if live is not None else 0
        if found != if_index:
            raise Conflict(
                f"Enforcing job modify index {if_index}: job exists with conflicting job modify index: {found}"
            )
        self.writes.append(("register", key))
        self._register(key, body, provenance)
        self._lose(lost)
        return Registered(self.index)

    def stop(self, live: LiveJob) -> Registered:
        lost = self._enter("stop", live.key)
        job = self.jobs.get(live.key)
        if job is None or job.body["JobModifyIndex"] != live.index:
            raise Conflict("Enforcing job modify index")
        self.writes.append(("stop", live.key))
        self._register(live.key, {**live.body, "Stop": True}, None)
        self._lose(lost)
        return Registered(self.index)

    def purge(self, key: Key) -> None:
        lost = self._enter("purge", key)
        self.writes.append(("purge", key))
        self.index += 1
        self.jobs.pop(key, None)
        self._lose(lost)

    def put_namespace(self, body: Mapping[str, Any]) -> None:
        lost = self._enter("put_namespace", namespace_key(body["Name"]))
        self.writes.append(("put_namespace", namespace_key(body["Name"])))
        self.index += 1
        self.spaces[body["Name"]] = dict(body)
        self._lose(lost)

    def delete_namespace(self, key: Key) -> None:
        lost = self._enter("delete_namespace", key)
        self.writes.append(("delete_namespace", key))
        self.spaces.pop(key.name, None)
        self._lose(lost)

    def put_variable(
        self, path: str, items: Mapping[str, str], *, if_index: int, namespace: str = "default"
    ) -> VariableItems:
        lost = self._enter("put_variable", None if path.startswith("herdsman/") else variable_key(namespace, path))
        before = self.kept.get((namespace, path), VariableItems({}, 0))
        if before.index != if_index:
            raise Conflict("cas error")
        if namespace not in self.spaces:
            raise Refused(f'variable "{path}" is in nonexistent namespace "{namespace}"')
        self.writes.append(("put_variable", path))
        self.foreign_put(path, items, namespace=namespace)
        self._lose(lost)
        return self.kept[namespace, path]

    def delete_variable(self, path: str, *, if_index: int, namespace: str = "default") -> None:
        lost = self._enter("delete_variable", variable_key(namespace, path))
        if self.kept.get((namespace, path), VariableItems({}, 0)).index != if_index:
            raise Conflict("cas error")
        self.writes.append(("delete_variable", path))
        self.index += 1
        self.kept.pop((namespace, path), None)
        self._lose(lost)

    # -- inside --

    def _enter(self, name: str, key: Key | None) -> bool:
        self.calls.append((name, key))
        trouble = self.fault(name, key) if self.fault is not None else None
        if isinstance(trouble, NomadError):
            raise trouble
        return trouble == "lost"

    @staticmethod
    def _lose(lost: bool) -> None:
        if lost:
            raise Unavailable("the connection was cut before the answer came")

    def _check(self, key: Key, body: Body) -> None:
        if key.namespace not in self.spaces:
            raise Refused(f'job "{key.name}" is in nonexistent namespace "{key.namespace}"', status=500)
        if not body.get("TaskGroups"):
            raise Refused("Missing job task groups", status=500)

    def _register(self, key: Key, body: Mapping[str, Any], provenance: Provenance | None) -> None:
        self.index += 1
        self.evaluations_made += 1
        new, known = canonicalize(deepcopy(dict(body))), self.jobs.get(key)
        new = settle_policies(new, known.body if known else None, index=self.index, new_id=lambda: f"p{self.index}")
        if known is not None and not spec_changed(known.body, new):
            return
        version = known.body["Version"] + 1 if known is not None else 0
        new |= {
            "Version": version,
            "JobModifyIndex": self.index,
            "ModifyIndex": self.index,
            "CreateIndex": known.body["CreateIndex"] if known is not None else self.index,
            "Status": "dead" if new["Stop"] else "running",
            "ParentID": body.get("ParentID") or "",
        }
        if known is None:
            known = self.jobs[key] = Job(new)
        elif not new["Stop"] and any(needs_replacement(known.body, new, g["Name"]) for g in new["TaskGroups"]):
            known.replaced += 1
        known.body, known.finished = new, False
        known.status = new["Status"]
        known.versions[version] = new
        if provenance is not None:
            known.submissions[version] = provenance
        if (
            any((g.get("Update") or {}).get("MaxParallel") and g["Count"] for g in new["TaskGroups"])
            and not new["Stop"]
        ):
            done = Deployment(
                f"d{self.index}", version, self.index, DeploymentState.SUCCESSFUL, "Deployment completed successfully"
            )
            known.deployments.insert(0, done)

    def _stub(self, key: Key, job: Job) -> JobStub:
        body = job.body
        count = sum(g["Count"] for g in body["TaskGroups"])
        counts = Counts(running=count)
        if body["Stop"] or job.finished:
            counts = Counts(complete=count)
        return JobStub(
            key=key,
            index=body["JobModifyIndex"],
            create_index=body["CreateIndex"],
            type=body["Type"],
            status=job.status,
            stop=body["Stop"],
            stamp=str((body["Meta"] or {}).get(STAMP, "")),
            counts=counts,
            parent_id=body.get("ParentID") or "",
            periodic=bool(body.get("Periodic")),
            parameterized=bool(body.get("ParameterizedJob")),
        )


def _updates(old: dict[str, Any] | None, new: dict[str, Any], group: dict[str, Any]) -> GroupUpdates:
    count = group["Count"]
    if old is None or old["Stop"]:
        return GroupUpdates(place=count)
    before = next((g for g in old["TaskGroups"] if g["Name"] == group["Name"]), None)
    had = before["Count"] if before is not None else 0
    same = min(had, count)
    plain = GroupUpdates(place=max(0, count - had), stop=max(0, had - count))
    if before is not None and needs_replacement(old, new, group["Name"]):
        return replace(plain, destructive=same)
    if before == group and old["Priority"] == new["Priority"]:
        return replace(plain, ignore=same)
    return replace(plain, in_place=same)
