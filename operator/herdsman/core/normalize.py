"""Which differences count: Nomad's own bookkeeping, fields of others and empty values out, the rest stays.

Two forms of a job meet here. *Canonical* bodies are what Nomad answers; two of them are compared exactly, but for
what the server keeps and for what is empty (absent, null, zero and empty are one, so that a Nomad upgrade that adds a
field is no drift). A *desired* body is what a person wrote; it is compared with a canonical one only where nothing
is remembered, and then leniently where Nomad fills in, strictly where a plan is known to be blind (design §1.14).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from herdsman.core.fields import copy_at, remove_at
from herdsman.core.redact import field_change
from herdsman.model.desired import CountSource, Policy, Stopped
from herdsman.model.observed import STAMP, Body, FieldChange

SERVER_KEPT = frozenset(
    {
        "Status", "StatusDescription", "Stable", "Version", "VersionTag", "SubmitTime", "CreateIndex", "ModifyIndex",
        "JobModifyIndex", "NomadTokenID", "ConsulToken", "VaultToken", "Dispatched", "DispatchIdempotencyToken",
        "ParentID", "Payload",
    }
)  # fmt: skip
"""Keys of a job that Nomad writes itself."""

_NAMES = ("Name", "Label", "ID", "Value", "DestPath", "RelativeDest")
"""What tells the elements of a list apart, first match wins: a list of groups is compared by name, not by place."""


# -- canonical against canonical --------------------------------------------------------------------------------------


def canonical(body: Body) -> dict[str, Any]:
    """*body* without what the server keeps and without what is empty."""
    pruned: dict[str, Any] = _pruned({k: v for k, v in body.items() if k not in SERVER_KEPT})
    for group in pruned.get("TaskGroups") or ():
        for policy in _scaling_policies(group):
            for name in _POLICY_KEPT:
                policy.pop(name, None)
    return pruned


_POLICY_KEPT = ("ID", "CreateIndex", "ModifyIndex")
"""What Nomad writes into a scaling policy, and not the same way at every register."""


def _scaling_policies(group: Any) -> Iterator[dict[str, Any]]:
    if isinstance(group, dict):
        tasks = [t for t in group.get("Tasks") or () if isinstance(t, dict)]
        for policy in (group.get("Scaling"), *(p for t in tasks for p in t.get("ScalingPolicies") or ())):
            if isinstance(policy, dict):
                yield policy


def _pruned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: p for k, v in value.items() if not _empty(p := _pruned(v))}
    if isinstance(value, list | tuple):
        return [_pruned(v) for v in value]
    return value


def _empty(value: Any) -> bool:
    return value is None or value is False or value in (0, "") or (isinstance(value, dict | list) and not value)


def masked(body: Body, policy: Policy) -> dict[str, Any]:
    """The canonical *body* without what belongs to others: ignored paths, autoscaled counts, a respected stop."""
    left = canonical(body)
    scaled = {g.get("Name") for g in body.get("TaskGroups") or () if autoscaled(g, policy)}
    for group in left.get("TaskGroups") or ():
        if group.get("Name") in scaled:
            group.pop("Count", None)
    if policy.stopped is Stopped.RESPECT:
        left.pop("Stop", None)
    for path in policy.ignore:
        remove_at(left, path)
    return canonical(left)


def autoscaled(group: Mapping[str, Any], policy: Policy) -> bool:
    """Whether a group's count belongs to an autoscaler: it has a `scaling` block that is not switched off."""
    scaling = group.get("Scaling") or {}
    return policy.count is CountSource.LIVE and bool(scaling) and scaling.get("Enabled") is not False


def drifted(remembered: Body, live: Body, policy: Policy) -> tuple[FieldChange, ...]:
    """What differs between the job that Nomad made of our last write and the one it has now."""
    return differences(masked(remembered, policy), masked(live, policy))


def differences(old: Any, new: Any, path: str = "") -> tuple[FieldChange, ...]:
    """The leaves in which *old* and *new* differ, in the order of their paths, values fit to be shown."""
    found: list[FieldChange] = []
    _differ(old, new, path, found)
    return tuple(found)


def _differ(old: Any, new: Any, path: str, found: list[FieldChange]) -> None:
    if old == new and type(old) is type(new):
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            _differ(old.get(key), new.get(key), _below(path, key), found)
    elif isinstance(old, list) and isinstance(new, list):
        _differ_lists(old, new, path, found)
    elif _branch(old) or _branch(new):
        _differ(*_both_branches(old, new), path, found)
    else:
        found.append(field_change(path, said(old), said(new)))


def _branch(value: Any) -> bool:
    return isinstance(value, Mapping | list) and bool(value)


def _both_branches(old: Any, new: Any) -> tuple[Any, Any]:
    """A missing block is told leaf by leaf, as an empty block of the other's kind."""
    kind: Callable[[], Any] = list if isinstance(old if _branch(old) else new, list) else dict
    return (old if isinstance(old, kind) else kind(), new if isinstance(new, kind) else kind())  # type: ignore[arg-type]


def _differ_lists(old: Sequence[Any], new: Sequence[Any], path: str, found: list[FieldChange]) -> None:
    name = _name_of([*old, *new])
    if name is None:
        left, right = dict(enumerate(old)), dict(enumerate(new))
    else:
        left, right = {e[name]: e for e in old}, {e[name]: e for e in new}
        if len(left) < len(old) or len(right) < len(new):  # a name twice: places tell more than names
            left, right = dict(enumerate(old)), dict(enumerate(new))
        elif left.keys() == right.keys() and list(left) != list(right):
            found.append(FieldChange(path, ", ".join(map(str, left)), ", ".join(map(str, right))))
    for key in [*left, *(k for k in right if k not in left)]:
        _differ(left.get(key), right.get(key), f"{path}[{key}]", found)


def _name_of(elements: Sequence[Any]) -> str | None:
    if not all(isinstance(e, Mapping) for e in elements):
        return None
    return next((n for n in _NAMES if all(isinstance(e.get(n), str) and e.get(n) for e in elements)), None)


_MAPS = ("Env", "Meta", "Config", "GetterOptions", "GetterHeaders", "Header", "CanaryMeta", "SysctlMap")


def _below(path: str, key: str) -> str:
    if path.rsplit(".", 1)[-1] in _MAPS:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def said(value: Any) -> str:
    """A leaf in Nomad's spelling: `true`, `5`, `text`, and nothing for nothing."""
    if value is None or isinstance(value, dict | list):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- what is sent ------------------------------------------------------------------------------------------------------


def spliced(desired: Body, live: Body | None, policy: Policy) -> dict[str, Any]:
    """*desired* with the values of others copied from *live*: so that plan, write and comparison agree on them."""
    body: dict[str, Any] = _copied(desired)
    if live is None:
        return body
    groups = {g.get("Name"): g for g in live.get("TaskGroups") or ()}
    for group in body.get("TaskGroups") or ():
        other = groups.get(group.get("Name"))
        if other is not None and autoscaled(group, policy) and isinstance(other.get("Count"), int):
            group["Count"] = _clamped(other["Count"], group["Scaling"], group.get("Count"))
    if policy.stopped is Stopped.RESPECT and live.get("Stop"):
        body["Stop"] = True
    for path in policy.ignore:
        copy_at(live, body, path)
    return body


def _clamped(count: int, scaling: Mapping[str, Any], wanted: Any) -> int:
    low = scaling.get("Min")
    low = wanted if low is None and isinstance(wanted, int) else low or 0
    high = scaling.get("Max")
    return max(int(low), count if high is None else min(count, int(high)))


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list | tuple) else value


def stamped(body: Body, fleet: str) -> dict[str, Any]:
    """*body* with the fleet's stamp in its `Meta`."""
    return {**body, "Meta": {**(body.get("Meta") or {}), STAMP: fleet}}


def allocations_wanted(body: Body) -> int:
    """How many allocations a canonical job asks for, summed over its groups."""
    if body.get("Stop"):
        return 0
    return sum(int(1 if (count := g.get("Count")) is None else count) for g in body.get("TaskGroups") or ())


def deploys(body: Body) -> bool:
    """Whether Nomad makes a deployment for the job: a service or system job with an `update` block that rolls."""
    if body.get("Type", "service") not in ("service", "system") or body.get("Periodic") or body.get("ParameterizedJob"):
        return False
    return any((g.get("Update") or {}).get("MaxParallel") and g.get("Count", 1) for g in body.get("TaskGroups") or ())
