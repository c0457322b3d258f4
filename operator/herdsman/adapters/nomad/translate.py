"""Nomad's JSON to the values of `herdsman.model`, and provenance in both directions.

Nomad leaves out what is empty, or says null: `_rows` and `_fields` make a list or a mapping of either. What else is not
as documented raises KeyError, TypeError, ValueError or AttributeError, which `cluster` turns into words.
"""

import functools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import orjson

from herdsman.adapters.nomad.failures import words
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
    LiveJob,
    LiveNamespace,
    Provenance,
    Registered,
    VariableItems,
)

_NUMBER = re.compile(r"[0-9]{1,18}")


# Jobs


def job_stubs(raw: object) -> list[JobStub]:
    """One page of the job list."""
    return [_job_stub(row) for row in _list(raw)]


def _job_stub(raw: Mapping[str, Any]) -> JobStub:
    """Ten thousand of these are kept at once, so the strings that repeat are shared."""
    return JobStub(
        key=job_key(sys.intern(raw["Namespace"]), raw["ID"]),
        index=int(raw["JobModifyIndex"]),
        create_index=int(raw["CreateIndex"]),
        type=sys.intern(raw.get("Type") or "service"),
        status=sys.intern(raw.get("Status") or ""),
        stop=bool(raw.get("Stop")),
        stamp=sys.intern(_fields(raw, "Meta").get(STAMP, "")),
        counts=_counts(_fields(raw, "JobSummary")),
        parent_id=raw.get("ParentID") or "",
        periodic=bool(raw.get("Periodic")),
        parameterized=bool(raw.get("ParameterizedJob")),
        submit_time=int(raw.get("SubmitTime") or 0),
    )


_STATES = ("Queued", "Starting", "Running", "Failed", "Complete", "Lost", "Unknown")


def _counts(summary: Mapping[str, Any]) -> Counts:
    groups = [[group.get(state) or 0 for state in _STATES] for group in _fields(summary, "Summary").values()]
    return _shared_counts(*map(sum, zip(*groups, strict=True)))


@functools.lru_cache(maxsize=4096)
def _shared_counts(*numbers: int) -> Counts:
    return Counts(*numbers)  # in the order of `_STATES`


def live_job(raw: Body, key: Key) -> LiveJob:
    """A whole job, if it is the one that was asked for."""
    if raw["ID"] != key.name or raw["Namespace"] != key.namespace:
        raise ValueError(f"it is the job {raw['Namespace']}/{raw['ID']}")
    int(raw["JobModifyIndex"])
    return LiveJob(key, raw)


def job_versions(raw: Mapping[str, Any], key: Key) -> Sequence[LiveJob]:
    """All versions of a job, newest first."""
    return sorted((live_job(body, key) for body in raw["Versions"] or ()), key=lambda live: -live.version)


def parsed(raw: object) -> Body:
    """The job that a jobspec became."""
    if not isinstance(raw, dict) or "ID" not in raw:
        raise TypeError("a job was expected")
    return raw


def registered(raw: Mapping[str, Any]) -> Registered:
    """The answer to a register."""
    return Registered(int(raw["Index"]), raw.get("EvalID") or "", words(raw.get("Warnings") or ""))


# Provenance

_PREFIX = "herdsman_"
_FLAGS = tuple(field.name for field in fields(Provenance))
_NEEDED = frozenset({"fleet", "digest", "version"})


def flags(provenance: Provenance) -> dict[str, str]:
    """What goes into `Submission.VariableFlags`: what is empty stays out, unless it is needed."""
    values = {name: getattr(provenance, name) for name in _FLAGS}
    return {_PREFIX + name: str(value) for name, value in values.items() if value or name in _NEEDED}


def provenance(submission: Mapping[str, Any], *, version: int) -> Provenance | None:
    """What one of our writes left; None where the flags are not ours, or are garbage."""
    if submission["Version"] != version:
        return None
    kept = _fields(submission, "VariableFlags")
    found = {name: value for name in _FLAGS if isinstance(value := kept.get(_PREFIX + name), str)}
    numbers = found.pop("version", ""), found.pop("line", "0")
    if not all(map(_NUMBER.fullmatch, numbers)) or not found.get("fleet") or not found.get("digest"):
        return None
    return Provenance(version=int(numbers[0]), line=int(numbers[1]), **found)


def next_submission(submission: Mapping[str, Any], *, version: int) -> dict[str, Any] | None:
    """A genuine submission of ours once more, for the version after *version*."""
    was = provenance(submission, version=version)
    if was is None or was.version != version:
        return None
    return {
        "Source": submission.get("Source") or "",
        "Format": submission.get("Format") or "json",
        "Variables": submission.get("Variables") or "",
        "VariableFlags": {**_fields(submission, "VariableFlags"), **flags(replace(was, version=version + 1))},
    }


def placeholder(form: str, provenance: Provenance) -> str:
    """Instead of a source that is too long to keep: where to find it."""
    place = f"{provenance.path} at {provenance.revision}" if provenance.revision else provenance.path
    note = f"longer than Nomad keeps: see {place}"
    return orjson.dumps({"source": note}).decode() if form == "json" else f"# {note}\n"


# Plans and placement

_UPDATES = {
    "place": "Place",
    "stop": "Stop",
    "in_place": "InPlaceUpdate",
    "destructive": "DestructiveUpdate",
    "canary": "Canary",
    "migrate": "Migrate",
    "ignore": "Ignore",
}


def forecast(raw: Mapping[str, Any]) -> Forecast:
    """The answer to a plan."""
    groups = _fields(_fields(raw, "Annotations"), "DesiredTGUpdates")
    return Forecast(
        index=int(raw["JobModifyIndex"]),
        diff=raw.get("Diff"),
        updates={
            group: GroupUpdates(**{ours: int(counts.get(theirs) or 0) for ours, theirs in _UPDATES.items()})
            for group, counts in groups.items()
        },
        failures=placement_failures(raw),
        warnings=words(raw.get("Warnings") or ""),
    )


def placement_failures(raw: Mapping[str, Any]) -> dict[str, str]:
    """Per group, why it cannot be placed (`FailedTGAllocs` of a plan or an evaluation)."""
    return {group: why_not_placed(metric or {}) for group, metric in _fields(raw, "FailedTGAllocs").items()}


def why_not_placed(metric: Mapping[str, Any]) -> str:
    """One allocation metric in words: `1 of 3 nodes is ruled out by ${attr.kernel.name} = linux; …`."""
    evaluated = int(metric.get("NodesEvaluated") or 0)
    reasons = [
        *_counted(metric, "ConstraintFiltered", "ruled out by the constraint {}"),
        *_counted(metric, "ClassFiltered", "of the class {} ruled out"),
        *_counted(metric, "DimensionExhausted", "with too little {} left"),
        *_counted(metric, "ClassExhausted", "of the class {} full"),
    ]
    said = [f"no node of {evaluated} fits" if evaluated else "no node is eligible", *reasons]
    empty = sorted(centre for centre, nodes in _fields(metric, "NodesAvailable").items() if not nodes)
    if empty and not evaluated:
        said.append(f"no nodes in {', '.join(empty)}")
    if quota := _rows(metric, "QuotaExhausted"):
        said.append(f"quota reached: {', '.join(map(str, quota))}")
    if more := int(metric.get("CoalescedFailures") or 0):
        said.append(f"the same for {more} more")
    return "; ".join(said)


def _counted(metric: Mapping[str, Any], field: str, text: str) -> Iterator[str]:
    for name, nodes in sorted(_fields(metric, field).items()):
        yield f"{nodes} {text.format(name)}"


# What runs


def deployments(raw: object) -> list[Deployment]:
    """Newest first."""
    return sorted(map(_deployment, _list(raw)), key=lambda d: d.create_index, reverse=True)


def _deployment(raw: Mapping[str, Any]) -> Deployment:
    groups = list(_fields(raw, "TaskGroups").values())
    state = DeploymentState(raw["Status"])
    return Deployment(
        id=raw["ID"],
        version=int(raw["JobVersion"]),
        create_index=int(raw["CreateIndex"]),
        state=state,
        description=raw.get("StatusDescription") or "",
        auto_revert=any(group.get("AutoRevert") for group in groups),
        needs_promotion=any(group.get("DesiredCanaries") and not group.get("Promoted") for group in groups),
        healthy=_total(groups, "HealthyAllocs"),
        unhealthy=_total(groups, "UnhealthyAllocs"),
        desired=_total(groups, "DesiredTotal"),
    )


def _total(groups: Sequence[Mapping[str, Any]], field: str) -> int:
    return sum(int(group.get(field) or 0) for group in groups)


def evaluations(raw: object) -> list[Evaluation]:
    """Newest first."""
    return sorted(map(_evaluation, _list(raw)), key=lambda e: e.create_index, reverse=True)


def _evaluation(raw: Mapping[str, Any]) -> Evaluation:
    return Evaluation(
        id=raw["ID"],
        status=raw["Status"],
        triggered_by=raw.get("TriggeredBy") or "",
        description=raw.get("StatusDescription") or "",
        failures=placement_failures(raw),
        blocked=raw["Status"] == "blocked",
        create_index=int(raw["CreateIndex"]),
    )


def allocations(raw: object) -> list[Allocation]:
    """Newest first."""
    rows = sorted(_list(raw), key=lambda row: (int(row["CreateIndex"]), row["Name"]), reverse=True)
    return [_allocation(row) for row in rows]


def _allocation(raw: Mapping[str, Any]) -> Allocation:
    return Allocation(
        id=raw["ID"],
        name=raw["Name"],
        group=raw["TaskGroup"],
        node=raw.get("NodeName") or raw.get("NodeID") or "",
        version=int(raw["JobVersion"]),
        desired=raw["DesiredStatus"],
        client=raw["ClientStatus"],
        last_event=last_event(_fields(raw, "TaskStates")) or raw.get("ClientDescription") or "",
        modified=int(raw.get("ModifyTime") or 0),
    )


_CAUSES = frozenset({
    "Alloc Unhealthy", "Driver Failure", "Failed Artifact Download", "Failed Restoring Task", "Failed Validation",
    "Hook Failed", "Plugin became unhealthy", "Setup Failure", "Task hook failed",
})  # fmt: skip
"""Types of task event that say why something went wrong."""


def last_event(tasks: Mapping[str, Any]) -> str:
    """The tasks' last word: why one failed, else that one did, else what happened last. Naming the task, if several."""
    events = [(task, event) for task, state in tasks.items() for event in _rows(state or {}, "Events")]
    if not events:
        return ""
    task, event = max(events, key=lambda pair: (_weight(pair[1]), int(pair[1].get("Time") or 0)))
    message = words(event.get("DisplayMessage") or event.get("Message") or event.get("Type") or "")
    return f"{task}: {message}" if len(tasks) > 1 else message


def _weight(event: Mapping[str, Any]) -> int:
    """2 for a cause of failure, 1 for its consequence (`Not Restarting`), 0 for the rest."""
    kind = event.get("Type")
    if kind in _CAUSES or (kind == "Terminated" and _ended_badly(event)):
        return 2
    return 1 if event.get("FailsTask") else 0


def _ended_badly(event: Mapping[str, Any]) -> bool:
    details = _fields(event, "Details")
    ends = (event.get("ExitCode"), event.get("Signal"), details.get("exit_code"), details.get("signal"))
    return any(str(end or 0) != "0" for end in ends) or details.get("oom_killed") == "true"


# Namespaces and variables


def namespaces(raw: object) -> dict[Key, LiveNamespace]:
    """All namespaces by key."""
    found = (LiveNamespace(namespace_key(row["Name"]), row) for row in _list(raw))
    return {namespace.key: namespace for namespace in found}


def variable(raw: Mapping[str, Any]) -> VariableItems:
    """A variable with its items."""
    return VariableItems(dict(_fields(raw, "Items")), int(raw["ModifyIndex"]), int(raw.get("CreateIndex") or 0))


def variable_indexes(raw: object) -> dict[Key, int]:
    """The index of each variable of a list, by its key."""
    return {variable_key(str(row["Namespace"]), str(row["Path"])): int(row["ModifyIndex"]) for row in _list(raw)}


def agent_version(raw: Mapping[str, Any]) -> str:
    """The version of the agent, like `2.0.5` or `2.1.0-beta.1`."""
    version = _fields(_fields(raw, "config"), "Version")
    pre = version.get("VersionPrerelease")
    number = version.get("Version") or _fields(_fields(raw, "member"), "Tags")["build"]
    return f"{number}-{pre}" if pre else str(number)


def _list(raw: object) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise TypeError(f"a list was expected, not {type(raw).__name__}")
    return raw


def _rows(raw: Mapping[str, Any], field: str) -> list[Any]:
    return raw.get(field) or []


def _fields(raw: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    return raw.get(field) or {}
