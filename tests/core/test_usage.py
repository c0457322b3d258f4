"""Figures from allocations: what one holds, when it began and ended, and how time is cut into pieces."""

from datetime import UTC, datetime
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from herdsman.core.usage import (
    PIECES,
    Held,
    absorb,
    accounted,
    edges,
    floor_of,
    held,
    merged,
    node,
    occupation,
    parent,
    rows,
    shown_since,
    sighting,
    summary,
    whole_days,
)
from herdsman.errors import UsageError
from herdsman.model.keys import job_key
from herdsman.model.usage import (
    DAY_MS,
    HOUR_MS,
    NOTHING,
    Amounts,
    Evidence,
    Granularity,
    NodeState,
    Scope,
    Sighting,
    Slot,
    Span,
    UsageQuery,
    UsageRow,
)

MIDNIGHT = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1000
SMALL = Amounts(cpu_mhz=100, cores=1, gpus=1, memory_mb=10, disk_mb=5, allocations=1)


def at(text: str) -> int:
    """A time in milliseconds."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def task(mhz: int = 0, mb: int = 0, *, cores: int = 0, gpus: int = 0, model: str = "T4") -> dict[str, Any]:
    """What a task holds, as Nomad writes it."""
    device = {"Vendor": "nvidia", "Type": "gpu", "Name": model, "DeviceIDs": [f"g{n}" for n in range(gpus)]}
    return {
        "Cpu": {"CpuShares": mhz, "ReservedCores": list(range(cores)) or None},
        "Memory": {"MemoryMB": mb, "MemoryMaxMB": mb * 2},
        "Devices": [device] if gpus else None,
        "Networks": None,
    }


def row(status: str = "running", states: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An allocation as a list shows it; it was placed at 10:00 and changed at 12:00."""
    return {
        "ID": "a1", "Namespace": "team", "JobID": "web", "TaskGroup": "g", "NodeID": "n1", "ClientStatus": status,
        "CreateTime": at("2026-03-01T10:00:00Z") * 1_000_000, "ModifyTime": at("2026-03-01T12:00:00Z") * 1_000_000,
        "ModifyIndex": 7, "TaskStates": states, "NextAllocation": "",
        "AllocatedResources": {"Tasks": {"t": task(100, 10)}, "Shared": {"DiskMB": 5}}, **more,
    }  # fmt: skip


def state(finished: str | None, word: str = "dead", started: str = "2026-03-01T10:00:05Z") -> dict[str, Any]:
    """How one task does."""
    return {"State": word, "StartedAt": started, "FinishedAt": finished, "Restarts": 3}


NEVER = "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("status", "states", "evidence", "ended"),
    [
        ("running", {"t": state(None, "running", "2026-03-01T11:00:00Z")}, Evidence.LIVE, None),
        ("pending", None, Evidence.LIVE, None),
        ("unknown", {"t": state(NEVER, "running")}, Evidence.LIVE, None),
        ("complete", {"t": state("2026-03-01T11:30:00.123456789Z")}, Evidence.FINISHED, "2026-03-01T11:30:00.123Z"),
        (
            "failed",
            {"a": state("2026-03-01T11:30:00Z"), "b": state("2026-03-01T11:45:00+00:00"), "never": state(NEVER)},
            Evidence.FINISHED,
            "2026-03-01T11:45:00Z",
        ),
        # a node was lost: its tasks never said that they ended, but for the one that ran before the others
        (
            "lost",
            {"init": state("2026-03-01T10:01:00Z"), "t": state(NEVER, "running")},
            Evidence.MODIFIED,
            "2026-03-01T12:00:00Z",
        ),
        ("failed", {"t": state(NEVER)}, Evidence.MODIFIED, "2026-03-01T12:00:00Z"),
        ("failed", None, Evidence.MODIFIED, "2026-03-01T12:00:00Z"),
        # the client's clock is behind the server's: an allocation never ends before it began
        ("complete", {"t": state("2026-03-01T09:00:00Z")}, Evidence.FINISHED, "2026-03-01T10:00:00Z"),
    ],
)
def test_the_end_of_an_allocation(
    status: str, states: dict[str, Any] | None, evidence: Evidence, ended: str | None
) -> None:
    """It ends with its last task, or, where no task says when, when Nomad wrote so; a restart ends nothing."""
    seen = sighting(row(status, states))

    assert (seen.evidence, seen.ended) == (evidence, at(ended) if ended else None)
    assert seen.created == at("2026-03-01T10:00:00Z")
    assert seen.job == job_key("team", "web")


PRESTART, SIDECAR = {"Hook": "prestart", "Sidecar": False}, {"Hook": "prestart", "Sidecar": True}
POSTSTART, POSTSTOP = {"Hook": "poststart", "Sidecar": False}, {"Hook": "poststop", "Sidecar": False}


@pytest.mark.parametrize(
    ("tasks", "hooks", "expected"),
    [
        ({"t": task(100, 10)}, {}, Amounts(cpu_mhz=100, memory_mb=10)),
        ({"a": task(100, 10), "b": task(50, 5)}, None, Amounts(cpu_mhz=150, memory_mb=15)),
        ({"t": task(5200, 10, cores=2, gpus=1)}, {}, Amounts(cpu_mhz=5200, cores=2, gpus=1, memory_mb=10)),
        ({"t": task(100, 10), "p": task(300, 5)}, {"p": PRESTART, "t": None}, Amounts(cpu_mhz=300, memory_mb=10)),
        ({"t": task(100, 10), "p": task(30, 5)}, {"p": SIDECAR}, Amounts(cpu_mhz=130, memory_mb=15)),
        ({"t": task(100, 10), "p": task(30, 5)}, {"p": POSTSTART}, Amounts(cpu_mhz=130, memory_mb=15)),
        ({"t": task(100, 10), "p": task(30, 50)}, {"p": POSTSTOP}, Amounts(cpu_mhz=100, memory_mb=50)),
        (
            {"t": task(100, 10), "p": task(300, 5), "s": task(1, 1)},
            {"p": PRESTART, "s": SIDECAR},
            Amounts(cpu_mhz=301, memory_mb=11),
        ),
        (None, None, NOTHING),
    ],
)
def test_what_an_allocation_holds(tasks: Any, hooks: Any, expected: Amounts) -> None:
    """As much as at its busiest stage: tasks that are never there together share their room."""
    found = held({"Tasks": tasks, "TaskLifecycles": hooks, "Shared": {"DiskMB": 7}})

    assert found == expected + Amounts(disk_mb=7, allocations=1)


def test_gpus_are_counted_by_model() -> None:
    """Models are told apart, and devices that are no GPUs are none."""
    tasks = {"a": task(gpus=2), "b": task(gpus=1, model="A100"), "c": task(gpus=1)}
    tasks["c"]["Devices"].append({"Type": "fpga", "Name": "F1", "DeviceIDs": ["f"]})

    seen = sighting(row(AllocatedResources={"Tasks": tasks, "Shared": None}))

    assert seen.gpu_models == {"T4": 3, "A100": 1}
    assert seen.amounts.gpus == 4


def test_a_node_has_what_it_does_not_keep() -> None:
    """Capacity is what allocations may have: the node's own share is left out."""
    raw = {
        "ID": "n1", "Name": "one", "Datacenter": "dc1", "NodePool": "default", "Status": "ready", "ModifyIndex": 4,
        "SchedulingEligibility": "eligible", "Drain": False,
        "NodeResources": {
            "Cpu": {"CpuShares": 10_000, "TotalCpuCores": 4, "ReservableCpuCores": [1, 2, 3]},
            "Memory": {"MemoryMB": 8000}, "Disk": {"DiskMB": 100},
            "Devices": [{"Type": "gpu", "Vendor": "nvidia", "Name": "T4", "Instances": [{"ID": "g1"}, {"ID": "g2"}]}],
        },
        "ReservedResources": {"Cpu": {"CpuShares": 500}, "Memory": {"MemoryMB": 1000}, "Disk": {"DiskMB": 200}},
    }  # fmt: skip

    found = node(raw)

    assert found.capacity == Amounts(cpu_mhz=9500, cores=3, gpus=2, memory_mb=7000, disk_mb=0)
    assert found.gpu_models == {"T4": 2}
    assert node({"ID": "n", "Status": "down", "ModifyIndex": 1}).capacity == NOTHING


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, NodeState.READY),
        ({"SchedulingEligibility": "ineligible"}, NodeState.DRAINED),
        ({"Drain": True}, NodeState.DRAINED),
        ({"Status": "down"}, NodeState.DOWN),
        ({"Status": "disconnected", "Drain": True}, NodeState.DOWN),
        ({"Status": "initializing"}, NodeState.DOWN),
    ],
)
def test_the_state_of_a_node(fields: dict[str, Any], expected: NodeState) -> None:
    """A node takes work, answers without taking any, or does not answer."""
    raw = {"ID": "n", "Status": "ready", "SchedulingEligibility": "eligible", "ModifyIndex": 1}

    assert node(raw | fields).state is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("backup/periodic-1700000000", "backup"),
        ("a/b/dispatch-1700000000-1a2b", "a/b"),
        ("a/periodic-1/dispatch-2-c", "a"),
        ("report/periodic-sales", None),
        ("backup", None),
        ("/periodic-1", None),
    ],
)
def test_whose_child_a_job_is(name: str, expected: str | None) -> None:
    """Children of periodic and parameterized jobs say whose they are by their names."""
    found = parent(job_key("team", name))

    assert found == (job_key("team", expected) if expected else None)


# -- pieces of time ----------------------------------------------------------------------------------------------------

times = st.integers(0, 4 * 10**12)
lengths = st.integers(1, 400 * HOUR_MS)
granularities = st.sampled_from(Granularity)


@pytest.mark.parametrize(
    ("granularity", "moment", "expected"),
    [
        (Granularity.HOUR, "2026-03-01T10:59:59.999Z", "2026-03-01T10:00:00Z"),
        (Granularity.DAY, "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        (Granularity.DAY, "2026-03-01T23:59:59.999Z", "2026-03-01T00:00:00Z"),
        (Granularity.MONTH, "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z"),
        (Granularity.TOTAL, "2026-03-01T10:59:59Z", "2026-03-01T10:59:59Z"),
    ],
)
def test_where_pieces_begin(granularity: Granularity, moment: str, expected: str) -> None:
    """Pieces begin with hours, days and months of UTC."""
    assert floor_of(at(moment), granularity) == at(expected)


def test_months_are_as_long_as_they_are() -> None:
    """A leap February, the turn of a year, and the rests at both ends."""
    found = edges(at("2023-12-15T00:00:00Z"), at("2024-03-02T00:00:00Z"), Granularity.MONTH)

    expected = ["2023-12-15", "2024-01-01", "2024-02-01", "2024-03-01", "2024-03-02"]
    assert found == [at(f"{day}T00:00:00Z") for day in expected]


@pytest.mark.parametrize(
    ("since", "until", "granularity", "words"),
    [
        (5, 5, Granularity.DAY, "before it begins"),
        (6, 5, Granularity.TOTAL, "before it begins"),
        (0, (PIECES + 1) * HOUR_MS, Granularity.HOUR, "more than"),
    ],
)
def test_times_that_make_no_sense(since: int, until: int, granularity: Granularity, words: str) -> None:
    """No time at all, and more pieces than anybody reads, are refused with words."""
    with pytest.raises(UsageError, match=words):
        edges(since, until, granularity)


@given(times, lengths, granularities)
def test_pieces_cover_the_time(since: int, length: int, granularity: Granularity) -> None:
    """Edges rise from the first to the last, and every one between is where a piece begins."""
    found = edges(since, since + length, granularity)

    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (since, since + length)
    assert all(floor_of(edge, granularity) == edge for edge in found[1:-1])


@given(times, lengths, times, lengths, granularities)
def test_the_pieces_are_the_whole(start: int, length: int, since: int, asked: int, granularity: Granularity) -> None:
    """However time is cut, the pieces of what a span used add up to the whole, to the millisecond."""
    start = since + (start % (2 * asked)) - asked // 2  # near enough to overlap now and then
    query = UsageQuery(since, since + asked, granularity)

    found = accounted([Held("team", "ann", start, start + length, SMALL)], query)

    shared = max(0, min(start + length, query.until) - max(start, query.since))
    assert sum(found.values(), NOTHING) == SMALL.times(shared)
    assert all(used.allocations <= slot.end - slot.start for slot, used in found.items())


def test_an_allocation_that_spans_midnight_counts_on_both_sides() -> None:
    """Two hours before and one after."""
    span = Held("team", "ann", MIDNIGHT - 2 * HOUR_MS, MIDNIGHT + HOUR_MS, SMALL)

    found = accounted([span], UsageQuery(MIDNIGHT - DAY_MS, MIDNIGHT + DAY_MS))

    assert [(slot.start, used) for slot, used in sorted(found.items())] == [
        (MIDNIGHT - DAY_MS, SMALL.times(2 * HOUR_MS)),
        (MIDNIGHT, SMALL.times(HOUR_MS)),
    ]


@pytest.mark.parametrize(
    ("scope", "by_owner", "by_namespace", "expected"),
    [
        (Scope(), True, True, {("a", "ann"): 1, ("a", "bob"): 2, ("b", "ann"): 3}),
        (Scope(), False, True, {("a", ""): 3, ("b", ""): 3}),
        (Scope(), True, False, {("", "ann"): 4, ("", "bob"): 2}),
        (Scope(), False, False, {("", ""): 6}),
        (Scope(owner="ann"), True, True, {("a", "ann"): 1, ("b", "ann"): 3}),
        (Scope(frozenset({"a"})), True, True, {("a", "ann"): 1, ("a", "bob"): 2}),
        (Scope(frozenset({"a"}), "ann"), False, False, {("", ""): 1}),
        (Scope(frozenset()), True, True, {}),
    ],
)
def test_whose_figures(
    scope: Scope, *, by_owner: bool, by_namespace: bool, expected: dict[tuple[str, str], int]
) -> None:
    """Only what the scope covers is counted, and told apart as was asked."""
    pieces = [
        Held(namespace, owner, 0, hours, Amounts(allocations=1))
        for namespace, owner, hours in (("a", "ann", 1), ("a", "bob", 2), ("b", "ann", 3))
    ]
    query = UsageQuery(0, 10, Granularity.TOTAL, scope, by_owner, by_namespace)

    found = {(slot.namespace, slot.owner): used.allocations for slot, used in accounted(pieces, query).items()}

    assert found == expected


@pytest.mark.parametrize(
    ("since", "until", "granularity", "known"),
    [
        (MIDNIGHT - DAY_MS, MIDNIGHT + 5, Granularity.DAY, True),
        (MIDNIGHT - DAY_MS, MIDNIGHT, Granularity.TOTAL, True),
        (MIDNIGHT, MIDNIGHT + 5, Granularity.HOUR, True),
        (MIDNIGHT + 5, MIDNIGHT + 6, Granularity.TOTAL, True),
        (MIDNIGHT - DAY_MS, MIDNIGHT + 5, Granularity.HOUR, False),
        (MIDNIGHT - 5, MIDNIGHT + 5, Granularity.DAY, False),
        (MIDNIGHT - DAY_MS, MIDNIGHT - 5, Granularity.MONTH, False),
    ],
)
def test_of_folded_days_only_the_whole_is_known(since: int, until: int, granularity: Granularity, known: bool) -> None:
    """A question that would cut such a day is refused rather than answered with a guess."""
    query = UsageQuery(since, until, granularity)
    if known:
        whole_days(query, floor=MIDNIGHT)
        return
    with pytest.raises(UsageError, match="2026-03-01"):
        whole_days(query, floor=MIDNIGHT)


# -- what is known of an allocation ------------------------------------------------------------------------------------


def seen_as(evidence: Evidence, ended: int | None = None, index: int = 1, created: int = 100) -> Sighting:
    """A sighting of one allocation."""
    return Sighting("a1", job_key("team", "web"), "g", "n1", index, created, ended, evidence, SMALL)


spans = st.builds(
    lambda evidence, end, index: Span(
        "a1", "team", "web", "ann", 100, None if evidence is Evidence.LIVE else end, evidence, index, SMALL
    ),
    st.sampled_from(Evidence),
    st.integers(100, 10_000),
    st.integers(1, 50),
)


@given(spans, spans, spans)
def test_accounts_of_an_allocation_agree_in_any_order(one: Span, two: Span, three: Span) -> None:
    """Putting accounts together does not depend on their order, their grouping or how often each is heard."""
    assert merged(one, one) == one
    assert _without_index(merged(one, two)) == _without_index(merged(two, one))
    assert merged(merged(one, two), three).end == merged(one, merged(two, three)).end
    assert merged(merged(one, two), two) == merged(one, two)


def _without_index(span: Span) -> tuple[object, ...]:
    return (span.start, span.end, span.evidence, max(span.index, 0))


@pytest.mark.parametrize(
    ("seen", "latest", "floor", "expected"),
    [
        (seen_as(Evidence.LIVE), True, 0, (100, None, Evidence.LIVE)),
        (seen_as(Evidence.LIVE), False, 0, (100, 500, Evidence.GONE)),
        (seen_as(Evidence.FINISHED, 300), True, 0, (100, 300, Evidence.FINISHED)),
        (seen_as(Evidence.FINISHED, 300), True, 300, None),
        (seen_as(Evidence.FINISHED, 300), True, 200, (200, 300, Evidence.FINISHED)),
        (seen_as(Evidence.LIVE), True, 200, (200, None, Evidence.LIVE)),
        (seen_as(Evidence.LIVE), False, 600, None),
    ],
)
def test_an_allocation_that_nobody_knew(
    seen: Sighting, latest: bool, floor: int, expected: tuple[int, int | None, Evidence] | None
) -> None:
    """It is counted from its placing on, but never before what is accounted for and forgotten."""
    found = absorb(None, seen, owner="ann", at=500, latest=latest, floor=floor)

    assert (found and (found.start, found.end, found.evidence)) == expected


def test_an_owner_who_is_known_stays() -> None:
    """A job whose deployment is gone is still whose it was."""
    known = absorb(None, seen_as(Evidence.LIVE), owner="ann", at=500, latest=True)

    found = absorb(known, seen_as(Evidence.FINISHED, 600, index=2), owner="", at=700, latest=True)

    assert found is not None
    assert (found.owner, found.end, found.index) == ("ann", 600, 2)


# -- occupation and summaries ------------------------------------------------------------------------------------------


def test_who_holds_what_of_which_node() -> None:
    """Living allocations are counted on their nodes by namespace and owner; those of a forgotten node are astray."""
    raw = {"ID": "n1", "Name": "one", "Status": "ready", "SchedulingEligibility": "eligible", "ModifyIndex": 1}
    listed = [sighting(row(ID=f"a{n}", NodeID=where, NextAllocation=after))
              for n, (where, after) in enumerate([("n1", ""), ("n1", "b"), ("gone", "")])]  # fmt: skip
    listed.append(sighting(row("complete", ID="over")))

    found = occupation([node(raw)], listed, {job_key("team", "web"): "ann"}, at=5)

    (use,) = found.nodes
    (holding,) = use.holdings
    assert (holding.namespace, holding.owner, holding.jobs, holding.moved) == ("team", "ann", 1, 1)
    assert use.used == Amounts(cpu_mhz=200, memory_mb=20, disk_mb=10, allocations=2)
    assert [astray.amounts.allocations for astray in found.astray] == [1]


def test_a_summary_has_whole_resource_days() -> None:
    """Totals are in resource-days, days in what was held on the average; today is as long as it has lasted."""
    until = MIDNIGHT + DAY_MS + 6 * HOUR_MS
    total = [UsageRow(Slot(0, until, "team", "ann"), Amounts(cores=3).times(DAY_MS))]
    total.append(UsageRow(Slot(0, until, "team", ""), Amounts(cores=1).times(DAY_MS)))
    daily = [
        UsageRow(Slot(MIDNIGHT, MIDNIGHT + DAY_MS, "team"), Amounts(cores=2, allocations=1).times(DAY_MS)),
        UsageRow(Slot(MIDNIGHT + DAY_MS, until, "team"), Amounts(cores=8, allocations=1).times(6 * HOUR_MS)),
    ]

    found = summary(total, daily, since=MIDNIGHT - DAY_MS, until=until)

    assert found.full["cpu_num"] == 4
    assert {owner: used["cpu_num"] for owner, used in found.users.items()} == {"": 1, "ann": 3}
    assert found.timeseries["date"] == ["2026-02-28", "2026-03-01", "2026-03-02"]
    assert found.timeseries["cpu_num"] == [0, 2, 8]
    assert found.timeseries["running"] == [0, 1, 1]


def test_a_summary_shows_ninety_days() -> None:
    """Today is the ninetieth."""
    assert shown_since(MIDNIGHT + 5) == MIDNIGHT - 89 * DAY_MS
    assert shown_since(MIDNIGHT) == MIDNIGHT - 90 * DAY_MS  # midnight itself belongs to no day that has begun


def test_rows_are_in_order() -> None:
    """By time first, then by namespace and owner."""
    slots = [Slot(2, 3, "a"), Slot(1, 2, "b", "x"), Slot(1, 2, "a", "z"), Slot(1, 2, "b", "a")]

    assert [r.slot for r in rows(dict.fromkeys(slots, NOTHING))] == [slots[2], slots[3], slots[1], slots[0]]
