"""Random worlds of specs, live jobs and faults: it converges, falls silent, and never removes what it may not."""

import contextlib
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness import Harness, fleet_document, group, job_document
from herdsman.errors import Conflict, NomadError, Unavailable
from herdsman.model.desired import Stopped
from herdsman.model.keys import Key, job_key
from herdsman.model.observed import STAMP, LiveJob
from herdsman.model.plans import Reason
from herdsman.model.statuses import ConditionType, Truth
from twin import NomadTwin

NAMES = ["a", "b", "c", "d", "e", "f"]
names = st.sampled_from(NAMES)
policies = st.fixed_dictionaries(
    {},
    optional={
        "drift": st.sampled_from(["enforce", "warn"]),
        "prune": st.sampled_from(["purge", "stop", "keep"]),
        "stopped": st.sampled_from(["revert", "respect"]),
        "adopt": st.sampled_from(["never", "if-equal", "always"]),
        "suspend": st.booleans(),
        "ignore": st.just(["Priority"]),
    },
)
bodies = st.fixed_dictionaries(
    {"Priority": st.integers(40, 60), "TaskGroups": st.integers(1, 3).map(lambda n: [group(count=n)])},
    optional={
        "Meta": st.just({"k": "v"}),
        "Spreads": st.just([{"Attribute": "${node.datacenter}", "Weight": 50}]),
        "Type": st.sampled_from(["service", "batch"]),
    },
)
HELD = {
    Reason.SUSPENDED,
    Reason.NOT_OWNED,
    Reason.DRIFTED,
    Reason.PRUNE_LIMIT,
    Reason.INVALID,
    Reason.DESIRED_INCOMPLETE,
    Reason.CIRCUIT_OPEN,
}


class Watched(NomadTwin):
    """A twin that holds every removal against the rules, at the moment when it happens."""

    def __init__(self) -> None:
        super().__init__()
        self.harness: Harness | None = None

    def stop(self, live: LiveJob) -> Any:
        self._must_be_allowed(live.key)
        return super().stop(live)

    def purge(self, key: Key) -> None:
        if key in self.jobs:
            assert self.jobs[key].body["Stop"], f"{key} is purged without having been stopped"
            self._must_be_allowed(key)
        super().purge(key)

    def _must_be_allowed(self, key: Key) -> None:
        assert self.harness is not None
        desired, job = self.harness.view.desired, self.jobs[key]
        assert key not in desired.wanted, f"{key} is wanted"
        assert key not in desired.frozen, f"{key} is declared by a spec that was rejected"
        assert desired.settled, "the snapshot is incomplete"
        assert not any(key.name.encode() in (f.text or b"") for f in desired.unread), f"{key} may be declared"
        assert not self.harness.store.is_suspended(key), f"{key} is suspended"
        stamp = (job.body["Meta"] or {}).get(STAMP)
        record = self.harness.store.memory(key)
        assert stamp == "f" or (stamp is None and record.owned), f"{key} is not ours"
        assert not job.body["ParentID"], f"{key} is a child"


class Worlds(RuleBasedStateMachine):
    """Everybody acts at random; the operator must cope."""

    def __init__(self) -> None:
        super().__init__()
        self.nomad = Watched()
        self.harness = Harness({"fleet.yaml": fleet_document()}, nomad=self.nomad)
        self.nomad.harness = self.harness
        self.strangers: dict[Key, dict[str, Any]] = {}

    @initialize(specs=st.dictionaries(names, bodies, min_size=2))
    def begin(self, specs: dict[str, dict[str, Any]]) -> None:
        for name, body in specs.items():
            self.harness.files[f"{name}.yaml"] = job_document(name, **body)
        self.harness.sync()

    # -- Git --

    @rule(name=names, body=bodies, policy=policies)
    def write_spec(self, name: str, body: dict[str, Any], policy: dict[str, Any]) -> None:
        self.harness.files[f"{name}.yaml"] = job_document(name, policy=policy, **body)

    @rule(name=names)
    def remove_spec(self, name: str) -> None:
        self.harness.files.pop(f"{name}.yaml", None)

    @rule(name=names)
    def break_spec(self, name: str) -> None:
        if f"{name}.yaml" in self.harness.files:
            self.harness.files[f"{name}.yaml"] = str(self.harness.files[f"{name}.yaml"]) + "\n  broken: ["

    @rule(name=names)
    def declare_twice(self, name: str) -> None:
        if f"{name}.yaml" in self.harness.files:
            self.harness.files["twice.yaml"] = self.harness.files[f"{name}.yaml"]

    @rule()
    def mend_twice(self) -> None:
        self.harness.files.pop("twice.yaml", None)

    @rule(settled=st.booleans())
    def look_at_the_source(self, settled: bool) -> None:
        self.harness.settled = settled
        self.harness.load()

    # -- people and other tools --

    @rule(name=names, priority=st.integers(61, 70))
    def edit(self, name: str, priority: int) -> None:
        if (key := job_key("default", name)) in self.nomad.jobs:
            self.nomad.foreign_edit(key, lambda b: b.update(Priority=priority))

    @rule(name=names)
    def edit_without_stamp(self, name: str) -> None:
        if (key := job_key("default", name)) in self.nomad.jobs:
            self.nomad.foreign_edit(key, lambda b: b.update(Meta=None))

    @rule(name=names)
    def stop(self, name: str) -> None:
        if (key := job_key("default", name)) in self.nomad.jobs:
            self.nomad.foreign_stop(key)

    @rule(name=names)
    def purge(self, name: str) -> None:
        if (key := job_key("default", name)) in self.nomad.jobs:
            self.nomad.foreign_purge(key)

    @rule(name=names)
    def finish(self, name: str) -> None:
        key = job_key("default", name)
        if key in self.nomad.jobs and self.nomad.jobs[key].body["Type"] == "batch":
            self.nomad.finish(key)

    @rule()
    def collect_garbage(self) -> None:
        self.nomad.collect_garbage()

    @rule(name=names, stamp=st.sampled_from([None, {STAMP: "other"}]))
    def stranger(self, name: str, stamp: dict[str, str] | None) -> None:
        key = job_key("default", name)
        if key not in self.nomad.jobs:
            self.nomad.foreign_register({"ID": name, "Name": name, "Meta": stamp, "TaskGroups": [group()]})

    @rule(name=names)
    def child(self, name: str) -> None:
        body = {"ID": f"{name}/periodic-1", "Name": name, "Type": "batch", "ParentID": name, "Meta": {STAMP: "f"}}
        self.strangers[self.nomad.foreign_register({**body, "TaskGroups": [group()]})] = body

    @rule(name=names, suspended=st.booleans())
    def suspend(self, name: str, suspended: bool) -> None:
        self.harness.store.suspend(job_key("default", name), suspended=suspended)

    # -- the operator --

    @rule(faults=st.lists(st.sampled_from([None, None, None, "error", "conflict", "lost"]), max_size=30))
    def work_in_bad_weather(self, faults: list[str | None]) -> None:
        def fault(_name: str, _key: Key | None) -> NomadError | str | None:
            found = faults.pop() if faults else None
            return {None: None, "error": Unavailable("500"), "conflict": Conflict("x"), "lost": "lost"}[found]

        self.nomad.fault = fault
        with contextlib.suppress(NomadError):
            self.harness.sync()
        self.nomad.fault = None

    @rule(lose_state=st.booleans())
    def restart(self, lose_state: bool) -> None:
        self.harness.restart(lose_state=lose_state)

    @rule(minutes=st.integers(1, 20))
    def wait(self, minutes: int) -> None:
        self.harness.clock.advance(60 * minutes)

    @precondition(lambda self: self.nomad.fault is None)
    @rule()
    def settle(self) -> None:
        """In good weather it converges, and then it is silent."""
        self.harness.settled = True
        self.harness.sync()
        self.harness.sync()

        assert self.harness.writes_during(self.harness.sync) == [], "applying and looking again is silent"
        for key in self.harness.view.desired.wanted:
            self._must_be_as_declared(key)

    def _must_be_as_declared(self, key: Key) -> None:
        status = self.harness.status(key)
        suspended = status.conditions[ConditionType.SUSPENDED].status is Truth.TRUE
        if status.reason in HELD or suspended:
            return
        if key not in self.nomad.jobs:
            respects = self.harness.view.desired.wanted[key].policy.stopped is Stopped.RESPECT
            at_rest = {Reason.COMPLETED, Reason.STOPPED} if respects else {Reason.COMPLETED}
            assert status.reason in at_rest, f"{key} is missing: {status.reason}"
            return
        plan = self.harness.operator.plan([key])[0]
        assert plan.decision.reason in (Reason.IN_SYNC, Reason.ADOPTED), plan.decision

    @invariant()
    def children_live(self) -> None:
        assert all(k in self.nomad.jobs for k in self.strangers)


Worlds.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWorlds = Worlds.TestCase
