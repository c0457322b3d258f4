"""The numbers in allocation names: `job.group[0]`, `job.group[1]`, …: free ones are used again, lowest first."""

from collections.abc import Iterable, Iterator

from herdsman.devnomad.types import Row


def name_of(job_id: str, group: str, index: int) -> str:
    """The name of a group's allocation."""
    return f"{job_id}.{group}[{index}]"


def index_of(name: str) -> int:
    """The number in an allocation's name."""
    return int(name[name.rindex("[") + 1 : -1])


class Names:
    """Which numbers of a group are taken."""

    def __init__(self, job_id: str, group: str, taken: Iterable[str]) -> None:
        self._job_id, self._group = job_id, group
        self._taken = {index_of(name) for name in taken}

    def free(self, name: str) -> None:
        """Give a name back."""
        self._taken.discard(index_of(name))

    def next(self, count: int) -> list[str]:
        """So many names that nobody has."""
        return [self._take(index) for index, _ in zip(self._unused(), range(max(count, 0)), strict=False)]

    def canaries(self, count: int, replaced: list[Row], standing: set[str]) -> list[str]:
        """Names for canaries: those of the allocations they will replace and no canary has yet, then free ones."""
        names = sorted({alloc["Name"] for alloc in replaced} - standing, key=index_of)[:count]
        return names + self.next(count - len(names))

    def _unused(self) -> Iterator[int]:
        index = 0
        while True:
            if index not in self._taken:
                yield index
            index += 1

    def _take(self, index: int) -> str:
        self._taken.add(index)
        return name_of(self._job_id, self._group, index)
