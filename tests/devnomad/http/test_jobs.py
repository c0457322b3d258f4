"""Jobs through the API: what registering, planning, stopping, scaling and launching do."""

import base64
from typing import Any

import pytest

from devnomad.support import NEVER_RESCHEDULE, NEVER_RESTART, QUICK_UPDATE, SECOND, Api, group, job, task


# -- versions ------------------------------------------------------------------------------------------------------
def test_only_six_versions_are_kept_but_tagged_ones_stay(nomad: Api) -> None:
    """Older versions are forgotten, unless they carry a tag."""
    for priority in range(50, 58):
        nomad.register(job("versions", group(count=0), Priority=priority))
        if priority == 50:
            nomad.put("/v1/job/versions/versions/first/tag", {"Version": 0})

    kept = [row["Version"] for row in nomad.get("/v1/job/versions/versions")["Versions"]]
    assert kept == [7, 6, 5, 4, 3, 2, 0]
    nomad.purge("versions")


def test_diffs_against_one_version(nomad: Api) -> None:
    """With `diff_version` every other version is compared with that one."""
    for priority in (50, 60, 70):
        nomad.register(job("diffs", group(count=0), Priority=priority))
    diffs = nomad.get("/v1/job/diffs/versions?diffs=true&diff_version=0")["Diffs"]

    assert [(d["Fields"][0]["Old"], d["Fields"][0]["New"]) for d in diffs] == [("50", "70"), ("50", "60")]
    nomad.purge("diffs")


def test_reverting_brings_the_old_submission_along(nomad: Api) -> None:
    """A revert is a new version with the body and the submission of the old one."""
    nomad.register(job("back", group(count=0)), Submission={"Source": "a", "Format": "json"})
    nomad.register(job("back", group(count=0), Priority=60), Submission={"Source": "b", "Format": "json"})
    nomad.put("/v1/job/back/revert", {"JobID": "back", "JobVersion": 0})

    assert nomad.get("/v1/job/back")["Priority"] == 50
    assert nomad.get("/v1/job/back/submission?version=2")["Source"] == "a"
    enforced = nomad.call("PUT", "/v1/job/back/revert", {"JobID": "back", "JobVersion": 1, "EnforcePriorVersion": 9})
    assert (enforced.status, enforced.body) == (500, "Current job has version 2; enforcing version 9")
    nomad.purge("back")


def test_counts_can_be_preserved(nomad: Api) -> None:
    """With `PreserveCounts` a register keeps the counts that are live."""
    nomad.register(job("keep", group(count=0)))
    nomad.register(job("keep", group(count=5), Priority=60), PreserveCounts=True)

    assert nomad.get("/v1/job/keep")["TaskGroups"][0]["Count"] == 0
    nomad.purge("keep")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"Type": "system"}, 'cannot update job from type "batch" to "system"'),
        (
            {"Periodic": {"Enabled": True, "SpecType": "cron", "Specs": ["0 0 1 1 *"]}},
            "cannot update non-periodic job to being periodic",
        ),
        ({"ParameterizedJob": {}}, "cannot update non-parameterized job to being parameterized"),
    ],
    ids=["type", "periodic", "parameterized"],
)
def test_some_changes_are_refused(nomad: Api, change: dict[str, Any], text: str) -> None:
    """What a job is cannot be changed."""
    nomad.register(job("fixed", group(count=0), Type="batch"))
    answer = nomad.call("PUT", "/v1/jobs", {"Job": job("fixed", group(count=0), Type="batch") | change})

    assert (answer.status, answer.body) == (500, text)
    nomad.purge("fixed")


def test_a_missing_job_cannot_be_replaced(nomad: Api) -> None:
    """Compare-and-set with an index on a job that is not there is refused."""
    answer = nomad.call("PUT", "/v1/jobs", {"Job": job("nope"), "EnforceIndex": True, "JobModifyIndex": 7})

    assert (answer.status, answer.body) == (500, "Enforcing job modify index 7: job does not exist")


def test_a_submission_that_is_too_large_is_dropped(nomad: Api) -> None:
    """A source over the limit is dropped without a word."""
    nomad.register(job("large", group(count=0)), Submission={"Source": "x" * 1_000_001, "Format": "hcl2"})

    assert nomad.call("GET", "/v1/job/large/submission?version=0").status == 404
    nomad.purge("large")


def test_priority_of_an_evaluation_can_be_chosen(nomad: Api) -> None:
    """`EvalPriority` and `eval_priority` replace the job's own priority."""
    answer = nomad.register(job("prio", group(count=0)), EvalPriority=90)
    assert nomad.get(f"/v1/evaluation/{answer['EvalID']}")["Priority"] == 90

    answer = nomad.delete("/v1/job/prio?eval_priority=91")
    assert nomad.get(f"/v1/evaluation/{answer['EvalID']}")["Priority"] == 91
    nomad.purge("prio")


# -- kinds of jobs -------------------------------------------------------------------------------------------------
def test_a_batch_job_runs_once_and_again_only_when_it_changes(nomad: Api) -> None:
    """A finished batch job is not run again by an evaluation, but by a new version."""
    quick = task(Config={"run_for": "10ms"})
    nomad.register(job("once", group(Tasks=[quick]), Type="batch"))
    nomad.wait_for("/v1/job/once", lambda j: j["Status"] == "dead")
    nomad.register(job("once", group(Tasks=[quick]), Type="batch"))
    nomad.put("/v1/job/once/evaluate", {"JobID": "once"})
    nomad.wait_for("/v1/job/once/evaluations", lambda es: len(es) == 3 and all(e["Status"] == "complete" for e in es))
    assert len(nomad.allocs("once")) == 1

    nomad.register(job("once", group(Tasks=[quick | {"Env": {"A": "2"}}]), Type="batch"))
    nomad.wait_for("/v1/job/once/allocations", lambda a: len(a) == 2)
    nomad.wait_for("/v1/job/once", lambda j: j["Status"] == "dead")
    nomad.purge("once")


def test_a_failed_batch_allocation_is_rescheduled(nomad: Api) -> None:
    """A batch allocation that failed is replaced as often as its policy says, and the history is kept."""
    failing = task(Config={"run_for": "10ms", "exit_code": 1})
    policy = {
        "Attempts": 1,
        "Interval": 3600 * SECOND,
        "Delay": 5 * SECOND,
        "DelayFunction": "constant",
        "Unlimited": False,
    }
    nomad.register(
        job("retry", group(Tasks=[failing], RestartPolicy=NEVER_RESTART, ReschedulePolicy=policy), Type="batch")
    )
    first = nomad.wait_for("/v1/job/retry/allocations", lambda a: a and a[0]["FollowupEvalID"])[0]
    waiting = nomad.get(f"/v1/evaluation/{first['FollowupEvalID']}")
    assert (waiting["Status"], waiting["TriggeredBy"]) == ("pending", "alloc-failure")
    assert waiting["StatusDescription"] == "created for delayed rescheduling"

    nomad.wait_for("/v1/job/retry/allocations", lambda a: len(a) == 2 and all(x["ClientStatus"] == "failed" for x in a))
    second = next(a for a in nomad.allocs("retry") if a["ID"] != first["ID"])
    assert second["RescheduleTracker"]["Events"][0]["PrevAllocID"] == first["ID"]
    nomad.wait_for("/v1/job/retry", lambda j: j["Status"] == "dead")
    assert len(nomad.allocs("retry")) == 2
    nomad.purge("retry")


def test_a_system_job_runs_on_every_node_that_may_hold_it(nomad: Api) -> None:
    """A system job has one allocation on each node; its name has number 0."""
    nomad.register(job("system", Type="system", Update=QUICK_UPDATE))
    (alloc,) = nomad.running("system")
    assert alloc["Name"] == "system.g[0]"
    nomad.register(job("system", group(Tasks=[task(Env={"A": "2"})]), Type="system", Update=QUICK_UPDATE))
    nomad.wait(lambda: [a for a in nomad.running("system") if a["JobVersion"] == 1])

    nomad.delete("/v1/job/system")
    nomad.wait_for("/v1/job/system", lambda j: j["Status"] == "dead")
    nomad.purge("system")


def test_a_sysbatch_job_runs_once_on_every_node(nomad: Api) -> None:
    """A sysbatch job that ran is over."""
    nomad.register(job("sysbatch", group(Tasks=[task(Config={"run_for": "10ms"})]), Type="sysbatch"))
    nomad.wait_for("/v1/job/sysbatch", lambda j: j["Status"] == "dead")
    nomad.put("/v1/job/sysbatch/evaluate", {"JobID": "sysbatch"})
    nomad.wait_for("/v1/job/sysbatch/evaluations", lambda es: all(e["Status"] == "complete" for e in es))

    assert len(nomad.allocs("sysbatch")) == 1
    nomad.purge("sysbatch")


def test_a_dispatched_child_has_its_parameters(nomad: Api) -> None:
    """A dispatch makes a child with the merged meta and the payload, and counts for its parent."""
    parent = job(
        "param",
        group(Tasks=[task(Config={"run_for": "50ms"})]),
        Type="batch",
        Meta={"base": "x"},
        ParameterizedJob={"MetaRequired": ["who"], "MetaOptional": ["why"], "Payload": "optional"},
    )
    nomad.register(parent)
    payload = base64.b64encode(b"hello").decode()
    answer = nomad.put("/v1/job/param/dispatch", {"Meta": {"who": "me"}, "Payload": payload})
    child = nomad.get(nomad.job_path(answer["DispatchedJobID"]))

    assert child["ParentID"] == "param"
    assert child["Meta"] == {"base": "x", "who": "me"}
    assert child["Dispatched"] is True
    nomad.wait_for("/v1/job/param/summary", lambda s: s["Children"]["Dead"] == 1)
    assert nomad.get("/v1/job/param")["Status"] == "running"
    nomad.purge(answer["DispatchedJobID"])
    nomad.purge("param")


def test_a_dispatch_with_a_token_happens_once(nomad: Api) -> None:
    """The same idempotency token answers with the same child."""
    nomad.register(job("token", Type="batch", ParameterizedJob={}))
    first = nomad.put("/v1/job/token/dispatch?idempotency_token=a", {})
    second = nomad.put("/v1/job/token/dispatch?idempotency_token=a", {})

    assert first["DispatchedJobID"] == second["DispatchedJobID"]
    nomad.purge(first["DispatchedJobID"])
    nomad.purge("token")


@pytest.mark.parametrize(
    ("parameters", "body", "text"),
    [
        ({"Payload": "required"}, {}, "Payload is not provided but required"),
        ({"Payload": "forbidden"}, {"Payload": "aGk="}, "Payload is not allowed"),
        ({"MetaRequired": ["a", "b"]}, {"Meta": {"a": "1"}}, "Dispatch did not provide required meta keys: [b]"),
    ],
)
def test_a_dispatch_with_wrong_parameters_is_refused(
    nomad: Api, parameters: dict[str, Any], body: dict[str, Any], text: str
) -> None:
    """Payload and meta must be what the job asks for."""
    nomad.register(job("wrong", Type="batch", ParameterizedJob=parameters))
    answer = nomad.call("PUT", "/v1/job/wrong/dispatch", body)

    assert (answer.status, answer.body) == (500, text)
    nomad.purge("wrong")


def test_a_periodic_job_launches_by_itself(nomad: Api) -> None:
    """When its time has come a periodic job launches a child; stopped, it launches no more."""
    every_second = {"Enabled": True, "SpecType": "cron", "Specs": ["* * * * * * *"]}
    nomad.register(job("tick", group(Tasks=[task(Config={"run_for": "1ms"})]), Type="batch", Periodic=every_second))
    children = nomad.wait_for("/v1/jobs?prefix=tick/periodic-", lambda js: len(js) >= 2)

    assert all(child["ParentID"] == "tick" for child in children)
    nomad.purge("tick")
    for child in nomad.get("/v1/jobs?prefix=tick/periodic-"):
        nomad.purge(child["ID"])


# -- scaling -------------------------------------------------------------------------------------------------------
def test_scaling_keeps_to_the_policy_and_is_told(nomad: Api) -> None:
    """A count outside of min and max is refused; what was done shows as an event of the group."""
    scaling = {"Enabled": True, "Min": 0, "Max": 2}
    nomad.register(job("scaled", group(count=0, Scaling=scaling)))
    for count, text in ((3, "group count was greater than scaling policy maximum: 3 > 2"),):
        answer = nomad.call("PUT", "/v1/job/scaled/scale", {"Count": count, "Target": {"Group": "g"}})
        assert (answer.status, answer.body) == (400, text)
    nomad.put("/v1/job/scaled/scale", {"Count": 1, "Target": {"Group": "g"}, "Message": "busy", "Meta": {"load": 0.9}})
    nomad.put("/v1/job/scaled/scale", {"Target": {"Group": "g"}, "Message": "cannot", "Error": True})

    failed, done = nomad.get("/v1/job/scaled/scale")["TaskGroups"]["g"]["Events"]
    assert (done["Count"], done["PreviousCount"], done["Message"], done["Error"]) == (1, 0, "busy", False)
    assert (failed["Count"], failed["Message"], failed["Error"]) == (None, "cannot", True)
    (policy,) = nomad.get("/v1/scaling/policies?job=scaled")
    assert nomad.get(f"/v1/scaling/policy/{policy['ID']}")["Max"] == 2
    nomad.purge("scaled")


# -- placement -----------------------------------------------------------------------------------------------------
def test_what_finds_no_room_waits_and_is_placed_when_there_is_some(nomad: Api) -> None:
    """A blocked evaluation places the rest as soon as something ends."""
    whole = task(Resources={"CPU": 200_000, "MemoryMB": 16})
    nomad.register(job("first", group(Tasks=[whole])))
    nomad.running("first")
    nomad.register(job("second", group(Tasks=[whole])))
    (blocked,) = nomad.wait_for(
        "/v1/evaluations?filter=JobID+%3D%3D+%22second%22+and+Status+%3D%3D+%22blocked%22", lambda es: len(es) == 1
    )
    assert blocked["FailedTGAllocs"]["g"]["DimensionExhausted"] == {"cpu": 1}
    assert nomad.get("/v1/job/second/summary")["Summary"]["g"]["Queued"] == 1
    related = nomad.get(f"/v1/evaluation/{blocked['ID']}?related=true")["RelatedEvals"]
    assert [row["ID"] for row in related] == [blocked["PreviousEval"]]

    nomad.purge("first")
    nomad.running("second")
    assert nomad.get(f"/v1/evaluation/{blocked['ID']}")["Status"] == "complete"
    nomad.purge("second")


def test_reserved_ports_run_out(nomad: Api) -> None:
    """Two allocations cannot have the same static port of one node."""
    network = [{"ReservedPorts": [{"Label": "web", "Value": 23_456}]}]
    nomad.register(job("port-a", group(Networks=network)))
    nomad.running("port-a")
    plan = nomad.put("/v1/job/port-b/plan", {"Job": job("port-b", group(Networks=network))})

    assert plan["FailedTGAllocs"]["g"]["DimensionExhausted"] == {"network: reserved port collision web=23456": 1}
    nomad.purge("port-a")


def test_a_stopped_allocation_is_replaced_by_name(nomad: Api) -> None:
    """The replacement of a stopped allocation has its name and knows it."""
    nomad.register(job("name", group(count=2), Update={"MaxParallel": 0}))
    victim = sorted(nomad.running("name", 2), key=lambda a: a["Name"])[1]
    nomad.put(f"/v1/allocation/{victim['ID']}/stop")
    nomad.wait(lambda: victim["ID"] not in {a["ID"] for a in nomad.running("name", 2)})

    (replacement,) = [a for a in nomad.running("name", 2) if a["Name"] == victim["Name"]]
    assert nomad.get(f"/v1/allocation/{replacement['ID']}")["PreviousAllocation"] == victim["ID"]
    assert nomad.get(f"/v1/allocation/{victim['ID']}")["NextAllocation"] == replacement["ID"]
    nomad.purge("name")


def test_failed_allocations_can_be_forced_to_be_replaced(nomad: Api) -> None:
    """`ForceReschedule` replaces what its policy would leave alone."""
    failing = task(Config={"run_for": "10ms", "exit_code": 1})
    nomad.register(
        job(
            "forced",
            group(Tasks=[failing], RestartPolicy=NEVER_RESTART, ReschedulePolicy=NEVER_RESCHEDULE),
            Type="batch",
        )
    )
    nomad.wait_for("/v1/job/forced/allocations", lambda a: a and a[0]["ClientStatus"] == "failed")
    nomad.put("/v1/job/forced/evaluate", {"JobID": "forced", "EvalOptions": {"ForceReschedule": True}})

    nomad.wait_for("/v1/job/forced/allocations", lambda a: len(a) == 2)
    nomad.purge("forced")


# -- the rest ------------------------------------------------------------------------------------------------------
def test_job_statuses(nomad: Api) -> None:
    """One list tells of jobs, their allocations and their latest deployment."""
    nomad.register(job("status-a", Update=QUICK_UPDATE))
    (alloc,) = nomad.running("status-a")
    nomad.wait_for("/v1/job/status-a/deployment", lambda d: d["Status"] == "successful")
    (found,) = nomad.put("/v1/jobs/statuses", {"jobs": [{"ID": "status-a", "Namespace": "default"}]})

    assert found["GroupCountSum"] == 1
    assert [a["ID"] for a in found["Allocs"]] == [alloc["ID"]]
    assert (found["LatestDeployment"]["Status"], found["LatestDeployment"]["IsActive"]) == ("successful", False)
    assert "status-a" in [row["ID"] for row in nomad.get("/v1/jobs/statuses")]
    nomad.purge("status-a")


def test_services_are_listed_while_they_run(nomad: Api) -> None:
    """A service of provider `nomad` is found under its name while its allocation runs."""
    offered = group(
        Networks=[{"DynamicPorts": [{"Label": "http"}]}],
        Services=[{"Name": "offer", "PortLabel": "http", "Provider": "nomad", "Tags": ["a"]}],
    )
    nomad.register(job("offers", offered))
    (alloc,) = nomad.running("offers")
    (row,) = nomad.get("/v1/service/offer")
    (listed,) = nomad.get("/v1/services")

    assert (row["AllocID"], row["JobID"], row["Tags"]) == (alloc["ID"], "offers", ["a"])
    assert listed == {"Namespace": "default", "Services": [{"ServiceName": "offer", "Tags": ["a"]}]}
    assert nomad.get(f"/v1/allocation/{alloc['ID']}/services") == [row]
    nomad.purge("offers")
    nomad.wait(lambda: nomad.get("/v1/service/offer") == [])


def test_validate_says_what_a_register_would_refuse(nomad: Api) -> None:
    """A wrong job is told by `/v1/validate/job` without being refused."""
    answer = nomad.put("/v1/validate/job", {"Job": job("bad", Priority=500)})

    assert answer["ValidationErrors"] == ["job priority must be between [1, 100]"]
    assert answer["Error"] == "1 error occurred:\n\t* job priority must be between [1, 100]\n\n"


def test_a_job_id_with_slashes(nomad: Api) -> None:
    """IDs may hold slashes; they are decoded once."""
    nomad.register(job("a/b/c", group(count=0)))

    assert nomad.get("/v1/job/a%2Fb%2Fc")["ID"] == "a/b/c"
    assert nomad.get("/v1/job/a%2Fb%2Fc/summary")["JobID"] == "a/b/c"
    nomad.purge("a/b/c")
    assert nomad.call("GET", "/v1/job/a%2Fb%2Fc").status == 404
