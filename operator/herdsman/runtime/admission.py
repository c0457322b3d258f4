"""Which deployments the quotas of their namespace let in: `core.quota` with what this process knows.

A verdict is made for a namespace at a time, and holds until the wishes, the list of what runs, or the time say
otherwise. Whoever was let in keeps its place from that moment, before its job is there: a spec that comes a second
later, and says that it is older, does not take it. What a job asks for is remembered with its last write, so that only
new jobs are parsed for this, and those only where a quota limits more than their number.
"""

import math
import threading
from collections.abc import Callable, Mapping

from herdsman.core.quota import Claim, demand_of, held
from herdsman.errors import Refused
from herdsman.model.desired import Desired, DesiredJob, DesiredNamespace
from herdsman.model.keys import Key, namespace_key
from herdsman.model.observed import Body, JobStub
from herdsman.model.quotas import NOTHING, ONE, Demand, Quotas
from herdsman.ports import Clock, StatusStore


class Admission:
    """Safe from any thread. *body* answers the job that a spec asks for."""

    def __init__(self, *, store: StatusStore, clock: Clock, body: Callable[[DesiredJob], Body]) -> None:
        self._store, self._clock, self._body = store, clock, body
        self._lock = threading.Lock()
        self._verdicts: dict[str, tuple[float, Mapping[Key, str]]] = {}  # by namespace: until when, and who is held
        self._let_in: dict[Key, Demand] = {}
        self._parsed: dict[Key, tuple[str, Demand]] = {}

    def renew(self) -> None:
        """What the verdicts stand on has changed."""
        with self._lock:
            self._verdicts.clear()

    def why_held(self, wanted: DesiredJob, desired: Desired, stubs: Mapping[Key, JobStub]) -> str:
        """Why *wanted* may not start or grow, "" where it may. Raises `NomadError` where nobody parses its jobspec."""
        key = wanted.key
        home = desired.wanted.get(namespace_key(key.namespace))
        if not isinstance(home, DesiredNamespace) or home.quotas is None:
            return ""
        with self._lock:
            until, verdicts = self._verdicts.get(key.namespace, (0.0, {}))
            if self._clock.now().timestamp() >= until:
                until, verdicts = self._judge(key.namespace, home.quotas, desired, stubs)
                self._verdicts[key.namespace] = until, verdicts
            if key in verdicts:
                return verdicts[key]
            self._let_in[key] = self._asks(wanted, home.quotas)
            return ""

    def _judge(
        self, namespace: str, quotas: Quotas, desired: Desired, stubs: Mapping[Key, JobStub]
    ) -> tuple[float, Mapping[Key, str]]:
        now, claims, until = self._clock.now().timestamp(), [], math.inf
        for key in desired.orders:
            wanted = desired.wanted.get(key) if key.namespace == namespace else None
            if not isinstance(wanted, DesiredJob) or wanted.order is None:
                continue
            if wanted.expires is not None and now >= wanted.expires:
                self._let_in.pop(key, None)
                continue
            until = min(until, wanted.expires or math.inf)
            asks = self._asks(wanted, quotas)
            holds = self._holds(key, asks, quotas, desired.fleet.name, stubs.get(key))
            claims.append(Claim(key, wanted.order.owner, wanted.order.created, asks, holds))
        self._let_in = {k: d for k, d in self._let_in.items() if k in desired.wanted}
        self._parsed = {k: d for k, d in self._parsed.items() if k in desired.wanted}
        return until, held(claims, quotas)

    def _asks(self, wanted: DesiredJob, quotas: Quotas) -> Demand:
        memory = self._store.memory(wanted.key)
        if memory.completed == wanted.digest:
            return NOTHING  # it came to its end: it is a record, and runs again only with another spec
        if not quotas.needs_amounts or wanted.stopped:
            return ONE  # what does not run takes a place and nothing else
        if memory.demand is not None and memory.digest == wanted.digest:
            return memory.demand
        known = self._parsed.get(wanted.key)
        if known is None or known[0] != wanted.digest:
            known = self._parsed[wanted.key] = wanted.digest, self._parse(wanted)
        return known[1]

    def _parse(self, wanted: DesiredJob) -> Demand:
        try:
            return demand_of(self._body(wanted))
        except Refused:  # it will be told of its own job; no such job is ever created
            return ONE

    def _holds(self, key: Key, asks: Demand, quotas: Quotas, fleet: str, stub: JobStub | None) -> Demand | None:
        """What a deployment has already: what runs of it, or what it was let in with."""
        memory = self._store.memory(key)
        has: Demand | None = None
        if memory.ended:
            pass  # it gave back what it had
        elif stub is not None and not stub.stop and (stub.stamp == fleet or memory.owned):
            has = memory.demand or asks if quotas.needs_amounts else ONE
        elif memory.known:
            has = ONE
        if key in self._let_in:
            # never more than it asks for now: what it gave back, it asks for again like everybody else
            self._let_in[key] = self._let_in[key].least(asks)
            has = self._let_in[key] if has is None else has.most(self._let_in[key])
        return has
