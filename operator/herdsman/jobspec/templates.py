"""Strings with `${...}` and `%{...}` in them.

Reading one takes two steps. First the tokens become a flat list of parts: texts, interpolations and directives,
with the whitespace eaten that `~` asks for, and the indentation of a `<<-` heredoc taken off. Then `if` and `for`
directives are matched with their ends and the flat list becomes a tree. The order matters: indentation is counted
on the parts as they are after `~`, and a line that begins with a directive counts as not indented.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import JobspecError, Span, did_you_mean
from .syntax import Conditional, Expression, For, Joined, Literal, Template
from .text import go_quote, graphemes, normalized

if TYPE_CHECKING:
    from .expressions import ExpressionReader
    from .lexer import Token


@dataclass
class _Text:
    text: str
    span: Span


@dataclass(frozen=True)
class _Interpolation:
    value: Expression


@dataclass(frozen=True)
class _Directive:
    word: str
    span: Span
    condition: Expression | None = None
    loop: tuple[str, str, Expression] | None = None


_Part = _Text | _Interpolation | _Directive
_DIRECTIVES = ("if", "for", "else", "endif", "endfor")


@dataclass
class TemplateReader:
    """Reads one string, from after its opening mark to its closing one."""

    reader: ExpressionReader
    opening: Token
    _parts: list[_Part] = field(default_factory=list)
    _at: int = 0
    _eat_left: bool = False

    def read(self) -> Expression | tuple[Expression, ...]:
        """The parts; or the expression itself, if the string is nothing but one interpolation."""
        start = self.reader.peek().span
        with self.reader.newlines(matter=True):
            end = self._read_parts(start)
        if self.opening.text.startswith("<<-"):
            _strip_indentation(self._parts)
        self._parts = _melded(self._parts)
        if len(self._parts) == 1 and isinstance(self._parts[0], _Interpolation):
            return self._parts[0].value
        tree = self._tree(end)
        return tuple(tree) or (Literal(start.at_end(), ""),)

    # -- tokens to parts ----------------------------------------------------------------------------------------------

    def _read_parts(self, start: Span) -> Span:
        quoted = self.opening.kind == "quote"
        closing = "end quote" if quoted else "end heredoc"
        while True:
            token = self.reader.read()
            if token.kind == closing:
                return token.span
            eat_left, self._eat_left = self._eat_left, False
            if token.kind == "literal":
                text = self.reader.unescaped(token, quoted=quoted)
                self._parts.append(_Text(text.lstrip() if eat_left else text, token.span))
            elif token.kind in {"interpolation", "directive"}:
                self._eat_right(token)
                with self.reader.newlines(matter=False):
                    self._parts.append(
                        self._interpolation(start) if token.kind == "interpolation" else self._directive(token)
                    )
                    self._close()
            else:
                raise self.reader.fail(
                    "Unterminated template string", "No closing marker was found for the string.", token.span
                )

    def _eat_right(self, token: Token) -> None:
        last = self._parts[-1] if self._parts else None
        if token.text.endswith("~") and isinstance(last, _Text):
            last.text = last.text.rstrip()

    def _close(self) -> None:
        self._eat_left = self.reader.read().text == "~}"

    def _interpolation(self, start: Span) -> _Part:
        value = self.reader.expression()
        if not self.reader.at("end template"):
            raise self._unclosed_interpolation(start)
        return _Interpolation(value)

    def _unclosed_interpolation(self, start: Span) -> JobspecError:
        token = self.reader.peek()
        in_quotes = self.opening.kind == "quote" and token.kind in {"quote", "end quote"}
        if token.kind == "eof" or in_quotes:
            where = "quoted template" if in_quotes else "file"
            detail = (
                f"There is no closing brace for this interpolation sequence before the end of the {where}. This "
                "might be caused by incorrect nesting inside the given expression."
            )
            return self.reader.fail("Unclosed template interpolation sequence", detail, start)
        if token.kind == ":":
            detail = (
                "Template interpolation doesn't expect a colon at this location. Did you intend this to be a literal "
                "sequence to be processed as part of another language? If so, you can escape it by starting with "
                '"$${" instead of just "${".'
            )
        else:
            detail = (
                "Expected a closing brace to end the interpolation expression, but found extra characters.\n\nThis "
                "can happen when you include interpolation syntax for another language, such as shell scripting, but "
                "forget to escape the interpolation start token. If this is an embedded sequence for another "
                'language, escape it by starting with "$${" instead of just "${".'
            )
        return self.reader.fail("Extra characters after interpolation expression", detail, token.span)

    def _directive(self, opening: Token) -> _Part:
        word = self.reader.read()
        if word.kind != "ident":
            detail = 'A template directive keyword ("if", "for", etc) is expected at the beginning of a %{ sequence.'
            raise self.reader.fail("Invalid template directive", detail, word.span)
        if word.text not in _DIRECTIVES:
            detail = (
                f"{go_quote(word.text)} is not a valid template control keyword.{did_you_mean(word.text, _DIRECTIVES)}"
            )
            raise self.reader.fail("Invalid template control keyword", detail, word.span)
        condition = self.reader.expression() if word.text == "if" else None
        loop = self.reader.for_header(self._bad_for, "directive") if word.text == "for" else None
        close = self.reader.peek()
        if close.kind != "end template":
            detail = "Expected a closing brace to end the sequence, but found extra characters."
            raise self.reader.fail(f"Extra characters in {word.text} marker", detail, close.span)
        return _Directive(word.text, opening.span.to(close.span), condition, loop)

    def _bad_for(self, detail: str) -> JobspecError:
        return self.reader.fail("Invalid 'for' directive", detail, self.reader.peek().span)

    # -- parts to a tree ----------------------------------------------------------------------------------------------

    def _tree(self, end: Span) -> list[Expression]:
        tree = []
        while self._at < len(self._parts):
            tree.append(self._node(end))
        return tree

    def _node(self, end: Span) -> Expression:
        part = self._parts[self._at]
        self._at += 1
        if isinstance(part, _Text):
            return Literal(part.span, normalized(part.text))
        if isinstance(part, _Interpolation):
            return part.value
        if part.condition is not None:
            return self._if(part, part.condition, end)
        if part.loop is not None:
            return self._for(part, end)
        raise self.reader.fail(
            f"Unexpected {part.word} directive",
            "The control directives within this template are unbalanced.",
            part.span,
        )

    def _until(self, opening: _Directive, end: Span) -> tuple[list[Expression], _Directive]:
        """What is inside a directive, and the directive that ends it."""
        self.reader.deeper(opening.span)
        inside: list[Expression] = []
        while self._at < len(self._parts):
            part = self._parts[self._at]
            if isinstance(part, _Directive) and part.condition is None and part.loop is None:
                self._at += 1
                self.reader.shallower()
                return inside, part
            inside.append(self._node(end))
        detail = (
            f"The {opening.word} directive at {opening.span} is missing its corresponding end{opening.word} directive."
        )
        raise self.reader.fail("Unexpected end of template", detail, end)

    def _if(self, opening: _Directive, condition: Expression, end: Span) -> Expression:
        positive, closing = self._until(opening, end)
        negative: list[Expression] = []
        if closing.word == "else":
            negative, closing = self._until(opening, end)
            if closing.word == "else":
                detail = f"Already in the else clause for the if started at {opening.span}."
                raise self.reader.fail("Unexpected else directive", detail, closing.span)
        if closing.word != "endif":
            detail = f"Expecting an endif directive for the if started at {opening.span}."
            raise self.reader.fail(f"Unexpected {closing.word} directive", detail, closing.span)
        return Conditional(
            opening.span.to(closing.span),
            condition,
            _template(positive, opening.span.at_end()),
            _template(negative, closing.span.at_start()),
        )

    def _for(self, opening: _Directive, end: Span) -> Expression:
        assert opening.loop is not None
        key, value, collection = opening.loop
        inside, closing = self._until(opening, end)
        if closing.word == "else":
            detail = "An else clause is not expected for a for directive."
            raise self.reader.fail("Unexpected else directive", detail, closing.span)
        if closing.word != "endfor":
            detail = f"Expecting an endfor directive corresponding to the for directive at {opening.span}."
            raise self.reader.fail(f"Unexpected {closing.word} directive", detail, closing.span)
        body = _template(inside, opening.span.at_end())
        span = opening.span.to(closing.span)
        loop = For(span, key, value, collection, None, body, None, group=False, opening=opening.span)
        return Joined(span, loop)


def _template(parts: list[Expression], empty: Span) -> Template:
    parts = parts or [Literal(empty, "")]
    return Template(parts[0].span.to(parts[-1].span), tuple(parts))


def _melded(parts: list[_Part]) -> list[_Part]:
    """Texts that follow each other become one."""
    melded: list[_Part] = []
    for part in parts:
        last = melded[-1] if melded else None
        if isinstance(part, _Text) and isinstance(last, _Text):
            melded[-1] = _Text(last.text + part.text, last.span.to(part.span))
        else:
            melded.append(part)
    return melded


def _strip_indentation(parts: list[_Part]) -> None:
    """Take from every line the indentation that all lines share. Lines of nothing but blanks have no say and keep
    theirs.
    """
    lines: list[_Text] = []
    shared: int | None = None
    line_starts = True
    for part in parts:
        if line_starts:
            indentation = _indentation(part)
            if indentation is not None:
                shared = indentation if shared is None else min(shared, indentation)
                if isinstance(part, _Text):
                    lines.append(part)
        line_starts = isinstance(part, _Text) and part.text.endswith("\n")
    for line in lines:
        blanks = list(graphemes(line.text))[: shared or 0]
        line.text = line.text[len("".join(blanks)) :]


def _indentation(part: _Part) -> int | None:
    if not isinstance(part, _Text):
        return 0
    bare = part.text.lstrip()
    if not bare and part.text.endswith("\n"):
        return None
    return sum(1 for _ in graphemes(part.text[: len(part.text) - len(bare)]))
