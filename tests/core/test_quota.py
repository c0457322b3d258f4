"""Quotas: what a job asks for, and which of all deployments are let in."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from herdsman.core.quota import Claim, demand_of, held
from herdsman.model.keys import Key, job_key
from herdsman.model.quotas import AMOUNTS, NOTHING, ONE, Demand, Quotas


def task(hook: str = "", *, sidecar: bool = False, **resources: Any) -> dict[str, Any]:
    plain = {"Name": "t", "Resources": resources}
    return plain | ({"Lifecycle": {"Hook": hook, "Sidecar": sidecar}} if hook else {})


def job(*tasks: dict[str, Any], **group: Any) -> dict[str, Any]:
    return {"TaskGroups": [{"Name": "g", "Tasks": list(tasks)} | group]}


def claim(name: str, *, owner: str = "me", created: float | None = 1.0, **amounts: int) -> Claim:
    return Claim(job_key("team", name), owner, created, Demand(deployments=1, **amounts))


def of_owner(**limits: int) -> Quotas:
    return Quotas({}, limits)


def let_in(claims: list[Claim], quotas: Quotas) -> set[str]:
    return {c.key.name for c in claims} - {k.name for k in held(claims, quotas)}


# -- what a job asks for -----------------------------------------------------------------------------------------------

MAIN = task(CPU=500, MemoryMB=1000)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (job(MAIN), Demand(1, cpu=500, memory=1000, disk=300)),
        (job(MAIN, Count=3), Demand(1, cpu=1500, memory=3000, disk=900)),
        (job(MAIN, Count=0), ONE),
        (job(task()), Demand(1, cpu=100, memory=300, disk=300)),
        (job(task(Cores=4, MemoryMB=10)), Demand(1, cores=4, memory=10, disk=300)),
        (job(MAIN, MAIN), Demand(1, cpu=1000, memory=2000, disk=300)),
        (job(MAIN, EphemeralDisk={"SizeMB": 5000}), Demand(1, cpu=500, memory=1000, disk=5000)),
        (job(MAIN, EphemeralDisk=None), Demand(1, cpu=500, memory=1000, disk=300)),
        (job(MAIN, task("prestart", CPU=900, MemoryMB=10)), Demand(1, cpu=900, memory=1000, disk=300)),
        (job(MAIN, task("prestart", sidecar=True, CPU=50, MemoryMB=10)), Demand(1, cpu=550, memory=1010, disk=300)),
        (job(MAIN, task("poststart", CPU=50, MemoryMB=10)), Demand(1, cpu=550, memory=1010, disk=300)),
        (job(MAIN, task("poststop", CPU=50, MemoryMB=2000)), Demand(1, cpu=500, memory=2000, disk=300)),
        ({"TaskGroups": [{"Tasks": [MAIN]}, {"Tasks": [MAIN], "Count": 2}]}, Demand(1, 1500, 0, 3000, 900)),
        ({}, ONE),
        ({"TaskGroups": None}, ONE),
    ],
    ids=str,
)
def test_the_demand_is_what_runs_at_one_time(body: dict[str, Any], expected: Demand) -> None:
    """Groups times their counts; tasks that end before others begin do not add up."""
    assert demand_of(body) == expected


@pytest.mark.parametrize(
    ("devices", "gpus"),
    [
        ([{"Name": "gpu"}], 1),
        ([{"Name": "nvidia/gpu", "Count": 2}], 2),
        ([{"Name": "nvidia/gpu/Tesla T4", "Count": 3}], 3),
        ([{"Name": "gpu", "Count": 1}, {"Name": "intel/gpu", "Count": 1}], 2),
        ([{"Name": "fpga", "Count": 4}], 0),
        ([{"Name": "gpu/fpga", "Count": 4}], 0),
        (None, 0),
    ],
)
def test_gpus_are_devices_of_that_type(devices: Any, gpus: int) -> None:
    """A device is named by type, by vendor and type, or by vendor, type and model."""
    assert demand_of(job(task(Devices=devices), Count=2)).gpu == 2 * gpus


# -- who is let in -----------------------------------------------------------------------------------------------------


@given(st.permutations(range(40)), st.integers(0, 45))
def test_whatever_the_order_of_documents_exactly_the_oldest_pass(order: list[int], most: int) -> None:
    """Nobody gets in by standing first in a file."""
    claims = [claim(f"d{n:02}", created=1000.0 + n) for n in order]

    assert let_in(claims, of_owner(deployments=most)) == {f"d{n:02}" for n in range(min(most, 40))}


def test_of_200_creates_against_10_exactly_10_pass() -> None:
    """All of one second: their names decide, and each of the others is told the numbers."""
    claims = [claim(f"d{n:03}") for n in range(200)]
    found = held(claims, of_owner(deployments=10))

    assert let_in(claims, of_owner(deployments=10)) == {f"d{n:03}" for n in range(10)}
    assert set(found.values()) == {"owner me has 10 of 10 deployments"}


def test_whoever_says_no_time_comes_last() -> None:
    """Leaving the time out is no way past those who gave one."""
    claims = [claim("a", created=None), claim("b", created=5.0)]

    assert let_in(claims, of_owner(deployments=1)) == {"b"}


def test_one_that_never_fits_holds_nobody_up() -> None:
    """A later one that fits is let in."""
    claims = [claim("big", created=1.0, gpu=9), claim("small", created=2.0, gpu=1)]

    assert held(claims, of_owner(gpu=2)) == {
        job_key("team", "big"): "owner me has 0 of 2 GPUs, this one asks for 9 more"
    }


def test_owners_do_not_take_from_each_other_but_share_the_namespace() -> None:
    """Both limits hold, each with its words."""
    claims = [claim("a", owner="x", memory=600), claim("b", owner="y", memory=600), claim("c", owner="x", memory=100)]
    found = held(claims, Quotas({"memory": 1000}, {"memory": 650}))

    assert found == {
        job_key("team", "b"): "the namespace has 600 of 1,000 MB of memory, this one asks for 600 more",
        job_key("team", "c"): "owner x has 600 of 650 MB of memory, this one asks for 100 more",
    }


def running(one: Claim) -> Claim:
    return replace(one, holds=one.asks)


def test_what_runs_keeps_its_place() -> None:
    """Neither a lowered quota nor an older newcomer takes it away, and it counts first."""
    claims = [claim("old", created=1.0), *(running(claim(f"r{n}", created=5.0 + n)) for n in range(3))]

    assert let_in(claims, of_owner(deployments=2)) == {"r0", "r1", "r2"}
    assert let_in(claims, of_owner(deployments=4)) == {"old", "r0", "r1", "r2"}


@pytest.mark.parametrize(
    ("asks", "allowed"),
    [
        ({"memory": 800, "cpu": 10}, True),
        ({"memory": 100, "cpu": 10}, True),
        ({"memory": 801, "cpu": 10}, False),
        ({"memory": 800, "cpu": 99}, True),
    ],
)
def test_only_growth_is_held(asks: dict[str, int], allowed: bool) -> None:
    """A job beyond its quota may change, shrink, and take more of what is left; more of what is not, it may not."""
    over = replace(claim("a", **asks), holds=Demand(deployments=1, memory=800, cpu=10))

    assert (not held([over], of_owner(memory=500, cpu=100))) is allowed


amounts = st.fixed_dictionaries({name: st.integers(0, 5) for name in AMOUNTS if name != "deployments"})
some_claims = st.lists(
    st.tuples(st.sampled_from("xy"), st.integers(0, 5), amounts, st.one_of(st.none(), amounts)), max_size=12
)
some_limits = st.dictionaries(st.sampled_from(AMOUNTS), st.integers(0, 12), max_size=3)


@given(some_claims, some_limits, some_limits, st.randoms(use_true_random=False))
def test_no_limit_is_passed_by_what_is_let_in(rows: Any, namespace: Any, owner: Any, chance: Any) -> None:
    """However much is asked for, those who are let in stay within every limit, but for what they had before; and the
    order in which they stand does not matter."""
    claims = [
        Claim(job_key("team", f"d{n}"), who, float(when), Demand(1, **asks), None if has is None else Demand(1, **has))
        for n, (who, when, asks, has) in enumerate(rows)
    ]
    quotas = Quotas(namespace, owner)
    found = held(claims, quotas)
    shuffled = list(claims)
    chance.shuffle(shuffled)

    assert held(shuffled, quotas) == found
    for who in ("x", "y", None):
        mine = [c for c in claims if who is None or c.owner == who]
        kept = sum((c.keeps for c in mine), start=NOTHING)
        taken = sum((c.keeps if c.key in found else c.asks for c in mine), start=NOTHING)
        for name, limit in (namespace if who is None else owner).items():
            assert getattr(taken, name) <= max(limit, getattr(kept, name))


def test_the_verdict_does_not_depend_on_the_order_of_equals() -> None:
    """Three of one moment, one place: the name decides in each of six orders."""
    three = [claim(name) for name in "abc"]
    verdicts: set[frozenset[Key]] = {frozenset(held(list(o), of_owner(deployments=1))) for o in permutations(three)}

    assert verdicts == {frozenset({job_key("team", "b"), job_key("team", "c")})}
