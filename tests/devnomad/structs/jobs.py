"""Jobs to test with: small ones, and made-up ones of every block that the tables know."""

import string
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from herdsman.devnomad.structs.canonical import canonicalize
from herdsman.devnomad.structs.decode import decode_job
from herdsman.devnomad.structs.shapes import SHAPES, Shape

SECOND = 1_000_000_000


def task(name: str = "t", **more: Any) -> dict[str, Any]:
    """A task."""
    resources = {"CPU": 20, "MemoryMB": 16}
    return {"Name": name, "Driver": "mock_driver", "Config": {"run_for": "1h"}, "Resources": resources} | more


def group(name: str = "g", **more: Any) -> dict[str, Any]:
    """A group of one task."""
    return {"Name": name, "Count": 1, "Tasks": [task()]} | more


def job(**more: Any) -> dict[str, Any]:
    """A job of one group."""
    return {"ID": "j", "Name": "j", "Type": "service", "Datacenters": ["dc1"], "TaskGroups": [group()]} | more


def with_group(**more: Any) -> dict[str, Any]:
    """A job whose group says more."""
    return job(TaskGroups=[group(**more)])


def with_task(**more: Any) -> dict[str, Any]:
    """A job whose task says more."""
    return with_group(Tasks=[task(**more)])


def stored(wanted: dict[str, Any]) -> dict[str, Any]:
    """A job as the server stores it."""
    return canonicalize(decode_job(deepcopy(wanted)))


_WORDS = st.text(string.ascii_lowercase + '-${}\0"é', max_size=6)
_DURATIONS = st.integers(-5, 10**12)
_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": _WORDS,
    "bool": st.booleans(),
    "int": st.integers(-3, 70_000),
    "int8": st.integers(-128, 127),
    "int64": st.integers(-3, 50),
    "uint8": st.integers(0, 255),
    "uint16": st.integers(0, 65_535),
    "uint32": st.integers(0, 9),
    "uint64": st.integers(0, 9),
    "time.Duration": _DURATIONS,
    "[]uint8": st.sampled_from(["", "aGk="]),
    "interface {}": st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _WORDS,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_WORDS, inner, max_size=2),
        max_leaves=4,
    ),
}
# Words that mean something, so that made-up jobs reach the rules behind them.
_CHOICES = {
    "Type": ["service", "batch", "system", "sysbatch", "host", "csi", "http", "tcp", "script", "horizontal", ""],
    "Provider": ["nomad", "consul", ""],
    "Mode": ["fail", "delay", "host", "bridge", ""],
    "Operand": ["=", "regexp", "version", "distinct_hosts", "distinct_property", "set_contains", "is_set", "odd"],
    "DelayFunction": ["constant", "exponential", "fibonacci", "odd"],
    "ChangeMode": ["restart", "signal", "script", "noop"],
    "Name": ["a", "b", "${JOB}-x", "default", ""],
    "TimeZone": ["UTC", "Europe/Madrid", "Nowhere/Land"],
    "SpecType": ["cron"],
    "Spec": ["", "*/15 * * * *", "@daily", "odd"],
}


def blocks(shape: Shape, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Values of a block: any of its keys, each with a value of its type."""
    optional = {one.name: _value(one.name, one.type.go, depth) for one in shape.fields.values() if one.note != "server"}
    return st.fixed_dictionaries({}, optional=optional)


def _value(name: str, go: str, depth: int) -> st.SearchStrategy[Any]:
    if name in _CHOICES and go == "string":
        return st.sampled_from(_CHOICES[name])
    if go in _SCALARS:
        return _SCALARS[go]
    if go.startswith("[]"):
        return st.none() | st.lists(_value("", go.removeprefix("[]").removeprefix("*"), depth), max_size=2)
    if go.startswith("map[string]"):
        inner = go.removeprefix("map[string]").removeprefix("*")
        return st.none() | st.dictionaries(_WORDS, _value("", inner, depth), max_size=2)
    shape = SHAPES[go.removeprefix("api.")]
    return st.none() | st.deferred(lambda: blocks(shape, depth + 1))


def made_up_jobs() -> st.SearchStrategy[dict[str, Any]]:
    """Jobs that say anything the tables allow, made up as a whole or in one of their blocks."""
    whole = blocks(SHAPES["Job"]).map(lambda made: made | {"ID": made.get("ID") or "j"})
    kinds = st.sampled_from(["service", "batch", "system", "sysbatch"])
    groups = st.lists(blocks(SHAPES["TaskGroup"]), min_size=1, max_size=2)
    tasks = st.lists(blocks(SHAPES["Task"]), min_size=1, max_size=2)
    services = st.lists(blocks(SHAPES["Service"]), min_size=1, max_size=2)
    return st.one_of(
        whole,
        st.builds(lambda kind, made: job(Type=kind, TaskGroups=made), kinds, groups),
        st.builds(lambda kind, made: job(Type=kind, TaskGroups=[group(Tasks=made)]), kinds, tasks),
        st.builds(lambda made, more: with_group(**more | {"Services": made}), services, blocks(SHAPES["TaskGroup"])),
    )
