"""What pydantic finds wrong with a document, in words for the person who wrote it."""

import re
from collections.abc import Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from herdsman.core.problems import MOST_FAULTS, Fault, Loc
from herdsman.core.spelling import echoed, one_of, quoting_hint
from herdsman.model.fields import Unfit

_KEY: Final = "[key]"
"""What pydantic appends to the loc of a mapping's key."""


def faults(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """The faults that *error* tells about a document of *model*."""
    found = error.errors(include_url=False)
    return [_fault(e, model) for e in found[:MOST_FAULTS]]


def _fault(error: ErrorDetails, model: type[BaseModel]) -> Fault:
    loc = error["loc"]
    value = error["input"]
    match error["type"]:
        case "missing":
            return Fault(loc, "missing", _field_doc(model, loc))
        case "extra_forbidden":
            return _unknown(model, loc)
        case "enum" | "literal_error":
            return _no_choice(error, loc)
        case "value_error":
            return _unfit(error, loc)
        case "greater_than_equal":
            return Fault(loc, f"expected at least {error['ctx']['ge']}, got {echoed(value, loc)}")
        case "less_than_equal":
            return Fault(loc, f"expected at most {error['ctx']['le']}, got {echoed(value, loc)}")
        case "string_too_long":
            return Fault(loc, f"longer than {error['ctx']['max_length']} characters")
        case "string_too_short" | "too_short":
            return Fault(loc, "may not be empty")
        case kind if kind in _EXPECTED:
            hint = quoting_hint(value) if kind == "string_type" else ""
            return Fault(loc, f"expected {_EXPECTED[kind]}, got {echoed(value, loc)}", hint)
        case _:
            return Fault(loc, error["msg"][:1].lower() + error["msg"][1:])


_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "bytes_type": "a mapping",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}


def _no_choice(error: ErrorDetails, loc: Loc) -> Fault:
    choices = tuple(re.findall(r"'([^']*)'", error["ctx"]["expected"]))
    return Fault(loc, f"expected {one_of(choices)}, got {echoed(error['input'], loc)}")


def _unfit(error: ErrorDetails, loc: Loc) -> Fault:
    cause = error["ctx"]["error"]
    value = error["input"]
    got = f", got {echoed(value, loc)}" if isinstance(value, str | int | float) else ""
    if loc and loc[-1] == _KEY:
        return Fault(loc[:-1], f"{cause}{got}", cause.hint, at_key=True)
    if isinstance(cause, Unfit):
        return Fault((*loc, *cause.at), f"{cause}{got}", cause.hint)
    return Fault(loc, f"{cause}{got}")


def _unknown(model: type[BaseModel], loc: Loc) -> Fault:
    if loc == ("metadata", "namespace"):
        kind = model.model_config.get("title")
        return Fault(loc, f"a {kind} lives in no namespace", "remove it", at_key=True)
    block = _model_at(model, loc[:-1])
    return Fault(loc, "unknown field", at_key=True, known=tuple(_by_alias(block)) if block else ())


# -- what the models say of a field ------------------------------------------------------------------------------------


def _field_doc(model: type[BaseModel], loc: Loc) -> str:
    """The first sentence of a field's description."""
    block = _model_at(model, loc[:-1])
    field = _by_alias(block).get(str(loc[-1])) if block else None
    return (field.description or "").split(". ")[0].rstrip(".") if field is not None else ""


def _by_alias(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    """The model of the block that *loc* leads to."""
    block: type[BaseModel] | None = model
    for step in loc:
        if isinstance(step, str) and block is not None:
            field = _by_alias(block).get(step)
            block = _model_in(field.annotation) if field is not None else None
    return block


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
