"""A tree that changes: while it is read, between two snapshots, and hardly visibly."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.tree.worlds import Meddler, clock_off_by, swap, swap_and_remove, texts, write
from clocks import FakeClock
from herdsman.adapters.tree import TRIES, DirectorySource
from herdsman.adapters.treewalk import Mark
from herdsman.errors import SourceError


def test_a_swap_in_the_middle_mixes_nothing(tmp_path: Path, meddler: Meddler) -> None:
    """git-sync swaps its link while the first file is read and removes the old directory: all is of the new one."""
    names = [f"{number}.yaml" for number in range(5)]
    write(tmp_path, {f".w/{tree}/{name}": tree for tree in ("old", "new") for name in names} | {"current": "-> .w/old"})
    meddler.after_reads(1, lambda: swap_and_remove(tmp_path / "current", ".w/new"))
    snapshot = DirectorySource(tmp_path / "current", clock=FakeClock()).snapshot()

    assert texts(snapshot) == dict.fromkeys(names, "new")


def test_a_config_map_swapped_in_the_middle_mixes_nothing(tmp_path: Path, meddler: Meddler) -> None:
    """Kubernetes swaps `..data` while the first file is read: all files are of the new version."""
    names = [f"{number}.yaml" for number in range(5)]
    write(tmp_path, {f"..{version}/{name}": version for version in ("v1", "v2") for name in names})
    write(tmp_path, {"..data": "-> ..v1"} | {name: f"-> ..data/{name}" for name in names})
    source = DirectorySource(tmp_path, clock=FakeClock())
    meddler.after_reads(1, lambda: swap_and_remove(tmp_path / "..data", "..v2"))

    assert texts(source.snapshot()) == dict.fromkeys(names, "v2")


def test_a_swap_that_only_removes_is_verified_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file moved from a directory not yet listed into one that is listed already is not taken for removed."""
    write(tmp_path, {"a/x.yaml": "x", "b/y.yaml": "y", "c/z.yaml": "z"})
    source = DirectorySource(tmp_path, clock=clock_off_by(60))
    source.snapshot()
    true, listed = os.scandir, list[str]()

    def moving(path: str) -> object:
        if Path(path) != tmp_path:
            listed.append(path)
            if len(listed) == 2:
                here, there = Path(listed[1]), Path(listed[0])
                moved = next(here.iterdir())
                moved.rename(there / moved.name)
        return true(path)

    monkeypatch.setattr(os, "scandir", moving)
    assert sorted(text or "" for text in texts(source.snapshot()).values()) == ["x", "y", "z"]


def test_renamed_away_and_replaced(tmp_path: Path) -> None:
    """A new directory under the old name is read whole, even where its files look alike."""
    root = tmp_path / "specs"
    write(tmp_path, {"specs/a.yaml": "1", "specs/b.yaml": "1", "next/a.yaml": "2"})
    source = DirectorySource(root, clock=FakeClock())
    source.snapshot()
    root.rename(tmp_path / "away")
    (tmp_path / "next").rename(root)

    assert texts(source.snapshot()) == {"a.yaml": "2"}


def test_replaced_while_it_is_read(tmp_path: Path, meddler: Meddler) -> None:
    """The same in the middle of the reading: nothing of the old directory is left."""
    root = tmp_path / "specs"
    write(tmp_path, {"specs/a.yaml": "1", "specs/b.yaml": "1", "next/a.yaml": "2"})

    def replace() -> None:
        root.rename(tmp_path / "away")
        (tmp_path / "next").rename(root)

    meddler.after_reads(1, replace)
    assert texts(DirectorySource(root, clock=FakeClock()).snapshot()) == {"a.yaml": "2"}


def test_removed_while_it_is_read_and_put_back(tmp_path: Path, meddler: Meddler) -> None:
    """A reading that failed half-way leaves nothing behind that a later snapshot would believe."""
    root = tmp_path / "specs"
    write(root, {"a.yaml": "one", "b.yaml": "one"})
    source = DirectorySource(root, clock=clock_off_by(60))
    source.snapshot()
    write(tmp_path, {"next/a.yaml": "two"})
    root.rename(tmp_path / "kept")
    (tmp_path / "next").rename(root)
    meddler.after_reads(1, lambda: root.rename(tmp_path / "gone"))
    with pytest.raises(SourceError):
        source.snapshot()
    (tmp_path / "kept").rename(root)

    assert texts(source.snapshot()) == {"a.yaml": "one", "b.yaml": "one"}


def test_a_file_truncated_and_then_written(tmp_path: Path, meddler: Meddler) -> None:
    """A file that changes while it is read is read again, until it stands."""
    file = tmp_path / "a.yaml"
    file.write_text("old")
    stages = iter(["", "new: half", "new: whole"])
    meddler.after_reads(3, lambda: file.write_text(next(stages)))
    snapshot = DirectorySource(tmp_path, clock=FakeClock()).snapshot()

    assert texts(snapshot) == {"a.yaml": "new: whole"}


def test_a_file_that_never_stands_still(tmp_path: Path, meddler: Meddler) -> None:
    """It is delivered as unknown, not torn, and the snapshot is not settled; the others are as always."""
    write(tmp_path, {"a.yaml": "x", "b.yaml": "b"})
    clock = clock_off_by(60)
    source = DirectorySource(tmp_path, clock=clock)
    with (tmp_path / "a.yaml").open("a") as log:

        def grow() -> None:
            log.write("x")
            log.flush()

        meddler.after_reads(1_000, grow)
        snapshot = source.snapshot()

    assert texts(snapshot) == {"a.yaml": None, "b.yaml": "b"}
    assert snapshot.files["a.yaml"].problem == "it kept changing while it was read"
    assert not snapshot.settled
    meddler.after_reads(0, lambda: None)
    assert set((texts(source.snapshot())["a.yaml"] or "").strip()) == {"x"}


def test_a_tree_that_never_stands_still(tmp_path: Path, meddler: Meddler) -> None:
    """A checkout of 500 files under way is delivered in the end, but not as settled; once it is over, it settles."""
    names = [f"{number}.yaml" for number in range(500)]
    missing = iter(names)
    clock = clock_off_by(60)
    source = DirectorySource(tmp_path, clock=clock)

    def check_out_one() -> None:
        write(tmp_path, {next(missing): "x"})

    check_out_one()
    meddler.after_reads(1_000, check_out_one)
    midway = source.snapshot()
    meddler.after_reads(0, check_out_one)
    write(tmp_path, dict.fromkeys(missing, "x"))
    after = source.snapshot()
    clock.advance(1)

    assert 1 <= len(midway.files) <= TRIES
    assert not midway.settled
    assert not after.settled
    assert source.snapshot().settled
    assert texts(source.snapshot()) == dict.fromkeys(sorted(names), "x")


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system whose clock ticks once in a long while: a change within one tick leaves no trace but the size."""
    tick = 1_000_000_000_000

    def of(_: type[Mark], st: os.stat_result) -> Mark:
        return Mark(st.st_dev, st.st_ino, st.st_size, st.st_mtime_ns // tick * tick, st.st_ctime_ns // tick * tick)

    monkeypatch.setattr(Mark, "of", classmethod(of))


def _tick_now(file: Path) -> float:
    return file.stat().st_ctime_ns // 1_000_000_000_000 * 1_000


@pytest.mark.usefixtures("coarse")
def test_a_rewrite_of_the_same_size_in_the_same_tick(tmp_path: Path) -> None:
    """A file that changed shortly before it was read is not trusted to stand, however its mark looks."""
    file = tmp_path / "a.yaml"
    file.write_text("count: 1")
    clock = clock_off_by()
    clock.step(_tick_now(file) - clock.now().timestamp() + 1.5)
    source = DirectorySource(tmp_path, clock=clock)
    seen = []
    for number in (1, 2, 3):
        file.write_text(f"count: {number}")
        seen.append(texts(source.snapshot())["a.yaml"])

    assert seen == ["count: 1", "count: 2", "count: 3"]


@pytest.mark.usefixtures("coarse")
def test_a_file_read_long_after_its_change_is_trusted(tmp_path: Path, meddler: Meddler) -> None:
    """Two seconds after the change the mark decides, and the file is not opened again."""
    file = tmp_path / "a.yaml"
    file.write_text("x")
    clock = clock_off_by()
    clock.step(_tick_now(file) - clock.now().timestamp() + 1.5)
    source = DirectorySource(tmp_path, clock=clock)
    reads = []
    for _ in range(4):
        source.snapshot()
        reads.append(meddler.reads)
        clock.advance(1)

    assert reads == [1, 2, 2, 2]


def test_only_what_changed_is_read(tmp_path: Path, meddler: Meddler) -> None:
    """One change in a tree at rest costs one reading; a rename one too, a removal none."""
    write(tmp_path, {f"{number}.yaml": "x" for number in range(20)})
    source = DirectorySource(tmp_path, clock=clock_off_by(60))
    reads = []
    acts: list[Callable[[], object]] = [
        lambda: None,
        lambda: None,
        lambda: write(tmp_path, {"3.yaml": "y"}),
        (tmp_path / "4.yaml").unlink,
        lambda: (tmp_path / "5.yaml").rename(tmp_path / "x.yaml"),
        lambda: None,
    ]
    for act in acts:
        act()
        before = meddler.reads
        source.snapshot()
        reads.append(meddler.reads - before)

    assert reads == [20, 0, 1, 0, 1, 0]


def test_unchanged_files_are_the_same_objects(tmp_path: Path) -> None:
    """Nothing is copied for a file that stands."""
    write(tmp_path, {"a.yaml": "a", "b.yaml": "b"})
    source = DirectorySource(tmp_path, clock=clock_off_by(60))
    before = source.snapshot()
    write(tmp_path, {"b.yaml": "c"})
    after = source.snapshot()

    assert after.files["a.yaml"] is before.files["a.yaml"]
    assert texts(before) == {"a.yaml": "a", "b.yaml": "b"}
    assert texts(after) == {"a.yaml": "a", "b.yaml": "c"}


def test_a_problem_that_changes_is_told_anew(tmp_path: Path) -> None:
    """The words for a path follow what is wrong with it now."""
    write(tmp_path, {"a.yaml": "-> gone"})
    source = DirectorySource(tmp_path, clock=clock_off_by(60))
    before = source.snapshot().files["a.yaml"].problem
    swap(tmp_path / "a.yaml", "/etc/passwd")
    after = source.snapshot().files["a.yaml"].problem
    swap(tmp_path / "a.yaml", "b.yaml")
    write(tmp_path, {"b.yaml": "b"})

    assert "leads nowhere" in before
    assert "leads out" in after
    assert texts(source.snapshot()) == {"a.yaml": "b", "b.yaml": "b"}


def test_many_threads_may_ask_at_once(tmp_path: Path) -> None:
    """Each gets a whole snapshot of one state: all files of one number."""
    write(tmp_path, {f".v/{n}/{m}.yaml": str(n) for n in range(30) for m in range(4)} | {"current": "-> .v/0"})
    source = DirectorySource(tmp_path / "current", clock=FakeClock())
    mixed: list[object] = []

    def ask() -> None:
        for _ in range(30):
            snapshot = source.snapshot()
            if len(set(texts(snapshot).values())) != 1:
                mixed.append(texts(snapshot))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 30):
        swap(tmp_path / "current", f".v/{number}")
    for thread in threads:
        thread.join(60)

    assert mixed == []
    assert not any(thread.is_alive() for thread in threads)
