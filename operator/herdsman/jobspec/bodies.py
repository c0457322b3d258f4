"""What a body may hold, checked; and `dynamic` blocks turned into the blocks they stand for.

A block read here is bound to a scope, because a block that comes from a `dynamic` one sees the iterator's key and
value, and so does everything inside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from .conversion import ConversionError, to_string
from .errors import Span, content_error, diagnostic, did_you_mean
from .evaluation import evaluate
from .limits import LimitError
from .scope import Run, Scope
from .syntax import Attribute, Block, Body, Expression, Reference, Tuple
from .text import go_quote
from .values import UNKNOWN, Composite, ObjectValue, Value, elements, size_of, type_of


@dataclass(frozen=True)
class Shape:
    """The arguments a body may have, and its blocks with how the label of each is called ("" for none)."""

    arguments: tuple[str, ...] = ()
    blocks: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()


@dataclass(frozen=True)
class BoundBlock:
    """A block, written or made by a `dynamic` one, with the scope its content is read in."""

    type: str
    label: str
    body: Body
    scope: Scope
    header: Span


@dataclass(frozen=True)
class Content:
    attributes: Mapping[str, Attribute]
    blocks: tuple[BoundBlock, ...]

    def of(self, block_type: str) -> list[BoundBlock]:
        return [block for block in self.blocks if block.type == block_type]


_DYNAMIC = Shape(("for_each", "iterator", "labels"), {"content": ""}, ("for_each",))


def read_body(body: Body, shape: Shape, scope: Scope, *, dynamic: bool = True) -> Content:
    """The known arguments and blocks; whatever else there is gets reported."""
    for name in shape.required:
        if name not in body.attributes:
            detail = f"The argument {go_quote(name)} is required, but no definition was found."
            scope.run.report("Missing required argument", detail, body.span.at_start())
    known = {**shape.blocks, "dynamic": "type"} if dynamic else shape.blocks
    blocks = [block for block in body.blocks if _has_labels(block, known, scope)]
    _report_unknown_arguments(body, shape, scope)
    _report_unknown_blocks(body, shape, known, scope)
    attributes = {name: attribute for name, attribute in body.attributes.items() if name in shape.arguments}
    bound: list[BoundBlock] = []
    for block in blocks:
        if dynamic and block.type == "dynamic":
            bound.extend(_expanded(block, shape, scope))
        else:
            bound.append(BoundBlock(block.type, "".join(block.labels), block.body, scope, block.header))
    return Content(attributes, tuple(bound))


def _has_labels(block: Block, known: Mapping[str, str], scope: Scope) -> bool:
    label = known.get(block.type)
    if label is None:
        return False
    if len(block.labels) > (1 if label else 0):
        expected = f"Only 1 labels ({label})" if label else "No labels"
        detail = f"{expected} are expected for {block.type} blocks."
        scope.run.report(f"Extraneous label for {block.type}", detail, block.label_spans[1 if label else 0])
        return False
    if label and not block.labels:
        detail = f"All {block.type} blocks must have 1 labels ({label})."
        scope.run.report(f"Missing {label} for {block.type}", detail, block.open_span)
        return False
    return True


def _report_unknown_arguments(body: Body, shape: Shape, scope: Scope) -> None:
    for name, attribute in body.attributes.items():
        if name in shape.arguments:
            continue
        suggestion = did_you_mean(name, (known for known in shape.arguments if known not in body.attributes))
        if not suggestion and name in shape.blocks:
            suggestion = f" Did you mean to define a block of type {go_quote(name)}?"
        detail = f"An argument named {go_quote(name)} is not expected here.{suggestion}"
        scope.run.report("Unsupported argument", detail, attribute.name_span)


def _report_unknown_blocks(body: Body, shape: Shape, known: Mapping[str, str], scope: Scope) -> None:
    for block in body.blocks:
        if block.type in known:
            continue
        suggestion = did_you_mean(block.type, known)
        if not suggestion and block.type in shape.arguments:
            suggestion = (
                f" Did you mean to define argument {go_quote(block.type)}? If so, use the equals sign to assign it a "
                "value."
            )
        detail = f"Blocks of type {go_quote(block.type)} are not expected here.{suggestion}"
        scope.run.report("Unsupported block type", detail, block.type_span)


def argument(attribute: Attribute, scope: Scope) -> Value:
    """The value of an argument. A broken limit ends the parse here, where the place is known."""
    try:
        value = evaluate(attribute.value, scope)
        scope.run.budget.spend(size_of(value))
    except LimitError as error:
        finding = diagnostic("Job specification too complex", str(error), span=attribute.value.span)
        raise content_error([*scope.run.findings, finding]) from None
    return value


def just_attributes(body: Body, run: Run) -> Iterable[Attribute]:
    """The attributes of a body that may have nothing else."""
    if body.blocks:
        block = body.blocks[0]
        run.report(f"Unexpected {go_quote(block.type)} block", "Blocks are not allowed here.", block.type_span)
    return body.attributes.values()


# -- dynamic blocks ---------------------------------------------------------------------------------------------------


def _expanded(block: Block, shape: Shape, scope: Scope) -> Iterator[BoundBlock]:
    made = block.labels[0]
    if made not in shape.blocks:
        detail = f"Blocks of type {go_quote(made)} are not expected here."
        scope.run.report("Unsupported block type", detail, block.label_spans[0])
        return
    before = len(scope.run.findings)
    content = read_body(block.body, _DYNAMIC, scope, dynamic=False)
    if len(scope.run.findings) > before:
        return
    collection = _for_each(content.attributes["for_each"], scope)
    iterator = _iterator(content.attributes.get("iterator"), made, scope)
    labels = _labels(content.attributes.get("labels"), block, shape, scope)
    body = _content(content, block, scope)
    if collection is None or iterator is None or labels is None or body is None:
        return
    for key, value in elements(collection):
        inner = scope.inner({iterator: ObjectValue({"key": key, "value": value})})
        label = "".join(_label(expression, inner) for expression in labels)
        yield BoundBlock(made, label, body, inner, block.header)


def _for_each(attribute: Attribute, scope: Scope) -> Composite | None:
    value = argument(attribute, scope)
    if isinstance(value, Composite) or value is UNKNOWN:
        return value if isinstance(value, Composite) else None
    detail = "Cannot use a null value in for_each."
    if value is not None:
        detail = f"Cannot use a {type_of(value).name} value in for_each. An iterable collection is required."
    scope.run.report("Invalid dynamic for_each value", detail, attribute.value.span)
    return None


def _iterator(attribute: Attribute | None, default: str, scope: Scope) -> str | None:
    if attribute is None:
        return default
    name = attribute.value
    if isinstance(name, Reference) and not name.steps:
        return name.name
    scope.run.report("Invalid dynamic iterator name", "Dynamic iterator must be a single variable name.", name.span)
    return None


def _labels(attribute: Attribute | None, block: Block, shape: Shape, scope: Scope) -> tuple[Expression, ...] | None:
    labels: tuple[Expression, ...] = ()
    span = block.header
    if attribute is not None:
        if not isinstance(attribute.value, Tuple):
            scope.run.report("Invalid expression", "A static list expression is required.", attribute.value.start)
            return None
        labels, span = attribute.value.items, attribute.value.span
    made = block.labels[0]
    wanted = 1 if shape.blocks[made] else 0
    if len(labels) == wanted:
        return labels
    summary = "Insufficient dynamic block labels"
    if len(labels) > wanted:
        summary, span = "Extraneous dynamic block label", labels[wanted].span
    scope.run.report(summary, f"Blocks of type {go_quote(made)} require {wanted} label(s).", span)
    return None


def _label(expression: Expression, scope: Scope) -> str:
    value = evaluate(expression, scope)
    summary = "Invalid dynamic block label"
    if value is None:
        scope.run.report(summary, "Cannot use a null value as a dynamic block label.", expression.span)
    try:
        text = to_string(value)
    except ConversionError as error:
        scope.run.report(summary, f"Cannot use this value as a dynamic block label: {error}.", expression.span)
        return ""
    return text if isinstance(text, str) else ""


def _content(content: Content, block: Block, scope: Scope) -> Body | None:
    found = content.of("content")
    if len(found) == 1:
        return found[0].body
    if found:
        detail = "Only one nested content block is allowed for each dynamic block."
        scope.run.report("Extraneous dynamic content block", detail, found[1].header)
    else:
        detail = (
            'A dynamic block must have a nested block of type "content" to describe the body of each generated block.'
        )
        scope.run.report("Missing dynamic content block", detail, block.body.span.at_start())
    return None
