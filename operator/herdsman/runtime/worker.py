"""Takes keys from the queue, one look each, and is the one switch that knows what happens next."""

import random
import traceback
from collections.abc import Callable, Iterable

import structlog

from herdsman import namespaces, variables
from herdsman.core import retry
from herdsman.core.report import report
from herdsman.errors import HerdsmanError, NomadError, StoreError
from herdsman.looking import Ports, failed
from herdsman.model.keys import Key, Kind, namespace_key
from herdsman.model.plans import Action, Reason
from herdsman.model.statuses import ErrorClass, Outcome, Status
from herdsman.reconcile import reconcile_job
from herdsman.runtime.faces import Faces
from herdsman.runtime.view import FleetView
from herdsman.runtime.workqueue import Item, Priority, WorkQueue


class Worker:
    """Works off the queue in as many threads as call `run`."""

    def __init__(
        self,
        *,
        queue: WorkQueue[Key],
        view: FleetView,
        ports: Ports,
        faces: Faces,
        waited: Callable[[float], None],
        worked: Callable[[float], None],
        finished: Callable[[Key, float], None],
    ) -> None:
        self._queue, self._view, self._ports, self._faces = queue, view, ports, faces
        self._waited, self._worked, self._finished = waited, worked, finished
        self._chance = random.Random()  # noqa: S311  (jitter)
        self._log = structlog.get_logger("herdsman")

    def run(self) -> None:
        """Work until the queue is closed."""
        while (item := self._queue.get()) is not None:
            began = self._ports.clock.monotonic()
            try:
                self.work(item)
            finally:
                self._queue.done(item.key)
                self._finished(item.key, began)
                self._worked(self._ports.clock.monotonic() - began)

    def work(self, item: Item[Key]) -> Outcome:
        """One look at one key, and all that follows from it."""
        key, clock = item.key, self._ports.clock
        self._waited(item.waited)
        began = clock.monotonic()
        with structlog.contextvars.bound_contextvars(key=str(key)):
            outcome = self._look(key)
            try:
                self._conclude(outcome, seconds=clock.monotonic() - began)
            except HerdsmanError as error:  # the state file: the look itself is done, and will be done again
                self._log.error(str(error))
                self._queue.add_after(key, 5.0, Priority.RESYNC)
            except Exception:  # noqa: BLE001
                self._log.error("a bug in Herdsman; the worker goes on", trace=traceback.format_exc(limit=8))
                self._queue.add_after(key, retry.backoff(self._queue.fail(key), self._chance.random()))
        return outcome

    def _look(self, key: Key) -> Outcome:
        """What came of looking; a bug is caught here and nowhere else."""
        wanted = self._view.desired.wanted.get(key)
        try:
            scene = self._view.scene(key)
            if key.kind is Kind.NAMESPACE:
                live = self._view.namespace(key)
                return namespaces.reconcile(key, scene=scene, live=live, ports=self._ports)
            if key.kind is Kind.VARIABLE:
                index = self._view.variable_index(key)
                return variables.reconcile(key, scene=scene, index=index, ports=self._ports)
            return reconcile_job(key, scene=scene, stub=self._view.stub(key), ports=self._ports)
        except NomadError as error:
            return failed(key, error, wanted=wanted)
        except StoreError as error:  # Nomad may have been written to; the next look will see that
            return Outcome(key, Action.NOTHING, Reason.UNAVAILABLE, str(error), error=ErrorClass.TRANSIENT)
        except Exception as bug:  # noqa: BLE001
            self._log.error("a bug in Herdsman; the key backs off, others go on", trace=traceback.format_exc(limit=8))
            words = f"internal error: {type(bug).__name__}; the log has the details"
            return Outcome(key, Action.NOTHING, Reason.INTERNAL_ERROR, words, error=ErrorClass.BUG)

    def _conclude(self, outcome: Outcome, *, seconds: float) -> None:
        key, store = outcome.key, self._ports.store
        desired, now = self._view.desired, self._ports.clock.now().timestamp()
        before, rejection = store.status(key), desired.frozen.get(key)
        if _gone(outcome):
            self._bury(outcome, before, seconds=seconds)
        else:
            if outcome.action is Action.PURGE and outcome.error is None:
                self._leave(key)  # its spec is still there, to tell what became of it
            wanted = desired.wanted.get(key)
            after = report(before, outcome, wanted=wanted, rejection=rejection, now=now)
            store.put_status(after)
            self._faces.tell(before, after, outcome, seconds=seconds, revision=after.revision)
            if before is None or before.ready is not after.ready:
                self._wake(self._view.dependents(key))
        self._follow(outcome)

    def _bury(self, outcome: Outcome, before: Status | None, *, seconds: float) -> None:
        """The key is gone, or was never there: nothing of it is kept but its history."""
        key, store = outcome.key, self._ports.store
        store.forget(key)
        if outcome.wrote or before is not None:  # gone now, by our hand or by somebody's
            self._leave(key)
        if outcome.wrote:
            revision = self._view.desired.revision
            self._faces.tell(before, before or Status(key), outcome, seconds=seconds, revision=revision)

    def _leave(self, key: Key) -> None:
        """*key* is not there any more: what waited for that is looked at."""
        self._view.gone(key)
        home = namespace_key(key.namespace)
        self._wake([*self._view.needs(key), *([home] if self._ports.store.status(home) is not None else [])])
        self._wake(self._view.held_by_quota(key.namespace))

    def _wake(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._queue.add(key, Priority.DRIFT)

    def _follow(self, outcome: Outcome) -> None:
        """The switch: what happens next to this key."""
        key = outcome.key
        if outcome.error is not None or outcome.wrote:
            self._view.touch([key])  # what was listed of it is old now
        failures = self._queue.fail(key) if outcome.error is not None else 0
        if outcome.error is None:
            self._queue.forget(key)
            if outcome.wrote and outcome.drift:
                self._view.corrected(key)
            elif outcome.wrote:
                self._view.renewed(key)
        wanted = self._view.desired.wanted.get(key)
        delay = retry.delay(
            outcome,
            failures=failures,
            chance=self._chance.random(),
            retry_interval=wanted.policy.retry_interval if wanted is not None else None,
        )
        if outcome.error is ErrorClass.REFUSED and delay is not None:
            self._view.refused(key, outcome.digest, outcome.message, delay)
        if delay is not None:
            self._queue.add_after(key, delay, Priority.DRIFT)
        if wanted is not None and wanted.expires is not None and wanted.expires > self._view.now():
            self._queue.add_after(key, wanted.expires - self._view.now() + 0.001, Priority.DRIFT)


def _gone(outcome: Outcome) -> bool:
    """Whether nothing is left to have a status."""
    return outcome.error is None and (
        (outcome.action is Action.PURGE and outcome.reason is not Reason.EXPIRED)
        or (outcome.action is Action.NOTHING and outcome.reason is Reason.ABSENT)
    )
