"""Which nodes may hold a group, whether there is room, and which is best."""

from collections import Counter
from typing import Any

import pytest

from devnomad.scheduler.worlds import Cluster, node, sized, stored
from devnomad.support import group, job, task
from herdsman.devnomad.scheduler import feasible, operands, targets
from herdsman.devnomad.scheduler.fit import Exhausted, fit
from herdsman.devnomad.scheduler.names import Names, index_of
from herdsman.devnomad.scheduler.place import Placer
from herdsman.devnomad.state.usage import NodeUsage


# -- operators -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("operand", "left", "right", "holds"),
    [
        ("=", "a", "a", True),
        ("==", "a", "b", False),
        ("is", "a", "a", True),
        ("=", None, None, False),
        ("!=", "a", "b", True),
        ("not", "a", "a", False),
        ("!=", None, "a", True),
        ("<", "9", "10", True),
        ("<", "b", "a", False),
        ("<=", "10", "10", True),
        (">", "1.5", "1.25", True),
        (">", "9", "10a", True),
        (">=", "abc", "abd", False),
        (">", None, "1", False),
        ("regexp", "linux-5.10", r"^linux-\d", True),
        ("regexp", "linux", "(", False),
        ("set_contains", "a,b,c", "c, a", True),
        ("set_contains_all", "a,b", "a,d", False),
        ("set_contains_any", "a,b", "d,b", True),
        ("set_contains_any", "a,b", "d", False),
        ("is_set", "x", "", True),
        ("is_set", None, "", False),
        ("is_not_set", None, "", True),
        ("attribute_is_set", "x", "", True),
        ("attribute_is_not_set", "x", "", False),
        ("version", "1.2.3", ">= 1.0, < 2.0", True),
        ("version", "1.2.3", "~> 1.2.0", True),
        ("version", "1.3.0", "~> 1.2.0", False),
        ("version", "1.9", "~> 1.2", True),
        ("version", "2.0", "~> 1.2", False),
        ("version", "1.2.3", "1.2.3", True),
        ("version", "v1.2.3", "!= 1.2.4", True),
        ("version", "1.3.0-beta1", ">= 1.2", False),
        ("version", "1.3.0-beta2", ">= 1.3.0-beta1", True),
        ("version", "no version", ">= 1", False),
        ("version", "1.2", "nonsense", False),
        ("version", "1.2.3", ">= 1.2, nonsense", False),
        ("semver", "1.3.0-beta1", ">= 1.2.0", True),
        ("semver", "1.3.0-beta1", "< 1.3.0", True),
        ("semver", "1.2.3", "~> 1.2", False),
        ("semver", "1.2.3+build", "= 1.2.3", True),
        ("semver", "1.0.0-alpha.2", "> 1.0.0-alpha.1", True),
        ("semver", "1.0.0-alpha.beta", "> 1.0.0-alpha.1", True),
        ("no such", "a", "a", False),
    ],
)
def test_operators(operand: str, left: str | None, right: str | None, *, holds: bool) -> None:
    """Constraints hold as Nomad documents their operators."""
    assert operands.check(operand, left, right) is holds


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("${node.unique.id}", "n0"),
        ("${node.unique.name}", "devnomad"),
        ("${node.datacenter}", "dc1"),
        ("${node.pool}", "default"),
        ("${node.class}", ""),
        ("${node.region}", "global"),
        ("${attr.kernel.name}", "linux"),
        ("${meta.rack}", "r1"),
        ("${meta.none}", None),
        ("${attr.none}", None),
        ("${nonsense}", None),
        ("plain", "plain"),
        ("${meta.rack}-${node.datacenter}", "r1-dc1"),
        ("${meta.rack}-${meta.none}", None),
    ],
)
def test_targets(target: str, value: str | None) -> None:
    """Targets are the node's attributes, metadata and names."""
    assert targets.resolve(target, node(Meta={"rack": "r1"}, attributes={"kernel.name": "linux"})) == value


# -- feasible ------------------------------------------------------------------------------------------------------
def _constraint(left: str, operand: str, right: str) -> dict[str, str]:
    return {"LTarget": left, "Operand": operand, "RTarget": right}


def _why(one: dict[str, Any], **more: Any) -> str | None:
    wanted = stored(job("j", one, **more))
    return feasible.reason_against(node(gpus=2), wanted, wanted["TaskGroups"][0])


@pytest.mark.parametrize(
    ("one", "more", "why"),
    [
        (group(), {}, None),
        (group(), {"Constraints": [_constraint("${attr.x}", "=", "y")]}, "${attr.x} = y"),
        (group(Constraints=[_constraint("${node.class}", "!=", "")]), {}, "${node.class} != "),
        (group(Tasks=[task(Constraints=[_constraint("${meta.a}", "is_set", "")])]), {}, "${meta.a} is_set "),
        (group(Tasks=[task(Driver="nonesuch")]), {}, "missing drivers"),
        (group(Tasks=[task(Driver="docker", Config={"image": "x"})]), {}, None),
        (group(Volumes={"v": {"Name": "v", "Type": "host", "Source": "none"}}), {}, "missing compatible host volumes"),
        (group(Networks=[{"Mode": "cni/mine"}]), {}, "missing network"),
        (group(Networks=[{"Mode": "bridge"}]), {}, None),
    ],
)
def test_what_speaks_against_a_node(one: dict[str, Any], more: dict[str, Any], why: str | None) -> None:
    """The first thing that speaks against a node is told in Nomad's words."""
    assert _why(one, **more) == why


def _devices(**request: Any) -> dict[str, Any]:
    return group(
        Tasks=[task(Resources={"CPU": 20, "MemoryMB": 16, "Devices": [{"Name": "gpu", "Count": 1} | request]})]
    )


@pytest.mark.parametrize(
    ("request_", "fits"),
    [
        ({}, True),
        ({"Name": "nvidia/gpu"}, True),
        ({"Name": "nvidia/gpu/Tesla T4"}, True),
        ({"Name": "amd/gpu"}, False),
        ({"Name": "fpga"}, False),
        ({"Count": 2}, True),
        ({"Count": 3}, False),
        ({"Constraints": [_constraint("${device.attr.memory}", ">=", "8 GiB")]}, True),
        ({"Constraints": [_constraint("${device.attr.memory}", ">=", "32 GiB")]}, False),
        ({"Constraints": [_constraint("${device.attr.memory}", "<", "16385 MiB")]}, True),
        ({"Constraints": [_constraint("${device.attr.driver_version}", "version", ">= 500")]}, True),
        ({"Constraints": [_constraint("${device.vendor}", "=", "amd")]}, False),
        ({"Constraints": [_constraint("${device.attr.none}", "is_set", "")]}, False),
        ({"Constraints": [_constraint("${device.ids}", "set_contains", "nobody")]}, False),
    ],
)
def test_devices_are_matched(request_: dict[str, Any], *, fits: bool) -> None:
    """Devices are asked for by type, vendor and model, with constraints on what they are."""
    assert (_why(_devices(**request_)) is None) is fits


@pytest.mark.parametrize(
    ("datacenters", "pool", "fits"),
    [
        (["dc1"], "default", True),
        (["dc2"], "default", False),
        (["dc*"], "default", True),
        (["*"], "default", True),
        (["east-*", "d*1"], "default", True),
        (["dc1"], "all", True),
        (["dc1"], "other", False),
    ],
)
def test_datacenters_and_pools(datacenters: list[str], pool: str, *, fits: bool) -> None:
    """A job goes to its datacenters, which may be patterns, in its node pool."""
    wanted = stored(job("j", Datacenters=datacenters, NodePool=pool))
    assert bool(feasible.ready_nodes([node()], wanted)) is fits


@pytest.mark.parametrize(
    ("change", "ready"),
    [
        ({}, True),
        ({"Status": "down"}, False),
        ({"SchedulingEligibility": "ineligible"}, False),
        ({"DrainStrategy": {"Deadline": 0}}, False),
    ],
)
def test_only_ready_nodes_take_work(change: dict[str, Any], *, ready: bool) -> None:
    """Nodes that are down, ineligible or draining take nothing new."""
    assert feasible.takes_work(node(**change)) is ready


# -- room ----------------------------------------------------------------------------------------------------------
def _fit(one: dict[str, Any], usage: NodeUsage | None = None, where: dict[str, Any] | None = None) -> Any:
    wanted = stored(job("j", one))["TaskGroups"][0]
    return fit(where or sized(gpus=2), wanted, usage or NodeUsage())


def _resources(**more: Any) -> dict[str, Any]:
    return group(Tasks=[task(Resources={"CPU": 20, "MemoryMB": 16} | more)])


@pytest.mark.parametrize(
    ("one", "usage", "dimension"),
    [
        (_resources(CPU=1000), NodeUsage(), None),
        (_resources(CPU=1001), NodeUsage(), "cpu"),
        (_resources(CPU=500), NodeUsage(cpu=501), "cpu"),
        (_resources(MemoryMB=1001), NodeUsage(), "memory"),
        (_resources(MemoryMB=500), NodeUsage(memory=500), None),
        (group(EphemeralDisk={"SizeMB": 10_001}), NodeUsage(), "disk"),
        (_resources(Cores=3), NodeUsage(), None),
        (_resources(Cores=101), NodeUsage(), "cores"),
        (_devices(Count=2), NodeUsage(), None),
    ],
)
def test_room_runs_out(one: dict[str, Any], usage: NodeUsage, dimension: str | None) -> None:
    """What runs out first is named."""
    where = sized(cpu=1000, memory=1000, disk=10_000, gpus=2)
    if dimension is None:
        _fit(one, usage, where)
    else:
        with pytest.raises(Exhausted) as caught:
            _fit(one, usage, where)
        assert caught.value.dimension == dimension


def test_devices_run_out() -> None:
    """Instances that others hold are not given twice."""
    usage = NodeUsage()
    first = _fit(_devices(), usage).resources["Tasks"]["t"]["Devices"][0]["DeviceIDs"]
    usage.devices.update(first)
    second = _fit(_devices(), usage).resources["Tasks"]["t"]["Devices"][0]["DeviceIDs"]
    assert set(first) != set(second)
    usage.devices.update(second)
    with pytest.raises(Exhausted, match="devices: no devices match request"):
        _fit(_devices(), usage)


def test_cores_are_given_whole() -> None:
    """Reserved cores are of their own, and count as processor time."""
    usage = NodeUsage()
    usage.cores.update([0, 1])
    taken = _fit(_resources(Cores=2), usage, sized(cpu=10_000)).resources["Tasks"]["t"]["Cpu"]
    assert taken == {"CpuShares": 200, "ReservedCores": [2, 3]}


def _ports(**ports: Any) -> dict[str, Any]:
    return group(Networks=[ports])


def test_ports_are_taken() -> None:
    """Reserved ports are given as asked for, dynamic ones from the node's range, each once."""
    dynamic = [{"Label": f"d{number}"} for number in range(50)]
    shared = _fit(_ports(ReservedPorts=[{"Label": "r", "Value": 8080}], DynamicPorts=dynamic)).resources["Shared"]
    values = [port["Value"] for port in shared["Ports"]]

    assert values[0] == 8080
    assert len(set(values)) == 51
    assert all(20_000 <= value <= 32_000 for value in values[1:])


@pytest.mark.parametrize(("to", "inside"), [(0, 0), (80, 80), (-1, None)])
def test_where_ports_lead(to: int, inside: int | None) -> None:
    """`to` is the port inside; -1 means the same as outside."""
    (port,) = _fit(_ports(DynamicPorts=[{"Label": "d", "To": to}])).resources["Shared"]["Ports"]
    assert port["To"] == (port["Value"] if inside is None else inside)


def test_a_taken_port_is_a_collision() -> None:
    """A reserved port that is in use leaves no room, unless the port says that it does not mind."""
    usage = NodeUsage()
    usage.ports.update([8080])
    wanted = {"Label": "r", "Value": 8080}
    with pytest.raises(Exhausted, match="network: reserved port collision r=8080"):
        _fit(_ports(ReservedPorts=[wanted]), usage)
    _fit(_ports(ReservedPorts=[wanted | {"IgnoreCollision": True}]), usage)


def test_dynamic_ports_run_out() -> None:
    """When the whole range is taken there is none left; the last free one is found."""
    where = sized()
    where["NodeResources"] = where["NodeResources"] | {"MinDynamicPort": 20_000, "MaxDynamicPort": 20_009}
    usage = NodeUsage()
    usage.ports.update(range(20_000, 20_009))
    (port,) = _fit(_ports(DynamicPorts=[{"Label": "d"}]), usage, where).resources["Shared"]["Ports"]
    assert port["Value"] == 20_009
    usage.ports.update([20_009])
    with pytest.raises(Exhausted, match="network: dynamic port selection failed"):
        _fit(_ports(DynamicPorts=[{"Label": "d"}]), usage, where)


def test_a_nodes_own_ports_are_not_given() -> None:
    """Ports that a node reserves for itself are never handed out."""
    where = sized()
    where["ReservedResources"] = where["ReservedResources"] | {"Networks": {"ReservedHostPorts": "22,8000-8100"}}
    with pytest.raises(Exhausted, match="collision"):
        _fit(_ports(ReservedPorts=[{"Label": "r", "Value": 8080}]), None, where)


# -- which is best -------------------------------------------------------------------------------------------------
def _where(cluster: Cluster) -> list[str]:
    return sorted(alloc["NodeID"] for alloc in cluster.alive)


def test_packing_fills_one_node_first() -> None:
    """With `binpack` different jobs share a node; with `spread` they take the emptier one."""
    other = Cluster([sized(0), sized(1)]).register(_resources(CPU=400, MemoryMB=400)).run()
    (taken,) = _where(other)
    for algorithm, same in (("binpack", True), ("spread", False)):
        cluster = Cluster(other.nodes, settings={"SchedulerAlgorithm": algorithm})
        cluster.register(_resources())
        usage = other.usage
        cluster.usage = usage  # type: ignore[method-assign]
        plan = cluster.plan()
        assert (plan.placements[0]["NodeID"] == taken) is same


def test_a_group_spreads_over_nodes() -> None:
    """Allocations of one group keep away from each other."""
    cluster = Cluster([sized(n) for n in range(3)]).register(group(count=3)).run()
    assert _where(cluster) == ["n0", "n1", "n2"]


@pytest.mark.parametrize(("weight", "chosen"), [(100, "n2"), (-100, "n0")])
def test_affinities_draw_and_repel(weight: int, chosen: str) -> None:
    """A positive affinity draws allocations to the nodes it describes, a negative one keeps them away."""
    affinity = {"LTarget": "${meta.fast}", "RTarget": "yes", "Operand": "=", "Weight": weight}
    meta = [{"fast": "no"}, {"fast": "yes"}, {"fast": "yes"}] if weight < 0 else [{}, {}, {"fast": "yes"}]
    cluster = Cluster([sized(n, Meta=meta[n]) for n in range(3)]).register(Affinities=[affinity]).run()
    assert _where(cluster) == [chosen]


def test_spread_targets_are_met() -> None:
    """A spread with targets divides the allocations by their percentages."""
    nodes = [sized(n, Meta={"rack": "a" if n < 2 else "b"}, cpu=10_000, memory=10_000) for n in range(4)]
    spread = {
        "Attribute": "${meta.rack}",
        "Weight": 100,
        "SpreadTarget": [{"Value": "a", "Percent": 75}, {"Value": "b", "Percent": 25}],
    }
    cluster = Cluster(nodes).register(group(count=8), Spreads=[spread]).run()
    racks = [nodes[int(where[1:])]["Meta"]["rack"] for where in _where(cluster)]
    assert (racks.count("a"), racks.count("b")) == (6, 2)


def test_an_even_spread_is_even() -> None:
    """A spread without targets puts as many allocations on each value."""
    nodes = [sized(n, Meta={"rack": "a" if n < 3 else "b"}) for n in range(4)]
    cluster = Cluster(nodes).register(group(count=4), Spreads=[{"Attribute": "${meta.rack}", "Weight": 100}]).run()
    racks = [nodes[int(where[1:])]["Meta"]["rack"] for where in _where(cluster)]
    assert (racks.count("a"), racks.count("b")) == (2, 2)


def test_why_a_placement_failed_is_told() -> None:
    """The metrics of a failed placement count what filtered and what exhausted."""
    nodes = [sized(0, cpu=10), sized(1, Meta={"rack": "a"}), sized(2, Datacenter="dc2"), sized(3, NodeClass="c")]
    constraint = {"LTarget": "${meta.rack}", "RTarget": "", "Operand": "is_not_set"}
    cluster = Cluster(nodes).register(_resources(CPU=2000), Constraints=[constraint])
    failed = cluster.plan().failed["g"]

    assert failed["NodesEvaluated"] == 3
    assert failed["NodesFiltered"] == 1
    assert failed["ConstraintFiltered"] == {"${meta.rack} is_not_set ": 1}
    assert failed["NodesExhausted"] == 2
    assert failed["DimensionExhausted"] == {"cpu": 2}
    assert failed["ClassExhausted"] == {"c": 1}
    assert failed["NodesAvailable"] == {"dc1": 3}
    assert failed["NodesInPool"] == 4


def test_failures_of_a_group_are_told_once() -> None:
    """Further allocations that find no room are counted, not tried."""
    cluster = Cluster([sized()]).register(group(count=5, Tasks=[task(Resources={"CPU": 600, "MemoryMB": 16})]))
    plan = cluster.plan()

    assert (len(plan.placements), plan.queued) == (1, {"g": 4})
    assert plan.failed["g"]["CoalescedFailures"] == 3


@pytest.mark.parametrize(
    ("constraints", "placed"),
    [
        ({"Constraints": [{"Operand": "distinct_hosts"}]}, 3),
        ({"Constraints": [{"Operand": "distinct_hosts", "RTarget": "false"}]}, 6),
        ({"Constraints": [{"Operand": "distinct_property", "LTarget": "${meta.rack}"}]}, 2),
        ({"Constraints": [{"Operand": "distinct_property", "LTarget": "${meta.rack}", "RTarget": "2"}]}, 4),
        ({"Constraints": [{"Operand": "distinct_property", "LTarget": "${meta.none}"}]}, 0),
    ],
)
def test_distinct_constraints(constraints: dict[str, Any], placed: int) -> None:
    """Of the job's allocations only so many share a host, or a property."""
    nodes = [sized(n, Meta={"rack": "a" if n < 2 else "b"}) for n in range(3)]
    plan = Cluster(nodes).register(group("a", 3), group("b", 3), **constraints).plan()
    assert len(plan.placements) == placed


def test_names_are_used_again_from_below() -> None:
    """Free numbers are given lowest first; canaries take the names of those they stand for."""
    names = Names("j", "g", ["j.g[0]", "j.g[2]"])
    assert names.next(2) == ["j.g[1]", "j.g[3]"]
    names.free("j.g[2]")
    assert names.next(1) == ["j.g[2]"]
    assert names.next(-1) == []
    fresh = Names("j", "g", ["j.g[0]", "j.g[1]"])
    old = [{"Name": "j.g[1]"}, {"Name": "j.g[0]"}]
    assert fresh.canaries(3, old, set()) == ["j.g[0]", "j.g[1]", "j.g[2]"]
    assert fresh.canaries(1, old, {"j.g[0]"}) == ["j.g[1]"]
    assert index_of("j/a[1].g[12]") == 12


def test_a_large_count_is_no_work_of_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    """The allocations of a group are counted once for a plan, not once for each placement."""
    looks = 0
    present = Placer._present

    def counted(placer: Placer) -> Any:
        nonlocal looks
        looks += 1
        return present(placer)

    monkeypatch.setattr(Placer, "_present", counted)
    plan = Cluster([node()]).register(group(count=200)).plan()

    assert len(plan.placements) == 200
    assert looks == 1


def test_spreads_count_what_a_plan_has_placed() -> None:
    """Placements of one plan see each other: three nodes take two each."""
    even = {"Attribute": "${node.unique.name}", "Weight": 100}
    plan = Cluster([node(n) for n in range(3)]).register(group(count=6, Spreads=[even])).plan()

    assert sorted(Counter(alloc["NodeID"] for alloc in plan.placements).values()) == [2, 2, 2]
