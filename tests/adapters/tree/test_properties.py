"""Random trees, against a reader that knows nothing of caches and races."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from adapters.tree.worlds import clock_off_by, texts
from herdsman.adapters.tree import DirectorySource

NAMES = st.sampled_from(["a", "b", "a.yaml", "b.yml", ".a", ".b.yaml", "c.json", "c.txt", "d.hcl", ".herdsmanignore"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TARGETS = PATHS | st.builds("../{}".format, PATHS) | st.sampled_from([".", "..", "../..", "/etc/hostname", "/etc"])
FILES = st.dictionaries(PATHS, st.text("xy\n", max_size=3), max_size=8)
LINKS = st.dictionaries(PATHS, TARGETS, max_size=5)
SUFFIXES = {".yaml", ".yml", ".json", ".hcl", ".nomad"}


@contextmanager
def _room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve() / "root"
        root.mkdir()
        yield root


def _build(root: Path, files: dict[str, str], links: dict[str, str]) -> None:
    """Make what can be made: a name that is taken, or leads through a file or a link, is left out."""
    for path, text in files.items():
        _attempt(root / path, lambda file, text=text: file.write_text(text))
    for path, target in links.items():
        _attempt(root / path, lambda file, target=target: file.symlink_to(target))


def _attempt(path: Path, make: object) -> None:
    if any(parent.is_symlink() for parent in (path, *path.parents)):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)  # type: ignore[operator]
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        pass


def naive(root: Path) -> dict[str, str | None]:
    """What a snapshot must hold, the slow way."""
    found: dict[str, str | None] = {}

    def enter(folder: Path, prefix: str, above: list[Path]) -> None:
        for entry in folder.iterdir():
            look(entry, f"{prefix}{entry.name}", above)

    def look(entry: Path, path: str, above: list[Path]) -> None:
        ignore_file = entry.name == ".herdsmanignore"
        wanted = ignore_file or entry.suffix in SUFFIXES
        if entry.name.startswith(".") and not ignore_file:
            return
        try:
            real = entry.resolve(strict=True)
        except (OSError, RuntimeError):
            found[path] = None
            return
        inside = real.is_relative_to(root)
        if real.is_dir() and real in above:
            return
        if real.is_dir() and inside:
            enter(real, f"{path}/", [*above, real])
        elif real.is_dir() or (wanted and not inside):
            found[path] = None
        elif wanted:
            found[path] = real.read_text()

    enter(root, "", [root])
    return found


@settings(deadline=None, max_examples=300)
@given(files=FILES, links=LINKS)
def test_a_snapshot_is_what_a_naive_reader_reads(files: dict[str, str], links: dict[str, str]) -> None:
    """Whatever the tree, with links of every kind: the same paths, the same contents, the same unknowns."""
    with _room() as root:
        _build(root, files, links)

        assert texts(DirectorySource(root, clock=clock_off_by()).snapshot()) == naive(root)


class LongLife(RuleBasedStateMachine):
    """One source that lives through many changes reads what a new one would."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp()).resolve()
        self.root = self.base / "root"
        self.root.mkdir()
        self.clock = clock_off_by()
        self.source = DirectorySource(self.root, clock=self.clock)

    def teardown(self) -> None:
        shutil.rmtree(self.base)

    @rule(files=FILES, links=LINKS)
    def add(self, files: dict[str, str], links: dict[str, str]) -> None:
        """Files are added or written over, links added."""
        _build(self.root, files, links)

    @rule(path=PATHS)
    def remove(self, path: str) -> None:
        """A file, a link or a whole directory goes."""
        place = self.root / path
        if place.is_symlink() or place.is_file():
            place.unlink()
        elif place.is_dir():
            shutil.rmtree(place)

    @rule(path=PATHS, to=PATHS)
    def move(self, path: str, to: str) -> None:
        """Anything is renamed, over what is there."""
        place, target = self.root / path, self.root / to
        if place.is_symlink() or place.exists():
            _attempt(target, lambda _: None)
            try:
                place.rename(target)
            except OSError:
                return

    @rule()
    def replace(self) -> None:
        """The whole tree is copied, and the copy takes its place."""
        copy = self.base / "copy"
        shutil.copytree(self.root, copy, symlinks=True)
        shutil.rmtree(self.root)
        copy.rename(self.root)

    @rule(seconds=st.sampled_from([0.5, 3.0]))
    def wait(self, seconds: float) -> None:
        """Time passes, so that files come to be trusted."""
        self.clock.advance(seconds)

    @invariant()
    def reads_what_a_new_source_reads(self) -> None:
        """Contents, digests, problems and revision."""
        here, new = self.source.snapshot(), DirectorySource(self.root, clock=self.clock).snapshot()
        assert here.files == new.files
        assert here.revision == new.revision


LongLife.TestCase.settings = settings(deadline=None, max_examples=40, stateful_step_count=15)
TestLongLife = LongLife.TestCase
