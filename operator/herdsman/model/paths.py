"""Paths into a job's API form, as `ignore` rules and differences write them.

    path  = name *( step )
    step  = "." name          a field of a block
          | "[" selector "]"  an element of a list or of a map
    name  = a letter or "_", then letters, digits, "_" or "-"
    selector = "*" (every element), or the name of one

A selector names a list's element by its `Name` or `Label` (`TaskGroups[web]`), or a map's entry by its key, which may
then hold any character (`Meta[app.kubernetes.io/name]`). `Meta.owner` and `Meta[owner]` are the same path; in a
selector, `\\` takes the next character literally, so `[\\*]` means an element that is called `*`.
"""

import re
from dataclasses import dataclass
from typing import Final

EXAMPLES: Final = "Meta.owner, TaskGroups[web].Count, TaskGroups[*].Tasks[main].Resources.MemoryMB"

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SELECTOR: Final = re.compile(r"\[((?:[^\\\[\]]|\\.)*)\]")
_LONGEST: Final = 512


@dataclass(frozen=True, slots=True)
class Step:
    """One step down: into the field or element *name*, None for every element."""

    name: str | None

    @property
    def every(self) -> bool:
        """Whether the step goes into every element."""
        return self.name is None


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps of a path, the first being a field of the job. Raises `ValueError` with words for a reader."""
    if len(text) > _LONGEST:
        raise ValueError(f"longer than {_LONGEST} characters")
    first = _NAME.match(text)
    if first is None:
        raise ValueError(f"a path begins with the name of a job's field, like {EXAMPLES}")
    steps = [Step(first[0])]
    at = first.end()
    while at < len(text):
        step, at = _next_step(text, at)
        steps.append(step)
    return tuple(steps)


def _next_step(text: str, at: int) -> tuple[Step, int]:
    if text[at] == ".":
        name = _NAME.match(text, at + 1)
        if name is None:
            raise ValueError(f"expected a field's name after the dot at character {at + 1}; other keys go in brackets")
        return Step(name[0]), name.end()
    if text[at] == "[":
        selector = _SELECTOR.match(text, at)
        if selector is None:
            raise ValueError(f"the bracket at character {at + 1} is not closed")
        return _selected(selector[1], at), selector.end()
    raise ValueError(f"expected . or [ at character {at + 1}")


def _selected(inside: str, at: int) -> Step:
    if not inside:
        raise ValueError(f"the brackets at character {at + 1} are empty; write [*] for every element")
    return Step(None if inside == "*" else re.sub(r"\\(.)", r"\1", inside))
