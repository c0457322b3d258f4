"""Go's template language, parsed: text, actions, and the expressions in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias


class TemplateError(Exception):
    """A template that cannot be rendered."""


class MissingVariable(TemplateError):
    """A template that cannot be rendered before a variable is there."""

    def __init__(self, path: str) -> None:
        super().__init__(f"Missing: nomad.var.block({path})")


# -- expressions ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Literal:
    """A string, a number, `true`, `false`, `nil`."""

    value: Any


@dataclass(frozen=True, slots=True)
class Path:
    """`.a.b`, `$x.a`, `(…).a`: a start and the fields to follow; the start is the dot where there is none."""

    start: "Pipeline | str | None"
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A function."""

    name: str


Operand: TypeAlias = "Literal | Path | Name"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each of which gets the value of the one before as its last argument."""

    commands: tuple[tuple[Operand, ...], ...]


# -- nodes ---------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Text:
    """What is written as it stands."""

    text: str


@dataclass(slots=True)
class Emit:
    """An action whose value is written."""

    pipeline: Pipeline


@dataclass(slots=True)
class Assign:
    """`$x := …`"""

    names: tuple[str, ...]
    pipeline: Pipeline


@dataclass(slots=True)
class Block:
    """`if`, `with`, `range`, with what follows and what follows otherwise."""

    kind: str
    names: tuple[str, ...]
    pipeline: Pipeline
    body: list["Node"] = field(default_factory=list)
    otherwise: list["Node"] = field(default_factory=list)


Node: TypeAlias = "Text | Emit | Assign | Block"

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<string>"(?:\\.|[^"\\])*") | (?P<raw>`[^`]*`) | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<variable>\$\w*) | (?P<field>(?:\.\w+)+) | (?P<dot>\.) | (?P<name>[A-Za-z_]\w*)
      | (?P<mark>:=|=|\||\(|\)|,)
    )""",
    re.VERBOSE,
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    spaced: bool


def parse(source: str, *, left: str = "{{", right: str = "}}") -> list[Node]:
    """The nodes of a template."""
    pieces = _pieces(source, left, right)
    nodes, ended_by = _nodes(pieces)
    if ended_by:
        raise TemplateError(f"unexpected {{{{{ended_by}}}}}")
    return nodes


def _pieces(source: str, left: str, right: str) -> Iterator[tuple[bool, str]]:
    """Text and actions in turn, with `{{-` and `-}}` taking the spaces beside them."""
    trim = False
    while True:
        text, found, rest = source.partition(left)
        if trim:
            text = text.lstrip()
        if not found:
            yield False, text
            return
        action, closed, source = rest.partition(right)
        if not closed:
            raise TemplateError("unclosed action")
        if action.startswith("-") and action[1:2].isspace():
            text, action = text.rstrip(), action[1:]
        trim = action.endswith("-") and action[-2:-1].isspace()
        yield False, text
        yield True, (action[:-1] if trim else action).strip()


def _nodes(pieces: Iterator[tuple[bool, str]]) -> tuple[list[Node], str]:
    """Nodes up to `end` or `else`, and which of them it was."""
    nodes: list[Node] = []
    for is_action, text in pieces:
        if not is_action:
            if text:
                nodes.append(Text(text))
            continue
        word = text.split(None, 1)[0] if text else ""
        if word in {"end", "else"}:
            return nodes, text
        if word in {"if", "with", "range"}:
            nodes.append(_block(word, text[len(word) :], pieces))
        elif not text.startswith("/*"):
            nodes.append(_action(text))
    return nodes, ""


def _block(kind: str, head: str, pieces: Iterator[tuple[bool, str]]) -> Block:
    names, pipeline = _assignment(_Tokens(head))
    block = Block(kind, names, pipeline)
    block.body, ended_by = _nodes(pieces)
    if ended_by.startswith("else"):
        following = ended_by[4:].strip()
        if following:
            word, _, rest = following.partition(" ")
            block.otherwise = [_block(word, rest, pieces)]
            return block
        block.otherwise, ended_by = _nodes(pieces)
    if ended_by != "end":
        raise TemplateError(f"unclosed {{{{{kind}}}}}")
    return block


def _action(text: str) -> Node:
    names, pipeline = _assignment(_Tokens(text))
    return Assign(names, pipeline) if names else Emit(pipeline)


class _Tokens:
    """The tokens of an action, one after the other."""

    def __init__(self, text: str) -> None:
        self._tokens: list[_Token] = []
        position = 0
        while position < len(text.rstrip()):
            found = _TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                raise TemplateError(f"unexpected {text[position:].strip()[:20]!r} in action {text.strip()!r}")
            spaced = found.start(found.lastgroup) > position
            self._tokens.append(_Token(found.lastgroup, found[found.lastgroup], spaced))
            position = found.end()
        self._at = 0

    def peek(self, ahead: int = 0) -> _Token | None:
        """The next token, or one further on."""
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def take(self) -> _Token:
        """The next token, taken."""
        token = self.peek()
        if token is None:
            raise TemplateError("missing value for command")
        self._at += 1
        return token

    def accept(self, text: str) -> bool:
        """Take the next token where it is this mark."""
        token = self.peek()
        if token is not None and token.kind == "mark" and token.text == text:
            self._at += 1
            return True
        return False


def _assignment(tokens: _Tokens) -> tuple[tuple[str, ...], Pipeline]:
    names: list[str] = []
    first, second = tokens.peek(), tokens.peek(1)
    if first and first.kind == "variable" and second and second.text in {":=", "=", ","}:
        names.append(tokens.take().text)
        if tokens.accept(","):
            names.append(tokens.take().text)
        tokens.take()
    pipeline = _pipeline(tokens)
    if tokens.peek() is not None:
        raise TemplateError(f"unexpected {tokens.take().text!r} in action")
    return tuple(names), pipeline


def _pipeline(tokens: _Tokens) -> Pipeline:
    commands = [_command(tokens)]
    while tokens.accept("|"):
        commands.append(_command(tokens))
    return Pipeline(tuple(commands))


def _command(tokens: _Tokens) -> tuple[Operand, ...]:
    operands = [_operand(tokens)]
    while (token := tokens.peek()) is not None and token.text not in {"|", ")"}:
        operands.append(_operand(tokens))
    return tuple(operands)


def _operand(tokens: _Tokens) -> Operand:
    token = tokens.take()
    if token.kind == "string":
        return Literal(re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), token.text[1:-1]))
    if token.kind == "raw":
        return Literal(token.text[1:-1])
    if token.kind == "number":
        return Literal(float(token.text) if "." in token.text else int(token.text))
    if token.kind == "field":
        return Path(None, tuple(token.text[1:].split(".")))
    if token.kind == "dot":
        return Path(None, ())
    if token.kind == "variable":
        return Path(token.text, _fields(tokens))
    if token.kind == "name":
        constants = {"true": True, "false": False, "nil": None}
        return Literal(constants[token.text]) if token.text in constants else Name(token.text)
    if token.text == "(":
        inner = _pipeline(tokens)
        if not tokens.accept(")"):
            raise TemplateError("unclosed left paren")
        return Path(inner, _fields(tokens))
    raise TemplateError(f"unexpected {token.text!r} in operand")


def _fields(tokens: _Tokens) -> tuple[str, ...]:
    token = tokens.peek()
    if token is not None and token.kind == "field" and not token.spaced:
        tokens.take()
        return tuple(token.text[1:].split("."))
    return ()
