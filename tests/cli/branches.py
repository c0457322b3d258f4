"""A repository with a branch, and an operator whose live side can be exported: what checks before a merge look at."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness import Harness
from herdsman.adapters.exports import Exporter
from herdsman.cli.main import herdsman, run

Files = Mapping[str, str | bytes]

_WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *args: str) -> str:
    """What git prints, without anybody's configuration."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", *_WHO, *args], cwd=folder, env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


def write(folder: Path, files: Files) -> None:
    """Let *folder* hold these files and no other specs."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [p for p in folder.rglob("*") if p.is_file()]:
        old.unlink()
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)


def repository(folder: Path, base: Files, branch: Files) -> Path:
    """A work tree in which `main` holds *base* below `specs/`, and the branch that is checked out *branch*."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, base, "base")
    git(folder, "checkout", "--quiet", "-b", "feature")
    commit(folder, branch, "change")
    return folder


def commit(folder: Path, files: Files, message: str) -> None:
    """Let `specs/` hold *files*, and commit that."""
    write(folder / "specs", files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)


def exporter(harness: Harness) -> Exporter:
    """What writes the live side of that operator."""
    return Exporter(harness.nomad, harness.store, harness.clock, lambda: harness.view.desired)


def exported(harness: Harness, file: Path) -> Path:
    """The live side of that operator, in *file*."""
    file.write_text("".join(exporter(harness).lines()))
    return file


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    code: int
    out: str

    def json(self) -> Any:
        """The answer of `-o json`."""
        return json.loads(self.out)


def ran(*words: str | Path) -> Ran:
    """Run a command; a `HerdsmanError` fails the test."""
    result: Result = CliRunner().invoke(herdsman, [str(w) for w in words], prog_name="herdsman", standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout)


def said(found: Ran) -> dict[str, tuple[str, str]]:
    """Effect and reason of every plan in a JSON answer, by name."""
    return {p["name"]: (p["effect"], p["reason"]) for p in found.json()["plans"]}


def program(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """The exit code of the whole program."""
    monkeypatch.setattr("sys.argv", ["herdsman", *map(str, words)])
    try:
        return run()
    except SystemExit as end:
        return int(end.code or 0)
