"""Templates rendered: the nodes walked, with the dot and the variables of each block."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from herdsman.devnomad.client.templates.syntax import (
    Assign,
    Block,
    Emit,
    Literal,
    Name,
    Node,
    Operand,
    Path,
    Pipeline,
    TemplateError,
    Text,
)

_NOTHING: Final = object()
_MOST_STEPS: Final = 200_000
_LONGEST: Final = 4 << 20


class Renderer:
    """Renders nodes with a set of functions."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._functions = functions
        self._steps, self._length = _MOST_STEPS, _LONGEST

    def _step(self) -> None:
        """A template that loops for ever, or nearly, ends here: nobody else is served meanwhile."""
        self._steps -= 1
        if self._steps < 0:
            raise TemplateError(f"the template takes more than {_MOST_STEPS} steps")

    def _emit(self, text: str, out: list[str]) -> None:
        self._length -= len(text)
        if self._length < 0:
            raise TemplateError(f"the template makes more than {_LONGEST >> 20} MiB of text")
        out.append(text)

    def render(self, nodes: Iterable[Node]) -> str:
        """The text that the nodes make."""
        out: list[str] = []
        self._walk(nodes, None, {"$": None}, out)
        return "".join(out)

    def _walk(self, nodes: Iterable[Node], dot: Any, variables: dict[str, Any], out: list[str]) -> None:
        for node in nodes:
            self._step()
            match node:
                case Text():
                    self._emit(node.text, out)
                case Emit():
                    self._emit(show(self._pipeline(node.pipeline, dot, variables)), out)
                case Assign():
                    variables[node.names[0]] = self._pipeline(node.pipeline, dot, variables)
                case Block():
                    self._block(node, dot, variables, out)

    def _block(self, block: Block, dot: Any, variables: dict[str, Any], out: list[str]) -> None:
        value = self._pipeline(block.pipeline, dot, variables)
        inner = dict(variables)
        if block.kind == "range":
            self._range(block, value, dot, inner, out)
            return
        if not value:
            self._walk(block.otherwise, dot, inner, out)
            return
        if block.names:
            inner[block.names[0]] = value
        self._walk(block.body, value if block.kind == "with" else dot, inner, out)

    def _range(self, block: Block, value: Any, dot: Any, variables: dict[str, Any], out: list[str]) -> None:
        if not value:
            self._walk(block.otherwise, dot, variables, out)
            return
        for key, each in _entries(value):
            self._step()
            inner = dict(variables)
            if len(block.names) == 2:
                inner[block.names[0]], inner[block.names[1]] = key, each
            elif block.names:
                inner[block.names[0]] = each
            self._walk(block.body, each, inner, out)

    # -- expressions -----------------------------------------------------------------------------------------------
    def _pipeline(self, pipeline: Pipeline, dot: Any, variables: dict[str, Any]) -> Any:
        value: Any = _NOTHING
        for command in pipeline.commands:
            value = self._command(command, value, dot, variables)
        return value

    def _command(self, command: tuple[Operand, ...], piped: Any, dot: Any, variables: dict[str, Any]) -> Any:
        head, *rest = command
        arguments = [self._operand(each, dot, variables) for each in rest]
        if piped is not _NOTHING:
            arguments.append(piped)
        if isinstance(head, Name):
            return self._call(head.name, arguments)
        if arguments:
            raise TemplateError("can't give argument to a value that is no function")
        return self._operand(head, dot, variables)

    def _call(self, name: str, arguments: list[Any]) -> Any:
        function = self._functions.get(name)
        if function is None:
            raise TemplateError(f'function "{name}" not defined')
        try:
            return function(*arguments)
        except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, MemoryError) as error:
            raise TemplateError(f"error calling {name}: {error}") from error

    def _operand(self, operand: Operand, dot: Any, variables: dict[str, Any]) -> Any:
        match operand:
            case Literal():
                return operand.value
            case Name():
                return self._call(operand.name, [])
            case Path():
                return _follow(self._start(operand, dot, variables), operand.fields)

    def _start(self, path: Path, dot: Any, variables: dict[str, Any]) -> Any:
        if path.start is None:
            return dot
        if isinstance(path.start, Pipeline):
            return self._pipeline(path.start, dot, variables)
        if path.start not in variables:
            raise TemplateError(f'undefined variable "{path.start}"')
        return variables[path.start]


def _follow(value: Any, fields: tuple[str, ...]) -> Any:
    for name in fields:
        if value is None:
            raise TemplateError(f"nil pointer evaluating .{name}")
        if isinstance(value, Mapping):
            value = value.get(name)
        else:
            raise TemplateError(f"can't evaluate field {name}")
    return value


def _entries(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return sorted(value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        return ((index, index) for index in range(value))
    if not isinstance(value, list | tuple | range):
        raise TemplateError(f"range can't iterate over {show(value)}")
    return enumerate(value)


def show(value: Any) -> str:
    """A value as Go prints it."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple | range):
        if len(value) > _LONGEST:
            raise TemplateError("a list is too long to be shown")
        return f"[{' '.join(show(each) for each in value)}]"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{show(each)}' for key, each in sorted(value.items()))}]"
    return str(value)
