"""Text to tokens.

HCL has three ways to read a text, and a token tells which comes next: ordinary code, a quoted string, and a
heredoc. In the latter two `${` and `%{` lead back to code, and the brace that closes them leads out again; so the
lexer keeps a stack.

A comment that ends its line is a newline, any other is nothing. Characters that HCL never uses are collected as
findings: they come before whatever the parser has to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from .errors import Diagnostic, Source, Span, diagnostic


class Token(NamedTuple):
    """Kinds: ident, number, newline, eof, the operators by their own text, and
    quote, end quote, heredoc, end heredoc, literal, interpolation, directive, end template."""

    kind: str
    text: str
    span: Span


_CODE = re.compile(
    r"""
    [ \t]*(?:
    (?P<ident>[^\W\d][\w-]*)
  | (?P<newline>\r?\n|(?:\#|//)[^\n]*\n)
  | (?P<comment>(?:\#|//)[^\n]*|/\*.*?\*/|\Z)
  | (?P<plain>"[^"\\$%\r\n]*")
  | (?P<number>[0-9](?:(?:[0-9.]|[eE][+-]?[0-9])*(?:[0-9]|[eE][+-]?[0-9]))?)
  | (?P<heredoc><<-?[^\W\d][\w-]*\r?\n)
  | (?P<quote>")
  | (?P<operator>==|!=|>=|<=|&&|\|\||::|\.\.\.|=>|~\}|[][(){}.,*/%+\-=<>!?:])
  | (?P<invalid>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(
    r"""
    (?P<literal>(?:[^"\\$%\r\n]+|\\[^\r\n]|\$\$\{|%%\{|\$(?!\{)|%(?!\{))+)
  | (?P<interpolation>\$\{~?)
  | (?P<directive>%\{~?)
  | (?P<end>")
  | (?P<newline>[\r\n]+)
  | (?P<invalid>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_HEREDOC = re.compile(
    r"""
    (?P<interpolation>\$\{~?)
  | (?P<directive>%\{~?)
  | (?P<literal>(?:[^$%\n]+|\$\$\{|%%\{|\$(?!\{)|%(?!\{))*\n?)
    """,
    re.VERBOSE | re.DOTALL,
)
_INVALID = {
    "&": ("Unsupported operator", 'Bitwise operators are not supported. Did you mean boolean AND ("&&")?'),
    "|": ("Unsupported operator", 'Bitwise operators are not supported. Did you mean boolean OR ("||")?'),
    "~": ("Unsupported operator", 'Bitwise operators are not supported. Did you mean boolean NOT ("!")?'),
    "^": ("Unsupported operator", "Bitwise operators are not supported."),
    "`": (
        "Invalid character",
        'The "`" character is not valid. To create a multi-line string, use the "heredoc" syntax, like "<<EOT".',
    ),
    "'": ("Invalid character", 'Single quotes are not valid. Use double quotes (") to enclose strings.'),
    ";": (
        "Invalid character",
        'The ";" character is not valid. Use newlines to separate arguments and blocks, and commas to separate items '
        "in collection values.",
    ),
}
_UNUSED = ("Invalid character", "This character is not used within the language.")
_QUOTED_NEWLINE = (
    "Invalid multi-line string",
    "Quoted strings may not be split over multiple lines. To produce a multi-line string, either use the \\n escape "
    'to represent a newline character or use the "heredoc" multi-line template syntax.',
)
_MAX_FINDINGS = 20


@dataclass
class _Heredoc:
    marker: str
    at_line_start: bool = True


@dataclass
class Lexer:
    source: Source
    tokens: list[Token] = field(default_factory=list)
    findings: list[Diagnostic] = field(default_factory=list)
    _at: int = 0
    # What encloses the place being read: an int is code that the brace at this depth leaves, None a quoted string.
    _stack: list[int | _Heredoc | None] = field(default_factory=list)
    _braces: int = 0

    def run(self) -> list[Token]:
        text = self.source.text
        self._at = 1 if text.startswith("\ufeff") else 0
        while self._at < len(text):
            if not self._stack or isinstance(self._stack[-1], int):
                self._code(text)
            elif self._stack[-1] is None:
                self._quoted(text)
            else:
                self._heredoc(text, self._stack[-1])
        self._emit("eof", len(text))
        return self.tokens

    def _emit(self, kind: str, end: int) -> None:
        self._add(kind, self._at, end)
        self._at = end

    def _add(self, kind: str, start: int, end: int) -> None:
        self.tokens.append(Token(kind, self.source.text[start:end], Span(self.source, start, end)))

    def _code(self, text: str) -> None:
        """Up to a string or heredoc that needs a closer look, or to the brace that leads back to one."""
        match = _CODE.match
        while self._at < len(text):
            found = match(text, self._at)
            assert found is not None
            group, end = found.lastgroup or "", found.end()
            self._at = found.start(group)
            if group in {"ident", "newline", "number"}:
                self._emit(group, end)
            elif group == "plain":
                self._plain_string(end)
            elif group == "operator":
                if self._operator(found[group], end):
                    return
            elif group == "comment":
                self._at = end
            elif group == "invalid":
                self._invalid(*_INVALID.get(found[group], _UNUSED), end=end)
            else:
                self._stack.append(None if group == "quote" else _Heredoc(found[group].strip().lstrip("<-")))
                self._emit(group, end)
                return

    def _plain_string(self, end: int) -> None:
        """Most strings have nothing special in them; they need not be looked at part by part."""
        start, last = self._at + 1, end - 1
        self._add("quote", self._at, start)
        if start < last:
            self._add("literal", start, last)
        self._add("end quote", last, end)
        self._at = end

    def _operator(self, text: str, end: int) -> bool:
        """Whether it is the brace that ends the code inside a template."""
        leaves = False
        if text == "{":
            self._braces += 1
        elif text in {"}", "~}"}:
            leaves = bool(self._stack) and self._stack[-1] == self._braces
            self._braces -= 1
        if leaves:
            self._stack.pop()
        self._emit("end template" if leaves else text, end)
        return leaves

    def _quoted(self, text: str) -> None:
        found = _QUOTED.match(text, self._at)
        assert found is not None
        group, end = found.lastgroup or "", found.end()
        if group == "end":
            self._stack.pop()
            self._emit("end quote", end)
        elif group == "newline":
            self._invalid(*_QUOTED_NEWLINE, end=end)
        elif group == "invalid":
            self._invalid(*_UNUSED, end=end)
        else:
            self._template_part(group, end)

    def _heredoc(self, text: str, heredoc: _Heredoc) -> None:
        found = _HEREDOC.match(text, self._at)
        assert found is not None
        group, end, part = found.lastgroup or "", found.end(), found[0]
        if heredoc.at_line_start and part.endswith("\n") and part.strip() == heredoc.marker:
            self._stack.pop()
            line_end = end - (2 if part.endswith("\r\n") else 1)
            self._emit("end heredoc", line_end)
            self._emit("newline", end)
            return
        heredoc.at_line_start = group == "literal" and part.endswith("\n")
        self._template_part(group, end)

    def _template_part(self, group: str, end: int) -> None:
        self._emit(group, end)
        if group != "literal":
            self._braces += 1
            self._stack.append(self._braces)

    def _invalid(self, summary: str, detail: str, *, end: int) -> None:
        if len(self.findings) < _MAX_FINDINGS:
            self.findings.append(diagnostic(summary, detail, span=Span(self.source, self._at, end)))
        self._emit("invalid", end)
