"""Type constraints: the `type` argument of a variable, `list(object({ name = string }))`, read as types and not as
calls.
"""

from __future__ import annotations

from .errors import Span
from .syntax import Call, Expression, Object, Tuple, keyword
from .text import go_quote
from .typesystem import ANY, BOOL, NUMBER, STRING, Type, list_of, map_of, object_of, set_of, tuple_of

SUMMARY = "Invalid type specification"
_WORDS = {"string": STRING, "number": NUMBER, "bool": BOOL, "any": ANY}
_COLLECTIONS = {"list": list_of, "set": set_of, "map": map_of}
_NEEDS = {
    **{
        word: f"The {word} type constructor requires one argument specifying the element type." for word in _COLLECTIONS
    },
    "object": "The object type constructor requires one argument specifying the attribute types and values as a map.",
    "tuple": "The tuple type constructor requires one argument specifying the element types as a list.",
}


class TypeExpressionError(Exception):
    def __init__(self, detail: str, span: Span) -> None:
        super().__init__(detail)
        self.detail, self.span = detail, span


def read_type(expression: Expression) -> Type:
    word = keyword(expression)
    if word in _WORDS:
        return _WORDS[word]
    if word:
        detail = _NEEDS.get(word, f"The keyword {go_quote(word)} is not a valid type specification.")
        raise TypeExpressionError(detail, expression.span)
    if not isinstance(expression, Call):
        detail = (
            "A type specification is either a primitive type keyword (bool, number, string) or a complex type "
            "constructor call, like list(string)."
        )
        raise TypeExpressionError(detail, expression.span)
    return _constructed(expression)


def _constructed(call: Call) -> Type:
    if call.name in _WORDS:
        kind = "Type constraint" if call.name == "any" else "Primitive type"
        raise TypeExpressionError(f"{kind} keyword {go_quote(call.name)} does not expect arguments.", call.span)
    if call.name not in _NEEDS:
        raise TypeExpressionError(f"Keyword {go_quote(call.name)} is not a valid type constructor.", call.span)
    if len(call.arguments) != 1:
        raise TypeExpressionError(_NEEDS[call.name], call.span)
    argument = call.arguments[0]
    if call.name in _COLLECTIONS:
        return _COLLECTIONS[call.name](read_type(argument))
    return _object(argument) if call.name == "object" else _tuple(argument)


def _object(argument: Expression) -> Type:
    if not isinstance(argument, Object):
        detail = (
            "Object type constructor requires a map whose keys are attribute names and whose values are the "
            "corresponding attribute types."
        )
        raise TypeExpressionError(detail, argument.span)
    attributes: dict[str, Type] = {}
    for key, value in argument.items:
        name = keyword(key)
        if not name:
            raise TypeExpressionError("Object constructor map keys must be attribute names.", key.span)
        attributes[name] = read_type(value)
    return object_of(attributes)


def _tuple(argument: Expression) -> Type:
    if not isinstance(argument, Tuple):
        raise TypeExpressionError("Tuple type constructor requires a list of element types.", argument.span)
    return tuple_of(map(read_type, argument.items))
