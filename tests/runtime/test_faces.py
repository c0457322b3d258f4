"""One outcome told four ways: metric, history, event and log line; and nothing told twice."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
import structlog

from clocks import FakeClock
from herdsman.adapters.metrics import PrometheusMetrics
from herdsman.adapters.store import SqliteStore
from herdsman.core.report import report
from herdsman.model.desired import DesiredJob, Origin, Policy, Position
from herdsman.model.keys import job_key
from herdsman.model.plans import Action, Reason
from herdsman.model.statuses import ErrorClass, Event, Health, Outcome, Severity, Status, Truth
from herdsman.runtime.faces import Faces

KEY = job_key("default", "web")
WANTED = DesiredJob(KEY, "d1", Policy(), Origin(Position("web.yaml"), "r1"), body=b"{}")
HEALTHY = Health(Truth.TRUE, Reason.HEALTHY)
FINE = Outcome(KEY, Action.NOTHING, Reason.IN_SYNC, digest="d1", version=1, health=HEALTHY)
CREATED = Outcome(
    KEY,
    Action.CREATE,
    Reason.MISSING,
    "not there; created",
    wrote=True,
    digest="d1",
    version=0,
    health=Health(Truth.UNKNOWN, Reason.PROGRESSING),
    changes=("Priority: 50 → 60",),
)
AWAY = Outcome(KEY, Action.NOTHING, Reason.UNAVAILABLE, "connection refused", error=ErrorClass.TRANSIENT)


def held(reason: Reason) -> Outcome:
    return Outcome(KEY, Action.HOLD, reason, "held", digest="d1", health=HEALTHY)


class Told:
    """Tells outcomes one after the other, as the worker does, and keeps what was told."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        structlog.configure(
            processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
            wrapper_class=structlog.make_filtering_bound_logger(20),
            logger_factory=structlog.WriteLoggerFactory(file=self.out),
            cache_logger_on_first_use=False,
        )
        self.store, self.metrics, self.clock = SqliteStore(":memory:"), PrometheusMetrics(), FakeClock()
        self.published: list[Event] = []
        self.status: Status | None = None
        self.faces = Faces(
            store=self.store, metrics=self.metrics, clock=self.clock, publish=self.published.append
        )  # fmt: skip

    def tell(self, *outcomes: Outcome) -> None:
        for outcome in outcomes:
            self.clock.advance(60.0)
            now = self.clock.now().timestamp()
            after = report(self.status, outcome, wanted=WANTED, rejection=None, now=now)
            self.faces.tell(self.status, after, outcome, seconds=0.25, revision="r1")
            self.status = after

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(e.reason, e.severity.value) for e in self.published]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def value(self, name: str, **labels: str) -> float:
        found = self.metrics.registry.get_sample_value(name, labels)
        assert found is not None, f"there is no series {name} {labels}"
        return found


@pytest.fixture
def told() -> Told:
    """A fresh set of faces."""
    return Told()


def test_an_action_is_told_four_ways(told: Told) -> None:
    """History, event, metric and log line have the same reason, revision and version."""
    told.tell(CREATED)

    (record,) = told.store.history(KEY)
    (event,) = told.published
    (line,) = told.lines
    assert (record.action, record.reason, record.revision, record.digest, record.version) == (
        Action.CREATE,
        Reason.MISSING,
        "r1",
        "d1",
        0,
    )
    assert (event.reason, event.message, event.key, event.revision) == (
        "Missing",
        "created: not there; created",
        KEY,
        "r1",
    )
    assert (line["event"], line["reason"], line["key"], line["changes"]) == (
        "created",
        "Missing",
        str(KEY),
        ["Priority: 50 → 60"],
    )
    assert told.value("herdsman_actions_total", action="create", result="success") == 1
    assert told.value("herdsman_reconcile_total", result="success") == 1
    assert told.value("herdsman_reconcile_duration_seconds_sum") == 0.25


@pytest.mark.parametrize(
    "outcome",
    [FINE, held(Reason.NEEDS_APPROVAL), held(Reason.DRIFTED), held(Reason.SUSPENDED), AWAY],
    ids=lambda o: o.reason.value,
)
def test_the_same_again_is_silent(told: Told, outcome: Outcome) -> None:
    """A look that finds what the last one found makes no event, no line and no history; only counters count it."""
    told.tell(outcome)
    events, lines = len(told.published), len(told.lines)

    told.tell(outcome, outcome, outcome)

    assert len(told.published) == events <= 1
    assert len(told.lines) == lines
    assert told.store.history(KEY) == []


def test_other_words_of_the_same_trouble_are_not_told_again(told: Told) -> None:
    """Progress and counts move all the time; an event is for a reason that moved."""
    told.tell(AWAY, replace(AWAY, message="connection reset"))

    assert told.events == [("Unavailable", "Normal")]


def test_a_way_out_of_trouble_and_back_is_told(told: Told) -> None:
    """Each move of Ready is one event, the good ones quietly."""
    told.tell(FINE, held(Reason.NEEDS_APPROVAL), FINE, replace(FINE, health=Health(Truth.FALSE, Reason.FAILED)))

    assert told.events == [
        ("Healthy", "Normal"),
        ("NeedsApproval", "Warning"),
        ("Healthy", "Normal"),
        ("Failed", "Warning"),
    ]


@pytest.mark.parametrize("reason", [Reason.DEPENDENCY_NOT_READY, Reason.SUSPENDED])
def test_waiting_is_no_warning(told: Told, reason: Reason) -> None:
    """What ends by itself, or what a person asked for, is told without alarm."""
    told.tell(held(reason))

    assert {severity for _, severity in told.events} == {"Normal"}


def test_a_suspension_is_told_though_ready_stays(told: Told) -> None:
    """In sync before, it still is; that hands are off now is told once, and so is that they are back."""
    told.tell(FINE, held(Reason.SUSPENDED), held(Reason.SUSPENDED), FINE)

    assert [reason for reason, _ in told.events] == ["Healthy", "Suspended", "InSync"]


def test_a_correction_is_a_warning_and_counts_as_drift(told: Told) -> None:
    """Somebody else changed it: a reader wants to know who."""
    told.tell(FINE, Outcome(KEY, Action.UPDATE, Reason.DRIFTED, "put right", wrote=True, drift=True, health=HEALTHY))

    assert told.published[-1].severity is Severity.WARNING
    assert told.value("herdsman_drift_detected_total") == 1


def test_drift_that_is_only_warned_of_counts_once(told: Told) -> None:
    """However often it is looked at, until it was gone."""
    drifted = replace(held(Reason.DRIFTED), drift=True)
    told.tell(FINE, drifted, drifted, drifted)
    assert told.value("herdsman_drift_detected_total") == 1

    told.tell(FINE, drifted)
    assert told.value("herdsman_drift_detected_total") == 2


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        (FINE, "success"),
        (CREATED, "success"),
        (held(Reason.DRIFTED), "held"),
        (AWAY, "error"),
        (replace(AWAY, error=ErrorClass.REFUSED), "error"),
        (replace(AWAY, error=ErrorClass.BUG), "error"),
        (replace(AWAY, error=ErrorClass.CONFLICT), "requeue"),
    ],
)
def test_every_look_is_counted_by_its_result(told: Told, outcome: Outcome, result: str) -> None:
    """Four results; an error by its class, too."""
    told.tell(outcome)

    counts = {r: told.value("herdsman_reconcile_total", result=r) for r in ("success", "held", "requeue", "error")}
    errors = {e: told.value("herdsman_reconcile_errors_total", **{"class": e.value}) for e in ErrorClass}
    assert counts == {r: float(r == result) for r in counts}
    assert errors == {e: float(e is outcome.error) for e in ErrorClass}


def test_a_bug_is_an_error_in_the_log(told: Told) -> None:
    """And its event a message for a reader, without a traceback."""
    told.tell(replace(AWAY, reason=Reason.INTERNAL_ERROR, message="internal error", error=ErrorClass.BUG))

    assert told.lines[-1]["level"] == "error"
    assert told.published[-1].reason == "InternalError"


def test_an_adoption_is_history_though_nothing_was_written(told: Told) -> None:
    """From then on the job is the fleet's; no write is counted."""
    told.tell(Outcome(KEY, Action.ADOPT, Reason.ADOPTED, "equal; adopted as it is", health=HEALTHY))

    assert told.store.history(KEY)[0].action is Action.ADOPT
    assert told.value("herdsman_actions_total", action="update", result="success") == 0


def test_what_concerns_the_whole_fleet_has_no_key(told: Told) -> None:
    """It is an event and a line like any other."""
    told.faces.announce("NomadUnavailable", "connection refused", severity=Severity.WARNING)

    (event,) = told.published
    assert (event.key, event.reason, event.severity) == (None, "NomadUnavailable", Severity.WARNING)
    assert told.lines[0]["level"] == "warning"


def test_every_event_is_kept_before_it_is_published(told: Told) -> None:
    """Who comes back later finds it by its number."""
    told.tell(CREATED, FINE, AWAY)

    assert list(told.store.events()) == told.published
    assert [e.id for e in told.published] == [1, 2, 3]
