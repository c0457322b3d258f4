"""Carries out a plan: the only caller of Nomad's writes. Every write brings the evidence it was decided on."""

from herdsman.errors import Conflict
from herdsman.model.observed import Registered
from herdsman.model.plans import (
    DeleteNamespace,
    DeleteVariable,
    Plan,
    PurgeJob,
    PutNamespace,
    PutVariable,
    Register,
    Step,
    StopJob,
)
from herdsman.ports import Nomad


def apply(plan: Plan, nomad: Nomad) -> Registered | None:
    """Run the steps of *plan* in order; the answer is the last write's that has an index, where there is one.

    Raises what the step that failed raised; the steps before it stay done, and the next look sees them.
    """
    registered: Registered | None = None
    for step in plan.steps:
        registered = _run(step, nomad) or registered
    return registered


def _run(step: Step, nomad: Nomad) -> Registered | None:
    match step:
        case Register():
            return nomad.register(
                step.key,
                step.body,
                if_index=step.if_index,
                provenance=step.provenance,
                source=(step.source, step.format),
            )
        case StopJob():
            return nomad.stop(step.live)
        case PurgeJob():
            _purge(step, nomad)
        case PutNamespace():
            nomad.put_namespace(step.body)
        case DeleteNamespace():
            nomad.delete_namespace(step.key)
        case PutVariable(key=key):
            written = nomad.put_variable(key.name, step.items, if_index=step.if_index, namespace=key.namespace)
            return Registered(written.index)
        case DeleteVariable(key=key):
            nomad.delete_variable(key.name, if_index=step.if_index, namespace=key.namespace)
    return None


def _purge(step: PurgeJob, nomad: Nomad) -> None:
    """Deregister knows no compare-and-set and answers 200 whatever is there: so look once more (design §1.6)."""
    live = nomad.job(step.key)
    if live is None:
        return
    if live.create_index != step.create_index or not live.stop or live.stamp not in ("", step.fleet) or live.is_child:
        raise Conflict(f"{step.key} was changed between stop and purge; it is not purged")
    nomad.purge(step.key)
