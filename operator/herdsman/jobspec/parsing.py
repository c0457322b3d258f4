"""A whole jobspec: from the text to the job, and what can be told about a jobspec without its variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

from .blocks import decode_job
from .bodies import BoundBlock, Content, Shape, read_body
from .errors import PREFIX, JobspecError, Source, content_error
from .functions import FUNCTIONS
from .limits import MAX_SOURCE, LimitError
from .parser import parse_source
from .scope import Run, Scope
from .syntax import Body, Call
from .text import encodable
from .values import ObjectValue, plain
from .variables import assign, read_declarations, read_given, read_locals

FILENAME = "input.hcl"
_FILE = Shape((), {"variables": "", "variable": "name", "locals": "", "job": "name"})

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, kw_only=True)
class DeclaredVariable:
    """A `variable` block. `type` is written as in a jobspec; `default` is as JSON has it, and null if there is none."""

    name: str
    type: str
    required: bool
    default: object = None
    description: str = ""
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class FunctionUse:
    """A call of a function. A volatile one gives another result each time, so the job never settles."""

    name: str
    line: int
    column: int
    volatile: bool


def _within_limits(work: Callable[_P, _R]) -> Callable[_P, _R]:
    """Whatever is too large or too deep for a part that cannot tell the place still ends as a `JobspecError`."""

    @wraps(work)
    def limited(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return work(*args, **kwargs)
        except LimitError as error:
            raise JobspecError(f"{PREFIX}<nil>: Job specification too complex; {error}") from None
        except RecursionError:
            raise JobspecError(f"{PREFIX}<nil>: Job specification too complex; It nests too deeply.") from None

    return limited


@_within_limits
def parse(
    source: str, *, variables: str | Mapping[str, object] | None = None, filename: str = FILENAME
) -> dict[str, object]:
    """The job that an HCL2 jobspec describes, in the JSON form of Nomad's API, not canonicalized.

    `variables` are the values of the jobspec's `variable` blocks: HCL assignments or one JSON object as text, or a
    mapping. Raises `JobspecError`, whose text is what Nomad would answer.
    """
    body = _read(source, filename)
    given = read_given(variables, filename)
    run = Run(FUNCTIONS)
    content = read_body(body, _FILE, Scope(run, {}), dynamic=False)
    declarations = read_declarations(content, run)
    _stop_on_findings(run)
    variable_values = ObjectValue(assign(declarations, given, run))
    _stop_on_findings(run)
    names = {"var": variable_values, "local": ObjectValue(read_locals(content, variable_values, run))}
    job = _job_block(content, body, run)
    decoded = decode_job(BoundBlock(job.type, job.label, job.body, Scope(run, names), job.header)) if job else {}
    _stop_on_findings(run)
    return decoded


def _read(source: str, filename: str) -> Body:
    if not source:
        raise JobspecError("Job spec is empty")
    if len(source) > MAX_SOURCE:
        raise JobspecError(f"{PREFIX}the job specification is larger than {MAX_SOURCE >> 20} MiB")
    return parse_source(Source(filename, encodable(source)))


def _stop_on_findings(run: Run) -> None:
    if run.findings:
        raise content_error(run.findings)


def _job_block(content: Content, body: Body, run: Run) -> BoundBlock | None:
    jobs = content.of("job")
    for extra in jobs[1:]:
        detail = f'Only one block of type "job" is allowed. Previous definition was at {jobs[0].header}.'
        run.report("Duplicate job block", detail, extra.header)
    if not jobs:
        run.report("Missing job block", "A job block is required", body.span.at_start())
    return jobs[0] if jobs else None


@_within_limits
def declared_variables(source: str, *, filename: str = FILENAME) -> tuple[DeclaredVariable, ...]:
    """The variables that a jobspec declares, in the order it does."""
    run = Run(FUNCTIONS)
    content = read_body(_read(source, filename), _FILE, Scope(run, {}), dynamic=False)
    declarations = read_declarations(content, run)
    _stop_on_findings(run)
    return tuple(
        DeclaredVariable(
            name=declaration.name,
            type=str(declaration.type),
            required=declaration.default is None,
            default=plain(declaration.default.value) if declaration.default else None,
            description=declaration.description,
            line=declaration.header.source.position(declaration.header.start).line,
        )
        for declaration in declarations
    )


@_within_limits
def functions_used(source: str, *, filename: str = FILENAME) -> tuple[FunctionUse, ...]:
    """Every call of a function in a jobspec, in the order of the text; not of those that do not exist."""
    expressions = _read(source, filename).expressions()
    calls = [call for call in expressions if isinstance(call, Call) and call.name in FUNCTIONS]
    uses = []
    for call in sorted(calls, key=lambda call: call.span.start):
        line, column = call.span.source.position(call.span.start)
        uses.append(FunctionUse(name=call.name, line=line, column=column, volatile=FUNCTIONS[call.name].volatile))
    return tuple(uses)
