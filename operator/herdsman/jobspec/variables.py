"""Input variables and locals.

A `variable` block declares a name that the job needs from outside; `locals` name values of the job's own. The
values from outside come as HCL assignments, as one JSON object, or as a Python mapping; those that nothing declares
are let pass, since one set of values often serves many jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from .bodies import BoundBlock, Content, Shape, argument, just_attributes, read_body
from .conversion import ConversionError, convert
from .errors import PREFIX, JobspecError, Source, Span, content_error, diagnostic, syntax_error
from .json_text import decode_json, from_plain
from .parser import parse_source
from .scope import Run, Scope
from .syntax import Attribute, AttributeStep, Expression, IndexStep, Reference, walk
from .text import encodable, go_quote
from .typeexpr import SUMMARY, TypeExpressionError, read_type
from .typesystem import ANY, BOOL, Type
from .values import ObjectValue, Value, type_of

_UNSET = (
    "A used variable must be set or have a default value; see "
    "https://developer.hashicorp.com/nomad/docs/job-specification/hcl2/syntax for details."
)
_VARIABLE = Shape(("description", "type", "default"), {"validation": ""})
_VALIDATION = Shape(("condition", "error_message"), {}, ("condition", "error_message"))


@dataclass(frozen=True)
class Given:
    """A value from outside, with its place if it has one."""

    value: Value
    span: Span | None = None


@dataclass(frozen=True)
class Validation:
    condition: Expression
    message: str
    header: Span


@dataclass(frozen=True)
class Declaration:
    name: str
    type: Type
    header: Span
    default: Given | None = None
    description: str = ""
    validations: tuple[Validation, ...] = field(default=())


# -- declarations -----------------------------------------------------------------------------------------------------


def read_declarations(content: Content, run: Run) -> list[Declaration]:
    declared: dict[str, Declaration] = {}
    for declaration in _declarations(content, run):
        if declaration.name in declared:
            detail = f"Duplicate {declaration.name} variable definition found."
            run.report("Duplicate variable", detail, declaration.header)
        declared.setdefault(declaration.name, declaration)
    return list(declared.values())


def _declarations(content: Content, run: Run) -> Iterator[Declaration]:
    literals = Scope(run, {}, literals_only=True)
    for block in content.blocks:
        if block.type == "variable":
            yield _declaration(block, literals)
        elif block.type == "variables":
            for attribute in just_attributes(block.body, run):
                value = argument(attribute, literals)
                yield Declaration(attribute.name, _type_of_default(value), attribute.name_span, Given(value))


def _declaration(block: BoundBlock, literals: Scope) -> Declaration:
    content = read_body(block.body, _VARIABLE, literals, dynamic=False)
    given_type = content.attributes.get("type")
    ty = _read_type(given_type, literals.run) if given_type else None
    default = None
    if "default" in content.attributes:
        attribute = content.attributes["default"]
        value = argument(attribute, literals)
        ty = ty or _type_of_default(value)
        default = Given(_default(value, ty, attribute, literals.run), attribute.value.span)
    description = content.attributes.get("description")
    text = argument(description, literals) if description else ""
    return Declaration(
        block.label,
        ty or ANY,
        block.header,
        default,
        text if isinstance(text, str) else "",
        tuple(_validations(content, literals)),
    )


def _read_type(attribute: Attribute, run: Run) -> Type:
    try:
        return read_type(attribute.value)
    except TypeExpressionError as error:
        run.report(SUMMARY, error.detail, error.span)
        return ANY


def _type_of_default(value: Value) -> Type:
    """A default without a `type` says which primitive is meant; of a list or object it is only an example."""
    return type_of(value) if type_of(value).is_primitive else ANY


def _default(value: Value, ty: Type, attribute: Attribute, run: Run) -> Value:
    try:
        return convert(value, ty)
    except ConversionError as error:
        detail = f"This default value is not compatible with the variable's type constraint: {error}."
        return run.report("Invalid default value for variable", detail, attribute.value.span)


def _validations(content: Content, literals: Scope) -> Iterator[Validation]:
    for block in content.of("validation"):
        rule = read_body(block.body, _VALIDATION, literals, dynamic=False)
        if "condition" not in rule.attributes:
            detail = "validation requires a condition."
            literals.run.report("Invalid variable validation specification", detail, block.header)
        elif "error_message" in rule.attributes:
            message = argument(rule.attributes["error_message"], literals)
            text = message if isinstance(message, str) else ""
            yield Validation(rule.attributes["condition"].value, text, block.header)


# -- values from outside ----------------------------------------------------------------------------------------------


def read_given(variables: str | Mapping[str, object] | None, filename: str) -> dict[str, Given]:
    if variables is None:
        return {}
    if isinstance(variables, str):
        return _from_text(encodable(variables), filename)
    try:
        return {name: Given(from_plain(value)) for name, value in variables.items()}
    except ValueError as error:
        raise JobspecError(f"{PREFIX}invalid variables: {error}") from None


def _from_text(text: str, filename: str) -> dict[str, Given]:
    source = Source(filename, text)
    if text.lstrip().startswith("{"):
        return _from_json(source)
    run = Run({})
    literals = Scope(run, {}, literals_only=True)
    attributes = just_attributes(parse_source(source), run)
    given = {attribute.name: Given(argument(attribute, literals), attribute.value.span) for attribute in attributes}
    if run.findings:
        raise content_error(run.findings)
    return given


def _from_json(source: Source) -> dict[str, Given]:
    try:
        value = decode_json(source.text)
    except ValueError as error:
        finding = diagnostic(
            "Invalid JSON", f"The variables are not one JSON object: {error}.", span=Span(source, 0, 1)
        )
        raise syntax_error([finding]) from None
    assert isinstance(value, ObjectValue)
    return {name: Given(part) for name, part in value.entries.items()}


def assign(declarations: Iterable[Declaration], given: Mapping[str, Given], run: Run) -> dict[str, Value]:
    """The value of every declared variable: the one given, or the default; converted, and checked by its
    validations.
    """
    values: dict[str, Value] = {}
    for declaration in declarations:
        chosen = given.get(declaration.name, declaration.default)
        if chosen is None:
            run.report(f"Unset variable {go_quote(declaration.name)}", _UNSET, None)
            continue
        values[declaration.name] = _converted(declaration, chosen, run)
        _validate(declaration, values[declaration.name], run)
    return values


def _converted(declaration: Declaration, given: Given, run: Run) -> Value:
    try:
        return convert(given.value, declaration.type)
    except ConversionError as error:
        detail = f"The value for {declaration.name} is not compatible with the variable's type constraint: {error}."
        return run.report("Invalid value for variable", detail, given.span)


def _validate(declaration: Declaration, value: Value, run: Run) -> None:
    scope = Scope(run, {"var": ObjectValue({declaration.name: value})})
    for rule in declaration.validations:
        holds = argument(Attribute("condition", rule.condition, rule.header), scope)
        try:
            holds = convert(holds, BOOL)
        except ConversionError as error:
            detail = f"Invalid validation condition result value: {error}."
            run.report("Invalid variable validation result", detail, rule.condition.span)
            continue
        if holds is False or holds is None:
            detail = f"{rule.message}\n\nThis was checked by the validation rule at {rule.header}."
            run.report("Invalid value for variable", detail, rule.condition.span)


# -- locals -----------------------------------------------------------------------------------------------------------


def read_locals(content: Content, variables: ObjectValue, run: Run) -> dict[str, Value]:
    """Locals may refer to each other in any order, only not in a circle."""
    written: dict[str, Attribute] = {}
    for block in content.of("locals"):
        for attribute in just_attributes(block.body, run):
            if attribute.name in written:
                detail = f"Duplicate {attribute.name} definition found."
                run.report("Duplicate value in locals", detail, attribute.name_span)
            written.setdefault(attribute.name, attribute)
    needs = _needs(written)
    values: dict[str, Value] = {}
    for name in _in_order(needs, written, run):
        seen = ObjectValue({other: values[other] for other in needs[name] if other in values})
        values[name] = argument(written[name], Scope(run, {"var": variables, "local": seen}))
    return values


def _needs(written: Mapping[str, Attribute]) -> dict[str, set[str]]:
    """Which locals each one refers to. One that refers to `local` as a whole needs all that do not."""
    used = {name: set(_locals_used(attribute.value)) for name, attribute in written.items()}
    whole = {name for name, others in used.items() if "" in others}
    return {
        name: (others | (written.keys() - whole) if name in whole else others) & written.keys()
        for name, others in used.items()
    }


def _locals_used(expression: Expression) -> Iterator[str]:
    for part in walk(expression):
        if isinstance(part, Reference) and part.name == "local":
            step = part.steps[0] if part.steps else None
            if isinstance(step, AttributeStep):
                yield step.name
            else:
                yield step.key if isinstance(step, IndexStep) and isinstance(step.key, str) else ""


def _in_order(needs: Mapping[str, set[str]], written: Mapping[str, Attribute], run: Run) -> list[str]:
    """Those needed come before those that need them."""
    waiting = {name: set(others) for name, others in needs.items()}
    needed_by: dict[str, list[str]] = {name: [] for name in needs}
    for name, others in needs.items():
        for other in others:
            needed_by[other].append(name)
    ready = [name for name, others in waiting.items() if not others]
    order: list[str] = []
    while ready:
        name = ready.pop()
        order.append(name)
        for user in needed_by[name]:
            waiting[user].discard(name)
            if not waiting[user]:
                ready.append(user)
    if len(order) < len(needs):
        circle = next(name for name in needs if name not in order)
        names = ", ".join(go_quote(name) for name in sorted(set(needs) - set(order)))
        detail = f"These locals need each other, so none can come first: {names}."
        run.report("Circular locals", detail, written[circle].name_span)
    return order
