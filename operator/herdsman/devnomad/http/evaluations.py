"""`/v1/evaluations` and `/v1/evaluation/:id`."""

from herdsman.devnomad.errors import BadRequest, Refused
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, in_order, order_of, page
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.ids import id_fault
from herdsman.devnomad.rpc import allocs, evals
from herdsman.devnomad.structs.filters import FilterError, compile_filter
from herdsman.devnomad.types import Row


def _chosen(call: Call, namespaces: list[str] | None) -> list[Row]:
    """The evaluations that the parameters name, in order."""
    job, status = call.param("job"), call.param("status")
    if call.param("filter") and (job or status):
        raise BadRequest("Filter expression cannot be used with other filter parameters")
    seen = (row for row in call.agent.store.evals if namespaces is None or row["Namespace"] in namespaces)
    wanted = (row for row in seen if (not job or row["JobID"] == job) and (not status or row["Status"] == status))
    return in_order(call, wanted, "eval")


async def list_evaluations(call: Call) -> Reply:
    """All evaluations of a namespace, or of all."""
    namespaces = call.may_list("read-job")
    store = call.agent.store

    def read() -> Value:
        return page(
            call,
            _chosen(call, namespaces),
            index=max(store.evals.index, 1),
            order=order_of(call),
            descending=call.backwards,
            show=evals.shown,
        )

    return await blocking(call, read, ("evals",))


async def count(call: Call) -> Reply:
    """How many evaluations there are."""
    namespaces = call.may_list("read-job")
    store = call.agent.store

    def read() -> Value:
        shown = page(
            call,
            _chosen(call, namespaces),
            index=max(store.evals.index, 1),
            order=order_of(call),
            descending=call.backwards,
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
    if fault := id_fault(eval_id):
        raise Refused(fault)

    def read() -> Value:
        rows = store.allocs.find("eval", eval_id)
        index = max((row["ModifyIndex"] for row in rows), default=max(store.allocs.index, 1))
        return Value([allocs.stub(row) for row in rows], index)

    return await blocking(call, read, ("allocs", "eval", eval_id))


def delete(call: Call) -> Reply:
    """Forget evaluations."""
    call.require(call.access.everything)
    body = call.request("structs.EvalDeleteRequest")
    ids, text = body.get("EvalIDs") or [], body.get("Filter") or ""
    if ids and text:
        raise BadRequest("evals cannot be deleted by both ID and filter")
    if not ids and not text:
        raise BadRequest("evals must be deleted by either ID or filter")
    answer = evals.delete(call.agent.store, ids or _matching(call, text))
    return Value(answer, answer["Index"])


def _matching(call: Call, text: str) -> list[str]:
    """The IDs of the evaluations that a filter lets through."""
    try:
        wanted = compile_filter(text)
        return [row["ID"] for row in call.agent.store.evals if wanted(row)]
    except FilterError as error:
        raise Refused(str(error)) from error


ROUTES = (
    exact("/v1/evaluations", get=list_evaluations, delete=delete),
    exact("/v1/evaluations/count", get=count),
    under("/v1/evaluation/", "/allocations", get=allocations),
    under("/v1/evaluation/", get=read_evaluation),
)
