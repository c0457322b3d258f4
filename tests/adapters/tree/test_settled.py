"""When a tree counts as settled: the caller removes nothing before."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.tree.worlds import Meddler, clock_off_by, swap, write
from herdsman.adapters.tree import PATIENCE, DirectorySource, Stillness
from herdsman.adapters.treewalk import Anchor, Mark, Scan


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with files that were written just now."""
    write(tmp_path, {"specs/a.yaml": "a", "specs/sub/b.yaml": "b", "specs/sub/note.txt": "n"})
    return tmp_path / "specs"


def test_settles_when_the_stamps_are_old(root: Path) -> None:
    """A single look is enough where the newest stamp is older than `quiet`."""
    source = DirectorySource(root, clock=clock_off_by(10))

    assert source.snapshot().settled
    assert source.snapshot().settled


def test_does_not_settle_while_the_stamps_are_new(root: Path) -> None:
    """What was written just now may be the middle of something; a second later it is over."""
    clock = clock_off_by()
    source = DirectorySource(root, clock=clock)
    seen = []
    for _ in range(4):
        seen.append(source.snapshot().settled)
        clock.advance(0.4)

    assert seen == [False, False, False, True]


def test_quiet_can_be_chosen(root: Path) -> None:
    """A slow checkout may be given more time."""
    source = DirectorySource(root, clock=clock_off_by(10), quiet=20)

    assert not source.snapshot().settled


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file is written": lambda root: (root / "a.yaml").write_text("b"),
    "a file of the same size is written": lambda root: (root / "a.yaml").write_text("A"),
    "a file is added": lambda root: (root / "c.yaml").write_text("c"),
    "a file is removed": lambda root: (root / "a.yaml").unlink(),
    "a file is removed deep down": lambda root: (root / "sub" / "b.yaml").unlink(),
    "a file is renamed": lambda root: (root / "a.yaml").rename(root / "c.yaml"),
    "a file is replaced by an older one": lambda root: os.utime(root / "a.yaml", (1, 1)),
    "a directory is renamed": lambda root: (root / "sub").rename(root / "bus"),
    "a file that is no business of ours comes": lambda root: (root / "sub" / "x.tmp").touch(),
}


@pytest.mark.parametrize(
    "offset", [0.0, 10.0, 3600.0, -3600.0], ids=["as it is", "later", "much later", "much earlier"]
)
@pytest.mark.parametrize("name", CHANGES)
def test_every_change_unsettles(name: str, offset: float, root: Path) -> None:
    """Whatever the clocks say: after a change that was seen, nothing is settled until `quiet` seconds are over."""
    clock = clock_off_by(offset)
    source = DirectorySource(root, clock=clock)
    source.snapshot()
    clock.advance(1.5)
    before = source.snapshot().settled
    clock.step(datetime.now(UTC).timestamp() + offset - clock.now().timestamp())
    CHANGES[name](root)
    at_once = source.snapshot().settled
    clock.advance(0.7)
    soon = source.snapshot().settled
    clock.advance(0.4)

    assert (before, at_once, soon, source.snapshot().settled) == (True, False, False, True)


def test_a_file_from_the_future_settles_at_once(root: Path) -> None:
    """`touch -d 2099` says nothing about when the file was written."""
    os.utime(root / "a.yaml", (4_000_000_000, 4_000_000_000))

    assert DirectorySource(root, clock=clock_off_by(10)).snapshot().settled


def test_a_file_system_with_a_clock_ahead_settles_by_observation(root: Path) -> None:
    """Where every stamp is in the future a second look decides."""
    clock = clock_off_by(-3600)
    source = DirectorySource(root, clock=clock)
    first = source.snapshot().settled
    clock.advance(1)

    assert not first
    assert source.snapshot().settled


def test_a_file_system_with_a_clock_behind_is_not_believed(root: Path) -> None:
    """A change seen now with a stamp of an hour ago shows that stamps are worth nothing here."""
    clock = clock_off_by(3600)
    source = DirectorySource(root, clock=clock)
    source.snapshot()
    clock.advance(60)
    (root / "a.yaml").unlink()

    assert not source.snapshot().settled


def test_a_clock_that_is_set_back_blocks_nothing(root: Path) -> None:
    """A wall clock that jumps into the past makes stamps useless, and observation goes on."""
    clock = clock_off_by(10)
    source = DirectorySource(root, clock=clock)
    source.snapshot()
    clock.step(-7200)
    (root / "a.yaml").write_text("b")
    at_once = source.snapshot().settled
    clock.advance(1)

    assert not at_once
    assert source.snapshot().settled


def test_a_swapped_root_is_observed_first(tmp_path: Path) -> None:
    """A tree that was prepared long ago and appears now has old stamps: it settles when it has stood for a while."""
    write(tmp_path, {".w/1/a.yaml": "1", ".w/2/a.yaml": "2", "current": "-> .w/1"})
    clock = clock_off_by(60)
    source = DirectorySource(tmp_path / "current", clock=clock)
    before = source.snapshot().settled
    swap(tmp_path / "current", ".w/2")
    at_once = source.snapshot().settled
    clock.advance(1)

    assert (before, at_once, source.snapshot().settled) == (True, False, True)


def test_temporary_files_cannot_unsettle_for_ever(root: Path) -> None:
    """A neighbour that writes a file of its own every half second delays the settling, but not without end."""
    clock = clock_off_by()
    source = DirectorySource(root, clock=clock)
    seen = []
    for number in range(int(PATIENCE * 2) + 2):
        (root / f"{number}.tmp").touch()
        seen.append(source.snapshot().settled)
        clock.advance(0.5)

    assert not any(seen[: int(PATIENCE * 2) - 1])
    assert seen[-1]
    (root / "a.yaml").write_text("b")
    assert not source.snapshot().settled


@pytest.mark.parametrize(("file", "folder", "settled"), [(5, 5, True), (5, 9.5, False), (9.5, 5, False)])
def test_the_newest_stamp_counts(file: float, folder: float, settled: bool) -> None:
    """A file written in place leaves its directory old, a removal its neighbours: either is enough to wait."""

    def changed_at(seconds: float) -> Mark:
        return Mark(1, 1, 1, 0, int(seconds * 1e9))

    scan = Scan(Anchor("/specs", 1, 1), files={"a.yaml": changed_at(file)}, folders={"/specs": changed_at(folder)})

    assert Stillness(1.0).look(scan, now_ns=int(10e9), monotonic=0.0) is settled


def test_an_empty_root_settles(tmp_path: Path) -> None:
    """A directory without any file is a valid snapshot: empty, and settled."""
    snapshot = DirectorySource(tmp_path, clock=clock_off_by(10)).snapshot()

    assert (dict(snapshot.files), snapshot.settled) == ({}, True)


def test_a_tree_that_changes_under_the_reader_is_not_settled(root: Path, meddler: Meddler) -> None:
    """Old stamps do not help where the tree never stood still for one reading."""
    numbers = iter(range(1_000))
    source = DirectorySource(root, clock=clock_off_by(3600))
    meddler.after_reads(1_000, lambda: write(root, {f"{next(numbers)}.yaml": ""}))

    assert not source.snapshot().settled
