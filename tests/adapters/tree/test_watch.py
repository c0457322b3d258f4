"""Hints of changes, from a real kernel; and from looking, where the kernel cannot tell."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.tree.worlds import swap, swap_and_remove, write
from herdsman.adapters import watch
from herdsman.adapters.clock import SystemClock
from herdsman.adapters.tree import DirectorySource
from herdsman.adapters.treewalk import Tree
from herdsman.adapters.watch import Survey, Weight, shared_type

SOON = 10.0
"""Seconds that a hint may take on a busy machine before a test fails."""


class Watching:
    """A source that is watched in a thread, and the hints that it gave."""

    def __init__(self, root: Path, on_hint: Callable[[], object] = lambda: None) -> None:
        self.warnings: list[str] = []
        self.source = DirectorySource(root, clock=SystemClock(), warn=self.warnings.append)
        self.hints: list[float] = []
        self._on_hint = on_hint
        self._came = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.source.watch, args=(self._hint, self._stop.is_set))
        self._thread.start()

    def _hint(self) -> None:
        self._on_hint()
        with self._came:
            self.hints.append(time.monotonic())
            self._came.notify_all()

    def wait(self, more_than: int, seconds: float = SOON) -> bool:
        """Wait until more hints came than this."""
        with self._came:
            return self._came.wait_for(lambda: len(self.hints) > more_than, seconds)

    def rest(self) -> int:
        """Wait until hints stop coming; answers how many there were."""
        count = -1
        while count != len(self.hints):
            count = len(self.hints)
            self.wait(count, 0.3)
        return count

    def stop(self) -> float:
        """End it; answers how many seconds that took."""
        began = time.monotonic()
        self._stop.set()
        self._thread.join(SOON)
        assert not self._thread.is_alive()
        return time.monotonic() - began


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the temporary directory lies on counts as local: in a container it is an overlay."""
    monkeypatch.setattr(watch, "MOUNTS", Path(os.devnull))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with a bit of everything, as git-sync and Kubernetes lay it out."""
    write(
        tmp_path,
        {
            ".w/1/a.yaml": "a",
            ".w/1/sub/b.yaml": "b",
            ".w/1/.git/index": "x",
            ".w/1/..v1/c.yaml": "c",
            ".w/1/..data": "-> ..v1",
            ".w/1/c.yaml": "-> ..data/c.yaml",
            ".w/1/blob": "d",
            ".w/1/d.yaml": "-> blob",
            ".w/2/a.yaml": "z",
            "current": "-> .w/1",
        },
    )
    return tmp_path / "current"


@pytest.fixture
def watching(root: Path) -> Iterator[Watching]:
    """The tree, watched, after the hint of the start."""
    started = Watching(root)
    assert started.wait(0)
    yield started
    started.stop()


def _replace(file: Path, text: str) -> None:
    file.with_suffix(".tmp").write_text(text)
    file.with_suffix(".tmp").rename(file)


def _swap_config_map(root: Path) -> None:
    write(root, {"..v2/c.yaml": "C"})
    swap_and_remove(root / "..data", "..v2")


def _rename_away_and_replace(root: Path) -> None:
    real = root.resolve()
    shutil.copytree(real, real.with_name("copy"), symlinks=True)
    real.rename(real.with_name("away"))
    real.with_name("copy").rename(real)


CHANGES: dict[str, Callable[[Path], object]] = {
    "written in place": lambda root: (root / "a.yaml").write_text("A"),
    "written by rename": lambda root: _replace(root / "a.yaml", "A"),
    "deep down": lambda root: (root / "sub" / "b.yaml").write_text("B"),
    "added": lambda root: (root / "new.hcl").write_text("n"),
    "an ignore file": lambda root: (root / ".herdsmanignore").write_text("n"),
    "added in a new directory": lambda root: write(root, {"new/er/n.yaml": "n"}),
    "removed": lambda root: (root / "a.yaml").unlink(),
    "a directory renamed": lambda root: (root / "sub").rename(root / "bus"),
    "a directory removed": lambda root: shutil.rmtree(root / "sub"),
    "a directory moved in": lambda root: (root.parent / ".w" / "2").rename(root / "two"),
    "a mode changed": lambda root: (root / "sub").chmod(0o700),
    "a link added": lambda root: (root / "two").symlink_to("..v1"),
    "a link removed": lambda root: (root / "c.yaml").unlink(),
    "behind a link": lambda root: (root / "blob").write_text("D"),
    "behind a link, hidden": lambda root: (root / "..v1" / "c.yaml").write_text("C"),
    "a ConfigMap swapped": _swap_config_map,
    "the root swapped": lambda root: swap(root, ".w/2"),
    "the root swapped and the old one removed": lambda root: swap_and_remove(root, ".w/2"),
    "the root renamed away and replaced": _rename_away_and_replace,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_told(name: str, root: Path, watching: Watching) -> None:
    """Each change gives a hint after it; and so does the next change of a file, wherever the root leads by now."""
    before = len(watching.hints)
    CHANGES[name](root)
    assert watching.wait(before)
    before = watching.rest()
    write(root, {"later.yaml": "later"})

    assert watching.wait(before)
    assert watching.warnings == []


def test_what_a_new_link_leads_to_is_watched(root: Path, watching: Watching) -> None:
    """A link to a hidden file makes that file one of ours, under its new name."""
    before = watching.rest()
    write(root, {".hidden/e": "e", "e.yaml": "-> .hidden/e"})
    assert watching.wait(before)
    before = watching.rest()
    (root / ".hidden" / "e").write_text("E")

    assert watching.wait(before)


def test_a_directory_that_comes_before_its_parent_is_watched(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made after the tree was looked over and before the kernel watched it, it is found all the same."""
    true = watch._arm

    def arm(folders: list[str]) -> object:
        write(root, {"late/er/x.yaml": "x"})
        return true(folders)

    monkeypatch.setattr(watch, "_arm", arm)
    watching = Watching(root)
    try:
        assert watching.wait(0)
        before = watching.rest()
        (root / "late" / "er" / "x.yaml").write_text("X")
        assert watching.wait(before)
    finally:
        watching.stop()


def test_a_root_whose_name_is_not_text(tmp_path: Path) -> None:
    """What the watching library cannot name is looked at instead."""
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    write(root, {"a.yaml": "a"})
    watching = Watching(root)
    try:
        assert watching.wait(0)
        write(root, {"a.yaml": "b"})
        assert watching.wait(1)
    finally:
        watching.stop()
    assert len(watching.warnings) == 1


NOISE = {
    "git": ".git/index",
    "hidden": ".swp.yaml",
    "a temporary file": "a.tmp",
    "an editor's probe": "4913",
    "a hidden neighbour": "../1/.x/y.yaml",
    "beside the root": "../../beside.yaml",
}


@pytest.mark.parametrize("name", NOISE)
def test_noise_is_not_told(name: str, root: Path, watching: Watching) -> None:
    """What no snapshot holds gives no hint."""
    before = len(watching.hints)
    write(root.resolve(), {NOISE[name]: "noise"})

    assert not watching.wait(before, 0.5)


def test_reading_is_not_told(root: Path) -> None:
    """A caller that takes a snapshot at each hint does not cause the next."""
    watching = Watching(root, on_hint=lambda: DirectorySource(root, clock=SystemClock()).snapshot())
    try:
        assert watching.wait(0)
        before = watching.rest()
        write(root, {"a.yaml": "A"})
        assert watching.wait(before)
        assert watching.rest() == before + 1
    finally:
        watching.stop()


def test_a_saved_file_is_told_within_a_tenth_of_a_second(root: Path, watching: Watching) -> None:
    """The best of some attempts, as the machine may be busy."""
    delays = []
    for number in range(8):
        before = watching.rest()
        began = time.monotonic()
        write(root, {"a.yaml": f"{number}"})
        assert watching.wait(before)
        delays.append(watching.hints[before] - began)

    assert min(delays) <= 0.1


def test_many_files_at_once_are_one_hint(root: Path, watching: Watching) -> None:
    """A checkout of 500 files is told a few times, not 500 times, and the last time after its end."""
    before = watching.rest()
    write(root, {f"many/{number}.yaml": "x" for number in range(500)})
    ended = time.monotonic()
    assert watching.wait(before)
    watching.rest()

    assert watching.hints[-1] > ended
    assert len(watching.hints) - before <= 8


def test_constant_writing_is_told_meanwhile(root: Path, watching: Watching) -> None:
    """Somebody who never pauses does not keep the hints back; nor is there one for each write."""
    before = watching.rest()
    over = threading.Event()

    def keep_writing() -> None:
        while not over.wait(0.01):
            (root / "a.yaml").write_text("x")

    writer = threading.Thread(target=keep_writing)
    writer.start()
    told = watching.wait(before + 3)
    over.set()
    writer.join()

    assert told
    gaps = [late - early for early, late in zip(watching.hints[before:], watching.hints[before + 1 :], strict=False)]
    assert min(gaps[:3]) > 0.2


def test_a_root_that_vanishes_and_comes_back(tmp_path: Path) -> None:
    """Both are told, and so is the first change afterwards."""
    root = tmp_path / "specs"
    write(root, {"a.yaml": "a"})
    watching = Watching(root)
    try:
        assert watching.wait(0)
        shutil.rmtree(root)
        assert watching.wait(1)
        before = watching.rest()
        write(root, {"a.yaml": "a"})
        assert watching.wait(before)
        before = watching.rest()
        write(root, {"a.yaml": "b"})
        assert watching.wait(before)
    finally:
        watching.stop()


def test_a_root_that_is_not_there_yet(tmp_path: Path) -> None:
    """It is waited for, with nothing but one hint until it comes."""
    root = tmp_path / "not" / "yet"
    watching = Watching(root)
    try:
        assert watching.rest() == 1
        write(root, {"a.yaml": "a"})
        assert watching.wait(1)
    finally:
        watching.stop()


def test_a_directory_far_above_renamed_away(tmp_path: Path) -> None:
    """What no watch covers is noticed by the look once a second."""
    root = tmp_path / "x" / "y" / "z" / "specs"
    write(tmp_path, {"x/y/z/specs/a.yaml": "a", "x2/y/z/specs/a.yaml": "b"})
    watching = Watching(root)
    try:
        before = watching.rest()
        (tmp_path / "x").rename(tmp_path / "away")
        (tmp_path / "x2").rename(tmp_path / "x")
        assert watching.wait(before)
        before = watching.rest()
        write(root, {"a.yaml": "c"})
        assert watching.wait(before)
    finally:
        watching.stop()


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without a free inotify instance."""

    def refuse(_: list[str]) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(watch, "_arm", refuse)
    monkeypatch.setattr(watch, "LOOK", 0.05)


@pytest.mark.usefixtures("deaf")
@pytest.mark.parametrize("name", ["written in place", "removed", "a ConfigMap swapped", "the root swapped"])
def test_changes_are_found_by_looking(name: str, root: Path) -> None:
    """Without inotify a change is found all the same, later, and that is said once."""
    watching = Watching(root)
    try:
        before = watching.rest()
        CHANGES[name](root)
        assert watching.wait(before)
        for text in ("1", "2"):
            before = watching.rest()
            write(root, {"later.yaml": text})
            assert watching.wait(before)
    finally:
        watching.stop()

    (warning,) = watching.warnings
    assert str(root) in warning
    assert "Too many open files" in warning


@pytest.mark.usefixtures("deaf")
def test_looking_finds_nothing_where_nothing_changes(root: Path) -> None:
    """One hint at the start, then silence."""
    watching = Watching(root)
    try:
        assert watching.rest() == 1
    finally:
        watching.stop()


def test_inotify_is_tried_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When instances are free again, looking ends."""
    true, refusals = watch._arm, iter([OSError(24, "Too many open files")] * 2)
    armed = threading.Event()

    def arm(folders: list[str]) -> object:
        for refusal in refusals:
            raise refusal
        armed.set()
        return true(folders)

    monkeypatch.setattr(watch, "_arm", arm)
    monkeypatch.setattr(watch, "LOOK", 0.05)
    monkeypatch.setattr(watch, "RETRY", 0.1)
    watching = Watching(root)
    try:
        assert armed.wait(SOON)
        before = watching.rest()
        write(root, {"a.yaml": "A"})
        assert watching.wait(before)
    finally:
        watching.stop()
    assert len(watching.warnings) == 1


def test_a_shared_file_system_is_looked_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others write past this kernel, inotify is not even tried."""
    device = root.stat().st_dev
    mounts = root.parent / "mountinfo"
    mounts.write_text(f"36 25 {os.major(device)}:{os.minor(device)} / / rw - nfs4 server:/export rw\n")
    monkeypatch.setattr(watch, "MOUNTS", mounts)
    monkeypatch.setattr(watch, "LOOK", 0.05)
    monkeypatch.setattr(watch, "_arm", lambda _: pytest.fail("inotify was used"))
    watching = Watching(root)
    try:
        before = watching.rest()
        write(root, {"a.yaml": "A"})
        assert watching.wait(before)
    finally:
        watching.stop()

    (warning,) = watching.warnings
    assert "nfs4" in warning


@pytest.mark.parametrize("way", ["listening", "looking", "away"])
def test_stops_at_once(way: str, root: Path, request: pytest.FixtureRequest) -> None:
    """Whatever it is doing, it ends within 200 ms: the best of some attempts, as the machine may be busy."""
    if way == "looking":
        request.getfixturevalue("deaf")
    if way == "away":
        root.unlink()
    took = []
    for _ in range(4):
        watching = Watching(root)
        assert watching.wait(0)
        took.append(watching.stop())

    assert min(took) <= 0.2


def test_nothing_is_left_over(root: Path, watching: Watching) -> None:
    """Watching anew, many times, keeps no descriptor and no thread."""

    def held() -> tuple[int, int]:
        watching.rest()
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    before = held()
    for number in range(12):
        count = len(watching.hints)
        (root / f"dir{number}").mkdir()
        assert watching.wait(count)

    assert held() == before


MOUNTINFO = """\
25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
36 25 0:41 / /specs rw,relatime shared:20 master:1 - nfs4 server:/export rw,vers=4.2
37 25 0:42 / /with\\040space rw - fuse.sshfs host:/dir rw
38 25 0:43 / /var/lib/x rw - overlay overlay rw,lowerdir=/a:/b
39 25 0:44 / /dev/shm rw - tmpfs tmpfs rw
a line that nobody understands
"""


@pytest.mark.parametrize(
    ("device", "kind"),
    [((254, 0), ""), ((0, 41), "nfs4"), ((0, 42), "fuse.sshfs"), ((0, 43), "overlay"), ((0, 44), ""), ((0, 99), "")],
)
def test_shared_file_systems_are_known(device: tuple[int, int], kind: str) -> None:
    """By the device of the directory, in the kernel's list of mounts."""
    assert shared_type(os.makedev(*device), MOUNTINFO) == kind


WEIGHTS = {
    "current": Weight.SHAPE,
    ".w/1": Weight.SHAPE,
    ".w/1/sub": Weight.SHAPE,
    ".w/1/..data": Weight.SHAPE,
    ".w/1/c.yaml": Weight.SHAPE,
    ".w/1/blob": Weight.SHAPE,
    ".w/1/..v1/c.yaml": Weight.SHAPE,
    ".w/1/a.yaml": Weight.CONTENT,
    ".w/1/gone.yaml": Weight.CONTENT,
    ".w/1/.herdsmanignore": Weight.CONTENT,
    ".w/1/sub/new.nomad": Weight.CONTENT,
    ".w/1/.git": Weight.NOTHING,
    ".w/1/.a.yaml.swp": Weight.NOTHING,
    ".w/1/gone.txt": Weight.NOTHING,
    ".w/2": Weight.NOTHING,
    ".w": Weight.NOTHING,
    "beside.yaml": Weight.NOTHING,
    "": Weight.NOTHING,
}


@pytest.mark.parametrize("path", WEIGHTS)
def test_what_an_event_means(path: str, root: Path) -> None:
    """Links and directories change what is watched, files only what is read; all else is noise."""
    survey = Survey.of(str(root), Tree(root).scan())

    assert survey.weigh(str(root.parent / path)) is WEIGHTS[path]


def test_what_is_watched(root: Path) -> None:
    """The directories that files come from, and those in which a swap shows itself; not `.git`, nor anything else."""
    survey = Survey.of(str(root), Tree(root).scan())
    base = root.parent

    assert survey.watched() == [str(base), *(str(base / ".w" / part) for part in ("", "1", "1/..v1", "1/sub"))]
