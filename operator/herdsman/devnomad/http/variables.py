"""`/v1/vars` and `/v1/var/:path`."""

from collections.abc import Iterator
from contextlib import contextmanager

from herdsman.devnomad.errors import BadRequest, Conflict
from herdsman.devnomad.http.call import ALL, Call
from herdsman.devnomad.http.lists import blocking, by_path, found, page
from herdsman.devnomad.http.reply import Raw, Reply, Value
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.rpc import variables
from herdsman.devnomad.types import Row

_LOCKS = ("lock-acquire", "lock-renew", "lock-release")


async def list_variables(call: Call) -> Reply:
    """The variables that the caller may list."""
    access, store, prefix = call.access, call.agent.store, call.prefix
    namespace = call.namespace

    def visible(row: Row) -> bool:
        return (
            namespace in {ALL, row["Namespace"]}
            and row["Path"].startswith(prefix)
            and access.variable(row["Namespace"], row["Path"], "list")
        )

    def read() -> Value:
        return page(
            call,
            (row for row in store.variables.ordered() if visible(row)),
            index=max(store.variables.index, 1),
            order=by_path,
            show=variables.stub,
        )

    return await blocking(call, read, ("variables",))


def _path(call: Call) -> str:
    if not call.between:
        raise BadRequest("missing variable path")
    return call.between


async def read_variable(call: Call) -> Reply:
    """One variable."""
    store, key = call.agent.store, (call.namespace, _path(call))
    call.require(call.access.variable(*key, "read"))

    def read() -> Value:
        row = store.variables.get(key)
        return Value(
            variables.shown(row) if row else None, row["ModifyIndex"] if row else max(store.variables.index, 1)
        )

    return found(await blocking(call, read, ("variables", *key)), "variable not found")


def put_variable(call: Call) -> Reply:
    """Write a variable, or lock it, keep it locked, unlock it."""
    body, path = call.request("structs.VariableDecrypted"), _path(call)
    namespace = call.params.get("namespace") or body.get("Namespace") or "default"
    call.require(call.access.variable(namespace, path, "write"))
    asked = [name for name in _LOCKS if name in call.params]
    if len(asked) > 1:
        raise BadRequest("variable lock operation can only be one of lock-acquire, lock-renew or lock-release")
    service = call.agent.variables
    if asked:
        operation = {"lock-acquire": service.acquire, "lock-renew": service.renew, "lock-release": service.release}
        answer = operation[asked[0]](namespace, path, body)
    else:
        with _discreetly(call, namespace, path):
            answer = service.put(namespace, path, body, cas=_cas(call))
    return Value(answer, answer["ModifyIndex"])


def delete_variable(call: Call) -> Reply:
    """Remove a variable."""
    call.require(call.access.variable(call.namespace, _path(call), "destroy"))
    with _discreetly(call, call.namespace, call.between):
        index = call.agent.variables.delete(call.namespace, call.between, cas=_cas(call))
    return Raw(status=204, headers={"X-Nomad-Index": str(index)})


@contextmanager
def _discreetly(call: Call, namespace: str, path: str) -> Iterator[None]:
    """A conflict shows what is there only to those who may read it."""
    try:
        yield
    except Conflict as conflict:
        if call.access.variable(namespace, path, "read"):
            raise
        raise Conflict({key: value for key, value in conflict.body.items() if key != "Items"}) from None


def _cas(call: Call) -> int | None:
    text = call.params.get("cas")
    if text is None:
        return None
    if not text.isdigit():
        raise BadRequest(f'can not parse cas: strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


ROUTES = (
    exact("/v1/vars", get=list_variables),
    under("/v1/var/", get=read_variable, put=put_variable, delete=delete_variable),
)
