"""What a user may do with deployments: order, change, stop, start, restart and remove them, and read what they say.

Everything that lasts is a commit of the deployment's spec file, authored by who asks; the loop does the rest. IDs are
made here and never taken from a caller. What somebody may not see is not there: a foreign ID and a wrong one are
answered alike.
"""

import threading
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Final

from herdsman.errors import Conflict, Forbidden, NomadError, Refused, Unavailable, UsageError
from herdsman.looking import Ports
from herdsman.model.catalog import Entry
from herdsman.model.desired import Order
from herdsman.model.identity import Identity, Role
from herdsman.model.plans import Approval
from herdsman.model.scene import Scene
from herdsman.model.writes import ABSENT, FileEdit, WriteRequest, Written, digest
from herdsman.platform.config import REQUEST, TRY_ME, PlatformConfig
from herdsman.platform.documents import document, load, path_of
from herdsman.platform.drafting import Draft, Drafting, check_batch, with_script, with_texts
from herdsman.platform.errors import Away, Changed, FieldFault, NotAllowed, NotNow, NotThere, TooOften, Unfitting
from herdsman.platform.info import Info
from herdsman.platform.limits import RateLimit
from herdsman.platform.orders import Change, Done, Preview, Wish, author_of, instant, mark_of, waits
from herdsman.platform.pages import Page, Query, Shelf
from herdsman.platform.placements import Placements
from herdsman.platform.reading import Reading, Recent
from herdsman.ports import SpecWriter, Tasks
from herdsman.reconcile import consider
from herdsman.usecases import Running

_OURSELVES: Final = Identity(subject="herdsman", issuer="herdsman", name="Herdsman")


class Deployments:
    """Safe from any thread."""

    def __init__(
        self,
        *,
        running: Running,
        ports: Ports,
        writer: SpecWriter | None,
        reading: Reading,
        drafting: Drafting,
        placements: Placements,
        tasks: Tasks,
        config: PlatformConfig,
    ) -> None:
        self._running, self._ports, self._writer = running, ports, writer
        self.reading, self.drafting, self._placements, self._tasks = reading, drafting, placements, tasks
        self.config = config
        self._rate = RateLimit(config.writes, clock=ports.clock)
        self._admitting = threading.Lock()
        self._streams = threading.BoundedSemaphore(config.log_streams)

    # -- reading --

    def page(self, query: Query) -> Page:
        """Some deployments."""
        return self.reading.page(query)

    def one(self, who: Identity, section: Shelf | None, id_: str, *, namespace: str = "") -> tuple[Info, str]:
        """One deployment as Nomad says now, and the digest of its file. Raises `NotThere`."""
        order = self.reading.find(who, id_, section, namespace=namespace)
        return self.reading.info(order, fresh=True), self._etag(order)

    def _etag(self, order: Order) -> str:
        if self._writer is None:
            return ""
        try:
            return digest(self._writer.read(order.position.path))
        except (UsageError, NomadError):
            return ""

    # -- ordering --

    def create(self, who: Identity, wish: Wish, *, request: str = "", guard: Callable[[], None] | None = None) -> Done:
        """Order a deployment. One *request* orders once, however often it comes. *guard* is asked while nobody else is
        let in. Raises a `PlatformError`."""
        self._rate.take(who.owner)
        writer, mark = self._needed_writer(), mark_of(who, wish, self._entry(wish), request)
        if mark and (earlier := self.reading.requested(mark.partition(".")[0], written=True)) is not None:
            return self._repeated(earlier, mark)
        self.drafting.admit_one(wish.namespace, who.owner, self.reading.orders())
        draft = self.draft(wish, owner=who.owner, mark=mark)
        key = draft.order.key
        with self._admitting:
            if guard is not None:
                guard()
            self.drafting.admit(draft, self.reading.orders())
            self._remember(draft)
        edit = FileEdit(draft.path, draft.content, ABSENT)
        message = f"Deploy {draft.order.entry} as {key.name}"
        request_id = f"api-{mark.partition('.')[0] or uuid.uuid4().hex}"
        try:
            written = self._write(writer, (edit,), who, message, request_id)
        except BaseException:
            self.reading.forget(key)
            raise
        if written.repeated:
            self.reading.forget(key)
            again = self.reading.requested(mark.partition(".")[0], written=False)
            if again is None:
                hint = "use another Idempotency-Key for another deployment"
                raise NotNow("this request was carried out before, and what it ordered is gone", hint=hint)
            return self._repeated(again, mark)
        return self._done(draft, written)

    def preview(self, who: Identity, wish: Wish) -> Preview:
        """What `create` would come to. Raises a `PlatformError` where it would."""
        return self._preview(self.draft(wish, owner=who.owner))

    def draft(self, wish: Wish, *, owner: str, mark: str = "", id_: str = "") -> Draft:
        """The spec of a new deployment, checked. Raises `Unfitting`, `NotThere`."""
        entry = self._entry(wish)
        conf = with_script(entry, wish.conf, wish.script)
        conf, texts = with_texts(entry, conf, {"title": wish.title, "desc": wish.description})
        spec = {
            "catalog": entry.id,
            "owner": owner,
            "title": texts.get("title") or None,
            "description": texts.get("desc") or None,
            "parameters": self.drafting.parameters(entry, wish.namespace, conf) or None,
            "createdAt": instant(self._ports.clock.now().timestamp()),
            "expiresAfter": wish.expires_after,
            "upgrade": wish.upgrade,
            "template": entry.digest if wish.upgrade in ("pin", "window") else None,
            "nodeType": wish.node_type,
            "priority": wish.priority,
        }
        id_ = id_ or str(uuid.uuid4())
        labels = {**wish.labels, **({REQUEST: mark} if mark else {})}
        draft = self.drafting.draft(path_of(wish.namespace, id_), document(wish.namespace, id_, spec, labels=labels))
        check_batch(entry, draft.order, batch=wish.script is not None)
        return draft

    def _entry(self, wish: Wish) -> Entry:
        try:
            return self.drafting.entry(wish.section, wish.name)
        except NotThere as error:
            faults = [FieldFault("catalog", error.message, error.hint)]
            raise Unfitting("there is no such entry in the catalog", hint=error.hint, faults=faults) from None

    def _repeated(self, order: Order, mark: str) -> Done:
        if order.labels.get(REQUEST) != mark:
            hint = "send another key with another request"
            raise Unfitting("this Idempotency-Key was used for another request", hint=hint)
        return Done(self.reading.info(order), self._etag(order), Written("", repeated=True))

    # -- changing --

    def update(self, who: Identity, section: Shelf, id_: str, change: Change, *, seen: str | None = None) -> Done:
        """Change a deployment; with *seen*, only if its file is still that one. Raises a `PlatformError`."""
        order, path, before, current = self._opened(who, section, id_, seen)
        draft = self._changed(order, path, current, change)
        with self._admitting:
            self.drafting.admit(draft, self.reading.orders())
        return self._rewrite(who, draft, before, seen, f"Change the deployment {id_}")

    def preview_update(
        self, who: Identity, section: Shelf, id_: str, change: Change, *, seen: str | None = None
    ) -> Preview:
        """What `update` would come to."""
        order, path, _, current = self._opened(who, section, id_, seen)
        return self._preview(self._changed(order, path, current, change))

    def set_stopped(self, who: Identity, section: Shelf, id_: str, *, stopped: bool, seen: str | None = None) -> Done:
        """Let it rest, or run again; done already is done."""
        order, path, before, current = self._opened(who, section, id_, seen)
        if order.stopped is stopped:
            return Done(self.reading.info(order), digest(before), Written(self._running.view.desired.revision))
        spec = {k: v for k, v in current["spec"].items() if k != "stopped"} | ({"stopped": True} if stopped else {})
        draft = self.drafting.draft(path, {**current, "spec": spec})
        if not stopped:
            with self._admitting:
                self.drafting.admit(draft, self.reading.orders())
        verb = "Stop" if stopped else "Start"
        return self._rewrite(who, draft, before, seen, f"{verb} the deployment {id_}")

    def remove(
        self, who: Identity, section: Shelf | None, id_: str, *, namespace: str = "", seen: str | None = None
    ) -> Written | None:
        """Remove it: its job goes with its spec. None where there is nothing to remove, by whoever's hand."""
        try:
            order = self.reading.find(who, id_, section, namespace=namespace)
        except NotThere:
            return None
        self._may_change(who, order)
        self._rate.take(who.owner)
        writer, path = self._needed_writer(), order.position.path
        content = self._read(writer, path)
        if content is None:
            self.reading.remember(Recent(order.key, None, self._ports.clock.monotonic()))
            return None
        _check_seen(seen, content)
        load(path, content)
        written = self._removed(who, order, FileEdit(path, None, digest(content)), seen)
        if not waits(written):
            self.reading.remember(Recent(order.key, None, self._ports.clock.monotonic(), written.revision))
        return written

    def _removed(self, who: Identity, order: Order, edit: FileEdit, seen: str | None) -> Written:
        """Take the spec away. Whoever asks means it: what guards a fleet against an empty checkout is not for them."""
        store, message = self._ports.store, f"Remove the deployment {order.key.name}"
        before = store.approval(order.key)
        store.approve(order.key, Approval("", who.owner, self._ports.clock.now().timestamp()))
        try:
            return self._write(self._needed_writer(), (edit,), who, message, f"api-{uuid.uuid4().hex}", seen=seen)
        except BaseException:
            store.approve(order.key, before)
            raise

    def _opened(
        self, who: Identity, section: Shelf, id_: str, seen: str | None
    ) -> tuple[Order, str, bytes, dict[str, Any]]:
        """A deployment to be changed, its file, and what that says."""
        order = self.reading.find(who, id_, section)
        self._may_change(who, order)
        self._rate.take(who.owner)
        path = order.position.path
        content = self._read(self._needed_writer(), path)
        if content is None:
            raise NotNow("its spec is not there any more", hint="look again in a moment")
        _check_seen(seen, content)
        return order, path, content, load(path, content)

    def _may_change(self, who: Identity, order: Order) -> None:
        """Whoever sees it may change it with the role that it takes to order it."""
        needed, namespace = Role.TRY_ME if TRY_ME in order.labels else Role.USER, order.key.namespace
        if not who.may(needed, namespace):
            raise NotAllowed(f"this needs the role {needed.label} in the namespace {namespace!r}")

    def _changed(self, order: Order, path: str, current: dict[str, Any], change: Change) -> Draft:
        spec = dict(current["spec"])
        entry = self.drafting.version(order)
        if change.upgrade is not None:
            spec["upgrade"] = change.upgrade
            if change.upgrade in ("pin", "window"):
                spec.setdefault("template", entry.digest)
        texts = {"title": change.title or "", "desc": change.description or ""}
        if change.conf is not None or any(texts.values()):
            conf = dict(change.conf if change.conf is not None else spec.get("parameters") or {})
            if change.conf is None:
                for key in [k for k, t in texts.items() if t]:
                    conf["general"] = {k: v for k, v in (conf.get("general") or {}).items() if k != key}
            conf, left = with_texts(entry, conf, texts)
            before = spec.get("parameters") or {}
            spec["parameters"] = self.drafting.parameters(entry, order.key.namespace, conf, before=before)
            spec |= {name: left[key] for name, key in (("title", "title"), ("description", "desc")) if left.get(key)}
        if change.expires_after is not None:
            spec["expiresAfter"] = change.expires_after
            spec.setdefault("createdAt", instant(self._ports.clock.now().timestamp()))
        draft = self.drafting.draft(path, {**current, "spec": spec})
        check_batch(entry, draft.order, batch=order.batch)
        return draft

    def _rewrite(self, who: Identity, draft: Draft, before: bytes, seen: str | None, message: str) -> Done:
        if draft.content == before:
            return Done(self.reading.info(draft.order), digest(before), Written(self._running.view.desired.revision))
        edit = FileEdit(draft.path, draft.content, digest(before))
        written = self._write(self._needed_writer(), (edit,), who, message, f"api-{uuid.uuid4().hex}", seen=seen)
        return self._done(draft, written)

    # -- writing --

    def _needed_writer(self) -> SpecWriter:
        if self._writer is None:
            raise NotNow(
                "the specs of this fleet are written to by nobody here", hint="change them where they are kept"
            )
        return self._writer

    def _read(self, writer: SpecWriter, path: str) -> bytes | None:
        try:
            return writer.read(path)
        except UsageError as error:
            raise NotNow(error.message, hint=error.hint) from None
        except NomadError as error:
            raise Away(error.message, hint=error.hint, retry_after=10.0) from None

    def _write(
        self,
        writer: SpecWriter,
        edits: tuple[FileEdit, ...],
        who: Identity,
        message: str,
        request_id: str,
        *,
        seen: str | None = None,
    ) -> Written:
        try:
            written = writer.write(WriteRequest(edits, author_of(who), message, request_id))
        except Conflict as error:
            if seen is not None:
                raise Changed("its spec was changed meanwhile", hint="read it again, and repeat the change") from None
            raise NotNow(error.message, hint=error.hint) from None
        except UsageError as error:
            raise NotNow(error.message, hint=error.hint) from None
        except Forbidden as error:
            raise Away(error.message, hint=error.hint) from None
        except Refused as error:
            raise NotNow(error.message, hint=error.hint) from None
        except Unavailable as error:
            raise Away(error.message, hint=error.hint, retry_after=error.retry_after or 10.0) from None
        self._running.news()
        return written

    def _remember(self, draft: Draft, written: Written | None = None) -> None:
        self.reading.remember(
            Recent(
                draft.order.key,
                draft.order,
                self._ports.clock.monotonic(),
                written.revision if written is not None else "",
                waits=written is not None and waits(written),
                shape=draft.shape,
            )
        )

    def _done(self, draft: Draft, written: Written) -> Done:
        self._remember(draft, written)
        return Done(self.reading.info(draft.order), digest(draft.content), written)

    # -- previews --

    def _preview(self, draft: Draft) -> Preview:
        over = self.drafting.over_quota(draft, self.reading.orders())
        key, view = draft.order.key, self._running.view
        try:
            scene = Scene(draft.desired, claimed=view.claimed or "", over_quota=over)
            plan = consider(key, scene=scene, stub=view.stub(key), ports=self._ports, preview=True).plan
        except NomadError as error:
            return Preview(draft, None, over, str(error))
        return Preview(draft, plan, over)

    def sweep(self, orders: Sequence[Order]) -> int:
        """Take the specs of *orders*, whose time is over, away with one commit; how many that were."""
        writer, edits = self._needed_writer(), []
        for order in orders:
            content = self._read(writer, order.position.path)
            if content is not None and order.position.path == path_of(order.key.namespace, order.key.name):
                edits.append(FileEdit(order.position.path, None, digest(content)))
        if edits:
            message = f"Remove {len(edits)} deployments whose time is over"
            self._write(writer, tuple(edits), _OURSELVES, message, f"sweep-{uuid.uuid4().hex}")
        return len(edits)

    # -- single tasks --

    def restart(self, who: Identity, section: Shelf, id_: str) -> int:
        """Start all of its tasks anew, where they are; how many allocations that were."""
        order = self.reading.find(who, id_, section)
        self._may_change(who, order)
        self._rate.take(who.owner)
        live = [p for p in self._placements.fresh(order.key) if p.client == "running"]
        if not live:
            raise NotNow("nothing of it runs", hint="its status says why")
        try:
            for placement in live:
                self._tasks.restart(placement.id)
        except Unavailable as error:
            raise Away(error.message, hint=error.hint, retry_after=5.0) from None
        except NomadError as error:
            raise NotNow(error.message, hint=error.hint) from None
        return len(live)

    def logs(
        self,
        who: Identity,
        section: Shelf,
        id_: str,
        *,
        task: str = "",
        stream: str = "stdout",
        follow: bool = False,
        tail: int | None = None,
    ) -> Generator[bytes]:
        """What a task of it writes; of several allocations, of the one that counts. Raises a `PlatformError` at once,
        before anything is read."""
        info = self.reading.info(self.reading.find(who, id_, section), fresh=True)
        placement = info.placement
        if placement is None:
            raise NotNow("there are no logs: nothing of it was ever started", hint=info.verdict.why)
        tasks = tuple(placement.tasks) or info.shape.tasks
        task = task or info.shape.main or next(iter(tasks), "")
        if tasks and task not in tasks:
            faults = [FieldFault("task", f"expected one of {', '.join(tasks)}")]
            raise Unfitting(f"it has no task {task[:64]!r}", faults=faults)
        if not self._streams.acquire(blocking=False):
            raise TooOften("too many logs are read at once", hint="end another first", retry_after=10.0)
        try:
            pieces = self._tasks.logs(placement.id, task, stream=stream, follow=follow, tail=tail)
        except NomadError as error:
            self._streams.release()
            if isinstance(error, Unavailable):
                raise Away(error.message, hint=error.hint, retry_after=5.0) from None
            raise NotNow(error.message, hint=error.hint) from None
        counted = _counted(pieces, self._streams.release)
        next(counted)
        return counted


def _counted(pieces: Iterator[bytes], done: Callable[[], None]) -> Generator[bytes]:
    try:
        yield b""  # begun, so that it ends in any case
        yield from pieces
    finally:
        done()


def _check_seen(seen: str | None, content: bytes) -> None:
    if seen is not None and seen != digest(content):
        raise Changed("it is not any more what you saw of it", hint="read it again, and repeat the change")
