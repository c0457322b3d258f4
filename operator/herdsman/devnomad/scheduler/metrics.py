"""Why a placement went where it went, or nowhere: the `Metrics` of an allocation, `FailedTGAllocs` of an evaluation."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from herdsman.devnomad.types import Row


@dataclass(slots=True)
class Metrics:
    """Counts of one attempt to place an allocation."""

    available: Mapping[str, int]
    pool: str
    in_pool: int
    evaluated: int = 0
    filtered: int = 0
    exhausted: int = 0
    constraints: Counter[str] = field(default_factory=Counter)
    class_filtered: Counter[str] = field(default_factory=Counter)
    dimensions: Counter[str] = field(default_factory=Counter)
    class_exhausted: Counter[str] = field(default_factory=Counter)
    scores: list[Row] = field(default_factory=list)

    def filter(self, node: Row, why: str) -> None:
        """A node that may not hold the group."""
        self.filtered += 1
        self.constraints[why] += 1
        if node["NodeClass"]:
            self.class_filtered[node["NodeClass"]] += 1

    def exhaust(self, node: Row, dimension: str) -> None:
        """A node that has no room left."""
        self.exhausted += 1
        self.dimensions[dimension] += 1
        if node["NodeClass"]:
            self.class_exhausted[node["NodeClass"]] += 1

    def as_row(self) -> Row:
        """As the API shows it."""
        return {
            "NodesEvaluated": self.evaluated,
            "NodesFiltered": self.filtered,
            "NodesInPool": self.in_pool,
            "NodePool": self.pool,
            "NodesAvailable": dict(self.available),
            "ClassFiltered": dict(self.class_filtered) or None,
            "ConstraintFiltered": dict(self.constraints) or None,
            "NodesExhausted": self.exhausted,
            "ClassExhausted": dict(self.class_exhausted) or None,
            "DimensionExhausted": dict(self.dimensions) or None,
            "QuotaExhausted": None,
            "ResourcesExhausted": None,
            "Scores": None,
            "ScoreMetaData": self.scores or None,
            "AllocationTime": 0,
            "CoalescedFailures": 0,
        }
