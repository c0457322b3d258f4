"""The exposition of a real operator, and tools that may be missing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.known import Exposition, Run, Tool, exposition


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Exposition:
    """What an operator tells Prometheus."""
    return exposition(tmp_path_factory.mktemp("operator"))


@pytest.fixture
def tool() -> Tool:
    """A program that checks files; the test is skipped where it is not installed."""

    def named(name: str) -> Run:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")

        def run(*args: str | Path, stdin: str = "") -> "subprocess.CompletedProcess[str]":
            command = [found, *map(str, args)]
            return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=120)

        return run

    return named
