"""`/v1/allocations` and `/v1/allocation/:id`."""

from herdsman.devnomad.errors import NotFound
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, in_order, order_of, page
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.rpc import allocs


async def list_allocations(call: Call) -> Reply:
    """All allocations of a namespace, or of all."""
    namespaces = call.may_list("read-job")
    store = call.agent.store
    resources = call.flag("resources")
    states = "task_states" not in call.params or call.flag("task_states")

    def read() -> Value:
        rows = in_order(
            call, (row for row in store.allocs if namespaces is None or row["Namespace"] in namespaces), "alloc"
        )
        return page(
            call,
            rows,
            index=max(store.allocs.index, 1),
            order=order_of(call),
            descending=call.backwards,
            show=lambda row: allocs.stub(row, resources=resources, task_states=states),
        )

    return await blocking(call, read, ("allocs",))


async def read_allocation(call: Call) -> Reply:
    """One allocation."""
    if "/" in call.between:
        raise NotFound("resource not found")
    store, alloc_id = call.agent.store, call.between
    namespace = (store.allocs.get(alloc_id) or {"Namespace": call.namespace})["Namespace"]
    call.may("read-job", namespace=namespace)

    def read() -> Value:
        row = allocs.lookup(store, alloc_id)
        return Value(allocs.shown(row), row["ModifyIndex"])

    return await blocking(call, read, ("allocs", alloc_id))


def stop(call: Call) -> Reply:
    """Stop an allocation; another takes its place."""
    store = call.agent.store
    namespace = (store.allocs.get(call.between) or {"Namespace": call.namespace})["Namespace"]
    call.may("alloc-lifecycle", namespace=namespace)
    try:
        alloc = allocs.lookup(store, call.between)
    except NotFound:
        raise NotFound(f'Unknown allocation "{call.between}"') from None
    answer = call.agent.allocs.stop(alloc, no_delay=call.flag("no_shutdown_delay"))
    return Value(answer, answer["Index"])


def services(call: Call) -> Reply:
    """The services that an allocation offers."""
    store = call.agent.store
    alloc = store.allocs.get(call.between)
    call.may("read-job", namespace=alloc["Namespace"] if alloc else None)
    if alloc is None:
        raise NotFound("allocation not found")
    rows = sorted(store.services.find("alloc", call.between), key=lambda row: row["ID"])
    return Value(rows, max(store.services.index, 1))


def checks(call: Call) -> Reply:
    """What the checks of an allocation's services say."""
    alloc = allocs.lookup(call.agent.store, call.between)
    call.may("read-job", namespace=alloc["Namespace"])
    return Value(call.agent.checks_of(alloc))


ROUTES = (
    exact("/v1/allocations", get=list_allocations),
    under("/v1/allocation/", "/stop", put=stop),
    under("/v1/allocation/", "/services", get=services),
    under("/v1/allocation/", "/checks", get=checks),
    under("/v1/allocation/", get=read_allocation),
)
