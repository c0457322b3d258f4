"""Usage from allocations: what one takes, how sightings become spans, and spans become figures.

Sightings may come late, twice or in any order: a span keeps the best that is known of each end, and forgets nothing.
Nomad's rows are read as documented at https://developer.hashicorp.com/nomad/api-docs/allocations and `…/nodes`.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from herdsman.errors import UsageError
from herdsman.model.keys import Key, job_key
from herdsman.model.usage import (
    DAY_MS,
    HOUR_MS,
    NOTHING,
    Amounts,
    Evidence,
    Granularity,
    Holding,
    Node,
    NodeUse,
    Occupation,
    Sighting,
    Slot,
    Span,
    Summary,
    UsageQuery,
    UsageRow,
)

PIECES = 5000
"""Pieces of time that one answer may have: seven months of hours."""

ROWS = 100_000
"""Rows that one answer may have: so many that nobody reads them."""

DAYS_SHOWN = 90
"""Days in the time series of a summary."""

_CHILD = re.compile(r"(?P<parent>.+?)/(?:periodic-\d+|dispatch-\d+-[0-9a-f]+)(?:/|$)", re.DOTALL)
_ENDED = frozenset({"complete", "failed", "lost"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


# -- what Nomad lists --------------------------------------------------------------------------------------------------


def sightings(raw: Iterable[Mapping[str, Any]] | None) -> list[Sighting]:
    """A page of allocations."""
    return [sighting(row) for row in raw or ()]


def nodes(raw: Iterable[Mapping[str, Any]] | None) -> list[Node]:
    """A page of nodes."""
    return [node(row) for row in raw or ()]


def sighting(raw: Mapping[str, Any]) -> Sighting:
    """A row of `GET /v1/allocations?resources=true&task_states=true`."""
    resources = raw.get("AllocatedResources") or {}
    created = int(raw["CreateTime"]) // 1_000_000
    evidence, ended = _end(raw)
    return Sighting(
        id=raw["ID"],
        job=job_key(raw["Namespace"], raw["JobID"]),
        group=raw.get("TaskGroup") or "",
        node=raw.get("NodeID") or "",
        index=int(raw["ModifyIndex"]),
        created=created,
        ended=ended if ended is None else max(created, ended),  # clocks of servers and clients differ
        evidence=evidence,
        amounts=held(resources),
        gpu_models=_gpus(resources),
        moved=bool(raw.get("NextAllocation")),
    )


def _end(raw: Mapping[str, Any]) -> tuple[Evidence, int | None]:
    """When the last task ended; where no task says so, when Nomad wrote that it is over."""
    if raw["ClientStatus"] not in _ENDED:
        return Evidence.LIVE, None
    states = [state or {} for state in (raw.get("TaskStates") or {}).values()]
    finished = [at for state in states if (at := _time(state.get("FinishedAt"))) is not None]
    if finished and all(state.get("State") == "dead" for state in states):
        return Evidence.FINISHED, max(finished)
    return Evidence.MODIFIED, int(raw.get("ModifyTime") or raw["CreateTime"]) // 1_000_000


def _time(text: str | None) -> int | None:
    """An RFC 3339 time in milliseconds; None for Go's zero time, which means never."""
    if not text or text.startswith("0001-"):
        return None
    return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND


def held(resources: Mapping[str, Any]) -> Amounts:
    """What an allocation holds (`AllocatedResources`): as much as its tasks need at the busiest of its three stages.

    Tasks that run before the others, and are over then, share their room with them; so do those that run after.
    """
    hooks = resources.get("TaskLifecycles") or {}
    before = main = after = NOTHING
    for name, task in (resources.get("Tasks") or {}).items():
        needs, lifecycle = _needs(task), hooks.get(name) or {}
        match lifecycle.get("Hook"):
            case "prestart":
                before += needs
                main += needs if lifecycle.get("Sidecar") else NOTHING
            case "poststop":
                after += needs
            case _:
                main += needs
    disk = int((resources.get("Shared") or {}).get("DiskMB") or 0)
    return replace(before.largest(main).largest(after), disk_mb=disk, allocations=1)


def _needs(task: Mapping[str, Any]) -> Amounts:
    cpu, memory = task.get("Cpu") or {}, task.get("Memory") or {}
    return Amounts(
        cpu_mhz=int(cpu.get("CpuShares") or 0),
        cores=len(cpu.get("ReservedCores") or ()),
        gpus=sum(_devices(task).values()),
        memory_mb=int(memory.get("MemoryMB") or 0),
    )


def _gpus(resources: Mapping[str, Any]) -> Mapping[str, int]:
    """How many of each model. No two tasks of an allocation ever hold the same device."""
    return dict(sum((_devices(task) for task in (resources.get("Tasks") or {}).values()), Counter[str]()))


def _devices(task: Mapping[str, Any]) -> Counter[str]:
    found = Counter[str]()
    for device in task.get("Devices") or ():
        if device.get("Type") == "gpu":
            found[str(device.get("Name") or "")] += len(device.get("DeviceIDs") or ())
    return found


def node(raw: Mapping[str, Any]) -> Node:
    """A row of `GET /v1/nodes?resources=true`, which has no metadata."""
    has, keeps = raw.get("NodeResources") or {}, raw.get("ReservedResources") or {}
    models = Counter[str]()
    for device in has.get("Devices") or ():
        if device.get("Type") == "gpu":
            models[str(device.get("Name") or "")] += len(device.get("Instances") or ())
    cores = len((has.get("Cpu") or {}).get("ReservableCpuCores") or ())
    cores = cores or int((has.get("Cpu") or {}).get("TotalCpuCores") or 0)
    left = {
        field: max(0, _amount(has, *path) - _amount(keeps, *path))
        for field, path in (
            ("cpu_mhz", ("Cpu", "CpuShares")),
            ("memory_mb", ("Memory", "MemoryMB")),
            ("disk_mb", ("Disk", "DiskMB")),
        )
    }
    return Node(
        id=raw["ID"],
        name=raw.get("Name") or "",
        datacenter=raw.get("Datacenter") or "",
        pool=raw.get("NodePool") or "",
        status=raw["Status"],
        eligible=raw.get("SchedulingEligibility") == "eligible",
        draining=bool(raw.get("Drain")),
        index=int(raw["ModifyIndex"]),
        capacity=Amounts(cores=cores, gpus=sum(models.values()), **left),
        gpu_models=dict(models),
    )


def _amount(resources: Mapping[str, Any], kind: str, unit: str) -> int:
    return int((resources.get(kind) or {}).get(unit) or 0)


def parent(key: Key) -> Key | None:
    """The job that somebody declared and that launched this one, by the name that Nomad gives to such a child."""
    child = _CHILD.match(key.name)
    return replace(key, name=child["parent"]) if child else None


# -- from sightings to spans -------------------------------------------------------------------------------------------


def absorb(known: Span | None, seen: Sighting, *, owner: str, at: int, latest: bool, floor: int = 0) -> Span | None:
    """What is known of an allocation after it was seen *at* that time; None where that is nothing worth to remember.

    *latest* says that nobody looked later: only then does one that lives live now. Before *floor* everything is
    accounted for and forgotten: of an allocation that nobody knows, what lies before may be in there already.
    """
    alive, evidence, end = seen.evidence is Evidence.LIVE, seen.evidence, seen.ended
    if alive and not latest:
        evidence, end = Evidence.GONE, max(at, seen.created)
    if known is None and end is not None and end <= floor:
        return None
    fresh = Span(
        id=seen.id,
        namespace=seen.job.namespace,
        job=seen.job.name,
        owner=owner,
        start=max(seen.created, floor) if known is None else known.start,
        end=end,
        evidence=evidence,
        index=seen.index,
        amounts=seen.amounts,
    )
    return fresh if known is None else merged(known, fresh)


def merged(one: Span, other: Span) -> Span:
    """The best of what two accounts of one allocation say."""
    newer = other if other.index > one.index else one
    if one.evidence is not other.evidence:
        better = max(one, other, key=lambda span: span.evidence)
        end, evidence = better.end, better.evidence
    else:
        evidence = one.evidence
        ends = [span.end for span in (one, other) if span.end is not None]
        end = (max(ends) if evidence is Evidence.GONE else min(ends)) if ends else None
    start, owner = min(one.start, other.start), one.owner or other.owner
    return replace(newer, owner=owner, start=start, end=end, evidence=evidence)


def vanished(span: Span, *, last_seen: int) -> Span:
    """A span that lived when it was last seen, and of which Nomad knows nothing any more."""
    return replace(span, end=max(span.start, last_seen), evidence=Evidence.GONE)


# -- from spans to figures ---------------------------------------------------------------------------------------------


def floor_of(at: int, granularity: Granularity) -> int:
    """When the piece began that *at* lies in."""
    match granularity:
        case Granularity.HOUR:
            return at - at % HOUR_MS
        case Granularity.DAY:
            return at - at % DAY_MS
        case Granularity.MONTH:
            first = (_EPOCH + at * _MILLISECOND).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            return (first - _EPOCH) // _MILLISECOND
        case Granularity.TOTAL:
            return at


def edges(since: int, until: int, granularity: Granularity) -> list[int]:
    """Where the pieces from *since* to *until* begin, and where the last one ends. Raises `UsageError`."""
    if since >= until:
        raise UsageError("the time asked for ends before it begins", hint="since has to lie before until")
    found = [since]
    while (following := _next(found[-1], granularity, until)) < until:
        found.append(following)
        if len(found) > PIECES:
            raise UsageError(
                f"that would be more than {PIECES} pieces of one {granularity.value} each",
                hint="ask for a shorter time, or for longer pieces",
            )
    return [*found, until]


def _next(at: int, granularity: Granularity, until: int) -> int:
    begins = floor_of(at, granularity)
    match granularity:
        case Granularity.HOUR:
            return begins + HOUR_MS
        case Granularity.DAY:
            return begins + DAY_MS
        case Granularity.MONTH:
            return floor_of(begins + 32 * DAY_MS, Granularity.MONTH)
        case Granularity.TOTAL:
            return until


class Held(NamedTuple):
    """So much, by that owner in that namespace, from *start* to *end*."""

    namespace: str
    owner: str
    start: int
    end: int
    amounts: Amounts


def lasting(span: Span, *, measured: int) -> Held:
    """A span with an end: one that lives is counted until it was last seen."""
    end = measured if span.end is None else span.end
    return Held(span.namespace, span.owner, span.start, max(span.start, end), span.amounts)


def accounted(pieces: Iterable[Held], query: UsageQuery) -> dict[Slot, Amounts]:
    """What *query* asks for: every piece is split at the edges that it crosses."""
    bounds = edges(query.since, query.until, query.granularity)
    found: defaultdict[Slot, Amounts] = defaultdict(Amounts)
    for piece in pieces:
        if not query.scope.covers(piece.namespace, piece.owner):
            continue
        named = piece.namespace if query.by_namespace else "", piece.owner if query.by_owner else ""
        for start, end, shared in _shares(piece.start, piece.end, bounds):
            found[Slot(start, end, *named)] += piece.amounts.times(shared)
        if len(found) > ROWS:
            raise UsageError(
                f"that would be more than {ROWS} rows", hint="ask for a shorter time, longer pieces, or fewer owners"
            )
    return dict(found)


def _shares(start: int, end: int, bounds: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """The pieces that lie between *start* and *end*: where each begins and ends, and how long it was shared."""
    first = max(0, bisect_right(bounds, start) - 1)
    last = min(len(bounds) - 1, bisect_left(bounds, end))
    for low, high in zip(bounds[first:last], bounds[first + 1 : last + 1], strict=True):
        shared = min(end, high) - max(start, low)
        if shared > 0:
            yield low, high, shared


def rows(found: Mapping[Slot, Amounts]) -> list[UsageRow]:
    """In the order of time, namespace and owner."""
    return [UsageRow(slot, used) for slot, used in sorted(found.items())]


def whole_days(query: UsageQuery, *, floor: int) -> None:
    """Raise `UsageError` where *query* cuts days of which only the whole is known: those before *floor*."""
    cuts = [at for at in (query.since, query.until) if at < floor and at % DAY_MS]
    if query.since < floor and (cuts or query.granularity is Granularity.HOUR):
        day = (_EPOCH + floor * _MILLISECOND).date()
        raise UsageError(
            f"usage before {day} is kept by the day, not by the hour",
            hint="ask for whole days in UTC, with the granularity day, month or total",
        )


# -- who holds what now ------------------------------------------------------------------------------------------------


def occupation(listed: Iterable[Node], seen: Iterable[Sighting], owners: Mapping[Key, str], *, at: int) -> Occupation:
    """Every node with what is held of it, by namespace and owner."""
    groups: defaultdict[tuple[str, str, str], list[Sighting]] = defaultdict(list)
    for one in seen:
        if one.evidence is Evidence.LIVE:
            groups[one.node, one.job.namespace, owners.get(one.job, "")].append(one)
    by_node: defaultdict[str, list[Holding]] = defaultdict(list)
    for (where, namespace, owner), there in sorted(groups.items()):
        by_node[where].append(_holding(namespace, owner, there))
    in_order = sorted(listed, key=lambda n: (n.datacenter, n.name, n.id))
    uses = [NodeUse(n, by_node.pop(n.id, ())) for n in in_order]
    return Occupation(at, uses, [holding for rest in by_node.values() for holding in rest])


def _holding(namespace: str, owner: str, there: Sequence[Sighting]) -> Holding:
    return Holding(
        namespace=namespace,
        owner=owner,
        amounts=sum((one.amounts for one in there), NOTHING),
        gpu_models=dict(sum((Counter(one.gpu_models) for one in there), Counter[str]())),
        jobs=len({one.job for one in there}),
        moved=sum(one.moved for one in there),
    )


# -- summaries ---------------------------------------------------------------------------------------------------------

_COLUMNS = {
    "cpu_num": "cores",
    "cpu_MHz": "cpu_mhz",
    "memory_MB": "memory_mb",
    "disk_MB": "disk_mb",
    "gpu_num": "gpus",
}
"""The columns of the summaries, as their readers know them."""


def shown_since(until: int) -> int:
    """The first day in the time series of a summary."""
    return floor_of(until - 1, Granularity.DAY) - (DAYS_SHOWN - 1) * DAY_MS


def summary(total: Iterable[UsageRow], daily: Iterable[UsageRow], *, since: int, until: int) -> Summary:
    """The tables of one namespace: from its *total* usage by owner, and from the *daily* one between these times.

    A day on which nothing ran has its row too, and today is as long as it has lasted.
    """
    owners, days = defaultdict[str, Amounts](Amounts), defaultdict[int, Amounts](Amounts)
    for row in total:
        owners[row.slot.owner] += row.used
    for row in daily:
        days[floor_of(row.slot.start, Granularity.DAY)] += row.used
    shown = range(floor_of(since, Granularity.DAY), until, DAY_MS)
    series: dict[str, list[int | str]] = {"date": [(_EPOCH + day * _MILLISECOND).date().isoformat() for day in shown]}
    for column, unit in {**_COLUMNS, "running": "allocations"}.items():
        series[column] = [_nearest(getattr(days[day], unit), min(DAY_MS, until - day)) for day in shown]
    everybody = sum(owners.values(), NOTHING)
    return Summary(_in_days(everybody), series, {owner: _in_days(used) for owner, used in sorted(owners.items())})


def _in_days(used: Amounts) -> dict[str, int]:
    return {column: _nearest(getattr(used, unit), DAY_MS) for column, unit in _COLUMNS.items()}


def _nearest(used: int, length: int) -> int:
    return (used + length // 2) // length
