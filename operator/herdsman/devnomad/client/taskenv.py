"""A task's environment: `NOMAD_*`, its own `env`, and what `${...}` stands for in its configuration."""

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from herdsman.devnomad.client.allocdir import AllocDir
from herdsman.devnomad.scheduler import targets
from herdsman.devnomad.scheduler.names import index_of
from herdsman.devnomad.types import Row

_KEPT_FROM_HOST: Final = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH",
    "LD_LIBRARY_PATH", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
_REFERENCE: Final = re.compile(r"\$\{([^}]+)\}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_]")


def build(alloc: Row, group: Row, task: Row, node: Row, *, dirs: AllocDir) -> dict[str, str]:
    """The environment of a task, without what comes from the machine."""
    env = _identity(alloc, group, task, node, dirs)
    env.update(_resources(alloc, task))
    env.update(_ports(alloc))
    env.update(_meta(alloc["Job"], group, task))
    for key, value in (task["Env"] or {}).items():
        env[_UNSAFE.sub("_", key)] = interpolate(str(value), env, node)
    return env


def host_environment() -> dict[str, str]:
    """What a real process gets to see of this machine's environment."""
    return {key: os.environ[key] for key in _KEPT_FROM_HOST if key in os.environ}


def _identity(alloc: Row, group: Row, task: Row, node: Row, dirs: AllocDir) -> dict[str, str]:
    job, own = alloc["Job"], dirs.task(task["Name"])
    env = {
        "NOMAD_ALLOC_DIR": str(dirs.shared),
        "NOMAD_TASK_DIR": str(own / "local"),
        "NOMAD_SECRETS_DIR": str(own / "secrets"),
        "NOMAD_ALLOC_ID": alloc["ID"],
        "NOMAD_SHORT_ALLOC_ID": alloc["ID"][:8],
        "NOMAD_ALLOC_NAME": alloc["Name"],
        "NOMAD_ALLOC_INDEX": str(index_of(alloc["Name"])),
        "NOMAD_GROUP_NAME": group["Name"],
        "NOMAD_TASK_NAME": task["Name"],
        "NOMAD_JOB_ID": job["ID"],
        "NOMAD_JOB_NAME": job["Name"],
        "NOMAD_NAMESPACE": job["Namespace"],
        "NOMAD_DC": node["Datacenter"],
        "NOMAD_REGION": job["Region"],
    }
    if job["ParentID"]:
        env["NOMAD_JOB_PARENT_ID"] = job["ParentID"]
    return env


def _resources(alloc: Row, task: Row) -> dict[str, str]:
    taken = alloc["AllocatedResources"]["Tasks"].get(task["Name"])
    if taken is None:
        return {}
    env = {
        "NOMAD_CPU_LIMIT": str(taken["Cpu"]["CpuShares"]),
        "NOMAD_MEMORY_LIMIT": str(taken["Memory"]["MemoryMB"]),
    }
    if taken["Memory"]["MemoryMaxMB"]:
        env["NOMAD_MEMORY_MAX_LIMIT"] = str(taken["Memory"]["MemoryMaxMB"])
    if taken["Cpu"]["ReservedCores"]:
        env["NOMAD_CPU_CORES"] = ",".join(str(core) for core in taken["Cpu"]["ReservedCores"])
    for device in taken["Devices"] or ():
        if device["Vendor"] == "nvidia":
            env["NVIDIA_VISIBLE_DEVICES"] = ",".join(device["DeviceIDs"])
    return env


def _ports(alloc: Row) -> dict[str, str]:
    env: dict[str, str] = {}
    for port in alloc["AllocatedResources"]["Shared"]["Ports"] or ():
        label = _UNSAFE.sub("_", port["Label"])
        inside = port["To"] or port["Value"]
        env |= {
            f"NOMAD_IP_{label}": port["HostIP"],
            f"NOMAD_PORT_{label}": str(inside),
            f"NOMAD_ADDR_{label}": f"{port['HostIP']}:{port['Value']}",
            f"NOMAD_HOST_IP_{label}": port["HostIP"],
            f"NOMAD_HOST_PORT_{label}": str(port["Value"]),
            f"NOMAD_HOST_ADDR_{label}": f"{port['HostIP']}:{port['Value']}",
        }
    for name, task in alloc["AllocatedResources"]["Tasks"].items():
        for network in task["Networks"] or ():
            for port in (network.get("ReservedPorts") or []) + (network.get("DynamicPorts") or []):
                env[f"NOMAD_PORT_{name}_{port['Label']}"] = str(port["Value"])
                env[f"NOMAD_ADDR_{name}_{port['Label']}"] = f"{network['IP']}:{port['Value']}"
    return env


def _meta(job: Row, group: Row, task: Row) -> dict[str, str]:
    merged = {**(job["Meta"] or {}), **(group["Meta"] or {}), **(task["Meta"] or {})}
    parameters = job["ParameterizedJob"] or {}
    for key in parameters.get("MetaOptional") or ():
        merged.setdefault(key, "")
    env: dict[str, str] = {}
    for key, value in merged.items():
        clean = _UNSAFE.sub("_", key)
        env[f"NOMAD_META_{clean}"] = str(value)
        env[f"NOMAD_META_{clean.upper()}"] = str(value)
    return env


def interpolate(text: str, env: Mapping[str, str], node: Row) -> str:
    """A text with `${NOMAD_…}`, `${env["…"]}`, `${attr.…}`, `${meta.…}` and `${node.…}` filled in."""

    def value(found: re.Match[str]) -> str:
        name = found[1].strip()
        if name in env:
            return env[name]
        if name.startswith(('env["', "env['")):
            return env.get(name[5:-2], "")
        if name.startswith("env."):
            return env.get(name[4:], "")
        known = targets.lookup(name, node)
        return found[0] if known is None else known

    return _REFERENCE.sub(value, text) if "${" in text else text


def interpolate_all(value: Any, env: Mapping[str, str], node: Row) -> Any:
    """A configuration with every text in it filled in."""
    if isinstance(value, str):
        return interpolate(value, env, node)
    if isinstance(value, list):
        return [interpolate_all(each, env, node) for each in value]
    if isinstance(value, dict):
        return {interpolate(key, env, node): interpolate_all(each, env, node) for key, each in value.items()}
    return value
