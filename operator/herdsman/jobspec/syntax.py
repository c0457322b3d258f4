"""The syntax tree: what the parser makes and the evaluator walks.

Every expression knows its `span`, and the `start` to which an error about its value points: for a list that is the
opening bracket, for a quoted string its first part, and so on, as Nomad's errors have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from .errors import Span
from .values import Value


@dataclass(frozen=True, slots=True)
class Expression:
    span: Span

    @property
    def start(self) -> Span:
        return self.span

    def children(self) -> Iterator[Expression]:
        yield from ()


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    value: Value


@dataclass(frozen=True, slots=True)
class AttributeStep:
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class IndexStep:
    key: Value
    span: Span


Step: TypeAlias = AttributeStep | IndexStep


@dataclass(frozen=True, slots=True)
class Reference(Expression):
    """A name, and steps into its value: var.image, local.ports[0]."""

    name: str
    steps: tuple[Step, ...]

    @property
    def root(self) -> Span:
        return Span(self.span.source, self.span.start, self.span.start + len(self.name))


@dataclass(frozen=True, slots=True)
class Access(Expression):
    """Steps into the value of any other expression."""

    source: Expression
    steps: tuple[Step, ...]

    def children(self) -> Iterator[Expression]:
        yield self.source


@dataclass(frozen=True, slots=True)
class Index(Expression):
    """An index that has to be computed."""

    collection: Expression
    key: Expression
    bracket: Span

    @property
    def start(self) -> Span:
        return Span(self.bracket.source, self.bracket.start, self.bracket.start + 1)

    def children(self) -> Iterator[Expression]:
        yield from (self.collection, self.key)


@dataclass(frozen=True, slots=True)
class Item(Expression):
    """The element that the splat around it looks at."""


@dataclass(frozen=True, slots=True)
class Splat(Expression):
    source: Expression
    each: Expression
    marker: Span

    @property
    def start(self) -> Span:
        return self.marker

    def children(self) -> Iterator[Expression]:
        yield from (self.source, self.each)


@dataclass(frozen=True, slots=True)
class Call(Expression):
    name: str
    arguments: tuple[Expression, ...]
    expand: bool
    name_span: Span
    close: Span

    @property
    def start(self) -> Span:
        return Span(self.name_span.source, self.name_span.start, self.name_span.end + 1)

    def children(self) -> Iterator[Expression]:
        yield from self.arguments


@dataclass(frozen=True, slots=True)
class Conditional(Expression):
    condition: Expression
    positive: Expression
    negative: Expression

    @property
    def start(self) -> Span:
        return self.condition.start

    def children(self) -> Iterator[Expression]:
        yield from (self.condition, self.positive, self.negative)


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    """Operators of one precedence in a row: `a + b - c`, applied from the left."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]

    @property
    def start(self) -> Span:
        return self.first.start

    def children(self) -> Iterator[Expression]:
        yield self.first
        for _, operand in self.rest:
            yield operand


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    operator: str
    operand: Expression

    @property
    def start(self) -> Span:
        return Span(self.span.source, self.span.start, self.span.start + 1)

    def children(self) -> Iterator[Expression]:
        yield self.operand


@dataclass(frozen=True, slots=True)
class Parentheses(Expression):
    inner: Expression

    @property
    def start(self) -> Span:
        return self.inner.start

    def children(self) -> Iterator[Expression]:
        yield self.inner


@dataclass(frozen=True, slots=True)
class Tuple(Expression):
    items: tuple[Expression, ...]

    @property
    def start(self) -> Span:
        return Span(self.span.source, self.span.start, self.span.start + 1)

    def children(self) -> Iterator[Expression]:
        yield from self.items


@dataclass(frozen=True, slots=True)
class Object(Expression):
    items: tuple[tuple[Expression, Expression], ...]

    @property
    def start(self) -> Span:
        return Span(self.span.source, self.span.start, self.span.start + 1)

    def children(self) -> Iterator[Expression]:
        for key, value in self.items:
            if not (isinstance(key, Reference) and not key.steps):
                yield key
            yield value


@dataclass(frozen=True, slots=True)
class For(Expression):
    key_name: str
    value_name: str
    collection: Expression
    key: Expression | None
    value: Expression
    condition: Expression | None
    group: bool
    opening: Span

    @property
    def start(self) -> Span:
        return self.opening

    def children(self) -> Iterator[Expression]:
        yield from (part for part in (self.collection, self.key, self.value, self.condition) if part is not None)


@dataclass(frozen=True, slots=True)
class Template(Expression):
    parts: tuple[Expression, ...]

    @property
    def start(self) -> Span:
        return self.parts[0].start

    @property
    def literal(self) -> str | None:
        """The text, if the template is nothing but text."""
        only = self.parts[0]
        return (
            only.value if len(self.parts) == 1 and isinstance(only, Literal) and isinstance(only.value, str) else None
        )

    def children(self) -> Iterator[Expression]:
        yield from self.parts


@dataclass(frozen=True, slots=True)
class Wrapped(Expression):
    """A template that is one interpolation: "${x}" is x itself, of whatever type."""

    inner: Expression

    def children(self) -> Iterator[Expression]:
        yield self.inner


@dataclass(frozen=True, slots=True)
class Joined(Expression):
    """A `for` directive of a template: the texts of its rounds, one after the other."""

    loop: For

    @property
    def start(self) -> Span:
        return self.loop.start

    def children(self) -> Iterator[Expression]:
        yield self.loop


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    value: Expression
    name_span: Span


@dataclass(frozen=True, slots=True)
class Block:
    type: str
    labels: tuple[str, ...]
    body: Body
    type_span: Span
    label_spans: tuple[Span, ...]
    open_span: Span

    @property
    def header(self) -> Span:
        return self.type_span.to(self.label_spans[-1]) if self.label_spans else self.type_span


@dataclass(frozen=True, slots=True)
class Body:
    attributes: dict[str, Attribute]
    blocks: tuple[Block, ...]
    span: Span

    def expressions(self) -> Iterator[Expression]:
        """Every expression in the body, at any depth."""
        for attribute in self.attributes.values():
            yield from walk(attribute.value)
        for block in self.blocks:
            yield from block.body.expressions()


def walk(expression: Expression) -> Iterator[Expression]:
    """An expression and all that are inside it."""
    pending = [expression]
    while pending:
        part = pending.pop()
        yield part
        pending.extend(part.children())


def keyword(expression: Expression) -> str:
    """The bare word that the expression is, or nothing."""
    if isinstance(expression, Reference) and not expression.steps:
        return expression.name
    if isinstance(expression, Literal) and (expression.value is None or isinstance(expression.value, bool)):
        return {None: "null", True: "true", False: "false"}[expression.value]
    return ""
