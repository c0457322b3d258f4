"""The JSON Schemas: valid themselves, helpful, and of one mind with the parser."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from herdsman.core.parse import parse_file
from herdsman.core.schema import schemas

VALIDATORS = {name: Draft202012Validator(schema) for name, schema in schemas().items()}


@pytest.mark.parametrize("name", schemas())
def test_each_schema_is_a_schema(name: str) -> None:
    """Of draft 2020-12, with every reference inside it."""
    schema = schemas()[name]
    Draft202012Validator.check_schema(schema)
    assert set(references(schema)) <= {f"#/$defs/{key}" for key in schema["$defs"]}


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from references(part)


@pytest.mark.parametrize("name", schemas())
def test_every_field_has_hover_help(name: str) -> None:
    """A field, or the block that it refers to, is described."""
    schema = schemas()[name]
    for title, block in {"": schema, **schema["$defs"]}.items():
        for field, inner in block.get("properties", {}).items():
            target = schema["$defs"].get(inner.get("$ref", "").removeprefix("#/$defs/"), {})
            assert inner.get("description") or target.get("description"), (title, field)


def job(spec: Any, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "herdsman/v1", "kind": "Job", "metadata": {"name": "a", **metadata}, "spec": spec}


def fleet(spec: Any, name: str = "a") -> dict[str, Any]:
    return {"apiVersion": "herdsman/v1", "kind": "Fleet", "metadata": {"name": name}, "spec": spec}


TASK = {"Name": "t", "Driver": "d"}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"apiVersion": "herdsman/v1", "kind": "Deployment", "metadata": {"name": "a"}},
        {"apiVersion": "herdsman/v2", "kind": "Fleet", "metadata": {"name": "a"}},
        {"apiVersion": "herdsman/v1", "kind": "Fleet", "metadata": {"name": "a/b"}},
        {"apiVersion": "herdsman/v1", "kind": "Fleet", "metadata": {"name": "a"}, "spec": {"namespaces": []}},
        {
            "apiVersion": "herdsman/v1",
            "kind": "Fleet",
            "metadata": {"name": "a"},
            "spec": {"prune": {"maxPercent": 101}},
        },
        {"apiVersion": "herdsman/v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "b"}},
        job({}),
        job({"hcl": "x", "file": "y.hcl"}),
        job({"file": "../x.hcl"}),
        job({"file": "/x.hcl"}),
        job({"file": "x.txt"}),
        job({"hcl": "x", "policy": {"drift": "no"}}),
        job({"hcl": "x", "policy": {"healthTimeout": "5"}}),
        job({"hcl": "x", "variables": {"1": 2}}),
        job({"hcl": "x"}, labels={"a": 1}),
        job({"hcl": "x"}, name="a b"),
        job({"job": {"TaskGroups": [], "Prioritty": 1}}),
        job({"job": {"TaskGroups": [], "Status": "x"}}),
        job({"job": {}}),
        job({"job": {"TaskGroups": [{"Name": "g", "Tasks": [{**TASK, "Env": {"A": 1}}]}]}}),
        job({"job": {"TaskGroups": [{"Name": "g", "ShutdownDelay": "5x"}]}}),
    ],
)
def test_what_the_parser_refuses_an_editor_marks(document: dict[str, Any]) -> None:
    """The common mistakes are seen while they are typed."""
    assert parse_file("a.yaml", yaml.safe_dump(document).encode()).rejections
    assert not VALIDATORS["herdsman.json"].is_valid(document)


WORDS = st.sampled_from(["a", "web", "30s", "1h30m", "enforce", "purge", "x.hcl", "a/b.json", "Meta.a", "*", "0"])
ANYTHING = WORDS | st.integers(-1, 200) | st.booleans() | st.floats(0, 2) | st.lists(WORDS, max_size=1)


def mostly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What is right, and now and then something else."""
    return st.integers(0, 15).flatmap(lambda n: ANYTHING if n == 0 else good)


def block(required: dict[str, Any], **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: mostly(good) for name, good in required.items()}
    return st.fixed_dictionaries(fields, optional={name: mostly(good) for name, good in optional.items()})


NUMBERS = st.integers(0, 100)
NAMES = st.sampled_from(["a", "web", "team-1"])
TIMES = st.sampled_from(["30s", "1h30m", "250ms"])
TEXTS = st.dictionaries(WORDS, mostly(WORDS), max_size=2)
POLICY = block(
    {},
    drift=st.sampled_from(["enforce", "warn", "off"]),
    ignore=st.lists(st.sampled_from(["Meta.a", "TaskGroups[*].Count"]), max_size=2),
    prune=st.sampled_from(["purge", "stop", "keep"]),
    dependsOn=st.lists(NAMES.map("needs-{}".format) | block({"name": NAMES}, namespace=NAMES), max_size=2),
    suspend=st.booleans(),
    healthTimeout=TIMES | st.integers(1, 5),
)
RESOURCES = block({}, CPU=NUMBERS, MemoryMB=NUMBERS)
TASKS = block({"Name": WORDS, "Driver": WORDS}, Env=TEXTS, KillTimeout=TIMES, Leader=st.booleans(), Resources=RESOURCES)
GROUPS = block({"Name": WORDS}, Count=NUMBERS, Tasks=st.lists(TASKS, max_size=2), ShutdownDelay=TIMES)
BODIES = block({"TaskGroups": st.lists(GROUPS, max_size=2)}, Priority=NUMBERS, Type=WORDS, Meta=TEXTS)
VARIABLES = st.dictionaries(st.sampled_from(["a", "b_c"]), ANYTHING, max_size=2)
FILES = st.sampled_from(["x.hcl", "a/b.nomad"])
SPECS = (
    block({"job": BODIES}, policy=POLICY)
    | block({"hcl": WORDS}, variables=VARIABLES, policy=POLICY)
    | block({"file": FILES}, variables=VARIABLES, policy=POLICY)
)
JOBS = st.builds(job, SPECS, name=mostly(NAMES), namespace=mostly(NAMES))


@settings(max_examples=150, deadline=None)
@given(JOBS)
def test_what_the_parser_accepts_an_editor_accepts(document: dict[str, Any]) -> None:
    """No red line under a document that Herdsman takes."""
    if not parse_file("a.yaml", yaml.safe_dump(document).encode()).rejections:
        assert [e.message for e in VALIDATORS["job.json"].iter_errors(document)] == []
        assert VALIDATORS["herdsman.json"].is_valid(document)
