"""Where a field stands: found by walking a file's events again, so that nobody keeps marks of ten thousand specs.

A loc may hold more than the file does: pydantic names the member of a union that it tried (`steps.0.canary.weight`),
and that tag may equal a field's name. So the walk tries the field first and then, going back, the tag; it accepts a
way only when the loc's last element is found. Where none is, the deepest place that the loc leads to is the answer.
"""

from collections.abc import Callable
from typing import Any, Final

import yaml

from herdsman.core.problems import Loc, Place, Problem
from herdsman.core.yamlevents import DEEPEST, events, place_of


class _Node:
    """A value's place, its key's, and its children."""

    __slots__ = ("children", "key", "place")

    def __init__(self, place: Place, key: Place | None) -> None:
        self.place = place
        self.key = key
        self.children: dict[str | int, _Node] = {}


class Places:
    """The places of one file's fields. A file that breaks off is known up to there."""

    def __init__(self, path: str, data: bytes) -> None:
        walk = _Walk()
        try:
            for event in events(path, data):
                step = _STEPS.get(type(event))
                if step is not None:
                    step(walk, event)
        except Problem:
            pass  # whoever read the file has said so
        self._roots = walk.roots

    def find(self, index: int, loc: Loc, *, at_key: bool = False) -> Place | None:
        """Where the value at *loc* (its key, with *at_key*) stands in document *index*; None where that is empty.

        Where the field is missing it is the place of the innermost mapping or list that should hold it.
        """
        root = self._roots[index] if 0 <= index < len(self._roots) else None
        if root is None:
            return None
        node = _exact(root, loc)
        if node is None:
            return _deepest(root, loc).place
        return node.key if at_key and node.key is not None else node.place


def locate(path: str, data: bytes, index: int, loc: Loc) -> Place:
    """Line and column of the field at *loc* in document *index* of a file, of its parent where it is missing."""
    return Places(path, data).find(index, loc) or Place(1, 1)


def _exact(node: _Node, loc: Loc) -> _Node | None:
    """The node that *loc* leads to, if elements that name no child may be tags."""
    trail = [(node, 0)]
    while trail:
        here, at = trail.pop()
        if at == len(loc):
            return here
        if isinstance(loc[at], str) and at + 1 < len(loc):
            trail.append((here, at + 1))  # for later: it was a tag
        child = here.children.get(loc[at])
        if child is not None:
            trail.append((child, at + 1))
    return None


def _deepest(node: _Node, loc: Loc) -> _Node:
    for step in loc:
        node = node.children.get(step, node)
    return node


class _Walk:
    """One pass over events. Only the first of equal keys counts, and a key that is no scalar is passed over."""

    def __init__(self) -> None:
        self.roots: list[_Node | None] = []
        self.open: list[_Node] = []
        self.is_list: list[bool] = []
        self.key: list[tuple[str, Place] | None] = []

    def begin(self, event: Any) -> None:
        self.roots.append(None)

    def scalar(self, event: Any) -> None:
        if self.open and not self.is_list[-1] and self.key[-1] is None:
            self.key[-1] = (event.value, place_of(event.start_mark))
        else:
            self._add(event)

    def enter(self, event: Any) -> None:
        if len(self.open) == DEEPEST:
            raise Problem("too deep")  # PyYAML's parser slows down with every level
        node = self._add(event)
        self.open.append(node)
        self.is_list.append(type(event) is yaml.SequenceStartEvent)
        self.key.append(None)

    def leave(self, event: Any) -> None:
        self.open.pop()
        self.is_list.pop()
        self.key.pop()

    def _add(self, event: Any) -> _Node:
        place = place_of(event.start_mark)
        if not self.open:
            self.roots[-1] = node = _Node(place, None)
            return node
        parent = self.open[-1]
        if self.is_list[-1]:
            return parent.children.setdefault(len(parent.children), _Node(place, None))
        key, self.key[-1] = self.key[-1], None
        if key is None:
            return _Node(place, None)
        return parent.children.setdefault(key[0], _Node(place, key[1]))


_STEPS: Final[dict[type, Callable[[_Walk, Any], None]]] = {
    yaml.DocumentStartEvent: _Walk.begin,
    yaml.ScalarEvent: _Walk.scalar,
    yaml.AliasEvent: _Walk.scalar,
    yaml.SequenceStartEvent: _Walk.enter,
    yaml.MappingStartEvent: _Walk.enter,
    yaml.SequenceEndEvent: _Walk.leave,
    yaml.MappingEndEvent: _Walk.leave,
}
