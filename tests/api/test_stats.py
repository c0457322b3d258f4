"""The routes of statistics: shapes as their users know them, and nothing of what the caller may not see."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from clocks import START
from herdsman.api.app import handle_errors
from herdsman.api.auth import install
from herdsman.api.routes import stats as routes
from herdsman.api.stats import ClusterOut
from herdsman.core.usage import Held, accounted, rows
from herdsman.model.usage import (
    DAY_MS,
    HOUR_MS,
    Amounts,
    Holding,
    Node,
    NodeUse,
    Occupation,
    Scope,
    Summary,
    UsageQuery,
    UsageReport,
)

NOW = int(START.timestamp() * 1000)
ONE = Amounts(cpu_mhz=2600, cores=1, gpus=1, memory_mb=1000, disk_mb=300, allocations=1)
USED = [
    Held("team", "ann", NOW - 13 * HOUR_MS, NOW, ONE),
    Held("team", "bob", NOW - 2 * HOUR_MS, NOW, ONE),
    Held("lab", "ann", NOW - 40 * DAY_MS, NOW - 39 * DAY_MS, ONE),
]
SUMMARY = Summary(
    {"cpu_num": 5, "gpu_num": 1},
    {"date": ["2026-01-01"], "cpu_num": [5]},
    {"ann": {"cpu_num": 3, "gpu_num": 1}, "bob": {"cpu_num": 2, "gpu_num": 0}},
)


def node(name: str, **fields: Any) -> Node:
    """A node with eight cores and two GPUs."""
    has = Amounts(cpu_mhz=20_800, cores=8, gpus=2, memory_mb=16_000, disk_mb=5_000)
    made = Node(name, name, "dc1", "default", "ready", True, False, 1, has, {"T4": 2}, {"namespace": "team,lab"})
    return replace(made, **fields)


def held(namespace: str, owner: str, count: int = 1) -> Holding:
    """What somebody holds."""
    return Holding(namespace, owner, ONE.times(count), {"T4": count}, jobs=count, moved=1)


class Figures:
    """`Statistics` of a small cluster."""

    def __init__(self) -> None:
        self.found: Occupation | None = Occupation(
            NOW,
            [
                NodeUse(node("n1"), [held("team", "ann"), held("team", "bob", 2)]),
                NodeUse(node("n2", eligible=False, datacenter="dc2"), [held("lab", "ann")]),
                NodeUse(node("n3", status="down", meta={"namespace": "teams", "status": "ready"}), []),
            ],
        )

    def usage(self, query: UsageQuery) -> UsageReport:
        """See `Statistics`, as for all that follows."""
        return UsageReport(query, rows(accounted(USED, query)), ONE, NOW)

    def occupation(self) -> Occupation | None:
        return self.found

    def summary(self, namespace: str) -> Summary | None:
        return SUMMARY if namespace == "team" else None

    def now(self) -> int:
        return NOW


@pytest.fixture
def app() -> FastAPI:
    """The routes alone, as an application."""
    app = FastAPI()
    install(app, None)
    app.include_router(routes.router)
    app.state.stats = Figures()
    handle_errors(app)
    return app


@pytest.fixture
def api(app: FastAPI) -> Iterator[TestClient]:
    """A client of it."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def as_caller(app: FastAPI, scope: Scope) -> None:
    """Whoever calls sees *scope*."""
    app.dependency_overrides[routes.scope] = lambda: scope


# -- usage -------------------------------------------------------------------------------------------------------------


def test_usage_in_pieces(api: TestClient) -> None:
    """Thirty days by day, by namespace and owner, with the total and what is held now."""
    answer = api.get("/v1/stats/usage").json()

    assert (answer["since"], answer["until"]) == ("2025-12-02T00:00:00.000Z", "2026-01-01T12:00:00.000Z")
    assert [(r["start"][:10], r["namespace"], r["owner"], r["used"]["gpu_num_h"]) for r in answer["rows"]] == [
        ("2025-12-31", "team", "ann", 1.0),
        ("2026-01-01", "team", "ann", 12.0),
        ("2026-01-01", "team", "bob", 2.0),
    ]
    assert answer["total"] == {
        "cpu_num_h": 15.0, "cpu_MHz_h": 39000.0, "gpu_num_h": 15.0, "memory_MB_h": 15000.0, "disk_MB_h": 4500.0,
        "allocations_h": 15.0,
    }  # fmt: skip
    assert answer["current"]["cpu_MHz"] == 2600
    assert answer["measured_at"] == "2026-01-01T12:00:00.000Z"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("granularity=total", [("team", "ann", 13.0), ("team", "bob", 2.0)]),
        ("granularity=total&since=2025-11-01", [("lab", "ann", 24.0), ("team", "ann", 13.0), ("team", "bob", 2.0)]),
        ("granularity=total&by=owner&since=2025-11-01", [("", "ann", 37.0), ("", "bob", 2.0)]),
        ("granularity=total&by=namespace", [("team", "", 15.0)]),
        ("granularity=total&owner=bob", [("team", "bob", 2.0)]),
        ("granularity=total&namespace=lab&namespace=x", []),
        ("granularity=hour&owner=bob", [("team", "bob", 1.0), ("team", "bob", 1.0)]),
        ("granularity=total&since=2026-01-01T12:30:00%2B02:00&owner=bob", [("team", "bob", 1.5)]),
        ("granularity=total&since=2026-01-01T10:30:00&until=2999-01-01&owner=bob", [("team", "bob", 1.5)]),
        ("granularity=month&owner=ann", [("team", "ann", 1.0), ("team", "ann", 12.0)]),
    ],
)
def test_usage_as_it_was_asked_for(api: TestClient, query: str, found: list[tuple[str, str, float]]) -> None:
    """Times, pieces, filters, and what is told apart."""
    answer = api.get(f"/v1/stats/usage?{query}").json()

    assert [(r["namespace"], r["owner"], r["used"]["cpu_num_h"]) for r in answer["rows"]] == found


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "granularity=week",
        "since=2026-01-01&until=2025-01-01",
        "until=0001-01-01",
        "granularity=hour&since=0001-01-01",
        "by=color",
    ],
)
def test_questions_that_make_no_sense(api: TestClient, query: str) -> None:
    """They are refused as malformed, with words."""
    answer = api.get(f"/v1/stats/usage?{query}")

    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-12:00", "1970-01-01"])
@pytest.mark.parametrize("granularity", ["total", "month", "hour"])
def test_times_at_the_ends_of_the_calendar(api: TestClient, since: str, granularity: str) -> None:
    """No time that can be written is too much."""
    assert api.get(f"/v1/stats/usage?since={since}&granularity={granularity}").status_code in {200, 422}


# -- whose figures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "query", "found"),
    [
        (Scope(frozenset({"team"}), "bob"), "", {("team", "bob")}),
        (Scope(frozenset({"team"}), "bob"), "owner=ann", set()),
        (Scope(frozenset({"team"}), "bob"), "owner=", set()),
        (Scope(frozenset({"team"}), "bob"), "namespace=lab", set()),
        (Scope(frozenset({"team"})), "", {("team", "ann"), ("team", "bob")}),
        (Scope(frozenset({"team"})), "namespace=lab&namespace=team&owner=ann", {("team", "ann")}),
        (Scope(frozenset()), "", set()),
        (Scope(owner="ann"), "", {("team", "ann"), ("lab", "ann")}),
    ],
)
def test_no_filter_widens_what_is_seen(
    app: FastAPI, api: TestClient, scope: Scope, query: str, found: set[tuple[str, str]]
) -> None:
    """A caller who asks for others gets nothing, as if there were nothing."""
    as_caller(app, scope)

    answer = api.get(f"/v1/stats/usage?granularity=total&since=2025-11-01&{query}").json()

    assert {(r["namespace"], r["owner"]) for r in answer["rows"]} == found


@pytest.mark.parametrize(
    ("scope", "query", "users"),
    [
        (Scope(), "namespace=team", None),
        (Scope(), "namespace=team&owner=bob", {"owner": "bob", "cpu_num": 2, "gpu_num": 0}),
        (Scope(), "namespace=team&owner=eve", None),
        (Scope(frozenset({"team"}), "ann"), "", {"owner": "ann", "cpu_num": 3, "gpu_num": 1}),
        (Scope(frozenset({"team"}), "ann"), "owner=bob", {"owner": "ann", "cpu_num": 3, "gpu_num": 1}),
        (Scope(frozenset({"team", "lab"}), "eve"), "namespace=team", None),
    ],
)
def test_summaries_have_one_owners_part(
    app: FastAPI, api: TestClient, scope: Scope, query: str, users: dict[str, Any] | None
) -> None:
    """Totals of the namespace, its days, and the caller's own part; only who sees all may name another."""
    as_caller(app, scope)

    answer = api.get(f"/v1/stats/deployments?{query}")

    assert answer.json() == {
        "full-agg": {"cpu_num": 5, "gpu_num": 1},
        "timeseries": {"date": ["2026-01-01"], "cpu_num": [5]},
        "users-agg": users,
    }


@pytest.mark.parametrize(
    ("scope", "query", "status"),
    [
        (Scope(), "", 422),
        (Scope(frozenset({"team", "lab"})), "", 422),
        (Scope(frozenset({"lab"})), "namespace=team", 404),
        (Scope(frozenset()), "namespace=team", 404),
        (Scope(), "namespace=nowhere", 404),
        (Scope(), "namespace=../x", 404),
    ],
)
def test_summaries_of_others_are_not_there(
    app: FastAPI, api: TestClient, scope: Scope, query: str, status: int
) -> None:
    """A namespace of others answers like one that does not exist."""
    as_caller(app, scope)

    assert api.get(f"/v1/stats/deployments?{query}").status_code == status


# -- the cluster -------------------------------------------------------------------------------------------------------


def test_how_full_the_cluster_is(api: TestClient) -> None:
    """By datacenter and node, with states, models and sums; free is only what ready nodes have left."""
    answer = api.get("/v1/stats/cluster").json()

    assert {dc: sorted(found["nodes"]) for dc, found in answer["datacenters"].items()} == {
        "dc1": ["n1", "n3"], "dc2": ["n2"],
    }  # fmt: skip
    first = answer["datacenters"]["dc1"]["nodes"]["n1"]
    assert (first["cpu_total"], first["cpu_used"], first["ram_used"], first["jobs_num"]) == (8, 3, 3000, 3)
    assert first["gpu_models"] == {"T4": {"gpu_total": 2, "gpu_used": 3}}
    assert first["namespaces"] == ["lab", "team"]
    third = answer["datacenters"]["dc1"]["nodes"]["n3"]
    assert (third["state"], third["status"]) == ("down", "down")
    assert answer["datacenters"]["dc2"]["nodes"]["n2"]["state"] == "drained"
    assert answer["cluster"]["nodes"] == {"ready": 1, "drained": 1, "down": 1}
    assert (answer["cluster"]["cpu_total"], answer["cluster"]["cpu_free"], answer["cluster"]["gpu_free"]) == (24, 5, 0)
    assert answer["by_namespace"]["team"]["cpu_num"] == 3
    assert answer["updated_at"] == "2026-01-01T12:00:00.000Z"


@pytest.mark.parametrize(
    ("scope", "query", "nodes", "jobs", "namespaces"),
    [
        (Scope(), "", ["n1", "n2", "n3"], 4, ["lab", "team"]),
        (Scope(), "?namespace=team", ["n1", "n2"], 3, ["team"]),
        (Scope(frozenset({"team"}), "bob"), "", ["n1", "n2"], 2, ["team"]),
        (Scope(frozenset({"team"}), "bob"), "?namespace=lab", [], 0, []),
        (Scope(frozenset({"tea"})), "", [], 0, []),
        (Scope(frozenset({"teams"})), "", ["n3"], 0, []),
    ],
)
def test_a_cluster_as_its_caller_sees_it(
    app: FastAPI, api: TestClient, scope: Scope, query: str, nodes: list[str], jobs: int, namespaces: list[str]
) -> None:
    """Nodes meant for the caller's namespaces, by whole names; jobs and namespaces of others are not counted."""
    as_caller(app, scope)

    answer = api.get(f"/v1/stats/cluster{query}").json()

    assert sorted(n for dc in answer["datacenters"].values() for n in dc["nodes"]) == nodes
    assert answer["cluster"]["jobs_num"] == jobs
    assert list(answer["by_namespace"]) == namespaces
    assert "ann" not in str(answer)


def test_a_cluster_that_was_never_listed(app: FastAPI, api: TestClient) -> None:
    """It is said, not made up."""
    app.state.stats.found = None

    answer = api.get("/v1/stats/cluster")

    assert answer.status_code == 502
    assert "not listed yet" in answer.json()["detail"]


def test_nothing_at_all_is_a_cluster_too() -> None:
    """No nodes: sums of nothing."""
    found = ClusterOut.of(Occupation(NOW, []), Scope())

    assert (found.datacenters, found.cluster.cpu_total, found.cluster.gpu_models) == ({}, 0, {})
