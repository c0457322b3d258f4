"""JSON that is none, complained about in the words of Go's decoder."""

import json
from typing import Any, Final

from herdsman.devnomad.errors import BadRequest

_SPACE: Final = " \t\r\n"
_ESCAPES: Final = '"\\/bfnrt'
_DIGITS: Final = "0123456789"
_HEX: Final = "0123456789abcdefABCDEF"


def kind_of(value: object) -> str:
    """A value's kind, as Go calls it."""
    if isinstance(value, bool):
        return "bool"
    return {str: "string", int: "number", float: "number", list: "array", dict: "object"}.get(type(value), "null")


def loads(body: bytes) -> Any:
    """Decode what the fast decoder refused; BadRequest with the place where it goes wrong."""
    text = body.decode("utf-8", "replace")
    try:
        _Scanner(text).scan()
        value, _ = json.JSONDecoder().raw_decode(text.lstrip(_SPACE))
    except RecursionError:
        raise BadRequest("exceeded max depth") from None
    return json.loads(_without_lone_surrogates(json.dumps(value, ensure_ascii=False)))


def _without_lone_surrogates(text: str) -> str:
    """Halves of characters, which can be escaped but not encoded, become the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Scanner:
    """Walks through a text up to what does not belong there."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def scan(self) -> None:
        """Complain, or do nothing: a decoder stops after the first value."""
        self._value("looking for beginning of value")

    def _peek(self) -> str:
        while self._at < len(self._text) and self._text[self._at] in _SPACE:
            self._at += 1
        if self._at >= len(self._text):
            raise BadRequest("unexpected EOF")
        return self._text[self._at]

    def _fail(self, where: str) -> BadRequest:
        wrong = self._text[self._at]
        shown = {"'": r"'\''", '"': "'\"'"}.get(wrong, f"'{json.dumps(wrong)[1:-1]}'")
        return BadRequest(f"invalid character {shown} {where}")

    def _value(self, where: str) -> None:
        char = self._peek()
        if char == "{":
            self._object()
        elif char == "[":
            self._array()
        elif char == '"':
            self._string()
        elif char == "-" or char in _DIGITS:
            self._number()
        elif char in "tfn":
            self._word({"t": "true", "f": "false", "n": "null"}[char])
        else:
            raise self._fail(where)

    def _object(self) -> None:
        self._at += 1
        if self._peek() == "}":
            self._at += 1
            return
        while True:
            if self._peek() != '"':
                raise self._fail("looking for beginning of object key string")
            self._string()
            if self._peek() != ":":
                raise self._fail("after object key")
            self._at += 1
            self._value("looking for beginning of value")
            if self._ends("}", "after object key:value pair"):
                return

    def _array(self) -> None:
        self._at += 1
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            self._value("looking for beginning of value")
            if self._ends("]", "after array element"):
                return

    def _ends(self, closing: str, where: str) -> bool:
        char = self._peek()
        if char not in {",", closing}:
            raise self._fail(where)
        self._at += 1
        return char == closing

    def _string(self) -> None:
        self._at += 1
        while True:
            char = self._next()
            if char == '"':
                return
            if char == "\\":
                self._escape()
            elif ord(char) < 0x20:
                self._at -= 1
                raise self._fail("in string literal")

    def _escape(self) -> None:
        char = self._next()
        if char == "u":
            for _ in range(4):
                if self._next() not in _HEX:
                    self._at -= 1
                    raise self._fail("in \\u hexadecimal character escape")
        elif char not in _ESCAPES:
            self._at -= 1
            raise self._fail("in string escape code")

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise BadRequest("unexpected EOF")
        self._at += 1
        return self._text[self._at - 1]

    def _number(self) -> None:
        if self._accept("-") and not self._digit():
            raise self._lost("in numeric literal")
        if not self._accept("0"):
            self._digits("in numeric literal")
        if self._accept("."):
            self._digits("after decimal point in numeric literal")
        if self._accept("eE"):
            self._accept("+-")
            self._digits("in exponent of numeric literal")

    def _accept(self, chars: str) -> bool:
        if self._at < len(self._text) and self._text[self._at] in chars:
            self._at += 1
            return True
        return False

    def _digit(self) -> bool:
        return self._at < len(self._text) and self._text[self._at] in _DIGITS

    def _digits(self, where: str) -> None:
        if not self._digit():
            raise self._lost(where)
        while self._digit():
            self._at += 1

    def _lost(self, where: str) -> BadRequest:
        return self._fail(where) if self._at < len(self._text) else BadRequest("unexpected EOF")

    def _word(self, word: str) -> None:
        for letter in word:
            if self._next() != letter:
                self._at -= 1
                raise self._fail(f"in literal {word} (expecting '{letter}')")
