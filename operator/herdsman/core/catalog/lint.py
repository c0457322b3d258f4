"""What is wrong with an entry that can be read: names that do not meet, secrets that leak, jobs that do not come out.

What can be told from the texts is told first. Then the entry is tried out (`probes`), and its jobs are looked at.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from herdsman.core.catalog.probes import FACTS_OF_PROBES, SITES, Probe, everything, probes, samples
from herdsman.core.catalog.render import render
from herdsman.core.catalog.resolve import told
from herdsman.core.catalog.taint import Parse, stains
from herdsman.core.locate import Places
from herdsman.core.problems import Loc
from herdsman.core.spelling import did_you_mean
from herdsman.errors import Refused
from herdsman.model.catalog import (
    FACTS,
    JOBSPEC,
    PARAMETERS,
    SECRETS_GIVEN,
    SECRETS_PATH,
    Entry,
    Kind,
    Parameter,
    Rendered,
    Use,
    Variable,
    place,
)
from herdsman.model.desired import Position, Rejection
from herdsman.model.observed import Body

_HCL_TYPES: Final[Mapping[Kind, str]] = {
    Kind.STRING: "string",
    Kind.INT: "number",
    Kind.NUMBER: "number",
    Kind.BOOL: "bool",
    Kind.LIST: "list",
    Kind.OBJECT: "object",
}


@dataclass(frozen=True, slots=True)
class Lint:
    """What was found: *errors* keep an entry from being of use, *warnings* are only untidy."""

    errors: tuple[Rejection, ...] = ()
    warnings: tuple[Rejection, ...] = ()


Given = Mapping[str, Mapping[str, Any]]


def lint(entry: Entry, user_yaml: bytes, parse: Parse) -> Lint:
    """Everything that can be found wrong. *user_yaml* is looked into for places."""
    linter = _Linter(entry, user_yaml, parse)
    linter.names()
    linter.functions()
    linter.jobs()
    return Lint(tuple(dict.fromkeys(linter.errors)), tuple(dict.fromkeys(linter.warnings)))


class _Linter:
    """One entry, and what was found."""

    def __init__(self, entry: Entry, user_yaml: bytes, parse: Parse) -> None:
        self.errors: list[Rejection] = []
        self.warnings: list[Rejection] = []
        self._entry = entry
        self._parse = parse
        self._told: set[tuple[Position, str]] = set()
        self._hopeless = False  # no job comes out at all, and why is told already
        self._places = Places(PARAMETERS, user_yaml)
        self._parameters = {p.key: p for p in entry.parameters}
        self._variables = {v.name: v for v in entry.outline.variables}

    # -- texts -----------------------------------------------------------------------------------------------------

    def names(self) -> None:
        """Parameters and variables meet; what is declared is used, and what is used is declared."""
        for parameter in self._entry.parameters:
            self._check_parameter(parameter)
        used = {use.name for use in self._entry.outline.references}
        for variable in self._entry.outline.variables:
            self._check_variable(variable, used=variable.name in used)
        for use in self._entry.outline.references:
            if use.name not in self._variables:
                self._hopeless = True
                known = [*self._variables, *self._parameters, *FACTS]
                self._error(self._at(use), f"var.{use.name} is not declared", did_you_mean(use.name, known))

    def _check_parameter(self, parameter: Parameter) -> None:
        variable = self._variables.get(parameter.key)
        hidden = parameter.secret or parameter.display
        if variable is None and not hidden:
            hint = f'declare variable "{parameter.key}" in {JOBSPEC}, or write display: true'
            self._error(self._of(parameter), "no variable of the jobspec takes it", hint, parameter)
        elif variable is not None and parameter.secret:
            hint = f"read .{parameter.key} of nomadVar in a template instead"
            self._error(self._line(variable), f"the secret {parameter.key} would stand in the job", hint)
        elif variable is not None and parameter.display:
            self._error(self._line(variable), f"{parameter.path} is for display and is never set")
        if parameter.required and not samples(parameter.rule):
            hint = "add an example, so that the entry can be tried"
            self._error(self._of(parameter), "a required parameter with a pattern", hint, parameter)

    def _check_variable(self, variable: Variable, *, used: bool) -> None:
        at, name = self._line(variable), variable.name
        parameter = self._parameters.get(name)
        expected = _HCL_TYPES[parameter.rule.kind] if parameter else FACTS.get(name, "")
        if not used:
            self._error(at, f"the variable {name} is declared and not used", "remove it")
        if expected and variable.type not in (expected, "any") and not variable.type.startswith(f"{expected}("):
            self._error(at, f"the variable {name} has the type {variable.type}, but is given a {expected}")
        if expected or parameter:
            return
        if variable.required:
            self._hopeless = True
            hint = did_you_mean(name, [*self._parameters, *FACTS])
            self._error(at, f"nothing sets the variable {name}, and it has no default", hint)
        else:
            self._warn(at, f"nothing sets the variable {name}", "make it one of locals")

    def functions(self) -> None:
        """What gives another result at each parse would replace the job for ever."""
        for use in self._entry.outline.functions:
            if use.volatile:
                hint = "the job would never be in sync"
                self._error(self._at(use), f"{use.name}() gives another result each time", hint)

    # -- jobs ------------------------------------------------------------------------------------------------------

    def jobs(self) -> None:
        """The entry is tried out, and the jobs that come out are looked at."""
        found: list[Body] = []
        for probe in probes(self._entry) if not self._hopeless else ():
            for words, site in SITES.items():
                said = probe.words + words
                rendered = render(self._entry, probe.given, facts=FACTS_OF_PROBES, site=site)
                body = self._body(said, rendered) if isinstance(rendered, Rendered) else None
                if body is not None and isinstance(rendered, Rendered):
                    found.append(body)
                    self._check_identity(body, said)
                    self._check_given(body, rendered, said)
                elif not isinstance(rendered, Rendered):
                    self._failed(probe, [told(fault) for fault in rendered])
        if found:
            self._check_secrets(found)
            self._check_stains(everything(self._entry))
            if self._entry.script is not None:
                self._check_stains(everything(self._entry, batch=True))

    def _body(self, said: str, rendered: Rendered) -> Body | None:
        try:
            return self._parse(rendered.source.text, rendered.source.variables)
        except Refused as error:
            at, words = self._placed(error.message)
            if (at, words) not in self._told:  # the same mistake shows with most parameters
                self._told.add((at, words))
                self._error(at, f"{said}: {words}", error.hint)
            return None

    def _failed(self, probe: Probe, words: list[str]) -> None:
        if any(p.required and not samples(p.rule) for p in self._entry.parameters):
            return  # said already
        self._error(place(self._entry.folder, PARAMETERS), f"{probe.words}: {'; '.join(words)}")

    def _check_identity(self, body: Body, said: str) -> None:
        at = place(self._entry.folder, JOBSPEC)
        if body.get("ID") != FACTS_OF_PROBES.deployment_id:
            self._error(at, f"{said} the job is not called by its deployment", "write id = var.deployment_id")
        elif body.get("Name") != FACTS_OF_PROBES.deployment_id:
            self._error(at, f"{said} the job's name is not its deployment's", "write name = var.deployment_id")
        elif body.get("Namespace") not in (None, FACTS_OF_PROBES.namespace):
            self._error(at, f"{said} the job is not in its deployment's namespace", "write namespace = var.namespace")

    def _check_given(self, body: Body, rendered: Rendered, said: str) -> None:
        """A template that reads what nobody gave would wait for it, or start the task with no secret at all."""
        given = rendered.items.keys() | rendered.generate.keys()
        for parameter in self._entry.secrets:
            if parameter.key not in given and any(_reads(text, parameter.key) for text in _templates(body)):
                hint = f'make the template only where contains(var.{SECRETS_GIVEN}, "{parameter.key}")'
                self._error(self._of(parameter), f"{said} a template reads it, and it has no value", hint, parameter)

    def _check_secrets(self, bodies: list[Body]) -> None:
        texts = {text for body in bodies for text in _templates(body)}
        for parameter in self._entry.secrets:
            if not any(_reads(text, parameter.key) for text in texts):
                hint = f'{{{{ with nomadVar "${{var.{SECRETS_PATH}}}" }}}}…{{{{ .{parameter.key} }}}}'
                self._error(self._of(parameter), "no template reads this secret", hint, parameter)

    def _check_stains(self, given: Given) -> None:
        rendered = render(self._entry, given, facts=FACTS_OF_PROBES, site=SITES[""])
        if not isinstance(rendered, Rendered):
            return
        for stain in stains(self._entry, rendered.source.variables, self._parse):
            use = next((u for u in self._entry.outline.references if u.name == stain.variable), None)
            at = self._at(use) if use else place(self._entry.folder, JOBSPEC)
            self._error(at, f"the text of {stain.variable} ends up in {stain.where}", stain.hint)

    # -- telling ---------------------------------------------------------------------------------------------------

    def _of(self, parameter: Parameter) -> Position:
        loc: Loc = (parameter.group, parameter.key)
        found = self._places.find(0, loc, at_key=True)
        return place(self._entry.folder, PARAMETERS, *(found or (0, 0)))

    def _at(self, use: Use) -> Position:
        return place(self._entry.folder, JOBSPEC, use.line, use.column)

    def _placed(self, message: str) -> tuple[Position, str]:
        """Where a parser says that something is wrong, and its first words about it."""
        found = _PLACE.match(message)
        line, column = (int(found[1]), int(found[2])) if found else (0, 0)
        words = message[found.end() if found else 0 :].splitlines()[0]
        return place(self._entry.folder, JOBSPEC, line, column), words

    def _line(self, variable: Variable) -> Position:
        return place(self._entry.folder, JOBSPEC, variable.line)

    def _error(self, at: Position, message: str, hint: str = "", parameter: Parameter | None = None) -> None:
        self.errors.append(Rejection(at, message, parameter.path if parameter else "", hint))

    def _warn(self, at: Position, message: str, hint: str = "") -> None:
        self.warnings.append(Rejection(at, message, "", hint))


def _templates(value: Any) -> Iterator[str]:
    """The texts of all templates of a job."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if key == "EmbeddedTmpl" and isinstance(part, str):
                yield part
            else:
                yield from _templates(part)
    elif isinstance(value, list):
        for part in value:
            yield from _templates(part)


def _reads(template: str, secret: str) -> bool:
    """Whether a template takes *secret* from the deployment's Nomad variable."""
    read = rf'\.{secret}\b|index\s+\S+\s+"{secret}"'
    return f'nomadVar "{FACTS_OF_PROBES.secrets_path}"' in template and re.search(read, template) is not None


_PLACE: Final = re.compile(r"(?:Failed to parse job: )?input\.hcl:(\d+),(\d+)\S*: ")
