"""An entry's three files to an `Entry`, or to all that is wrong with them: file, line, column, field, what to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2s
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from herdsman.core.catalog.forms import MetadataForm, ParameterForm
from herdsman.core.catalog.rules import parameter_of
from herdsman.core.catalog.values import conform
from herdsman.core.complaints import faults as complaints
from herdsman.core.locate import Places
from herdsman.core.parse import field_text
from herdsman.core.problems import MOST_FAULTS, Fault, Problem
from herdsman.core.reader import read
from herdsman.core.spelling import did_you_mean, shown
from herdsman.model import names
from herdsman.model.catalog import (
    ENTRY_NAME,
    FACTS,
    FILES,
    JOBSPEC,
    METADATA,
    PARAMETER_NAME,
    PARAMETERS,
    Condition,
    Entry,
    Groups,
    Metadata,
    Mistake,
    Outline,
    Parameter,
    Resource,
    place,
)
from herdsman.model.desired import Position, Rejection

LARGEST_JOBSPEC: Final = 256 * 1024
MOST_PARAMETERS: Final = 200

_Form = TypeVar("_Form", bound=BaseModel)


def parse_entry(
    section: str, name: str, files: Mapping[str, bytes], *, folder: str, outline: Outline | Mistake
) -> Entry | tuple[Rejection, ...]:
    """The entry *name* of a *section*. *files* are by name; *outline* is what the adapter made of the jobspec."""
    missing = tuple(_missing(folder, file) for file in FILES if file not in files)
    metadata, groups = _metadata(folder, files), _groups(folder, files)
    rejections = (
        *(_misnamed(folder, name) if not names.fits(ENTRY_NAME, name) else ()),
        *missing,
        *(metadata if isinstance(metadata, tuple) else ()),
        *(groups if isinstance(groups, tuple) else ()),
        *_jobspec_rejections(folder, files, outline),
    )
    if rejections or isinstance(metadata, tuple) or isinstance(groups, tuple) or isinstance(outline, Mistake):
        return rejections
    return Entry(
        section=section,
        name=name,
        folder=folder,
        metadata=metadata,
        groups=groups,
        hcl=files[JOBSPEC].decode("utf-8-sig"),
        outline=outline,
        digest=_digest(files),
    )


def _missing(folder: str, file: str) -> Rejection:
    return Rejection(place(folder, file), "missing", hint=f"an entry has {', '.join(FILES)}")


def _misnamed(folder: str, name: str) -> tuple[Rejection, ...]:
    hint = "small letters, digits and -, at most 63, a letter or digit first and last"
    return (Rejection(place(folder, METADATA), f"{shown(name)} is not a name for an entry", hint=hint),)


def _digest(files: Mapping[str, bytes]) -> str:
    digest = blake2s(digest_size=12)
    for file in FILES:
        digest.update(blake2s(files[file]).digest())
    return digest.hexdigest()


def _jobspec_rejections(folder: str, files: Mapping[str, bytes], outline: Outline | Mistake) -> Iterator[Rejection]:
    data = files.get(JOBSPEC)
    if data is None:
        return
    if len(data) > LARGEST_JOBSPEC:
        yield Rejection(place(folder, JOBSPEC), f"the file has more than {LARGEST_JOBSPEC:,} bytes")
    elif isinstance(outline, Mistake):
        yield Rejection(place(folder, JOBSPEC, outline.line, outline.column), outline.message, hint=outline.hint)


# -- YAML files --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _File:
    """A YAML file that could be read: one mapping, and where its fields stand."""

    path: str
    index: int
    value: dict[str, Any]
    places: Places

    def rejections(self, faults: list[Fault]) -> tuple[Rejection, ...]:
        """*faults* with their places, in the order of the file."""
        found = [self._rejection(fault) for fault in faults[:MOST_FAULTS]]
        return tuple(sorted(found, key=lambda r: (r.position.line, r.position.column)))

    def _rejection(self, fault: Fault) -> Rejection:
        at = self.places.find(self.index, fault.loc, at_key=fault.at_key)
        line, column = at if at is not None else (1, 1)
        hint = did_you_mean(str(fault.loc[-1]), fault.known) if fault.known else fault.hint
        return Rejection(Position(self.path, line, column), fault.message, field_text(self.value, fault.loc), hint)


def _read(folder: str, file: str, files: Mapping[str, bytes]) -> _File | tuple[Rejection, ...]:
    """The one mapping in a YAML file."""
    data, path = files.get(file), place(folder, file).path
    if data is None:
        return ()
    try:
        documents = read(path, data)
    except Problem as problem:
        line, column = problem.place or (0, 0)
        return (Rejection(place(folder, file, line, column), problem.message, hint=problem.hint),)
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        found = "nothing" if not documents else shown(documents[0].value) if len(documents) == 1 else "several"
        return (Rejection(place(folder, file), f"expected one mapping, got {found}"),)
    return _File(path, documents[0].index, documents[0].value, Places(path, data))


def _filled(form: type[_Form], value: Any, loc: tuple[str, ...], faults: list[Fault]) -> _Form | None:
    """*value* as *form*, or None and what is wrong with it."""
    try:
        return form.model_validate(value)
    except ValidationError as error:
        faults += [fault._replace(loc=(*loc, *fault.loc)) for fault in complaints(error, form)]
        return None


def _metadata(folder: str, files: Mapping[str, bytes]) -> Metadata | tuple[Rejection, ...]:
    file = _read(folder, METADATA, files)
    if isinstance(file, tuple):
        return file
    faults: list[Fault] = []
    form = _filled(MetadataForm, file.value, (), faults)
    if form is None:
        return file.rejections(faults)
    return Metadata(
        title=form.title,
        summary=form.summary,
        description=form.description,
        tags=form.tags,
        categories=form.categories,
        tasks=form.tasks,
        libraries=form.libraries,
        data_types=form.data_types,
        licence=form.licence or "",
        links={name: link for name, link in form.links if link is not None},
        created=form.dates.created or "",
        updated=form.dates.updated or "",
    )


# -- parameters --------------------------------------------------------------------------------------------------------


def _groups(folder: str, files: Mapping[str, bytes]) -> Groups | tuple[Rejection, ...]:
    file = _read(folder, PARAMETERS, files)
    if isinstance(file, tuple):
        return file
    faults: list[Fault] = []
    groups: Groups = {group: _group(group, value, faults) for group, value in file.value.items()}
    _check_together(groups, faults)
    if not faults:
        groups = _with_conditions(groups, file.value, faults)
    return file.rejections(faults) if faults else groups


def _group(group: str, value: Any, faults: list[Fault]) -> dict[str, Parameter]:
    if not names.fits(PARAMETER_NAME, group):
        faults.append(Fault((group,), "not a name for a group", _NAME_HINT, at_key=True))
    if not isinstance(value, dict):
        faults.append(Fault((group,), f"expected a mapping of parameters, got {shown(value)}"))
        return {}
    found = {key: _parameter(group, key, item, faults) for key, item in value.items()}
    return {key: parameter for key, parameter in found.items() if parameter is not None}


_NAME_HINT: Final = "letters, digits and _, a letter first"


def _parameter(group: str, key: str, value: Any, faults: list[Fault]) -> Parameter | None:
    loc = (group, key)
    if not names.fits(PARAMETER_NAME, key):
        faults.append(Fault(loc, "not a name for a parameter", _NAME_HINT, at_key=True))
    if key in FACTS:
        faults.append(Fault(loc, "the platform sets a variable of this name", "take another", at_key=True))
    if not isinstance(value, dict):
        hint = "a parameter has a name and a value, its default"
        faults.append(Fault(loc, f"expected a mapping, got {shown(value)}", hint))
        return None
    form = _filled(ParameterForm, value, loc, faults)
    if form is None:
        return None
    own: list[Fault] = []
    parameter = parameter_of(form, group, key, own)
    faults += [fault._replace(loc=(*loc, *fault.loc)) for fault in own]
    return parameter if not own else None


def _check_together(groups: Groups, faults: list[Fault]) -> None:
    """Parameters are HCL variables, so no two may share a name; of a resource there is one."""
    parameters = [parameter for group in groups.values() for parameter in group.values()]
    by_name: dict[str, Parameter] = {}
    by_resource: dict[Resource, Parameter] = {}
    scripts = [p for p in parameters if p.batch]
    faults += [Fault((p.group, p.key, "batch"), f"{scripts[0].path} is the script already") for p in scripts[1:]]
    for parameter in parameters:
        loc = (parameter.group, parameter.key)
        other = by_name.setdefault(parameter.key, parameter)
        if other is not parameter:
            hint = "both would be the same HCL variable: rename one"
            faults.append(Fault(loc, f"{other.path} has this name", hint, at_key=True))
        if parameter.resource is not None:
            other = by_resource.setdefault(parameter.resource, parameter)
            if other is not parameter:
                faults.append(Fault((*loc, "resource"), f"{other.path} asks for {parameter.resource} already"))
    if len(parameters) > MOST_PARAMETERS:
        faults.append(Fault((), f"more than {MOST_PARAMETERS} parameters"))


# -- conditions --------------------------------------------------------------------------------------------------------


def _with_conditions(groups: Groups, values: dict[str, Any], faults: list[Fault]) -> Groups:
    return {
        group: {
            key: replace(parameter, depends=tuple(_conditions(parameter, groups, values, faults)))
            for key, parameter in parameters.items()
        }
        for group, parameters in groups.items()
    }


def _conditions(
    parameter: Parameter, groups: Groups, values: dict[str, Any], faults: list[Fault]
) -> Iterator[Condition]:
    """`depends: {general.service: [jupyter, vscode]}`: all must hold, each with one of its values."""
    own = values[parameter.group][parameter.key].get("depends") or {}
    for path, wanted in own.items():
        loc = (parameter.group, parameter.key, "depends", path)
        group, _, key = path.partition(".")
        other = groups.get(group, {}).get(key)
        if other is None:
            known = [p.path for of_group in groups.values() for p in of_group.values()]
            faults.append(Fault(loc, "there is no such parameter", at_key=True, known=known))
        elif other.secret or other.rule.kind in ("list", "object"):
            faults.append(Fault(loc, "a secret, a list and an object cannot be a condition", at_key=True))
        elif (unsaid := _unsaid(values[group][key].get("depends") or {}, own)) is not None:
            hint = f"name its condition here too, {unsaid}"
            faults.append(Fault(loc, f"{path} depends on something itself", hint, at_key=True))
        else:
            found = [conform(other.rule, value, loc, faults) for value in _alternatives(wanted)]
            yield Condition(group, key, tuple(found))


def _unsaid(theirs: dict[str, Any], own: dict[str, Any]) -> str | None:
    """What a parameter that is a condition depends on itself, where its dependant does not: one that may not apply."""
    for path, wanted in theirs.items():
        if path not in own or any(value not in _alternatives(wanted) for value in _alternatives(own[path])):
            return path
    return None


def _alternatives(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]
