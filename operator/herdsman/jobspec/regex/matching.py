"""Running a program over a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from herdsman.jobspec.limits import NODE, check_size

from .program import Compiler, Step
from .reader import PatternReader
from .tree import WORD, PatternError

_Notes: TypeAlias = tuple[int, ...]


@dataclass
class _Threads:
    """The steps that wait for the next character, in order of preference, each with what it noted on its way."""

    waiting: dict[int, _Notes] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)


# What it costs to be at a step of the program: to look at a class, and to copy notes.
_STEP_COST = 4
_MAX_GROUPS = 100


class Pattern:
    def __init__(self, pattern: str) -> None:
        reader = PatternReader(pattern)
        compiler = Compiler()
        compiler.emit(reader.read())
        self._program = [*compiler.program, Step("match")]
        if reader.groups > _MAX_GROUPS:
            raise PatternError("expression has too many groups")
        self._names = reader.names
        self._notes = 2 * (reader.groups + 1)

    def search(self, text: str, start: int, spend: Callable[[int], None]) -> _Notes | None:
        """(start, end, start of group 1, end of group 1, ...) of the first match from `start` on; -1 where a group
        took no part.
        """
        threads = _Threads()
        found: _Notes | None = None
        for at in range(start, len(text) + 1):
            if found is None:
                self._follow(threads, 0, text, at, (at, *(-1,) * (self._notes - 1)))
            elif not threads.waiting:
                break
            spend(NODE + _STEP_COST * len(threads.seen))
            advanced = _Threads()
            for step, notes in threads.waiting.items():
                here = self._program[step]
                if here.kind == "match":
                    found = (notes[0], at, *notes[2:])
                    break
                if at < len(text) and text[at] in here.accepts:
                    self._follow(advanced, step + 1, text, at + 1, notes)
            threads = advanced
        return found

    def _follow(self, threads: _Threads, step: int, text: str, at: int, notes: _Notes) -> None:
        """Add each step that consumes or matches and is reached without consuming."""
        pending = [(step, notes)]
        while pending:
            step, notes = pending.pop()
            if step in threads.seen:
                continue
            threads.seen.add(step)
            here = self._program[step]
            if here.kind == "fork":
                pending.extend((target, notes) for target in reversed(here.targets))
            elif here.kind == "save":
                pending.append((step + 1, (*notes[: here.note], at, *notes[here.note + 1 :])))
            elif here.kind == "anchor":
                if _holds(here.anchor, text, at):
                    pending.append((step + 1, notes))
            else:
                threads.waiting[step] = notes

    def replace(self, text: str, replacement: str, spend: Callable[[int], None]) -> str:
        """Every match replaced; $1 and ${name} in the replacement stand for groups."""
        template = list(self._template(replacement))
        result: list[str] = []
        size = after = at = 0
        while at <= len(text):
            notes = self.search(text, at, spend)
            if notes is None:
                break
            start, end = notes[0], notes[1]
            new = [text[after:start]]
            # Not for an empty match right after another one.
            if end > after or start == 0:
                new.extend(part if isinstance(part, str) else _group_text(text, notes, part) for part in template)
            size = check_size(size + sum(map(len, new)))
            result.extend(new)
            after = end
            at = max(end, at + 1)
        return "".join(result) + text[after:]

    def _template(self, replacement: str) -> Iterator[str | int]:
        rest = replacement
        while "$" in rest:
            before, _, rest = rest.partition("$")
            yield before
            if rest.startswith("$"):
                yield "$"
                rest = rest[1:]
                continue
            name, rest_after = _reference_name(rest)
            if not name:
                yield "$"
                continue
            rest = rest_after
            if name.isascii() and name.isdigit():
                yield int(name[:6])
            elif name in self._names:
                yield self._names[name]
        yield rest


def _reference_name(text: str) -> tuple[str, str]:
    if text.startswith("{"):
        name, closed, rest = text[1:].partition("}")
        return (name, rest) if closed and name.replace("_", "a").isalnum() else ("", text)
    length = 0
    while length < len(text) and (text[length].isalnum() or text[length] == "_"):
        length += 1
    return text[:length], text[length:]


def _group_text(text: str, notes: _Notes, group: int) -> str:
    if 2 * group + 1 >= len(notes) or notes[2 * group] < 0:
        return ""
    return text[notes[2 * group] : notes[2 * group + 1]]


def _holds(anchor: str, text: str, at: int) -> bool:
    if anchor == "start":
        return at == 0
    if anchor == "end":
        return at == len(text)
    if anchor == "line start":
        return at == 0 or text[at - 1] == "\n"
    if anchor == "line end":
        return at == len(text) or text[at] == "\n"
    boundary = (at > 0 and text[at - 1] in WORD) != (at < len(text) and text[at] in WORD)
    return boundary == (anchor == "boundary")
