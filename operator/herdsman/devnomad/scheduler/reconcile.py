"""What should change for a service or batch job: a pure comparison of what is wanted with what is there.

Each group goes the same way. Allocations are sorted into buckets, first match wins: over (nothing to do), lost (its
node is gone), to migrate (its node drains), to replace now or later (it failed), in place (everything else). From the
buckets follow, in this order: what stops because there are too many, what stays, what changes in place, what must be
replaced, which canaries are due, what is placed, and whether all this is a deployment.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from herdsman.devnomad.clock import rfc3339
from herdsman.devnomad.ids import new_id
from herdsman.devnomad.scheduler import reschedule
from herdsman.devnomad.scheduler.names import Names, index_of
from herdsman.devnomad.scheduler.place import Placer
from herdsman.devnomad.scheduler.values import (
    LOST,
    MIGRATING,
    NOT_NEEDED,
    RESCHEDULED,
    UPDATING,
    Decision,
    DeploymentUpdate,
    Desired,
    Later,
    Place,
    Stop,
    World,
)
from herdsman.devnomad.state import deployments
from herdsman.devnomad.state.usage import client_terminal, server_terminal, terminal
from herdsman.devnomad.structs.updates import needs_replacement
from herdsman.devnomad.types import Row

_LATER_BATCH = 5_000_000_000
"""Replacements due within the same five seconds share a follow-up evaluation."""


def reconcile(world: World, placer: Placer) -> Decision:
    """Compare; answers the orders, with nothing placed yet."""
    return _Reconciler(world, placer).run()


@dataclass(slots=True)
class _Buckets:
    """The allocations of a group by what they need."""

    present: list[Row] = field(default_factory=list)
    migrate: list[Row] = field(default_factory=list)
    lost: list[Row] = field(default_factory=list)
    now: list[Row] = field(default_factory=list)
    later: list[tuple[int, Row]] = field(default_factory=list)
    ignored: int = 0

    def names(self) -> Iterator[str]:
        for alloc in (*self.present, *self.migrate, *self.lost, *self.now):
            yield alloc["Name"]


class _Reconciler:
    def __init__(self, world: World, placer: Placer) -> None:
        self.world, self.placer = world, placer
        self.decision = Decision()
        self.batch = world.evaluation["Type"] == "batch"
        self.deployment: Row | None = None
        self.finished_deployment: Row | None = None
        self.replacements: dict[str, bool] = {}

    def run(self) -> Decision:
        if self.world.stopped:
            self._stop_job()
            return self.decision
        self._sort_deployment()
        complete = self.deployment is not None
        for group in self._groups():
            complete = self._group(group) and complete
        self._finish_deployment(complete=complete)
        return self.decision

    # -- the whole job ---------------------------------------------------------------------------------------------
    def _stop_job(self) -> None:
        for alloc in self.world.allocs:
            desired = self.decision.desired.setdefault(alloc["TaskGroup"], Desired())
            if not terminal(alloc):
                self.stop(alloc, NOT_NEEDED, desired)
        if deployments.active(self.world.deployment):
            self._cancel(self.world.deployment, deployments.STOPPED_JOB)

    def _groups(self) -> list[str]:
        assert self.world.job is not None
        names = [group["Name"] for group in self.world.job["TaskGroups"] or ()]
        return [*names, *sorted({alloc["TaskGroup"] for alloc in self.world.allocs} - set(names))]

    def _sort_deployment(self) -> None:
        """The deployment that counts is the one of this version; an older one that still runs is cancelled."""
        found, job = self.world.deployment, self.world.job
        if found is None or job is None:
            return
        if found["JobCreateIndex"] != job["CreateIndex"] or found["JobVersion"] != job["Version"]:
            if deployments.active(found):
                same_job = found["JobCreateIndex"] == job["CreateIndex"]
                self._cancel(found, deployments.NEWER_JOB if same_job else deployments.STOPPED_JOB)
            self.finished_deployment = found
        elif found["Status"] == "successful":
            self.finished_deployment = found
        else:
            self.deployment = found

    def _cancel(self, deployment: Row | None, why: str) -> None:
        assert deployment is not None
        self.decision.deployment_updates.append(DeploymentUpdate(deployment["ID"], "cancelled", why))

    def _finish_deployment(self, *, complete: bool) -> None:
        new, old = self.decision.deployment, self.deployment
        if new is not None and (old is None or new["ID"] != old["ID"]):
            if any(group["DesiredCanaries"] and not group["Promoted"] for group in new["TaskGroups"].values()):
                auto = all(g["AutoPromote"] for g in new["TaskGroups"].values() if g["DesiredCanaries"])
                new["StatusDescription"] = deployments.AUTO_PROMOTION if auto else deployments.NEEDS_PROMOTION
        elif old is not None and complete and new is None and old["Status"] in {"running", "initializing"}:
            update = DeploymentUpdate(old["ID"], "successful", deployments.SUCCESSFUL)
            self.decision.deployment_updates.append(update)

    # -- one group -------------------------------------------------------------------------------------------------
    def _group(self, name: str) -> bool:
        """Reconcile a group; answers whether it holds the deployment up no longer."""
        job = self.world.job
        assert job is not None
        desired = self.decision.desired.setdefault(name, Desired())
        allocs = [alloc for alloc in self.world.allocs if alloc["TaskGroup"] == name]
        group = next((each for each in job["TaskGroups"] or () if each["Name"] == name), None)
        if group is None:
            for alloc in allocs:
                if not terminal(alloc):
                    self.stop(alloc, NOT_NEEDED, desired)
            return True
        return _Group(self, group, allocs, desired).run()

    def stop(self, alloc: Row, why: str, desired: Desired | None = None, *, client_status: str = "") -> None:
        self.decision.stops.append(Stop(alloc, why, client_status))
        if desired is not None:
            desired.stop += 1

    # -- helpers for groups ----------------------------------------------------------------------------------------
    @property
    def paused(self) -> bool:
        return self.deployment is not None and self.deployment["Status"] in {"paused", "pending"}

    @property
    def failed(self) -> bool:
        return self.deployment is not None and self.deployment["Status"] == "failed"

    def replaced_by(self, old_job: Row, group: str) -> bool:
        """Whether the job's change replaces a group's allocations of that old version."""
        assert self.world.job is not None
        key = f"{old_job['Version']}/{old_job['CreateIndex']}/{group}"
        if key not in self.replacements:
            self.replacements[key] = needs_replacement(old_job, self.world.job, group)
        return self.replacements[key]


class _Group:
    """One group on its way through the buckets."""

    def __init__(self, parent: _Reconciler, group: Row, allocs: list[Row], desired: Desired) -> None:
        job = parent.world.job
        assert job is not None
        self.parent, self.world, self.job = parent, parent.world, job
        self.group, self.allocs, self.desired = group, allocs, desired
        self.name: str = group["Name"]
        self.count: int = group["Count"]
        self.strategy = None if parent.batch else _strategy(group)
        self.state, self.existing = self._deployment_state()
        self.canaries: dict[str, Row] = {}

    def _deployment_state(self) -> tuple[Row, bool]:
        deployment = self.parent.deployment
        if deployment is not None and self.name in deployment["TaskGroups"]:
            return dict(deployment["TaskGroups"][self.name]), True
        strategy = self.strategy or {}
        state = {
            "AutoRevert": bool(strategy.get("AutoRevert")),
            "AutoPromote": bool(strategy.get("AutoPromote")),
            "ProgressDeadline": strategy.get("ProgressDeadline") or 0,
            "RequireProgressBy": None,
            "Promoted": False,
            "PlacedCanaries": None,
            "DesiredCanaries": 0,
            "DesiredTotal": 0,
            "PlacedAllocs": 0,
            "HealthyAllocs": 0,
            "UnhealthyAllocs": 0,
        }
        return state, False

    def run(self) -> bool:
        buckets = self._sort(self._without_old_canaries())
        names = Names(self.job["ID"], self.name, self.count, buckets.names())
        self._stop_excess(buckets, names)
        in_place, destructive = self._updates(buckets.present)
        if not self.existing:
            self.state["DesiredTotal"] += len(destructive) + len(in_place)
        needs_canaries = self._place_canaries(destructive, names)
        placed = self._place(buckets, destructive, names)
        self._migrate(buckets.migrate)
        self._make_deployment(in_place=bool(in_place), destructive=bool(destructive))
        self._note_later(buckets)
        busy = destructive or in_place or placed or buckets.migrate or buckets.now or buckets.later
        return self._settled() if not busy and not needs_canaries else False

    # -- buckets ---------------------------------------------------------------------------------------------------
    def _without_old_canaries(self) -> list[Row]:
        """Stop the canaries that nobody waits for; remember those of the current deployment."""
        parent = self.parent
        unneeded: set[str] = set()
        old = parent.finished_deployment
        if old is not None and old["Status"] != "successful":
            unneeded |= _unpromoted_canaries(old["TaskGroups"].values())
        if parent.deployment is not None and parent.failed:
            unneeded |= _unpromoted_canaries(parent.deployment["TaskGroups"].values())
        for alloc in self.allocs:
            if alloc["ID"] in unneeded and not terminal(alloc):
                parent.stop(alloc, NOT_NEEDED, self.desired)
        left = [alloc for alloc in self.allocs if alloc["ID"] not in unneeded]
        wanted = set(self.state["PlacedCanaries"] or ())
        self.canaries = {alloc["ID"]: alloc for alloc in left if alloc["ID"] in wanted and not terminal(alloc)}
        return left

    def _sort(self, allocs: list[Row]) -> _Buckets:
        buckets = _Buckets()
        for alloc in allocs:
            self._sort_one(alloc, buckets)
        self.desired.ignore += buckets.ignored
        return buckets

    def _sort_one(self, alloc: Row, buckets: _Buckets) -> None:
        if self._is_over(alloc):
            buckets.ignored += self.parent.batch and not self._counts_as_done(alloc)
            return
        node = self.world.nodes.get(alloc["NodeID"])
        if not client_terminal(alloc):
            if node is None or node["Status"] == "down":
                buckets.lost.append(alloc)
                return
            if (alloc["DesiredTransition"] or {}).get("Migrate"):
                buckets.migrate.append(alloc)
                return
        due = self._due(alloc)
        if due is None:
            buckets.present.append(alloc)
        elif due <= self.world.now + reschedule.WINDOW or alloc["FollowupEvalID"] == self.world.evaluation["ID"]:
            buckets.now.append(alloc)
        else:
            buckets.present.append(alloc)
            if not alloc["FollowupEvalID"]:
                buckets.later.append((due, alloc))

    def _is_over(self, alloc: Row) -> bool:
        """Whether an allocation is history: it counts for nothing any more."""
        if self.parent.batch:
            if self._counts_as_done(alloc):
                return False
            return server_terminal(alloc) or bool(alloc["NextAllocation"]) or self._of_older_version(alloc)
        if server_terminal(alloc) or alloc["ClientStatus"] in {"complete", "lost"}:
            return True
        return bool(alloc["ClientStatus"] == "failed" and alloc["NextAllocation"])

    def _counts_as_done(self, alloc: Row) -> bool:
        """A batch allocation that did its work is not run again, whatever became of it afterwards."""
        return bool(alloc["ClientStatus"] == "complete" and _succeeded(alloc) and not self._of_older_version(alloc))

    def _of_older_version(self, alloc: Row) -> bool:
        job = alloc["Job"]
        older = job["CreateIndex"] != self.job["CreateIndex"] or job["Version"] < self.job["Version"]
        return older and client_terminal(alloc)

    def _due(self, alloc: Row) -> int | None:
        transition = alloc["DesiredTransition"] or {}
        if transition.get("ForceReschedule"):
            return self.world.now if alloc["ClientStatus"] == "failed" else None
        deployment = self.parent.deployment
        part = deployment is not None and alloc["DeploymentID"] == deployment["ID"]
        if part and deployments.active(deployment) and not transition.get("Reschedule"):
            return None  # the deployment watcher decides first whether the deployment goes on
        found = reschedule.due(alloc, self.group["ReschedulePolicy"])
        return found.at if found else None

    # -- too many --------------------------------------------------------------------------------------------------
    @property
    def _canarying(self) -> bool:
        return bool(self.state["DesiredCanaries"] and not self.state["Promoted"])

    def _stop_excess(self, buckets: _Buckets, names: Names) -> None:
        for alloc in buckets.lost:
            self.parent.stop(alloc, LOST, self.desired, client_status="lost")
        candidates = [a for a in buckets.present if not (self._canarying and a["ID"] in self.canaries)]
        excess = len(candidates) + len(buckets.migrate) + len(buckets.now) - self.count
        if excess <= 0:
            return
        chosen = self._least_wanted(candidates, buckets, excess)
        for alloc in chosen:
            if not terminal(alloc):
                self.parent.stop(alloc, NOT_NEEDED, self.desired)
            names.free(alloc["Name"])
        gone = {alloc["ID"] for alloc in chosen}
        buckets.present = [alloc for alloc in buckets.present if alloc["ID"] not in gone]
        buckets.migrate = [alloc for alloc in buckets.migrate if alloc["ID"] not in gone]
        buckets.now = [alloc for alloc in buckets.now if alloc["ID"] not in gone]
        buckets.later = [(at, alloc) for at, alloc in buckets.later if alloc["ID"] not in gone]

    def _least_wanted(self, candidates: list[Row], buckets: _Buckets, excess: int) -> list[Row]:
        """Whom to stop first: what is over anyway, what a promoted canary stands in for, what moves, then by number."""
        promoted = {a["Name"] for a in self.canaries.values()} if not self._canarying else set()

        def rank(alloc: Row) -> tuple[bool, bool, bool, int]:
            doubled = alloc["Name"] in promoted and alloc["ID"] not in self.canaries
            moving = any(alloc is each for each in buckets.migrate)
            return not client_terminal(alloc), not doubled, not moving, -index_of(alloc["Name"])

        return sorted([*candidates, *buckets.migrate, *buckets.now], key=rank)[:excess]

    # -- updates ---------------------------------------------------------------------------------------------------
    def _updates(self, present: list[Row]) -> tuple[list[Row], list[Row]]:
        in_place, destructive = [], []
        for alloc in present:
            if self._up_to_date(alloc):
                self.desired.ignore += 1
            elif self.parent.replaced_by(alloc["Job"], self.name):
                destructive.append(alloc)
            elif client_terminal(alloc):
                self.desired.ignore += 1
            elif self.parent.placer.fits_in_place(alloc, self.job, self.group):
                in_place.append(alloc)
            else:
                destructive.append(alloc)
        self.desired.in_place += len(in_place)
        self.parent.decision.in_place += in_place
        return in_place, destructive

    def _up_to_date(self, alloc: Row) -> bool:
        if alloc["Job"]["JobModifyIndex"] == self.job["JobModifyIndex"]:
            return True
        return self.parent.batch and self._counts_as_done(alloc)

    # -- canaries --------------------------------------------------------------------------------------------------
    def _place_canaries(self, destructive: list[Row], names: Names) -> bool:
        strategy = self.strategy
        if strategy is None or not destructive or not strategy["Canary"] or self.state["Promoted"]:
            return False
        missing = strategy["Canary"] - len(self.canaries)
        if missing <= 0:
            return False
        self.state["DesiredCanaries"] = strategy["Canary"]
        if self.parent.paused or self.parent.failed:
            return True
        self.desired.canary += missing
        for name in names.canaries(missing, destructive):
            self.parent.decision.places.append(Place(name, self.name, canary=True))
        return True

    # -- placements ------------------------------------------------------------------------------------------------
    def _place(self, buckets: _Buckets, destructive: list[Row], names: Names) -> bool:
        """Fill up to the count, then replace what must be; answers whether anything is placed."""
        old_canaries = [a for a in buckets.present if self._canarying and a["ID"] in self.canaries]
        have = len(buckets.present) - len(old_canaries) + len(buckets.migrate) + len(buckets.now) + len(buckets.lost)
        replacing = [self._replacement(alloc) for alloc in buckets.now] + [
            Place(alloc["Name"], self.name, previous=alloc) for alloc in buckets.lost[: max(0, self._room(buckets))]
        ]
        fresh = [Place(name, self.name) for name in names.next(self.count - have)]
        ready = not (self.parent.paused or self.parent.failed or self._canarying)
        limit = self._limit(buckets.present, destructive)
        placing = replacing + fresh if ready else replacing
        if not self.existing:
            self.state["DesiredTotal"] += len(replacing + fresh)
        self.desired.place += len(placing)
        self.desired.reschedule_now += len(buckets.now)
        self.parent.decision.places += placing
        for alloc in buckets.now:
            self.parent.stop(alloc, RESCHEDULED, self.desired)
        if ready:
            limit -= min(limit, len(placing))
            self._replace(destructive, limit)
        else:
            self.desired.ignore += len(destructive)
        return bool(placing)

    def _room(self, buckets: _Buckets) -> int:
        return self.count - len(buckets.present) - len(buckets.migrate) - len(buckets.now)

    def _replacement(self, alloc: Row) -> Place:
        older = self._canarying and alloc["ID"] not in (self.state["PlacedCanaries"] or ())
        return Place(
            alloc["Name"],
            self.name,
            previous=alloc,
            reschedule=True,
            canary=bool((alloc["DeploymentStatus"] or {}).get("Canary")) and self._canarying,
            job=alloc["Job"] if older or self.parent.failed else None,
        )

    def _limit(self, present: list[Row], destructive: list[Row]) -> int:
        """How many allocations may be replaced at once."""
        strategy, deployment = self.strategy, self.parent.deployment
        if strategy is None or not destructive:
            return self.count
        if self.parent.paused or self.parent.failed or self._canarying:
            return 0
        limit: int = strategy["MaxParallel"]
        if deployment is not None:
            for alloc in present:
                if alloc["DeploymentID"] == deployment["ID"]:
                    healthy = (alloc["DeploymentStatus"] or {}).get("Healthy")
                    if healthy is False:
                        return 0
                    limit -= healthy is not True
        return max(limit, 0)

    def _replace(self, destructive: list[Row], limit: int) -> None:
        chosen = sorted(destructive, key=lambda alloc: index_of(alloc["Name"]))[:limit]
        self.desired.destructive += len(chosen)
        self.desired.ignore += len(destructive) - len(chosen)
        self.parent.decision.places += [
            Place(alloc["Name"], self.name, previous=alloc, replaces=Stop(alloc, UPDATING)) for alloc in chosen
        ]

    def _migrate(self, moving: list[Row]) -> None:
        self.desired.migrate += len(moving)
        for alloc in moving:
            older = self._canarying and alloc["ID"] not in self.canaries
            self.parent.stop(alloc, MIGRATING)
            job = alloc["Job"] if older or self.parent.failed else None
            self.parent.decision.places.append(Place(alloc["Name"], self.name, previous=alloc, job=job))

    # -- deployments -----------------------------------------------------------------------------------------------
    def _make_deployment(self, *, in_place: bool, destructive: bool) -> None:
        if self.strategy is None:
            return
        if self.existing:
            self._note_canaries()
            return
        of_version = any(
            alloc["Job"]["Version"] == self.job["Version"] and alloc["Job"]["CreateIndex"] == self.job["CreateIndex"]
            for alloc in self.allocs
        )
        if not self.state["DesiredTotal"] or (of_version and not in_place and not destructive):
            return
        decision = self.parent.decision
        if decision.deployment is None:
            decision.deployment = (
                self._new_deployment() if self.parent.deployment is None else _copy(self.parent.deployment)
            )
        decision.deployment["TaskGroups"][self.name] = self.state

    def _note_canaries(self) -> None:
        deployment = self.parent.deployment
        assert deployment is not None
        if deployment["TaskGroups"][self.name]["DesiredCanaries"] != self.state["DesiredCanaries"]:
            decision = self.parent.decision
            decision.deployment = decision.deployment or _copy(deployment)
            decision.deployment["TaskGroups"][self.name] = self.state

    def _new_deployment(self) -> Row:
        job = self.job
        return {
            "ID": new_id(),
            "Namespace": job["Namespace"],
            "JobID": job["ID"],
            "JobVersion": job["Version"],
            "JobModifyIndex": job["ModifyIndex"],
            "JobSpecModifyIndex": job["JobModifyIndex"],
            "JobCreateIndex": job["CreateIndex"],
            "IsMultiregion": False,
            "TaskGroups": {},
            "Status": "running",
            "StatusDescription": deployments.RUNNING,
            "EvalPriority": self.world.evaluation["Priority"],
        }

    def _settled(self) -> bool:
        """Whether a group's part of the deployment is done."""
        if self.parent.deployment is None or not self.existing:
            return True
        state = self.state
        if state["HealthyAllocs"] < max(state["DesiredTotal"], state["DesiredCanaries"]):
            return False
        return bool(not state["DesiredCanaries"] or state["Promoted"])

    def _note_later(self, buckets: _Buckets) -> None:
        self.desired.reschedule_later += len(buckets.later)
        self.parent.decision.later += _batched(buckets.later)


def _strategy(group: Row) -> Row | None:
    update = group["Update"]
    return update if update and update["MaxParallel"] else None


def _unpromoted_canaries(groups: Iterable[Row]) -> set[str]:
    return {each for group in groups if not group["Promoted"] for each in group["PlacedCanaries"] or ()}


def _succeeded(alloc: Row) -> bool:
    """Whether every task of an allocation ended well."""
    states = (alloc["TaskStates"] or {}).values()
    return bool(states) and all(state["State"] == "dead" and not state["Failed"] for state in states)


def _copy(deployment: Row) -> Row:
    return {**deployment, "TaskGroups": dict(deployment["TaskGroups"])}


def _batched(later: list[tuple[int, Row]]) -> list[Later]:
    batches: list[Later] = []
    for at, alloc in sorted(later, key=lambda each: each[0]):
        if batches and at - batches[-1].at < _LATER_BATCH:
            batches[-1] = Later(batches[-1].at, (*batches[-1].allocs, alloc))
        else:
            batches.append(Later(at, (alloc,)))
    return batches


def deadline(now: int, state: Row) -> str | None:
    """By when a group of a deployment must make progress."""
    return rfc3339(now + state["ProgressDeadline"]) if state["ProgressDeadline"] else None
