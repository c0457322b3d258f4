"""The pipelines for checks before a merge: they parse, may do little, and their very commands work."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from cli.branches import git, repository
from deploy.known import DEPLOY
from harness import fleet_document, group, job_document
from herdsman.cli.markdown import MARK
from herdsman.cli.reports import Checked, Compared, json_of
from herdsman.core.blast import Effect

GITHUB: dict[Any, Any] = yaml.safe_load((DEPLOY / "ci" / "github.yml").read_text())
GITLAB: dict[str, Any] = yaml.safe_load((DEPLOY / "ci" / "gitlab-ci.yml").read_text())
PAGE = (DEPLOY / "ci" / "README.md").read_text()

BASE = {"fleet.yaml": fleet_document(), "web.yaml": job_document("web")}
CHANGED = {**BASE, "web.yaml": job_document("web", TaskGroups=[group(count=2)])}
BROKEN = {**BASE, "web.yaml": "apiVersion: herdsman/v1\nkind: Job\nmetadata: {name: web}\nspec: {jobb: {}}\n"}


class Machine:
    """A runner: a clone, and programs that only write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "calls"
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self.put("herdsman", f'exec "{sys.executable}" -m herdsman "$@"')
        for name in ("pip", "gh", "curl"):
            self.put(name, f'echo "{name} $*" >> "{self.log}"\n' + ("cat > /dev/null" if name == "curl" else ""))

    def put(self, name: str, script: str) -> None:
        """Let a program *name* do this."""
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def clone(self, branch: dict[str, str]) -> Path:
        """What a pipeline has checked out for a branch that holds this."""
        origin = repository(self.folder / "origin", BASE, branch)
        git(self.folder, "clone", "--quiet", "--branch=feature", origin.as_uri(), "clone")
        return self.folder / "clone"

    def run(self, script: str, cwd: Path, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run a step as runners do."""
        path = {"PATH": f"{self.bin}:{os.environ['PATH']}", "PYTHONPATH": str(DEPLOY.parent / "operator")}
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=cwd,
            env={**path, "HOME": str(self.folder), "LC_ALL": "C.UTF-8", **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def calls(self) -> list[str]:
        """How the other programs were called."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A runner."""
    return Machine(tmp_path / "machine")


# -- GitHub ------------------------------------------------------------------------------------------------------------


def steps(job: str) -> dict[str, dict[str, Any]]:
    """The steps of a job that run something, by name."""
    return {s["name"]: s for s in GITHUB["jobs"][job]["steps"] if "run" in s}


def test_who_reads_the_request_may_not_write() -> None:
    """Nothing by default; reading and commenting are jobs of their own, and secrets are never in reach of a fork."""
    jobs = GITHUB["jobs"]

    assert GITHUB["permissions"] == {}
    assert jobs["check"]["permissions"] == {"contents": "read"}
    assert jobs["comment"]["permissions"] == {"pull-requests": "write"}
    assert "checkout" not in str(jobs["comment"])
    assert set(GITHUB[True]) == {"pull_request"}  # YAML 1.1 reads the key `on` as true
    assert "secrets." not in str(GITHUB)


def test_no_expression_stands_in_a_script() -> None:
    """A branch's name is somebody's text: it reaches a shell as a variable only."""
    for job in GITHUB["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


@pytest.mark.parametrize(("branch", "codes"), [(BASE, (0, 0)), (CHANGED, (0, 0)), (BROKEN, (1, 1))])
def test_the_steps_of_github_work(machine: Machine, branch: dict[str, str], codes: tuple[int, int]) -> None:
    """A difference passes, a fault does not; either way there is a comment and a summary."""
    clone, env = machine.clone(branch), {k: str(v) for k, v in GITHUB["env"].items()}
    summary = machine.folder / "summary"
    check = steps("check")

    assert machine.run(check["Install"]["run"], clone).returncode == 0
    wrong = machine.run(check["What is wrong"]["run"], clone, **env)
    change = machine.run(
        check["What would change"]["run"], clone, **env, BASE="origin/main", GITHUB_STEP_SUMMARY=str(summary)
    )

    assert (wrong.returncode, change.returncode) == codes, change.stderr
    assert machine.calls == ["pip install herdsman"]
    assert (clone / "comment.md").read_text() == summary.read_text()
    assert summary.read_text().startswith(f"{MARK}\n### ")
    assert ("1 to update in place" in summary.read_text()) == (branch is CHANGED)


@pytest.mark.parametrize(("known", "call"), [("", "gh pr comment 7"), (r"42\n43\n", "--method PATCH")])
def test_github_keeps_one_comment(machine: Machine, known: str, call: str) -> None:
    """Its own, found by the mark, is written anew; where there is none, one is made."""
    machine.put("gh", f'echo "gh $*" >> "{machine.log}"\ncase "$*" in *--paginate*) printf "{known}";; esac')
    step = steps("comment")["Comment"]

    done = machine.run(step["run"], machine.folder, NUMBER="7", GITHUB_REPOSITORY="o/r", GH_TOKEN="t")

    assert done.returncode == 0, done.stderr
    assert MARK in machine.calls[0]
    assert call in machine.calls[1]
    assert known == "" or "comments/42 " in machine.calls[1]


def test_github_compares_with_an_export_where_one_is_named(machine: Machine) -> None:
    """One variable says so."""
    clone = machine.clone(CHANGED)
    step = steps("check")["What would change"]["run"]

    done = machine.run(
        step, clone, SPECS="specs", BASE="origin/main", SNAPSHOT="no such.json", GITHUB_STEP_SUMMARY=os.devnull
    )

    assert done.returncode == 1
    assert "no such.json cannot be read" in done.stderr


# -- GitLab ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("branch", "code"), [(BASE, 0), (CHANGED, 0), (BROKEN, 1)])
def test_the_job_of_gitlab_works(machine: Machine, branch: dict[str, str], code: int) -> None:
    """Two JUnit reports and the text of the note, whatever came of it."""
    clone, job = machine.clone(branch), GITLAB["herdsman"]
    env = {k: str(v) for k, v in GITLAB["variables"].items()}
    base = git(clone, "merge-base", "HEAD", "origin/main")

    done = machine.run("\n".join(job["script"]), clone, **env, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)

    assert done.returncode == code, done.stderr
    assert machine.calls == ["pip install --quiet herdsman"]
    assert "fleet f against the specs at" in done.stdout
    for report in job["artifacts"]["reports"]["junit"]:
        failures = ET.parse(clone / report).getroot().get("failures")
        assert failures == str(code)
    for path in job["artifacts"]["paths"]:
        assert (clone / path).read_text().startswith(MARK)


def test_the_note_keeps_its_token_to_itself(machine: Machine) -> None:
    """Not among the arguments, which everybody on the machine can read."""
    job = GITLAB["herdsman note"]
    (machine.folder / "herdsman-diff.markdown").write_text("words")
    env = {"CI_API_V4_URL": "https://gitlab.example/api/v4", "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "9"}

    done = machine.run("\n".join(job["script"]), machine.folder, NOTE_TOKEN="t0ken", **env)

    assert done.returncode == 0, done.stderr
    assert machine.calls[0].endswith("https://gitlab.example/api/v4/projects/3/merge_requests/9/notes")
    assert "t0ken" not in machine.calls[0]
    assert "NOTE_TOKEN" not in str(GITLAB["herdsman"])


# -- the page ----------------------------------------------------------------------------------------------------------


def test_links_of_the_page_lead_somewhere() -> None:
    """Each is a file beside it."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE):
        assert (DEPLOY / "ci" / target).exists(), target


def test_every_field_of_the_json_is_on_the_page() -> None:
    """Who writes a program against it need not read ours."""
    told = set(re.findall(r"`([\w-]+)(?:\[\])?`", PAGE))

    assert json_of(Compared("f", "x", ())).keys() - {"format"} <= told
    assert json_of(Checked("f", {})).keys() - {"format"} <= told
    assert json_of(Compared("f", "x", ()))["blastRadius"].keys() <= told
    assert {effect.value for effect in Effect} <= told
