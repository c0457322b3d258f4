"""The `Diff` of a plan and of a job's versions, worded as Nomad words it.

`blocks` says what shows; here it is compared. At the level of jobs, groups and tasks only what changed is named; inside
an edited block (`contextual`) every leaf is, changed or not. A group or task is `Edited` as soon as anything in it
differs, shown or not; a job only if something below it does.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from herdsman.devnomad.structs import blocks
from herdsman.devnomad.structs.changed import without_policy_id
from herdsman.devnomad.structs.parts import Block, Each, Leaves, Named, One, Part, Services, Strings
from herdsman.devnomad.structs.shapes import Json

NONE, ADDED, DELETED, EDITED = "None", "Added", "Deleted", "Edited"

_CREATE = "forces create"
_DESTROY = "forces destroy"
_IN_PLACE = "forces in-place update"
_REPLACE = "forces create/destroy update"
_UPDATES = {
    "Ignore": "ignore",
    "Place": "create",
    "Migrate": "migrate",
    "Stop": "destroy",
    "Canary": "canary",
    "InPlaceUpdate": "in-place update",
    "DestructiveUpdate": "create/destroy update",
}
# Two services are not the same one unless more than this speaks for it.
_UNLIKE = 2
_FIELDS_IN_PLACE = frozenset({"KillTimeout"})
_OBJECTS_IN_PLACE = frozenset({"Constraint", "Service"})


def diff(old: Json | None, new: Json | None, *, contextual: bool = True) -> Json:
    """How two jobs in stored form differ; a job that is not there yet, or no more, is None."""
    fields = _fields(blocks.JOB, old, new, contextual=False)
    objects = _objects(blocks.JOB, old, new, contextual=contextual)
    groups = [
        _group(before, after, contextual=contextual)
        for before, after in _by_name((old or {}).get("TaskGroups"), (new or {}).get("TaskGroups"))
    ]
    kind = _presence(old, new)
    if kind == EDITED and all(part["Type"] == NONE for part in (*fields, *objects, *groups)):
        kind = NONE
    return {
        "Type": kind,
        "ID": (new or old or {}).get("ID", ""),
        "Fields": fields or None,
        "Objects": objects or None,
        "TaskGroups": groups or None,
    }


def annotate(diff: Json, desired_updates: Mapping[str, Mapping[str, int]]) -> None:
    """Add what the scheduler would do (`DesiredTGUpdates`, by group) to a diff, in place."""
    for group in diff["TaskGroups"] or ():
        desired = desired_updates.get(group["Name"])
        if desired is not None:
            group["Updates"] = {word: desired[key] for key, word in _UPDATES.items() if desired.get(key)}
        _annotate_count(group)
        for task in group["Tasks"] or ():
            task["Annotations"] = _task_annotations(task, group)


def _annotate_count(group: Json) -> None:
    for one in group["Fields"] or ():
        if one["Name"] == "Count":
            old, new = int(one["Old"] or 0), int(one["New"] or 0)
            one["Annotations"] = [_CREATE] if new > old else [_DESTROY] if new < old else None


def _task_annotations(task: Json, group: Json) -> list[str] | None:
    if task["Type"] == NONE:
        return None
    if group["Type"] == ADDED:
        return [_CREATE]
    if group["Type"] == DELETED:
        return [_DESTROY]
    fields = (one["Name"] for one in task["Fields"] or () if one["Type"] != NONE)
    objects = (one["Name"] for one in task["Objects"] or () if one["Type"] != NONE)
    in_place = _FIELDS_IN_PLACE.issuperset(fields) and _OBJECTS_IN_PLACE.issuperset(objects)
    return [_IN_PLACE if in_place else _REPLACE]


def _presence(old: object, new: object) -> str:
    return ADDED if old is None else DELETED if new is None else EDITED


def _by_name(old: Sequence[Json] | None, new: Sequence[Json] | None) -> Iterator[tuple[Any, Any]]:
    """Pairs of blocks of the same name, in the order of names."""
    before = {str(one["Name"]): one for one in old or ()}
    after = {str(one["Name"]): one for one in new or ()}
    for name in sorted(before | after):
        yield before.get(name), after.get(name)


def _group(old: Json | None, new: Json | None, *, contextual: bool) -> Json:
    tasks = [
        _task(before, after, contextual=contextual)
        for before, after in _by_name((old or {}).get("Tasks"), (new or {}).get("Tasks"))
    ]
    same = (old and without_policy_id(old)) == (new and without_policy_id(new))
    fields, objects = ([], []) if same else _inside(blocks.GROUP, old, new, contextual=contextual)
    return {
        "Type": NONE if same else _presence(old, new),
        "Name": (new or old or {})["Name"],
        "Fields": fields or None,
        "Objects": objects or None,
        "Tasks": tasks or None,
        "Updates": None,
    }


def _task(old: Json | None, new: Json | None, *, contextual: bool) -> Json:
    same = old == new
    fields, objects = ([], []) if same else _inside(blocks.TASK, old, new, contextual=contextual)
    return {
        "Type": NONE if same else _presence(old, new),
        "Name": (new or old or {})["Name"],
        "Fields": fields or None,
        "Objects": objects or None,
        "Annotations": None,
    }


def _inside(block: Block, old: Json | None, new: Json | None, *, contextual: bool) -> tuple[list[Json], list[Json]]:
    return _fields(block, old, new, contextual=False), _objects(block, old, new, contextual=contextual)


def _fields(block: Block, old: Json | None, new: Json | None, *, contextual: bool) -> list[Json]:
    before = block.leaves(old) if old is not None else {}
    after = block.leaves(new) if new is not None else {}
    if block is blocks.GROUP and old is not None and new is not None:
        for key in blocks.GROUP_POINTERS:
            before[key] = "" if old[key] is None else str(old[key])
            after[key] = "" if new[key] is None else str(new[key])
    return _leaf_diffs(before, after, contextual=contextual and block.contextual)


def _leaf_diffs(before: Leaves, after: Leaves, *, contextual: bool) -> list[Json]:
    if not contextual and before == after:
        return []
    names = sorted(before | after)
    pairs = ((name, before.get(name, ""), after.get(name, "")) for name in names)
    return [_leaf(name, old, new) for name, old, new in pairs if contextual or old != new]


def _leaf(name: str, old: str, new: str) -> Json:
    kind = NONE if old == new else ADDED if not old else DELETED if not new else EDITED
    return {"Type": kind, "Name": name, "Old": old, "New": new, "Annotations": None}


def _objects(block: Block, old: Json | None, new: Json | None, *, contextual: bool) -> list[Json]:
    found: list[Json] = []
    for part in block.parts:
        before = old.get(part.key) if old is not None else None
        after = new.get(part.key) if new is not None else None
        if before != after or isinstance(part, Strings):
            found += _part(part, before, after, contextual=contextual)
    return found


def _part(part: Part, old: Any, new: Any, *, contextual: bool) -> Iterator[Json]:
    match part:
        case Strings():
            shown = _strings(part, old or (), new or (), contextual=contextual)
            if shown is not None:
                yield shown
            return
        case One():
            pairs: Iterator[tuple[Any, Any]] = iter([(old or None, new or None)])
        case Each():
            pairs = _pairs(part, old or (), new or ())
        case Services():
            pairs = _matched(old or (), new or ())
        case Named():
            names = sorted({*(old or {}), *(new or {})})
            pairs = (((old or {}).get(name), (new or {}).get(name)) for name in names)
    for before, after in pairs:
        shown = _object(part.block, before, after, contextual=contextual)
        if shown is not None:
            yield shown


def _strings(part: Strings, old: Sequence[Any], new: Sequence[Any], *, contextual: bool) -> Json | None:
    before, after = {str(one) for one in old}, {str(one) for one in new}
    if before == after and (part.if_changed or not contextual or not before):
        return None
    gone = [_leaf(part.key, one, "") for one in before - after]
    kept = [_leaf(part.key, one, one) for one in before & after] if contextual else []
    come = [_leaf(part.key, "", one) for one in after - before]
    kind = EDITED if gone and come else ADDED if come else DELETED if gone else NONE
    fields = sorted((*gone, *kept, *come), key=lambda leaf: (leaf["Old"], leaf["New"]))
    return {"Type": kind, "Name": part.key, "Fields": fields, "Objects": None}


def _pairs(part: Each, old: Sequence[Json], new: Sequence[Json]) -> Iterator[tuple[Any, Any]]:
    if part.identity is None:
        yield from ((one, None) for one in _others(old, new))
        yield from ((None, one) for one in _others(new, old))
        return
    before = {one[part.identity]: one for one in old}
    after = {one[part.identity]: one for one in new}
    yield from ((before.get(name), after.get(name)) for name in before | after)


def _others(some: Sequence[Json], than: Sequence[Json]) -> Iterator[Json]:
    """Each once."""
    return (one for index, one in enumerate(some) if one not in than and one not in some[:index])


def _matched(old: Sequence[Json], new: Sequence[Json]) -> Iterator[tuple[Any, Any]]:
    """A service alone in its list is the same one whatever changed; else name, port and place decide."""
    if len(old) == len(new) == 1:
        yield old[0], new[0]
        return
    left = dict(enumerate(new))
    for place, service in enumerate(old):
        scores = {index: _likeness(service, other, same_place=index == place) for index, other in left.items()}
        best = max(scores, key=lambda index: (scores[index], -index), default=None)
        yield service, left.pop(best) if best is not None and scores[best] > _UNLIKE else None
    yield from ((None, service) for service in left.values())


def _likeness(service: Json, other: Json, *, same_place: bool) -> int:
    same_port, same_name = service["PortLabel"] == other["PortLabel"], service["Name"] == other["Name"]
    return same_place + 2 * int(same_port) + 3 * int(same_name)


def _object(block: Block, old: Json | None, new: Json | None, *, contextual: bool) -> Json | None:
    if old == new:
        return None
    fields = _fields(block, old, new, contextual=contextual)
    objects = _objects(block, old, new, contextual=contextual)
    kind = _leaf_kind(fields) if block.by_leaves else _presence(old, new)
    if kind == NONE:
        return None
    return {"Type": kind, "Name": block.name, "Fields": fields or None, "Objects": objects or None}


def _leaf_kind(fields: Sequence[Json]) -> str:
    kinds = {leaf["Type"] for leaf in fields} - {NONE}
    return EDITED if len(kinds) > 1 else kinds.pop() if kinds else NONE
