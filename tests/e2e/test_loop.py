"""The loop on a real HTTP Nomad: edits, drift, removals, silence at rest."""

from pathlib import Path

import pytest

from clusters import Cluster, document, operating, until
from faults import FaultProxy, Status
from herdsman.model.keys import job_key


def test_an_edit_of_a_file_changes_the_job(cluster: Cluster, specs: Path) -> None:
    """Saved is registered; a count keeps its allocations."""
    (specs / "web.yaml").write_text(document("web"))
    with operating(specs, cluster.address) as wired:
        until(lambda: wired.operator.overview().ready_count == 1)
        first = {a["ID"] for a in cluster.call("GET", "/v1/job/web/allocations")}
        text = (specs / "web.yaml").read_text().replace("Count: 1", "Count: 2")
        (specs / "web.yaml").write_text(text)

        until(lambda: cluster.job("web")["TaskGroups"][0]["Count"] == 2, 2.0)
        until(lambda: len(cluster.call("GET", "/v1/job/web/allocations")) == 2)
        running = {a["ID"] for a in cluster.call("GET", "/v1/job/web/allocations") if a["ClientStatus"] == "running"}
        assert first <= running


@pytest.mark.parametrize("events", [True, False], ids=["with events", "without events"])
@pytest.mark.parametrize("how", ["count", "priority", "env", "stop", "purge"])
def test_what_is_done_by_hand_is_put_right(how: str, events: bool, cluster: Cluster, specs: Path) -> None:
    """Within a second or two of the event, and within the resync interval where events are cut off."""
    (specs / "web.yaml").write_text(document("web"))
    (specs / "db.yaml").write_text(document("db"))
    with FaultProxy(cluster.address) as proxy:
        if not events:
            proxy.on("GET", "/v1/event/stream", Status(403, "Permission denied"), times=None)
        with operating(specs, proxy.address) as wired:
            until(lambda: wired.operator.overview().ready_count == 2)
            before = cluster.job("web")
            if how == "purge":
                cluster.call("DELETE", "/v1/job/web?purge=true")
            elif how == "stop":
                cluster.call("DELETE", "/v1/job/web")
            else:
                cluster.edit(
                    "web",
                    lambda body: {
                        "count": lambda: body["TaskGroups"][0].update(Count=3),
                        "priority": lambda: body.update(Priority=77),
                        "env": lambda: body["TaskGroups"][0]["Tasks"][0].update(Env={"X": "1"}),
                    }[how](),
                )

            def right() -> bool:
                now = cluster.job("web")
                if now is None or now["Stop"]:
                    return False
                return bool(now["TaskGroups"] == before["TaskGroups"] and now["Priority"] == before["Priority"])

            until(right, 2.5 if events else 6.0)


def test_at_rest_nothing_is_written(cluster: Cluster, specs: Path) -> None:
    """Over several resyncs Nomad's index stands still, and each resync is one list call."""
    for n in range(20):
        (specs / f"{n}.yaml").write_text(document(f"job-{n}"))
    with FaultProxy(cluster.address) as proxy, operating(specs, proxy.address, resync=0.5) as wired:
        until(lambda: wired.operator.overview().ready_count == 20)
        until(lambda: wired.service.queue.depth().dirty == 0 and wired.service.queue.depth().delayed == 0, 30)
        index, before = cluster.index(), len(proxy.calls)
        looked = wired.service.view.listed_at
        until(lambda: wired.service.view.listed_at > looked + 2.0)

        calls = [(c.method, c.path) for c in proxy.calls[before:]]
        assert cluster.index() == index
        assert set(calls) <= {("GET", "/v1/jobs"), ("GET", "/v1/var/herdsman/fleets/e2e")}
        assert calls.count(("GET", "/v1/jobs")) >= 3


def test_all_files_gone_at_once_is_held_until_it_is_approved(cluster: Cluster, specs: Path) -> None:
    """An emptied directory purges nothing; an approval lets that one removal through."""
    for n in range(8):
        (specs / f"{n}.yaml").write_text(document(f"job-{n}"))
    with operating(specs, cluster.address) as wired:
        until(lambda: wired.operator.overview().ready_count == 8)
        for file in specs.iterdir():
            file.unlink()

        until(lambda: len(wired.operator.held()) == 8)
        assert len(cluster.call("GET", "/v1/jobs")) == 8
        wired.operator.approve(job_key("default", "job-3"), by="test")
        until(lambda: cluster.job("job-3") is None)
        assert len(cluster.call("GET", "/v1/jobs")) == 7


def test_two_operators_with_one_fleet_name(cluster: Cluster, specs: Path, tmp_path: Path) -> None:
    """The second writes nothing and says why."""
    (specs / "web.yaml").write_text(document("web"))
    other = tmp_path / "other" / "specs"
    other.mkdir(parents=True)
    (other / "fleet.yaml").write_text((specs / "fleet.yaml").read_text())
    (other / "db.yaml").write_text(document("db"))
    with operating(specs, cluster.address) as first:
        until(lambda: first.operator.overview().ready_count == 1)
        with operating(other, cluster.address) as second:
            until(lambda: second.store.status(job_key("default", "db")) is not None)
            status = second.store.status(job_key("default", "db"))
            assert status is not None
            assert status.reason == "FleetConflict"
            until(lambda: second.service.view.listed_at > 0)
            assert cluster.job("db") is None
            assert cluster.job("web") is not None


def test_a_failed_deployment_that_nomad_reverts_is_not_fought(cluster: Cluster, specs: Path) -> None:
    """auto_revert wins: the digest that failed is held, and nothing is registered again."""
    update = {"MinHealthyTime": 10_000_000, "HealthyDeadline": "1s", "ProgressDeadline": "2s", "AutoRevert": True}
    quick = {
        "RestartPolicy": {"Attempts": 0, "Interval": "60s", "Delay": "1s", "Mode": "fail"},
        "ReschedulePolicy": {
            "Attempts": 0,
            "Unlimited": False,
            "Interval": "60s",
            "Delay": "5s",
            "DelayFunction": "constant",
        },
    }

    def web(config: dict[str, object]) -> str:
        task = {"Name": "t", "Driver": "mock_driver", "Config": config, "KillTimeout": "1s"}
        return document("web", TaskGroups=[{"Name": "g", "Count": 1, "Tasks": [task], "Update": update, **quick}])

    (specs / "web.yaml").write_text(web({"run_for": "1h"}))
    with operating(specs, cluster.address) as wired:
        until(lambda: wired.operator.overview().ready_count == 1)
        (specs / "web.yaml").write_text(web({"run_for": "10ms", "exit_code": 1}))

        def reason() -> str:
            status = wired.store.status(job_key("default", "web"))
            return str(status.reason) if status is not None else ""

        until(lambda: reason() == "RevertedByNomad", 20)
        version = cluster.job("web")["Version"]
        looked = wired.service.view.listed_at
        until(lambda: wired.service.view.listed_at > looked + 2.0)
        assert cluster.job("web")["Version"] == version
        assert cluster.job("web")["TaskGroups"][0]["Tasks"][0]["Config"] == {"run_for": "1h"}
