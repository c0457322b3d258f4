"""The tree as a program of small steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .tree import ANY, Anchor, Char, CharClass, Choice, Group, Node, PatternError, Repeat, Sequence

_MAX_PROGRAM = 4000


class Step(NamedTuple):
    """`char` consumes one; `fork` goes to both targets, the first preferred; `save` notes the place; `anchor`
    checks it.
    """

    kind: str
    accepts: CharClass = ANY
    targets: tuple[int, ...] = ()
    note: int = 0
    anchor: str = ""


@dataclass
class Compiler:
    program: list[Step] = field(default_factory=list)
    emitted: int = 0

    def emit(self, node: Node) -> None:
        self.emitted += 1
        if self.emitted > _MAX_PROGRAM:
            raise PatternError("expression too large")
        if isinstance(node, Char):
            self.program.append(Step("char", accepts=node.accepts))
        elif isinstance(node, Anchor):
            self.program.append(Step("anchor", anchor=node.kind))
        elif isinstance(node, Group):
            self.program.append(Step("save", note=2 * node.number))
            self.emit(node.inner)
            self.program.append(Step("save", note=2 * node.number + 1))
        elif isinstance(node, Sequence):
            for part in node.parts:
                self.emit(part)
        elif isinstance(node, Choice):
            self._choice(node.options)
        else:
            self._repeat(node)

    def _reserve(self) -> int:
        """Room for a step whose targets are not known yet."""
        self.program.append(Step("fork"))
        return len(self.program) - 1

    def _choice(self, options: tuple[Node, ...]) -> None:
        jumps: list[int] = []
        for option in options[:-1]:
            fork = self._reserve()
            self.emit(option)
            jumps.append(self._reserve())
            self.program[fork] = Step("fork", targets=(fork + 1, len(self.program)))
        self.emit(options[-1])
        for jump in jumps:
            self.program[jump] = Step("fork", targets=(len(self.program),))

    def _repeat(self, node: Repeat) -> None:
        for _ in range(node.least):
            self.emit(node.inner)
        forks: list[int] = []
        for _ in range(1 if node.most is None else node.most - node.least):
            forks.append(self._reserve())
            self.emit(node.inner)
        if node.most is None:
            self.program.append(Step("fork", targets=(forks[0],)))
        for fork in forks:
            self.program[fork] = _fork(fork + 1, len(self.program), node.greedy)


def _fork(more: int, done: int, greedy: bool) -> Step:
    return Step("fork", targets=(more, done) if greedy else (done, more))
