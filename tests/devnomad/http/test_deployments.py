"""Deployments through the API: canaries, promotion, pauses, failures, health by hand."""

from typing import Any

import pytest

from devnomad.support import NEVER_RESCHEDULE, NEVER_RESTART, QUICK_UPDATE, SECOND, Api, group, job, task


def _successful(api: Api, job_id: str, version: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = api.wait_for(
        f"/v1/job/{job_id}/deployment", lambda d: d and d["JobVersion"] == version and d["Status"] == "successful"
    )
    return found


def _canaried(job_id: str, *, env: str, canary: int = 1, count: int = 2, **update: Any) -> dict[str, Any]:
    wanted = QUICK_UPDATE | {"Canary": canary, "MaxParallel": 2} | update
    return job(job_id, group(count=count, Tasks=[task(Env={"A": env}, KillTimeout=SECOND)]), Update=wanted)


def test_canaries_wait_for_promotion_and_then_replace_the_old(nomad: Api) -> None:
    """A destructive update with canaries places them beside the old allocations, and goes on when promoted."""
    nomad.register(_canaried("canary", env="1"))
    _successful(nomad, "canary")
    nomad.register(_canaried("canary", env="2"))
    nomad.running("canary", 3)
    deployment = nomad.wait_for("/v1/job/canary/deployment", lambda d: d["TaskGroups"]["g"]["HealthyAllocs"] == 1)

    state = deployment["TaskGroups"]["g"]
    assert deployment["StatusDescription"] == "Deployment is running but requires manual promotion"
    assert (state["DesiredCanaries"], len(state["PlacedCanaries"]), state["Promoted"]) == (1, 1, False)

    answer = nomad.put(f"/v1/deployment/promote/{deployment['ID']}", {"DeploymentID": deployment["ID"], "All": True})
    assert answer["EvalID"]
    _successful(nomad, "canary", 1)
    alive = nomad.running("canary", 2)
    assert {alloc["JobVersion"] for alloc in alive} == {1}
    assert state["PlacedCanaries"][0] in {alloc["ID"] for alloc in alive}
    assert sorted(alloc["Name"] for alloc in alive) == ["canary.g[0]", "canary.g[1]"]
    nomad.purge("canary")


def test_auto_promotion_needs_nobody(nomad: Api) -> None:
    """With `auto_promote` healthy canaries promote the deployment."""
    nomad.register(_canaried("auto", env="1", AutoPromote=True))
    _successful(nomad, "auto")
    nomad.register(_canaried("auto", env="2", AutoPromote=True))
    done = _successful(nomad, "auto", 1)

    assert done["TaskGroups"]["g"]["Promoted"] is True
    assert {alloc["JobVersion"] for alloc in nomad.running("auto", 2)} == {1}
    nomad.purge("auto")


def test_promotion_is_refused_while_canaries_are_not_healthy(nomad: Api) -> None:
    """Promoting canaries that are not healthy yet is refused with the group and the numbers."""
    nomad.register(_canaried("early", env="1"))
    _successful(nomad, "early")
    nomad.register(
        _canaried(
            "early", env="2", MinHealthyTime=30 * SECOND, HealthyDeadline=60 * SECOND, ProgressDeadline=90 * SECOND
        )
    )
    nomad.running("early", 3)
    deployment = nomad.get("/v1/job/early/deployment")

    answer = nomad.call(
        "PUT", f"/v1/deployment/promote/{deployment['ID']}", {"DeploymentID": deployment["ID"], "All": True}
    )

    assert answer.status == 500
    assert 'Task group "g" has 0/1 healthy allocations' in answer.body
    nomad.purge("early")


def test_a_newer_version_cancels_the_deployment_and_its_canaries(nomad: Api) -> None:
    """Registering anew while canaries wait cancels the deployment and stops them."""
    nomad.register(_canaried("newer", env="1"))
    _successful(nomad, "newer")
    nomad.register(_canaried("newer", env="2"))
    nomad.running("newer", 3)
    nomad.register(_canaried("newer", env="3"))
    nomad.wait_for("/v1/job/newer/deployments", lambda ds: len(ds) == 3 and ds[0]["TaskGroups"]["g"]["PlacedAllocs"])

    by_version = {d["JobVersion"]: d for d in nomad.get("/v1/job/newer/deployments")}
    assert by_version[1]["StatusDescription"] == "Cancelled due to newer version of job"
    nomad.wait(lambda: {a["JobVersion"] for a in nomad.running("newer", 3)} == {0, 2})
    nomad.purge("newer")


def test_a_rolling_update_keeps_to_max_parallel(nomad: Api) -> None:
    """Only `max_parallel` allocations are replaced before the first of them are healthy."""
    update = QUICK_UPDATE | {"MaxParallel": 1, "MinHealthyTime": 400_000_000}
    nomad.register(job("roll", group(count=3), Update=update))
    _successful(nomad, "roll")
    nomad.register(job("roll", group(count=3, Tasks=[task(Env={"A": "2"})]), Update=update))

    def mixed() -> bool:
        new = [a for a in nomad.allocs("roll") if a["JobVersion"] == 1]
        unhealthy = [a for a in new if not (a["DeploymentStatus"] or {}).get("Healthy")]
        assert len(unhealthy) <= 1, "more than one replacement was under way"
        return len(new) == 3 and not unhealthy

    nomad.wait(mixed)
    _successful(nomad, "roll", 1)
    nomad.purge("roll")


def test_a_paused_deployment_places_nothing_until_it_goes_on(nomad: Api) -> None:
    """While a deployment is paused no further allocation is replaced."""
    update = QUICK_UPDATE | {"MaxParallel": 1, "MinHealthyTime": 300_000_000}
    nomad.register(job("pause", group(count=2), Update=update))
    _successful(nomad, "pause")
    nomad.register(job("pause", group(count=2, Tasks=[task(Env={"A": "2"})]), Update=update))
    deployment = nomad.wait_for("/v1/job/pause/deployment", lambda d: d["JobVersion"] == 1)
    body = {"DeploymentID": deployment["ID"], "Pause": True}
    answer = nomad.put(f"/v1/deployment/pause/{deployment['ID']}", body)

    assert answer["EvalID"] == ""
    paused = nomad.wait_for(f"/v1/deployment/{deployment['ID']}", lambda d: d["TaskGroups"]["g"]["HealthyAllocs"] == 1)
    assert (paused["Status"], paused["StatusDescription"]) == ("paused", "Deployment is paused")
    assert sum(a["JobVersion"] == 1 for a in nomad.allocs("pause")) == 1
    nomad.put(f"/v1/deployment/pause/{deployment['ID']}", body | {"Pause": False})
    _successful(nomad, "pause", 1)
    nomad.purge("pause")


def test_failing_a_deployment_by_hand(nomad: Api) -> None:
    """A deployment marked as failed says so, and cannot be failed twice."""
    nomad.register(job("byhand", Update=QUICK_UPDATE | {"MinHealthyTime": 5 * SECOND}))
    nomad.running("byhand")
    deployment = nomad.get("/v1/job/byhand/deployment")
    answer = nomad.put(f"/v1/deployment/fail/{deployment['ID']}")

    assert answer["RevertedJobVersion"] is None
    failed = nomad.get(f"/v1/deployment/{deployment['ID']}")
    assert (failed["Status"], failed["StatusDescription"]) == ("failed", "Deployment marked as failed")
    again = nomad.call("PUT", f"/v1/deployment/fail/{deployment['ID']}")
    assert (again.status, again.body) == (500, "can't fail terminal deployment")
    nomad.purge("byhand")


@pytest.mark.parametrize(
    ("policy", "deadline", "text"),
    [
        (NEVER_RESCHEDULE, 20, "Failed due to unhealthy allocations"),
        ({"Unlimited": True, "Delay": 5 * SECOND, "DelayFunction": "constant"}, 2, "Failed due to progress deadline"),
    ],
    ids=["no attempts left", "deadline"],
)
def test_a_deployment_fails(nomad: Api, policy: dict[str, Any], deadline: int, text: str) -> None:
    """It fails at once where nothing can be replaced any more, and otherwise at its progress deadline."""
    update = QUICK_UPDATE | {"HealthyDeadline": SECOND, "ProgressDeadline": deadline * SECOND}
    failing = task(Config={"run_for": "10ms", "exit_code": 1}, KillTimeout=SECOND // 2)
    wanted = group(Tasks=[failing], RestartPolicy=NEVER_RESTART, ReschedulePolicy=policy)
    job_id = f"fails-after-{deadline}"
    nomad.register(job(job_id, wanted, Update=update))

    failed = nomad.wait_for(f"/v1/job/{job_id}/deployment", lambda d: d and d["Status"] == "failed")
    assert failed["StatusDescription"] == text
    nomad.purge(job_id)


def test_reverting_needs_a_stable_version(nomad: Api) -> None:
    """With `auto_revert` but no stable version the failure says that there is none."""
    update = QUICK_UPDATE | {"HealthyDeadline": SECOND, "ProgressDeadline": 2 * SECOND, "AutoRevert": True}
    failing = task(Config={"run_for": "10ms", "exit_code": 1}, KillTimeout=SECOND // 2)
    wanted = group(Tasks=[failing], RestartPolicy=NEVER_RESTART, ReschedulePolicy=NEVER_RESCHEDULE)
    nomad.register(job("unstable", wanted, Update=update))

    failed = nomad.wait_for("/v1/job/unstable/deployment", lambda d: d and d["Status"] == "failed")
    assert failed["StatusDescription"].endswith(" - no stable job version to auto revert to")
    nomad.purge("unstable")


def test_health_set_by_hand(nomad: Api) -> None:
    """With `health_check = "manual"` a deployment succeeds when its allocations are said to be healthy."""
    nomad.register(job("manual", Update=QUICK_UPDATE | {"HealthCheck": "manual"}))
    (alloc,) = nomad.running("manual")
    deployment = nomad.get("/v1/job/manual/deployment")
    body = {"DeploymentID": deployment["ID"], "HealthyAllocationIDs": [alloc["ID"]]}
    nomad.put(f"/v1/deployment/allocation-health/{deployment['ID']}", body)

    _successful(nomad, "manual")
    (listed,) = nomad.get(f"/v1/deployment/allocations/{deployment['ID']}")
    assert listed["DeploymentStatus"]["Healthy"] is True
    nomad.purge("manual")


def test_stopping_a_job_cancels_its_deployment(nomad: Api) -> None:
    """A job that is stopped takes its deployment with it."""
    nomad.register(job("stopped", Update=QUICK_UPDATE | {"MinHealthyTime": 5 * SECOND}))
    nomad.running("stopped")
    nomad.delete("/v1/job/stopped")

    found = nomad.wait_for("/v1/job/stopped/deployment", lambda d: d["Status"] != "running")
    assert (found["Status"], found["StatusDescription"]) == ("cancelled", "Cancelled because job is stopped")
    nomad.purge("stopped")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", "/v1/deployment/zz", None, 500, "deployment lookup failed: index error: UUID must be 36 characters"),
        ("GET", "/v1/deployment/11111111-2222-3333-4444-555555555555", None, 404, "deployment not found"),
        ("PUT", "/v1/deployment/pause/zz", {"Pause": True}, 400, "DeploymentID must be specified"),
        ("PUT", "/v1/deployment/pause/zz", {"DeploymentID": "a"}, 400, "Deployment ID does not match"),
    ],
)
def test_refusals(nomad: Api, method: str, path: str, body: object, status: int, text: str) -> None:
    """What is wrong with a request about deployments is said in Nomad's words."""
    answer = nomad.call(method, path, body)

    assert (answer.status, answer.body) == (status, text)
