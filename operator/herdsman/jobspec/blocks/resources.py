"""resources: what a task needs of its node."""

from __future__ import annotations

from .common import AFFINITY, CONSTRAINT
from .network import NETWORK
from .schema import integer, many, one, schema, text, texts

_DEVICE = schema(
    integer("count", "Count"),
    many("constraint", "Constraints", CONSTRAINT),
    many("affinity", "Affinities", AFFINITY),
    label="Name",
)

RESOURCES = schema(
    integer("cpu", "CPU"),
    integer("cores", "Cores"),
    integer("memory", "MemoryMB"),
    integer("memory_max", "MemoryMaxMB"),
    integer("disk", "DiskMB"),
    integer("iops", "IOPS"),
    integer("secrets", "SecretsMB"),
    many("network", "Networks", NETWORK),
    many("device", "Devices", _DEVICE),
    one("numa", "NUMA", schema(text("affinity", "Affinity", ""), texts("devices", "Devices"))),
)
