"""What an expression can see, and where its errors go.

A `Run` is one parse: the findings so far, the work that is left, the functions there are. A `Scope` is a set of
names in it, within another scope; `for` and `dynamic` add one with the names they introduce.

A name that no scope knows is not an error in a jobspec: `${attr.kernel.name}` and `${NOMAD_PORT_http}` are for the
client that runs the task, so they stay as they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import MAX_FINDINGS, Diagnostic, Span, content_error, diagnostic
from .limits import Budget
from .values import UNKNOWN, Unknown, Value

if TYPE_CHECKING:
    from .functions import Function


class Run:
    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self.findings: list[Diagnostic] = []
        self.budget = Budget()

    def report(self, summary: str, detail: str, span: Span | None) -> Unknown:
        self.findings.append(diagnostic(summary, detail, span=span))
        if len(self.findings) >= MAX_FINDINGS:
            raise content_error(self.findings)
        return UNKNOWN

    @contextmanager
    def separate_findings(self) -> Iterator[list[Diagnostic]]:
        """Findings go to a list of their own: of a branch that may not be taken."""
        before, self.findings = self.findings, []
        try:
            yield self.findings
        finally:
            self.findings = before


class Scope:
    """Names and their values. A scope of `literals_only` has none and allows none, nor any function."""

    __slots__ = ("_names", "_parent", "item", "literals_only", "run")

    def __init__(
        self,
        run: Run,
        names: Mapping[str, Value],
        *,
        parent: Scope | None = None,
        item: Value = UNKNOWN,
        literals_only: bool = False,
    ) -> None:
        self.run = run
        self.item = item
        self.literals_only = literals_only
        self._names = names
        self._parent = parent

    def inner(self, names: Mapping[str, Value]) -> Scope:
        return Scope(self.run, names, parent=self, item=self.item, literals_only=self.literals_only)

    def with_item(self, item: Value) -> Scope:
        return Scope(self.run, {}, parent=self, item=item, literals_only=self.literals_only)

    def lookup(self, name: str) -> Value:
        """The value of a name; KeyError if no scope has it."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope._names:
                return scope._names[name]
            scope = scope._parent
        raise KeyError(name)
