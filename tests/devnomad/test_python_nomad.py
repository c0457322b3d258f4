"""A client that others wrote, python-nomad, works against the embedded server unchanged: every endpoint it has."""

import base64
from collections.abc import Iterator
from typing import Any

import nomad as python_nomad
import pytest
from nomad.api.exceptions import (
    BadRequestNomadException,
    BaseNomadException,
    URLNotAuthorizedNomadException,
    URLNotFoundNomadException,
    VariableConflict,
)

from devnomad.support import QUICK_UPDATE, Api, group, job, serving, shell, task

HCL = 'job "parsed" {\n  group "g" {\n    task "t" {\n      driver = "raw_exec"\n    }\n  }\n}\n'


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """A server of our own."""
    with serving() as served:
        yield served


@pytest.fixture(scope="module")
def client(api: Api) -> Any:
    """The client."""
    return python_nomad.Nomad(host="127.0.0.1", port=api.port, timeout=20)


@pytest.fixture(scope="module")
def web(api: Api, client: Any) -> Iterator[dict[str, Any]]:
    """A job of two versions that runs and says something; its allocation."""
    talks = group(Tasks=[shell("echo said; sleep 1000")], Meta={"rack": "1"})
    client.jobs.register_job({"Job": job("web", talks, Update=QUICK_UPDATE, Meta={"team": "one"})})
    _successful(api, 0)
    client.job.register_job("web", {"Job": job("web", talks, Update=QUICK_UPDATE, Priority=60, Meta={"team": "one"})})
    _successful(api, 1)
    yield api.running("web")[0]
    api.purge("web")


def _successful(api: Api, version: int) -> None:
    api.wait_for(
        "/v1/job/web/deployment", lambda found: (found["JobVersion"], found["Status"]) == (version, "successful")
    )


# -- jobs ----------------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("web")
def test_jobs(client: Any) -> None:
    """Jobs are listed, filtered, looked up by name and parsed."""
    listed = client.jobs.get_jobs(prefix="we", meta=True, filter_='Meta.team == "one"')

    assert [(each["ID"], each["Meta"]) for each in listed] == [("web", {"team": "one"})]
    assert "web" in client.jobs
    assert "none" not in client.jobs
    assert client.jobs["web"]["Priority"] == 60
    assert len(client.jobs) >= 1
    assert client.jobs.parse(HCL)["ID"] == "parsed"
    assert client.jobs.parse(HCL, canonicalize=True)["Priority"] == 50
    with pytest.raises(BadRequestNomadException):
        client.jobs.parse("job {")


def test_job(client: Any, web: dict[str, Any]) -> None:
    """One job: read, its parts, a plan of it, an evaluation."""
    one = client.job.get_job("web")

    assert (one["ID"], one["Version"], one["Status"]) == ("web", 1, "running")
    assert "web" in client.job
    assert client.job["web"]["ID"] == "web"
    assert [each["Version"] for each in client.job.get_versions("web")["Versions"]] == [1, 0]
    assert web["ID"] in [each["ID"] for each in client.job.get_allocations("web", all_=True)]
    assert {each["JobID"] for each in client.job.get_evaluations("web")} == {"web"}
    assert [each["JobVersion"] for each in client.job.get_deployments("web")] == [1, 0]
    assert client.job.get_deployment("web")["Status"] == "successful"
    assert client.job.get_summary("web")["Summary"]["g"]["Running"] == 1
    planned = client.job.plan_job("web", {"Job": one | {"Priority": 70}}, diff=True)
    assert planned["Diff"]["Fields"][0]["Name"] == "Priority"
    assert client.job.evaluate_job("web")["EvalID"]
    with pytest.raises(URLNotFoundNomadException):
        client.job.get_job("none")
    with pytest.raises(BadRequestNomadException):
        client.job.register_job("other", {"Job": one})


def test_versions_of_a_job(api: Api, client: Any) -> None:
    """A version is marked as stable and gone back to; the job is stopped and purged."""
    for priority in (50, 60):
        client.jobs.register_job({"Job": job("past", group(count=0), Priority=priority)})

    assert client.job.stable_job("past", 1, True)["JobModifyIndex"] > 0
    assert client.job.revert_job("past", 0, enforce_prior_version=1)["EvalID"]
    assert client.job.get_job("past")["Priority"] == 50
    with pytest.raises(BaseNomadException):
        client.job.revert_job("past", 9)
    assert client.job.deregister_job("past")["EvalID"]
    assert client.job.get_job("past")["Stop"] is True
    client.job.deregister_job("past", purge=True)
    assert api.call("GET", "/v1/job/past").status == 404


def test_jobs_that_launch(client: Any) -> None:
    """A parameterized job is dispatched, a periodic one is forced."""
    client.jobs.register_job({"Job": job("param", Type="batch", ParameterizedJob={"MetaRequired": ["who"]})})
    client.jobs.register_job(
        {"Job": job("cron", Type="batch", Periodic={"Enabled": True, "SpecType": "cron", "Specs": ["0 3 1 1 *"]})}
    )
    payload = base64.b64encode(b"hello").decode()
    child = client.job.dispatch_job("param", payload=payload, meta={"who": "me"})["DispatchedJobID"]

    assert child.startswith("param/dispatch-")
    assert client.job.get_job(child)["Meta"] == {"who": "me"}
    assert client.job.periodic_job("cron")["EvalID"]
    assert [each["ParentID"] for each in client.jobs.get_jobs(prefix="cron/periodic-")] == ["cron"]
    for name in (child, "param", "cron"):
        client.job.deregister_job(name, purge=True)


def test_validate(client: Any) -> None:
    """A job is judged without being registered."""
    good = client.validate.validate_job({"Job": job("judged")}).json()
    bad = client.validate.validate_job({"Job": job("judged") | {"TaskGroups": []}}).json()

    assert (good["Error"], good["ValidationErrors"]) == ("", None)
    assert bad["ValidationErrors"] == ["Missing job task groups"]


# -- allocations, evaluations, deployments -------------------------------------------------------------------------
def test_allocations(client: Any, web: dict[str, Any]) -> None:
    """Allocations are listed, paged, found by prefix, read."""
    found = client.allocations.get_allocations(prefix=web["ID"][:8], resources=True, task_states=False)

    assert [(each["ID"], each["TaskStates"]) for each in found] == [(web["ID"], None)]
    assert found[0]["AllocatedResources"]["Tasks"]["t"]["Cpu"]["CpuShares"] == 20
    assert len(client.allocations.get_allocations(per_page=1, filter_='JobID == "web"')) == 1
    assert len(client.allocations) >= 1
    assert web["ID"] in client.allocation
    assert client.allocation.get_allocation(web["ID"])["Job"]["ID"] == "web"
    assert "00000000-0000-0000-0000-000000000000" not in client.allocation


def test_an_allocation_is_stopped(api: Api, client: Any) -> None:
    """A stopped allocation is replaced."""
    client.jobs.register_job({"Job": job("stopped")})
    before = api.running("stopped")[0]["ID"]

    assert client.allocation.stop_allocation(before)["EvalID"]
    api.wait(lambda: [a for a in api.allocs("stopped") if a["ID"] != before and a["ClientStatus"] == "running"])
    api.purge("stopped")


def test_evaluations(client: Any, web: dict[str, Any]) -> None:
    """Evaluations are listed and read, with what they placed."""
    one = web["EvalID"]

    assert one in [each["ID"] for each in client.evaluations.get_evaluations(prefix=one[:4])]
    assert one in client.evaluations
    assert one in client.evaluation
    assert client.evaluation.get_evaluation(one)["JobID"] == "web"
    assert [each["ID"] for each in client.evaluation.get_allocations(one)] == [web["ID"]]


@pytest.mark.usefixtures("web")
def test_deployments(client: Any) -> None:
    """Deployments are listed and read; what is over cannot be changed."""
    one = client.job.get_deployment("web")["ID"]

    assert one in [each["ID"] for each in client.deployments.get_deployments(prefix=one[:6])]
    assert one in client.deployments
    assert client.deployment.get_deployment(one)["Status"] == "successful"
    assert {each["JobID"] for each in client.deployment.get_deployment_allocations(one)} == {"web"}
    for change in (client.deployment.fail_deployment, client.deployment.promote_deployment_all):
        with pytest.raises(BaseNomadException):
            change(one)


def test_a_deployment_is_led_by_hand(api: Api, client: Any) -> None:
    """A canary is judged and promoted by hand; another deployment is paused and failed."""
    by_hand = {"Canary": 1, "MaxParallel": 1, "HealthCheck": "manual", "HealthyDeadline": 10**11} | {
        "MinHealthyTime": 0,
        "ProgressDeadline": 2 * 10**11,
    }
    for env in ({}, {"A": "1"}, {"A": "2"}):
        client.jobs.register_job({"Job": job("led", group(Tasks=[task(Env=env)]), Update=by_hand)})
        version = client.job.get_job("led")["Version"]
        api.wait(lambda: [a for a in api.allocs("led") if a["JobVersion"] == version])  # noqa: B023
        now = client.job.get_deployment("led")
        if version == 1:
            canary = now["TaskGroups"]["g"]["PlacedCanaries"][0]
            assert client.deployment.deployment_allocation_health(now["ID"], healthy_allocations=[canary])["EvalID"]
            assert client.deployment.promote_deployment_groups(now["ID"], groups=["g"])["EvalID"]
            assert client.deployment.get_deployment(now["ID"])["TaskGroups"]["g"]["Promoted"] is True
        elif version == 0:
            first = api.running("led")[0]["ID"]
            client.deployment.deployment_allocation_health(now["ID"], healthy_allocations=[first])
            api.wait_for(f"/v1/deployment/{now['ID']}", lambda found: found["Status"] == "successful")
    assert client.deployment.pause_deployment(now["ID"], True)["DeploymentModifyIndex"] > 0
    assert client.deployment.get_deployment(now["ID"])["Status"] == "paused"
    assert client.deployment.fail_deployment(now["ID"])["EvalID"]
    assert client.deployment.get_deployment(now["ID"])["Status"] == "failed"
    api.purge("led")


# -- nodes and the client on them ----------------------------------------------------------------------------------
def test_nodes(client: Any, web: dict[str, Any]) -> None:
    """Nodes are listed and read, with what runs on them."""
    [one] = client.nodes.get_nodes(resources=True, os=True)

    assert (one["ID"], one["Status"]) == (web["NodeID"], "ready")
    assert one["Attributes"]["os.name"]
    assert one["NodeResources"]["Memory"]["MemoryMB"] > 0
    assert one["ID"] in client.nodes
    assert [each["ID"] for each in client.nodes] == [one["ID"]]
    assert client.node.get_node(one["ID"])["Attributes"]["kernel.name"] == "linux"
    assert web["ID"] in [each["ID"] for each in client.node.get_allocations(one["ID"])]
    assert client.node.evaluate_node(one["ID"])["EvalIDs"]


def test_a_node_is_drained(client: Any) -> None:
    """Eligibility and drains, in the old way and the new."""
    with serving() as other:
        there = python_nomad.Nomad(host="127.0.0.1", port=other.port)
        node = there.nodes.get_nodes()[0]["ID"]
        there.node.eligible_node(node, eligible=False)
        assert there.node.get_node(node)["SchedulingEligibility"] == "ineligible"
        there.node.eligible_node(node, eligible=True)
        there.node.drain_node_with_spec(node, drain_spec={"Deadline": 10**10}, mark_eligible=False)
        other.wait_for(f"/v1/node/{node}", lambda found: found["LastDrain"]["Status"] == "complete")
        there.node.drain_node(node, enable=False)
        assert there.node.get_node(node)["SchedulingEligibility"] == "eligible"
        there.node.drain_node(node, enable=True)
        other.wait_for(f"/v1/node/{node}", lambda found: found["SchedulingEligibility"] == "ineligible")
        assert there.node.purge_node(node)["NodeModifyIndex"] > 0


def test_files_logs_and_figures(api: Api, client: Any, web: dict[str, Any]) -> None:
    """What the client knows of an allocation: its files, logs and use of the machine."""
    one, path = web["ID"], "/alloc/logs/t.stdout.0"
    api.wait(lambda: client.client.cat.read_file(one, path=path) == "said\n")

    assert {each["Name"] for each in client.client.ls.list_files(one)} == {"alloc", "t"}
    assert client.client.stat.stat_file(one, path=path)["Size"] == 5
    assert client.client.read_at.read_file_offset(one, 1, 3, path=path) == "aid"
    assert client.client.stream_logs.stream(one, "t", "stdout", plain=True) == "said\n"
    assert client.client.stats.read_stats()["Memory"]["Total"] > 0
    assert "t" in client.client.allocation.read_allocation_stats(one)["Tasks"]
    with pytest.raises(BaseNomadException):
        client.client.gc_allocation.garbage_collect(one)
    client.client.gc_all_allocations.garbage_collect()


def test_an_allocation_is_restarted_and_signalled(api: Api, client: Any) -> None:
    """Tasks are started anew, and sent a signal."""
    client.jobs.register_job({"Job": job("poked", group(Tasks=[shell("trap 'exit 7' USR1; sleep 1000 & wait")]))})
    one = api.running("poked")[0]["ID"]
    client.client.allocation.restart_allocation(one)
    api.wait_for(f"/v1/allocation/{one}", lambda found: found["TaskStates"]["t"]["Restarts"] == 1)
    api.wait_for(f"/v1/allocation/{one}", lambda found: found["TaskStates"]["t"]["State"] == "running")
    client.client.allocation.signal_allocation(one, "SIGUSR1", task="t")
    ended = api.wait_for(
        f"/v1/allocation/{one}",
        lambda found: [e for e in found["TaskStates"]["t"]["Events"] if e["Details"].get("exit_code") == "7"],
    )

    assert "Signaling" in {event["Type"] for event in ended["TaskStates"]["t"]["Events"]}
    api.purge("poked")


# -- namespaces, variables, scaling, search ------------------------------------------------------------------------
def test_namespaces(client: Any) -> None:
    """A namespace is made, changed, listed, used and deleted."""
    client.namespace.create_namespace({"Name": "team", "Description": "us"})
    client.namespace.update_namespace("team", {"Name": "team", "Description": "them"})
    inside = python_nomad.Nomad(host="127.0.0.1", port=client.jobs.port, namespace="team")
    inside.jobs.register_job({"Job": job("inside", group(count=0), Namespace="team")})

    assert client.namespace.get_namespace("team")["Description"] == "them"
    assert "team" in client.namespace
    assert "team" in client.namespaces
    assert [each["Name"] for each in client.namespaces.get_namespaces(prefix="te")] == ["team"]
    assert [each["ID"] for each in inside.jobs.get_jobs()] == ["inside"]
    assert "inside" not in client.jobs
    inside.job.deregister_job("inside", purge=True)
    client.namespace.delete_namespace("team")
    assert "team" not in client.namespace


def test_variables(client: Any) -> None:
    """A variable is written with check-and-set, listed, read, deleted."""
    made = client.variable.create_variable("app/config", {"Items": {"user": "u"}}, cas=0)

    assert client.variable.get_variable("app/config")["Items"] == {"user": "u"}
    assert [each["Path"] for each in client.variables.get_variables(prefix="app")] == ["app/config"]
    assert "app/config" in client.variable
    assert "app/config" in client.variables
    with pytest.raises(VariableConflict):
        client.variable.create_variable("app/config", {"Items": {"user": "x"}}, cas=0)
    with pytest.raises(VariableConflict):
        client.variable.delete_variable("app/config", cas=1)
    client.variable.delete_variable("app/config", cas=made["ModifyIndex"])
    assert "app/config" not in client.variable


def test_scaling(client: Any) -> None:
    """The policies of a job's `scaling` blocks are listed and read."""
    scaled = group(count=0, Scaling={"Enabled": True, "Min": 0, "Max": 5, "Policy": {"cooldown": "1m"}})
    client.jobs.register_job({"Job": job("scaled", scaled)})
    [stub] = client.scaling.get_scaling_policies(job="scaled", type_="horizontal")

    assert stub["Target"] == {"Namespace": "default", "Job": "scaled", "Group": "g"}
    assert client.scaling.get_scaling_policy(stub["ID"])["Policy"] == {"cooldown": "1m"}
    client.job.deregister_job("scaled", purge=True)


def test_search(client: Any, web: dict[str, Any]) -> None:
    """Things are found by the beginning of their ID, and by what their names hold."""
    assert client.search.search("we", "jobs")["Matches"] == {"jobs": ["web"]}
    assert client.search.search(web["ID"][:6], "allocs")["Matches"] == {"allocs": [web["ID"]]}
    assert client.search.fuzzy_search("eb", "jobs")["Matches"]["jobs"] == [{"ID": "web", "Scope": ["default", "web"]}]


# -- the agent -----------------------------------------------------------------------------------------------------
def test_agent_and_cluster(api: Api, client: Any) -> None:
    """The agent about itself; leader, peers, regions, figures; garbage collection."""
    address = f"127.0.0.1:{api.port}"

    assert client.agent.get_agent()["config"]["Version"]["Version"] == "2.0.5"
    assert [each["Status"] for each in client.agent.get_members()["Members"]] == ["alive"]
    assert client.agent.get_servers() == [address]
    assert client.status.leader.get_leader() == address
    assert client.status.peers.get_peers() == [address]
    assert client.regions.get_regions() == ["global"]
    assert "nomad.raft.appliedIndex" in {each["Name"] for each in client.metrics.get_metrics()["Gauges"]}
    assert client.system.initiate_garbage_collection() is True
    assert client.system.reconcile_summaries() is True


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.operator.get_configuration(),
        lambda client: client.operator.delete_peer("127.0.0.1:4647"),
        lambda client: client.sentinel.get_policies(),
        lambda client: client.sentinel.get_policy("one"),
        lambda client: client.sentinel.create_policy("one", {}),
        lambda client: client.sentinel.delete_policy("one"),
        lambda client: client.agent.join_agent("127.0.0.1:4648"),
        lambda client: client.agent.force_leave("other"),
        lambda client: client.agent.update_servers("127.0.0.1:4647"),
    ],
    ids=["raft", "peer", "policies", "policy", "create policy", "delete policy", "join", "leave", "servers"],
)
def test_what_is_left_out_says_so(client: Any, call: Any) -> None:
    """Calls of a cluster of several servers, and of Nomad Enterprise, are refused with 501."""
    with pytest.raises(BaseNomadException) as refused:
        call(client)
    assert refused.value.nomad_resp.status_code == 501


def test_events(client: Any) -> None:
    """Events come through the client's thread into its queue."""
    stream, leave, events = client.event.stream.get_stream(index=0, topic={"Job": "streamed"}, timeout=5)
    stream.daemon = True
    stream.start()
    client.jobs.register_job({"Job": job("streamed", group(count=0))})
    while (found := events.get(timeout=10)["Events"])[0]["Key"] != "streamed":
        assert {event["Topic"] for event in found} == {"Job"}
    leave.set()
    client.job.deregister_job("streamed", purge=True)
    stream.join(15)

    assert found[0]["Index"] > 0
    assert found[0]["Payload"]["Job"]["ID"] == "streamed"


# -- access --------------------------------------------------------------------------------------------------------
def test_access_control() -> None:
    """Tokens and policies are made and used."""
    with serving(acl=True) as api:
        nobody = python_nomad.Nomad(host="127.0.0.1", port=api.port)
        with pytest.raises(URLNotAuthorizedNomadException):
            nobody.jobs.get_jobs()
        root = nobody.acl.generate_bootstrap()
        boss = python_nomad.Nomad(host="127.0.0.1", port=api.port, token=root["SecretID"])
        rules = 'namespace "default" { policy = "read" }'
        boss.acl.create_policy("reads", {"Name": "reads", "Rules": rules})
        boss.acl.update_policy("reads", {"Name": "reads", "Rules": rules, "Description": "d"})
        made = boss.acl.create_token({"Name": "reader", "Type": "client", "Policies": ["reads"]})
        made = boss.acl.update_token(made["AccessorID"], made | {"Name": "reads only"})
        reader = python_nomad.Nomad(host="127.0.0.1", port=api.port, token=made["SecretID"])

        assert boss.acl.get_policy("reads")["Description"] == "d"
        assert [each["Name"] for each in boss.acl.get_policies()] == ["reads"]
        assert {each["Name"] for each in boss.acl.get_tokens()} == {"Bootstrap Token", "reads only"}
        assert boss.acl.get_token(made["AccessorID"])["Policies"] == ["reads"]
        assert reader.acl.get_self_token()["Name"] == "reads only"
        assert reader.jobs.get_jobs() == []
        with pytest.raises(URLNotAuthorizedNomadException):
            reader.jobs.register_job({"Job": job("denied")})
        boss.acl.delete_token(made["AccessorID"])
        boss.acl.delete_policy("reads")
        with pytest.raises(URLNotAuthorizedNomadException):
            reader.jobs.get_jobs()
