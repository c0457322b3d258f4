"""network: ports, DNS and CNI of a group (and, as it once was, of a task)."""

from __future__ import annotations

from herdsman.jobspec.bodies import BoundBlock

from .schema import Json, flag, integer, many, one, schema, text, text_map, texts

_PORT = schema(
    integer("static", "Value", 0),
    integer("to", "To", 0),
    text("host_network", "HostNetwork", ""),
    flag("ignore_collision", "IgnoreCollision", default=False),
    label="Label",
)


def _network(found: Json, _block: BoundBlock) -> Json:
    """A port with a number of its own is reserved, the others are given one by the scheduler."""
    ports = found.pop("Ports") or []
    assert isinstance(ports, list)
    found["ReservedPorts"] = [port for port in ports if port["Value"] > 0] or None
    found["DynamicPorts"] = [port for port in ports if port["Value"] <= 0] or None
    return found


NETWORK = schema(
    text("mode", "Mode", ""),
    text("device", "Device", ""),
    text("cidr", "CIDR", ""),
    text("ip", "IP", ""),
    text("hostname", "Hostname", ""),
    integer("mbits", "MBits"),
    one("dns", "DNS", schema(texts("servers", "Servers"), texts("searches", "Searches"), texts("options", "Options"))),
    one("cni", "CNI", schema(text_map("args", "Args"))),
    many("port", "Ports", _PORT),
    finish=_network,
)
