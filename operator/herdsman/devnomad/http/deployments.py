"""`/v1/deployments` and `/v1/deployment/…`."""

from herdsman.devnomad.errors import BadRequest, Refused
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, in_order, order_of, page
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.ids import id_fault
from herdsman.devnomad.rpc import allocs
from herdsman.devnomad.rpc.deployments import changeable, lookup
from herdsman.devnomad.types import Row


async def list_deployments(call: Call) -> Reply:
    """All deployments of a namespace, or of all."""
    namespaces = call.may_list("read-job")
    store = call.agent.store

    def read() -> Value:
        found = (row for row in store.deployments if namespaces is None or row["Namespace"] in namespaces)
        return page(
            call,
            in_order(call, found, "deployment"),
            index=max(store.deployments.index, 1),
            order=order_of(call),
            descending=call.backwards,
            show=lambda row: row,
        )

    return await blocking(call, read, ("deployments",))


def _may(call: Call, capability: str) -> None:
    row = call.agent.store.deployments.get(call.between)
    call.may(capability, namespace=row["Namespace"] if row else None)


async def read_deployment(call: Call) -> Reply:
    """One deployment."""
    _may(call, "read-job")
    store, deployment_id = call.agent.store, call.between

    def read() -> Value:
        row = lookup(store, deployment_id)
        return Value(row, row["ModifyIndex"])

    return await blocking(call, read, ("deployments", deployment_id))


async def allocations(call: Call) -> Reply:
    """The allocations of a deployment."""
    _may(call, "read-job")
    store, deployment_id = call.agent.store, call.between
    if fault := id_fault(deployment_id):
        raise Refused(fault)

    def read() -> Value:
        rows = store.allocs.find("deployment", deployment_id)
        index = max((row["ModifyIndex"] for row in rows), default=max(store.allocs.index, 1))
        return Value([allocs.stub(row) for row in rows], index)

    return await blocking(call, read, ("allocs", "deployment", deployment_id))


def _body(call: Call, name: str) -> Row:
    _may(call, "submit-job")
    body = call.request(name)
    if not body.get("DeploymentID"):
        raise BadRequest("DeploymentID must be specified")
    if body["DeploymentID"] != call.between:
        raise BadRequest("Deployment ID does not match")
    return body


def fail(call: Call) -> Reply:
    """Fail a deployment."""
    _may(call, "submit-job")
    answer = call.agent.deployments.fail(changeable(call.agent.store, call.between))
    return Value(answer, answer["Index"])


def pause(call: Call) -> Reply:
    """Pause a deployment, or let it go on."""
    body = _body(call, "structs.DeploymentPauseRequest")
    answer = call.agent.deployments.pause(changeable(call.agent.store, call.between), pause=bool(body.get("Pause")))
    return Value(answer, answer["Index"])


def promote(call: Call) -> Reply:
    """Let canaries stand for the new version."""
    body = _body(call, "structs.DeploymentPromoteRequest")
    groups = None if body.get("All") else body.get("Groups") or []
    if groups == []:
        raise BadRequest('Must specify groups to promote or "All"')
    answer = call.agent.deployments.promote(changeable(call.agent.store, call.between), groups)
    return Value(answer, answer["Index"])


def health(call: Call) -> Reply:
    """Say of allocations whether they are healthy."""
    body = _body(call, "structs.DeploymentAllocHealthRequest")
    answer = call.agent.deployments.set_health(
        changeable(call.agent.store, call.between),
        body.get("HealthyAllocationIDs") or [],
        body.get("UnhealthyAllocationIDs") or [],
    )
    return Value(answer, answer["Index"])


def unblock(call: Call) -> Reply:
    """Only deployments in several regions are ever blocked."""
    _may(call, "submit-job")
    changeable(call.agent.store, call.between)
    raise BadRequest("can't unblock a deployment that is not blocked")


ROUTES = (
    exact("/v1/deployments", get=list_deployments),
    under("/v1/deployment/allocations/", get=allocations),
    under("/v1/deployment/fail/", put=fail),
    under("/v1/deployment/pause/", put=pause),
    under("/v1/deployment/promote/", put=promote),
    under("/v1/deployment/allocation-health/", put=health),
    under("/v1/deployment/unblock/", put=unblock),
    under("/v1/deployment/", get=read_deployment),
)
