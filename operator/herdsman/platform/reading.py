"""Deployments as they are told: whose they are, how they do, in lists and one by one. Nothing here asks Nomad.

What was ordered a moment ago is told before the loop has read it: a write is remembered until the source shows it.
Lists are made of what was told before, wherever nothing of it changed.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from herdsman.core.retry import at as shown_time
from herdsman.model.catalog import Catalog, Site
from herdsman.model.desired import Desired, Order, Rejection
from herdsman.model.identity import Identity, Role
from herdsman.model.keys import Key
from herdsman.model.statuses import Status
from herdsman.platform.config import REQUEST, TRY_ME
from herdsman.platform.errors import NotThere
from herdsman.platform.info import Info
from herdsman.platform.pages import Page, Query, Shelf, after, cursor_of, sort_key
from herdsman.platform.placements import Placements
from herdsman.platform.shape import Shape, addresses, asked_for, shape_of
from herdsman.platform.words import Facts, Word, chosen, judge
from herdsman.ports import Clock, StatusStore

_REMEMBERED: Final = 600.0
"""Seconds after which a write that the source never showed is not told any more."""


@dataclass(slots=True)
class Recent:
    """A write that the source may not have shown yet: the order, or None for one that was removed. *passed* is what the
    source may show on the way to it; where it shows anything else, somebody wrote after us."""

    key: Key
    order: Order | None
    at: float
    revision: str = ""
    waits: bool = False  # for a remote that is away, or for a person
    shape: Shape | None = None
    passed: tuple[Order | None, ...] = ()


@dataclass(frozen=True, slots=True)
class _Index:
    """The orders of one snapshot."""

    desired: Desired
    by_id: Mapping[str, Sequence[Order]]
    by_owner: Mapping[str, Sequence[Order]]


@dataclass(slots=True)
class _Basis:
    """All that what is told of a deployment stands on."""

    order: Order
    status: Status | None
    generation: int
    recent: Recent | None
    rejection: Rejection | None
    ended: bool

    def same(self, other: "_Basis") -> bool:
        """Whether the same is to be told. At rest it is the very same; a look that found nothing new is no news."""
        if (
            self.generation != other.generation
            or self.recent is not other.recent
            or self.ended is not other.ended
            or not (self.order is other.order or self.order == other.order)
            or not (self.rejection is other.rejection or self.rejection == other.rejection)
            or not _no_news(self.status, other.status)
        ):
            return False
        self.order, self.status, self.rejection = other.order, other.status, other.rejection
        return True


def _no_news(before: Status | None, after: Status | None) -> bool:
    if before is after:
        return True
    if before is None or after is None:
        return False
    return (before.conditions, before.revision, before.changed_at, before.version) == (
        after.conditions,
        after.revision,
        after.changed_at,
        after.version,
    )


class Reading:
    """Safe from any thread."""

    def __init__(
        self,
        *,
        desired: Callable[[], Desired],
        store: StatusStore,
        placements: Placements,
        catalog: Callable[[], Catalog],
        site: Site,
        clock: Clock,
    ) -> None:
        self._desired, self._store, self._placements = desired, store, placements
        self._catalog, self._site, self._clock = catalog, site, clock
        self._lock = threading.RLock()
        self._index: _Index | None = None
        self._recent: dict[Key, Recent] = {}
        self._shapes: dict[Key, tuple[str, Shape]] = {}  # by the digest that they were made of
        self._made: dict[Key, tuple[_Basis, Info]] = {}

    # -- writes that the source has not shown yet --

    def remember(self, recent: Recent) -> None:
        """Tell of a write before the loop has read it."""
        with self._lock:
            before = self._recent.get(recent.key)
            passed = (*before.passed, before.order) if before is not None else ()
            listed = self._desired().orders.get(recent.key)
            self._recent[recent.key] = replace(recent, passed=(listed, *passed))

    def forget(self, key: Key) -> None:
        """The write came to nothing."""
        with self._lock:
            self._recent.pop(key, None)

    def requested(self, request: str, *, written: bool) -> Order | None:
        """What was ordered by that request; with *written*, only if it is known to have been written."""
        with self._lock:
            ours = [r.order for r in self._recent.values() if r.order is not None and (r.revision or not written)]
            orders = [*self._desired().orders.values(), *ours]
        return next((o for o in orders if o.labels.get(REQUEST, "").partition(".")[0] == request), None)

    def orders(self) -> dict[Key, Order]:
        """All orders, those among them that were written a moment ago; those that were removed are not."""
        with self._lock:
            self._settle()
            orders = dict(self._desired().orders)
            for key, recent in self._recent.items():
                if recent.order is None:
                    orders.pop(key, None)
                else:
                    orders[key] = recent.order
        return orders

    def _settle(self) -> None:
        """Drop what the source shows by now, and what is too old."""
        if not self._recent:
            return
        orders, now = self._desired().orders, self._clock.monotonic()
        for key, recent in list(self._recent.items()):
            listed = orders.get(key)
            on_its_way = any(_shown(listed, passed) for passed in recent.passed)
            if _shown(listed, recent.order) or not on_its_way or now - recent.at > _REMEMBERED:
                del self._recent[key]

    # -- queries --

    def page(self, query: Query) -> Page:
        """One page of the deployments that *query* means. Raises `Unfitting` for a cursor that is none."""
        infos = [self.info(order) for order in self._meant(query)]
        if query.words:
            infos = [i for i in infos if i.verdict.word in query.words]
        field_, back = query.sort.removeprefix("-"), query.sort.startswith("-")
        infos.sort(key=lambda i: sort_key(i, field_), reverse=back)
        start = after(infos, query.cursor, field_, back) if query.cursor else 0
        shown = infos[start : start + query.limit]
        more = start + len(shown) < len(infos)
        return Page(shown, len(infos), cursor_of(sort_key(shown[-1], field_)) if more and shown else "")

    def _meant(self, query: Query) -> Iterator[Order]:
        for order in self._candidates(query.owner):
            if (
                (query.section is None or shelf_of(order) == query.section)
                and (not query.entry or order.entry == query.entry)
                and (not query.namespaces or order.key.namespace in query.namespaces)
                and (TRY_ME in order.labels) is query.try_me
            ):
                yield order

    def _candidates(self, owner: str | None) -> Iterable[Order]:
        with self._lock:
            self._settle()
            index = self._indexed()
            recent = dict(self._recent)
        found = index.desired.orders.values() if owner is None else index.by_owner.get(owner, ())
        if not recent:
            return found
        ours = [r.order for r in recent.values() if r.order is not None and owner in (None, r.order.owner)]
        return [*(o for o in found if o.key not in recent), *ours]

    def find(self, who: Identity, id_: str, section: Shelf | None = None, *, namespace: str = "") -> Order:
        """The deployment of that ID, where *who* may know of it. Raises `NotThere`: the same whatever the cause."""
        with self._lock:
            self._settle()
            recent = [r for k, r in self._recent.items() if k.name == id_]
            listed = [o for o in self._indexed().by_id.get(id_, ()) if o.key not in self._recent]
        for order in (*listed, *(r.order for r in recent if r.order is not None)):
            fits = section is None or shelf_of(order) == section
            if fits and (not namespace or order.key.namespace == namespace) and may_see(who, order):
                return order
        raise NotThere(
            f"there is no deployment {id_[:64]!r}", hint="the list shows yours; one that was deleted is gone"
        )

    def _indexed(self) -> _Index:
        desired, index = self._desired(), self._index
        if index is None or index.desired is not desired:
            by_id: dict[str, list[Order]] = {}
            by_owner: dict[str, list[Order]] = {}
            for key, order in desired.orders.items():
                by_id.setdefault(key.name, []).append(order)
                by_owner.setdefault(order.owner, []).append(order)
            index = self._index = _Index(desired, by_id, by_owner)
            for gone in self._made.keys() - desired.orders.keys() - self._recent.keys():
                self._made.pop(gone, None)
                self._shapes.pop(gone, None)
        return index

    # -- one deployment --

    def info(self, order: Order, *, fresh: bool = False) -> Info:
        """All that is told of it; with *fresh*, Nomad is asked once, unless somebody just did."""
        key = order.key
        if fresh:
            self._placements.fresh(key)
        status, desired = self._store.status(key), self._desired()
        recent = self._recent.get(key) if self._recent else None
        rejection = desired.frozen.get(key) if desired.frozen else None
        ended = order.expires is not None and self._clock.now().timestamp() >= order.expires
        basis = _Basis(order, status, self._placements.generation(key), recent, rejection, ended)
        made = self._made.get(key)
        if made is not None and made[0].same(basis):
            return made[1]
        info = self._made_of(basis, key in desired.orders)
        self._made[key] = basis, info
        return info

    def warm(self, keys: Iterable[Key]) -> None:
        """Make now what readers would have to wait for."""
        orders = self._desired().orders
        for key in keys:
            order = orders.get(key)
            if order is not None:
                self.info(order)

    def _made_of(self, basis: "_Basis", listed: bool) -> Info:
        order, status, rejection = basis.order, basis.status, basis.rejection
        shape, placement = self._shape(order, basis.recent), chosen(self._placements.of(order.key))
        over = f"its time ended at {shown_time(order.expires)}" if basis.ended and order.expires is not None else ""
        facts = Facts(
            order=order,
            status=status if listed else None,
            rejected=f"{rejection.field}: {rejection.message}".removeprefix(": ") if rejection is not None else "",
            ended=over,
            placement=placement,
            main=shape.main,
            batch=shape.batch,
        )
        return self._told(facts, shape, basis.recent)

    def _told(self, facts: Facts, shape: Shape, recent: Recent | None) -> Info:
        order, status, placement, verdict = facts.order, facts.status, facts.placement, judge(facts)
        place = self._placements.node(placement.node) if placement is not None else None
        live = placement is not None and placement.client in ("running", "pending", "unknown")
        endpoints = addresses(
            shape,
            domain=self._site.domain,
            node_domain=place.domain if place is not None else "",
            placement=placement if live else None,
        )
        healthy = verdict.word is Word.RUNNING and status is not None and status.ready
        if recent is not None and recent.waits:
            why = f"written, and waits to be accepted; {verdict.why}" if verdict.why else "written, and waits"
            verdict = replace(verdict, why=why)
        submitted = order.created or (placement.created / 1e9 if placement is not None else 0.0)
        return Info(
            order=order,
            verdict=verdict,
            shape=shape,
            placement=placement,
            endpoints=endpoints,
            active=tuple(endpoints) if healthy else (),
            datacenter=place.datacenter if place is not None else "",
            submitted=submitted or (status.changed_at if status is not None else 0.0),
            revision=(status.revision if status is not None else "") or (recent.revision if recent else ""),
            pending=recent is not None and recent.waits,
            entry=self._catalog().entries.get(order.entry),
        )

    def _shape(self, order: Order, recent: Recent | None) -> Shape:
        """Of the job as it was last written; else of what was checked when it was ordered; else of its parameters."""
        digest = self._store.memory(order.key).digest
        known = self._shapes.get(order.key)
        if known is not None and known[0] == digest:
            return known[1]
        body = self._store.canonical(order.key) if digest else None
        if body is not None:
            shape = shape_of(body)
        elif recent is not None and recent.shape is not None:
            shape = recent.shape
        elif known is not None:
            return known[1]
        else:
            return asked_for(order, self._catalog().entries.get(order.entry))
        with self._lock:
            self._shapes[order.key] = (digest, shape)
        return shape

    def status(self, key: Key) -> Status | None:
        """What the loop knows of it."""
        return self._store.status(key)


def may_see(who: Identity, order: Order) -> bool:
    """Whether *who* may know of a deployment: its owner, as long as they have a role there, and whoever administers."""
    namespace = order.key.namespace
    if who.may(Role.ADMIN, namespace):
        return True
    return order.owner == who.owner and (who.may(Role.VIEWER, namespace) or TRY_ME in order.labels)


def shelf_of(order: Order) -> str:
    """Where it is found: one of `Shelf`."""
    return "batch" if order.batch else order.entry.partition("/")[0]


def _shown(listed: Order | None, written: Order | None) -> bool:
    """Whether the source shows what was written."""
    if listed is None or written is None:
        return listed is written
    return _gist(listed) == _gist(written)


def _gist(order: Order) -> tuple[Any, ...]:
    return (
        order.owner,
        order.title,
        order.description,
        order.values,
        order.secrets,
        order.stopped,
        order.expires,
        order.upgrade,
        order.labels,
    )
