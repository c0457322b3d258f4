"""What `${attr.kernel.name}`, `${meta.rack}` or `${node.datacenter}` is on a node."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from herdsman.devnomad.types import Row

_TARGET: Final = re.compile(r"\$\{([^}]*)\}")

_NODE: Final[Mapping[str, Callable[[Row], str]]] = {
    "node.unique.id": lambda node: node["ID"],
    "node.datacenter": lambda node: node["Datacenter"],
    "node.unique.name": lambda node: node["Name"],
    "node.class": lambda node: node["NodeClass"],
    "node.pool": lambda node: node["NodePool"],
    "node.region": lambda _: "global",
}


def resolve(target: str, node: Row) -> str | None:
    """The value of a constraint's target on a node; a text without `${}` is itself."""
    if "${" not in target:
        return target
    whole = _TARGET.fullmatch(target)
    if whole:
        return lookup(whole[1], node)
    missing = False

    def replace(found: re.Match[str]) -> str:
        nonlocal missing
        value = lookup(found[1], node)
        missing = missing or value is None
        return value or ""

    text = _TARGET.sub(replace, target)
    return None if missing else text


def lookup(name: str, node: Row) -> str | None:
    """The value of a name like `attr.kernel.name` on a node."""
    known = _NODE.get(name)
    if known is not None:
        return known(node)
    kind, _, key = name.partition(".")
    if kind == "attr":
        return _text(node["Attributes"].get(key))
    if kind == "meta":
        return _text((node["Meta"] or {}).get(key))
    return None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
