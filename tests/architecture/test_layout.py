"""Rules about the tree itself, which no import contract can hold."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "herdsman"


def test_operator_is_no_package() -> None:
    """`operator/__init__.py` would shadow the standard library's module from the repository root."""
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_the_standard_library_wins_from_the_root() -> None:
    """`import enum`, which imports `operator`, works where the repository is the working directory."""
    done = subprocess.run(
        [sys.executable, "-c", "import enum, operator; print(operator.__file__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert str(ROOT) not in done.stdout


def tracked() -> list[Path]:
    """Every text file of the repository that is, or will be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a Git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_path_of_this_machine_is_committed() -> None:
    """The tree works wherever it is cloned."""
    own = [f"{ROOT}/", f"{Path.home()}/"]
    found = [p for p in tracked() if any(o.encode() in p.read_bytes() for o in own if len(o) > 5)]

    assert found == []


def test_no_lock_file_with_addresses_is_committed() -> None:
    """Requirements are pinned by hash, without a registry's host name."""
    names = {p.name for p in tracked()}

    assert not names & {"uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "package-lock.json"}
    for pinned in (ROOT / "requirements").glob("*.txt"):
        text = pinned.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_opens_with_its_story(path: Path) -> None:
    """Every module says what it is before anything else, and leaves nothing for later."""
    text = path.read_text()

    assert text.startswith(('"""', "r'''", 'r"""')), "a module begins with its docstring"
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", text)
