"""`/v1/vars` and `/v1/var/:path`."""

from herdsman.devnomad.errors import BadRequest, Conflict, NotFound
from herdsman.devnomad.http.call import ALL, Call
from herdsman.devnomad.http.lists import blocking, page
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
            token=lambda row: f"{row['Namespace']}.{row['Path']}",
            show=variables.stub,
        )

    return await blocking(call, read, ("variables",))


async def read_variable(call: Call) -> Reply:
    """One variable."""
    store, key = call.agent.store, (call.namespace, call.between)
    call.require(call.access.variable(*key, "read"))

    def read() -> Value:
        row = store.variables.get(key)
        return Value(
            variables.shown(row) if row else None, row["ModifyIndex"] if row else max(store.variables.index, 1)
        )

    reply = await blocking(call, read, ("variables", *key))
    if isinstance(reply, Value) and reply.value is None:
        raise NotFound("variable not found")
    return reply


def put_variable(call: Call) -> Reply:
    """Write a variable, or lock it, keep it locked, unlock it."""
    body, path = call.fields(), call.between
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
        with _hidden(call, namespace, path):
            answer = service.put(namespace, path, body, cas=_cas(call))
    return Value(answer, answer["ModifyIndex"])


def delete_variable(call: Call) -> Reply:
    """Remove a variable."""
    call.require(call.access.variable(call.namespace, call.between, "destroy"))
    with _hidden(call, call.namespace, call.between):
        index = call.agent.variables.delete(call.namespace, call.between, cas=_cas(call))
    return Raw(status=204, headers={"X-Nomad-Index": str(index)})


class _hidden:  # noqa: N801 - reads as the statement it is
    """A conflict shows what is there only to those who may read it."""

    def __init__(self, call: Call, namespace: str, path: str) -> None:
        self._readable = call.access.variable(namespace, path, "read")

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Conflict) and not self._readable and isinstance(error.body, dict):
            error.body = {key: value for key, value in error.body.items() if key != "Items"}


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
