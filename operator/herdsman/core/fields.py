"""Reaching into a job along a path (`model.paths`): removing what does not count, copying what belongs to others."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from herdsman.model.paths import Step, parse_path

_NAMES = ("Name", "Label", "ID")


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[Step, ...]:
    return parse_path(path)


def remove_at(body: dict[str, Any], path: str) -> None:
    """Take out of *body* whatever *path* leads to."""
    _remove(body, _steps(path))


def _remove(node: Any, steps: tuple[Step, ...]) -> None:
    step, rest = steps[0], steps[1:]
    for place in sorted(_places(node, step), reverse=isinstance(node, list)):
        if rest:
            _remove(node[place], rest)
        else:
            del node[place]


def copy_at(source: Any, target: dict[str, Any], path: str) -> None:
    """Make *target* hold at *path* what *source* holds there: a value, another value, or none."""
    _copy(source, target, _steps(path))


def _copy(source: Any, target: Any, steps: tuple[Step, ...]) -> None:
    if isinstance(target, dict):
        _copy_in_mapping(source if isinstance(source, dict) else {}, target, steps)
    elif isinstance(target, list):
        _copy_in_list(source if isinstance(source, list) else [], target, steps)


def _copy_in_mapping(source: dict[str, Any], target: dict[str, Any], steps: tuple[Step, ...]) -> None:
    step, rest = steps[0], steps[1:]
    for key in {*_places(source, step), *_places(target, step)}:
        if not rest:
            if key in source:
                target[key] = source[key]
            else:
                del target[key]
            continue
        missing = target.get(key) is None
        if missing:
            if not isinstance(source.get(key), dict):
                continue  # nothing to copy, or a list whose elements the job does not declare
            target[key] = {}
        _copy(source.get(key), target[key], rest)
        if missing and not target[key]:
            del target[key]


def _copy_in_list(source: list[Any], target: list[Any], steps: tuple[Step, ...]) -> None:
    step, rest = steps[0], steps[1:]
    theirs = {_name(e, i): e for i, e in enumerate(source)}
    for place in _places(target, step):
        name = _name(target[place], place)
        if name not in theirs:
            continue
        if rest:
            _copy(theirs[name], target[place], rest)
        else:
            target[place] = theirs[name]


def _places(node: Any, step: Step) -> Iterator[Any]:
    """The keys or indexes in *node* that *step* leads to."""
    if isinstance(node, dict):
        yield from list(node) if step.every else [step.name] if step.name in node else []
    elif isinstance(node, list):
        yield from (i for i, e in enumerate(node) if step.every or _name(e, i) == step.name)


def _name(element: Any, place: int) -> Any:
    """What an element of a list is called; its place, where it has no name."""
    if isinstance(element, dict):
        return next((element[n] for n in _NAMES if isinstance(element.get(n), str)), place)
    return place
