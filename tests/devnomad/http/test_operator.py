"""What operators ask: the scheduler's settings, garbage collection, the agent about itself."""

import pytest

from devnomad.support import QUICK_UPDATE, Api, group, job, serving, task

CONFIG = "/v1/operator/scheduler/configuration"


# -- the scheduler -------------------------------------------------------------------------------------------------
def test_settings_are_read_and_written(fresh: Api) -> None:
    """Settings have defaults; what is written counts from then on, and what it leaves out is off."""
    before = fresh.get(CONFIG)["SchedulerConfig"]
    assert (before["SchedulerAlgorithm"], before["PauseEvalBroker"]) == ("binpack", False)
    answer = fresh.put(CONFIG, {"SchedulerAlgorithm": "spread", "PreemptionConfig": {"BatchSchedulerEnabled": True}})
    after = fresh.get(CONFIG)["SchedulerConfig"]

    assert answer == {"Updated": False, "Index": after["ModifyIndex"]}
    assert after["SchedulerAlgorithm"] == "spread"
    assert after["PreemptionConfig"]["BatchSchedulerEnabled"] is True
    assert before["PreemptionConfig"]["SystemSchedulerEnabled"] is True
    assert after["PreemptionConfig"]["SystemSchedulerEnabled"] is False


def test_settings_are_check_and_set(fresh: Api) -> None:
    """With `cas` only the current index may write."""
    index = fresh.get(CONFIG)["SchedulerConfig"]["ModifyIndex"]
    assert fresh.put(f"{CONFIG}?cas={index}", {"SchedulerAlgorithm": "spread"})["Updated"] is True
    assert fresh.put(f"{CONFIG}?cas={index}", {"SchedulerAlgorithm": "binpack"})["Updated"] is False
    assert fresh.get(CONFIG)["SchedulerConfig"]["SchedulerAlgorithm"] == "spread"


@pytest.mark.parametrize(
    ("query", "body", "text"),
    [
        ("", {"SchedulerAlgorithm": "random"}, "invalid scheduler algorithm"),
        ("?cas=now", {}, "Error parsing cas value"),
    ],
)
def test_settings_that_cannot_be(nomad: Api, query: str, body: object, text: str) -> None:
    """Settings are checked."""
    answer = nomad.call("PUT", CONFIG + query, body)

    assert answer.status == 400
    assert text in answer.body


def test_a_paused_broker_lets_evaluations_wait(fresh: Api) -> None:
    """While the broker is paused nothing is placed; evaluations may then be deleted; afterwards all goes on."""
    fresh.put(CONFIG, {"PauseEvalBroker": True})
    evaluation = fresh.register(job("waits"))["EvalID"]
    deleted = fresh.register(job("never"))["EvalID"]
    assert fresh.get(f"/v1/evaluation/{evaluation}")["Status"] == "pending"
    assert fresh.get("/v1/job/waits")["Status"] == "pending"
    answer = fresh.call("DELETE", "/v1/evaluations", {"EvalIDs": [deleted]})
    assert (answer.status, answer.body["Count"]) == (200, 1)
    fresh.put(CONFIG, {"PauseEvalBroker": False})
    fresh.running("waits")

    assert fresh.get(f"/v1/evaluation/{evaluation}")["Status"] == "complete"
    assert fresh.allocs("never") == []
    fresh.put("/v1/job/never/evaluate", {"JobID": "never"})
    fresh.running("never")


def test_evaluations_are_not_deleted_under_way(fresh: Api) -> None:
    """Deleting evaluations needs a paused broker."""
    evaluation = fresh.register(job("done", group(count=0)))["EvalID"]
    answer = fresh.call("DELETE", "/v1/evaluations", {"EvalIDs": [evaluation]})

    assert answer.status == 500
    assert "must be paused" in answer.body


def test_registration_may_be_closed(fresh: Api) -> None:
    """While registrations are rejected nobody registers, dispatches or scales; planning and stopping go on."""
    fresh.register(job("open", group(count=0)))
    fresh.put(CONFIG, {"RejectJobRegistration": True})
    for path, body in (
        ("/v1/jobs", {"Job": job("closed")}),
        ("/v1/job/open/scale", {"Target": {"Group": "g"}, "Count": 1}),
        ("/v1/job/open/dispatch", {}),
    ):
        answer = fresh.call("PUT", path, body)
        assert answer.status == 403
        assert answer.body == "Job registration, dispatch, and scale are disabled by the scheduler configuration"
    assert fresh.call("PUT", "/v1/job/closed/plan", {"Job": job("closed")}).status == 200
    fresh.purge("open")
    with serving(acl=True) as api:
        api.token = api.put("/v1/acl/bootstrap")["SecretID"]
        api.put(CONFIG, {"RejectJobRegistration": True})
        api.register(job("managed", group(count=0)))


def test_memory_may_be_oversubscribed(fresh: Api) -> None:
    """Where the settings allow it, a task gets its largest memory besides what it reserves."""
    wanted = group(Tasks=[task(Resources={"CPU": 20, "MemoryMB": 16, "MemoryMaxMB": 64})])
    fresh.register(job("before", wanted))
    fresh.put(CONFIG, {"MemoryOversubscriptionEnabled": True})
    fresh.register(job("after", wanted))
    limits = []
    for name in ("before", "after"):
        (stub,) = fresh.running(name)
        alloc = fresh.get(f"/v1/allocation/{stub['ID']}")
        limits.append(alloc["AllocatedResources"]["Tasks"]["t"]["Memory"])

    assert limits == [{"MemoryMB": 16, "MemoryMaxMB": 0}, {"MemoryMB": 16, "MemoryMaxMB": 64}]


# -- garbage collection --------------------------------------------------------------------------------------------
def test_what_is_over_is_forgotten(fresh: Api) -> None:
    """A collection forgets stopped jobs and batch jobs that ended, with all that hung on them, and nothing else."""
    fresh.register(job("alive", Update=QUICK_UPDATE))
    fresh.register(job("stopped", Update=QUICK_UPDATE))
    fresh.register(job("ended", group(Tasks=[task(Config={"run_for": "10ms"})]), Type="batch"))
    fresh.running("alive")
    fresh.running("stopped")
    fresh.wait_for("/v1/job/ended", lambda found: found["Status"] == "dead")
    fresh.delete("/v1/job/stopped")
    fresh.wait_for("/v1/job/stopped/allocations", lambda found: found[0]["ClientStatus"] == "complete")
    fresh.put("/v1/system/gc")

    assert [row["ID"] for row in fresh.get("/v1/jobs")] == ["alive"]
    assert {row["JobID"] for row in fresh.get("/v1/allocations")} == {"alive"}
    assert {row["JobID"] for row in fresh.get("/v1/evaluations")} == {"alive"}
    assert {row["JobID"] for row in fresh.get("/v1/deployments")} == {"alive"}
    fresh.running("alive")


def test_a_tagged_version_keeps_its_job(fresh: Api) -> None:
    """A job with a tagged version is not collected."""
    fresh.register(job("tagged", group(count=0)))
    fresh.put("/v1/job/tagged/versions/good/tag", {"Version": 0})
    fresh.delete("/v1/job/tagged")
    fresh.put("/v1/system/gc")

    assert fresh.get("/v1/job/tagged")["Stop"] is True


# -- the agent -----------------------------------------------------------------------------------------------------
def test_the_agent_says_what_it_is(nomad: Api) -> None:
    """The agent's own account tells that it is a simulation, and whose version it speaks."""
    agent = nomad.get("/v1/agent/self")

    assert agent["config"]["Simulated"] is True
    assert agent["config"]["Version"]["Version"] == "2.0.5"
    assert agent["member"]["Tags"]["herdsman.simulated"] == "true"
    assert agent["config"]["Ports"]["HTTP"] == nomad.port


def test_there_is_one_server(nomad: Api) -> None:
    """Leader, peers, members and servers are all this one."""
    address = f"127.0.0.1:{nomad.port}"

    assert nomad.get("/v1/status/leader") == address
    assert nomad.get("/v1/status/peers") == [address]
    assert nomad.get("/v1/agent/servers") == [address]
    assert [member["Status"] for member in nomad.get("/v1/agent/members")["Members"]] == ["alive"]
    assert nomad.get("/v1/regions") == ["global"]
    assert len(nomad.get("/v1/agent/schedulers")["schedulers"]) == 1
    assert nomad.get("/v1/agent/schedulers/config")["num_schedulers"] == 1
    assert nomad.get("/v1/agent/host")["HostData"]["OS"]


@pytest.mark.parametrize(
    ("query", "parts"), [("", {"client", "server"}), ("?type=client", {"client"}), ("?type=server", {"server"})]
)
def test_it_is_healthy(nomad: Api, query: str, parts: set[str]) -> None:
    """Server and client are well."""
    answer = nomad.get(f"/v1/agent/health{query}")

    assert answer.keys() == parts
    assert all(part["ok"] for part in answer.values())


def test_figures_are_told(fresh: Api) -> None:
    """The metrics count jobs and allocations, as JSON and for Prometheus."""
    fresh.register(job("counted", group(count=2)))
    fresh.running("counted", 2)
    gauges = {gauge["Name"]: gauge["Value"] for gauge in fresh.get("/v1/metrics")["Gauges"]}
    text = fresh.get("/v1/metrics?format=prometheus")

    assert gauges["nomad.client.allocations.running"] == 2
    assert gauges["nomad.job_status.running"] == 1
    assert "nomad_client_allocations_running 2\n" in text
    assert gauges["nomad.runtime.alloc_bytes"] > 1_000_000


@pytest.mark.parametrize("path", ["/", "/ui", "/ui/"])
def test_people_with_a_browser_are_told(nomad: Api, path: str) -> None:
    """There is no web interface, and that is said."""
    answer = nomad.call("GET", path)

    assert answer.status == 404
    assert "simulation" in answer.body
