"""The event stream."""

import threading
from typing import Any

import pytest

from devnomad.support import QUICK_UPDATE, Api, group, job
from herdsman.devnomad.http import events


def _follow(api: Api, query: str, count: int) -> "tuple[threading.Thread, list[Any]]":
    """A stream in a thread, until it has told so many batches."""
    found: list[Any] = []
    ready = threading.Event()

    def run() -> None:
        def enough(lines: list[Any]) -> bool:
            ready.set()
            return len([line for line in lines if line]) >= count

        found.extend(api.lines(f"/v1/event/stream?{query}", until=enough))

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(5)
    return thread, found


def _events(lines: list[Any]) -> list[dict[str, Any]]:
    return [event for line in lines if line for event in line["Events"]]


def test_a_jobs_life_is_told(fresh: Api) -> None:
    """Registration, evaluation, plan, start and end of a job are events in this order."""
    index = fresh.call("GET", "/v1/jobs").index
    fresh.register(job("told", Update=QUICK_UPDATE))
    fresh.wait_for("/v1/job/told/deployment", lambda found: found and found["Status"] == "successful")
    fresh.purge("told")

    def enough(lines: list[Any]) -> bool:
        return any(e["Type"] == "JobDeregistered" and e["Topic"] == "Job" for e in _events(lines))

    found = _events(fresh.lines(f"/v1/event/stream?index={index}", until=enough))
    seen = [(event["Topic"], event["Type"]) for event in found]
    for earlier, later in (
        (("Job", "JobRegistered"), ("Evaluation", "JobRegistered")),
        (("Evaluation", "JobRegistered"), ("Allocation", "PlanResult")),
        (("Allocation", "PlanResult"), ("Evaluation", "EvaluationUpdated")),
        (("Allocation", "PlanResult"), ("Allocation", "AllocationUpdated")),
        (("Allocation", "AllocationUpdated"), ("Deployment", "PlanResult")),
        (("Deployment", "PlanResult"), ("Job", "JobDeregistered")),
    ):
        assert seen.index(earlier) <= len(seen) - 1 - seen[::-1].index(later), (earlier, later)
    assert [event["Index"] for event in found] == sorted(event["Index"] for event in found)
    deregistered = [event for event in found if event["Type"] == "JobDeregistered" and event["Topic"] == "Job"]
    assert deregistered[-1]["Payload"]["Deleted"] is True


def test_topics_choose(fresh: Api) -> None:
    """Only what the topics name is told: all of a topic, one key, or what belongs to one job."""
    thread, found = _follow(fresh, "topic=Job:one&topic=Allocation:two", 3)
    for name in ("one", "two", "three"):
        fresh.register(job(name))
        fresh.running(name)
    fresh.register(job("one", group(count=0)))
    thread.join(10)
    told = {
        (event["Topic"], event["Key"] if event["Topic"] == "Job" else event["Payload"]["Allocation"]["JobID"])
        for event in _events(found)
    }

    assert told == {("Job", "one"), ("Allocation", "two")}


def test_namespaces_choose(fresh: Api) -> None:
    """Without a namespace the default one is told, with `*` all."""
    fresh.put("/v1/namespace", {"Name": "team"})
    fresh.call("PUT", "/v1/jobs?namespace=team", {"Job": job("there", group(count=0))})
    fresh.register(job("here", group(count=0)))

    def told(query: str) -> set[str]:
        lines = fresh.lines(
            f"/v1/event/stream?topic=Job&{query}",
            until=lambda found: any(event["Key"] == "here" for event in _events(found)),
        )
        return {event["Key"] for event in _events(lines)}

    assert told("index=1") == {"here"}
    assert told("index=1&namespace=*") == {"here", "there"}


def test_an_index_goes_back(fresh: Api) -> None:
    """A stream from an index tells what happened since; one from ahead begins with the latest."""
    first = fresh.register(job("past", group(count=0)))["JobModifyIndex"]
    second = fresh.register(job("past", group(count=0), Priority=60))["JobModifyIndex"]

    def registered(index: int, count: int) -> list[int]:
        lines = fresh.lines(
            f"/v1/event/stream?topic=Job:past&index={index}",
            until=lambda found: len({e["Index"] for e in _events(found) if e["Type"] == "JobRegistered"}) >= count,
        )
        return sorted({e["Index"] for e in _events(lines) if e["Type"] == "JobRegistered"})

    assert registered(first, 2) == [first, second]
    assert registered(second, 1) == [second]


def test_silence_is_told(fresh: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing happens, empty objects keep the stream alive."""
    monkeypatch.setattr(events, "HEARTBEAT", 0.05)
    assert fresh.lines("/v1/event/stream?topic=Job", until=lambda found: len(found) >= 3) == [{}, {}, {}]


def test_secrets_are_not_told(fresh: Api) -> None:
    """A node's secret does not go into its events, and an allocation's job is left out."""
    index = 1
    fresh.register(job("quiet"))
    fresh.running("quiet")
    lines = fresh.lines(
        f"/v1/event/stream?index={index}", until=lambda found: any(e["Topic"] == "Allocation" for e in _events(found))
    )
    for event in _events(lines):
        if event["Topic"] == "Node":
            assert event["Payload"]["Node"]["SecretID"] == ""
        if event["Topic"] == "Allocation":
            assert "Job" not in event["Payload"]["Allocation"]


@pytest.mark.parametrize("topic", ["Job:a:b", ":"])
def test_a_broken_topic_is_refused(nomad: Api, topic: str) -> None:
    """A topic is a name, or a name and a key."""
    answer = nomad.call("GET", f"/v1/event/stream?topic={topic}")

    assert answer.status == 400
    assert "Invalid key value pair for topic" in answer.body


def test_services_have_their_events(fresh: Api) -> None:
    """Services come and go with the allocations that offer them."""
    thread, found = _follow(fresh, "topic=Service:web", 2)
    fresh.register(job("offers", group(Services=[{"Name": "web", "Provider": "nomad"}])))
    fresh.wait_for("/v1/service/web", len)
    fresh.purge("offers")
    thread.join(10)

    assert [event["Type"] for event in _events(found)] == ["ServiceRegistration", "ServiceDeregistration"]
