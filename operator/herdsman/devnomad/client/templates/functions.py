"""The functions of templates that need no other server."""

import base64
import hashlib
import json
import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from herdsman.devnomad.client.templates.render import show
from herdsman.devnomad.client.templates.syntax import MissingVariable, TemplateError
from herdsman.devnomad.structs.regexps import matches, regexp_error
from herdsman.devnomad.types import Row

_NEEDS_CONSUL: Final = ("key", "keyExists", "keyOrDefault", "ls", "safeLs", "tree", "service", "services", "connect")
_WIDEST: Final = 6  # digits
_DEEPEST_INDENT: Final = 1_000
_NEEDS_VAULT: Final = ("secret", "secrets", "pkiCert", "writeToFile")


def functions(
    *, env: Mapping[str, str], variable: Callable[[str], Row | None], root: Path
) -> dict[str, Callable[..., Any]]:
    """Everything a template may call."""
    known: dict[str, Callable[..., Any]] = dict(_PURE)
    known |= {name: partial(_absent, name, "Consul") for name in _NEEDS_CONSUL}
    known |= {name: partial(_absent, name, "Vault") for name in _NEEDS_VAULT}
    known |= {
        "env": lambda name: env.get(name, ""),
        "envOrDefault": lambda name, default: env.get(name) or default,
        "mustEnv": lambda name: env[name],
        "nomadVar": partial(_variable, variable),
        "nomadVarExists": lambda path: variable(path) is not None,
        "nomadVarList": lambda *_: [],
        "nomadService": lambda *_: [],
        "nomadServices": lambda *_: [],
        "file": partial(_file, root),
    }
    return known


def _absent(name: str, what: str, *_: Any) -> Any:
    raise TemplateError(f"function {name!r} needs {what}, which the embedded Nomad does not simulate")


def _variable(read: Callable[[str], Row | None], path: str) -> Row:
    found = read(path)
    if found is None:
        raise MissingVariable(path)
    return dict(found["Items"])


def _file(root: Path, name: str) -> str:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise TemplateError(f"file {name!r} is outside the task directory")
    try:
        return path.read_text()
    except OSError as error:
        raise TemplateError(f"file {name!r}: {error}") from error


def _sprintf(layout: str, *values: Any) -> str:
    """Go's verbs, brought to Python's."""
    waiting = list(values)

    def verb(found: re.Match[str]) -> str:
        if found[2] == "%":
            return "%"
        if any(len(number) > _WIDEST for number in re.findall(r"\d+", found[1])):
            return f"%!{found[2]}(BADWIDTH)"
        if not waiting:
            return f"%!{found[2]}(MISSING)"
        value = waiting.pop(0)
        if found[2] in {"v", "s"}:
            return str(f"%{found[1]}s" % show(value))
        if found[2] == "q":
            return json.dumps(str(value))
        return str(f"%{found[1]}{found[2]}" % value)

    return re.sub(r"%([-+ #0]*\d*(?:\.\d+)?)([vsqdxXfgeotcb%])", verb, layout)


def _any_of(first: Any, *rest: Any) -> Any:
    return next((each for each in (first, *rest) if each), (first, *rest)[-1])


def _all_of(first: Any, *rest: Any) -> Any:
    return next((each for each in (first, *rest) if not each), (first, *rest)[-1])


def _numbers(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Arithmetic, of numbers alone: Python would repeat a text, or a list."""

    def calculate(a: Any, b: Any) -> Any:
        for each in (a, b):
            if not isinstance(each, int | float) or isinstance(each, bool):
                raise TypeError(f"{show(each)} is no number")
        return operation(b, a)

    return calculate


def _indent(count: int, text: str) -> str:
    if not 0 <= count <= _DEEPEST_INDENT:
        raise ValueError(f"indent must be between 0 and {_DEEPEST_INDENT}")
    return "\n".join(" " * count + line if line else line for line in text.split("\n"))


def _regex_match(pattern: str, text: str) -> bool:
    _check_pattern(pattern)
    return matches(pattern, text)


def _regex_replace(pattern: str, new: str, text: str) -> str:
    from herdsman.jobspec.regex import Pattern  # noqa: PLC0415 - not everybody's

    _check_pattern(pattern)
    return Pattern(pattern).replace(text, new, lambda _units: None)


def _check_pattern(pattern: str) -> None:
    if complaint := regexp_error(pattern):
        raise ValueError(complaint)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else value[key]
    return value


def _timestamp(layout: str = "") -> str:
    now = datetime.now(UTC)
    return str(int(now.timestamp())) if layout == "unix" else f"{now:%Y-%m-%dT%H:%M:%SZ}"


_PURE: Final[Mapping[str, Callable[..., Any]]] = {
    "add": _numbers(operator.add),
    "subtract": _numbers(operator.sub),
    "multiply": _numbers(operator.mul),
    "divide": _numbers(lambda b, a: b // a if isinstance(a, int) and isinstance(b, int) else b / a),
    "modulo": _numbers(operator.mod),
    "and": _all_of,
    "or": _any_of,
    "not": lambda value: not value,
    "eq": lambda first, *rest: any(first == each for each in rest),
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "len": len,
    "index": _index,
    "print": lambda *values: "".join(show(each) for each in values),
    "println": lambda *values: " ".join(show(each) for each in values) + "\n",
    "printf": _sprintf,
    "base64Encode": lambda text: base64.b64encode(text.encode()).decode(),
    "base64Decode": lambda text: base64.b64decode(text).decode(),
    "contains": lambda needle, hay: needle in hay,
    "in": lambda hay, needle: needle in hay,
    "hasPrefix": lambda prefix, text: text.startswith(prefix),
    "indent": _indent,
    "join": lambda glue, parts: glue.join(show(each) for each in parts),
    "loop": lambda first, last=None: range(first) if last is None else range(first, last),
    "parseBool": lambda text: text.lower() in {"1", "t", "true"},
    "parseFloat": float,
    "parseInt": int,
    "parseJSON": json.loads,
    "regexMatch": _regex_match,
    "regexReplaceAll": _regex_replace,
    "replaceAll": lambda old, new, text: text.replace(old, new),
    "sha256Hex": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "split": lambda glue, text: text.split(glue),
    "timestamp": _timestamp,
    "toJSON": lambda value: json.dumps(value, separators=(",", ":")),
    "toJSONPretty": lambda value: json.dumps(value, indent=2),
    "toLower": lambda text: text.lower(),
    "toTitle": lambda text: text.title(),
    "toUpper": lambda text: text.upper(),
    "trim": lambda cut, text: text.strip(cut),
    "trimPrefix": lambda prefix, text: text.removeprefix(prefix),
    "trimSpace": lambda text: text.strip(),
    "trimSuffix": lambda suffix, text: text.removesuffix(suffix),
}
