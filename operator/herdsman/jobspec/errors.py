"""What is wrong with a jobspec, and where.

A `Diagnostic` is one finding with its place; a `JobspecError` carries all of them. Its text is the body of the 400
that Nomad's `/v1/jobs/parse` answers, so a server may send it as it is, while the command line prints the
diagnostics one by one. Texts follow Nomad's, because people search for them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .text import graphemes

PREFIX = "Failed to parse job: "
# More than anyone reads; what a file of nothing but mistakes would lead to has to end somewhere.
MAX_FINDINGS = 200
# In longer lines columns count code points, which is cheap, and not graphemes.
_MAX_COUNTED = 2000


class Position(NamedTuple):
    """One-based; a column counts what a reader takes for one character."""

    line: int
    column: int


@dataclass(frozen=True, eq=False)
class Source:
    """A text with its name, able to tell the line and column of an offset."""

    name: str
    text: str

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        at = self.text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = self.text.find("\n", at + 1)
        return starts

    def position(self, offset: int) -> Position:
        line = bisect_right(self._line_starts, offset)
        before = self.text[self._line_starts[line - 1] : offset]
        if len(before) > _MAX_COUNTED or before.isascii():
            return Position(line, 1 + len(before))
        return Position(line, 1 + sum(1 for _ in graphemes(before)))


class Span(NamedTuple):
    """A stretch of a source. Offsets are kept and lines are counted only when an error needs them."""

    source: Source
    start: int
    end: int

    def to(self, other: Span) -> Span:
        return Span(self.source, self.start, other.end)

    def at_start(self) -> Span:
        return Span(self.source, self.start, self.start)

    def at_end(self) -> Span:
        return Span(self.source, self.end, self.end)

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def __str__(self) -> str:
        first, last = self.source.position(self.start), self.source.position(self.end)
        end = f"{last.column}" if first.line == last.line else f"{last.line},{last.column}"
        return f"{self.source.name}:{first.line},{first.column}-{end}"


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One finding. Without a place (an unset variable has none) line and column are 0."""

    summary: str
    detail: str
    filename: str = ""
    line: int = 0
    column: int = 0
    place: str = "<nil>"
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.summary}; {self.detail}"


def diagnostic(summary: str, detail: str, *, span: Span | None = None, hint: str = "") -> Diagnostic:
    if span is None:
        return Diagnostic(summary=summary, detail=detail, hint=hint)
    line, column = span.source.position(span.start)
    return Diagnostic(
        summary=summary, detail=detail, filename=span.source.name, line=line, column=column, place=str(span), hint=hint
    )


class JobspecError(Exception):
    """A jobspec that does not make a job."""

    def __init__(self, text: str, diagnostics: Sequence[Diagnostic] = ()) -> None:
        super().__init__(text)
        self.diagnostics = tuple(diagnostics)


def syntax_error(diagnostics: Sequence[Diagnostic]) -> JobspecError:
    """A source that cannot be read: Nomad names the first reason and counts the others."""
    others = f", and {len(diagnostics) - 1} other diagnostic(s)" if len(diagnostics) > 1 else ""
    return JobspecError(f"{PREFIX}{diagnostics[0]}{others}", diagnostics)


def content_error(diagnostics: Sequence[Diagnostic]) -> JobspecError:
    """A source that can be read but makes no job: Nomad lists every reason, one a line."""
    return JobspecError(PREFIX + "\n".join(map(str, diagnostics)), diagnostics)


def nearest(given: str, known: Iterable[str]) -> str:
    """The first known name within two edits, or nothing: enough for a typing slip, too little for a guess."""
    return next((name for name in known if _distance(given, name, 3) < 3), "")


def did_you_mean(given: str, known: Iterable[str]) -> str:
    name = nearest(given, known)
    return f' Did you mean "{name}"?' if name else ""


def _distance(left: str, right: str, limit: int) -> int:
    if abs(len(left) - len(right)) >= limit:
        return limit
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]
