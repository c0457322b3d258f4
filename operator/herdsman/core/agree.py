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

from herdsman.core.normalize import masked, said
from herdsman.core.redact import field_change
from herdsman.model.desired import Policy
from herdsman.model.observed import Body, FieldChange

FILLED = frozenset(
    {
        "Update", "Migrate", "RestartPolicy", "ReschedulePolicy", "EphemeralDisk", "LogConfig", "Resources", "Identity",
        "Identities", "Datacenters", "Target", "Consul", "Wait", "Connect", "SidecarService", "Proxy", "Gateway",
    }
)  # fmt: skip
"""Blocks that Nomad fills in where a job leaves them out, or parts of them; a plan shows every change in them."""

STRICT = frozenset({"Spreads", "ScalingPolicies", "Args", "Lifecycle", "Affinities"})
"""Blocks in which a plan may hide an edit: here a missing scalar counts too, unless it is what Nomad fills in."""

_DEFAULTS = {"Weight": 50}
_OWN = frozenset({"Devices"})  # what Nomad never fills in, inside a block that it does
_MERGED = ("Update", "Migrate", "Reschedule", "Restart")
_GROUP_NAME = {"Reschedule": "ReschedulePolicy", "Restart": "RestartPolicy"}
_IMPLIED = re.compile(r"^\$\{attr\.(nomad|os\.signals|vault|consul|numa|driver|plugins|kernel\.name)\b")


def mismatches(desired: Body, live: Body, policy: Policy) -> tuple[FieldChange, ...]:
    """The leaves in which *live* is not what *desired* asks for. *desired* is already spliced (`normalize.spliced`)."""
    found: list[FieldChange] = []
    want = masked(_expanded(desired, live), policy)
    have = masked({k: v for k, v in live.items() if k not in _MERGED}, policy)
    _walk(want, have, "", found, strict=False, filled=False)
    return tuple(found)


def _expanded(desired: Body, live: Body) -> dict[str, Any]:
    """*desired* as Nomad would store it, as far as it is known: policies of the job moved into its groups, those of a
    group into its tasks, names of services interpolated, the default identity in its own place."""
    job = {k: v for k, v in desired.items() if k not in _MERGED}
    policies = {_GROUP_NAME.get(name, name): desired[name] for name in _MERGED if desired.get(name)}
    stored = {g.get("Name"): g for g in live.get("TaskGroups") or ()}
    groups = [g for g in desired.get("TaskGroups") or () if isinstance(g, Mapping)]
    return {**job, "TaskGroups": [_group(g, desired, policies, stored.get(g.get("Name")) or {}) for g in groups]}


def _group(group: Mapping[str, Any], job: Body, policies: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    merged = {name: _over(values, group.get(name)) for name, values in policies.items()}
    tasks = [t for t in group.get("Tasks") or () if isinstance(t, Mapping)]
    restart = live.get("RestartPolicy") or {}
    return {
        **group,
        **merged,
        "Services": _named(group.get("Services"), job, group, task="group"),
        "Tasks": [_task(t, job, group, restart) for t in tasks],
    }


def _task(task: Mapping[str, Any], job: Body, group: Mapping[str, Any], restart: Mapping[str, Any]) -> dict[str, Any]:
    identities = list(task.get("Identities") or ())
    own = next((i for i in identities if i.get("Name") in (None, "", "default")), None)
    return {
        **task,
        "Identity": task.get("Identity") or own,
        "Identities": [i for i in identities if i is not own],
        "RestartPolicy": _over(restart, task.get("RestartPolicy")),  # a plan does not show a task's own
        "Services": _named(task.get("Services"), job, group, task=str(task.get("Name", ""))),
    }


def _over(base: Mapping[str, Any], own: Any) -> dict[str, Any]:
    """*base* with what is said in *own*."""
    return {**base, **{name: value for name, value in (own or {}).items() if value is not None}}


def _named(services: Any, job: Body, group: Mapping[str, Any], *, task: str) -> list[Any] | None:
    """Services with their names interpolated; of a group's service, Nomad takes `group` for the task."""
    if not services:
        return None
    words = {"JOB": str(job.get("Name", "")), "TASKGROUP": str(group.get("Name", "")), "TASK": task}
    words["BASE"] = "-".join(words[w] for w in ("JOB", "TASKGROUP", "TASK"))
    return [
        {**s, "Name": _NAME.sub(lambda m: words[m[1]], s["Name"])} if isinstance(s.get("Name"), str) else s
        for s in services
    ]


_NAME = re.compile(r"\$\{(JOB|TASKGROUP|TASK|BASE)\}")


def _walk(want: Any, have: Any, path: str, found: list[FieldChange], *, strict: bool, filled: bool) -> None:
    if isinstance(want, Mapping) and isinstance(have, Mapping | None):
        _walk_map(want, have or {}, path, found, strict=strict, filled=filled)
    elif isinstance(want, list) and isinstance(have, list | None):
        _walk_list(want, have or [], path, found, strict=strict, filled=filled)
    elif not _equal(want, have, path):
        found.append(field_change(path, said(have), said(want)))


def _walk_map(
    want: Mapping[str, Any],
    have: Mapping[str, Any],
    path: str,
    found: list[FieldChange],
    *,
    strict: bool,
    filled: bool,
) -> None:
    for key, value in want.items():
        below = {
            "strict": strict or key in STRICT or _of_task(key, path),
            "filled": (filled or key in FILLED) and key not in _OWN,
        }
        _walk(value, have.get(key), f"{path}.{key}" if path else key, found, **below)
    for key, value in have.items():
        if key not in want and _is_extra(key, value, strict=strict, filled=filled):
            found.append(FieldChange(f"{path}.{key}" if path else key, "(set)", ""))


def _is_extra(key: str, value: Any, *, strict: bool, filled: bool) -> bool:
    """Whether what only the live job has is somebody's, and not what Nomad filled in."""
    if key in FILLED or (filled and not strict and key not in _OWN) or _implied(key, value) or _mesh(key, value):
        return False
    if isinstance(value, dict | list):
        return True
    return (strict or key in STRICT) and value != _DEFAULTS.get(key)


def _walk_list(
    want: Sequence[Any], have: Sequence[Any], path: str, found: list[FieldChange], *, strict: bool, filled: bool
) -> None:
    if path.endswith("Constraints"):
        have = [c for c in have if c in want or not _implied_constraint(c)]
    elif path.endswith(("Tasks", "DynamicPorts", "Networks")):
        names = {_called(e) for e in want}
        have = [e for e in have if _called(e) in names or not _of_mesh(e)]
    if len(want) != len(have):
        found.append(FieldChange(path, f"{len(have)} elements", f"{len(want)} elements"))
        return
    for place, (a, b) in enumerate(zip(want, have, strict=True)):
        name = a.get("Name") or a.get("Label") or place if isinstance(a, Mapping) else place
        _walk(a, b, f"{path}[{name}]", found, strict=strict, filled=filled)


def _of_task(key: str, path: str) -> bool:
    """Whether this is a task's own restart policy: what is expected of it is known whole, from its group's."""
    return key == "RestartPolicy" and ".Tasks[" in path


def _called(element: Any) -> Any:
    return element.get("Name") or element.get("Label") if isinstance(element, Mapping) else None


def _mesh(key: str, value: Any) -> bool:
    return key in ("Tasks", "DynamicPorts") and isinstance(value, list) and all(_of_mesh(e) for e in value)


def _of_mesh(element: Any) -> bool:
    """Whether Nomad itself puts a task or a port beside a service that joins the mesh."""
    if not isinstance(element, Mapping):
        return False
    return str(element.get("Kind", "")).startswith("connect-") or str(element.get("Label", "")).startswith("connect-")


def _implied(key: str, value: Any) -> bool:
    return key == "Constraints" and all(_implied_constraint(c) for c in value)


def _implied_constraint(constraint: Any) -> bool:
    """Whether Nomad adds the constraint by itself, for what the job's blocks need of a client."""
    return isinstance(constraint, Mapping) and bool(_IMPLIED.match(str(constraint.get("LTarget", ""))))


def _equal(want: Any, have: Any, path: str) -> bool:
    if path.endswith("Signal"):  # Nomad writes them in capitals
        want, have = str(want or "").upper(), str(have or "").upper()
    if isinstance(want, str) and isinstance(have, str):  # Nomad's HCL2 normalises text (cty: NFC)
        return want == have or unicode_form("NFC", want) == unicode_form("NFC", have)
    return bool(want == have)
