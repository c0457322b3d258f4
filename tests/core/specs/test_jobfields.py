"""Jobs in the API's form: what Nomad itself answers is accepted, what it would refuse or ignore is told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from herdsman.core.jobfields import INTEGERS, blocks, convert_job
from herdsman.core.normalize import SERVER_KEPT
from herdsman.core.problems import MOST_FAULTS, Fault
from herdsman.devnomad.structs import tables
from herdsman.model.keys import job_key

KEY = job_key("default", "web")
RECORDED = Path(__file__).parents[2] / "contract" / "nomad" / "recorded"


def minimal(**fields: Any) -> dict[str, Any]:
    return {"TaskGroups": [{"Name": "g", "Tasks": [{"Name": "t", "Driver": "docker"}]}], **fields}


def converted(value: dict[str, Any]) -> dict[str, Any]:
    body = convert_job(value, key=KEY)
    assert isinstance(body, bytes), body
    found: dict[str, Any] = orjson.loads(body)
    return found


def faults(value: dict[str, Any]) -> list[Fault]:
    found = convert_job(value, key=KEY)
    assert isinstance(found, tuple)
    return list(found)


def jobs(value: Any) -> Iterator[dict[str, Any]]:
    """Every job that stands somewhere in a recording."""
    if isinstance(value, dict):
        if "TaskGroups" in value and "Priority" in value and "Fields" not in value:
            yield value
        else:
            for part in value.values():
                yield from jobs(part)
    elif isinstance(value, list):
        for part in value:
            yield from jobs(part)


def recorded() -> list[dict[str, Any]]:
    return [job for path in sorted(RECORDED.glob("*.json")) for job in jobs(json.loads(path.read_text()))]


def without_server_kept(value: Any, found: list[Fault]) -> Any:
    for fault in found:
        holder = value
        for step in fault.loc[:-1]:
            holder = holder[step]
        del holder[fault.loc[-1]]
    return value


def test_every_job_that_nomad_answered_is_known() -> None:
    """Real Nomad's jobs convert, once what the server keeps is taken out; every key of theirs is in the table."""
    answered = recorded()
    assert len(answered) > 20
    for job in answered:
        key = job_key(job["Namespace"] or "default", job["ID"])
        plain = {**job, "Name": job["ID"]}
        found = convert_job(plain, key=key)
        if isinstance(found, tuple):
            assert {f.message for f in found} == {"kept by the server"}
            found = convert_job(without_server_kept(plain, list(found)), key=key)
        assert isinstance(found, bytes)


def test_conversion_keeps_what_nomad_answered() -> None:
    """A canonical job comes out as it went in, without what is null."""

    def pruned(value: Any, *, free: bool = False) -> Any:
        if isinstance(value, dict) and not free:
            return {k: pruned(v, free=k in ("Config", "Policy")) for k, v in value.items() if v is not None}
        return [pruned(v) for v in value] if isinstance(value, list) and not free else value

    for job in recorded():
        key = job_key(job["Namespace"] or "default", job["ID"])
        plain = {**job, "Name": job["ID"], "Namespace": key.namespace}
        found = convert_job(plain, key=key)
        if isinstance(found, tuple):
            plain = without_server_kept(plain, list(found))
            found = convert_job(plain, key=key)
        assert isinstance(found, bytes)
        assert orjson.loads(found) == pruned(plain)


def test_the_table_is_sound() -> None:
    """Every type that a field names exists, every block but the job is used, and every field is explained."""
    known = blocks()
    used = {"Job"}
    for block in known.values():
        assert block.doc
        for field in block.fields.values():
            assert field.type in {"text", "bool", "duration", "any", "server", *INTEGERS, *known}, field
            assert field.server or field.doc, field
            used.add(field.type)
    assert used >= set(known)


def test_what_the_server_keeps_is_what_is_never_compared() -> None:
    """The fields of a job that are refused in specs are those that no comparison looks at."""
    assert {f.name for f in blocks()["Job"].fields.values() if f.server} == SERVER_KEPT


def test_identity_comes_from_the_metadata() -> None:
    """ID, Name and Namespace are filled in; a Region may be set; the same values may be repeated."""
    assert converted(minimal(Region="eu")) == {
        **minimal(),
        "ID": "web",
        "Name": "web",
        "Namespace": "default",
        "Region": "eu",
    }
    assert converted(minimal(ID="web", Name="web", Namespace="default")) == converted(minimal())


def test_the_body_is_canonical() -> None:
    """The order in which a person writes does not matter."""
    one = convert_job(minimal(Priority=1, Type="batch"), key=KEY)
    two = convert_job(dict(reversed(list(minimal(Type="batch", Priority=1).items()))), key=KEY)
    assert one == two


def test_null_is_left_out_and_free_fields_stay() -> None:
    """An empty field is no field; what a driver gets is nobody's business."""
    job = minimal(Meta=None, Datacenters=None)
    config = {"image": "x", "nothing": None, "deep": [{"a": [1, None]}], "30s": "30s"}
    job["TaskGroups"][0]["Tasks"][0]["Config"] = config
    body = converted(job)
    assert "Meta" not in body
    assert body["TaskGroups"][0]["Tasks"][0]["Config"] == config


def test_durations_become_nanoseconds() -> None:
    """Texts are converted wherever the table says duration; numbers are nanoseconds already."""
    job = minimal(Update={"MinHealthyTime": "1m30s", "HealthyDeadline": 10**9, "Stagger": "0"})
    assert converted(job)["Update"] == {"MinHealthyTime": 90 * 10**9, "HealthyDeadline": 10**9, "Stagger": 0}


def at_task(**fields: Any) -> dict[str, Any]:
    return {"TaskGroups": [{"Name": "g", "Tasks": [{"Name": "t", "Driver": "docker", **fields}]}]}


TASK = ("TaskGroups", 0, "Tasks", 0)


@pytest.mark.parametrize(
    ("job", "loc", "message", "hint"),
    [
        (minimal(Status="running"), ("Status",), "kept by the server", "remove it"),
        (minimal(Version=3), ("Version",), "kept by the server", "remove it"),
        (
            minimal(ID="api"),
            ("ID",),
            '"api" is not what metadata.name says, "web"',
            "remove it: it comes from metadata.name",
        ),
        (
            minimal(Name="api"),
            ("Name",),
            '"api" is not what metadata.name says, "web"',
            "remove it: it comes from metadata.name",
        ),
        (
            minimal(Namespace="x"),
            ("Namespace",),
            '"x" is not what metadata.namespace says, "default"',
            "remove it: it comes from metadata.namespace",
        ),
        (
            minimal(Meta={"herdsman_fleet": "x"}),
            ("Meta", "herdsman_fleet"),
            "Herdsman's own",
            "remove it: the fleet's name is put there",
        ),
        (minimal(Priority="high"), ("Priority",), 'expected a whole number, got "high"', ""),
        (minimal(Priority=True), ("Priority",), "expected a whole number, got true", ""),
        (minimal(Priority=1.5), ("Priority",), "expected a whole number, got 1.5", ""),
        (
            minimal(Affinities=[{"Weight": 200}]),
            ("Affinities", 0, "Weight"),
            "expected a whole number from -128 to 127, got 200",
            "",
        ),
        (minimal(AllAtOnce="yes"), ("AllAtOnce",), 'expected true or false, got "yes"', ""),
        (minimal(Datacenters="dc1"), ("Datacenters",), 'expected a list, got "dc1"', ""),
        (minimal(Datacenters=[1]), ("Datacenters", 0), "expected text, got 1", "put it in quotes"),
        (
            minimal(Constraints={"LTarget": "x"}),
            ("Constraints",),
            "expected a list, got a mapping",
            "put a - before the element",
        ),
        (minimal(Periodic="0 0 * * *"), ("Periodic",), 'expected a mapping, got "0 0 * * *"', ""),
        (
            minimal(Update={"Stagger": "5x"}),
            ("Update", "Stagger"),
            'expected a duration like 30s, 5m or 1h30m, got "5x"',
            "",
        ),
        (minimal(Update={"Stagger": 30}), ("Update", "Stagger"), "30 would be nanoseconds", "write 30s for seconds"),
        (
            minimal(Update={"Stagger": 1.5}),
            ("Update", "Stagger"),
            "expected a duration like 30s, 5m or 1h30m, or nanoseconds, got 1.5",
            "",
        ),
        ({}, ("TaskGroups",), "missing", "groups of tasks; the tasks of one group run on one node"),
        (at_task(Env="A=b"), (*TASK, "Env"), "expected a mapping of texts, got a text", ""),
        (at_task(Env={"PORT": 8080}), (*TASK, "Env", "PORT"), "expected text, got a number", "put it in quotes"),
        (at_task(Env={"ON": True}), (*TASK, "Env", "ON"), "expected text, got true", "put it in quotes"),
        (at_task(Env={"A": None}), (*TASK, "Env", "A"), "expected text, got nothing", 'write "" for an empty text'),
        (at_task(Config=["x"]), (*TASK, "Config"), "expected a mapping of values, got a list", ""),
        (
            at_task(Services=[{"Checks": [{"Header": {"X": "y"}}]}]),
            (*TASK, "Services", 0, "Checks", 0, "Header", "X"),
            "expected a list, got a text",
            "",
        ),
        (at_task(User="a:secret@b", Kind=["x"]), (*TASK, "Kind"), "expected text, got a list", ""),
    ],
)
def test_what_is_wrong_is_told(job: dict[str, Any], loc: tuple[str | int, ...], message: str, hint: str) -> None:
    """Each mistake is told with its place, what was expected, and what to do."""
    assert [(f.loc, f.message, f.hint) for f in faults(job)] == [(loc, message, hint)]


def test_unknown_fields_are_told_with_what_is_known() -> None:
    """Names are compared exactly, and the names that could be meant come along, without those of the server."""
    [fault] = faults(minimal(taskgroups=[]))
    assert (fault.loc, fault.message, fault.at_key) == (("taskgroups",), "unknown field", True)
    assert "TaskGroups" in fault.known
    assert "Status" not in fault.known


def test_all_faults_are_told_up_to_a_limit() -> None:
    """A person sees every mistake at once; a machine that makes thousands is cut short."""
    assert len(faults(minimal(Priority="x", Type=1, Status="y", Foo=1))) == 4
    assert len(faults({**minimal(), **{f"x{n}": 1 for n in range(5000)}})) == MOST_FAULTS


def test_without_a_readable_identity_only_the_rest_is_judged() -> None:
    """Where the metadata are wrong, that is told elsewhere."""
    assert isinstance(convert_job(minimal(ID="any"), key=None), bytes)


NOTES = ("null", "omit", "parse", "api", "server")
GO_SCALARS = {"string": "text", "bool": "bool", "time.Duration": "duration", "interface {}": "any", "int64": "int"}


def go_structs() -> dict[str, dict[str, str]]:
    """The embedded Nomad's table: the Go type of every field of every struct."""
    structs: dict[str, dict[str, str]] = {}
    fields: dict[str, str] = {}
    for line in tables.ALL.strip().splitlines():
        if line.startswith("  "):
            name, kind = line.split(None, 1)
            *words, last = kind.split()
            fields[name] = " ".join(words if last in NOTES else kind.split())
        elif line:
            fields = structs[line] = {}
    return structs


def shape_of(go: str) -> tuple[str, str]:
    """A Go type as form and element: `[]*Task` is a list of `Task`."""
    go = go.replace("*", "")
    for prefix, form in (("map[string][]", "map of lists"), ("map[string]", "map"), ("[]", "list")):
        if go.startswith(prefix):
            return form, go.removeprefix(prefix)
    return "one", go


def test_the_table_agrees_with_that_of_the_embedded_nomad() -> None:
    """Two tables, one truth: the same fields of the same types, wherever a job can hold them."""
    structs = go_structs()
    seen: set[tuple[str, str]] = set()
    todo = [("Job", "Job")]
    while todo:
        pair = todo.pop()
        if pair in seen:
            continue
        seen.add(pair)
        ours, theirs = blocks()[pair[0]].fields, structs[pair[1]]
        assert set(ours) - {"ConsulToken", "VaultToken"} == set(theirs), pair
        for name, go in theirs.items():
            form, element = shape_of(go)
            if ours[name].server:
                continue
            assert ours[name].form.value == form, (pair, name)
            if element in structs:
                todo.append((ours[name].type, element))
            else:
                assert ours[name].type == GO_SCALARS.get(element, element), (pair, name)
    assert {block for block, _ in seen} == set(blocks())
