"""`/v1/agent/…`, `/v1/status/…`, `/v1/regions`, `/v1/metrics`: the server about itself."""

import asyncio
import os
import platform
import socket
import time
from collections.abc import AsyncIterator
from typing import Final

from herdsman.devnomad.client.fingerprint import NOMAD_VERSION
from herdsman.devnomad.clock import now_ns
from herdsman.devnomad.errors import BadRequest, NotSimulated
from herdsman.devnomad.http import stats
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.reply import Raw, Reply, Stream, Value, nothing
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.types import Row

_REVISION: Final = "simulation"


def _member(call: Call) -> Row:
    agent = call.agent
    return {
        "Name": f"{agent.name}.global",
        "Addr": agent.host,
        "Port": agent.port,
        "Tags": {
            "build": NOMAD_VERSION,
            "region": "global",
            "dc": "dc1",
            "role": "nomad",
            "id": agent.server_id,
            "rpc_addr": agent.host,
            "port": str(agent.port),
            "raft_vsn": "3",
            "vsn": "1",
            "bootstrap": "1",
            "revision": _REVISION,
            "herdsman.simulated": "true",
        },
        "Status": "alive",
        "ProtocolMin": 1,
        "ProtocolMax": 5,
        "ProtocolCur": 2,
        "DelegateMin": 2,
        "DelegateMax": 5,
        "DelegateCur": 4,
    }


def agent_self(call: Call) -> Reply:
    """Configuration, member and figures of this agent."""
    call.require(call.access.coarse("agent", "read"))
    agent = call.agent
    config = {
        "ACL": {"Enabled": agent.acl_enabled},
        "Addresses": {"HTTP": agent.host, "RPC": agent.host, "Serf": agent.host},
        "AdvertiseAddrs": {"HTTP": agent.address, "RPC": agent.address, "Serf": agent.address},
        "BindAddr": agent.host,
        "Client": {"Enabled": True},
        "Datacenter": "dc1",
        "DevMode": True,
        "EnableDebug": False,
        "LogLevel": "INFO",
        "NodeName": agent.name,
        "Ports": {"HTTP": agent.port, "RPC": agent.port, "Serf": agent.port},
        "Region": "global",
        "Server": {"BootstrapExpect": 0, "Enabled": True},
        "Simulated": True,
        "UI": {"Enabled": False},
        "Version": {
            "Revision": _REVISION,
            "Version": NOMAD_VERSION,
            "VersionMetadata": "",
            "VersionPrerelease": "",
            "BuildDate": "2026-01-01T00:00:00Z",
        },
    }
    return Value({"config": config, "member": _member(call), "stats": _stats(call)})


def _stats(call: Call) -> Row:
    store = call.agent.store
    return {
        "nomad": {"bootstrap": "true", "known_regions": "1", "leader": "true", "server": "true"},
        "raft": {"applied_index": str(store.index), "commit_index": str(store.index), "state": "Leader", "term": "2"},
        "client": {
            "node_id": call.agent.node_ids[0],
            "heartbeat_ttl": "10s",
            "num_allocations": str(len(store.allocs)),
        },
        "runtime": {
            "arch": platform.machine(),
            "kernel.name": platform.system().lower(),
            "version": platform.python_version(),
        },
    }


def members(call: Call) -> Reply:
    """The servers: this one."""
    call.require(call.access.coarse("node", "read"))
    return Value(
        {"ServerName": call.agent.name, "ServerRegion": "global", "ServerDC": "dc1", "Members": [_member(call)]}
    )


def servers(call: Call) -> Reply:
    """The addresses of the servers."""
    call.require(call.access.coarse("agent", "read"))
    return Value([call.agent.address])


def set_servers(call: Call) -> Reply:
    """There is only one server."""
    call.require(call.access.coarse("agent", "write"))
    raise NotSimulated("Changing the list of servers")


def health(call: Call) -> Reply:
    """Whether server and client work."""
    kind = call.param("type")
    if kind not in {"", "client", "server"}:
        raise BadRequest(f'invalid type "{kind}": must be "client" or "server"')
    fine = {"ok": True, "message": "ok"}
    return Value({each: fine for each in ("client", "server") if kind in {"", each}})


def host(call: Call) -> Reply:
    """The machine."""
    call.require(call.access.coarse("agent", "read"))
    uname = platform.uname()
    data = {
        "OS": platform.system().lower(),
        "Network": [{"MAC": "", "address": call.agent.host}],
        "ResolvConf": "",
        "Hosts": "",
        "Environment": {},
        "Disk": {},
        "Uname": {
            "sysname": uname.system,
            "release": uname.release,
            "machine": uname.machine,
            "nodename": socket.gethostname(),
        },
    }
    return Value({"AgentID": call.agent.server_id, "HostData": data})


def schedulers(call: Call) -> Reply:
    """Which schedulers work here."""
    call.require(call.access.coarse("agent", "read"))
    worker = {
        "id": call.agent.server_id,
        "enabled_schedulers": _SCHEDULERS,
        "started": call.agent.started_text,
        "status": "WaitingToDequeue",
        "workload_status": "WaitingToDequeue",
    }
    return Value({"server_id": call.agent.server_id, "schedulers": [worker]})


_SCHEDULERS: Final = ["batch", "service", "system", "sysbatch", "_core"]


def scheduler_config(call: Call) -> Reply:
    """How many schedulers work here."""
    call.require(call.access.coarse("agent", "read"))
    return Value({"server_id": call.agent.server_id, "num_schedulers": 1, "enabled_schedulers": _SCHEDULERS})


def monitor(call: Call) -> Reply:
    """The log; it has little to say."""
    call.require(call.access.coarse("agent", "read"))
    return Stream(_silence(call))


async def _silence(call: Call) -> AsyncIterator[bytes]:
    yield b"{}"
    while not call.agent.store.watches.closed:
        await asyncio.sleep(10)
        yield b"{}"


def not_simulated(_call: Call) -> Reply:
    """What a single simulated server has no use for."""
    raise NotSimulated("This agent operation")


# -- status --------------------------------------------------------------------------------------------------------
def leader(call: Call) -> Reply:
    """The leader's address: this server's."""
    return Value(call.agent.address)


def peers(call: Call) -> Reply:
    """The addresses of all servers."""
    return Value([call.agent.address])


def regions(_call: Call) -> Reply:
    """There is one region."""
    return Value(["global"])


def metrics(call: Call) -> Reply:
    """Figures, as JSON or for Prometheus."""
    gauges = _gauges(call)
    if call.param("format") == "prometheus":
        lines = [
            f"# TYPE {name.replace('.', '_')} gauge\n{name.replace('.', '_')} {value}\n"
            for name, value in gauges.items()
        ]
        return Raw("".join(lines).encode(), "text/plain; version=0.0.4; charset=utf-8")
    shown = [{"Name": name, "Value": value, "Labels": {"host": call.agent.name}} for name, value in gauges.items()]
    moment = time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(now_ns() // 1_000_000_000))
    return Value({"Timestamp": moment, "Gauges": shown, "Counters": [], "Points": [], "Samples": []})


def _gauges(call: Call) -> dict[str, int]:
    store, broker = call.agent.store, call.agent.broker.figures()
    statuses = ("pending", "running", "complete", "failed", "lost")
    found = dict.fromkeys(statuses, 0)
    for alloc in store.allocs:
        if alloc["ClientStatus"] in found:
            found[alloc["ClientStatus"]] += 1
    jobs = dict.fromkeys(("pending", "running", "dead"), 0)
    for job in store.jobs:
        jobs[job["Status"]] += 1
    return {
        "nomad.runtime.alloc_bytes": stats.resident(os.getpid()),
        "nomad.raft.appliedIndex": store.index,
        "nomad.broker.total_ready": broker["ready"],
        "nomad.broker.total_pending": broker["pending"],
        "nomad.broker.total_waiting": broker["waiting"],
        "nomad.blocked_evals.total_blocked": broker["blocked"],
        **{f"nomad.client.allocations.{status}": found[status] for status in statuses},
        **{f"nomad.job_status.{status}": count for status, count in jobs.items()},
    }


# -- system --------------------------------------------------------------------------------------------------------
def collect(call: Call) -> Reply:
    """Forget what is over."""
    call.require(call.access.everything)
    call.agent.collect()
    return nothing()


def reconcile_summaries(call: Call) -> Reply:
    """Summaries are never wrong here."""
    call.require(call.access.everything)
    return nothing()


def welcome(_call: Call) -> Reply:
    """For people with a browser."""
    return Raw(
        b"This is the embedded Nomad, a simulation: it has an API, below /v1, and no web interface.\n", status=404
    )


ROUTES = (
    *(exact(path, get=welcome) for path in ("/", "/ui", "/ui/")),
    exact("/v1/agent/self", get=agent_self),
    exact("/v1/agent/members", get=members),
    exact("/v1/agent/servers", get=servers, put=set_servers),
    exact("/v1/agent/health", get=health),
    exact("/v1/agent/host", get=host),
    exact("/v1/agent/schedulers", get=schedulers),
    exact("/v1/agent/schedulers/config", get=scheduler_config, put=not_simulated),
    exact("/v1/agent/monitor", get=monitor),
    exact("/v1/agent/join", put=not_simulated),
    exact("/v1/agent/force-leave", put=not_simulated),
    under("/v1/agent/keyring/", get=not_simulated, put=not_simulated, delete=not_simulated),
    under("/v1/agent/pprof/", get=not_simulated),
    exact("/v1/status/leader", get=leader),
    exact("/v1/status/peers", get=peers),
    exact("/v1/regions", get=regions),
    exact("/v1/metrics", get=metrics),
    exact("/v1/system/gc", put=collect),
    exact("/v1/system/reconcile/summaries", put=reconcile_summaries),
)
