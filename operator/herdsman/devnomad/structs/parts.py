"""What a block's entry in a diff is made of.

A block shows its scalars and its maps of scalars by itself. An entry adds its name in the diff, keys that stay hidden,
and the parts inside: lists of strings, blocks, lists and maps of blocks. `blocks` has the entries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from herdsman.devnomad.structs import flat
from herdsman.devnomad.structs.shapes import SHAPES, Json, Shape

Leaves = dict[str, str]


@dataclass(frozen=True)
class Strings:
    """A list of strings, compared as a set; it shows as an object with one field per string."""

    key: str
    if_changed: bool = False


@dataclass(frozen=True)
class One:
    """A block inside a block."""

    key: str
    block: "Block"


@dataclass(frozen=True)
class Each:
    """A list of blocks: two are the same one where `identity` agrees; without one, where they are equal."""

    key: str
    block: "Block"
    identity: str | None = None


@dataclass(frozen=True)
class Services:
    """A list of services: they have no identity, so the best match counts."""

    key: str
    block: "Block"


@dataclass(frozen=True)
class Named:
    """A map from names to blocks."""

    key: str
    block: "Block"


Part = Strings | One | Each | Services | Named


@dataclass(frozen=True)
class Block:
    """A block's entry. `by_leaves`: its leaves say whether it was added, deleted or edited, not its presence."""

    name: str
    shape: str = ""
    hidden: frozenset[str] = frozenset()
    parts: tuple[Part, ...] = ()
    by_leaves: bool = False
    contextual: bool = True
    special: Callable[[Json], Leaves] | None = None

    @cached_property
    def _keys(self) -> tuple[tuple[str, str], ...]:
        """Keys of scalars, with the text of their zero."""
        return tuple(_scalars(SHAPES[self.shape], self.hidden)) if self.shape else ()

    @cached_property
    def _maps(self) -> tuple[str, ...]:
        fields = SHAPES[self.shape].fields.values() if self.shape else ()
        maps = (one.name for one in fields if one.note != "api" and one.type.go == "map[string]string")
        return tuple(name for name in maps if name not in self.hidden)

    def leaves(self, value: Json) -> Leaves:
        """What the block shows by itself."""
        text = flat.text
        found = {key: text(value[key]) if key in value else zero for key, zero in self._keys}
        for key in self._maps:
            for name, inner in (value.get(key) or {}).items():
                found[f"{key}[{name}]"] = inner
        return found | self.special(value) if self.special else found


def _scalars(shape: Shape, hidden: frozenset[str]) -> list[tuple[str, str]]:
    scalars = {"string", "bool", "int", "int8", "int64", "uint8", "uint16", "uint64", "time.Duration"}
    return [
        (one.name, flat.text(one.stored_zero))
        for one in shape.fields.values()
        if one.type.go in scalars and one.note not in ("api", "null") and one.name not in hidden
    ]
