"""The shapes of statistics, in the words that users of the platform know: `cpu_num`, `cpu_MHz`, `memory_MB`, ….

Unlike the operator's own shapes these are not in camel case. Times are RFC 3339 in UTC; `_h` means that amount times
hours. What a caller may not see is left out here, by the `Scope` that the routes are given.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from herdsman.model.usage import (
    HOUR_MS,
    NOTHING,
    Amounts,
    Granularity,
    Holding,
    Node,
    NodeState,
    NodeUse,
    Occupation,
    Scope,
    Summary,
    UsageQuery,
    UsageReport,
)


class Statistics(Protocol):
    """What the routes need, at `app.state.stats`. `runtime.accountant.Accountant` is it."""

    def usage(self, query: UsageQuery) -> UsageReport:
        """Usage in pieces, and what is held now. Raises `UsageError`."""
        ...

    def occupation(self) -> Occupation | None:
        """The nodes when they were last listed; None where they never were."""
        ...

    def summary(self, namespace: str) -> Summary | None:
        """The tables of a namespace; None where nothing is known of it."""
        ...

    def now(self) -> int:
        """The time of day, in milliseconds since the epoch."""
        ...


def told(at: int) -> str:
    """A time as the API writes it."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Stats(BaseModel):
    """What all shapes here have in common."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


# -- usage -------------------------------------------------------------------------------------------------------------


class AmountsOut(Stats):
    """What is held at one moment."""

    cpu_num: int = Field(description="cores reserved", examples=[4])
    cpu_mhz: int = Field(alias="cpu_MHz", description="CPU in MHz, that of reserved cores included", examples=[10400])
    gpu_num: int = Field(examples=[1])
    memory_mb: int = Field(alias="memory_MB", examples=[8000])
    disk_mb: int = Field(alias="disk_MB", examples=[10000])
    allocations: int = Field(examples=[1])

    @classmethod
    def of(cls, a: Amounts) -> "AmountsOut":
        """The shape of *a*."""
        return cls(
            cpu_num=a.cores,
            cpu_mhz=a.cpu_mhz,
            gpu_num=a.gpus,
            memory_mb=a.memory_mb,
            disk_mb=a.disk_mb,
            allocations=a.allocations,
        )


class UsedOut(Stats):
    """What was used over time, in resource-hours."""

    cpu_num_h: float = Field(examples=[96.0])
    cpu_mhz_h: float = Field(alias="cpu_MHz_h", examples=[249600.0])
    gpu_num_h: float = Field(examples=[24.0])
    memory_mb_h: float = Field(alias="memory_MB_h", examples=[192000.0])
    disk_mb_h: float = Field(alias="disk_MB_h", examples=[240000.0])
    allocations_h: float = Field(examples=[24.0])

    @classmethod
    def of(cls, a: Amounts) -> "UsedOut":
        """The shape of *a*, which is in milliseconds."""
        return cls(
            cpu_num_h=a.cores / HOUR_MS,
            cpu_mhz_h=a.cpu_mhz / HOUR_MS,
            gpu_num_h=a.gpus / HOUR_MS,
            memory_mb_h=a.memory_mb / HOUR_MS,
            disk_mb_h=a.disk_mb / HOUR_MS,
            allocations_h=a.allocations / HOUR_MS,
        )


class UsageRowOut(Stats):
    """What was used in one piece of time."""

    start: str = Field(examples=["2026-01-01T00:00:00.000Z"])
    end: str = Field(examples=["2026-01-02T00:00:00.000Z"])
    namespace: str = Field(description="empty where namespaces are not told apart", examples=["default"])
    owner: str = Field(description="empty for what is nobody's, and where owners are not told apart")
    used: UsedOut


class UsageOut(Stats):
    """Usage in pieces, in all, and now."""

    since: str
    until: str
    granularity: Granularity
    measured_at: str | None = Field(description="until when what runs is counted; null before the first look")
    current: AmountsOut
    total: UsedOut
    rows: list[UsageRowOut]

    @classmethod
    def of(cls, report: UsageReport) -> "UsageOut":
        """The shape of *report*."""
        return cls(
            since=told(report.query.since),
            until=told(report.query.until),
            granularity=report.query.granularity,
            measured_at=told(report.measured) if report.measured else None,
            current=AmountsOut.of(report.current),
            total=UsedOut.of(sum((row.used for row in report.rows), NOTHING)),
            rows=[
                UsageRowOut(
                    start=told(row.slot.start),
                    end=told(row.slot.end),
                    namespace=row.slot.namespace,
                    owner=row.slot.owner,
                    used=UsedOut.of(row.used),
                )
                for row in report.rows
            ],
        )


# -- summaries ---------------------------------------------------------------------------------------------------------


class SummaryOut(Stats):
    """The summaries of one namespace. Their columns are those of the tables that they come from."""

    full_agg: dict[str, int] = Field(
        alias="full-agg",
        description="all that was used in the namespace, in resource-days",
        examples=[{"cpu_num": 120, "cpu_MHz": 312000, "memory_MB": 240000, "disk_MB": 300000, "gpu_num": 12}],
    )
    timeseries: dict[str, list[int | str]] = Field(
        description="what was held on the average of each of the last 90 days, column by column",
        examples=[{"date": ["2026-01-01"], "cpu_num": [4], "gpu_num": [1], "running": [2]}],
    )
    users_agg: dict[str, int | str] | None = Field(
        alias="users-agg", description="the part of one owner, in resource-days; null where there is none"
    )

    @classmethod
    def of(cls, summary: Summary, *, owner: str | None) -> "SummaryOut":
        """The shape of *summary*, with the part of *owner* and of nobody else."""
        own = summary.users.get(owner) if owner is not None else None
        return cls(
            full_agg=dict(summary.full),
            timeseries={column: list(values) for column, values in summary.timeseries.items()},
            users_agg=None if own is None or owner is None else {"owner": owner, **own},
        )


# -- cluster -----------------------------------------------------------------------------------------------------------


class GpuOut(Stats):
    """One model of GPU."""

    gpu_total: int
    gpu_used: int


class CapacityOut(Stats):
    """What there is, and what is held of it by anybody. Memory and disk are in MiB."""

    cpu_total: int = Field(description="cores")
    cpu_used: int = Field(description="cores that are reserved; what is asked for in MHz is in cpu_MHz_used alone")
    cpu_mhz_total: int = Field(alias="cpu_MHz_total")
    cpu_mhz_used: int = Field(alias="cpu_MHz_used")
    ram_total: int
    ram_used: int
    disk_total: int
    disk_used: int
    gpu_total: int
    gpu_used: int
    gpu_models: dict[str, GpuOut]


class NodeOut(CapacityOut):
    """One node. Jobs are counted as far as the caller may see them."""

    name: str
    state: NodeState = Field(description="drained: it answers, and takes nothing new")
    eligibility: str = Field(examples=["eligible"])
    status: str = Field(description="what the node's metadata says of it, or Nomad, where it is not ready")
    type: str = Field(examples=["compute"])
    tags: str
    namespaces: list[str] = Field(description="whom it is meant for; empty for everybody")
    pool: str
    jobs_num: int
    reallocations: int = Field(description="allocations here whose place another has taken")
    by_namespace: dict[str, AmountsOut]


class DatacenterOut(Stats):
    """One datacenter."""

    nodes: dict[str, NodeOut]


class ClusterSumOut(CapacityOut):
    """All nodes that are shown, together. *free* is what ready nodes have left."""

    nodes: dict[NodeState, int]
    jobs_num: int
    cpu_mhz_free: int = Field(alias="cpu_MHz_free")
    cpu_free: int
    ram_free: int
    disk_free: int
    gpu_free: int


class ClusterOut(Stats):
    """The cluster, and who holds what of it."""

    datacenters: dict[str, DatacenterOut]
    cluster: ClusterSumOut
    by_namespace: dict[str, AmountsOut]
    updated_at: str = Field(description="when the nodes were listed")

    @classmethod
    def of(cls, found: Occupation, scope: Scope) -> "ClusterOut":
        """The shape of *found*, as far as *scope* allows it."""
        shown = [use for use in found.nodes if _meant_for(use.node, scope)]
        datacenters: defaultdict[str, dict[str, NodeOut]] = defaultdict(dict)
        for use in shown:
            datacenters[use.node.datacenter][use.node.id] = _node(use, scope)
        holdings = [holding for use in shown for holding in use.holdings]
        return cls(
            datacenters={name: DatacenterOut(nodes=nodes) for name, nodes in datacenters.items()},
            cluster=_cluster(shown, scope),
            by_namespace=_by_namespace([*holdings, *found.astray], scope),
            updated_at=told(found.at),
        )


def declared(node: Node) -> list[str]:
    """The namespaces that a node's metadata names: whole words, so that `ai` is not meant by `ai4eosc`."""
    return sorted(set(re.findall(r"[A-Za-z0-9-]+", node.meta.get("namespace", ""))))


def _meant_for(node: Node, scope: Scope) -> bool:
    names = declared(node)
    return scope.namespaces is None or not names or not scope.namespaces.isdisjoint(names)


def _node(use: NodeUse, scope: Scope) -> NodeOut:
    node, mine = use.node, _visible(use.holdings, scope)
    return NodeOut(
        **_capacity([use]),
        name=node.name,
        state=node.state,
        eligibility="eligible" if node.eligible else "ineligible",
        status=node.meta.get("status", node.status) if node.status == "ready" else node.status,
        type=node.meta.get("type", ""),
        tags=node.meta.get("tags", ""),
        namespaces=declared(node),
        pool=node.pool,
        jobs_num=sum(holding.jobs for holding in mine),
        reallocations=sum(holding.moved for holding in mine),
        by_namespace=_by_namespace(use.holdings, scope),
    )


def _visible(holdings: Iterable[Holding], scope: Scope) -> list[Holding]:
    return [holding for holding in holdings if scope.covers(holding.namespace, holding.owner)]


def _by_namespace(holdings: Iterable[Holding], scope: Scope) -> dict[str, AmountsOut]:
    found: defaultdict[str, Amounts] = defaultdict(Amounts)
    for holding in _visible(holdings, scope):
        found[holding.namespace] += holding.amounts
    return {name: AmountsOut.of(found[name]) for name in sorted(found)}


def _capacity(uses: Sequence[NodeUse]) -> dict[str, object]:
    total = sum((use.node.capacity for use in uses), NOTHING)
    used = sum((use.used for use in uses), NOTHING)
    models = _models(use.node.gpu_models for use in uses)
    taken = _models(holding.gpu_models for use in uses for holding in use.holdings)
    return {
        "cpu_total": total.cores,
        "cpu_used": used.cores,
        "cpu_mhz_total": total.cpu_mhz,
        "cpu_mhz_used": used.cpu_mhz,
        "ram_total": total.memory_mb,
        "ram_used": used.memory_mb,
        "disk_total": total.disk_mb,
        "disk_used": used.disk_mb,
        "gpu_total": total.gpus,
        "gpu_used": used.gpus,
        "gpu_models": {m: GpuOut(gpu_total=models[m], gpu_used=taken[m]) for m in sorted({*models, *taken})},
    }


def _models(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    return sum((Counter(each) for each in counts), Counter[str]())


def _cluster(uses: Sequence[NodeUse], scope: Scope) -> ClusterSumOut:
    ready = [use for use in uses if use.node.state is NodeState.READY]
    free = sum((_left(use) for use in ready), NOTHING)
    states = Counter(use.node.state for use in uses)
    return ClusterSumOut(
        **_capacity(uses),
        nodes={state: states[state] for state in NodeState},
        jobs_num=sum(holding.jobs for use in uses for holding in _visible(use.holdings, scope)),
        cpu_mhz_free=free.cpu_mhz,
        cpu_free=free.cores,
        ram_free=free.memory_mb,
        disk_free=free.disk_mb,
        gpu_free=free.gpus,
    )


def _left(use: NodeUse) -> Amounts:
    """What a node has left; nothing, where more is held than it has."""
    return (use.node.capacity + use.used.times(-1)).largest(NOTHING)
