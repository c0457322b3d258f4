"""The exposition: every series from the first second, names that say what they are, gone with their spec."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from herdsman.adapters.metrics import HELD, PrometheusMetrics, State
from herdsman.core.report import report
from herdsman.model.desired import DesiredJob, Origin, Policy, Position
from herdsman.model.keys import Key, job_key, namespace_key
from herdsman.model.plans import WRITES, Action, Reason
from herdsman.model.sources import Snapshot, SourceState
from herdsman.model.statuses import ErrorClass, Health, Outcome, Status, Truth

WEB, DB = job_key("default", "web"), job_key("default", "db")
OUTSIDE = ("process_", "python_")
"""Families of the library: of the process and of its interpreter."""


def families(metrics: PrometheusMetrics) -> dict[str, Metric]:
    return {f.name: f for f in text_string_to_metric_families(metrics.text().decode())}


def samples(metrics: PrometheusMetrics, name: str) -> dict[tuple[str, ...], float]:
    """The samples of that name, by the values of their labels in the order of the labels' names."""
    return {
        tuple(value for _, value in sorted(s.labels.items())): s.value
        for f in families(metrics).values()
        for s in f.samples
        if s.name == name
    }


@pytest.fixture
def metrics() -> PrometheusMetrics:
    """Fresh ones, of which nobody has told anything yet."""
    return PrometheusMetrics()


PROMISED = [
    "herdsman_reconcile_total",
    "herdsman_reconcile_errors_total",
    "herdsman_reconcile_duration_seconds_bucket",
    "herdsman_workqueue_depth",
    "herdsman_workqueue_adds_total",
    "herdsman_workqueue_retries_total",
    "herdsman_workqueue_queue_duration_seconds_bucket",
    "herdsman_workqueue_work_duration_seconds_bucket",
    "herdsman_workqueue_unfinished_work_seconds",
    "herdsman_workqueue_longest_running_processor_seconds",
    "herdsman_drift_detected_total",
    "herdsman_actions_total",
    "herdsman_held",
    "herdsman_source_reads_total",
    "herdsman_source_read_duration_seconds_bucket",
    "herdsman_nomad_requests_total",
    "herdsman_nomad_request_duration_seconds_bucket",
    "herdsman_event_stream_connected",
    "herdsman_event_stream_reconnects_total",
    "herdsman_leader_status",
    "herdsman_last_resync_timestamp_seconds",
    "herdsman_build_info",
]


@pytest.mark.parametrize("name", PROMISED)
def test_every_series_is_there_from_the_first_second(metrics: PrometheusMetrics, name: str) -> None:
    """A rate over a series that appears with its first event misses that event."""
    assert samples(metrics, name)


def test_every_label_value_is_there_from_the_first_second(metrics: PrometheusMetrics) -> None:
    """Results, classes, actions and reasons, all at nothing."""
    assert samples(metrics, "herdsman_reconcile_total") == dict.fromkeys(
        [("success",), ("held",), ("requeue",), ("error",)], 0.0
    )
    assert samples(metrics, "herdsman_reconcile_errors_total") == {(e.value,): 0.0 for e in ErrorClass}
    both = {(a.value, r): 0.0 for a in WRITES for r in ("success", "error")}
    assert samples(metrics, "herdsman_actions_total") == both
    assert samples(metrics, "herdsman_held") == {(r.value,): 0.0 for r in HELD}
    assert samples(metrics, "herdsman_source_reads_total") == {("success",): 0.0, ("error",): 0.0}


def own(metrics: PrometheusMetrics) -> Iterable[Metric]:
    return [f for f in families(metrics).values() if not f.name.startswith(OUTSIDE)]


def test_names_say_whose_and_what_they_are(metrics: PrometheusMetrics) -> None:
    """Our prefix; `_total` on counters and on nothing else; seconds, not milliseconds; and words for each."""
    for family in own(metrics):
        assert family.name.startswith("herdsman_")
        assert family.documentation.endswith("."), family.name
        for sample in family.samples:
            assert sample.name.endswith("_total") is (family.type == "counter"), sample.name
            assert "milli" not in sample.name
            assert not sample.name.endswith("_created")
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_nothing_but_numbers_and_known_labels(metrics: PrometheusMetrics) -> None:
    """No commit, digest, path or message is a label, where each spec would be a new series; the source has one."""
    info = {"version": "1", "nomad_version": "2", "fleet": "f"}
    metrics.state = lambda: State(
        statuses=[status(WEB)], info=info, source=SourceState(Snapshot("r", {}, commit="c", branch="main"))
    )
    labels = {name for f in own(metrics) for s in f.samples for name in s.labels if f.name != "herdsman_source_info"}

    assert labels == {
        *("result", "class", "action", "reason", "method", "route", "code", "le"),
        *("kind", "namespace", "name", "ready", "sync", "health", "suspended"),
        *("version", "nomad_version", "fleet", "provider"),
    }
    assert samples(metrics, "herdsman_source_info") == {("main", "false", "c", "false"): 1.0}


# -- what happens ------------------------------------------------------------------------------------------------------


def test_what_happens_is_counted(metrics: PrometheusMetrics) -> None:
    """Each kind of happening in its own series."""
    metrics.reconciled("held", 0.2)
    metrics.failed("refused")
    metrics.drifted()
    metrics.acted("purge", "error")
    metrics.waited(3.0)
    metrics.worked(0.5)
    metrics.source_read("error", 0.1)
    metrics.resynced(1_767_268_800.0)
    metrics.nomad_request("GET", "/v1/job/:id", "500", 0.05)

    assert samples(metrics, "herdsman_reconcile_total")[("held",)] == 1
    assert samples(metrics, "herdsman_reconcile_errors_total")[("refused",)] == 1
    assert samples(metrics, "herdsman_drift_detected_total") == {(): 1.0}
    assert samples(metrics, "herdsman_actions_total")[("purge", "error")] == 1
    assert samples(metrics, "herdsman_reconcile_duration_seconds_sum") == {(): 0.2}
    assert samples(metrics, "herdsman_workqueue_queue_duration_seconds_sum") == {(): 3.0}
    assert samples(metrics, "herdsman_workqueue_work_duration_seconds_sum") == {(): 0.5}
    assert samples(metrics, "herdsman_source_reads_total")[("error",)] == 1
    assert samples(metrics, "herdsman_last_resync_timestamp_seconds") == {(): 1_767_268_800.0}
    assert samples(metrics, "herdsman_nomad_requests_total")[("500", "GET", "/v1/job/:id")] == 1
    assert samples(metrics, "herdsman_nomad_request_duration_seconds_count")[("GET", "/v1/job/:id")] == 1


# -- what is -----------------------------------------------------------------------------------------------------------


def status(key: Key, outcome: Outcome | None = None) -> Status:
    wanted = DesiredJob(key, "d", Policy(), Origin(Position("a.yaml")), body=b"{}")
    fine = Outcome(key, Action.NOTHING, Reason.IN_SYNC, health=Health(Truth.TRUE, Reason.HEALTHY))
    return report(None, outcome or fine, wanted=wanted, rejection=None, now=0.0)


def held(key: Key, reason: Reason) -> Status:
    return status(key, Outcome(key, Action.HOLD, reason, "held", health=Health(Truth.TRUE, Reason.HEALTHY)))


INFO = "herdsman_resource_info"


def test_a_spec_has_one_series_and_takes_it_along(metrics: PrometheusMetrics) -> None:
    """How it does is in its labels; when it is gone, so is its series."""
    now = [[status(WEB), held(DB, Reason.NEEDS_APPROVAL), status(namespace_key("team"))]]
    metrics.state = lambda: State(statuses=now[0])

    assert samples(metrics, INFO) == {
        ("True", "Job", "web", "default", "True", "Healthy", "False", "True"): 1.0,
        ("True", "Job", "db", "default", "False", "NeedsApproval", "False", "False"): 1.0,
        ("True", "Namespace", "team", "", "True", "Healthy", "False", "True"): 1.0,
    }
    now[0] = [held(WEB, Reason.DRIFTED)]
    assert samples(metrics, INFO) == {("True", "Job", "web", "default", "False", "Drifted", "False", "False"): 1.0}
    now[0] = []
    assert samples(metrics, INFO) == {}


def test_what_is_kept_and_wanted_no_more_is_no_resource(metrics: PrometheusMetrics) -> None:
    """It is as its policy wants it: nothing to watch, and nothing to alert on."""
    kept = replace(status(WEB, Outcome(WEB, Action.NOTHING, Reason.KEPT)), wanted=False)
    kept = report(kept, Outcome(WEB, Action.NOTHING, Reason.KEPT), wanted=None, rejection=None, now=1.0)
    metrics.state = lambda: State(statuses=[kept])

    assert samples(metrics, INFO) == {}


@pytest.mark.parametrize("reason", HELD)
def test_what_is_held_is_counted_by_its_reason(metrics: PrometheusMetrics, reason: Reason) -> None:
    """Every reason that holds a change is one series."""
    metrics.state = lambda: State(statuses=[held(WEB, reason), held(DB, reason), status(job_key("x", "y"))])

    assert samples(metrics, "herdsman_held") == {(r.value,): 2.0 * (r is reason) for r in HELD}


def test_a_spec_that_is_suspended_in_sync_is_held(metrics: PrometheusMetrics) -> None:
    """It is Ready as it was, and hands are off."""
    wanted = DesiredJob(WEB, "d", Policy(), Origin(Position("a.yaml")), body=b"{}")
    outcome = Outcome(WEB, Action.HOLD, Reason.SUSPENDED, "suspended", health=Health(Truth.TRUE, Reason.HEALTHY))
    suspended = report(status(WEB), outcome, wanted=wanted, rejection=None, now=1.0)
    metrics.state = lambda: State(statuses=[suspended])

    assert samples(metrics, "herdsman_held")[("Suspended",)] == 1
    assert samples(metrics, INFO) == {("True", "Job", "web", "default", "True", "Healthy", "True", "True"): 1.0}


def test_queue_and_sides_are_read_at_the_scrape(metrics: PrometheusMetrics) -> None:
    """Nothing is pushed that could grow stale."""
    metrics.state = lambda: State(
        dirty=3, adds=10, retries=4, busy=(1.5, 2.5), workers=8, event_stream_connected=True, event_stream_reconnects=2,
        event_stream_silence=7.0, source=SourceState(Snapshot("r", {}, settled=False), files=12, read=5.0),
        source_rejections=1, source_settled=False, ready=True,
    )  # fmt: skip

    expected = {
        "workqueue_depth": 3.0,
        "workqueue_adds_total": 10.0,
        "workqueue_retries_total": 4.0,
        "workqueue_unfinished_work_seconds": 4.0,
        "workqueue_longest_running_processor_seconds": 2.5,
        "workqueue_workers": 8.0,
        "event_stream_connected": 1.0,
        "event_stream_reconnects_total": 2.0,
        "event_stream_silence_seconds": 7.0,
        "source_files": 12.0,
        "source_last_success_timestamp_seconds": 5.0,
        "source_failing_since_timestamp_seconds": 0.0,
        "source_rejections": 1.0,
        "source_settled": 0.0,
        "ready": 1.0,
    }
    assert {name: samples(metrics, f"herdsman_{name}") for name in expected} == {
        n: {(): v} for n, v in expected.items()
    }


@pytest.mark.parametrize("name", ['we"b', "we\\b", "we\nb", "wéb"])
def test_a_hostile_name_breaks_no_line(metrics: PrometheusMetrics, name: str) -> None:
    """Whatever a job is called, the exposition can be parsed and says it."""
    metrics.state = lambda: State(statuses=[status(job_key("default", name))])

    assert [labels[2] for labels in samples(metrics, INFO)] == [name]


def test_two_sets_of_metrics_do_not_meet() -> None:
    """Each operator has a registry of its own: two in one process are possible."""
    one, other = PrometheusMetrics(), PrometheusMetrics()

    one.drifted()

    assert samples(one, "herdsman_drift_detected_total") == {(): 1.0}
    assert samples(other, "herdsman_drift_detected_total") == {(): 0.0}
