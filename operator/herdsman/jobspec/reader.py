"""A cursor over tokens: what every part of the parser shares.

Newlines end a statement, yet mean nothing inside brackets; the reader knows which holds at the moment. Objects are the
exception among brackets, a newline there separates items. Nesting of any kind counts against one limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import MAX_FINDINGS, Diagnostic, JobspecError, Span, diagnostic, syntax_error
from .lexer import Token
from .limits import MAX_NESTING


class Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.index = 0
        self._last = len(tokens) - 1  # the end of the file, which may be read again and again
        self._newlines_matter = True
        self._depth = 0
        self.findings: list[Diagnostic] = []

    def peek(self) -> Token:
        while not self._newlines_matter and self.tokens[self.index].kind == "newline":
            self.index += 1
        return self.tokens[self.index]

    def read(self) -> Token:
        token = self.peek()
        if self.index < self._last:
            self.index += 1
        return token

    def at(self, *kinds: str) -> bool:
        return self.peek().kind in kinds

    def at_word(self, word: str) -> bool:
        token = self.peek()
        return token.kind == "ident" and token.text == word

    @contextmanager
    def newlines(self, *, matter: bool) -> Iterator[None]:
        before, self._newlines_matter = self._newlines_matter, matter
        try:
            yield
        finally:
            self._newlines_matter = before

    def deeper(self, span: Span) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise self.fail(
                "Nesting too deep", f"Blocks and brackets may nest at most {MAX_NESTING} levels deep.", span
            )

    def shallower(self) -> None:
        self._depth -= 1

    def fail(self, summary: str, detail: str, span: Span, *, hint: str = "") -> JobspecError:
        return syntax_error([*self.findings, diagnostic(summary, detail, span=span, hint=hint)])

    def note(self, summary: str, detail: str, span: Span) -> None:
        """A mistake after which reading can go on."""
        self.findings.append(diagnostic(summary, detail, span=span))
        if len(self.findings) >= MAX_FINDINGS:
            raise syntax_error(self.findings)
