"""What a source delivers: all its files at one revision, read at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

MAX_FILE: Final = 16 * 1024 * 1024
"""Larger files are not read. The limit for a spec is far lower, but its text is searched for the jobs it freezes."""

MAX_TOTAL: Final = 256 * 1024 * 1024
"""So much is read of one source; files beyond it, in the order of their paths, are not."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file. *data* is None where it could not be read; *problem* then says why."""

    path: str
    data: bytes | None
    digest: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All files of a source at one *revision*, by path relative to the source's root, with `/` between parts.

    *settled* is False while the source is still being written to (a checkout under way): edits count at once,
    removals wait for the settled snapshot.

    Where the files come from Git, *commit* is the one they belong to, *author*, *message* (its first line) and
    *committed* (its time, as its author's machine told it) are that commit's, and *branch* is what was followed to it:
    a branch, a tag. *verified* says that its signature was demanded and is good. *dirty* says of a directory inside a
    work tree that its files are not those of the commit.
    """

    revision: str
    files: Mapping[str, SourceFile]
    settled: bool = True
    author: str = ""
    message: str = ""
    commit: str = ""
    branch: str = ""
    committed: datetime | None = None
    verified: bool = False
    dirty: bool = False
    warnings: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """What a reader knows the revision by: the commit, `<commit>-dirty` as Git says it, else a digest."""
        return f"{self.commit}-dirty" if self.dirty else self.commit or self.revision


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source does. *snapshot* is the last that was delivered, without its files.

    *read* is when that was, *failing_since* when the trouble began that *error* tells of; both s since the epoch, 0
    where there is none.
    """

    snapshot: Snapshot | None = None
    files: int = 0
    read: float = 0.0
    failing_since: float = 0.0
    error: str = ""
