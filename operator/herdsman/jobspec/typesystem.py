"""Types of the language: three primitives, three collections, two structures, and `any`.

A list has one element type while a tuple has one for each place, and so with maps and objects. People rarely see
the difference, but it decides what an error says and which conversions there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Type:
    kind: str
    element: Type | None = None
    items: tuple[Type, ...] = ()
    attributes: Mapping[str, Type] = field(default_factory=dict, hash=False)

    @property
    def is_primitive(self) -> bool:
        return self.kind in {"string", "number", "bool"}

    @property
    def is_collection(self) -> bool:
        return self.kind in {"list", "set", "map"}

    @property
    def of(self) -> Type:
        """The element type of a collection."""
        return self.element or ANY

    @cached_property
    def name(self) -> str:
        """How an error calls a value of this type."""
        return self._named("dynamic")

    @cached_property
    def constraint_name(self) -> str:
        """How an error calls what is wanted."""
        return "any type" if self.kind == "any" else self._named("any single type")

    def _named(self, anything: str) -> str:
        if self.kind == "any":
            return anything
        return f"{self.kind} of {self.of._named(anything)}" if self.is_collection else self.kind

    def __str__(self) -> str:
        """As one would write it in a `type` argument."""
        if self.kind == "object":
            return "object({" + ", ".join(f"{name} = {ty}" for name, ty in self.attributes.items()) + "})"
        if self.kind == "tuple":
            return "tuple([" + ", ".join(map(str, self.items)) + "])"
        return f"{self.kind}({self.of})" if self.is_collection else self.kind


STRING, NUMBER, BOOL, ANY = Type("string"), Type("number"), Type("bool"), Type("any")


def list_of(element: Type) -> Type:
    return Type("list", element)


def set_of(element: Type) -> Type:
    return Type("set", element)


def map_of(element: Type) -> Type:
    return Type("map", element)


def tuple_of(items: Iterable[Type]) -> Type:
    return Type("tuple", items=tuple(items))


def object_of(attributes: Mapping[str, Type]) -> Type:
    return Type("object", attributes=attributes)
