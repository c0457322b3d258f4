"""What is wrong with an input, before it is known in which file it stands."""

from collections.abc import Collection
from typing import Final, NamedTuple

Loc = tuple[str | int, ...]
"""The way from a document's root to a field: keys, and numbers of list elements."""

MOST_FAULTS: Final = 100
"""How many faults of one document are told."""


class Place(NamedTuple):
    """Line and column, counted from 1."""

    line: int
    column: int


class Fault(NamedTuple):
    """One thing that is wrong with the field at *loc*.

    *at_key* where its key is what is wrong, not its value; *known* are then the names or values that it may have been
    meant to be. The nearest is looked for when the fault is told, for a file may hold thousands.
    """

    loc: Loc
    message: str
    hint: str = ""
    at_key: bool = False
    known: Collection[str] = ()


class Problem(Exception):
    """Why a text cannot be read at all. *place* is None where the whole file is meant."""

    def __init__(self, message: str, hint: str = "", *, place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place
