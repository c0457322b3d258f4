"""One deployment as a user is told of it: the fields of the platform, and what of it a client needs besides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from herdsman.core.redact import MASK
from herdsman.model.catalog import Entry
from herdsman.model.desired import Order
from herdsman.model.placements import Placement
from herdsman.platform.shape import Shape
from herdsman.platform.words import Verdict


@dataclass(frozen=True, slots=True)
class Info:
    """One deployment as a user is told of it: the fields of the platform, and what of it a client needs besides."""

    order: Order
    verdict: Verdict
    shape: Shape
    placement: Placement | None
    endpoints: Mapping[str, str]
    active: tuple[str, ...]
    datacenter: str
    submitted: float
    revision: str
    pending: bool = False
    entry: Entry | None = None
    _line: list[orjson.Fragment] = field(default_factory=list, compare=False, repr=False)

    def line(self) -> orjson.Fragment:
        """As JSON for a list of many: put together once."""
        if not self._line:
            self._line.append(orjson.Fragment(orjson.dumps(self.told())))
        return self._line[0]

    def told(self, *, full: bool = False, etag: str | None = None) -> dict[str, Any]:
        """As JSON."""
        order, asks = self.order, self.shape.resources
        mhz = self.placement.cpu_mhz.get(self.shape.main, 0) if self.placement is not None else 0
        name = order.entry.partition("/")[2]
        told: dict[str, Any] = {
            "job_ID": order.key.name,
            "name": order.key.name,
            "status": self.verdict.word.value,
            "owner": order.owner,
            "title": order.title,
            "description": order.description or str(order.values.get("general", {}).get("desc") or ""),
            "namespace": order.key.namespace,
            "catalog": order.entry,
            "batch": order.batch,
            "tool_name": name if order.entry.startswith("tools/") else None,
            "docker_image": self.shape.image,
            "docker_command": self.shape.command,
            "submit_time": iso(self.submitted),
            "resources": {
                "cpu_num": asks.cpu_num,
                "cpu_MHz": mhz or asks.cpu_mhz,
                "gpu_num": asks.gpu_num,
                "memory_MB": asks.memory_mb,
                "disk_MB": asks.disk_mb,
            },
            "endpoints": dict(self.endpoints),
            "active_endpoints": list(self.active) if full else None,
            "main_endpoint": next(iter(self.endpoints), None),
            "alloc_ID": self.placement.id if self.placement is not None else None,
            "datacenter": self.datacenter or None,
            "error_msg": self.verdict.why or None,
            "expires": iso(order.expires) if order.expires is not None else None,
            "revision": self.revision,
            "etag": etag,
        }
        if full:
            told["conf"] = masked(order, self.entry)
            if order.batch and self.entry is not None and self.entry.script is not None:
                script = self.entry.script
                told["script"] = order.values.get(script.group, {}).get(script.key)
            told["upgrade"] = order.upgrade.value
            told["outdated"] = bool(order.template and order.latest and order.template != order.latest)
        return told


def iso(seconds: float) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def masked(order: Order, entry: Entry | None) -> dict[str, dict[str, Any]]:
    """The parameters that are in force; of a secret, that there is one."""
    hidden = {(p.group, p.key) for p in (entry.secrets if entry is not None else ())}
    told = {
        group: {key: value for key, value in values.items() if (group, key) not in hidden}
        for group, values in order.values.items()
    }
    for group, key in sorted(hidden):
        told.setdefault(group, {})[key] = MASK if key in order.secrets else ""
    return told
