"""How much a jobspec may ask for, so that a hostile one ends in an error and not in a machine without memory.

Three bounds work together. No value is larger than `MAX_SIZE` or deeper than `MAX_DEPTH`, counted as if it were
written out in full, so whatever walks a value ends soon. A parse has one `Budget` of work for all expressions
together. And the parser refuses to nest deeper than `MAX_NESTING`.
"""

from __future__ import annotations

MAX_SOURCE = 2 << 20
MAX_NESTING = 64
MAX_DEPTH = 100
MAX_SIZE = 2 << 20
NODE = 8  # the size of a number, and of the shell of a collection; a string adds its characters


class LimitError(Exception):
    """Too large, too deep or too much work."""


class Budget:
    """The work one parse may do; a unit is about a character produced."""

    __slots__ = ("left",)

    def __init__(self, units: int = 8 << 20) -> None:
        self.left = units

    def spend(self, units: int) -> None:
        self.left -= units
        if self.left < 0:
            raise LimitError("Evaluating this job specification takes more work than any job needs.")


def check_size(size: int) -> int:
    if size > MAX_SIZE:
        raise LimitError(f"A value is larger than {MAX_SIZE >> 20} MiB.")
    return size
