"""A plan's diff as words: the leaves that Nomad names, redacted, in its own order.

Source: https://developer.hashicorp.com/nomad/api-docs/jobs#create-job-plan
"""

from collections.abc import Iterator, Mapping
from typing import Any

from herdsman.core.redact import field_change
from herdsman.model.observed import FieldChange, GroupUpdates

_CHANGED = frozenset({"Added", "Deleted", "Edited"})


def changes(diff: Mapping[str, Any] | None) -> tuple[FieldChange, ...]:
    """Every field that a plan's `Diff` shows as changed; empty where it shows none (which proves nothing)."""
    return tuple(_of_job(diff)) if diff else ()


def _of_job(diff: Mapping[str, Any]) -> Iterator[FieldChange]:
    yield from _of_object(diff, "")
    for group in diff.get("TaskGroups") or ():
        where = f"TaskGroups[{group.get('Name')}]"
        yield from _of_object(group, where)
        for task in group.get("Tasks") or ():
            yield from _of_object(task, f"{where}.Tasks[{task.get('Name')}]")


def _of_object(node: Mapping[str, Any], where: str) -> Iterator[FieldChange]:
    for field in node.get("Fields") or ():
        if field.get("Type") in _CHANGED:
            path = f"{where}.{field['Name']}" if where else str(field["Name"])
            yield field_change(path, field.get("Old") or "", field.get("New") or "")
    for child in node.get("Objects") or ():
        if child.get("Type") != "None":
            yield from _of_object(child, f"{where}.{child['Name']}" if where else str(child["Name"]))


def sentence(change: FieldChange) -> str:
    """One change as a line: `TaskGroups[web].Count: 1 → 3`."""
    return f"{change.path}: {change.old or '(none)'} → {change.new or '(none)'}"


def blast_radius(updates: Mapping[str, GroupUpdates]) -> str:
    """What a plan would do to allocations: `web: 2 replaced, 1 placed`; empty where nothing moves."""
    return "; ".join(f"{name}: {did}" for name, u in sorted(updates.items()) if (did := _said(u)))


def _said(u: GroupUpdates) -> str:
    parts = (
        (u.destructive, "replaced"),
        (u.in_place, "updated in place"),
        (u.place, "placed"),
        (u.stop, "stopped"),
        (u.canary, "canaries"),
        (u.migrate, "migrated"),
    )
    return ", ".join(f"{n} {word}" for n, word in parts if n)
