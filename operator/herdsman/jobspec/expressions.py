"""Tokens to expressions.

Operators are read by precedence climbing: a row of equally strong ones becomes one node, so that a long sum is no deep
tree.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from . import bignum
from .errors import JobspecError, Span
from .lexer import Token
from .reader import Reader
from .syntax import (
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    Literal,
    Object,
    Parentheses,
    Reference,
    Template,
    Tuple,
    Unary,
    Wrapped,
)
from .templates import TemplateReader
from .text import go_quote, normalized
from .traversals import TraversalReader

_PRECEDENCE = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("==", "!="), 3),
    **dict.fromkeys((">", ">=", "<", "<="), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "%"), 6),
}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{0,4})|U([0-9a-fA-F]{0,8})|(.))|(\$\$\{|%%\{)", re.DOTALL)
_SIMPLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


class ExpressionReader(Reader):
    def expression(self) -> Expression:
        self.deeper(self.peek().span)
        condition = self._binary(1)
        if not self.at("?"):
            self.shallower()
            return condition
        self.read()
        positive = self.expression()
        if not self.at(":"):
            raise self.fail(
                "Missing false expression in conditional",
                "The conditional operator (...?...:...) requires a false expression, delimited by a colon.",
                self.peek().span,
            )
        self.read()
        negative = self.expression()
        self.shallower()
        return Conditional(condition.span.to(negative.span), condition, positive, negative)

    def _binary(self, lowest: int) -> Expression:
        """Operators that bind at least as strong as `lowest`; a row of equal ones becomes one node."""
        left = self._operand()
        strength = self._strength()
        while strength >= lowest:
            row = strength
            rest = []
            while strength == row:
                operator = self.read().kind
                rest.append((operator, self._binary(row + 1)))
                strength = self._strength()
            left = Binary(left.span.to(rest[-1][1].span), left, tuple(rest))
        return left

    def _strength(self) -> int:
        """Of the operator that comes next; 0 if none does."""
        return _PRECEDENCE.get(self.peek().kind, 0)

    def _operand(self) -> Expression:
        return TraversalReader(self).read(self._term())

    def _term(self) -> Expression:
        token = self.read()
        rule = _TERMS.get(token.kind)
        if rule is not None:
            return rule(self, token)
        if token.kind == "eof":
            raise self.fail(
                "Missing expression", "Expected the start of an expression, but found the end of the file.", token.span
            )
        raise self.fail(
            "Invalid expression",
            "Expected the start of an expression, but found an invalid expression token.",
            token.span,
        )

    def _number(self, token: Token) -> Expression:
        return Literal(token.span, self.number_value(token))

    def number_value(self, token: Token) -> bignum.Number:
        number = bignum.parse(token.text)
        if number is None:
            raise self.fail(
                "Invalid number literal", "Failed to recognize the value of this number literal.", token.span
            )
        return number

    def _word(self, token: Token) -> Expression:
        if self.at("(", "::"):
            return self._call(token)
        constants = {"true": True, "false": False, "null": None}
        if token.text in constants:
            return Literal(token.span, constants[token.text])
        return Reference(token.span, normalized(token.text), ())

    def _string(self, opening: Token) -> Expression:
        literal, close = self.tokens[self.index], self.tokens[min(self.index + 1, self._last)]
        if literal.kind == "literal" and close.kind == "end quote":
            self.index += 2
            text = normalized(self.unescaped(literal, quoted=True))
            return Template(opening.span.to(close.span), (Literal(literal.span, text),))
        self.deeper(opening.span)
        parts = TemplateReader(self, opening).read()
        self.shallower()
        span = opening.span.to(self.tokens[self.index - 1].span)
        if isinstance(parts, Expression):
            return Wrapped(span, parts)
        return Template(span, parts)

    def _unary(self, operator: Token) -> Expression:
        self.deeper(operator.span)
        operand = self._operand()
        self.shallower()
        return Unary(operator.span.to(operand.span), operator.kind, operand)

    def _parentheses(self, opening: Token) -> Expression:
        with self.newlines(matter=False):
            inner = self.expression()
            close = self.read()
        if close.kind != ")":
            raise self.fail(
                "Unbalanced parentheses", "Expected a closing parenthesis to terminate the expression.", close.span
            )
        return Parentheses(opening.span.to(close.span), inner)

    def _call(self, name: Token) -> Expression:
        full, end = name.text, name.span
        while self.at("::"):
            self.read()
            part = self.read()
            if part.kind != "ident":
                raise self.fail(
                    "Missing function name",
                    "Function scope resolution symbol :: must be followed by a function name in this scope.",
                    part.span,
                )
            full, end = f"{full}::{part.text}", part.span
        opening = self.read()
        if opening.kind != "(":
            raise self.fail(
                "Missing open parenthesis",
                "Function selector must be followed by an open parenthesis to begin the function call.",
                opening.span,
            )
        with self.newlines(matter=False):
            arguments, expand, close = self._arguments(name.span.to(opening.span))
        return Call(name.span.to(close), full, tuple(arguments), expand, name.span.to(end), close)

    def _arguments(self, head: Span) -> tuple[list[Expression], bool, Span]:
        arguments: list[Expression] = []
        while not self.at(")"):
            arguments.append(self.expression())
            separator = self.read()
            if separator.kind == ")":
                return arguments, False, separator.span
            if separator.kind == "...":
                if not self.at(")"):
                    raise self.fail(
                        "Missing closing parenthesis",
                        "An expanded function argument (with ...) must be immediately followed by closing parentheses.",
                        separator.span,
                    )
                return arguments, True, self.read().span
            if separator.kind == "eof":
                raise self.fail(
                    "Unterminated function call",
                    "There is no closing parenthesis for this function call before the end of the file. This may be "
                    "caused by incorrect parenthesis nesting elsewhere in this file.",
                    head,
                )
            if separator.kind != ",":
                raise self.fail(
                    "Missing argument separator",
                    "A comma is required to separate each function argument from the next.",
                    separator.span,
                )
        return arguments, False, self.read().span

    # -- lists and objects --------------------------------------------------------------------------------------------

    def _tuple(self, opening: Token) -> Expression:
        with self.newlines(matter=False):
            if self.at_word("for"):
                return self._for(opening, "]")
            items: list[Expression] = []
            while not self.at("]"):
                items.append(self.expression())
                if not self.at("]", ","):
                    raise self._no_separator(opening, "tuple", "bracket")
                if self.at(","):
                    self.read()
            return Tuple(opening.span.to(self.read().span), tuple(items))

    def _no_separator(self, opening: Token, what: str, bracket: str) -> JobspecError:
        if self.at("eof"):
            detail = (
                f"There is no corresponding closing {bracket} before the end of the file. This may be caused by "
                f"incorrect {bracket} nesting elsewhere in this file."
            )
            return self.fail(f"Unterminated {what} constructor expression", detail, opening.span)
        if what == "tuple":
            summary, detail = "Missing item separator", "Expected a comma to mark the beginning of the next item."
        else:
            summary = "Missing attribute separator"
            detail = "Expected a newline or comma to mark the beginning of the next attribute."
        return self.fail(summary, detail, self.peek().span)

    def _object(self, opening: Token) -> Expression:
        with self.newlines(matter=False):
            if self.at_word("for"):
                return self._for(opening, "}")
        with self.newlines(matter=True):
            items: list[tuple[Expression, Expression]] = []
            while not self.at("}"):
                if self.at("newline"):
                    self.read()
                    continue
                key = self.expression()
                self._read_equals(opening)
                items.append((key, self.expression()))
                if not self.at("}", ",", "newline"):
                    raise self._no_separator(opening, "object", "brace")
                if not self.at("}"):
                    self.read()
            return Object(opening.span.to(self.read().span), tuple(items))

    def _read_equals(self, opening: Token) -> None:
        if self.at("=", ":"):
            self.read()
            return
        if self.at("eof"):
            raise self._no_separator(opening, "object", "brace")
        if self.at("newline", ","):
            raise self.fail(
                "Missing attribute value",
                'Expected an attribute value, introduced by an equals sign ("=").',
                self.peek().span,
            )
        detail = 'Expected an equals sign ("=") to mark the beginning of the attribute value.'
        if self.at("ident"):
            detail += (
                " If you intended to given an attribute name containing periods or spaces, write the name in quotes "
                "to create a string literal."
            )
        raise self.fail("Missing key/value separator", detail, self.peek().span)

    def _for(self, opening: Token, closing: str) -> Expression:
        self.read()
        key_name, value_name, collection = self.for_header(self._bad_for)
        if not self.at(":"):
            raise self._bad_for("For expression requires a colon after the collection expression.")
        self.read()
        key, value = None, self.expression()
        if self.at("=>"):
            self.read()
            key, value = value, self.expression()
        ellipsis = self.read() if self.at("...") else None
        condition = None
        if self.at_word("if"):
            self.read()
            condition = self.expression()
        if not self.at(closing):
            raise self._bad_for("Extra characters after the end of the 'for' expression.")
        if closing == "]" and key is not None:
            raise self._bad_for("Key expression is not valid when building a tuple.", key.span)
        if closing == "]" and ellipsis is not None:
            raise self._bad_for("Grouping ellipsis (...) cannot be used when building a tuple.", ellipsis.span)
        if closing == "}" and key is None:
            raise self._bad_for("Key expression is required when building an object.", value.span)
        span = opening.span.to(self.read().span)
        return For(span, key_name, value_name, collection, key, value, condition, ellipsis is not None, opening.span)

    def _bad_for(self, detail: str, span: Span | None = None) -> JobspecError:
        return self.fail("Invalid 'for' expression", detail, span or self.peek().span)

    def for_header(self, bad: Callable[[str], JobspecError], noun: str = "expression") -> tuple[str, str, Expression]:
        """`k, v in collection`, after the word `for`; also of a template's directive."""
        if not self.at("ident"):
            raise bad(f"For {noun} requires variable name after 'for'.")
        key, value = "", normalized(self.read().text)
        if self.at(","):
            self.read()
            if not self.at("ident"):
                raise bad(f"For {noun} requires value variable name after comma.")
            key, value = value, normalized(self.read().text)
        if not self.at_word("in"):
            after = "its name declarations" if noun == "expression" else "names"
            raise bad(f"For {noun} requires {'the ' if noun == 'expression' else ''}'in' keyword after {after}.")
        self.read()
        return key, value, self.expression()

    def unescaped(self, token: Token, *, quoted: bool) -> str:
        """The text of a literal token; a heredoc knows only the escapes of the template marks."""
        text = token.text
        if not quoted:
            return text.replace("$${", "${").replace("%%{", "%{")
        if "\\" not in text and "$${" not in text and "%%{" not in text:
            return text
        return _ESCAPE.sub(lambda found: self._unescape(found, token), text)

    def _unescape(self, found: re.Match[str], token: Token) -> str:
        short, long, simple, template = found.groups()
        if template:
            return str(template)[1:]
        if simple is not None and simple in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[simple]
        start = token.span.start
        span = Span(token.span.source, start + found.start(), start + found.end())
        if simple is not None:
            detail = f"The symbol {go_quote(simple)} is not a valid escape sequence selector."
            raise self.fail("Invalid escape sequence", detail, span)
        if len(long or short or "") != (4 if short is not None else 8):
            letter, count = ("u", "four") if short is not None else ("U", "eight")
            detail = f"The \\{letter} escape sequence must be followed by {count} hexadecimal digits."
            raise self.fail("Invalid escape sequence", detail, span)
        code = int(short or long, 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise self.fail("Invalid escape sequence", f"Cannot encode character U+{code:04x} in UTF-8.", span)
        return chr(code)


_TERMS: dict[str, Callable[[ExpressionReader, Token], Expression]] = {
    "number": ExpressionReader._number,
    "ident": ExpressionReader._word,
    "quote": ExpressionReader._string,
    "heredoc": ExpressionReader._string,
    "-": ExpressionReader._unary,
    "!": ExpressionReader._unary,
    "(": ExpressionReader._parentheses,
    "[": ExpressionReader._tuple,
    "{": ExpressionReader._object,
}
