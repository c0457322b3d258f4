"""Services registered with Nomad itself: what `/v1/services` lists while an allocation runs."""

from collections.abc import Iterator

from herdsman.devnomad.client import taskenv
from herdsman.devnomad.types import Row


def registrations(alloc: Row, group: Row, node: Row, env: dict[str, str]) -> Iterator[Row]:
    """The rows of all services of an allocation whose provider is Nomad."""
    for service in group["Services"] or ():
        if service["Provider"] == "nomad":
            yield _row(alloc, service, node, env, owner=f"group-{group['Name']}")
    for task in group["Tasks"]:
        for service in task["Services"] or ():
            if service["Provider"] == "nomad":
                yield _row(alloc, service, node, env, owner=task["Name"])


def _row(alloc: Row, service: Row, node: Row, env: dict[str, str], *, owner: str) -> Row:
    name = taskenv.interpolate(service["Name"], env, node)
    port, address = _address(alloc, service, node)
    canary = bool((alloc["DeploymentStatus"] or {}).get("Canary"))
    tags = (service["CanaryTags"] if canary and service["CanaryTags"] else service["Tags"]) or []
    return {
        "ID": f"_nomad-task-{alloc['ID']}-{owner}-{name}-{service['PortLabel']}",
        "ServiceName": name,
        "Namespace": alloc["Namespace"],
        "NodeID": node["ID"],
        "Datacenter": node["Datacenter"],
        "JobID": alloc["JobID"],
        "AllocID": alloc["ID"],
        "Tags": [taskenv.interpolate(tag, env, node) for tag in tags],
        "Address": address,
        "Port": port,
    }


def _address(alloc: Row, service: Row, node: Row) -> tuple[int, str]:
    label = service["PortLabel"]
    for port in alloc["AllocatedResources"]["Shared"]["Ports"] or ():
        if port["Label"] == label:
            return port["Value"], service["Address"] or port["HostIP"]
    number = int(label) if str(label).isdigit() else 0
    return number, service["Address"] or node["Attributes"]["unique.network.ip-address"]
