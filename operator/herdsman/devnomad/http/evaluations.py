"""`/v1/evaluations` and `/v1/evaluation/:id`."""

from herdsman.devnomad.errors import BadRequest
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, in_order, order_of, page
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.rpc import allocs, evals
from herdsman.devnomad.types import Row


def _wanted(call: Call, rows: list[Row]) -> list[Row]:
    job, status = call.param("job"), call.param("status")
    return [row for row in rows if (not job or row["JobID"] == job) and (not status or row["Status"] == status)]


async def list_evaluations(call: Call) -> Reply:
    """All evaluations of a namespace, or of all."""
    namespaces = call.may_list("read-job")
    store = call.agent.store

    def read() -> Value:
        rows = in_order(call, (row for row in store.evals if namespaces is None or row["Namespace"] in namespaces))
        return page(
            call,
            _wanted(call, rows),
            index=max(store.evals.index, 1),
            order=order_of(call),
            descending=call.flag("reverse"),
            show=evals.shown,
        )

    return await blocking(call, read, ("evals",))


async def count(call: Call) -> Reply:
    """How many evaluations there are."""
    namespaces = call.may_list("read-job")
    store = call.agent.store

    def read() -> Value:
        rows = in_order(call, (row for row in store.evals if namespaces is None or row["Namespace"] in namespaces))
        shown = page(
            call,
            _wanted(call, rows),
            index=max(store.evals.index, 1),
            order=order_of(call),
            descending=call.flag("reverse"),
            show=len,
        )
        return Value({"Count": len(shown.value), **_meta(shown)}, shown.index)

    return await blocking(call, read, ("evals",))


def _meta(value: Value) -> Row:
    return {"Index": value.index, "LastContact": 0, "KnownLeader": True, "NextToken": ""}


async def read_evaluation(call: Call) -> Reply:
    """One evaluation."""
    store, eval_id = call.agent.store, call.between
    call.may("read-job", namespace=(store.evals.get(eval_id) or {}).get("Namespace"))
    related = call.flag("related")

    def read() -> Value:
        row = evals.lookup(store, eval_id)
        return Value(evals.with_related(store, row) if related else evals.shown(row), row["ModifyIndex"])

    return await blocking(call, read, ("evals", eval_id))


async def allocations(call: Call) -> Reply:
    """The allocations that an evaluation made or changed."""
    store, eval_id = call.agent.store, call.between
    call.may("read-job", namespace=(store.evals.get(eval_id) or {}).get("Namespace"))

    def read() -> Value:
        rows = store.allocs.find("eval", eval_id)
        index = max((row["ModifyIndex"] for row in rows), default=max(store.allocs.index, 1))
        return Value([allocs.stub(row) for row in rows], index)

    return await blocking(call, read, ("allocs", "eval", eval_id))


def delete(call: Call) -> Reply:
    """Forget evaluations."""
    call.require(call.access.everything)
    body = call.fields()
    ids = body.get("EvalIDs") or []
    if not ids:
        raise BadRequest("evals must be deleted by either ID or filter")
    answer = evals.delete(call.agent.store, ids)
    return Value(answer, answer["Index"])


ROUTES = (
    exact("/v1/evaluations", get=list_evaluations, delete=delete),
    exact("/v1/evaluations/count", get=count),
    under("/v1/evaluation/", "/allocations", get=allocations),
    under("/v1/evaluation/", get=read_evaluation),
)
