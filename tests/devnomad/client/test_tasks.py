"""Tasks at work, through the API: lifecycle, restarts, signals, real processes."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from devnomad.support import NEVER_RESCHEDULE, NEVER_RESTART, SECOND, Api, group, job, shell, task


def _batch(job_id: str, *tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    quick = {"RestartPolicy": NEVER_RESTART, "ReschedulePolicy": NEVER_RESCHEDULE}
    return job(job_id, group(Tasks=list(tasks), **(quick | more)), Type="batch")


def _ended(api: Api, job_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = api.wait_for(
        f"/v1/job/{job_id}/allocations", lambda a: a and a[0]["ClientStatus"] in {"complete", "failed"}
    )
    return found[0]


def _events(alloc: dict[str, Any], name: str = "t") -> list[str]:
    return [event["Type"] for event in alloc["TaskStates"][name]["Events"]]


def _logs(api: Api, alloc: dict[str, Any], kind: str = "stdout", name: str = "t") -> str:
    return str(api.get(f"/v1/client/fs/logs/{alloc['ID']}?task={name}&type={kind}&plain=true"))


def _hook(hook: str, *, sidecar: bool = False) -> dict[str, Any]:
    return {"Hook": hook, "Sidecar": sidecar}


# -- mock_driver ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("config", "status", "events"),
    [
        ({"run_for": "10ms"}, "complete", ["Received", "Task Setup", "Started", "Terminated"]),
        (
            {"run_for": "10ms", "exit_code": 3},
            "failed",
            ["Received", "Task Setup", "Started", "Terminated", "Not Restarting"],
        ),
        ({"start_error": "no way"}, "failed", ["Received", "Task Setup", "Driver Failure", "Not Restarting"]),
        (
            {"run_for": "10ms", "exit_signal": 9, "exit_err_msg": "gone"},
            "failed",
            ["Received", "Task Setup", "Started", "Terminated", "Not Restarting"],
        ),
    ],
    ids=["success", "exit code", "start error", "signal"],
)
def test_mock_tasks_end_as_configured(nomad: Api, config: dict[str, Any], status: str, events: list[str]) -> None:
    """A mock task runs for as long, and ends, as its configuration says."""
    nomad.register(_batch("mock-ends", task(Config=config)))
    alloc = _ended(nomad, "mock-ends")

    assert alloc["ClientStatus"] == status
    assert _events(alloc) == events
    nomad.purge("mock-ends")


def test_a_failing_task_is_restarted_as_its_policy_says(nomad: Api) -> None:
    """Two attempts are made again, then the task fails, and every step is an event in Nomad's words."""
    policy = {"Attempts": 2, "Interval": 60 * SECOND, "Delay": 50_000_000, "Mode": "fail"}
    nomad.register(_batch("restarts", task(Config={"run_for": "10ms", "exit_code": 1}), RestartPolicy=policy))
    state = _ended(nomad, "restarts")["TaskStates"]["t"]

    assert (state["Restarts"], state["Failed"], state["State"]) == (2, True, "dead")
    last = state["Events"][-1]
    assert last["DisplayMessage"] == 'Exceeded allowed attempts 2 in interval 1m0s and mode is "fail"'
    assert sum(event["Type"] == "Restarting" for event in state["Events"]) == 2
    nomad.purge("restarts")


def test_a_service_that_ends_well_is_started_again(nomad: Api) -> None:
    """A service's task is not meant to end: a good end is restarted too."""
    policy = {"Attempts": 5, "Interval": 60 * SECOND, "Delay": 50_000_000, "Mode": "delay"}
    nomad.register(job("again", group(Tasks=[task(Config={"run_for": "50ms"})], RestartPolicy=policy)))

    nomad.wait_for(
        "/v1/job/again/allocations", lambda a: a and a[0]["TaskStates"] and a[0]["TaskStates"]["t"]["Restarts"] >= 2
    )
    nomad.purge("again")


def test_stopping_tells_how_the_task_was_killed(nomad: Api) -> None:
    """A stopped task was sent a signal, ended, and was killed, in that order."""
    nomad.register(job("killed", group(Tasks=[task(KillTimeout=2 * SECOND)])))
    nomad.running("killed")
    nomad.delete("/v1/job/killed")
    alloc = _ended(nomad, "killed")

    assert _events(alloc)[-3:] == ["Killing", "Terminated", "Killed"]
    killing = alloc["TaskStates"]["t"]["Events"][-3]
    assert killing["DisplayMessage"] == "Sent interrupt. Waiting 2s before force killing"
    nomad.purge("killed")


def test_a_simulated_driver_says_that_it_is_one(nomad: Api) -> None:
    """A docker task "runs", and its events say that nothing was started."""
    nomad.register(job("docker", group(Tasks=[task(Driver="docker", Config={"image": "x"})])))
    (alloc,) = nomad.running("docker")

    said = [event["DisplayMessage"] for event in alloc["TaskStates"]["t"]["Events"] if event["Type"] == "Driver"]
    assert said == ["The embedded Nomad simulates the docker driver: nothing is started"]
    nomad.purge("docker")


# -- lifecycle -----------------------------------------------------------------------------------------------------
def test_hooks_run_in_the_order_of_the_lifecycle(nomad: Api, tmp_path: Path) -> None:
    """Prestart comes before main, poststart after its start, poststop after its end."""
    log = tmp_path / "order"

    def note(word: str, then: str = "true") -> str:
        return f"echo {word} >> {log}; {then}"

    nomad.register(
        _batch(
            "order",
            shell(note("stop"), "last", Lifecycle=_hook("poststop")),
            shell(note("main", f"for i in $(seq 100); do grep -q post {log} && break; sleep 0.05; done")),
            shell(note("pre"), "first", Lifecycle=_hook("prestart")),
            shell(note("post"), "beside", Lifecycle=_hook("poststart")),
        )
    )
    alloc = _ended(nomad, "order")

    assert alloc["ClientStatus"] == "complete"
    nomad.wait(lambda: log.read_text().split() == ["pre", "main", "post", "stop"])
    nomad.purge("order")


def test_a_failed_prestart_fails_the_allocation_before_main_runs(nomad: Api) -> None:
    """Main tasks never start where a prestart task failed."""
    broken = task("first", Config={"run_for": "10ms", "exit_code": 1}, Lifecycle=_hook("prestart"))
    nomad.register(_batch("prefail", broken, task()))
    alloc = _ended(nomad, "prefail")

    assert alloc["ClientStatus"] == "failed"
    assert "Started" not in _events(alloc)
    nomad.purge("prefail")


def test_sidecars_end_with_the_main_tasks(nomad: Api) -> None:
    """When all main tasks are over the sidecars are ended, and the allocation is complete."""
    side = task("side", Lifecycle=_hook("prestart", sidecar=True))
    nomad.register(_batch("sidecar", side, task(Config={"run_for": "200ms"})))
    alloc = _ended(nomad, "sidecar")

    assert alloc["ClientStatus"] == "complete"
    assert "Main Tasks Dead" in _events(alloc, "side")
    nomad.purge("sidecar")


def test_a_dead_leader_ends_its_group(nomad: Api) -> None:
    """When the leader ends, the others are ended."""
    nomad.register(_batch("leader", task("lead", Leader=True, Config={"run_for": "100ms"}), task("other")))
    alloc = _ended(nomad, "leader")

    assert "Leader Task Dead" in _events(alloc, "other")
    assert alloc["ClientStatus"] == "complete"
    nomad.purge("leader")


def test_a_failed_task_takes_its_siblings_along(nomad: Api) -> None:
    """A task that fails for good ends the whole allocation."""
    nomad.register(_batch("sibling", task("bad", Config={"run_for": "50ms", "exit_code": 2}), task("good")))
    alloc = _ended(nomad, "sibling")

    assert alloc["ClientStatus"] == "failed"
    assert "Sibling Task Failed" in _events(alloc, "good")
    nomad.purge("sibling")


# -- real processes ------------------------------------------------------------------------------------------------
def test_a_process_sees_nomads_environment(nomad: Api) -> None:
    """`NOMAD_*`, the task's own env and its interpolations reach a real process."""
    shown = ("JOB_ID", "GROUP_NAME", "TASK_NAME", "ALLOC_INDEX", "DC")
    script = f"echo {' '.join(f'$NOMAD_{name}' for name in shown)} $MINE $NOMAD_META_owner; pwd"
    wanted = _batch("env", shell(script, Env={"MINE": "${NOMAD_TASK_NAME}-${node.datacenter}"}))
    nomad.register(wanted | {"Meta": {"owner": "me"}})
    alloc = _ended(nomad, "env")

    first, where = _logs(nomad, alloc).splitlines()
    assert first == "env g t 0 dc1 t-dc1 me"
    assert where.endswith(f"/{alloc['ID']}/t")
    nomad.purge("env")


def test_ports_are_given_and_told(nomad: Api) -> None:
    """A dynamic port lies in the node's range and reaches the task's environment."""
    network = [{"DynamicPorts": [{"Label": "http", "To": 80}]}]
    wanted = _batch("ports", shell("echo $NOMAD_PORT_http $NOMAD_HOST_PORT_http $NOMAD_ADDR_http"), Networks=network)
    nomad.register(wanted)
    alloc = _ended(nomad, "ports")

    inside, outside, address = _logs(nomad, alloc).split()
    assert inside == "80"
    assert 20_000 <= int(outside) <= 32_000
    assert address == f"127.0.0.1:{outside}"
    nomad.purge("ports")


@pytest.mark.parametrize(
    ("script", "code", "signal"), [("exit 7", "7", "0"), ("kill -9 $$", "137", "9")], ids=["exit", "signal"]
)
def test_how_a_process_ended_is_told(nomad: Api, script: str, code: str, signal: str) -> None:
    """Exit code and signal stand in the event's details."""
    nomad.register(_batch("ended", shell(script)))
    alloc = _ended(nomad, "ended")

    (event,) = [e for e in alloc["TaskStates"]["t"]["Events"] if e["Type"] == "Terminated"]
    assert (event["Details"]["exit_code"], event["Details"]["signal"]) == (code, signal)
    nomad.purge("ended")


def test_a_command_that_is_not_there_is_a_driver_failure(nomad: Api) -> None:
    """What cannot be started is told as such."""
    nomad.register(_batch("absent", task(Driver="raw_exec", Config={"command": "/no/such/program"})))
    alloc = _ended(nomad, "absent")

    failures = [e for e in alloc["TaskStates"]["t"]["Events"] if e["Type"] == "Driver Failure"]
    assert '"/no/such/program": executable file not found' in failures[0]["DisplayMessage"]
    nomad.purge("absent")


def test_stopping_ends_the_whole_process_group(nomad: Api, tmp_path: Path) -> None:
    """A task that ignores its signal is killed when the time is up, with all its children."""
    pids = tmp_path / "pids"
    script = f"trap '' INT TERM; sleep 600 & echo $$ $! > {pids}; wait; sleep 600"
    nomad.register(job("stubborn", group(Tasks=[shell(script, KillTimeout=SECOND // 2)])))
    nomad.running("stubborn")
    nomad.wait(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    nomad.delete("/v1/job/stubborn")
    _ended(nomad, "stubborn")

    nomad.wait(lambda: not any(_alive(int(pid)) for pid in pids.read_text().split()))
    nomad.purge("stubborn")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()


def test_the_kill_signal_is_the_one_configured(nomad: Api) -> None:
    """`kill_signal` decides which signal a task gets to end by itself."""
    script = "trap 'echo caught; exit 0' USR1; echo ready; while true; do sleep 0.05; done"
    nomad.register(job("usr1", group(Tasks=[shell(script, KillSignal="SIGUSR1", KillTimeout=5 * SECOND)])))
    (alloc,) = nomad.running("usr1")
    nomad.wait(lambda: "ready" in _logs(nomad, alloc))
    nomad.delete("/v1/job/usr1")
    alloc = _ended(nomad, "usr1")

    assert "caught" in _logs(nomad, alloc)
    nomad.purge("usr1")


def test_signals_and_restarts_by_hand(nomad: Api) -> None:
    """A signal reaches the process; a restart starts it anew and counts."""
    script = "trap 'echo hup' HUP; echo start; while true; do sleep 0.05; done"
    nomad.register(job("hup", group(Tasks=[shell(script)])))
    (alloc,) = nomad.running("hup")
    nomad.wait(lambda: "start" in _logs(nomad, alloc))
    nomad.put(f"/v1/client/allocation/{alloc['ID']}/signal", {"Signal": "SIGHUP", "Task": "t"})
    nomad.wait(lambda: "hup" in _logs(nomad, alloc))

    nomad.put(f"/v1/client/allocation/{alloc['ID']}/restart", {"TaskName": "t"})
    nomad.wait(lambda: _logs(nomad, alloc).count("start") == 2)
    states = nomad.wait_for(f"/v1/allocation/{alloc['ID']}", lambda a: a["TaskStates"]["t"]["Restarts"] == 1)
    assert "Restart Signaled" in [event["Type"] for event in states["TaskStates"]["t"]["Events"]]
    nomad.purge("hup")


def test_templates_files_and_payloads(nomad: Api, tmp_path: Path) -> None:
    """Templates read variables and environment, artifacts come from local paths, both before the task starts."""
    (tmp_path / "data.txt").write_text("from afar")
    nomad.put("/v1/var/nomad/jobs/prepared", {"Items": {"word": "secret"}})
    template = '{{ with nomadVar "nomad/jobs/prepared" }}{{ .word | toUpper }}{{ end }} {{ env "NOMAD_TASK_NAME" }}'
    prepared = shell(
        "cat local/made local/data.txt; echo; echo $FROM",
        Templates=[
            {"EmbeddedTmpl": template, "DestPath": "local/made"},
            {"EmbeddedTmpl": "FROM=template\n", "DestPath": "local/env", "Envvars": True},
        ],
        Artifacts=[{"GetterSource": str(tmp_path / "data.txt"), "RelativeDest": "local/"}],
    )
    nomad.register(_batch("prepared", prepared))
    alloc = _ended(nomad, "prepared")

    assert _logs(nomad, alloc) == "SECRET tfrom afar\ntemplate\n"
    nomad.purge("prepared")


def test_an_artifact_from_the_network_is_refused(nomad: Api) -> None:
    """Nothing is fetched from a network; the event says what to do."""
    bad = shell("true", Artifacts=[{"GetterSource": "https://example.org/x.tgz"}])
    nomad.register(_batch("network", bad))
    alloc = _ended(nomad, "network")

    (event,) = [e for e in alloc["TaskStates"]["t"]["Events"] if e["Type"] == "Failed Artifact Download"]
    assert "only takes artifacts from local paths" in event["DisplayMessage"]
    nomad.purge("network")


# -- logs and files ------------------------------------------------------------------------------------------------
def test_logs_from_an_offset_from_the_end_and_followed(nomad: Api) -> None:
    """Logs are read from anywhere, in frames or plain, and followed until the task ends."""
    nomad.register(_batch("logs", shell("echo one; sleep 0.4; echo two")))
    alloc = nomad.wait_for("/v1/job/logs/allocations", lambda a: a and a[0]["ClientStatus"] == "running")[0]
    base = f"/v1/client/fs/logs/{alloc['ID']}?task=t&type=stdout"

    assert nomad.get(f"{base}&plain=true&follow=true") == "one\ntwo\n"
    assert nomad.get(f"{base}&plain=true&offset=4") == "two\n"
    assert nomad.get(f"{base}&plain=true&offset=4&origin=end") == "two\n"
    frame = nomad.get(base)
    assert frame == {"Data": "b25lCnR3bwo=", "File": "alloc/logs/t.stdout.0", "Offset": 8}
    nomad.purge("logs")


def test_files_of_an_allocation(nomad: Api) -> None:
    """Directories are listed, files are read whole and in pieces; nothing outside is reachable."""
    nomad.register(_batch("files", shell("echo hello > local/f")))
    alloc = _ended(nomad, "files")
    base = "/v1/client/fs"

    assert {entry["Name"] for entry in nomad.get(f"{base}/ls/{alloc['ID']}")} == {"alloc", "t"}
    assert nomad.get(f"{base}/cat/{alloc['ID']}?path=t/local/f") == "hello\n"
    assert nomad.get(f"{base}/readat/{alloc['ID']}?path=t/local/f&offset=1&limit=3") == "ell"
    found = nomad.get(f"{base}/stat/{alloc['ID']}?path=t/local/f")
    assert (found["Name"], found["Size"], found["IsDir"]) == ("f", 6, False)
    outside = nomad.call("GET", f"{base}/cat/{alloc['ID']}?path=../../../etc/passwd")
    assert outside.status == 500
    assert "escapes" in outside.body
    nomad.purge("files")


def test_what_tasks_use(nomad: Api) -> None:
    """The memory of a real process shows in its allocation's statistics."""
    nomad.register(job("usage", group(Tasks=[shell("sleep 600")])))
    (alloc,) = nomad.running("usage")

    found = nomad.get(f"/v1/client/allocation/{alloc['ID']}/stats")
    assert found["Tasks"]["t"]["ResourceUsage"]["MemoryStats"]["RSS"] > 0
    nomad.purge("usage")


def test_a_sticky_disk_moves_with_its_allocation(nomad: Api) -> None:
    """With `sticky` the replacement finds what its predecessor left."""
    disk = {"EphemeralDisk": {"Sticky": True, "SizeMB": 300}}
    script = "test -f local/mark && echo found || touch local/mark; sleep 600"
    nomad.register(job("sticky", group(Tasks=[shell(script, KillTimeout=SECOND // 10)], **disk)))
    (alloc,) = nomad.running("sticky")
    time.sleep(0.1)
    nomad.put(f"/v1/allocation/{alloc['ID']}/stop")
    nomad.wait(lambda: [a for a in nomad.allocs("sticky") if a["ClientStatus"] == "running" and a["ID"] != alloc["ID"]])
    (replacement,) = [a for a in nomad.allocs("sticky") if a["ID"] != alloc["ID"]]

    nomad.wait(lambda: _logs(nomad, replacement) == "found\n")
    nomad.purge("sticky")


# -- when the machine fails ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "event", "text"),
    [
        (OSError(28, "No space left on device"), "Setup Failure", "No space left on device"),
        (RuntimeError("a bug"), "Not Restarting", "internal error"),
    ],
    ids=["the disk is full", "a bug"],
)
def test_a_task_that_cannot_be_prepared_fails(
    nomad: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, event: str, text: str
) -> None:
    """When its directory cannot be made a task fails, and its events say why."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("herdsman.devnomad.client.allocdir.AllocDir.build_task", fail)
    nomad.register(_batch("no-disk", shell("true")))
    alloc = _ended(nomad, "no-disk")
    told = [each["DisplayMessage"] for each in alloc["TaskStates"]["t"]["Events"] if each["Type"] == event]

    assert alloc["ClientStatus"] == "failed"
    assert text in told[0]
    monkeypatch.undo()
    nomad.purge("no-disk")
