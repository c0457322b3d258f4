"""`/v1/operator/…`: the scheduler's settings; and all that this simulation leaves out."""

from typing import Final

from herdsman.devnomad.errors import BadRequest, NotSimulated
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import Handler, Route, exact, under
from herdsman.devnomad.types import Row

DEFAULTS: Final[Row] = {
    "SchedulerAlgorithm": "binpack",
    "PreemptionConfig": {
        "SystemSchedulerEnabled": True,
        "SysBatchSchedulerEnabled": False,
        "BatchSchedulerEnabled": False,
        "ServiceSchedulerEnabled": False,
    },
    "MemoryOversubscriptionEnabled": False,
    "RejectJobRegistration": False,
    "PauseEvalBroker": False,
}


def read_scheduler(call: Call) -> Reply:
    """The scheduler's settings."""
    call.require(call.access.coarse("operator", "read"))
    config = _config(call)
    answer = {
        "SchedulerConfig": config,
        "Index": config["ModifyIndex"],
        "LastContact": 0,
        "KnownLeader": True,
        "NextToken": "",
    }
    return Value(answer, config["ModifyIndex"])


def _config(call: Call) -> Row:
    found: Row | None = call.agent.store.setting("scheduler")
    return found or {**DEFAULTS, "CreateIndex": 5, "ModifyIndex": 5}


def write_scheduler(call: Call) -> Reply:
    """Change the scheduler's settings."""
    call.require(call.access.coarse("operator", "write"))
    body, old, store = call.request("api.SchedulerConfiguration"), _config(call), call.agent.store
    if body.get("SchedulerAlgorithm") not in {None, "", "binpack", "spread"}:
        raise BadRequest(f"invalid scheduler algorithm: {body['SchedulerAlgorithm']}")
    cas = call.params.get("cas")
    if cas is not None and not (cas.isascii() and cas.isdigit()):
        raise BadRequest(f'Error parsing cas value: strconv.ParseUint: parsing "{cas}": invalid syntax')
    if cas is not None and int(cas) != old["ModifyIndex"]:
        return Value({"Updated": False, "Index": store.index})
    # what a request leaves out is off, also what is on by default: a write is the whole of the settings
    preemption = body.get("PreemptionConfig") or {}
    wanted = {
        **{key: body.get(key, False) for key in DEFAULTS},
        "SchedulerAlgorithm": body.get("SchedulerAlgorithm") or "binpack",
        "PreemptionConfig": {key: preemption.get(key, False) for key in DEFAULTS["PreemptionConfig"]},
    }
    with store.write("") as txn:
        config = {**wanted, "CreateIndex": old["CreateIndex"], "ModifyIndex": txn.index}
        txn.put(store.settings, "scheduler", {"Name": "scheduler", "Value": config})
    return Value({"Updated": cas is not None, "Index": txn.index}, txn.index)


# -- left out ------------------------------------------------------------------------------------------------------
def _left_out(what: str) -> Handler:
    def handler(_call: Call) -> Reply:
        raise NotSimulated(what)

    return handler


def _everywhere(prefix: str, what: str) -> tuple[Route, Route]:
    handler = _left_out(what)
    return (
        exact(prefix, get=handler, put=handler, delete=handler),
        under(f"{prefix}/", get=handler, put=handler, delete=handler),
    )


_LEFT_OUT: Final = {
    "/v1/acl/identity": "Introducing clients by identity",
    "/v1/client/identity": "The identity of a client",
    "/v1/operator": "This operator call",
    "/v1/volumes": "Storage (CSI and dynamic host volumes)",
    "/v1/volume": "Storage (CSI and dynamic host volumes)",
    "/v1/plugins": "Storage plugins (CSI)",
    "/v1/plugin": "Storage plugins (CSI)",
    "/v1/quotas": "Quotas (Nomad Enterprise)",
    "/v1/quota": "Quotas (Nomad Enterprise)",
    "/v1/sentinel": "Sentinel policies (Nomad Enterprise)",
    "/v1/recommendations": "Recommendations (Nomad Enterprise)",
    "/v1/recommendation": "Recommendations (Nomad Enterprise)",
}

_WELL_KNOWN: Final = ("/.well-known/jwks.json", "/.well-known/openid-configuration")

ROUTES = (
    exact("/v1/operator/scheduler/configuration", get=read_scheduler, put=write_scheduler),
    *(exact(path, get=_left_out("Publishing keys for workload identities")) for path in _WELL_KNOWN),
    *(route for prefix, what in _LEFT_OUT.items() for route in _everywhere(prefix, what)),
)
