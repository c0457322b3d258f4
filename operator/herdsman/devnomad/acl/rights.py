"""The rights of a client token: all its policies together. What any of them denies is denied."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeVar

from herdsman.devnomad.acl.rules import DENY, Rules

T = TypeVar("T")
_STRENGTH = {"": 0, "list": 1, "read": 2, "write": 3}


class Rights:
    """Rights that follow from policies."""

    def __init__(self, rules: Iterable[Rules], *, accessor: str, policies: frozenset[str]) -> None:
        self._namespaces: dict[str, set[str]] = {}
        self._variables: dict[str, dict[str, set[str]]] = {}
        self._pools: dict[str, set[str]] = {}
        self._coarse: dict[str, str] = {}
        self._accessor, self._policies = accessor, policies
        for each in rules:
            self._add(each)

    def _add(self, rules: Rules) -> None:
        for name, capabilities in rules.namespaces.items():
            self._namespaces.setdefault(name, set()).update(capabilities)
        for name, paths in rules.variables.items():
            for path, capabilities in paths.items():
                self._variables.setdefault(name, {}).setdefault(path, set()).update(capabilities)
        for name, capabilities in rules.pools.items():
            self._pools.setdefault(name, set()).update(capabilities)
        for scope, mode in rules.coarse.items():
            known = self._coarse.get(scope, "")
            if DENY in {known, mode}:
                self._coarse[scope] = DENY
            elif _STRENGTH[mode] > _STRENGTH[known]:
                self._coarse[scope] = mode

    @property
    def everything(self) -> bool:
        """No."""
        return False

    @property
    def accessor(self) -> str:
        """The token's public ID."""
        return self._accessor

    @property
    def policies(self) -> frozenset[str]:
        """The policies that gave these rights."""
        return self._policies

    def namespace(self, name: str, capability: str) -> bool:
        """Whether a capability is given in a namespace."""
        return _given(_best(self._namespaces, name), capability)

    def any_namespace(self, capability: str) -> bool:
        """Whether a capability is given in all namespaces."""
        return _given(self._namespaces.get("*"), capability)

    def sees_namespace(self, name: str) -> bool:
        """Whether there is anything to do in a namespace."""
        found = _best(self._namespaces, name)
        return bool(found) and DENY not in (found or ())

    def variable(self, namespace: str, path: str, capability: str) -> bool:
        """Whether a capability is given on a variable's path."""
        paths = _best(self._variables, namespace)
        return paths is not None and _given(_best(paths, path), capability)

    def pool(self, name: str, capability: str) -> bool:
        """Whether a capability is given on a node pool."""
        return _given(_best(self._pools, name), capability)

    def coarse(self, scope: str, mode: str) -> bool:
        """Whether a scope may be listed, read or written."""
        given = self._coarse.get(scope, "")
        return given != DENY and _STRENGTH[given] >= _STRENGTH[mode]


def _given(capabilities: set[str] | None, capability: str) -> bool:
    return capabilities is not None and DENY not in capabilities and capability in capabilities


def _best(rules: Mapping[str, T], name: str) -> T | None:
    """The rule of exactly this name, or else the pattern that fits it with the most of its own characters."""
    found = rules.get(name)
    if found is not None:
        return found
    fitting = [pattern for pattern in rules if "*" in pattern and _fits(pattern, name)]
    return rules[max(fitting, key=lambda pattern: len(pattern.replace("*", "")))] if fitting else None


@lru_cache(maxsize=1024)
def _fits(pattern: str, name: str) -> bool:
    first, *middle, last = pattern.split("*")
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    rest = name[len(first) : len(name) - len(last)]
    for part in middle:
        _, found, rest = rest.partition(part)
        if part and not found:
            return False
    return True
