"""`/v1/scaling/policies` and `/v1/scaling/policy/:id`."""

from herdsman.devnomad.errors import NotFound
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.types import Row


def _stub(policy: Row) -> Row:
    return {field: policy[field] for field in ("ID", "Enabled", "Type", "Target", "CreateIndex", "ModifyIndex")}


async def policies(call: Call) -> Reply:
    """The scaling policies of all jobs."""
    namespaces = call.may_list("list-scaling-policies")
    store, job, kind = call.agent.store, call.param("job"), call.param("type")

    def read() -> Value:
        rows = (
            row
            for row in store.scaling_policies.ordered()
            if (namespaces is None or row["Target"]["Namespace"] in namespaces)
            and (not job or row["Target"]["Job"] == job)
            and row["Type"].startswith(kind)
        )
        return Value([_stub(row) for row in rows], max(store.scaling_policies.index, 1))

    return await blocking(call, read, ("scaling_policies",))


async def policy(call: Call) -> Reply:
    """One scaling policy."""
    store, policy_id = call.agent.store, call.between
    row = store.scaling_policies.get(policy_id)
    call.may("read-scaling-policy", namespace=row["Target"]["Namespace"] if row else None)

    def read() -> Value:
        found = store.scaling_policies.get(policy_id)
        if found is None:
            raise NotFound("policy not found")
        return Value(found, found["ModifyIndex"])

    return await blocking(call, read, ("scaling_policies", policy_id))


ROUTES = (exact("/v1/scaling/policies", get=policies), under("/v1/scaling/policy/", get=policy))
