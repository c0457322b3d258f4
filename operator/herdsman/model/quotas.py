"""What a job asks for, and how much of it a namespace and an owner may have."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final


@dataclass(frozen=True, slots=True)
class Demand:
    """Amounts: jobs, MHz of shared CPU, reserved cores, MB of memory, MB of disk, and GPUs."""

    deployments: int = 0
    cpu: int = 0
    cores: int = 0
    memory: int = 0
    disk: int = 0
    gpu: int = 0

    def __add__(self, other: "Demand") -> "Demand":
        return _of_each(int.__add__, self, other)

    def __sub__(self, other: "Demand") -> "Demand":
        return _of_each(int.__sub__, self, other)

    def least(self, other: "Demand") -> "Demand":
        """The smaller of each amount."""
        return _of_each(min, self, other)

    def most(self, other: "Demand") -> "Demand":
        """The larger of each amount."""
        return _of_each(max, self, other)

    def named(self) -> Iterator[tuple[str, int]]:
        """Each amount with its name."""
        return zip(AMOUNTS, _amounts(self), strict=True)


AMOUNTS: Final = tuple(f.name for f in fields(Demand))
_amounts: Final = attrgetter(*AMOUNTS)


def _of_each(operation: Callable[[int, int], int], one: Demand, other: Demand) -> Demand:
    return Demand(*map(operation, _amounts(one), _amounts(other)))


NOTHING: Final = Demand()
ONE: Final = Demand(deployments=1)


@dataclass(frozen=True, slots=True)
class Quotas:
    """How much there may be at most, by the name of the amount: *namespace* for all, *owner* for each of them."""

    namespace: Mapping[str, int]
    owner: Mapping[str, int]

    @property
    def needs_amounts(self) -> bool:
        """Whether it matters what a job asks for, not only that there is one."""
        return bool((self.namespace.keys() | self.owner.keys()) - {"deployments"})
