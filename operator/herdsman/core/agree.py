"""Does a job that a person wrote agree with one that Nomad holds? Asked only where nothing is remembered.

A plan must have shown no field by then, so scalars that the person left out are Nomad's defaults. What a plan is known
to hide is compared strictly here: blocks and lists that only one side has, and everything in `STRICT`
(`research`: job-level spreads show nothing, eight other blocks an edit without a field). Where this errs it errs
towards "differs": the price is one register that Nomad itself finds to be no change.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import normalize as unicode_form

from herdsman.core.normalize import canonical, masked, said
from herdsman.core.redact import redact
from herdsman.model.desired import Policy
from herdsman.model.observed import Body, FieldChange

FILLED = frozenset(
    {
        "Update", "Migrate", "RestartPolicy", "ReschedulePolicy", "EphemeralDisk", "LogConfig", "Resources", "Identity",
        "Identities", "Datacenters", "Target", "Consul", "Wait", "Meta@Gateway",
    }
)  # fmt: skip
"""Blocks that Nomad fills in where a job leaves them out; a plan shows every change in them."""

STRICT = frozenset({"Spreads", "ScalingPolicies", "Args", "Lifecycle", "Affinities"})
"""Blocks in which a plan may hide an edit: here a missing scalar counts too."""

_MERGED = ("Update", "Migrate", "Reschedule", "Restart")
_GROUP_NAME = {"Reschedule": "ReschedulePolicy", "Restart": "RestartPolicy"}
_IMPLIED = re.compile(r"^\$\{attr\.(nomad|os\.signals|vault|consul|numa|driver|plugins)\b")


def mismatches(desired: Body, live: Body, policy: Policy) -> tuple[FieldChange, ...]:
    """The leaves in which *live* is not what *desired* asks for. *desired* is already spliced (`normalize.spliced`)."""
    found: list[FieldChange] = []
    want = masked(_expanded(desired), policy)
    have = masked({k: v for k, v in live.items() if k not in _MERGED}, policy)
    _walk(want, have, "", found, strict=False)
    return tuple(found)


def _expanded(desired: Body) -> dict[str, Any]:
    """Job-level policies moved into the groups, and names of services interpolated, as Nomad stores them."""
    job = canonical(desired)
    policies = {_GROUP_NAME.get(name, name): job.pop(name) for name in _MERGED if name in job}
    for group in job.get("TaskGroups") or ():
        if not isinstance(group, dict):
            continue
        for name, values in policies.items():
            group[name] = {**values, **(group.get(name) or {})}
        _name_services(group, job, group, task="")
        for task in group.get("Tasks") or ():
            _name_services(task, job, group, task=str(task.get("Name", "")))
    return job


def _name_services(holder: dict[str, Any], job: Mapping[str, Any], group: Mapping[str, Any], *, task: str) -> None:
    words = {"JOB": str(job.get("Name", "")), "TASKGROUP": str(group.get("Name", "")), "TASK": task}
    words["BASE"] = "-".join(w for w in (words["JOB"], words["TASKGROUP"], task) if w)
    for service in holder.get("Services") or ():
        if isinstance(service.get("Name"), str):
            service["Name"] = re.sub(r"\$\{(JOB|TASKGROUP|TASK|BASE)\}", lambda m: words[m.group(1)], service["Name"])


def _walk(want: Any, have: Any, path: str, found: list[FieldChange], *, strict: bool) -> None:
    if isinstance(want, Mapping) and isinstance(have, Mapping | None):
        _walk_map(want, have or {}, path, found, strict=strict)
    elif isinstance(want, list) and isinstance(have, list | None):
        _walk_list(want, have or [], path, found, strict=strict)
    elif not _equal(want, have):
        found.append(FieldChange(path, redact(path, said(have)), redact(path, said(want))))


def _walk_map(
    want: Mapping[str, Any], have: Mapping[str, Any], path: str, found: list[FieldChange], *, strict: bool
) -> None:
    for key, value in want.items():
        _walk(value, have.get(key), f"{path}.{key}" if path else key, found, strict=strict or key in STRICT)
    for key, value in have.items():
        extra = key not in want and (
            strict
            or key in STRICT
            or (isinstance(value, dict | list) and key not in FILLED and not _implied(key, value))
        )
        if extra:
            found.append(FieldChange(f"{path}.{key}" if path else key, "(set)", ""))


def _walk_list(want: Sequence[Any], have: Sequence[Any], path: str, found: list[FieldChange], *, strict: bool) -> None:
    if path.endswith("Constraints"):
        have = [c for c in have if c in want or not _implied_constraint(c)]
    if path.endswith("Tasks"):
        have = [t for t in have if not str(t.get("Kind", "")).startswith("connect-")]
    if len(want) != len(have):
        found.append(FieldChange(path, f"{len(have)} elements", f"{len(want)} elements"))
        return
    for place, (a, b) in enumerate(zip(want, have, strict=True)):
        name = a.get("Name") or a.get("Label") or place if isinstance(a, Mapping) else place
        _walk(a, b, f"{path}[{name}]", found, strict=strict)


def _implied(key: str, value: Any) -> bool:
    return key == "Constraints" and all(_implied_constraint(c) for c in value)


def _implied_constraint(constraint: Any) -> bool:
    """Whether Nomad adds the constraint by itself, for what the job's blocks need of a client."""
    return isinstance(constraint, Mapping) and bool(_IMPLIED.match(str(constraint.get("LTarget", ""))))


def _equal(want: Any, have: Any) -> bool:
    if isinstance(want, str) and isinstance(have, str):  # Nomad's HCL2 normalises text (cty: NFC)
        return want == have or unicode_form("NFC", want) == unicode_form("NFC", have)
    return bool(want == have)
