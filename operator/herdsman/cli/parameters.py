"""Parameters of a deployment as they are given on a command line: a file, `--set`, `--set-file`, and what is asked for.

A text becomes what its parameter takes: `--set general.title=007` is a text, `--set hardware.ram=007` the number 7.
What is secret does not belong on a command line, where other users of the machine and the shell's history see it.
"""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from herdsman.errors import UsageError

Known = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""What `/config` answers: group, parameter, and what it takes."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,300}(\.[0-9]{0,300})?|\.[0-9]{1,300})([eE][+-]?[0-9]{1,3})?")
_BOOLS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Given:
    """One parameter as it was given."""

    group: str
    key: str
    text: str

    @property
    def name(self) -> str:
        """As it is written."""
        return f"{self.group}.{self.key}"


def assignment(text: str) -> Given:
    """What `GROUP.PARAM=VALUE` says; the value is whatever follows the first `=`. Raises `UsageError`."""
    name, equals, value = text.partition("=")
    group, key = named(name)
    if not equals:
        raise UsageError(f"{name} is set to nothing", hint=f"write {name}=VALUE; {name}= is an empty text")
    return Given(group, key, value)


def named(name: str) -> tuple[str, str]:
    """The group and the parameter of `GROUP.PARAM`. Raises `UsageError`."""
    group, dot, key = name.strip().partition(".")
    if not (group and dot and key):
        raise UsageError(f"{name[:80]!r} names no parameter", hint="write GROUP.PARAM, like general.title")
    return group, key


def parameter(known: Known, group: str, key: str) -> Mapping[str, Any]:
    """What the entry says of a parameter. Raises `UsageError`, with the nearest, for one that it has not."""
    found = known.get(group, {}).get(key)
    if found is None:
        names = [f"{g}.{k}" for g, parameters in known.items() for k in parameters]
        near = get_close_matches(f"{group}.{key}", names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(names) or 'none'}"
        raise UsageError(f"there is no parameter {group}.{key}", hint=hint)
    return found


def typed(given: Given, known: Known) -> Any:
    """The text of *given* as the value that its parameter takes. Raises `UsageError`."""
    kind = parameter(known, given.group, given.key).get("type", "string")
    text = given.text
    if kind == "string":
        return text
    read = _READERS.get(kind, _yaml)
    value = read(text.strip())
    if value is None or (kind == "list") != isinstance(value, list) or (kind == "object") != isinstance(value, dict):
        raise UsageError(f"{given.name} takes {_TAKES.get(kind, kind)}, not {text[:80]!r}")
    return value


def _int(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None


def _number(text: str) -> int | float | None:
    if _WHOLE.fullmatch(text):
        return int(text)
    value = float(text) if _NUMBER.fullmatch(text) else float("inf")
    return value if abs(value) < float("inf") else None


def _bool(text: str) -> bool | None:
    return _BOOLS.get(text.lower())


def _list(text: str) -> Any:
    return _yaml(text) if text.startswith("[") else [part.strip() for part in text.split(",") if part.strip()]


def _yaml(text: str) -> Any:
    """JSON or YAML, as JSON can hold it; None for what is neither."""
    import json

    import yaml

    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        pass
    try:
        return _plain(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _plain(value: Any) -> Any:
    """*value* of YAML as JSON can hold it: a date is the text of it. Raises `ValueError`."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise ValueError("no number")
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, date):
        return value.isoformat()
    raise ValueError("nothing that JSON has")


_READERS: Mapping[str, Callable[[str], Any]] = {"int": _int, "number": _number, "bool": _bool, "list": _list}
_TAKES = {
    "int": "a whole number",
    "number": "a number",
    "bool": "true or false",
    "list": "a list like a,b or [a, b]",
    "object": "a mapping like {a: b}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """All that a command line says of parameters."""

    file: Path | None = None
    sets: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.file or self.sets or self.files or self.asks)

    def conf(self, known: Known, *, ask: Callable[[str], str]) -> dict[str, dict[str, Any]]:
        """The parameters, the last word on each. *ask* gets a secret from whoever sits there. Raises `UsageError`."""
        conf = from_file(self.file) if self.file is not None else {}
        for text in self.sets:
            given = assignment(text)
            if parameter(known, given.group, given.key).get("secret"):
                hint = f"use --ask {given.name}, or --set-file {given.name}=PATH; - is standard input"
                raise UsageError(f"{given.name} is secret, and a command line is not", hint=hint)
            conf.setdefault(given.group, {})[given.key] = typed(given, known)
        for text in self.files:
            given = assignment(text)
            read = Given(given.group, given.key, content(given.text))
            conf.setdefault(given.group, {})[given.key] = typed(read, known)
        for name in self.asks:
            group, key = named(name)
            about = parameter(known, group, key)
            answered = Given(group, key, ask(str(about.get("name") or name)))
            conf.setdefault(group, {})[key] = typed(answered, known)
        return conf


def from_file(path: Path) -> dict[str, dict[str, Any]]:
    """A file of group, parameter, value. Raises `UsageError`."""
    found = _yaml(_read(str(path)))
    if found is None:
        raise UsageError(
            f"{path} is no YAML that JSON could hold, or empty", hint="write GROUP: and below it PARAM: VALUE"
        )
    if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
        raise UsageError(f"{path} holds no groups of parameters", hint="write GROUP: and below it PARAM: VALUE")
    return {str(group): {str(key): value for key, value in values.items()} for group, values in found.items()}


def content(path: str) -> str:
    """The text of a file, `-` is standard input; the end of its last line is not part of it."""
    return _read(path).removesuffix("\n").removesuffix("\r")


def _read(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text") from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "no such path"
        raise UsageError(f"{path} cannot be read: {said.lower()}") from None
