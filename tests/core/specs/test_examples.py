"""`crd_examples/` and `specs/`: complete, right, and what their schemas say."""

import json
from collections.abc import Iterator
from pathlib import Path
from posixpath import join
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from herdsman import jobspec
from herdsman.core.parse import parse_file, parse_job_body
from herdsman.core.reader import read
from herdsman.core.schema import schemas
from herdsman.model.documents import KINDS, JobDocument

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "crd_examples").glob("*.yaml"))
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
SCHEMAS = ROOT / "crd_examples" / "schemas"


def each(files: list[Path]) -> Any:
    return pytest.mark.parametrize("path", files, ids=lambda p: p.name)


def documents(path: Path) -> list[Any]:
    return [raw.value for raw in read(path.name, path.read_bytes())]


def test_there_is_an_example_of_every_kind_and_of_every_way_to_write_a_job() -> None:
    """Nobody needs to guess."""
    assert {path.stem for path in EXAMPLES} == {
        *("fleet", "namespace", "job-hcl", "job-file", "job-api", "deployment", "variable"),
    }
    assert {d["kind"] for path in EXAMPLES for d in documents(path)} == set(KINDS)


@each(EXAMPLES + SPECS)
def test_each_is_parsed_without_rejection(path: Path) -> None:
    """What we show is right, and the file that a job names is there."""
    file = parse_file(path.name, path.read_bytes())
    assert [str(r) for r in file.rejections] == []
    assert file.documents
    for document in file.documents:
        if isinstance(document.model, JobDocument) and document.model.spec.file:
            body = (path.parent / join("", document.model.spec.file)).read_bytes()
            if document.model.spec.file.endswith(".json"):
                assert document.key is not None
                assert isinstance(parse_job_body("x.json", body, key=document.key), bytes)


@each(EXAMPLES + SPECS)
def test_each_validates_against_its_schemas(path: Path) -> None:
    """An editor shows no red line in what Herdsman accepts; the first line tells it which schema to use."""
    for document in documents(path):
        for name in (f"{document['kind'].lower()}.json", "herdsman.json"):
            assert [e.message for e in Draft202012Validator(schemas()[name]).iter_errors(document)] == []
    relative = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / relative).resolve() == SCHEMAS / f"{document['kind'].lower()}.json"


def fields(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """The paths of all fields of a model, as they are written."""
    for name, field in model.model_fields.items():
        path = f"{above}{field.alias or name}"
        yield path
        for inner in models(field.annotation):
            yield from fields(inner, f"{path}.")


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models(part)


def written(value: Any, above: str = "") -> Iterator[str]:
    """The paths of all keys of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{above}{key}"
            yield from written(inner, f"{above}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from written(inner, above)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_every_kind_appears_in_its_examples(kind: str) -> None:
    """A field without an example is a field that nobody finds."""
    every = [(d["kind"], field) for path in EXAMPLES for d in documents(path) for field in written(d)]
    shown = {field for of_kind, field in every if of_kind == kind}
    shown |= {field for _, field in every if ".dependsOn." in field}  # the same block in every kind
    assert set(fields(KINDS[kind])) - shown == set()


@pytest.mark.parametrize("name", schemas())
def test_the_schemas_in_the_repository_are_those_of_the_models(name: str) -> None:
    """`make schemas` was run after the last change."""
    assert (SCHEMAS / name).read_text() == json.dumps(schemas()[name], indent=2) + "\n"


def test_no_other_schema_lies_about() -> None:
    """A kind that is gone takes its schema along."""
    assert {path.name for path in SCHEMAS.iterdir()} == set(schemas())


def body(path: Path, model: JobDocument) -> Any:
    """The job of a spec in the API's form."""
    if model.spec.job is not None:
        return json.loads(model.spec.job)
    text = model.spec.hcl or (path.parent / (model.spec.file or "")).read_text()
    return jobspec.parse(text, variables=model.spec.variables)


def test_the_first_fleet_needs_nothing_but_a_shell_and_python() -> None:
    """The first run downloads nothing, needs no fixed port, and is healthy within seconds."""
    kinds = [d["kind"] for path in SPECS for d in documents(path)]
    assert sorted(kinds) == ["Fleet", "Job", "Job", "Job", "Job", "Namespace"]
    for path in SPECS:
        [document] = parse_file(path.name, path.read_bytes()).documents
        if isinstance(document.model, JobDocument):
            job = body(path, document.model)
            assert job["ID"] == document.model.metadata.name
            for group in job["TaskGroups"]:
                assert not any(network.get("ReservedPorts") for network in group.get("Networks") or ())
                assert {task["Driver"] for task in group["Tasks"]} == {"raw_exec"}
                assert {task["Config"]["command"] for task in group["Tasks"]} <= {"/bin/sh", "python3"}
                assert not any(task.get("Artifacts") for task in group["Tasks"])
                if job.get("Type") in (None, "service"):
                    assert group["Update"]["MinHealthyTime"] == 10**9


def test_the_example_jobspecs_name_the_jobs_that_their_specs_name() -> None:
    """The inline and the separate jobspec of the examples evaluate with the variables beside them."""
    for path in EXAMPLES:
        for document in parse_file(path.name, path.read_bytes()).documents:
            if isinstance(document.model, JobDocument):
                assert body(path, document.model)["ID"] == document.model.metadata.name
