"""What somebody may do: the questions that requests ask of a token."""

from typing import Protocol


class Access(Protocol):
    """Somebody's rights."""

    @property
    def everything(self) -> bool:
        """Whether all is allowed: a management token, or no access control at all."""

    def namespace(self, name: str, capability: str) -> bool:
        """Whether a capability is given in a namespace."""

    def any_namespace(self, capability: str) -> bool:
        """Whether a capability is given in any namespace at all."""

    def sees_namespace(self, name: str) -> bool:
        """Whether there is anything to do in a namespace."""

    def variable(self, namespace: str, path: str, capability: str) -> bool:
        """Whether a capability is given on a variable's path."""

    def pool(self, name: str, capability: str) -> bool:
        """Whether a capability is given on a node pool."""

    def coarse(self, scope: str, mode: str) -> bool:
        """Whether `node`, `agent`, `operator`, `quota`, `plugin` may be read or written (`read`, `write`, `list`)."""

    @property
    def accessor(self) -> str:
        """The public ID of the token; empty where there is none."""

    @property
    def policies(self) -> frozenset[str]:
        """The policies that gave these rights."""


class Everything:
    """All rights: access control is off, or this is a management token."""

    def __init__(self, accessor: str = "") -> None:
        self._accessor = accessor

    @property
    def everything(self) -> bool:
        """Yes."""
        return True

    def namespace(self, _name: str, _capability: str) -> bool:
        """Yes."""
        return True

    def any_namespace(self, _capability: str) -> bool:
        """Yes."""
        return True

    def sees_namespace(self, _name: str) -> bool:
        """Yes."""
        return True

    def variable(self, _namespace: str, _path: str, _capability: str) -> bool:
        """Yes."""
        return True

    def pool(self, _name: str, _capability: str) -> bool:
        """Yes."""
        return True

    def coarse(self, _scope: str, _mode: str) -> bool:
        """Yes."""
        return True

    @property
    def accessor(self) -> str:
        """The token's public ID."""
        return self._accessor

    @property
    def policies(self) -> frozenset[str]:
        """None: they are not needed."""
        return frozenset()
