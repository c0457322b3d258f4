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

from herdsman.core.deployments import Made, Workshop, make, opened
from herdsman.core.locate import Places
from herdsman.core.parse import Document, ParsedFile, field_text, parse_job_body
from herdsman.core.problems import Fault
from herdsman.core.redact import MASK, redact
from herdsman.core.spelling import did_you_mean, nearest
from herdsman.model.desired import (
    NO_POLICY,
    Desired,
    DesiredJob,
    DesiredNamespace,
    DesiredVariable,
    Fleet,
    HclSource,
    Order,
    Origin,
    Position,
    Rejection,
    UnreadFile,
    Wanted,
)
from herdsman.model.documents import (
    KINDS,
    DeploymentDocument,
    FleetDocument,
    JobDocument,
    NamespaceDocument,
    VariableDocument,
)
from herdsman.model.keys import JOB_VARIABLES, Key, Kind, namespace_key, own_variable
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
    workshop: Workshop
    wanted: dict[Key, Wanted] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    orders: dict[Key, Order] = field(default_factory=dict)
    _places: tuple[str, Places] | None = None

    def reject(
        self,
        declared: Declared,
        message: str,
        *,
        at: tuple[str | int, ...] = (),
        hint: str = "",
        at_key: bool = False,
    ) -> None:
        """Refuse one document for a reason that only shows beside the others."""
        self.rejections.append(
            Rejection(
                self.where(declared, at, at_key=at_key), message, field_text(None, at), hint, declared.document.key
            )
        )

    def reject_for(self, declared: Declared, fault: Fault) -> None:
        """Refuse one document for a *fault* that was found in it."""
        hint = did_you_mean(str(fault.loc[-1]), fault.known) if fault.known else fault.hint
        self.reject(declared, fault.message, at=fault.loc, hint=hint, at_key=fault.at_key)

    def where(self, declared: Declared, at: tuple[str | int, ...], *, at_key: bool = False) -> Position:
        """The place of a field, found again in the text; of several in one file the text is walked once."""
        path, file = declared.path, self.snapshot.files.get(declared.path)
        if not at or file is None or file.data is None:
            return declared.document.position
        if self._places is None or self._places[0] != path:
            self._places = (path, Places(path, file.data))
        place = self._places[1].find(declared.document.index, at, at_key=at_key)
        return Position(path, place.line, place.column) if place is not None else Position(path, 1, 1)


def desire(
    parsed: Iterable[ParsedFile],
    snapshot: Snapshot,
    *,
    default_fleet: str,
    last_fleet: Fleet | None,
    workshop: Workshop | None = None,
) -> Desired:
    """All that *snapshot* asks for. *last_fleet* holds while its document is gone or cannot be read; deployments are
    made in the *workshop*, without which there is no catalog and nothing to decrypt with."""
    files = _without_bodies(list(parsed))
    rejections = [r for f in files for r in f.rejections]
    rejections += [Rejection(Position(p), f.problem) for p, f in sorted(snapshot.files.items()) if f.data is None]
    declared = [Declared(d, f.path) for f in files for d in f.documents]
    fleet, fleet_rejections = _fleet(declared, default_fleet, last_fleet)
    fold = _Fold(snapshot, fleet, workshop or Workshop(), rejections=[*rejections, *fleet_rejections])
    unread = _unread(fold.rejections, snapshot.files)
    blocked = "" if last_fleet is not None else _without_fleet(declared, fleet_rejections, unread, snapshot)
    _fold_documents([d for d in declared if d.document.key is not None], fold)
    _check_needs(fold, _by_key(fold, declared))
    frozen: dict[Key, Rejection] = {}
    for rejection in fold.rejections:
        if rejection.key is not None:
            fold.wanted.pop(rejection.key, None)
            frozen.setdefault(rejection.key, rejection)
    _freeze_attached(fold, frozen)
    return Desired(
        revision=snapshot.name,
        fleet=fleet,
        wanted=fold.wanted,
        rejections=tuple(sorted(fold.rejections, key=lambda r: (r.position.path, r.position.line, r.position.column))),
        frozen=frozen,
        unread=unread,
        settled=snapshot.settled,
        blocked=blocked,
        orders=fold.orders,
    )


def _by_key(fold: _Fold, declared: list[Declared]) -> dict[Key, Declared]:
    """Which document declares what; a deployment declares the variable of its secrets, too."""
    found = {d.key: d for d in declared if d.document.key is not None}
    for key in fold.orders:
        if own_variable(key) in fold.wanted:
            found.setdefault(own_variable(key), found[key])
    return found


def _freeze_attached(fold: _Fold, frozen: dict[Key, Rejection]) -> None:
    """The secrets of a deployment that was rejected stay as they are, like its job."""
    for key in frozen.keys() & fold.orders.keys():
        variable = own_variable(key)
        attached = fold.wanted.get(variable)
        if isinstance(attached, DesiredVariable) and attached.attached:
            del fold.wanted[variable]
            frozen.setdefault(variable, frozen[key])


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
    # deployments last: what they bring along gives way to what is declared
    for key, same in sorted(by_key.items(), key=lambda one: isinstance(one[1][0].document.model, DeploymentDocument)):
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
    if isinstance(model, DeploymentDocument):
        return _deployment(declared, model, fold)
    if isinstance(model, VariableDocument):
        return _variable(declared, model, fold)
    assert isinstance(model, NamespaceDocument)
    return _namespace(declared, model, fold)


def _origin(declared: Declared, fold: _Fold) -> Origin:
    return Origin(declared.document.position, fold.snapshot.name, fold.snapshot.author)


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
        spec.quotas.quotas() if spec.quotas is not None else None,
    )


def _may_touch(namespace: str, declared: Declared, fold: _Fold) -> bool:
    """Whether the fleet may; where it may not, the document is rejected."""
    allowed = _allowed(namespace, fold)
    if not allowed:
        at = ("metadata", "namespace")
        fold.reject(declared, f"the fleet may not touch the namespace {namespace}", at=at, hint=_not_allowed(fold))
    return allowed


def _plain_job(declared: Declared, model: JobDocument | DeploymentDocument, fold: _Fold) -> DesiredJob:
    """All of a wanted job but what it is."""
    namespace, wishes = model.metadata.namespace, model.spec.policy
    return DesiredJob(
        declared.key,
        "",
        wishes.over(fold.fleet.policy) if wishes else fold.fleet.policy,
        _origin(declared, fold),
        depends_on=tuple(d.key(namespace) for d in wishes.depends_on) if wishes else (),
        labels=dict(model.metadata.labels),
    )


def _variable(declared: Declared, model: VariableDocument, fold: _Fold) -> DesiredVariable | None:
    namespace, spec = model.metadata.namespace, model.spec
    if not _may_touch(namespace, declared, fold):
        return None
    wrong: list[Fault] = []
    items = dict(spec.items)
    for name, text in spec.items.items():
        if not spec.allow_plain and redact(f"Env.{name}", text) == MASK:
            hint = "move it to spec.encrypted; if it is no secret, write allowPlain: true"
            wrong.append(Fault(("spec", "items", name), "looks like a secret, which Git would remember for ever", hint))
    for name, armour in spec.encrypted.items():
        found = opened(armour, ("spec", "encrypted", name), fold.workshop.decrypt, wrong)
        items[name] = found or ""
    if sum(len(f"{name}{text}".encode()) for name, text in items.items()) > _LARGEST_VARIABLE:
        wrong.append(Fault(("spec",), f"the items together are larger than {_LARGEST_VARIABLE:,} bytes", _NOMADS_LIMIT))
    for fault in wrong:
        fold.reject_for(declared, fault)
    if wrong:
        return None
    base, wishes = fold.fleet.policy, spec.policy
    return DesiredVariable(
        declared.key,
        _digest("variable", dict(spec.items), dict(spec.encrypted)),
        wishes.over(base) if wishes else base,
        _origin(declared, fold),
        items=items,
        depends_on=tuple(d.key(namespace) for d in wishes.depends_on) if wishes else (),
        labels=dict(model.metadata.labels),
    )


_LARGEST_VARIABLE = 60 * 1024
_NOMADS_LIMIT = "Nomad keeps 64 KiB in a variable, names and all"


def _deployment(declared: Declared, model: DeploymentDocument, fold: _Fold) -> DesiredJob | None:
    order, made = make(model, fold.workshop, fold.fleet.windows)
    order = fold.orders[declared.key] = replace(order, position=declared.document.position)
    if not _may_touch(model.metadata.namespace, declared, fold):
        return None
    if not isinstance(made, Made):
        for fault in made:
            fold.reject_for(declared, fault)
        return None
    job = _with_hcl(replace(_plain_job(declared, model, fold), order=order), made.hcl)
    if order.stopped:
        job = replace(job, digest=_digest("stopped", job.digest))
    if not made.secrets and not made.generate:
        return job
    variable = _secrets(job, made)
    if fold.wanted.setdefault(variable.key, variable) is not variable:
        at = fold.wanted[variable.key].origin.position
        fold.reject(declared, f"its secrets go to {variable.key}, which {at} declares, too", hint="name one otherwise")
        return None
    return replace(job, depends_on=(*job.depends_on, variable.key))


def _secrets(job: DesiredJob, made: Made) -> DesiredVariable:
    """The variable that a job reads its secrets from. A deployment's policy is about its job: this one just follows."""
    return DesiredVariable(
        own_variable(job.key),
        _digest("variable", dict(made.sealed), dict(made.generate)),
        replace(NO_POLICY, suspend=job.policy.suspend),
        job.origin,
        items=made.secrets,
        generate=made.generate,
        labels=job.labels,
        attached=True,
        expires=job.expires,
    )


def _job(declared: Declared, model: JobDocument, fold: _Fold) -> DesiredJob | None:
    namespace, spec = model.metadata.namespace, model.spec
    if not _may_touch(namespace, declared, fold):
        return None
    plain = _plain_job(declared, model, fold)
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
    readable = _readable_by(fold.wanted)
    for key, wanted in list(fold.wanted.items()):
        for number, need in enumerate(wanted.depends_on):
            if need not in declared and need not in rejected:
                near = nearest(need.name, [k.name for k in declared if k.kind is need.kind])
                hint = f'did you mean "{near}"?' if near else "a dependency is another spec of this source"
                at = ("spec", "policy", "dependsOn", number)
                fold.reject(declared[key], f"it depends on {need}, which no spec declares", at=at, hint=hint)
        home = namespace_key(key.namespace)
        unsaid = [home] if key.namespace and home in declared else []
        if key.kind is Kind.JOB:
            unsaid += [*readable.get((key.namespace, ""), ()), *readable.get((key.namespace, key.name), ())]
        unsaid = [need for need in unsaid if need not in wanted.depends_on]
        if unsaid:
            fold.wanted[key] = replace(wanted, depends_on=(*unsaid, *wanted.depends_on))
    _refuse_cycles(fold, declared)


def _readable_by(wanted: Mapping[Key, Wanted]) -> dict[tuple[str, str], list[Key]]:
    """The variables that a job's own identity may read, by its namespace and ID; with an empty ID those of all jobs.

    These are `nomad/jobs` and, below it, the job's ID, its group and its task:
    https://developer.hashicorp.com/nomad/docs/concepts/workload-identity
    """
    found: dict[tuple[str, str], list[Key]] = {}
    for key in wanted:
        if key.kind is Kind.VARIABLE and f"{key.name}/".startswith(f"{JOB_VARIABLES}/"):
            parts = key.name.split("/")[2:]
            for depth in range(1, len(parts) + 1) if parts else (0,):
                found.setdefault((key.namespace, "/".join(parts[:depth])), []).append(key)
    return found


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
