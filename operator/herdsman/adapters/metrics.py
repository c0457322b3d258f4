"""Prometheus metrics: counters of what happens, and a collector that reads what is at each scrape.

The names follow controller-runtime's set under the prefix `herdsman_` (design §6). Every series is there from the
first second; the series of a spec goes with the spec, because nothing but the collector knows it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from herdsman.core.webhooks import PROVIDERS
from herdsman.model.plans import WRITES, Reason
from herdsman.model.sources import SourceState
from herdsman.model.statuses import ConditionType, ErrorClass, Status

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_QUEUE_SECONDS = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 300.0, 1800.0)
HELD = (
    Reason.SUSPENDED,
    Reason.NOT_OWNED,
    Reason.FLEET_CONFLICT,
    Reason.REVERTED_BY_NOMAD,
    Reason.DEPENDENCY_NOT_READY,
    Reason.CIRCUIT_OPEN,
    Reason.DRIFTED,
    Reason.NEEDS_APPROVAL,
    Reason.OUTSIDE_WINDOW,
    Reason.INVALID,
    Reason.DESIRED_INCOMPLETE,
    Reason.PRUNE_LIMIT,
    Reason.QUOTA_EXCEEDED,
    Reason.ROLLED_BACK,
)
"""Reasons for which a change is held, each a series of `herdsman_held`."""


_UNREAD = SourceState()


@dataclass(frozen=True, slots=True)
class State:
    """What is, at the moment of a scrape."""

    statuses: Iterable[Status] = ()
    dirty: int = 0
    adds: int = 0
    retries: int = 0
    busy: tuple[float, ...] = ()
    workers: int = 0
    event_stream_connected: bool = False
    event_stream_reconnects: int = 0
    event_stream_silence: float = 0.0  # s since it last sent anything
    source: SourceState = _UNREAD
    source_rejections: int = 0
    source_settled: bool = True
    ready: bool = False
    resync_interval: float = 0.0  # s
    info: Mapping[str, str] = field(default_factory=dict)


class PrometheusMetrics:
    """`ports.Metrics` over prometheus-client. Give it `state` before the first scrape."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.state: Callable[[], State] = State
        self._make_counters()
        self.registry.register(_StateCollector(self._now))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def _now(self) -> State:
        return self.state()

    def _make_counters(self) -> None:
        registry = self.registry
        total = Counter("herdsman_reconcile_total", "Looks at one key, by result.", ["result"], registry=registry)
        self._results = {r: total.labels(r) for r in ("success", "held", "requeue", "error")}
        errors = Counter(
            "herdsman_reconcile_errors_total", "Looks that ended in an error.", ["class"], registry=registry
        )
        self._errors = {e.value: errors.labels(e.value) for e in ErrorClass}
        self._duration = Histogram(
            "herdsman_reconcile_duration_seconds", "Duration of one look.", buckets=_SECONDS, registry=registry
        )
        self._worked = Histogram(
            "herdsman_workqueue_work_duration_seconds",
            "How long a worker had a key, with all that follows a look.",
            buckets=_QUEUE_SECONDS,
            registry=registry,
        )
        self._waited = Histogram(
            "herdsman_workqueue_queue_duration_seconds",
            "How long a key was due before a worker took it.",
            buckets=_QUEUE_SECONDS,
            registry=registry,
        )
        self._drift = Counter("herdsman_drift_detected_total", "Changes by others that were found.", registry=registry)
        self._actions = Counter("herdsman_actions_total", "Writes to Nomad.", ["action", "result"], registry=registry)
        for action in sorted(WRITES):
            self._actions.labels(action.value, "success")
            self._actions.labels(action.value, "error")
        self._reads = Counter("herdsman_source_reads_total", "Reads of the source.", ["result"], registry=registry)
        for result in ("success", "error"):
            self._reads.labels(result)
        self._read_duration = Histogram(
            "herdsman_source_read_duration_seconds",
            "Duration of reading the source and understanding it.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._requests = Counter(
            "herdsman_nomad_requests_total", "Calls to Nomad.", ["method", "route", "code"], registry=registry
        )
        self._request_duration = Histogram(
            "herdsman_nomad_request_duration_seconds",
            "Duration of calls to Nomad.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=registry,
        )
        for method, route in _ROUTES:
            self._requests.labels(method, route, "200")
            self._request_duration.labels(method, route)
        self._webhooks = Counter(
            "herdsman_webhooks_total", "Webhooks of Git servers.", ["provider", "result"], registry=registry
        )
        for provider in PROVIDERS:
            for result in ("accepted", "refused"):
                self._webhooks.labels(provider, result)
        self._resynced = 0.0
        self.registry.register(_Timestamp(lambda: self._resynced))

    # -- ports.Metrics --

    def reconciled(self, result: str, seconds: float) -> None:
        """See `ports.Metrics`, as for all that follows."""
        self._results[result].inc()
        self._duration.observe(seconds)

    def failed(self, kind: str) -> None:
        self._errors[kind].inc()

    def drifted(self) -> None:
        self._drift.inc()

    def acted(self, action: str, result: str) -> None:
        self._actions.labels(action, result).inc()

    def waited(self, seconds: float) -> None:
        self._waited.observe(seconds)

    def worked(self, seconds: float) -> None:
        self._worked.observe(seconds)

    def source_read(self, result: str, seconds: float) -> None:
        self._reads.labels(result).inc()
        self._read_duration.observe(seconds)

    def resynced(self, at: float) -> None:
        self._resynced = at

    def webhook(self, provider: str, result: str) -> None:
        """A webhook came, and was `accepted` or `refused`."""
        self._webhooks.labels(provider, result).inc()

    def nomad_request(self, method: str, route: str, code: str, seconds: float) -> None:
        """One call to Nomad is over; *code* is the HTTP status, or `error` where no answer came."""
        self._requests.labels(method, route, code).inc()
        self._request_duration.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self.registry)


def merged(fleets: Mapping[str, PrometheusMetrics]) -> bytes:
    """One exposition for several fleets: each series says whose it is, those of the process itself stand once."""
    registry = CollectorRegistry()
    registry.register(_Merged(fleets))
    return generate_latest(registry)


class _Merged(Collector):
    """The families of several registries, told apart by the label `fleet`."""

    def __init__(self, fleets: Mapping[str, PrometheusMetrics]) -> None:
        self._fleets = fleets

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for fleet, metrics in self._fleets.items():
            for family in metrics.registry.collect():
                ours = family.name.startswith("herdsman_")
                if not ours and family.name in families:
                    continue
                all_ = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                label = {"fleet": fleet} if ours else {}
                all_.samples += [s._replace(labels={**label, **s.labels}) for s in family.samples]
        return families.values()


_ROUTES = (
    ("GET", "/v1/agent/self"),
    ("GET", "/v1/jobs"),
    ("POST", "/v1/jobs"),
    ("POST", "/v1/jobs/parse"),
    ("GET", "/v1/job/:id"),
    ("DELETE", "/v1/job/:id"),
    ("POST", "/v1/job/:id/plan"),
    ("GET", "/v1/job/:id/submission"),
    ("GET", "/v1/job/:id/deployments"),
    ("GET", "/v1/job/:id/allocations"),
    ("GET", "/v1/job/:id/evaluations"),
    ("GET", "/v1/namespaces"),
    ("PUT", "/v1/namespace/:name"),
    ("DELETE", "/v1/namespace/:name"),
    ("GET", "/v1/var/:path"),
    ("PUT", "/v1/var/:path"),
)


class _Timestamp(Collector):
    def __init__(self, value: Callable[[], float]) -> None:
        self._value = value

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "herdsman_last_resync_timestamp_seconds", "When Nomad was last listed whole.", value=self._value()
        )


class _StateCollector(Collector):
    """Reads what is, once a scrape."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        state = self._state()
        yield from _resources(state.statuses)
        yield from _queue(state)
        yield from _streams(state)
        yield _source(state.source)
        info = GaugeMetricFamily(
            "herdsman_build_info", "Which Herdsman this is.", labels=sorted(state.info) or ["version"]
        )
        info.add_metric([state.info[k] for k in sorted(state.info)] or [""], 1)
        yield info
        yield GaugeMetricFamily("herdsman_leader_status", "Whether this process may write.", value=1)
        yield GaugeMetricFamily(
            "herdsman_ready", "Whether the first full look is over and both sides answer.", value=state.ready
        )


def _resources(statuses: Iterable[Status]) -> Iterable[Metric]:
    labels = ["kind", "namespace", "name", "ready", "reason", "sync", "health", "suspended"]
    resources = GaugeMetricFamily("herdsman_resource_info", "One spec and how it does.", labels=labels)
    held = dict.fromkeys((r.value for r in HELD), 0)
    for status in statuses:
        if not status.wanted and status.reason is Reason.KEPT:
            continue  # wanted no more and as its policy wants it: nothing to watch
        said = {t: status.condition(t) for t in ConditionType}
        ready, synced = said[ConditionType.READY], said[ConditionType.SYNCED]
        healthy, suspended = said[ConditionType.HEALTHY], said[ConditionType.SUSPENDED]
        reason = ready.reason.value if ready else ""
        values = [c.status.value if c else "Unknown" for c in (ready, synced, healthy, suspended)]
        key = status.key
        resources.add_metric(
            [key.kind.value, key.namespace, key.name, values[0], reason, values[1], values[2], values[3]], 1
        )
        why = suspended.reason.value if suspended and values[3] == "True" else synced.reason.value if synced else ""
        if why in held and (values[3] == "True" or values[1] == "False"):
            held[why] += 1
    yield resources
    holds = GaugeMetricFamily("herdsman_held", "Changes that are held, by reason.", labels=["reason"])
    for reason, count in held.items():
        holds.add_metric([reason], count)
    yield holds


def _source(source: SourceState) -> Metric:
    """What the last snapshot shows, as one series."""
    info = GaugeMetricFamily(
        "herdsman_source_info", "What the last snapshot shows.", labels=["revision", "branch", "verified", "dirty"]
    )
    seen = source.snapshot
    if seen is not None:
        info.add_metric([seen.name, seen.branch, str(seen.verified).lower(), str(seen.dirty).lower()], 1)
    return info


def _queue(state: State) -> Iterable[Metric]:
    gauges = (
        ("depth", "Keys that are due.", state.dirty),
        ("unfinished_work_seconds", "Time spent so far on keys in hand.", sum(state.busy)),
        ("longest_running_processor_seconds", "The longest that a key has been in hand.", max(state.busy, default=0.0)),
        ("workers", "Threads that look at keys.", state.workers),
    )
    for name, words, value in gauges:
        yield GaugeMetricFamily(f"herdsman_workqueue_{name}", words, value=value)
    yield CounterMetricFamily("herdsman_workqueue_adds_total", "Keys added.", value=state.adds)
    yield CounterMetricFamily("herdsman_workqueue_retries_total", "Keys added with a delay.", value=state.retries)


def _streams(state: State) -> Iterable[Metric]:
    gauges = (
        ("event_stream_connected", "Whether Nomad's event stream is open.", float(state.event_stream_connected)),
        (
            "event_stream_silence_seconds",
            "How long it has sent nothing, not even a heartbeat.",
            state.event_stream_silence,
        ),
        ("resync_interval_seconds", "How often Nomad is meant to be listed whole.", state.resync_interval),
        ("source_files", "Files in the last snapshot.", state.source.files),
        ("source_last_success_timestamp_seconds", "When the source was last read.", state.source.read),
        (
            "source_failing_since_timestamp_seconds",
            "Since when the source cannot be read; 0 while it can.",
            state.source.failing_since,
        ),
        (
            "source_rejections",
            "Errors in the last snapshot: documents and files that could not be understood.",
            state.source_rejections,
        ),
        ("source_settled", "Whether the source was at rest when it was read.", float(state.source_settled)),
    )
    for name, words, value in gauges:
        yield GaugeMetricFamily(f"herdsman_{name}", words, value=value)
    counters = (
        (
            "event_stream_reconnects_total",
            "How often the event stream was opened again.",
            state.event_stream_reconnects,
        ),
    )
    for name, words, value in counters:
        yield CounterMetricFamily(f"herdsman_{name}", words, value=value)
