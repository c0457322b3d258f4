"""What may be written in `metadata.yaml` and for one parameter of `user.yaml`: the names and types of keys.

Whether the keys fit each other is for `rules` to say. Nothing is converted silently: YAML has types.
"""

import re
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from herdsman.model.fields import Unfit


class Form(BaseModel):
    """A mapping of a file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


# -- metadata.yaml -----------------------------------------------------------------------------------------------------

_URL: Final = re.compile(r"https?://[^\s/?#]+(?:[/?#]\S*)?")


def _url(text: str) -> str:
    if _URL.fullmatch(text) is None or not text.isprintable():
        raise Unfit("expected an address that begins with https:// or http://")
    return text


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if len(text) == 10 else _no_date()
    except ValueError:
        return _no_date()


def _no_date() -> str:
    raise Unfit("expected a date like 2026-01-31")


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise Unfit("expected one line of text")
    return text


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Url = Annotated[str, Field(max_length=2_000), AfterValidator(_url)]
Date = Annotated[str, AfterValidator(_date)]
Lines = Annotated[tuple[Line, ...], Field(strict=False, max_length=100)]


class LinksForm(Form):
    """Where more is to be found."""

    documentation: Url | None = None
    source_code: Url | None = None
    homepage: Url | None = None
    dataset: Url | None = None
    weights: Url | None = None
    citation: Url | None = None
    docker_image: Line | None = None


class DatesForm(Form):
    """When an entry was made and changed."""

    created: Date | None = None
    updated: Date | None = None


class MetadataForm(Form):
    """All of `metadata.yaml`."""

    title: Line = Field(description="What people call it")
    summary: Line = Field(description="One sentence about it")
    description: str = Field(default="", max_length=20_000)
    tags: Lines = ()
    categories: Lines = ()
    tasks: Lines = ()
    libraries: Lines = ()
    data_types: Lines = ()
    licence: Line | None = None
    links: LinksForm = LinksForm()
    dates: DatesForm = DatesForm()


# -- user.yaml ---------------------------------------------------------------------------------------------------------

KindName = Literal["string", "int", "number", "bool", "list", "object"]


class RuleForm(Form):
    """Which values are allowed; all that can be said of an element of a list."""

    type: KindName | None = None
    options: list[Any] | None = None
    range: list[Any] | None = None
    pattern: str | None = None
    example: str | None = None
    min_length: int | None = Field(default=None, ge=0)
    max_length: int | None = Field(default=None, ge=1)
    multiline: bool | None = None
    interpolate: bool | None = None
    items: "RuleForm | None" = None
    fields: "dict[str, FieldForm] | None" = None


class FieldForm(RuleForm):
    """A part of an object. Without a value it has to be given."""

    name: Line = Field(description="What people call it")
    description: str = Field(default="", max_length=2_000)
    value: Any = None


class ParameterForm(FieldForm):
    """A parameter."""

    value: Any = Field(description="The default, which also says the type")
    required: bool = False
    secret: bool = False
    generate: int | None = Field(default=None, ge=16, le=256)
    advanced: bool = False
    display: bool = False
    batch: bool = False
    resource: Literal["cpu", "memory", "disk", "gpu", "gpu_model"] | None = None
    depends: dict[str, Any] | None = None
