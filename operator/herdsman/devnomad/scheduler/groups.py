"""What should change for one group of a service or batch job.

From its allocations, sorted into buckets, follow in this order: what stops because there are too many, what stays, what
changes in place, what must be replaced, which canaries are due, what is placed, and whether all this is a deployment.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from herdsman.devnomad.scheduler.buckets import Buckets, Sorter
from herdsman.devnomad.scheduler.names import Names, index_of
from herdsman.devnomad.scheduler.values import (
    LOST,
    MIGRATING,
    NOT_NEEDED,
    RESCHEDULED,
    UPDATING,
    Desired,
    Later,
    Place,
    Stop,
    new_deployment,
    new_group_state,
)
from herdsman.devnomad.state.usage import client_terminal, server_terminal, terminal
from herdsman.devnomad.types import Row

if TYPE_CHECKING:
    from herdsman.devnomad.scheduler.reconcile import Reconciler

_LATER_BATCH = 5_000_000_000
"""Replacements due within the same five seconds share a follow-up evaluation."""


class GroupReconciler:
    """Compares one group."""

    def __init__(self, parent: "Reconciler", group: Row, allocs: list[Row], desired: Desired) -> None:
        job = parent.world.job
        assert job is not None
        self.parent, self.world, self.job = parent, parent.world, job
        self.group, self.allocs, self.desired = group, allocs, desired
        self.name: str = group["Name"]
        self.count: int = group["Count"]
        self.strategy = None if parent.batch else _strategy(group)
        self.state, self.existing = self._deployment_state()
        self.canaries: dict[str, Row] = {}
        self._sorter = Sorter(parent.world, job, group, deployment=parent.deployment, batch=parent.batch)

    def _deployment_state(self) -> tuple[Row, bool]:
        deployment = self.parent.deployment
        if deployment is not None and self.name in deployment["TaskGroups"]:
            return dict(deployment["TaskGroups"][self.name]), True
        return new_group_state(self.strategy or {}), False

    def run(self) -> bool:
        """Order what must change; answers whether the group holds the deployment up no longer."""
        buckets = self._sorter.sort(self._without_old_canaries())
        self.desired.ignore += buckets.ignored
        names = Names(self.job["ID"], self.name, buckets.names())
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

    # -- canaries of other days -------------------------------------------------------------------------------------
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
            if alloc["ID"] in unneeded and not server_terminal(alloc):
                parent.stop(alloc, NOT_NEEDED, self.desired)
        left = [alloc for alloc in self.allocs if alloc["ID"] not in unneeded]
        wanted = set(self.state["PlacedCanaries"] or ())
        self.canaries = {alloc["ID"]: alloc for alloc in left if alloc["ID"] in wanted and not _replaced(alloc)}
        return left

    # -- too many --------------------------------------------------------------------------------------------------
    @property
    def _canarying(self) -> bool:
        return bool(self.state["DesiredCanaries"] and not self.state["Promoted"])

    def _stop_excess(self, buckets: Buckets, names: Names) -> None:
        for alloc in buckets.lost:
            self.parent.stop(alloc, LOST, self.desired, client_status="lost")
        candidates = self._counted([*buckets.present, *buckets.migrate, *buckets.now])
        excess = len(candidates) - self.count
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

    def _least_wanted(self, candidates: list[Row], buckets: Buckets, excess: int) -> list[Row]:
        """Whom to stop first: what is over anyway, what a promoted canary stands in for, what moves, then by number."""
        promoted = {a["Name"] for a in self.canaries.values()} if not self._canarying else set()

        def rank(alloc: Row) -> tuple[bool, bool, bool, int]:
            doubled = alloc["Name"] in promoted and alloc["ID"] not in self.canaries
            moving = any(alloc is each for each in buckets.migrate)
            return not client_terminal(alloc), not doubled, not moving, -index_of(alloc["Name"])

        return sorted(candidates, key=rank)[:excess]

    def _is_canary(self, alloc: Row) -> bool:
        """Whether an allocation is a canary that nobody promoted yet."""
        return self._canarying and alloc["ID"] in self.canaries

    def _counted(self, allocs: Iterable[Row]) -> list[Row]:
        """The allocations that count towards the group's count: canaries stand beside it."""
        return [alloc for alloc in allocs if not self._is_canary(alloc)]

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
        return self.parent.batch and self._sorter.did_its_work(alloc)

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
        standing = {alloc["Name"] for alloc in self.canaries.values()}
        for name in names.canaries(missing, destructive, standing):
            self.parent.decision.places.append(Place(name, self.name, canary=True))
        return True

    # -- placements ------------------------------------------------------------------------------------------------
    def _place(self, buckets: Buckets, destructive: list[Row], names: Names) -> bool:
        """Fill up to the count, then replace what must be; answers whether anything is placed."""
        lost = self._counted(buckets.lost)
        have = len(self._counted([*buckets.present, *buckets.migrate, *buckets.now]))
        replacing = [self._successor(alloc, reschedule=True) for alloc in buckets.now]
        replacing += [self._successor(alloc) for alloc in buckets.lost if self._is_canary(alloc)]
        replacing += [self._successor(alloc) for alloc in lost[: max(self.count - have, 0)]]
        fresh = [Place(name, self.name) for name in names.next(self.count - have - len(lost))]
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

    def _successor(self, alloc: Row, *, reschedule: bool = False) -> Place:
        """Who takes an allocation's place: of the version it had, while canaries are tried or have failed."""
        canary = self._is_canary(alloc)
        older = (self._canarying and not canary) or self.parent.failed
        return Place(
            alloc["Name"],
            self.name,
            previous=alloc,
            canary=canary,
            reschedule=reschedule,
            job=alloc["Job"] if older else None,
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
            self.parent.stop(alloc, MIGRATING)
            self.parent.decision.places.append(self._successor(alloc))

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
                new_deployment(self.world) if self.parent.deployment is None else _copy(self.parent.deployment)
            )
        decision.deployment["TaskGroups"][self.name] = self.state

    def _note_canaries(self) -> None:
        deployment = self.parent.deployment
        assert deployment is not None
        if deployment["TaskGroups"][self.name]["DesiredCanaries"] != self.state["DesiredCanaries"]:
            decision = self.parent.decision
            decision.deployment = decision.deployment or _copy(deployment)
            decision.deployment["TaskGroups"][self.name] = self.state

    def _settled(self) -> bool:
        """Whether a group's part of the deployment is done."""
        if self.parent.deployment is None or not self.existing:
            return True
        state = self.state
        if state["HealthyAllocs"] < max(state["DesiredTotal"], state["DesiredCanaries"]):
            return False
        return bool(not state["DesiredCanaries"] or state["Promoted"])

    def _note_later(self, buckets: Buckets) -> None:
        self.desired.reschedule_later += len(buckets.later)
        self.parent.decision.later += _batched(buckets.later)


def _strategy(group: Row) -> Row | None:
    update = group["Update"]
    return update if update and update["MaxParallel"] else None


def _replaced(alloc: Row) -> bool:
    """Whether somebody else does an allocation's work, or will: a failed one still has its place until then."""
    return server_terminal(alloc) or alloc["ClientStatus"] in {"complete", "lost"} or bool(alloc["NextAllocation"])


def _unpromoted_canaries(groups: Iterable[Row]) -> set[str]:
    return {each for group in groups if not group["Promoted"] for each in group["PlacedCanaries"] or ()}


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
