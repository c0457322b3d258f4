"""Functions of the file system. A server that parses a job for somebody does not read its own files for them."""

from __future__ import annotations

from herdsman.jobspec.typesystem import STRING
from herdsman.jobspec.values import Value

from .base import Function, FunctionError, Parameter, function


def _disabled(*_arguments: Value) -> Value:
    raise FunctionError("filesystem function disabled")


_PATH = Parameter("path", STRING)

FUNCTIONS: dict[str, Function] = {
    **dict.fromkeys(
        ("abspath", "basename", "dirname", "file", "filebase64", "fileexists", "pathexpand"), function(_disabled, _PATH)
    ),
    "fileset": function(_disabled, _PATH, Parameter("pattern", STRING)),
}
