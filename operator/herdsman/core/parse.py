"""A spec file's bytes to documents, and to rejections that a person can act on: file, line, column, field, what to do.

Nothing is raised. A document that has errors is rejected as a whole, with all of them; its neighbours in the file are
used. A file that is not YAML (or not JSON) is rejected as a whole: nobody knows what it would have declared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from herdsman.core.complaints import faults
from herdsman.core.jobfields import convert_job
from herdsman.core.locate import Places
from herdsman.core.problems import Fault, Loc, Problem
from herdsman.core.reader import Raw, read
from herdsman.core.spelling import did_you_mean, one_of, quoted, shown
from herdsman.model import names
from herdsman.model.desired import Position, Rejection
from herdsman.model.documents import API_VERSION, KINDS, JobDocument
from herdsman.model.documents import Document as Model
from herdsman.model.keys import Key, job_key, namespace_key, variable_key

_MOST_HINTS: Final = 200
"""How many unknown words of one file are looked up: more is no file that a person wrote."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document. *index* counts all of its file, empty ones too; *hcl_offset* is the line before inline HCL."""

    index: int
    position: Position
    kind: str
    key: Key | None
    model: Model
    hcl_offset: int = 0


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What a file declares, and what of it could not be understood.

    *bare* is true for JSON without `apiVersion`: a job's body, if a `Job` names the file (`core.ignore`).
    """

    path: str
    documents: tuple[Document, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    bare: bool = False


def parse_file(path: str, data: bytes) -> ParsedFile:
    """All documents of a file, and all errors."""
    try:
        raws = read(path, data)
    except Problem as problem:
        return ParsedFile(path, (), (_whole(path, problem),))
    telling = _Telling(path, data)
    documents: list[Document] = []
    rejections: list[Rejection] = []
    for raw in raws:
        result = _document(path, raw, telling)
        if isinstance(result, Document):
            documents.append(result)
        else:
            rejections.extend(telling.rejections(raw, result))
    return ParsedFile(path, tuple(documents), tuple(rejections), _is_bare(path, raws))


def parse_job_body(path: str, data: bytes, *, key: Key) -> bytes | tuple[Rejection, ...]:
    """The job in a JSON file that a `Job` names, as canonical JSON; either the job itself or `{"Job": …}`."""
    try:
        raws = read(path, data)
    except Problem as problem:
        return (_whole(path, problem, key),)
    if not raws or not isinstance(raws[0].value, dict):
        return (Rejection(Position(path), "expected a job in the form of Nomad's API, as JSON", key=key),)
    raw = raws[0]
    wrapped = raw.value.keys() == {"Job"} and isinstance(raw.value["Job"], dict)
    result = convert_job(raw.value["Job"], key=key, at=("Job",)) if wrapped else convert_job(raw.value, key=key)
    if isinstance(result, bytes):
        return result
    return tuple(_Telling(path, data).rejections(raw, _Rejected(key, result)))


def _is_bare(path: str, raws: tuple[Raw, ...]) -> bool:
    return path.endswith(".json") and not any(isinstance(r.value, dict) and "apiVersion" in r.value for r in raws)


def _whole(path: str, problem: Problem, key: Key | None = None) -> Rejection:
    position = Position(path, *problem.place) if problem.place is not None else Position(path)
    return Rejection(position, problem.message, hint=problem.hint, key=key)


# -- one document ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rejected:
    """Why a document is of no use; *key* where its identity is known all the same."""

    key: Key | None
    faults: tuple[Fault, ...]


def _document(path: str, raw: Raw, telling: "_Telling") -> Document | _Rejected:
    value = raw.value
    if not isinstance(value, dict):
        said = f"expected a mapping with apiVersion, kind, metadata and spec, got {shown(value)}"
        return _Rejected(None, (Fault((), said),))
    key = _readable_key(value)
    wrong = tuple(_head_faults(value))
    if wrong:
        return _Rejected(key, wrong)
    prepared, wrong = _prepared(raw, key)
    model = KINDS[value["kind"]]
    try:
        document = model.model_validate(prepared)
    except ValidationError as error:
        return _Rejected(key, (*faults(error, model), *wrong))
    if wrong:
        return _Rejected(key, wrong)
    position = Position(path, *raw.place)
    return Document(raw.index, position, value["kind"], key, document, telling.hcl_offset(raw, document))


def _head_faults(value: dict[str, Any]) -> Iterator[Fault]:
    """What is wrong with `apiVersion` and `kind`: without them the rest means nothing."""
    version = value.get("apiVersion")
    if version is None:
        yield Fault(
            ("apiVersion",),
            "missing",
            f"write apiVersion: {API_VERSION}, or list the file in .herdsmanignore",
        )
    elif version != API_VERSION:
        yield Fault(("apiVersion",), f"expected {API_VERSION}, got {shown(version)}")
    kind = value.get("kind")
    if kind is None:
        yield Fault(("kind",), "missing", f"one of {one_of(KINDS)}")
    elif not isinstance(kind, str) or kind not in KINDS:
        near = did_you_mean(kind, KINDS) if isinstance(kind, str) else ""
        yield Fault(("kind",), f"expected {one_of(KINDS)}, got {shown(kind)}", near if near.startswith("did") else "")


def _readable_key(value: dict[str, Any]) -> Key | None:
    """The identity of a document, even if other things are wrong with it."""
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not isinstance(metadata, dict):
        return None
    if value.get("kind") == "Namespace":
        return namespace_key(name) if names.fits(names.NAMESPACE, name) else None
    namespace = metadata.get("namespace", "default")
    if not isinstance(namespace, str) or not names.fits(names.NAMESPACE, namespace):
        return None
    match value.get("kind"):
        case "Job" | "Deployment":
            return job_key(namespace, name) if names.is_job_id(name) else None
        case "Variable":
            return variable_key(namespace, name) if len(name) <= 128 and names.fits(names.PATH, name) else None
        case _:
            return None


def _prepared(raw: Raw, key: Key | None) -> tuple[dict[str, Any], tuple[Fault, ...]]:
    """The document with `spec.job` made canonical JSON, and what is wrong in there."""
    value: dict[str, Any] = raw.value
    spec = value.get("spec")
    if value["kind"] != "Job" or not isinstance(spec, dict):
        return value, ()
    wrong: tuple[Fault, ...] = ()
    if (block := raw.blocks.get(("spec", "hcl"))) is not None and block.folded:
        wrong = (Fault(("spec", "hcl"), "a text after > loses its line ends", "write hcl: | instead"),)
    if isinstance(spec.get("job"), dict):
        body = convert_job(spec["job"], key=key, at=("spec", "job"))
        if not isinstance(body, bytes):
            wrong = (*wrong, *body)
        value = {**value, "spec": {**spec, "job": body if isinstance(body, bytes) else b""}}
    return value, wrong


# -- telling -----------------------------------------------------------------------------------------------------------


class _Telling:
    """Faults of one file made rejections. Its fields' places are looked up only if something is to be told."""

    def __init__(self, path: str, data: bytes) -> None:
        self._path = path
        self._data = data
        self._known_places: Places | None = None
        self._hints = 0

    @property
    def _places(self) -> Places:
        if self._known_places is None:
            self._known_places = Places(self._path, self._data)
        return self._known_places

    def rejections(self, raw: Raw, rejected: _Rejected) -> list[Rejection]:
        """One for every fault, in the order of the file."""
        found = [self._rejection(raw, fault, rejected.key) for fault in rejected.faults]
        return sorted(found, key=lambda r: (r.position.line, r.position.column))

    def hcl_offset(self, raw: Raw, document: Model) -> int:
        """The line before the first line of inline HCL."""
        if not isinstance(document, JobDocument) or document.spec.hcl is None:
            return 0
        block = raw.blocks.get(("spec", "hcl"))
        if block is not None:
            return block.line
        place = self._places.find(raw.index, ("spec", "hcl"))
        return place.line - 1 if place is not None else 0

    def _rejection(self, raw: Raw, fault: Fault, key: Key | None) -> Rejection:
        place = self._places.find(raw.index, fault.loc, at_key=fault.at_key) or raw.place
        return Rejection(
            Position(self._path, *place), fault.message, field_text(raw.value, fault.loc), self._hint(fault), key
        )

    def _hint(self, fault: Fault) -> str:
        if not fault.known or self._hints >= _MOST_HINTS:
            return fault.hint
        self._hints += 1
        return did_you_mean(str(fault.loc[-1]), fault.known)


def field_text(value: Any, loc: Loc) -> str:
    """*loc* as people write it: `spec.job.TaskGroups[web].Count`; elements by their name where they have one."""
    text = ""
    for step in loc:
        name = step
        if isinstance(value, list) and isinstance(step, int):
            value = value[step] if step < len(value) else None
            name = _name_of(value) or step
        else:
            value = value.get(step) if isinstance(value, dict) else None
        plain = isinstance(step, str) and names.fits(names.VARIABLE, step)
        text += (f".{step}" if text else str(step)) if plain else f"[{_safe(name)}]"
    return text


def _name_of(element: Any) -> str | None:
    if not isinstance(element, dict):
        return None
    return next((n for key in ("Name", "Label") if isinstance(n := element.get(key), str) and n), None)


def _safe(name: str | int) -> str:
    return quoted(name)[1:-1] if isinstance(name, str) else str(name)
