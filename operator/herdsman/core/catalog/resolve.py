"""What a user gave, over the defaults: all parameters of a deployment, or everything that is wrong, not only the first.

A parameter whose condition does not hold means nothing then: what was given for it is checked and left out, and its
default holds. So a form may send the password of an IDE along with a service that has none.
"""

from collections.abc import Mapping
from typing import Any, Final

from herdsman.core.catalog.values import conform, is_default
from herdsman.core.problems import MOST_FAULTS, Fault
from herdsman.core.spelling import did_you_mean, shown
from herdsman.model.catalog import Entry, Parameter, Resolved

Values = dict[str, dict[str, Any]]

_LARGEST_SECRETS: Final = 60 * 1024
"""Bytes: a Nomad variable holds 64 KiB, names and all."""


def resolve(entry: Entry, given: object) -> Resolved | tuple[Fault, ...]:
    """All parameters, with *given*, a partial `{group: {parameter: value}}`, over the defaults."""
    faults: list[Fault] = []
    written = _written(entry, given, faults)
    values = {
        group: {key: _value(p, written.get(group, {}), faults) for key, p in parameters.items()}
        for group, parameters in entry.groups.items()
    }
    applying = [p for p in entry.parameters if applies(p, values)]
    meant = {p.path for p in applying}
    for parameter in entry.parameters:
        if parameter.path not in meant:
            values[parameter.group][parameter.key] = parameter.default
    wrong = {fault.loc[:2] for fault in faults}
    faults += [f for p in applying if (f := _absent(p, values)) is not None and f.loc not in wrong]
    resolved = _split(entry, values, {p.key: p.generate for p in applying if p.generate})
    if sum(len(f"{k}{v}".encode(errors="replace")) for k, v in resolved.secrets.items()) > _LARGEST_SECRETS:
        faults.append(Fault((), f"the secrets together are larger than {_LARGEST_SECRETS:,} bytes"))
    return tuple(faults[:MOST_FAULTS]) if faults else resolved


def applies(parameter: Parameter, values: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a parameter means something beside those *values*."""
    return all(values[c.group][c.key] in c.values for c in parameter.depends)


def told(fault: Fault) -> str:
    """A fault of parameters as one line for people."""
    where = ".".join(f"[{step}]" if isinstance(step, int) else str(step) for step in fault.loc).replace(".[", "[")
    hint = did_you_mean(str(fault.loc[-1]), fault.known) if fault.known else fault.hint
    return (f"{where}: " if where else "") + fault.message + (f" ({hint})" if hint else "")


def _written(entry: Entry, given: object, faults: list[Fault]) -> Mapping[str, Mapping[str, Any]]:
    """The groups of *given* that there are, with the parameters that there are."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        faults.append(Fault((), f"expected a mapping of groups, got {shown(given)}"))
        return {}
    known: dict[str, Mapping[str, Any]] = {}
    for group, values in given.items():
        if group not in entry.groups:
            faults.append(_stray_group(entry, group))
        elif values is not None and not isinstance(values, Mapping):
            faults.append(Fault((group,), f"expected a mapping of parameters, got {shown(values)}"))
        else:
            known[group] = values or {}
            faults += [_stray(entry, group, key) for key in known[group] if key not in entry.groups[group]]
    return known


def _stray_group(entry: Entry, group: Any) -> Fault:
    home = [p.path for p in entry.parameters if p.key == group]
    if home:
        return Fault((group,), "unknown group", f"it is a parameter: {home[0]}", at_key=True)
    return Fault((str(group),), "unknown group", at_key=True, known=tuple(entry.groups))


def _stray(entry: Entry, group: str, key: Any) -> Fault:
    home = [p.path for p in entry.parameters if p.key == key]
    if home:
        return Fault((group, key), "unknown parameter", f"it is {home[0]}", at_key=True)
    return Fault((group, str(key)), "unknown parameter", at_key=True, known=tuple(entry.groups[group]))


def _value(parameter: Parameter, written: Mapping[str, Any], faults: list[Fault]) -> Any:
    loc = (parameter.group, parameter.key)
    value = written.get(parameter.key, parameter.default)
    if is_default(value, parameter.default) and not parameter.rule.range.empty:
        return parameter.default
    return conform(parameter.rule, value, loc, faults, secret=parameter.secret, note=parameter.note)


def _absent(parameter: Parameter, values: Values) -> Fault | None:
    if not parameter.required or parameter.generate or values[parameter.group][parameter.key] not in ("", []):
        return None
    return Fault((parameter.group, parameter.key), "required", parameter.description.split(". ")[0].rstrip("."))


def _split(entry: Entry, values: Values, generate: Mapping[str, int]) -> Resolved:
    secrets = {p.key: values[p.group].pop(p.key) or "" for p in entry.secrets}
    return Resolved(values, secrets, {key: length for key, length in generate.items() if not secrets[key]})
