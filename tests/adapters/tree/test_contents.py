"""What a snapshot of a directory holds."""

import hashlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.tree.worlds import Meddler, problem, read, swap, swap_and_remove, texts, write
from clocks import FakeClock
from herdsman.adapters import tree, treewalk
from herdsman.adapters.tree import DirectorySource
from herdsman.adapters.treewalk import Tree
from herdsman.errors import SourceError

PLAIN = {"a.yaml": "a", "b.yml": "b", "c.json": "{}", "deep/er/d.hcl": "d", "e.nomad": "e", "f.nomad.hcl": "f"}

LAYOUTS = {
    "plain": (PLAIN, PLAIN),
    "other files are no business of ours": ({"README.md": "x", "a.yaml~": "x", "a.yaml.swp": "x", "yaml": "x"}, {}),
    "hidden files and directories": ({".a.yaml": "x", ".git/b.yaml": "x", "sub/.c/d.yaml": "x", ".hcl": "x"}, {}),
    "ignore files": (
        {".herdsmanignore": "x", "sub/.herdsmanignore": "y", ".hidden/.herdsmanignore": "z"},
        {".herdsmanignore": "x", "sub/.herdsmanignore": "y"},
    ),
    "a directory named like a file": ({"a.yaml/b.yaml": "b"}, {"a.yaml/b.yaml": "b"}),
    "odd but readable names": (
        {"mit Leerzeichen/ä → b.yaml": "x", "-rf.yaml": "y", "a\\b.yaml": "z"},
        {"mit Leerzeichen/ä → b.yaml": "x", "-rf.yaml": "y", "a\\b.yaml": "z"},
    ),
    "an empty file": ({"a.yaml": ""}, {"a.yaml": ""}),
    "a link beside its file": ({"a.yaml": "a", "b.yaml": "-> a.yaml"}, {"a.yaml": "a", "b.yaml": "a"}),
    "a file behind a link with another name": ({"data": "a", "a.yaml": "-> data"}, {"a.yaml": "a"}),
    "a link with a name of no interest": ({"a.yaml": "a", "b": "-> a.yaml"}, {"a.yaml": "a"}),
    "a link to a neighbouring directory": (
        {"one/a.yaml": "a", "two": "-> one"},
        {"one/a.yaml": "a", "two/a.yaml": "a"},
    ),
    "git-sync inside the root": (
        {".worktrees/8f3a/specs/a.yaml": "a", "current": "-> .worktrees/8f3a"},
        {"current/specs/a.yaml": "a"},
    ),
    "a Kubernetes ConfigMap": (
        {"..2026_01/a.yaml": "a", "..data": "-> ..2026_01", "a.yaml": "-> ..data/a.yaml"},
        {"a.yaml": "a"},
    ),
    "a link to the root of the source": ({"a.yaml": "a", "sub/all": "-> .."}, {"a.yaml": "a"}),
    "a link to itself": ({"a.yaml": "-> a.yaml", "d": "-> d"}, {"a.yaml": None, "d": None}),
    "two links that chase each other": (
        {"a.yaml": "-> b.yaml", "b.yaml": "-> a.yaml"},
        {"a.yaml": None, "b.yaml": None},
    ),
    "two directories that hold each other": (
        {"a/x.yaml": "x", "b/y.yaml": "y", "a/b": "-> ../b", "b/a": "-> ../a"},
        {"a/x.yaml": "x", "a/b/y.yaml": "y", "b/y.yaml": "y", "b/a/x.yaml": "x"},
    ),
    "a link to nothing": ({"a.yaml": "-> gone", "b": "-> gone/too"}, {"a.yaml": None, "b": None}),
    "a link out of the tree": (
        {"a.yaml": "-> /etc/passwd", "d": "-> /etc", "x": "-> /etc/passwd"},
        {"a.yaml": None, "d": None},
    ),
    "a link out of the tree, relative": ({"a.yaml": "-> ../outside.yaml"}, {"a.yaml": None}),
    "a link out of the tree and back": ({"a.yaml": "-> ../tree/b.yaml", "b.yaml": "b"}, {"a.yaml": "b", "b.yaml": "b"}),
    "a link to a neighbour whose name begins alike": ({"a.yaml": "-> ../root2/a.yaml"}, {"a.yaml": None}),
    "nothing": ({}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_read(name: str, tmp_path: Path) -> None:
    """Visible files of the known kinds are read, through links too, but never from outside."""
    layout, expected = LAYOUTS[name]
    root = tmp_path / "tree"
    root.mkdir()
    write(tmp_path, {"outside.yaml": "secret", "root2/a.yaml": "secret"})
    write(root, layout)

    assert expected == read(root)


@pytest.mark.parametrize(
    ("layout", "path", "words"),
    [
        ({"a.yaml": "-> gone"}, "a.yaml", "leads nowhere"),
        ({"a.yaml": "-> a.yaml"}, "a.yaml", "too many levels of symbolic links"),
        ({"a.yaml": "-> /etc/passwd"}, "a.yaml", "leads out of the source's directory"),
        ({"d": "-> .."}, "d", "leads out of the source's directory"),
        ({"a\tb.yaml": "x"}, "a\tb.yaml", "not readable text"),
        ({"a\u202eb.yaml": "x"}, "a\u202eb.yaml", "not readable text"),
    ],
)
def test_problems_say_what_is_wrong(layout: dict[str, str], path: str, words: str, tmp_path: Path) -> None:
    """A path that cannot be read has no data, no digest and a problem in words."""
    write(tmp_path, layout)

    assert words in problem(tmp_path, path)


def test_names_that_are_not_text(tmp_path: Path) -> None:
    """A name that is not UTF-8 is a problem, of the directory as of the file, under a path that can be printed."""
    root = os.fsencode(tmp_path)
    (tmp_path / "good.yaml").write_text("x")
    for name in (b"caf\xe9.yaml", b"caf\xe9.txt"):
        Path(os.fsdecode(root + b"/" + name)).write_text("x")
    Path(os.fsdecode(root + b"/d\xe9")).mkdir()

    assert read(tmp_path) == {"caf\\xe9.yaml": None, "d\\xe9": None, "good.yaml": "x"}


def test_special_files_block_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes and sockets are passed over with a warning, behind a link too."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.yaml")
    os.mkfifo("pipe")
    Path("link.yaml").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.json")

        snapshot = DirectorySource(tmp_path, clock=FakeClock()).snapshot()

    assert texts(snapshot) == {}
    assert sorted(snapshot.warnings) == [
        "link.yaml is a named pipe: passed over",
        "pipe.yaml is a named pipe: passed over",
        "socket.json is a socket: passed over",
    ]


def test_a_link_back_is_told(tmp_path: Path) -> None:
    """A link to a directory above it hides nothing, as that is read anyway: a warning, and no unknown."""
    write(tmp_path, {"a.yaml": "a", "sub/all": "-> .."})
    snapshot = DirectorySource(tmp_path, clock=FakeClock()).snapshot()

    assert texts(snapshot) == {"a.yaml": "a"}
    assert snapshot.warnings == ("sub/all leads back to a directory that holds it: passed over",)


def test_a_link_put_in_place_of_a_directory_is_not_followed(tmp_path: Path) -> None:
    """Between being found and being listed, a directory becomes a link out of the tree: what is there is not read."""
    write(tmp_path, {"root/sub/a.yaml": "a", "outside/secret.yaml": "s"})
    sub = tmp_path / "root" / "sub"

    def replace(_: str) -> bool:
        sub.rename(tmp_path / "away")
        sub.symlink_to(tmp_path / "outside")
        return False

    scan = Tree(tmp_path / "root", skip=replace).scan()

    assert scan.files == {}
    assert scan.problems == {"sub": "the directory cannot be read: not a directory"}


def test_a_pipe_put_in_place_of_a_file_blocks_nobody(tmp_path: Path) -> None:
    """Opening is safe even where the file became a pipe since it was looked at."""
    os.mkfifo(tmp_path / "a.yaml")
    opener = threading.Thread(target=tree._slurp, args=(str(tmp_path / "a.yaml"),), daemon=True)
    opener.start()
    opener.join(5)

    assert not opener.is_alive()


def test_a_link_put_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    """Where a file leads was judged before; a link that comes afterwards is not opened."""
    (tmp_path / "a.yaml").symlink_to("/etc/passwd")

    with pytest.raises(OSError, match="symbolic links"):
        tree._slurp(str(tmp_path / "a.yaml"))


@pytest.mark.parametrize(
    ("size", "is_read"), [(300 << 10, True), (16 << 20, True), ((16 << 20) + 1, False), (20 << 20, False)]
)
def test_large_files(size: int, is_read: bool, tmp_path: Path) -> None:
    """Up to 16 MiB are read, whatever a spec may measure; of a larger file it is told that it is there."""
    (tmp_path / "a.yaml").touch()
    os.truncate(tmp_path / "a.yaml", size)
    file = DirectorySource(tmp_path, clock=FakeClock()).snapshot().files["a.yaml"]

    if is_read:
        assert file.data == bytes(size)
    else:
        assert (file.data, file.problem) == (None, "it is larger than 16 MiB")


def test_a_tree_is_read_up_to_a_total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files beyond the total are problems until there is room again."""
    monkeypatch.setattr(tree, "MAX_TOTAL", 10)
    write(tmp_path, {"a.yaml": "x" * 6, "b.yaml": "x" * 6, "c.yaml": "x" * 4})
    source = DirectorySource(tmp_path, clock=FakeClock())

    assert texts(source.snapshot()) == {"a.yaml": "xxxxxx", "b.yaml": None, "c.yaml": "xxxx"}
    (tmp_path / "a.yaml").unlink()
    assert texts(source.snapshot()) == {"b.yaml": "xxxxxx", "c.yaml": "xxxx"}


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """One unreadable file is a problem of its own; it is tried again at the next snapshot."""
    write(tmp_path, {"a.yaml": "a", "b.yaml": "b"})
    source = DirectorySource(tmp_path, clock=FakeClock())
    with pytest.MonkeyPatch.context() as patch:
        Meddler(patch).forbid("open", tmp_path / "a.yaml")
        refused = source.snapshot()

    assert texts(refused) == {"a.yaml": None, "b.yaml": "b"}
    assert refused.files["a.yaml"].problem == "it cannot be read: permission denied"
    assert texts(source.snapshot()) == {"a.yaml": "a", "b.yaml": "b"}


def test_a_directory_that_may_not_be_read(tmp_path: Path, meddler: Meddler) -> None:
    """It stands for everything below it, and is not simply empty."""
    write(tmp_path, {"a.yaml": "a", "sub/b.yaml": "b"})
    source = DirectorySource(tmp_path, clock=FakeClock())
    source.snapshot()
    meddler.forbid("scandir", tmp_path / "sub")

    assert texts(source.snapshot()) == {"a.yaml": "a", "sub": None}
    assert source.snapshot().files["sub"].problem == "the directory cannot be read: permission denied"


def _link(root: Path) -> None:
    root.symlink_to("gone")


def _loop(root: Path) -> None:
    root.symlink_to(root.name)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: None, "does not exist"),
        (_link, "is a symbolic link that leads nowhere"),
        (_loop, "too many levels of symbolic links"),
        (lambda root: root.write_text("x"), "is not a directory"),
        (os.mkfifo, "is not a directory"),
    ],
)
def test_a_root_that_is_no_directory(make: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    """Without a directory there is no snapshot, least of all an empty one."""
    root = tmp_path / "specs"
    make(root)

    with pytest.raises(SourceError, match=words) as refused:
        DirectorySource(root, clock=FakeClock()).snapshot()
    assert str(root) in refused.value.message


def test_a_root_that_may_not_be_read(tmp_path: Path, meddler: Meddler) -> None:
    """No right to list the root is an error, and names the right that is missing."""
    meddler.forbid("scandir", tmp_path)

    with pytest.raises(SourceError, match="may not be read") as refused:
        DirectorySource(tmp_path, clock=FakeClock()).snapshot()
    assert "permission" in refused.value.hint


def test_a_root_that_goes_after_a_good_snapshot(tmp_path: Path) -> None:
    """A root that was there and is gone is an error too, and is read again when it is back."""
    root = tmp_path / "specs"
    write(root, {"a.yaml": "a"})
    source = DirectorySource(root, clock=FakeClock())
    before = source.snapshot()
    root.rename(tmp_path / "away")

    with pytest.raises(SourceError, match="does not exist"):
        source.snapshot()
    (tmp_path / "away").rename(root)
    assert source.snapshot().files == before.files


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root that holds the whole machine is refused rather than walked for minutes."""
    monkeypatch.setattr(treewalk, "MAX_ENTRIES", 10)
    for number in range(11):
        (tmp_path / f"{number}.txt").touch()

    with pytest.raises(SourceError, match="more than 10 entries"):
        DirectorySource(tmp_path, clock=FakeClock()).snapshot()


def test_links_that_multiply_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories that all link to each other have factorially many paths: that ends as too many entries."""
    monkeypatch.setattr(treewalk, "MAX_ENTRIES", 5_000)
    for one in range(9):
        write(tmp_path, {f"{one}/{other}": f"-> ../{other}" for other in range(9) if other != one})

    with pytest.raises(SourceError, match="more than 5,000 entries"):
        DirectorySource(tmp_path, clock=FakeClock()).snapshot()


def test_skipped_paths(tmp_path: Path) -> None:
    """What is to be skipped is not looked into, whatever is wrong with it."""
    write(tmp_path, {"a.yaml": "a", "b.yaml": "b", "sub/c.yaml": "c", "sub/deep/d.yaml": "d", "bad": "-> gone"})
    source = DirectorySource(tmp_path, clock=FakeClock(), skip={"b.yaml", "sub", "bad"}.__contains__)

    assert texts(source.snapshot()) == {"a.yaml": "a"}


def test_digests_and_revision(tmp_path: Path) -> None:
    """Equal contents have an equal revision wherever and whenever they are; any difference shows."""
    one, two = tmp_path / "one", tmp_path / "elsewhere" / "two"
    write(one, {"a.yaml": "a", "b/c.yaml": "c"})
    write(two, {"b/c.yaml": "c", "x": "", "a.yaml": "a"})
    source = DirectorySource(two, clock=FakeClock())
    first = DirectorySource(one, clock=FakeClock()).snapshot()
    seen = [source.snapshot().revision]

    assert first.files["a.yaml"].digest == hashlib.sha256(b"a").hexdigest()
    assert seen == [first.revision]
    assert first.revision.startswith("tree:")
    assert len(first.revision) == len("tree:") + 12
    for change in ({"a.yaml": "b"}, {"b/d.yaml": "c"}, {"e.yaml": ""}):
        write(two, change)
        seen.append(source.snapshot().revision)
    (two / "e.yaml").rename(two / "f.yaml")
    seen.append(source.snapshot().revision)
    assert len(set(seen)) == len(seen)


def test_the_root_may_be_a_link(tmp_path: Path) -> None:
    """git-sync's layout: after a swap the new directory is read, under the same paths."""
    write(tmp_path, {".worktrees/1/a.yaml": "one", ".worktrees/2/a.yaml": "two", "current": "-> .worktrees/1"})
    source = DirectorySource(tmp_path / "current", clock=FakeClock())

    assert texts(source.snapshot()) == {"a.yaml": "one"}
    swap(tmp_path / "current", ".worktrees/2")
    assert texts(source.snapshot()) == {"a.yaml": "two"}


def test_a_root_swapped_between_naming_and_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory that the link led to is gone before it is listed: the new one is read, without an error."""
    write(tmp_path, {".w/1/a.yaml": "one", ".w/2/a.yaml": "two", "current": "-> .w/1"})
    true, swaps = os.scandir, iter([".w/2"])

    def swapping(path: str) -> object:
        for target in swaps:
            swap_and_remove(tmp_path / "current", target)
        return true(path)

    monkeypatch.setattr(os, "scandir", swapping)
    assert read(tmp_path / "current") == {"a.yaml": "two"}


def test_paths_come_in_order_and_cannot_be_changed(tmp_path: Path) -> None:
    """A snapshot is a value: sorted, and closed to writing."""
    write(tmp_path, {"b.yaml": "b", "a.yaml": "a", "c.yaml": "-> gone", "a/z.yaml": "z"})
    snapshot = DirectorySource(tmp_path, clock=FakeClock()).snapshot()

    assert list(snapshot.files) == sorted(snapshot.files)
    with pytest.raises(TypeError):
        snapshot.files["x"] = snapshot.files["a.yaml"]  # type: ignore[index]


@pytest.mark.parametrize("name", ["specs", "sp\udce9cs"])
def test_described_as_it_was_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative root is told from the top, in text that can be printed; links in it are left standing."""
    monkeypatch.chdir(tmp_path)
    source = DirectorySource(Path(name), clock=FakeClock())

    assert (
        source.describe() == f"{tmp_path}/{name.encode('utf-8', 'surrogateescape').decode('utf-8', 'backslashreplace')}"
    )
