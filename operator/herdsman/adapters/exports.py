"""The live side of a fleet as a file: written job by job while it is read from Nomad, and read back whole.

The file is one JSON document with a job on each line, so that neither end needs to hold it as text. It ends with
`"complete": true`, or with the words of what broke it off: a file that was cut is never taken for a small fleet.
"""

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import orjson

from herdsman.core.ownership import owner_of
from herdsman.core.sealing import Sealer
from herdsman.errors import NomadError, UsageError
from herdsman.model.desired import Desired, Prune
from herdsman.model.exports import FORMAT, Export, ExportedJob, ExportedNamespace, ExportedVariable, Header
from herdsman.model.keys import Key, Kind, job_key, namespace_key, variable_key
from herdsman.model.memory import Memory
from herdsman.model.observed import Counts, JobStub, LiveJob, LiveNamespace, Provenance
from herdsman.model.plans import Pin
from herdsman.model.quotas import Demand
from herdsman.ports import Clock, NomadReader, StatusStore

DEPTH = 6
"""So many versions of a job does Nomad keep by default."""

_HINT = "make it anew: herdsman export --live > snapshot.json"


# -- writing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes what is live, as far as it concerns the fleet. *desired* answers what is wanted now."""

    nomad: NomadReader
    store: StatusStore
    clock: Clock
    desired: Callable[[], Desired]
    source: str = ""

    def lines(self, also: Collection[Key] = ()) -> Iterator[str]:
        """The lines of the file, with the whole bodies of the jobs *also*, whosever they are.

        Raises `NomadError` at once where Nomad cannot be listed; what fails later is said in the last line.
        """
        desired, stubs = self.desired(), self.nomad.listing().stubs
        salt = secrets.token_bytes(16)
        header = Header(
            fleet=desired.fleet.name,
            taken=self.clock.now().astimezone(UTC).isoformat(timespec="seconds"),
            salt=salt.hex(),
            nomad_version=self.nomad.version(),
            source=self.source,
            revision=desired.revision,
            suspended=self.store.is_suspended(None),
        )
        sealer = Sealer(salt)
        spaces = [self._namespace(n, desired, sealer) for n in self.nomad.namespaces().values()]
        variables = [self._variable(k, sealer) for k in self._variable_keys(desired)]
        lists = {"namespaces": [*spaces, *self._lost_namespaces(spaces)], "variables": variables}
        head = {"format": FORMAT, **_plain(header), **lists}
        return self._written(head, self._jobs(desired, stubs, sealer, also))

    @staticmethod
    def _written(head: Mapping[str, Any], jobs: Iterator[dict[str, Any]]) -> Iterator[str]:
        yield f'{_dump(head)[:-1]},"jobs":[\n'
        comma, end = "", '"complete":true'
        try:
            for job in jobs:
                yield f"{comma}{_dump(job)}\n"
                comma = ","
        except NomadError as error:
            end = f'"error":{_dump(str(error))}'
        yield f"],{end}}}\n"

    def _jobs(
        self, desired: Desired, stubs: Mapping[Key, JobStub], sealer: Sealer, also: Collection[Key]
    ) -> Iterator[dict[str, Any]]:
        memories = self.store.memories()
        wanted = {k for k in (*desired.wanted, *desired.frozen, *memories, *also) if k.kind is Kind.JOB}
        ours = {k for k, s in stubs.items() if self._is_ours(s, memories.get(k, Memory()), desired)}
        for key in sorted(wanted | ours):
            yield self._job(key, stubs.get(key), memories.get(key, Memory()), desired.fleet.name, sealer)
        for key in sorted(stubs.keys() - wanted - ours):
            if not stubs[key].parent_id and any(fnmatchcase(key.namespace, glob) for glob in desired.fleet.namespaces):
                yield {**_key(key), "stub": _stub(stubs[key])}

    @staticmethod
    def _is_ours(stub: JobStub, memory: Memory, desired: Desired) -> bool:
        fleet = desired.fleet.name
        return owner_of(
            stamp=stub.stamp, create_index=stub.create_index, parent=stub.parent_id, memory=memory, fleet=fleet
        ).ours

    def _job(self, key: Key, stub: JobStub | None, memory: Memory, fleet: str, sealer: Sealer) -> dict[str, Any]:
        row: dict[str, Any] = {**_key(key), **_record(memory, suspended=self._is_suspended(key))}
        pin = self.store.pin(key)
        if pin is not None:
            row["pin"] = _plain(pin)
        live = self.nomad.job(key) if stub is not None else None
        if stub is None or live is None:
            return row
        row["stub"] = _stub(_as_read(stub, live))
        provenance = self._last_write(live, memory, fleet)
        if provenance is not None:
            row["provenance"] = _plain(provenance)
        return {**row, "body": sealer.body(key, live.body)}

    def _last_write(self, live: LiveJob, memory: Memory, fleet: str) -> Provenance | None:
        """As `observe` looks for it: beside the live version, or before it where nothing else is known."""
        oldest = live.version if memory.known else max(0, live.version - DEPTH)
        for version in range(live.version, oldest - 1, -1):
            found = self.nomad.provenance(live.key, version)
            if found is not None and found.version == version and found.fleet == fleet:
                return found
        return None

    def _namespace(self, live: LiveNamespace, desired: Desired, sealer: Sealer) -> dict[str, Any]:
        key, memory = live.key, self.store.memory(live.key)
        row: dict[str, Any] = {"name": key.name, **_record(memory, suspended=self._is_suspended(key))}
        if live.stamp == desired.fleet.name or key in desired.wanted or key in desired.frozen or memory.known:
            body = {name: value for name, value in live.body.items() if name != "Hash"}  # of what is sealed here, too
            row["body"] = {**body, "Meta": sealer.meta(key, live.meta)}
        return row

    def _lost_namespaces(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """What the operator remembers of namespaces that are not there."""
        live = {row["name"] for row in rows}
        for key, memory in self.store.memories().items():
            if key.kind is Kind.NAMESPACE and key.name not in live:
                yield {"name": key.name, "live": False, **_record(memory, suspended=self._is_suspended(key))}

    def _variable_keys(self, desired: Desired) -> list[Key]:
        """Those that specs declare or declared: of all others not even the path is anybody's business."""
        known = {*desired.wanted, *desired.frozen, *self.store.memories()}
        return sorted(k for k in known if k.kind is Kind.VARIABLE)

    def _variable(self, key: Key, sealer: Sealer) -> dict[str, Any]:
        live = self.nomad.variable(key.name, namespace=key.namespace)
        row = {**_key(key), **_record(self.store.memory(key), suspended=self._is_suspended(key))}
        return {**row, "index": live.index, "create_index": live.create_index, "items": sealer.items(key, live.items)}

    def _is_suspended(self, key: Key) -> bool:
        return self.store.is_suspended(key) and not self.store.is_suspended(None)


def _as_read(stub: JobStub, live: LiveJob) -> JobStub:
    """*stub* as of the moment at which the whole job was read."""
    return replace(
        stub, index=live.index, create_index=live.create_index, status=live.status, stop=live.stop, stamp=live.stamp
    )


def _key(key: Key) -> dict[str, str]:
    return {"namespace": key.namespace, "name": key.name}


def _stub(stub: JobStub) -> dict[str, Any]:
    left_out = {"key", "submit_time"}
    row = {f.name: getattr(stub, f.name) for f in fields(stub) if f.name not in left_out}
    return {name: _plain(value) if name == "counts" else value for name, value in row.items()}


def _record(memory: Memory, *, suspended: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"suspended": True} if suspended else {}
    if memory == Memory():
        return row
    # the catalog entry itself is not exported: what was made from it is judged by the catalog of the day
    kept = _plain(replace(memory, template="")) | {"needs": [{"kind": k.kind.value, **_key(k)} for k in memory.needs]}
    empty = _plain(Memory()) | {"needs": []}
    return row | {"memory": {name: value for name, value in kept.items() if value != empty.get(name)}}


def _plain(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value)}


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()


# -- reading -----------------------------------------------------------------------------------------------------------


def read_export(path: Path) -> Export:
    """The export in the file *path*. Raises `UsageError` where it is none, is cut, or is of another format."""
    try:
        raw = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from None
    except ValueError:
        raise UsageError(f"{path} is not JSON, or was cut", hint=_HINT) from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else None
        words = f"its format is {found!r}" if found else "it names no format"
        raise UsageError(f"{path} is no export that this version reads: {words}, not {FORMAT!r}", hint=_HINT)
    if not raw.get("complete"):
        raise UsageError(f"{path} is incomplete: {raw.get('error') or 'it was cut'}", hint=_HINT)
    try:
        return _export(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is damaged: {type(error).__name__}: {error}", hint=_HINT) from None


def _export(raw: Mapping[str, Any]) -> Export:
    jobs = [_read_job(row) for row in raw["jobs"]]
    namespaces = [_read_namespace(row) for row in raw["namespaces"]]
    variables = [_read_variable(row) for row in raw.get("variables", ())]
    header: Header = _made(Header, raw)
    bytes.fromhex(header.salt)
    return Export(
        header,
        {j.key: j for j in jobs},
        {n.key: n for n in namespaces},
        {v.key: v for v in variables},
    )


def _read_job(row: Mapping[str, Any]) -> ExportedJob:
    key = job_key(row["namespace"], row["name"])
    stub, body, provenance = row.get("stub"), row.get("body"), row.get("provenance")
    if body is not None:
        int(body["JobModifyIndex"])
    return ExportedJob(
        key,
        None if stub is None else _made(JobStub, {**stub, "key": key, "counts": _made(Counts, stub.get("counts", {}))}),
        body,
        None if provenance is None else _made(Provenance, provenance),
        _read_memory(row.get("memory", {})),
        bool(row.get("suspended")),
        None if (pin := row.get("pin")) is None else _made(Pin, pin),
    )


def _read_variable(row: Mapping[str, Any]) -> ExportedVariable:
    return ExportedVariable(
        variable_key(row["namespace"], row["name"]),
        int(row["index"]),
        int(row["create_index"]),
        row["items"],
        _read_memory(row.get("memory", {})),
        bool(row.get("suspended")),
    )


def _read_namespace(row: Mapping[str, Any]) -> ExportedNamespace:
    memory = _read_memory(row.get("memory", {}))
    return ExportedNamespace(
        namespace_key(row["name"]), row.get("body"), bool(row.get("live", True)), memory, bool(row.get("suspended"))
    )


def _read_memory(row: Mapping[str, Any]) -> Memory:
    needs = tuple(Key(Kind(n["kind"]), n["namespace"], n["name"]) for n in row.get("needs", ()))
    prune, demand = row.get("prune"), row.get("demand")
    values = {
        "needs": needs,
        "prune": None if prune is None else Prune(prune),
        "keys": tuple(row.get("keys", ())),
        "demand": None if demand is None else _made(Demand, demand),
    }
    memory: Memory = _made(Memory, {**row, **values})
    return memory


def _made(kind: Any, row: Mapping[str, Any]) -> Any:
    """A value of *kind*; what a newer version has added is passed over."""
    known = {f.name for f in fields(kind)}
    return kind(**{name: value for name, value in row.items() if name in known})
