"""A local directory as a source of specs: read as one whole, whatever happens to it meanwhile.

A snapshot is two looks at the tree (`treewalk`) with the reading between them; only if both agree with what was read
is it one state of the directory, otherwise it is tried again. Where nothing changed since the last verified look, one
look is enough, and no file is opened.

Whether the directory is *settled* decides if something that is not there may be removed from the cluster. It is, when
nothing changed for `quiet` seconds, by either of two witnesses. The first is our own observation: the same state seen
twice, that far apart by a clock that never jumps. It needs no trust in anybody's clock, but a second look. The second
is the newest time stamp in the tree: right at the first look, but wrong where clocks disagree (NFS, a clock set
back). So stamps are believed only while they fit what was observed: a change seen since the last look must bear a stamp
of since the last look. A stamp in the future is not believed, and settles by observation: it never blocks for ever.

Where the directory belongs to a Git work tree, the snapshot says which commit is checked out, and whether what was read
is what that commit holds (`git.worktree`). The revision is that of the files all the same.
"""

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from herdsman.adapters.git.worktree import Worktree
from herdsman.adapters.treewalk import Mark, Scan, Tree, reason, shown
from herdsman.adapters.watch import Watcher
from herdsman.model.sources import MAX_FILE, MAX_TOTAL, Snapshot, SourceFile
from herdsman.ports import Clock

TRIES = 4
"""Of reading a tree that is being written to, before it is delivered unsettled; and of one such file."""

RACY_NS = 2_000_000_000
"""A file that changed this shortly before it was read may change again without a new mark (Git's index has the same
rule); two seconds is the coarsest clock of a file system in use."""

PATIENCE = 30.0
"""So long the directories alone may go on changing (temporary files) before the tree counts as settled after all."""

_SECOND_NS = 1_000_000_000


class DirectorySource:
    """`ports.Source` for a local directory. *skip* answers for a path below it whether to act as if it were not there.

    *quiet* is how long nothing must have changed for a snapshot to be settled; *warn* is told, once, where changes
    are not noticed at once.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock,
        skip: Callable[[str], bool] | None = None,
        quiet: float = 1.0,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._tree = Tree(root, skip)
        self._worktree = Worktree(skip)
        self._clock = clock
        self._warn = warn
        self._lock = threading.Lock()
        self._stillness = Stillness(quiet)
        self._verified: Scan | None = None
        self._held: dict[str, _Held] = {}
        self._problems: dict[str, str] = {}
        self._publish()

    def snapshot(self) -> Snapshot:
        """Everything at one revision. Raises `SourceError` where there is no directory that can be listed."""
        with self._lock:
            scan = self._verify()
            stable = scan == self._verified
            still = self._stillness.look(scan, now_ns=self._now_ns(), monotonic=self._clock.monotonic())
            snapshot = Snapshot(self._revision, self._files, settled=stable and still, warnings=tuple(scan.warnings))
            return self._with_commit(snapshot, scan)

    def watch(self, changed: Callable[[], None], stopped: Callable[[], bool]) -> None:
        """Call *changed* after every change, and once at the start, until *stopped* answers true."""
        Watcher(self._tree, changed=changed, stopped=stopped, clock=self._clock, warn=self._warn).run()

    def poke(self) -> None:
        """Nothing: every snapshot looks at the files themselves."""

    def close(self) -> None:
        """Nothing is held open."""

    def describe(self) -> str:
        """The directory, as it was named."""
        return shown(self._tree.root)

    def _with_commit(self, snapshot: Snapshot, scan: Scan) -> Snapshot:
        """The same, with the commit that is checked out; what differs from it is nobody's yet."""
        found = self._worktree.look(scan.base, revision=snapshot.revision, files=snapshot.files, real=scan.real)
        if found is None:
            return snapshot
        commit = found.commit
        with_commit = replace(snapshot, commit=commit.oid, branch=found.branch, dirty=found.dirty)
        if found.dirty:
            return with_commit
        return replace(with_commit, author=commit.author, message=commit.message, committed=commit.committed)

    def _verify(self) -> Scan:
        """Read until two looks agree with what was read between them; `_verified` is then the scan returned."""
        scan = self._tree.scan()
        for _ in range(TRIES):
            if scan == self._verified and not any(one.doubtful for one in self._held.values()):
                return scan
            before, self._verified = self._verified, None
            self._take(scan)
            as_read = replace(scan, files={path: one.mark for path, one in self._held.items()})
            if as_read != before:
                scan = self._tree.scan()
            if as_read == scan:
                self._verified = scan
                return scan
        return scan

    def _take(self, scan: Scan) -> None:
        """Hold what *scan* names: as it is held already where it did not change, read otherwise."""
        held: dict[str, _Held] = {}
        room = MAX_TOTAL
        for path in sorted(scan.files):
            mark, one = scan.files[path], self._held.get(path)
            if one is None or one.mark != mark or one.doubtful:
                one = self._read(path, scan.real(path), mark, room)
            held[path] = one
            room -= len(one.file.data or b"")
        if held != self._held or scan.problems != self._problems:
            self._held, self._problems = held, scan.problems
            self._publish()

    def _publish(self) -> None:
        files = {path: one.file for path, one in self._held.items()}
        files |= {path: SourceFile(path, None, problem=problem) for path, problem in self._problems.items()}
        self._files = MappingProxyType(dict(sorted(files.items())))
        self._revision = _revision(self._files)

    def _read(self, path: str, real: str, mark: Mark, room: int) -> "_Held":
        if mark.size > MAX_FILE:
            return _Held.unread(path, mark, f"it is larger than {MAX_FILE >> 20} MiB")
        if mark.size > room:
            return _Held.unread(path, mark, f"the files before it fill {MAX_TOTAL >> 20} MiB: keep data elsewhere")
        try:
            for _ in range(TRIES):
                began = self._now_ns()
                if found := _slurp(real):
                    file = SourceFile(path, found.data, hashlib.sha256(found.data).hexdigest())
                    return _Held(found.mark, file, doubtful=found.mark.stamp(began) + RACY_NS >= began)
        except OSError as error:
            return _Held.unread(path, mark, f"it cannot be read: {reason(error)}")
        return _Held.unread(path, mark, "it kept changing while it was read")

    def _now_ns(self) -> int:
        return int(self._clock.now().timestamp() * _SECOND_NS)


class Stillness:
    """Whether a tree was left alone for *quiet* seconds: as seen, or by stamps where they fit what was seen."""

    def __init__(self, quiet: float) -> None:
        self._quiet = quiet
        self._last: Scan | None = None
        self._last_ns = 0
        self._files_since = 0.0
        self._all_since = 0.0
        self._stamp = 0
        self._believed = False

    def look(self, scan: Scan, *, now_ns: int, monotonic: float) -> bool:
        """Take note of one more look at the tree, and answer."""
        last = self._last
        if last is None or scan != last:
            self._files_since = monotonic
        if last is None or scan != last or scan.folders != last.folders:
            self._all_since = monotonic
            self._stamp = scan.stamp(now_ns)
            self._believed = last is None or self._stamp >= self._last_ns
        self._last, self._last_ns = scan, now_ns
        return self._seen_still(monotonic) or (self._believed and self._stamp <= now_ns - self._quiet * _SECOND_NS)

    def _seen_still(self, monotonic: float) -> bool:
        return monotonic - self._all_since >= self._quiet or monotonic - self._files_since >= PATIENCE


@dataclass(frozen=True, slots=True)
class _Held:
    """A file as it was read, with its mark then. A *doubtful* one is read again even where the mark is the same."""

    mark: Mark
    file: SourceFile
    doubtful: bool

    @classmethod
    def unread(cls, path: str, mark: Mark, problem: str) -> "_Held":
        """A file of which nothing is known but that it is there: tried again every time."""
        return cls(mark, SourceFile(path, None, problem=problem), doubtful=True)


@dataclass(frozen=True, slots=True)
class _Found:
    mark: Mark
    data: bytes


def _slurp(real: str) -> _Found | None:
    """The whole of a regular file; None where it changed meanwhile. A pipe put in its place blocks nobody.

    The mark is taken by path, as a look over the tree takes it: some file systems tell another inode once it is open.
    """
    mark = Mark.of(os.lstat(real))
    fd = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        st = os.fstat(fd)
        if not stat.S_ISREG(st.st_mode) or st.st_size > MAX_FILE:
            return None
        data = _content(fd, st.st_size + 1)
    finally:
        os.close(fd)
    return _Found(mark, data) if Mark.of(os.lstat(real)) == mark and len(data) == mark.size else None


def _content(fd: int, most: int) -> bytes:
    parts: list[bytes] = []
    while most and (part := os.read(fd, most)):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _revision(files: Mapping[str, SourceFile]) -> str:
    """Equal for equal files, wherever the directory is and whenever they were written."""
    lines = "".join(f"{path}\0{file.digest}\n" for path, file in files.items())
    return f"tree:{hashlib.sha256(lines.encode()).hexdigest()[:12]}"
