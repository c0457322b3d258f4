"""What tasks and the machine use, as far as the kernel tells it; nothing where nothing real runs."""

import os
import shutil
from pathlib import Path
from typing import Final

from herdsman.devnomad.client.alloc_runner import AllocRunner
from herdsman.devnomad.client.task_runner import TaskRunner
from herdsman.devnomad.errors import BadRequest
from herdsman.devnomad.types import Row

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def of_alloc(runner: AllocRunner, task: str, *, now: int) -> Row:
    """What an allocation, or one of its tasks, uses."""
    if task and task not in runner.tasks:
        raise BadRequest(f'unknown task name "{task}"')
    tasks: dict[str, Row] = {
        name: {"ResourceUsage": _usage(each), "Timestamp": now, "Pids": None}
        for name, each in runner.tasks.items()
        if each.running and task in {"", name}
    }
    memory = sum(each["ResourceUsage"]["MemoryStats"]["RSS"] for each in tasks.values())
    return {"ResourceUsage": _resources(memory), "Tasks": tasks, "Timestamp": now}


def _usage(runner: TaskRunner) -> Row:
    return _resources(resident(runner.pid) if runner.pid else 0)


def _resources(memory: int) -> Row:
    return {
        "CpuStats": {
            "Measured": ["Percent", "Total Ticks"],
            "Percent": 0.0,
            "SystemMode": 0.0,
            "ThrottledPeriods": 0,
            "ThrottledTime": 0,
            "TotalTicks": 0.0,
            "UserMode": 0.0,
        },
        "MemoryStats": {
            "Cache": 0,
            "KernelMaxUsage": 0,
            "KernelUsage": 0,
            "MappedFile": 0,
            "MaxUsage": 0,
            "Measured": ["RSS"],
            "RSS": memory,
            "Swap": 0,
            "Usage": memory,
        },
        "DeviceStats": None,
    }


def resident(pid: int) -> int:
    """How many bytes of memory a process holds."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def of_host(data_dir: Path, *, now: int) -> Row:
    """What the machine uses."""
    usage = shutil.disk_usage(data_dir if data_dir.exists() else "/")
    disk = {
        "Available": usage.free,
        "Device": "",
        "InodesUsedPercent": 0.0,
        "Mountpoint": "/",
        "Size": usage.total,
        "Used": usage.used,
        "UsedPercent": round(100 * usage.used / usage.total, 2) if usage.total else 0.0,
    }
    memory = _memory()
    return {
        "AllocDirStats": disk,
        "CPU": [],
        "CPUTicksConsumed": 0.0,
        "DeviceStats": [],
        "DiskStats": [disk],
        "Memory": {
            "Available": memory.get("MemAvailable", 0),
            "Free": memory.get("MemFree", 0),
            "Total": memory.get("MemTotal", 0),
            "Used": memory.get("MemTotal", 0) - memory.get("MemAvailable", 0),
        },
        "Timestamp": now,
        "Uptime": _uptime(),
    }


def _memory() -> dict[str, int]:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0].rstrip(":"): int(pair[1]) * 1024 for pair in pairs if len(pair) > 1}


def _uptime() -> int:
    try:
        return int(float(Path("/proc/uptime").read_text().split()[0]))
    except OSError:
        return 0
