"""Hints that a directory changed, as soon as the kernel tells; never the truth, which is a snapshot.

inotify speaks of inodes, people of paths. So what is watched is a list of single directories, made anew whenever
directories or symbolic links move: every visible directory of the tree, and the parents of the root and of each link on
the way, where a swap shows itself. Watching is not recursive: that would follow links out of the tree, and spend
watches on `.git`. After every arming comes a hint, for what happened before it; and once a second it is asked, at the
cost of one `stat`, whether the root still leads to the same directory.

Where the kernel cannot tell (shared file systems, no inotify instance left) the tree is compared with itself every
second. That is done here and not by watchfiles, whose polling compares whole seconds of the modification time.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from time import sleep

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError  # `watchfiles.watch` knows one step only

from herdsman.adapters.treewalk import Anchor, Scan, Tree, shown, trail
from herdsman.core.ignore import relevant
from herdsman.errors import SourceError
from herdsman.ports import Clock

MOUNTS = Path("/proc/self/mountinfo")

REST_STEP_MS = 30
"""How often watchfiles looks whether something came: a change is told after one to two of these."""

CALM_STEP_MS = 25
"""This long nothing must happen before a hint is given …"""

LONGEST = 0.25
"""… but after this many seconds of constant writing it is given all the same."""

LOOK = 1.0
"""Seconds between two looks at where the root leads, and between two polls."""

SHARE = 20
"""Polling may take one part in this many of a core: a tree that is slow to look at is looked at less often."""

RETRY = 60.0
"""Seconds of polling before it is asked again whether that is needed."""

SLICE = 0.1
"""The longest sleep that does not ask whether to stop."""

SHARED = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "drvfs", "fuse", "gfs2", "glusterfs", "lustre", "nfs", "nfs4", "ocfs2",
        "overlay", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs",
    }
)  # fmt: skip
"""File systems that others may change without telling this kernel; `fuse.sshfs` counts as `fuse`."""


class Weight(IntEnum):
    """What an event may mean."""

    NOTHING = 0
    CONTENT = 1
    SHAPE = 2
    """Directories or links moved: what is watched has to be found anew."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to watch, all of it real, absolute paths.

    *folders* are the directories of the tree; *links* are the paths that decide where something leads: each of them
    counts by itself, however it is named and wherever it lies.
    """

    folders: frozenset[str]
    links: frozenset[str]

    @classmethod
    def of(cls, root: str, scan: Scan) -> "Survey":
        """What to watch for a change of what *scan* saw."""
        base, above = trail(root)
        return cls(frozenset(scan.folders), frozenset({base, *above, *scan.links}))

    def watched(self) -> list[str]:
        """The directories to hand to the kernel. One that may not be read cannot be watched."""
        around = {str(Path(link).parent) for link in self.links} - self.folders
        return sorted(self.folders | {folder for folder in around if os.access(folder, os.R_OK)})

    def weigh(self, path: str) -> Weight:
        """What an event at *path* may mean. Hidden names and files that no snapshot holds are noise."""
        if path in self.links or path in self.folders:
            return Weight.SHAPE
        folder, name = os.path.split(path)
        if folder not in self.folders:
            return Weight.NOTHING
        if relevant(name):
            return Weight.SHAPE if Path(path).is_symlink() else Weight.CONTENT
        if name.startswith("."):
            return Weight.NOTHING
        return Weight.SHAPE if Path(path).is_dir() or Path(path).is_symlink() else Weight.NOTHING


class Watcher:
    """One run of `Source.watch` over *tree*."""

    def __init__(
        self,
        tree: Tree,
        *,
        changed: Callable[[], None],
        stopped: Callable[[], bool],
        clock: Clock,
        warn: Callable[[str], None],
    ) -> None:
        self._tree = tree
        self._changed = changed
        self._stopped = stopped
        self._clock = clock
        self._warn = warn
        self._warned = False
        self._polled: Scan | None = None

    def run(self) -> None:
        """Watch until stopped, through every disappearance of the root."""
        away = False
        while not self._stopped():
            began = self._clock.monotonic()
            scan = self._scan()
            if scan is not None:
                away = False
                self._follow(scan)
                continue
            if not away:
                away = True
                self._changed()
            self._pause(self._pace(began) / 4)

    def _follow(self, scan: Scan) -> None:
        """Watch what *scan* saw, until it has to be looked over anew."""
        if kind := _shared_type(scan.base):
            self._poll(scan, f"file systems of type {kind} do not tell of every change")
            return
        try:
            survey = Survey.of(self._tree.root, scan)
            notify = _arm(survey.watched())
        except FileNotFoundError:
            self._pause(SLICE / 2)  # a directory went since it was seen
        except (OSError, ValueError, WatchfilesRustInternalError) as error:
            self._poll(scan, f"the kernel refuses to watch it ({error})")
        else:
            with notify:
                self._listen(notify, survey, scan.anchor)

    def _listen(self, notify: RustNotify, survey: Survey, anchor: Anchor) -> None:
        """Give hints until directories or links have moved; the next arming gives the hint for that."""
        self._changed()
        again = self._scan()
        if again is None or Survey.of(self._tree.root, again) != survey:
            self._pause(SLICE / 2)  # a directory came before its parent was watched: nobody would tell of what is in it
            return
        looked = self._clock.monotonic()
        while not self._stopped():
            weight = self._wait(notify, survey, REST_STEP_MS, patience_ms=int(LOOK * 1000))
            if weight is not Weight.NOTHING:
                weight = max(weight, self._until_calm(notify, survey))
            if weight is Weight.CONTENT:
                self._changed()
            if weight is Weight.SHAPE:
                return
            if self._clock.monotonic() - looked >= LOOK:
                looked = self._clock.monotonic()
                if self._tree.anchor() != anchor:
                    return

    def _until_calm(self, notify: RustNotify, survey: Survey) -> Weight:
        """Wait for a pause in the events, but not for ever. Answers with the greatest weight that came."""
        latest = self._clock.monotonic() + LONGEST
        greatest = Weight.NOTHING
        while self._clock.monotonic() < latest:
            weight = self._wait(notify, survey, CALM_STEP_MS, patience_ms=1)
            if weight is Weight.NOTHING:
                break
            greatest = max(greatest, weight)
        return greatest

    def _wait(self, notify: RustNotify, survey: Survey, step_ms: int, *, patience_ms: int) -> Weight:
        """The weight of what came; nothing, where that is what came in *patience_ms*, or where a stop came."""
        try:
            answer = notify.watch(1, step_ms, patience_ms, _Stop(self._stopped))
        except WatchfilesRustInternalError:
            self._pause(SLICE)  # the watch broke: make it anew, but not in a hurry
            return Weight.SHAPE
        if answer == "signal":
            raise KeyboardInterrupt
        if isinstance(answer, str):
            return Weight.NOTHING
        return max((survey.weigh(path) for _, path in answer), default=Weight.NOTHING)

    def _poll(self, first: Scan, why: str) -> None:
        """Compare the tree with itself, for a while or until it is gone."""
        self._warn_once(why)
        began = self._clock.monotonic()
        until = began + RETRY
        scan: Scan | None = first
        while scan is not None:
            if scan != self._polled:
                self._polled = scan
                self._changed()
            if self._clock.monotonic() >= until or self._pause(self._pace(began)):
                return
            began = self._clock.monotonic()
            scan = self._scan()

    def _scan(self) -> Scan | None:
        try:
            return self._tree.scan()
        except SourceError:
            return None

    def _pace(self, began: float) -> float:
        return max(LOOK, SHARE * (self._clock.monotonic() - began))

    def _pause(self, seconds: float) -> bool:
        """Sleep, but not past a stop; true where that came."""
        until = self._clock.monotonic() + seconds
        while not self._stopped():
            left = until - self._clock.monotonic()
            if left <= 0:
                return False
            sleep(min(left, SLICE))
        return True

    def _warn_once(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(f"changes of {shown(self._tree.root)} are noticed by looking every second, not at once: {why}")


class _Stop:
    """The answer of `stopped`, in the form that watchfiles asks for."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self.is_set = stopped


def _arm(folders: list[str]) -> RustNotify:
    debug, polling, recursive, forgiving = False, False, False, True
    return RustNotify(folders, debug, polling, 0, recursive, forgiving)


def shared_type(device: int, mountinfo: str) -> str:
    """The type of the file system *device* is, where changes may come past this kernel; otherwise nothing."""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mountinfo.splitlines():
        mount, _, rest = line.partition(" - ")
        kind = rest.partition(" ")[0]
        if mount.split(" ")[2:3] == [number] and kind.partition(".")[0] in SHARED:
            return kind
    return ""


def _shared_type(path: str) -> str:
    try:
        return shared_type(Path(path).stat().st_dev, MOUNTS.read_text("utf-8", "surrogateescape"))
    except OSError:
        return ""
