"""What users run: `client.deployments`, of these `client.batch`, and `client.try_me` for what is only tried."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Unpack

from herdsman.client.errors import Changed, ClientError, NotFound, Unfinished
from herdsman.client.shapes import (
    Change,
    Conf,
    Deployment,
    Event,
    Order,
    Page,
    Preview,
    Restarted,
    Shelf,
    Touch,
    Wanted,
)
from herdsman.client.streams import Events, Stream
from herdsman.client.transport import Transport, segment

Many = list[Deployment]
Paths = list[str]
Ref = str | Deployment
"""A deployment that was answered, or its ID, also as `modules/ID`, `tools/ID` or `batch/ID`."""

Told = Callable[[Deployment], object]

SECTIONS: Final[tuple[Shelf, ...]] = ("modules", "tools", "batch")
_PATIENCE: Final = 45.0  # a stream of events says something at least every 15 s
_SETTLING: Final = 10.0  # for so long what runs may still not be healthy
_LATE: Final = 2.0  # and for so long the addresses of what has just been started may be unknown
_ENDED: Final = frozenset({"failed", "error", "dead"})


class Deployments:
    """Deployments of modules and tools, and batch jobs; or what of these *sections* names."""

    def __init__(self, http: Transport, sections: tuple[Shelf, ...] = SECTIONS) -> None:
        self._http, self._sections = http, sections

    # -- lists --

    def list(self, section: Shelf | None = None, **wanted: Unpack[Wanted]) -> Many:
        """All of yours, the newest first; without *section*, all of them together."""
        found = list(self.iterate(section, **wanted))
        if section is None:
            sort = wanted.get("sort", "-submit_time")
            found.sort(key=lambda one: str(one.get(sort.removeprefix("-"))), reverse=sort.startswith("-"))
        return found

    def iterate(self, section: Shelf | None = None, **wanted: Unpack[Wanted]) -> Iterator[Deployment]:
        """The same one by one, fetched page by page; without *section*, modules come first."""
        for one in (section,) if section is not None else self._sections:
            yield from _every(lambda cursor, one=one: self.page(one, cursor=cursor, limit=500, **wanted))  # type: ignore[misc]

    def page(self, section: Shelf, *, cursor: str = "", limit: int = 100, **wanted: Unpack[Wanted]) -> Page[Deployment]:
        """A part of the list; *cursor* is the `next` of the page before."""
        return self._page(f"/v1/deployments/{section}", {**wanted, "cursor": cursor, "limit": limit})

    def everybody(
        self, section: Shelf | None = None, *, owner: str | None = None, **wanted: Unpack[Wanted]
    ) -> Iterator[Deployment]:
        """Those of all owners, or of one, in the namespaces that you administer."""
        query = {**wanted, "section": section, "owner": owner, "limit": 500}
        yield from _every(lambda cursor: self._page("/v1/admin/deployments", {**query, "cursor": cursor}))

    def _page(self, path: str, query: Mapping[str, Any]) -> Page[Deployment]:
        answer = self._http.call("GET", path, query=query)
        items, total = self._http.checked(Many, answer), answer.headers.get("X-Total-Count", "")
        known = int(total) if total.isdecimal() and len(total) < 10 else len(items)
        return Page(items, known, answer.headers.get("X-Next-Cursor", ""))

    # -- one --

    def get(self, ref: Ref) -> Deployment:
        """One deployment, as it is now. Raises `NotFound`."""
        *first, last = self._places(ref)
        for path in first:
            try:
                return self._http.get(Deployment, path)
            except NotFound:
                continue
        return self._http.get(Deployment, last)

    def create(self, entry: str, *, key: str = "", **order: Unpack[Order]) -> Deployment:
        """Order a deployment of a catalog *entry*, like `modules/hello-web`; with a *script*, a batch job.

        However often it has to be asked for, it is made once: a request bears a *key*, which is random unless you
        give one.
        """
        section, body = _ordered(entry, order, batch=self._is_batch(order))
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        path = f"/v1/deployments/{section}"
        return self._http.checked(Deployment, self._http.call("POST", path, body=body, headers=headers, again=True))

    def _is_batch(self, order: Order) -> bool:
        return "script" in order or self._sections == ("batch",)

    def preview(self, entry: str, **order: Unpack[Order]) -> Preview:
        """What `create` would come to (a dry run); nothing is written."""
        section, body = _ordered(entry, order, batch=self._is_batch(order))
        path = f"/v1/deployments/{section}"
        return self._http.checked(
            Preview, self._http.call("POST", path, query={"dry_run": True}, body=body, again=True)
        )

    def update(self, ref: Ref, **change: Unpack[Change]) -> Deployment:
        """Change a deployment; *conf* replaces all of its parameters.

        Of a deployment that was answered by `get`, it is that one which is changed: raises `Changed` where it is not
        any more what it was then.
        """
        path, etag = self._place(ref)
        return self._http.checked(Deployment, self._http.call("PUT", path, body=dict(change), headers=_if_match(etag)))

    def preview_update(self, ref: Ref, **change: Unpack[Change]) -> Preview:
        """What `update` would come to (a dry run); nothing is written."""
        path, etag = self._place(ref)
        query = {"dry_run": True}
        headers = _if_match(etag)
        answer = self._http.call("PUT", path, query=query, body=dict(change), headers=headers, again=True)
        return self._http.checked(Preview, answer)

    def amend(self, ref: Ref, conf: Conf, **change: Unpack[Touch]) -> Deployment:
        """Change some parameters and leave the others as they are; in the case of a race with another writer, again."""
        ref = ref if isinstance(ref, str) else f"{_shelf(ref)}/{ref['job_ID']}"
        for turn in range(5):
            now = self.get(ref)
            try:
                return self.update(now, conf=self.amended(now, conf), **change)
            except Changed:
                if turn == 4:
                    raise
        raise AssertionError("unreachable")

    def amended(self, deployment: Deployment, conf: Conf) -> Conf:
        """All parameters of *deployment* that are not as its entry has them, with those in *conf*."""
        section, _, name = deployment["catalog"].partition("/")
        path = f"/v1/catalog/{segment(section)}/{segment(name)}/config"
        known = self._http.get(dict[str, dict[str, dict[str, Any]]], path, vo=deployment["namespace"])
        given = {
            group: {key: v for key, v in values.items() if v != _default(known, group, key)}
            for group, values in (deployment.get("conf") or {}).items()
        }
        for group, values in conf.items():
            given[group] = {**given.get(group, {}), **values}
        return {group: values for group, values in given.items() if values}

    def delete(self, ref: Ref) -> None:
        """Remove a deployment, with all that it holds. What is gone already is gone: that is no error."""
        for path in self._places(ref):
            self._http.call("DELETE", path)

    def stop(self, ref: Ref) -> Deployment:
        """Let it rest: it keeps its parameters, and holds nothing."""
        return self._http.checked(Deployment, self._http.call("POST", f"{self._place(ref)[0]}/stop"))

    def start(self, ref: Ref) -> Deployment:
        """Let it run again."""
        return self._http.checked(Deployment, self._http.call("POST", f"{self._place(ref)[0]}/start"))

    def restart(self, ref: Ref) -> int:
        """Start its tasks anew, where they are; the answer is of how many allocations."""
        answer = self._http.call("POST", f"{self._place(ref)[0]}/restart")
        return self._http.checked(Restarted, answer)["restarted"]

    # -- streams --

    def logs(
        self, ref: Ref, *, task: str = "", stderr: bool = False, follow: bool = False, tail: int | None = None
    ) -> Stream:
        """What a task writes, its main one where none is named; with *follow* until it ends. *tail* is in bytes.

        Iterate over it for lines, or `read()` all; close it, or use it in a `with`, where you follow.
        """
        query = {"task": task, "type": "stderr" if stderr else "stdout", "follow": follow, "tail": tail}
        path = self._place(ref)[0]
        return self._http.stream(f"{path}/logs", query=query, silence=None if follow else _PATIENCE)

    def events(self, ref: Ref, *, follow: bool = False, after: int = 0) -> Events[Event]:
        """What happened to it behind the event *after*; with *follow* also what happens, until it is closed."""
        path, _ = self._place(ref)

        def connect(last: str) -> Stream:
            headers = {"Last-Event-ID": last} if last else {}
            return self._http.stream(f"{path}/events", query={"follow": follow}, headers=headers, silence=_PATIENCE)

        return Events(Event, connect, last=str(after) if after else "")

    def wait(self, ref: Ref, *, timeout: float = 300.0, told: Told | None = None) -> Deployment:
        """The deployment once it runs and answers, or is complete; *told* hears of each change of its status.

        Raises `Unfinished` where it fails, or does not get there in time.
        """
        return wait(lambda: self.get(ref), timeout=timeout, told=told)

    # -- where one is --

    def _place(self, ref: Ref) -> tuple[str, str | None]:
        """The path of a deployment, and the digest that is known of it."""
        places = self._places(ref)
        if len(places) > 1:
            return self._places(self.get(ref))[0], None
        return places[0], None if isinstance(ref, str) else ref.get("etag")

    def _places(self, ref: Ref) -> Paths:
        """Where it may be."""
        if not isinstance(ref, str):
            return [f"/v1/deployments/{segment(_shelf(ref))}/{segment(ref['job_ID'])}"]
        section, slash, id_ = ref.partition("/")
        if slash and section in SECTIONS:
            return [f"/v1/deployments/{section}/{segment(id_)}"]
        return [f"/v1/deployments/{one}/{segment(ref)}" for one in self._sections]


class TryMe:
    """Modules that are tried: they end by themselves."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self) -> Many:
        """What you try now."""
        return self._http.get(Many, "/v1/try_me")

    def create(
        self, module: str, *, title: str = "", expires_after: float | str | None = None, key: str = ""
    ) -> Deployment:
        """Start a module, with what it needs by default."""
        body: dict[str, Any] = {"module": module.removeprefix("modules/"), "title": title}
        body |= {"expires_after": expires_after} if expires_after is not None else {}
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self._http.checked(
            Deployment, self._http.call("POST", "/v1/try_me", body=body, headers=headers, again=True)
        )

    def get(self, ref: Ref) -> Deployment:
        """One that you try."""
        return self._http.get(Deployment, f"/v1/try_me/{segment(_id(ref))}")

    def delete(self, ref: Ref) -> None:
        """End it now. What is over already is over."""
        self._http.call("DELETE", f"/v1/try_me/{segment(_id(ref))}")

    def wait(self, ref: Ref, *, timeout: float = 300.0, told: Told | None = None) -> Deployment:
        """The same as `Deployments.wait`."""
        return wait(lambda: self.get(ref), timeout=timeout, told=told)


def wait(look: Callable[[], Deployment], *, timeout: float, told: Told | None = None) -> Deployment:
    """*look* again and again, until what it shows runs and answers, or is complete. Raises `Unfinished`."""
    began = time.monotonic()
    known, runs_since, pause = None, None, 0.1
    while True:
        now, at = look(), time.monotonic()
        if told is not None and (now["status"], now["error_msg"]) != known:
            told(now)
        known = (now["status"], now["error_msg"])
        runs_since = (runs_since or at) if now["status"] == "running" else None
        if now["status"] == "complete" or (runs_since is not None and _answers(now, at - runs_since)):
            return now
        if now["status"] in _ENDED:
            raise Unfinished(f"{now['title'] or now['job_ID']} is {_said(now)}", hint="see its logs", last=now)
        if at - began > timeout:
            raise Unfinished(f"after {timeout:g} s {now['title'] or now['job_ID']} is {_said(now)}", last=now)
        time.sleep(min(pause, max(0.0, began + timeout - at)))
        pause = min(pause * 1.5, 2.0)


def _answers(now: Deployment, runs_for: float) -> bool:
    """Whether what runs has come up, or has had the time to."""
    return bool(now["active_endpoints"]) or runs_for > (_SETTLING if now["endpoints"] else _LATE)


def _said(now: Deployment) -> str:
    return f"{now['status']}: {now['error_msg']}" if now["error_msg"] else now["status"]


def _ordered(entry: str, order: Order, *, batch: bool) -> tuple[str, dict[str, Any]]:
    section, _, name = entry.partition("/")
    if section not in ("modules", "tools") or not name:
        raise ClientError(f"{entry!r} names no entry", hint="write modules/NAME or tools/NAME")
    return ("batch", {"catalog": entry, **order}) if batch else (section, {"catalog": name, **order})


def _shelf(one: Deployment) -> str:
    return "batch" if one.get("batch") else one["catalog"].partition("/")[0]


def _every(page: Callable[[str], Page[Deployment]]) -> Iterator[Deployment]:
    cursor, seen = "", set[str]()
    while cursor not in seen:
        seen.add(cursor)
        found = page(cursor)
        yield from found.items
        if not found.next:
            return
        cursor = found.next


def _id(ref: Ref) -> str:
    if isinstance(ref, str):
        return ref
    return ref["job_ID"]


def _if_match(etag: str | None) -> dict[str, str]:
    return {"If-Match": f'"{etag}"'} if etag else {}


def _default(known: Mapping[str, Any], group: str, key: str) -> Any:
    return ((known.get(group) or {}).get(key) or {}).get("value")
