"""The object store of a mirror, asked through two `git cat-file` that stay: one for sizes, one for contents.

A process for each blob would cost twenty times as much as the blob. Questions go out in portions that fit into any
pipe, so that git is never blocked on an answer that nobody reads while we are blocked on a question. A process that
dies is started once more; if that does not help, or if an object is missing that must be there, the mirror is damaged.
"""

import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO, Final

from herdsman.adapters.git.command import Git, kill

PORTION: Final = 4096
"""Bytes of questions that may be under way: as much as the smallest pipe holds."""

_CHUNK: Final = 1 << 18


class Damaged(Exception):
    """The mirror does not hold what it has to hold."""


class _Died(Exception):
    """A `cat-file` ended, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object. *data* is empty where only its size was asked for."""

    oid: str
    kind: str
    size: int
    data: bytes = b""


class Objects:
    """The objects of the repository at *repo*. For one thread at a time."""

    def __init__(self, git: Git, repo: Path, *, timeout: float) -> None:
        self._sizes = _Server(git, repo, "--batch-check", timeout=timeout)
        self._contents = _Server(git, repo, "--batch", timeout=timeout)

    def close(self) -> None:
        """End both processes; the next question starts them again."""
        self._sizes.close()
        self._contents.close()

    def find(self, name: str) -> Object | None:
        """What the reference *name* leads to, without content; None where it leads nowhere."""
        return next(self._sizes.ask([name]))

    def sizes(self, oids: Sequence[str]) -> dict[str, int]:
        """How large they are. Raises `Damaged` where one is missing."""
        return {found.oid: found.size for found in map(_there, self._sizes.ask(oids))}

    def read(self, oids: Sequence[str]) -> Iterator[Object]:
        """Each of them, in this order. Raises `Damaged` where one is missing."""
        return map(_there, self._contents.ask(oids))


def _there(answer: Object | None) -> Object:
    if answer is None:
        raise Damaged
    return answer


class _Server:
    """One `cat-file` that stays."""

    def __init__(self, git: Git, repo: Path, mode: str, *, timeout: float) -> None:
        self._git, self._repo, self._mode, self._timeout = git, repo, mode, timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._answers = _Pipe(-1, git, timeout)

    def close(self) -> None:
        process, self._process = self._process, None
        if process:
            kill(process)

    def ask(self, names: Sequence[str]) -> Iterator[Object | None]:
        """One answer for each, None for what is not there."""
        done, stuck = 0, False
        try:
            while done < len(names):
                try:
                    for answer in self._answered(names[done:]):
                        done, stuck = done + 1, False
                        yield answer
                except (_Died, OSError, ValueError):  # or its pipe broke, or it talks nonsense
                    self.close()
                    if stuck:
                        raise Damaged from None
                    stuck = True
        finally:
            if done < len(names):
                self.close()  # nobody would read what it still has to say

    def _answered(self, names: Sequence[str]) -> Iterator[Object | None]:
        for portion in _portions(names):
            pipe = self._questions()
            pipe.write("".join(f"{name}\n" for name in portion).encode("ascii"))
            pipe.flush()
            for _ in portion:
                yield self._answer()

    def _questions(self) -> IO[bytes]:
        """Where to write to; starts the process where there is none."""
        if self._process is None:
            self._process = self._git.serve("cat-file", self._mode, repo=self._repo)
            assert self._process.stdout
            self._answers = _Pipe(self._process.stdout.fileno(), self._git, self._timeout)
        assert self._process.stdin
        return self._process.stdin

    def _answer(self) -> Object | None:
        line = self._answers.line()
        if line.endswith((b" missing", b" ambiguous")):
            return None
        oid, kind, length = line.decode("ascii").split()
        if self._mode == "--batch-check":
            return Object(oid, kind, int(length))
        data = self._answers.exactly(int(length) + 1)
        return Object(oid, kind, int(length), data[:-1])


class _Pipe:
    """Reads from *fd* what a process answers, and does not wait for ever. Raises `_Died` where nothing comes."""

    def __init__(self, fd: int, git: Git, timeout: float) -> None:
        self._fd, self._git, self._timeout = fd, git, timeout
        self._held, self._at = b"", 0

    def line(self) -> bytes:
        """Up to the next end of a line, without it."""
        while (end := self._held.find(b"\n", self._at)) < 0:
            self._held, self._at = self._held[self._at :] + self._more(), 0
        start, self._at = self._at, end + 1
        return self._held[start:end]

    def exactly(self, size: int) -> bytes:
        """So many bytes."""
        parts, missing = [], size
        while True:
            part = self._held[self._at : self._at + missing]
            parts.append(part)
            self._at += len(part)
            missing -= len(part)
            if not missing:
                return b"".join(parts)
            self._held, self._at = self._more(), 0

    def _more(self) -> bytes:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        until = monotonic() + self._timeout
        while not poll.poll(100):
            if monotonic() > until or self._git.stopped():
                raise _Died
        chunk = os.read(self._fd, _CHUNK)
        if not chunk:
            raise _Died
        return chunk


def _portions(names: Sequence[str]) -> Iterator[list[str]]:
    portion: list[str] = []
    room = PORTION
    for name in names:
        if portion and len(name) >= room:
            yield portion
            portion, room = [], PORTION
        portion.append(name)
        room -= len(name) + 1
    if portion:
        yield portion
