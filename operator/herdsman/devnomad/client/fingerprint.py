"""What a simulated node claims to be. It says that it is a simulation, and has room for whatever people want to try."""

import os
import platform
import shutil
import uuid
from pathlib import Path
from typing import Final

from herdsman.devnomad.clock import now_ns, rfc3339
from herdsman.devnomad.types import Row

NOMAD_VERSION: Final = "2.0.5"
SIMULATED: Final = "herdsman.simulated"
DRIVERS: Final = (
    "containerd-driver",
    "docker",
    "exec",
    "exec2",
    "java",
    "mock_driver",
    "nspawn",
    "podman",
    "qemu",
    "raw_exec",
    "virt",
)
_CNI_PLUGINS: Final = ("bridge", "firewall", "host-local", "loopback", "portmap")
"""Simulated as the containers are that want them."""
_CORES: Final = 100
_MHZ: Final = 2_600
_MEMORY_MB: Final = 524_288
_DISK_MB: Final = 2_000_000
_GPU_ATTRIBUTES: Final[Row] = {
    "memory": {"Int": 16_384, "Unit": "MiB"},
    "cuda_cores": {"Int": 2_560, "Unit": ""},
    "driver_version": {"String": "535.104.05", "Unit": ""},
}
_SIGNALS: Final = (
    "SIGABRT,SIGALRM,SIGCONT,SIGHUP,SIGINT,SIGKILL,SIGPIPE,SIGQUIT,SIGSTOP,SIGTERM,SIGTSTP,SIGUSR1,SIGUSR2"
)
_STATIC_META: Final = {"connect.log_level": "info", "connect.proxy_concurrency": "1"}
_ARCH: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def node_name(number: int) -> str:
    """The name of the first, second, … node."""
    return "devnomad" if number == 0 else f"devnomad-{number + 1}"


def fingerprint(node_id: str, *, number: int, http_address: str, gpus: int = 0) -> Row:
    """A node, not registered yet."""
    name = node_name(number)
    now = now_ns()
    attributes = _attributes(name, http_address)
    drivers = {driver: _driver(driver, now) for driver in DRIVERS}
    for driver in drivers.values():
        attributes.update(driver["Attributes"])
    networks = [_network("127.0.0.1", "127.0.0.1/32")]
    return {
        "ID": node_id,
        "SecretID": str(uuid.uuid4()),
        "Datacenter": "dc1",
        "Name": name,
        "HTTPAddr": http_address,
        "TLSEnabled": False,
        "Attributes": attributes,
        "NodeResources": _resources(networks, gpus),
        "ReservedResources": {
            "Cpu": {"CpuShares": 0, "ReservedCpuCores": None},
            "Memory": {"MemoryMB": 0},
            "Disk": {"DiskMB": 0},
            "Networks": {"ReservedHostPorts": ""},
        },
        "Resources": _old_resources(networks),
        "Reserved": None,
        "Links": {},
        "Meta": dict(_STATIC_META),
        "NodeClass": "",
        "ComputedClass": "v1:1",
        "NodePool": "default",
        "Drain": False,
        "DrainStrategy": None,
        "LastDrain": None,
        "SchedulingEligibility": "eligible",
        "Status": "ready",
        "StatusDescription": "",
        "StatusUpdatedAt": now // 1_000_000_000,
        "Events": [],
        "Drivers": drivers,
        "CSIControllerPlugins": {},
        "CSINodePlugins": {},
        "HostVolumes": {},
        "HostNetworks": {},
        "GCVolumesOnNodeGC": False,
        "CgroupParent": "nomad.slice",
        "LastMissedHeartbeatIndex": 0,
        "LastAllocUpdateIndex": 0,
        "NodeMaxAllocs": 0,
    }


def metadata(node: Row) -> Row:
    """A node's metadata: what it started with, and what was changed since."""
    meta = node["Meta"]
    dynamic = {key: value for key, value in meta.items() if _STATIC_META.get(key) != value}
    removed = dict.fromkeys(_STATIC_META.keys() - meta.keys())
    return {"Meta": meta, "Dynamic": dynamic | removed, "Static": dict(_STATIC_META)}


def _attributes(name: str, http_address: str) -> dict[str, str]:
    disk = shutil.disk_usage("/")
    return {
        SIMULATED: "true",
        "cpu.arch": _ARCH.get(platform.machine(), platform.machine()),
        "cpu.frequency": str(_MHZ),
        "cpu.modelname": "simulated by herdsman devnomad",
        "cpu.numcores": str(_CORES),
        "cpu.reservablecores": str(_CORES),
        "cpu.totalcompute": str(_CORES * _MHZ),
        "cpu.usablecompute": str(_CORES * _MHZ),
        "kernel.arch": platform.machine(),
        "kernel.name": platform.system().lower(),
        "kernel.version": platform.release(),
        "memory.totalbytes": str(_MEMORY_MB * 1024 * 1024),
        "network.ip-address": "127.0.0.1",
        "nomad.advertise.address": http_address,
        "nomad.bridge.hairpin_mode": "false",
        "nomad.revision": "simulation",
        "nomad.service_discovery": "true",
        "nomad.version": NOMAD_VERSION,
        "numa.node.count": "1",
        "os.name": _os_release().get("ID", platform.system().lower()),
        "os.signals": _SIGNALS,
        **{f"plugins.cni.version.{plugin}": "v1.6.1" for plugin in _CNI_PLUGINS},
        "os.version": _os_release().get("VERSION_ID", platform.release()),
        "unique.advertise.address": http_address,
        "unique.hostname": name,
        "unique.network.ip-address": "127.0.0.1",
        "unique.storage.bytesfree": str(disk.free),
        "unique.storage.bytestotal": str(disk.total),
        "unique.storage.volume": "simulated",
    }


def _os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: value.strip('"') for key, _, value in pairs}


def _driver(name: str, now: int) -> Row:
    attributes = {f"driver.{name}": "1"}
    if name not in {"raw_exec", "exec", "mock_driver"}:
        attributes[f"driver.{name}.{SIMULATED.partition('.')[2]}"] = "true"
    if name == "docker":
        attributes |= {"driver.docker.version": "27.0.0", "driver.docker.volumes.enabled": "true"}
    if name == "mock_driver":
        attributes["driver.mock"] = "true"
    return {
        "Attributes": attributes,
        "Detected": True,
        "Healthy": True,
        "HealthDescription": "Healthy",
        "UpdateTime": rfc3339(now),
    }


def _network(ip: str, cidr: str) -> Row:
    return {
        "Mode": "host",
        "Device": "lo",
        "CIDR": cidr,
        "IP": ip,
        "Hostname": "",
        "MBits": 1000,
        "DNS": None,
        "ReservedPorts": None,
        "DynamicPorts": None,
        "CNI": None,
    }


def _resources(networks: list[Row], gpus: int) -> Row:
    return {
        "Cpu": {
            "CpuShares": _CORES * _MHZ,
            "TotalCpuCores": _CORES,
            "ReservableCpuCores": list(range(_CORES)),
        },
        "Memory": {"MemoryMB": _MEMORY_MB},
        "Disk": {"DiskMB": _DISK_MB},
        "Processors": {"Topology": _topology()},
        "Networks": networks,
        "NodeNetworks": [
            {
                "Mode": "host",
                "Device": "lo",
                "MacAddress": "00:00:00:00:00:00",
                "Speed": 1000,
                "Addresses": [
                    {
                        "Family": "ipv4",
                        "Alias": "default",
                        "Address": networks[0]["IP"],
                        "ReservedPorts": "",
                        "Gateway": "",
                    }
                ],
            }
        ],
        "Devices": [_gpu(gpus)] if gpus else None,
        "MinDynamicPort": 20_000,
        "MaxDynamicPort": 32_000,
    }


def _old_resources(networks: list[Row]) -> Row:
    """The same, as it was told in former times."""
    return {
        "CPU": _CORES * _MHZ,
        "Cores": 0,
        "MemoryMB": _MEMORY_MB,
        "MemoryMaxMB": 0,
        "DiskMB": _DISK_MB,
        "IOPS": 0,
        "Networks": networks,
        "Devices": None,
        "NUMA": None,
        "SecretsMB": 0,
    }


def _topology() -> Row:
    return {
        "NodeIDs": [0],
        "Distances": [[10]],
        "Cores": [
            {
                "SocketID": 0,
                "NodeID": 0,
                "ID": core,
                "Grade": True,
                "Disable": False,
                "BaseSpeed": _MHZ,
                "MaxSpeed": _MHZ,
                "GuessSpeed": 0,
            }
            for core in range(min(os.cpu_count() or 1, _CORES))
        ],
        "OverrideTotalCompute": _CORES * _MHZ,
        "OverrideWitholdCompute": 0,
    }


def _gpu(count: int) -> Row:
    return {
        "Vendor": "nvidia",
        "Type": "gpu",
        "Name": "Tesla T4",
        "Instances": [
            {
                "ID": f"GPU-{uuid.uuid5(uuid.NAMESPACE_OID, str(number))}",
                "Healthy": True,
                "HealthDescription": "",
                "Locality": {"PciBusID": f"00000000:{number:02X}:00.0"},
            }
            for number in range(count)
        ],
        "Attributes": _GPU_ATTRIBUTES,
    }
