"""What --state keeps over a restart."""

import json
from pathlib import Path

import pytest

from devnomad.support import SECOND, group, job, serving, shell, task


def _log(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "state.log").read_bytes().splitlines()]


def test_jobs_versions_and_variables_survive(tmp_path: Path) -> None:
    """Jobs with their versions and submissions, namespaces, pools and variables are there again, unchanged."""
    paths = (
        "/v1/job/kept",
        "/v1/job/kept/versions",
        "/v1/job/kept/submission?version=0",
        "/v1/namespaces",
        "/v1/node/pools",
        "/v1/var/some/path",
        "/v1/vars",
        "/v1/operator/scheduler/configuration",
    )
    with serving(state_dir=tmp_path) as api:
        api.put("/v1/namespace", {"Name": "team", "Description": "a team"})
        api.put("/v1/node/pools", {"Name": "spare"})
        api.put("/v1/var/some/path", {"Items": {"a": "b"}})
        api.put("/v1/operator/scheduler/configuration", {"SchedulerAlgorithm": "spread"})
        source = {"Source": "job {}", "Format": "hcl2"}
        api.register(job("kept", group(count=0)), Submission=source)
        api.register(job("kept", group(count=0), Meta={"a": "b"}))
        api.wait_for("/v1/job/kept", lambda found: found["Status"] == "dead")
        before = {path: api.get(path) for path in paths}
        index = api.call("GET", "/v1/jobs").index
    with serving(state_dir=tmp_path) as api:
        after = {path: api.get(path) for path in paths}
        for found in (before, after):
            found["/v1/job/kept/versions"].pop("Index")
        assert after == before
        assert api.register(job("kept", group(count=0), Meta={"a": "c"}))["JobModifyIndex"] > index


def test_allocations_run_again(tmp_path: Path) -> None:
    """An allocation that ran goes on under its own ID: its tasks are started anew, its services registered again."""
    service = {"Name": "web", "Provider": "nomad", "PortLabel": "http"}
    network = {"DynamicPorts": [{"Label": "http"}]}
    wanted = group(Tasks=[shell("echo again; exec sleep 1000")], Services=[service], Networks=[network])
    with serving(state_dir=tmp_path) as api:
        api.register(job("again", wanted))
        (before,) = api.running("again")
        api.wait_for("/v1/service/web", len)
    with serving(state_dir=tmp_path) as api:
        (after,) = api.running("again")
        api.wait_for("/v1/service/web", len)
        logs = f"/v1/client/fs/logs/{after['ID']}?task=t&type=stdout&plain=true"
        assert api.wait_for(logs, lambda text: text.count("again") == 2)
        summary = api.get("/v1/job/again/summary")["Summary"]["g"]

    assert after["ID"] == before["ID"]
    assert summary == {"Queued": 0, "Complete": 0, "Failed": 0, "Running": 1, "Starting": 0, "Lost": 0, "Unknown": 0}


def test_what_ended_stays_ended(tmp_path: Path) -> None:
    """A batch job that was done is not done again."""
    with serving(state_dir=tmp_path) as api:
        api.register(job("done", group(Tasks=[task(Config={"run_for": "10ms"})]), Type="batch"))
        api.wait_for("/v1/job/done/allocations", lambda found: found and found[0]["ClientStatus"] == "complete")
        before = api.allocs("done")
    with serving(state_dir=tmp_path) as api:
        assert api.allocs("done") == before
        assert api.get("/v1/job/done")["Status"] == "dead"


def test_a_stopped_job_is_not_resumed(tmp_path: Path) -> None:
    """What was to stop when the server went is stopped when the next one comes."""
    slow = task(Config={"run_for": "1h", "kill_after": "1h"}, KillTimeout=3600 * SECOND)
    with serving(state_dir=tmp_path) as api:
        api.register(job("slow", group(Tasks=[slow], Update={"ProgressDeadline": 7200 * SECOND})))
        api.running("slow")
        api.delete("/v1/job/slow")
        api.wait_for("/v1/job/slow/allocations", lambda found: found[0]["DesiredStatus"] == "stop")
    with serving(state_dir=tmp_path) as api:
        api.wait_for("/v1/job/slow/allocations", lambda found: found[0]["ClientStatus"] == "complete")


def test_tokens_survive(tmp_path: Path) -> None:
    """Bootstrapping once is once for ever, and the token stays good."""
    with serving(state_dir=tmp_path, acl=True) as api:
        api.token = api.put("/v1/acl/bootstrap")["SecretID"]
        api.put("/v1/acl/policy/look", {"Name": "look", "Rules": 'namespace "default" { policy = "read" }'})
        token = api.token
    with serving(state_dir=tmp_path, acl=True) as api:
        assert api.call("PUT", "/v1/acl/bootstrap").status == 400
        api.token = token
        assert api.get("/v1/acl/policy/look")["Name"] == "look"


def test_a_waiting_evaluation_goes_on(tmp_path: Path) -> None:
    """What found no room waits over a restart, and is placed when there is room."""
    big = task(Resources={"CPU": 200_000, "MemoryMB": 16})
    with serving(state_dir=tmp_path) as api:
        api.register(job("first", group(Tasks=[big])))
        api.running("first")
        api.register(job("second", group(Tasks=[big])))
        api.wait_for("/v1/job/second/evaluations", lambda found: any(e["Status"] == "blocked" for e in found))
    with serving(state_dir=tmp_path) as api:
        api.running("first")
        assert api.allocs("second") == []
        api.purge("first")
        api.running("second")


def test_a_lock_is_timed_again(tmp_path: Path) -> None:
    """A lock that was held is still held, by the same ID."""
    with serving(state_dir=tmp_path) as api:
        lock = api.put("/v1/var/lock?lock-acquire", {"Lock": {"TTL": "20s"}})["Lock"]
    with serving(state_dir=tmp_path) as api:
        assert api.call("PUT", "/v1/var/lock?lock-acquire", {"Items": {"a": "b"}}).status == 409
        assert api.put("/v1/var/lock?lock-renew", {"Lock": {"ID": lock["ID"]}})["Lock"]["ID"] == lock["ID"]


def test_fewer_nodes_lose_what_ran_on_the_others(tmp_path: Path) -> None:
    """A node that does not come back is down; what ran on it runs elsewhere."""
    with serving(state_dir=tmp_path, nodes=2) as api:
        constraint = {"Operand": "distinct_hosts"}
        api.register(job("pair", group(count=2), Constraints=[constraint]))
        api.running("pair", 2)
        api.register(job("pair", group(count=2)))
        api.wait(lambda: api.get("/v1/job/pair")["Version"] == 1)
    with serving(state_dir=tmp_path, nodes=1) as api:
        nodes = {node["Name"]: node["Status"] for node in api.get("/v1/nodes")}
        assert nodes == {"devnomad": "ready", "devnomad-2": "down"}
        found = api.running("pair", 2)
        assert len({alloc["NodeID"] for alloc in found}) == 1
        lost = [alloc for alloc in api.allocs("pair") if alloc["ClientStatus"] == "lost"]
        assert len(lost) == 1


def test_a_new_node_gets_its_system_allocation(tmp_path: Path) -> None:
    """A node that joins runs what every node runs."""
    with serving(state_dir=tmp_path) as api:
        api.register(job("everywhere", Type="system"))
        api.running("everywhere", 1)
    with serving(state_dir=tmp_path, nodes=2) as api:
        api.running("everywhere", 2)


@pytest.mark.parametrize("tail", [b'{"index": 99, "chan', b"\xff\xfe\n", b"[]\n"])
def test_a_torn_line_is_left_out(tmp_path: Path, tail: bytes) -> None:
    """What a sudden end cut off in the middle of a line costs that line, and no more."""
    with serving(state_dir=tmp_path) as api:
        api.put("/v1/var/a", {"Items": {"a": "b"}})
    with (tmp_path / "state.log").open("ab") as file:
        file.write(tail)
    with serving(state_dir=tmp_path) as api:
        assert api.get("/v1/var/a")["Items"] == {"a": "b"}


def test_the_log_is_written_anew_at_each_start(tmp_path: Path) -> None:
    """A hundred writes to one variable are one line after the next start."""
    with serving(state_dir=tmp_path) as api:
        for number in range(100):
            api.put("/v1/var/a", {"Items": {"n": str(number)}})
        assert len(_log(tmp_path)) > 100
    with serving(state_dir=tmp_path) as api:
        assert api.get("/v1/var/a")["Items"] == {"n": "99"}
    lines = [entry for entry in _log(tmp_path) if any(change[0] == "variables" for change in entry["changes"])]  # type: ignore[attr-defined]
    assert len(lines) == 1


def test_directories_of_forgotten_allocations_go(tmp_path: Path) -> None:
    """What is left of an allocation that nobody knows any more is removed at the start."""
    with serving(state_dir=tmp_path) as api:
        api.register(job("kept", group(Tasks=[shell("exec sleep 1000")])))
        (alloc,) = api.running("kept")
    stray = tmp_path / "alloc" / "00000000-0000-0000-0000-000000000000"
    stray.mkdir()
    with serving(state_dir=tmp_path) as api:
        api.running("kept")
        assert not stray.exists()
        assert (tmp_path / "alloc" / alloc["ID"]).is_dir()


def test_tasks_know_full_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state directory given by a relative path is known to tasks by its full one."""
    monkeypatch.chdir(tmp_path)
    with serving(state_dir=Path("here")) as api:
        api.register(job("paths", group(Tasks=[shell("echo $NOMAD_ALLOC_DIR; exec sleep 1000")])))
        (alloc,) = api.running("paths")
        logs = f"/v1/client/fs/logs/{alloc['ID']}?task=t&type=stdout&plain=true"
        assert api.wait_for(logs, len).strip() == str(tmp_path / "here" / "alloc" / alloc["ID"] / "alloc")
