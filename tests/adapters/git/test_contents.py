"""What a snapshot of a repository holds."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.git.worlds import World, again, texts
from gitservers import Link, Module, Repository
from herdsman.adapters.git import listing, reading
from herdsman.adapters.git.commits import parse_commit
from herdsman.adapters.git.objects import Object, Objects
from herdsman.core.ignore import relevant
from herdsman.errors import SourceError

LAYOUTS = {
    "plain": (
        {"a.yaml": "a", "b.yml": "b", "c.json": "{}", "deep/er/d.hcl": "d", "e.nomad": "e", "f.nomad.hcl": "f"},
        {"a.yaml": "a", "b.yml": "b", "c.json": "{}", "deep/er/d.hcl": "d", "e.nomad": "e", "f.nomad.hcl": "f"},
    ),
    "other files": ({"a.yaml": "a", "README.md": "x", "a.yaml~": "x", "yaml": "x", "big.bin": "x"}, {"a.yaml": "a"}),
    "hidden files and directories": (
        {"a.yaml": "a", ".a.yaml": "x", ".github/b.yaml": "x", "sub/.c/d.yaml": "x", ".hcl": "x"},
        {"a.yaml": "a"},
    ),
    "ignore files": (
        {".herdsmanignore": "x", "sub/.herdsmanignore": "y", ".hidden/.herdsmanignore": "z"},
        {".herdsmanignore": "x", "sub/.herdsmanignore": "y"},
    ),
    "a directory named like a file": ({"a.yaml/b.yaml": "b"}, {"a.yaml/b.yaml": "b"}),
    "odd but readable names": (
        {"mit Leerzeichen/ä → b.yaml": "x", "-rf.yaml": "y", "a\\b.yaml": "z", 'q".yaml': "q"},
        {"mit Leerzeichen/ä → b.yaml": "x", "-rf.yaml": "y", "a\\b.yaml": "z", 'q".yaml': "q"},
    ),
    "names that are not text": (
        {b"a\xff.yaml": "x", b"b\n.yaml": "x", b"c\xff": "x", b"d\xff/e.yaml": "x"},
        {"a\\xff.yaml": None, "b\n.yaml": None, "d\\xff": None},
    ),
    "an empty file": ({"a.yaml": ""}, {"a.yaml": ""}),
    "a file that ends in the middle of a line": ({"a.yaml": "a\nb"}, {"a.yaml": "a\nb"}),
    "one content twice": ({"a.yaml": "same", "b/a.yaml": "same", "c/a.yaml": "same"}, dict.fromkeys(
        ["a.yaml", "b/a.yaml", "c/a.yaml"], "same")),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_read(name: str, world: World) -> None:
    """Visible files of the known kinds; what cannot be known is a problem at its path."""
    layout, expected = LAYOUTS[name]
    world.repository().commit(layout)  # type: ignore[arg-type]

    assert texts(world.source().snapshot()) == expected


def test_who_when_and_what(world: World, fleet: Repository) -> None:
    """A snapshot names its commit, author, time and the first line of the message; it is always settled."""
    snapshot = world.source().snapshot()

    assert snapshot.revision == snapshot.commit == fleet.head()
    assert snapshot.author == "Ada <ada@example.org>"
    assert snapshot.message == "the first"
    assert snapshot.branch == "main"
    assert snapshot.committed == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (snapshot.settled, snapshot.verified, snapshot.dirty, snapshot.warnings) == (True, False, False, ())


def test_the_same_blob_has_the_same_digest(world: World, fleet: Repository) -> None:
    """Whoever understood a file need not do so again while its content is the same, wherever it moves."""
    source = world.source()
    before = source.snapshot().files["a.yaml"]
    fleet.commit({"a.yaml": None, "b/c.yaml": "a", "d.yaml": "d"})
    after = again(source).files

    assert after["b/c.yaml"].digest == before.digest
    assert after["d.yaml"].digest != before.digest


def test_symbolic_links_and_submodules_are_passed_over(world: World) -> None:
    """They are told of, a few by name; links to anywhere, of any name, lead nowhere."""
    links = {f"l{n}.yaml": Link("/etc/passwd") for n in range(7)}
    world.repository().commit({"a.yaml": "a", "dir": Link("."), "mod": Module(), ".hidden": Link("x"), **links})
    snapshot = world.source().snapshot()

    assert texts(snapshot) == {"a.yaml": "a"}
    assert snapshot.warnings == (
        "symbolic links are not followed in Git, passed over: dir, l0.yaml, l1.yaml, l2.yaml, l3.yaml and 3 more",
        "submodules are not read, passed over: mod",
    )


def test_a_sub_path(world: World) -> None:
    """Only what is below it is read, and its paths start from there."""
    world.repository().commit({"a.yaml": "a", "x/specs/b.yaml": "b", "x/specs/sub/c.yaml": "c", "x/specs2/d.yaml": "d"})

    assert texts(world.source(path="/x/specs/").snapshot()) == {"b.yaml": "b", "sub/c.yaml": "c"}


def test_a_commit_outside_the_sub_path(world: World) -> None:
    """It is a new revision of the same files, and none of them is read again."""
    repository = world.repository()
    repository.commit({"specs/a.yaml": "a", "other/b.yaml": "b"})
    source = world.source(path="specs")
    before = source.snapshot()
    repository.commit({"other/b.yaml": "new"})
    after = again(source)

    assert after.revision == repository.head() != before.revision
    assert after.files is before.files


def test_one_changed_file_costs_one_blob(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many files in many directories, a change costs the commit, the trees on the way, and the file."""
    repository = world.repository()
    repository.commit({f"{n % 30}/{n}.yaml": f"{n}" for n in range(600)})
    source = world.source()
    source.snapshot()
    read: list[str] = []
    true_read = Objects.read

    def reading(self: Objects, oids: Sequence[str]) -> Iterator[Object]:
        for found in true_read(self, oids):
            read.append(found.kind)
            yield found

    monkeypatch.setattr(Objects, "read", reading)
    repository.commit({"7/7.yaml": "changed"})

    assert texts(again(source))["7/7.yaml"] == "changed"
    assert sorted(read) == ["blob", "commit", "tree", "tree"]


def test_a_path_without_end(world: World) -> None:
    """A path that no file system would take is a problem, not a key."""
    deep = "/".join(["d" * 200] * 21)
    world.repository().commit({f"{deep}/a.yaml": "a", "b.yaml": "b"})
    files = world.source().snapshot().files

    assert [(len(path) <= 4096, file.problem) for path, file in files.items() if file.data is None] == [
        (True, "its path is too long")
    ]
    assert files["b.yaml"].data == b"b"


PATTERNS = {
    "everything": ((), (), {"a.yaml", "jobs/b.yaml", "jobs/old/c.yaml", ".herdsmanignore"}),
    "a directory": (("jobs/",), (), {"jobs/b.yaml", "jobs/old/c.yaml", ".herdsmanignore"}),
    "without another": ((), ("jobs/old/",), {"a.yaml", "jobs/b.yaml", ".herdsmanignore"}),
    "both": (("jobs/**",), ("old",), {"jobs/b.yaml", ".herdsmanignore"}),
    "at the top": (("/*.yaml",), (), {"a.yaml", ".herdsmanignore"}),
    "with an exception": ((), ("*.yaml", "!b.yaml"), {"jobs/b.yaml", ".herdsmanignore"}),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns(name: str, world: World) -> None:
    """Include and exclude choose, in gitignore syntax; the ignore file is always there for who heeds it."""
    include, exclude, expected = PATTERNS[name]
    files = {"a.yaml": "a", "jobs/b.yaml": "b", "jobs/old/c.yaml": "c", ".herdsmanignore": "x", "d.txt": "d"}
    world.repository().commit(files)

    assert set(world.source(include=include, exclude=exclude).snapshot().files) == expected


def test_patterns_choose_links_and_bad_names_too(world: World) -> None:
    """What is excluded is neither a warning nor a problem."""
    world.repository().commit({"a.yaml": "a", "x/l.yaml": Link("a"), b"x/\xff.yaml": "b", "x/m": Module()})
    snapshot = world.source(exclude=("x/",)).snapshot()

    assert (texts(snapshot), snapshot.warnings) == ({"a.yaml": "a"}, ())


def test_a_commit_without_specs(world: World) -> None:
    """It is a snapshot without files, and says so: whether a fleet may become empty is decided elsewhere."""
    world.repository().commit({"README.md": "x"})
    snapshot = world.source().snapshot()

    assert snapshot.files == {}
    assert snapshot.warnings == ("there is no file of specs in the repository",)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("gone", "holds no directory gone"),
        ("x/gone/deeper", "holds no directory x/gone/deeper"),
        ("a.yaml", "leads through a file"),
        ("a.yaml/b", "leads through a file"),
        ("link", "leads through a symbolic link"),
        ("mod", "leads through a submodule"),
    ],
)
def test_a_path_that_is_no_directory(path: str, words: str, world: World) -> None:
    """It is an error that names the commit, never an empty fleet."""
    commit = world.repository().commit({"a.yaml": "a", "x/b.yaml": "b", "link": Link("x"), "mod": Module()})
    source = world.source(path=path)
    with pytest.raises(SourceError, match=words) as caught:
        source.snapshot()

    assert commit[:12] in caught.value.message


def test_a_large_file(world: World) -> None:
    """Text beyond the limit of a spec is still read, for the jobs that it names; far larger ones are not."""
    large, huge = "x" * (300 * 1024), "y" * (16 * 1024 * 1024 + 1)
    world.repository().commit({"large.yaml": large, "huge.json": huge, "small.yaml": "s"})
    files = world.source().snapshot().files

    assert files["large.yaml"].data == large.encode()
    assert (files["huge.json"].data, files["huge.json"].problem) == (None, "it is larger than 16 MiB")
    assert files["small.yaml"].data == b"s"


def test_too_much_in_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files beyond the total, in the order of their paths, are known to be there, and no more."""
    monkeypatch.setattr(reading, "MAX_TOTAL", 10)
    world.repository().commit({"a.yaml": "123456", "b.yaml": "123456", "c.yaml": "1234"})
    files = world.source().snapshot().files

    assert [files[name].data for name in ("a.yaml", "b.yaml", "c.yaml")] == [b"123456", None, b"1234"]
    assert "keep data elsewhere" in files["b.yaml"].problem


def test_a_repository_that_unfolds_without_end(world: World) -> None:
    """A tree that holds the next one ten times, over ten levels, is ten trees to store and ten billion to walk."""
    repository = world.repository()
    repository.commit({"0.yaml": "x"})
    tree = repository.git("rev-parse", "main^{tree}")
    for _ in range(10):
        entries = "".join(f"040000 tree {tree}\t{n}\n" for n in range(10))
        tree = repository.git("mktree", stdin=entries.encode())
    commit = repository.git("commit-tree", tree, "-m", "bomb", env=PERSON)
    repository.git("update-ref", "refs/heads/main", commit)
    source = world.source()

    with pytest.raises(SourceError, match="more than 200,000"):
        source.snapshot()


PERSON = {
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b",
}  # fmt: skip


def raw_tree(repository: Repository, *entries: tuple[bytes, bytes], kind: str = "blob") -> str:
    """A commit with a tree made by hand, of modes and names that git itself would not write."""
    oid = bytes.fromhex(repository.git("hash-object", "-w", "--stdin", stdin=b"content"))
    data = b"".join(mode + b" " + name + b"\0" + oid for mode, name in entries)
    tree = repository.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=data)
    commit = repository.git("commit-tree", tree, "-m", "odd", env=PERSON)
    repository.git("update-ref", "refs/heads/main", commit)
    return commit


def test_names_that_lead_out(world: World) -> None:
    """Paths with slashes and dots, which only somebody with bad intent pushes, never become keys of a snapshot."""
    names = [b"..", b".", b"../x.yaml", b"a/../../x.yaml", b"/etc/x.yaml", b".git"]
    raw_tree(world.repository(), (b"100644", b"a.yaml"), *((b"100644", name) for name in sorted(names)))

    assert [p for p, f in world.source().snapshot().files.items() if f.data is not None] == ["a.yaml"]


def test_old_and_odd_modes(world: World) -> None:
    """Whatever the rights of a file, it is a file; what is none of Git's kinds is nothing."""
    modes = (b"100644", b"100755", b"100664", b"100600", b"140000", b"0")
    raw_tree(world.repository(), *((mode, mode + b".yaml") for mode in sorted(modes)))

    assert sorted(world.source().snapshot().files) == ["100600.yaml", "100644.yaml", "100664.yaml", "100755.yaml"]


@pytest.mark.parametrize("digits", [40, 64])
@pytest.mark.parametrize(
    "data", [b"x", b"100644 a", b"100644 a\0short", b"888888 a\0" + b"x" * 32, b"100644 \0" + b"x" * 32]
)
def test_a_malformed_tree(data: bytes, digits: int) -> None:
    """It is an error, not half a listing."""
    with pytest.raises(SourceError, match="malformed"):
        list(listing.entries_of(data, digits))


def test_the_sha256_kind(world: World) -> None:
    """Repositories with the longer object IDs are read like the others."""
    repository = world.repository(object_format="sha256")
    repository.commit({"a.yaml": "a", "x/b.yaml": "b"})
    source = world.source()

    assert texts(source.snapshot()) == {"a.yaml": "a", "x/b.yaml": "b"}
    assert len(source.snapshot().revision) == 64
    repository.commit({"a.yaml": "new"})
    assert texts(again(source))["a.yaml"] == "new"


@pytest.mark.parametrize(
    ("raw", "author", "message"),
    [
        (b"author A <a@b> 1 +0000\nencoding latin1\n\n\xe4", "A <a@b>", "ä"),
        (b"author A <a@b> 1 +0000\nencoding nonsense\n\n\xc3\xa4", "A <a@b>", "ä"),
        (b"author A <a@b> 1 +0000\nencoding rot13\n\nm", "A <a@b>", "m"),
        (b"author A <a@b> 1 +0000\nencoding idna\n\nxn--\xff", "A <a@b>", "xn--"),
        (b"author A <a@b> 1 +0000\n\n" + b"m" * 5000, "A <a@b>", "m" * 500),
        (b"author \x1b[31mA <a@b> 1 +0000\n\nred\x1b[0m", "[31mA <a@b>", "red [0m"),
        (b"author nobody\n\n", "nobody", ""),
        (b"author A <a@b> 99999999999999999999 +0000\n\nm", "A <a@b>", "m"),
        (b"\n\n\n", "", ""),
        (b"", "", ""),
    ],
)
def test_odd_commits(raw: bytes, author: str, message: str) -> None:
    """Encodings, control characters and missing headers: an author and a message come out that can be shown."""
    commit = parse_commit("a" * 40, b"tree " + b"b" * 40 + b"\n" + raw)

    assert commit.author == author
    assert commit.message.isprintable()
    assert message in commit.message


@pytest.mark.parametrize("when", [-3_000_000_000, 0, 4_102_444_800, 2**40])
def test_clocks_that_are_off(when: int, world: World, fleet: Repository) -> None:
    """A commit from 1874 or from the far future is a commit: nothing is decided by what its author's clock said."""
    source = world.source()
    source.snapshot()
    raw = fleet.git("cat-file", "commit", "main").replace("1700000000", str(when))
    commit = fleet.git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=f"{raw}\n".encode())
    fleet.git("update-ref", "refs/heads/main", commit)

    assert again(source).revision == commit


def test_one_notion_of_what_is_relevant(tmp_path: Path) -> None:
    """Git and directory sources hold the same names."""
    assert [n for n in ("a.yaml", "a.hcl", ".herdsmanignore", "a.md", ".a.yaml") if relevant(n)] == [
        "a.yaml", "a.hcl", ".herdsmanignore",
    ]  # fmt: skip
