"""What a source delivers: all its files at one revision, read at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    removals wait for the settled snapshot. *author* and *message* are the commit's, where there is one.
    """

    revision: str
    files: Mapping[str, SourceFile]
    settled: bool = True
    author: str = ""
    message: str = ""
    warnings: tuple[str, ...] = field(default=())
