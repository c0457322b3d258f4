"""Folds all documents of a snapshot into one `Desired`: the only place where specs meet each other.

Two specs for one job reject each other. What is rejected with a known identity is frozen, what nobody can read may
declare anything; neither is ever taken for a removal. Nothing here raises for bad input.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from hashlib import blake2s
from posixpath import dirname, join
from typing import Any

import orjson

from herdsman.core.locate import locate
from herdsman.core.parse import Document, ParsedFile, field_text, parse_job_body
from herdsman.core.spelling import nearest
from herdsman.model.desired import (
    Desired,
    DesiredJob,
    DesiredNamespace,
    Fleet,
    HclSource,
    Origin,
    Position,
    Rejection,
    UnreadFile,
    Wanted,
)
from herdsman.model.documents import KINDS, FleetDocument, JobDocument, NamespaceDocument
from herdsman.model.keys import Key, namespace_key
from herdsman.model.sources import Snapshot, SourceFile

NO_FLEET = "the Fleet document cannot be understood, and none was understood before: nothing is written"


@dataclass(frozen=True, slots=True)
class Declared:
    """One document and the file that it stands in."""

    document: Document
    path: str

    @property
    def key(self) -> Key:
        """What it declares; only of documents that declare something in Nomad."""
        key = self.document.key
        assert key is not None
        return key


@dataclass(slots=True)
class _Fold:
    """What piles up while the documents are folded."""

    snapshot: Snapshot
    fleet: Fleet
    wanted: dict[Key, Wanted] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)

    def reject(self, declared: Declared, message: str, *, at: tuple[str | int, ...] = (), hint: str = "") -> None:
        """Refuse one document for a reason that only shows beside the others."""
        self.rejections.append(
            Rejection(self.where(declared, at), message, field_text(None, at), hint, declared.document.key)
        )

    def where(self, declared: Declared, at: tuple[str | int, ...]) -> Position:
        """The place of a field, found again in the text."""
        file = self.snapshot.files.get(declared.path)
        if not at or file is None or file.data is None:
            return declared.document.position
        place = locate(declared.path, file.data, declared.document.index, at)
        return Position(declared.path, place.line, place.column)


def desire(
    parsed: Iterable[ParsedFile], snapshot: Snapshot, *, default_fleet: str, last_fleet: Fleet | None
) -> Desired:
    """All that *snapshot* asks for. *last_fleet* holds while its document is gone or cannot be read."""
    files = _without_bodies(list(parsed))
    rejections = [r for f in files for r in f.rejections]
    rejections += [Rejection(Position(p), f.problem) for p, f in sorted(snapshot.files.items()) if f.data is None]
    declared = [Declared(d, f.path) for f in files for d in f.documents]
    fleet, fleet_rejections = _fleet(declared, default_fleet, last_fleet)
    fold = _Fold(snapshot, fleet, rejections=[*rejections, *fleet_rejections])
    unread = _unread(fold.rejections, snapshot.files)
    blocked = "" if last_fleet is not None else _without_fleet(declared, fleet_rejections, unread, snapshot)
    _fold_documents([d for d in declared if d.document.key is not None], fold)
    _check_needs(fold, {d.key: d for d in declared if d.document.key is not None})
    frozen: dict[Key, Rejection] = {}
    for rejection in fold.rejections:
        if rejection.key is not None:
            fold.wanted.pop(rejection.key, None)
            frozen.setdefault(rejection.key, rejection)
    return Desired(
        revision=snapshot.revision,
        fleet=fleet,
        wanted=fold.wanted,
        rejections=tuple(sorted(fold.rejections, key=lambda r: (r.position.path, r.position.line, r.position.column))),
        frozen=frozen,
        unread=unread,
        settled=snapshot.settled,
        blocked=blocked,
    )


def _without_bodies(files: list[ParsedFile]) -> list[ParsedFile]:
    """Without the JSON files that hold no document but the body of a job that another file names."""
    models = [(d.model, f.path) for f in files for d in f.documents]
    named = {join(dirname(p), m.spec.file) for m, p in models if isinstance(m, JobDocument) and m.spec.file}
    return [f for f in files if not (f.bare and f.path in named)]


# -- the fleet -------------------------------------------------------------------------------------------------------


def _fleet(declared: list[Declared], default: str, last: Fleet | None) -> tuple[Fleet, list[Rejection]]:
    """The one Fleet; where there is none, or more than one, the last that was understood."""
    found = [(d, d.document.model) for d in declared if isinstance(d.document.model, FleetDocument)]
    if len(found) == 1:
        return found[0][1].fleet(), []
    rejections = [
        Rejection(d.document.position, "a source declares one Fleet, this one declares several", hint=_others(d, found))
        for d, _ in found
    ]
    return last or Fleet(name=default), rejections


def _others(declared: Declared, found: list[tuple[Declared, FleetDocument]]) -> str:
    others = [str(d.document.position) for d, _ in found if d is not declared]
    return f"another stands at {', '.join(others)}; until one is left, the last that was understood holds"


def _without_fleet(
    declared: list[Declared], several: list[Rejection], unread: tuple[UnreadFile, ...], snapshot: Snapshot
) -> str:
    """Why nothing may be written although no Fleet was ever understood: there may be one that nobody understood."""
    if several:
        return NO_FLEET
    if any(isinstance(d.document.model, FleetDocument) for d in declared):
        return ""
    if any(f.text is None or _may_be_fleet(f.text) for f in unread):
        return NO_FLEET
    return "" if snapshot.settled else "the source is still being written to, and has no Fleet document yet"


_KIND = re.compile(rb"kind['\"]?\s*:\s*['\"]?(\w+)")


def _may_be_fleet(text: bytes) -> bool:
    """Whether a text that nobody understands may have been meant as a Fleet, however it is spelt."""
    if b"fleet" in text.lower():
        return True
    return any(nearest(kind.decode("latin-1"), KINDS) == "Fleet" for kind in _KIND.findall(text))


# -- one document at a time ------------------------------------------------------------------------------------------


def _fold_documents(declared: list[Declared], fold: _Fold) -> None:
    by_key: dict[Key, list[Declared]] = {}
    for one in declared:
        by_key.setdefault(one.key, []).append(one)
    for key, same in by_key.items():
        if len(same) > 1:
            for one in same:
                others = ", ".join(str(o.document.position) for o in same if o is not one)
                fold.reject(
                    one, f"{key} is declared twice", hint=f"also at {others}; both are left out until one is gone"
                )
            continue
        wanted = _wanted(same[0], fold)
        if wanted is not None:
            fold.wanted[key] = wanted


def _wanted(declared: Declared, fold: _Fold) -> Wanted | None:
    model = declared.document.model
    if isinstance(model, JobDocument):
        return _job(declared, model, fold)
    assert isinstance(model, NamespaceDocument)
    return _namespace(declared, model, fold)


def _origin(declared: Declared, fold: _Fold) -> Origin:
    return Origin(declared.document.position, fold.snapshot.revision, fold.snapshot.author)


def _allowed(namespace: str, fold: _Fold) -> bool:
    return any(fnmatchcase(namespace, glob) for glob in fold.fleet.namespaces)


def _not_allowed(fold: _Fold) -> str:
    return f"the Fleet's spec.namespaces has {', '.join(fold.fleet.namespaces)}"


def _namespace(declared: Declared, model: NamespaceDocument, fold: _Fold) -> DesiredNamespace | None:
    name, spec = model.metadata.name, model.spec
    if not _allowed(name, fold):
        fold.reject(
            declared, "the fleet may not touch this namespace", at=("metadata", "name"), hint=_not_allowed(fold)
        )
        return None
    base = fold.fleet.policy
    return DesiredNamespace(
        declared.key,
        _digest("namespace", spec.description, dict(spec.meta)),
        spec.policy.over(base) if spec.policy else base,
        _origin(declared, fold),
        spec.description,
        dict(spec.meta),
        tuple(d.key(name) for d in spec.policy.depends_on) if spec.policy else (),
    )


def _job(declared: Declared, model: JobDocument, fold: _Fold) -> DesiredJob | None:
    namespace, spec = model.metadata.namespace, model.spec
    if not _allowed(namespace, fold):
        at = ("metadata", "namespace")
        fold.reject(declared, f"the fleet may not touch the namespace {namespace}", at=at, hint=_not_allowed(fold))
        return None
    policy = spec.policy.over(fold.fleet.policy) if spec.policy else fold.fleet.policy
    needs = tuple(d.key(namespace) for d in spec.policy.depends_on) if spec.policy else ()
    plain = DesiredJob(
        declared.key, "", policy, _origin(declared, fold), depends_on=needs, labels=dict(model.metadata.labels)
    )
    if spec.job is not None:
        return replace(plain, digest=_digest("job", spec.job.decode()), body=spec.job)
    if spec.hcl is not None:
        offset = declared.document.hcl_offset
        return _with_hcl(plain, HclSource(spec.hcl, dict(spec.variables), declared.path, offset))
    assert spec.file is not None
    return _from_file(plain, declared, join(dirname(declared.path), spec.file), dict(spec.variables), fold)


def _with_hcl(plain: DesiredJob, hcl: HclSource) -> DesiredJob:
    """The digest is that of what is parsed, so that nobody needs to parse in order to know that nothing changed."""
    return replace(plain, digest=_digest("hcl", hcl.text, dict(hcl.variables), plain.key.namespace), hcl=hcl)


def _from_file(
    plain: DesiredJob, declared: Declared, path: str, variables: dict[str, Any], fold: _Fold
) -> DesiredJob | None:
    at = ("spec", "file")
    file = fold.snapshot.files.get(path)
    if file is None:
        near = nearest(path, [p for p in fold.snapshot.files if not p.endswith((".yaml", ".yml"))])
        fold.reject(declared, f"there is no file {path}", at=at, hint=f"did you mean {near}?" if near else "")
        return None
    if file.data is None:
        fold.reject(declared, f"{path}: {file.problem}", at=at)
        return None
    if path.endswith(".json"):
        body = parse_job_body(path, file.data, key=declared.key)
        if isinstance(body, bytes):
            return replace(plain, digest=_digest("job", body.decode()), body=body)
        fold.rejections.extend(body)
        return None
    try:
        text = file.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        fold.reject(declared, f"{path} is not UTF-8 text", at=at)
        return None
    return _with_hcl(plain, HclSource(text, variables, path))


def _digest(*parts: object) -> str:
    return blake2s(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()


# -- documents among each other --------------------------------------------------------------------------------------


def _check_needs(fold: _Fold, declared: Mapping[Key, Declared]) -> None:
    """Dependencies: those that nobody states are added, those that nobody declares are refused, and so are cycles."""
    rejected = {r.key for r in fold.rejections}
    for key, wanted in list(fold.wanted.items()):
        for number, need in enumerate(wanted.depends_on):
            if need not in declared and need not in rejected:
                near = nearest(need.name, [k.name for k in declared if k.kind is need.kind])
                hint = f'did you mean "{near}"?' if near else "a dependency is another spec of this source"
                at = ("spec", "policy", "dependsOn", number)
                fold.reject(declared[key], f"it depends on {need}, which no spec declares", at=at, hint=hint)
        home = namespace_key(key.namespace)
        if key.namespace and home in declared and home not in wanted.depends_on:
            fold.wanted[key] = replace(wanted, depends_on=(home, *wanted.depends_on))
    _refuse_cycles(fold, declared)


def _refuse_cycles(fold: _Fold, declared: Mapping[Key, Declared]) -> None:
    graph = {k: set(w.depends_on) for k, w in fold.wanted.items() if w.depends_on}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycle: list[Key] = error.args[1]
            words = " → ".join(str(k) for k in reversed(cycle))
            for key in set(cycle):
                fold.reject(declared[key], f"its dependencies lead back to itself: {words}", at=("spec", "policy"))
                del graph[key]
        else:
            return


def _unread(rejections: Iterable[Rejection], files: Mapping[str, SourceFile]) -> tuple[UnreadFile, ...]:
    """The files of which something could not be understood, so that nobody knows what it declares."""
    paths = {r.position.path for r in rejections if r.key is None}
    return tuple(UnreadFile(p, files[p].data if p in files else None) for p in sorted(paths))


def nothing(fleet: str) -> Desired:
    """What is wanted before anything was read."""
    return Desired(revision="", fleet=Fleet(name=fleet), settled=False)
