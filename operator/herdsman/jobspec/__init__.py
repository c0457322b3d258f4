"""HCL2 jobspecs: text to the JSON form of the Nomad job API. A library of its own; it imports nothing else of
Herdsman.

    job = parse(text, variables={"image": "nginx:1"})

The way of a text: `lexer` and `parser` make a `syntax` tree; `variables` gives names their values; `blocks` walks
the tree along its tables, with the `dynamic` blocks that `bodies` has made plain, and lets `evaluation` compute each
argument with the `functions` there are; the result is the job. `errors` says how a mistake is told, `limits` how much
a jobspec may ask for.
"""

from __future__ import annotations

from .errors import Diagnostic, JobspecError
from .parsing import DeclaredVariable, FunctionUse, declared_variables, functions_used, parse

__all__ = [
    "DeclaredVariable",
    "Diagnostic",
    "FunctionUse",
    "JobspecError",
    "declared_variables",
    "functions_used",
    "parse",
]
