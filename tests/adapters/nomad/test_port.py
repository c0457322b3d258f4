"""Every method of the port against a Nomad that runs: the embedded one, or what `HERDSMAN_TEST_NOMAD` names."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.nomad.streams import Follower, following
from faults import CutAfter, FaultProxy
from herdsman.adapters.events import NomadEvents
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.errors import Conflict, Refused, Unavailable
from herdsman.model.keys import Key, job_key, namespace_key
from herdsman.model.observed import STAMP, DeploymentState, LiveJob, Provenance, Registered, VariableItems


@pytest.fixture(scope="module")
def nomad(nomad_address: str) -> Iterator[NomadCluster]:
    """The adapter before a Nomad that runs."""
    cluster = NomadCluster(NomadConfig(address=nomad_address))
    yield cluster
    cluster.close()


@pytest.fixture
def key(nomad: NomadCluster) -> Iterator[Key]:
    """The key of a job that no other test knows; purged afterwards."""
    fresh = job_key("default", f"port-{uuid.uuid4()}")
    yield fresh
    nomad.purge(fresh)


def job(key: Key, *, count: int = 0, **fields: Any) -> dict[str, Any]:
    """A small service that places nothing, unless *count* says so."""
    task = {
        "Name": "t",
        "Driver": "raw_exec",
        "Config": {"command": "/bin/sleep", "args": ["3600"]},
        "KillTimeout": 10**9,
    }
    task["Resources"] = {"CPU": 10, "MemoryMB": 10}
    quick = {"MinHealthyTime": 10**8, "HealthyDeadline": 5 * 10**9, "ProgressDeadline": 10 * 10**9}
    return {
        "ID": key.name, "Name": key.name, "Namespace": key.namespace, "Type": "service", "Datacenters": ["*"],
        "Meta": {STAMP: "port-tests"}, "Update": quick,
        "TaskGroups": [{"Name": "g", "Count": count, "Tasks": [task]}], **fields,
    }  # fmt: skip


def provenance(version: int, digest: str = "d1") -> Provenance:
    """Where a job of these tests comes from."""
    return Provenance(fleet="port-tests", digest=digest, version=version, path="a.yaml", line=3, author="Ann <ann@x>")


def put(nomad: NomadCluster, key: Key, body: dict[str, Any], *, if_index: int = 0, version: int = 0) -> Registered:
    """Register with a source that says nothing."""
    return nomad.register(key, body, if_index=if_index, provenance=provenance(version), source=("{}", "json"))


def live(nomad: NomadCluster, key: Key) -> LiveJob:
    """The job, which must be there."""
    found = nomad.job(key)
    assert found is not None
    return found


def eventually(look: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true answer of *look*."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return found


def test_the_version_is_a_number(nomad: NomadCluster) -> None:
    """The agent tells its version."""
    major, minor, *_ = nomad.version().split(".")

    assert (int(major), int(minor)) >= (1, 7)


def test_a_job_from_its_birth_to_its_end(nomad: NomadCluster, key: Key) -> None:
    """Absent, created, found by list and by name, stopped, purged, absent: and once more purged."""
    assert nomad.job(key) is None
    assert nomad.stub(key) is None
    assert key not in nomad.listing().stubs

    done = put(nomad, key, job(key))

    found, listing = live(nomad, key), nomad.listing()
    stub = listing.stubs[key]
    assert (found.version, found.stop, found.stamp) == (0, False, "port-tests")
    assert found.index == found.create_index == stub.index == stub.create_index <= done.index
    assert (stub.type, stub.stop, stub.stamp, stub.is_child) == ("service", False, "port-tests", False)
    assert listing.index >= stub.index
    assert nomad.stub(key) is not None

    nomad.stop(found)

    stopped = live(nomad, key)
    assert (stopped.stop, stopped.version) == (True, 1)
    assert nomad.listing().stubs[key].stop
    nomad.purge(key)
    assert nomad.job(key) is None
    nomad.purge(key)


def test_creating_and_updating_are_compare_and_set(nomad: NomadCluster, key: Key) -> None:
    """A create of what exists, an update at an old index and one at no index are lost races; the right one is done."""
    put(nomad, key, job(key))
    first = live(nomad, key)

    with pytest.raises(Conflict, match="somebody was faster"):
        put(nomad, key, job(key, Priority=60))
    put(nomad, key, job(key, Priority=60), if_index=first.index, version=1)
    with pytest.raises(Conflict):
        put(nomad, key, job(key, Priority=70), if_index=first.index, version=2)
    with pytest.raises(Conflict):
        nomad.stop(first)

    assert live(nomad, key).body["Priority"] == 60
    assert live(nomad, key).version == 1


def test_an_update_of_a_missing_job_is_a_lost_race(nomad: NomadCluster, key: Key) -> None:
    """The job that was to be updated is gone: somebody was faster."""
    with pytest.raises(Conflict):
        put(nomad, key, job(key), if_index=7)


def test_provenance_is_kept_beside_its_version(nomad: NomadCluster, key: Key) -> None:
    """What a write left is read back whole; a version without one, and a job that is not there, have none."""
    assert nomad.provenance(key, 0) is None
    put(nomad, key, job(key))

    assert nomad.provenance(key, 0) == provenance(0)
    assert nomad.provenance(key, 1) is None


def test_a_stop_keeps_the_provenance_genuine(nomad: NomadCluster, key: Key) -> None:
    """After a stop the live version has a provenance of its own number: the same in all else."""
    put(nomad, key, job(key))
    first = live(nomad, key)
    put(nomad, key, job(key, Priority=60), if_index=first.index, version=1)

    nomad.stop(live(nomad, key))

    assert live(nomad, key).version == 2
    assert nomad.provenance(key, 2) == provenance(2)


def test_a_source_that_is_too_long_loses_no_provenance(nomad: NomadCluster, key: Key) -> None:
    """The flags are kept although Nomad keeps no source over 1 MB."""
    nomad.register(key, job(key), if_index=0, provenance=provenance(0), source=("#" * 1_100_000, "hcl2"))

    assert nomad.provenance(key, 0) == provenance(0)


@pytest.mark.parametrize("name", ["a/b", "ünï-✓", "a?b#c%20", "a+b&c=d", "..a", "a:b@c;d,e"])
def test_odd_ids_are_reached_as_they_are(nomad: NomadCluster, name: str) -> None:
    """A job of any ID that Nomad accepts can be written, read, planned, listed and purged."""
    key = job_key("default", f"port-{uuid.uuid4()}-{name}")
    try:
        put(nomad, key, job(key))
        assert live(nomad, key).body["ID"] == key.name
        assert nomad.provenance(key, 0) == provenance(0)
        assert nomad.plan(key, job(key)).index == live(nomad, key).index
        assert nomad.stub(key) == nomad.listing().stubs[key]
    finally:
        nomad.purge(key)
    assert nomad.job(key) is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"TaskGroups": []}, "Missing job task groups"),
        ({"Type": "weird"}, "Invalid job type"),
        ({"Priority": 1000}, "priority must be between"),
        ({"Priority": "high"}, "cannot unmarshal"),
    ],
)
def test_a_bad_job_is_refused_with_nomads_words(
    nomad: NomadCluster, key: Key, fields: dict[str, Any], words: str
) -> None:
    """Validation errors are refusals that say what is wrong, and nothing is kept."""
    with pytest.raises(Refused, match=words):
        put(nomad, key, {**job(key), **fields})

    assert nomad.job(key) is None


def test_an_unknown_namespace_is_refused(nomad: NomadCluster) -> None:
    """A job for a namespace that is not there is a refusal."""
    key = job_key(f"port-{uuid.uuid4()}", "web")

    with pytest.raises(Refused, match="nonexistent namespace"):
        put(nomad, key, job(key))


# Plans


def test_a_plan_of_a_new_job(nomad: NomadCluster, key: Key) -> None:
    """It would be added, placed once, and is not there yet: nor is it afterwards."""
    forecast = nomad.plan(key, job(key, count=1))

    assert forecast.index == 0
    assert (forecast.diff or {})["Type"] == "Added"
    assert forecast.updates["g"].place == 1
    assert forecast.failures == {}
    assert nomad.job(key) is None


def test_plans_tell_in_place_from_destructive(nomad: NomadCluster, key: Key) -> None:
    """The same job changes nothing; a priority is changed in place; a `Meta` replaces what runs."""
    put(nomad, key, job(key, count=1))
    eventually(lambda: [a for a in nomad.allocations(key) if a.client == "running"])
    found = live(nomad, key)

    same = nomad.plan(key, dict(found.body))
    in_place = nomad.plan(key, {**found.body, "Priority": 61})
    destructive = nomad.plan(key, {**found.body, "Meta": {STAMP: "port-tests", "x": "y"}})

    assert (same.index, (same.diff or {})["Type"], same.updates["g"].ignore) == (found.index, "None", 1)
    assert (in_place.updates["g"].in_place, in_place.destructive) == (1, 0)
    assert (destructive.updates["g"].in_place, destructive.destructive) == (0, 1)


def test_a_plan_says_why_nothing_can_be_placed(nomad: NomadCluster, key: Key) -> None:
    """A constraint that no node meets, in words, for its group."""
    nowhere = [{"LTarget": "${attr.kernel.name}", "RTarget": "plan9", "Operand": "="}]

    forecast = nomad.plan(key, job(key, count=1, Constraints=nowhere))

    assert list(forecast.failures) == ["g"]
    assert "ruled out by the constraint ${attr.kernel.name} = plan9" in forecast.failures["g"]


def test_a_bad_plan_is_refused(nomad: NomadCluster, key: Key) -> None:
    """What a register would refuse is refused by the plan already."""
    with pytest.raises(Refused, match="Invalid job type"):
        nomad.plan(key, job(key, Type="weird"))


# What runs


def test_what_became_of_a_job(nomad: NomadCluster, key: Key) -> None:
    """Deployment, allocation and evaluation of a job that runs."""
    assert (nomad.deployments(key), nomad.allocations(key), nomad.evaluations(key)) == ([], [], [])
    done = put(nomad, key, job(key, count=1))

    deployment = eventually(lambda: [d for d in nomad.deployments(key) if d.state is DeploymentState.SUCCESSFUL])[0]
    (allocation,) = nomad.allocations(key)
    evaluations = nomad.evaluations(key)

    assert (deployment.version, deployment.healthy, deployment.desired, deployment.needs_promotion) == (0, 1, 1, False)
    assert (allocation.group, allocation.version, allocation.desired, allocation.client) == ("g", 0, "run", "running")
    assert allocation.node
    assert allocation.last_event
    assert done.evaluation in {evaluation.id for evaluation in evaluations}
    assert nomad.listing().stubs[key].counts.running == 1


def test_the_last_event_of_a_task_that_failed(nomad: NomadCluster, key: Key) -> None:
    """A batch task that exits badly leaves its exit code as the last word."""
    body = job(key, count=1, Type="batch", Update=None)
    group = body["TaskGroups"][0]
    group["Tasks"][0]["Config"] = {"command": "/bin/sh", "args": ["-c", "exit 7"]}
    group["RestartPolicy"] = {"Attempts": 0, "Mode": "fail", "Interval": 10**10, "Delay": 10**9}
    group["ReschedulePolicy"] = {"Attempts": 0, "Unlimited": False}

    put(nomad, key, body)

    failed = eventually(lambda: [a for a in nomad.allocations(key) if a.client == "failed"])[0]
    assert "Exit Code: 7" in failed.last_event


def test_why_an_evaluation_is_blocked(nomad: NomadCluster, key: Key) -> None:
    """Where nothing fits, one evaluation says why and another waits."""
    nowhere = [{"LTarget": "${attr.kernel.name}", "RTarget": "plan9", "Operand": "="}]
    put(nomad, key, job(key, count=1, Constraints=nowhere))

    eventually(lambda: [e for e in nomad.evaluations(key) if e.blocked])

    said = [evaluation.failures["g"] for evaluation in nomad.evaluations(key) if evaluation.failures]
    assert any("plan9" in text for text in said)


# Namespaces and variables


def test_a_namespace_from_its_birth_to_its_end(nomad: NomadCluster) -> None:
    """Created, listed with all that it says, replaced, used, deleted: and once more deleted."""
    key = namespace_key(f"port-{uuid.uuid4()}")
    assert key not in nomad.namespaces()

    nomad.put_namespace({"Name": key.name, "Description": "of a test", "Meta": {STAMP: "port-tests"}})

    found = nomad.namespaces()[key]
    assert (found.description, found.stamp) == ("of a test", "port-tests")
    nomad.put_namespace({**found.body, "Description": "still"})
    assert nomad.namespaces()[key].description == "still"
    assert namespace_key("default") in nomad.namespaces()

    web = job_key(key.name, "web")
    put(nomad, web, job(web, count=1))
    assert nomad.listing().stubs[web].key == web
    assert nomad.job(job_key("default", "web")) is None
    with pytest.raises(Unavailable, match="non-terminal"):
        nomad.delete_namespace(key)
    nomad.purge(web)

    eventually(lambda: deleted(nomad, key))  # what ran there needs a moment to end
    assert key not in nomad.namespaces()
    nomad.delete_namespace(key)


def deleted(nomad: NomadCluster, key: Key) -> bool:
    """Whether a namespace could be deleted."""
    try:
        nomad.delete_namespace(key)
    except Unavailable:
        return False
    return True


def test_the_default_namespace_stays(nomad: NomadCluster) -> None:
    """Nomad refuses to delete it, and that is told as a refusal."""
    with pytest.raises(Refused, match="default"):
        nomad.delete_namespace(namespace_key("default"))


def test_variables_are_compare_and_set(nomad: NomadCluster) -> None:
    """Absent is empty at index 0; a write at the index that was read is done, any other is a lost race."""
    path = f"herdsman/port-tests/{uuid.uuid4()}"
    assert nomad.variable(path) == VariableItems({}, 0)

    first = nomad.put_variable(path, {"a": "b"}, if_index=0)
    with pytest.raises(Conflict):
        nomad.put_variable(path, {"a": "c"}, if_index=0)
    second = nomad.put_variable(path, {"a": "ü"}, if_index=first.index)

    assert nomad.variable(path) == second
    assert second.items == {"a": "ü"}
    assert second.index > first.index > 0


# Jobspecs

HCL = """
variable "image" { type = string }
variable "n" { type = number }
job "web" {
  group "g" {
    count = var.n
    task "t" {
      driver = "docker"
      config { image = var.image }
    }
  }
}
"""


def test_a_jobspec_is_parsed_with_its_values(nomad: NomadCluster) -> None:
    """Values reach the job as they are: none of them becomes syntax."""
    nasty = 'nginx"\n${x} %{if} \\ é'

    body = nomad.parse(HCL, variables={"image": nasty, "n": 3}, namespace="default")

    group = body["TaskGroups"][0]
    assert (body["ID"], group["Count"], group["Tasks"][0]["Config"]["image"]) == ("web", 3, nasty)


@pytest.mark.parametrize(
    ("hcl", "words"),
    [("job {", r"input\.hcl:1"), (HCL, "Unset variable"), ("", "empty"), ("job 'x' {}", r"input\.hcl")],
)
def test_a_jobspec_that_cannot_be_parsed_is_refused(nomad: NomadCluster, hcl: str, words: str) -> None:
    """With the parser's words and position."""
    with pytest.raises(Refused, match=words):
        nomad.parse(hcl, variables={}, namespace="default")


# Events and faults


def hears(follower: Follower, key: Key) -> None:
    """Wait for a hint about a job."""
    follower.until(lambda hint: key in hint.keys)


def test_the_event_stream_hints_at_what_changes(nomad: NomadCluster, nomad_address: str, key: Key) -> None:
    """A register, a stop and a purge are each hinted at while they happen, across a cut as well."""
    with FaultProxy(nomad_address) as proxy:
        events = NomadEvents(NomadConfig(address=proxy.address), first_wait=0.01, longest_wait=0.1)
        with following(events) as follower:
            put(nomad, key, job(key))
            hears(follower, key)
            proxy.cut()
            nomad.stop(live(nomad, key))
            hears(follower, key)
            nomad.purge(key)
            hears(follower, key)


def test_an_answer_that_is_lost_on_the_way(nomad: NomadCluster, nomad_address: str, key: Key) -> None:
    """The write happened; told as unavailable, a second one at the same index is a lost race, and harm is not done."""
    with FaultProxy(nomad_address) as proxy:
        flaky = NomadCluster(NomadConfig(address=proxy.address))
        proxy.on("POST", "/v1/jobs", CutAfter())

        with pytest.raises(Unavailable):
            put(flaky, key, job(key))
        with pytest.raises(Conflict):
            put(flaky, key, job(key))
        flaky.close()

    assert live(nomad, key).version == 0
