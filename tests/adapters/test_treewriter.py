"""Writes to a plain directory: whole, together or not at all, never through a link, and once."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clocks import FakeClock
from herdsman.adapters.git.outbox import Outbox
from herdsman.adapters.tree import DirectorySource
from herdsman.adapters.treewriter import TreeWriter
from herdsman.errors import Conflict, Unavailable, UsageError
from herdsman.model.writes import MAX_FILE, Author, FileEdit, WriteRequest, digest

ADA = Author("Ada", "ada@example.org")


@dataclass
class Place:
    """A directory of specs, and what is remembered of it."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    warnings: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """Where the specs are."""
        return self.folder / "specs"

    @property
    def state(self) -> Path:
        """Where requests are remembered."""
        return self.folder / "state"

    def writer(self) -> TreeWriter:
        """A writer as a start of the process makes it."""
        return TreeWriter(self.root, clock=self.clock, state=self.state, warn=self.warnings.append)

    def tree(self) -> dict[str, str]:
        """All files, hidden ones too."""
        return {str(p.relative_to(self.root)): p.read_text() for p in self.root.rglob("*") if p.is_file()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """With one file, `a.yaml`."""
    made = Place(tmp_path)
    made.root.mkdir()
    (made.root / "a.yaml").write_text("a")
    return made


def ask(request_id: str, files: dict[str, str | None], **expected: str | None) -> WriteRequest:
    """A request; *expected* goes by the file's stem."""
    edits = tuple(
        FileEdit(path, None if text is None else text.encode(), expected.get(Path(path).stem))
        for path, text in files.items()
    )
    return WriteRequest(edits, ADA, "a change", request_id)


def test_files_are_written(place: Place) -> None:
    """New ones with their directories, old ones in their place, and nothing is left beside them."""
    writer = place.writer()
    written = writer.write(ask("r", {"a.yaml": "A", "x/y/b.yaml": "b"}))

    assert place.tree() == {"a.yaml": "A", "x/y/b.yaml": "b"}
    assert (written.pushed, written.repeated) == (True, False)
    assert written.revision.startswith("write:")
    assert (writer.read("a.yaml"), writer.read("none.yaml"), writer.read("n/o.yaml")) == (b"A", None, None)
    assert writer.describe() == str(place.root)


def test_a_revision_tells_what_was_written(place: Place) -> None:
    """Equal for equal writes, whatever their order."""
    writer = place.writer()
    revisions = [
        writer.write(ask(f"r{n}", files)).revision
        for n, files in enumerate([{"b": "1", "c": "2"}, {"c": "2", "b": "1"}, {"b": "1", "c": "3"}, {"b": "1"}])
    ]

    assert revisions[0] == revisions[1]
    assert len(set(revisions)) == 3


def test_a_mode_stays(place: Place) -> None:
    """Who could read a file still can; a new one can be read by all."""
    (place.root / "a.yaml").chmod(0o640)
    place.writer().write(ask("r", {"a.yaml": "A", "b.yaml": "b"}))

    assert stat.S_IMODE((place.root / "a.yaml").stat().st_mode) == 0o640
    assert stat.S_IMODE((place.root / "b.yaml").stat().st_mode) == 0o644 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_is_so_already_is_not_touched(place: Place) -> None:
    """A file with the wanted content keeps its inode, so nobody sees a change."""
    before = (place.root / "a.yaml").stat()
    place.writer().write(ask("r", {"a.yaml": "a", "none.yaml": None}))

    assert (place.root / "a.yaml").stat() == before


def test_directories_go_as_they_came(place: Place) -> None:
    """Those that were made here go with their last file, in another process too; those of others stay."""
    (place.root / "theirs").mkdir()
    place.writer().write(ask("r1", {"x/y/b.yaml": "b", "x/c.yaml": "c", "theirs/d.yaml": "d"}))
    place.writer().write(ask("r2", {"x/y/b.yaml": None, "theirs/d.yaml": None}))
    assert sorted(p.name for p in place.root.iterdir()) == ["a.yaml", "theirs", "x"]
    assert [p.name for p in (place.root / "x").iterdir()] == ["c.yaml"]
    place.writer().write(ask("r3", {"x/c.yaml": None}))

    assert sorted(p.name for p in place.root.iterdir()) == ["a.yaml", "theirs"]


@pytest.mark.parametrize(
    ("path", "expected", "meets"),
    [
        ("a.yaml", digest(b"a"), True),
        ("a.yaml", digest(b"b"), False),
        ("a.yaml", "", False),
        ("new.yaml", "", True),
        ("new.yaml", digest(b""), False),
    ],
)
@pytest.mark.parametrize("content", [b"x", None])
def test_what_an_edit_expects(path: str, expected: str, meets: bool, content: bytes | None, place: Place) -> None:
    """All are checked before any is carried out."""
    before = place.tree()
    asked = WriteRequest((FileEdit("z.yaml", b"z"), FileEdit(path, content, expected)), ADA, "m", "r")
    if meets:
        place.writer().write(asked)
        assert (path in place.tree()) is (content is not None)
    else:
        with pytest.raises(Conflict, match=path):
            place.writer().write(asked)
        assert place.tree() == before


@pytest.mark.parametrize("restarted", [False, True])
def test_a_request_is_carried_out_once(restarted: bool, place: Place) -> None:
    """It is answered from memory, in another process too, whatever stands there by now."""
    writer = place.writer()
    first = writer.write(ask("r", {"a.yaml": "1"}))
    (place.root / "a.yaml").write_text("theirs")
    again = (place.writer() if restarted else writer).write(ask("r", {"a.yaml": "1"}))

    assert (again.revision, again.repeated) == (first.revision, True)
    assert place.tree() == {"a.yaml": "theirs"}


# -- what is not followed ----------------------------------------------------------------------------------------------


@pytest.fixture
def outside(place: Place) -> Path:
    """A directory that no write may reach, with links that lead to it."""
    folder = place.folder / "outside"
    folder.mkdir()
    (folder / "secret.yaml").write_text("secret")
    (place.root / "dir").symlink_to(folder)
    (place.root / "file.yaml").symlink_to(folder / "secret.yaml")
    (place.root / "new.yaml").symlink_to(folder / "new.yaml")
    (place.root / "inner").mkdir()
    (place.root / "loop").symlink_to("loop")
    return folder


@pytest.mark.parametrize("path", ["dir/secret.yaml", "dir/x/y.yaml", "file.yaml", "new.yaml", "loop", "loop/a.yaml"])
@pytest.mark.parametrize("content", [b"x", None])
def test_links_are_not_followed(path: str, content: bytes | None, place: Place, outside: Path) -> None:
    """Neither to write, nor to read, nor to delete, wherever on the way they stand."""
    writer = place.writer()
    with pytest.raises(UsageError, match="link"):
        writer.write(WriteRequest((FileEdit("inner/ok.yaml", b"x"), FileEdit(path, content)), ADA, "m", "r"))
    with pytest.raises(UsageError):
        writer.read(path)

    assert [p.name for p in outside.iterdir()] == ["secret.yaml"]
    assert (outside / "secret.yaml").read_text() == "secret"
    assert list((place.root / "inner").iterdir()) == []


def test_a_link_put_there_meanwhile(place: Place, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between check and write a directory becomes a link: the write fails, and nothing gets out."""
    real = TreeWriter._apply

    def swap(self: TreeWriter, *args: object) -> None:
        (place.root / "inner").rmdir()
        (place.root / "inner").symlink_to(outside)
        real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(TreeWriter, "_apply", swap)
    with pytest.raises(UsageError, match="link"):
        place.writer().write(ask("r", {"b.yaml": "b", "inner/c.yaml": "c"}))

    assert [p.name for p in outside.iterdir()] == ["secret.yaml"]
    assert not (place.root / "b.yaml").exists()


@pytest.mark.parametrize("path", ["../x.yaml", "/x.yaml", ".git/config", "x/../../y", "", "a\nb"])
def test_a_path_that_is_none(path: str, place: Place) -> None:
    """It is refused as everywhere."""
    with pytest.raises(UsageError):
        place.writer().write(ask("r", {path: "x"}))
    with pytest.raises(UsageError):
        place.writer().read(path)


def test_what_is_no_regular_file(place: Place) -> None:
    """A directory, a pipe, a file on the way, and one too large are neither read nor replaced; nobody hangs."""
    (place.root / "dir").mkdir()
    os.mkfifo(place.root / "pipe")
    with (place.root / "big").open("wb") as big:
        big.truncate(MAX_FILE + 1)
    for path in ("dir", "pipe", "big", "a.yaml/b.yaml"):
        with pytest.raises(UsageError):
            place.writer().write(ask("r", {path: "x"}))


def test_the_root_may_be_a_link(place: Place) -> None:
    """It is named by a person; what is below it is not."""
    (place.folder / "link").symlink_to(place.root)
    TreeWriter(place.folder / "link", clock=place.clock, state=place.state).write(ask("r", {"b.yaml": "b"}))

    assert place.tree()["b.yaml"] == "b"


# -- failures ----------------------------------------------------------------------------------------------------------


def failing(monkeypatch: pytest.MonkeyPatch, name: str, *, at: int) -> None:
    """Let the call number *at* of a system call, of those below an open directory, fail: the disk is full."""
    real: Callable[..., object] = getattr(os, name)
    calls = 0

    def call(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += name == "fchmod" or any(given.endswith("dir_fd") for given in kwargs)
        if calls == at:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, call)


@pytest.mark.parametrize(
    ("name", "at"),
    [("rename", 1), ("rename", 2), ("rename", 3), ("unlink", 1), ("mkdir", 1), ("mkdir", 2), ("fchmod", 1)],
)
def test_what_fails_is_taken_back(name: str, at: int, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is as it was then, files, directories, nothing staged; and the same request works later."""
    (place.root / "b.yaml").write_text("b")
    before = place.tree()
    writer = place.writer()
    asked = ask("r", {"x/y/n.yaml": "n", "a.yaml": "A", "x/m.yaml": "m", "b.yaml": None})
    with monkeypatch.context() as patch:
        failing(patch, name, at=at)
        with pytest.raises(Unavailable, match=r"no space left.*nothing was changed"):
            writer.write(asked)
    assert place.tree() == before
    assert not (place.root / "x").exists()
    assert not writer.write(asked).repeated

    assert place.tree() == {"a.yaml": "A", "x/m.yaml": "m", "x/y/n.yaml": "n"}


def test_a_directory_that_is_not_there(place: Place) -> None:
    """A start warns, a write says what is wrong, and all is well once it is there."""
    writer = TreeWriter(place.folder / "none", clock=place.clock, state=place.state, warn=place.warnings.append)
    with pytest.raises(Unavailable, match="no such file"):
        writer.write(ask("r", {"b.yaml": "b"}))
    (place.folder / "none").mkdir()

    assert not writer.write(ask("r", {"b.yaml": "b"})).repeated
    assert len(place.warnings) == 1


def journalled(place: Place, files: dict[str, str], before: dict[str, str]) -> None:
    """What a crash leaves behind: a request in the journal, that found what *before* says."""
    edits = tuple(
        FileEdit(path, text.encode(), digest(before[path].encode() if path in before else None))
        for path, text in files.items()
    )
    Outbox(place.state).put(WriteRequest(edits, ADA, "m", "crashed"), 0)


def test_what_a_crash_cut_short_is_finished(place: Place) -> None:
    """One file was replaced already, two were not: the next start does the rest, and remembers the request."""
    journalled(place, {"a.yaml": "A", "b.yaml": "B", "x/c.yaml": "C"}, {"a.yaml": "a"})
    (place.root / "b.yaml").write_text("B")
    writer = place.writer()

    assert place.tree() == {"a.yaml": "A", "b.yaml": "B", "x/c.yaml": "C"}
    assert writer.write(ask("crashed", {"a.yaml": "A"})).repeated
    assert Outbox(place.state).load() == []


def test_what_others_changed_since_a_crash_stays(place: Place) -> None:
    """It is theirs; the rest is finished, with a warning."""
    journalled(place, {"a.yaml": "A", "b.yaml": "B"}, {"a.yaml": "old"})
    place.writer()

    assert place.tree() == {"a.yaml": "a", "b.yaml": "B"}
    assert ["changed since" in w for w in place.warnings] == [True]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from clocks import FakeClock
from herdsman.adapters.treewriter import TreeWriter
from herdsman.model.writes import Author, FileEdit, WriteRequest
folder = Path(sys.argv[1])
writer = TreeWriter(folder / "specs", clock=FakeClock(), state=folder / "state")
real, calls = os.rename, []
def rename(*args, **kwargs):
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*args, **kwargs)
os.rename = rename
edits = tuple(FileEdit(f"{n}.yaml", b"x") for n in range(4))
writer.write(WriteRequest(edits, Author("A"), "m", "killed"))
"""


def test_killed_midway(place: Place) -> None:
    """A process that dies between two renames leaves a write that the next one finishes: never half for long."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(place.folder), *sys.path], check=False)
    assert done.returncode == -9
    assert len([path for path in place.tree() if not path.startswith(".")]) == 2
    place.writer()

    assert place.tree() == {"a.yaml": "a", **{f"{n}.yaml": "x" for n in range(4)}}


# -- others ------------------------------------------------------------------------------------------------------------


def test_fifty_writes_at_once(place: Place) -> None:
    """Over two writers, as in two processes: none is lost, none is doubled, and a counter is never set back."""
    (place.root / "n.yaml").write_text("0")
    writers = [place.writer(), place.writer()]

    def raise_it(number: int) -> None:
        writer = writers[number % 2]
        for attempt in range(1000):
            before = writer.read("n.yaml") or b""
            try:
                wanted = {"n.yaml": f"{int(before) + 1}", f"jobs/{number}.yaml": "x"}
                writer.write(ask(f"r{number}-{attempt}", wanted, n=digest(before)))
                return
            except Conflict:
                continue
        raise AssertionError("never")

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(raise_it, range(50)))

    assert place.tree()["n.yaml"] == "50"
    assert len(place.tree()) == 52


def test_a_reader_never_sees_half_a_file(place: Place) -> None:
    """Every snapshot that is taken meanwhile holds whole contents, and only files that were meant to be there."""
    source = DirectorySource(place.root, clock=place.clock)
    writer = place.writer()
    texts = [f"{n}" * 100_000 for n in range(10)]
    writer.write(ask("first", {"a.yaml": texts[0]}))
    stop = threading.Event()
    seen: set[str] = set()
    names: set[str] = set()

    def read() -> None:
        while not stop.is_set():
            for path, file in source.snapshot().files.items():
                names.add(path)
                if file.data is not None:
                    seen.add(file.data.decode())

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(40):
        writer.write(ask(f"r{n}", {"a.yaml": texts[n % 10]}))
    stop.set()
    reader.join(20)

    assert seen <= set(texts)
    assert names == {"a.yaml"}
