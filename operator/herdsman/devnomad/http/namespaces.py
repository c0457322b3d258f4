"""`/v1/namespaces`, `/v1/namespace/:name`; `/v1/node/pools`, `/v1/node/pool/:name`."""

from herdsman.devnomad.errors import BadRequest, NotFound
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, by_id, by_job, by_name, found, page
from herdsman.devnomad.http.reply import Reply, Value, nothing
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.rpc import nodes


async def list_namespaces(call: Call) -> Reply:
    """The namespaces that the caller may do anything in."""
    access, store, prefix = call.access, call.agent.store, call.prefix

    def read() -> Value:
        rows = (row for row in store.namespaces.ordered() if row["Name"].startswith(prefix))
        seen = (row for row in rows if access.sees_namespace(row["Name"]))
        return page(call, seen, index=store.namespaces.index, order=by_name, show=lambda row: row)

    return await blocking(call, read, ("namespaces",))


def _named(call: Call) -> None:
    if not call.between:
        raise BadRequest("Missing Namespace Name")


async def read_namespace(call: Call) -> Reply:
    """One namespace."""
    _named(call)
    call.require(call.access.sees_namespace(call.between))
    store, name = call.agent.store, call.between

    def read() -> Value:
        row = store.namespaces.get(name)
        return Value(row, row["ModifyIndex"] if row else max(store.namespaces.index, 1))

    return found(await blocking(call, read, ("namespaces", name)), "Namespace not found")


def put_namespace(call: Call) -> Reply:
    """Make or change a namespace."""
    call.require(call.access.everything)
    if call.path != "/v1/namespace":
        _named(call)
    body = call.request("structs.Namespace")
    if call.between and body.get("Name") != call.between:
        raise BadRequest("Namespace name does not match request path")
    return nothing(call.agent.namespaces.upsert(body))


def delete_namespace(call: Call) -> Reply:
    """Remove a namespace."""
    _named(call)
    call.require(call.access.everything)
    return nothing(call.agent.namespaces.delete(call.between))


# -- node pools ----------------------------------------------------------------------------------------------------
async def list_pools(call: Call) -> Reply:
    """The node pools that the caller may read."""
    access, store, prefix = call.access, call.agent.store, call.prefix

    def read() -> Value:
        rows = (row for row in store.pools.ordered() if row["Name"].startswith(prefix))
        seen = (row for row in rows if access.pool(row["Name"], "read"))
        return page(call, seen, index=store.pools.index, order=by_name, show=lambda row: row)

    return await blocking(call, read, ("pools",))


async def read_pool(call: Call) -> Reply:
    """One node pool."""
    call.require(call.access.pool(call.between, "read"))
    store, name = call.agent.store, call.between

    def read() -> Value:
        row = store.pools.get(name)
        return Value(row, row["ModifyIndex"] if row else max(store.pools.index, 1))

    return found(await blocking(call, read, ("pools", name)), "node pool not found")


def put_pool(call: Call) -> Reply:
    """Make or change a node pool."""
    body = call.request("structs.NodePool")
    name = body.get("Name") or ""
    call.require(call.access.pool(name, "write"))
    if call.between and name != call.between:
        raise BadRequest("Node pool name does not match request path")
    return nothing(call.agent.pools.upsert(body))


def delete_pool(call: Call) -> Reply:
    """Remove a node pool."""
    call.require(call.access.pool(call.between, "delete"))
    return nothing(call.agent.pools.delete(call.between))


async def pool_nodes(call: Call) -> Reply:
    """The nodes of a pool."""
    call.require(call.access.coarse("node", "read") and call.access.pool(call.between, "read"))
    store, name = call.agent.store, call.between
    if name not in store.pools:
        raise NotFound("node pool not found")

    def read() -> Value:
        rows = (row for row in store.nodes.ordered() if name in {"all", row["NodePool"]})
        return page(
            call,
            rows,
            index=store.nodes.index,
            order=by_id,
            show=lambda row: nodes.stub(row, resources=call.flag("resources"), os=call.flag("os")),
        )

    return await blocking(call, read, ("nodes",))


async def pool_jobs(call: Call) -> Reply:
    """The jobs of a pool."""
    call.require(call.access.pool(call.between, "read"))
    namespaces = call.may_list("list-jobs")
    store, name = call.agent.store, call.between
    if name not in store.pools:
        raise NotFound("node pool not found")

    def read() -> Value:
        rows = (
            row
            for row in store.jobs.ordered()
            if row["NodePool"] == name and (namespaces is None or row["Namespace"] in namespaces)
        )
        return page(
            call,
            rows,
            index=store.jobs.index,
            order=by_job,
            show=lambda row: row,
        )

    return await blocking(call, read, ("jobs",))


ROUTES = (
    exact("/v1/namespaces", get=list_namespaces),
    exact("/v1/namespace", put=put_namespace),
    under("/v1/namespace/", get=read_namespace, put=put_namespace, delete=delete_namespace),
    exact("/v1/node/pools", get=list_pools, put=put_pool),
    under("/v1/node/pool/", "/nodes", get=pool_nodes),
    under("/v1/node/pool/", "/jobs", get=pool_jobs),
    under("/v1/node/pool/", get=read_pool, put=put_pool, delete=delete_pool),
)
