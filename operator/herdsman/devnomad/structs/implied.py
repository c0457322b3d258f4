"""Constraints that a group's blocks imply: a node must be able to do what the group asks of it."""

from collections.abc import Iterator

from herdsman.devnomad.structs.shapes import Json

_CNI_PLUGINS = ("bridge", "firewall", "host-local", "loopback", "portmap")


def _at_least(attribute: str, version: str) -> Json:
    return {"LTarget": f"${{attr.{attribute}}}", "RTarget": f">= {version}", "Operand": "semver"}


def _is(attribute: str, value: str) -> Json:
    return {"LTarget": f"${{attr.{attribute}}}", "RTarget": value, "Operand": "="}


def add_constraints(job: Json) -> None:
    """Add to every group of a stored job what it implies and does not say yet."""
    for group in job["TaskGroups"] or ():
        have = group["Constraints"] or []
        wanted = [*_vault(group), *_numa(group), *_signals(group), *_services(group), *_networks(group)]
        for constraint in wanted:
            if constraint not in have:
                have = [*have, constraint]
        group["Constraints"] = have or None


def _vault(group: Json) -> Iterator[Json]:
    for task in sorted(group["Tasks"] or (), key=lambda t: str(t["Name"])):
        if task["Vault"] is not None:
            yield _at_least(_of_cluster("vault", task["Vault"]["Cluster"]), "0.6.1")


def _of_cluster(service: str, cluster: str) -> str:
    return f"{service}.version" if cluster in ("", "default") else f"{service}.{cluster}.version"


def _numa(group: Json) -> Iterator[Json]:
    numa = (task["Resources"]["NUMA"] for task in group["Tasks"] or ())
    if any(block is not None and block["Affinity"] in ("prefer", "require") for block in numa):
        yield _at_least("nomad.version", "1.7.1")
        yield _is("kernel.name", "linux")


def _signals(group: Json) -> Iterator[Json]:
    wanted: set[str] = set()
    for task in group["Tasks"] or ():
        wanted.add(task["KillSignal"])
        blocks = (*(task["Templates"] or ()), *(task["Identities"] or ()), task["Identity"], task["Vault"])
        wanted.update(b["ChangeSignal"] for b in blocks if b is not None and b["ChangeMode"] == "signal")
    if wanted := wanted - {""}:
        yield {"LTarget": "${attr.os.signals}", "RTarget": ",".join(sorted(wanted)), "Operand": "set_contains"}


def _services(group: Json) -> Iterator[Json]:
    services = [*(group["Services"] or ()), *(s for t in group["Tasks"] or () for s in t["Services"] or ())]
    native = [service for service in services if service["Provider"] == "nomad"]
    if native:
        yield _is("nomad.service_discovery", "true")
    if any(service["Checks"] for service in native):
        yield _at_least("nomad.version", "1.4.0")
    for service in services:
        if service["Provider"] == "consul":
            yield _at_least(_of_cluster("consul", service["Cluster"]), "1.8.0")


def _networks(group: Json) -> Iterator[Json]:
    if any(network.get("Mode") == "bridge" for network in group["Networks"] or ()):
        yield from (_at_least(f"plugins.cni.version.{plugin}", "0.4.0") for plugin in _CNI_PLUGINS)
    for service in group["Services"] or ():
        sidecar = (service["Connect"] or {}).get("SidecarService") or {}
        if (sidecar.get("Proxy") or {}).get("TransparentProxy") is not None:
            yield _at_least("plugins.cni.version.consul-cni", "1.4.2")
            yield _at_least("consul.version", "1.8.0")
