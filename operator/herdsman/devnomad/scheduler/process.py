"""One evaluation from beginning to end: compare, find room, and say what is left over."""

from herdsman.devnomad.scheduler import reconcile, reschedule, system
from herdsman.devnomad.scheduler.place import Placer
from herdsman.devnomad.scheduler.values import Decision, Desired, Place, Plan, World
from herdsman.devnomad.state import deployments, evals
from herdsman.devnomad.types import Row

SYSTEM_TYPES = frozenset({"system", "sysbatch"})


def process(world: World) -> Plan:
    """The plan for an evaluation."""
    plan = Plan(world.evaluation, world.job)
    placer = Placer(world, plan)
    compare = system.reconcile if world.evaluation["Type"] in SYSTEM_TYPES else reconcile.reconcile
    decision = compare(world, placer)
    plan.desired = decision.desired
    plan.deployment_updates = decision.deployment_updates
    plan.deployment = decision.deployment
    for stop in decision.stops:
        placer.stop(stop)
    _update_in_place(world, plan, decision)
    _place(world, plan, placer, decision)
    _note_later(world, plan, decision)
    _count_queued(world, plan)
    return plan


def _deployment_id(world: World, plan: Plan, group: str) -> str:
    """The deployment that an allocation of this group becomes part of."""
    new, old, job = plan.deployment, world.deployment, world.job
    if new is not None and group in new["TaskGroups"]:
        return str(new["ID"])
    if old is None or job is None or not deployments.of_version(old, job) or old["Status"] == "successful":
        return ""
    return str(old["ID"]) if group in old["TaskGroups"] else ""


def _update_in_place(world: World, plan: Plan, decision: Decision) -> None:
    for alloc in decision.in_place:
        deployment_id = _deployment_id(world, plan, alloc["TaskGroup"])
        plan.updates.append(
            {
                **alloc,
                "Job": world.job,
                "EvalID": world.evaluation["ID"],
                "DeploymentID": deployment_id or alloc["DeploymentID"],
                "DeploymentStatus": None if deployment_id != alloc["DeploymentID"] else alloc["DeploymentStatus"],
            }
        )


def _place(world: World, plan: Plan, placer: Placer, decision: Decision) -> None:
    for wanted in decision.places:
        current = wanted.job is None or wanted.job["Version"] == (world.job or {}).get("Version")
        deployment_id = _deployment_id(world, plan, wanted.group) if current else ""
        if placer.place(wanted, deployment_id=deployment_id):
            _carry_history(world, plan, wanted)
        else:
            _unfulfilled(plan, wanted)


def _carry_history(world: World, plan: Plan, wanted: Place) -> None:
    if wanted.reschedule and wanted.previous is not None:
        job = wanted.job or world.job
        assert job is not None
        group = next(each for each in job["TaskGroups"] if each["Name"] == wanted.group)
        placed = plan.placements[-1]
        placed["RescheduleTracker"] = reschedule.tracker(wanted.previous, group["ReschedulePolicy"], now=world.now)


def _unfulfilled(plan: Plan, wanted: Place) -> None:
    plan.queued[wanted.group] = plan.queued.get(wanted.group, 0) + 1


def _note_later(world: World, plan: Plan, decision: Decision) -> None:
    for later in decision.later:
        assert world.job is not None
        followup = evals.new_eval(
            world.job,
            "alloc-failure",
            StatusDescription="created for delayed rescheduling",
            WaitUntil=later.at,
            PreviousEval=world.evaluation["ID"],
        )
        plan.followups.append(followup)
        touched = {alloc["ID"] for alloc in later.allocs}
        plan.updates = [
            {**each, "FollowupEvalID": followup["ID"]} if each["ID"] in touched else each for each in plan.updates
        ]
        known = {each["ID"] for each in plan.updates}
        plan.updates += [
            {**alloc, "FollowupEvalID": followup["ID"]} for alloc in later.allocs if alloc["ID"] not in known
        ]


def _count_queued(world: World, plan: Plan) -> None:
    """How many placements of each group found no room: zero where all did."""
    job = world.job
    names = [group["Name"] for group in job["TaskGroups"] or ()] if job is not None and not job["Stop"] else []
    plan.queued = {name: plan.queued.get(name, 0) for name in names}
    for name in names:
        plan.desired.setdefault(name, Desired())


def blocked_eval(plan: Plan) -> Row:
    """The evaluation that waits until there is room for the rest of this plan."""
    evaluation = plan.evaluation
    return {
        **evals.make(
            evaluation["Namespace"],
            evaluation["JobID"],
            kind=evaluation["Type"],
            priority=evaluation["Priority"],
            trigger="queued-allocs",
        ),
        "JobModifyIndex": evaluation["JobModifyIndex"],
        "Status": "blocked",
        "StatusDescription": "created to place remaining allocations",
        "PreviousEval": evaluation["ID"],
        "FailedTGAllocs": plan.failed,
        "QueuedAllocations": plan.queued,
    }
