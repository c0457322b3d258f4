"""What the library offers: its names, and what it can tell of a jobspec without its variables."""

from __future__ import annotations

import inspect

import pytest

import herdsman.jobspec
from herdsman.jobspec import DeclaredVariable, FunctionUse, JobspecError, declared_variables, functions_used, parse

SOURCE = """
variable "image" {
  type        = string
  description = "What to run."
}

variable "ports" {
  type    = map(object({ number = number }))
  default = { http = { number = 80 } }
}

variables {
  count = 2
}

locals {
  id = uuidv4()
}

job "web" {
  name = "${upper(var.image)}-${nope(1)}"
  meta = { (title("b")) = 1, a = [for x in [bcrypt("x")] : lower(x)][0] }
}
"""


def test_the_names() -> None:
    """These names are for others, and there are no others."""
    assert herdsman.jobspec.__all__ == [
        "DeclaredVariable",
        "Diagnostic",
        "FunctionUse",
        "JobspecError",
        "declared_variables",
        "functions_used",
        "parse",
    ]
    assert all(hasattr(herdsman.jobspec, name) for name in herdsman.jobspec.__all__)


@pytest.mark.parametrize("function", [parse, declared_variables, functions_used])
def test_only_the_source_is_positional(function: object) -> None:
    """All that is optional is given by name."""
    assert callable(function)
    parameters = list(inspect.signature(function).parameters.values())
    assert parameters[0].name == "source"
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters[1:])


def test_declared_variables() -> None:
    """The variables in their order, with what is needed to ask for them."""
    assert declared_variables(SOURCE) == (
        DeclaredVariable(name="image", type="string", required=True, description="What to run.", line=2),
        DeclaredVariable(
            name="ports",
            type="map(object({number = number}))",
            required=False,
            default={"http": {"number": 80}},
            line=7,
        ),
        DeclaredVariable(name="count", type="number", required=False, default=2, line=13),
    )


def test_functions_used() -> None:
    """Every call of a function in the order of the text, wherever it is, and whether its result lasts."""
    assert functions_used(SOURCE) == (
        FunctionUse(name="uuidv4", line=17, column=8, volatile=True),
        FunctionUse(name="upper", line=21, column=13, volatile=False),
        FunctionUse(name="title", line=22, column=13, volatile=False),
        FunctionUse(name="bcrypt", line=22, column=45, volatile=True),
        FunctionUse(name="lower", line=22, column=60, volatile=False),
    )


@pytest.mark.parametrize("function", [declared_variables, functions_used])
def test_a_broken_source_is_told(function: object) -> None:
    """What cannot be read is a mistake here, too, and the file has the name that was given."""
    assert callable(function)
    with pytest.raises(JobspecError, match=r"^Failed to parse job: web\.hcl:1,9-10: Unclosed configuration block; "):
        function('job "x" {', filename="web.hcl")


def test_the_result_is_the_callers_own() -> None:
    """Nothing in a job is shared with another parse, or within it."""
    source = 'job "j" {\n  vault {\n  }\n  group "a" {\n    task "t" {\n    }\n    task "u" {\n    }\n  }\n}\n'
    job, again = parse(source), parse(source)
    groups = job["TaskGroups"]
    assert isinstance(groups, list)
    first, second = groups[0]["Tasks"]
    first["Vault"]["Role"] = "changed"
    assert second["Vault"]["Role"] == ""
    assert again == parse(source)
