"""`/v1/services` and `/v1/service/:name`."""

import hashlib

from herdsman.devnomad.errors import BadRequest, NotFound
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, by_id, page
from herdsman.devnomad.http.reply import Reply, Value, nothing
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.types import Row


async def list_services(call: Call) -> Reply:
    """The names of all services, by namespace."""
    namespaces = call.may_list("read-job")
    store = call.agent.store

    def read() -> Value:
        found: dict[str, dict[str, set[str]]] = {}
        for row in store.services:
            if namespaces is None or row["Namespace"] in namespaces:
                names = found.setdefault(row["Namespace"], {})
                names.setdefault(row["ServiceName"], set()).update(row["Tags"] or ())
        listed = [
            {
                "Namespace": namespace,
                "Services": [{"ServiceName": name, "Tags": sorted(tags)} for name, tags in sorted(names.items())],
            }
            for namespace, names in sorted(found.items())
        ]
        return Value(listed, max(store.services.index, 1))

    return await blocking(call, read, ("services",))


async def read_service(call: Call) -> Reply:
    """Who offers a service."""
    call.may("read-job")
    store, key = call.agent.store, (call.namespace, call.between)

    def read() -> Value:
        rows = sorted(store.services.find("name", key), key=lambda row: row["ID"])
        index = max(store.services.index, 1)
        return page(call, _chosen(call, rows), index=index, order=by_id, show=lambda row: row)

    return await blocking(call, read, ("services", *key))


def _chosen(call: Call, rows: list[Row]) -> list[Row]:
    """`choose=2|key`: the same few for the same key, whoever comes and goes."""
    text = call.param("choose")
    if not text:
        return rows
    count, _, key = text.partition("|")
    if not count.isdigit() or not key:
        raise BadRequest("failed to parse choose parameter: must be in the form '<number>|<key>'")

    def weight(row: Row) -> str:
        return hashlib.sha256(f"{key}{row['ID']}".encode()).hexdigest()

    return sorted(rows, key=weight)[: int(count)]


def delete_service(call: Call) -> Reply:
    """Remove one registration."""
    call.may("submit-job")
    _, _, service_id = call.between.partition("/")
    store = call.agent.store
    if service_id not in store.services:
        raise NotFound("service registration not found")
    with store.write("ServiceDeregistration") as txn:
        txn.delete(store.services, service_id)
    return nothing(txn.index)


ROUTES = (
    exact("/v1/services", get=list_services),
    under("/v1/service/", get=read_service, delete=delete_service),
)
