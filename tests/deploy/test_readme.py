"""The page about deploying: what it names is there."""

import re
from pathlib import Path

import pytest

from deploy.known import DEPLOY, ROOT, variables
from deploy.names import alerts

PAGE = (DEPLOY / "README.md").read_text()


def test_links_lead_somewhere() -> None:
    """Each relative link is a file or a folder."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE):
        assert (DEPLOY / target).exists(), target


def test_every_folder_is_told_of() -> None:
    """A reader finds each folder in the table."""
    assert set(re.findall(r"^\| \[(\w+)/\]", PAGE, re.MULTILINE)) == {p.name for p in DEPLOY.iterdir() if p.is_dir()}


def test_files_in_commands_exist() -> None:
    """What is copied or built from is in the repository."""
    for path in re.findall(r"\b(?:deploy|requirements)/[\w./-]+\w", PAGE):
        assert (ROOT / path).exists(), path


def test_what_pages_is_what_is_critical() -> None:
    """The alerts that the page calls for at night are those with that severity."""
    (line,) = re.findall(r"\*\*Page\*\* for ([^:]+):", PAGE)
    critical = {name for name, alert in alerts().items() if alert["labels"]["severity"] == "critical"}

    assert set(re.findall(r"`(\w+)`", line)) == critical


def test_variables_exist() -> None:
    """Whatever is named of Herdsman's environment is read."""
    named = set(re.findall(r"\b(?:HERDSMAN|NOMAD)_[A-Z_]+", PAGE))

    assert named
    assert named <= variables()


@pytest.mark.parametrize("file", sorted(p for p in DEPLOY.rglob("*") if p.is_file()), ids=lambda p: p.name)
def test_no_host_of_a_registry_and_no_path_of_a_machine(file: Path) -> None:
    """Images are named without a registry, and nothing leads to somebody's home."""
    text = file.read_text()

    assert not re.search(r"\b(?:docker\.io|ghcr\.io|quay\.io|gcr\.io|registry\.k8s\.io|pypi\.org)\b", text)
    assert not re.search(r"(?<![\w/])/(?:root|home|work|tmp)/", text)
