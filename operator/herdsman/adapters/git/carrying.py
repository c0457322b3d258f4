"""Requests, carried out: built on the newest head that is known, pushed together, and again when others were faster.

A head is not asked for before each push: the push itself tells whether it was the newest. What is refused, or found to
be in place already, is judged against a head that is certainly the newest, though. So an answer is always true of the
moment in which it was given, and a push costs one connection when nobody else writes.

When a connection breaks within a push, nobody knows what became of it. Then the branch is looked at, where the request
is found by its ID or is not; a push of it that arrives late finds the branch moved, and changes nothing.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from herdsman.adapters.git.drafting import Draft, Maker, Trees, View
from herdsman.adapters.git.objects import Damaged, Objects
from herdsman.adapters.git.orders import Options, Order, excuse, pull_branch
from herdsman.adapters.git.outbox import Kept, Outbox, Record, Records, Refusal
from herdsman.adapters.git.pushing import Pushed, Pusher, Verdict
from herdsman.adapters.git.refs import HEADS, plain
from herdsman.adapters.git.upstream import Upstream, tree_of
from herdsman.errors import Conflict, Forbidden, HerdsmanError, Refused, SourceError, Unavailable, UsageError
from herdsman.model.writes import Written

TRIES: Final = 20
"""So often others may be faster before it is given up."""

FIRST_PAUSE: Final = 0.01
LONGEST_PAUSE: Final = 1.0

BREAKS: Final = 2
"""So often a connection may break."""

MAX_BATCH: Final = 32 * 1024 * 1024
"""Bytes of contents that go in one push."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """An order and the commit for it."""

    order: Order
    draft: Draft

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(len(change.content or b"") for change in self.draft.changes)


class Stuck(Exception):
    """The remote does not take anything just now."""

    def __init__(self, error: HerdsmanError) -> None:
        super().__init__(error)
        self.error = error


_DONE: Final = Pushed(Verdict.DONE)


class Carrier:
    """Carries orders out. For one thread at a time, while nobody else works on the mirror.

    *tip* is the newest state that is known here, with what waits for the remote.
    """

    def __init__(
        self,
        upstream: Upstream,
        objects: Objects,
        maker: Maker,
        pusher: Pusher,
        *,
        records: Records,
        outbox: Outbox,
        options: Options,
        warn: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._upstream, self._objects, self._maker, self._pusher = upstream, objects, maker, pusher
        self._trees = Trees(objects)
        self._records, self._outbox, self._options, self._warn, self._pause = records, outbox, options, warn, pause
        self._chance = random.Random()  # noqa: S311
        self.tip = ""

    def carry_out(self, orders: Sequence[Order]) -> None:
        """Until each has an answer; an order that waits in the outbox may stay without one."""
        self._upstream.begin()
        if not orders:
            return
        groups = [[order] for order in orders] if self._options.pull_requests else [list(orders)]
        for group in groups:
            try:
                self._group(group)
            except Stuck as stuck:
                self._wait_for_better_days([order for order in group if order.open], stuck.error)

    def look(self, kept: Sequence[Order]) -> None:
        """Bring *tip* up to the remote, with what waits for it. Raises `SourceError`."""
        self.carry_out(kept)
        if any(order.open for order in kept):
            return  # which were put on top of what is known
        try:
            if not self._upstream.fresh:
                self._upstream.look()
        finally:
            self.tip = self._upstream.head

    # -- rounds --

    def _group(self, orders: Sequence[Order]) -> None:
        tries = breaks = 0
        while waiting := [order for order in orders if order.open]:
            pushed = self._round(waiting)
            if pushed.verdict is Verdict.DONE:
                continue
            self._upstream.doubt()
            tries += 1
            breaks += pushed.verdict is not Verdict.RACED
            if tries >= TRIES or breaks >= BREAKS:
                raise Stuck(Unavailable(pushed.message, hint=pushed.hint))
            longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (tries + 3 * breaks))
            self._pause(self._chance.uniform(0, longest))

    def _round(self, waiting: Sequence[Order]) -> Pushed:
        """One push, and what it needs; what came of it is either done, or worth another try."""
        try:
            batch = self._batch(waiting)
            if not batch:
                return _DONE
            pushed = self._push(batch)
        except SourceError as error:
            raise Stuck(error) from error
        except Damaged:
            self._upstream.damaged()
            return Pushed(Verdict.RACED, "the mirror is damaged again and again", "is its disk in order?")
        if pushed.verdict in {Verdict.REFUSED, Verdict.FORBIDDEN}:
            self._refused(batch, pushed)
            return _DONE
        for drafted in batch:
            drafted.order.sent |= pushed.verdict is Verdict.BROKEN
        return pushed

    def _batch(self, waiting: Sequence[Order]) -> list[Drafted]:
        """What goes in one push. Orders that need none are answered, others wait for the next round."""
        upstream = self._upstream
        if upstream.is_to_be_seen or (self._options.pull_requests and not upstream.fresh):
            self._look()
        batch = self._draft(waiting)
        if not batch and not upstream.fresh and any(order.open for order in waiting):
            self._look()
            batch = self._draft(waiting)
        return batch

    def _draft(self, waiting: Sequence[Order]) -> list[Drafted]:
        view = self._view(self._upstream.head)
        batch: list[Drafted] = []
        taken: set[str] = set()
        for order in waiting:
            if order.request.request_id in taken or self._is_repeated(order):
                continue
            certain = self._upstream.fresh and not view.touched
            try:
                draft = view.draft(order.request, order.at)
            except (Conflict, UsageError) as error:
                if certain:
                    self._fail(order, error)
                continue
            if draft:
                batch.append(Drafted(order, draft))
                taken.add(order.request.request_id)
            elif certain:
                self._record({order: self._upstream.head})
            if sum(drafted.size for drafted in batch) > MAX_BATCH:
                break
        return batch

    def _push(self, batch: Sequence[Drafted]) -> Pushed:
        upstream = self._upstream
        made = self._maker.make(upstream.head, [drafted.draft for drafted in batch])
        if self._options.keep:
            self._keep([drafted.order for drafted in batch])
        to, over = self._aim(batch[0].order)
        pushed = self._pusher.push(made[-1], to=to, over=over, access=upstream.remote.access())
        if pushed.verdict is Verdict.DONE:
            self._went(batch, made)
        elif pushed.verdict is Verdict.RACED and not over and (there := upstream.other(to)):
            self._record({batch[0].order: there}, repeated=not batch[0].order.sent)
            return _DONE
        return pushed

    def _went(self, batch: Sequence[Drafted], made: Sequence[str]) -> None:
        if not self._options.pull_requests:
            self._upstream.moved(made[-1])
            self.tip = made[-1]
        self._record({drafted.order: oid for drafted, oid in zip(batch, made, strict=True)})

    def _refused(self, batch: Sequence[Drafted], pushed: Pushed) -> None:
        """One of several may be what the remote does not like: each goes alone then."""
        if pushed.verdict is Verdict.FORBIDDEN:
            raise Stuck(Forbidden(pushed.message, hint=pushed.hint))
        if len(batch) > 1:
            for drafted in batch:
                self._group([drafted.order])
        else:
            self._fail(batch[0].order, Refused(pushed.message, hint=pushed.hint))

    def _look(self) -> None:
        self._upstream.look()
        self.tip = self._upstream.head

    def _view(self, commit: str) -> View:
        return View(self._trees, tree_of(commit, self._objects), self._options.path)

    def _aim(self, order: Order) -> tuple[str, str]:
        """Which branch to push to, and what it must be at."""
        if self._options.pull_requests:
            return f"{HEADS}{pull_branch(order)}", ""
        return self._upstream.branch, self._upstream.head

    # -- answers --

    def _is_repeated(self, order: Order) -> bool:
        request_id = order.request.request_id
        record = self._records.find(request_id)
        revision = record.revision if record else self._upstream.history.find(request_id)
        if not revision:
            return False
        branch = (record.branch if record else "") or plain(self._upstream.branch)
        order.written = Written(revision, branch=branch, repeated=not order.sent)
        self._forget(order)
        return True

    def _record(self, revisions: Mapping[Order, str], *, repeated: bool = False) -> None:
        """They are carried out: remember that, and answer."""
        records: list[Record] = []
        for order, revision in revisions.items():
            branch = pull_branch(order) if self._options.pull_requests else plain(self._upstream.branch)
            order.written = Written(revision, branch=branch, repeated=repeated)
            records.append(Record(order.request.request_id, revision, branch))
        try:
            self._records.add(records)
        except OSError as error:
            self._warn(f"a write that was carried out cannot be recorded: {(error.strerror or str(error)).lower()}")
        for order in revisions:
            self._forget(order)

    def _fail(self, order: Order, error: HerdsmanError) -> None:
        """For good: the same request would be refused again."""
        order.error = type(error)(error.message, hint=error.hint)
        if order.kept and not order.asked:
            kept = Kept(order.kept, order.request, order.at)
            with self._on_disk():
                self._outbox.set_aside(kept, Refusal(error.message, conflict=isinstance(error, Conflict)))
            self._warn(f"the write {order.request.request_id} that waited for the remote is given up: {error}")
        self._forget(order)

    def _forget(self, order: Order) -> None:
        if order.kept:
            with suppress(OSError):
                self._outbox.drop(order.kept)

    # -- a remote that is away --

    def _wait_for_better_days(self, orders: Sequence[Order], error: HerdsmanError) -> None:
        forbidden = isinstance(error, Forbidden) or "does not accept" in error.message
        if self._options.keep and not forbidden and self._upstream.head:
            try:
                self._make_do(orders)
                return
            except (HerdsmanError, Damaged) as worse:
                error = worse if isinstance(worse, HerdsmanError) else error
        for order in orders:
            if order.open and order.asked:
                order.error = excuse(error, forbidden=forbidden, unsure=order.sent)
                self._forget(order)

    def _make_do(self, orders: Sequence[Order]) -> None:
        """Keep what can be carried out as far as is known here, and answer with the commits that it would be."""
        head = self._upstream.head
        view = self._view(head)
        revisions: dict[str, str] = {}
        for order in orders:
            request_id = order.request.request_id
            if request_id in revisions:
                order.written = self._unpushed(order, revisions[request_id], repeated=True)
                continue
            try:
                draft = view.draft(order.request, order.at)
            except (Conflict, UsageError) as error:
                if order.asked:
                    self._fail(order, error)
                continue
            if draft:
                made = self._maker.make(head, [draft])[0]
                head = head if self._options.pull_requests else made
            revisions[request_id] = made if draft else head
            self._keep([order])
            if order.asked:
                order.written = self._unpushed(order, revisions[request_id], repeated=False)
        self.tip = head

    def _unpushed(self, order: Order, revision: str, *, repeated: bool) -> Written:
        branch = pull_branch(order) if self._options.pull_requests else plain(self._upstream.branch)
        return Written(revision, pushed=False, branch=branch, repeated=repeated)

    def _keep(self, orders: Sequence[Order]) -> None:
        with self._on_disk():
            for order in orders:
                order.kept = order.kept or self._outbox.put(order.request, order.at)

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceError(
                f"what waits for the remote cannot be kept: {(error.strerror or str(error)).lower()}",
                hint="the state directory has to be on a disk with room, and writable",
            ) from error
