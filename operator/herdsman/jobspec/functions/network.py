"""Functions of IP networks."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from herdsman.jobspec.bignum import Number
from herdsman.jobspec.typesystem import NUMBER, STRING
from herdsman.jobspec.values import ListValue, Value

from .base import ArgumentError, Function, FunctionError, Parameter, function, whole

_PREFIX = Parameter("prefix", STRING)
_Network = IPv4Network | IPv6Network


def _network(prefix: str) -> _Network:
    try:
        if "/" not in prefix:
            raise ValueError
        return ip_network(prefix, strict=False)
    except ValueError:
        raise FunctionError(f"invalid CIDR expression: invalid CIDR address: {prefix}") from None


def _cidrhost(prefix: str, host: Number) -> Value:
    """The host by number; a negative one counts from the end."""
    network = _network(prefix)
    number = whole(host, 1)
    if not -network.num_addresses <= number < network.num_addresses:
        raise FunctionError(f"prefix of {network.prefixlen} does not accommodate a host numbered {number}")
    return str(network[number])


def _cidrnetmask(prefix: str) -> Value:
    return str(_network(prefix).netmask)


def _subnet(network: _Network, length: int, first: int) -> str:
    return f"{ip_address(first) if network.version == 4 else type(network.network_address)(first)}/{length}"


def _cidrsubnet(prefix: str, newbits: Number, number: Number) -> Value:
    network = _network(prefix)
    bits, place = whole(newbits, 1), whole(number, 2)
    length = network.prefixlen + bits
    if bits < 0 or length > network.max_prefixlen:
        raise FunctionError(f"insufficient address space to extend prefix of {network.prefixlen} by {bits}")
    if not 0 <= place < 1 << bits:
        raise FunctionError(f"prefix extension of {bits} does not accommodate a subnet numbered {place}")
    return _subnet(network, length, int(network.network_address) + (place << (network.max_prefixlen - length)))


def _cidrsubnets(prefix: str, *newbits: Number) -> Value:
    """Subnets of the given sizes one after the other, each at the next place that suits its size."""
    network = _network(prefix)
    end = int(network.broadcast_address)
    last = int(network.network_address) - 1
    subnets: list[Value] = []
    for at, number in enumerate(newbits, 1):
        bits = whole(number, at)
        if bits < 1:
            raise ArgumentError(at, "must extend prefix by at least one bit")
        if bits > 32:
            raise ArgumentError(at, "may not extend prefix by more than 32 bits")
        length = network.prefixlen + bits
        if length > network.max_prefixlen:
            raise ArgumentError(
                at, f"would extend prefix to {length} bits, which is too long for an IPv{network.version} address"
            )
        size = 1 << (network.max_prefixlen - length)
        first = (last // size + 1) * size
        if first + size - 1 > end:
            raise ArgumentError(
                at,
                f"not enough remaining address space for a subnet with a prefix of {length} bits after {subnets[-1]}",
            )
        subnets.append(_subnet(network, length, first))
        last = first + size - 1
    return ListValue(subnets, STRING)


FUNCTIONS: dict[str, Function] = {
    "cidrhost": function(_cidrhost, _PREFIX, Parameter("hostnum", NUMBER)),
    "cidrnetmask": function(_cidrnetmask, _PREFIX),
    "cidrsubnet": function(_cidrsubnet, _PREFIX, Parameter("newbits", NUMBER), Parameter("netnum", NUMBER)),
    "cidrsubnets": function(_cidrsubnets, _PREFIX, rest=Parameter("newbits", NUMBER)),
}
