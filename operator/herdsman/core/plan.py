"""From a decision to steps: what will be sent, with the evidence that it was decided on."""

from dataclasses import replace

import orjson

from herdsman.model.desired import DesiredJob
from herdsman.model.keys import Key
from herdsman.model.observed import Body, FieldChange, Forecast, LiveJob, Provenance
from herdsman.model.plans import Action, Decision, Plan, PurgeJob, Register, Step, StopJob


def job_plan(
    key: Key,
    decision: Decision,
    *,
    wanted: DesiredJob | None,
    live: LiveJob | None,
    body: Body | None,
    forecast: Forecast | None,
    changes: tuple[FieldChange, ...],
    fleet: str,
    seal: str,
) -> Plan:
    """The plan for one job. A write without the evidence that it needs is a bug, and said so by an assertion."""
    plan = Plan(key, decision, changes=changes)
    if forecast is not None:
        plan = replace(plan, updates=forecast.updates, failures=forecast.failures or None, warnings=forecast.warnings)
    return replace(plan, steps=_steps(decision, key, wanted, live, body, fleet, seal))


def _steps(
    decision: Decision,
    key: Key,
    wanted: DesiredJob | None,
    live: LiveJob | None,
    body: Body | None,
    fleet: str,
    seal: str,
) -> tuple[Step, ...]:
    match decision.action:
        case Action.CREATE | Action.UPDATE:
            assert wanted is not None
            assert body is not None
            return (_register(wanted, body, live, fleet, seal),)
        case Action.STOP | Action.PURGE:
            assert live is not None
            stop = () if live.stop else (StopJob(live),)
            purge = (PurgeJob(key, live.create_index, fleet),) if decision.action is Action.PURGE else ()
            return (*stop, *purge)
        case _:
            return ()


def _register(wanted: DesiredJob, body: Body, live: LiveJob | None, fleet: str, seal: str) -> Register:
    position = wanted.origin.position
    provenance = Provenance(
        fleet=fleet,
        digest=seal,
        version=0 if live is None else live.version + 1,
        path=position.path,
        line=position.line,
        revision=wanted.origin.revision,
        author=wanted.origin.author,
        prune=wanted.policy.prune.value,
    )
    if wanted.hcl is not None:
        source, form = wanted.hcl.text, "hcl2"
    else:
        source, form = orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode(), "json"
    return Register(wanted.key, body, 0 if live is None else live.index, provenance, source, form)
