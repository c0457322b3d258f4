"""From a decision to steps: what will be sent, with the evidence that it was decided on."""

import json
from typing import Any

import pytest

from herdsman.core.plan import job_plan
from herdsman.model.desired import DesiredJob, HclSource, Origin, Policy, Position, Prune
from herdsman.model.keys import job_key
from herdsman.model.observed import FieldChange, Forecast, GroupUpdates, LiveJob
from herdsman.model.plans import Action, Decision, Plan, PurgeJob, Reason, Register, StopJob

KEY = job_key("default", "web")
ORIGIN = Origin(Position("a/web.yaml", 3, 1), "r1", "me")
WANTED = DesiredJob(KEY, "d1", Policy(prune=Prune.STOP), ORIGIN, body=b"{}")
BODY = {"ID": "web", "B": 1, "A": 2}
LIVE = LiveJob(KEY, {"ID": "web", "JobModifyIndex": 40, "CreateIndex": 7, "Version": 3})
STOPPED = LiveJob(KEY, {**LIVE.body, "Stop": True})


def plan(action: Action, *, wanted: DesiredJob | None = WANTED, live: LiveJob | None = LIVE, **more: Any) -> Plan:
    given = {"body": BODY, "forecast": None, "changes": (), "fleet": "f", "seal": "sealed"} | more
    return job_plan(KEY, Decision(action, Reason.SPEC_CHANGED), wanted=wanted, live=live, **given)


def register(found: Plan) -> Register:
    (step,) = found.steps
    assert isinstance(step, Register)
    return step


def test_a_creation_is_create_only() -> None:
    """Index 0 means: only if there is none; the version that it makes is 0."""
    step = register(plan(Action.CREATE, live=None))

    assert (step.if_index, step.provenance.version) == (0, 0)
    assert step.body == BODY


def test_an_update_brings_the_index_that_was_read_and_the_version_that_it_will_make() -> None:
    """Compare-and-set by the live index; provenance is believed only where that version is the live one."""
    step = register(plan(Action.UPDATE))

    assert (step.if_index, step.provenance.version) == (40, 4)


def test_provenance_says_where_a_job_comes_from() -> None:
    """Fleet, sealed digest, file and line, revision, author, and what to do on the day on which it is gone."""
    found = register(plan(Action.UPDATE)).provenance

    assert (found.fleet, found.digest, found.prune) == ("f", "sealed", "stop")
    assert (found.path, found.line, found.revision, found.author) == ("a/web.yaml", 3, "r1", "me")


def test_the_source_of_a_json_job_is_its_body_in_one_order() -> None:
    """The same body is the same text, whatever the order of its keys."""
    step = register(plan(Action.UPDATE))

    assert step.format == "json"
    assert step.source == '{"A":2,"B":1,"ID":"web"}'
    assert json.loads(step.source) == BODY


def test_the_source_of_an_hcl_job_is_what_a_person_wrote() -> None:
    """Nomad's UI shows it."""
    hcl = DesiredJob(KEY, "d1", Policy(), ORIGIN, hcl=HclSource('job "web" {}', {}, "web.hcl"))
    step = register(plan(Action.UPDATE, wanted=hcl))

    assert (step.source, step.format) == ('job "web" {}', "hcl2")


def test_a_purge_stops_first() -> None:
    """By compare-and-set; and the purge knows which job it is of."""
    assert plan(Action.PURGE, wanted=None).steps == (StopJob(LIVE), PurgeJob(KEY, 7, "f"))


def test_what_is_stopped_is_only_purged() -> None:
    """A stop of a stopped job would be a write for nothing."""
    assert plan(Action.PURGE, wanted=None, live=STOPPED).steps == (PurgeJob(KEY, 7, "f"),)


def test_a_stop_only_stops() -> None:
    """`prune: stop` leaves the job."""
    assert plan(Action.STOP, wanted=None).steps == (StopJob(LIVE),)
    assert plan(Action.STOP, wanted=None, live=STOPPED).steps == ()


@pytest.mark.parametrize("action", [Action.NOTHING, Action.HOLD, Action.ADOPT])
def test_what_writes_nothing_has_no_steps(action: Action) -> None:
    """Whatever else is known."""
    assert plan(action).steps == ()


def test_a_plan_tells_what_nomad_says_of_it() -> None:
    """Changes, blast radius, placement failures and warnings, for a reader."""
    forecast = Forecast(
        40, {}, {"a": GroupUpdates(destructive=2), "b": GroupUpdates(destructive=1)}, {"a": "no room"}, "careful"
    )
    change = FieldChange("Priority", "50", "60")
    found = plan(Action.UPDATE, forecast=forecast, changes=(change,))

    assert found.changes == (change,)
    assert (found.destructive, found.failures, found.warnings) == (3, {"a": "no room"}, "careful")


def test_a_plan_without_forecast_knows_nothing_of_it() -> None:
    """None is not the same as nothing: Nomad was not asked."""
    found = plan(Action.UPDATE)

    assert (found.updates, found.failures, found.destructive) == (None, None, 0)


@pytest.mark.parametrize(
    ("action", "missing"),
    [
        (Action.CREATE, {"wanted": None}),
        (Action.UPDATE, {"body": None}),
        (Action.STOP, {"live": None}),
        (Action.PURGE, {"live": None}),
    ],
)
def test_a_write_without_its_evidence_is_a_bug(action: Action, missing: dict[str, None]) -> None:
    """It is said so by an assertion, before anything is sent."""
    with pytest.raises(AssertionError):
        plan(action, **missing)
