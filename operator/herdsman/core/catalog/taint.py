"""Where the free texts of users end up in a job: a text is safe as data, and not where something reads it as syntax.

Each text is followed by a mark through the jobspec. It may not land in a template (`{{` would run there), in a script
on a command line, in what gives a container power over its node, or in a name, and must not touch a `$`, a `{` or
another text that together could become `${`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import basename
from typing import Any, Final

from herdsman.core.catalog.values import compiled
from herdsman.errors import Refused
from herdsman.model.catalog import Entry, Kind, Rule
from herdsman.model.observed import Body

Parse = Callable[[str, Mapping[str, Any]], Body]
"""A jobspec and its variables to the job. Raises `Refused`."""

SHELLS: Final = re.compile(r"(?:ba|da|a|z|k)?sh|python[0-9.]*|perl|ruby|node|busybox")
"""Programs that take a script as an argument."""

_POWERS: Final = frozenset(
    {
        "cap_add", "command", "devices", "entrypoint", "ipc_mode", "mount", "mounts", "network_mode", "pid_mode",
        "security_opt", "sysctl", "userns_mode", "volume_driver", "volumes",
    }
)  # fmt: skip
"""Settings of drivers that decide what runs, and what of the node it may touch."""

_NAMES: Final = frozenset({"Name", "ID", "Namespace", "Driver", "User", "PortLabel", "Label", "Type", "Hook"})

_SYNTAX: Final = ("{{x}}", "a{{x}}b", "$(x)", "a;b", "`x`", "'x'", '"x"', "a b", "a\nb")
"""Texts that mean something to a template or a shell."""

_MARK: Final = re.compile(r"zq[0-9]+qz")
_SHELL, _SCRIPT = "args of a shell", "script of a shell"
_SCRIPT_FLAG: Final = re.compile(r"-[a-z]*[ce]")
_TOUCHING: Final = re.compile(r"[$%]zq[0-9]+qz|zq[0-9]+qz(?:\{|zq[0-9]+qz)")


@dataclass(frozen=True, slots=True)
class Stain:
    """A *variable* whose text is in a place where it is not only data: which, and what to do instead."""

    variable: str
    where: str
    hint: str


def stains(entry: Entry, variables: Mapping[str, Any], parse: Parse) -> Iterator[Stain]:
    """What is wrong with where texts go, in a job that is made with *variables* and a mark in each free text."""
    rules = {p.key: p.rule for p in entry.parameters if p.key in variables and not p.secret and not p.display}
    marks: dict[str, str] = {}
    marked = {name: _marked(rules[name], name, marks) if name in rules else value for name, value in variables.items()}
    if "owner" in variables:
        marked["owner"] = _mark("owner", marks)
    try:
        body = parse(entry.hcl, marked)
    except Refused:
        return  # a text that must be a number: nothing else can come of it
    found = {s for path, text in _texts(body, ()) for s in _stains(path, text, marks)}
    yield from sorted(found, key=lambda s: (s.variable, s.where))


def _mark(name: str, marks: dict[str, str]) -> str:
    mark = f"zq{len(marks)}qz"
    marks[mark] = name
    return mark


def _marked(rule: Rule, name: str, marks: dict[str, str]) -> Any:
    """A value with a mark in each text that could hold syntax."""
    if rule.kind is Kind.LIST and rule.items is not None:
        return [_marked(rule.items, name, marks)]
    if rule.kind is Kind.OBJECT:
        return {key: _marked(field.rule, name, marks) for key, field in rule.fields.items()}
    if rule.free_text and _holds_syntax(rule):
        return _mark(name, marks)
    return _some(rule)


def _some(rule: Rule) -> Any:
    if rule.options:
        return rule.options[0]
    low = rule.range.low if rule.range.low is not None else 1
    usual = {Kind.BOOL: True, Kind.STRING: rule.example or "sample"}
    return usual.get(rule.kind, int(low) if rule.kind is Kind.INT else low)


def _holds_syntax(rule: Rule) -> bool:
    """Whether the form of a text leaves room for something that a template or a shell would read."""
    if not rule.pattern:
        return True
    texts = [*_SYNTAX, *(f"{rule.example}{text}" for text in _SYNTAX), *(f"{text}{rule.example}" for text in _SYNTAX)]
    return any(compiled(rule.pattern).fullmatch(text) for text in texts)


Path = tuple[str | int, ...]


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text of a job with its place; keys of mappings too."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        shell = SHELLS.fullmatch(basename(str(value.get("command", "")))) is not None
        for key, part in value.items():
            yield (*path, "key"), str(key)
            yield from _texts(part, (*path, _SHELL if shell and key == "args" else str(key)))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            is_script = path[-1:] == (_SHELL,) and number > 0 and _SCRIPT_FLAG.fullmatch(str(value[number - 1]))
            yield from _texts(part, (*path, _SCRIPT if is_script else number))


def _stains(path: Path, text: str, marks: Mapping[str, str]) -> Iterator[Stain]:
    names = {marks[mark] for mark in _MARK.findall(text)}
    for name in names:
        if "EmbeddedTmpl" in path:
            yield Stain(name, "a template, where {{ would be read", 'set it in env, and read it with {{ env "…" }}')
        elif _SCRIPT in path:
            yield Stain(name, "the command line of a shell", 'set it in env, and write "$NAME" there')
        elif "Config" in path and (powers := _POWERS.intersection(map(str, path))):
            where = f"{min(powers)}, which decides what runs or what it may touch"
            yield Stain(name, where, "offer a choice with options")
        elif path[-1] == "key" or (path[-1] in _NAMES and "Config" not in path and "Env" not in path):
            yield Stain(name, "a name", "name things by deployment_id")
    if _TOUCHING.search(text):
        for name in sorted(names)[:1]:
            yield Stain(name, "a text where it could become ${ with what is beside it", "put a space or / between them")
