"""JSON, CSV, base64 and URLs."""

from __future__ import annotations

import base64
import binascii
import csv
import io
from urllib.parse import quote_plus

from herdsman.jobspec.json_text import decode_json, encode_json
from herdsman.jobspec.limits import check_size
from herdsman.jobspec.text import go_quote
from herdsman.jobspec.typesystem import STRING, object_of
from herdsman.jobspec.values import ListValue, ObjectValue, Value

from .base import Function, FunctionError, Parameter, function


def _jsondecode(text: str) -> Value:
    try:
        return decode_json(text)
    except ValueError as error:
        raise FunctionError(str(error)) from None


def _csvdecode(text: str) -> Value:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise FunctionError(f"parse error: {error}") from None
    rows = [row for row in rows if row]
    if not rows:
        raise FunctionError("missing header line")
    names = rows[0]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FunctionError(f"duplicate column name {go_quote(name)}")
        seen.add(name)
    check_size(len(rows) * sum(map(len, names)))
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(names):
            raise FunctionError(f"record on line {line}: wrong number of fields")
    objects = [ObjectValue(dict(zip(names, row, strict=True))) for row in rows[1:]]
    return ListValue(objects, object_of(dict.fromkeys(names, STRING)))


def _base64decode(text: str) -> Value:
    try:
        raw = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise FunctionError(f"failed to decode base64 data {go_quote(text)}") from None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise FunctionError("the result of decoding the provided string is not valid UTF-8") from None


def _base64encode(text: str) -> Value:
    return base64.b64encode(text.encode()).decode()


def _urlencode(text: str) -> Value:
    return quote_plus(text)


_STR = Parameter("str", STRING)

FUNCTIONS: dict[str, Function] = {
    "base64decode": function(_base64decode, _STR),
    "base64encode": function(_base64encode, _STR),
    "csvdecode": function(_csvdecode, _STR),
    "jsondecode": function(_jsondecode, _STR),
    "jsonencode": function(encode_json, Parameter("val", allows_null=True)),
    "urlencode": function(_urlencode, _STR),
}
