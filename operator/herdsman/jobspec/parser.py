"""Tokens to the syntax tree of a file, by recursive descent; the first mistake ends it.

This is the part for bodies: arguments, and blocks with their labels. `expressions` reads the values.
"""

from __future__ import annotations

from .errors import JobspecError, Source, Span, syntax_error
from .expressions import ExpressionReader
from .lexer import Lexer, Token
from .syntax import Attribute, Block, Body
from .text import go_quote, normalized

_BAD_HEADER = {
    "=": 'The equals sign "=" indicates an argument definition, and must not be used when defining a block.',
    "newline": 'A block definition must have block content delimited by "{" and "}", '
    "starting on the same line as the block header.",
    "": 'Either a quoted string block label or an opening brace ("{") is expected here.',
}
_BAD_SINGLE_LINE = {
    ",": "Single-line block syntax can include only one argument definition. "
    "To define multiple arguments, use the multi-line block syntax with one argument definition per line.",
    "newline": "An argument definition on the same line as its containing block creates a single-line block "
    "definition, which must also be closed on the same line. Place the block's closing brace immediately after the "
    "argument definition.",
    "": "A single-line block definition must end with a closing brace immediately after its single argument "
    "definition.",
}
_ITEM_REQUIRED = "Argument or block definition required"
_UNCLOSED_BLOCK = (
    "Unclosed configuration block",
    "There is no closing brace for this block before the end of the file. This may be caused by incorrect brace "
    "nesting elsewhere in this file.",
)
_API_JSON = "This is a JSON document. A job in the JSON form of the API is registered as it is; only HCL is parsed."


def parse_source(source: Source) -> Body:
    """The body of a whole file."""
    lexer = Lexer(source)
    tokens = lexer.run()
    if lexer.findings:
        raise syntax_error(lexer.findings)
    return Parser(tokens).file()


class Parser(ExpressionReader):
    def file(self) -> Body:
        body = self._body("eof", self.tokens[0].span)
        if self.findings:
            raise syntax_error(self.findings)
        return body

    def _body(self, end: str, opening: Span) -> Body:
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        while not self.at(end):
            token = self.read()
            if token.kind == "newline":
                continue
            if token.kind != "ident":
                raise self._no_item(token, opening)
            if self.at("="):
                self._add(attributes, self._attribute(token))
            elif self.at("quote", "{", "ident"):
                blocks.append(self._block(token))
            else:
                raise self._no_value(token)
        return Body(attributes, tuple(blocks), opening.to(self.read().span))

    def _no_item(self, token: Token, opening: Span) -> JobspecError:
        if token.kind == "quote":
            return self.fail("Invalid argument name", "Argument names must not be quoted.", token.span)
        if token.kind == "eof":
            return self.fail(*_UNCLOSED_BLOCK, opening)
        hint = _API_JSON if token.kind == "{" and token.span.source.text[: token.span.start].strip() == "" else ""
        return self.fail(_ITEM_REQUIRED, "An argument or block definition is required here.", token.span, hint=hint)

    def _no_value(self, name: Token) -> JobspecError:
        detail = (
            'An argument or block definition is required here. To set an argument, use the equals sign "=" to '
            "introduce the argument value."
        )
        return self.fail(_ITEM_REQUIRED, detail, name.span)

    def _add(self, attributes: dict[str, Attribute], attribute: Attribute) -> None:
        existing = attributes.setdefault(attribute.name, attribute)
        if existing is not attribute:
            detail = (
                f"The argument {go_quote(attribute.name)} was already set at {existing.name_span}. Each argument may "
                "be set only once."
            )
            self.note("Attribute redefined", detail, attribute.name_span)

    def _attribute(self, name: Token, *, single_line: bool = False) -> Attribute:
        self.read()
        value = self.expression()
        end = self.peek()
        if not single_line and end.kind == ",":
            raise self.fail(
                "Unexpected comma after argument",
                "Argument definitions must be separated by newlines, not commas. An argument definition must end "
                "with a newline.",
                end.span,
            )
        if not single_line and not self.at("newline", "eof"):
            raise self.fail(
                "Missing newline after argument", "An argument definition must end with a newline.", end.span
            )
        return Attribute(name.text, value, name.span)

    def _block(self, name: Token) -> Block:
        labels: list[str] = []
        spans: list[Span] = []
        while not self.at("{"):
            label, span = self._label()
            labels.append(label)
            spans.append(span)
        opening = self.read()
        self.deeper(opening.span)
        multi_line = self.at("newline", "eof", "}")
        body = self._body("}", opening.span) if multi_line else self._single_line_body(opening)
        self.shallower()
        if not self.at("newline", "eof"):
            raise self.fail(
                "Missing newline after block definition",
                "A block definition must end with a newline.",
                self.peek().span,
            )
        return Block(name.text, tuple(labels), body, name.span, tuple(spans), opening.span)

    def _label(self) -> tuple[str, Span]:
        token = self.read()
        if token.kind == "ident":
            return normalized(token.text), token.span
        if token.kind == "quote":
            return self._quoted_label(token)
        detail = _BAD_HEADER.get(token.kind, _BAD_HEADER[""])
        raise self.fail("Invalid block definition", detail, token.span)

    def _quoted_label(self, opening: Token) -> tuple[str, Span]:
        text = ""
        while True:
            token = self.read()
            if token.kind == "end quote":
                return normalized(text), opening.span.to(token.span)
            if token.kind == "literal":
                text += self.unescaped(token, quoted=True)
            elif token.kind == "eof":
                raise self.fail(
                    "Unterminated string literal",
                    "Unable to find the closing quote mark before the end of the file.",
                    token.span,
                )
            else:
                mark = token.text[0]
                detail = (
                    f'Template sequences are not allowed in this string. To include a literal "{mark}", double it '
                    f'(as "{mark}{mark}") to escape it.'
                )
                raise self.fail("Invalid string literal", detail, token.span)

    def _single_line_body(self, opening: Token) -> Body:
        """`port "http" { to = 80 }`: one argument, and the closing brace on the same line."""
        name = self.read()
        if name.kind != "ident":
            raise self.fail(_ITEM_REQUIRED, "An argument or block definition is required here.", name.span)
        if self.at("quote", "{", "ident"):
            detail = (
                "A single-line block definition can contain only a single argument. If you meant to define argument "
                f"{go_quote(name.text)}, use an equals sign to assign it a value. To define a nested block, place it "
                "on a line of its own within its parent block."
            )
            raise self.fail("Argument definition required", detail, name.span.to(self.peek().span))
        if not self.at("="):
            raise self._no_value(name)
        attribute = self._attribute(name, single_line=True)
        end = self.read()
        if end.kind == "}":
            return Body({attribute.name: attribute}, (), name.span.to(attribute.value.span))
        if end.kind == "eof":
            raise self.fail(*_UNCLOSED_BLOCK, opening.span)
        detail = _BAD_SINGLE_LINE.get(end.kind, _BAD_SINGLE_LINE[""])
        raise self.fail("Invalid single-argument block definition", detail, end.span)
