"""The parameters of an entry as others read them: as `user.yaml` has them, and as a JSON Schema for forms and editors.

The schema refuses what `resolve` refuses, but for two things that a schema says badly: what depends on another
parameter, and NFC. A secret is `writeOnly`; `x-herdsman` says of a parameter what a form wants to know besides.
"""

from collections.abc import Mapping
from typing import Any, Final

from herdsman.core.catalog.values import LARGEST
from herdsman.model.catalog import Entry, Field, Kind, Parameter, Range, Rule

Schema = dict[str, Any]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ONE_LINE: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]*$"
_LINES: Final = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\ud800-\udfff]*$"
_NO_INTERPOLATION: Final = {"not": {"pattern": r"[$%]\{"}}


def parameters_config(entry: Entry) -> Schema:
    """`{group: {parameter: {name, value, …}}}`, as an author could have written it for this namespace."""
    return {
        group: {key: _config_of(parameter) for key, parameter in parameters.items()}
        for group, parameters in entry.groups.items()
    }


def _config_of(parameter: Parameter) -> Schema:
    rule = parameter.rule
    ends = [rule.range.low, rule.range.high]
    said: Schema = {"name": parameter.name, "value": parameter.default, "type": rule.kind.value}
    said |= {"description": parameter.description} if parameter.description else {}
    said |= {"options": list(rule.options)} if rule.options else {}
    said |= {"range": ends} if ends != [None, None] else {}
    said |= {key: value for key in ("pattern", "example", "min_length") if (value := getattr(rule, key))}
    said |= {"max_length": rule.max_length} if rule.kind in (Kind.STRING, Kind.LIST) and not rule.options else {}
    said |= {"secret": True} if parameter.secret else {}
    return said | _hints(parameter)


def parameters_schema(entry: Entry) -> Schema:
    """The schema of a partial `{group: {parameter: value}}`."""
    groups = {
        group: _object({key: _of_parameter(p) for key, p in parameters.items()})
        for group, parameters in entry.groups.items()
    }
    about = {"title": entry.metadata.title, "description": entry.metadata.summary}
    return {"$schema": _DIALECT, **about, **_object(groups)}


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _of_parameter(parameter: Parameter) -> Schema:
    schema = {"title": parameter.name, **_of_rule(parameter.rule, secret=parameter.secret)}
    if parameter.description:
        schema["description"] = parameter.description
    if parameter.default == "" and not parameter.rule.options and "allOf" in schema:
        schema["anyOf"] = [{"const": ""}, {"allOf": schema.pop("allOf")}]  # nothing given is always allowed
    schema |= {"writeOnly": True, "format": "password"} if parameter.secret else {"default": parameter.default}
    hints = _hints(parameter)
    return {**schema, "x-herdsman": hints} if hints else schema


def _hints(parameter: Parameter) -> Schema:
    flags = ("required", "advanced", "display", "batch", "generate")
    hints: Schema = {name: True for name in flags if getattr(parameter, name)}
    if parameter.rule.multiline:
        hints["multiline"] = True
    if parameter.resource is not None:
        hints["resource"] = parameter.resource.value
    if parameter.note:
        hints["note"] = parameter.note
    if parameter.depends:
        hints["depends"] = {f"{c.group}.{c.key}": list(c.values) for c in parameter.depends}
    return hints


def _of_rule(rule: Rule, *, secret: bool = False) -> Schema:
    if rule.options:
        return {"enum": list(rule.options)}
    match rule.kind:
        case Kind.STRING:
            return _of_text(rule, secret=secret)
        case Kind.INT:
            return {"type": "integer", **_of_range(rule.range)}
        case Kind.NUMBER:
            return {"type": "number", **_of_range(rule.range)}
        case Kind.BOOL:
            return {"type": "boolean"}
        case Kind.LIST:
            assert rule.items is not None
            sizes = {"minItems": rule.min_length, "maxItems": rule.max_length}
            return {"type": "array", "items": _of_rule(rule.items), **sizes}
        case Kind.OBJECT:
            required = [name for name, field in rule.fields.items() if field.required]
            return {**_object({name: _of_field(f) for name, f in rule.fields.items()}), "required": required}


def _of_text(rule: Rule, *, secret: bool) -> Schema:
    checks: list[Schema] = [{"pattern": _LINES if rule.multiline else _ONE_LINE}]
    if not rule.interpolate and not secret:
        checks.append(_NO_INTERPOLATION)
    if rule.pattern:
        checks.append({"pattern": f"^(?:{rule.pattern})$"})
    if rule.min_length:
        checks.append({"minLength": rule.min_length})
    example = {"examples": [rule.example]} if rule.example else {}
    return {"type": "string", "maxLength": rule.max_length, "allOf": checks, **example}


def _of_range(allowed: Range) -> Schema:
    if allowed.empty:
        return {"not": {}}
    low = -LARGEST if allowed.low is None else allowed.low
    high = LARGEST if allowed.high is None else allowed.high
    return {"minimum": low, "maximum": high}


def _of_field(field: Field) -> Schema:
    schema = {"title": field.name, **_of_rule(field.rule)}
    if field.description:
        schema["description"] = field.description
    return schema if field.required else {**schema, "default": field.default}
