"""The small types that documents are made of: names, durations, paths, and a way to say why a value does not do."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from herdsman.model import names
from herdsman.model.catalog import DEPLOYMENT_ID, ENTRY_NAME, SECTIONS
from herdsman.model.durations import EXPECTED, NS, PATTERN, nanoseconds
from herdsman.model.paths import EXAMPLES, parse_path


class Unfit(ValueError):
    """A value that does not do: what is wrong with it, what to do, and *at* which field below the checked one."""

    def __init__(self, message: str, hint: str = "", *, at: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.hint = hint
        self.at = at


class Strict(BaseModel):
    """A block of a document: unknown fields are refused, and nothing is converted silently."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        hide_input_in_errors=True,
    )


class Named:
    """A check for names of one sort, which JSON Schema learns too: `Annotated[str, Named(…)]`."""

    def __init__(self, pattern: str, what: str, allowed: str) -> None:
        self.pattern = pattern
        self.what = what
        self.allowed = allowed

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^{self.pattern}$"}

    def _check(self, name: str) -> str:
        if not names.fits(self.pattern, name):
            raise Unfit(f"not a name for {self.what}", f"allowed are {self.allowed}")
        return name


def _job_id(name: str) -> str:
    names.check_job_id(name)
    return name


NamespaceName = Annotated[str, Named(names.NAMESPACE, "a Nomad namespace", "letters, digits and -, at most 128")]
FleetName = Annotated[str, Named(names.FLEET, "a fleet", "letters, digits, - and _, at most 64")]
Glob = Annotated[
    str, Named(names.NAMESPACE_GLOB, "namespaces", "letters, digits and -, * for any text and ? for one character")
]
VariableName = Annotated[
    str, Named(names.VARIABLE, "an HCL2 variable", "letters, digits, _ and -, not beginning with a digit")
]
ItemName = Annotated[
    str, Named(names.ITEM, "an item of a variable", "letters, digits, _, - and ., not beginning with - or .")
]
EntryId = Annotated[
    str,
    Named(
        f"(?:{'|'.join(SECTIONS)})/{ENTRY_NAME}",
        "a catalog entry",
        "modules/… and tools/… with small letters, digits and -",
    ),
]
DeploymentId = Annotated[
    str,
    Named(DEPLOYMENT_ID, "a deployment", "small letters, digits and -, at most 48: it becomes a part of host names"),
]


def _variable_path(path: str) -> str:
    if len(path) > 128 or not names.fits(names.PATH, path):
        raise Unfit(
            "not a path for a Nomad variable",
            "letters, digits, _, - and ~ between slashes, at most 128 characters; below nomad/ only jobs and"
            " job-templates, and nothing below herdsman/, where Herdsman keeps its own",
        )
    return path


VariablePath = Annotated[
    str,
    AfterValidator(_variable_path),
    WithJsonSchema({"type": "string", "maxLength": 128, "pattern": f"^{names.PATH}$"}),
]


def _instant(text: str) -> str:
    try:
        found = datetime.fromisoformat(text) if _INSTANT.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        raise Unfit("expected a time with its zone", "like 2026-01-31T12:00:00Z")
    return text


_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)

Instant = Annotated[
    str,
    AfterValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": f"^{_INSTANT.pattern}$"}),
]
"""A time as RFC 3339 writes it."""


def seconds_of(instant: str) -> float:
    """An `Instant` in s since the epoch."""
    return datetime.fromisoformat(instant).timestamp()


JobId = Annotated[
    str,
    AfterValidator(_job_id),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 255, "pattern": f"^{names.JOB}$"}),
]


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unfit(f"expected {EXPECTED}, or a number of seconds")
    try:
        seconds = nanoseconds(value) / NS if isinstance(value, str) else float(value)
    except ValueError as error:
        raise Unfit(str(error), "a number alone means seconds") from None
    if not 0 < seconds <= _LONGEST:
        raise Unfit("expected a time that is longer than zero and at most ten years")
    return seconds


_LONGEST: Final = 10 * 366 * 86_400.0

Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": f"^{PATTERN}$"}, {"type": "number", "exclusiveMinimum": 0}]}
    ),
]
"""Seconds; written as `30s`, `5m`, `1h30m`, or as a number of seconds."""


def _ignorable(path: str) -> str:
    try:
        parse_path(path)
    except ValueError as error:
        raise Unfit(f"not a path into a job: {error}", f"for example {EXAMPLES}") from None
    return path


IgnorePath = Annotated[str, AfterValidator(_ignorable)]


def _relative(path: str) -> str:
    if "\\" in path or path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")):
        raise Unfit(
            "expected the path of a file below this one's folder",
            "without a leading /, without . and .. and with / between its parts",
        )
    if not path.isprintable():
        raise Unfit("a path may hold no control characters")
    if not path.endswith(JOB_FILES):
        raise Unfit(f"expected a file whose name ends in {', '.join(JOB_FILES)}")
    return path


JOB_FILES: Final = (".hcl", ".nomad", ".json")
"""How the names of files with a job in them end: HCL2, HCL2, and JSON in the API's form."""

JobFile = Annotated[
    str,
    AfterValidator(_relative),
    WithJsonSchema({"type": "string", "pattern": r"^(?!/)(?!(.*/)?\.{0,2}(/|$))[^\\]+\.(hcl|nomad|json)$"}),
]

Texts = Mapping[str, str]

Written = Field(strict=False)
"""For what YAML writes as something else: an enum as a text, a tuple as a list."""
