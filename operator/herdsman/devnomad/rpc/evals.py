"""Evaluations, asked about and deleted."""

from herdsman.devnomad.clock import rfc3339
from herdsman.devnomad.errors import NotFound, Refused
from herdsman.devnomad.ids import id_fault
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.types import Row

_LINKS = ("NextEval", "PreviousEval", "BlockedEval")


def shown(evaluation: Row) -> Row:
    """An evaluation as the API shows it: what is empty is left out."""
    out = {key: value for key, value in evaluation.items() if value}
    if isinstance(out.get("WaitUntil"), int):
        out["WaitUntil"] = rfc3339(out["WaitUntil"])
    return out


def lookup(store: Store, eval_id: str) -> Row:
    """The evaluation of this ID, or the refusal that Nomad gives."""
    if fault := id_fault(eval_id):
        raise Refused(f"eval lookup failed: {fault}")
    row = store.evals.get(eval_id)
    if row is None:
        raise NotFound("eval not found")
    return row


def with_related(store: Store, evaluation: Row) -> Row:
    """An evaluation, with stubs of all that can be reached from it by following who led to whom."""
    others = {row["ID"]: row for row in store.job_evals((evaluation["Namespace"], evaluation["JobID"]))}
    reached, edge = {evaluation["ID"]: evaluation}, [evaluation]
    while edge:
        row = edge.pop()
        for other_id in (row[field] for field in _LINKS):
            if other_id in others and other_id not in reached:
                reached[other_id] = others[other_id]
                edge.append(others[other_id])
    related = [_stub(row) for row in reached.values() if row is not evaluation]
    return {**shown(evaluation), "RelatedEvals": related} if related else shown(evaluation)


def _stub(row: Row) -> Row:
    fields = (
        "ID", "Priority", "Type", "TriggeredBy", "Namespace", "JobID", "NodeID", "DeploymentID", "Status",
        "StatusDescription", "NextEval", "PreviousEval", "BlockedEval", "CreateIndex", "ModifyIndex", "CreateTime",
        "ModifyTime",
    )  # fmt: skip
    return {**{field: row[field] for field in fields}, "WaitUntil": None}


def delete(store: Store, ids: list[str]) -> Row:
    """Forget evaluations; only while the broker is paused."""
    if not (store.setting("scheduler") or {}).get("PauseEvalBroker"):
        raise Refused("eval broker is enabled; eval broker must be paused to delete evals")
    with store.write("") as txn:
        for eval_id in ids:
            txn.delete(store.evals, lookup(store, eval_id)["ID"])
    return {"Count": len(ids), "Index": txn.index}
