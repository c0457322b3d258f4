"""Nodes: made eligible or not, drained, purged."""

from herdsman.devnomad.clock import now_ns, rfc3339
from herdsman.devnomad.errors import NotFound, Refused
from herdsman.devnomad.ids import id_fault
from herdsman.devnomad.rpc.jobs import launches
from herdsman.devnomad.rpc.meta import write_meta
from herdsman.devnomad.state import evals
from herdsman.devnomad.state.store import Store, Txn
from herdsman.devnomad.types import Row

KEPT_EVENTS = 10
_KEPT_FIELDS = (
    "CreateIndex",
    "Events",
    "Meta",
    "NodePool",
    "SchedulingEligibility",
    "Drain",
    "DrainStrategy",
    "LastDrain",
)
_STUB = (
    "ID",
    "Datacenter",
    "Name",
    "NodeClass",
    "NodePool",
    "Drain",
    "SchedulingEligibility",
    "Status",
    "StatusDescription",
    "Drivers",
    "HostVolumes",
    "LastDrain",
    "CreateIndex",
    "ModifyIndex",
)


def stub(node: Row, *, resources: bool = False, os: bool = False) -> Row:
    """A node as a list shows it."""
    out = {field: node[field] for field in _STUB}
    out["Address"] = node["Attributes"]["unique.network.ip-address"]
    out["Version"] = node["Attributes"]["nomad.version"]
    if os:
        out["Attributes"] = {"os.name": node["Attributes"]["os.name"]}
    if resources:
        out["NodeResources"] = node["NodeResources"]
        out["ReservedResources"] = node["ReservedResources"]
    return out


def shown(node: Row) -> Row:
    """A node as a read shows it."""
    return {**node, "SecretID": ""}


def lookup(store: Store, node_id: str) -> Row:
    """The node of this ID, or the refusal that Nomad gives."""
    if fault := id_fault(node_id):
        raise Refused(f"node lookup failed: {fault}")
    node = store.nodes.get(node_id)
    if node is None:
        raise NotFound("node not found")
    return node


def changeable(store: Store, node_id: str) -> Row:
    """The node that is to be changed. Of one that is not there a write says 500, where a read says 404."""
    try:
        return lookup(store, node_id)
    except NotFound as missing:
        raise Refused(missing.text) from None


class Nodes:
    """Requests that change nodes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, node: Row, known: Row | None) -> None:
        """A node joins, or joins again: then its eligibility, its drain and its metadata stay."""
        with self._store.write("NodeRegistration") as txn:
            row = {**node, "CreateIndex": txn.index}
            if known is not None:
                row.update({field: known[field] for field in _KEPT_FIELDS})
            put_event(txn, row, "Cluster", "Node re-registered" if known else "Node registered")
            self.evaluate_in(txn, node["ID"], "node-update")

    def mark_down(self, node: Row) -> None:
        """A node is gone; what ran on it is lost."""
        with self._store.write("NodeEvent") as txn:
            put_event(txn, {**node, "Status": "down"}, "Cluster", "Node heartbeat missed")
            self.evaluate_in(txn, node["ID"], "node-update")

    def set_eligibility(self, node: Row, eligibility: str) -> Row:
        """Let a node take new work, or not."""
        if eligibility not in {"eligible", "ineligible"}:
            raise Refused(f'invalid scheduling eligibility "{eligibility}"')
        if eligibility == "eligible" and node["DrainStrategy"] is not None:
            raise Refused("can not set node's scheduling eligibility to eligible while it is draining")
        created: list[Row] = []
        if node["SchedulingEligibility"] == eligibility:
            return self._answer(self._store.index, created)
        with self._store.write("NodeEligibility") as txn:
            row = {**node, "SchedulingEligibility": eligibility}
            put_event(txn, row, "Cluster", f"Node marked as {eligibility} for scheduling")
            if eligibility == "eligible":
                created = self.evaluate_in(txn, node["ID"], "node-update")
        return self._answer(txn.index, created)

    def drain(self, node: Row, spec: Row | None, *, mark_eligible: bool, meta: Row | None, accessor: str) -> Row:
        """Move everything off a node, or end that; `accessor` is who wants it."""
        with self._store.write("NodeDrain") as txn:
            if spec is None:
                row, text = _undrained(node, mark_eligible=mark_eligible), "Node drain disabled"
            else:
                row, text = _draining(node, spec, meta, accessor), "Node drain strategy set"
            put_event(txn, row, "Drain", text)
            created = self.evaluate_in(txn, node["ID"], "node-drain") if spec is None and mark_eligible else []
        answer = self._answer(txn.index, created)
        return {**answer, "NodeModifyIndex": txn.index}

    def purge(self, node: Row) -> Row:
        """Forget a node; what ran on it is lost."""
        with self._store.write("NodeDeregistration") as txn:
            txn.delete(self._store.nodes, node["ID"])
            created = self.evaluate_in(txn, node["ID"], "node-update")
        return {**self.long_answer(txn.index, created), "NodeModifyIndex": txn.index}

    def set_metadata(self, node: Row, change: Row) -> Row:
        """Change a node's metadata (none as a value takes a key away); answers the node."""
        merged = {**node["Meta"], **change}
        with self._store.write("NodeRegistration") as txn:
            row = {
                **node,
                "Meta": {key: value for key, value in merged.items() if value is not None},
                "ModifyIndex": txn.index,
            }
            txn.put(self._store.nodes, node["ID"], row)
        return row

    def evaluate(self, node: Row) -> Row:
        """Look anew at every job that runs on a node or wants to run on all."""
        with self._store.write("EvaluationUpdated") as txn:
            created = self.evaluate_in(txn, node["ID"], "node-update")
        return self.long_answer(txn.index, created)

    def evaluate_in(self, txn: Txn, node_id: str, trigger: str) -> list[Row]:
        """Make an evaluation for every job that a change of this node concerns."""
        store = self._store
        keys = dict.fromkeys((alloc["Namespace"], alloc["JobID"]) for alloc in store.allocs.find("node", node_id))
        for job in store.jobs:
            if job["Type"] in {"system", "sysbatch"} and not launches(job):
                keys[job["Namespace"], job["ID"]] = None
        found = [job for job in (store.jobs.get(key) for key in keys) if job is not None and not job["Stop"]]
        return [evals.upsert(txn, evals.new_eval(job, trigger, NodeID=node_id)) for job in found]

    def _answer(self, index: int, created: list[Row]) -> Row:
        return {
            "NodeModifyIndex": 0,
            "EvalIDs": [each["ID"] for each in created] or None,
            "EvalCreateIndex": index if created else 0,
            "Index": index,
        }

    def long_answer(self, index: int, created: list[Row]) -> Row:
        """The answer that a node's own registration gets as well."""
        return {
            **self._answer(index, created),
            **write_meta(index),
            "HeartbeatTTL": 0,
            "LeaderRPCAddr": "",
            "NumNodes": 0,
            "Servers": None,
            "Features": None,
        }


def put_event(txn: Txn, node: Row, subsystem: str, message: str) -> None:
    """Store a node, with a line about what happened to it."""
    event = {
        "Message": message,
        "Subsystem": subsystem,
        "Details": None,
        "Timestamp": rfc3339(now_ns()),
        "CreateIndex": txn.index,
    }
    events = [*node["Events"], event][-KEPT_EVENTS:]
    txn.put(txn.store.nodes, node["ID"], {**node, "Events": events, "ModifyIndex": txn.index})


def _draining(node: Row, spec: Row, meta: Row | None, accessor: str) -> Row:
    now, deadline = now_ns(), spec.get("Deadline") or 0
    moment = rfc3339(now)
    strategy = {
        "Deadline": deadline,
        "IgnoreSystemJobs": bool(spec.get("IgnoreSystemJobs")),
        "ForceDeadline": rfc3339(now + deadline) if deadline > 0 else None,
        "StartedAt": moment,
    }
    last = {"StartedAt": moment, "UpdatedAt": moment, "Status": "draining", "AccessorID": accessor, "Meta": meta}
    return {
        **node,
        "Drain": True,
        "DrainStrategy": strategy,
        "SchedulingEligibility": "ineligible",
        "LastDrain": last,
    }


def _undrained(node: Row, *, mark_eligible: bool) -> Row:
    last = node["LastDrain"]
    if last is not None and last["Status"] == "draining":
        last = {**last, "Status": "canceled", "UpdatedAt": rfc3339(now_ns())}
    row = {**node, "Drain": False, "DrainStrategy": None, "LastDrain": last}
    if mark_eligible:
        row["SchedulingEligibility"] = "eligible"
    return row
