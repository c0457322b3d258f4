"""What of a job a user is shown: what its main task asks for, and under which addresses it is reached.

The main task is called `main`; where none is, it is the first that is no helper of another. An endpoint is a service of
a group, named for its port; its address is the host that the service's routing rule names. Where the platform has no
domain of its own, it is the port on the node.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from herdsman.core.quota import demand_of
from herdsman.model.catalog import Entry, Resource
from herdsman.model.desired import Order
from herdsman.model.observed import Body
from herdsman.model.placements import Placement

_HOST: Final = re.compile(r"Host(?:SNI)?\(\s*`([^`]+)`")
_PATH: Final = "herdsman.path="
"""A tag that says what is to follow the host in an endpoint's address."""

_NODE_DOMAIN: Final = "${meta.domain}"
_LABELS: Final = {"deepaas": "api"}
_PATHS: Final = {"api": "/ui"}
"""DEEPaaS shows its API in words at `/ui`; a tag of the service says otherwise."""

NO_DOMAIN: Final = "localhost"


@dataclass(frozen=True, slots=True)
class Resources:
    """What the main task asks for."""

    cpu_num: int = 0
    cpu_mhz: int = 0
    gpu_num: int = 0
    memory_mb: int = 0
    disk_mb: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One way in. *host* may hold the place for the node's own domain; "" is no host at all."""

    label: str
    port: str
    host: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """A job, as far as a user is concerned."""

    main: str = ""
    image: str = ""
    command: str = ""
    batch: bool = False
    resources: Resources = Resources()
    endpoints: tuple[Endpoint, ...] = ()
    tasks: tuple[str, ...] = field(default=())


def shape_of(body: Body) -> Shape:
    """Of a job in the form of Nomad's API."""
    groups: Sequence[Mapping[str, Any]] = body.get("TaskGroups") or ()
    group = next((g for g in groups if any(t.get("Name") == "main" for t in g.get("Tasks") or ())), None)
    group = group or (groups[0] if groups else {})
    tasks: Sequence[Mapping[str, Any]] = group.get("Tasks") or ()
    main = next((t for t in tasks if t.get("Name") == "main"), None)
    main = main or next((t for t in tasks if not t.get("Lifecycle")), None) or (tasks[0] if tasks else {})
    config = main.get("Config") or {}
    return Shape(
        main=str(main.get("Name") or ""),
        image=str(config.get("image") or ""),
        command=" ".join(str(part) for part in (config.get("command"), *(config.get("args") or ())) if part),
        batch=body.get("Type") in ("batch", "sysbatch"),
        resources=_resources(main, group),
        endpoints=tuple(_endpoints(group)),
        tasks=tuple(str(t.get("Name")) for g in groups for t in g.get("Tasks") or ()),
    )


def _resources(main: Mapping[str, Any], group: Mapping[str, Any]) -> Resources:
    alone = {"Tasks": [{**main, "Lifecycle": None}], "EphemeralDisk": group.get("EphemeralDisk"), "Count": 1}
    asks = demand_of({"TaskGroups": [alone]})
    return Resources(asks.cores, asks.cpu, asks.gpu, asks.memory, asks.disk)


def _endpoints(group: Mapping[str, Any]) -> Iterator[Endpoint]:
    tasks = group.get("Tasks") or ()
    services = [*(group.get("Services") or ()), *(s for t in tasks for s in t.get("Services") or ())]
    for service in services:
        port = str(service.get("PortLabel") or "")
        tags = [str(tag) for tag in service.get("Tags") or ()]
        host = next((found[1] for tag in tags if (found := _HOST.search(tag))), "")
        path = next((tag.removeprefix(_PATH) for tag in tags if tag.startswith(_PATH)), None)
        label = _LABELS.get(port, port)
        if label:
            yield Endpoint(label, port, host, _PATHS.get(label, "") if path is None else path)


def asked_for(order: Order, entry: Entry | None) -> Shape:
    """What is known of a job that was never made: the values that stand for resources."""
    if entry is None:
        return Shape()
    found: dict[Resource, int] = {}
    for parameter in entry.parameters:
        value = order.values.get(parameter.group, {}).get(parameter.key, parameter.default)
        if parameter.resource is not None and isinstance(value, int | float):
            found[parameter.resource] = int(value)
    amounts = (found.get(r, 0) for r in (Resource.GPU, Resource.MEMORY, Resource.DISK))
    return Shape(resources=Resources(found.get(Resource.CPU, 0), 0, *amounts))


def addresses(shape: Shape, *, domain: str, node_domain: str, placement: Placement | None) -> dict[str, str]:
    """The endpoints that can be named now, in the order of the job."""
    found: dict[str, str] = {}
    for endpoint in shape.endpoints:
        address = _address(endpoint, domain, node_domain, placement)
        if address:
            found[endpoint.label] = address
    return found


def _address(endpoint: Endpoint, domain: str, node_domain: str, placement: Placement | None) -> str:
    if domain == NO_DOMAIN or not endpoint.host:  # nothing routes names here: the node itself is reached
        port = placement.ports.get(endpoint.port) if placement is not None else None
        if port is None or not port.port:
            return ""
        host = f"[{port.host}]" if ":" in port.host else port.host
        return f"http://{host}:{port.port}{endpoint.path}"
    host = endpoint.host
    if _NODE_DOMAIN in host:
        if not node_domain:
            return ""
        host = host.replace(_NODE_DOMAIN, node_domain)
    return f"https://{host}{endpoint.path}"
