"""Jobs that launch others: children dispatched from parameterized jobs, and launched by periodic ones."""

import base64
import uuid
from typing import Final

from herdsman.devnomad.clock import SECOND, now_ns
from herdsman.devnomad.errors import Refused
from herdsman.devnomad.rpc.jobs import Jobs
from herdsman.devnomad.state import evals, jobs
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.types import JobKey, Row

_MAX_PAYLOAD: Final = 16 * 1024


class Launches:
    """Requests that launch children."""

    def __init__(self, store: Store, registrar: Jobs) -> None:
        self._store, self._jobs = store, registrar

    # -- dispatch --------------------------------------------------------------------------------------------------
    def dispatch(self, key: JobKey, request: Row, *, idempotency: str = "") -> Row:
        """Run a parameterized job once, with these parameters."""
        parent = self._store.jobs.get(key)
        if parent is None:
            raise Refused("parameterized job not found")
        if not parent["ParameterizedJob"] or parent["Dispatched"]:
            raise Refused(f'Specified job "{key[1]}" is not a parameterized job')
        if parent["Stop"]:
            raise Refused(f'Specified job "{key[1]}" is stopped')
        payload = _check_payload(parent["ParameterizedJob"], request.get("Payload"))
        meta = request.get("Meta") or {}
        _check_meta(parent["ParameterizedJob"], meta)
        if idempotency:
            known = self._already_dispatched(key, idempotency)
            if known is not None:
                return _dispatched(known, None, index=known["CreateIndex"])
        child = {
            **parent,
            "ID": _child_id(key[1], "dispatch", request.get("IdPrefixTemplate") or ""),
            "ParentID": key[1],
            "Name": "",
            "Dispatched": True,
            "DispatchIdempotencyToken": idempotency,
            "Payload": payload or None,
            "Meta": {**(parent["Meta"] or {}), **meta} or None,
            "Priority": request.get("Priority") or parent["Priority"],
            "VersionTag": None,
        }
        child["Name"] = child["ID"]
        return self._launch(child, trigger="job-register")

    def _already_dispatched(self, key: JobKey, token: str) -> Row | None:
        children = self._store.jobs.find("parent", key)
        return next(
            (each for each in children if each["DispatchIdempotencyToken"] == token and each["Status"] != "dead"), None
        )

    def _launch(self, child: Row, *, trigger: str) -> Row:
        store = self._store
        with store.write("JobRegistered") as txn:
            stored = jobs.upsert(txn, {**child, "SubmitTime": now_ns()})
        with store.write("JobRegistered", index=txn.index) as second:
            evaluation = evals.upsert(second, evals.new_eval(stored, trigger, JobModifyIndex=txn.index))
        return _dispatched(stored, evaluation, index=txn.index)

    # -- periodic --------------------------------------------------------------------------------------------------
    def force(self, key: JobKey) -> Row:
        """Run a periodic job now."""
        parent = self._store.jobs.get(key)
        if parent is None:
            raise Refused(f'can\'t force run non-tracked job "{key[1]}" ({key[0]})')
        if not parent["Periodic"] or parent["Stop"]:
            raise Refused("can't force launch non-periodic job")
        launched = self.launch_periodic(parent, at=now_ns())
        return {name: launched[name] for name in ("EvalID", "EvalCreateIndex", "Index")}

    def launch_periodic(self, parent: Row, *, at: int) -> Row:
        """Run a periodic job's child for this time."""
        child = {
            **parent,
            "ID": f"{parent['ID']}/periodic-{at // SECOND}",
            "ParentID": parent["ID"],
            "Periodic": None,
            "VersionTag": None,
        }
        child["Name"] = child["ID"]
        launched = self._launch(child, trigger="periodic-job")
        with self._store.write() as txn:
            row = {"Namespace": parent["Namespace"], "ID": parent["ID"], "Launch": at, "ModifyIndex": txn.index}
            txn.put(self._store.launches, jobs.key_of(parent), row)
        return launched

    def may_launch(self, parent: Row) -> bool:
        """Whether a periodic job may run now: not while its last child runs, where it prohibits overlap."""
        if not parent["Periodic"]["ProhibitOverlap"]:
            return True
        children = self._store.jobs.find("parent", jobs.key_of(parent))
        return all(child["Status"] == "dead" for child in children)


def _dispatched(child: Row, evaluation: Row | None, *, index: int) -> Row:
    return {
        "DispatchedJobID": child["ID"],
        "EvalID": evaluation["ID"] if evaluation else "",
        "EvalCreateIndex": evaluation["CreateIndex"] if evaluation else 0,
        "JobCreateIndex": child["CreateIndex"],
        "Index": index,
    }


def _child_id(parent: str, kind: str, prefix: str) -> str:
    middle = f"-{prefix}" if prefix else ""
    return f"{parent}/{kind}{middle}-{now_ns() // SECOND}-{uuid.uuid4().hex[:8]}"


def _check_payload(parameters: Row, payload: str | None) -> str:
    wanted = parameters["Payload"]
    if wanted == "required" and not payload:
        raise Refused("Payload is not provided but required")
    if wanted == "forbidden" and payload:
        raise Refused("Payload is not allowed")
    if not payload:
        return ""
    size = len(base64.b64decode(payload))
    if size > _MAX_PAYLOAD:
        raise Refused(f"Payload exceeds maximum size; {size} > {_MAX_PAYLOAD}")
    return payload


def _check_meta(parameters: Row, meta: Row) -> None:
    required, optional = parameters["MetaRequired"] or (), parameters["MetaOptional"] or ()
    unknown = [key for key in meta if key not in required and key not in optional]
    if unknown:
        raise Refused(f"Dispatch request included unpermitted metadata keys: [{' '.join(sorted(unknown))}]")
    missing = [key for key in required if key not in meta]
    if missing:
        raise Refused(f"Dispatch did not provide required meta keys: [{' '.join(missing)}]")
