"""What follows a value: `.name`, `[key]`, and the splats `.*` and `[*]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import Span
from .syntax import Access, AttributeStep, Expression, Index, IndexStep, Item, Literal, Reference, Splat, Step, Template
from .text import normalized

if TYPE_CHECKING:
    from .expressions import ExpressionReader
    from .lexer import Token

_NAME_REQUIRED = ("Invalid attribute name", "An attribute name is required after a dot.")


@dataclass
class TraversalReader:
    """Steps that are known now (names, literal keys) are collected; a computed key or a splat starts a new node."""

    reader: ExpressionReader
    _steps: list[Step] = field(default_factory=list)

    def read(self, value: Expression) -> Expression:
        links = 0
        while self.reader.at(".", "["):
            mark = self.reader.read()
            link = self._dot(value, mark) if mark.kind == "." else self._bracket(value, mark)
            if isinstance(link, Expression):
                value = link
                links += 1
                self.reader.deeper(mark.span)
            else:
                self._steps.append(link)
        for _ in range(links):
            self.reader.shallower()
        return self._with_steps(value)

    def _with_steps(self, value: Expression) -> Expression:
        steps, self._steps = self._steps, []
        return _stepped(value, steps)

    def _dot(self, value: Expression, dot: Token) -> Step | Expression:
        name = self.reader.read()
        if name.kind == "*":
            return self._attribute_splat(self._with_steps(value), dot.span.to(name.span))
        step = self._named_step(dot, name)
        if step is None:
            raise self.reader.fail(*_NAME_REQUIRED, name.span)
        return step

    def _named_step(self, dot: Token, name: Token, *, in_splat: bool = False) -> Step | None:
        if name.kind == "ident":
            return AttributeStep(normalized(name.text), dot.span.to(name.span))
        if name.kind == "number":
            return self._legacy_index(dot, name, in_splat=in_splat)
        return None

    def _legacy_index(self, dot: Token, number: Token, *, in_splat: bool) -> Step:
        """The old way to write [0]: .0"""
        if "." in number.text:
            first, second = number.text.split(".", 1)
            proper = "index syntax with a full splat expression [*]" if in_splat else "index syntax"
            detail = (
                "When using the legacy index syntax, chaining two indexes together is not permitted. Use the proper "
                f"{proper} instead, like [{first}][{second}]."
            )
            raise self.reader.fail("Invalid legacy index syntax", detail, number.span)
        return IndexStep(self.reader.number_value(number), dot.span.to(number.span))

    def _attribute_splat(self, value: Expression, marker: Span) -> Expression:
        """`list.*.name`: only names and numbers may follow."""
        steps: list[Step] = []
        while self.reader.at("."):
            dot = self.reader.read()
            name = self.reader.read()
            step = self._named_step(dot, name, in_splat=True)
            if step is not None:
                steps.append(step)
            elif name.kind == "*":
                raise self.reader.fail(
                    "Nested splat expression not allowed",
                    "A splat expression (*) cannot be used inside another attribute-only splat expression.",
                    name.span,
                )
            else:
                raise self.reader.fail(*_NAME_REQUIRED, name.span)
        each = _stepped(Item(marker), steps)
        return Splat(value.span.to(each.span), value, each, marker)

    def _bracket(self, value: Expression, opening: Token) -> Step | Expression:
        if self.reader.at("*"):
            return self._full_splat(self._with_steps(value), opening)
        with self.reader.newlines(matter=False):
            key = self.reader.expression()
            close = self.reader.read()
        if close.kind != "]":
            detail = 'The index operator must end with a closing bracket ("]").'
            raise self.reader.fail("Missing close bracket on index", detail, close.span)
        bracket = opening.span.to(close.span)
        if isinstance(key, Literal):
            return IndexStep(key.value, bracket)
        if isinstance(key, Template) and key.literal is not None:
            return IndexStep(key.literal, bracket)
        collection = self._with_steps(value)
        return Index(collection.span.to(bracket), collection, key, bracket)

    def _full_splat(self, value: Expression, opening: Token) -> Expression:
        """`list[*]` takes all that follows for each element."""
        self.reader.read()
        close = self.reader.read()
        if close.kind != "]":
            detail = 'The star for a full splat operator must be immediately followed by a closing bracket ("]").'
            raise self.reader.fail("Missing close bracket on splat index", detail, close.span)
        marker = opening.span.to(close.span)
        self.reader.deeper(marker)
        each = TraversalReader(self.reader).read(Item(marker))
        self.reader.shallower()
        return Splat(value.span.to(each.span), value, each, marker)


def _stepped(value: Expression, steps: Sequence[Step]) -> Expression:
    if not steps:
        return value
    span = value.span.to(steps[-1].span)
    if isinstance(value, Reference):
        return Reference(span, value.name, (*value.steps, *steps))
    return Access(span, value, tuple(steps))
