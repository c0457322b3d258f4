"""The operator's own calls: specs, plans, and what a person says about changes."""

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from herdsman.client.errors import ClientError, Unfinished
from herdsman.client.shapes import (
    Description,
    Event,
    Key,
    Overview,
    Plan,
    Record,
    Resync,
    RolledBack,
    Spec,
    Specs,
    Trace,
    Version,
)
from herdsman.client.streams import Events, Stream
from herdsman.client.transport import Transport, segment, segments

_PATIENCE = 45.0


def key(name: str, namespace: str = "default", *, kind: str = "Job") -> Key:
    """What a spec is called; anything that has these three names, like a spec that was answered, will do as well."""
    return {"kind": kind, "namespace": "" if kind == "Namespace" else namespace, "name": name}


class Fleet:
    """The specs that the operator keeps."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def specs(self, name: str = "", *, kind: str = "", namespace: str = "", ready: bool | None = None) -> Specs:
        """All specs that match, and what of the source could not be used; *name* may be a glob."""
        return self._http.get(Specs, "/v1/specs", kind=kind, namespace=namespace, name=name, ready=ready)

    def describe(self, spec: Key) -> Description:
        """One spec whole."""
        return self._http.get(Description, f"/v1/specs/{_path(spec)}")

    def plan(self, name: str = "", *, kind: str = "", namespace: str = "") -> list[Plan]:
        """What would be done now."""
        return self._http.get(list[Plan], "/v1/plan", kind=kind, namespace=namespace, name=name)

    def resync(
        self, keys: Sequence[Key] | None = None, *, with_source: bool = False, wait: float | None = None
    ) -> Resync:
        """Look again at *keys*, or at everything; with *wait*, until that was done, for so many seconds at most.

        Raises `Unfinished`.
        """
        body: dict[str, Any] = {"withSource": with_source}
        body |= {"keys": [_key(one) for one in keys]} if keys is not None else {}
        asked = self._http.checked(Resync, self._http.call("POST", "/v1/resync", body=body))
        until = time.monotonic() + (wait or 0.0)
        while wait is not None and not asked["done"]:
            if time.monotonic() > until:
                left = "all" if asked["pending"] is None else asked["pending"]
                raise Unfinished(f"not done after {wait:g} s: {left} specs to go", last=asked)
            time.sleep(0.1)
            asked = self.progress(asked["id"])
        return asked

    def progress(self, number: int) -> Resync:
        """How far a request to look again got."""
        return self._http.get(Resync, f"/v1/resync/{number}")

    # -- holds --

    def suspend(self, *keys: Key) -> list[Spec]:
        """Hands off these specs, until they are resumed."""
        return self._held("suspend", _some(keys))

    def resume(self, *keys: Key) -> list[Spec]:
        """Take care of these specs again."""
        return self._held("resume", _some(keys))

    def suspend_all(self) -> None:
        """Hands off the whole fleet."""
        self._held("suspend", None)

    def resume_all(self) -> None:
        """Take care of the whole fleet again."""
        self._held("resume", None)

    def approve(self, *keys: Key) -> list[Spec]:
        """Let the held changes of these specs through, once."""
        return self._held("approve", _some(keys))

    def held(self) -> list[Spec]:
        """Every spec whose change waits for approval."""
        return self._http.get(list[Spec], "/v1/held")

    def _held(self, verb: str, keys: list[Key] | None) -> list[Spec]:
        answer = self._http.call("POST", f"/v1/{verb}", body={"keys": keys} if keys is not None else None)
        return self._http.checked(list[Spec], answer)

    # -- history --

    def history(self, spec: Key, *, limit: int = 50) -> list[Record]:
        """What was done to one spec, newest first, each with its commit."""
        return self._http.get(list[Record], f"/v1/history/{_path(spec)}", limit=limit)

    def versions(self, name: str, namespace: str = "default") -> list[Version]:
        """Every version of a job that Nomad remembers, with the commit that made it."""
        return self._http.get(list[Version], f"/v1/versions/{segment(namespace)}/{segments(name)}")

    def trace(self, name: str, namespace: str = "default") -> Trace:
        """From a live job, anybody's, back to the file and commit that declare it."""
        return self._http.get(Trace, f"/v1/trace/{segment(namespace)}/{segments(name)}")

    def rollback(self, spec: Key, to: str, *, now: bool = False) -> RolledBack:
        """Write a commit that restores a spec as it was; with *now*, put Nomad's job right at once, and hold it."""
        body = {"key": _key(spec), "to": to, "now": now, "requestId": uuid.uuid4().hex}
        return self._http.checked(RolledBack, self._http.call("POST", "/v1/rollback", body=body, again=not now))

    # -- what happens --

    def events(self, spec: Key | None = None, *, after: int = 0, limit: int = 200) -> list[Event]:
        """What happened behind the event *after*, oldest first; without it the newest."""
        of: dict[str, Any] = {**_key(spec)} if spec is not None else {}
        return self._http.get(list[Event], "/v1/events", after=after or None, limit=limit, **of)

    def follow(self, *, after: int | None = None) -> Events[Event]:
        """Every event as it happens, until it is closed; with *after*, those behind it first."""

        def connect(last: str) -> Stream:
            headers = {"Last-Event-ID": last} if last else {}
            return self._http.stream("/v1/events/stream", headers=headers, silence=_PATIENCE)

        return Events(Event, connect, last="" if after is None else str(after))

    def overview(self) -> Overview:
        """The fleet at a glance."""
        return self._http.get(Overview, "/v1/overview")

    def export(self, *also: str) -> Iterator[str]:
        """The live side of the fleet, line by line, with the jobs *also* (`NAMESPACE/JOB`) whole."""
        with self._http.stream("/v1/export", query={"also": also}, silence=120.0) as stream:
            yield from (f"{line}\n" for line in stream)


def _key(spec: Key) -> Key:
    return {"kind": spec["kind"], "namespace": spec["namespace"], "name": spec["name"]}


def _some(keys: Sequence[Key]) -> list[Key]:
    if not keys:
        raise ClientError("say which specs are meant", hint="suspend_all and resume_all are for the whole fleet")
    return [_key(one) for one in keys]


def _path(spec: Key) -> str:
    return f"{segment(spec['kind'])}/{segment(spec['namespace'] or '-')}/{segments(spec['name'])}"
