"""A directory that somebody else checks out: which commit it is at, and whether it was changed by hand."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.git.worlds import program
from clocks import FakeClock
from gitservers import git
from herdsman.adapters.tree import DirectorySource
from herdsman.model.sources import Snapshot

PERSON = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


class Clone:
    """A work tree with one commit: `specs/a.yaml`, `specs/sub/b.yaml`, a link, hidden files and others."""

    def __init__(self, root: Path, object_format: str = "sha1") -> None:
        self.root = root
        root.mkdir()
        self.git("init", "-q", "--initial-branch=main", f"--object-format={object_format}")
        self.write(
            {"specs/a.yaml": "a", "specs/sub/b.yaml": "b", "specs/.x.yaml": "x", "specs/README.md": "r", "c.yaml": "c"}
        )
        (root / "specs/link.yaml").symlink_to("a.yaml")
        self.commit()

    def git(self, *args: str) -> str:
        """Run git in it."""
        return git(*PERSON, *args, cwd=self.root)

    def write(self, files: dict[str, str]) -> None:
        """Write files."""
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)

    def commit(self, message: str = "a change") -> str:
        """Commit everything."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def read(self, path: str = "specs") -> Snapshot:
        """What a new source reads there."""
        return DirectorySource(self.root / path, clock=FakeClock()).snapshot()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A work tree."""
    return Clone(tmp_path / "clone")


@pytest.mark.parametrize("path", ["specs", ".", "specs/sub"])
@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_a_clean_checkout(path: str, object_format: str, tmp_path: Path) -> None:
    """The snapshot names the commit, its author and the branch; its revision is that of the files."""
    clone = Clone(tmp_path / "clone", object_format)
    snapshot = clone.read(path)

    assert (snapshot.commit, snapshot.branch, snapshot.dirty) == (clone.git("rev-parse", "HEAD"), "main", False)
    assert (snapshot.author, snapshot.message) == ("Ada <ada@example.org>", "a change")
    assert snapshot.committed
    assert snapshot.revision.startswith("tree:")


CHANGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "a file is edited": (lambda root: (root / "specs/a.yaml").write_text("A"), True),
    "a file of the same length is edited": (lambda root: (root / "specs/sub/b.yaml").write_text("B"), True),
    "a file is new": (lambda root: (root / "specs/new.yaml").write_text("n"), True),
    "a file is removed": (lambda root: (root / "specs/sub/b.yaml").unlink(), True),
    "a file is renamed": (lambda root: (root / "specs/a.yaml").rename(root / "specs/z.yaml"), True),
    "a link leads elsewhere": (lambda root: _relink(root / "specs/link.yaml", "sub/b.yaml"), True),
    "a link is gone": (lambda root: (root / "specs/link.yaml").unlink(), True),
    "a file became a link": (lambda root: _relink(root / "specs/sub/b.yaml", "../a.yaml"), True),
    "a file of no interest is edited": (lambda root: (root / "specs/README.md").write_text("R"), False),
    "a hidden file is edited": (lambda root: (root / "specs/.x.yaml").write_text("X"), False),
    "a file elsewhere is edited": (lambda root: (root / "c.yaml").write_text("C"), False),
    "rights are changed": (lambda root: (root / "specs/a.yaml").chmod(0o755), False),
    "a time is changed": (lambda root: os.utime(root / "specs/a.yaml", (1, 1)), False),
}


def _relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


@pytest.mark.parametrize("name", CHANGES)
def test_what_makes_it_dirty(name: str, clone: Clone) -> None:
    """Files that are not those of the commit, where they are read; a change that is nobody's yet has no author."""
    change, dirty = CHANGES[name]
    change(clone.root)
    snapshot = clone.read()

    assert (snapshot.commit, snapshot.dirty) == (clone.git("rev-parse", "HEAD"), dirty)
    assert bool(snapshot.author) is not dirty


def test_staged_is_dirty_and_committed_is_not(clone: Clone) -> None:
    """One source follows what a person does, step by step."""
    source = DirectorySource(clone.root / "specs", clock=FakeClock())
    first = source.snapshot().commit
    clone.write({"specs/a.yaml": "A"})
    assert source.snapshot().dirty
    clone.git("add", "-A")
    assert source.snapshot().dirty
    second = clone.commit("the second")

    snapshot = source.snapshot()
    assert (snapshot.commit, snapshot.dirty, snapshot.message) == (second, False, "the second")
    clone.git("checkout", "-q", first)
    snapshot = source.snapshot()
    assert (snapshot.commit, snapshot.dirty, snapshot.branch) == (first, False, "")


def test_what_is_skipped_is_not_missed(clone: Clone) -> None:
    """What the source is told not to read does not make it dirty."""
    source = DirectorySource(clone.root / "specs", clock=FakeClock(), skip=lambda path: path == "sub")

    assert not source.snapshot().dirty


def test_the_swaps_of_git_sync(tmp_path: Path) -> None:
    """A link that leads to one work tree after the other: the commit is that of the tree that was read."""
    clone = Clone(tmp_path / "clone")
    commits = [clone.git("rev-parse", "HEAD")]
    clone.write({"specs/a.yaml": "A"})
    commits.append(clone.commit())
    link = tmp_path / "current"
    source = DirectorySource(link / "specs", clock=FakeClock())
    for commit in commits:
        clone.git("worktree", "add", "-q", "--detach", str(tmp_path / ".worktrees" / commit), commit)
        fresh = tmp_path / "fresh"
        fresh.symlink_to(f".worktrees/{commit}")
        fresh.rename(link)
        snapshot = source.snapshot()
        assert (snapshot.commit, snapshot.dirty) == (commit, False)


def test_no_work_tree(tmp_path: Path) -> None:
    """A directory like any other has no commit, and no git is run for it."""
    (tmp_path / "a.yaml").write_text("a")
    snapshot = DirectorySource(tmp_path, clock=FakeClock()).snapshot()

    assert (snapshot.commit, snapshot.dirty, snapshot.author) == ("", False, "")


def test_files_that_the_work_tree_does_not_know(clone: Clone) -> None:
    """A directory of generated specs inside a repository of something else is not that repository's commit."""
    clone.write({"build/x.yaml": "x"})

    assert clone.read("build").commit == ""


def test_nothing_committed_yet(tmp_path: Path) -> None:
    """A fresh `git init` has no commit to name."""
    git("init", "-q", cwd=tmp_path)
    (tmp_path / "a.yaml").write_text("a")

    assert DirectorySource(tmp_path, clock=FakeClock()).snapshot().commit == ""


@pytest.mark.parametrize("damage", ["HEAD", "objects", "config"])
def test_a_broken_repository(damage: str, clone: Clone) -> None:
    """The files are read all the same."""
    path = clone.root / ".git" / damage
    shutil.rmtree(path) if path.is_dir() else path.write_text("[nonsense")
    snapshot = clone.read()

    assert sorted(snapshot.files) == ["a.yaml", "link.yaml", "sub/b.yaml"]
    assert snapshot.commit == ""


def test_without_git(clone: Clone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A directory needs no git; where there is none, there is no commit to name."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert clone.read().commit == ""
    assert len(clone.read().files) == 3


def test_nothing_of_the_work_tree_is_run(clone: Clone, tmp_path: Path) -> None:
    """Monitors, filters, hooks and helpers that its configuration names stay where they are."""
    trap = tmp_path / "trap"
    touch = program(tmp_path / "bin", f"touch {trap}; cat")
    (clone.root / ".gitattributes").write_text("* filter=evil diff=evil\n")
    keys = (
        "core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv",
        "core.pager", "core.sshCommand", "remote.origin.uploadpack", "core.editor",
    )  # fmt: skip
    for key in keys:
        clone.git("config", key, touch)
    clone.git("config", "remote.origin.url", f"ext::{touch}")
    clone.git("config", "extensions.partialClone", "origin")
    clone.git("config", "core.repositoryFormatVersion", "1")
    trap.unlink(missing_ok=True)
    shutil.rmtree(clone.root / ".git/objects")
    (clone.root / ".git/objects").mkdir()
    clone.write({"specs/a.yaml": "changed"})
    clone.read()

    assert not trap.exists()
