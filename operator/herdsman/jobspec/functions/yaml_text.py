"""YAML to values and back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from herdsman.jobspec import bignum
from herdsman.jobspec.json_text import encode_json
from herdsman.jobspec.limits import MAX_DEPTH, NODE, Budget, LimitError
from herdsman.jobspec.text import encodable, go_quote
from herdsman.jobspec.typesystem import STRING
from herdsman.jobspec.values import Entries, Items, ObjectValue, TupleValue, Value, string

from .base import Function, FunctionError, Parameter, function

_YAML_WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_YAML_INT = re.compile(r"[-+]?(?:0o[0-7]+|0x[0-9a-fA-F]+|[0-9]+)")
_YAML_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


class _YamlReader:
    """Values from PyYAML's events. Its composer is no choice: deep nesting makes that crash the interpreter."""

    def __init__(self, text: str, budget: Budget) -> None:
        self._events = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        self._anchors: dict[str, Value] = {}
        self._budget = budget

    def document(self) -> Value:
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value = self._value(next(self._events), 0)
        next(self._events)  # the end of the document
        if not isinstance(next(self._events), yaml.StreamEndEvent):
            raise FunctionError("on line 1, column 1: only a single document is allowed")
        return value

    def _value(self, event: object, depth: int) -> Value:
        self._budget.spend(NODE)
        if depth > MAX_DEPTH:
            raise LimitError(f"A value nests deeper than {MAX_DEPTH} levels.")
        if isinstance(event, yaml.AliasEvent):
            name = str(event.anchor)
            if name not in self._anchors:
                raise FunctionError(f"reference to undefined anchor {go_quote(name)}")
            return self._anchors[name]
        if isinstance(event, yaml.ScalarEvent):
            value = _yaml_scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = TupleValue(list(self._sequence(depth + 1)))
        else:
            value = self._mapping(depth + 1)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = value
        return value

    def _sequence(self, depth: int) -> Iterator[Value]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._value(event, depth)

    def _mapping(self, depth: int) -> Value:
        entries: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            plain_merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.style is None
            key = self._value(event, depth)
            value = self._value(next(self._events), depth)
            if plain_merge:
                for source in value.items if isinstance(value, TupleValue) else (value,):
                    if not isinstance(source, Entries):
                        raise FunctionError("cannot merge a value that is not a mapping")
                    merged = source.entries | merged
            elif isinstance(key, str | int | bool):
                entries[key if isinstance(key, str) else encode_json(key)] = value
            else:
                raise FunctionError("mapping keys must be strings")
        return ObjectValue(merged | entries)


def _yaml_scalar(event: yaml.ScalarEvent) -> Value:
    text = str(event.value)
    if event.style is not None or event.tag == "tag:yaml.org,2002:str":
        return string(encodable(text))
    if text in _YAML_WORDS:
        return _YAML_WORDS[text]
    if _YAML_INT.fullmatch(text) and ("0o" in text or "0x" in text) and len(text) < bignum.MAX_DIGITS:
        return bignum.rounded(int(text, 0))
    if _YAML_INT.fullmatch(text) or _YAML_FLOAT.fullmatch(text):
        bare = text.replace(".", "0.", 1) if text.lstrip("+-").startswith(".") else text
        number = bignum.parse(re.sub(r"\.(?=$|[eE])", "", bare))
        if number is not None:
            return number
    return string(encodable(text))


def _yamldecode(budget: Budget, text: str) -> Value:
    try:
        return _YamlReader(text, budget).document()
    except yaml.YAMLError as error:
        raise FunctionError(" ".join(str(error).split())) from None


def _yamlencode(value: Value) -> Value:
    """Block style, every string in quotes, as Nomad writes it."""
    events = [yaml.StreamStartEvent(), yaml.DocumentStartEvent(explicit=False), *_yaml_events(value)]
    events += [yaml.DocumentEndEvent(explicit=False), yaml.StreamEndEvent()]
    text = yaml.emit(events, Dumper=yaml.SafeDumper, width=1 << 30, allow_unicode=True)
    return str(text).removesuffix("...\n")


def _yaml_events(value: Value) -> Iterator[object]:
    if isinstance(value, Items):
        yield yaml.SequenceStartEvent(None, None, implicit=True, flow_style=not value.items)
        for item in value.items:
            yield from _yaml_events(item)
        yield yaml.SequenceEndEvent()
    elif isinstance(value, Entries):
        yield yaml.MappingStartEvent(None, None, implicit=True, flow_style=not value.entries)
        for name, part in value.entries.items():
            yield yaml.ScalarEvent(None, None, (False, True), name, style='"')
            yield from _yaml_events(part)
        yield yaml.MappingEndEvent()
    elif isinstance(value, str):
        yield yaml.ScalarEvent(None, None, (False, True), value, style="|" if "\n" in value else '"')
    else:
        yield yaml.ScalarEvent(None, None, (True, False), encode_json(value))


FUNCTIONS: dict[str, Function] = {
    "yamldecode": function(_yamldecode, Parameter("src", STRING), costly=True),
    "yamlencode": function(_yamlencode, Parameter("value", allows_null=True)),
}
