"""The command line: what it prints, and the exit codes that scripts rely on."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
import yaml
from click.testing import CliRunner, Result

from harness import Harness, fleet_document, group, job_document
from herdsman.api.app import create_app
from herdsman.cli.main import COMMANDS, herdsman, run
from herdsman.model.keys import job_key

WEB = job_key("default", "web")


@pytest.fixture
def harness() -> Harness:
    """One job in sync, one held."""
    held = {"destructive": "approve"}
    files: dict[str, str | bytes] = {
        "fleet.yaml": fleet_document(),
        "web.yaml": job_document("web"),
        "held.yaml": job_document("held", policy=held),
    }
    harness = Harness(files)
    harness.sync()
    harness.files["held.yaml"] = job_document("held", policy=held, Meta={"a": "b"})
    harness.files["broken.yaml"] = "kind: }\n"
    harness.sync()
    return harness


@pytest.fixture
def server(harness: Harness) -> Iterator[str]:
    """The address of the API over that operator."""
    app = create_app(harness.operator, metrics=harness.metrics.text)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(5)


def call(*words: str) -> Result:
    """Run a command, as from a shell but in this process."""
    return CliRunner().invoke(herdsman, words, prog_name="herdsman", standalone_mode=False)


def exit_code(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of the whole program."""
    monkeypatch.setattr("sys.argv", ["herdsman", *words])
    try:
        return run()
    except SystemExit as end:
        return int(end.code or 0)


def test_get_shows_every_spec_and_what_was_not_understood(server: str) -> None:
    """A table for people: name, readiness, reason, file and line; broken files below it."""
    out = call("get", "--server", server).output

    assert "web" in out
    assert "NeedsApproval" in out
    assert "web.yaml:1" in out
    assert "broken.yaml:1:7" in out


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_get_speaks_to_pipes(server: str, form: str) -> None:
    """JSON and YAML hold the same."""
    out = call("get", "-o", form, "--server", server).output
    found = json.loads(out) if form == "json" else yaml.safe_load(out)

    assert [s["name"] for s in found["specs"]] == ["held", "web"]


def test_describe_shows_one_spec_whole(server: str) -> None:
    """Conditions, deployments, history and events of one spec."""
    out = call("describe", "web", "--server", server).output

    for part in ("Conditions:", "Deployments:", "History:", "Events:", "Ready", "created"):
        assert part in out


def test_plan_exits_with_2_where_something_differs(
    server: str, harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 no difference, 2 a difference: so that a pipeline can tell."""
    assert exit_code(monkeypatch, "plan", "web", "--server", server) == 0
    harness.nomad.foreign_edit(WEB, lambda b: b.update(Priority=77))
    harness.view.relist()

    assert exit_code(monkeypatch, "plan", "web", "--server", server) == 2
    assert "~ Job default/web: update (Drifted)" in capsys.readouterr().out


def test_approve_lists_and_lets_through(server: str, harness: Harness) -> None:
    """Without names it shows what waits; with one it lets that through."""
    assert "held" in call("approve", "--server", server).output

    assert "approved held" in call("approve", "held", "--server", server).output
    assert harness.nomad.jobs[job_key("default", "held")].body["Meta"]["a"] == "b"


def test_suspend_and_resume(server: str, harness: Harness) -> None:
    """Hands off one spec, and on again; saying nothing is an error, not the whole fleet."""
    call("suspend", "web", "--server", server)
    assert harness.store.is_suspended(WEB)
    call("resume", "web", "--server", server)
    assert not harness.store.is_suspended(WEB)
    assert "say what to suspend" in str(call("suspend", "--server", server).exception)


def test_events_are_shown(server: str) -> None:
    """What happened, one line each."""
    assert "created" in call("events", "web", "--server", server).output


def test_nobody_there_is_said_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No operator at the address: what was tried and what to do, exit code 1, no traceback."""
    code = exit_code(monkeypatch, "get", "--server", "http://127.0.0.1:9")

    err = capsys.readouterr().err
    assert code == 1
    assert "no operator at http://127.0.0.1:9" in err
    assert "HERDSMAN_SERVER" in err
    assert "Traceback" not in err


def test_a_mistyped_command_is_answered_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage is an error like any other: exit code 1, because 2 means a difference."""
    assert exit_code(monkeypatch, "resinc") == 1
    assert "Did you mean 'resync'?" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    """`--help` works everywhere and begins with what the command does."""
    result = call(command, "--help")

    assert result.exit_code == 0
    assert "Usage: herdsman" in result.output


# -- without an operator -----------------------------------------------------------------------------------------------


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A directory of good specs."""
    (tmp_path / "fleet.yaml").write_text(fleet_document())
    (tmp_path / "web.yaml").write_text(job_document("web", TaskGroups=[group()]))
    return tmp_path


def test_validate_says_that_all_is_well(
    specs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 and a count."""
    assert exit_code(monkeypatch, "validate", str(specs)) == 0
    assert "2" not in capsys.readouterr().out.replace("1 specs, 0 errors", "")


HCL_SPEC = """apiVersion: herdsman/v1
kind: Job
metadata:
  name: inline
spec:
  hcl: |
    job "inline" {
      group "g" {
        bogus = 1
      }
    }
"""


def test_validate_names_every_error_with_its_place(
    specs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """YAML and HCL errors alike: file, line, what is wrong; exit code 1."""
    (specs / "bad.yaml").write_text("apiVersion: herdsman/v1\nkind: Job\nmetadata: {name: x}\nspec: {jobb: {}}\n")
    (specs / "inline.yaml").write_text(HCL_SPEC)

    assert exit_code(monkeypatch, "validate", str(specs)) == 1
    out = capsys.readouterr().out
    assert "bad.yaml:4:8: spec.jobb" in out
    assert "inline.yaml:9" in out
    assert "bogus" in out


def test_schema_prints_json_schema() -> None:
    """One kind, or all in one."""
    assert json.loads(call("schema", "job").output)["title"] == "Job"
    assert "$defs" in json.loads(call("schema").output)


def test_version_is_the_packages() -> None:
    """The version, and nothing else."""
    assert call("version").output.strip() == "0.1.0"
