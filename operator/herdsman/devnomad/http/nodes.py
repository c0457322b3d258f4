"""`/v1/nodes` and `/v1/node/:id`."""

from typing import Final

from herdsman.devnomad.clock import SECOND
from herdsman.devnomad.errors import BadRequest, Refused
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, by_id, page
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.ids import prefix_fault
from herdsman.devnomad.rpc import allocs, nodes
from herdsman.devnomad.types import Row

_AT_ONCE: Final = -SECOND


async def list_nodes(call: Call) -> Reply:
    """All nodes."""
    call.require(call.access.coarse("node", "read"))
    store, prefix = call.agent.store, call.prefix
    resources, os = call.flag("resources"), call.flag("os")
    if fault := prefix_fault(prefix):
        raise Refused(f"node lookup failed: {fault}")

    def read() -> Value:
        rows = (row for row in store.nodes.ordered() if row["ID"].startswith(prefix))
        return page(
            call,
            rows,
            index=store.nodes.index,
            order=by_id,
            show=lambda row: nodes.stub(row, resources=resources, os=os),
        )

    return await blocking(call, read, ("nodes",))


async def read_node(call: Call) -> Reply:
    """One node."""
    call.require(call.access.coarse("node", "read"))
    store, node_id = call.agent.store, call.between

    def read() -> Value:
        row = nodes.lookup(store, node_id)
        return Value(nodes.shown(row), row["ModifyIndex"])

    return await blocking(call, read, ("nodes", node_id))


async def allocations(call: Call) -> Reply:
    """The allocations on a node."""
    call.require(call.access.coarse("node", "read"))
    store, node_id, access = call.agent.store, call.between, call.access

    def read() -> Value:
        rows = [row for row in store.allocs.find("node", node_id) if access.namespace(row["Namespace"], "read-job")]
        index = max((row["ModifyIndex"] for row in rows), default=max(store.allocs.index, 1))
        return Value([allocs.shown(row) for row in rows], index)

    return await blocking(call, read, ("allocs", "node", node_id))


def eligibility(call: Call) -> Reply:
    """Let a node take new work, or not."""
    call.require(call.access.coarse("node", "write"))
    body = call.request("structs.NodeUpdateEligibilityRequest")
    node = nodes.changeable(call.agent.store, call.between)
    answer = call.agent.nodes.set_eligibility(node, body.get("Eligibility") or "")
    return Value(answer, answer["Index"])


def _drain_request(call: Call) -> Row:
    """What a drain is asked for by: a body, or the parameter that clients of long ago send."""
    if not call.param("enable"):
        return call.request("api.NodeUpdateDrainRequest")
    try:
        enable = call.flag("enable")
    except Refused:
        raise BadRequest("invalid enable value") from None
    return {"DrainSpec": {"Deadline": _AT_ONCE}} if enable else {"MarkEligible": True}


def drain(call: Call) -> Reply:
    """Move everything off a node, or end that."""
    call.require(call.access.coarse("node", "write"))
    body = _drain_request(call)
    node = nodes.changeable(call.agent.store, call.between)
    answer = call.agent.nodes.drain(
        node,
        body.get("DrainSpec"),
        mark_eligible=bool(body.get("MarkEligible")),
        meta=body.get("Meta"),
        accessor=call.access.accessor,
    )
    return Value(answer, answer["Index"])


def purge(call: Call) -> Reply:
    """Forget a node."""
    call.require(call.access.coarse("node", "write"))
    answer = call.agent.nodes.purge(nodes.changeable(call.agent.store, call.between))
    return Value(answer, answer["Index"])


def evaluate(call: Call) -> Reply:
    """Look anew at what runs on a node."""
    call.require(call.access.coarse("node", "write"))
    answer = call.agent.nodes.evaluate(nodes.changeable(call.agent.store, call.between))
    return Value(answer, answer["Index"])


ROUTES = (
    exact("/v1/nodes", get=list_nodes),
    under("/v1/node/", "/allocations", get=allocations),
    under("/v1/node/", "/evaluate", put=evaluate),
    under("/v1/node/", "/drain", put=drain),
    under("/v1/node/", "/eligibility", put=eligibility),
    under("/v1/node/", "/purge", put=purge),
    under("/v1/node/", get=read_node),
)
