"""JSON Schemas of the documents, for editors: completion, hover help, and red lines before anything is committed.

Made of the same models and the same table that judge a spec, so what they refuse is refused, and nearly all that is
refused they refuse. Where Herdsman takes an empty field (`null`) for one that is left out, editors do not offer it.
"""

from collections.abc import Mapping
from typing import Any, Final

from herdsman.core.jobfields import INTEGERS, Block, Field, Form, blocks
from herdsman.model.documents import API_VERSION, KINDS
from herdsman.model.durations import PATTERN

Schema = dict[str, Any]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DEPENDENCY: Final = {"$ref": "#/$defs/Dependency"}


def schemas() -> Mapping[str, Schema]:
    """One schema per kind, and one for all of them, by file name."""
    single = {f"{kind.lower()}.json": _of_kind(kind) for kind in KINDS}
    return {**single, "herdsman.json": _of_all()}


def _of_kind(kind: str) -> Schema:
    schema = _tidied(KINDS[kind].model_json_schema(by_alias=True))
    definitions = schema.pop("$defs")
    if kind == "Job":
        _complete_job(definitions["JobSpec"])
        definitions.update({f"nomad.{name}": _of_block(block) for name, block in blocks().items()})
    return {"$schema": _DIALECT, "title": kind, **schema, "$defs": definitions}


def _of_all() -> Schema:
    """The kind decides: an editor then speaks of one kind's fields, not of all."""
    definitions: Schema = {}
    choices = []
    for kind in KINDS:
        schema = _of_kind(kind)
        definitions.update(schema.pop("$defs"))
        del schema["$schema"]
        definitions[kind] = schema
        choices.append(
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{kind}"},
            }
        )
    return {
        "$schema": _DIALECT,
        "title": "Herdsman",
        "description": "A document of a Herdsman spec file.",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "The version of this format."},
            "kind": {"enum": list(KINDS), "description": "What the document declares."},
        },
        "allOf": choices,
        "$defs": definitions,
    }


# -- what the models say -----------------------------------------------------------------------------------------------


def _tidied(schema: Any, *, of_properties: bool = False) -> Any:
    """Without titles that repeat the field's name, and without `null` as a choice and as a default."""
    if isinstance(schema, list):
        return [_tidied(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {
        key: _tidied(value, of_properties=key in ("properties", "$defs"))
        for key, value in schema.items()
        if of_properties or not (key == "title" or (key == "default" and value is None))
    }
    if tidy.get("items") == _DEPENDENCY:
        name = {"type": "string", "minLength": 1, "description": "The name of a job in the same namespace."}
        tidy["items"] = {"anyOf": [name, _DEPENDENCY]}
    return _without_null(tidy)


def _without_null(schema: Schema) -> Schema:
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == len(schema.get("anyOf", ())):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**choices[0], **rest} if len(choices) == 1 else {"anyOf": choices, **rest}


def _complete_job(spec: Schema) -> None:
    properties = spec["properties"]
    properties["job"] = {"$ref": "#/$defs/nomad.Job", "description": properties["job"]["description"]}
    properties["variables"]["additionalProperties"] = False
    spec["oneOf"] = [{"required": [name]} for name in ("hcl", "file", "job")]


# -- what the table says -----------------------------------------------------------------------------------------------


def _of_block(block: Block) -> Schema:
    schema: Schema = {
        "type": "object",
        "description": block.doc,
        "properties": {name: _of_field(block.fields[name]) for name in block.writable},
        "additionalProperties": False,
    }
    return {**schema, "required": list(block.required)} if block.required else schema


def _of_field(field: Field) -> Schema:
    return {**_of_form(field), "description": field.doc}


def _of_form(field: Field) -> Schema:
    element = _of_type(field)
    match field.form:
        case Form.ONE:
            return element
        case Form.LIST:
            return {"type": "array", "items": element}
        case Form.MAP:
            return {"type": "object", "additionalProperties": element}
        case Form.MAP_OF_LISTS:
            return {"type": "object", "additionalProperties": {"type": "array", "items": element}}


def _of_type(field: Field) -> Schema:
    match field.type:
        case "text" if field.values:
            return {"anyOf": [{"enum": list(field.values)}, {"type": "string"}]}
        case "text":
            return {"type": "string"}
        case "bool":
            return {"type": "boolean"}
        case "duration":
            return {"anyOf": [{"type": "string", "pattern": f"^(0|{PATTERN})$"}, {"type": "integer"}]}
        case "any":
            return {}
        case kind if kind in INTEGERS:
            allowed = INTEGERS[kind]
            return {"type": "integer", "minimum": allowed[0], "maximum": allowed[-1]}
        case kind:
            return {"$ref": f"#/$defs/nomad.{kind}"}
