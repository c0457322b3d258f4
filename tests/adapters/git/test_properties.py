"""Random repositories, against a reader that knows nothing of mirrors and caches."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from adapters.git.worlds import World, again
from gitservers import Link, Module, Repository
from herdsman.adapters.git import GitSource
from herdsman.adapters.git.objects import PORTION, _portions

NAMES = st.sampled_from(
    [
        b"a",
        b"b",
        b"a.yaml",
        b"b.yml",
        b".a",
        b".b.yaml",
        b"c.json",
        b"c.txt",
        b"d.hcl",
        b".herdsmanignore",
        b"\xff.yaml",
    ]
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
CONTENTS = st.binary(max_size=4) | st.builds(Link, st.just("a.yaml")) | st.builds(Module)
TREES = st.dictionaries(PATHS, CONTENTS, min_size=1, max_size=8)


def compatible(tree: dict[bytes, bytes | Link | Module]) -> dict[bytes, bytes | Link | Module]:
    """Without the paths that run through another one, which is a file."""
    return {p: c for p, c in tree.items() if not any(p.startswith(other + b"/") for other in tree)}


def naive(repository: Repository, commit: str, path: str) -> dict[str, str | None]:
    """What a snapshot must hold, the slow way: object IDs by path, None where nothing can be read."""
    found: dict[str, str | None] = {}
    prefix = f"{path}/" if path else ""
    for line in filter(None, repository.git("ls-tree", "-r", "-t", "-z", commit).split("\0")):
        about, _, name = line.partition("\t")
        mode, kind, oid = about.split()
        *folders, last = name.removeprefix(prefix).split("/")
        if not name.startswith(prefix) or any(_hidden(p) or "\ufffd" in p for p in folders):
            continue
        wanted = last == ".herdsmanignore" or last.rpartition(".")[2] in ("yaml", "yml", "json", "hcl", "nomad")
        readable = "\ufffd" not in last
        if not _hidden(last) and ((kind == "tree" and not readable) or (mode.startswith("100") and wanted)):
            found["/".join([*folders, last]).replace("\ufffd", "\\xff")] = oid if readable else None
    return found


def _hidden(name: str) -> bool:
    return name.startswith(".") and name != ".herdsmanignore"


def ids(source: GitSource) -> dict[str, str | None]:
    """Object IDs by path, after asking the remote."""
    return {path: file.digest or None for path, file in again(source).files.items()}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(trees=st.lists(TREES, min_size=1, max_size=3))
def test_a_snapshot_is_what_a_naive_reader_reads(trees: list[dict[bytes, bytes | Link | Module]]) -> None:
    """Whatever is committed, one after the other: the same paths, the same blobs, the same unknowns."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        world = World(Path(name), stack)
        repository = world.repository()
        source = world.source()
        for tree in trees:
            commit = repository.commit(compatible(tree), orphan=True)  # type: ignore[arg-type]
            assert ids(source) == naive(repository, commit, "")


class LongLife(RuleBasedStateMachine):
    """One source that lives through many commits reads what a new one would; so does one of a sub-path."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.world = World(Path(self.stack.enter_context(tempfile.TemporaryDirectory())), self.stack)
        self.repository = self.world.repository()
        self.commit = self.repository.commit({"a/keep.yaml": "kept"})
        self.sources = {path: self.world.source(path=path) for path in ("", "a")}

    def teardown(self) -> None:
        self.stack.close()

    @rule(tree=TREES)
    def add(self, tree: dict[bytes, bytes | Link | Module]) -> None:
        """Files are added or written over."""
        self.commit = self.repository.commit({**compatible(tree), "a/keep.yaml": "kept"})  # type: ignore[dict-item]

    @rule(tree=TREES)
    def replace(self, tree: dict[bytes, bytes | Link | Module]) -> None:
        """History is rewritten."""
        self.commit = self.repository.commit(
            {**compatible(tree), "a/keep.yaml": "kept"},  # type: ignore[dict-item]
            orphan=True,
        )

    @rule(path=PATHS)
    def remove(self, path: bytes) -> None:
        """A file or a directory goes."""
        self.commit = self.repository.commit({path: None, "a/keep.yaml": "kept"})

    @rule()
    def die(self) -> None:
        """The processes that wait for questions go away."""
        for source in self.sources.values():
            source._mirror.objects.close()

    @invariant()
    def reads_what_is_committed(self) -> None:
        """Contents and revision."""
        for path, source in self.sources.items():
            assert ids(source) == naive(self.repository, self.commit, path)
            assert source.snapshot().revision == self.commit


LongLife.TestCase.settings = settings(
    deadline=None, max_examples=8, stateful_step_count=8, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
TestLongLife = LongLife.TestCase


@given(st.lists(st.text("abc", min_size=1, max_size=PORTION // 8), max_size=40))
def test_portions_fit_into_a_pipe(names: list[str]) -> None:
    """Nothing is lost or reordered, and what is under way never blocks."""
    portions = list(_portions(names))

    assert [name for portion in portions for name in portion] == names
    assert all(len("".join(f"{n}\n" for n in portion)) <= PORTION for portion in portions)
